"""The whole model on tiny sizes: shapes, batches, still images, training, saving."""

import copy
import io
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from cover.models import COVER, branch_scores
from cover.scores import BRANCHES
from tests.models.conftest import TINY

MakeViews = Callable[..., dict[str, Tensor]]


def scores(model: COVER, views: dict[str, Tensor]) -> dict[str, Tensor]:
    with torch.inference_mode():
        return branch_scores(model(views))


@pytest.mark.parametrize("frames", [1, 2, 5], ids=["image", "2 frames", "5 frames"])
def test_score_maps_cover_time_and_space(tiny: COVER, make_views: MakeViews, frames: int) -> None:
    maps = tiny(make_views(batch=2, frames=frames, side=96))
    assert {branch: tuple(m.shape) for branch, m in maps.items()} == dict.fromkeys(BRANCHES, (2, frames, 3, 3))
    semantic = maps["semantic"]
    torch.testing.assert_close(semantic, semantic[..., :1, :1].expand_as(semantic))


@pytest.mark.parametrize("frames", [1, 5], ids=["images", "clips"])
def test_a_batch_scores_as_its_videos_do_alone(tiny: COVER, make_views: MakeViews, frames: int) -> None:
    views = make_views(batch=3, frames=frames)
    together = scores(tiny, views)
    for i in range(3):
        alone = scores(tiny, {branch: view[i : i + 1] for branch, view in views.items()})
        for name, score in alone.items():
            torch.testing.assert_close(together[name][i : i + 1], score, atol=1e-6, rtol=1e-5)


def test_branch_scores_are_means_and_their_sum() -> None:
    maps = {branch: torch.full((2, 3, 7, 7), float(i)) for i, branch in enumerate(BRANCHES)}
    maps["semantic"][1, 0] += 3
    result = {name: score.tolist() for name, score in branch_scores(maps).items()}
    assert result == {"semantic": [0, 1], "technical": [1, 1], "aesthetic": [2, 2], "overall": [3, 4]}


def test_a_still_image_is_seen_twice_by_the_two_video_branches(tiny: COVER, make_views: MakeViews) -> None:
    views = make_views(frames=1)
    doubled = {b: v if b == "semantic" else v.repeat(1, 1, 2, 1, 1) for b, v in views.items()}
    for branch, score in scores(tiny, doubled).items():
        assert torch.equal(score, scores(tiny, views)[branch])


def test_views_of_other_lengths_are_refused(tiny: COVER, make_views: MakeViews) -> None:
    views = make_views(frames=4) | {"semantic": make_views(frames=3)["semantic"]}
    with pytest.raises(ValueError, match=r"'semantic': 3.*twice the semantic view's frames"):
        tiny(views)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_normalize_uses_each_branch_s_statistics(tiny: COVER, dtype: torch.dtype) -> None:
    views = {branch: torch.tensor([0, 128, 255], dtype=dtype).view(1, 3, 1, 1, 1) for branch in BRANCHES}
    before = {branch: view.clone() for branch, view in views.items()}
    normalized = tiny.normalize(views)
    clip_style = torch.tensor([-122.77 / 68.50, (128 - 116.75) / 66.63, (255 - 104.09) / 70.32])
    imagenet = torch.tensor([-123.675 / 58.395, (128 - 116.28) / 57.12, (255 - 103.53) / 57.375])
    for branch, expected in {"semantic": clip_style, "technical": imagenet, "aesthetic": imagenet}.items():
        assert normalized[branch].dtype == torch.float32
        torch.testing.assert_close(normalized[branch].flatten(), expected)
        assert torch.equal(views[branch], before[branch])


def test_forward_is_features_then_score_maps(tiny: COVER, make_views: MakeViews) -> None:
    views = make_views(frames=3)
    with torch.inference_mode():
        features = tiny.features(views)
        assert features["semantic"].shape == (1, 64, 3)
        assert features["technical"].shape == features["aesthetic"].shape == (1, 64, 3, 2, 2)
        for branch, score_map in tiny.score_maps(features).items():
            assert torch.equal(score_map, tiny(views)[branch])


def test_every_parameter_is_trained(tiny: COVER, make_views: MakeViews) -> None:
    for parameter in tiny.parameters():  # layer scales and shifts start at about 0, which would hide what is behind
        torch.nn.init.normal_(parameter, std=0.2)
    maps = tiny.train()(make_views(batch=2, frames=3))
    branch_scores(maps)["overall"].square().sum().backward()
    untouched = [name for name, p in tiny.named_parameters() if p.grad is None]
    assert untouched == []
    assert all(p.grad.isfinite().all() for p in tiny.parameters())


def test_training_and_inference_compute_the_same(tiny: COVER, make_views: MakeViews) -> None:
    views = make_views(frames=3)
    with_grad = branch_scores(tiny(views))
    for name, score in scores(tiny, views).items():
        torch.testing.assert_close(with_grad[name].detach(), score, atol=1e-6, rtol=1e-5)


def test_dropout_is_active_in_training_only(tiny: COVER, make_views: MakeViews) -> None:
    views = make_views(frames=2)
    assert torch.equal(scores(tiny, views)["overall"], scores(tiny, views)["overall"])
    tiny.train()
    assert not torch.equal(scores(tiny, views)["overall"], scores(tiny, views)["overall"])


def test_gradient_checkpointing_changes_no_gradient(tiny: COVER, make_views: MakeViews) -> None:
    views, gradients = make_views(frames=2), []
    for checkpointing in (False, True):
        for backbone in tiny.backbones.values():
            backbone.gradient_checkpointing = checkpointing
        tiny.zero_grad()
        branch_scores(tiny(views))["overall"].sum().backward()
        gradients.append([p.grad.clone() for p in tiny.parameters()])
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(recomputed, plain)


@pytest.mark.parametrize("train", [False, True], ids=["inference", "training"])
def test_bfloat16_autocast(tiny: COVER, make_views: MakeViews, train: bool) -> None:
    views = make_views(batch=2, frames=2)
    full = scores(tiny, views)
    with torch.autocast("cpu", torch.bfloat16), torch.set_grad_enabled(train):
        half = branch_scores(tiny(views))
    if train:
        half["overall"].sum().backward()
    for name in BRANCHES:
        torch.testing.assert_close(half[name].float().detach(), full[name], atol=0.02, rtol=0.05)


def test_a_seed_fixes_the_initial_weights() -> None:
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        states.append(COVER(**TINY).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_copies_and_files_keep_the_model(tiny: COVER, make_views: MakeViews) -> None:
    views = make_views()
    expected = scores(tiny, views)
    file = io.BytesIO()
    torch.save(tiny, file)
    file.seek(0)
    other = COVER(**TINY).eval()
    other.load_state_dict(tiny.state_dict())
    for model in (copy.deepcopy(tiny), torch.load(file, weights_only=False), other):
        assert torch.equal(scores(model, views)["overall"], expected["overall"])


def test_weights_load_into_a_model_on_the_meta_device(tiny: COVER, make_views: MakeViews) -> None:
    with torch.device("meta"):
        model = COVER(**TINY).eval()
    model.load_state_dict(tiny.state_dict(), assign=True)
    assert not any(tensor.is_meta for tensor in (*model.parameters(), *model.buffers()))
    raw = {branch: torch.randint(256, view.shape, dtype=torch.uint8) for branch, view in make_views().items()}
    expected = scores(tiny, tiny.normalize(raw))
    assert torch.equal(scores(model, model.normalize(raw))["overall"], expected["overall"])
    branch_scores(model(model.normalize(raw)))["overall"].sum().backward()


def test_branches_of_other_widths_are_refused() -> None:
    with pytest.raises(ValueError, match="semantic has 32, technical has 64, aesthetic has 64"):
        COVER(**{**TINY, "semantic": {**TINY["semantic"], "output_dim": 32}})


def test_the_published_architecture_has_the_published_sizes() -> None:
    with torch.device("meta"):
        model = COVER()
    millions = {b: round(sum(p.numel() for p in m.parameters()) / 1e6, 1) for b, m in model.backbones.items()}
    assert millions == {"semantic": 303.7, "technical": 28.1, "aesthetic": 28.0}
    assert list(model.buffers()) == []
