"""Damaged files: whatever bytes a file has, it is scored or refused in one line, and nothing is taken for a bug."""

import random
import struct
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cover.decoding.decoder import Decoder
from cover.rows import Failure, Row
from cover.video import decode, probe
from tests.helpers.clips import noise_frame, numbered_frame, write_clip
from tests.helpers.tiny import tiny_views

WIDTH, HEIGHT = 96, 64


def _exif() -> Image.Exif:
    """Turned clockwise; Pillow's writers of some formats change what they are given."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "a camera"
    return exif


def _picture(path: Path, **options: object) -> None:
    Image.fromarray(numbered_frame(5, HEIGHT, WIDTH)).save(path, **options)  # type: ignore[arg-type]


def _palette(path: Path) -> None:
    Image.fromarray(numbered_frame(5, HEIGHT, WIDTH)).quantize(16).save(path, transparency=3)


def _pages(path: Path) -> None:
    pages = [Image.fromarray(noise_frame(seed, 20, 30)) for seed in range(3)]
    pages[0].save(path, save_all=True, append_images=pages[1:], **({"duration": 40} if path.suffix != ".tif" else {}))


def _heic(path: Path) -> None:
    heif = pytest.importorskip("pillow_heif", reason="pillow-heif writes HEIC")
    heif.from_pillow(Image.fromarray(numbered_frame(5, HEIGHT, WIDTH))).save(path)


def _late_exif(path: Path) -> None:
    """A PNG whose EXIF is behind the pixels, as the standard allows."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add(b"eXIf", _exif().tobytes()[6:], after_idat=True)
    info.add_text("Comment", "x" * 200, zip=True)
    _picture(path, pnginfo=info)


SEEDS: dict[str, Callable[[Path], object]] = {
    "jpeg.jpg": lambda path: _picture(path, exif=_exif(), icc_profile=bytes(range(200)) * 3),
    "progressive.jpg": lambda path: _picture(path, progressive=True, comment=b"x" * 99),
    "png.png": lambda path: _picture(path, exif=_exif(), icc_profile=bytes(300)),
    "late.png": _late_exif,
    "palette.png": _palette,
    "animated.png": _pages,
    "lossy.webp": lambda path: _picture(path, exif=_exif()),
    "pages.webp": _pages,
    "pages.tif": _pages,
    "packed.tif": lambda path: _picture(path, compression="tiff_lzw", exif=_exif()),
    "plain.bmp": _picture,
    "plain.ppm": _picture,
    "picture.jp2": _picture,
    "picture.avif": lambda path: _picture(path, exif=_exif()),
    "picture.heic": _heic,
    "clip.mp4": lambda path: write_clip(path, 10),
    "clip.mkv": lambda path: write_clip(path, 10),
    "clip.ts": lambda path: write_clip(path, 10),
    "clip.gif": lambda path: write_clip(path, 4, "gif", pixel_format="rgb8"),
}


def _flip(data: bytearray, rng: random.Random) -> bytearray:
    for _ in range(rng.choice((1, 3, 20))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def _noise(data: bytearray, rng: random.Random) -> bytearray:
    start = rng.randrange(len(data))
    data[start : start + rng.choice((4, 60))] = rng.randbytes(min(rng.choice((4, 60)), len(data) - start))
    return data


def _header(data: bytearray, rng: random.Random) -> bytearray:
    data[rng.randrange(min(len(data), 120))] = rng.randrange(256)
    return data


def _cut(data: bytearray, rng: random.Random) -> bytearray:
    return data[: rng.randrange(1, len(data))]


def _hole(data: bytearray, rng: random.Random) -> bytearray:
    start = rng.randrange(len(data))
    return data[:start] + data[start + rng.choice((1, 8, 200)) :]


def _repeat(data: bytearray, rng: random.Random) -> bytearray:
    start = rng.randrange(len(data))
    return data[:start] + data[start : start + 50] * 2 + data[start:]


def _length(data: bytearray, rng: random.Random) -> bytearray:
    start = rng.randrange(max(len(data) - 4, 1))
    value = rng.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000))
    data[start : start + 4] = struct.pack(rng.choice(("<I", ">I")), value)
    return data


MUTATIONS = (_flip, _noise, _header, _cut, _hole, _repeat, _length)


def _mutated(folder: Path, count: int, seed: int) -> list[Row]:
    rng = random.Random(seed)
    originals = {}
    for name, make in SEEDS.items():
        make(folder / name)
        originals[name] = (folder / name).read_bytes()
    rows = []
    for number in range(count):
        name = rng.choice(list(SEEDS))
        data = rng.choice(MUTATIONS)(bytearray(originals[name]), rng)
        path = folder / f"{number}_{name}"
        path.write_bytes(data)
        rows.append(Row(path, path.name))
    return rows


@pytest.mark.parametrize(
    ("count", "seed"), [pytest.param(400, 1, id="quick"), pytest.param(5000, 2, id="many", marks=pytest.mark.full)]
)
def test_damaged_bytes_cost_their_file_only(
    count: int, seed: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = _mutated(tmp_path, count, seed)
    started = time.monotonic()
    with Decoder(workers=2, timeout=20).views(rows, tiny_views()) as decoded:
        outcomes = list(decoded)
    assert len(outcomes) == count
    reasons = [outcome.reason for _, outcome in outcomes if isinstance(outcome, Failure)]
    assert not [reason for reason in reasons if "unexpected" in reason or "\n" in reason or "Traceback" in reason]
    assert not [reason for reason in reasons if "decode.timeout" in reason]
    assert 0.05 < len(reasons) / count < 0.95  # or the mutations do nothing, or everything
    assert "Traceback" not in caplog.text
    assert time.monotonic() - started < count  # a second a file, were all of them slow


def test_exif_that_cannot_be_read_leaves_the_picture(tmp_path: Path) -> None:
    _picture(tmp_path / "whole.jpg", exif=_exif())
    data = bytearray((tmp_path / "whole.jpg").read_bytes())
    start = data.index(b"Exif\0\0") + 6
    data[start : start + 20] = b"\xff" * 20
    (tmp_path / "broken.jpg").write_bytes(data)
    whole, broken = (probe(tmp_path / name) for name in ("whole.jpg", "broken.jpg"))
    assert (whole.rotation, whole.width, whole.height) == (270, HEIGHT, WIDTH)
    assert (broken.rotation, broken.width, broken.height) == (0, WIDTH, HEIGHT)
    ((_, picture),) = decode(tmp_path / "broken.jpg", [0])
    np.testing.assert_array_equal(picture, next(decode(tmp_path / "whole.jpg", [0], rotate=False))[1])
