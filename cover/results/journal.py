"""The journal of a scoring run: what resuming reads, one line for each video that was scored, failed or was cut.

``journal.jsonl`` begins with a line of the run's identity. The lines after it are entries; the last entry of a video
counts. A million entries are not kept in memory: readers keep where they are in the file.
"""

import json
import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple

import orjson

from cover.files import append_line, replacing
from cover.parts import Part
from cover.results.names import FILENAME, JOURNAL
from cover.scores import SCORES
from cover.text import printable

EntryKind = Literal["score", "error", "plan"]

_KINDS: dict[str, EntryKind] = {"error": "error", "scores": "score", "parts": "plan"}  # by the key that only it has
_BEGIN = b'{"Filename": "'
_START = re.compile(rb'\{"Filename": "([^"\\]*)", "(error|fingerprint)": ')


_SCORES = itemgetter(*SCORES)


class Entry(NamedTuple):
    """The place of an entry in the journal.

    Attributes:
        kind: ``score``, ``error``, or ``plan`` (how a video is cut).
        name: The row's name.
        place: Where its line begins, in bytes.
        line: The line.
    """

    kind: EntryKind
    name: str
    place: int
    line: bytes


def read_identity(folder: Path) -> Mapping[str, Any] | None:
    """Read what the scores in a folder follow from; None where there is no journal, or it does not say."""
    try:
        with (folder / JOURNAL).open("rb") as file:
            identity = json.loads(file.readline())["identity"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return identity if isinstance(identity, dict) else None


def read_entries(folder: Path) -> Iterator[Entry]:
    """Give the entries of a journal in the order they were written; damaged lines are passed over.

    A line is not parsed here beyond its name and kind.
    """
    try:
        file = (folder / JOURNAL).open("rb")
    except OSError:
        return
    with file:
        place = len(file.readline())
        for line in file:
            entry = _entry(line, place)
            place += len(line)
            if entry is not None:
                yield entry


def read_locations(folder: Path, names: set[str]) -> dict[str, str]:
    """Read where videos were when they were scored, by the names that :mod:`cover.results.read` has.

    Args:
        folder: The results folder.
        names: The names that are of interest.
    """
    locations: dict[str, str] = {}
    for entry in read_entries(folder):
        name = printable(entry.name)
        if entry.kind == "score" and (name in names or name.rpartition("#t=")[0] in names):
            record = parsed(entry.line)
            with suppress(KeyError, IndexError, TypeError):
                locations[printable(str(record.get("video", name)))] = str(record["fingerprint"][0])
    return locations


class JournalReader:
    """Entries of a journal by their places; a block, in which the file is open."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / JOURNAL

    def __enter__(self) -> "JournalReader":
        self._file = self._path.open("rb") if self._path.exists() else None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def line(self, place: int) -> bytes:
        """Give the line that begins at a place."""
        assert self._file is not None
        self._file.seek(place)
        return self._file.readline()


class Places:
    """The place of the last score of each row in the journal: eight bytes a row, and a dictionary of the rows' names.

    Args:
        names: Names of rows; further ones are added as their places are set.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        # The names that are known share their memory with the rows.
        self._numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        self._places = array("q", [-1]) * len(self._numbers)

    def get(self, name: str) -> int:
        """Give the place of a row's score; -1 where it has none."""
        number = self._numbers.get(name, -1)
        return -1 if number < 0 else self._places[number]

    def put(self, name: str, place: int) -> None:
        """Set the place of a row's score; -1 for none."""
        number = self._numbers.get(name)
        if number is not None:
            self._places[number] = place
        else:
            self._numbers[name] = len(self._places)
            self._places.append(place)


def append_entry(folder: Path, entry: Mapping[str, Any]) -> int:
    """Add an entry in a single write.

    Returns:
        Its place.
    """
    return append_line(folder / JOURNAL, json.dumps(entry))


def entry_line(entry: Mapping[str, Any]) -> bytes:
    """Write an entry as a line, with its end."""
    return json.dumps(entry).encode() + b"\n"


@contextmanager
def rewriting(folder: Path, identity: Mapping[str, Any]) -> Iterator[Callable[[bytes], int]]:
    """Write the journal line by line; it takes the place of the old one when the block ends.

    Args:
        folder: The results folder.
        identity: What the scores follow from.

    Yields:
        A function that adds a line and gives its place.
    """
    with replacing(folder / JOURNAL) as partial, partial.open("wb") as file:
        size = file.write(entry_line({"identity": identity}))

        def write(line: bytes) -> int:
            nonlocal size
            place, size = size, size + file.write(line)
            return place

        yield write


def same_scores(theirs: Mapping[str, Any] | None, ours: Mapping[str, Any]) -> bool:
    """Decide whether two identities stand for the same scores."""
    if theirs is not None and str(theirs.get("version", "")).startswith("0.6."):
        # 0.6 named its version where a revision is now; its scores are those of the first revision.
        theirs = {name: value for name, value in theirs.items() if name != "version"} | {"revision": 1}
    return theirs == ours


def read_score(line: bytes) -> dict[str, Any]:
    """Read a scored row; empty where the line is damaged.

    Returns:
        ``scores`` (the four scores, in their order), ``fingerprint``, ``notes``, ``facts`` and, of a part, ``video``
        and ``part``, each of the right type.
    """
    record = parsed(line)
    try:
        values = _SCORES(record["scores"])
    except (KeyError, TypeError, IndexError):
        return {}
    if not {*map(type, values)} <= {float, int}:
        return {}
    record["scores"] = dict(zip(SCORES, values, strict=True))
    notes, facts = record.get("notes"), record.get("facts")
    record["notes"] = [note for note in notes if isinstance(note, str)] if notes and isinstance(notes, list) else []
    record["facts"] = facts if isinstance(facts, dict) else {}
    if "part" in record and read_bounds(record["part"]) is None:
        return {}
    return record


class CutPlan(NamedTuple):
    """How a video is cut.

    Attributes:
        parts: Start and end of each part.
        remark: On how they were found; None for nothing to say.
        entry: The entry of the journal.
    """

    parts: Sequence[Part]
    remark: str | None
    entry: Mapping[str, Any]


def read_plan(entry: Mapping[str, Any]) -> CutPlan | None:
    """Read how a video is cut; None where the entry is damaged."""
    bounds, remark = entry.get("parts"), entry.get("remark")
    read = map(read_bounds, bounds) if isinstance(bounds, list) else ()
    parts = [part for part in read if part is not None]
    if not isinstance(bounds, list) or not parts or len(parts) < len(bounds):
        return None
    return CutPlan(parts, remark if isinstance(remark, str) else None, entry)


def read_bounds(bounds: object) -> Part | None:
    """Read start and end of a part, seconds or None each; None where they are not."""
    if not isinstance(bounds, list) or len(bounds) != 2:
        return None
    return Part(*bounds) if {*map(type, bounds)} <= {float, int, type(None)} else None


def parsed(line: bytes) -> dict[str, Any]:
    """Parse a line; empty where it is damaged."""
    try:
        entry = orjson.loads(line)
    except orjson.JSONDecodeError:  # it takes neither NaN nor bytes of a name that are not UTF-8
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            return {}
    return entry if isinstance(entry, dict) else {}


def _entry(line: bytes, place: int) -> Entry | None:
    match = _START.match(line)
    # A write that was cut short leaves half a line, to which the next one is glued.
    if match is None or not line.endswith(b"}\n") or line.count(_BEGIN) > 1:
        return _entry_of(parsed(line), line, place)
    # Quotes inside a JSON string are escaped, so that a key cannot be mistaken for a part of a text.
    if match[2] == b"error":
        kind: EntryKind = "error"
    elif b', "scores": ' in line:
        kind = "score"
    elif b', "parts": ' in line:
        kind = "plan"
    else:
        return None
    return Entry(kind, match[1].decode("ascii", "replace"), place, line)


def _entry_of(entry: Mapping[str, Any], line: bytes, place: int) -> Entry | None:
    """The same of a line with an unusual name, that another program wrote, or that is damaged."""
    name = entry.get(FILENAME)
    kind = next((kind for key, kind in _KINDS.items() if key in entry), None)
    return Entry(kind, name, place, line) if isinstance(name, str) and kind is not None else None
