"""What ``predictions=`` names: tables, results folders, and where the ratings of their videos are."""

import glob
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from cover.config.listing import dataset_rows
from cover.config.schema import EvaluateOptions
from cover.errors import UsageError
from cover.evaluation.tables.joined import header_in, result_table
from cover.evaluation.tables.rated import rated_rows
from cover.rows import Row
from cover.tables import Columns

if TYPE_CHECKING:
    from cover.evaluation.raters.study import Study

log = logging.getLogger(__name__)


def prediction_paths(options: EvaluateOptions) -> list[Path]:
    """List the tables and results folders that ``predictions=`` names; globs are expanded.

    Raises:
        UsageError: A glob matches nothing, or nothing is named.
    """
    value = options.predictions
    given = value if isinstance(value, list) else [value] if value is not None else []
    paths: list[Path] = []
    for path in given:
        if path.exists() or not glob.has_magic(str(path)):
            paths.append(path)
        elif matches := sorted(glob.glob(str(path), recursive=True)):  # noqa: PTH207
            paths += map(Path, matches)
        else:
            raise UsageError(f"predictions={path}: the glob matches no file")
    if not paths:
        raise UsageError("predictions: name a table or a results folder")
    return paths


def comparing(options: EvaluateOptions) -> bool:
    """Tell whether several metrics are to be held against each other."""
    if options.predictions is None:
        return False
    paths = prediction_paths(options)
    if options.columns.scores is not None or len(paths) > 1:
        return True
    # One table of other metrics than ours.
    header = header_in(result_table(paths[0]), options.columns.model_dump(), options.data.separator)
    return header is not None and Columns(header).find(options.columns.overall) is None


def rated_apart(options: EvaluateOptions) -> "tuple[list[Row] | None, Study | None]":
    """List the rated videos where ``data=`` names them apart from the predictions; None where it does not.

    Raises:
        UsageError: The dataset cannot be read, or rates no video.
    """
    value = options.predictions
    given = value if isinstance(value, list) else [value]
    if options.data.path is not None and options.data.path in given:  # as the command line has it without data=
        return None, None
    listing = dataset_rows(options.data)
    for remark in listing.remarks:
        log.warning("%s", remark)
    return rated_rows(listing.rows), listing.study
