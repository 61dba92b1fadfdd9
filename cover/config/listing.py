"""The rows of the dataset that the options name."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cover.config.components import instantiate
from cover.config.describe import options_of
from cover.config.schema import DataOptions, at_home
from cover.errors import UsageError
from cover.rows import Dataset, Row

_PATHS = {option.name for option in options_of(DataOptions) if option.is_path}


@dataclasses.dataclass(frozen=True)
class Listing:
    """The rows of a dataset.

    Attributes:
        rows: One video each; of all ratings, high is good.
        root: The folder that their names are relative to.
        lower_is_better: Whether the dataset's own ratings are low for good videos; those of ``rows`` are negated then.
        remarks: What the user should know of what is not in ``rows``, one line each.
    """

    rows: list[Row]
    root: Path
    lower_is_better: bool = False
    remarks: Sequence[str] = ()


def dataset_rows(data: DataOptions, option: str = "data") -> Listing:
    """List a dataset.

    Args:
        data: The dataset.
        option: Where it stands in the config, for messages.

    Raises:
        UsageError: The dataset cannot be read, is empty, or has one name for two videos.
    """
    dataset: Dataset = instantiate(_at_home(data.rows), option)
    rows = list(dataset)
    twice = [name for name, count in Counter(row.name for row in rows).items() if count > 1]
    if twice:
        raise UsageError(f"{option}: {len(twice)} names stand for more than one file, the first is {twice[0]!r}")
    if not rows:
        raise UsageError(f"{option}: the dataset names no file")
    declared = getattr(dataset, "lower_is_better", False)
    lower = declared if data.lower_is_better is None else data.lower_is_better
    return Listing(
        high_is_good(rows, lower_is_better=lower), Path(dataset.root), lower, getattr(dataset, "remarks", ())
    )


def high_is_good(rows: Sequence[Row], *, lower_is_better: bool) -> list[Row]:
    """Negate ratings that are low for good videos: then high is good in all that is written."""
    if not lower_is_better:
        return list(rows)
    return [row if row.mos is None else dataclasses.replace(row, mos=-row.mos) for row in rows]


def _at_home(rows: Mapping[str, Any]) -> dict[str, Any]:
    """Expand ~ in the paths among a dataset's arguments."""
    return {name: at_home(value) if name in _PATHS else value for name, value in rows.items()}
