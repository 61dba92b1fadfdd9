"""Subjective tests: MOS and intervals, who is rejected, and how far raters agree.

Worked example of Shrout and Fleiss (1979), table 2: six targets, four judges; ICC(2,1) = .29, ICC(2,4) = .62.
"""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cover.errors import UsageError
from cover.evaluation.raters.screening import Screening, bt500, most_likely, p913
from cover.evaluation.raters.study import Panel, evaluate_ratings, intraclass, sos_alpha, split_half
from cover.rows import Rating

SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float
)


def listed(values: np.ndarray) -> list[Rating]:
    """A matrix (videos, raters) as ratings."""
    return [
        Rating(f"{video}.mp4", f"P{rater:02d}", float(value))
        for (video, rater), value in np.ndenumerate(values)
        if not math.isnan(value)
    ]


def panel(videos: int, raters: int, seed: int, spread: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """True qualities, and ratings on 1..5 of people who are of one mind but for noise."""
    rng = np.random.default_rng(seed)
    quality = rng.uniform(1.3, 4.7, videos)
    return quality, np.clip(np.round(quality[:, None] + rng.normal(0, spread, (videos, raters))), 1, 5)


def rejected(values: np.ndarray, screening: Screening) -> set[int]:
    raters = evaluate_ratings(listed(values), screening).raters
    return {int(name[1:]) for name in raters.loc[~raters["kept"], "rater"]}


class TestMeans:
    def test_figures_from_their_definitions(self) -> None:
        _, values = panel(10, 12, 0)
        values[3, 4:9] = math.nan
        study = evaluate_ratings(listed(values))
        table = study.videos.set_index("Filename")
        for number in (0, 3):
            given = values[number][np.isfinite(values[number])]
            line = table.loc[f"{number}.mp4"]
            assert line["n"] == len(given)
            assert line["mos"] == pytest.approx(given.mean())
            assert line["std"] == pytest.approx(given.std(ddof=1))
            student = stats.t.ppf(0.975, len(given) - 1)
            assert line["ci95"] == pytest.approx(student * given.std(ddof=1) / math.sqrt(len(given)))
        first = study.raters.iloc[0]
        rated = np.isfinite(values[:, 0])
        mos = table["mos"].to_numpy()
        assert first["bias"] == pytest.approx((values[rated, 0] - mos[rated]).mean())
        assert first["correlation"] == pytest.approx(np.corrcoef(values[rated, 0], mos[rated])[0, 1])

    def test_one_rater_has_no_interval_and_no_agreement(self) -> None:
        study = evaluate_ratings(listed(np.array([[1.0], [3], [2], [5]])))
        assert study.videos["ci95"].isna().all()
        assert math.isnan(study.agreement.icc)
        assert math.isnan(study.agreement.split_half)
        assert "one rater: how far raters agree is unknown" in study.sentences()[1]

    def test_a_rating_outside_the_scale(self) -> None:
        _, values = panel(5, 4, 0)
        values[2, 1] = 50
        with pytest.raises(UsageError, match=r"P01 rated 2.mp4 50, outside 1..5"):
            evaluate_ratings(listed(values), scale=(1, 5))

    @pytest.mark.parametrize("code", [-1, -9, -99, -999, -9999, 99, 999])
    def test_a_mark_of_a_missing_rating_is_no_rating(self, code: float) -> None:
        _, values = panel(5, 4, 0)
        values = np.clip(np.round(values), 1, 5)
        values[2, 1] = values[3, 0] = code
        with pytest.raises(UsageError, match=rf"rated \d.mp4 {code:g}, and all .* no rating \(2 cells\), leave these"):
            evaluate_ratings(listed(values))

    @pytest.mark.parametrize("ratings", [[-1, 0, 1, 1], [-3, -1, 2, 3], [90, 99, 95, 12], [-1.0, 0.5, 0.2, 1.0]])
    def test_a_scale_that_has_such_a_number(self, ratings: list[float]) -> None:
        values = np.array([ratings, ratings[::-1]], float).T
        assert evaluate_ratings(listed(values)).videos["mos"].min() >= -3

    @settings(max_examples=60, deadline=None)
    @given(
        cells=st.lists(
            st.lists(st.one_of(st.none(), st.integers(1, 5)), min_size=3, max_size=3), min_size=1, max_size=8
        ),
        screening=st.sampled_from(["none", "bt500", "p913"]),
    )
    def test_any_table_has_an_answer(self, cells: list[list[int | None]], screening: Screening) -> None:
        values = np.array([[math.nan if cell is None else cell for cell in row] for row in cells], dtype=float)
        ratings = listed(values)
        if not ratings:
            return
        study = evaluate_ratings(ratings, screening)
        assert study.videos["mos"].between(1, 5).all()
        assert set(study.videos["Filename"]) <= {rating.video for rating in ratings}
        assert study.raters["kept"].any()
        assert study.sentences()
        assert math.isnan(study.agreement.icc) or -1e-9 <= study.agreement.icc <= 1 + 1e-9


class TestScreening:
    @pytest.mark.parametrize("seed", range(5))
    def test_a_spammer_among_twelve_raters_of_ten_clips(self, seed: int) -> None:
        _, values = panel(10, 12, seed, spread=0.3)
        values[:, 7] = np.random.default_rng(seed + 100).integers(1, 6, 10)
        assert rejected(values, "p913") == {7}
        weights = evaluate_ratings(listed(values), "mle").raters
        assert weights["inconsistency"].idxmax() == 7
        assert weights["kept"].all()

    def test_who_says_nothing_and_who_turns_the_scale_round(self) -> None:
        _, values = panel(20, 10, 1)
        values[:, 2] = 3
        values[:, 5] = 6 - values[:, 5]
        study = evaluate_ratings(listed(values), "p913")
        reasons = study.raters.set_index("rater")["reason"]
        assert rejected(values, "p913") == {2, 5}
        assert "all 20 ratings are 3" in reasons["P02"]
        assert "correlation with the MOS -" in reasons["P05"]

    def test_honest_raters_with_a_bias_stay(self) -> None:
        _, values = panel(30, 12, 2)
        values[:, 4] = np.clip(values[:, 4] + 1, 1, 5)
        for screening in ("bt500", "p913"):
            assert rejected(values, screening) == set()

    def test_bt500_finds_who_errs_both_ways_in_a_large_panel(self) -> None:
        rng = np.random.default_rng(3)
        quality = rng.uniform(30, 70, 60)
        values = quality[:, None] + rng.normal(0, 6, (60, 25))
        values[:, 11] = quality + rng.choice([-15, 15], 60)
        assert rejected(values, "bt500") == {11}

    def test_bt500_from_its_definition(self) -> None:
        rng = np.random.default_rng(4)
        values = rng.normal(3, 1, (40, 15))
        values[rng.random(values.shape) < 0.1] = math.nan
        expected = []
        p, q = np.zeros(15), np.zeros(15)
        for row in values:
            given = row[np.isfinite(row)]
            moments = [np.mean((given - given.mean()) ** order) for order in (2, 4)]
            limit = 2 if 2 <= moments[1] / moments[0] ** 2 <= 4 else math.sqrt(20)
            with np.errstate(invalid="ignore"):
                p += row >= given.mean() + limit * given.std(ddof=1)
                q += row <= given.mean() - limit * given.std(ddof=1)
        counts = np.isfinite(values).sum(0)
        for above, below, n in zip(p, q, counts, strict=True):
            expected.append((above + below) / n > 0.05 and abs(above - below) / (above + below) < 0.3)
        assert [bool(reason) for reason in bt500(values)] == expected
        assert any(expected)

    def test_p913_rejects_the_worst_first_and_keeps_two(self) -> None:
        rng = np.random.default_rng(5)
        reasons = p913(rng.normal(size=(12, 6)), 0.999)
        assert sum(not reason for reason in reasons) == 2

    def test_most_likely_qualities_are_nearer_to_the_truth_than_means(self) -> None:
        nearer = 0
        for seed in range(8):
            rng = np.random.default_rng(seed)
            quality = rng.uniform(1, 5, 25)
            spread = np.where(np.arange(15) < 4, 2.0, 0.3)
            values = quality[:, None] + rng.normal(0, 0.4, 15) + rng.normal(size=(25, 15)) * spread
            errors = [
                np.std(evaluate_ratings(listed(values), screening, scale=(-20, 20)).videos["mos"] - quality)
                for screening in ("none", "mle")
            ]
            nearer += errors[1] < errors[0]
        assert nearer == 8

    def test_a_rater_who_agrees_exactly_is_not_taken_for_the_truth(self) -> None:
        """Where the plain likelihood has no maximum, and one rater would be all that counts."""
        _, values = panel(10, 12, 0)
        values[:, 3] = np.round(np.delete(values, 3, 1).mean(1))
        found = most_likely(values)
        assert found.inconsistency.min() > 0.1
        weights = found.inconsistency**-2 / (found.inconsistency**-2).sum()
        assert weights.max() < 0.4
        assert found.quality == pytest.approx(values.mean(1), abs=0.4)

    def test_most_likely_of_known_raters(self) -> None:
        """Of many videos biases and deviations come out as they were drawn, and intervals hold the truth."""
        rng = np.random.default_rng(1)
        quality, bias, spread = rng.uniform(1, 5, 400), rng.normal(0, 0.4, 15), rng.uniform(0.6, 1.5, 15)
        values = quality[:, None] + bias + rng.normal(size=(400, 15)) * spread
        values[rng.random(values.shape) < 0.2] = math.nan
        found = most_likely(values)
        # Qualities lean on consistent raters, whose deviations come out somewhat too small.
        assert found.inconsistency == pytest.approx(spread, rel=0.25)
        assert stats.spearmanr(found.inconsistency, spread).statistic > 0.95
        assert found.bias - found.bias.mean() == pytest.approx(bias - bias.mean(), abs=0.12)
        errors = found.quality - quality
        held = np.abs(errors - errors.mean()) < found.ci95
        assert held.mean() == pytest.approx(0.95, abs=0.06)

    def test_most_likely_of_one_rater(self) -> None:
        with pytest.raises(UsageError, match="one rater"):
            evaluate_ratings(listed(np.array([[1.0], [2], [3]])), "mle")


class TestAgreement:
    def test_the_example_of_shrout_and_fleiss(self) -> None:
        assert intraclass(SHROUT_FLEISS) == pytest.approx((0.29, 0.62), abs=0.005)

    def test_missing_cells_leave_it_about_where_it_was(self) -> None:
        _, values = panel(300, 20, 0)
        whole = intraclass(values)
        values[np.random.default_rng(0).random(values.shape) < 0.5] = math.nan
        assert intraclass(values)[0] == pytest.approx(whole[0], abs=0.03)

    def test_ratings_that_are_all_alike(self) -> None:
        assert all(map(math.isnan, intraclass(np.full((5, 4), 3.0))))
        assert math.isnan(sos_alpha(np.full((5, 1), 3.0), (1, 5)))

    def test_sos_of_a_known_spread(self) -> None:
        """Ratings at the ends of the scale alone have the largest variance that there is: alpha is 1."""
        values = np.array([[1.0] * (10 - high) + [5.0] * high for high in range(1, 10)])
        alpha = sos_alpha(values, (1, 5))
        assert alpha == pytest.approx(10 / 9)  # with n - 1
        mos, variance = values.mean(1), values.var(1, ddof=1)
        room = (mos - 1) * (5 - mos)
        assert alpha == pytest.approx((variance * room).sum() / (room**2).sum())

    def test_halves_of_raters_of_one_mind(self) -> None:
        quality = np.arange(12.0)
        middle, (low, high) = split_half(np.repeat(quality[:, None], 6, axis=1))
        assert (middle, low, high) == (1, 1, 1)
        rng = np.random.default_rng(0)
        middle, (low, high) = split_half(rng.normal(size=(60, 10)))
        assert low < 0 < high
        assert abs(middle) < 0.2

    def test_the_ceiling_is_what_true_qualities_reach(self) -> None:
        found, reached = [], []
        for seed in range(30):
            rng = np.random.default_rng(seed)
            quality = rng.normal(size=150)
            study = evaluate_ratings(listed(quality[:, None] + rng.normal(0, 2, (150, 8))), scale=(-20, 20))
            found.append(study.agreement.ceiling)
            reached.append(stats.spearmanr(study.videos["mos"], quality).statistic)
        assert np.mean(found) == pytest.approx(np.mean(reached), abs=0.02)

    def test_a_panel_keeps_the_order_of_names(self) -> None:
        found = Panel.of([Rating("b", "y", 1), Rating("a", "x", 2)])
        assert (found.videos, found.raters) == (["b", "a"], ["y", "x"])
        pd.testing.assert_frame_equal(pd.DataFrame(found.values).isna(), pd.DataFrame([[False, True], [True, False]]))
