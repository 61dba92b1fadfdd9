"""Videos of which parts are scored: indexed once, then loaded part by part by a process that continues where it was.

What is here runs in the processes that decode, but for :func:`kept_part`. Imports no torch.
"""

import faulthandler
import os
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from cover.errors import VideoError
from cover.parts import WHOLE, Part
from cover.video import LoadedViews, Segments, ViewSpec, load_parts
from cover.video.info import VideoIndex
from cover.video.parts import even_parts, in_passes, part_frames, shot_parts
from cover.video.probe import index_video
from cover.video.shots import find_cuts

STALLED = 1
"""Exit code of a process that found that it hangs."""

_SEARCHED = ".searched"  # suffix of a file that says how much of a video is searched for cuts
_SAID_EVERY = 0.5  # seconds
_IN_A_GROUP = 16  # parts: each group begins with a search for its first frame


@dataclass(frozen=True)
class DividedVideo:
    """A video of which parts are scored.

    Attributes:
        path: The video.
        kept: A file for its index, which every process that loads parts of it reads.
        reading: Arguments of :func:`cover.video.probe.index_video`.
        parts: Start and end of each; None where ``segments`` says.
        segments: How it is cut.
    """

    path: Path
    kept: Path
    reading: dict[str, Any]
    parts: tuple[Part, ...] | None = None
    segments: Segments | None = None


@dataclass(frozen=True)
class PartGroup:
    """Parts of a video that one process loads, decoding front to back.

    Attributes:
        kept: The file of the video's index.
        threads: Decoder threads; 0 lets FFmpeg choose.
        parts: Start and end of each.
        seekable: Whether a process can begin in the middle; else it decodes the video up to there.
        before: How many parts as long as the first one there is room for before it.
    """

    kept: Path
    threads: int
    parts: tuple[Part, ...]
    seekable: bool
    before: int


class Plan(NamedTuple):
    """The work to do on one video.

    Attributes:
        parts: Start and end of each part.
        refused: Why a part cannot be, by its place.
        groups: The others, each group for one process at a time, and their places.
    """

    parts: tuple[Part, ...]
    refused: dict[int, str]
    groups: list[tuple[PartGroup, list[int]]]


def index_divided(video: DividedVideo) -> Plan | None:
    """Index a video and keep the index; give the plan, or None where shots have to be found first.

    Raises:
        VideoError: It cannot be read.
    """
    index = index_video(video.path, **video.reading)
    with video.kept.open("wb") as file:
        pickle.dump(index, file)
    if video.parts is not None:
        return _plan(video, index, video.parts)
    assert video.segments is not None
    if video.segments.by == "shots":
        return None if not index.info.image else _plan(video, index, ())
    return _plan(video, index, even_parts(index, video.segments.by))


def plan_shots(video: DividedVideo, patience: float | None) -> Plan:
    """Find the shots of a video that is indexed.

    Args:
        video: The video.
        patience: Seconds without a frame after which this process ends itself; None waits.

    Raises:
        VideoError: It cannot be decoded.
    """
    index, segments = _index(video.kept), video.segments
    assert segments is not None
    with _ended_after(patience) as alive, _told(video.kept, index.info.frames, alive) as passed:
        cuts = find_cuts(index, segments.threshold, threads=video.reading["threads"], alive=passed)
    return _plan(video, index, shot_parts(index, cuts, segments.min_seconds, segments.max_seconds))


class CutSearch:
    """How far processes are in the videos that they search for cuts.

    Attributes:
        folder: Where processes say it; None where none does.
    """

    def __init__(self) -> None:
        self.folder: Path | None = None

    def status(self) -> str:
        """Say how far the search is, ``looking for cuts: 31 %``; nothing where no video is searched."""
        shares = []
        with suppress(OSError):  # the folder may be gone
            for path in self.folder.glob(f"*{_SEARCHED}") if self.folder is not None else ():
                with suppress(OSError, ValueError):  # it may be gone, or not be written yet
                    shares.append(float(path.read_text()))
        return f"looking for cuts: {100 * sum(shares) / len(shares):.0f} %" if shares else ""


@contextmanager
def _told(kept: Path, frames: int, alive: Callable[[], None]) -> Iterator[Callable[[], None]]:
    """Say in a file how much of a video is searched; the function given is called for each frame."""
    path, numbers, said = kept.with_suffix(_SEARCHED), count(1), [0.0]

    def passed() -> None:
        alive()
        number = next(numbers)
        if time.monotonic() - said[0] > _SAID_EVERY:
            said[0] = time.monotonic()
            with suppress(OSError):  # it is for display only
                path.write_text(f"{number / frames:.3f}")

    try:
        yield passed
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _ended_after(patience: float | None) -> Iterator[Callable[[], None]]:
    """End this process, hung in whatever library, unless the function given is called every so many seconds."""
    if patience is None:
        yield lambda: None
        return
    with Path(os.devnull).open("w") as nowhere:

        def alive() -> None:
            faulthandler.dump_traceback_later(patience, exit=True, file=nowhere)

        alive()
        try:
            yield alive
        finally:
            faulthandler.cancel_dump_traceback_later()


def plan_without_shots(video: DividedVideo) -> Plan:
    """Divide a video whose shots cannot be found as one shot."""
    index, segments = _index(video.kept), video.segments
    assert segments is not None
    return _plan(video, index, shot_parts(index, (), segments.min_seconds, segments.max_seconds))


def load_part(group: PartGroup, number: int, spec: ViewSpec) -> LoadedViews:
    """Load a part of a group; where the one before was loaded by this process, decoding continues there.

    Args:
        group: The group.
        number: Which of its parts.
        spec: The views wanted.

    Raises:
        VideoError: There are no views of it.
    """
    global _current
    going_on = _current is not None and (_current.group, _current.number) == (group, number)
    loading = _current.loading if _current is not None and going_on else None
    _current = None  # an error leaves nothing to continue with
    if loading is None:
        loading = load_parts(_index(group.kept), group.parts[number:], spec, threads=group.threads)
    loaded = next(loading)
    if number + 1 < len(group.parts):
        _current = _Current(group, number + 1, loading)
    if isinstance(loaded, VideoError):
        raise loaded
    return loaded


def keep_part(group: PartGroup, number: int, spec: ViewSpec, path: Path) -> None:
    """Load a part and keep its views in a file, for :func:`kept_part` in another process.

    Decoders may be at the next frames already: should they bring the process down, no half of a message is left in the
    pipe that results come through.

    Raises:
        VideoError: There are no views of it.
    """
    loaded = load_part(group, number, spec)
    with path.open("wb") as file:
        pickle.dump(loaded, file, protocol=5)


def kept_part(path: Path) -> LoadedViews:
    """Take what :func:`keep_part` has kept; the file is removed."""
    with path.open("rb") as file:
        loaded = pickle.load(file)  # noqa: S301 - written by keep_part
    path.unlink()
    return loaded


class _Current(NamedTuple):
    """The open video of this process and its next part."""

    group: PartGroup
    number: int
    loading: Iterator[LoadedViews | VideoError]


_current: _Current | None = None


def _index(kept: Path) -> VideoIndex:
    with kept.open("rb") as file:
        return pickle.load(file)  # noqa: S301 - written by index_divided


def _plan(video: DividedVideo, index: VideoIndex, parts: Sequence[Part]) -> Plan:
    frames: dict[int, range] = {}
    refused: dict[int, str] = {}
    parts = tuple(parts) or (WHOLE,)  # an image has none and is scored whole
    for place, part in enumerate(parts):
        try:
            frames[place] = part_frames(index, part)
        except VideoError as error:
            refused[place] = str(error)
    scored = list(frames)
    groups: list[tuple[PartGroup, list[int]]] = []
    for in_pass in in_passes(list(frames.values())):
        # A container that cannot be searched would be decoded from its start by each group.
        size = _IN_A_GROUP if index.seekable else len(in_pass)
        for begin in range(0, len(in_pass), size):
            places = [scored[place] for place in in_pass[begin : begin + size]]
            first = frames[places[0]]
            group = PartGroup(
                video.kept,
                video.reading["threads"],
                tuple(parts[place] for place in places),
                index.seekable,
                first.start // len(first),
            )
            groups.append((group, places))
    return Plan(parts, refused, groups)
