"""The model that ships, from real files to scores: what a newcomer sees first."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from cover.datasets.generated.demo import Demo

from cover import load_model, score
from cover.config.build.decoding import view_spec
from cover.video import ViewSpec
from cover.weights import SHIPPED, read_about, read_state_dict
from tests.helpers.tiny import infer_options

LITE = "model=cover_lite"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    return Demo(tmp_path_factory.mktemp("demo") / "clips")


def scored(run: Callable[..., int], demo: Demo) -> pd.DataFrame:
    assert run("infer", "data=demo", f"data.folder={demo.root}", LITE, "output=out") == 0
    return pd.read_csv("out/scores.csv").set_index("Filename")


def test_the_demo_ranks_one_scene_by_its_quality(
    run: Callable[..., int], demo: Demo, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = scored(run, demo)
    shown = capsys.readouterr()
    assert "14 scored, 0 failed" in shown.out
    assert "mean nothing" not in shown.out + shown.err
    assert scores.index.to_list() == [row.name for row in demo]
    for shape in ("landscape", "portrait"):
        overall = scores["Overall"][[name for name in scores.index if name.startswith(shape)]]
        overall.index = [Path(name).stem for name in overall.index]
        # The model looks at single frames: stuttering it cannot see.
        assert overall.drop("stuttering").idxmax() == "clean"
        assert overall["blurred a little"] > overall["blurred"]
        assert overall["compressed a little"] > overall["compressed"]


def test_python_and_the_command_line_agree(run: Callable[..., int], demo: Demo) -> None:
    scores = scored(run, demo)
    model = load_model("cover_lite")
    for row in list(demo)[:3]:
        found = score(row.path, model)
        assert found.predicted_mos is None
        line = scores.loc[row.name, ["Semantic", "Technical", "Aesthetic", "Overall"]]
        assert [found.semantic, found.technical, found.aesthetic, found.overall] == pytest.approx(line, abs=6e-5)


def test_the_file_is_small_and_says_what_it_is() -> None:
    path = SHIPPED["cover_lite"]
    assert path.stat().st_size <= 12_000_000
    about, options = read_about(path), infer_options(LITE)
    assert about["net"] == options.model.net
    assert ViewSpec.from_dict(about["views"]) == view_spec(options.views)
    assert "synthetic" in about["card"]
    assert "base" not in about
    assert all(tensor.isfinite().all() for tensor in read_state_dict(path).values())
