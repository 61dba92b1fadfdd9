"""The scorer: from a file, frames or decoded views to one score, whose maps say when and where."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cover.curves import Line
from cover.errors import VideoError
from cover.models import COVER
from cover.scores import BRANCHES, VideoScore
from cover.scoring.scorer import Scorer
from cover.video import ViewSpec, load_views
from tests.helpers.clips import numbered_frame, write_clip
from tests.helpers.tiny import tiny_model, tiny_views


@pytest.fixture(scope="module")
def model() -> COVER:
    return tiny_model()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "a.mp4", 40, rate=10)


@pytest.fixture
def scorer(model: COVER) -> Scorer:
    return Scorer(model, tiny_views())


def frames(count: int, shift: int = 0) -> np.ndarray:
    return np.stack([numbered_frame(number + shift) for number in range(count)])


def valid(scores: list[Any]) -> list[VideoScore]:
    assert all(isinstance(score, VideoScore) for score in scores)
    return scores


def test_scores_are_the_means_of_their_maps(scorer: Scorer, clip: Path) -> None:
    found = scorer.score(clip)
    for branch in BRANCHES:
        assert found.maps[branch].dtype == np.float32
        assert found.maps[branch].mean() == pytest.approx(found.scores[branch], abs=1e-6)
    assert found.overall == pytest.approx(found.semantic + found.technical + found.aesthetic, abs=1e-6)
    assert list(found.scores) == [*BRANCHES, "overall"]


def test_rows_of_a_map_say_which_frames_they_stand_for_and_when(scorer: Scorer, clip: Path) -> None:
    loaded = load_views(clip, scorer.views)
    (found,) = valid(scorer.score_batch([loaded]))
    for branch, numbers in loaded.samplings[0].indices.items():
        rows = len(found.maps[branch])
        assert found.frames[branch].shape == (rows, len(numbers) // rows)
        assert found.frames[branch].flatten().tolist() == numbers.tolist()
        np.testing.assert_allclose(found.times[branch], found.frames[branch].mean(axis=1) / 10, atol=1e-9)


def test_a_damaged_moment_is_low_at_its_time(scorer: Scorer) -> None:
    """Changing frames changes the rows that name them alone, in the branch that looks at single frames."""
    before = frames(40)
    after = before.copy()
    after[20:] = 0
    first, second = scorer.score(before, fps=10), scorer.score(after, fps=10)
    changed = np.abs(first.maps["semantic"] - second.maps["semantic"]).max(axis=(1, 2)) > 1e-6
    assert changed.tolist() == (first.times["semantic"] >= 2.0).tolist()


def test_a_batch_is_one_forward_pass(scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = [load_views(frames(30, shift), scorer.views) for shift in (0, 9, 20)]
    alone = [valid(scorer.score_batch([one]))[0] for one in loaded]
    passes: list[int] = []
    forward = COVER.forward

    def counted(self: COVER, views: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        passes.append(len(views["technical"]))
        return forward(self, views)

    monkeypatch.setattr(COVER, "forward", counted)
    together = valid(scorer.score_batch(loaded))
    assert passes == [3]
    for one, other in zip(alone, together, strict=True):
        assert list(one.scores.values()) == pytest.approx(list(other.scores.values()), abs=1e-6)


def test_several_samplings_are_averaged(model: COVER, clip: Path) -> None:
    random = ("views.sampling=random", "views.seed=3")
    several = Scorer(model, tiny_views(*random, "views.samples=3"))
    found = several.score(clip)
    loaded = load_views(clip, several.views)
    each = [Scorer(model, tiny_views()).score(clip, replay=sampling) for sampling in loaded.samplings]
    for name, value in found.scores.items():
        assert value == np.mean([one.scores[name] for one in each])
    for branch in BRANCHES:
        np.testing.assert_allclose(found.maps[branch], np.mean([one.maps[branch] for one in each], axis=0), atol=1e-7)
        np.testing.assert_array_equal(
            found.frames[branch], np.concatenate([one.frames[branch] for one in each], axis=1)
        )
        np.testing.assert_allclose(found.times[branch], np.mean([one.times[branch] for one in each], axis=0))


@pytest.mark.parametrize(("fps", "known"), [(None, False), (25.0, True)])
def test_frames_in_memory_have_times_where_their_rate_is_known(scorer: Scorer, fps: float | None, known: bool) -> None:
    found = scorer.score(frames(30), fps=fps)
    assert all(np.isfinite(times).all() == known for times in found.times.values())


def test_an_image_is_one_moment(scorer: Scorer) -> None:
    found = scorer.score(frames(1))
    assert {branch: rows.shape[0] for branch, rows in found.maps.items()} == dict.fromkeys(BRANCHES, 1)
    assert all(times.tolist() == [0.0] for times in found.times.values())


def test_thumbnails_are_the_frames_looked_at(scorer: Scorer, clip: Path) -> None:
    assert scorer.score(clip).thumbnails is None
    found = scorer.score(clip, thumbnails=True)
    height, width = numbered_frame(0).shape[:2]
    assert found.thumbnails is not None
    assert found.thumbnails.dtype == np.uint8
    assert len(found.thumbnails) == len(found.maps["aesthetic"])
    assert found.thumbnails.shape[2] / found.thumbnails.shape[1] == pytest.approx(width / height, rel=0.02)
    assert max(found.thumbnails.shape[1:3]) == 160


def test_the_calibration_gives_a_predicted_mos(model: COVER, clip: Path) -> None:
    assert Scorer(model, tiny_views()).score(clip).predicted_mos is None
    model.calibration = Line(2.0, 3.0)
    try:
        found = Scorer(model, tiny_views()).score(clip)
    finally:
        model.calibration = None
    assert found.predicted_mos == pytest.approx(2 * found.overall + 3)


def test_the_views_are_those_the_model_was_trained_on(model: COVER) -> None:
    assert Scorer(model).views == ViewSpec()
    model.views = tiny_views()
    try:
        assert Scorer(model).views == tiny_views()
        assert Scorer(model, ViewSpec()).views == ViewSpec()
    finally:
        model.views = None


def test_a_score_that_is_not_finite_costs_its_video_only(scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = [load_views(frames(30, shift), scorer.views) for shift in (0, 9)]
    forward = COVER.forward

    def broken(self: COVER, views: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        maps = forward(self, views)
        maps["technical"][0] = torch.inf
        return maps

    monkeypatch.setattr(COVER, "forward", broken)
    first, second = scorer.score_batch(loaded)
    assert isinstance(first, VideoError)
    assert isinstance(second, VideoScore)
    with pytest.raises(VideoError, match=r"^frames: the model's score is not a finite number"):
        scorer.score(frames(30))


class TestSources:
    """Frames in memory in the forms that people have them."""

    FRAMES = np.stack([np.full((64, 96, 3), 10 * number, dtype=np.uint8) for number in range(12)])

    @pytest.mark.parametrize(
        "source",
        [
            pytest.param(list(FRAMES), id="list of arrays"),
            pytest.param(tuple(FRAMES), id="tuple"),
            pytest.param(torch.from_numpy(FRAMES), id="tensor"),
            pytest.param(torch.from_numpy(FRAMES).permute(0, 3, 1, 2), id="tensor with channels first"),
            pytest.param([torch.from_numpy(frame).permute(2, 0, 1) for frame in FRAMES], id="list of tensors"),
            pytest.param([Image.fromarray(frame) for frame in FRAMES], id="list of Pillow's images"),
        ],
    )
    def test_score_alike(self, source: Any, scorer: Scorer) -> None:
        assert scorer.score(source).overall == scorer.score(self.FRAMES).overall

    @pytest.mark.parametrize(
        ("source", "message"),
        [
            ([], r"frames: the list is empty"),
            ([FRAMES[0], FRAMES[0][:32]], r"not \(32, 96, 3\) and \(64, 96, 3\)"),
            (torch.rand(4, 3, 64, 96), r"frames must be uint8 RGB of shape \(T, H, W, 3\), not float32"),
            (FRAMES[0], r"frames must be uint8 RGB of shape \(T, H, W, 3\), not uint8 \(64, 96, 3\)"),
            (
                torch.zeros(4, 64, 96, 3, dtype=torch.bfloat16),
                r"must be dense uint8, not a tensor of torch.bfloat16",
            ),
            (["a.mp4", "b.mp4"], r"a list holds the frames of one video; score files one by one"),
            (17, r"int objects cannot be scored; give a file, a folder of frames, or frames as uint8"),
            (None, r"NoneType objects cannot be scored"),
        ],
    )
    def test_others_are_refused_in_one_line(self, source: Any, message: str, scorer: Scorer) -> None:
        with pytest.raises(VideoError, match=message):
            scorer.score(source)
