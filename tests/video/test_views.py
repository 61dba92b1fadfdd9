"""Views of whole clips: against the official pipeline's, and what they must have in common."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cover.errors import VideoError
from cover.video import FragmentView, ViewSpec, WholeView, choose_sampling, decode, load_views, probe, read_sampling
from tests.helpers.clips import numbered_frame, read_number, rotate_mp4, write_clip

REAL_CLIPS = [
    "cover_demo/fun_video_3.mp4",
    "cover_demo/image_1.jpg",
    "cover_demo/image_2.jpg",
    "cover_demo/video_1.mp4",
    "cover_demo/video_2.mp4",
    "dover_demo/1724.mp4",
    "dover_demo/FEQ-gdkTN4Q_000008_000018.mp4",
    "dover_demo/HyZMiWeJyMw_000072_000082.mp4",
    "dover_demo/e4dv6ZsFzHE_000243_000253.mp4",
    "dover_demo/eWgy8eG3stA_000164_000174.mp4",
    "intel_samples/book.mkv",
    "intel_samples/bottle-detection.mp4",
    "intel_samples/car-detection.mp4",
    "intel_samples/night.mkv",
    "intel_samples/walk.mkv",
]
SMALL = ViewSpec(
    WholeView(4, 1, size=96), FragmentView(4, 2, grid=2, fragment=16), WholeView(4, 2, size=48), sampling="random"
)


@pytest.mark.parametrize("name", ["image_1.jpg", "video_1.mp4", "fun_video_3.mp4"])
def test_equal_the_official_views(name: str, shared: Path) -> None:
    recorded = shared / "reference" / "e2e" / f"{name}.npz"
    loaded = load_views(shared / "videos" / "cover_demo" / name, ViewSpec(), replay=read_sampling(recorded))
    assert not loaded.notes
    with np.load(recorded) as expected:
        for branch, view in loaded.views[0].items():
            # The record keeps every fifth frame and, of whole frames, every fourth row and column.
            step = 1 if branch == "technical" else 4
            np.testing.assert_array_equal(view[:, ::5, ::step, ::step], expected[f"{branch}_view"])


@pytest.mark.parametrize("name", REAL_CLIPS)
def test_real_clips_load(name: str, shared: Path) -> None:
    loaded = load_views(shared / "videos" / name, ViewSpec())
    assert not loaded.notes
    assert all(view.any() for view in loaded.views[0].values())


def test_an_empty_real_clip_is_refused(shared: Path) -> None:
    with pytest.raises(VideoError, match="the file is empty"):
        load_views(shared / "videos" / "dover_demo" / "error_test.mp4", ViewSpec())


def test_frames_stand_where_they_were_drawn(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", 60, gop=12, options={"preset": "veryfast"})
    loaded = load_views(path, SMALL)
    for branch in ("semantic", "aesthetic"):
        frames = loaded.views[0][branch].transpose(1, 2, 3, 0)
        assert [read_number(frame) for frame in frames] == loaded.samplings[0].indices[branch].tolist()


def test_views_depend_on_the_file_name_only(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", 60)
    (tmp_path / "folder").mkdir()
    copy = tmp_path / "folder" / "x.mp4"
    copy.write_bytes(path.read_bytes())
    other = tmp_path / "y.mp4"
    other.write_bytes(path.read_bytes())
    first = load_views(path, SMALL).views[0]
    cases = ((copy, None, True), (str(copy), None, True), (other, None, False), (other, "x.mp4", True))
    for source, name, same in cases:
        views = load_views(source, SMALL, name=name).views[0]
        assert all(np.array_equal(views[branch], first[branch]) for branch in views) == same


@pytest.mark.parametrize("threads", [1, 2, 0])
def test_samples_are_independent_draws(threads: int, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", 60)
    spec = ViewSpec(SMALL.semantic, SMALL.technical, SMALL.aesthetic, sampling="random", seed=3, samples=3)
    loaded = load_views(path, spec, threads=threads)
    assert len(loaded.views) == len(loaded.samplings) == 3
    for sample, (views, drawn) in enumerate(zip(loaded.views, loaded.samplings, strict=True)):
        expected = choose_sampling(spec, 60, 64, 192, "x.mp4", sample)
        assert drawn.indices["semantic"].tolist() == expected.indices["semantic"].tolist()
        replayed = load_views(path, spec, replay=drawn)
        assert len(replayed.views) == 1
        for branch, view in replayed.views[0].items():
            np.testing.assert_array_equal(view, views[branch])


def test_replays_of_another_video_are_refused(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", 10)
    with pytest.raises(VideoError, match=r"x.mp4: the replayed sampling asks for frame \d+ of a video of 10 frames"):
        load_views(path, SMALL, replay=choose_sampling(SMALL, 60, 64, 192))


def test_rotation_can_be_turned_off(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", 5)
    plain = load_views(path, SMALL).views[0]["semantic"]
    rotate_mp4(path, 90)
    spec = ViewSpec(SMALL.semantic, SMALL.technical, SMALL.aesthetic, sampling="random", rotate=False)
    np.testing.assert_array_equal(load_views(path, spec).views[0]["semantic"], plain)
    assert load_views(path, spec).info.width == 192
    assert load_views(path, SMALL).info.width == 64


def test_seeking_gives_the_frames_of_full_decoding(shared: Path) -> None:
    path = shared / "videos" / "intel_samples" / "bottle-detection.mp4"
    wanted = list(range(0, probe(path).frames, 97))
    everything = {number: frame.sum() for number, frame in decode(path, range(max(wanted) + 1), threads=1)}
    for number, frame in decode(path, wanted):
        assert frame.sum() == everything[number]


def test_importing_takes_no_torch() -> None:
    code = "import sys, cover.video; sys.exit(any(name in sys.modules for name in ('torch', 'lightning', 'hydra')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_numbered_frames_can_be_read() -> None:
    assert [read_number(numbered_frame(number)) for number in (0, 1, 77, 4095)] == [0, 1, 77, 4095]
