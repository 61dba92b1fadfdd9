"""Evidence of scores: each video's score maps with small pictures of the frames that were looked at.

``evidence.jsonl`` in a results folder has a line a video, so that processes may share the file and a kill costs a line
at most; of several lines of one video the last one counts. Readers take one video at a time. A results folder may come
from somebody else: a line that is not as it is written here counts as no evidence, and only WebP is decoded.
"""

import base64
import hashlib
import io
import json
import math
import zlib
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cover.files import is_plain_file
from cover.results.names import EVIDENCE, FILENAME
from cover.scores import BRANCHES

_HALF = 65_504.0  # the largest number in half precision
_HIGHEST = 16_000  # px, of a WebP file
_LARGEST = 10_000_000  # values of a map, or px of a small picture


@dataclass(frozen=True)
class Evidence:
    """The maps, times and pictures behind a score.

    Attributes:
        maps: Branch -> score map, float32 (T', h, w), as kept: to half precision.
        times: Branch -> float64 (T',), seconds after the first frame; NaN where unknown.
        frames: Branch -> int64 (T',), the first frame that each row of the map has seen.
        strip: WebP of small pictures one below the other, one for each row of the aesthetic map; empty without any.
        size: Width and height of one of them, px.
    """

    maps: Mapping[str, np.ndarray]
    times: Mapping[str, np.ndarray]
    frames: Mapping[str, np.ndarray]
    strip: bytes
    size: tuple[int, int]

    def pictures(self) -> list[Image.Image]:
        """Decode the small pictures; none if they are damaged."""
        if not self.strip:
            return []
        try:
            strip = Image.open(io.BytesIO(self.strip), formats=("WEBP",)).convert("RGB")
        except (OSError, ValueError):
            return []
        width, height = self.size
        return [strip.crop((0, top, width, top + height)) for top in range(0, strip.height, height)]


def as_webp(picture: Image.Image, quality: int = 45) -> bytes:
    """Encode a small picture as WebP, of a quality from 0 to 100."""
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=quality, method=2)
    return file.getvalue()


def evidence_line(
    name: str,
    maps: Mapping[str, np.ndarray],
    times: Mapping[str, np.ndarray],
    frames: Mapping[str, np.ndarray],
    thumbnails: np.ndarray | None,
) -> str:
    """Pack the evidence of a video into its line, without the line's end.

    Args:
        name: The video's name in results.
        maps: Branch -> score map, float32 (T', h, w).
        times: Branch -> float64 (T',).
        frames: Branch -> int64 (T', n).
        thumbnails: uint8 RGB (T', h, w, 3), or None.
    """
    line: dict[str, Any] = {FILENAME: name, "maps": {}}
    for branch, rows in maps.items():
        line["maps"][branch] = {
            "shape": rows.shape,
            "data": _text(zlib.compress(np.clip(rows, -_HALF, _HALF).astype("<f2").tobytes())),
            "times": [None if np.isnan(time) else round(float(time), 4) for time in times[branch]],
            "frames": frames[branch][:, 0].tolist(),
        }
    if thumbnails is not None:
        fitting = thumbnails[: _HIGHEST // thumbnails.shape[1]]
        line["size"] = [thumbnails.shape[2], thumbnails.shape[1]]
        line["strip"] = _text(as_webp(Image.fromarray(fitting.reshape(-1, *thumbnails.shape[2:]))))
    return json.dumps(line)


class EvidenceFile:
    """The evidence in a results folder, one video at a time; in memory are 16 bytes a video.

    Args:
        folder: The results folder, which may lack evidence; None for no evidence.

    A video is in it if its line is sound.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = (folder or Path()) / EVIDENCE
        keys, places = array("Q"), array("q")
        self._last: tuple[str, Evidence | None] = ("", None)
        if folder is not None and is_plain_file(self._path):
            for name, place in self._lines():
                keys.append(_key(name))
                places.append(place)
        order = np.argsort(np.frombuffer(keys, np.uint64), kind="stable")  # of one video, the last line is last
        self._keys, self._places = np.frombuffer(keys, np.uint64)[order], np.frombuffer(places, np.int64)[order]

    def __contains__(self, name: str) -> bool:
        return self._read(name) is not None

    def __getitem__(self, name: str) -> Evidence:
        evidence = self._read(name)
        if evidence is None:
            raise KeyError(name)
        return evidence

    def _read(self, name: str) -> Evidence | None:
        """The evidence of a video; None where it has none, or its line is damaged."""
        known = self._last  # one look: the web app asks from several threads
        if known[1] is None or known[0] != name:
            place = self._place(name)
            if place is None:
                return None
            with self._path.open("rb") as file:
                file.seek(place)
                known = self._last = name, _evidence(file.readline())
        return known[1]

    def _place(self, name: str) -> int | None:
        key = np.uint64(_key(name))
        after = int(np.searchsorted(self._keys, key, side="right"))
        return int(self._places[after - 1]) if after and self._keys[after - 1] == key else None

    def _lines(self) -> Iterator[tuple[str, int]]:
        place = 0
        with self._path.open("rb") as file:
            for line in file:
                name = _name(line)
                if name is not None:
                    yield name, place
                place += len(line)


def _name(line: bytes) -> str | None:
    """The name in a line; None where it is damaged, such as one that a kill cut short."""
    try:
        name = json.loads(line)[FILENAME]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return name if isinstance(name, str) else None


def _key(name: str) -> int:
    """Eight bytes that stand for a name; two of a million names share them once in 40 million folders."""
    return int.from_bytes(hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _evidence(text: bytes) -> Evidence | None:
    """Unpack a line; None where anything in it is not as :func:`evidence_line` writes it."""
    try:
        line = json.loads(text)
        maps = line["maps"]
        if set(maps) != set(BRANCHES):
            return None
        values = {branch: _map(packed) for branch, packed in maps.items()}
        times = {branch: np.array(packed["times"], dtype=float) for branch, packed in maps.items()}
        frames = {branch: np.array(packed["frames"], dtype=np.int64) for branch, packed in maps.items()}
        lengths = {rows.shape[:1] for rows in values.values()}
        lengths |= {rows.shape for rows in (*times.values(), *frames.values())}
        if len(lengths) > 1 or any(np.isinf(rows).any() for rows in times.values()):
            return None
        strip = base64.b64decode(line.get("strip", ""))
        width, height = map(int, line.get("size", (0, 0)))
        return Evidence(values, times, frames, strip if _is_strip(strip, width, height) else b"", (width, height))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError, zlib.error):
        return None


def _is_strip(strip: bytes, width: int, height: int) -> bool:
    """Return whether bytes are a WebP of pictures of that size, one below the other."""
    if not strip or min(width, height) < 1:
        return False
    try:
        with Image.open(io.BytesIO(strip), formats=("WEBP",)) as picture:
            return picture.width == width and picture.height % height == 0 and width * height <= _LARGEST
    except Exception:  # noqa: BLE001 - Pillow raises what its readers raise
        return False


def _map(packed: Mapping[str, Any]) -> np.ndarray:
    shape = tuple(map(int, packed["shape"]))
    count = math.prod(shape)
    if len(shape) != 3 or min(shape) < 1 or count > _LARGEST:
        raise ValueError("not the shape of a map")
    # A few bytes may unpack to gigabytes.
    data = zlib.decompressobj().decompress(base64.b64decode(packed["data"]), 2 * count + 1)
    values = np.frombuffer(data, "<f2").reshape(shape).astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError("not finite")
    return values


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
