"""Every module computes what the official implementation computes with the same (stand-in) weights.

The goldens and the stand-in weights are described in ``../shared/reference/README.md``.
"""

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cover.models import COVER, branch_scores
from cover.models.cover import GATED_BRANCHES
from cover.scores import BRANCHES
from cover.weights.keys import CLIP_RULES, COVER_RULES, rename

FRAMES = {"image": 1, "clip8": 8, "clip40": 40}
CASES = ["image", "clip8", pytest.param("clip40", marks=pytest.mark.full)]
SEMANTIC_CASES = ["image", *(pytest.param(case, marks=pytest.mark.full) for case in ("clip8", "clip40"))]
GATE_NAMES = {"technical": "smtc_gate_tech", "aesthetic": "smtc_gate_aesc"}
BACKBONE_STRIDE = {"image": 1, "clip8": 1, "clip40": 16}  # every how manyth channel the goldens keep
GATE_STRIDE = {"image": 1, "clip8": 4, "clip40": 16}


@pytest.fixture(scope="module")
def reference(shared: Path) -> dict[str, Any]:
    return runpy.run_path(str(shared / "reference" / "seeded_weights.py"))


@pytest.fixture(scope="module")
def goldens(shared: Path) -> dict[str, Tensor]:
    with np.load(shared / "reference" / "model_goldens.npz") as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


@pytest.fixture(scope="module")
def model() -> COVER:
    """The published architecture without weights; the tests below fill what they need of it, once."""
    with torch.device("meta"):
        return COVER().eval()


@pytest.fixture(scope="module")
def small_parts(model: COVER, reference: dict[str, Any]) -> COVER:
    fill(model, reference["seeded_state_dict"](reference["COVER_KEYS"]), COVER_RULES)
    return model


@pytest.fixture(scope="module")
def semantic_backbone(model: COVER, reference: dict[str, Any]) -> nn.Module:
    fill(model, reference["seeded_state_dict"](reference["CLIP_KEYS"]), CLIP_RULES)
    return model.backbones["semantic"]


def fill(model: COVER, official: dict[str, Tensor], rules: Any) -> None:
    state = {rename(name, rules): tensor for name, tensor in official.items()}
    model.load_state_dict(state, strict=False, assign=True)


def view(reference: dict[str, Any], case: str, branch: str) -> Tensor:
    frames = FRAMES[case]
    length = max(1, frames // 2) if branch == "semantic" else frames
    normalised = reference["seeded_input"](f"{case}.{branch}", [1, 3, length, 224, 224])
    return normalised.repeat(1, 1, 2, 1, 1) if branch != "semantic" and frames == 1 else normalised


def assert_near(actual: Tensor, expected: Tensor, tolerance: float) -> None:
    torch.testing.assert_close(actual, expected, atol=tolerance, rtol=0)


@pytest.mark.parametrize("case", SEMANTIC_CASES)
def test_semantic_backbone(semantic_backbone: nn.Module, goldens: Any, reference: Any, case: str) -> None:
    with torch.inference_mode():
        features = semantic_backbone(view(reference, case, "semantic"))
    assert_near(features[0].T, goldens[f"{case}.semantic_backbone"], 5e-4)


@pytest.mark.parametrize("branch", GATED_BRANCHES)
@pytest.mark.parametrize("case", CASES)
def test_video_backbones(small_parts: COVER, goldens: Any, reference: Any, branch: str, case: str) -> None:
    with torch.inference_mode():
        features = small_parts.backbones[branch](view(reference, case, branch))
    assert_near(features[:, :: BACKBONE_STRIDE[case]], goldens[f"{case}.{branch}_backbone"], 5e-4)


@pytest.mark.parametrize("case", ["image", "clip8"])
def test_gates_heads_and_scores(small_parts: COVER, goldens: Any, case: str) -> None:
    features = {branch: goldens[f"{case}.{branch}_backbone"] for branch in GATED_BRANCHES}
    features["semantic"] = goldens[f"{case}.semantic_backbone"].T[None]
    check_fusion(small_parts, goldens, case, features)


@pytest.mark.full
def test_whole_model(small_parts: COVER, semantic_backbone: nn.Module, goldens: Any, reference: Any) -> None:
    assert not any(parameter.is_meta for parameter in small_parts.parameters())
    with torch.inference_mode():
        features = small_parts.features({branch: view(reference, "clip40", branch) for branch in BRANCHES})
    check_fusion(small_parts, goldens, "clip40", features)


def check_fusion(model: COVER, goldens: Any, case: str, features: dict[str, Tensor]) -> None:
    with torch.inference_mode():
        for branch, official in GATE_NAMES.items():
            gated = model.gates[branch](features["semantic"], features[branch])
            assert_near(gated[:, :: GATE_STRIDE[case]], goldens[f"{case}.{official}"], 5e-4)
        maps = model.score_maps(features)
    for branch in BRANCHES:
        assert_near(maps[branch][:, None], goldens[f"{case}.{branch}_head"], 5e-4)
    scores = branch_scores(maps)
    assert_near(torch.cat([scores[branch] for branch in BRANCHES]), goldens[f"{case}.scores"], 2e-5)
