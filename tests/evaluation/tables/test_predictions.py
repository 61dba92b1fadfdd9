"""Tables of predictions: which column is what people said, and which one a model predicted."""

import json
from pathlib import Path

import pytest

from cover.errors import UsageError
from cover.evaluation.tables.predictions import PredictionTable, read_predictions
from cover.scores import SCORES

DEFAULT = {"path": None, "mos": "mos", **{name: name for name in SCORES}}
PEOPLE = [3.0, 2.0, 4.0, 1.0, 5.0, 2.5]


def read(folder: Path, header: str, mos: list[float], columns: dict[str, str | None] | None = None) -> PredictionTable:
    """A table with overall scores 0.1, 0.2, ... and these MOS."""
    lines = [f"{number}.mp4,{number / 10:.4f},{value}" for number, value in enumerate(mos)]
    (folder / "scores.csv").write_text("\n".join([header, *lines]) + "\n")
    return read_predictions(folder / "scores.csv", columns or DEFAULT, needs_overall=True)


@pytest.mark.parametrize("name", ["mos", "MOS", "Mos"])
def test_mos_in_any_case_is_what_people_said(tmp_path: Path, name: str) -> None:
    assert [row.mos for row in read(tmp_path, f"Filename,Overall,{name}", PEOPLE).rated()] == PEOPLE


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("run.yaml", "versions: {cover: 0.6.0}\n"),
        ("journal.jsonl", json.dumps({"identity": {"version": "0.6.0"}}) + "\n"),
    ],
)
def test_mos_of_an_earlier_version_is_predicted(tmp_path: Path, file: str, text: str) -> None:
    (tmp_path / file).write_text(text)
    with pytest.raises(
        UsageError, match=r"scores\.csv: its MOS is what a version before 0\.7 predicted; give the ratings"
    ):
        read(tmp_path, "Filename,Overall,MOS", PEOPLE)


@pytest.mark.parametrize("text", ["versions: {cover: 0.7.0}\n", "versions: {cover: 1.0.0}\n", "[]", "{", "versions: x"])
def test_mos_beside_other_records_is_what_people_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.yaml").write_text(text)
    assert [row.mos for row in read(tmp_path, "Filename,Overall,MOS", PEOPLE).rated()] == PEOPLE


class TestMonotone:
    """A MOS that follows Overall strictly was predicted."""

    @pytest.mark.parametrize(
        "mos",
        [
            [1.0, 2.0, 3.0, 4.0, 5.0],
            [1.0, 1.5, 3.0, 4.8, 4.9],
            [5.0, 4.0, 3.0, 2.0, 1.0],
            [-2.0, -1.0, 0.0, 7.0, 70.0],
        ],
    )
    @pytest.mark.parametrize("name", ["MOS", "Mos"])
    def test_is_refused(self, tmp_path: Path, mos: list[float], name: str) -> None:
        table = read(tmp_path, f"Filename,Overall,{name}", mos)
        with pytest.raises(
            UsageError, match=f"{name} is a strictly monotone function of the overall.*columns.mos={name}"
        ):
            table.rated()
        assert len(table.scores()) == len(mos)  # beside ratings from elsewhere

    @pytest.mark.parametrize(
        "mos",
        [
            [1.0, 2.0, 3.0, 5.0, 4.0],
            [1.0, 2.0, 2.0, 3.0, 4.0, 5.0],  # rises, but not strictly
            [3.0, 3.0, 3.0, 3.0, 3.0, 3.0],
            [1.0, 2.0, 3.0, 4.0],  # four may be so by chance
        ],
    )
    def test_otherwise_people_said_it(self, tmp_path: Path, mos: list[float]) -> None:
        assert [row.mos for row in read(tmp_path, "Filename,Overall,MOS", mos).rated()] == mos

    def test_our_own_tables_of_ratings_are_taken(self, tmp_path: Path) -> None:
        """``predictions.csv`` calls ratings ``mos``, and a prediction never so."""
        assert len(read(tmp_path, "Filename,Overall,mos", [1.0, 2.0, 3.0, 4.0, 5.0]).rated()) == 5

    def test_a_column_that_is_named_is_taken(self, tmp_path: Path) -> None:
        mos = [1.0, 2.0, 3.0, 4.0, 5.0]
        table = read(tmp_path, "Filename,Overall,MOS", mos, {**DEFAULT, "mos": "MOS"})
        assert [row.mos for row in table.rated()] == mos

    def test_rounding_hides_nothing(self, tmp_path: Path) -> None:
        """A steep calibration moves scores that are equal to four decimals."""
        lines = ["Filename,Overall,MOS", *(f"{n}.mp4,{round(n / 30000, 4):.4f},{n / 10}" for n in range(40))]
        (tmp_path / "scores.csv").write_text("\n".join(lines))
        with pytest.raises(UsageError, match="strictly monotone"):
            read_predictions(tmp_path / "scores.csv", DEFAULT).rated()
