"""Several metrics on the same videos: a ranking, and whether their differences are more than chance."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from cover.curves import Fit
from cover.evaluation import p1401
from cover.evaluation.arrays import Array
from cover.evaluation.fits.curve import fit_curve
from cover.evaluation.measures import Measures, measure
from cover.evaluation.registry import MEASURES, displayed, resampled_statistic, within
from cover.evaluation.resampling import FEWEST_RESAMPLED, Resampling, Sample, Statistic
from cover.evaluation.tables.predictions import rated_table
from cover.rows import Row

FEW = 30
"""Videos below which fitted errors flatter so much that errors on videos left out stand beside them."""


@dataclass(frozen=True)
class Metric:
    """One metric that is compared.

    Attributes:
        name: Of the metric.
        values: (n,) its predictions, with the other sign where low is good.
        falls: Whether low is good.
        measures: Its agreement with the MOS.
        standard: Its figures of P.1401.
        ci95: Measure -> ends of its 95 % bootstrap interval.
        left_out: ``rmse``, ``rmse_star`` and ``outlier_ratio`` on videos that the curve was not fitted to; empty where
            there are many videos.
    """

    name: str
    values: Array
    falls: bool
    measures: Measures
    standard: p1401.Standard
    left_out: Mapping[str, float]
    ci95: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def figure(self, name: str) -> float:
        """Give a measure by name: correlations as everywhere, errors as P.1401 has them."""
        value: float = getattr(self.measures if name in MEASURES and name != "rmse" else self.standard, name)
        return value


@dataclass(frozen=True)
class Ranking:
    """Metrics compared with each other.

    Attributes:
        metrics: The best first: by RMSE* where the MOS have intervals, else by RMSE.
        criterion: ``rmse_star`` or ``rmse``.
        pairs: One line a pair and measure: ``a, b, measure, difference, low, high, test, statistic, p, p_holm``; the
            difference is that of a less that of b, low and high are the ends of its 95 % interval.
    """

    metrics: Sequence[Metric]
    criterion: str
    pairs: pd.DataFrame

    def ranking(self) -> pd.DataFrame:
        """Tabulate the metrics, the best first; ``like_best`` marks those that the criterion's test cannot tell."""
        best, lines = self.metrics[0], []
        for place, metric in enumerate(self.metrics, start=1):
            line: dict[str, Any] = {"rank": place, "metric": metric.name, "like_best": self._alike(best, metric)}
            line |= {"n": metric.measures.n, "low_is_good": metric.falls}
            for name in (name for name in displayed() if name != "rmse"):
                line[name] = metric.figure(name)
                low, high = metric.ci95.get(name, (math.nan, math.nan))
                line |= {f"{name}_low": low, f"{name}_high": high}
            p1401_figures = metric.standard
            line |= {"plcc_fisher_low": p1401_figures.plcc_ci95[0], "plcc_fisher_high": p1401_figures.plcc_ci95[1]}
            line |= {
                "rmse": p1401_figures.rmse,
                "rmse_low": p1401_figures.rmse_ci95[0],
                "rmse_high": p1401_figures.rmse_ci95[1],
            }
            line |= {"rmse_star": p1401_figures.rmse_star, "outlier_ratio": p1401_figures.outlier_ratio}
            line |= {
                "outlier_ratio_low": p1401_figures.outlier_ratio_ci95[0],
                "outlier_ratio_high": p1401_figures.outlier_ratio_ci95[1],
                "resolving_power": p1401_figures.resolving_power,
            }
            for name, value in metric.left_out.items():
                line |= {f"{name}_left_out": value, f"{name}_gap": value - getattr(p1401_figures, name)}
            lines.append(line)
        return pd.DataFrame(lines).dropna(axis="columns", how="all")

    def _alike(self, best: Metric, metric: Metric) -> bool:
        if metric is best or math.isnan(metric.figure(self.criterion)):
            return metric is best
        rows = self.pairs[self.pairs["measure"] == self.criterion]
        both = rows[rows["a"].isin([best.name, metric.name]) & rows["b"].isin([best.name, metric.name])]
        return not (both["p_holm"] < 0.05).any()


def tabulate(
    rows: Sequence[Row], scores: Mapping[str, Mapping[str, float]], uncertain: tuple[Array, Array] | None
) -> pd.DataFrame:
    """Tabulate ``Filename, mos``, ``ci95, se`` where they are known, and a column for each metric, NaN for no score.

    Args:
        rows: The rated videos.
        scores: Metric -> video -> score.
        uncertain: Half-widths of the intervals of the MOS, and their standard errors; None: unknown.
    """
    columns = {name: [values.get(row.name, math.nan) for row in rows] for name, values in scores.items()}
    return rated_table(rows, uncertain, columns)


def rank_metrics(
    table: pd.DataFrame, names: Sequence[str], fit: Fit, resamples: int, *, resolving: bool = False, seed: int = 0
) -> Ranking:
    """Compare metrics on the same videos.

    Args:
        table: ``mos``, a column for each metric without gaps, and ``ci95`` and ``se`` where the MOS have intervals.
        names: The columns of the metrics.
        fit: The curve for PLCC, RMSE and what follows from it.
        resamples: Resamplings for the intervals, the same for all metrics; 0 for none.
        resolving: Whether to compute resolving powers.
        seed: Of the resampling.
    """
    mos = table["mos"].to_numpy(dtype=np.float64)
    ci95 = table["ci95"].to_numpy(dtype=np.float64) if "ci95" in table and table["ci95"].notna().all() else None
    errors = table["se"].to_numpy(dtype=np.float64) if resolving and ci95 is not None else None
    metrics = [_metric(name, table[name].to_numpy(dtype=np.float64), mos, ci95, errors, fit) for name in names]
    criterion = "rmse" if ci95 is None else "rmse_star"
    metrics.sort(key=lambda metric: (_rank(metric.figure(criterion)), _rank(metric.figure("rmse"))))
    samples = _samples(metrics, mos, ci95, fit, resamples, seed)
    metrics = [
        replace(metric, ci95=_intervals(metric, sample)) for metric, sample in zip(metrics, samples, strict=True)
    ]
    sampled = list(zip(metrics, samples, strict=True))
    lines = [line for (a, one), (b, other) in combinations(sampled, 2) for line in _pair(a, b, one - other, mos, fit)]
    pairs = pd.DataFrame(lines, columns=["a", "b", "measure", "difference", "low", "high", "test", "statistic", "p"])
    pairs["p_holm"] = pairs.groupby("measure")["p"].transform(holm) if len(pairs) else pairs["p"]
    return Ranking(metrics, criterion, pairs)


def holm(p: "pd.Series[float]") -> "pd.Series[float]":
    """Adjust p-values for their number (Holm, Scandinavian Journal of Statistics 6, 1979); NaN stay."""
    order = p.dropna().sort_values()
    factors = np.arange(len(order), 0, -1)
    return (order * factors).cummax().clip(upper=1.0).reindex(p.index)


def _rank(value: float) -> tuple[bool, float]:
    return (math.isnan(value), value)


def _metric(name: str, values: Array, mos: Array, ci95: Array | None, errors: Array | None, fit: Fit) -> Metric:
    falls = bool(stats.rankdata(values) @ (mos - mos.mean()) < 0)
    values = -values if falls else values
    left_out: dict[str, float] = {}
    if len(mos) < FEW:
        missed = p1401.left_out(values, mos, fit)
        left_out["rmse"] = float(np.sqrt(np.mean(missed**2)))
        if ci95 is not None:
            left_out["rmse_star"] = p1401.rmse_star(missed, ci95, 0)
            left_out["outlier_ratio"] = p1401.outlier_ratio(missed, ci95) if np.isfinite(missed).all() else math.nan
    return Metric(
        name,
        values,
        falls,
        measure(values, mos, fit=fit, resamples=0),
        p1401.standard(values, mos, ci95, fit=fit, errors=errors),
        left_out,
    )


def _samples(
    metrics: Sequence[Metric], mos: Array, ci95: Array | None, fit: Fit, resamples: int, seed: int
) -> list[Sample]:
    """Measure the same resamplings with each metric; RMSE has N - 1 degrees of freedom there, too."""
    if not resamples or len(mos) < FEWEST_RESAMPLED:
        return [Sample({})] * len(metrics)
    drawn = Resampling(len(mos), resamples, seed)
    some = drawn.places
    half = None if ci95 is None else ci95[some]
    factor = math.sqrt(len(some) / (len(some) - 1))

    def statistic(values: Array) -> Statistic:
        plain = resampled_statistic(values, mos[some], fit, half)

        def scaled(weights: Array) -> Mapping[str, Array]:
            figures = plain(weights)
            return {**figures, "rmse": factor * figures["rmse"]}

        return scaled

    return [drawn.sample(statistic(metric.values[some])) for metric in metrics]


def _intervals(metric: Metric, sample: Sample) -> dict[str, tuple[float, float]]:
    """Give the interval of each measure; none where scores and MOS agree perfectly."""
    ends = {name: within(name, sample.interval(name, metric.figure(name))) for name in sample.found}
    return {name: both for name, both in ends.items() if both[0] != both[1]}


def _pair(a: Metric, b: Metric, apart: Sample, mos: Array, fit: Fit) -> list[dict[str, Any]]:
    """Lines of two metrics, the first of which ranks higher."""
    lines = []
    for name in (*displayed(), "rmse_star", "outlier_ratio"):
        first, second = (metric.figure(name) for metric in (a, b))
        low, high = apart.interval(name, first - second)
        test, (statistic, p) = _test(name, a, b, mos, fit)
        if math.isfinite(first - second):
            line = {"a": a.name, "b": b.name, "measure": name, "difference": first - second, "low": low, "high": high}
            lines.append({**line, "test": test, "statistic": statistic, "p": p})
    return lines


def _test(name: str, a: Metric, b: Metric, mos: Array, fit: Fit) -> tuple[str, tuple[float, float]]:
    n = a.measures.n
    if name in ("srocc", "plcc"):
        first, other = (
            stats.rankdata(metric.values) if name == "srocc" else _fitted(metric.values, mos, fit) for metric in (a, b)
        )
        return "Steiger's Z", p1401.steiger(a.figure(name), b.figure(name), p1401.common(first, other), n)
    if name == "outlier_ratio":
        return "two proportions", p1401.outlier_test(a.figure(name), b.figure(name), n)
    if name in ("rmse", "rmse_star"):
        freedom = n - (1 if name == "rmse" else a.standard.parameters)
        return "F", p1401.rmse_test(a.figure(name), b.figure(name), freedom)
    return "", (math.nan, math.nan)


def _fitted(values: Array, mos: Array, fit: Fit) -> Array:
    curve = fit_curve(values, mos, fit)
    return values if curve is None else curve(values)
