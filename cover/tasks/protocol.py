"""Which videos a figure stands on: the ``protocol`` node of ``configs/evaluate.yaml``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cover.errors import UsageError
from cover.rows import Row
from cover.splits import column_split, grouped_splits, random_splits, read_split, write_split
from cover.tasks.scoring import is_main_process

SPLITS = ("full", "random", "grouped", "column", "file")


def measured_parts(rows: Sequence[Row], protocol: Mapping[str, Any]) -> list[set[str]] | None:
    """The names of the videos that each split of a protocol measures.

    Args:
        rows: All rated rows of the dataset, in the order of its annotation.
        protocol: What :func:`dataset_splits` takes, and ``part`` and ``write``.

    Returns:
        One set of names a split; None for ``full``, which measures all videos at once.

    Raises:
        UsageError: An option is missing or unknown, or the split does not fit the dataset.
    """
    if protocol["splits"] == "full":
        return None
    splits = dataset_splits(rows, protocol)
    if protocol["write"] is not None and is_main_process():
        for index, split in enumerate(splits):
            write_split(Path(protocol["write"]) / f"split_{index}.csv", split)
    return [{row.name for row in part_of(split, protocol, "part")} for split in splits]


def dataset_splits(rows: Sequence[Row], protocol: Mapping[str, Any]) -> list[dict[str, list[Row]]]:
    """The splits that a protocol makes of a dataset: part -> rows.

    Args:
        rows: All rated rows of the dataset, in the order of its annotation.
        protocol: Its ``splits`` (one of :data:`SPLITS` but ``full``), ``count``, ``column`` and ``file``.

    Raises:
        UsageError: An option is missing or unknown, or the split does not fit the dataset.
    """
    kind, column = protocol["splits"], protocol["column"]
    if kind not in SPLITS:
        raise UsageError(f"protocol.splits={kind}: takes one of {', '.join(SPLITS)}")
    if kind in ("grouped", "column") and column is None:
        raise UsageError(f"protocol.splits={kind}: name the column with protocol.column=NAME")
    if kind == "file" and protocol["file"] is None:
        raise UsageError("protocol.splits=file: name the file with protocol.file=FILE")
    if kind == "random":
        return random_splits(rows, protocol["count"])
    if kind == "grouped":
        return grouped_splits(rows, column, protocol["count"])
    if kind == "column":
        return [column_split(rows, column)]
    return [read_split(protocol["file"], rows)]


def part_of(split: Mapping[str, list[Row]], protocol: Mapping[str, Any], option: str) -> list[Row]:
    """The rows of a part that an option names; random and grouped splits have parts of fixed names.

    Args:
        split: Part -> rows.
        protocol: With ``splits`` and ``option``.
        option: ``train``, or ``part`` for what is measured.

    Raises:
        UsageError: The split has no such part.
    """
    fixed = {"train": "train", "part": "test"}[option]
    name = fixed if protocol["splits"] in ("random", "grouped") else protocol[option]
    if name not in split:
        raise UsageError(f"protocol.{option}={name}: no such part (found: {', '.join(split)})")
    return split[name]
