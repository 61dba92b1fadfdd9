"""Which frames and crops are drawn."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cover.errors import VideoError
from cover.video import (
    FragmentView,
    FrameSampling,
    Sampling,
    ViewSpec,
    WholeView,
    choose_sampling,
    read_sampling,
    write_sampling,
)
from cover.video.resize import enlarged_size
from cover.video.sampling import check_sampling, offset_limits
from cover.video.views import FragmentSampler

CENTER = ViewSpec()
RANDOM = ViewSpec(sampling="random")
sides = st.one_of(st.integers(1, 300), st.integers(1, 10_000))


def _equal(one: Sampling, other: Sampling) -> bool:
    return (
        all(np.array_equal(one.indices[branch], other.indices[branch]) for branch in one.indices)
        and np.array_equal(one.offsets_h, other.offsets_h)
        and np.array_equal(one.offsets_w, other.offsets_w)
    )


@given(st.integers(1, 100_000), sides, sides, st.sampled_from([CENTER, RANDOM]), st.text())
def test_draws_fit_the_video(frames: int, height: int, width: int, spec: ViewSpec, name: str) -> None:
    drawn = choose_sampling(spec, frames, height, width, name)
    check_sampling(drawn, spec, frames, height, width, "x")
    for branch, view in spec.branches.items():
        assert drawn.indices[branch].shape == (view.length,)
    sampler = FragmentSampler(spec.technical, drawn.offsets_h, drawn.offsets_w, height, width)
    full_height, full_width = enlarged_size(height, width, spec.technical.size, spec.technical.fragment)
    assert 0 <= sampler.rows.min() <= sampler.rows.max() < full_height
    assert 0 <= sampler.columns.min() <= sampler.columns.max() < full_width


@given(st.integers(1, 5000), st.integers(1, 25), st.integers(1, 6), st.integers(1, 5), st.integers(0, 99))
def test_frame_numbers(frames: int, fragments: int, count: int, interval: int, seed: int) -> None:
    view = WholeView(fragments, count, interval)
    spec = ViewSpec(view, sampling="random", seed=seed)
    drawn = choose_sampling(spec, frames, 300, 300).indices["semantic"].reshape(fragments, count)
    length, span = frames // fragments, count * interval
    steps = (drawn - drawn[:, :1]) % frames
    np.testing.assert_array_equal(steps, np.broadcast_to(np.arange(count) * interval % frames, drawn.shape))
    shifts = drawn[:, 0] - np.arange(fragments) * length
    if length > span:
        assert shifts.min() >= 0
        assert shifts.max() < length - span
        assert (np.diff(drawn.reshape(-1)) > 0).all()  # nothing wraps, fragments follow one another
    else:
        np.testing.assert_array_equal(shifts, 0)


@given(sides, sides, st.integers(1, 9), st.integers(1, 64), st.integers(0, 99))
def test_any_grid_stays_inside_the_frame(height: int, width: int, grid: int, fragment: int, seed: int) -> None:
    spec = ViewSpec(technical=FragmentView(2, 1, grid=grid, fragment=fragment), sampling="random", seed=seed)
    drawn = choose_sampling(spec, 10, height, width)
    sampler = FragmentSampler(spec.technical, drawn.offsets_h, drawn.offsets_w, height, width)
    full_height, full_width = enlarged_size(height, width, spec.technical.size, spec.technical.fragment)
    assert 0 <= sampler.rows.min() <= sampler.rows.max() < full_height
    assert 0 <= sampler.columns.min() <= sampler.columns.max() < full_width


def test_center_is_the_middle_of_each_range() -> None:
    drawn = choose_sampling(CENTER, 300, 720, 1280)  # 15 frames a fragment; cells of 102 x 182 px
    np.testing.assert_array_equal(drawn.indices["semantic"], np.arange(20) * 15 + 13 // 2)
    pairs = (np.arange(20) * 15 + 11 // 2)[:, None] + [0, 2]
    np.testing.assert_array_equal(drawn.indices["technical"], pairs.reshape(-1))
    np.testing.assert_array_equal(drawn.indices["aesthetic"], pairs.reshape(-1))
    np.testing.assert_array_equal(drawn.offsets_h, np.full((7, 7), (102 - 32) // 2))
    np.testing.assert_array_equal(drawn.offsets_w, np.full((7, 7), (182 - 32) // 2))


def test_short_videos_wrap_around() -> None:
    drawn = choose_sampling(CENTER, 3, 720, 1280)
    np.testing.assert_array_equal(drawn.indices["semantic"], np.zeros(20))
    np.testing.assert_array_equal(drawn.indices["technical"], np.tile([0, 2], 20))


def test_images_have_one_frame() -> None:
    assert {
        branch: part.tolist() for branch, part in choose_sampling(RANDOM, 1, 300, 300, image=True).indices.items()
    } == {
        "semantic": [0],
        "technical": [0],
        "aesthetic": [0],
    }


def test_random_draws_repeat_and_depend_on_seed_name_and_sample() -> None:
    def one(seed: int = 0, name: str = "a.mp4", sample: int = 0) -> Sampling:
        return choose_sampling(ViewSpec(sampling="random", seed=seed), 1000, 1080, 1920, name, sample)

    assert _equal(one(), one())
    for other in (one(seed=1), one(name="b.mp4"), one(sample=1)):
        assert not _equal(one(), other)
    odd = b"\xff.mp4".decode("utf-8", "surrogateescape")
    assert _equal(one(name=odd), one(name=odd))


def test_random_draws_do_not_change_between_versions() -> None:
    drawn = choose_sampling(RANDOM, 1000, 1080, 1920, "a.mp4")
    assert drawn.indices["semantic"][:5].tolist() == [5, 92, 145, 160, 233]
    assert drawn.offsets_w[0, :5].tolist() == [50, 48, 226, 107, 111]


def test_random_draws_cover_their_ranges_evenly() -> None:
    # 10 frames a fragment: the two-frame views shift by 0..5; cells of 40 x 42 px: shifts of 0..7 and 0..9.
    draws = [choose_sampling(RANDOM, 200, 280, 294, sample=sample) for sample in range(300)]
    for branch, count in (("semantic", 8), ("technical", 6), ("aesthetic", 6)):
        starts = np.stack([drawn.indices[branch].reshape(20, -1)[:, 0] - np.arange(20) * 10 for drawn in draws])
        _assert_uniform(starts, count)
    _assert_uniform(np.stack([drawn.offsets_h for drawn in draws]), 8)
    _assert_uniform(np.stack([drawn.offsets_w for drawn in draws]), 10)
    technical, aesthetic = (np.concatenate([d.indices[branch] for d in draws]) for branch in ("technical", "aesthetic"))
    assert (technical != aesthetic).mean() > 0.5  # drawn independently


def _assert_uniform(values: np.ndarray, count: int) -> None:
    shares = np.bincount(values.reshape(-1), minlength=count) / values.size
    assert len(shares) == count
    np.testing.assert_allclose(shares, 1 / count, rtol=0.15)


def test_records_are_read_back(tmp_path: Path) -> None:
    drawn = choose_sampling(RANDOM, 500, 700, 900, "x")
    path = tmp_path / "x.mp4.npz"
    write_sampling(path, drawn)
    assert _equal(read_sampling(path), drawn)
    with np.load(path) as stored:
        assert stored["offsets_h"].shape == (7, 7, 1)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "no such recorded sampling"),
        (lambda path: path.write_text("text"), "not a recorded sampling"),
        (lambda path: np.savez(path, other=np.zeros(3)), "not a recorded sampling: .*semantic_indices"),
        (lambda path: np.savez(path, semantic_indices=np.array([None])), "not a recorded sampling"),
        (lambda path: path.write_bytes(b"PK\3\4 cut short"), "not a recorded sampling"),
        (lambda path: np.save(path.open("wb"), np.zeros(3)), "not a recorded sampling"),
    ],
    ids=["missing", "text", "entry missing", "pickled", "cut", "npy"],
)
def test_bad_records_are_refused(make: Callable[[Path], object], reason: str, tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    make(path)
    with pytest.raises(VideoError, match=reason):
        read_sampling(path)


def test_replays_must_fit() -> None:
    drawn = choose_sampling(CENTER, 100, 720, 1280)
    limit_h, _ = offset_limits(CENTER.technical, 720, 1280)
    check_sampling(drawn, CENTER, 100, 720, 1280, "x.mp4")
    with pytest.raises(VideoError, match=r"x.mp4: the replayed sampling asks for frame \d+ of a video of 50 frames"):
        check_sampling(drawn, CENTER, 50, 720, 1280, "x.mp4")
    with pytest.raises(VideoError, match="row shift lies outside its cell of a 1280x240 frame"):
        check_sampling(drawn, CENTER, 100, 240, 1280, "x.mp4")
    with pytest.raises(VideoError, match="row shifts have shape"):
        check_sampling(Sampling(drawn.indices, np.zeros((3, 3)), drawn.offsets_w), CENTER, 100, 720, 1280, "x.mp4")
    partial = {"semantic": drawn.indices["semantic"]}
    with pytest.raises(VideoError, match="no frame numbers for the technical view"):
        check_sampling(Sampling(partial, drawn.offsets_h, drawn.offsets_w), CENTER, 100, 720, 1280, "x.mp4")
    too_far = np.full((7, 7), limit_h + 1)
    with pytest.raises(VideoError, match="row shift lies outside"):
        check_sampling(Sampling(drawn.indices, too_far, drawn.offsets_w), CENTER, 100, 720, 1280, "x.mp4")


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: FrameSampling(0, 1), "fragments"),
        (lambda: FrameSampling(1, -1), "frames"),
        (lambda: FrameSampling(1, 1, 0), "interval"),
        (lambda: WholeView(1, 1, size=0), "size"),
        (lambda: WholeView(1, 1, size=2.5), "size"),
        (lambda: FragmentView(1, 1, grid=0), "grid"),
        (lambda: FragmentView(1, 1, fragment=True), "fragment"),
        (lambda: ViewSpec(sampling="middle"), "sampling"),
        (lambda: ViewSpec(seed=-1), "seed"),
        (lambda: ViewSpec(samples=0), "samples"),
        (lambda: ViewSpec(samples=3), "samples > 1 needs sampling=random"),
    ],
)
def test_specs_check_themselves(make: Callable[[], object], field: str) -> None:
    with pytest.raises(ValueError, match=field):
        make()
