"""A training's curves: a table that grows with every epoch, a line for each on the terminal, and a picture."""

import logging
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import lightning
import pandas as pd
from lightning.pytorch.callbacks import Callback
from matplotlib.figure import Figure

from cover.writers import write_text

log = logging.getLogger(__name__)

_LABELS = {"raw": "raw weights", "ema": "averaged weights"}


class CurveWriter(Callback):
    """Writes ``curves.csv``: one line an epoch, whatever was logged in it.

    What it wrote is part of each checkpoint, so that a run which goes on from one has no epoch twice.

    Args:
        path: The table.
        stage: What this part of the training is called.
        earlier: Lines of the stages before.
    """

    def __init__(self, path: Path, stage: str, earlier: Sequence[Mapping[str, Any]]) -> None:
        self.path = path
        self.stage = stage
        self.earlier = list(earlier)
        self.lines: list[dict[str, Any]] = []

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Adds a line."""
        figures = {name: float(value) for name, value in sorted(trainer.callback_metrics.items())}
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        self.lines.append({"stage": self.stage, "epoch": trainer.current_epoch + 1, "lr": rate, **figures})
        if trainer.is_global_zero:
            self._write()
            log.info(
                "%s, epoch %d of %s: %s", self.stage, trainer.current_epoch + 1, trainer.max_epochs, _line(figures)
            )

    def state_dict(self) -> dict[str, Any]:
        """The lines of this stage."""
        return {"lines": self.lines}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes back to the lines that a checkpoint has."""
        self.lines = list(state_dict["lines"])

    def _write(self) -> None:
        table = pd.DataFrame([*self.earlier, *self.lines])
        write_text(self.path, table.to_csv(index=False, float_format="%.6g", lineterminator="\n"))


def read_curves(path: Path) -> list[dict[str, Any]]:
    """The lines of a table that :class:`CurveWriter` wrote; none where there is no table."""
    if not path.exists():
        return []
    return [{str(k): v for k, v in line.items()} for line in pd.read_csv(path).to_dict("records")]


def draw_curves(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """Draws the loss, and SROCC and PLCC on the clips to validate on, over the epochs, as PNG.

    Args:
        path: Where to.
        lines: What :func:`read_curves` returns, at least one.
    """
    epochs = range(1, len(lines) + 1)
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(epochs, [line["train/loss"] for line in lines], marker=".")
    left.set(title="training loss", xlabel="epoch")
    for measure, style in (("srocc", "-"), ("plcc", "--")):
        for kind, label in _LABELS.items():
            values = [line.get(f"val/{kind}/overall/{measure}", math.nan) for line in lines]
            if not all(map(math.isnan, values)):
                colour = "tab:blue" if kind == "raw" else "tab:orange"
                right.plot(epochs, values, style, marker=".", color=colour, label=f"{measure.upper()}, {label}")
    right.set(title="overall score against MOS, validation", xlabel="epoch")
    if right.lines:
        right.legend()
    for axes in (left, right):
        axes.grid(alpha=0.3)
        for number, (before, after) in enumerate(pairwise(lines), start=1):
            if before["stage"] != after["stage"]:
                axes.axvline(number + 0.5, color="gray", linestyle=":")
    figure.savefig(path, dpi=150)


def _line(figures: Mapping[str, float]) -> str:
    measures = [
        f"SROCC {figures[f'val/{kind}/overall/srocc']:.4f} PLCC {figures[f'val/{kind}/overall/plcc']:.4f} ({label})"
        for kind, label in _LABELS.items()
        if f"val/{kind}/overall/srocc" in figures
    ]
    return ", ".join([f"loss {figures['train/loss']:.4f}", *measures])
