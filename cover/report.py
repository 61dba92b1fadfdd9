"""What a person sees: progress while a run lasts, a summary when it is over."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pandas as pd
from lightning.pytorch.callbacks import Callback
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from rich.console import Console, Group, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table
from rich.text import Text

from cover.data import Failure
from cover.metrics import Curve, Measures

_FEW = 20  # videos that a summary lists one and all
_ORDER = ("srocc", "plcc", "krocc", "rmse")


class _RateColumn(ProgressColumn):
    """Videos a second, or seconds a video where that reads better."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        return Text(f"{speed:.2f} videos/s" if speed >= 1 else f"{1 / speed:.1f} s/video")


class VideoProgress(Callback):
    """A progress bar that counts files, failed ones included, on stderr.

    Args:
        total: Files of this run, over all ranks.
        doing: What is done with them.
    """

    def __init__(self, total: int, doing: str = "scoring") -> None:
        self.total = total
        self.doing = doing
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _RateColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            speed_estimate_period=600,  # a full-size video takes minutes on a CPU
        )
        self.task = self.progress.add_task(doing)
        self.failed = 0

    def on_predict_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Starts the bar on rank 0, which has its own share of the files to show."""
        if trainer.is_global_zero:
            self.progress.update(self.task, total=len(range(0, self.total, trainer.world_size)))
            self.progress.start()

    def on_predict_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Sequence[object],
        *_: Any,
    ) -> None:
        """Counts the files of a batch."""
        self.failed += sum(isinstance(result, Failure) for result in outputs)
        failed = f" ({self.failed} failed)" if self.failed else ""
        self.progress.update(self.task, description=f"{self.doing}{failed}")
        self.progress.advance(self.task, len(outputs))

    def on_predict_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Stops the bar."""
        self.progress.stop()

    def on_exception(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, _: BaseException) -> None:
        """Stops the bar, so that what is said next starts on a line of its own."""
        self.progress.stop()


def summary(
    scores: Mapping[str, Mapping[str, float]],
    errors: Mapping[str, str],
    notes: Mapping[str, Sequence[str]],
    folder: Path,
) -> RenderableType:
    """Count, mean and spread of each score, the videos from best to worst (of many the ends), and where the files are.

    Args:
        scores: By file name, then by name of the score.
        errors: By file name, why it has no score.
        notes: By file name, what was noticed while reading it.
        folder: Where the tables are.
    """
    parts: list[RenderableType] = []
    frame = pd.DataFrame.from_dict(dict(scores), orient="index")
    if len(frame):
        spread = Table("score", *(Column(name, justify="right") for name in ("videos", "mean", "std", "min", "max")))
        for name, values in frame.items():
            figures = (values.mean(), values.std(ddof=0), values.min(), values.max())
            spread.add_row(str(name), str(len(values)), *(f"{figure:.4f}" for figure in figures))
        ranked = frame.sort_values("overall", ascending=False, kind="stable")
        ends = Table("", "file", *(Column(str(name), justify="right") for name in frame.columns))
        # Few are shown one and all; of many, where to look first.
        ends_of = {"best": ranked.head(3), "worst": ranked.tail(3)} if len(ranked) > _FEW else {"best first": ranked}
        for label, part in ends_of.items():
            for index, (file, row) in enumerate(part.iterrows()):
                # repr keeps a newline or an undecodable byte in a file name from breaking the table.
                text = Text(str(file) if str(file).isprintable() else ascii(file), overflow="fold")
                ends.add_row(label if index == 0 else "", text, *(f"{value:.4f}" for value in row))
        parts += [spread, ends]
    parts.append(Text(f"{len(frame)} scored, {len(errors)} failed" + (f", {len(notes)} with notes" if notes else "")))
    parts.append(Text(f"scores: {folder / 'scores.csv'}"))
    if errors:
        parts.append(Text(f"why files failed: {folder / 'errors.csv'}"))
    if notes:
        parts.append(Text(f"notes: {folder / 'notes.csv'}"))
    return Group(*parts)


def agreement(
    measures: Mapping[str, Measures], published: Mapping[str, Any] | None, total: int, missing: int, failed: int
) -> RenderableType:
    """Each score's SROCC, PLCC, KROCC and RMSE with their intervals, beside published figures where there are some.

    Args:
        measures: By score.
        published: ``{"source": ..., "overall": {"srocc": ..., ...}}``, or None where none are known.
        total: Videos of the dataset.
        missing: How many of them are not there.
        failed: How many of them could not be scored.
    """
    table = Table("score", Column("n", justify="right"), *(Column(name.upper(), justify="right") for name in _ORDER))
    for name, values in measures.items():
        cells = []
        for measure in _ORDER:
            low, high = values.ci95.get(measure, (None, None))
            interval = "" if low is None else f"\n[{low:.4f}, {high:.4f}]"
            cells.append(Text(f"{getattr(values, measure):.4f}{interval}"))
        table.add_row(name, str(values.n), *cells)
    for name, figures in (published or {}).items():
        if name != "source":
            table.add_row(f"{name}, published", "", *(f"{figures.get(measure, 'unknown')}" for measure in _ORDER))
    lost = [f"{count} {what}" for count, what in ((missing, "missing"), (failed, "failed")) if count]
    stands = f"on {next(iter(measures.values())).n} of {total} videos" + (f" ({', '.join(lost)})" if lost else "")
    source = [Text(f"published: {published['source']}")] if published else []
    return Group(table, Text(stands), *source)


def scatter(path: Path, pred: ArrayLike, mos: ArrayLike, curve: Curve | None, title: str, measures: Measures) -> None:
    """Draws prediction against MOS with the fitted curve, as PNG.

    Args:
        path: Where to.
        pred: (n,) predictions.
        mos: (n,) mean opinion scores.
        curve: From predictions to MOS; None draws none.
        title: What was measured.
        measures: Figures for the caption.
    """
    x, y = np.asarray(pred, dtype=float), np.asarray(mos, dtype=float)
    figure = Figure(figsize=(6, 5), layout="constrained")  # not pyplot: no window, no state
    axes = figure.subplots()
    axes.scatter(x, y, s=10, alpha=0.5, linewidths=0)
    if curve is not None and len(x):
        line = np.linspace(x.min(), x.max(), 200)
        axes.plot(line, curve(line), color="tab:red", linewidth=2, label="fitted curve")
        axes.legend(loc="lower right")
    axes.set(xlabel="predicted score (overall)", ylabel="MOS")
    axes.set_title(
        f"{title}, n = {measures.n}\nSROCC {measures.srocc:.4f}   PLCC {measures.plcc:.4f}   RMSE {measures.rmse:.4f}"
    )
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)
