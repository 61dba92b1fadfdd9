"""Results on disk: written as videos finish, resumable, and the same in the end however often a run was interrupted."""

import csv
import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, SupportsFloat

import numpy as np

from cover.errors import UsageError
from cover.evidence import EVIDENCE, evidence_line
from cover.files import append_line, csv_line, end_line, printable, replacing, set_aside, write_text
from cover.rows import Failure, Row, fingerprint
from cover.scoring.reference import Reference
from cover.video import file_facts

if TYPE_CHECKING:
    from cover.scoring.scorer import VideoScore

_SCORES = ("semantic", "technical", "aesthetic", "overall")  # as in cover.models, which imports torch
_HEADERS = {
    "scores.csv": ("Filename", "Semantic", "Technical", "Aesthetic", "Overall"),
    "errors.csv": ("Filename", "Reason"),
    "notes.csv": ("Filename", "Note"),
    "facts.csv": ("Filename", "Duration", "Width", "Height", "FPS", "Bitrate", "BitsPerPixel", "Codec", "Lossless"),
}
_FACTS = ("duration", "width", "height", "fps", "bitrate", "bits_per_pixel", "codec", "lossless")
_JOURNAL = "journal.jsonl"
_MAPS = "maps"
_REPORT = ("report.html", "report_files", "moments.csv", "selected.csv")  # what others made of a run
_LONGEST_NAME = 240  # bytes of a file name that leave room for what is added to it


class ResultStore:
    """The results folder of a scoring run.

    ``scores.csv``, ``errors.csv``, ``notes.csv`` and ``facts.csv`` (what a file is, and what the dataset says of it)
    are for people; their last form has the order of the rows.
    ``journal.jsonl`` is what resuming reads: one line a finished video, with its fingerprint and the scores in full
    precision. Each line goes out in a single write, so that ranks may append to the same files and a killed run loses
    at most the videos in flight.

    Args:
        folder: Where; made when missing.
        identity: What makes scores comparable (model, weights, views, precision, data root), as plain data.
        rows: The videos of this run.
        calibration: From an overall score to the scale of the MOS; ``scores.csv`` then has a column for it.
        reference: Scores of other videos; ``scores.csv`` then has a last column that says where a score stands.
        maps: Whether to keep score maps too (see :func:`write_maps`).
        evidence: Whether to keep what a report shows: maps and small pictures (:mod:`cover.evidence`).

    Attributes:
        errors: Why a video has no score, by name.
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
    ) -> None:
        self.folder = folder
        self.rows = rows
        self.calibration = calibration
        self.reference = reference
        self.maps = maps
        self.evidence = evidence
        self._extras = list(dict.fromkeys(name for row in rows for name in row.extras))
        self._rated = any(row.mos is not None for row in rows)
        self._identity = json.loads(json.dumps(identity))
        self._records: dict[str, dict[str, Any]] = {}
        self.errors: dict[str, str] = {}

    @property
    def scores(self) -> dict[str, dict[str, float]]:
        """The scores so far, by video and then by score, in the order of the rows.

        Where there is a calibration, ``predicted_mos`` is what it makes of ``overall``; with a reference,
        ``percentile`` is where it stands.
        """
        records = {row.name: self._records[row.name] for row in self.rows if row.name in self._records}
        return {name: self._derived(record["scores"]) for name, record in records.items()}

    @property
    def notes(self) -> dict[str, list[str]]:
        """Remarks on how videos were read, by name; only videos with notes."""
        return {row.name: found for row in self.rows if (found := self._records.get(row.name, {}).get("notes"))}

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
        for row in self.rows:
            record = by_name.get(row.name)
            if not record or printable(row.name) not in listed or record["fingerprint"] != fingerprint(row.path):
                continue
            if not self.maps or maps_file(self.folder, row.name).exists():
                self._records[row.name] = record
        journal = [{"identity": self._identity}, *self._records.values()]
        write_text(self.folder / _JOURNAL, "".join(json.dumps(entry) + "\n" for entry in journal))
        self._write_tables()
        end_line(self.folder / EVIDENCE)
        return self._pending()

    def attach(self) -> list[Row]:
        """Do the same for a rank that works in a folder which rank 0 has opened."""
        self._load()
        return self._pending()

    def add(self, row: Row, outcome: "VideoScore | Failure") -> None:
        """Record one video, at once.

        Raises:
            UsageError: Its maps cannot be written.
        """
        name = row.name
        if isinstance(outcome, Failure):
            self.errors[name] = outcome.reason
            append_line(self.folder / _JOURNAL, json.dumps({"Filename": name, "error": outcome.reason}))
            append_line(self.folder / "errors.csv", csv_line(name, outcome.reason))
            return
        if self.maps:
            write_maps(self.folder, name, outcome)
        if self.evidence:
            seen = evidence_line(printable(name), outcome.maps, outcome.times, outcome.frames, outcome.thumbnails)
            append_line(self.folder / EVIDENCE, seen)
        scores = outcome.scores
        record = {"Filename": name, "fingerprint": fingerprint(row.path), "scores": scores, "notes": [*outcome.notes]}
        if outcome.info is not None:
            record["facts"] = file_facts(outcome.info, row.path)
        self._records[name] = record
        # Before the table: what the table lists can always be resumed.
        append_line(self.folder / _JOURNAL, json.dumps(record))
        append_line(self.folder / "scores.csv", _score_line(name, self._derived(scores)))
        append_line(self.folder / "facts.csv", self._facts_line(row, record))
        for note in outcome.notes:
            append_line(self.folder / "notes.csv", csv_line(name, note))

    def close(self) -> None:
        """Gather what all ranks wrote and put the tables into the order of the rows."""
        self._load()
        self._write_tables()

    def _load(self) -> None:
        _, entries = self._read_journal()
        for entry in entries:
            if "error" in entry:
                self.errors[entry["Filename"]] = entry["error"]
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
        return csv_line(row.name, *("" if value is None else str(value) for value in values))

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

    def _names_in_table(self) -> set[str]:
        try:
            with (self.folder / "scores.csv").open(newline="", encoding="utf-8") as file:
                return {row[0] for row in csv.reader(file) if row}
        except FileNotFoundError:
            return set()

    def _set_aside(self) -> None:
        if len(self._names_in_table()) <= 1:  # nothing but a header: nothing to keep
            return
        set_aside([self.folder / name for name in (*_HEADERS, "run.yaml", _JOURNAL, _MAPS, EVIDENCE, *_REPORT)])

    def _write_tables(self) -> None:
        lines: dict[str, list[str]] = {name: [csv_line(*header)] for name, header in _HEADERS.items()}
        derived = [*(["MOS"] if self.calibration else []), *(["Percentile"] if self.reference else [])]
        lines["scores.csv"] = [csv_line(*_HEADERS["scores.csv"], *derived)]
        told = [*(["MOS"] if self._rated else []), *map(str, self._extras)]
        lines["facts.csv"] = [csv_line(*_HEADERS["facts.csv"], *told)]
        lines["facts.csv"] += [
            self._facts_line(row, self._records[row.name]) for row in self.rows if row.name in self._records
        ]
        lines["scores.csv"] += [_score_line(name, scores) for name, scores in self.scores.items()]
        lines["errors.csv"] += [
            csv_line(row.name, self.errors[row.name]) for row in self.rows if row.name in self.errors
        ]
        lines["notes.csv"] += [csv_line(name, note) for name, notes in self.notes.items() for note in notes]
        for name, content in lines.items():
            write_text(self.folder / name, "".join(line + "\n" for line in content))


def maps_file(folder: Path, name: str) -> Path:
    """Locate the score maps of a video: ``maps/<Filename>.npz`` in its results folder.

    A name that leads out of the data root, or that is too long for a file, is replaced by its digest:
    ``maps/_/<digest>.npz``.
    """
    path = PurePath(name)
    inside = not path.is_absolute() and not path.drive and ".." not in path.parts and path.parts[:1] != ("_",)
    if inside and path.parts and len(os.fsencode(path.name)) <= _LONGEST_NAME:
        return folder / _MAPS / path.with_name(f"{path.name}.npz")
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:24]
    return folder / _MAPS / "_" / f"{digest}.npz"


def write_maps(folder: Path, name: str, score: "VideoScore") -> None:
    """Write the score maps of a video as one compressed ``.npz`` file.

    It holds ``Filename``, and for each branch ``<branch>`` (float32 (T', h, w), higher is better, its mean is the
    score), ``<branch>_times`` (float64 (T',), seconds after the first frame) and ``<branch>_frames`` (int64 (T', n),
    numbers of the frames that a row of the map stands for).

    Raises:
        UsageError: The file cannot be written.
    """
    entries: dict[str, Any] = {"Filename": np.array(printable(name))}
    for branch, rows in score.maps.items():
        entries |= {branch: rows, f"{branch}_times": score.times[branch], f"{branch}_frames": score.frames[branch]}
    path = maps_file(folder, name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # An open file keeps numpy from adding .npz to the temporary name.
        with replacing(path) as partial, partial.open("wb") as file:
            np.savez_compressed(file, **entries)
    except OSError as error:
        raise UsageError(f"maps=true: cannot write {path} ({error.strerror or error})") from error


def _score_line(name: str, scores: Mapping[str, float]) -> str:
    values = [scores[score] for score in (*_SCORES, "predicted_mos") if score in scores]
    # Adding 0.0 turns -0.0 into 0.0: a rounded score has no sign without a value.
    standing = [f"{scores['percentile']:.1f}"] if "percentile" in scores else []
    return csv_line(name, *(f"{round(value, 4) + 0.0:.4f}" for value in values), *standing)
