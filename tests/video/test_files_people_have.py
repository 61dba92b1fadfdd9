"""Files as phones, recorders, editors and renderers write them."""

import io
import struct
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext
from PIL import Image, ImageOps

from cover.errors import VideoError
from cover.video import ViewSpec, decode, load_views, probe
from tests.helpers.clips import HEIGHT, WIDTH, numbered_frame, read_number, write_clip

ONE = 1 << 16
# Upper left of the display matrix -> what a player shows of a picture.
ORIENTATIONS = {
    "upright": ((1, 0, 0, 1), lambda x: x),
    "mirrored": ((-1, 0, 0, 1), np.fliplr),
    "upside down": ((-1, 0, 0, -1), lambda x: np.rot90(x, 2)),
    "flipped": ((1, 0, 0, -1), np.flipud),
    "clockwise": ((0, 1, -1, 0), lambda x: np.rot90(x, -1)),
    "counter-clockwise": ((0, -1, 1, 0), np.rot90),
    "transposed": ((0, 1, 1, 0), lambda x: x.swapaxes(0, 1)),
    "transversed": ((0, -1, -1, 0), lambda x: np.rot90(x, 2).swapaxes(0, 1)),
}


def first(path: Path, rotate: bool = True) -> np.ndarray:
    return next(decode(path, [0], rotate=rotate))[1]


def filtered(source: Path, target: Path, bitstream_filter: str) -> Path:
    """Copy a clip with a bit stream filter applied to its packets."""
    with av.open(str(source)) as opened, av.open(str(target), "w") as output:
        stream = opened.streams.video[0]
        changed = BitStreamFilterContext(bitstream_filter, stream)
        copied = output.add_stream_from_template(stream)
        for packet in [packet for packet in opened.demux(stream) if packet.size]:
            for result in changed.filter(packet):
                result.stream = copied
                output.mux(result)
        for result in changed.filter(None):
            result.stream = copied
            output.mux(result)
    return target


class TestOrientation:
    @pytest.mark.parametrize("name", ORIENTATIONS)
    def test_the_display_matrix_of_a_container(self, name: str, tmp_path: Path) -> None:
        path = write_clip(tmp_path / "phone.mp4", 3)
        coded = first(path)
        (a, b, c, d), shown = ORIENTATIONS[name]
        data = bytearray(path.read_bytes())
        start = data.index(b"tkhd") + 44
        data[start : start + 36] = struct.pack(">9i", a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, 1 << 30)
        path.write_bytes(data)
        np.testing.assert_array_equal(first(path), shown(coded))
        np.testing.assert_array_equal(first(path, rotate=False), coded)
        info = probe(path)
        assert (info.height, info.width) == shown(coded).shape[:2]
        assert info.mirrored == (a * d - b * c < 0)

    @pytest.mark.parametrize(
        ("options", "shown"),
        [
            ("flip=horizontal", np.fliplr),
            ("flip=vertical", np.flipud),
            ("rotate=90", np.rot90),
            ("rotate=270", lambda x: np.rot90(x, 3)),
        ],
    )
    def test_what_the_stream_itself_says(self, options: str, shown: object, tmp_path: Path) -> None:
        plain = write_clip(tmp_path / "plain.ts", 3)
        said = filtered(plain, tmp_path / "said.ts", f"h264_metadata=display_orientation=insert:{options}")
        assert callable(shown)
        np.testing.assert_array_equal(first(said), shown(first(plain)))

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_motion_jpeg_with_exif(self, orientation: int, tmp_path: Path) -> None:
        """PyAV does not list side data of kinds that it does not know."""
        exif = Image.Exif()
        exif[0x0112] = orientation
        jpeg = io.BytesIO()
        Image.fromarray(numbered_frame(3)).save(jpeg, "JPEG", exif=exif)
        with av.open(str(tmp_path / "clip.avi"), "w") as output:
            stream = output.add_stream("mjpeg", rate=25)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
            for number in range(3):
                packet = av.Packet(jpeg.getvalue())
                packet.stream, packet.time_base, packet.is_keyframe = stream, Fraction(1, 25), True
                packet.pts = packet.dts = number
                output.mux(packet)
        coded = first(tmp_path / "clip.avi", rotate=False)
        shown = ImageOps.exif_transpose(self.with_exif(coded, exif))
        np.testing.assert_array_equal(first(tmp_path / "clip.avi"), np.array(shown))

    def with_exif(self, picture: np.ndarray, exif: Image.Exif) -> Image.Image:
        png = io.BytesIO()
        Image.fromarray(picture).save(png, "PNG", exif=exif)
        return Image.open(png)

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_photos(self, orientation: int, tmp_path: Path) -> None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(numbered_frame(3)).save(tmp_path / "photo.png", exif=exif)
        with Image.open(tmp_path / "photo.png") as image:
            expected = np.array(ImageOps.exif_transpose(image))
        np.testing.assert_array_equal(first(tmp_path / "photo.png"), expected)
        assert probe(tmp_path / "photo.png").width == expected.shape[1]


def write_streams(path: Path, streams: Iterable[tuple[int, int, int, int]], defaults: Iterable[int] = ()) -> Path:
    """Several video streams: height, width, number of the first frame, number of frames."""
    with av.open(str(path), "w") as output:
        made = []
        for height, width, start, count in streams:
            stream = output.add_stream("libx264", rate=25)
            stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
            made.append((stream, height, width, start, count))
        for place in defaults:
            output.streams[place].disposition = av.stream.Disposition.default
        for stream, height, width, start, count in made:
            for number in range(count):
                frame = av.VideoFrame.from_ndarray(numbered_frame(start + number, height, width), format="rgb24")
                frame.pts = number
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
    return path


class TestSeveralStreams:
    @pytest.mark.parametrize("suffix", ["mov", "mkv"])
    @pytest.mark.parametrize(
        ("streams", "number"),
        [
            ([(192, 384, 500, 1), (96, 192, 0, 25)], 1),  # a still before the video
            ([(96, 192, 500, 25), (192, 384, 0, 25)], 1),  # a preview before the video
            ([(192, 384, 0, 24), (96, 192, 500, 25)], 0),  # a preview that is a frame longer
            ([(192, 384, 500, 10), (96, 192, 0, 50)], 1),  # the longest, though small
            ([(96, 192, 0, 25), (96, 192, 500, 25)], 0),  # alike: the first
            ([(192, 384, 500, 2), (96, 192, 0, 50)], 1),  # slides
        ],
    )
    def test_the_real_one_is_scored_and_named(
        self, streams: list[tuple[int, int, int, int]], number: int, suffix: str, tmp_path: Path
    ) -> None:
        path = write_streams(tmp_path / f"several.{suffix}", streams)
        loaded = load_views(path, ViewSpec())
        height, width, start, count = streams[number]
        assert (loaded.info.height, loaded.info.width, loaded.info.frames) == (height, width, count)
        assert read_number(first(path)) == start == 0
        (note,) = loaded.notes
        assert f"2 video streams: stream {number} of 0..1 ({width}x{height}) was scored; data.stream=N" in note

    def test_another_can_be_asked_for(self, tmp_path: Path) -> None:
        path = write_streams(tmp_path / "several.mkv", [(96, 192, 500, 25), (192, 384, 0, 25)])
        loaded = load_views(path, ViewSpec(), stream=0)
        assert (loaded.info.width, loaded.notes) == (192, [])
        assert read_number(next(decode(path, [3], stream=0))[1]) == 503

    def test_pictures_are_not_concerned(self, tmp_path: Path) -> None:
        Image.fromarray(numbered_frame(3)).save(tmp_path / "photo.png")
        assert load_views(tmp_path / "photo.png", ViewSpec(), stream=1).info.image

    def test_one_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(VideoError, match=r"data.stream=2: it has one video stream, number 0"):
            load_views(write_clip(tmp_path / "one.mp4", 3), ViewSpec(), stream=2)


class TestColour:
    @pytest.mark.parametrize("matrix", [1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15])
    def test_every_matrix_is_scored(self, matrix: int, tmp_path: Path) -> None:
        plain = write_clip(tmp_path / "plain.ts", 3)
        path = filtered(plain, tmp_path / "tagged.ts", f"h264_metadata=matrix_coefficients={matrix}")
        loaded = load_views(path, ViewSpec())
        converted = {1, 4, 5, 6, 7, 9}
        if matrix in converted:
            assert not loaded.notes
        else:
            assert "cannot convert from its colour matrix" in loaded.notes[0]
            np.testing.assert_array_equal(first(path), first(plain))  # as BT.601

    @pytest.mark.parametrize(("curve", "name"), [(16, "PQ"), (18, "HLG")])
    def test_hdr_is_noted(self, curve: int, name: str, tmp_path: Path) -> None:
        plain = write_clip(tmp_path / "plain.ts", 3)
        path = filtered(plain, tmp_path / "tagged.ts", f"h264_metadata=transfer_characteristics={curve}")
        assert load_views(path, ViewSpec()).notes == [f"HDR ({name}) was scored as it is stored, without tone mapping"]


class TestTiff:
    PICTURE = numbered_frame(9)[..., 0]

    @pytest.mark.parametrize(
        "values",
        [
            pytest.param(PICTURE.astype(np.float32) / 255, id="fractions"),
            pytest.param(PICTURE.astype(np.float32), id="float of 0..255"),
            pytest.param(PICTURE.astype(np.int32), id="int32 of 0..255"),
            pytest.param(PICTURE.astype(np.int32) * 257, id="int32 of 0..65535"),
            pytest.param(PICTURE.astype(np.uint16) * 257, id="uint16"),
            pytest.param(np.zeros((64, 192), np.uint16) + PICTURE * np.uint16(0), id="black"),
        ],
    )
    def test_the_right_picture(self, values: np.ndarray, tmp_path: Path) -> None:
        Image.fromarray(values).save(tmp_path / "gray.tif")
        expected = self.PICTURE if values.any() else np.zeros_like(self.PICTURE)
        np.testing.assert_array_equal(first(tmp_path / "gray.tif"), np.repeat(expected[..., None], 3, axis=2))

    def test_fractions_that_resampling_has_overshot(self, tmp_path: Path) -> None:
        values = self.PICTURE.astype(np.float32) / 255 * 1.04 - 0.02
        Image.fromarray(values).save(tmp_path / "gray.tif")
        expected = (np.clip(values, 0, 1) * 255).round().astype(np.uint8)
        np.testing.assert_array_equal(first(tmp_path / "gray.tif")[..., 0], expected)

    def test_white_is_zero(self, tmp_path: Path) -> None:
        from PIL.TiffImagePlugin import ImageFileDirectory_v2

        tags = ImageFileDirectory_v2()
        tags[262] = 0
        Image.fromarray(255 * 257 - self.PICTURE.astype(np.uint16) * 257).save(tmp_path / "gray.tif", tiffinfo=tags)
        data = bytearray((tmp_path / "gray.tif").read_bytes())
        place = data.index(struct.pack("<HHI", 262, 3, 1)) + 8  # Pillow writes the tag that it prefers
        data[place] = 0
        (tmp_path / "gray.tif").write_bytes(data)
        np.testing.assert_array_equal(first(tmp_path / "gray.tif")[..., 0], self.PICTURE)

    @pytest.mark.parametrize(
        "values",
        [
            pytest.param(PICTURE.astype(np.float32) - 50, id="negative"),
            pytest.param(np.where(PICTURE > 99, np.nan, 1).astype(np.float32), id="not a number"),
            pytest.param(PICTURE.astype(np.int32) << 20, id="beyond 16 bits"),
            pytest.param(PICTURE.astype(np.int32) * 16, id="12 bits in 32"),
            pytest.param(PICTURE.astype(np.float32) / 100, id="another range of fractions"),
            pytest.param((PICTURE > 99).astype(np.int32), id="0 and 1"),
        ],
    )
    def test_or_refused(self, values: np.ndarray, tmp_path: Path) -> None:
        Image.fromarray(values).save(tmp_path / "gray.tif")
        with pytest.raises(VideoError, match=r"fit no known range .* 8 or 16 bits|values that are no numbers"):
            load_views(tmp_path / "gray.tif", ViewSpec())


def test_heic_is_scored(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif", reason="pillow-heif writes HEIC")
    picture = numbered_frame(7, 96, 192)
    pillow_heif.from_pillow(Image.fromarray(picture)).save(tmp_path / "IMG_0001.HEIC", quality=95)
    loaded = load_views(tmp_path / "IMG_0001.HEIC", ViewSpec())
    assert (loaded.info.codec, loaded.info.image, loaded.info.width, loaded.notes) == ("heif", True, 192, [])
    assert read_number(first(tmp_path / "IMG_0001.HEIC")) == 7


def test_an_encrypted_file_says_so(tmp_path: Path) -> None:
    options = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb"}
    options["encryption_kid"] = "a7e61c373e219033c21091fa607bf3b8"
    path = write_clip(tmp_path / "locked.mp4", 10, container_options=options)
    with pytest.raises(VideoError, match=r"locked.mp4: encrypted; decrypt it first"):
        load_views(path, ViewSpec())


class TestFolderOfFrames:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return self.write(tmp_path / "clip01", range(30))

    def write(self, folder: Path, numbers: Iterable[int], name: str = "frame{}.png") -> Path:
        folder.mkdir(exist_ok=True)
        for number in numbers:
            Image.fromarray(numbered_frame(number)).save(folder / name.format(number))
        return folder

    def test_is_one_video_in_natural_order(self, folder: Path) -> None:
        assert [read_number(frame) for _, frame in decode(folder, range(30))] == list(range(30))
        info = probe(folder)
        assert (info.container, info.codec, info.frames, info.width, info.image) == ("frames", "png", 30, WIDTH, False)

    def test_gives_the_views_of_the_same_frames_in_memory(self, folder: Path) -> None:
        frames = np.stack([numbered_frame(number) for number in range(30)])
        on_disk, in_memory = load_views(folder, ViewSpec(), fps=10), load_views(frames, ViewSpec(), fps=10)
        for branch, view in in_memory.views[0].items():
            np.testing.assert_array_equal(on_disk.views[0][branch], view)
            np.testing.assert_array_equal(on_disk.times[0][branch], in_memory.times[0][branch])
        assert on_disk.notes == []

    def test_times_are_unknown_without_a_rate(self, folder: Path) -> None:
        assert np.isnan(load_views(folder, ViewSpec()).times[0]["technical"][1:]).all()

    @pytest.mark.parametrize(
        ("numbers", "note"),
        [
            ([*range(10), *range(13, 30)], "3 frames are missing between the first and the last (number 10, 11, 12)"),
            ([*range(0, 100, 10), *range(110, 300, 10)], "1 frame is missing"),
        ],
    )
    def test_gaps_are_said(self, numbers: list[int], note: str, tmp_path: Path) -> None:
        folder = self.write(tmp_path / "gaps", numbers)
        assert note in load_views(folder, ViewSpec()).notes[0]
        assert [read_number(frame) for _, frame in decode(folder, range(len(numbers)))] == numbers

    def test_mixed_sizes_are_said(self, folder: Path) -> None:
        for number in range(1, 30, 2):
            Image.fromarray(numbered_frame(number, HEIGHT * 2, WIDTH * 2)).save(folder / f"frame{number}.png")
        (note,) = load_views(folder, ViewSpec()).notes
        assert note == "15 of 30 frames have another size than the first, and are resized to it"

    def test_names_of_two_kinds_are_said(self, folder: Path) -> None:
        self.write(folder, range(3), "mask{}.png")
        assert "follow 2 patterns" in load_views(folder, ViewSpec()).notes[0]

    def test_a_damaged_frame_is_replaced_by_its_neighbour(self, folder: Path) -> None:
        (folder / "frame7.png").write_bytes(b"no picture")
        assert [read_number(frame) for _, frame in decode(folder, [6, 7, 8])] == [6, 6, 8]

    @pytest.mark.parametrize("damaged", [[0], range(30)])
    def test_the_first_that_can_be_read_gives_the_size(self, damaged: Iterable[int], folder: Path) -> None:
        for number in damaged:
            (folder / f"frame{number}.png").write_bytes(b"no picture")
        if len(list(damaged)) == 1:
            assert probe(folder).width == WIDTH
        else:
            with pytest.raises(VideoError, match="none of its 30 images can be read"):
                probe(folder)

    def test_a_folder_without_images(self, tmp_path: Path) -> None:
        with pytest.raises(VideoError, match="is a directory, not a video file, and no image is in it"):
            probe(tmp_path)
