"""A reference distribution: where a score stands among those of many videos."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cover.errors import UsageError
from cover.results.journal import read_identity
from cover.results.names import SCORES_TABLE
from cover.tables import Columns, read_table

_COLUMN = "Overall"
_DECIMALS = 4  # of scores.csv
_COMPARED = ("model", "weights", "views")  # of a results folder's identity: what makes scores comparable


@dataclass(frozen=True)
class Reference:
    """Overall scores of many videos, by the same model on the same views.

    Attributes:
        scores: Ascending, float64 (n,).
        source: Where they are from.
    """

    scores: np.ndarray
    source: str

    def percentile(self, score: float) -> float:
        """Give the share of the reference's videos that a score is above, 0 to 100; equal ones count half.

        Scores are equal that are so in a table, to four decimals.
        """
        below, upto = (np.searchsorted(self.scores, round(score, _DECIMALS), side) for side in ("left", "right"))
        return float(50 * (below + upto) / len(self.scores))

    def meaning(self) -> str:
        """Say in one line what a percentile of this reference means."""
        return f"percentile: above so many per cent of the reference ({self.source})"


def read_reference(path: str | Path, identity: Mapping[str, Any] | None = None) -> Reference:
    """Read the scores of a finished run.

    Args:
        path: A results folder of ``infer``, or a table with a column ``Overall``, such as its ``scores.csv``.
        identity: What the scores that are to be compared follow from, as in a results folder; None compares nothing.

    Raises:
        UsageError: There are no scores, or the folder's are of another model, other weights or views.
    """
    path = Path(path)
    table = path / SCORES_TABLE if path.is_dir() else path
    read = read_table(table, f"reference={path}: {table}")
    column = Columns(read.header).find(_COLUMN)
    if column is None:
        raise UsageError(f"reference={path}: no column {_COLUMN}; it takes a results folder or its scores.csv")
    try:
        scores = np.sort([float(str(cells[column])) for _, cells in read.records])
    except ValueError as error:
        raise UsageError(f"reference={path}: {table} holds a score that is no number ({error})") from error
    if not len(scores) or not np.isfinite(scores).all():
        raise UsageError(f"reference={path}: {table} holds no scores, or some that are not finite")
    if path.is_dir() and identity is not None:
        _check_alike(path, json.loads(json.dumps(identity)))
    return Reference(scores, str(path))


def shipped_reference(about: Mapping[str, Any]) -> Reference | None:
    """Make the reference that weights come with, of what their file says about itself; None where they have none."""
    data = about.get("reference")
    return None if data is None else Reference(np.sort(np.asarray(data["scores"], float)), str(data["of"]))


def _check_alike(folder: Path, identity: Mapping[str, Any]) -> None:
    theirs = read_identity(folder)
    if theirs is None:  # a folder that somebody made of a table
        return
    for name in _COMPARED:
        if theirs.get(name) != identity.get(name):
            raise UsageError(
                f"reference={folder}: its scores are of {'another' if name == 'model' else 'other'} {name}; "
                "score its videos with the same options"
            )
