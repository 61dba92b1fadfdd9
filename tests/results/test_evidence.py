"""What scores were given for: kept as lines, read one video at a time."""

from pathlib import Path

import numpy as np
import pytest

from cover.results.evidence import EVIDENCE, EvidenceFile, evidence_line
from cover.scores import BRANCHES


def line(name: str, value: float, *, pictures: bool = True) -> str:
    maps = {branch: np.full((3, 7, 7), value, np.float32) for branch in BRANCHES}
    times = {branch: np.array([0.1, 0.5, np.nan]) for branch in BRANCHES}
    frames = {branch: np.array([[2, 3], [12, 13], [20, 21]]) for branch in BRANCHES}
    shades = np.stack([np.full((9, 16, 3), shade, np.uint8) for shade in (20, 120, 220)])
    return evidence_line(name, maps, times, frames, shades if pictures else None) + "\n"


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    (tmp_path / EVIDENCE).write_text(line("a.mp4", 0.123) + line("b.mp4", -2))
    found = EvidenceFile(tmp_path)["a.mp4"]
    assert found.maps["technical"].shape == (3, 7, 7)
    assert found.maps["technical"] == pytest.approx(0.123, abs=1e-4)
    assert found.times["aesthetic"] == pytest.approx([0.1, 0.5, np.nan], nan_ok=True)
    assert found.frames["semantic"].tolist() == [2, 12, 20]
    pictures = found.pictures()
    assert [picture.size for picture in pictures] == [(16, 9)] * 3
    assert [np.asarray(picture).mean() for picture in pictures] == pytest.approx([20, 120, 220], abs=4)


def test_the_last_line_of_a_video_counts_and_a_cut_one_does_not(tmp_path: Path) -> None:
    (tmp_path / EVIDENCE).write_text(line("a.mp4", 1) + line("a.mp4", 2) + line("b.mp4", 3)[:200])
    evidence = EvidenceFile(tmp_path)
    assert evidence["a.mp4"].maps["technical"].mean() == 2
    assert "b.mp4" not in evidence


def test_without_pictures_and_without_a_file(tmp_path: Path) -> None:
    assert "a.mp4" not in EvidenceFile(tmp_path)
    (tmp_path / EVIDENCE).write_text(line("a.mp4", 1, pictures=False))
    assert EvidenceFile(tmp_path)["a.mp4"].pictures() == []


@pytest.mark.parametrize("value", [1e9, -1e9])
def test_values_beyond_half_precision_stay_finite(tmp_path: Path, value: float) -> None:
    (tmp_path / EVIDENCE).write_text(line("a.mp4", value))
    assert np.isfinite(EvidenceFile(tmp_path)["a.mp4"].maps["semantic"]).all()
