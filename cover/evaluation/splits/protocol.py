"""Protocols: the videos that a figure stands on."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cover.errors import UsageError
from cover.evaluation.splits.contents import CONTENT, contents, with_contents
from cover.evaluation.splits.splits import column_split, grouped_splits, random_splits, read_split, write_split
from cover.ranks import is_main_process
from cover.rows import Row

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Protocol:
    """A way to split a dataset.

    Attributes:
        splits: ``full`` does not split; ``random`` and ``grouped`` (80/20, without and with whole contents on one side)
            make ``count`` splits into train and test; ``column`` and ``file`` are fixed splits.
        count: Number of random or grouped splits.
        column: For grouped: the column of the content, None: found by name, or guessed from names of files; for column:
            that of the split.
        file: For file: a CSV of Filename and split.
    """

    splits: Literal["full", "random", "grouped", "column", "file"] = "full"
    count: int = 10
    column: str | None = None
    file: Path | None = None

    def split(self, rows: Sequence[Row]) -> list[dict[str, list[Row]]]:
        """Split a dataset: the name of each split -> its rows, once for each of several random splits.

        Args:
            rows: All rated rows of the dataset, in the order of its annotation.

        Raises:
            UsageError: An option is missing, or the split does not fit the dataset.
        """
        if self.splits == "column" and self.column is None:
            raise UsageError("protocol.splits=column: name the column with protocol.column=NAME")
        if self.splits == "random":
            return random_splits(rows, self.count)
        if self.splits == "grouped" and self.column is None:
            of_rows = contents(rows)
            if of_rows is None:
                raise UsageError(
                    "protocol.splits=grouped: no column names the content, and names of files do not tell it; "
                    "name the column with protocol.column=NAME"
                )
            log.info("contents by %s: %d, such as %s", of_rows.source, of_rows.count, of_rows.keys[0])
            return grouped_splits(with_contents(rows, of_rows), CONTENT, self.count)
        if self.splits == "grouped":
            return grouped_splits(rows, str(self.column), self.count)
        if self.splits == "column":
            return [column_split(rows, str(self.column))]
        if self.file is None:
            raise UsageError("protocol.splits=file: name the file with protocol.file=FILE")
        return [read_split(self.file, rows)]

    def measured(self, rows: Sequence[Row], split: str, write: Path | None) -> list[set[str]] | None:
        """List the names of the videos that each split measures.

        Args:
            rows: All rated rows of the dataset.
            split: The split to measure, of ``column`` and ``file``.
            write: Folder for a file of each split; None writes none.

        Returns:
            A set of names for each split; None for ``full``, which measures all videos at once.

        Raises:
            UsageError: As of :meth:`split` and :meth:`chosen`.
        """
        if self.splits == "full":
            return None
        splits = self.split(rows)
        if write is not None and is_main_process():
            for index, rows_of in enumerate(splits):
                write_split(write / f"split_{index}.csv", rows_of)
        return [{row.name for row in self.chosen(rows_of, split, "split")} for rows_of in splits]

    def chosen(self, split: Mapping[str, list[Row]], name: str, option: str) -> list[Row]:
        """Choose the rows of a split that an option names; random and grouped splits are ``train`` and ``test``.

        Args:
            split: Name of the split -> rows.
            name: The value of the option.
            option: ``train``, ``validation`` or ``split``.

        Raises:
            UsageError: There is no such split.
        """
        if self.splits in ("random", "grouped"):
            name = "train" if option == "train" else "test"
        if name not in split:
            raise UsageError(f"protocol.{option}={name}: no such split (found: {', '.join(split)})")
        return split[name]
