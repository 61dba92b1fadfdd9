"""The dataset: which clips there are to be, making those that are not there yet, and their ratings."""

import csv
import io
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from filelock import FileLock
from pebble import ProcessPool
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from cover.errors import UsageError
from cover.files import write_bytes
from cover.processes import available_cpus, completed, failure_reason
from cover.rows import Row

from ..folder import Folder
from .codecs import STORE_ENCODER, has_encoder, store
from .distortions import KINDS
from .rating import BRANCHES, LEVELS, rate
from .sources import SPLITS, Source, film, generator, survey, without_copies

log = logging.getLogger(__name__)

PRISTINE, MIXED = "pristine", "mixed"
_FORMAT = 1  # raised when the same options would make other clips
_MIX_EVERY = 5  # one clip in so many is a mixture
_CHUNK = 8  # clips that a process makes before it reports
_TIMEOUT = 1800.0  # s that they may take
_RATINGS, _RECIPE, _SURVEY, _LOCK = "ratings.csv", "synthetic.json", "sources.json", ".lock"

T = TypeVar("T", bound=tuple[Any, ...])
R = TypeVar("R")


@dataclass(frozen=True)
class Clip:
    """A clip that is to be.

    Attributes:
        source: What it shows.
        take: Which clip of that.
        distortion: A kind, ``pristine`` or ``mixed``.
        level: 1 to 5, or 0 for pristine.
        treatment: What is done to it: kinds and their levels, in the order in which it is done.
    """

    source: Source
    take: int
    distortion: str
    level: int
    treatment: tuple[tuple[str, int], ...]

    @property
    def name(self) -> str:
        """Its path, relative to the folder of clips."""
        return _name(self.source, self.take, self.distortion, self.level)

    def row(self, root: Path) -> Row:
        """It as a row, rated."""
        scores = asdict(rate((KINDS[kind].branch, level) for kind, level in self.treatment))
        levels = dict(self.treatment)
        extras = {
            "content": self.source.content,
            "reference": _name(self.source, self.take, PRISTINE, 0),
            "distortion": self.distortion,
            "level": self.level,
            "treatment": "+".join(f"{kind}:{level}" for kind, level in self.treatment),
            "split": self.source.split,
            **{branch: scores[branch] for branch in BRANCHES},
            **{f"level_{kind}": levels.get(kind, 0) for kind in KINDS},
        }
        return Row(root / self.name, self.name, scores["mos"], extras)


class Synthetic:
    """Rated clips, made of pristine photos and videos; those of an earlier run are used as they are.

    A source gives pristine clips (:func:`datasets.synthetic.sources.film`), and each of these distorted ones: of single
    kinds (:data:`datasets.synthetic.distortions.KINDS`) at five levels, and mixtures of two or three. The rating
    follows from what was done alone (:func:`datasets.synthetic.rating.rate`): with every level of one kind the MOS of
    a content falls, and the score of that kind's branch with it. Clips are H.264 at CRF 12; what is in one follows from
    the seed, the source, distortion and level, so that further clips of a content leave those that are there alone.

    Beside the clips lie ``ratings.csv`` (path, mos and the extras of all clips of the folder, for ``data=table``) and
    ``sources.json`` (what was thought of each source, so that it is looked at once).

    The extras of a row: ``content`` (the source), ``reference`` (name of the pristine clip that it was made of),
    ``distortion``, ``level``, ``treatment`` (``blur:2+noise:4``), ``split`` (train, validation or test, the same for
    all clips of a source), the scores ``semantic``, ``technical`` and ``aesthetic``, of 1 to 5 as the MOS, and of every
    kind its level in the clip (``level_blur``), 0 where it is not.

    Args:
        sources: One or several folders (or files, or globs) of photos and videos.
        folder: Where the clips are, or will be.
        split: train, validation, test, or all.
        per_content: Distorted clips of each pristine one; None: all that there are, five levels of every kind and five
            mixtures. A fifth is mixtures; of the rest, half are technical, and kinds come with two levels at first.
        takes: Pristine clips of each source.
        seconds: Length of a clip; a source video may be shorter.
        kinds: Kinds to make, ``mixed`` among them; None: all for which there are encoders.
        contents: How many sources to use at most; None: all.
        seed: Of everything that is drawn, but the split.
        workers: Processes that make clips; None: one a CPU core.

    Attributes:
        root: The folder of the clips.

    Raises:
        UsageError: An option is wrong, there is no usable source, the folder holds clips made with another seed or
            length, or the clips cannot be written.
    """

    def __init__(
        self,
        sources: str | Path | Sequence[str | Path] | None,
        folder: str | Path,
        split: str = "train",
        per_content: int | None = 25,
        takes: int = 2,
        seconds: float = 1.5,
        kinds: Sequence[str] | None = None,
        contents: int | None = None,
        seed: int = 0,
        workers: int | None = None,
    ) -> None:
        _check(split=split, per_content=per_content, takes=takes, seconds=seconds, contents=contents, workers=workers)
        self.root = Path(folder)
        self._workers = workers or available_cpus()
        wanted = _kinds(kinds)
        files = [(path, name) for path, name in _files(sources) if self.root.resolve() not in path.resolve().parents]
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            # Of several processes (ranks of a training) one makes the clips, and the others find them.
            with FileLock(self.root / _LOCK):
                self._check_recipe({"format": _FORMAT, "seed": seed, "seconds": seconds})
                usable = self._survey(files)
                chosen = [source for source in usable if split in ("all", source.split)][:contents]
                if not chosen:
                    raise UsageError(
                        f"data.split={split}: none of the {len(usable)} sources falls into it; add some to "
                        "data.sources, or take data.split=all"
                    )
                clips = [
                    clip
                    for source in chosen
                    for take in range(min(takes, source.takes(seconds) or takes))
                    for clip in plan(source, take, wanted, per_content, seed)
                ]
                self._make(clips, seconds, seed)
                self._rows = [clip.row(self.root) for clip in clips if (self.root / clip.name).exists()]
                if not self._rows:
                    raise UsageError(f"data.sources: no clip could be made of {', '.join(s.name for s in chosen[:3])}")
                self._write_ratings()
        except OSError as error:
            raise UsageError(f"data.folder={folder}: {error.strerror or error}") from error

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def _check_recipe(self, recipe: dict[str, Any]) -> None:
        file = self.root / _RECIPE
        if not file.exists():
            write_bytes(file, json.dumps(recipe).encode())
            return
        try:
            found = json.loads(file.read_bytes())
        except ValueError:
            found = None
        if found != recipe:
            raise UsageError(f"data.folder={self.root}: its clips were made with {found}, not {recipe}; take another")

    def _survey(self, files: Sequence[tuple[Path, str]]) -> list[Source]:
        """The sources that will do, in an order that has nothing to do with their names."""
        known = self._load_survey()
        found: list[Source] = []
        new: list[tuple[Path, str]] = []
        for path, name in files:
            entry = known.get(name)
            if entry is not None and path.exists() and entry["bytes"] == path.stat().st_size:
                found.append(Source(path, name, **{**entry, "thumb": np.array(entry["thumb"], dtype=np.uint8)}))
            else:
                new.append((path, name))
        if new:
            seen: list[Source] = []
            for (_, name), outcome in self._run("looking at sources", survey, new, lambda source: 1):
                if isinstance(outcome, Source):
                    seen.append(outcome)
                else:
                    log.warning("%s is left out: %s", name, outcome)
            found += without_copies(seen, found)
            self._save_survey(known, found)
        usable = sorted(
            (source for source in found if not source.flaw), key=lambda source: generator("order", source.name).random()
        )
        flaws = Counter(source.flaw for source in found if source.flaw)
        if flaws:
            reasons = ", ".join(f"{count} {reason}" for reason, count in flaws.most_common())
            log.info("%d of %d sources will do (left out: %s)", len(usable), len(files), reasons)
        if not usable:
            raise UsageError(
                f"data.sources: none of {len(files)} files will do ({', '.join(flaws) or 'not one can be read'}); "
                "it takes sharp photos and videos"
            )
        return usable

    def _load_survey(self) -> dict[str, dict[str, Any]]:
        file = self.root / _SURVEY
        if not file.exists():
            return {}
        try:
            survey = json.loads(file.read_bytes())
        except ValueError:
            raise UsageError(f"{file} is damaged; delete it and run again") from None
        return survey

    def _save_survey(self, known: dict[str, dict[str, Any]], found: Sequence[Source]) -> None:
        new = {
            source.name: {
                field.name: getattr(source, field.name)
                for field in fields(source)
                if field.name not in ("path", "name")
            }
            | {"thumb": source.thumb.tolist()}
            for source in found
        }
        write_bytes(self.root / _SURVEY, json.dumps({**known, **new}).encode())

    def _make(self, clips: Sequence[Clip], seconds: float, seed: int) -> None:
        """Makes the clips that are missing; a source that cannot be read costs its own only."""
        for partial in self.root.glob("*/.*.part"):  # of a run that was killed
            partial.unlink()
        missing = [clip for clip in clips if not (self.root / clip.name).exists()]
        if not missing:
            return
        console = Console(stderr=True)
        console.print(f"making {len(missing)} of {len(clips)} clips in {self.root}", highlight=False, soft_wrap=True)
        chunks: list[tuple[Path, list[Clip], float, int]] = []
        for clip in missing:
            last = chunks[-1][1] if chunks else []
            if not last or len(last) == _CHUNK or (last[0].source.name, last[0].take) != (clip.source.name, clip.take):
                chunks.append((self.root, last := [], seconds, seed))
            last.append(clip)
        size, failed = 0, set[str]()
        for (_, part, *_), outcome in self._run("making clips", make, chunks, lambda chunk: len(chunk[1])):
            name = part[0].source.name
            if isinstance(outcome, int):
                size += outcome
            elif name not in failed:
                failed.add(name)
                log.warning("%s: clips of it are left out: %s", name, outcome)
        console.print(f"made {decimal(size)} of clips", highlight=False)

    def _write_ratings(self) -> None:
        """Rates all clips of the folder, those of earlier runs too."""
        file = self.root / _RATINGS
        lines: dict[str, dict[str, object]] = {}
        if file.exists():
            with file.open(newline="", encoding="utf-8") as old:
                lines = {str(line["path"]): dict(line) for line in csv.DictReader(old) if "path" in line}
        lines |= {row.name: {"path": row.name, "mos": row.mos, **row.extras} for row in self._rows}
        header = ["path", "mos", *self._rows[0].extras]
        kept = [line for name, line in sorted(lines.items()) if (self.root / name).exists()]
        text = io.StringIO()
        table = csv.DictWriter(text, header, extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        table.writerows(kept)
        write_bytes(file, text.getvalue().encode())

    def _run(
        self, doing: str, task: Callable[..., R], todo: Sequence[T], weight: Callable[[T], int]
    ) -> Iterator[tuple[T, R | str]]:
        """Calls ``task(*arguments)`` in processes; yields each item with the result, or with why there is none."""
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

        with progress, completed(schedule, todo, min(self._workers, len(todo))) as done:
            for item, future in done:
                outcome = _outcome(future)
                progress.advance(bar, weight(item))
                yield item, outcome


def plan(source: Source, take: int, kinds: Sequence[str], per_content: int | None, seed: int) -> list[Clip]:
    """The clips of a pristine one, which comes first; fewer are the beginning of more.

    Args:
        source: What they show.
        take: Which clip of that.
        kinds: Kinds to choose from, ``mixed`` among them or not.
        per_content: Distorted clips at most; None: all.
        seed: Of the order, and of what is mixed.
    """
    rng = generator(seed, source.name, take, "order")
    levels = {kind: [int(level) for level in rng.permutation(LEVELS)] for kind in KINDS}
    by_branch = {
        branch: [str(kind) for kind in rng.permutation(list(KINDS)) if KINDS[kind].branch == branch]
        for branch in BRANCHES
    }
    # Two technical ones for one of either other branch, as long as these last.
    pattern = ["technical", "aesthetic", "technical", "semantic"] * len(KINDS)
    order = [by_branch[branch].pop(0) for branch in pattern if by_branch[branch]]
    single = [
        Clip(source, take, kind, level, ((kind, level),))
        for first, last in ((0, 2), (2, 4), (4, 5))
        for kind in order
        for level in levels[kind][first:last]
        if kind in kinds
    ]
    mixed = [
        Clip(source, take, MIXED, level, mix) for level, mix in zip(LEVELS, mixtures(source, take, seed), strict=True)
    ]
    mixed = [mixed[place] for place in rng.permutation(len(mixed))] if MIXED in kinds else []
    clips: list[Clip] = []
    while single or mixed:
        turn = mixed if mixed and (not single or len(clips) % _MIX_EVERY == _MIX_EVERY - 1) else single
        clips.append(turn.pop(0))
    return [Clip(source, take, PRISTINE, 0, ()), *clips[:per_content]]


def mixtures(source: Source, take: int, seed: int) -> list[tuple[tuple[str, int], ...]]:
    """Five mixtures of two or three kinds at random levels, of falling MOS."""
    rng = generator(seed, source.name, take, MIXED)
    names = [name for name, kind in KINDS.items() if kind.available]
    found: dict[float, tuple[tuple[str, int], ...]] = {}
    while len(found) < len(LEVELS):
        chosen = set(rng.choice(names, int(rng.integers(2, 4)), replace=False).tolist())
        mix = tuple((name, int(rng.integers(1, 6))) for name in names if name in chosen)
        found.setdefault(rate((KINDS[kind].branch, level) for kind, level in mix).mos, mix)
    return [mix for _, mix in sorted(found.items(), reverse=True)]


def make(folder: Path, clips: Sequence[Clip], seconds: float, seed: int) -> int:
    """Writes clips of one pristine clip; each file appears whole or not at all.

    Args:
        folder: Where the clips go.
        clips: Clips of one source and take.
        seconds: Their length.
        seed: Of what is drawn.

    Returns:
        Bytes written.

    Raises:
        VideoError: The source cannot be read.
        UsageError: A clip cannot be written.
    """
    size = 0
    for clip in clips:
        frames, fps = _pristine(clip.source, clip.take, seconds, seed)
        mix = clip.level if clip.distortion == MIXED else 0
        for kind, level in clip.treatment:
            frames = KINDS[kind](frames, level, generator(seed, clip.source.name, clip.take, kind, mix))
        data = store(frames, fps)
        try:
            write_bytes(folder / clip.name, data)
        except OSError as error:
            raise UsageError(f"data.folder={folder}: {error.strerror or error}") from None
        size += len(data)
    return size


@lru_cache(maxsize=1)  # a process often gets the next clips of the same one
def _pristine(source: Source, take: int, seconds: float, seed: int) -> tuple[np.ndarray, Fraction]:
    frames, fps = film(source, take, seconds, seed)
    frames.setflags(write=False)
    return frames, fps


def _name(source: Source, take: int, distortion: str, level: int) -> str:
    return f"{source.content}/{take}-{distortion}{f'-{level}' if level else ''}.mp4"


def _outcome(future: "Future[R]") -> "R | str":
    """The result of work in a process, or why there is none."""
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, UsageError):
        raise error
    return failure_reason(error, doing="making videos", worker="process", limit=f"{_TIMEOUT:g} s")


def _files(sources: str | Path | Iterable[str | Path] | None) -> list[tuple[Path, str]]:
    """Every source with its name: the last part of its folder's name, and the path within that."""
    places = [sources] if isinstance(sources, (str, Path)) else list(sources or ())
    if not places:
        raise UsageError("data.sources: name a folder of sharp photos and videos, or several: data.sources=[a,b]")
    found: dict[str, Path] = {}
    for place in places:
        try:
            folder = Folder(place)
        except UsageError as error:
            raise UsageError(str(error).replace("data=", "data.sources=", 1)) from None
        for row in folder:
            name = f"{folder.root.resolve().name}/{row.name}"
            if found.setdefault(name, row.path) != row.path:
                raise UsageError(f"data.sources: {found[name]} and {row.path} have one name; rename a folder")
    return [(path, name) for name, path in found.items()]


def _kinds(wanted: Sequence[str] | None) -> list[str]:
    """The kinds to make, those that this installation cannot make left out unless they were asked for."""
    if not has_encoder(STORE_ENCODER):
        raise UsageError(f"data: the installed PyAV has no encoder {STORE_ENCODER}, with which clips are written")
    known = [*KINDS, MIXED]
    if unknown := [name for name in wanted or () if name not in known]:
        raise UsageError(f"data.kinds: no {unknown[0]}; it takes {', '.join(known)}")
    if absent := [name for name in wanted or known if name in KINDS and not KINDS[name].available]:
        needed = ", ".join(f"{name} ({' and '.join(KINDS[name].encoders)})" for name in absent)
        if wanted is not None:
            raise UsageError(f"data.kinds: the installed PyAV lacks encoders for {needed}; leave these kinds out")
        log.warning("left out, because the installed PyAV lacks their encoders: %s", needed)
    return [name for name in wanted or known if name not in absent]


def _check(*, split: str, seconds: float, **counts: int | None) -> None:
    if split not in (*SPLITS, "all"):
        raise UsageError(f"data.split={split}: it takes {', '.join(SPLITS)} or all")
    if not 0.2 <= seconds <= 60:
        raise UsageError(f"data.seconds={seconds}: a clip lasts from 0.2 to 60 s")
    for name, count in counts.items():
        if count is not None and count < 1:
            raise UsageError(f"data.{name}={count}: it takes null or a number from 1 on")
