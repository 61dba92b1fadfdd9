"""Make the weights that come with the package from a finished training.

    python evaluate.py data=synthetic data.split=validation ... model=cover_lite weights=BEST.ckpt output=held_out
    python -m tools.ship BEST.ckpt cover_lite held_out/predictions.csv --card "trained on ..."

Correlation and ranking losses leave the scale of each branch open, and on contents that a training has not seen the
branches are not as good as each other. So their scores are weighted by least squares against the MOS of clips that were
held out, and moved, such that the overall score has mean 0 and deviation 1 over them; the last layers of the heads take
that up.

Weights are stored in half precision, which halves the file; scoring computes in single precision.
"""

import argparse
import dataclasses
from collections.abc import Mapping
from pathlib import Path

import hydra
import pandas as pd
import torch
from scipy.optimize import nnls
from torch import Tensor

from cover.config.components import view_spec
from cover.config.compose import checked, config_folder, plain
from cover.config.schema import ViewOptions
from cover.models import BRANCHES
from cover.weights import SHIPPED, read_about, read_state_dict, save_weights


def balanced(state: Mapping[str, Tensor], held_out: pd.DataFrame) -> dict[str, Tensor]:
    """Weigh the branches against each other.

    Args:
        state: State dict of a COVER.
        held_out: What ``evaluate.py`` wrote of clips that were not trained on: ``mos`` and a column for each branch.

    Returns:
        The same with other last layers of the heads.

    Raises:
        ValueError: A branch follows the MOS so little that it would have no weight.
    """
    scores, mos = held_out[list(BRANCHES)].to_numpy(), held_out["mos"].to_numpy()
    means = scores.mean(0)
    weights, _ = nnls(scores - means, mos - mos.mean())
    if not weights.all():
        raise ValueError(f"weights of the branches would be {dict(zip(BRANCHES, weights.tolist(), strict=True))}")
    weights /= ((scores - means) @ weights).std()
    new = dict(state)
    for branch, weight, mean in zip(BRANCHES, weights.tolist(), means.tolist(), strict=True):
        layer = f"heads.{branch}.score"
        new[f"{layer}.weight"] = weight * state[f"{layer}.weight"]
        new[f"{layer}.bias"] = weight * (state[f"{layer}.bias"] - mean)
    return new


def main() -> None:
    """Writes the file and says how large it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("name", choices=SHIPPED)
    parser.add_argument("held_out", type=Path, help="predictions.csv of clips that were not trained on")
    parser.add_argument("--card", required=True, help="what it was trained on and what it is for, in a sentence or two")
    options = parser.parse_args()
    state = balanced(read_state_dict(options.checkpoint), pd.read_csv(options.held_out))
    # It may have been trained on less than it is to look at: one moment of each clip.
    with hydra.initialize_config_dir(str(config_folder()), version_base="1.3"):
        views = plain(hydra.compose(overrides=[f"+views={options.name}"]))["views"]
    # No calibration: the MOS that it learnt from are none, and a column of that name would say so.
    about = {
        "net": read_about(options.checkpoint)["net"],
        "views": dataclasses.asdict(view_spec(checked(views, ViewOptions))),
        "card": options.card,
    }
    file = SHIPPED[options.name]
    save_weights({name: tensor.to(torch.float16) for name, tensor in state.items()}, file, about)
    print(f"{file}: {file.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
