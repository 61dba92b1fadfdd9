"""Evidence of scores: each video's score maps with small pictures of the frames that were looked at.

``evidence.jsonl`` in a results folder has a line a video, so that processes may share the file and a kill costs a line
at most; of several lines of one video the last one counts. Readers take one video at a time.
"""

import base64
import hashlib
import io
import json
import zlib
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cover.results.names import EVIDENCE, FILENAME

_HALF = 65_504.0  # the largest number in half precision
_HIGHEST = 16_000  # px, of a WebP file


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
        """Decode the small pictures."""
        if not self.strip:
            return []
        strip = Image.open(io.BytesIO(self.strip)).convert("RGB")
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
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = (folder or Path()) / EVIDENCE
        keys, places = array("Q"), array("q")
        if folder is not None and self._path.exists():
            for name, place in self._lines():
                keys.append(_key(name))
                places.append(place)
        order = np.argsort(np.frombuffer(keys, np.uint64), kind="stable")  # of one video, the last line is last
        self._keys, self._places = np.frombuffer(keys, np.uint64)[order], np.frombuffer(places, np.int64)[order]

    def __contains__(self, name: str) -> bool:
        return self._place(name) is not None

    def __getitem__(self, name: str) -> Evidence:
        place = self._place(name)
        if place is None:
            raise KeyError(name)
        with self._path.open("rb") as file:
            file.seek(place)
            line = json.loads(file.readline())
        maps = line["maps"]
        return Evidence(
            {branch: _map(packed) for branch, packed in maps.items()},
            {branch: np.array(packed["times"], dtype=float) for branch, packed in maps.items()},
            {branch: np.array(packed["frames"], dtype=np.int64) for branch, packed in maps.items()},
            base64.b64decode(line.get("strip", "")),
            tuple(line.get("size", (0, 0))),
        )

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


def _map(packed: Mapping[str, Any]) -> np.ndarray:
    data = zlib.decompress(base64.b64decode(packed["data"]))
    return np.frombuffer(data, "<f2").reshape(packed["shape"]).astype(np.float32)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
