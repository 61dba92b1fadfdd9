"""Results on disk: written as videos finish, resumable, and the same in the end however often a run was interrupted."""

import csv
import io
import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, SupportsFloat

import lightning
from lightning.pytorch.callbacks import BasePredictionWriter, Callback

from cover.data import Failure
from cover.models import SCORES
from cover.module import Scored
from cover.rows import Row, file_state

log = logging.getLogger(__name__)

_HEADERS = {
    "scores.csv": ("Filename", "Semantic", "Technical", "Aesthetic", "Overall"),
    "errors.csv": ("Filename", "Reason"),
    "notes.csv": ("Filename", "Note"),
}
_JOURNAL = "journal.jsonl"


class ResultStore:
    """The folder that a run's results go to.

    ``scores.csv``, ``errors.csv`` and ``notes.csv`` are for people; their last form has the order of the rows.
    ``journal.jsonl`` is what resuming reads: one line a finished file, with its path, size and modification time and
    the scores in full precision. Each line goes out in a single write, so that ranks may append to the same files and
    a killed run loses at most the videos in flight.

    Args:
        folder: Where; made when missing.
        identity: What makes scores comparable (model, weights, views, precision, data root), as plain data.
        rows: The files of this run.
        calibration: From a raw overall score to the scale of the MOS; ``scores.csv`` then has a last column for it.

    Attributes:
        errors: Why a file has no score, by file name.
    """

    def __init__(
        self,
        folder: Path,
        identity: Mapping[str, Any],
        rows: Sequence[Row],
        calibration: Callable[[float], SupportsFloat] | None = None,
    ) -> None:
        self.folder = folder
        self.rows = rows
        self.calibration = calibration
        self._identity = json.loads(json.dumps(identity))
        self._records: dict[str, dict[str, Any]] = {}
        self.errors: dict[str, str] = {}

    @property
    def scores(self) -> dict[str, dict[str, float]]:
        """The scores at hand, by file name and then by name (:data:`cover.models.SCORES`), in the order of the rows.

        Where there is a calibration, ``mos`` is what it makes of ``overall``.
        """
        records = {row.name: self._records[row.name] for row in self.rows if row.name in self._records}
        return {name: self._calibrated(record["scores"]) for name, record in records.items()}

    @property
    def notes(self) -> dict[str, list[str]]:
        """What was noticed while files were read, by file name; only files with notes."""
        return {row.name: found for row in self.rows if (found := self._records.get(row.name, {}).get("notes"))}

    def open(self, *, resume: bool) -> list[Row]:
        """Takes up what an earlier run left.

        A file keeps its score when its name is in ``scores.csv`` and its path, size and modification time are what
        they were. Files that failed are tried again.

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
        by_name = {record["file"]: record for record in records if "scores" in record}
        for row in self.rows:
            record = by_name.get(row.name)
            if record and _printable(row.name) in listed and record["state"] == file_state(row.path):
                self._records[row.name] = record
        journal = [{"identity": self._identity}, *self._records.values()]
        write_text(self.folder / _JOURNAL, "".join(json.dumps(entry) + "\n" for entry in journal))
        self._write_tables()
        return self._pending()

    def attach(self) -> list[Row]:
        """The same for a rank that works in a folder which rank 0 has opened."""
        self._load()
        return self._pending()

    def add(self, result: Scored | Failure) -> None:
        """Records one file, at once."""
        name = result.row.name
        if isinstance(result, Failure):
            self.errors[name] = result.reason
            _append(self.folder / _JOURNAL, json.dumps({"file": name, "error": result.reason}))
            _append(self.folder / "errors.csv", _line(name, result.reason))
            return
        scores = {score: result.scores[score] for score in SCORES}
        record = {"file": name, "state": file_state(result.row.path), "scores": scores, "notes": result.notes}
        self._records[name] = record
        # Before the table: what the table lists can always be resumed.
        _append(self.folder / _JOURNAL, json.dumps(record))
        _append(self.folder / "scores.csv", _score_line(name, self._calibrated(scores)))
        for note in result.notes:
            _append(self.folder / "notes.csv", _line(name, note))

    def close(self) -> None:
        """Gathers what all ranks wrote and puts the tables into the order of the rows."""
        self._load()
        self._write_tables()

    def _load(self) -> None:
        _, entries = self._read_journal()
        for entry in entries:
            if "error" in entry:
                self.errors[entry["file"]] = entry["error"]
            else:
                self._records[entry["file"]] = entry

    def _calibrated(self, scores: dict[str, float]) -> dict[str, float]:
        # Worked out from the raw score each time, which alone is in the journal.
        return scores | ({"mos": float(self.calibration(scores["overall"]))} if self.calibration else {})

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
        set_aside([self.folder / name for name in (*_HEADERS, "run.yaml", _JOURNAL)])

    def _write_tables(self) -> None:
        lines: dict[str, list[str]] = {name: [_line(*header)] for name, header in _HEADERS.items()}
        if self.calibration:
            lines["scores.csv"] = [_line(*_HEADERS["scores.csv"], "MOS")]
        lines["scores.csv"] += [_score_line(name, scores) for name, scores in self.scores.items()]
        lines["errors.csv"] += [_line(row.name, self.errors[row.name]) for row in self.rows if row.name in self.errors]
        lines["notes.csv"] += [_line(name, note) for name, notes in self.notes.items() for note in notes]
        for name, content in lines.items():
            write_text(self.folder / name, "".join(line + "\n" for line in content))


def write_text(path: Path, text: str) -> None:
    """Writes a whole file, so that a kill leaves either the old or the new one; the text is made valid UTF-8."""
    partial = path.with_name(path.name + ".part")
    with partial.open("w", newline="", encoding="utf-8") as file:
        file.write(_printable(text))
    partial.replace(path)


def set_aside(paths: Sequence[Path]) -> None:
    """Moves earlier results to a folder below ``previous/`` beside them, named by the time of the first one.

    Args:
        paths: Files and folders of one folder, of which the first exists; others need not.
    """
    moment = datetime.fromtimestamp(paths[0].stat().st_mtime).astimezone()
    target = paths[0].parent / "previous" / moment.strftime("%Y%m%d-%H%M%S.%f")
    target.mkdir(parents=True)
    for path in paths:
        if path.exists():
            path.rename(target / path.name)
    log.info("earlier results in this folder are now in %s", target)


def start_errors(path: Path) -> None:
    """Writes an ``errors.csv`` without errors."""
    write_text(path, _line(*_HEADERS["errors.csv"]) + "\n")


def add_error(path: Path, failure: Failure) -> None:
    """Adds a line to a table that :func:`start_errors` made."""
    _append(path, _line(failure.row.name, failure.reason))


class FailureWriter(Callback):
    """Lists files that cannot be read, with the reason, in a table that :func:`start_errors` made.

    Args:
        path: The table.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_predict_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Iterable[object], *_: Any
    ) -> None:
        """Records the failures among what a batch came to."""
        for result in outputs:
            if isinstance(result, Failure):
                add_error(self.path, result)


class ScoreWriter(BasePredictionWriter):
    """Hands each prediction to a :class:`ResultStore` as soon as it is there."""

    def __init__(self, store: ResultStore) -> None:
        super().__init__(write_interval="batch")
        self.store = store

    def write_on_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        prediction: Iterable[Scored | Failure],
        *_: Any,
    ) -> None:
        """Records every file of the batch."""
        for result in prediction:
            self.store.add(result)

    def on_predict_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Waits for the other ranks, whose last lines the final tables need."""
        trainer.strategy.barrier()


def _append(path: Path, line: str) -> None:
    """Adds a line in a single write, so that processes may share the file."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(descriptor, _printable(line + "\n").encode())
    finally:
        os.close(descriptor)


def _score_line(name: str, scores: Mapping[str, float]) -> str:
    # Adding 0.0 turns -0.0 into 0.0: a rounded score has no sign without a value.
    return _line(name, *(f"{round(scores[score], 4) + 0.0:.4f}" for score in (*SCORES, "mos") if score in scores))


def _line(*values: str) -> str:
    text = io.StringIO()
    # Before Python 3.13 a field is quoted only for the characters of the line terminator, hence both of them.
    csv.writer(text, lineterminator="\r\n").writerow(values)
    return text.getvalue().removesuffix("\r\n")


def _printable(text: str) -> str:
    r"""Bytes of a file name that are no UTF-8 (lone surrogates in Python) as ``\udcXX``: tables are valid UTF-8."""
    return text.encode("utf-8", errors="backslashreplace").decode()
