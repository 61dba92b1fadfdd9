"""A list of videos in a file: .csv or .tsv with a header, or .txt with one path a line."""

import csv
import os
from collections.abc import Iterator
from pathlib import Path

from cover.errors import UsageError
from cover.rows import Row

_PATH_COLUMNS = ("path", "filename", "file", "video", "name")


class Table:
    """The files that a table names, in its order.

    Args:
        path: The list. ``.csv`` and ``.tsv`` have a header; any other file has one path a line, and blank lines and
            lines that begin with ``#`` are passed over.
        root: Folder that relative paths start from; by default the list's own.
        column: Header of the column of paths; by default the first of path, filename, file, video, name that is there,
            in any case.

    Raises:
        UsageError: The list cannot be read, names nothing, or lacks the column (the message shows those found).
    """

    def __init__(self, path: str | Path, root: str | Path | None = None, column: str | None = None) -> None:
        self.path = Path(path)
        self.root = Path(root) if root is not None else self.path.parent
        try:
            # Python writes the bytes of a name that is no UTF-8 as lone surrogates, and so do lists made with it.
            with self.path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
                names = list(self._names(file, column))
        except OSError as error:
            raise UsageError(f"data={self.path}: {error.strerror or error}") from error
        except csv.Error as error:
            raise UsageError(f"data={self.path}: not a readable table ({error})") from error
        if not names:
            raise UsageError(f"data={self.path}: the list names no file")
        by_name = {self._relative(name): self.root / name for name in names}  # a file listed twice is scored once
        self._rows = [Row(path=file, name=name) for name, file in by_name.items()]

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def _names(self, file: Iterator[str], column: str | None) -> Iterator[str]:
        if self.path.suffix.lower() not in {".csv", ".tsv"}:
            lines = (line.rstrip("\r\n") for line in file)
            yield from (line for line in lines if line.strip() and not line.startswith("#"))
            return
        table = csv.DictReader(file, delimiter="\t" if self.path.suffix.lower() == ".tsv" else ",", strict=True)
        header = list(table.fieldnames or [])
        by_lower_case = {name.strip().lower(): name for name in reversed(header)}
        wanted = [column.strip().lower()] if column else list(_PATH_COLUMNS)
        found = next((by_lower_case[name] for name in wanted if name in by_lower_case), None)
        if found is None:
            raise UsageError(
                f"data={self.path}: no column {' or '.join(wanted)} (found: {', '.join(header) or 'none'}); "
                "name it with data.column=NAME"
            )
        yield from (row[found] for row in table if row[found])

    def _relative(self, name: str) -> str:
        """``name`` as seen from the root; one outside the root keeps the form it was given in."""
        inside = os.path.relpath(self.root / name, self.root)
        return name if inside.startswith(os.pardir) else inside
