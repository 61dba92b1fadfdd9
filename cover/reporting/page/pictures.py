"""Pictures of a report: thumbnails, filmstrips and maps, inside the page as long as there is room, else beside it."""

import base64
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import numpy as np
from PIL import Image

from cover.files import write_bytes
from cover.reporting.page.moments import rows_on_axis
from cover.results.evidence import Evidence, as_webp

MAPPED = ("technical", "aesthetic")
"""Branches whose maps tell places of a frame apart."""

_LARGEST, _QUALITY = (128, 72), 35  # of a thumbnail: px, and of WebP; about 1 KB


@dataclass
class Shelf:
    """Room for pictures: so many bytes inside the page, then files in a folder beside it.

    Args:
        folder: Of the files, made when the first is written.
        room: Bytes of base64 that the page has room for.
    """

    folder: Path
    room: int
    inside: dict[str, dict[int, str]] = field(default_factory=dict)
    beside: dict[str, list[int]] = field(default_factory=dict)

    def put(self, kind: str, number: int, data: bytes, suffix: str) -> None:
        """Keep a picture of a video.

        Args:
            kind: ``thumbs``, ``maps`` or ``strips``.
            number: Of the video in the page.
            data: The picture's file.
            suffix: What its file is called by, such as ``.webp``.
        """
        text = base64.b64encode(data).decode()
        if len(text) <= self.room:
            self.room -= len(text)
            self.inside.setdefault(kind, {})[number] = text
        else:
            self.beside.setdefault(kind, []).append(number)
            write_bytes(self.folder / f"{number}.{kind}{suffix}", data)


@dataclass(frozen=True)
class Scale:
    """The range that colours, or steps of a curve, stand for.

    Attributes:
        low: Shown by 0.
        high: Shown by 255.
    """

    low: float
    high: float

    def steps(self, values: np.ndarray) -> np.ndarray:
        """Map values to 0..255, uint8; what is beyond the range is at its end."""
        share = (values - self.low) / max(self.high - self.low, 1e-9)
        return np.round(255 * np.clip(share, 0, 1)).astype(np.uint8)


def map_scale(evidence: Iterable[Evidence]) -> Scale:
    """Choose one range for the maps of all videos: 1st to 99th percentile of their cells, of a histogram.

    Args:
        evidence: Of the videos, one at a time.
    """
    edges = np.linspace(-20, 20, 8001)
    counts = np.zeros(len(edges) - 1, dtype=np.int64)
    for video in evidence:
        for branch in MAPPED:
            counts += np.histogram(np.clip(video.maps[branch], -20, 20), edges)[0]
    if not counts.any():
        return Scale(0.0, 1.0)
    share = np.cumsum(counts) / counts.sum()
    low, high = (float(edges[np.searchsorted(share, end)]) for end in (0.01, 0.99))
    return Scale(low, high + float(edges[1] - edges[0]))


def map_sprite(evidence: Evidence, scale: Scale) -> bytes:
    """Draw the maps of a video as one grey PNG: a row of tiles for each moment, technical left, aesthetic right.

    A pixel is a cell, from black at the low end of the scale to white at the high one; the page colours it.
    """
    count = len(evidence.times["aesthetic"])
    tiles = [scale.steps(rows_on_axis(evidence.maps[branch], count)) for branch in MAPPED]
    grey = np.concatenate([tile.reshape(-1, tile.shape[2]) for tile in tiles], axis=1)
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "PNG", optimize=True)
    return file.getvalue()


def worst_cells(evidence: Evidence) -> str:
    """Number the lowest cell of each moment's map, in reading order: uint16, a branch after the other, base64."""
    count = len(evidence.times["aesthetic"])
    lowest = [rows_on_axis(evidence.maps[branch], count).reshape(count, -1).argmin(1) for branch in MAPPED]
    return base64.b64encode(np.concatenate(lowest).astype("<u2").tobytes()).decode()


def thumbnail(evidence: Evidence, row: int) -> bytes | None:
    """Encode the small picture of one moment by itself; None where there are no pictures."""
    pictures = evidence.pictures()
    if not pictures:
        return None
    picture = pictures[min(row, len(pictures) - 1)]
    picture.thumbnail(_LARGEST)
    return as_webp(picture, _QUALITY)


def middle_picture(evidence: Evidence) -> bytes | None:
    """Encode the small picture of the middle moment; None where there are no pictures."""
    return thumbnail(evidence, len(evidence.times["aesthetic"]) // 2)


def by_weight(overall: Sequence[float], sample: int) -> Iterator[int]:
    """Order videos by how likely somebody looks at them: worst and best in turns, a random sample among them.

    Args:
        overall: Score of each video.
        sample: One of so many is taken at random.
    """
    order = np.argsort(np.asarray(overall), kind="stable")
    ends = np.stack([order, order[::-1]], axis=1).ravel()[: len(order)].tolist()
    turns = [iter(ends)] * (sample - 1) + [iter(np.random.default_rng(0).permutation(len(order)).tolist())]
    given: set[int] = set()
    for numbers in cycle(turns):
        if len(given) == len(order):
            return
        number = next((number for number in numbers if number not in given), None)
        if number is not None:
            given.add(number)
            yield number


def packed_curves(times: np.ndarray, curves: Mapping[str, np.ndarray], scales: Mapping[str, Scale]) -> str:
    """Pack a video's curves: its times as uint16 shares of the last, then each curve as uint8, all base64.

    Args:
        times: (n,) ascending seconds.
        curves: Name -> (n,).
        scales: Name -> its range, in the order in which curves are packed.
    """
    last = float(times[-1]) if len(times) and np.isfinite(times[-1]) else 0.0
    share = np.nan_to_num(times) / last if last > 0 else np.linspace(0, 1, len(times))
    parts = [np.round(65535 * share).astype("<u2").tobytes()]
    parts += [scale.steps(curves[name]).tobytes() for name, scale in scales.items()]
    return base64.b64encode(b"".join(parts)).decode()
