"""A folder of files that are made of pristine sources: its recipe, what was thought of each source, the processes."""

import csv
import io
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pebble import ProcessPool
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from cover.errors import UsageError
from cover.files import write_bytes
from cover.processes import available_cpus, completed, failure_reason
from cover.rows import Row

from ..folder import Folder
from .sources import SPLITS, PristineSource, generator, survey, without_copies

log = logging.getLogger(__name__)

_TIMEOUT = 1800.0  # s that a piece of work may take
FOLDER_LOCK = ".lock"
_RECIPE, _SURVEY, _RATINGS = "synthetic.json", "sources.json", "ratings.csv"

T = TypeVar("T", bound=tuple[Any, ...])
R = TypeVar("R")


class GeneratedFolder:
    """A dataset of files that are made, unless they are there from an earlier run.

    Attributes:
        root: Their folder.
    """

    root: Path
    _rows: list[Row]

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


class Making:
    """A folder of files that are made of sources.

    Args:
        root: The folder, which exists.
        workers: Processes at once; None: one a CPU core.
    """

    def __init__(self, root: Path, workers: int | None) -> None:
        self.root = root
        self._workers = workers or available_cpus()

    def check_recipe(self, recipe: dict[str, Any]) -> None:
        """Makes sure that what is in the folder was made in the same way.

        Raises:
            UsageError: It was not.
        """
        file = self.root / _RECIPE
        if not file.exists():
            write_bytes(file, json.dumps(recipe).encode())
            return
        try:
            recipe_there = json.loads(file.read_bytes())
        except ValueError:
            recipe_there = None
        if recipe_there != recipe:
            raise UsageError(
                f"data.folder={self.root}: what is in it was made with {recipe_there}, not {recipe}; take another"
            )

    def survey(self, files: Sequence[tuple[Path, str]], split: str | Sequence[str]) -> list[PristineSource]:
        """Looks at the sources, each once.

        Args:
            files: What there is, as :func:`source_files` gives it.
            split: ``train``, ``validation``, ``test`` or ``all``, or several.

        Returns:
            The suitable sources, in an order that is independent of their names.

        Raises:
            UsageError: No source is suitable.
        """
        known = self._load_survey()
        sources: list[PristineSource] = []
        new: list[tuple[Path, str]] = []
        for path, name in files:
            entry = known.get(name)
            if entry is not None and path.exists() and entry["bytes"] == path.stat().st_size:
                sources.append(
                    PristineSource(path, name, **{**entry, "thumb": np.array(entry["thumb"], dtype=np.uint8)})
                )
            else:
                new.append((path, name))
        if new:
            seen: list[PristineSource] = []
            for (_, name), outcome in self._run("looking at sources", survey, new, lambda source: 1):
                if isinstance(outcome, PristineSource):
                    seen.append(outcome)
                else:
                    log.warning("%s is left out: %s", name, outcome)
            sources += without_copies(seen, sources)
            self._save_survey(known, sources)
        usable = sorted(
            (source for source in sources if not source.flaw),
            key=lambda source: generator("order", source.name).random(),
        )
        flaws = Counter(source.flaw for source in sources if source.flaw)
        if flaws:
            reasons = ", ".join(f"{count} {reason}" for reason, count in flaws.most_common())
            log.info("%d of %d sources will do (left out: %s)", len(usable), len(files), reasons)
        if not usable:
            raise UsageError(
                f"data.sources: none of {len(files)} files will do ({', '.join(flaws) or 'not one can be read'}); "
                "it takes sharp photos and videos"
            )
        splits = _splits(split)
        chosen = [source for source in usable if "all" in splits or source.split in splits]
        if not chosen:
            raise UsageError(
                f"data.split={'+'.join(splits)}: none of the {len(usable)} sources falls into it; add some to "
                "data.sources, or take data.split=all"
            )
        return chosen

    def make(self, what: str, task: Callable[..., int], chunks: Sequence[tuple[Any, ...]], total: int) -> None:
        """Makes files that are missing; a source that cannot be read costs its own only.

        Args:
            what: The plural of what is made, for messages.
            task: Makes a chunk; returns the bytes that it wrote.
            chunks: Its arguments, for each call; the second is a list of things with a ``source``.
            total: How many there are, with those that were made before.
        """
        for partial in self.root.glob("*/.*.part"):  # of a run that was killed
            partial.unlink()
        if not chunks:
            return
        console = Console(stderr=True)
        missing = sum(len(chunk[1]) for chunk in chunks)
        console.print(f"making {missing} of {total} {what} in {self.root}", highlight=False, soft_wrap=True)
        size, failed = 0, set[str]()
        for (_, part, *_), outcome in self._run(f"making {what}", task, chunks, lambda chunk: len(chunk[1])):
            name = part[0].source.name
            if isinstance(outcome, int):
                size += outcome
            elif name not in failed:
                failed.add(name)
                log.warning("%s: %s of it are left out: %s", name, what, outcome)
        console.print(f"made {decimal(size)} of {what}", highlight=False)

    def write_ratings(self, rows: Sequence[Row]) -> None:
        """Writes ``ratings.csv`` with all files of the folder, those of earlier runs too."""
        file = self.root / _RATINGS
        lines: dict[str, dict[str, object]] = {}
        if file.exists():
            with file.open(newline="", encoding="utf-8") as old:
                lines = {str(line["path"]): dict(line) for line in csv.DictReader(old) if "path" in line}
        lines |= {row.name: {"path": row.name, "mos": row.mos, **row.extras} for row in rows}
        lines_left = [line for name, line in sorted(lines.items()) if (self.root / name).exists()]
        text = io.StringIO()
        table = csv.DictWriter(text, ["path", "mos", *rows[0].extras], extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        table.writerows(lines_left)
        write_bytes(file, text.getvalue().encode())

    def _load_survey(self) -> dict[str, dict[str, Any]]:
        file = self.root / _SURVEY
        if not file.exists():
            return {}
        try:
            survey = json.loads(file.read_bytes())
        except ValueError:
            raise UsageError(f"{file} is damaged; delete it and run again") from None
        return survey

    def _save_survey(self, known: dict[str, dict[str, Any]], sources: Sequence[PristineSource]) -> None:
        new = {
            source.name: {
                field.name: getattr(source, field.name)
                for field in fields(source)
                if field.name not in ("path", "name")
            }
            | {"thumb": source.thumb.tolist()}
            for source in sources
        }
        write_bytes(self.root / _SURVEY, json.dumps({**known, **new}).encode())

    def _run(
        self, doing: str, task: Callable[..., R], todo: Sequence[T], weight: Callable[[T], int]
    ) -> Iterator[tuple[T, R | str]]:
        """Call ``task(*arguments)`` in processes; yield each item with its result or the reason for its failure."""
        progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            speed_estimate_period=600,
        )
        bar = progress.add_task(doing, total=sum(map(weight, todo)))

        def schedule(pool: ProcessPool, item: T) -> "Future[R]":
            return pool.schedule(task, item, timeout=_TIMEOUT)

        with progress, completed(schedule, ([item] for item in todo), min(self._workers, len(todo))) as done:
            for item, future in done:
                outcome = _outcome(future)
                progress.advance(bar, weight(item))
                yield item, outcome


def _outcome(future: "Future[R]") -> "R | str":
    """The result of work in a process, or the reason for its failure."""
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, UsageError):
        raise error
    return failure_reason(error, doing="making videos", worker="process", limit=f"{_TIMEOUT:g} s")


def source_files(sources: str | Path | Iterable[str | Path] | None, root: Path) -> list[tuple[Path, str]]:
    """Lists every source with its name: the last part of its folder's name, and the path within that.

    Args:
        sources: One or several folders, files or globs.
        root: The folder of what is made, in which none is looked for.

    Raises:
        UsageError: No source is named, or two have one name.
    """
    places = [sources] if isinstance(sources, (str, Path)) else list(sources or ())
    if not places:
        raise UsageError("data.sources: name a folder of sharp photos and videos, or several: data.sources=[a,b]")
    files: dict[str, Path] = {}
    for place in places:
        try:
            folder = Folder(place)
        except UsageError as error:
            raise UsageError(str(error).replace("data=", "data.sources=", 1)) from None
        for row in folder:
            name = f"{folder.root.resolve().name}/{row.name}"
            if files.setdefault(name, row.path) != row.path:
                raise UsageError(f"data.sources: {files[name]} and {row.path} have one name; rename a folder")
    return [(path, name) for name, path in files.items() if root.resolve() not in path.resolve().parents]


def _splits(split: str | Sequence[str]) -> list[str]:
    return [split] if isinstance(split, str) else list(split)


def check(split: str | Sequence[str], **counts: int | None) -> None:
    """Refuse an unknown split, and counts below 1.

    Raises:
        UsageError: The message names the option.
    """
    if unknown := [name for name in _splits(split) if name not in (*SPLITS, "all")]:
        raise UsageError(f"data.split={unknown[0]}: it takes {', '.join(SPLITS)} or all, or a list of them")
    for name, count in counts.items():
        if count is not None and count < 1:
            raise UsageError(f"data.{name}={count}: it takes null or a number from 1 on")
