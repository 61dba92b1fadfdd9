"""The videos that ``evaluate`` measures, with their ratings and, where a table has them, their scores."""

import glob
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cover.config.build.datasets import rated_dataset
from cover.config.options.evaluation import EvaluateOptions
from cover.errors import UsageError
from cover.evaluation.splits.protocol import Protocol
from cover.evaluation.tables.joined import Joined, header_in, join, result_table
from cover.evaluation.tables.predictions import read_predictions
from cover.evaluation.tables.rated import high_is_good
from cover.matching import match, spelled_otherwise
from cover.parts import Part
from cover.rows import Row
from cover.tables import Columns

if TYPE_CHECKING:
    from cover.evaluation.raters.study import Study

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Measured:
    """The videos to measure.

    Attributes:
        rows: The rated videos; a high MOS means high quality.
        study: How far raters agree; None where the ratings of single raters are unknown.
        scores: Video -> scores, from a table of predictions; None where the videos are to be scored.
        splits: Names of the videos that each split measures; None measures all at once.
        root: The folder that names of videos to be scored are relative to.
        parts: Start and end of scored parts in seconds, by name.
        missing: Number of videos that do not exist.
    """

    rows: list[Row]
    study: "Study | None"
    scores: Mapping[str, Mapping[str, float]] | None = None
    splits: Sequence[set[str]] | None = None
    root: Path = Path()
    parts: Mapping[str, Part] = field(default_factory=dict)
    missing: int = 0

    @property
    def failed(self) -> int:
        """Number of existing videos without a score."""
        return len(self.rows) - self.missing - len(self.scores or ())


@dataclass(frozen=True)
class RankedMetrics:
    """Several metrics to rank.

    Attributes:
        joined: The rated videos and the scores of every metric.
        study: How far raters agree; None where the ratings of single raters are unknown.
    """

    joined: Joined
    study: "Study | None"


def measured(options: EvaluateOptions) -> Measured | RankedMetrics:
    """List the videos to measure.

    Returns:
        :class:`RankedMetrics` where ``predictions=`` has several metrics.

    Raises:
        UsageError: Data or predictions cannot be read or have no video in common, or the protocol does not fit.
    """
    values = options.protocol
    protocol = Protocol(values.splits, values.count, values.column, values.file)
    if options.predictions is None:
        listing = rated_dataset(options.data)
        splits = protocol.measured(listing.rows, values.split, values.write)
        return Measured(listing.rows, listing.study, splits=splits, root=listing.root)
    paths = _prediction_paths(options)
    if _several_metrics(options, paths):
        return _ranked(options, paths)
    rows, scores, study = _scored(options, paths[0])
    return Measured(rows, study, scores, protocol.measured(rows, values.split, values.write))


def _ranked(options: EvaluateOptions, paths: Sequence[Path]) -> RankedMetrics:
    """Join the tables of several metrics."""
    if options.protocol.splits != "full":
        raise UsageError("protocol.splits: several metrics are compared on all videos; leave it out")
    rated, study = _rated_apart(options)
    joined = join(paths, options.columns.model_dump(), rated, options.columns.scores, **_layout(options))
    if rated is None:
        rows = high_is_good(joined.rows, lower_is_better=bool(options.data.lower_is_better))
        joined = Joined(rows, joined.scores)
    return RankedMetrics(joined, study)


def _scored(options: EvaluateOptions, path: Path) -> "tuple[list[Row], dict[str, dict[str, float]], Study | None]":
    """Read the rated videos and their scores from a table; a dataset rates them where the table does not."""
    rated, study = _rated_apart(options)
    table = read_predictions(
        result_table(path),
        options.columns.model_dump(),
        needs_mos=rated is None,
        needs_overall=True,
        **_layout(options),  # type: ignore[arg-type]
    )
    scores = table.scores()
    if rated is None:
        return high_is_good(table.rated(), lower_is_better=bool(options.data.lower_is_better)), scores, None
    names = match(list(scores), [row.name for row in rated])
    if not names:
        raise UsageError(
            f"{table.what}: none of its videos is rated; it has names such as {table.names[0]!r}, the ratings such as "
            f"{rated[0].name!r}"
        )
    if remark := spelled_otherwise(names):
        log.info("%s: %s", table.what, remark)
    return rated, {names[name]: values for name, values in scores.items() if name in names}, study


def _prediction_paths(options: EvaluateOptions) -> list[Path]:
    """List the tables and results folders that ``predictions=`` names; globs are expanded."""
    paths: list[Path] = []
    for path in _given(options):
        if path.exists() or not glob.has_magic(str(path)):
            paths.append(path)
        elif matches := sorted(glob.glob(str(path), recursive=True)):  # noqa: PTH207
            paths += map(Path, matches)
        else:
            raise UsageError(f"predictions={path}: the glob matches no file")
    if not paths:
        raise UsageError("predictions: name a table or a results folder")
    return paths


def _given(options: EvaluateOptions) -> list[Path]:
    value = options.predictions
    return value if isinstance(value, list) else [value] if value is not None else []


def _layout(options: EvaluateOptions) -> dict[str, str | int | None]:
    """Give the options for reading tables of text and spreadsheets."""
    return {"separator": options.data.separator, "decimal": options.data.decimal, "sheet": options.data.sheet}


def _several_metrics(options: EvaluateOptions, paths: Sequence[Path]) -> bool:
    """Decide whether several metrics are to be ranked."""
    if options.columns.scores is not None or len(paths) > 1:
        return True
    # One table of other metrics than ours.
    header = header_in(result_table(paths[0]), options.columns.model_dump(), options.data.separator)
    return header is not None and Columns(header).find(options.columns.overall) is None


def _rated_apart(options: EvaluateOptions) -> "tuple[list[Row] | None, Study | None]":
    """List the rated videos of a dataset; None where ``data=`` names only the predictions."""
    if options.data.path is not None and options.data.path in _given(options):  # set so where data= is left out
        return None, None
    listing = rated_dataset(options.data)
    return listing.rows, listing.study
