"""Stills of pristine photos as streams, cameras and lenses leave them, rated by VMAF: to train a technical branch.

Where :class:`datasets.generated.Synthetic` makes clips with every kind of distortion at known levels, this makes many
single pictures with what codecs and scaling do in all combinations, which is what most videos suffer from.
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock
from PIL import Image
from scipy import ndimage
from scipy.stats import rankdata

from cover.errors import UsageError
from cover.files import write_bytes, write_rows
from cover.rows import Row
from cover.video import decode

from .clips import PRISTINE
from .codecs import transcode
from .distortions import KINDS, even
from .folder import FOLDER_LOCK, GeneratedFolder, Making, check, source_files
from .sources import PristineSource, generator
from .vmaf import ffmpeg, vmaf

_FORMAT = 1  # raised when the same options would make other stills
_SIZES = {(960, 540): 5, (640, 480): 2, (640, 360): 2, (512, 512): 1, (426, 240): 1}  # and how often they are drawn
_SHORT_SIDE = 480  # px that a source must have
_RUNGS = (1, 1, 0.75, 0.6, 0.5, 0.4, 0.33, 0.25, 0.2, 0.15)  # sizes that streams are coded at
_KERNELS = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
_PAN = 3  # frames before the still, in streams that predict it
_MOST = 6  # px that a pan moves a frame

Degradation = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""Takes the frames of a short pan, uint8 (T, H, W, 3), and what draws strengths; returns the last one, (H, W, 3)."""


def _stream(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """H.264 or H.265 at one of many sizes and qualities, as a picture by itself or predicted from those before it."""
    factor = float(rng.choice(_RUNGS))
    encoder = str(rng.choice(("libx264", "libx265", "libx265")))
    quality = rng.uniform(18, 46 if factor > 0.5 else 40)
    frames = frames[-1:] if rng.random() < 0.5 else frames
    height, width = frames.shape[1:3]
    small = max(32, even(width * factor)), max(32, even(height * factor))
    if factor < 1:
        frames = np.stack([_resized(frame, small, rng.choice(_KERNELS[1:])) for frame in frames])
    coded = transcode(frames, encoder, quality)[-1]
    return coded if factor == 1 else _resized(coded, (width, height), rng.choice(_KERNELS))


def _scaled(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return KINDS["scaling"].apply(frames[-1:], _between(rng, 1.4, 6), rng)[0]


def _jpeg(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    file = io.BytesIO()
    quality, subsampling = int(_between(rng, 6, 92)), int(rng.integers(3))
    Image.fromarray(frames[-1]).save(file, "JPEG", quality=quality, subsampling=subsampling)
    return np.asarray(Image.open(file))


def _noisy(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return KINDS["noise"].apply(frames[-1:], _between(rng, 3, 50), rng)[0]


def _at_a_level(*names: str) -> Degradation:
    """One of some kinds of distortion, at any of its five levels."""

    def change(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        kind = KINDS[str(rng.choice(names))]
        return kind(frames[-1:], int(rng.integers(1, 6)), rng)[0]

    return change


def _spoilt_before(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise or blur of the camera, then a stream."""
    if rng.random() < 0.5:
        return _stream(KINDS["noise"].apply(frames[-1:], _between(rng, 3, 25), rng), rng)
    kind = KINDS[str(rng.choice(("blur", "defocus", "motion_blur")))]
    return _stream(kind(frames[-1:], int(rng.integers(1, 4)), rng), rng)


# What is done, and to how many stills of each pristine one.
CHANGES: Mapping[str, tuple[Degradation, int]] = {
    "stream": (_stream, 13),
    "scaling": (_scaled, 3),
    "jpeg": (_jpeg, 3),
    "blur": (_at_a_level("blur"), 1),
    "defocus": (_at_a_level("defocus"), 1),
    "motion_blur": (_at_a_level("motion_blur"), 1),
    "noise": (_noisy, 3),
    "vp9": (_at_a_level("vp9"), 1),
    "mpeg": (_at_a_level("mpeg"), 1),
    "banding": (_at_a_level("banding"), 1),
    "mixed": (_spoilt_before, 2),
}
_ORDER = [name for name, (_, count) in CHANGES.items() for _ in range(count)]


@dataclass(frozen=True)
class Window:
    """A pristine still, and thus its versions.

    Attributes:
        source: What it shows.
        take: Which window of that.
    """

    source: PristineSource
    take: int

    @property
    def table(self) -> str:
        """The path of its list of stills, relative to their folder; where it is, all are there."""
        return f"{self.source.content}/{self.take}.csv"


class Stills(GeneratedFolder):
    """Rated stills, made of pristine photos; those of an earlier run are used as they are.

    A photo gives up to ``takes`` windows of some hundred px: the first as its pixels are, so that large photos show
    what a frame of that size does, the others reduced. Of each window come a pristine still and 30 others
    (:data:`CHANGES`): half of them H.264 or H.265 at 0.15 to 1 times the size.

    The MOS is the rank of a still's VMAF among those that are given, from 1 to 5: VMAF bunches at its ends, where
    people still see differences, and a rank is learnt a little better.

    Beside the stills lies ``ratings.csv`` (path, mos and extras, for ``data=table``), ranked among all in the folder.
    The extras of a row: ``content``, ``reference`` (its pristine still), ``distortion``, ``vmaf`` and ``split``, as
    those of :class:`datasets.generated.Synthetic` of the same sources.

    Args:
        sources: One or several folders (or files, or globs) of photos; of videos, the middle frame.
        folder: Where the stills are, or will be.
        split: train, validation, test, or all, or several of them.
        takes: Windows of each source at most; one of 480 to 800 px gives one, up to 1600 px two.
        contents: How many sources to use at most; None: all.
        seed: Of everything that is drawn, but the split.
        workers: Processes that make stills; None: one a CPU core.

    Attributes:
        root: The folder of the stills.

    Raises:
        UsageError: An option is wrong, there is no usable source or no FFmpeg with VMAF, the folder holds something
            else, or the stills cannot be written.
    """

    def __init__(
        self,
        sources: str | Path | Sequence[str | Path] | None,
        folder: str | Path,
        split: str | Sequence[str] = "train",
        takes: int = 3,
        contents: int | None = None,
        seed: int = 0,
        workers: int | None = None,
    ) -> None:
        check(split, takes=takes, contents=contents, workers=workers)
        self.root = Path(folder)
        files = source_files(sources, self.root)
        making = Making(self.root, workers)
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with FileLock(self.root / FOLDER_LOCK):
                making.check_recipe({"stills": _FORMAT, "seed": seed})
                usable = [s for s in making.survey(files, split) if min(s.width, s.height) >= _SHORT_SIDE]
                windows = [Window(s, take) for s in usable[:contents] for take in range(min(takes, _takes(s)))]
                missing = [window for window in windows if not (self.root / window.table).exists()]
                if missing:
                    ffmpeg()  # missed here, before anything is made
                making.make(
                    "windows of stills", make_stills, [(self.root, [window], seed) for window in missing], len(windows)
                )
                lines = [line for window in windows for line in _listed(self.root / window.table)]
                if not lines:
                    raise UsageError(f"data.sources: no still could be made (a source needs {_SHORT_SIDE} px)")
                self._rows = _rows(self.root, lines)
                tables = sorted(self.root.glob("*/*.csv"))
                making.write_ratings(_rows(self.root, [line for table in tables for line in _listed(table)]))
        except OSError as error:
            raise UsageError(f"data.folder={folder}: {error.strerror or error}") from error


def make_stills(folder: Path, windows: Sequence[Window], seed: int) -> int:
    """Writes the stills of some windows; the list of a window's stills comes last.

    Args:
        folder: Where they go.
        windows: The windows.
        seed: Of what is drawn.

    Returns:
        Bytes written.

    Raises:
        VideoError: The source cannot be read.
        UsageError: There is no VMAF, or a still cannot be written.
    """
    size = 0
    for window in windows:
        source, take = window.source, window.take
        frames = pan(source, generator(seed, source.name, take, "window"), native=take == 0)
        pristine = frames[-1]
        stills = {PRISTINE: pristine}
        for number, name in enumerate(_ORDER):
            rng = generator(seed, source.name, take, name, number)
            stills[f"{number:02}-{name}"] = CHANGES[name][0](frames, rng)
        figures = vmaf(pristine, list(stills.values()))
        lines = []
        for (name, still), figure in zip(stills.items(), figures, strict=True):
            file = io.BytesIO()
            Image.fromarray(still).save(file, "PNG", compress_level=1)
            path = f"{source.content}/{take}-{name}.png"
            write_bytes(folder / path, file.getvalue())
            size += len(file.getvalue())
            lines.append([path, source.content, take, name.partition("-")[2] or name, f"{figure:.3f}", source.split])
        write_rows(folder / window.table, _COLUMNS, lines)
    return size


def pan(source: PristineSource, rng: np.random.Generator, *, native: bool) -> np.ndarray:
    """Cuts a window out of a photo, and those that a camera on its way there saw before.

    Args:
        source: The photo, or a video, whose middle frame is taken.
        rng: Draws size, scale, place and way.
        native: Whether a px of the window is one of the photo; else it is of one to as many as fit.

    Returns:
        RGB, uint8 (T, H, W, 3) of even height and width; the last is the window.

    Raises:
        VideoError: The source cannot be read.
    """
    ((_, picture),) = decode(source.path, [0 if source.photo else source.frames // 2], threads=1)
    image = Image.fromarray(picture)
    sizes = list(_SIZES)
    weights = np.array(list(_SIZES.values())) / sum(_SIZES.values())
    width, height = sizes[int(rng.choice(len(sizes), p=weights))]
    if image.height > image.width:
        width, height = height, width
    width, height = min(width, even(image.width)), min(height, even(image.height))
    widest = min(image.width / width, image.height / height)
    scale = 1.0 if native else float(np.exp(rng.uniform(0, np.log(widest))))
    span = np.array([round(width * scale), round(height * scale)])
    room = np.array(image.size) - span
    detail = np.abs(ndimage.gaussian_laplace(np.asarray(image.convert("L").reduce(4), np.float32), 1.0))
    places = [np.floor(rng.uniform(0, 1, 2) * (room + 1)).astype(int) for _ in range(6)]
    corner = max(places, key=lambda place: _mean(detail, place // 4, span // 4))
    moves = rng.integers(-_MOST, _MOST + 1, 2) * scale
    frames = []
    for back in range(_PAN, -1, -1):
        left, top = np.clip(np.rint(corner - back * moves), 0, room).astype(int).tolist()
        part = image.crop((left, top, left + int(span[0]), top + int(span[1])))
        frames.append(np.asarray(part if scale == 1 else part.resize((width, height), Image.Resampling.LANCZOS)))
    return np.stack(frames)


_COLUMNS = ("path", "content", "take", "distortion", "vmaf", "split")


def _takes(source: PristineSource) -> int:
    side = min(source.width, source.height)
    return 1 if side < 800 else 2 if side < 1600 else 3


def _listed(table: Path) -> list[dict[str, str]]:
    if not table.exists():
        return []
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _rows(root: Path, lines: Sequence[Mapping[str, str]]) -> list[Row]:
    figures = [float(line["vmaf"]) for line in lines]
    ranks = rankdata(figures) / len(figures)
    return [
        Row(
            root / line["path"],
            line["path"],
            1 + 4 * float(rank),
            {
                "content": line["content"],
                "reference": f"{line['content']}/{line['take']}-{PRISTINE}.png",
                "distortion": line["distortion"],
                "vmaf": figure,
                "split": line["split"],
            },
        )
        for line, figure, rank in zip(lines, figures, ranks, strict=True)
    ]


def _mean(values: np.ndarray, corner: np.ndarray, span: np.ndarray) -> float:
    window = values[corner[1] : corner[1] + span[1], corner[0] : corner[0] + span[0]]
    return float(window.mean()) if window.size else 0.0


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    """Draws a number whose logarithm is evenly spread."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _resized(frame: np.ndarray, size: tuple[int, int], kernel: Image.Resampling) -> np.ndarray:
    return np.asarray(Image.fromarray(frame).resize(size, kernel))
