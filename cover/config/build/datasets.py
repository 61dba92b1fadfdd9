"""The rows of the dataset that the options name."""

import dataclasses
import logging
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cover.config.build.instantiate import instantiate
from cover.config.describe import options_of
from cover.config.options.data import DataOptions
from cover.config.options.types import at_home
from cover.errors import UsageError
from cover.evaluation.tables.rated import high_is_good, rated_rows, with_mos
from cover.rows import Dataset, Row

if TYPE_CHECKING:
    from cover.evaluation.raters.study import Study

log = logging.getLogger(__name__)

_PATHS = {option.name for option in options_of(DataOptions) if option.is_path}


@dataclasses.dataclass(frozen=True)
class DatasetRows:
    """The rows of a dataset.

    Attributes:
        rows: One video each; of all ratings, high is good.
        root: The folder that their names are relative to.
        lower_is_better: Whether the dataset's own ratings are low for good videos; those of ``rows`` are negated then.
        remarks: What the user should know of what is not in ``rows``, one line each.
        study: How far raters agree, where the dataset has ratings of single ones.
    """

    rows: list[Row]
    root: Path
    lower_is_better: bool = False
    remarks: Sequence[str] = ()
    study: "Study | None" = None


def dataset_rows(data: DataOptions, option: str = "data") -> DatasetRows:
    """List a dataset.

    Args:
        data: The dataset.
        option: Where it stands in the config, for messages.

    Raises:
        UsageError: The dataset cannot be read, is empty, or has one name for two videos.
    """
    dataset: Dataset = instantiate(_at_home(data.rows), f"{option}.rows")
    rows = list(dataset)
    if len({row.name for row in rows}) < len(rows):
        twice = [name for name, count in Counter(row.name for row in rows).items() if count > 1]
        raise UsageError(f"{option}: {len(twice)} names stand for more than one file, the first is {twice[0]!r}")
    if not rows:
        raise UsageError(f"{option}: the dataset names no file")
    study = _study(dataset, option)
    if study is not None:
        rows = with_mos(rows, study)
    declared = getattr(dataset, "lower_is_better", False)
    lower = declared if data.lower_is_better is None else data.lower_is_better
    remarks = [*getattr(dataset, "remarks", ()), *_lacking(data, getattr(dataset, "split", None), len(rows))]
    return DatasetRows(high_is_good(rows, lower_is_better=lower), Path(dataset.root), lower, remarks, study)


def _lacking(data: DataOptions, split: str | None, count: int) -> list[str]:
    """Say that an annotation lists fewer videos than the card of a public dataset does."""
    text = str((data.card or {}).get("videos", ""))
    match = re.search(rf"(?<![\w]){re.escape(split)} (\d+)", text) if split else re.match(r"(\d+)", text)
    if match is None or count >= int(match[1]):
        return []
    return [f"{data.name}: the annotation lists {count:,} of the {int(match[1]):,} videos of the dataset"]


def rated_dataset(data: DataOptions, option: str = "data") -> DatasetRows:
    """List the rated videos of a dataset, and log what the user should know of the others.

    Args:
        data: The dataset.
        option: Where it stands in the config, for messages.

    Raises:
        UsageError: As of :func:`dataset_rows`, or no video has a MOS.
    """
    listing = dataset_rows(data, option)
    for remark in listing.remarks:
        log.info("%s", remark)
    return dataclasses.replace(listing, rows=rated_rows(listing.rows, option))


def _study(dataset: Any, option: str) -> "Study | None":
    """Evaluate the ratings of single raters, where the dataset has some."""
    ratings = getattr(dataset, "ratings", None)
    if ratings is None:
        return None
    from cover.evaluation.raters.study import evaluate_ratings

    try:
        return evaluate_ratings(ratings, **dataset.screening)
    except UsageError as error:
        raise UsageError(f"{option}: {error}") from error


def _at_home(rows: Mapping[str, Any]) -> dict[str, Any]:
    """Expand ~ in the paths among a dataset's arguments."""
    return {name: at_home(value) if name in _PATHS else value for name, value in rows.items()}
