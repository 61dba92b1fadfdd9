"""The measures: the published figures to their digits, scipy's values, and every input that has no answer."""

import inspect
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from cover.curves import Fit, Line, Logistic
from cover.evaluation.correlation import krocc, plcc, rmse, srocc
from cover.evaluation.fits.curve import FITS, fit_curve
from cover.evaluation.measures import MEASURES, measure, opposed
from cover.evaluation.resampling import counts, interval

FILES = {"KoNViD-1k": "kv1k", "LSVQ test": "ltest", "CVD2014": "cvd2014", "YouTube-UGC": "ytugc"}
COLUMNS = {"overall": "overall_fused", "aesthetic": "aesthetic_raw", "technical": "technical_raw"}


def scores(shared: Path, dataset: str) -> pd.DataFrame:
    return pd.read_csv(shared / "reference" / "dover_predictions" / f"val-{FILES[dataset]}.csv")


def printed(shared: Path, dataset: str, branch: str) -> list[str]:
    """The row of dover_metrics.md for a set and branch, from SROCC on."""
    lines = (shared / "reference" / "dover_predictions" / "dover_metrics.md").read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    if branch == "overall":  # the first table: set, n, w, ...
        return next(row for row in cells if row[0] == dataset and row[1].isdecimal())[3:9]
    return next(row for row in cells if row[:2] == [dataset, branch])[2:]


@pytest.fixture
def sample() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    pred = rng.normal(size=120)
    return pred, 3 + 2 / (1 + np.exp(-(pred - 0.2) / 0.7)) + 0.2 * rng.normal(size=120)


def digits(values: list[float]) -> list[str]:
    return [f"{value:.4f}" for value in values]


class TestPublishedFigures:
    @pytest.mark.parametrize("scale", ["as computed", "centred", "shifted", "tiny", "huge"])
    @pytest.mark.parametrize("branch", COLUMNS)
    @pytest.mark.parametrize("dataset", FILES)
    def test_every_figure_of_dover(self, shared: Path, dataset: str, branch: str, scale: str) -> None:
        table = scores(shared, dataset)
        pred, mos = table[COLUMNS[branch]].to_numpy(), table["gt_label"].to_numpy()
        pred = {
            "as computed": pred,
            "centred": pred - pred.mean(),
            "shifted": pred + 1000,
            "tiny": pred * 1e-9,
            "huge": pred * 1e9,
        }[scale]
        figures = [srocc(pred, mos), krocc(pred, mos)]
        for fit in ("rescale", "logistic4"):
            figures += [plcc(pred, mos, fit), rmse(pred, mos, fit)]
        assert digits(figures) == printed(shared, dataset, branch)

    @pytest.mark.parametrize("dataset", FILES)
    def test_predictions_on_the_scale_of_the_mos_need_no_fit(self, shared: Path, dataset: str) -> None:
        table = scores(shared, dataset)
        pair = table["overall_rescaled_to_gt"], table["gt_label"]
        assert digits([plcc(*pair, "none"), rmse(*pair, "none")]) == printed(shared, dataset, "overall")[2:4]


class TestAgainstScipy:
    @given(
        pairs=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=30),
    )
    def test_rank_correlations_with_ties(self, pairs: list[tuple[int, int]]) -> None:
        pred, mos = np.array(pairs).T
        assume(len(set(pred)) > 1 < len(set(mos)))
        assert srocc(pred, mos) == pytest.approx(stats.spearmanr(pred, mos).statistic, abs=1e-12)
        assert krocc(pred, mos) == pytest.approx(stats.kendalltau(pred, mos).statistic, abs=1e-12)

    def test_linear_fits(self, sample: tuple[np.ndarray, np.ndarray]) -> None:
        pred, mos = sample
        line = stats.linregress(pred, mos)
        assert plcc(pred, mos, "none") == pytest.approx(stats.pearsonr(pred, mos).statistic, abs=1e-12)
        assert plcc(-pred, mos, "none") == pytest.approx(-line.rvalue, abs=1e-12)
        assert plcc(-pred, mos, "linear") == pytest.approx(line.rvalue, abs=1e-12)
        assert rmse(pred, mos, "linear") == pytest.approx(
            np.sqrt(np.mean((line.slope * pred + line.intercept - mos) ** 2))
        )
        assert fit_curve(pred, mos, "linear") == Line(pytest.approx(line.slope), pytest.approx(line.intercept))
        assert rmse(pred, mos, "none") == pytest.approx(np.sqrt(np.mean((pred - mos) ** 2)))

    @pytest.mark.parametrize("offset", [0.0, 50.0])
    def test_logistic_fit(self, sample: tuple[np.ndarray, np.ndarray], offset: float) -> None:
        pred, mos = sample[0] + offset, sample[1]

        def published(x: np.ndarray, b1: float, b2: float, b3: float, b4: float) -> np.ndarray:
            return b2 + (b1 - b2) / (1 + np.exp(-(x - b3) / np.abs(b4)))

        start = [mos.max(), mos.min(), np.median(pred), 0.5]
        found, _ = optimize.curve_fit(published, pred, mos, start, maxfev=10000)
        curve = fit_curve(pred, mos)
        assert isinstance(curve, Logistic)
        assert [curve.b1, curve.b2, curve.b3, curve.b4] == pytest.approx(found, rel=1e-4)
        assert plcc(pred, mos) == pytest.approx(np.corrcoef(published(pred, *found), mos)[0, 1], abs=1e-9)
        assert rmse(pred, mos) == pytest.approx(np.sqrt(np.mean((curve(pred) - mos) ** 2)), abs=1e-12)

    @pytest.mark.filterwarnings("ignore:Covariance of the parameters")
    @given(seed=st.integers(0, 10**6), n=st.integers(8, 40))
    @settings(max_examples=25, deadline=None)
    def test_no_start_of_curve_fit_finds_a_better_curve(self, seed: int, n: int) -> None:
        rng = np.random.default_rng(seed)
        pred = rng.normal(size=n)
        mos = np.tanh(rng.uniform(0.3, 3) * pred + rng.normal()) + rng.uniform(0, 1) * rng.normal(size=n)

        def model(x: np.ndarray, b1: float, b2: float, b3: float, b4: float) -> np.ndarray:
            return b2 + (b1 - b2) / (1 + np.exp(-np.clip((x - b3) / b4, -500, 500)))

        for b3 in (-1.0, 0.0, 1.0):
            for b4 in (0.3, 1.0, 3.0):
                try:
                    found, _ = optimize.curve_fit(model, pred, mos, [mos.max(), mos.min(), b3, b4], maxfev=2000)
                except RuntimeError:
                    continue
                z = (pred - found[2]) / found[3]
                if 0.1 * pred.std() < abs(found[3]) < 100 * pred.std() and np.abs(z).min() < 10:
                    assert rmse(pred, mos) <= np.sqrt(np.mean((model(pred, *found) - mos) ** 2)) + 1e-6


# Predictions and numbers to scale them by on a grid, so that what differs before still differs after.
GRID = st.integers(-4096, 4096).map(lambda value: value / 256)


class TestProperties:
    @pytest.mark.parametrize("fit", ["logistic4", "linear", "rescale"])
    @given(
        pairs=st.lists(st.tuples(GRID, st.integers(100, 500).map(lambda value: value / 100)), min_size=5, max_size=40),
        factor=st.floats(1e-4, 1e4),
        shift=st.floats(-1e3, 1e3),
    )
    @settings(max_examples=40, deadline=None)
    def test_affine_changes_of_the_predictions_change_nothing(
        self, fit: Fit, pairs: list[tuple[float, float]], factor: float, shift: float
    ) -> None:
        pred, mos = np.array(pairs).T
        for changed in (pred * factor, pred + shift):
            before, after = (measure(x, mos, fit=fit, resamples=0) for x in (pred, changed))
            for name in MEASURES:
                assert getattr(before, name) == pytest.approx(getattr(after, name), abs=1e-6, rel=0, nan_ok=True)

    @given(pairs=st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=5, max_size=40))
    @settings(max_examples=40, deadline=None)
    @example([(0.0, 0.0), (0.0, 0.0), (0.0, 0.0), (174.0, 1.0), (2.337e-11, 0.0)])
    @example([(0.0, 0.0), (1.5, 0.0), (7.696305044791062e-10, 0.0), (7.696305044791062e-10, 0.0), (-67929.0, 5.0)])
    def test_never_worse_than_the_line(self, pairs: list[tuple[float, float]]) -> None:
        pred, mos = np.array(pairs).T
        logistic, line = rmse(pred, mos), rmse(pred, mos, "linear")
        assert logistic <= line * (1 + 1e-9) + 1e-9 * np.abs(mos).max()
        if not math.isnan(plcc(pred, mos)):
            assert plcc(pred, mos) >= plcc(pred, mos, "linear") - 1e-9

    def test_an_exact_line_is_fitted_by_a_line(self) -> None:
        pred = np.arange(20.0)
        assert fit_curve(pred, 2 * pred + 1) == Line(pytest.approx(2), pytest.approx(1))
        assert plcc(pred, 2 * pred + 1) == pytest.approx(1)
        assert rmse(pred, 2 * pred + 1) == pytest.approx(0, abs=1e-12)

    def test_data_of_a_curve_give_back_the_curve(self) -> None:
        curve = Logistic(b1=90.0, b2=10.0, b3=0.02, b4=0.005)
        pred = np.linspace(0, 0.05, 200)
        assert fit_curve(pred, curve(pred)) == Logistic(*(pytest.approx(b, rel=1e-5) for b in (90, 10, 0.02, 0.005)))
        assert rmse(pred, curve(pred)) < 1e-6

    def test_falling_predictions_have_a_falling_curve(self, sample: tuple[np.ndarray, np.ndarray]) -> None:
        pred, mos = sample
        assert plcc(-pred, mos) == pytest.approx(plcc(pred, mos), abs=1e-9)
        assert srocc(-pred, mos) == pytest.approx(-srocc(pred, mos))

    @pytest.mark.parametrize("outlier", [1e3, 1e6])
    def test_an_outlier_does_not_hide_the_curve(self, sample: tuple[np.ndarray, np.ndarray], outlier: float) -> None:
        pred, mos = sample
        with_outlier = rmse(np.append(pred, outlier), np.append(mos, 5.0))
        assert with_outlier == pytest.approx(rmse(pred, mos), rel=0.05)

    def test_order_changes_no_digit(self, sample: tuple[np.ndarray, np.ndarray]) -> None:
        order = np.random.default_rng(1).permutation(len(sample[0]))
        assert measure(*sample, resamples=20) == measure(sample[0][order], sample[1][order], resamples=20)

    def test_single_precision_and_other_containers(self, sample: tuple[np.ndarray, np.ndarray]) -> None:
        pred, mos = (values.astype(np.float32) for values in sample)
        expected = plcc(pred.astype(float), mos.astype(float))
        for kind in (list, torch.from_numpy, pd.Series):
            assert plcc(kind(pred), kind(mos)) == expected


NOTHING = dict.fromkeys(MEASURES)
X = [0.1, 0.5, 0.2, 0.9, 0.4, 0.7]
Y = [1.0, 3.0, 2.0, 5.0, 3.0, 4.0]


class TestUndefined:
    """The table in the module's docstring."""

    def check(self, pred: Any, mos: Any, fit: Fit = "logistic4", **expected: float | None) -> None:
        found = measure(pred, mos, fit=fit, resamples=10).as_dict()
        assert {name: found[name] for name in MEASURES} == pytest.approx(NOTHING | expected)
        assert {name for name, ends in found["ci95"].items() if ends != [None, None]} <= set(expected)

    @pytest.mark.parametrize("fit", ["logistic4", "linear", "rescale"])
    @pytest.mark.filterwarnings("error")
    def test_constants(self, fit: Fit) -> None:
        self.check([0.1] * 6, Y, fit, rmse=float(np.std(Y)))
        self.check(X, [0.1] * 6, fit, rmse=0.0)
        self.check([0.1] * 6, [0.1] * 6, fit, rmse=0.0)

    def test_constants_without_fit(self) -> None:
        self.check([3.0] * 6, Y, "none", rmse=float(np.sqrt(np.mean((np.array(Y) - 3) ** 2))))

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e200])
    @pytest.mark.parametrize("side", [0, 1])
    @pytest.mark.parametrize("fit", FITS)
    @pytest.mark.filterwarnings("error")
    def test_values_that_are_not_finite(self, fit: Fit, side: int, value: float) -> None:
        pair = [X.copy(), Y.copy()]
        pair[side][2] = value
        self.check(*pair, fit)
        assert fit_curve(*pair, fit) is None

    @pytest.mark.parametrize(
        ("fit", "needed"),
        [
            ("logistic4", 5),
            ("logistic5", 6),
            ("cubic", 5),
            ("cubic_free", 5),
            ("linear", 3),
            ("rescale", 3),
            ("none", 3),
        ],
    )
    @pytest.mark.parametrize("n", range(7))
    @pytest.mark.filterwarnings("error")
    def test_few_videos(self, fit: Fit, needed: int, n: int) -> None:
        found = measure(X[:n], Y[:n], fit=fit, resamples=10)
        assert found.n == n
        assert math.isnan(found.srocc) == math.isnan(found.krocc) == (n < 3)
        assert math.isnan(found.plcc) == (n < needed)
        assert math.isnan(found.rmse) == (n < (1 if fit == "none" else needed))

    def test_wrong_calls(self) -> None:
        for pred, mos in ((X, Y[:5]), ([X], [Y]), (1.0, 1.0)):
            for function in (srocc, krocc, plcc, rmse, fit_curve, measure):
                with pytest.raises(ValueError, match="1-D and of one length"):
                    function(pred, mos)
        for call in (plcc, rmse, fit_curve, lambda *args: measure(*args[:2], fit=args[2])):
            with pytest.raises(
                ValueError, match="use one of logistic4, logistic5, cubic, cubic_free, linear, rescale, none"
            ):
                call(X, Y, "quadratic")
        with pytest.raises(ValueError, match="resamples=-1"):
            measure(X, Y, resamples=-1)

    def test_a_search_that_is_cut_short_keeps_what_it_has(
        self, sample: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def impatient(*args: Any, options: dict[str, Any], **kwargs: Any) -> optimize.OptimizeResult:
            found = optimize.minimize(*args, options=options | {"maxiter": 1}, **kwargs)
            assert not found.success or found.nit <= 1
            return found

        converged = rmse(*sample)
        monkeypatch.setattr("cover.evaluation.fits.logistics.minimize", impatient)
        assert converged <= rmse(*sample) < rmse(*sample, "linear")


class TestIntervals:
    def test_cover_the_truth_and_narrow_with_n(self) -> None:
        rng = np.random.default_rng(3)
        widths = []
        for n in (50, 800):
            pred = rng.normal(size=n)
            found = measure(pred, pred + rng.normal(size=n), resamples=200)
            low, high = found.ci95["plcc"]
            assert low < np.sqrt(0.5) < high
            for name in MEASURES:
                assert found.ci95[name][0] < getattr(found, name) < found.ci95[name][1]
            widths.append(high - low)
        assert widths[1] < widths[0] / 2

    def test_are_those_of_scipy(self, sample: tuple[np.ndarray, np.ndarray]) -> None:
        # Renamed in scipy 1.15.
        generator = "rng" if "rng" in inspect.signature(stats.bootstrap).parameters else "random_state"
        reference = stats.bootstrap(
            sample,
            lambda pred, mos: stats.spearmanr(pred, mos).statistic,
            paired=True,
            vectorized=False,
            method="percentile",
            n_resamples=499,
            **{generator: np.random.default_rng(5)},
        ).confidence_interval
        assert measure(*sample, resamples=499).ci95["srocc"] == pytest.approx(reference, abs=0.03)

    @pytest.mark.parametrize("fit", FITS)
    def test_refit_to_each_draw(self, sample: tuple[np.ndarray, np.ndarray], fit: Fit) -> None:
        """What a fit from scratch gives in the same draws, of the videos in the order that the module keeps."""
        order = np.lexsort(sample[::-1])
        pred, mos = sample[0][order], sample[1][order]
        rng = np.random.default_rng(7)
        draws = [rng.integers(len(pred), size=len(pred)) for _ in range(30)]
        expected = [
            np.percentile([function(pred[draw], mos[draw], fit) for draw in draws], [2.5, 97.5])
            for function in (plcc, rmse)
        ]
        found = measure(pred, mos, fit=fit, resamples=30, seed=7).ci95
        # A logistic on a line has several valleys: from scratch a draw may find a deeper one than where all videos end.
        atol = 0.03 if fit == "logistic5" else 1e-4
        np.testing.assert_allclose([found["plcc"], found["rmse"]], expected, atol=atol)

    def test_seed(self, sample: tuple[np.ndarray, np.ndarray]) -> None:
        first, again, other = (measure(*sample, resamples=20, seed=seed) for seed in (1, 1, 2))
        assert first == again
        assert first.ci95 != other.ci95

    def test_degenerate_draws(self) -> None:
        """One video of six stands out: a third of the draws miss it and have no correlation."""
        found = measure([0, 0, 0, 0, 0, 1], [1, 2, 1, 2, 1, 5], fit="linear", resamples=200)
        assert all(math.isfinite(end) for ends in found.ci95.values() for end in ends)

    def test_more_than_half_of_the_draws_degenerate(self) -> None:
        found = measure([0] * 59 + [1], [1, 2] * 29 + [1, 5], fit="none", resamples=40, seed=2)
        drawn = counts(60, 40, seed=2)
        assert (drawn[:, -1] == 0).mean() < 0.5
        assert all(math.isfinite(end) for ends in found.ci95.values() for end in ends)
        alone = np.array([math.nan, math.nan, 0.5])
        assert all(map(math.isnan, interval(0.5, alone)))

    def test_none_asked_for(self) -> None:
        assert measure(X, Y, resamples=0).ci95 == {}

    def test_as_dict_is_json(self) -> None:
        found = measure([1.0] * 6, Y, resamples=5)
        text = json.dumps(found.as_dict(), allow_nan=False)
        assert json.loads(text) == found.as_dict()
        assert list(found.as_dict()) == ["n", *MEASURES, "ci95", "undefined"]
        assert found.as_dict()["ci95"]["srocc"] == [None, None]
        assert json.loads(json.dumps(measure(X, Y, resamples=5).as_dict()))["ci95"].keys() == set(MEASURES)


class TestOpposed:
    UP = np.arange(12.0)

    @pytest.mark.parametrize(
        ("scores", "mos", "expected"),
        [
            pytest.param({"overall": UP}, -UP, True, id="against"),
            pytest.param({"overall": UP}, UP, False, id="along"),
            pytest.param(
                {"overall": -UP, "semantic": UP, "technical": -UP, "aesthetic": -UP}, UP, True, id="two of three"
            ),
            pytest.param(
                {"overall": UP, "semantic": UP, "technical": -UP, "aesthetic": -UP}, UP, False, id="the sum agrees"
            ),
            pytest.param(
                {"overall": -UP, "semantic": -UP, "technical": UP, "aesthetic": UP}, UP, False, id="one of three"
            ),
            pytest.param({"overall": UP[:7]}, -UP[:7], True, id="few, and clear"),
            pytest.param({"overall": UP[:2]}, -UP[:2], False, id="too few to tell"),
            pytest.param({"overall": np.append(UP, np.nan)}, -np.append(UP, 5), True, id="one without a score"),
            pytest.param({"overall": np.ones(12)}, -UP, False, id="undefined"),
        ],
    )
    def test_the_branches_vote(self, scores: dict[str, np.ndarray], mos: np.ndarray, expected: bool) -> None:
        found = opposed(scores, mos)
        assert (found is not None) == expected
        assert found is None or "data.lower_is_better=true" in found

    def test_chance_is_seldom_taken_for_it(self) -> None:
        rng = np.random.default_rng(0)
        found = [opposed({"overall": rng.random(30)}, rng.random(30)) or "seem" for _ in range(2000)]
        assert np.mean(["seem" not in line for line in found]) == pytest.approx(0.025, abs=0.01)
