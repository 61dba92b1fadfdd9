"""Heads fitted in closed form: what they find, and what they are kept from."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from cover.decoding.decoder import Decoder
from cover.errors import UsageError
from cover.models import COVER, branch_scores
from cover.rows import Row
from cover.scores import BRANCHES
from cover.training.adapt.ridge import STRENGTHS, BranchFit, Ridge, fit, fit_heads
from cover.training.data.batches import CENTER, Batching
from cover.training.data.cache import TensorCache
from cover.training.data.loader import TrainingData
from cover.training.data.sets import RatedSet
from cover.video import ViewSpec

CHANNELS = 6


def drawn(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Inputs of very different sizes, and ratings that follow two of them."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(count, CHANNELS)) * [1e-2, 1, 100, 1, 1, 1] + 5
    return inputs, 300 * inputs[:, 0] - 2 * inputs[:, 1] + 7


def one_set(inputs: np.ndarray, ratings: np.ndarray, groups: np.ndarray | None = None) -> object:
    chosen = np.arange(len(inputs)) if groups is None else groups
    return fit(inputs, ratings, np.zeros(len(inputs), dtype=int), {0: 1.0}, chosen, seed=0)


class TestFit:
    def test_it_finds_what_ratings_follow(self) -> None:
        inputs, ratings = drawn(200)
        found = one_set(inputs, ratings)
        values = (inputs - found.mean) / found.deviation @ found.weight
        assert np.corrcoef(values, ratings)[0, 1] == pytest.approx(1, abs=1e-4)
        assert values.mean() == pytest.approx(0, abs=1e-9)
        assert values.std() == pytest.approx(1)
        assert found.strength == STRENGTHS[0]
        assert found.srocc[0] > 0.999

    def test_it_equals_the_normal_equations(self) -> None:
        inputs, ratings = drawn(50)
        found = one_set(inputs, ratings)
        z = (inputs - inputs.mean(0)) / inputs.std(0)
        expected = np.linalg.solve(
            z.T @ z + found.strength * len(z) * np.eye(CHANNELS), z.T @ (ratings - ratings.mean())
        )
        np.testing.assert_allclose(found.weight, expected / (z @ expected).std())

    def test_more_noise_takes_a_stronger_penalty(self) -> None:
        rng = np.random.default_rng(1)
        inputs = rng.normal(size=(40, 60))
        assert one_set(inputs, inputs[:, 0] + 3 * rng.normal(size=40)).strength > STRENGTHS[0]

    def test_contents_left_out_show_what_was_learnt_by_heart(self) -> None:
        """Ratings are of contents, and inputs name these: seen again, they are known; left out, there is nothing."""
        rng = np.random.default_rng(0)
        contents = np.repeat(np.arange(12), 10)
        inputs = np.eye(12)[contents] + 0.01 * rng.normal(size=(120, 12))
        ratings = rng.normal(size=12)[contents]
        assert one_set(inputs, ratings).srocc[0] > 0.9
        assert one_set(inputs, ratings, contents).srocc[0] < 0.5

    def test_studies_with_other_means_are_no_contradiction(self) -> None:
        inputs, ratings = drawn(100)
        inputs, ratings = np.r_[inputs, inputs + 50], np.r_[ratings, ratings]
        found = fit(inputs, ratings, np.repeat([0, 1], 100), {0: 1.0, 1: 1.0}, np.arange(200), seed=0)
        values = (inputs - found.mean) / found.deviation @ found.weight
        for part in (slice(100), slice(100, None)):
            assert np.corrcoef(values[part], ratings[part])[0, 1] > 0.99

    def test_a_set_counts_by_its_share(self) -> None:
        inputs, ratings = drawn(200)
        contrary = np.r_[ratings[:100], -ratings[100:]]
        sets = np.repeat([0, 1], 100)
        for shares, sign in (({0: 9.0, 1: 1.0}, 1), ({0: 1.0, 1: 9.0}, -1)):
            found = fit(inputs, contrary, sets, shares, np.arange(200), seed=0)
            values = (inputs - found.mean) / found.deviation @ found.weight
            assert sign * np.corrcoef(values, ratings)[0, 1] > 0

    def test_an_input_that_never_changes_is_no_trouble(self) -> None:
        inputs, ratings = drawn(50)
        assert np.isfinite(one_set(np.c_[inputs, np.full(50, 3.0)], ratings).weight).all()


class TestHeads:
    def model(self, hidden: int) -> COVER:
        torch.manual_seed(0)
        net = {"timm": "tf_efficientnet_lite0", "stages": [0], "out_channels": CHANNELS}
        return COVER(semantic=net, technical=net, aesthetic=net, gated=False, head_hidden=hidden).eval()

    def features(self, count: int) -> dict[str, Tensor]:
        draw = torch.Generator().manual_seed(3)
        shapes: dict[str, Sequence[int]] = {
            "semantic": (count, CHANNELS, 2),
            "technical": (count, CHANNELS, 2, 3, 3),
            "aesthetic": (count, CHANNELS, 2, 3, 3),
        }
        return {branch: torch.randn(*shape, generator=draw) for branch, shape in shapes.items()}

    def data(self, folder: Path, names: Sequence[str] = ("one",)) -> tuple[TrainingData, dict[str, Tensor]]:
        """Videos whose MOS follows the second technical channel, and their features."""
        count = 30
        features = self.features(count * len(names))
        mos = features["technical"].flatten(2).mean(2)[:, 1]
        caches = {branch: TensorCache(folder, branch, {}) for branch in BRANCHES}
        rows = []
        for number in range(count * len(names)):
            path = folder / f"{number}.mp4"
            path.touch()
            rows.append(Row(path, path.name, float(mos[number]), {"content": number // 3}))
            for branch, cache in caches.items():
                cache.save(rows[-1], CENTER, features[branch][number])
        parts = [rows[count * place : count * (place + 1)] for place in range(len(names))]
        sets = [RatedSet(name, part, [], Decoder(1, 10.0)) for name, part in zip(names, parts, strict=True)]
        kept = {"features": caches, "views": {}, "decoded": [], "batching": Batching(7, 0, mirror=False)}
        return TrainingData(sets, ViewSpec(), seed=0, **kept), features

    @pytest.mark.parametrize("hidden", [0, 8])
    def test_a_branch_follows_its_ratings_at_its_weight(self, tmp_path: Path, hidden: int) -> None:
        data, features = self.data(tmp_path)
        model = self.model(hidden)
        fits = {branch: BranchFit({}, scale) for branch, scale in zip(BRANCHES, (0.25, 2.0, 0.5), strict=True)}
        fit_heads(model, data, Ridge(fits, "content"), seed=0)
        with torch.no_grad():
            scores = {name: values.numpy() for name, values in branch_scores(model.score_maps(features)).items()}
        for branch, expected in fits.items():
            assert scores[branch].std() == pytest.approx(expected.scale, rel=1e-3)
            assert scores[branch].mean() == pytest.approx(0, abs=1e-3)
        assert np.corrcoef(scores["technical"], data.mos)[0, 1] > (0.999 if hidden == 0 else 0.8)

    def test_contents_that_are_not_there(self, tmp_path: Path) -> None:
        data, _ = self.data(tmp_path)
        fits = {"semantic": BranchFit({}, 1.0)}
        with pytest.raises(UsageError, match=r"ridge.content=scene: no dataset that semantic is fitted to has"):
            fit_heads(self.model(0), data, Ridge(fits, "scene"), seed=0)
        for row in data.videos:
            row.extras["content"] = "alone"
        with pytest.raises(UsageError, match="semantic is fitted to one content"):
            fit_heads(self.model(0), data, Ridge(fits, "content"), seed=0)

    def test_a_branch_sees_the_datasets_it_is_to_see(self, tmp_path: Path) -> None:
        data, features = self.data(tmp_path, ("one", "two"))
        data.mos[30:] = [-value for value in data.mos[30:]]
        fits = {branch: BranchFit({"one": 1.0}, 1.0) for branch in BRANCHES}
        model = self.model(0)
        fit_heads(model, data, Ridge(fits), seed=0)
        with torch.no_grad():
            technical = branch_scores(model.score_maps(features))["technical"].numpy()
        assert np.corrcoef(technical[:30], data.mos[:30])[0, 1] > 0.999
