"""Weights that a training leaves."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import lightning
import torch

from cover.curves import Calibration, to_plain
from cover.files import content_digest, replacing
from cover.models import COVER
from cover.results.names import BEST, TRAINED
from cover.rows import Row
from cover.training.stages import StageResult
from cover.weights import save_weights


def trained_on(about: Mapping[str, Any], rows: Iterable[Row]) -> list[str]:
    """List digests of the content of the videos that weights were trained on, those of their start included.

    Names would leak, and differ between machines.

    Args:
        about: What the weights to start from say about themselves.
        rows: The videos.
    """
    known = {digest for row in rows if (digest := content_digest(row.path)) is not None}
    return sorted({*about.get("trained_on", ()), *known})


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
        about: Plain data on the model: ``net``, ``views``, ``trained_on`` (digests of the content of the videos), and
            ``base``, the weights that training started from.
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
    # Given a path, torch would name the folder inside the file after it; equal trainings have equal bytes this way.
    with replacing(folder / BEST) as partial, partial.open("wb") as file_of_weights:
        torch.save(whole, file_of_weights)
    heads, everything = folder / "heads.safetensors", folder / TRAINED
    file = everything if any(name.startswith("backbones.") for name in trained) else heads
    save_weights({key: state[key] for key in sorted(trained)}, file, about)
    if file == everything:
        heads.unlink(missing_ok=True)  # of a stage that this one surpassed
