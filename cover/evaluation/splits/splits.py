"""Splits into train, validation and test: random ones as published, by content, fixed ones, and their files.

A dataset that is split maps the name of each split to its rows: ``{"train": [...], "test": [...]}``.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Protocol, TypeVar

from cover.errors import UsageError
from cover.files import csv_line, write_bytes
from cover.results.names import FILENAME
from cover.tables import Columns, read_table


class Named(Protocol):
    """The parts of a row that splitting needs; :class:`cover.rows.Row` has it."""

    @property
    def name(self) -> str:
        """Unique among the rows."""

    @property
    def video(self) -> str:
        """The video that it is, or is a part of."""

    @property
    def extras(self) -> Mapping[str, object]:
        """Further columns of the annotation."""


R = TypeVar("R", bound=Named)
T = TypeVar("T")

HEADER = (FILENAME, "split")


def random_splits(rows: Sequence[R], k: int = 10, train: float = 0.8) -> list[dict[str, list[R]]]:
    """Make the official random splits (``train_one_dataset.py`` of COVER and DOVER), the same ones for the same rows.

    Split i, from 0, shuffles the videos with Python's generator seeded with 42 * (i + 1); the first int(train * n) are
    for training. All parts of a video are on one side: they show the same things.

    Args:
        rows: All rows of a dataset. The published splits come from the order of its label file.
        k: How many splits.
        train: Share of the rows to train on, between 0 and 1.

    Returns:
        The splits, with train and test.

    Raises:
        UsageError: ``k`` or ``train`` is out of range, one would be empty, or two rows have one name.
    """
    videos: dict[str, list[R]] = defaultdict(list)
    for row in rows:
        videos[row.video].append(row)
    splits = []
    for shuffled in _shuffles(list(videos.values()), k, train):
        cut = int(train * len(shuffled))
        sides = {"train": shuffled[:cut], "test": shuffled[cut:]}
        splits.append({side: [row for parts in groups for row in parts] for side, groups in sides.items()})
    for split in splits:
        _check_not_empty(split)
        check_leaks(split)
    return splits


def grouped_splits(rows: Sequence[R], column: str, k: int = 10, train: float = 0.8) -> list[dict[str, list[R]]]:
    """Make random splits that keep all videos of a content together.

    The contents are shuffled as :func:`random_splits` shuffles rows, and as many of the first are for training as bring
    the number of training rows closest to train * n. Within a split the rows keep their order.

    Args:
        rows: All rows of a dataset.
        column: The entry of ``extras`` that names the content (scene, reference, source).
        k: How many splits.
        train: Share of the rows to train on, between 0 and 1.

    Returns:
        The splits, with train and test, neither of them empty.

    Raises:
        UsageError: ``k`` or ``train`` is out of range, a row lacks the column, all rows are one content, or two rows
            have one name.
    """
    sizes = Counter(_value(row, column) for row in rows)
    if len(sizes) < 2:
        raise UsageError(f"{column}: {len(sizes)} contents cannot be split into training and test; name another column")
    splits = []
    for contents in _shuffles(list(sizes), k, train):
        sums = list(accumulate(sizes[content] for content in contents))[:-1]  # the last content is never for training
        misses = [abs(total - train * len(rows)) for total in sums]
        trained = set(contents[: misses.index(min(misses)) + 1])
        split: dict[str, list[R]] = {"train": [], "test": []}
        for row in rows:
            split["train" if _value(row, column) in trained else "test"].append(row)
        check_leaks(split, column)
        splits.append(split)
    return splits


def column_split(rows: Iterable[R], column: str = "split") -> dict[str, list[R]]:
    """Take the split that a dataset comes with.

    Args:
        rows: All rows of a dataset.
        column: The entry of ``extras`` that names the split.

    Returns:
        One split for each value of the column, in the order in which they appear.

    Raises:
        UsageError: A row lacks the column, or two rows have one name.
    """
    split = defaultdict(list)
    for row in rows:
        split[str(_value(row, column))].append(row)
    check_leaks(split)
    return dict(split)


def check_leaks(split: Mapping[str, Sequence[R]], content: str | None = None) -> None:
    """Make sure that no split knows anything of another.

    Args:
        split: Name of the split -> rows.
        content: The entry of ``extras`` that names the content, which then must not be in two splits either.

    Raises:
        UsageError: A name is there twice, or a content in two splits, or a row lacks that column.
    """
    of_name: dict[str, str] = {}
    of_content: dict[Hashable, str] = {}
    for which, rows in split.items():
        for row in rows:
            other = of_name.setdefault(row.name, which)
            if other != which:
                raise UsageError(f"split: {row.name} is in {other} and in {which}; leave it in one of them")
            if content is not None and (other := of_content.setdefault(_value(row, content), which)) != which:
                raise UsageError(f"split: {content} {_value(row, content)!s} is in {other} and in {which} ({row.name})")
        twice = [name for name, count in Counter(row.name for row in rows).items() if count > 1]
        if twice:
            raise UsageError(f"split: {_some(twice)} more than once in {which}; names must be unique")


def write_split(path: str | Path, split: Mapping[str, Sequence[R]]) -> None:
    """Write a split as CSV with the columns Filename and split.

    Args:
        path: The file; its folder is made when missing.
        split: Name of the split -> rows.

    Raises:
        UsageError: A name is there twice, or the file cannot be written.
    """
    check_leaks(split)
    path = Path(path)
    try:
        lines = [csv_line(*HEADER), *(csv_line(row.name, name) for name, rows in split.items() for row in rows)]
        # Python writes the bytes of a name that is no UTF-8 as lone surrogates; here they have to come back.
        write_bytes(path, "".join(line + "\r\n" for line in lines).encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error


def read_split(path: str | Path, rows: Iterable[R], content: str | None = None) -> dict[str, list[R]]:
    """Read what :func:`write_split` wrote, or a like file made by hand.

    Args:
        path: A CSV with the columns Filename and split. To leave a video out, put it in a split of another name.
        rows: All rows of the dataset.
        content: The entry of ``extras`` that names the content, which must not be in two splits.

    Returns:
        Name of the split -> rows, in the order of the file.

    Raises:
        UsageError: The file cannot be read or lacks a column or a value; it names a video twice, or one that the
            dataset does not have, or leaves one out; or a content is in two splits.
    """
    path, rows = Path(path), list(rows)
    check_leaks({"the dataset": rows})
    by_name = {row.name: row for row in rows}
    split_of: dict[str, str] = {}
    for line, name, which in _lines(path):
        if name in split_of:
            where = f"twice in {which}" if which == split_of[name] else f"in {split_of[name]} and in {which}"
            raise UsageError(f"{path}: {line}: {name} appears {where}; keep one line")
        split_of[name] = which
    if unknown := [name for name in split_of if name not in by_name]:
        raise UsageError(f"{path}: the dataset has no {_some(unknown)}; is this the split of another dataset?")
    if missing := [name for name in by_name if name not in split_of]:
        raise UsageError(
            f"{path}: {_some(missing)} of the dataset in no split; put what is not wanted in a split 'unused'"
        )
    split = defaultdict(list)
    for name, which in split_of.items():
        split[which].append(by_name[name])
    check_leaks(split, content)
    return dict(split)


def _lines(path: Path) -> list[tuple[str, str, str]]:
    table = read_table(path, str(path))
    columns = Columns(table.header, str(path))
    name, split = map(columns.find, HEADER)
    if name is None or split is None:
        raise columns.lacks("", *(header for header in HEADER if columns.find(header) is None))
    lines = [(where, str(cells[name]), str(cells[split]).strip()) for where, cells in table.records]
    if not lines:
        raise UsageError(f"{path}: it names no video")
    for line, name, which in lines:
        if not name or not which:
            raise UsageError(f"{path}: {line}: {HEADER[1] if name else HEADER[0]} is empty")
    return lines


def _shuffles(items: Sequence[T], k: int, train: float) -> Iterable[list[T]]:
    if k < 1:
        raise UsageError(f"k={k}: at least one split is needed")
    if not 0 < train < 1:
        raise UsageError(f"train={train}: the share to train on lies between 0 and 1")
    for i in range(k):
        shuffled = list(items)
        # Random(seed) draws what seeding the global generator would, and leaves that one alone.
        random.Random(42 * (i + 1)).shuffle(shuffled)  # noqa: S311
        yield shuffled


def _check_not_empty(split: Mapping[str, Sequence[object]]) -> None:
    if empty := [which for which, rows in split.items() if not rows]:
        count = sum(map(len, split.values()))
        raise UsageError(
            f"split: {count} videos leave none for {' and '.join(empty)}; use more videos or another share"
        )


def _value(row: Named, column: str) -> Hashable:
    value = row.extras.get(column)
    # A missing cell is None, empty or NaN, which alone does not equal itself.
    if value is None or value == "" or value != value:
        raise UsageError(f"{row.name}: no {column} (it has: {', '.join(row.extras) or 'no further columns'})")
    return value if isinstance(value, Hashable) else str(value)


def _some(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
