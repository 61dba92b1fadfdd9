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
        protocol: Its ``splits`` (one of :data:`SPLITS`), ``count``, ``column``, ``part``, ``file`` and ``write``.

    Returns:
        One set of names a split; None for ``full``, which measures all videos at once.

    Raises:
        UsageError: An option is missing or unknown, or the split does not fit the dataset.
    """
    kind, column, part = protocol["splits"], protocol["column"], protocol["part"]
    if kind not in SPLITS:
        raise UsageError(f"protocol.splits={kind}: takes one of {', '.join(SPLITS)}")
    if kind == "full":
        return None
    if kind in ("grouped", "column") and column is None:
        raise UsageError(f"protocol.splits={kind}: name the column with protocol.column=NAME")
    if kind == "file" and protocol["file"] is None:
        raise UsageError("protocol.splits=file: name the file with protocol.file=FILE")
    if kind == "random":
        splits = random_splits(rows, protocol["count"])
    elif kind == "grouped":
        splits = grouped_splits(rows, column, protocol["count"])
    elif kind == "column":
        splits = [column_split(rows, column)]
    else:
        splits = [read_split(protocol["file"], rows)]
    if protocol["write"] is not None and is_main_process():
        for index, split in enumerate(splits):
            write_split(Path(protocol["write"]) / f"split_{index}.csv", split)
    wanted = "test" if kind in ("random", "grouped") else part
    if any(wanted not in split for split in splits):
        raise UsageError(f"protocol.part={part}: no such part (found: {', '.join(splits[0])})")
    return [{row.name for row in split[wanted]} for split in splits]
