"""Make the weights that come with the package from a finished training.

    python train.py experiment=lite ... output=lite
    python evaluate.py data=stills data.split=test ... model=cover_lite weights=lite/best.ckpt output=held_out
    python -m tools.ship lite/best.ckpt cover_lite held_out/predictions.csv --of "stills of ..." --card "trained on ..."

Weights are stored in half precision, which halves the file; scoring computes in single precision. Scores of what was
held out come with them as a reference distribution, as quantiles.
"""

import argparse
import dataclasses
import json
from pathlib import Path

import hydra
import numpy as np
import pandas as pd
import torch

from cover.config.build.decoding import view_spec
from cover.config.compose import checked, config_folder, resolved
from cover.config.options.scoring import ViewOptions
from cover.config.resolvers import register_resolvers
from cover.weights import SHIPPED, read_about, read_state_dict, save_weights

QUANTILES = 400


def main() -> None:
    """Writes the file and says how large it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("name", choices=SHIPPED)
    parser.add_argument("held_out", type=Path, help="predictions.csv of what was not trained on, as a reference")
    parser.add_argument("--of", required=True, help="what that shows, in some words")
    parser.add_argument("--card", required=True, help="what it was trained on and what it is for, in a sentence or two")
    options = parser.parse_args()
    register_resolvers()
    with hydra.initialize_config_dir(str(config_folder()), version_base="1.3"):
        config = resolved(hydra.compose(overrides=[f"+model={options.name}", f"+views={options.name}"]))
    overall = pd.read_csv(options.held_out)["overall"].dropna().to_numpy()
    # The middles of equal shares, so that neither end depends on one still.
    scores = np.quantile(overall, (np.arange(QUANTILES) + 0.5) / QUANTILES)
    # The network as its config has it: where its weights came from is nothing that they need.
    about = {
        "net": config["model"]["net"],
        "views": dataclasses.asdict(view_spec(checked(config["views"], ViewOptions))),
        "reference": {"of": f"{len(overall)} {options.of}", "scores": [round(float(score), 4) for score in scores]},
        "card": options.card,
    }
    trained = read_about(options.checkpoint).get("views", about["views"])
    if trained != json.loads(json.dumps(about["views"])):
        parser.error(f"{options.checkpoint} was trained on other views than configs/views/{options.name}.yaml has")
    state = {name: tensor.to(torch.float16) for name, tensor in read_state_dict(options.checkpoint).items()}
    if wide := [name for name, tensor in state.items() if not tensor.isfinite().all()]:
        parser.error(f"{options.checkpoint}: {wide[0]} is too large for half precision")
    file = SHIPPED[options.name]
    # No calibration: the ratings that it learnt from are of no one scale, and a column MOS would say so.
    save_weights(state, file, about)
    print(f"{file}: {file.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
