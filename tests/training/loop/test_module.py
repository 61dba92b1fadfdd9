"""The modules of training: what learns and at what rate, averaged weights, checkpoints, validation, features kept."""

import copy
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn
from torch.utils.data import DataLoader

from cover.decoding.batches import Batch
from cover.evaluation.correlation import krocc, plcc, rmse, srocc
from cover.models import COVER, branch_scores
from cover.rows import Failure, Row
from cover.scores import BRANCHES, SCORES
from cover.scoring.scorer import stacked
from cover.training.data.batches import VideoBatch, VideoGroup
from cover.training.data.cache import TensorCache
from cover.training.data.features import Extraction
from cover.training.loop.losses import QualityLoss
from cover.training.loop.module import MONITOR, Predictions, Training
from cover.training.loop.schedule import Rates, mark_trained, warmup_cosine
from tests.helpers.tiny import tiny_model

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:lightning.*")

HEADS = ("gates.*", "heads.*")
PROBE = ("heads.*.score.*",)
WHOLE = ("backbones.technical.*", "backbones.aesthetic.*", *HEADS)
RATED = [("one" if clip % 2 else "two", float((7 * clip) % 24)) for clip in range(24)]
TRAIN = [[0, 2, 4, 6], [1, 3, 5, 7], [8, 10, 12, 14], [9, 11, 13, 15]]
VALIDATION = [[16, 17, 18], [19, 20, 21], [22, 23]]


@pytest.fixture(scope="module")
def tiny() -> COVER:
    return tiny_model()


def marked(tiny: COVER, patterns: Sequence[str] = HEADS) -> COVER:
    """A copy that learns what the patterns name, without the backbones that are frozen: as a stage trains it."""
    model = copy.deepcopy(tiny)
    learning = mark_trained(model, patterns)
    for branch in BRANCHES:
        if branch not in learning:
            model.backbones.pop(branch)
    return model


def module(model: COVER, **options: Any) -> Training:
    defaults: dict[str, Any] = {
        "optimizer": torch.optim.AdamW,
        "sets": RATED,
        "seed": 0,
        "about": {"base": {"weights": "somewhere"}},
    }
    usual: dict[str, Any] = {"lr": 1e-2, "backbone_lr": 0.1, "warmup_epochs": 1, "ema_decay": 0.8}
    rates = Rates(**{name: options.pop(name, usual.get(name, 0.0)) for name in [*usual, "l2_sp"]})
    return Training(model, QualityLoss(), rates=rates, **{**defaults, **options})


def batch(clips: Sequence[int], views: Sequence[str] = (), frames: int = 2) -> VideoBatch:
    """Random inputs that depend on the clip alone; views of the branches named, features of the others."""
    features: dict[str, list[Tensor]] = {branch: [] for branch in BRANCHES if branch not in views}
    pixels: dict[str, list[Tensor]] = {branch: [] for branch in views}
    for clip in clips:
        generator = torch.Generator().manual_seed(clip)
        for place, branch in enumerate(BRANCHES):
            length, space = (2 * frames, (2, 2)) if place else (frames, ())
            if branch in views:
                view = torch.randint(256, (3, length, 64, 64), dtype=torch.uint8, generator=generator)
                pixels[branch].append(view)
            else:
                features[branch].append(torch.randn(64, frames, *space, generator=generator))
    group = VideoGroup(*({name: torch.stack(items) for name, items in kind.items()} for kind in (features, pixels)))
    return VideoBatch([group], torch.tensor([*clips]), torch.tensor([RATED[clip][1] for clip in clips]))


def loader(parts: Sequence[Sequence[int]], views: Sequence[str] = ()) -> DataLoader:
    # A generator of its own, as in training: a loader draws a number whenever it starts.
    batches: Any = [batch(clips, views) for clips in parts]
    return DataLoader(batches, batch_size=None, generator=torch.Generator())


def trainer_of(epochs: int = 2, *callbacks: Callback, **options: Any) -> lightning.Trainer:
    return lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        devices=1,
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **options,
    )


def fit(training: Training, epochs: int = 2, *callbacks: Callback, views: Sequence[str] = (), **options: Any) -> Any:
    """Trains on a few small batches; the trainer."""
    trainer = trainer_of(epochs, *callbacks, **options)
    trainer.fit(training, loader(TRAIN, views), loader(VALIDATION, views))
    return trainer


class Watch(Callback):
    """Calls a function before and another one after each batch."""

    def __init__(self, before: Callable[..., None] = lambda *_: None, after: Callable[..., None] = lambda *_: None):
        self.before, self.after = before, after

    def on_train_batch_start(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        self.before(trainer, pl_module)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, *_: Any) -> None:
        self.after(trainer, pl_module, outputs)


def parameters(model: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


class TestSchedule:
    @pytest.mark.parametrize(("warmup", "total"), [(0, 10), (2.5, 10), (3, 40), (7.5, 15), (10, 10), (0, 1), (1, 2)])
    def test_linear_then_cosine(self, warmup: float, total: int) -> None:
        share = warmup_cosine(warmup, total)
        for step in range(total + 1):
            if step < warmup:
                assert share(step) == pytest.approx(step / warmup)
            elif total > warmup:
                assert share(step) == pytest.approx((1 + math.cos(math.pi * (step - warmup) / (total - warmup))) / 2)
            else:
                assert share(step) == 1

    def test_without_warmup_it_starts_at_the_full_rate(self) -> None:
        assert warmup_cosine(0, 10)(0) == 1

    @given(total=st.integers(2, 200), part=st.floats(0, 0.5))
    def test_up_and_then_down(self, total: int, part: float) -> None:
        share = warmup_cosine(part * total, total)
        shares = [share(step) for step in range(total + 1)]
        assert all(0 <= value <= 1 for value in shares)
        top = math.ceil(part * total)
        assert shares[:top] == sorted(shares[:top])
        assert shares[top:] == sorted(shares[top:], reverse=True)
        assert shares[-1] == pytest.approx(0, abs=1e-12)

    @pytest.mark.parametrize(
        ("warmup_epochs", "accumulate", "warmup", "total"),
        [(1, 1, 4, 12), (0, 1, 0, 12), (1.5, 2, 3, 6), (9, 1, 6, 12)],
    )
    def test_every_step_has_its_rate(
        self, tiny: COVER, warmup_epochs: float, accumulate: int, warmup: float, total: int
    ) -> None:
        rates = []
        watch = Watch(before=lambda trainer, _: rates.append(trainer.optimizers[0].param_groups[0]["lr"]))
        fit(module(marked(tiny), warmup_epochs=warmup_epochs), 3, watch, accumulate_grad_batches=accumulate)
        share = warmup_cosine(warmup, total)
        assert rates == pytest.approx([1e-2 * share(step) for step in range(total) for _ in range(accumulate)])


class TestMarkTrained:
    @pytest.mark.parametrize(
        ("patterns", "names", "learning"),
        [
            (HEADS, r"(gates|heads)\.", []),
            (PROBE, r"heads\.\w+\.score\.", []),
            (WHOLE, r"(gates|heads|backbones\.(technical|aesthetic))\.", ["technical", "aesthetic"]),
            (["*"], "", list(BRANCHES)),
            (["backbones.semantic.*.weight"], r"backbones\.semantic\..*\.weight$", ["semantic"]),
            (["heads.technical.score.bias"], r"heads\.technical\.score\.bias$", []),
        ],
    )
    def test_patterns(self, tiny: COVER, patterns: Sequence[str], names: str, learning: list[str]) -> None:
        model = copy.deepcopy(tiny)
        mark_trained(model, ["backbones.aesthetic.*"])  # which is undone
        assert mark_trained(model, patterns) == learning
        trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
        assert trained == {name for name, _ in model.named_parameters() if re.match(names, name)}

    def test_a_pattern_that_matches_nothing(self, tiny: COVER) -> None:
        model = copy.deepcopy(tiny)
        mark_trained(model, PROBE)
        with pytest.raises(ValueError, match=r"'head\.\*' matches no parameter"):
            mark_trained(model, ["gates.*", "head.*"])
        trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
        assert len(trained) == 6  # as before


class TestWhatLearns:
    def test_two_groups_with_their_rates(self, tiny: COVER) -> None:
        training = module(marked(tiny, WHOLE))
        before = parameters(training.model)
        trainer = fit(training, 1, views=("technical", "aesthetic"), limit_train_batches=2)
        groups = trainer.optimizers[0].param_groups
        names = {parameter: name for name, parameter in training.model.named_parameters()}
        found = [{names[parameter].split(".")[0] for parameter in group["params"]} for group in groups]
        assert found == [{"gates", "heads"}, {"backbones"}]
        assert [group["initial_lr"] for group in groups] == [1e-2, 1e-3]
        assert sum(len(group["params"]) for group in groups) == len(names)
        assert all(not torch.equal(value, before[name]) for name, value in parameters(training.model).items())

    def test_what_is_frozen_stays_and_is_in_no_group(self, tiny: COVER) -> None:
        training = module(marked(tiny, PROBE))
        before = parameters(training.model)
        (group,) = fit(training, 1).optimizers[0].param_groups
        assert len(group["params"]) == 6
        changed = {name for name, value in parameters(training.model).items() if not torch.equal(value, before[name])}
        assert changed == {f"heads.{branch}.score.{name}" for branch in BRANCHES for name in ("weight", "bias")}

    @pytest.mark.parametrize(
        ("patterns", "dropping"),
        [
            (PROBE, {"heads"}),
            (["gates.technical.*"], {"gates.technical"}),
            (HEADS, {"heads", "gates"}),
            (WHOLE, {"heads", "gates", "backbones"}),
        ],
    )
    def test_frozen_modules_stay_in_eval_mode_and_dropout_follows(
        self, tiny: COVER, patterns: Sequence[str], dropping: set[str]
    ) -> None:
        seen: list[dict[str, bool]] = []

        def look(_: Any, training: Training) -> None:
            for name, part in training.model.named_modules():
                if own := list(part.parameters()):
                    assert part.training is any(parameter.requires_grad for parameter in own), name
            seen.append({name: part.training for name, part in training.model.named_modules() if "drop" in name})
            assert training.averaged is not None
            assert not any(part.training for part in training.averaged.modules())

        views = ("technical", "aesthetic") if patterns == WHOLE else ()
        # Two epochs: validation comes between them.
        fit(module(marked(tiny, patterns)), 2, Watch(before=look), views=views, limit_train_batches=1)
        assert len(seen) == 2
        for drops in seen:
            assert drops == {name: any(name.startswith(f"{part}.") for part in dropping) for name in drops}
            assert any(name.startswith("gates.") for name in drops)

    def test_validation_and_prediction_drop_nothing(self, tiny: COVER) -> None:
        training = module(marked(tiny))
        trainer = fit(training, 1)
        first, second = (trainer.validate(training, loader(VALIDATION), verbose=False) for _ in range(2))
        assert first == second

    def test_dropout_depends_on_seed_and_epoch_alone(self, tiny: COVER) -> None:
        def losses(seed: int) -> list[float]:
            values: list[float] = []
            record = Watch(after=lambda _, __, outputs: values.append(float(outputs["loss"])))
            fit(module(marked(tiny), seed=seed, lr=1e-30, warmup_epochs=0), 2, record)
            return values

        torch.manual_seed(1)
        first = losses(0)
        torch.manual_seed(2)
        assert losses(0) == first
        assert losses(1) != first
        assert len(set(first)) == len(first)

    def test_the_loss_is_that_of_the_batch(self, tiny: COVER) -> None:
        model = marked(tiny)
        for part in model.modules():
            if isinstance(part, nn.Dropout):
                part.p = 0.0
        training = module(model, lr=1e-30, warmup_epochs=0)
        trainer = fit(training, 1)
        values = [
            QualityLoss()(branch_scores(model.score_maps(item.groups[0].features)), item.mos)
            for item in map(batch, TRAIN)
        ]
        logged = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("train/")}
        expected = {f"train/{name}": np.mean([value[name].item() for value in values]) for name in values[0]}
        assert logged == pytest.approx(expected, rel=1e-5)


class TestScores:
    @pytest.mark.parametrize("views", [(), ("technical",), ("technical", "aesthetic"), BRANCHES])
    def test_from_features_and_from_views(self, tiny: COVER, views: Sequence[str]) -> None:
        given = batch([3, 8], views)
        (group,) = given.groups
        with torch.no_grad():
            features = {**group.features, **tiny.features(tiny.normalize(group.views))}
            expected = branch_scores(tiny.score_maps(features))
            found = module(copy.deepcopy(tiny)).scores(given)
        assert found.dtype == torch.float32
        assert torch.equal(found, torch.stack([expected[name] for name in SCORES], dim=1))

    def test_shapes_in_one_batch_keep_their_order(self, tiny: COVER) -> None:
        training = module(marked(tiny)).eval()
        short, long = batch([5, 2]), batch([7], frames=4)
        mixed = VideoBatch(short.groups + long.groups, torch.tensor([5, 2, 7]), torch.cat([short.mos, long.mos]))
        expected = torch.cat([training.scores(item) for item in (batch([5]), batch([2]), batch([7], frames=4))])
        assert torch.allclose(training.scores(mixed), expected, atol=1e-6)

    def test_features_in_half_precision(self, tiny: COVER) -> None:
        training = module(marked(tiny)).eval()
        given = batch([5, 2])
        expected = training.scores(given)
        given.groups[0].features = {name: tensor.half() for name, tensor in given.groups[0].features.items()}
        found = training.scores(given)
        assert found.dtype == torch.float32
        assert torch.allclose(found, expected, atol=1e-2)


class TestAveragedWeights:
    @pytest.mark.parametrize("accumulate", [1, 2])
    @pytest.mark.parametrize("decay", [0.8, 0.999])
    def test_they_follow_the_optimizer(self, tiny: COVER, decay: float, accumulate: int) -> None:
        steps: list[dict[str, Tensor]] = []

        def keep(trainer: Any, training: Training, _: Any) -> None:
            if trainer.global_step > len(steps):
                steps.append(parameters(training.model))

        training = module(marked(tiny), ema_decay=decay)
        fit(training, 3, Watch(after=keep), accumulate_grad_batches=accumulate)
        assert len(steps) == 12 // accumulate
        averaged = steps[0]
        for step in steps[1:]:
            averaged = {name: decay * averaged[name] + (1 - decay) * value for name, value in step.items()}
        found = parameters(training.variant("ema"))
        assert found.keys() == averaged.keys()
        for name, value in averaged.items():
            assert torch.allclose(found[name], value, rtol=1e-5, atol=1e-7)
        assert equal(parameters(training.variant("raw")), steps[-1])
        assert not equal(found, steps[-1])

    def test_warmup_begins_the_average_with_the_weights_at_the_start(self, tiny: COVER) -> None:
        """The first step's rate is 0, so that the average of the official code, which starts with them, is the same."""
        training = module(marked(tiny), optimizer=torch.optim.SGD)
        start = parameters(training.model)
        fit(training, 1, limit_train_batches=1, limit_val_batches=1)
        assert equal(parameters(training.variant("ema")), start)

    def test_none(self, tiny: COVER) -> None:
        training = module(marked(tiny), ema_decay=None)
        trainer = fit(training, 1)
        assert training.variant("ema") is training.model
        assert not any("/ema/" in name for name in trainer.callback_metrics)
        assert not any("averaged" in name for name in training.state_dict())


class TestCheckpoints:
    @pytest.mark.parametrize("kind", ["raw", "ema"])
    def test_state_dict_is_the_better_of_the_two(self, tiny: COVER, tmp_path: Path, kind: str) -> None:
        training = module(marked(tiny))
        trainer = fit(training, 2)
        validation = [batch(clips) for clips in VALIDATION]
        with torch.no_grad():
            training.eval()
            scores = torch.cat([training.scores(item, kind)[:, SCORES.index("overall")] for item in validation])
        mos = dict(zip(torch.cat([item.videos for item in validation]).tolist(), scores.tolist(), strict=True))
        training.sets = [(name, mos.get(clip, 0.0)) for clip, (name, _) in enumerate(RATED)]
        trainer.validate(training, loader(VALIDATION), verbose=False)
        trainer.save_checkpoint(tmp_path / "x.ckpt")

        checkpoint = torch.load(tmp_path / "x.ckpt", weights_only=True)
        about = {"base": {"weights": "somewhere"}, "variant": kind, "score": pytest.approx(2)}
        assert checkpoint["cover"] == about
        kinds = {name: training.variant(name).state_dict() for name in ("raw", "ema")}
        assert not equal(kinds["raw"], kinds["ema"])
        assert equal(checkpoint["state_dict"], {f"model.{name}": value for name, value in kinds[kind].items()})
        assert equal(checkpoint["training_state"], training.state_dict())
        model = marked(tiny)
        model.load_state_dict({name.removeprefix("model."): value for name, value in checkpoint["state_dict"].items()})

    @pytest.mark.parametrize("kind", ["raw", "ema"])
    def test_going_on_from_one_ends_as_if_nothing_had_been(self, tiny: COVER, tmp_path: Path, kind: str) -> None:
        class Stop(Callback):
            def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
                if trainer.current_epoch == 1:
                    pl_module.best_of = kind  # whichever: it is not what training goes on from
                    trainer.save_checkpoint(tmp_path / "x.ckpt")
                    trainer.should_stop = True

        whole, first, second = (module(marked(tiny)) for _ in range(3))
        expected = fit(whole, 4)
        stopped = fit(first, 4, Stop())
        assert stopped.global_step == 8
        resumed = trainer_of(4)
        resumed.fit(second, loader(TRAIN), loader(VALIDATION), ckpt_path=tmp_path / "x.ckpt")
        assert resumed.global_step == expected.global_step == 16
        assert equal(second.state_dict(), whole.state_dict())
        assert not equal(first.state_dict(), whole.state_dict())
        assert resumed.callback_metrics == expected.callback_metrics


class TestValidation:
    def test_figures_are_those_of_the_predictions(self, tiny: COVER) -> None:
        training = module(marked(tiny))
        trainer = fit(training, 2)
        validation = [batch(clips) for clips in VALIDATION]
        (logged,) = trainer.validate(training, loader(VALIDATION), verbose=False)
        training.eval()
        overall = []
        for kind in ("raw", "ema"):
            with torch.no_grad():
                pred = torch.cat([training.scores(item, kind) for item in validation]).numpy()
            clips = torch.cat([item.videos for item in validation]).tolist()
            for place, score in enumerate(SCORES):
                figures = []
                for name in ("one", "two"):
                    own = [number for number, clip in enumerate(clips) if RATED[clip][0] == name]
                    x, y = pred[own, place], np.array([RATED[clips[number]][1] for number in own])
                    figures.append([srocc(x, y), krocc(x, y), plcc(x, y, "none"), rmse(x, y, "rescale")])
                for measure, value in zip(("srocc", "krocc", "plcc", "rmse"), np.mean(figures, axis=0), strict=True):
                    assert logged.pop(f"val/{kind}/{score}/{measure}") == pytest.approx(value, abs=1e-6)
                if score == "overall":
                    overall.append(np.mean(figures, axis=0)[[0, 2]].sum())
        assert overall[0] != overall[1]
        assert logged == {MONITOR: pytest.approx(max(overall), abs=1e-6)}
        assert training.best_of == ("raw", "ema")[int(np.argmax(overall))]

    def test_how_clips_are_batched_does_not_matter(self, tiny: COVER) -> None:
        training = module(marked(tiny))
        trainer = trainer_of()
        clips = list(range(24))
        (one,) = trainer.validate(training, loader([clips]), verbose=False)
        (many,) = trainer.validate(training, loader([clips[i : i + 5] for i in range(20, -1, -5)]), verbose=False)
        assert one == pytest.approx(many, abs=1e-6)

    def test_a_clip_that_stands_for_another_counts_once(self, tiny: COVER) -> None:
        training, trainer = module(marked(tiny)), trainer_of()
        (once,) = trainer.validate(training, loader([range(8), range(8, 24)]), verbose=False)
        (twice,) = trainer.validate(training, loader([[*range(8), 0, 0], range(8, 24)]), verbose=False)
        assert once == pytest.approx(twice, abs=1e-6)

    def test_scores_that_are_all_alike(self, tiny: COVER) -> None:
        model = marked(tiny)
        for head in model.heads.values():
            head.score.weight.data.zero_()
        training, trainer = module(model), trainer_of()
        (logged,) = trainer.validate(training, loader([range(24)]), verbose=False)
        assert logged[MONITOR] == -2
        assert training.best_of == "raw"
        assert math.isnan(logged["val/raw/overall/srocc"])
        assert math.isfinite(logged["val/raw/overall/rmse"])

    @pytest.mark.parametrize(("constant", "best"), [("raw", "ema"), ("ema", "raw")])
    def test_one_of_the_two_is_all_alike(self, tiny: COVER, constant: str, best: str) -> None:
        training, trainer = module(marked(tiny)), trainer_of()
        for head in training.variant(constant).heads.values():
            head.score.weight.data.zero_()  # type: ignore[union-attr]
        (logged,) = trainer.validate(training, loader([range(24)]), verbose=False)
        assert training.best_of == best
        figures = [logged[f"val/{best}/overall/{measure}"] for measure in ("srocc", "plcc")]
        assert logged[MONITOR] == pytest.approx(sum(figures), abs=1e-6)

    def test_predicting_scores_every_clip_and_leaves_nothing(self, tiny: COVER) -> None:
        training, trainer = module(marked(tiny)).eval(), trainer_of()
        for _ in range(2):
            trainer.predict(training, loader([[5, 1], [0, 23], [2]]), return_predictions=False)
            assert list(training.predictions) == [0, 1, 2, 5, 23]
        with torch.no_grad():
            expected = training.scores(batch([5, 1]))
        assert training.predictions[1] == pytest.approx(expected[1].tolist(), abs=1e-6)
        (before,) = trainer.validate(training, loader([range(24)]), verbose=False)
        training.predictions = {}
        (after,) = trainer_of().validate(training, loader([range(24)]), verbose=False)
        assert before == after


class TestPredictions:
    def test_numbers_keep_their_scores(self) -> None:
        metric = Predictions()
        scores = torch.randn(3, 4)
        metric.update(torch.tensor([7, 2**24 - 1]), scores[:2])
        metric.update(torch.tensor([0]), scores[2:])
        taken = metric.take()
        assert list(taken) == [0, 7, 2**24 - 1]
        assert torch.equal(torch.tensor(list(taken.values())), scores[[2, 0, 1]])

    @pytest.mark.filterwarnings("ignore:The ``compute`` method")
    def test_taking_leaves_nothing(self) -> None:
        metric = Predictions()
        assert metric.take() == {}
        metric.update(torch.tensor([1]), torch.ones(1, 4))
        assert metric.take() == {1: [1.0] * 4}
        assert metric.take() == {}
        metric.update(torch.tensor([2]), torch.zeros(1, 4))
        assert metric.take() == {2: [0.0] * 4}

    def test_no_gradient_is_kept(self) -> None:
        metric = Predictions()
        metric.update(torch.tensor([1]), torch.ones(1, 4, requires_grad=True))
        assert not metric.compute().requires_grad

    @pytest.mark.filterwarnings("ignore:The ``compute`` method")
    @pytest.mark.parametrize("shares", [([4, 0, 9], [3]), ([2, 1], []), ([], [])])
    def test_ranks_have_the_scores_of_all(self, shares: tuple[list[int], ...]) -> None:
        """What gathering gives is made up here; two processes that train gather for real."""
        ranks = [Predictions() for _ in shares]
        for metric, clips in zip(ranks, shares, strict=True):
            for clip in clips:
                metric.update(torch.tensor([clip]), torch.full((1, 4), clip / 7))
        rows = [torch.cat(metric.rows) if metric.rows else torch.empty(0) for metric in ranks]
        for metric in ranks:
            metric.distributed_available_fn, metric.dist_sync_fn = lambda: True, lambda *_, **__: list(rows)
            taken = metric.take()
            assert list(taken) == sorted(clip for clips in shares for clip in clips)
            assert all(scores == pytest.approx([clip / 7] * 4) for clip, scores in taken.items())


class TestExtraction:
    DRAWS = ("random 0 1 mirrored", "random 0 2")

    @pytest.fixture
    def caches(self, tmp_path: Path) -> dict[str, TensorCache]:
        return {branch: TensorCache(tmp_path, branch, {}) for branch in BRANCHES}

    def extraction(
        self, model: COVER, caches: dict[str, TensorCache], dtype: torch.dtype = torch.float32
    ) -> Extraction:
        features = {branch: caches[branch] for branch in ("semantic", "technical")}
        return Extraction(model, features, {"aesthetic": caches["aesthetic"]}, self.DRAWS, (True, False), dtype)

    @staticmethod
    def decoded(clips: Sequence[int]) -> Batch:
        """Two samplings of some videos."""
        rows = [Row(Path(f"{clip}.mp4"), f"{clip}.mp4", 1.0) for clip in clips]
        samplings = [batch([clip + shift for clip in clips], BRANCHES).groups[0].views for shift in (0, 12)]
        loaded: Any = [
            SimpleNamespace(views=[{branch: views[branch][place].numpy() for branch in views} for views in samplings])
            for place in range(len(clips))
        ]
        return Batch(rows=rows, loaded=loaded)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
    def test_what_is_kept(self, tiny: COVER, caches: dict[str, TensorCache], dtype: torch.dtype) -> None:
        given = self.decoded([0, 1])
        with torch.no_grad():
            assert self.extraction(tiny, caches, dtype).predict_step(given) == [(row, None) for row in given.rows]
            for draw, mirrored, views in zip(
                self.DRAWS, (True, False), stacked(given.loaded, torch.device("cpu")), strict=True
            ):
                seen = {name: view.flip(-1) if mirrored else view for name, view in views.items()}
                features = tiny.features(tiny.normalize(seen))
                for place, row in enumerate(given.rows):
                    for branch in ("semantic", "technical"):
                        found = caches[branch].load(row, draw)
                        assert found.dtype == dtype
                        assert torch.equal(found, features[branch][place].to(dtype))
                    assert torch.equal(caches["aesthetic"].load(row, draw), seen["aesthetic"][place])

    def test_only_what_is_lacking_is_computed(
        self, tiny: COVER, caches: dict[str, TensorCache], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given = self.decoded([0])
        with torch.no_grad():
            self.extraction(tiny, caches).predict_step(given)
        for file in caches["technical"].folder.glob("*.safetensors"):
            file.unlink()
        computed: list[set[str]] = []

        def features(views: dict[str, Tensor]) -> dict[str, Tensor]:
            computed.append(set(views))
            return COVER.features(tiny, views)

        monkeypatch.setattr(tiny, "features", features)
        with torch.no_grad():
            self.extraction(tiny, caches).predict_step(given)
            self.extraction(tiny, caches).predict_step(given)
        assert computed == [{"technical"}] * 2 + [set()] * 2

    def test_failures_are_passed_on(self, tiny: COVER, caches: dict[str, TensorCache]) -> None:
        failure = Failure(Row(Path("broken.mp4"), "broken.mp4"), "no video")
        assert self.extraction(tiny, caches).predict_step(Batch(failures=[failure])) == [(failure.row, failure)]
        assert not caches["semantic"].folder.exists()


class TestStayingNearTheStart:
    """L2-SP: half the squared distance from the start, times a factor."""

    def test_it_is_part_of_the_loss(self, tiny: COVER) -> None:
        training = module(marked(tiny), l2_sp=3.0, ema_decay=None)
        start = parameters(training.model)
        found: list[float] = []

        def before(trainer: Any, _: Any) -> None:
            now = parameters(training.model)
            found.append(sum(float((now[name] - start[name]).square().sum()) for name in start) / 2)

        trainer = fit(training, 1, Watch(before))
        assert found[0] == 0
        assert found[-1] > 0
        expected = sum(found) / len(found)
        assert float(trainer.callback_metrics["train/l2_sp"]) == pytest.approx(expected, rel=1e-4)

    def test_the_more_of_it_the_nearer(self, tiny: COVER) -> None:
        distances = []
        for factor in (0.0, 1.0, 100.0):
            training = module(marked(tiny), l2_sp=factor, ema_decay=None)
            start = parameters(training.model)
            fit(training, 3)
            now = parameters(training.model)
            distances.append(sum(float((now[name] - start[name]).square().sum()) for name in start))
        assert distances[0] > distances[1] > distances[2] > 0
