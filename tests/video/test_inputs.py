"""Bad and odd inputs: each is either loaded, with a note where one is due, or refused with its own reason."""

import io
import os
import pickle
import re
import socket
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from cover.errors import VideoError
from cover.text import visible
from cover.video import FragmentView, RawFormat, ViewSpec, WholeView, decode, load_views, probe
from tests.helpers.clips import (
    HEIGHT,
    WIDTH,
    cut,
    damage,
    noise_frame,
    numbered_frame,
    read_number,
    write_audio,
    write_clip,
)

SPEC = ViewSpec()
X264 = {"preset": "veryfast"}


def _jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(noise_frame(0, 64, 64)).save(buffer, "JPEG")
    return buffer.getvalue()


def _write(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def _link_to_itself(path: Path) -> None:
    path.symlink_to(path)


REFUSED: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "missing": ("x.mp4", lambda path: None, "no such file"),
    "parent is a file": (
        "file/x.mp4",
        lambda path: path.parent.write_text("x"),
        "a file where its path needs a directory",
    ),
    "directory": ("x.mp4", lambda path: path.mkdir(), "is a directory, not a video file"),
    "pipe": ("x.mp4", lambda path: os.mkfifo(path), "not a regular file"),
    "link loop": ("x.mp4", _link_to_itself, "a loop of symbolic links"),
    "dangling link": ("x.mp4", lambda path: path.symlink_to("nowhere"), "a link to a file that does not exist"),
    "null character": ("x\0.mp4", lambda path: None, "not a valid path"),
    "empty": ("x.mp4", _write(b""), r"the file is empty \(0 bytes\)"),
    "text": ("x.mp4", _write(b"Not a video, just some words.\n" * 20), "it contains text"),
    "audio": ("x.mp4", write_audio, r"no video stream \(only audio\)"),
    "audio in mp3": ("x.mp3", lambda path: write_audio(path, "libmp3lame"), r"no video stream \(only audio\)"),
    "audio with cover": (
        "x.m4a",
        lambda path: write_audio(path, cover=_jpeg(), container="mp4"),
        "no video stream .*cover art",
    ),
    "mp3 with cover": ("x.mp3", lambda path: write_audio(path, "libmp3lame", _jpeg()), "no video stream .*cover art"),
    "cut, index at the end": ("x.mp4", lambda path: cut(write_clip(path, options=X264)), r"index \(moov\) is missing"),
    "cut image": ("x.jpg", lambda path: path.write_bytes(_jpeg()[:700]), "the image is damaged"),
    "half a header": ("x.png", _write(b"\x89PNG\r\n\x1a\n\0\0"), r"damaged image, or .* \(png_pipe\)"),
    "bare stream misnamed": (
        "x.mp4",
        lambda path: write_clip(path, container="h264", options=X264),
        "bytes resemble a bare h264 stream",
    ),
    "heif": ("x.heic", _write(b"\0\0\0\x18ftypheic" + bytes(99)), "the image is damaged"),
    "headerless": ("x.yuv", _write(bytes(9999)), "set data.raw.width, data.raw.height and data.raw.pixel_format"),
}


@pytest.mark.parametrize(("name", "make", "reason"), REFUSED.values(), ids=list(REFUSED))
def test_refuses_with_its_own_reason(name: str, make: Callable[[Path], object], reason: str, tmp_path: Path) -> None:
    path = tmp_path / name
    make(path)
    with pytest.raises(VideoError, match=reason) as caught:
        load_views(path, SPEC)
    message = str(caught.value)
    assert message.isprintable()
    assert message.startswith(visible(path))
    assert {reason for *_, reason in REFUSED.values() if re.search(reason, message)} == {reason}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_refuses_an_unreadable_file(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", 2)
    path.chmod(0)
    with pytest.raises(VideoError, match="no permission to read"):
        load_views(path, SPEC)


def test_reports_a_permission_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = write_clip(tmp_path / "x.mp4", 2)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(VideoError, match="no permission to read"):
        load_views(path, SPEC)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".h264", ".mpg", ".jpg"])
@pytest.mark.parametrize("seed", range(12))
def test_noise_gets_no_score(seed: int, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"noise{suffix}"
    path.write_bytes(np.random.default_rng(seed).bytes(1000 if seed % 2 else 200_000))
    with pytest.raises(VideoError):
        load_views(path, SPEC)


@pytest.mark.parametrize("text", ["#EXTM3U\n#EXTINF:1,\n{0}\n", "ffconcat version 1.0\nfile '{0}'\n", "v=0\no={0}\n"])
@pytest.mark.parametrize("suffix", [".mp4", ".m3u8", ".sdp", ".ffconcat"])
def test_playlists_lead_nowhere(text: str, suffix: str, tmp_path: Path) -> None:
    target = write_clip(tmp_path / "target.mp4", 2)
    path = tmp_path / f"list{suffix}"
    path.write_text(text.format(target))
    with pytest.raises(VideoError, match="a playlist or stream description"):
        load_views(path, SPEC)


ODD_NAMES = [
    "with space.mp4",
    "comma, = [brackets] {braces}.mp4",
    "quote ' and \" and `.mp4",
    "new\nline.mp4",
    "percent %03d.mp4",
    "glob*?.mp4",
    "ünï→漢字🎞.mp4",
    b"bad-\xff\xfe-utf8.mp4".decode("utf-8", "surrogateescape"),
    "concat:other.mp4|other.mp4",
    "http:example.mp4",
    "-leading dash.mp4",
    "pipe:0",
    "no suffix",
    "wrong suffix.m3u8",
    "wrong suffix.jpg",
]


@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
def test_odd_names_are_just_names(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object) -> None:
        raise AssertionError("network access")

    monkeypatch.setattr(socket, "socket", no_network)
    write_clip(tmp_path / "plain.mp4", 3).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / name, name):
        assert [read_number(frame) for _, frame in decode(path, range(3))] == [0, 1, 2]
    loaded = load_views(name, ViewSpec(sampling="random"))
    assert not loaded.notes
    pickle.loads(pickle.dumps(loaded))
    assert visible(name).isprintable()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_short_videos_wrap_around(count: int, tmp_path: Path) -> None:
    loaded = load_views(write_clip(tmp_path / "short.mp4", count), SPEC)
    assert not loaded.info.image
    assert {branch: view.shape[1] for branch, view in loaded.views[0].items()} == {
        "semantic": 20,
        "technical": 40,
        "aesthetic": 40,
    }
    assert loaded.samplings[0].indices["technical"].max() < count


@pytest.mark.parametrize(("height", "width"), [(16, 16), (17, 33), (2, 400), (1, 1)])
def test_tiny_videos(height: int, width: int, tmp_path: Path) -> None:
    frames = [noise_frame(seed, height, width) for seed in range(3)]
    path = write_clip(tmp_path / "tiny.mkv", frames, "ffv1", pixel_format="yuv444p")
    views = load_views(path, SPEC).views[0]
    assert all(view.any() and view.flags.c_contiguous and view.dtype == np.uint8 for view in views.values())


CUT_SPEC = ViewSpec(WholeView(10, 1, size=32), FragmentView(10, 2, grid=2, fragment=16), WholeView(10, 2, size=32))


@pytest.mark.parametrize("name", ["x.mp4", "x.mkv", "x.ts", "x.avi"])
def test_cut_files_are_scored_as_far_as_they_go(name: str, tmp_path: Path) -> None:
    options = {"movflags": "+faststart"} if name == "x.mp4" else None
    path = cut(write_clip(tmp_path / name, 100, options=X264, gop=20, container_options=options))
    loaded = load_views(path, CUT_SPEC)
    assert 20 < loaded.info.frames < 80
    shown_frames = {index: read_number(frame) for index, frame in decode(path, range(loaded.info.frames))}
    wrong = [index for index, number in shown_frames.items() if index != number]
    assert len(wrong) <= 8


@pytest.mark.parametrize("threads", [0, 1])
@pytest.mark.parametrize("name", ["x.mp4", "x.mkv", "x.ts"])
def test_damage_in_the_middle_is_scored(name: str, threads: int, tmp_path: Path) -> None:
    frames = [noise_frame(seed, 96, 96) for seed in range(60)]
    path = damage(write_clip(tmp_path / name, frames, options=X264, gop=10), 0.5, 4000)
    loaded = load_views(path, CUT_SPEC, threads=threads)
    assert loaded.info.frames > 50
    if name != "x.mkv":  # Matroska may drop a damaged cluster without a word
        assert len(loaded.notes) == 1
        assert re.search("damaged|could not be decoded", loaded.notes[0])


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", ["x.mp4", "x.mkv", "x.ts", "x.avi"])
def test_damage_anywhere_gives_views_or_a_reason(name: str, seed: int, tmp_path: Path) -> None:
    start = np.random.default_rng(seed).random()
    path = damage(write_clip(tmp_path / name, 40, options=X264, gop=10), start, 500, seed)
    try:
        outcome = f"{path}: {load_views(path, CUT_SPEC).info.frames} frames"
    except VideoError as error:
        outcome = str(error)
    assert outcome.startswith(f"{path}: ")


def test_mostly_lost_frames_are_an_error(tmp_path: Path) -> None:
    frames = [noise_frame(seed, 96, 96) for seed in range(40)]
    path = write_clip(tmp_path / "x.mkv", frames, "mjpeg", pixel_format="yuvj420p")
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    for pos, size in places[5:]:
        data[pos + 12 : pos + size] = bytes(size - 12)
    path.write_bytes(data)
    with pytest.raises(VideoError, match=r"\d+ of \d+ frames could not be decoded"):
        load_views(path, CUT_SPEC)


def test_lost_frames_are_replaced_by_their_nearest_neighbours(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "x.mkv", 40, "mjpeg", pixel_format="yuvj420p")
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    for pos, size in places[10:14]:
        start = data.index(b"\xff\xd8", pos)
        data[start : pos + size] = bytes(pos + size - start)
    path.write_bytes(data)
    assert [read_number(frame) for _, frame in decode(path, [8, 10, 11, 12, 13, 20, 21, 22])] == [
        8, 9, 9, 14, 14, 20, 21, 22,
    ]  # fmt: skip
    loaded = load_views(path, CUT_SPEC)
    assert any("their nearest neighbours were used" in note for note in loaded.notes)


def test_frame_size_may_change(tmp_path: Path) -> None:
    parts = [
        write_clip(tmp_path / f"{height}.ts", [noise_frame(height, height, width)] * 20, options=X264, gop=10)
        for height, width in ((240, 320), (480, 640), (120, 160))
    ]
    path = tmp_path / "x.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    loaded = load_views(path, SPEC)
    assert (loaded.info.width, loaded.info.height) == (320, 240)
    assert loaded.notes[-1] == "the frame size changes; all frames were resized to 320x240"
    assert {frame.shape for _, frame in decode(path, range(loaded.info.frames))} == {
        (240, 320, 3),
        (480, 640, 3),
        (120, 160, 3),
    }


@pytest.mark.parametrize(
    "pixel_format",
    [
        "yuv420p",
        "yuv422p",
        "yuv444p",
        "yuv420p10le",
        "yuv422p10le",
        "yuv444p12le",
        "gray",
        "gray10le",
        "gbrp",
        "yuva420p",
        "rgb24",
    ],
)
def test_pixel_formats(pixel_format: str, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "x.nut", 4, "rawvideo", pixel_format=pixel_format)
    assert probe(path).pixel_format == pixel_format
    assert [read_number(frame) for _, frame in decode(path, range(4))] == [0, 1, 2, 3]


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p10le", "gray"])
def test_headerless_files(pixel_format: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yuv"
    write_clip(path, 9, "rawvideo", container="rawvideo", pixel_format=pixel_format)
    path.write_bytes(path.read_bytes() + b"half a frame")
    raw = RawFormat(WIDTH, HEIGHT, pixel_format)
    info = probe(path, raw)
    assert (info.frames, info.width, info.height, info.pixel_format) == (9, WIDTH, HEIGHT, pixel_format)
    assert [read_number(frame) for _, frame in decode(path, [8, 0, 3], raw=raw)] == [0, 3, 8]
    assert not load_views(path, SPEC, raw=raw).notes
    with pytest.raises(VideoError, match="shorter than one frame"):
        probe(path, RawFormat(4000, 4000))


@pytest.mark.parametrize(
    ("values", "field"),
    [((0, 4), "width"), ((4, -1), "height"), ((4, 4, "nonsense"), "pixel_format"), ((4, 4, "gray", 0), "fps")],
)
def test_raw_format_checks_itself(values: tuple, field: str) -> None:
    with pytest.raises(ValueError, match=field):
        RawFormat(*values)


def test_raw_format_is_of_no_account_for_other_files(tmp_path: Path) -> None:
    assert probe(write_clip(tmp_path / "x.mp4", 3), RawFormat(2, 2)).width == WIDTH


class TestImages:
    """Still images: decoded by Pillow, as the official code does."""

    @pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tif", ".ppm", ".mp4"])
    def test_have_one_frame_in_every_view(self, suffix: str, tmp_path: Path) -> None:
        path = tmp_path / f"x{suffix}"
        Image.fromarray(noise_frame(1, 300, 400)).save(path, {".mp4": "PNG"}.get(suffix))
        loaded = load_views(path, SPEC)
        assert loaded.info.image
        assert {branch: view.shape for branch, view in loaded.views[0].items()} == {
            "semantic": (3, 1, 512, 512),
            "technical": (3, 1, 224, 224),
            "aesthetic": (3, 1, 224, 224),
        }
        np.testing.assert_array_equal(next(decode(path, [0]))[1], np.asarray(Image.open(path).convert("RGB")))

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
    def test_modes(self, mode: str, tmp_path: Path) -> None:
        path = tmp_path / ("x.tif" if mode == "CMYK" else "x.png")
        Image.fromarray(numbered_frame(5)).convert(mode).save(path)
        assert read_number(next(decode(path, [0]))[1]) == 5

    @pytest.mark.parametrize("suffix", [".png", ".tif"])
    def test_sixteen_bit_gray_is_scaled(self, suffix: str, tmp_path: Path) -> None:
        path = tmp_path / f"x{suffix}"
        gray = np.arange(256, dtype=np.uint16).reshape(16, 16) * 257
        Image.fromarray(gray).save(path)
        np.testing.assert_array_equal(next(decode(path, [0]))[1][..., 0], gray // 257)

    def test_orientation(self, tmp_path: Path) -> None:
        path = tmp_path / "x.png"
        pixels = noise_frame(2, 10, 20)
        exif = Image.Exif()
        exif[0x0112] = 6  # to be turned by 90 degrees clockwise
        Image.fromarray(pixels).save(path, exif=exif)
        info = probe(path)
        assert (info.width, info.height, info.rotation) == (10, 20, 270)
        np.testing.assert_array_equal(next(decode(path, [0]))[1], np.rot90(pixels, -1))
        np.testing.assert_array_equal(next(decode(path, [0], rotate=False))[1], pixels)

    @pytest.mark.parametrize("size", [(1, 1), (1, 4000), (8000, 8000)])
    def test_sizes(self, size: tuple[int, int], tmp_path: Path) -> None:
        path = tmp_path / "x.png"
        Image.new("RGB", size, (10, 200, 30)).save(path)
        for view in load_views(path, SPEC).views[0].values():
            np.testing.assert_array_equal(np.abs(view.transpose(1, 2, 3, 0).astype(int) - [10, 200, 30]) <= 1, True)

    @pytest.mark.parametrize("suffix", [".webp", ".tiff"])
    def test_the_first_of_several_is_scored_with_a_note(self, suffix: str, tmp_path: Path) -> None:
        first, second = (Image.fromarray(noise_frame(seed, 64, 64)) for seed in range(2))
        path = tmp_path / f"x{suffix}"
        first.save(path, save_all=True, append_images=[second])
        loaded = load_views(path, ViewSpec())
        assert loaded.info.frames == 1
        assert loaded.notes == ["only the first of several pictures was scored"]

    def test_animations_are_videos(self, tmp_path: Path) -> None:
        path = tmp_path / "x.png"
        first, *others = (Image.fromarray(numbered_frame(number)) for number in range(5))
        first.save(path, save_all=True, append_images=others, duration=40)
        assert [read_number(frame) for _, frame in decode(path, range(5))] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "frames",
    [np.zeros((3, 4, 4), np.uint8), np.zeros((3, 4, 4, 3)), np.zeros((0, 4, 4, 3), np.uint8), np.zeros(3, np.uint8)],
    ids=["no channels", "float", "no frames", "flat"],
)
def test_refuses_other_arrays(frames: np.ndarray) -> None:
    with pytest.raises(VideoError, match=r"frames must be uint8 RGB of shape \(T, H, W, 3\)"):
        load_views(frames, SPEC)


def test_arrays_give_the_views_of_the_file(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", 50, options=X264)
    frames = np.stack([frame for _, frame in decode(path, range(50))])
    from_file, from_array = load_views(path, SPEC).views[0], load_views(frames, SPEC).views[0]
    for branch, view in from_file.items():
        np.testing.assert_array_equal(view, from_array[branch])
    assert load_views(frames[:1], SPEC).info.image
