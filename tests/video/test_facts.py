"""Facts of files that tables list."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cover.video import file_facts, probe
from tests.helpers.clips import noise_frame, write_clip


def test_facts_of_a_video(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", 50)
    found = file_facts(probe(clip), clip)
    size = clip.stat().st_size
    assert found == {
        "duration": pytest.approx(2.0, abs=0.05),
        "width": 192,
        "height": 64,
        "fps": pytest.approx(25, abs=0.01),
        "bitrate": pytest.approx(size * 8 / 2 / 1000, rel=0.03),
        "bits_per_pixel": pytest.approx(size * 8 / (50 * 192 * 64), rel=1e-3),
        "codec": "h264",
        "lossless": False,
    }


@pytest.mark.parametrize(
    ("codec", "suffix", "pixel_format", "name", "lossless"),
    [
        ("ffv1", ".mkv", "yuv420p", "ffv1", True),
        ("libx265", ".mp4", "yuv420p", "hevc", False),
        ("libsvtav1", ".mkv", "yuv420p", "av1", False),
        ("mjpeg", ".avi", "yuvj420p", "mjpeg", False),
    ],
)
def test_codecs_by_their_common_name(
    tmp_path: Path, codec: str, suffix: str, pixel_format: str, name: str, lossless: bool
) -> None:
    clip = write_clip(tmp_path / f"a{suffix}", 6, codec, pixel_format=pixel_format)
    found = file_facts(probe(clip), clip)
    assert (found["codec"], found["lossless"]) == (name, lossless)


@pytest.mark.parametrize(("suffix", "lossless"), [(".png", True), (".jpg", False), (".bmp", True)])
def test_facts_of_an_image(tmp_path: Path, suffix: str, lossless: bool) -> None:
    path = tmp_path / f"a{suffix}"
    Image.fromarray(noise_frame(0, 40, 60)).save(path)
    found = file_facts(probe(path), path)
    assert (found["width"], found["height"], found["lossless"]) == (60, 40, lossless)
    assert found["duration"] is found["fps"] is found["bitrate"] is None
    assert found["bits_per_pixel"] == pytest.approx(path.stat().st_size * 8 / 2400, rel=1e-3)


def test_a_folder_of_frames_is_as_large_as_its_files(tmp_path: Path) -> None:
    for number in range(3):
        Image.fromarray(np.full((10, 20, 3), number, np.uint8)).save(tmp_path / f"{number}.png")
    found = file_facts(probe(tmp_path), tmp_path)
    total = sum(file.stat().st_size for file in tmp_path.iterdir())
    assert found["bits_per_pixel"] == pytest.approx(total * 8 / 600, rel=1e-3)
    assert found["duration"] is None


def test_what_is_gone_has_no_size(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", 5)
    info = probe(clip)
    clip.unlink()
    assert file_facts(info, clip)["bitrate"] is None
