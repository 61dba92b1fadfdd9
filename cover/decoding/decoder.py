"""Decoding in processes that can be killed, so that no video stops a batch. Imports no torch: it starts before torch.

``torch.utils.data`` workers would not do: one that hangs or crashes ends the run.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, TimeoutError  # noqa: A004 - an alias only from 3.11 on
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from pebble import ProcessExpired, ProcessPool

from cover.decoding.parts import (
    STALLED,
    CutSearch,
    DividedVideo,
    PartGroup,
    Plan,
    index_divided,
    keep_part,
    kept_part,
    load_part,
    plan_shots,
    plan_without_shots,
)
from cover.errors import VideoError
from cover.files import temporary_folder
from cover.processes import Work, WorkHere, available_cpus, completed, failure_reason
from cover.rows import Failure, Row, part_of
from cover.text import visible
from cover.video import (
    MAX_IMAGE_BYTES,
    LoadedViews,
    RawFormat,
    Segments,
    ViewSpec,
    check_path,
    load_views,
    read_sampling,
    sampling_file,
    write_sampling,
)

Decoded = tuple[Row, LoadedViews | Failure]
Planned = Callable[[Row, Sequence[Row], str | None], None]
"""Told of a video that is cut: its row, the rows of its parts, and a remark on how they were found."""


_MOST_WORKERS = 8


def default_workers() -> int:
    """Choose the number of decoding processes: half of the cores, because the model uses the others; at most 8."""
    return max(1, min(_MOST_WORKERS, available_cpus() // 2))


def unheard(*_: object) -> None:
    """Do nothing with a plan."""


@dataclass(frozen=True)
class Decoder:
    """Decode videos into views, in processes of their own.

    A video, or a part of one, that takes longer than ``timeout`` seconds, or that brings its process down, becomes a
    :class:`~cover.rows.Failure`, and a new process takes the next one. A video is indexed once for all of its
    parts, and decoded front to back by as few processes as keep all of them busy.

    Args:
        workers: Decoding processes; 0 decodes in this one, where nothing can be stopped.
        timeout: Seconds a video, or a part of one, may take.
        raw: Size and format of headerless ``.yuv`` files.
        stream: Number of the video stream to decode, from 0; None for the longest, of those the largest.
        fps: Frame rate of folders of frames.
        segments: How rows that are no parts yet are cut into parts; None leaves them whole.
        max_image_bytes: Largest still image that is decoded, in bytes of its pixels.
    """

    workers: int = 1
    timeout: float = 300
    raw: RawFormat | None = None
    stream: int | None = None
    fps: float | None = None
    segments: Segments | None = None
    max_image_bytes: int = MAX_IMAGE_BYTES

    @contextmanager
    def views(
        self,
        rows: Iterable[Row],
        spec: ViewSpec,
        *,
        replay: Path | None = None,
        record: Path | None = None,
        in_order: bool = False,
        planned: Planned = unheard,
        search: CutSearch | None = None,
    ) -> Iterator[Iterator[Decoded]]:
        """Decode every row, ahead of what is asked for.

        Args:
            rows: The videos and parts.
            spec: The views to make.
            replay: A folder of recorded samplings to use (:func:`cover.video.sampling.sampling_file`).
            record: A folder to record the (first) sampling of each video in.
            in_order: Whether to yield in the order of the rows, each decoded for itself; else as videos finish.
            planned: Told the rows of the parts of each video that is cut, before the first of them is yielded.
            search: Told how far the search for cuts is.

        Yields:
            An iterator over the rows, each with its views, or with why it has none; a row that is cut is replaced by
            those of its parts. Decoding continues until the block ends.
        """
        rows = list(rows)
        threads = max(1, available_cpus() // self.workers) if self.workers else 0
        cut = not in_order and any(self.in_parts(row) for row in rows)
        with temporary_folder() if cut else nullcontext() as folder:
            if search is not None:
                search.folder = folder
            decoding = _Decoding(self, spec, replay, planned, threads, folder)
            groups = decoding.groups(rows)
            if self.workers == 0:
                yield _recorded(decoding.results(WorkHere(decoding.do, groups)), record)
                return
            with completed(decoding.schedule, groups, self.workers, in_order=in_order) as work:
                yield _recorded(decoding.results(work), record)

    def in_parts(self, row: Row) -> bool:
        """Return whether a row is a part, or is cut into parts."""
        return row.is_part or self.segments is not None


@dataclass
class _Divided:
    """A video that is scored in parts, and how many of them are not yielded yet."""

    video: DividedVideo
    rows: Sequence[Row]
    left: int = 0


class _Alone(NamedTuple):
    """A video or part that is decoded for itself."""

    row: Row


class _Step(Enum):
    """A step towards the parts of a video, by what is done."""

    INDEXING = "indexing"
    SHOTS = "looking for shots"
    DIVIDING = "dividing"


class _Planning(NamedTuple):
    """A video at one of these steps, and what is to be said of how it came there."""

    divided: _Divided
    step: _Step
    remark: str | None = None


class _InGroup(NamedTuple):
    """A part in a group."""

    divided: _Divided
    row: Row
    group: PartGroup
    number: int

    @property
    def views(self) -> Path:
        """The file in which a process keeps the views."""
        return self.group.kept.with_suffix(f".{id(self.row)}")


_Task = _Alone | _Planning | _InGroup


class _Decoding:
    """The work of the processes and its results.

    Args:
        decoder: The options.
        spec: The views to make.
        replay: A folder of recorded samplings.
        planned: Told of each video that is cut.
        threads: Decoder threads of a process.
        folder: Where indexes of videos are kept; None: all rows are decoded for themselves.
    """

    def __init__(
        self,
        decoder: Decoder,
        spec: ViewSpec,
        replay: Path | None,
        planned: Planned,
        threads: int,
        folder: Path | None,
    ) -> None:
        self._decoder, self._spec, self._replay, self._planned = decoder, spec, replay, planned
        self._folder = folder
        self._lost: set[Path] = set()  # videos that cannot be entered behind the stretch that a process hung on
        self._reading: dict[str, Any] = {
            "raw": decoder.raw,
            "stream": decoder.stream,
            "fps": decoder.fps,
            "threads": threads,
            "max_image_bytes": decoder.max_image_bytes,
        }

    def groups(self, rows: Sequence[Row]) -> Iterator[list[_Task]]:
        """Give each video that is decoded for itself, and the first step of each that is scored in parts."""
        together: dict[Path, list[Row]] = defaultdict(list)
        for row in rows:
            if row.is_part:
                together[row.path].append(row)
        for number, row in enumerate(rows):
            if self._folder is None or not self._decoder.in_parts(row):
                yield [_Alone(row)]
                continue
            part_rows = together.pop(row.path, []) if row.is_part else [row]
            if part_rows:  # else they came with the first of them
                parts = tuple(part_row.part for part_row in part_rows) if row.is_part else None
                reading = {**self._reading, "rotate": self._spec.rotate}
                divided = DividedVideo(
                    row.path, self._folder / f"{number}.index", reading, parts, self._decoder.segments
                )
                yield [_Planning(_Divided(divided, part_rows), _Step.INDEXING)]

    def schedule(self, pool: ProcessPool, task: _Task) -> "Future[Any]":
        """Give a process the work for a task."""
        try:
            work, timeout = self._work(task)
        except VideoError as error:
            return _done(error)
        future = pool.schedule(work, timeout=timeout)
        if isinstance(task, _InGroup) and not task.group.seekable:
            future.add_done_callback(partial(self._mind, task))
        return future

    def _mind(self, task: _InGroup, future: "Future[None]") -> None:
        if not future.cancelled() and isinstance(future.exception(), TimeoutError):
            self._lost.add(task.group.kept)

    def do(self, task: _Task) -> "Future[Any]":
        """Do the work for a task here."""
        try:
            return _done(self._work(task)[0]())
        except Exception as error:  # noqa: BLE001 - whatever it is, it costs this video only, as in a process
            return _done(error)

    def _work(self, task: _Task) -> tuple[Callable[[], Any], float | None]:
        """The function of a task, and the seconds that it may take; None where it watches itself."""
        timeout, here = self._decoder.timeout, self._decoder.workers == 0
        if isinstance(task, _InGroup):
            group, number = task.group, task.number
            if group.kept in self._lost:
                raise VideoError(
                    "cannot be reached: the decoder hung on an earlier part and this container cannot be seeked"
                )
            work = partial(load_part, group, number, self._spec)
            # A new process may have to decode all that comes before.
            limit = timeout if group.seekable else timeout * (group.before + number + 1)
            return (work if here else partial(keep_part, group, number, self._spec, task.views)), limit
        if isinstance(task, _Alone):
            row = task.row
            if not os.path.exists(row.location):  # noqa: PTH110 - a million rows
                check_path(row.path)  # says why; a process for each missing file would take minutes
            recorded = None if self._replay is None else read_sampling(_recording(self._replay, row))
            options = {**self._reading, "replay": recorded, "start": row.part.start, "end": row.part.end}
            return partial(load_views, row.path, self._spec, **options), timeout
        divided = task.divided.video
        if task.step is _Step.SHOTS:
            return partial(plan_shots, divided, None if here else timeout), None
        return partial(index_divided if task.step is _Step.INDEXING else plan_without_shots, divided), timeout

    def results(self, work: "Work[_Task, Any] | WorkHere[_Task, Any]") -> Iterator[Decoded]:
        """Give the rows with what comes of them, and the processes what follows from it."""
        for task, future in work:
            if isinstance(task, _Planning):
                yield from self._follow(task, future, work)
            elif isinstance(task, _Alone):
                yield task.row, self._outcome(task.row, future, "decoding")
            elif isinstance(future.exception(), ProcessExpired) and len(task.group.parts) > 1:
                # It may have been frames of the next part, which decoders are at before they are asked for.
                group, number = task.group, task.number
                alone = replace(group, parts=(group.parts[number],), before=group.before + number)
                work.push([[_InGroup(task.divided, task.row, alone, 0)]])
            else:
                outcome = self._outcome(task.row, future, "decoding")
                yield task.row, kept_part(task.views) if outcome is None else outcome
                task.divided.left -= 1
                if not task.divided.left:
                    task.divided.video.kept.unlink()

    def _follow(
        self, task: _Planning, future: "Future[Plan | None]", work: "Work[_Task, Any] | WorkHere[_Task, Any]"
    ) -> Iterator[Decoded]:
        """Take the next step of a video: its parts, where they are known."""
        divided, rows = task.divided, task.divided.rows
        if future.exception() is not None:
            lost = self._outcome(rows[0], future, task.step.value)
            if task.step is _Step.SHOTS:
                remark = f"its shots could not be found, so it was divided evenly: {lost.reason}"
                work.push([[_Planning(divided, _Step.DIVIDING, remark)]])
            else:
                yield from ((row, Failure(row, lost.reason)) for row in rows)
            return
        plan = future.result()
        if plan is None:
            work.push([[_Planning(divided, _Step.SHOTS)]])
            return
        if divided.video.parts is None:
            (video,) = rows
            rows = [part_of(video, *part) for part in plan.parts]
            self._planned(video, rows, task.remark)
        for place, reason in plan.refused.items():
            yield rows[place], Failure(rows[place], _without_path(reason, rows[place]))
        divided.left = len(rows) - len(plan.refused)
        for group, places in reversed(plan.groups):
            work.push([[_InGroup(divided, rows[place], group, number) for number, place in enumerate(places)]])

    def _outcome(self, row: Row, future: "Future[Any]", doing: str) -> Any:
        """The result of work for a row, or the reason for its failure."""
        error = future.exception()
        if error is None:
            return future.result()
        limit = f"{self._decoder.timeout:g} s (decode.timeout)"
        if doing == _Step.SHOTS.value and isinstance(error, ProcessExpired) and error.exitcode == STALLED:
            return Failure(row, f"no frame came for {limit}")
        return Failure(row, _without_path(failure_reason(error, doing=doing, worker="decoder", limit=limit), row))


def _recording(folder: Path, row: Row) -> Path:
    """The recorded sampling of a row: by its name, or by that of its file, as other programs record them."""
    file = sampling_file(folder, row.name)
    return file if file.exists() else folder / f"{row.path.name}.npz"


def _recorded(decoded: Iterator[Decoded], folder: Path | None) -> Iterator[Decoded]:
    """Pass decoded videos on, and record the sampling of each, where a folder is given."""
    for row, outcome in decoded:
        if folder is not None and isinstance(outcome, LoadedViews):
            file = sampling_file(folder, row.name)
            file.parent.mkdir(parents=True, exist_ok=True)
            write_sampling(file, outcome.samplings[0])
        yield row, outcome


def _done(outcome: object) -> "Future[Any]":
    future: Future[Any] = Future()
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
    return future


def _without_path(reason: str, row: Row) -> str:
    return reason.removeprefix(f"{row.path}: ").removeprefix(f"{visible(row.path)}: ")
