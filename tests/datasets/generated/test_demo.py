"""The clips of ``data=demo``: one scene in two shapes at falling quality."""

from pathlib import Path

import numpy as np
import pytest
from cover.datasets.generated.demo import Demo

from cover.errors import UsageError
from cover.video import decode, probe


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    return Demo(tmp_path_factory.mktemp("demo") / "clips")


def frames(demo: Demo, name: str) -> np.ndarray:
    return np.stack([frame for _, frame in decode(demo.root / f"{name}.mp4", range(50))]).astype(np.float64)


def test_two_shapes_of_one_scene(demo: Demo) -> None:
    rows = list(demo)
    assert len(rows) == len(demo) == 14
    assert all(row.path == demo.root / row.name and row.mos is None for row in rows)
    for row in rows:
        info = probe(row.path)
        size = (480, 270) if row.name.startswith("landscape/") else (270, 480)
        assert (info.width, info.height, info.frames) == (*size, 50)


@pytest.mark.parametrize("shape", ["landscape", "portrait"])
def test_names_say_what_was_done(demo: Demo, shape: str) -> None:
    clean = frames(demo, f"{shape}/clean")

    def detail(name: str) -> float:
        return float(np.abs(np.diff(frames(demo, f"{shape}/{name}"), axis=2)).mean())

    assert detail("clean") > detail("blurred a little") > detail("blurred")
    assert detail("noisy") > 1.5 * detail("clean")
    error = {
        name: np.abs(frames(demo, f"{shape}/{name}") - clean).mean() for name in ("compressed a little", "compressed")
    }
    assert 0 < error["compressed a little"] < error["compressed"]
    still = [float(np.abs(np.diff(frames(demo, f"{shape}/{name}"), axis=0)).mean()) for name in ("clean", "stuttering")]
    assert still[1] < 0.7 * still[0]


def test_what_is_there_is_used(demo: Demo) -> None:
    written = {row.path: row.path.stat().st_mtime_ns for row in demo}
    next(iter(demo)).path.unlink()
    again = Demo(demo.root)
    kept = [path for path, time in written.items() if path.stat().st_mtime_ns == time]
    assert len(kept) == len(again) - 1


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"data\.folder=.*file"):
        Demo(tmp_path / "file")
