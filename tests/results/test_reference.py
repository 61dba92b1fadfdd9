"""Where a score stands among those of other videos."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import percentileofscore

from cover.errors import UsageError
from cover.results.reference import Reference, read_reference, shipped_reference
from cover.scoring.scorer import Scorer
from tests.helpers.tiny import tiny_model, tiny_views

DECIMALS = st.integers(-50_000, 50_000).map(lambda value: value / 10_000)


@given(st.lists(DECIMALS, min_size=1, max_size=30), DECIMALS)
def test_percentiles_are_those_of_scipy(scores: list[float], score: float) -> None:
    found = Reference(np.sort(scores), "theirs").percentile(score)
    assert found == pytest.approx(percentileofscore(scores, score, kind="mean"))


def test_a_table_of_scores(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text("Filename,Overall\na.mp4,2.0\nb.mp4,-1.0\nc.mp4,0.5\n")
    for path in (tmp_path, tmp_path / "scores.csv"):
        reference = read_reference(path)
        assert [reference.percentile(score) for score in (-2, 0.5, 0.50004, 3)] == [0, 50, 50, 100]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "scores.csv: No such file or directory"),
        ("Filename,MOS\na.mp4,3\n", "no column Overall; it takes a results folder or its scores.csv"),
        ("Filename,Overall\n", "holds no scores"),
        ("Filename,Overall\na.mp4,good\n", "holds a score that is no number"),
        ("Filename,Overall\na.mp4,nan\n", "holds no scores, or some that are not finite"),
    ],
)
def test_what_is_no_reference(text: str | None, message: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "scores.csv").write_text(text)
    with pytest.raises(UsageError, match=f"reference={tmp_path}: .*{message}"):
        read_reference(tmp_path)


def test_a_scorer_says_where_a_score_stands() -> None:
    frames = np.zeros((4, 64, 96, 3), np.uint8)
    plain = Scorer(tiny_model(), tiny_views()).score(frames)
    assert plain.percentile is None
    reference = Reference(np.array([plain.overall - 1, plain.overall + 1]), "theirs")
    assert Scorer(tiny_model(), tiny_views(), reference=reference).score(frames).percentile == 50


def test_weights_may_bring_a_reference_for_the_views_they_were_made_with() -> None:
    frames, model, views = np.zeros((4, 64, 96, 3), np.uint8), tiny_model(), tiny_views()
    model.views = views
    score = Scorer(model, views).score(frames).overall
    model.reference = shipped_reference({"reference": {"of": "stills", "scores": [score + 1, score - 1]}})
    assert Scorer(model, views).score(frames).percentile == 50
    mine = Reference(np.array([score - 1]), "mine")
    assert Scorer(model, views, reference=mine).score(frames).percentile == 100
    assert Scorer(model, dataclasses.replace(views, seed=1)).score(frames).percentile is None
    assert shipped_reference({}) is None
