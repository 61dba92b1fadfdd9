"""The curves of a training: a table that grows with every epoch, and a line for each on the terminal."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning
import pandas as pd
from lightning.pytorch.callbacks import Callback

from cover.files import write_text

log = logging.getLogger(__name__)

_LABELS = {"raw": "raw weights", "ema": "averaged weights"}


class CurveWriter(Callback):
    """Write ``curves.csv``: one line an epoch, whatever was logged in it.

    Its lines are part of each checkpoint, so that a run which resumes from one has no epoch twice.

    Args:
        path: The table.
        stage: Name of this stage of the training.
        earlier: Lines of the stages before.
    """

    def __init__(self, path: Path, stage: str, earlier: Sequence[Mapping[str, Any]]) -> None:
        self.path = path
        self.stage = stage
        self.earlier = list(earlier)
        self.lines: list[dict[str, Any]] = []

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Add a line."""
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        figures = curve_line(self.stage, trainer.current_epoch + 1, rate, trainer.callback_metrics)
        self.lines.append(figures)
        if trainer.is_global_zero:
            write_curves(self.path, [*self.earlier, *self.lines])
            log.info(
                "%s, epoch %d of %s: %s", self.stage, trainer.current_epoch + 1, trainer.max_epochs, _line(figures)
            )

    def state_dict(self) -> dict[str, Any]:
        """Give the lines of this stage."""
        return {"lines": self.lines}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go back to the lines that a checkpoint has."""
        self.lines = list(state_dict["lines"])


def curve_line(stage: str, epoch: int, rate: float, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Make a line of ``curves.csv`` of what Lightning logged in an epoch."""
    return {
        "stage": stage,
        "epoch": epoch,
        "lr": rate,
        **{name: float(value) for name, value in sorted(metrics.items())},
    }


def write_curves(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """Write ``curves.csv``."""
    write_text(path, pd.DataFrame(lines).to_csv(index=False, float_format="%.6g", lineterminator="\n"))


def read_curves(path: Path) -> list[dict[str, Any]]:
    """Read a table that :class:`CurveWriter` wrote; no lines if it does not exist."""
    if not path.exists():
        return []
    return [{str(k): v for k, v in line.items()} for line in pd.read_csv(path).to_dict("records")]


def _line(figures: Mapping[str, float]) -> str:
    measures = [
        f"SROCC {figures[f'val/{kind}/overall/srocc']:.4f} PLCC {figures[f'val/{kind}/overall/plcc']:.4f} ({label})"
        for kind, label in _LABELS.items()
        if f"val/{kind}/overall/srocc" in figures
    ]
    return ", ".join([f"loss {figures['train/loss']:.4f}", *measures])
