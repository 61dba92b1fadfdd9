"""Videos of which parts were scored: ``videos.csv``, which sums up each video."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cover.files import csv_line, printable
from cover.rows import Row, moment_text

VIDEOS = "videos.csv"

_QUANTILES = {"P1": 0.01, "P5": 0.05}


def video_lines(
    rows: Sequence[Row],
    records: Mapping[str, Mapping[str, Any]],
    scores: Mapping[str, Mapping[str, float]],
    errors: Mapping[str, str],
) -> list[str]:
    """Sum up the parts of each video, weighted by their durations.

    Args:
        rows: The parts.
        records: Of scored ones, by name: ``part`` (start and end, s) and ``facts`` (``duration``).
        scores: By name, then by score.
        errors: Why parts have no score, by name.

    Returns:
        The lines of a CSV file: for each video that was tried the number of its parts, those that failed, the sum of
        the durations of the scored ones in seconds, the start and end of the part with the lowest overall score, and of
        each score the weighted mean, 1st and 5th percentile (the lowest score that so much of the time does not exceed)
        and minimum.
    """
    by_video: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_video[row.video].append(row)
    names = list(next(iter(scores.values()), {}))
    header = ["Filename", "Parts", "Failed", "Seconds", "WorstStart", "WorstEnd"]
    for name in names:
        title = {"predicted_mos": "MOS"}.get(name, name.capitalize())
        header += [title, *(f"{title}{quantile}" for quantile in _QUANTILES), f"{title}Min"]
    lines = [csv_line(*header)]
    for video, parts in by_video.items():
        scored = [row for row in parts if row.name in scores]
        failed = sum(row.name in errors for row in parts)
        if not scored:
            if failed:
                lines.append(csv_line(printable(video), str(len(parts)), str(failed), *[""] * (len(header) - 3)))
            continue
        durations = [(records[row.name].get("facts") or {}).get("duration") for row in scored]
        weights = np.array([duration or 0.0 for duration in durations])
        weights = weights if weights.all() else np.ones(len(weights))  # of images, or of unknown rates
        worst = min(scored, key=lambda row: scores[row.name]["overall"])
        cells = [str(len(parts)), str(failed), f"{weights.sum():.3f}"]
        cells[-1] = cells[-1] if all(durations) else ""  # unknown
        ends = records[worst.name].get("part") or (None, None)
        lines.append(
            csv_line(
                printable(video),
                *cells,
                *map(moment_text, ends),
                *(cell for name in names for cell in _summary([scores[row.name][name] for row in scored], weights)),
            )
        )
    return lines


def _summary(values: Sequence[float], weights: np.ndarray) -> list[str]:
    """Weighted mean, percentiles and minimum of one score, as cells."""
    found = np.array(values)
    order = np.argsort(found, kind="stable")
    reached = np.cumsum(weights[order]) / weights.sum()
    quantiles = [
        found[order][min(int(np.searchsorted(reached, share)), len(found) - 1)] for share in _QUANTILES.values()
    ]
    figures = (np.average(found, weights=weights), *quantiles, found.min())
    return [f"{round(float(figure), 4) + 0.0:.4f}" for figure in figures]
