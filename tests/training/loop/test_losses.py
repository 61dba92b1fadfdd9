"""The losses: plain loops beside them, their gradients, what must not matter, and every input that has no answer."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cover.scores import SCORES
from cover.training.loop.losses import QualityLoss, mse_loss, plcc_loss, rank_loss

Loss = Callable[[Tensor, Tensor], Tensor]
LOSSES: list[Loss] = [plcc_loss, rank_loss, mse_loss]


def slow_plcc(pred: list[float], target: list[float]) -> float:
    def standardized(values: list[float]) -> list[float]:
        mean = sum(values) / len(values)
        std = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))
        return [(value - mean) / std for value in values]

    p, y, n = standardized(pred), standardized(target), len(pred)
    rho = sum(a * b for a, b in zip(p, y, strict=True)) / n
    first = sum((a - b) ** 2 for a, b in zip(p, y, strict=True)) / n / 4
    second = sum((rho * a - b) ** 2 for a, b in zip(p, y, strict=True)) / n / 4
    return (first + second) / 2


def slow_rank(pred: list[float], target: list[float]) -> float:
    n, total, largest = len(pred), 0.0, 0.0
    for i in range(n):
        for j in range(n):
            sign = (target[j] > target[i]) - (target[j] < target[i])
            violation = max((pred[i] - pred[j]) * sign, 0.0)
            total, largest = total + violation, max(largest, violation)
    return total / n / (n - 1) / (1 + largest)


def slow_mse(pred: list[float], target: list[float]) -> float:
    return sum((a - b) ** 2 for a, b in zip(pred, target, strict=True)) / len(pred)


SLOW = {plcc_loss: slow_plcc, rank_loss: slow_rank, mse_loss: slow_mse}

# On a grid, so that values differ by nothing or by far more than rounding and the least standard deviation.
GRID = st.integers(-512, 512).map(lambda value: value / 64)
BATCHES = st.lists(st.tuples(GRID, st.integers(10, 50).map(lambda value: value / 10)), min_size=2, max_size=12)
SPREAD = BATCHES.filter(lambda pairs: all(len(set(values)) > 1 for values in zip(*pairs, strict=True)))


def tensors(pairs: list[tuple[float, float]]) -> tuple[Tensor, Tensor]:
    pred, target = torch.tensor(pairs, dtype=torch.float64).unbind(1)
    return pred, target


def gradient(loss: Loss, pred: Tensor, target: Tensor) -> Tensor:
    pred = pred.clone().requires_grad_()
    loss(pred, target).backward()
    assert pred.grad is not None
    return pred.grad


class TestValues:
    @pytest.mark.parametrize("loss", LOSSES)
    @given(pairs=SPREAD)
    def test_plain_loops(self, loss: Loss, pairs: list[tuple[float, float]]) -> None:
        pred, target = tensors(pairs)
        assert loss(pred, target).item() == pytest.approx(
            SLOW[loss](pred.tolist(), target.tolist()), rel=1e-4, abs=1e-6
        )

    def test_by_hand(self) -> None:
        pred, target = torch.tensor([3.0, 1.0, 2.0]), torch.tensor([1.0, 2.0, 3.0])
        r = -0.5
        assert plcc_loss(pred, target).item() == pytest.approx((1 - r) * (3 + r) / 8)
        # Wrong are the pairs (0, 1) by 2 and (0, 2) by 1, each counted both ways round, of 6; the largest is 2.
        assert rank_loss(pred, target).item() == pytest.approx((2 + 1) * 2 / 6 / (1 + 2))
        assert mse_loss(pred, target).item() == pytest.approx((4 + 1 + 1) / 3)

    @pytest.mark.parametrize(("pred", "value"), [([1.0, 2, 3, 4], 0), ([1.0, -1, -1, 1], 0.375), ([4.0, 3, 2, 1], 0.5)])
    def test_plcc_loss_of_perfect_no_and_reversed_agreement(self, pred: list[float], value: float) -> None:
        assert plcc_loss(torch.tensor(pred), torch.tensor([1.0, 2, 3, 4])).item() == pytest.approx(value, abs=1e-6)


class TestGradients:
    @pytest.mark.parametrize("loss", LOSSES)
    @pytest.mark.parametrize("n", [1, 2, 3, 8])
    def test_gradcheck(self, loss: Loss, n: int) -> None:
        generator = torch.Generator().manual_seed(n)
        pred = torch.randn(n, dtype=torch.float64, generator=generator, requires_grad=True)
        target = torch.randn(n, dtype=torch.float64, generator=generator)
        assert torch.autograd.gradcheck(lambda pred: loss(pred, target), pred)

    @pytest.mark.parametrize("loss", LOSSES)
    @pytest.mark.parametrize("seed", range(5))
    def test_small_steps_down_raise_the_correlation(self, loss: Loss, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        pred, target = torch.randn(2, 16, generator=generator)
        before = torch.corrcoef(torch.stack([pred, target]))[0, 1]
        for _ in range(20):
            pred = pred - 0.1 * gradient(loss, pred, target)
        assert torch.corrcoef(torch.stack([pred, target]))[0, 1] > before

    def test_the_maximum_of_the_rank_loss_has_a_gradient(self) -> None:
        # Of two videos in the wrong order, v = 3 apart, the loss is v / (1 + v): slope 1 / (1 + v)^2, not 1 / (1 + v).
        pred, target = torch.tensor([3.0, 0.0]), torch.tensor([0.0, 1.0])
        assert gradient(rank_loss, pred, target).tolist() == pytest.approx([1 / 16, -1 / 16])


class TestWhatDoesNotMatter:
    @given(pairs=SPREAD, factor=st.floats(0.5, 1e4), shift=st.floats(-1e3, 1e3))
    def test_offset_and_scale_for_the_plcc_loss(
        self, pairs: list[tuple[float, float]], factor: float, shift: float
    ) -> None:
        pred, target = tensors(pairs)
        expected = plcc_loss(pred, target).item()
        assert plcc_loss(pred * factor + shift, target).item() == pytest.approx(expected, abs=1e-4)
        assert plcc_loss(pred, target * factor + shift).item() == pytest.approx(expected, abs=1e-4)

    @pytest.mark.parametrize("scale", [1e-2, 1e-1, 1e3])
    def test_scale_in_single_precision(self, scale: float) -> None:
        pred, target = torch.randn(2, 8, generator=torch.Generator().manual_seed(0))
        assert plcc_loss(scale * pred, target).item() == pytest.approx(plcc_loss(pred, target).item(), abs=1e-4)

    @given(pairs=BATCHES, factor=st.floats(0.5, 1e4), shift=st.floats(-1e3, 1e3))
    def test_scale_of_the_target_for_the_rank_loss(
        self, pairs: list[tuple[float, float]], factor: float, shift: float
    ) -> None:
        pred, target = tensors(pairs)
        assert rank_loss(pred, target * factor + shift) == rank_loss(pred, target)

    @pytest.mark.parametrize("loss", LOSSES)
    @given(pairs=BATCHES, data=st.data())
    def test_order_of_the_videos(self, loss: Loss, pairs: list[tuple[float, float]], data: st.DataObject) -> None:
        shuffled = data.draw(st.permutations(pairs))
        assert loss(*tensors(shuffled)).item() == pytest.approx(loss(*tensors(pairs)).item(), abs=1e-9)


class TestRanking:
    @given(pairs=BATCHES)
    def test_zero_exactly_for_the_right_order(self, pairs: list[tuple[float, float]]) -> None:
        pred, target = tensors(pairs)
        right = all(a <= b for (a, x) in pairs for (b, y) in pairs if x < y)
        assert (rank_loss(pred, target).item() == 0) is right
        assert 0 <= rank_loss(pred, target).item() < 1

    def test_reversed_order_costs_most(self) -> None:
        pred, target = torch.arange(5.0), torch.arange(5.0)
        swapped = pred[[1, 0, 2, 3, 4]]
        assert 0 == rank_loss(pred, target) < rank_loss(swapped, target) < rank_loss(-pred, target)

    def test_ties_in_the_target_are_free(self) -> None:
        target = torch.tensor([1.0, 2.0, 2.0, 3.0])
        pred = torch.tensor([0.0, 5.0, 1.0, 6.0])
        assert rank_loss(pred, target) == 0
        assert rank_loss(pred[[0, 2, 1, 3]], target) == 0
        assert not gradient(rank_loss, pred, target).any()


class TestDegenerate:
    """Inputs without a correlation have a defined loss and a gradient of a sensible size."""

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    @pytest.mark.parametrize("n", [2, 8, 100])
    def test_constant_predictions_learn_the_order_of_the_target(self, n: int, dtype: torch.dtype) -> None:
        pred, target = torch.full((n,), 0.3, dtype=dtype), torch.arange(n, dtype=dtype)
        assert plcc_loss(pred, target).item() == pytest.approx(0.25, abs=1e-5)
        assert rank_loss(pred, target) == 0
        slope = gradient(plcc_loss, pred, target)
        assert (slope.diff() < 0).all()
        assert slope.abs().max() < 1e4
        assert not gradient(rank_loss, pred, target).any()

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_constant_target_teaches_nothing(self, dtype: torch.dtype) -> None:
        pred = torch.randn(8, dtype=dtype, generator=torch.Generator().manual_seed(0))
        target = torch.full_like(pred, 3.14)
        assert plcc_loss(pred, target).item() == pytest.approx(0.125, abs=1e-3)
        assert rank_loss(pred, target) == 0
        assert gradient(plcc_loss, pred, target).abs().max() < 1e-3
        assert not gradient(rank_loss, pred, target).any()

    @pytest.mark.parametrize("loss", [plcc_loss, rank_loss])
    @pytest.mark.parametrize("n", [1, 5])
    def test_nothing_to_compare(self, loss: Loss, n: int) -> None:
        pred, target = torch.full((n,), 0.5), torch.full((n,), 3.0)
        assert loss(pred, target) == 0
        assert not gradient(loss, pred, target).any()

    @pytest.mark.parametrize("loss", LOSSES)
    @pytest.mark.parametrize(
        ("pred", "target"), [((3, 1), (3,)), ((3,), (4,)), ((), ()), ((0,), (0,)), ((1, 3), (1, 3))]
    )
    def test_shapes_that_would_broadcast_are_refused(
        self, loss: Loss, pred: tuple[int, ...], target: tuple[int, ...]
    ) -> None:
        with pytest.raises(ValueError, match="1-D and of one length of at least 1"):
            loss(torch.rand(pred), torch.rand(target))


class TestPrecision:
    @pytest.mark.parametrize("loss", LOSSES)
    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_half_is_computed_in_single(self, loss: Loss, dtype: torch.dtype) -> None:
        pred, target = torch.randn(2, 8, generator=torch.Generator().manual_seed(0)).to(dtype)
        with torch.autocast("cpu", torch.bfloat16):
            value = loss(pred, target)
        assert value.dtype == torch.float32
        assert value == loss(pred.float(), target.float())
        assert gradient(loss, pred, target).isfinite().all()

    @pytest.mark.parametrize("loss", LOSSES)
    def test_the_target_takes_the_precision_of_the_predictions(self, loss: Loss) -> None:
        pred = torch.tensor([0.1, 0.5, 0.2])
        value = loss(pred, torch.tensor([1, 2, 3]))
        assert value.dtype == torch.float32
        assert value == loss(pred, torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))


@pytest.fixture
def pred() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    pred = {name: torch.randn(6, generator=generator) for name in SCORES}
    return {name: values.requires_grad_() for name, values in pred.items()}


@pytest.fixture
def mos() -> Tensor:
    return torch.tensor([1.0, 2.0, 2.0, 3.5, 4.0, 5.0])


class TestQualityLoss:
    def test_the_published_one(self, pred: dict[str, Tensor], mos: Tensor) -> None:
        result = QualityLoss()(pred, mos)
        expected = sum(
            slow_plcc(pred[name].tolist(), mos.tolist()) + 0.3 * slow_rank(pred[name].tolist(), mos.tolist())
            for name in ("semantic", "technical", "aesthetic")
        )
        assert result["loss"].item() == pytest.approx(expected, abs=1e-5)
        branches = ("semantic", "technical", "aesthetic")
        assert set(result) == {"loss", *(f"{term}/{name}" for term in ("plcc", "rank") for name in branches)}

    def test_every_weight(self, pred: dict[str, Tensor], mos: Tensor) -> None:
        terms = {"plcc": 0.5, "rank": 2.0, "mse": 0.25}
        scores = dict(zip(SCORES, (0.1, 0.2, 0.3, 0.4), strict=True))
        result = QualityLoss(**terms, scores=scores)(pred, mos)
        expected = 0.0
        for loss, (term, weight) in zip((plcc_loss, rank_loss, mse_loss), terms.items(), strict=True):
            for name in SCORES:
                value = loss(pred[name], mos)
                assert result[f"{term}/{name}"] == value
                expected += scores[name] * weight * value.item()
        assert result["loss"].item() == pytest.approx(expected, rel=1e-5)

    def test_ratings_of_a_branch_stand_in_for_the_mos(self, pred: dict[str, Tensor], mos: Tensor) -> None:
        own = torch.tensor([3.0, 1.0, 4.0, 1.0, 5.0, 9.0])
        result, plain = QualityLoss()(pred, mos, {"technical": own}), QualityLoss()(pred, mos)
        assert result["plcc/technical"] == plcc_loss(pred["technical"], own)
        assert result["rank/technical"] == rank_loss(pred["technical"], own)
        others = [name for name in plain if name != "loss" and not name.endswith("technical")]
        assert all(result[name] == plain[name] for name in others)

    @pytest.mark.parametrize("within", [0, 0.3, 1])
    def test_within_contents(self, pred: dict[str, Tensor], mos: Tensor, within: float) -> None:
        contents = torch.tensor([7, 2, 7, 2, 7, 7])
        result = QualityLoss(within=within, mse=1)(pred, mos, contents=contents)
        first, second = contents == 7, contents == 2
        for term, loss in {"plcc": plcc_loss, "rank": rank_loss, "mse": mse_loss}.items():
            x = pred["technical"]
            apart = (4 * loss(x[first], mos[first]) + 2 * loss(x[second], mos[second])) / 6
            expected = within * apart + (1 - within) * loss(x, mos)
            assert result[f"{term}/technical"].item() == pytest.approx(expected.item(), abs=1e-6)
        result["loss"].backward()
        assert all(values.grad.isfinite().all() for name, values in pred.items() if name != "overall")

    def test_without_contents_all_are_compared(self, pred: dict[str, Tensor], mos: Tensor) -> None:
        assert QualityLoss(within=1)(pred, mos)["loss"] == QualityLoss()(pred, mos)["loss"]

    def test_what_weighs_nothing_is_not_computed(self, pred: dict[str, Tensor], mos: Tensor) -> None:
        loss = QualityLoss(plcc=0, rank=0, mse=1, scores={"overall": 1, "semantic": 0})
        result = loss({"overall": pred["overall"]}, mos)
        assert set(result) == {"loss", "mse/overall"}
        assert result["loss"] == result["mse/overall"]

    def test_only_the_loss_has_a_gradient(self, pred: dict[str, Tensor], mos: Tensor) -> None:
        result = QualityLoss(scores={"technical": 1})(pred, mos)
        assert [name for name, value in result.items() if value.requires_grad] == ["loss"]
        result["loss"].backward()
        assert [name for name, values in pred.items() if values.grad is not None] == ["technical"]

    def test_one_video_can_be_trained_on(self, pred: dict[str, Tensor], mos: Tensor) -> None:
        result = QualityLoss()({name: values[:1] for name, values in pred.items()}, mos[:1])
        result["loss"].backward()
        assert all(values == 0 for values in result.values())

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"rank": -0.3}, r"^rank=-0\.3: "),
            ({"mse": float("nan")}, "^mse=nan: "),
            ({"within": 1.5}, r"^within=1\.5: "),
            ({"plcc": float("inf")}, "^plcc=inf: "),
            ({"scores": {"technical": -1}}, r"^scores\.technical=-1: "),
            ({"scores": {"tecnical": 1}}, r"^scores\.tecnical: .*technical"),
            ({"plcc": 0, "rank": 0}, "^plcc, rank and mse are all 0"),
            ({"scores": {}}, "^scores are all 0"),
            ({"scores": {"technical": 0}}, "^scores are all 0"),
        ],
    )
    def test_weights_that_make_no_sense(self, options: dict, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            QualityLoss(**options)


class TestWeights:
    """Weights of videos: as if each had come so many times."""

    PRED = torch.tensor([0.3, -1.0, 2.0, 0.5, 1.1], dtype=torch.float64)
    TARGET = torch.tensor([1.0, 2.0, 3.5, 3.0, 2.5], dtype=torch.float64)

    @pytest.mark.parametrize("loss", LOSSES)
    def test_all_alike_change_nothing(self, loss: Loss) -> None:
        for weight in (1.0, 7.0):
            weights = torch.full((5,), weight, dtype=torch.float64)
            found = loss(self.PRED, self.TARGET, weights)  # type: ignore[call-arg]
            assert found == pytest.approx(float(loss(self.PRED, self.TARGET)))

    @pytest.mark.parametrize("loss", [plcc_loss, mse_loss])
    def test_a_video_of_weight_two_counts_twice(self, loss: Loss) -> None:
        weights = torch.tensor([1.0, 2, 1, 1, 2], dtype=torch.float64)
        twice = torch.tensor([0, 1, 1, 2, 3, 4, 4])
        found = loss(self.PRED, self.TARGET, weights)  # type: ignore[call-arg]
        assert found == pytest.approx(float(loss(self.PRED[twice], self.TARGET[twice])))

    def test_a_pair_weighs_the_product(self) -> None:
        weights = torch.tensor([1.0, 2, 1, 1, 3], dtype=torch.float64)
        total = violated = largest = 0.0
        for i in range(5):
            for j in range(5):
                if i != j:
                    sign = torch.sign(self.TARGET[j] - self.TARGET[i])
                    violation = max(float((self.PRED[i] - self.PRED[j]) * sign), 0.0)
                    total, largest = total + float(weights[i] * weights[j]), max(largest, violation)
                    violated += violation * float(weights[i] * weights[j])
        found = rank_loss(self.PRED, self.TARGET, weights)
        assert found == pytest.approx(violated / total / (1 + largest))

    def test_the_sum_of_losses_takes_them(self) -> None:
        pred = dict.fromkeys(SCORES, self.PRED)
        weights = torch.tensor([1.0, 2, 1, 1, 3], dtype=torch.float64)
        contents = torch.tensor([0, 0, 1, 1, 1])
        loss = QualityLoss(within=0.5, scores={"overall": 1.0})
        found = loss(pred, self.TARGET, contents=contents, weights=weights)["loss"]
        parts = []
        for some in (slice(0, 2), slice(2, 5)):
            inputs = self.PRED[some], self.TARGET[some], weights[some]
            parts.append(len(inputs[0]) / 5 * (plcc_loss(*inputs) + 0.3 * rank_loss(*inputs)))
        whole = plcc_loss(self.PRED, self.TARGET, weights) + 0.3 * rank_loss(self.PRED, self.TARGET, weights)
        assert found == pytest.approx(float(0.5 * sum(parts) + 0.5 * whole))
