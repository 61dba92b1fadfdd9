"""Agreement of every score in a table of predictions with the MOS."""

from collections.abc import Sequence

import pandas as pd

from cover.curves import Fit
from cover.evaluation.measures import Measures, measure
from cover.evaluation.p1401 import Standard, standard
from cover.evaluation.tables.predictions import score_names
from cover.results.names import FILENAME


def measure_all(table: pd.DataFrame, fit: Fit, resamples: int) -> dict[str, Measures]:
    """Measure each score on all videos that have it.

    Args:
        table: Of predictions: ``mos`` and a column a score.
        fit: The curve for PLCC and RMSE.
        resamples: Resamplings for the intervals; 0 for none.
    """
    return {name: _measured(table, name, fit, resamples) for name in score_names(table)}


def standard_all(table: pd.DataFrame, fit: Fit, *, resolving: bool = False) -> dict[str, Standard]:
    """Compute the figures of P.1401 for each score on all videos that have it.

    Args:
        table: Of predictions: ``mos``, a column a score, and ``ci95`` and ``se`` where the MOS have intervals.
        fit: The curve.
        resolving: Whether to compute resolving powers.
    """
    standards = {}
    for name in score_names(table):
        scored = table.dropna(subset=[name])
        sure = "ci95" in scored and bool(scored["ci95"].notna().all())
        half = scored["ci95"] if sure else None
        errors = scored["se"] if sure and resolving else None
        standards[name] = standard(scored[name], scored["mos"], half, fit=fit, errors=errors)
    return standards


def measure_splits(table: pd.DataFrame, splits: Sequence[set[str]], fit: Fit) -> list[dict[str, Measures]]:
    """Measure each score on each of several sets of videos, by their names; no intervals."""
    return [measure_all(table[table[FILENAME].isin(names)], fit, 0) for names in splits]


def _measured(table: pd.DataFrame, name: str, fit: Fit, resamples: int) -> Measures:
    scored = table.dropna(subset=[name])
    return measure(scored[name], scored["mos"], fit=fit, resamples=resamples)
