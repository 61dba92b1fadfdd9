"""Pictures that claim more than they hold, pictures that are large, and JPEGs without their last bytes."""

import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cover.errors import VideoError
from cover.video import ViewSpec, load_views, probe
from cover.video.images import read_image

SIDE = 13_300
PEAK = "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"


def png(width: int, height: int, depth: int = 8, colour: int = 0) -> bytes:
    """A PNG of that size with a few bytes of pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 100)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def jpeg(width: int, height: int) -> bytes:
    """A JPEG of 8x8 px whose header claims another size."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG")
    data = file.getvalue()
    place = data.index(b"\xff\xc0") + 5
    return data[:place] + struct.pack(">HH", height, width) + data[place + 4 :]


def webp(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "WEBP", lossless=True)
    data = bytearray(file.getvalue())
    place = data.index(b"\x2f") + 1
    bits = int.from_bytes(data[place : place + 4], "little") & ~((1 << 28) - 1)
    data[place : place + 4] = (bits | (width - 1) | ((height - 1) << 14)).to_bytes(4, "little")
    return bytes(data)


def gif(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("P", (8, 8)).save(file, "GIF")
    data = bytearray(file.getvalue())
    data[6:10] = struct.pack("<HH", width, height)
    place = data.index(b"\x2c") + 5
    data[place : place + 4] = struct.pack("<HH", width, height)
    return bytes(data)


def tiff(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "TIFF")
    data = file.getvalue()
    for tag, size in ((256, width), (257, height)):
        entry = struct.pack("<HHI", tag, 4, 1)
        place = data.find(entry) if entry in data else data.index(struct.pack("<HHI", tag, 3, 1))
        data = data[:place] + struct.pack("<HHII", tag, 4, 1, size) + data[place + 12 :]
    return data


BOMBS: dict[str, Callable[[int, int], bytes]] = {
    "png": png,
    "jpg": jpeg,
    "webp": webp,
    "gif": gif,
    "tif": tiff,
}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
@pytest.mark.parametrize("kind", BOMBS)
def test_a_file_that_cannot_hold_its_pixels_costs_one_line_and_no_memory(kind: str, tmp_path: Path) -> None:
    file = tmp_path / f"bomb.{kind}"
    file.write_bytes(BOMBS[kind](SIDE, SIDE))
    code = (
        "import sys; from cover.video import ViewSpec, load_views\n"
        "try: load_views(sys.argv[1], ViewSpec())\n"
        f"except Exception as error: print(error)\n{PEAK}"
    )
    done = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True)
    reason, peak = done.stdout.splitlines()
    assert f"bytes cannot hold the {SIDE}x{SIDE} px that it claims" in reason
    assert int(peak) < 300_000  # KB
    assert not done.stderr


@pytest.mark.parametrize(("width", "height"), [(1, 100_000_000), (100_000_000, 1)])
def test_thin_pictures_are_held_to_the_same(width: int, height: int, tmp_path: Path) -> None:
    (tmp_path / "thin.png").write_bytes(png(width, height))
    with pytest.raises(VideoError, match="cannot hold"):
        probe(tmp_path / "thin.png")


@pytest.mark.parametrize("name", ["clip.png", "frames"])
def test_the_limit_is_in_bytes_and_the_message_lifts_it(name: str, tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    file = tmp_path / name
    Image.new("RGB", (100, 50)).save(file if file.suffix else file / "only.png")
    with pytest.raises(VideoError) as error:
        load_views(file, ViewSpec(), max_image_bytes=14_999)
    if file.suffix:
        assert "its 100x50 px take 0.00 GB; decode.max_image_bytes=15000 allows that" in str(error.value)
    assert load_views(file, ViewSpec(), max_image_bytes=15_000).info.width == 100


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
@pytest.mark.parametrize("tile", [1, 7, 64, 10_000])
def test_tiles_change_no_pixel(mode: str, tile: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    if mode in ("I;16", "I", "F"):
        values = rng.integers(0, 65536, (13, 17))
        kind = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
        image = Image.fromarray((values / 65535 if mode == "F" else values).astype(kind))
    else:
        image = Image.fromarray(rng.integers(0, 256, (13, 17, 3), dtype=np.uint8)).convert(mode)
    image.save(tmp_path / "image.tif")
    whole = read_image(tmp_path / "image.tif", rotate=True)
    monkeypatch.setattr("cover.video.images._TILE", tile)
    assert np.array_equal(read_image(tmp_path / "image.tif", rotate=True), whole)
    if mode not in ("I;16", "I", "F"):
        with Image.open(tmp_path / "image.tif") as saved:
            assert np.array_equal(whole, np.asarray(saved.convert("RGB")))


def test_long_rows_are_resized_to_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    from cover.video.resize import resize, whole_taps

    frame = np.random.default_rng(0).integers(0, 256, (9, 101, 3), dtype=np.uint8)
    rows, columns = whole_taps(9, 101, 16, 16)
    usual = resize(frame, rows, columns)
    monkeypatch.setattr("cover.video.resize._LONG_ROW", 10)
    assert np.array_equal(resize(frame, rows, columns), usual)


class TestJpegWithoutItsEnd:
    """The end mark is two bytes; pixels before it are worth a refusal."""

    @pytest.fixture(params=[False, True], ids=["baseline", "progressive"])
    def file(self, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
        pixels = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "whole.jpg", progressive=request.param)
        return tmp_path / "whole.jpg"

    @pytest.mark.parametrize("behind", [b"", b"\0" * 500])
    def test_every_pixel_is_there(self, file: Path, behind: bytes, tmp_path: Path) -> None:
        (tmp_path / "cut.jpg").write_bytes(file.read_bytes()[:-2] + behind)
        cut, whole = (read_image(path, rotate=True) for path in (tmp_path / "cut.jpg", file))
        assert np.array_equal(cut, whole)

    @pytest.mark.parametrize("lost", [60, 400, 800])
    def test_pixels_are_missing(self, file: Path, lost: int, tmp_path: Path) -> None:
        (tmp_path / "cut.jpg").write_bytes(file.read_bytes()[:-lost])
        with pytest.raises(VideoError, match=r"cut\.jpg: the image is damaged"):
            read_image(tmp_path / "cut.jpg", rotate=True)
