"""Decoding in processes that can be killed, so that no video stops a batch. Imports no torch: it starts before torch.

``torch.utils.data`` workers would not do: one that hangs or crashes ends the run.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from pebble import ProcessExpired, ProcessPool

from cover.errors import VideoError
from cover.processes import Work, WorkHere, available_cpus, completed, failure_reason
from cover.rows import Failure, Row, part_of
from cover.scoring.films import STALLED, Film, Plan, Run, index_film, load_part, plan_shots, plan_without_shots
from cover.video import LoadedViews, RawFormat, Segments, ViewSpec, load_views, read_sampling

Decoded = tuple[Row, LoadedViews | Failure]
Planned = Callable[[Row, Sequence[Row], str | None], None]
"""Told of a video that is cut: its row, the rows of its parts, and a remark on how they were found."""


def unheard(*_: object) -> None:
    """Do nothing with a plan."""


@dataclass(frozen=True)
class Decoder:
    """Decode videos into views, in processes of their own.

    A video, or a part of one, that takes longer than ``timeout`` seconds, or that brings its process down, becomes a
    :class:`~cover.rows.Failure`, and a fresh process goes on with the next one. A video is indexed once for all of its
    parts, and decoded front to back by as few processes as keep all of them busy.

    Args:
        workers: Decoding processes; 0 decodes in this one, where nothing can be stopped.
        timeout: Seconds a video, or a part of one, may take.
        raw: Size and format of headerless ``.yuv`` files.
        stream: Number of the video stream to decode, from 0; None for the longest, of those the largest.
        fps: Frame rate of folders of frames.
        segments: How rows that are no parts yet are cut into parts; None leaves them whole.
    """

    workers: int = 1
    timeout: float = 300
    raw: RawFormat | None = None
    stream: int | None = None
    fps: float | None = None
    segments: Segments | None = None

    def views(
        self,
        rows: Iterable[Row],
        spec: ViewSpec,
        *,
        replay: Path | None = None,
        in_order: bool = False,
        planned: Planned = unheard,
    ) -> AbstractContextManager[Iterator[Decoded]]:
        """Decode every row, ahead of what is asked for.

        Args:
            rows: The videos and parts.
            spec: The views to make.
            replay: A folder with ``<file name>.npz`` for each video: recorded samplings to use.
            in_order: Whether to yield in the order of the rows, each decoded for itself; else as videos finish.
            planned: Told the rows of the parts of each video that is cut, before the first of them is yielded.

        Returns:
            A block in which decoding goes on. It gives an iterator over the rows, each with its views, or with why it
            has none; a row that is cut is replaced by those of its parts.
        """
        return self._decoding(list(rows), spec, replay, in_order, planned)

    @contextmanager
    def _decoding(
        self, rows: Sequence[Row], spec: ViewSpec, replay: Path | None, in_order: bool, planned: Planned
    ) -> Iterator[Iterator[Decoded]]:
        threads = max(1, available_cpus() // self.workers) if self.workers else 0
        cut = not in_order and any(self._in_parts(row) for row in rows)
        with TemporaryDirectory(prefix="cover-") if cut else nullcontext() as folder:
            decoding = _Decoding(self, spec, replay, planned, threads, Path(folder) if folder else None)
            runs = decoding.runs(rows)
            if self.workers == 0:
                yield decoding.results(WorkHere(decoding.do, runs))
                return
            with completed(decoding.schedule, runs, self.workers, in_order=in_order) as work:
                yield decoding.results(work)

    def _in_parts(self, row: Row) -> bool:
        return row.is_part or self.segments is not None


@dataclass
class _Film:
    """A video that is scored in parts, and how many of them are not yielded yet."""

    film: Film
    rows: Sequence[Row]
    left: int = 0


class _Alone(NamedTuple):
    """A video or part that is decoded for itself."""

    row: Row


class _Planning(NamedTuple):
    """A step towards the parts of a film: ``indexing``, ``looking for shots`` or ``dividing``."""

    film: _Film
    step: str
    remark: str | None = None


class _OfRun(NamedTuple):
    """A part in a run."""

    film: _Film
    row: Row
    run: Run
    number: int


_Task = _Alone | _Planning | _OfRun


class _Decoding:
    """What is asked of the processes, and what comes of it.

    Args:
        decoder: The options.
        spec: The views to make.
        replay: A folder of recorded samplings.
        planned: Told of each video that is cut.
        threads: Decoder threads of a process.
        folder: Where indexes of films are kept; None: all rows are decoded for themselves.
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
        self._threads, self._folder = threads, folder
        self._reading: dict[str, Any] = {
            "raw": decoder.raw,
            "stream": decoder.stream,
            "fps": decoder.fps,
            "threads": threads,
        }

    def runs(self, rows: Sequence[Row]) -> Iterator[list[_Task]]:
        """Give each video that is decoded for itself, and the first step of each that is scored in parts."""
        together: dict[Path, list[Row]] = defaultdict(list)
        for row in rows:
            if row.is_part:
                together[row.path].append(row)
        for number, row in enumerate(rows):
            if self._folder is None or not self._decoder._in_parts(row):
                yield [_Alone(row)]
                continue
            film_rows = together.pop(row.path, []) if row.is_part else [row]
            if film_rows:  # else they came with the first of them
                parts = tuple((one.start, one.end) for one in film_rows) if row.is_part else None
                reading = {**self._reading, "rotate": self._spec.rotate}
                film = Film(row.path, self._folder / f"{number}.index", reading, parts, self._decoder.segments)
                yield [_Planning(_Film(film, film_rows), "indexing")]

    def schedule(self, pool: ProcessPool, task: _Task) -> "Future[Any]":
        """Give a process the work for a task."""
        try:
            work, timeout = self._work(task)
        except VideoError as error:
            return _done(error)
        return pool.schedule(work, timeout=timeout)

    def do(self, task: _Task) -> "Future[Any]":
        """Do the work for a task here."""
        try:
            return _done(self._work(task)[0]())
        except Exception as error:  # noqa: BLE001 - whatever it is, it costs this video only, as in a process
            return _done(error)

    def _work(self, task: _Task) -> tuple[Callable[[], Any], float | None]:
        """The function of a task, and the seconds that it may take; None where it watches itself."""
        timeout, workers = self._decoder.timeout, max(1, self._decoder.workers)
        if isinstance(task, _OfRun):
            return partial(load_part, task.run, task.number, self._spec), timeout
        if isinstance(task, _Alone):
            row = task.row
            recorded = None if self._replay is None else read_sampling(self._replay / f"{row.path.name}.npz")
            options = {**self._reading, "replay": recorded, "start": row.start, "end": row.end}
            return partial(load_views, row.path, self._spec, **options), timeout
        film = task.film.film
        if task.step == "looking for shots":
            return partial(plan_shots, film, workers, timeout if self._decoder.workers else None), None
        return partial(index_film if task.step == "indexing" else plan_without_shots, film, workers), timeout

    def results(self, work: "Work[_Task, Any] | WorkHere[_Task, Any]") -> Iterator[Decoded]:
        """Give the rows with what comes of them, and the processes what follows from it."""
        for task, future in work:
            if isinstance(task, _Planning):
                yield from self._follow(task, future, work)
            else:
                yield task.row, self._outcome(task.row, future, "decoding")
            if isinstance(task, _OfRun):
                task.film.left -= 1
                if not task.film.left:
                    task.film.film.kept.unlink()

    def _follow(
        self, task: _Planning, future: "Future[Plan | None]", work: "Work[_Task, Any] | WorkHere[_Task, Any]"
    ) -> Iterator[Decoded]:
        """Go on to the next step of a film: its parts, where they are known."""
        film, rows = task.film, task.film.rows
        if future.exception() is not None:
            lost = self._outcome(rows[0], future, task.step)
            assert isinstance(lost, Failure)
            if task.step == "looking for shots":
                remark = f"its shots could not be found, so it was divided evenly: {lost.reason}"
                work.push([[_Planning(film, "dividing", remark)]])
            else:
                yield from ((row, Failure(row, lost.reason)) for row in rows)
            return
        plan = future.result()
        if plan is None:
            work.push([[_Planning(film, "looking for shots")]])
            return
        if film.film.parts is None:
            (video,) = rows
            rows = [part_of(video, *part) for part in plan.parts]
            self._planned(video, rows, task.remark)
        for place, reason in plan.refused.items():
            yield rows[place], Failure(rows[place], _without_path(reason, rows[place]))
        film.left = len(rows) - len(plan.refused)
        for places in reversed(plan.runs):
            run = Run(film.film.kept, self._threads, tuple(plan.parts[place] for place in places))
            work.push([[_OfRun(film, rows[place], run, number) for number, place in enumerate(places)]])

    def _outcome(self, row: Row, future: "Future[Any]", doing: str) -> LoadedViews | Failure:
        error = future.exception()
        if error is None:
            return future.result()
        limit = f"{self._decoder.timeout:g} s (decode.timeout)"
        if doing == "looking for shots" and isinstance(error, ProcessExpired) and error.exitcode == STALLED:
            return Failure(row, f"no frame came for {limit}")
        return Failure(row, _without_path(failure_reason(error, doing=doing, worker="decoder", limit=limit), row))


def _done(outcome: object) -> "Future[Any]":
    future: Future[Any] = Future()
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
    return future


def _without_path(reason: str, row: Row) -> str:
    return reason.removeprefix(f"{row.path}: ")


@dataclass(frozen=True)
class Batch:
    """Videos whose views have one shape, or a video that cannot be decoded.

    Attributes:
        rows: The B videos.
        loaded: The views of each.
        failures: Videos that cannot be decoded.
    """

    rows: Sequence[Row] = ()
    loaded: Sequence[LoadedViews] = ()
    failures: Sequence[Failure] = field(default_factory=list)


def batches(decoded: Iterable[Decoded], size: int) -> Iterator[Batch]:
    """Group decoded videos by the shape of their views.

    Args:
        decoded: What :meth:`Decoder.views` gives.
        size: Videos a batch at most.

    Yields:
        Batches as they fill, failures at once, in the end what filled no batch.
    """
    waiting: dict[tuple[tuple[int, ...], ...], list[tuple[Row, LoadedViews]]] = defaultdict(list)
    for row, outcome in decoded:
        if isinstance(outcome, Failure):
            yield Batch(failures=[outcome])
            continue
        shape = tuple(view.shape for view in outcome.views[0].values())
        waiting[shape].append((row, outcome))
        if len(waiting[shape]) == size:
            yield _batch(waiting.pop(shape))
    yield from map(_batch, waiting.values())


def _batch(group: Sequence[tuple[Row, LoadedViews]]) -> Batch:
    return Batch([row for row, _ in group], [loaded for _, loaded in group])
