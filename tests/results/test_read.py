"""Results folders as others read them."""

from pathlib import Path

import pandas as pd
import pytest

from cover.errors import UsageError
from cover.results.read import identifier, read_folder, read_in_chunks
from tests.helpers.results import make_results


def test_a_folder_as_one_table(tmp_path: Path) -> None:
    folder = make_results(tmp_path, 4, extras={"content": ["a", "a", "b", "b"]}, mos=True, errors={"x.mp4": "empty"})
    found = read_folder(folder)
    assert list(found.table.index) == [f"video_{number:05}.mp4" for number in range(4)]
    total = found.table[["semantic", "technical", "aesthetic"]].sum(axis=1)
    assert found.table["overall"].to_numpy() == pytest.approx(total.to_numpy(), abs=2e-4)
    assert found.table["duration"].tolist() == [6.0] * 4
    assert found.table["codec"].tolist() == ["h264"] * 4
    assert found.table["mos"].notna().all()
    assert found.extras == ["content"]
    assert found.errors == {"x.mp4": "empty"}
    assert found.run.model == "cover_lite"


def test_names_are_texts_whatever_they_look_like(tmp_path: Path) -> None:
    names = ["NA", "001", "1e5", "null", "", "a,b.mp4", 'quote".mp4', "new\nline.mp4", "<script>.mp4"]
    found = read_folder(make_results(tmp_path, names=names, notes={"NA": "a note"}))
    assert list(found.table.index) == names
    assert found.notes == {"NA": ["a note"]}


def test_columns_of_the_dataset_keep_their_place_beside_ours(tmp_path: Path) -> None:
    extras = {"width": [1, 2], "overall": [5, 6], "technical": ["x", "y"], "codec": ["mine", "yours"]}
    found = read_folder(make_results(tmp_path, 2, extras=extras))
    assert found.table["width"].tolist() == [640, 640]
    assert found.table["width_"].tolist() == [1, 2]
    assert found.table["codec_"].tolist() == ["mine", "yours"]
    assert found.extras == ["width_", "overall_", "technical_", "codec_"]


def test_what_is_no_number_is_unknown(tmp_path: Path) -> None:
    make_results(tmp_path, 3, facts={1: {"duration": "abc"}})
    lines = (tmp_path / "scores.csv").read_text().splitlines()
    lines[1] = lines[1].rsplit(",", 1)[0] + ",nan"
    lines[2] = lines[2].rsplit(",", 1)[0] + ",inf"
    (tmp_path / "scores.csv").write_text("\n".join(lines))
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    found = read_folder(tmp_path)
    assert found.table["overall"].isna().tolist() == [True, True, False]
    assert found.table["duration"].isna().tolist() == [False, True, False]
    assert found.notes == {}


def test_a_table_of_predictions_alone(tmp_path: Path) -> None:
    (tmp_path / "predictions.csv").write_text("Filename,mos,overall\na.mp4,3,0.5\nb.mp4,4,\n")
    found = read_folder(tmp_path)
    assert found.table["mos"].tolist() == [3, 4]
    assert found.table["overall"].isna().tolist() == [False, True]
    assert found.table["duration"].isna().all()


def test_predictions_from_elsewhere_count_where_they_were_measured_last(tmp_path: Path) -> None:
    folder = make_results(tmp_path, 2)
    (folder / "predictions.csv").write_text("Filename,mos,overall\nvideo_00000.mp4,3,9\n")
    (folder / "run.yaml").write_text("config: {predictions: preds.csv}\n")
    found = read_folder(folder)
    assert found.table["overall"].tolist() == [9]
    assert found.run.predictions


@pytest.mark.parametrize(
    ("weights", "said"), [("random", "random"), ("pretrained", "Only the backbones"), ("best.ckpt", None)]
)
def test_scores_that_mean_nothing_are_called_so(tmp_path: Path, weights: str, said: str | None) -> None:
    found = read_folder(make_results(tmp_path, 2, weights=weights)).run.meaningless
    assert (said in found) if said and found else found is said


def test_what_is_no_results_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such results folder"):
        read_folder(tmp_path / "none")
    with pytest.raises(UsageError, match=r"without scores\.csv"):
        read_folder(tmp_path)
    (tmp_path / "scores.csv").write_text("Filename,Semantic\na.mp4,1\n")
    with pytest.raises(UsageError, match="no column Overall"):
        read_folder(tmp_path)


@pytest.mark.parametrize(
    ("name", "spelt"), [("Frame rate", "Frame_rate"), ("2nd", "_2nd"), ("a-b", "a_b"), ("ok", "ok")]
)
def test_names_that_an_expression_can_hold(name: str, spelt: str) -> None:
    assert identifier(name) == spelt


def test_columns_of_the_dataset_make_no_parts(tmp_path: Path) -> None:
    extras = {name: ["x", "y"] for name in ("video", "start", "end")}
    assert not read_folder(make_results(tmp_path, 2, extras=extras)).in_parts


@pytest.mark.parametrize(
    ("encoding", "separator", "decimal"),
    [("utf-8-sig", ";", ","), ("utf-8", ",", "."), ("utf-16", "\t", "."), ("utf-16", "\t", ","), ("utf-8", ";", ".")],
)
def test_scores_that_a_spreadsheet_program_saved_again(
    tmp_path: Path, encoding: str, separator: str, decimal: str
) -> None:
    folder = make_results(tmp_path / "run", 4)
    before = read_folder(folder).table
    lines = (folder / "scores.csv").read_text().splitlines()
    assert not any(name in lines[0] for name in ('"', ";"))
    again = [
        separator.join(cell.replace(".", decimal) if n else cell for n, cell in enumerate(line.split(",")))
        for line in lines
    ]
    (folder / "scores.csv").write_bytes("\r\n".join(again).encode(encoding))
    pd.testing.assert_frame_equal(read_folder(folder).table, before)


def test_a_table_of_something_else_is_one_line(tmp_path: Path) -> None:
    folder = make_results(tmp_path / "run", 4)
    (folder / "scores.csv").write_text("name;value\na;1\n")
    with pytest.raises(UsageError, match="not a table of results: it has no column Filename"):
        read_folder(folder)


def test_a_damaged_line_costs_that_line_also_in_chunks(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text('Filename,Overall\na,1\nb\nc,3,"\nd,4\n')
    names = [name for chunk in read_in_chunks(path, 2, unique=False) for name in chunk.index]
    assert [name for name in names if name != "b"] == ["a", "d"]


def test_a_damaged_first_line_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text('Filename,"Overall\na,1\n')
    with pytest.raises(UsageError, match=r"scores\.csv: its first line is damaged|scores\.csv: "):
        list(read_in_chunks(path))
