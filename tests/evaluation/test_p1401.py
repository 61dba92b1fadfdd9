"""P.1401's figures and tests: recomputed from their definitions, and published worked examples.

Worked example of Steiger (1980), p. 249, case A: n = 103, correlations 0.4 and 0.5 with a third variable, 0.1 between
the two; he prints Z = -.8913 with rounded intermediate values, -.8887 without. Silver, Hittner and May (2006) have
0.3, 0.4 and 0.5 with n = 100: Z = -1.0718, p = .2838. Shrout and Fleiss (1979) are in test_raters.py. The
recommendations themselves were not at hand.
"""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cover.evaluation import p1401
from cover.evaluation.fits.curve import fit_curve
from cover.evaluation.p1401 import standard
from cover.evaluation.ranking import holm, rank_metrics, tabulate
from cover.rows import Row


@pytest.fixture
def sample() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    mos = rng.uniform(1, 5, 50)
    return pd.DataFrame(
        {
            "mos": mos,
            "ci95": rng.uniform(0.2, 0.6, 50),
            "se": 0.2,
            "good": mos + rng.normal(0, 0.4, 50),
            "poor": mos + rng.normal(0, 1.2, 50),
            "falls": -mos + rng.normal(0, 0.5, 50),
        }
    )


def test_every_figure_from_its_definition(sample: pd.DataFrame) -> None:
    found = standard(sample["good"], sample["mos"], sample["ci95"], fit="cubic")
    curve = fit_curve(sample["good"], sample["mos"], "cubic")
    assert curve is not None
    errors = np.asarray(sample["mos"] - curve(sample["good"]))
    beyond = np.maximum(0, np.abs(errors) - sample["ci95"])
    assert found.parameters == 4
    assert found.rmse == pytest.approx(math.sqrt((errors**2).sum() / 49))
    assert found.rmse_star == pytest.approx(math.sqrt((beyond**2).sum() / 46))
    ratio = (np.abs(errors) > sample["ci95"]).mean()
    assert found.outlier_ratio == pytest.approx(ratio)
    half = 1.96 * math.sqrt(ratio * (1 - ratio) / 50)
    assert found.outlier_ratio_ci95 == pytest.approx((ratio - half, ratio + half))
    r = stats.pearsonr(curve(sample["good"]), sample["mos"])
    assert found.plcc == pytest.approx(r.statistic)
    # scipy's interval has the same transformation, and 1.95996 for 1.96.
    assert found.plcc_ci95 == pytest.approx(tuple(r.confidence_interval(0.95)), abs=1e-4)
    low, high = found.rmse_ci95
    assert 49 * found.rmse**2 / low**2 == pytest.approx(stats.chi2.ppf(0.975, 49))
    assert 49 * found.rmse**2 / high**2 == pytest.approx(stats.chi2.ppf(0.025, 49))


def test_without_intervals_of_the_mos_what_needs_them_is_unknown(sample: pd.DataFrame) -> None:
    found = standard(sample["good"], sample["mos"], fit="linear").as_dict()
    assert found["parameters"] == 2
    assert found["rmse"] > 0
    assert (found["rmse_star"], found["outlier_ratio"], found["resolving_power"]) == (None, None, None)


@pytest.mark.parametrize(("ratio", "count"), [(0.0, 10), (1.0, 24)])
def test_no_outlier_is_not_certainly_none(ratio: float, count: int) -> None:
    low, high = p1401.outlier_interval(ratio, count)
    edge = 1 - 0.025 ** (1 / count)
    assert (low, high) == pytest.approx((0, edge) if ratio == 0 else (1 - edge, 1))


@pytest.mark.parametrize(
    ("r_a", "r_b", "r_ab", "n", "z", "p"),
    [(0.4, 0.5, 0.1, 103, -0.8887, 0.3742), (0.3, 0.4, 0.5, 100, -1.0718, 0.2838)],
)
def test_published_examples_of_steigers_test(r_a: float, r_b: float, r_ab: float, n: int, z: float, p: float) -> None:
    assert p1401.steiger(r_a, r_b, r_ab, n) == pytest.approx((z, p), abs=1e-4)


def test_the_other_tests_from_their_definitions() -> None:
    ratio, p = p1401.rmse_test(0.5, 0.4, 40)
    assert (ratio, p) == pytest.approx((1.5625, 1 - stats.f.cdf(1.5625, 40, 40)))
    assert p1401.rmse_test(0.4, 0.5, 40) == (ratio, p)
    assert p1401.rmse_test(0.0, 0.5, 40) == (math.inf, 0.0)
    assert p1401.rmse_test(0.0, 0.0, 40) == (1.0, 1.0)
    z, p = p1401.outlier_test(0.3, 0.5, 60)
    assert z == pytest.approx(-0.2 / math.sqrt(2 * 0.4 * 0.6 / 60))
    assert p == pytest.approx(2 * stats.norm.cdf(z))
    assert all(map(math.isnan, p1401.outlier_test(0.0, 0.0, 60)))


@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_rejects_what_step_down_rejects(p: list[float]) -> None:
    adjusted = holm(pd.Series(p)).to_numpy()
    order = np.argsort(p)
    rejected = True
    for place, number in enumerate(order):
        rejected = rejected and p[number] * (len(p) - place) < 0.05
        assert (adjusted[number] < 0.05) == rejected
    assert (adjusted >= np.array(p) - 1e-12).all()


def test_resolving_power_falls_with_better_predictions() -> None:
    rng = np.random.default_rng(0)
    mos = rng.uniform(1, 5, 200)
    errors = np.full(200, 0.15)
    good, poor = (p1401.resolving_power(mos + rng.normal(0, spread, 200), mos, errors) for spread in (0.1, 0.8))
    # Two MOS a part of each other with z = 1.645 standard errors of their difference are the least there can be.
    assert 1.645 * 0.15 * math.sqrt(2) * 0.8 < good < 0.8
    assert good < poor
    assert p1401.resolving_power(rng.permutation(mos), mos, errors) == math.inf
    assert math.isnan(p1401.resolving_power(np.ones(9), mos[:9], errors[:9]))


class TestComparison:
    def test_the_best_comes_first_and_what_falls_is_turned(self, sample: pd.DataFrame) -> None:
        found = rank_metrics(sample, ["poor", "falls", "good"], "cubic", 300)
        assert found.criterion == "rmse_star"
        table = found.ranking().set_index("metric")
        assert table.index.tolist()[0] == "good"
        assert table.index.tolist()[-1] == "poor"
        assert table["low_is_good"].to_dict() == {"good": False, "falls": True, "poor": False}
        assert (table[["srocc", "plcc"]] > 0.6).all(axis=None)
        assert not table["like_best"]["poor"]
        for name, values in (("good", sample["good"]), ("falls", -sample["falls"])):
            assert table["srocc"][name] == pytest.approx(stats.spearmanr(values, sample["mos"]).statistic)

    def test_a_pair_from_its_definition(self, sample: pd.DataFrame) -> None:
        pairs = rank_metrics(sample, ["good", "poor"], "linear", 500).pairs.set_index("measure")
        a, b, mos = sample["good"], sample["poor"], sample["mos"]
        ranks = [stats.spearmanr(one, other).statistic for one, other in ((a, mos), (b, mos), (a, b))]
        line = pairs.loc["srocc"]
        assert line["difference"] == pytest.approx(ranks[0] - ranks[1])
        assert (line["statistic"], line["p"]) == pytest.approx(p1401.steiger(*ranks, 50))
        rng = np.random.default_rng(9)
        drawn = [rng.integers(50, size=50) for _ in range(500)]
        differences = [
            stats.spearmanr(a[some], mos[some]).statistic - stats.spearmanr(b[some], mos[some]).statistic
            for some in drawn
        ]
        assert (line["low"], line["high"]) == pytest.approx(tuple(np.percentile(differences, [2.5, 97.5])), abs=0.04)
        assert line["low"] > 0
        assert pairs.loc["rmse", "difference"] < 0
        assert pairs["p_holm"].dropna().to_list() == pairs["p"].dropna().to_list()  # one pair

    def test_left_out_errors_are_larger_and_those_of_refits(self, sample: pd.DataFrame) -> None:
        few = sample.iloc[:12].reset_index(drop=True)
        (metric,) = rank_metrics(few, ["good"], "linear", 0).metrics
        missed = []
        for place in range(12):
            rest = few.drop(place)
            line = stats.linregress(rest["good"], rest["mos"])
            missed.append(line.slope * few["good"][place] + line.intercept - few["mos"][place])
        assert metric.left_out["rmse"] == pytest.approx(math.sqrt(np.mean(np.square(missed))))
        assert metric.left_out["outlier_ratio"] == pytest.approx(np.mean(np.abs(missed) > few["ci95"]))
        assert metric.left_out["rmse"] > metric.standard.rmse * math.sqrt(11 / 12)
        assert not rank_metrics(sample, ["good"], "linear", 0).metrics[0].left_out  # of many it says nothing

    def test_a_metric_that_scores_all_alike_has_no_interval(self, sample: pd.DataFrame) -> None:
        metrics = rank_metrics(sample.assign(flat=2.0), ["flat", "good"], "linear", 50).metrics
        (flat,) = (metric for metric in metrics if metric.name == "flat")
        assert math.isnan(flat.figure("srocc"))
        assert all(map(math.isnan, flat.ci95["srocc"]))

    def test_many_videos(self) -> None:
        rng = np.random.default_rng(0)
        mos = rng.uniform(1, 5, 8000)
        table = pd.DataFrame({"mos": mos, "a": mos + rng.normal(0, 0.5, 8000), "b": mos + rng.normal(0, 0.6, 8000)})
        line = rank_metrics(table, ["b", "a"], "linear", 200).pairs.set_index("measure").loc["plcc"]
        assert 0 < line["low"] < line["difference"] < line["high"] < 2 * line["difference"]

    @pytest.mark.parametrize("count", [2, 4, 5])
    def test_few_videos_are_no_error(self, sample: pd.DataFrame, count: int) -> None:
        found = rank_metrics(sample.iloc[:count], ["good", "poor"], "cubic", 50)
        assert [metric.measures.n for metric in found.metrics] == [count] * 2
        assert len(found.ranking()) == 2
        assert found.metrics[0].measures.undefined or count == 5


def test_a_table_of_metrics_has_gaps_where_a_score_is_missing() -> None:
    rows = [Row("nowhere", name, mos) for name, mos in (("a", 1.0), ("b", 2.0))]
    table = tabulate(rows, {"x": {"a": 5.0}}, None)
    assert table.to_dict("list")["Filename"] == ["a", "b"]
    assert table["x"].isna().to_list() == [False, True]
