"""Results on disk: written as videos finish, resumable, and the same in the end however often a run was interrupted."""

import csv
import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, SupportsFloat

from cover.files import append_line, csv_line, end_line, printable, set_aside, write_text
from cover.results.evidence import EVIDENCE, evidence_line
from cover.results.maps import MAPS, maps_file, write_maps
from cover.results.reference import Reference
from cover.results.videos import VIDEOS, video_lines
from cover.rows import Failure, Placed, Row, fingerprint, named_part, part_cells, part_of
from cover.scores import SCORES, VideoScore
from cover.video import file_facts

_HEADERS = {
    "scores.csv": ("Filename", "Semantic", "Technical", "Aesthetic", "Overall"),
    "errors.csv": ("Filename", "Reason"),
    "notes.csv": ("Filename", "Note"),
    "facts.csv": ("Filename", "Duration", "Width", "Height", "FPS", "Bitrate", "BitsPerPixel", "Codec", "Lossless"),
}
_FACTS = ("duration", "width", "height", "fps", "bitrate", "bits_per_pixel", "codec", "lossless")
_JOURNAL = "journal.jsonl"
_REPORT = ("report.html", "report_files", "moments.csv", "selected.csv")  # what others made of a run


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

    Args:
        folder: Where; made when missing.
        identity: What makes scores comparable (model, weights, views, precision, data root), as plain data.
        rows: The videos of this run.
        calibration: From an overall score to the scale of the MOS; ``scores.csv`` then has a column for it.
        reference: Scores of other videos; ``scores.csv`` then has a last column that says where a score stands.
        maps: Whether to keep score maps too (see :func:`cover.results.maps.write_maps`).
        evidence: Whether to keep what a report shows: maps and small pictures (:mod:`cover.results.evidence`).
        cut: Whether rows that are no parts are cut into parts as they are decoded.

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
        self._extras = list(dict.fromkeys(name for row in rows for name in row.extras))
        self._rated = any(row.mos is not None for row in rows)
        self._identity = json.loads(json.dumps(identity))
        self._videos = rows
        self._plans: dict[str, dict[str, Any]] = {}
        self._records: dict[str, dict[str, Any]] = {}
        self.errors: dict[str, str] = {}

    @property
    def rows(self) -> list[Row]:
        """The rows, with the parts of a video in its place once they are known."""
        found: list[Row] = []
        for row in self._videos:
            plan = self._plans.get(row.name)
            found += [row] if plan is None else [part_of(row, *part) for part in plan["parts"]]
        return found

    @property
    def scores(self) -> dict[str, dict[str, float]]:
        """The scores so far, by video and then by score, in the order of the rows.

        Where there is a calibration, ``predicted_mos`` is what it makes of ``overall``; with a reference,
        ``percentile`` is where it stands.
        """
        records = {row.name: self._records[row.name] for row in self.rows if row.name in self._records}
        return {name: self._derived(record["scores"]) for name, record in records.items()}

    @property
    def parts(self) -> dict[str, Placed]:
        """Of each scored part its video, and its start and end in seconds, where known, by name."""
        records = ((row, self._records.get(row.name, {})) for row in self.rows)
        return {row.name: (row.video, *record["part"]) for row, record in records if "part" in record}

    @property
    def notes(self) -> dict[str, list[str]]:
        """Remarks on how videos were read, by name; only videos with notes."""
        found = {name: [plan["remark"]] for name, plan in self._plans.items() if plan["remark"]}
        for row in self.rows:
            if notes := self._records.get(row.name, {}).get("notes"):
                found[row.name] = [*found.get(row.name, []), *notes]
        return found

    def open(self, *, resume: bool) -> list[Row]:
        """Take up what an earlier run left.

        A video keeps its score when its name is in ``scores.csv``, its fingerprint is what it was and, where maps are
        kept, its maps are there. Videos that failed are tried again.

        Results of another identity, and all earlier results when ``resume`` is false, are moved to a folder below
        ``previous/``: nothing that was computed is ever overwritten.

        Returns:
            The rows that have no score yet.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        identity, records = self._read_journal()
        if not resume or identity != self._identity:
            self._set_aside()
            records = []
        listed = self._names_in_table()
        by_name = {record["Filename"]: record for record in records if "scores" in record}
        plans = {record["Filename"]: record for record in records if "parts" in record}
        now = cache(fingerprint)  # once for all parts of a file
        for row in self._videos:
            if row.name in plans and plans[row.name]["fingerprint"] == now(row.path):
                self._plans[row.name] = plans[row.name]
        for row in self.rows:
            record = by_name.get(row.name)
            if not record or record["fingerprint"] != now(row.path):
                continue
            if named_part(*_part_cells(row, record)) not in listed:
                continue
            if not self.maps or maps_file(self.folder, row.name).exists():
                self._records[row.name] = record
        journal = [{"identity": self._identity}, *self._plans.values(), *self._records.values()]
        write_text(self.folder / _JOURNAL, "".join(json.dumps(entry) + "\n" for entry in journal))
        self._write_tables()
        end_line(self.folder / EVIDENCE)
        return self._pending()

    def attach(self) -> list[Row]:
        """Do the same for a rank that works in a folder which rank 0 has opened."""
        self._load()
        return self._pending()

    def plan(self, video: Row, parts: Sequence[Row], remark: str | None = None) -> None:
        """Record how a video is cut, at once.

        Args:
            video: Its row.
            parts: The rows of its parts; of an image, its own.
            remark: On how they were found.
        """
        spans = [[row.start, row.end] for row in parts]
        plan = {"Filename": video.name, "fingerprint": fingerprint(video.path), "parts": spans, "remark": remark}
        self._plans[video.name] = plan
        append_line(self.folder / _JOURNAL, json.dumps(plan))

    def add(self, row: Row, outcome: VideoScore | Failure) -> None:
        """Record one video, at once.

        Raises:
            UsageError: Its maps cannot be written.
        """
        name = row.name
        if isinstance(outcome, Failure):
            self.errors[name] = outcome.reason
            append_line(self.folder / _JOURNAL, json.dumps({"Filename": name, "error": outcome.reason}))
            append_line(self.folder / "errors.csv", csv_line(*self._cells(row), outcome.reason))
            return
        if self.maps:
            write_maps(self.folder, name, outcome)
        scores = outcome.scores
        record: dict[str, Any] = {"Filename": name, "fingerprint": fingerprint(row.path)}
        record |= {"scores": scores, "notes": [*outcome.notes]}
        if outcome.info is not None:
            record["facts"] = file_facts(outcome.info, row.path)
        if outcome.part is not None:
            ends = [None if math.isnan(moment) else moment for moment in outcome.part]  # of frames without times
            length = None if None in ends else round(outcome.part[1] - outcome.part[0], 4)
            record |= {"video": row.video, "part": ends, "facts": {**record.get("facts", {}), "duration": length}}
        cells = self._cells(row, record)
        if self.evidence:
            shown = named_part(*_part_cells(row, record))
            seen = evidence_line(shown, outcome.maps, outcome.times, outcome.frames, outcome.thumbnails)
            append_line(self.folder / EVIDENCE, seen)
        self._records[name] = record
        # Before the table: what the table lists can always be resumed.
        append_line(self.folder / _JOURNAL, json.dumps(record))
        append_line(self.folder / "scores.csv", _score_line(cells, self._derived(scores)))
        append_line(self.folder / "facts.csv", self._facts_line(row, record))
        for note in outcome.notes:
            append_line(self.folder / "notes.csv", csv_line(*cells, note))

    def close(self) -> None:
        """Gather what all ranks wrote and put the tables into the order of the rows."""
        self._load()
        self._write_tables()

    def _load(self) -> None:
        _, entries = self._read_journal()
        for entry in entries:
            if "error" in entry:
                self.errors[entry["Filename"]] = entry["error"]
            elif "parts" in entry:
                self._plans[entry["Filename"]] = entry
            else:
                self._records[entry["Filename"]] = entry

    def _derived(self, scores: dict[str, float]) -> dict[str, float]:
        # Worked out from the overall score each time, which alone is in the journal.
        derived = {}
        if self.calibration:
            derived["predicted_mos"] = float(self.calibration(scores["overall"]))
        if self.reference:
            derived["percentile"] = self.reference.percentile(scores["overall"])
        return scores | derived

    def _facts_line(self, row: Row, record: Mapping[str, Any]) -> str:
        facts = record.get("facts", {})
        values = [facts.get(name) for name in _FACTS] + ([row.mos] if self._rated else [])
        values += [row.extras.get(name) for name in self._extras]
        return csv_line(*self._cells(row, record), *("" if value is None else str(value) for value in values))

    def _pending(self) -> list[Row]:
        return [row for row in self.rows if row.name not in self._records]

    def _read_journal(self) -> tuple[Any, list[dict[str, Any]]]:
        try:
            text = (self.folder / _JOURNAL).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None, []
        entries = []
        for line in text.splitlines():
            try:
                entries.append(json.loads(line))
            except json.JSONDecodeError:  # the line that a kill cut short
                continue
        return (entries[0].get("identity"), entries[1:]) if entries else (None, [])

    def _cells(self, row: Row, record: Mapping[str, Any] | None = None) -> tuple[str, ...]:
        """The first cells of a line about a row: ``Filename``, with ``Start`` and ``End`` where there are parts."""
        cells = _part_cells(row, record)
        return cells if self.in_parts else cells[:1]

    def _names_in_table(self) -> set[str]:
        """The names in ``scores.csv``, which may be of a run without parts; its header counts as one."""
        try:
            with (self.folder / "scores.csv").open(newline="", encoding="utf-8") as file:
                lines = [row for row in csv.reader(file) if row]
                parted = bool(lines) and lines[0][1:3] == ["Start", "End"]
                return {named_part(*row[:3]) if parted and len(row) > 2 else row[0] for row in lines}
        except FileNotFoundError:
            return set()

    def _set_aside(self) -> None:
        if len(self._names_in_table()) <= 1:  # nothing but a header: nothing to keep
            return
        set_aside([self.folder / name for name in (*_HEADERS, VIDEOS, "run.yaml", _JOURNAL, MAPS, EVIDENCE, *_REPORT)])

    def _write_tables(self) -> None:
        derived = [*(["MOS"] if self.calibration else []), *(["Percentile"] if self.reference else [])]
        told = [*(["MOS"] if self._rated else []), *map(str, self._extras)]
        added = {"scores.csv": derived, "facts.csv": told}
        ends = ["Start", "End"] if self.in_parts else []
        lines: dict[str, list[str]] = {
            name: [csv_line("Filename", *ends, *header[1:], *added.get(name, []))] for name, header in _HEADERS.items()
        }
        rows, scores, notes = self.rows, self.scores, self.notes
        scored = [(row, self._records[row.name]) for row in rows if row.name in self._records]
        lines["scores.csv"] += [_score_line(self._cells(row, record), scores[row.name]) for row, record in scored]
        lines["facts.csv"] += [self._facts_line(row, record) for row, record in scored]
        lines["errors.csv"] += [
            csv_line(*self._cells(row), self.errors[row.name]) for row in rows if row.name in self.errors
        ]
        noted = [*(row for row in self._videos if row.name in self._plans), *rows]
        for row in {row.name: row for row in noted}.values():
            lines["notes.csv"] += [
                csv_line(*self._cells(row, self._records.get(row.name)), note) for note in notes.get(row.name, ())
            ]
        (self.folder / VIDEOS).unlink(missing_ok=True)  # of other rows
        if self.in_parts:
            lines[VIDEOS] = video_lines(rows, self._records, scores, self.errors)
        for name, content in lines.items():
            write_text(self.folder / name, "".join(line + "\n" for line in content))


def _part_cells(row: Row, record: Mapping[str, Any] | None) -> tuple[str, str, str]:
    """Filename, start and end as all files of the folder have them."""
    video, start, end = part_cells(row, (record or {}).get("part", (None, None)))
    return printable(video), start, end


def _score_line(cells: Sequence[str], scores: Mapping[str, float]) -> str:
    values = [scores[score] for score in (*SCORES, "predicted_mos") if score in scores]
    # Adding 0.0 turns -0.0 into 0.0: a rounded score has no sign without a value.
    standing = [f"{scores['percentile']:.1f}"] if "percentile" in scores else []
    return csv_line(*cells, *(f"{round(value, 4) + 0.0:.4f}" for value in values), *standing)
