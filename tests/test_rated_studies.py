"""The generated ratings that training is tested on mean what they say."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage, stats

from cover.video import decode, probe
from tests.helpers.rated import COLUMNS, DISTORTIONS, make_rated

SOURCES, LEVELS, FRAMES, SIZE = 2, 3, 4, 96


@pytest.fixture(scope="module")
def ratings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_rated(tmp_path_factory.mktemp("rated"), SOURCES, LEVELS, FRAMES, SIZE)


def clips(ratings: Path, source: int, distortion: str) -> list[Path]:
    """The pristine clip of a source and its distorted ones, by level."""
    names = [f"{source:02}-pristine-0.mp4", *(f"{source:02}-{distortion}-{level + 1}.mp4" for level in range(LEVELS))]
    return [ratings.parent / name for name in names]


def detail(path: Path) -> float:
    """Variance of the Laplacian of a middle frame's luma."""
    ((_, frame),) = decode(path, [FRAMES // 2])
    return float(ndimage.laplace(frame.mean(axis=2)).var())


def test_a_table_of_ratings(ratings: Path) -> None:
    table = pd.read_csv(ratings)
    assert tuple(table.columns) == COLUMNS
    assert sorted(table["path"]) == sorted(path.name for path in ratings.parent.glob("*.mp4"))
    assert len(table) == SOURCES * (1 + len(DISTORTIONS) * LEVELS)
    assert table["mos"].between(1, 5).all()
    assert stats.spearmanr(table["mos"], -table["level"]).statistic > 0.9
    means = table.groupby(["distortion", "level"])["mos"].mean()
    assert all(means[distortion].is_monotonic_decreasing for distortion in DISTORTIONS)
    info = probe(ratings.parent / table["path"][0])
    assert (info.frames, info.height, info.width) == (FRAMES, SIZE, SIZE)


@pytest.mark.parametrize("source", range(SOURCES))
def test_distortions_reach_the_pixels(ratings: Path, source: int) -> None:
    blurred, compressed, noisy = (clips(ratings, source, distortion) for distortion in DISTORTIONS)
    assert (np.diff([detail(path) for path in blurred]) < 0).all()
    assert (np.diff([detail(path) for path in compressed]) < 0).all()
    assert (np.diff([detail(path) for path in noisy]) > 0).all()
    assert (np.diff([path.stat().st_size for path in compressed]) < 0).all()


def test_scenes_differ(ratings: Path) -> None:
    first, second = (next(iter(decode(clips(ratings, source, "blur")[0], [0])))[1] for source in range(2))
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.5


def test_a_seed_gives_the_same_bytes(ratings: Path, tmp_path: Path) -> None:
    again = make_rated(tmp_path / "again", 1, LEVELS, FRAMES, SIZE)
    assert ratings.read_text().startswith(again.read_text())
    for path in again.parent.glob("*.mp4"):
        assert path.read_bytes() == (ratings.parent / path.name).read_bytes()
    other = make_rated(tmp_path / "other", 1, 1, FRAMES, SIZE, seed=1)
    assert (other.parent / "00-pristine-0.mp4").read_bytes() != (ratings.parent / "00-pristine-0.mp4").read_bytes()
