"""The rated videos of a dataset, and those of them that are missing."""

import dataclasses
import logging
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cover.errors import UsageError
from cover.files import write_rows
from cover.ranks import is_main_process
from cover.results.names import FILENAME, MISSING, PART
from cover.rows import Row
from cover.text import visible

if TYPE_CHECKING:
    from cover.evaluation.raters.study import Study

log = logging.getLogger(__name__)

_NAMED = 3  # files that a message names; missing.csv lists all


def rated_rows(rows: Sequence[Row], option: str = "data") -> list[Row]:
    """Select the rows whose MOS is a finite number; others are counted in a warning.

    Args:
        rows: At least one row.
        option: Where their dataset stands in the config, for messages.

    Raises:
        UsageError: No row has a MOS.
    """
    rated = [row for row in rows if row.mos is not None and math.isfinite(row.mos)]
    if not rated:
        columns = ", ".join(rows[0].extras) or "none"
        raise UsageError(f"{option}: no video has a MOS; a table's column is named by {option}.mos= (found: {columns})")
    if len(rated) < len(rows):
        log.warning("%s: %d of %d videos have no MOS and are left out", option, len(rows) - len(rated), len(rows))
    return rated


def with_mos(rows: Sequence[Row], study: "Study") -> list[Row]:
    """Give rows the MOS, std, n and ci95 of a study; rows whose raters were all rejected have no MOS."""
    lines: dict[str, dict[Any, Any]] = {str(line[FILENAME]): line for line in study.videos.to_dict("records")}
    rated = []
    for row in rows:
        line = lines.get(row.name, {})
        extras = {**row.extras, **{name: line[name] for name in ("std", "n", "ci95") if name in line}}
        rated.append(dataclasses.replace(row, mos=line.get("mos"), extras=extras))
    return rated


def high_is_good(rows: Sequence[Row], *, lower_is_better: bool) -> list[Row]:
    """Negate the MOS where a low MOS means high quality, so that a high MOS means high quality everywhere."""
    if not lower_is_better:
        return list(rows)
    return [row if row.mos is None else dataclasses.replace(row, mos=-row.mos) for row in rows]


def missing_rows(rows: Sequence[Row], folder: Path, remedy: str | None, *, always: bool = True) -> list[Row]:
    """List the videos that do not exist, and write their names to ``missing.csv``.

    Args:
        rows: The videos.
        folder: The results folder.
        remedy: What to do about missing videos, for the error message; None continues without them.
        always: Whether to write the file when no video is missing.

    Raises:
        UsageError: A video is missing and a remedy is given, or all videos are missing.
    """
    missing = [row for row in rows if not row.path.exists()]
    if is_main_process() and (missing or always):
        _write_missing(folder / MISSING, missing)
    if not missing:
        return []
    some = ", ".join(str(row.path) for row in missing[:_NAMED]) + (", ..." if len(missing) > _NAMED else "")
    message = f"{len(missing)} of {len(rows)} videos are missing ({some}); see {folder / MISSING}"
    if remedy is not None:
        raise UsageError(f"data: {message}; {remedy}")
    if len(missing) == len(rows):
        raise UsageError(f"data: all {message}")
    log.warning("%s", message)
    return missing


def check_some_exist(rows: Sequence[Row]) -> None:
    """Make sure, before a model is loaded, that at least one of the videos is there.

    Raises:
        UsageError: All are missing; the message names the places that were looked at.
    """
    if any(os.path.lexists(row.location) for row in rows):
        return
    some = ", ".join(visible(row.location) for row in rows[:_NAMED]) + (", ..." if len(rows) > _NAMED else "")
    raise UsageError(f"data: all {len(rows)} videos are missing ({some}); data.root=DIR says where videos are")


def _write_missing(path: Path, missing: Sequence[Row]) -> None:
    """Write the names of videos; of parts with start and end."""
    if any(row.is_part for row in missing):
        write_rows(path, (FILENAME, *PART), ((row.video, *row.part.cells()) for row in missing))
    else:
        write_rows(path, (FILENAME,), ((row.name,) for row in missing))
