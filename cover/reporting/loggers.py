"""Figures of an evaluation for a logger."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from cover.files import write_rows


def flat_figures(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Flatten measures by score: ``overall/srocc`` -> its value."""
    return {
        f"{group}/{name}": value
        for group, values in metrics.items()
        for name, value in values.items()
        if isinstance(value, (int, float))
    }


def write_csv_log(folder: Path, metrics: Mapping[str, Mapping[str, Any]], *_: object) -> None:
    """Write the ``metrics.csv`` that Lightning's CSVLogger would write, without importing Lightning."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = {**flat_figures(metrics), "step": 0}
    write_rows(folder / "metrics.csv", list(figures), [list(figures.values())])


def log_evaluation(logger: Any, metrics: Mapping[str, Mapping[str, Any]], table: pd.DataFrame, picture: Path) -> None:
    """Log an evaluation: figures to any of Lightning's loggers, the table and the picture to W&B, which can show them.

    Args:
        logger: The logger.
        metrics: By score, then by measure.
        table: Of predictions.
        picture: ``scatter.png``.
    """
    logger.log_metrics(flat_figures(metrics))
    if hasattr(logger, "log_table"):
        logger.log_table("predictions", dataframe=table)
        logger.log_image("scatter", [str(picture)])
        logger.experiment.finish()
    logger.save()
    logger.finalize("success")
