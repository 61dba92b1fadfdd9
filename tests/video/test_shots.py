"""Shots: cuts that are known are found, at their frame."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cover.errors import UsageError
from cover.video.parts import Segments, shot_parts
from cover.video.probe import index_video
from cover.video.shots import find_cuts, require_shots
from tests.helpers.clips import noise_frame, write_clip

pytest.importorskip("scenedetect", reason="needs the extra [shots]")

LENGTHS = (40, 55, 30, 70, 45, 60)
CUTS = np.cumsum(LENGTHS)[:-1].tolist()


def film() -> Iterator[np.ndarray]:
    """Six shots of textures over which a camera moves."""
    for shot, length in enumerate(LENGTHS):
        texture = noise_frame(shot, 12, 16).repeat(16, axis=0).repeat(16, axis=1)
        for number in range(length):
            yield np.roll(texture, 2 * number, axis=1)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "libx264", {"gop": 250}),
        ("rate.mkv", "libx264", {"times": np.cumsum([0, *([20, 40, 80] * 100)])[: sum(LENGTHS)].tolist()}),
        ("stream.ts", "mpeg2video", {}),
        ("frames.avi", "mpeg4", {}),
    ],
)
def test_five_known_cuts_are_found(name: str, codec: str, options: dict, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / name, film(), codec, **options)
    index = index_video(clip)
    assert find_cuts(index, Segments("shots").threshold) == CUTS
    starts = [start for start, _ in shot_parts(index, CUTS, 0.5, 60.0)]
    np.testing.assert_allclose(starts, [0.0, *index.times[CUTS]], atol=6e-4)


def test_a_moving_camera_is_no_cut(tmp_path: Path) -> None:
    texture = noise_frame(0, 12, 16).repeat(16, axis=0).repeat(16, axis=1)
    clip = write_clip(tmp_path / "a.mp4", [np.roll(texture, 5 * number, axis=1) for number in range(80)])
    assert find_cuts(index_video(clip), Segments("shots").threshold) == []


def test_every_frame_is_a_sign_of_life(tmp_path: Path) -> None:
    seen: list[None] = []
    find_cuts(index_video(write_clip(tmp_path / "a.mp4", 20)), 3.0, alive=lambda: seen.append(None))
    assert len(seen) == 20


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "scenedetect", None)
    with pytest.raises(UsageError, match=r"segments=shots needs PySceneDetect: pip install 'cover-vqa\[shots\]'"):
        require_shots()
