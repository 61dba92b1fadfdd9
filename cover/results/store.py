"""Results on disk: written as videos finish, resumable, and the same in the end however often a run was interrupted."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, SupportsFloat

from cover.files import append_line, csv_line, end_line, set_aside
from cover.parts import Part
from cover.results.evidence import evidence_line
from cover.results.journal import (
    CutPlan,
    JournalReader,
    Places,
    append_entry,
    entry_line,
    parsed,
    read_entries,
    read_identity,
    read_plan,
    read_score,
    rewriting,
    same_scores,
)
from cover.results.maps import maps_file, write_maps
from cover.results.names import (
    ERRORS,
    EVIDENCE,
    FACTS_TABLE,
    FILENAME,
    JOURNAL,
    NOTES,
    OF_A_READER,
    OF_A_RUN,
    SCORES_TABLE,
)
from cover.results.overview import Overview, ScoreTally
from cover.results.reference import Reference
from cover.results.table_writer import TableLayout, listed_lines, listed_names
from cover.rows import Failure, Row, fingerprint, part_of
from cover.scores import VideoScore
from cover.text import printable
from cover.video import file_facts


class ResultStore:
    """The results folder of a scoring run.

    ``scores.csv``, ``errors.csv``, ``notes.csv`` and ``facts.csv`` (what a file is, and what the dataset says of it)
    are for people; their last form has the order of the rows.
    ``journal.jsonl`` is what resuming reads: one line a finished video, with its fingerprint and the scores in full
    precision. Each line goes out in a single write, so that ranks may append to the same files and a killed run loses
    at most the videos in flight.

    Where parts of videos are scored, each is a row; tables have ``Start`` and ``End`` after ``Filename``, and
    ``videos.csv`` sums up each video. Videos that are cut as they are decoded (:meth:`plan`) are cut the same when the
    run is resumed.

    In memory is one number a row, its place in the journal. The tables are written from the journal, line by line.

    Args:
        folder: Where; made when missing.
        identity: What makes scores comparable (model, weights, views, precision, data root), as plain data.
        rows: The videos of this run.
        calibration: From an overall score to the scale of the MOS; ``scores.csv`` then has a column for it.
        reference: Scores of other videos; ``scores.csv`` then has a last column that says where a score stands.
        maps: Whether to keep score maps too (see :func:`cover.results.maps.write_maps`).
        evidence: Whether to keep what a report shows: maps and small pictures (:mod:`cover.results.evidence`).
        cut: Whether rows that are not parts are cut into parts as they are decoded.

    Attributes:
        errors: Why a video has no score, by name.
        in_parts: Whether parts of videos are scored.
    """

    def __init__(
        self,
        folder: Path,
        identity: Mapping[str, Any],
        rows: Sequence[Row],
        calibration: Callable[[float], SupportsFloat] | None = None,
        *,
        reference: Reference | None = None,
        maps: bool = False,
        evidence: bool = False,
        cut: bool = False,
    ) -> None:
        self.folder = folder
        self.in_parts = cut or any(row.is_part for row in rows)
        self.calibration = calibration
        self.reference = reference
        self.maps = maps
        self.evidence = evidence
        self._identity = json.loads(json.dumps(identity))
        self._videos = rows
        self._plans: dict[str, CutPlan] = {}
        self._places = Places()
        self._written = -1  # size of the journal that the tables were written from
        self._fingerprint: tuple[str, list[Any]] = "", []  # the last one taken
        self._tally = ScoreTally()
        self.errors: dict[str, str] = {}
        self._layout = TableLayout(
            rows, in_parts=self.in_parts, predicted_mos=calibration is not None, percentile=reference is not None
        )

    @property
    def rows(self) -> Sequence[Row]:
        """The rows, with the parts of a video in its place once they are known."""
        return list(self._every_row()) if self._plans else self._videos

    @property
    def scores(self) -> dict[str, dict[str, float]]:
        """The scores so far, by name and then by score, in the order of the rows; all of them in memory.

        With a calibration, ``predicted_mos`` is computed from ``overall``; with a reference, ``percentile`` is.
        """
        return {row.name: self._derived(record["scores"]) for row, record, _ in self._records() if record}

    @property
    def parts(self) -> dict[str, Part]:
        """Start and end of each scored part, in seconds where known, by name; all of them in memory."""
        return {row.name: Part(*record["part"]) for row, record, _ in self._records() if "part" in record}

    def overview(self) -> Overview:
        """Sum up the run as its tables have it, after :meth:`close`."""
        with JournalReader(self.folder) as reader:

            def seconds(row: Row) -> Part | None:
                bounds = read_score(reader.line(self._places.get(row.name))).get("part")
                return None if bounds is None else Part(*bounds)

            return self._tally.overview(self.rows, seconds, self.errors)

    def open(self, *, resume: bool) -> list[Row]:
        """Continue what an earlier run left.

        A video keeps its score when its name is in ``scores.csv``, its fingerprint is what it was and, where maps are
        kept, its maps are there. Videos that failed are tried again.

        Results of another identity, and all earlier results when ``resume`` is false, are moved to a folder below
        ``previous/``: nothing that was computed is ever overwritten.

        Returns:
            The rows that have no score yet.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if resume and same_scores(read_identity(self.folder), self._identity):
            self._index()
            self.errors.clear()
            self._forget_changed_plans()
        else:
            self._set_aside()
        self._write_opened(listed_names(self.folder / SCORES_TABLE))
        end_line(self.folder / EVIDENCE)
        return self._pending()

    def attach(self) -> list[Row]:
        """Do the same for a rank that works in a folder which rank 0 has opened."""
        self._index()
        return self._pending()

    def plan(self, video: Row, parts: Sequence[Row], remark: str | None = None) -> None:
        """Record how a video is cut, at once.

        Args:
            video: Its row.
            parts: The rows of its parts; of an image, its own.
            remark: On how they were found.
        """
        bounds = [[row.part.start, row.part.end] for row in parts]
        entry = {FILENAME: video.name, "fingerprint": fingerprint(video.location), "parts": bounds, "remark": remark}
        self._keep_plan(entry)
        append_entry(self.folder, entry)

    def add(self, row: Row, outcome: VideoScore | Failure) -> None:
        """Record one video, at once.

        Raises:
            UsageError: Its maps cannot be written.
        """
        name = row.name
        if isinstance(outcome, Failure):
            self.errors[name] = outcome.reason
            append_entry(self.folder, {FILENAME: name, "error": outcome.reason})
            append_line(self.folder / ERRORS, csv_line(*self._layout.cells(row), outcome.reason))
            return
        if self.maps:
            write_maps(self.folder, name, outcome)
        record: dict[str, Any] = {FILENAME: name, "fingerprint": fingerprint(row.location)}
        record |= {"scores": outcome.scores, "notes": [*outcome.notes]}
        if outcome.info is not None:
            record["facts"] = file_facts(outcome.info, row.path)
        if outcome.part is not None:
            start, end = (None if bound is None or math.isnan(bound) else bound for bound in outcome.part)
            length = None if start is None or end is None else round(end - start, 4)
            record |= {"video": row.video, "part": [start, end]}
            record["facts"] = {**record.get("facts", {}), "duration": length}
        if self.evidence:
            looked_at = outcome.maps, outcome.times, outcome.frames, outcome.thumbnails
            append_line(self.folder / EVIDENCE, evidence_line(printable(self._layout.name(row, record)), *looked_at))
        # Before the table: what the table lists can always be resumed.
        self._places.put(name, append_entry(self.folder, record))
        cells = self._layout.cells(row, record)
        append_line(self.folder / SCORES_TABLE, self._layout.score_line(cells, self._derived(outcome.scores)))
        append_line(self.folder / FACTS_TABLE, self._layout.facts_line(row, record, cells))
        for note in outcome.notes:
            append_line(self.folder / NOTES, csv_line(*cells, note))

    def close(self) -> None:
        """Gather what all ranks wrote and put the tables into the order of the rows."""
        if (self.folder / JOURNAL).stat().st_size != self._written:  # else the tables are what they should be
            self._index()
            self._write_tables((row, record) for row, record, _ in self._records())

    def _every_row(self) -> Iterator[Row]:
        for row in self._videos:
            plan = self._plans.get(row.name)
            if plan is None:
                yield row
            else:
                yield from (part_of(row, *part) for part in plan.parts)

    def _records(self) -> Iterator[tuple[Row, dict[str, Any], bytes]]:
        """Give the rows in their order, each with its record and the journal's line of it; both empty for no score."""
        with JournalReader(self.folder) as reader:
            for row in self._every_row():
                place = self._places.get(row.name)
                if place < 0:
                    yield row, {}, b""
                else:
                    line = reader.line(place)
                    yield row, read_score(line), line

    def _pending(self) -> list[Row]:
        return [row for row in self._every_row() if self._places.get(row.name) < 0]

    def _index(self) -> None:
        """Find in the journal where the score of each row is, what failed, and how videos are cut."""
        self._places = Places(row.name for row in self._videos)
        for entry in read_entries(self.folder):
            if entry.kind == "score":
                self._places.put(entry.name, entry.place)
            elif entry.kind == "error":
                self.errors[entry.name] = str(parsed(entry.line).get("error"))
            else:
                self._keep_plan(parsed(entry.line))

    def _keep_plan(self, entry: Mapping[str, Any]) -> None:
        plan = read_plan(entry)
        if plan is not None:
            self._plans[entry[FILENAME]] = plan

    def _forget_changed_plans(self) -> None:
        """Keep the plans of this run's videos, of those whose files are as they were."""
        planned = ((row, self._plans[row.name]) for row in self._videos if row.name in self._plans)
        self._plans = {
            row.name: plan for row, plan in planned if plan.entry.get("fingerprint") == fingerprint(row.location)
        }

    def _write_opened(self, listed: set[str]) -> None:
        """Write the tables, and the journal, of what is still valid, in the order of the rows."""
        places = Places(row.name for row in self._videos)

        def valid() -> Iterator[tuple[Row, dict[str, Any]]]:
            for row, record, line in self._records():
                if record and self._is_valid(row, record, listed):
                    places.put(row.name, write_line(line))
                    yield row, record
                else:
                    yield row, {}

        with rewriting(self.folder, self._identity) as write_line:
            for plan in self._plans.values():
                write_line(entry_line(plan.entry))
            self._write_tables(valid())
        self._places = places
        self._written = (self.folder / JOURNAL).stat().st_size

    def _is_valid(self, row: Row, record: Mapping[str, Any], listed: set[str]) -> bool:
        if self._layout.name(row, record) not in listed or record.get("fingerprint") != self._now(row.location):
            return False
        return not self.maps or maps_file(self.folder, row.name).exists()

    def _now(self, location: str) -> list[Any]:
        """Fingerprint of a file, taken once for all of its parts that follow each other."""
        if location != self._fingerprint[0]:
            self._fingerprint = location, fingerprint(location)
        return self._fingerprint[1]

    def _write_tables(self, records: Iterator[tuple[Row, dict[str, Any]]]) -> None:
        """Write the tables.

        Args:
            records: Every row with its record, in the order of the rows; empty for no score.
        """
        self._tally = ScoreTally(in_parts=self.in_parts)
        remarks = {row.name: self._plans[row.name].remark for row in self._videos if row.name in self._plans}
        with self._layout.writing(self.folder) as tables:
            for name, remark in remarks.items():
                if remark is not None:
                    tables.add_remark(name, remark)
            for number, (row, record) in enumerate(records):
                if record:
                    scores = self._derived(record["scores"])
                    tables.add_score(row, record, scores)
                    self._tally.add(number, row, scores, noted=bool(record.get("notes")))
                elif row.name in self.errors:
                    tables.add_error(row, self.errors[row.name])
                else:
                    tables.add_pending(row)

    def _derived(self, scores: Mapping[str, float]) -> dict[str, float]:
        # Worked out from the overall score each time, which alone is in the journal.
        if not self.calibration and not self.reference:
            return dict(scores)
        derived = {}
        if self.calibration:
            derived["predicted_mos"] = float(self.calibration(scores["overall"]))
        if self.reference:
            derived["percentile"] = self.reference.percentile(scores["overall"])
        return {**scores, **derived}

    def _set_aside(self) -> None:
        if len(list(islice(listed_lines(self.folder / SCORES_TABLE), 2))) < 2:  # a header at most: nothing to keep
            return
        set_aside([self.folder / name for name in (*OF_A_RUN, *OF_A_READER)])
