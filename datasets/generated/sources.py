"""Pristine photos and videos: which of them will do, and the clips that a camera could have taken of them."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from cover.video import decode, probe

SPLITS = {"train": 0.7, "validation": 0.15, "test": 0.15}  # shares of the source files
_SHORT_SIDE = 352  # px that a source must have; CIF is still too small
_RATES = (20.0, 62.0)  # frames per second of a source video
_SHORTEST = 0.6  # s of a clip, where a source video is no longer
_WORK_SIDE = 1280  # px of the long side at which detail is measured
_BLOCK = 32
_DETAIL = 2.0  # deviation of a block that counts as detailed, 8-bit values after a Laplacian of Gaussian
_DETAILED = 0.2  # share of such blocks that a source must have
_STILL = 0.25  # mean difference of 8-bit values, 0.2 s apart, below which a video counts as a still picture
_THUMB = 24  # px in height
_ALIKE, _ALIKE_EDGES = 0.92, 0.6  # correlations of brightness and of edges above which two sources are one picture

# Sizes of the clips of photos, in landscape, and how often they are drawn.
_SIZES = {(640, 360): 4, (640, 480): 2, (854, 480): 4, (960, 540): 4, (1280, 720): 4, (1920, 1080): 1, (540, 540): 1}
_PORTRAIT = 0.3
_PHOTO_RATES = (24, 25, 30)


@dataclass(frozen=True)
class PristineSource:
    """A pristine file.

    Attributes:
        path: Where it is.
        name: Folder and path within it, the same wherever the folder is moved to.
        bytes: Its size.
        photo: Whether it is a still image.
        width: In px, as shown.
        height: In px, as shown.
        frames: How many there are.
        fps: Frames per second; 0 for a photo.
        flaw: Why it will not do; empty where it will.
        thumb: Brightness of a small copy, uint8 (24, w), to find copies by.
    """

    path: Path
    name: str
    bytes: int
    photo: bool
    width: int
    height: int
    frames: int
    fps: float
    flaw: str
    thumb: np.ndarray = field(compare=False, repr=False)

    @property
    def content(self) -> str:
        """The name in the clips' names: its own, and a hash that separates it from its namesakes."""
        stem = "".join(c if c.isascii() and c.isalnum() else "-" for c in self.path.stem)[:40].strip("-").lower()
        digest = hashlib.sha256(f"{self.name}\0{self.bytes}".encode("utf-8", "surrogateescape")).hexdigest()
        return f"{stem or 'source'}-{digest[:8]}"

    @property
    def split(self) -> str:
        """The split that all clips of this file belong to, by a hash of its name alone."""
        place = generator(self.name, "split").random()
        for name, share in SPLITS.items():
            place -= share
            if place < 0:
                return name
        return "test"

    def takes(self, seconds: float) -> int | None:
        """The number of clips of a length it is good for; None where there is no end to them."""
        return None if self.photo else max(1, int(self.frames / (self.fps * seconds)))


def generator(*parts: object) -> np.random.Generator:
    """A random generator that depends on nothing but its arguments."""
    text = "\0".join(map(str, parts)).encode("utf-8", "surrogateescape")
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text).digest()[:16], "big"))


def survey(path: Path, name: str) -> PristineSource:
    """Looks at a file: its size, and whether it has the detail that distortions can take away.

    Wallpapers are often gradients, on which no blur and hardly any codec shows; a source needs enough blocks of 32x32
    px that a Laplacian of Gaussian (sigma 1 px, blind to noise of single pixels) finds structure in, at a width of
    1280 px.

    Raises:
        VideoError: It cannot be read.
    """
    info = probe(path)
    fps = 0.0 if info.image else float(info.fps or 0)
    numbers = [0] if info.image else [info.frames // 2, min(info.frames - 1, info.frames // 2 + max(1, round(fps / 5)))]
    pictures = [_grey(frame) for _, frame in decode(path, numbers, threads=1)]
    work = _at_side(pictures[0], _WORK_SIDE)
    flaw = ""
    if min(info.width, info.height) < _SHORT_SIDE:
        flaw = f"smaller than {_SHORT_SIDE} px"
    elif not info.image and not _RATES[0] <= fps <= _RATES[1]:
        flaw = f"not of {_RATES[0]:g} to {_RATES[1]:g} frames per second"
    elif not info.image and info.frames < _SHORTEST * fps:
        flaw = f"shorter than {_SHORTEST:g} s"
    elif (_detail(work) > _DETAIL).mean() < _DETAILED:
        flaw = "too smooth"
    elif _has_bars(pictures[0]):
        flaw = "with black bars"
    elif not info.image and _change(pictures) < _STILL:
        flaw = "without motion"
    thumb = work.resize((max(4, round(_THUMB * work.width / work.height)), _THUMB), Image.Resampling.BOX)
    size = path.stat().st_size
    return PristineSource(
        path, name, size, info.image, info.width, info.height, info.frames, fps, flaw, np.asarray(thumb).copy()
    )


def without_copies(new: Sequence[PristineSource], earlier: Sequence[PristineSource] = ()) -> list[PristineSource]:
    """Finds pictures that are there twice: in other sizes, other colours, or as a part of the full height.

    With one in training and one in the test, the test would know the content. Of several the largest stays, or the
    first in the alphabet.

    Args:
        new: What to look through.
        earlier: Sources that stay whatever comes.

    Returns:
        The new ones, with a flaw where they show what another one shows.
    """
    good = [source for source in earlier if not source.flaw]
    marked = [source for source in new if source.flaw]
    for source in sorted(new, key=lambda item: (-item.width * item.height, item.name)):
        if source.flaw:
            continue
        copied = any(_alike(source.thumb, other.thumb) for other in good)
        (marked if copied else good).append(replace(source, flaw="copies of others") if copied else source)
    return [*good[sum(not source.flaw for source in earlier) :], *marked]


def film(source: PristineSource, take: int, seconds: float, seed: int) -> tuple[np.ndarray, Fraction]:
    """A pristine clip of a source.

    Of a photo: a camera pans over it and zooms a little, in a hand that is nearly steady; the picture is sampled again
    at or below its own resolution, never above. Of a video: an excerpt as it is, of every second frame where there are
    more than 31 per second, reduced to a short side of 1080 px where that is larger.

    Args:
        source: What to take it of.
        take: Which one of it, below ``source.takes(seconds)``.
        seconds: Its length.
        seed: Of size, path and stretch.

    Returns:
        RGB, uint8 (T, H, W, 3) of even height and width, and frames per second.

    Raises:
        VideoError: The source cannot be read any more.
    """
    rng = generator(seed, source.name, take)
    if source.photo:
        rate = Fraction(int(rng.choice(_PHOTO_RATES)))
        return _pan(source.path, max(2, round(seconds * rate)), rng), rate
    step = 2 if source.fps > 31 else 1
    rate = Fraction(source.fps / step).limit_denominator(1001)
    count = max(2, min(round(seconds * rate), source.frames // step))
    room = source.frames - count * step
    stretches = source.takes(seconds) or 1
    stretch = generator(seed, source.name).permutation(stretches)[take]
    start = int((stretch + rng.random()) / stretches * (room + 1))
    numbers = range(start, start + count * step, step)
    return np.stack([_tidy(frame) for _, frame in decode(source.path, numbers, threads=1)]), rate


def _pan(path: Path, count: int, rng: np.random.Generator) -> np.ndarray:
    """``count`` frames of a camera that moves over a photo."""
    ((_, picture),) = decode(path, [0])
    image = Image.fromarray(picture)
    sizes = [size for size in _shapes(rng) if 1.1 * size[0] <= image.width and 1.1 * size[1] <= image.height]
    short = int(min(image.size) / 1.1)
    width, height = sizes[0] if sizes else (short // 2 * 2, short // 2 * 2)
    widest = min(image.width / width, image.height / height)  # px of the photo a px of the clip, at most
    scales = rng.uniform(max(1.0, 0.5 * widest), max(1.0, 0.85 * widest)) * np.array([1.0, rng.uniform(0.88, 1.12)])
    scales = np.clip(scales, 1.0, 0.95 * widest)
    # Only now so small that the narrowest window has as many px as the clip: a small photo is quicker to sample.
    factor = 1 / scales.min()
    if factor < 1:
        image = image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.LANCZOS)
        scales = scales * factor
    span = np.stack([width * scales, height * scales], axis=1)  # of the first and the last window
    room = np.maximum(np.array(image.size) - span, 0)
    ends = _choose_path(image, span, room, count / 25, rng)
    times = np.linspace(0, 1, count)[:, None]
    if rng.random() < 0.5:
        times = times * times * (3 - 2 * times)  # sets off and stops softly
    shake = ndimage.gaussian_filter1d(rng.standard_normal((count, 2)), 2.5, axis=0) * 0.002 * height
    spans = span[0] + (span[1] - span[0]) * times
    corners = np.clip(ends[0] + (ends[1] - ends[0]) * times + shake, 0, np.maximum(np.array(image.size) - spans, 0))
    frames = np.empty((count, height, width, 3), dtype=np.uint8)
    for number, ((left, top), (wide, tall)) in enumerate(zip(corners, spans, strict=True)):
        box = (left, top, min(left + wide, image.width), min(top + tall, image.height))
        frames[number] = np.asarray(image.resize((width, height), Image.Resampling.LANCZOS, box=box))
    return frames


def _shapes(rng: np.random.Generator) -> Iterator[tuple[int, int]]:
    """Sizes to try, one after the other, portrait or landscape."""
    sizes = list(_SIZES)
    weights = np.array(list(_SIZES.values()), dtype=np.float64)
    order = rng.choice(len(sizes), len(sizes), replace=False, p=weights / weights.sum())
    portrait = rng.random() < _PORTRAIT
    for place in order:
        width, height = sizes[place]
        yield (height, width) if portrait else (width, height)


def _choose_path(
    image: Image.Image, span: np.ndarray, room: np.ndarray, seconds: float, rng: np.random.Generator
) -> np.ndarray:
    """First and last place of a window's left top corner, (2, 2) in px: of some that move enough the most detailed."""
    detail = _detail(image.convert("L")) > _DETAIL
    best, best_score = np.zeros((2, 2)), -1.0
    for ends in rng.uniform(0, 1, (24, 2, 2)) * room:
        speed = np.abs(ends[1] - ends[0]).max() / span[0].max() / seconds
        # Windows a second: slower hardly shows that frames are dropped, faster would blur in a real camera.
        moving = min(1.0, speed / 0.04) * min(1.0, 0.25 / max(speed, 1e-6))
        sharp = np.mean([_share(detail, corner, size) for corner, size in zip(ends, span, strict=True)])
        if (score := moving * (0.1 + sharp)) > best_score:
            best, best_score = ends, score
    return best


def _share(detail: np.ndarray, corner: np.ndarray, size: np.ndarray) -> float:
    (left, top), (right, bottom) = corner // _BLOCK, -(-(corner + size) // _BLOCK)
    window = detail[int(top) : int(bottom), int(left) : int(right)]
    return float(window.mean()) if window.size else 0.0


def _detail(grey: Image.Image) -> np.ndarray:
    """Deviation of the Laplacian of Gaussian within each block of 32x32 px."""
    values = ndimage.gaussian_laplace(np.asarray(grey, dtype=np.float32), 1.0)
    rows, columns = (max(1, size // _BLOCK) for size in values.shape)
    tiles = values[: rows * _BLOCK, : columns * _BLOCK]
    return tiles.reshape(rows, tiles.shape[0] // rows, columns, tiles.shape[1] // columns).std(axis=(1, 3))


def _alike(first: np.ndarray, second: np.ndarray) -> bool:
    """Return whether two thumbnails show the same; edges find it in other colours too."""
    if _likeness(first.astype(np.float64), second.astype(np.float64)) > _ALIKE:
        return True
    return _likeness(_edges(first), _edges(second)) > _ALIKE_EDGES


def _edges(thumb: np.ndarray) -> np.ndarray:
    values = thumb.astype(np.float64)
    return np.hypot(ndimage.sobel(values, 0), ndimage.sobel(values, 1))[1:-1, 1:-1]


def _likeness(first: np.ndarray, second: np.ndarray) -> float:
    """Correlation of two pictures of one height, the narrower at its best place in the wider."""
    narrow, wide = sorted((first, second), key=lambda picture: picture.shape[1])
    windows = np.lib.stride_tricks.sliding_window_view(wide, narrow.shape).reshape(-1, narrow.size)
    narrow = narrow.ravel() - narrow.mean()
    windows = windows - windows.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(windows, axis=1) * np.linalg.norm(narrow)
    return float(np.max(windows @ narrow / np.maximum(norms, 1e-6)))


def _has_bars(picture: Image.Image) -> bool:
    values = np.asarray(picture, dtype=np.float32)
    rows, columns = (max(1, size // 50) for size in values.shape)
    sides = values[:rows], values[-rows:], values[:, :columns], values[:, -columns:]
    return any(side.mean() < 24 and side.std() < 3 for side in sides)


def _change(pictures: Sequence[Image.Image]) -> float:
    first, last = (np.asarray(pictures[place], dtype=np.float32) for place in (0, -1))
    return float(np.abs(last - first).mean())


def _grey(frame: np.ndarray) -> Image.Image:
    return Image.fromarray(frame).convert("L")


def _at_side(image: Image.Image, side: int) -> Image.Image:
    factor = side / max(image.size)
    if factor >= 1:
        return image
    return image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.LANCZOS)


def _tidy(frame: np.ndarray) -> np.ndarray:
    height, width = frame.shape[:2]
    if min(height, width) > 1080:
        factor = 1080 / min(height, width)
        size = round(width * factor), round(height * factor)
        frame = np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS))
        height, width = frame.shape[:2]
    return frame[: height // 2 * 2, : width // 2 * 2]
