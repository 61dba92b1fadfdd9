"""Weights that a training leaves."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning
import torch

from cover.curves import Calibration, to_plain
from cover.files import replacing
from cover.models import COVER
from cover.results.names import BEST, TRAINED
from cover.training.stages import StageResult
from cover.weights import save_weights


def write_weights(
    model: COVER,
    result: StageResult,
    curve: Calibration | None,
    trained: set[str],
    about: Mapping[str, Any],
    folder: Path,
) -> None:
    """Write ``best.ckpt``, which is whole, and only what was trained: ``heads`` or ``trained.safetensors``.

    Args:
        model: With the best weights.
        result: The stage they are of.
        curve: The calibration; None without one.
        trained: Names of the parameters that were trained, in this stage or before.
        about: Plain data on the model: ``net``, ``views``, and ``base``, the weights that training started from.
        folder: The results folder.
    """
    about = {
        **about,
        "calibration": None if curve is None else to_plain(curve),
        "stage": result.name,
        "epoch": result.epoch,
        "variant": result.variant,
    }
    state = model.state_dict()
    whole = {
        "state_dict": {f"model.{name}": tensor for name, tensor in state.items()},
        "pytorch-lightning_version": lightning.__version__,
        "cover": {name: value for name, value in about.items() if name != "base"},  # which is for what is not whole
    }
    with replacing(folder / BEST) as partial:
        torch.save(whole, partial)
    heads, everything = folder / "heads.safetensors", folder / TRAINED
    file = everything if any(name.startswith("backbones.") for name in trained) else heads
    save_weights({key: state[key] for key in sorted(trained)}, file, about)
    if file == everything:
        heads.unlink(missing_ok=True)  # of a stage that this one surpassed
