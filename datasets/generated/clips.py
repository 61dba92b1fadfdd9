"""The dataset: which clips there are to be, making those that are not there yet, and their ratings."""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np
from filelock import FileLock

from cover.errors import UsageError
from cover.files import write_bytes
from cover.rows import Row
from cover.scores import BRANCHES

from .codecs import STORE_ENCODER, has_encoder, store
from .distortions import KINDS
from .folder import FOLDER_LOCK, GeneratedFolder, Making, check, source_files
from .pseudo_mos import LEVELS, rate
from .sources import PristineSource, film, generator

log = logging.getLogger(__name__)

PRISTINE, MIXED = "pristine", "mixed"
_FORMAT = 1  # raised when the same options would make other clips
_MIX_EVERY = 5  # one clip in so many is a mixture
_CHUNK = 8  # clips that a process makes before it reports


@dataclass(frozen=True)
class Clip:
    """A clip to generate.

    Attributes:
        source: What it shows.
        take: Which clip of that.
        distortion: A kind, ``pristine`` or ``mixed``.
        level: 1 to 5, or 0 for pristine.
        treatment: What is done to it: kinds and their levels, in the order in which it is done.
    """

    source: PristineSource
    take: int
    distortion: str
    level: int
    treatment: tuple[tuple[str, int], ...]

    @property
    def name(self) -> str:
        """The path of the clip, relative to the folder of clips."""
        return _name(self.source, self.take, self.distortion, self.level)

    def row(self, root: Path) -> Row:
        """Convert the clip to a rated row."""
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


class Synthetic(GeneratedFolder):
    """Rated clips, made of pristine photos and videos; those of an earlier run are used as they are.

    A source gives pristine clips (:func:`datasets.generated.sources.film`), and each of these distorted ones: of single
    kinds (:data:`datasets.generated.distortions.KINDS`) at five levels, and mixtures of two or three. The rating
    follows from what was done alone (:func:`datasets.generated.pseudo_mos.rate`): with every level of one kind the MOS
    of a content falls, and the score of that kind's branch with it. Clips are H.264 at CRF 12; what is in one follows
    from the seed, the source, distortion and level, so that further clips of a content leave those that are there
    alone.

    Beside the clips lie ``ratings.csv`` (path, mos and the extras of all clips of the folder, for ``data=table``) and
    ``sources.json`` (what was thought of each source, so that it is looked at once).

    The extras of a row: ``content`` (the source), ``reference`` (name of the pristine clip that it was made of),
    ``distortion``, ``level``, ``treatment`` (``blur:2+noise:4``), ``split`` (train, validation or test, the same for
    all clips of a source), the scores ``semantic``, ``technical`` and ``aesthetic``, of 1 to 5 as the MOS, and of every
    kind its level in the clip (``level_blur``), 0 where it is not.

    Args:
        sources: One or several folders (or files, or globs) of photos and videos.
        folder: Where the clips are, or will be.
        split: train, validation, test, or all, or several of them.
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
        split: str | Sequence[str] = "train",
        per_content: int | None = 25,
        takes: int = 2,
        seconds: float = 1.5,
        kinds: Sequence[str] | None = None,
        contents: int | None = None,
        seed: int = 0,
        workers: int | None = None,
    ) -> None:
        check(split, per_content=per_content, takes=takes, contents=contents, workers=workers)
        if not 0.2 <= seconds <= 60:
            raise UsageError(f"data.seconds={seconds}: a clip lasts from 0.2 to 60 s")
        self.root = Path(folder)
        making = Making(self.root, workers)
        kinds_chosen = _kinds(kinds)
        files = source_files(sources, self.root)
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            # Of several processes (ranks of a training) one makes the clips, and the others find them.
            with FileLock(self.root / FOLDER_LOCK):
                making.check_recipe({"format": _FORMAT, "seed": seed, "seconds": seconds})
                chosen = making.survey(files, split)[:contents]
                clips = [
                    clip
                    for source in chosen
                    for take in range(min(takes, source.takes(seconds) or takes))
                    for clip in plan(source, take, kinds_chosen, per_content, seed)
                ]
                chunks = in_chunks([clip for clip in clips if not (self.root / clip.name).exists()])
                making.make("clips", make_clip, [(self.root, chunk, seconds, seed) for chunk in chunks], len(clips))
                self._rows = [clip.row(self.root) for clip in clips if (self.root / clip.name).exists()]
                if not self._rows:
                    raise UsageError(f"data.sources: no clip could be made of {', '.join(s.name for s in chosen[:3])}")
                making.write_ratings(self._rows)
        except OSError as error:
            raise UsageError(f"data.folder={folder}: {error.strerror or error}") from error


def in_chunks(clips: Sequence[Clip]) -> list[list[Clip]]:
    """Divides clips among calls of :func:`make_clip`: those of one pristine clip together, a few at a time."""
    chunks: list[list[Clip]] = []
    for clip in clips:
        last = chunks[-1] if chunks else []
        if not last or len(last) == _CHUNK or (last[0].source.name, last[0].take) != (clip.source.name, clip.take):
            chunks.append(last := [])
        last.append(clip)
    return chunks


def plan(source: PristineSource, take: int, kinds: Sequence[str], per_content: int | None, seed: int) -> list[Clip]:
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


def mixtures(source: PristineSource, take: int, seed: int) -> list[tuple[tuple[str, int], ...]]:
    """Five mixtures of two or three kinds at random levels, of falling MOS."""
    rng = generator(seed, source.name, take, MIXED)
    names = [name for name, kind in KINDS.items() if kind.available]
    by_level: dict[float, tuple[tuple[str, int], ...]] = {}
    while len(by_level) < len(LEVELS):
        chosen = set(rng.choice(names, int(rng.integers(2, 4)), replace=False).tolist())
        mix = tuple((name, int(rng.integers(1, 6))) for name in names if name in chosen)
        by_level.setdefault(rate((KINDS[kind].branch, level) for kind, level in mix).mos, mix)
    return [mix for _, mix in sorted(by_level.items(), reverse=True)]


def make_clip(folder: Path, clips: Sequence[Clip], seconds: float, seed: int) -> int:
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
def _pristine(source: PristineSource, take: int, seconds: float, seed: int) -> tuple[np.ndarray, Fraction]:
    frames, fps = film(source, take, seconds, seed)
    frames.setflags(write=False)
    return frames, fps


def _name(source: PristineSource, take: int, distortion: str, level: int) -> str:
    return f"{source.content}/{take}-{distortion}{f'-{level}' if level else ''}.mp4"


def _kinds(names: Sequence[str] | None) -> list[str]:
    """The kinds to make, those that this installation cannot make left out unless they were asked for."""
    if not has_encoder(STORE_ENCODER):
        raise UsageError(f"data: the installed PyAV has no encoder {STORE_ENCODER}, with which clips are written")
    known = [*KINDS, MIXED]
    if unknown := [name for name in names or () if name not in known]:
        raise UsageError(f"data.kinds: no {unknown[0]}; it takes {', '.join(known)}")
    if absent := [name for name in names or known if name in KINDS and not KINDS[name].available]:
        needed = ", ".join(f"{name} ({' and '.join(KINDS[name].encoders)})" for name in absent)
        if names is not None:
            raise UsageError(f"data.kinds: the installed PyAV lacks encoders for {needed}; leave these kinds out")
        log.warning("left out, because the installed PyAV lacks their encoders: %s", needed)
    return [name for name in names or known if name not in absent]
