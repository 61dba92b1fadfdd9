"""Lists of videos in tables of any make."""

import sys
from pathlib import Path

import pandas as pd
import pytest
from cover.datasets.table import Table

from cover.errors import UsageError
from cover.rows import Row


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.csv", "path,MOS,content\nb.mkv,3,x\n\nday 2/a.mp4,4.5,y\n"),
        ("list.csv", "content,Filename,Score\nx,b.mkv,3\ny,day 2/a.mp4,4.5\n"),
        ("list.tsv", "mos\tVideo\tcontent\n3\tb.mkv\tx\n4.5\tday 2/a.mp4\ty\n"),
    ],
)
def test_scores_and_other_columns(tmp_path: Path, name: str, text: str) -> None:
    table = Table(write(tmp_path, name, text), root=tmp_path / "clips")
    assert list(table) == [
        Row(tmp_path / "clips/b.mkv", "b.mkv", 3.0, {"content": "x"}),
        Row(tmp_path / "clips/day 2/a.mp4", "day 2/a.mp4", 4.5, {"content": "y"}),
    ]


def test_columns_by_name(tmp_path: Path) -> None:
    path = write(tmp_path, "list.csv", "path,mos,Clip,Overall MOS\nwrong,1,a.mp4,4\n")
    (row,) = Table(path, column="clip", mos="overall mos")
    assert (row.name, row.mos, row.extras) == ("a.mp4", 4.0, {"path": "wrong", "mos": "1"})


def test_a_column_of_paths_is_none_of_scores(tmp_path: Path) -> None:
    (row,) = Table(write(tmp_path, "list.csv", "score,path\na.mp4,b.mp4\n"), column="score")
    assert (row.name, row.mos, row.extras) == ("a.mp4", None, {"path": "b.mp4"})


def test_scores_are_optional(tmp_path: Path) -> None:
    assert [row.mos for row in Table(write(tmp_path, "list.csv", "path,fps\na.mp4,25\n"))] == [None]
    assert [row.mos for row in Table(write(tmp_path, "list.csv", "path,mos\na.mp4,\nb.mp4,2\n"))] == [None, 2.0]
    assert [row.mos for row in Table(write(tmp_path, "list.txt", "# clips\na.mp4\n\nb.mp4\n"))] == [None, None]


def test_the_text_form_of_the_field(tmp_path: Path) -> None:
    table = Table(write(tmp_path, "labels.txt", "a.mp4, 8.0, 25, 3.5\nb/c.mp4, -1, -1, 4\n"))
    assert [(row.name, row.mos) for row in table] == [("a.mp4", 3.5), ("b/c.mp4", 4.0)]
    assert next(iter(table)).extras == {"duration": 8.0, "fps": 25.0}


def test_a_file_listed_twice_is_one_row(tmp_path: Path) -> None:
    path = write(tmp_path, "list.csv", "path,mos\na.mp4,3\n./a.mp4,3\nb/../a.mp4,3.0\n")
    assert [row.name for row in Table(path)] == ["a.mp4"]
    with pytest.raises(UsageError, match=r"line 3 gives a.mp4 another MOS"):
        Table(write(tmp_path, "list.csv", "path,mos\na.mp4,3\na.mp4,4\n"))


def test_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.DataFrame({"path": ["a.mp4", "b.mp4", None], "mos": [3.5, float("nan"), 2.0], "split": ["x", None, "x"]})
    monkeypatch.setattr(pd, "read_parquet", lambda path: frame)
    rows = list(Table(tmp_path / "list.parquet"))
    assert [(row.name, row.mos, row.extras) for row in rows] == [
        ("a.mp4", 3.5, {"split": "x"}),
        ("b.mp4", None, {"split": None}),
    ]


def test_parquet_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("pyarrow", "fastparquet"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=r"list.parquet: reading it needs pyarrow: pip install"):
        Table(write(tmp_path, "list.parquet", "PAR1"))


def test_parquet_that_is_damaged(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    with pytest.raises(UsageError, match="not a readable table"):
        Table(write(tmp_path, "list.parquet", "PAR1"))


@pytest.mark.parametrize(
    ("name", "text", "options", "message"),
    [
        ("list.csv", "", {}, r"no column path or filename or .* \(found: none\)"),
        (
            "list.csv",
            "clip,mos\na.mp4,3\n",
            {},
            r"no column path or .* \(found: clip, mos\); name it with data.column=NAME",
        ),
        ("list.csv", "path\na.mp4\n", {"mos": "MOS"}, r"no column MOS \(found: path\); name it with data.mos=NAME"),
        ("list.csv", "path,mos\n", {}, "the list names no file"),
        ("list.csv", "path,mos\na.mp4,3\nb.mp4,good\n", {}, "line 3 has mos 'good', not a number; data.mos=NAME"),
        ("list.csv", "path,mos\na.mp4,nan\n", {}, "line 2 has mos 'nan', not a number"),
        ("list.csv", "path,mos\na,b.mp4,3\n", {}, "line 2: more fields than the header has"),
        ("list.csv", 'path,mos\n"a.mp4,3\n', {}, "not a readable table"),
        ("labels.txt", "a.mp4, 8, 25, nan\n", {}, "line 1 has mos nan, not a number"),
        ("labels.txt", "a.mp4, 8, 25, 3\nb.mp4\n", {}, "line 2: expected 'path, duration, fps, mos'"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, name: str, text: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message) as error:
        Table(write(tmp_path, name, text), **options)
    assert "\n" not in str(error.value)


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    for name in ("list.csv", "list.txt", "list.parquet"):
        with pytest.raises(UsageError, match=name):
            Table(tmp_path / name)
