"""The ladder: what each rung fits, what cross-validation chooses, and that shuffled ratings choose nothing."""

import copy
import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch

from cover.evaluation.correlation import plcc, srocc
from cover.models import COVER
from cover.models.fusion import QualityHead
from cover.scores import BRANCHES
from cover.training.adapt.adaptation import apply
from cover.training.adapt.inputs import RatedInputs
from cover.training.adapt.ladder import (
    CALIBRATION,
    HEADS,
    RIDGE,
    UNCHANGED,
    WEIGHTS,
    HeadChange,
    Rung,
    choose,
    fit_rungs,
    folds_of,
    left_out_scores,
    nested,
    rungs_for,
)
from cover.training.adapt.near import PLACES, NearHeads
from tests.helpers.tiny import tiny_model


def rated_inputs_of(
    seed: int, *, levels: int = 6, contents: int = 12, known: float = 1.0, hidden: float = 0.0
) -> RatedInputs:
    """Videos whose MOS the technical score knows in part, and the inputs of the aesthetic head in another."""
    rng = np.random.default_rng(seed)
    n, channels = levels * contents, 24
    seen, unseen = rng.uniform(0, 1, n), rng.uniform(0, 1, n)
    inputs = {branch: rng.normal(size=(n, channels)) for branch in BRANCHES}
    inputs["aesthetic"] += 2 * unseen[:, None] * rng.normal(size=channels)
    scores = np.stack([0.6 * rng.normal(size=n), seen + 0.2 * rng.normal(size=n), 0.1 * rng.normal(size=n)], axis=1)
    mos = 3 + known * seen + hidden * unseen + 0.1 * rng.normal(size=n)
    return RatedInputs(scores, inputs, mos, np.repeat(np.arange(contents), levels), np.ones(n))


def shuffled(found: RatedInputs, seed: int) -> RatedInputs:
    order = np.random.default_rng(seed).permutation(len(found.mos))
    return RatedInputs(found.scores, found.inputs, found.mos[order], found.groups, found.weights)


class TestRungs:
    def test_calibration_changes_nothing(self) -> None:
        found = rated_inputs_of(0)
        (change,) = fit_rungs(found, [Rung(CALIBRATION, math.inf)])
        assert change.overall(found) == pytest.approx(found.overall)

    def test_weights_are_not_negative_and_prefer_what_tells(self) -> None:
        found = rated_inputs_of(0)
        (change,) = fit_rungs(found, [Rung(WEIGHTS, 0.1)])
        assert (change.factors >= 0).all()
        assert change.factors[1] > 2 * change.factors[0]
        assert change.overall(found).std() == pytest.approx(found.overall.std())
        assert change.overall(found).mean() == pytest.approx(found.overall.mean())

    @pytest.mark.parametrize("name", [WEIGHTS, RIDGE])
    def test_a_strong_pull_leaves_the_start(self, name: str) -> None:
        found = rated_inputs_of(1, hidden=1.0)
        strong, weak = fit_rungs(found, [Rung(name, 1e7), Rung(name, 0.1)])
        assert plcc(strong.overall(found), found.overall, "none") > 0.9999
        assert plcc(weak.overall(found), found.overall, "none") < 0.95

    def test_ridge_is_ridge_regression_of_what_the_start_leaves(self) -> None:
        found = rated_inputs_of(2, hidden=1.0)
        (change,) = fit_rungs(found, [Rung(RIDGE, 1.0)])
        # The same from the normal equations of the inputs.
        z = np.concatenate([(v - v.mean(0)) / v.std(0) for v in found.inputs.values()], axis=1) / math.sqrt(72)
        target = (found.mos - found.mos.mean()) / found.mos.std()
        start = found.overall - found.overall.mean()
        slope = start @ target / (start @ start)
        gram = z.T @ z / len(z)
        penalty = np.linalg.eigvalsh(gram).max() / 10
        coefficients = np.linalg.solve(gram + penalty * np.eye(72), z.T @ (target - slope * start) / len(z))
        expected = found.overall + z @ coefficients / slope
        assert change.overall(found) == pytest.approx(expected)

    def test_ratings_that_run_against_the_start(self) -> None:
        found = rated_inputs_of(3)
        turned = RatedInputs(found.scores, found.inputs, -found.mos, found.groups, found.weights)
        for change in fit_rungs(turned, rungs_for(turned)):
            assert np.isfinite(change.overall(turned)).all()
            assert (change.factors >= 0).all()

    def test_a_start_that_scores_all_alike(self) -> None:
        found = rated_inputs_of(4)
        flat = RatedInputs(np.ones_like(found.scores), found.inputs, found.mos, found.groups, found.weights)
        assert fit_rungs(flat, rungs_for(flat)) == [UNCHANGED] * len(rungs_for(flat))

    def test_weights_of_videos_count(self) -> None:
        found = rated_inputs_of(5, hidden=1.0)
        twice = found.some(np.concatenate([np.arange(72), np.arange(36)]))
        weighted = RatedInputs(
            found.scores, found.inputs, found.mos, found.groups, np.where(np.arange(72) < 36, 2.0, 1.0) / 1.5
        )
        for one, other in zip(fit_rungs(twice, rungs_for(found)), fit_rungs(weighted, rungs_for(found)), strict=True):
            assert one.overall(found) == pytest.approx(other.overall(found))


class TestCrossValidation:
    @pytest.mark.parametrize(("groups", "folds"), [(5, 5), (20, 20), (21, 10), (300, 10)])
    def test_folds_keep_groups_together(self, groups: int, folds: int) -> None:
        numbers = np.random.default_rng(0).permutation(np.repeat(np.arange(groups), 3))
        found = folds_of(numbers, 0)
        assert len(found) == folds
        assert np.sum(found, axis=0).tolist() == [1] * len(numbers)
        for out in found:
            assert set(numbers[out]).isdisjoint(numbers[~out])

    def test_what_is_left_out_is_not_seen(self) -> None:
        found = rated_inputs_of(6, hidden=1.0)
        changed = RatedInputs(found.scores, found.inputs, found.mos.copy(), found.groups, found.weights)
        changed.mos[found.groups == 3] += 50
        before, after = (left_out_scores(one, 0, rungs_for(found))[found.groups == 3] for one in (found, changed))
        np.testing.assert_allclose(before, after)

    @pytest.mark.parametrize(("hidden", "rung"), [(1.5, RIDGE), (0.0, WEIGHTS)])
    def test_it_climbs_where_that_helps(self, hidden: float, rung: str) -> None:
        found = rated_inputs_of(7, hidden=hidden, contents=15)
        choice = choose(found, 0)
        assert choice.rung.name == rung
        worth = nested(found, 0)
        assert worth.gain.clear
        assert worth.gain.by == "content"
        assert srocc(worth.after, found.mos) > srocc(found.overall, found.mos) + 0.05

    def test_nothing_is_nested_that_was_seen(self) -> None:
        """Ratings of one content change nothing of what is predicted for it, choice included."""
        found = rated_inputs_of(8, hidden=1.0, contents=6)
        changed = RatedInputs(found.scores, found.inputs, found.mos.copy(), found.groups, found.weights)
        changed.mos[found.groups == 2] = changed.mos[found.groups == 2][::-1] + 2
        before, after = nested(found, 0), nested(changed, 0)
        np.testing.assert_allclose(before.after[found.groups == 2], after.after[found.groups == 2])
        np.testing.assert_allclose(before.after_mos[found.groups == 2], after.after_mos[found.groups == 2])

    def test_shuffled_ratings_gain_nothing(self) -> None:
        clear = [nested(shuffled(rated_inputs_of(seed, hidden=1.0), seed), 0).gain.clear for seed in range(12)]
        assert sum(clear) <= 1

    def test_ten_videos(self) -> None:
        found = rated_inputs_of(9, levels=1, contents=10)
        worth = nested(found, 0)
        assert worth.folds == 10
        assert np.isfinite(worth.after).all()


class TestNearHeads:
    """Both layers of the heads, by gradient descent near the start."""

    @pytest.fixture
    def near(self) -> NearHeads:
        torch.manual_seed(0)
        heads = {branch: QualityHead(32, 16).eval() for branch in BRANCHES}
        return NearHeads(heads, {branch: torch.randn(60, 32, PLACES) for branch in BRANCHES})

    @staticmethod
    def left(near: NearHeads) -> np.ndarray:
        """What one input of a branch knows, and no score."""
        values = near.places["aesthetic"][:, 3].mean(1).double().numpy()
        found: np.ndarray = (values - values.mean()) / values.std()
        return found

    def test_it_explains_what_is_left_and_a_pull_keeps_it_near(self, near: NearHeads) -> None:
        left, weights = self.left(near), np.full(60, 1 / 60)
        errors, distances = [], []
        for strength in (1e6, 100.0, 1.0):
            found = near.fit(left, weights, 1.0, strength)
            shift = near.shift(found)
            errors.append(float(np.mean((left - (shift - shift.mean())) ** 2)))
            distances.append(sum(float((found[name] - near.start[name]).square().sum()) for name in found))
        assert errors[0] == pytest.approx(1, abs=0.02)
        assert errors[0] > errors[1] > errors[2]
        assert distances[0] < distances[1] < distances[2]
        assert near.shift(near.start) == pytest.approx(0)

    def test_it_is_the_same_every_time(self, near: NearHeads) -> None:
        first, again = (near.fit(self.left(near), np.full(60, 1 / 60), 1.0, 10.0) for _ in range(2))
        assert all(torch.equal(first[name], again[name]) for name in first)

    def test_the_ladder_has_the_rung_where_heads_have_two_layers(self, near: NearHeads) -> None:
        found = rated_inputs_of(0, levels=5)
        assert {rung.name for rung in rungs_for(found)} == {CALIBRATION, WEIGHTS, RIDGE}
        two_layers = dataclasses.replace(found, near=near)
        assert rungs_for(two_layers)[-1].name == HEADS
        (change,) = fit_rungs(two_layers, rungs_for(two_layers)[-1:])
        assert change.overall(two_layers).mean() == pytest.approx(found.overall.mean())
        assert np.isfinite(nested(two_layers.some(np.arange(60) < 25), 0).after).all()

    def test_the_model_scores_what_it_found(self, near: NearHeads) -> None:
        model = tiny_model().eval()
        channels = model.heads["technical"].hidden.in_channels
        features = {branch: torch.randn(4, channels, 1, 2, 2) for branch in BRANCHES}
        heads: dict[str, Any] = {branch: model.heads[branch] for branch in BRANCHES}
        own = NearHeads(heads, {branch: values.flatten(2) for branch, values in features.items()})
        before = own.overall(own.start)
        found = own.fit(np.array([1.0, -1, 0.5, -0.5]), np.full(4, 0.25), 1.0, 1.0)
        shift = own.shift(found)
        apply(model, dataclasses.replace(UNCHANGED, heads=found, offset=0.25))
        with torch.no_grad():
            after = torch.stack([model.heads[b](features[b]).flatten(1).mean(1) for b in BRANCHES]).sum(0)
        assert (after - before).detach().numpy() == pytest.approx(shift - 0.25, abs=1e-5)


def test_the_model_scores_what_the_ladder_found() -> None:
    torch.manual_seed(0)
    model: COVER = tiny_model()
    rng = np.random.default_rng(0)
    channels = model.heads["technical"].score.in_channels
    features = torch.randn(3, model.heads["technical"].hidden.in_channels, 2, 3, 3)
    head = model.heads["technical"].eval()
    with torch.no_grad():
        inputs = head.inputs(features).flatten(2).mean(2).double().numpy()
        before = head(features).flatten(1).mean(1).double().numpy()
    change = HeadChange(
        np.array([1.0, 0.5, 2.0]),
        np.array([0.0, 0.3, 1.0]),
        {"technical": rng.normal(size=channels)},
        {"technical": rng.normal(size=channels)},
    )
    other = copy.deepcopy(model)
    apply(other, change)
    with torch.no_grad():
        after = other.heads["technical"].eval()(features).flatten(1).mean(1).double().numpy()
    expected = 0.15 + 0.5 * before + (inputs - change.means["technical"]) @ change.deltas["technical"]
    assert after == pytest.approx(expected, abs=1e-4)
