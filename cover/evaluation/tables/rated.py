"""The rated videos of a dataset, and those of them that are missing."""

import logging
import math
from collections.abc import Sequence
from pathlib import Path

from cover.errors import UsageError
from cover.files import write_rows
from cover.results.names import FILENAME, MISSING, PART
from cover.rows import Row

log = logging.getLogger(__name__)


def rated_rows(rows: Sequence[Row], option: str = "data") -> list[Row]:
    """Select the rows whose MOS is a finite number; others are counted in a warning.

    Args:
        rows: At least one row.
        option: Where their dataset stands in the config, for messages.

    Raises:
        UsageError: There is none.
    """
    rated = [row for row in rows if row.mos is not None and math.isfinite(row.mos)]
    if not rated:
        columns = ", ".join(rows[0].extras) or "none"
        raise UsageError(f"{option}: no video has a MOS; a table's column is named by {option}.mos= (found: {columns})")
    if len(rated) < len(rows):
        log.warning("%s: %d of %d videos have no MOS and are left out", option, len(rows) - len(rated), len(rows))
    return rated


def write_missing(folder: Path, missing: Sequence[Row]) -> Path:
    """Write ``missing.csv``: the names of videos that are not there, of parts with start and end."""
    if any(row.is_part for row in missing):
        write_rows(folder / MISSING, (FILENAME, *PART), ((row.video, *row.part.cells()) for row in missing))
    else:
        write_rows(folder / MISSING, (FILENAME,), ((row.name,) for row in missing))
    return folder / MISSING
