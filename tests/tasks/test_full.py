"""The full-size model against what the official pipeline computed for the same clips with the same weights."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cover import load_model, score
from tests.helpers.tiny import CONFIGS


@pytest.fixture(scope="module")
def seeded(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """COVER.pth and clip_visual.pt with the tensors that the goldens were computed with."""
    folder = tmp_path_factory.mktemp("seeded")
    subprocess.run([sys.executable, str(shared / "reference/seeded_weights.py"), str(folder)], check=True)
    return folder


@pytest.mark.full
@pytest.mark.parametrize("name", ["image_1.jpg", "video_1.mp4", "fun_video_3.mp4"])
def test_scores_equal_the_official_ones(shared: Path, seeded: Path, tmp_path: Path, name: str) -> None:
    """With the recorded frame numbers and crop shifts, every score is within 2e-4."""
    command = [
        *(sys.executable, str(CONFIGS.parent / "infer.py")),
        f"data={shared / 'videos/cover_demo' / name}",
        f"weights={seeded / 'COVER.pth'}",
        f"clip_weights={seeded / 'clip_visual.pt'}",
        f"views.replay={shared / 'reference/e2e'}",
        f"output={tmp_path / 'out'}",
        "trainer=cpu",
    ]
    subprocess.run(command, check=True)
    entry = json.loads((tmp_path / "out/journal.jsonl").read_text().splitlines()[1])
    official = np.load(shared / "reference/e2e" / f"{name}.npz")["scores"]
    ours = [entry["scores"][branch] for branch in ("semantic", "technical", "aesthetic")]
    np.testing.assert_allclose(ours, official, rtol=0, atol=2e-4)
    assert entry["scores"]["overall"] == pytest.approx(official.sum(), abs=4e-4)


@pytest.mark.full
def test_the_python_api_gives_the_official_scores(shared: Path, seeded: Path) -> None:
    """Of an image, the semantic and aesthetic scores do not hang on where the technical branch crops."""
    model = load_model(seeded / "COVER.pth", clip_weights=seeded / "clip_visual.pt")
    result = score(shared / "videos/cover_demo/image_1.jpg", model)
    semantic, _, aesthetic = np.load(shared / "reference/e2e/image_1.jpg.npz")["scores"]
    assert result.semantic == pytest.approx(semantic, abs=2e-4)
    assert result.aesthetic == pytest.approx(aesthetic, abs=2e-4)
    assert {branch: array.shape for branch, array in result.maps.items()} == dict.fromkeys(result.maps, (1, 7, 7))
