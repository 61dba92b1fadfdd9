"""The gain of one score over another: a paired interval, by content where contents are known."""

import math

import numpy as np
import pytest
from scipy import stats

from cover.evaluation.gain import Gain, gain


@pytest.fixture
def sample() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    mos = rng.uniform(1, 5, 60)
    return mos + rng.normal(0, 1.5, 60), mos + rng.normal(0, 0.4, 60), mos


def test_from_its_definition(sample: tuple[np.ndarray, ...]) -> None:
    before, after, mos = sample
    found = gain(before, after, mos)
    assert found.srocc[0] == pytest.approx(
        stats.spearmanr(after, mos).statistic - stats.spearmanr(before, mos).statistic
    )
    assert found.plcc[0] == pytest.approx(np.corrcoef(after, mos)[0, 1] - np.corrcoef(before, mos)[0, 1])
    assert found.sum[0] == pytest.approx(found.srocc[0] + found.plcc[0])
    rng = np.random.default_rng(7)
    drawn = [rng.integers(60, size=60) for _ in range(800)]
    plain = [np.corrcoef(after[s], mos[s])[0, 1] - np.corrcoef(before[s], mos[s])[0, 1] for s in drawn]
    assert found.plcc[1:] == pytest.approx(tuple(np.percentile(plain, [2.5, 97.5])), abs=0.03)
    assert (found.clear, found.worse, found.by) == (True, False, "video")
    assert Gain.from_dict(found.as_dict()) == found
    assert found.sentence().startswith(f"SROCC {found.srocc[0]:+.2f} [")


def test_the_other_way_round_it_is_worse(sample: tuple[np.ndarray, ...]) -> None:
    before, after, mos = sample
    assert gain(after, before, mos).worse


def test_nothing_is_gained_by_the_same_scores(sample: tuple[np.ndarray, ...]) -> None:
    found = gain(sample[0], 2 * sample[0] + 1, sample[2])
    assert found.srocc == (0, 0, 0)
    assert not found.clear


def test_contents_are_resampled_as_wholes(sample: tuple[np.ndarray, ...]) -> None:
    """Ten copies of six videos tell no more than six."""
    before, after, mos = (np.tile(values[:6], 10) for values in sample)
    groups = list("abcdef") * 10
    by_content, by_video = gain(before, after, mos, groups), gain(before, after, mos)
    assert (by_content.by, by_video.by) == ("content", "video")
    widths = [found.plcc[2] - found.plcc[1] for found in (by_content, by_video)]
    assert widths[0] > 2 * widths[1]


@pytest.mark.parametrize("count", [2, 4])
def test_few_videos_have_no_interval(sample: tuple[np.ndarray, ...], count: int) -> None:
    found = gain(*(values[:count] for values in sample))
    assert math.isnan(found.sum[1])
    assert not found.clear
    assert "(no interval)" in found.sentence()


def test_chance_seldom_looks_like_a_gain() -> None:
    rng = np.random.default_rng(0)
    clear = [gain(*rng.normal(size=(3, 40)), resamples=200).clear for _ in range(300)]
    assert np.mean(clear) == pytest.approx(0.025, abs=0.03)
