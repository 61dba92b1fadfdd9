"""The tables of a results folder: lines as they are added, and whole tables in the order of the rows."""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any, TextIO

from cover.files import csv_line, replaced_text
from cover.parts import Part, name_from_cells
from cover.results.names import (
    ERRORS,
    FACT_COLUMNS,
    FACTS,
    FACTS_TABLE,
    FILENAME,
    MOS,
    NOTE,
    NOTES,
    PART,
    REASON,
    SCORE_COLUMNS,
    SCORES_TABLE,
    VIDEOS,
)
from cover.results.videos import VideoSums
from cover.rows import Row
from cover.scores import SCORES
from cover.text import from_cell

ScoreRecord = Mapping[str, Any]
"""A scored row as the journal has it."""


class TableLayout:
    """The form of a run's tables.

    Args:
        rows: The rows of the run.
        in_parts: Whether parts of videos are scored.
        predicted_mos: Whether scores are also given on the scale of a MOS.
        percentile: Whether it is given where scores stand among those of a reference.
    """

    def __init__(self, rows: Sequence[Row], *, in_parts: bool, predicted_mos: bool, percentile: bool) -> None:
        self.in_parts = in_parts
        self._extras = list(dict.fromkeys(name for row in rows for name in row.extras))
        self._rated = any(row.mos is not None for row in rows)
        names = (FILENAME, *PART) if in_parts else (FILENAME,)
        derived = {"predicted_mos": predicted_mos, "percentile": percentile}
        score_columns = {column: score for column, score in SCORE_COLUMNS.items() if derived.get(score, True)}
        self._scores: Callable[[Mapping[str, float]], tuple[float, ...]] = itemgetter(*score_columns.values())
        self._format = ",".join(["%.4f"] * (len(SCORES) + predicted_mos) + ["%.1f"] * percentile)
        ours = (*names, *FACT_COLUMNS, *([MOS] if self._rated else []))
        self.headers: dict[str, Sequence[str]] = {
            SCORES_TABLE: (*names, *score_columns),
            ERRORS: (*names, REASON),
            NOTES: (*names, NOTE),
            FACTS_TABLE: (*ours, *(f"{name}_" if name in ours else str(name) for name in self._extras)),
        }

    def cells(self, row: Row, record: ScoreRecord | None = None) -> tuple[str, ...]:
        """Give the first cells of a line: ``Filename``, and where parts are scored ``Start`` and ``End``.

        Start and end are as they were asked for; numbers of frames are turned into seconds where these are known.
        """
        if not self.in_parts:
            return (row.name,)
        return (row.video, *_placed(row, record).cells())

    def name(self, row: Row, record: ScoreRecord) -> str:
        """Name a row as its cells in the tables do."""
        cells = self.cells(row, record)
        return name_from_cells(*cells) if self.in_parts else cells[0]

    def score_line(self, cells: tuple[str, ...], scores: Mapping[str, float]) -> str:
        """Write a line of ``scores.csv``: scores to four decimals, percentiles to one.

        Args:
            cells: The first cells.
            scores: By name.
        """
        line = self._format % self._scores(scores)
        if "-0.0000" in line:  # a rounded score has no sign without a value
            line = ",".join("0.0000" if cell == "-0.0000" else cell for cell in line.split(","))
        return f"{csv_line(*cells)},{line}"

    def facts_line(self, row: Row, record: ScoreRecord, cells: tuple[str, ...]) -> str:
        """Write a line of ``facts.csv``: the facts of the file, then what the dataset says of the video."""
        facts = record.get("facts") or {}
        values = [facts.get(name) for name in FACTS]
        if self._rated:
            values.append(row.mos)
        if self._extras:
            values += map(row.extras.get, self._extras)
        return csv_line(*cells, *("" if value is None else str(value) for value in values))

    @contextmanager
    def writing(self, folder: Path) -> Iterator["TableWriter"]:
        """Write all tables of a folder line by line; they take the place of the old ones when the block ends."""
        with ExitStack() as stack:
            writer = TableWriter(
                self, {name: stack.enter_context(replaced_text(folder / name)) for name in self.headers}
            )
            yield writer
            videos = folder / VIDEOS
            videos.unlink(missing_ok=True)  # of other rows
            if self.in_parts:
                stack.enter_context(replaced_text(videos)).writelines(f"{line}\n" for line in writer.video_lines())


class TableWriter:
    """Tables that are being written, in the order of the rows.

    Args:
        layout: What they look like.
        files: By name.
    """

    def __init__(self, layout: TableLayout, files: Mapping[str, TextIO]) -> None:
        self._layout = layout
        self._write = {name: file.write for name, file in files.items()}
        self._sums = VideoSums()
        for name, header in layout.headers.items():
            self._write[name](csv_line(*header) + "\n")

    def add_score(self, row: Row, record: ScoreRecord, scores: Mapping[str, float]) -> None:
        """Add a scored row to all tables."""
        cells = self._layout.cells(row, record)
        self._write[SCORES_TABLE](self._layout.score_line(cells, scores) + "\n")
        self._write[FACTS_TABLE](self._layout.facts_line(row, record, cells) + "\n")
        for note in record.get("notes") or ():
            self._write[NOTES](csv_line(*cells, note) + "\n")
        if self._layout.in_parts:
            self._sums.add(row, record, scores)

    def add_error(self, row: Row, reason: str) -> None:
        """Add a row that failed."""
        self._write[ERRORS](csv_line(*self._layout.cells(row), reason) + "\n")
        if self._layout.in_parts:
            self._sums.add_failure(row)

    def add_pending(self, row: Row) -> None:
        """Count a row that was not tried yet."""
        if self._layout.in_parts:
            self._sums.add_pending(row)

    def add_remark(self, video: str, remark: str) -> None:
        """Add a remark on how a video was cut."""
        self._write[NOTES](csv_line(video, "", "", remark) + "\n")

    def video_lines(self) -> Iterator[str]:
        """Give the lines of ``videos.csv``."""
        return self._sums.lines()


def listed_lines(path: Path) -> Iterator[list[str]]:
    """Give the lines of a table, its header first, as far as they can be read."""
    try:
        with path.open(newline="", encoding="utf-8", errors="backslashreplace") as file:
            yield from ([*map(from_cell, line)] for line in csv.reader(file) if line)
    except FileNotFoundError:
        return
    except csv.Error:  # what follows is not a table of ours
        return


def listed_names(path: Path) -> set[str]:
    """Read the names of the rows in ``scores.csv``, which may be of a run without parts."""
    lines = listed_lines(path)
    in_parts = next(lines, [])[1:3] == [*PART]
    return {name_from_cells(*line[:3]) if in_parts and len(line) > 2 else line[0] for line in lines}


def _placed(row: Row, record: ScoreRecord | None) -> Part:
    known = (record or {}).get("part")
    return row.part.placed(None if known is None else Part(*known))
