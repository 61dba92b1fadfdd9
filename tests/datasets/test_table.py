"""Lists of videos in tables of any make."""

import datetime
import re
import sys
from pathlib import Path

import pandas as pd
import pytest
from cover.datasets.table import Table

from cover.errors import UsageError, VideoError
from cover.parts import FrameNumber
from cover.rows import Row
from cover.video.source import check_path


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


def test_a_list_of_names_with_separators_in_them(tmp_path: Path) -> None:
    names = ["a.mp4", "b, c, d.mp4", "e; f.mp4", 'g "h".mp4', "path, mos.mp4"]
    table = Table(write(tmp_path, "list.txt", "".join(f"{name}\n" for name in names)))
    assert [row.name for row in table] == names


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
        ("list.csv", "", {}, "the file is empty"),
        (
            "list.csv",
            "thing,mos\na.mp4,3\n",
            {},
            r"no column path or .* \(found: thing, mos\); name it with data.column=NAME",
        ),
        ("list.csv", "path\na.mp4\n", {"mos": "MOS"}, r"no column MOS \(found: path\); name it with data.mos=NAME"),
        ("list.csv", "path,mos\n", {}, "the list names no file"),
        ("list.csv", "path,mos\na.mp4,3\nb.mp4,good\n", {}, "line 3 has mos 'good', not a number; data.mos=NAME"),
        ("list.csv", "path,mos\na.mp4,good\n", {}, "line 2 has mos 'good', not a number"),
        ("list.csv", "path,mos\na,b.mp4,3\n", {}, "line 2: more fields than the header has"),
        ("list.csv", 'path,mos\n"a.mp4,3\n', {}, "not a readable table"),
        ("labels.txt", "a.mp4, 8, 25, inf\n", {}, "line 1 has mos inf, not a number"),
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


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Files with names that lists get wrong; é is composed on disk, as on Linux and Windows."""
    for name in ("one.mp4", "two.mp4", "day 1/three.mp4", "\xe9t\xe9.mp4", "de\u0301compose\u0301.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


class TestListsAsPeopleHaveThem:
    @pytest.mark.parametrize(
        ("name", "data"),
        [
            pytest.param("list.txt", b" one.mp4 \t\r\n\ttwo.mp4\r\n", id="blanks around names"),
            pytest.param("list.csv", b" path , mos \n one.mp4 , 3 \n two.mp4,4\t\n", id="blanks in cells"),
            pytest.param("list.tsv", b"path\t mos\none.mp4 \t3\ntwo.mp4\t4\n", id="blanks in tabs"),
            pytest.param("list.csv", b"path;mos\none.mp4;3,0\ntwo.mp4;4,0\n", id="semicolons and decimal commas"),
            pytest.param("list.csv", b"\n \npath,mos\none.mp4,3\ntwo.mp4,4\n", id="blank lines first"),
            pytest.param("list.csv", b"sep=;\npath;mos\none.mp4;3,0\ntwo.mp4;4,0\n", id="Excel's hint"),
            pytest.param("list.csv", b'path,mos\none.mp4,"3,0"\ntwo.mp4,"4,0"\n', id="quoted decimal commas"),
            pytest.param("list.csv", b"path|mos\none.mp4|3\ntwo.mp4|4\n", id="bars"),
            pytest.param("list.csv", b"path,mos\rone.mp4,3\rtwo.mp4,4\r", id="lines of old Macs"),
            pytest.param("list.txt", b"one.mp4\rtwo.mp4\r", id="a list of old Macs"),
            pytest.param("list.txt", b"\"one.mp4\"\n'two.mp4'\n", id="quoted names"),
            pytest.param("list.csv", b"path\tmos\none.mp4\t3\ntwo.mp4\t4\n", id="tabs in .csv"),
            pytest.param("list.csv", "path;mos\none.mp4;3,0\ntwo.mp4;4,0\n".encode("utf-16"), id="UTF-16"),
            pytest.param("list.csv", "path,mos\none.mp4,3\ntwo.mp4,4\n".encode("utf-16-be"), id="unmarked UTF-16"),
            pytest.param("list.txt", "Path\tMOS\none.mp4\t3,0\ntwo.mp4\t4,5\n".encode("utf-16"), id="Unicode text"),
        ],
    )
    def test_are_read(self, name: str, data: bytes, clips: Path) -> None:
        (clips / name).write_bytes(data)
        rows = list(Table(clips / name))
        assert [row.path for row in rows] == [clips / "one.mp4", clips / "two.mp4"]
        assert [row.name for row in rows] == ["one.mp4", "two.mp4"]
        assert [row.mos for row in rows] in ([3.0, 4.0], [3.0, 4.5], [None, None])

    @pytest.mark.parametrize(
        ("listed", "found"),
        [
            ("day 1\\three.mp4", "day 1/three.mp4"),
            ("e\u0301te\u0301.mp4", "\xe9t\xe9.mp4"),
            ("d\xe9compos\xe9.mp4", "de\u0301compose\u0301.mp4"),
            ("\xe9t\xe9.mp4", "\xe9t\xe9.mp4"),
        ],
    )
    def test_names_of_other_systems_are_found(self, listed: str, found: str, clips: Path) -> None:
        (clips / "list.txt").write_text(listed + "\n", encoding="utf-8")
        (row,) = Table(clips / "list.txt")
        assert (row.path, row.name) == (clips / found, found)

    def test_names_in_the_code_page_of_western_windows(self, clips: Path) -> None:
        (clips / "list.csv").write_bytes("path,mos\n\xe9t\xe9.mp4,3\n".encode("cp1252"))
        (row,) = Table(clips / "list.csv")
        assert row.path == clips / "\xe9t\xe9.mp4"

    @pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
    def test_a_name_that_is_there_is_that_file(self, clips: Path) -> None:
        for name in (" one.mp4", "day 1\\three.mp4"):
            (clips / name).touch()
            (clips / "list.txt").write_text(name + "\n")
            assert [row.name for row in Table(clips / "list.txt")] == [name]

    def test_the_home_folder(self, clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(clips))
        (clips / "lists").mkdir()
        (clips / "lists/list.txt").write_text("~/one.mp4\n")
        assert [row.path for row in Table(clips / "lists/list.txt")] == [clips / "one.mp4"]

    def test_a_gap_does_not_hide_decimal_commas(self, clips: Path) -> None:
        (clips / "list.csv").write_text("path;mos;x\none.mp4;3,5;-\ntwo.mp4;;1,5\n")
        assert [(row.mos, row.extras["x"]) for row in Table(clips / "list.csv")] == [(3.5, "-"), (None, "1.5")]

    def test_thousands_are_not_taken_for_decimals(self, clips: Path) -> None:
        (clips / "list.csv").write_text('path,views,mos\none.mp4,"1,200",3\n')
        (row,) = Table(clips / "list.csv")
        assert (row.mos, row.extras) == (3.0, {"views": "1,200"})

    def test_two_columns_of_one_name(self, clips: Path) -> None:
        (clips / "list.csv").write_text("path,mos,mos\none.mp4,3,4\n")
        with pytest.raises(UsageError, match=r"2 columns are called mos; rename all but one"):
            Table(clips / "list.csv")

    def test_texts_in_spreadsheets(self, clips: Path) -> None:
        pytest.importorskip("openpyxl", reason="writes the spreadsheet")
        pd.DataFrame({"path": ["one.mp4", "two.mp4"], "mos": ["3,5", "4"]}).to_excel(clips / "r.xlsx", index=False)
        assert [row.mos for row in Table(clips / "r.xlsx")] == [3.5, 4.0]

    @pytest.mark.parametrize("suffix", [".xlsx", ".ods"])
    def test_spreadsheets(self, suffix: str, clips: Path) -> None:
        engine = {".xlsx": "openpyxl", ".ods": "odf"}[suffix]
        pytest.importorskip(engine, reason="writes the spreadsheet")
        path = clips / f"ratings{suffix}"
        with pd.ExcelWriter(path, engine=engine) as book:
            pd.DataFrame({"path": ["one.mp4", None, "two.mp4"], "mos": [3, None, 4.5]}).to_excel(book, index=False)
            pd.DataFrame({"file": [12], "mos": [1]}).to_excel(book, index=False, sheet_name="second")
        assert [(row.name, row.mos) for row in Table(path)] == [("one.mp4", 3.0), ("two.mp4", 4.5)]
        assert [(row.name, row.mos) for row in Table(path, sheet="second")] == [("12", 1.0)]
        assert [(row.name, row.mos) for row in Table(path, sheet=1)] == [("12", 1.0)]
        assert [(row.name, row.mos) for row in Table(path, sheet="1")] == [("12", 1.0)]
        with pytest.raises(UsageError, match=r"data.sheet=-1: its sheets are"):
            Table(path, sheet="-1")
        with pytest.raises(UsageError, match=r"data.sheet=third: its sheets are Sheet1, second"):
            Table(path, sheet="third")

    def test_a_damaged_spreadsheet(self, clips: Path) -> None:
        (clips / "ratings.xlsx").write_bytes(b"PK\x03\x04 and nothing more")
        with pytest.raises(UsageError, match=r"ratings.xlsx: not a readable spreadsheet"):
            Table(clips / "ratings.xlsx")

    def test_separator_and_decimal_can_be_set(self, clips: Path) -> None:
        (clips / "list.csv").write_text("path:mos:note\none.mp4:1.234,5:1,2\n")
        (row,) = Table(clips / "list.csv", separator=":", decimal=",")
        assert (row.mos, row.extras) == (1234.5, {"note": "1.2"})
        (clips / "list.csv").write_text("path\tmos\none.mp4\t3\n")
        assert [row.mos for row in Table(clips / "list.csv", separator="tab")] == [3.0]
        with pytest.raises(UsageError, match=r"data.separator=;;: takes one character, or tab"):
            Table(clips / "list.csv", separator=";;")
        (clips / "list.csv").write_text("path;mos\none.mp4;3,5\n")
        with pytest.raises(UsageError, match=r"'3,5', not a number; .*read as separated by ';'; data.separator= sets"):
            Table(clips / "list.csv", decimal=".")

    def test_headers_in_the_code_page_of_western_windows(self, clips: Path) -> None:
        (clips / "list.csv").write_bytes("Dateiname;\xd8 MOS\none.mp4;3,5\n".encode("cp1252"))
        assert [row.mos for row in Table(clips / "list.csv", column="Dateiname", mos="\xd8 MOS")] == [3.5]

    @pytest.mark.parametrize(
        ("name", "data", "message"),
        [
            ("list.csv", b"PK\x03\x04....", r"a spreadsheet by its content; give it its own suffix"),
            ("list.xlsx", b"path,mos\none.mp4,3\n", r"not a readable spreadsheet .*; text has the suffix .csv"),
            ("list.csv", b" \n", r"list.csv: the file is empty"),
        ],
    )
    def test_other_files_by_these_names(self, name: str, data: bytes, message: str, clips: Path) -> None:
        (clips / name).write_bytes(data)
        with pytest.raises(UsageError, match=message):
            Table(clips / name)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("clip name; mos\none.mp4;3\n", r"no column path .*\(found: clip name, mos\).*separated by ';'"),
            (
                "path;mos\none.mp4;3,0\ntwo.mp4;4.5\n",
                r"line 2 has mos '3,0', not a number.*data.decimal= the",
            ),
        ],
    )
    def test_what_does_not_fit_is_shown(self, text: str, message: str, clips: Path) -> None:
        (clips / "list.csv").write_text(text)
        with pytest.raises(UsageError, match=message):
            Table(clips / "list.csv")


@pytest.mark.parametrize(
    ("listed", "reason"),
    [
        ("https://example.com/clips/a.mp4", "a URL; only files are read: download it and name the file"),
        ("nowhere\\a.mp4", "no such file, nor one with / in place of its backslashes"),
        ("nowhere/a.mp4", "no such file"),
    ],
)
def test_what_is_not_there_says_why(listed: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(listed + "\n")
    (row,) = Table(tmp_path / "list.txt")
    with pytest.raises(VideoError, match=f": {re.escape(reason)}$"):
        check_path(row.path)


class TestParts:
    """Rows that are parts of videos."""

    def test_several_rows_a_file(self, tmp_path: Path) -> None:
        text = "path,start,end,mos,who\na.mp4,1,2.5,3,x\na.mp4,0:02.5,,4,y\nb.mp4,,,5,z\na.mp4,1,2.5,3,x\n"
        rows = list(Table(write(tmp_path, "clips.csv", text)))
        assert [(row.name, row.part.start, row.part.end, row.mos) for row in rows] == [
            ("a.mp4#t=1.000,2.500", 1.0, 2.5, 3.0),
            ("a.mp4#t=2.500,", 2.5, None, 4.0),
            ("b.mp4", None, None, 5.0),
        ]
        assert rows[0].extras == {"who": "x"}
        assert {row.path for row in rows[:2]} == {tmp_path / "a.mp4"}

    def test_one_part_has_one_mos(self, tmp_path: Path) -> None:
        path = write(tmp_path, "clips.csv", "path,start,end,mos\na.mp4,1,2,3\na.mp4,1.0,0:02,4\n")
        with pytest.raises(UsageError, match=r"line 3 gives a\.mp4#t=1\.000,2\.000 another MOS"):
            Table(path)

    def test_seconds_come_before_frames(self, tmp_path: Path) -> None:
        text = "video,start_frame,end_frame,start,end\na.mp4,25,50,1,2\n"
        (row,) = Table(write(tmp_path, "clips.csv", text))
        assert (row.part.start, row.part.end, row.extras) == (1.0, 2.0, {})
        text = "path,from,end,f0\na.mp4,,2,25\na.mp4,1,2,25\n"
        rows = Table(write(tmp_path, "clips.csv", text), start="from", start_frame="f0")
        assert [(row.part.start, row.part.end) for row in rows] == [(FrameNumber(25), 2.0), (1.0, 2.0)]

    def test_frames_alone(self, tmp_path: Path) -> None:
        (row,) = Table(write(tmp_path, "clips.csv", "video,start_frame,end_frame\na.mp4,25,50\n"))
        assert (row.part.start, row.part.end) == (FrameNumber(25), FrameNumber(50))
        assert isinstance(row.part.start, FrameNumber)

    def test_columns_that_mean_something_else_are_left_alone(self, tmp_path: Path) -> None:
        (row,) = Table(write(tmp_path, "list.csv", "path,start\na.mp4,2024-05-01\n"), start="")
        assert (row.name, row.is_part, row.extras) == ("a.mp4", False, {"start": "2024-05-01"})

    def test_times_of_a_spreadsheet(self, tmp_path: Path) -> None:
        cells = {"path": ["a.mp4", "a.mp4"], "start": [datetime.time(0, 1, 2), 3.5], "end": [datetime.time(0, 2), None]}
        pd.DataFrame(cells).to_excel(tmp_path / "clips.xlsx", index=False)
        rows = list(Table(tmp_path / "clips.xlsx"))
        assert [(row.part.start, row.part.end) for row in rows] == [(62.0, 120.0), (3.5, None)]

    @pytest.mark.parametrize(
        ("text", "options", "said"),
        [
            (
                "path,start\na.mp4,soon\n",
                {},
                r"line 2 has start 'soon', not seconds or HH:MM:SS\.mmm; data\.start=",
            ),
            ("path,end_frame\na.mp4,1.5\n", {}, r"line 2 has end_frame '1\.5', not the number of a frame, from 0"),
            ("path,begin\na.mp4,1\n", {"start": "from"}, r"no column from .* data\.start=NAME"),
        ],
    )
    def test_what_is_no_part(self, text: str, options: dict[str, str], said: str, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=said):
            Table(write(tmp_path, "clips.csv", text), **options)


class TestFormsOfLists:
    """JSON, lists without a header, and names that are not quite those of the files."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        (tmp_path / "videos").mkdir()
        for name in ("a.mp4", "b b.mp4", "#1 best.mp4", "id7.mov"):
            (tmp_path / "videos" / name).touch()
        return tmp_path / "videos"

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("l.json", '[{"path": "a.mp4", "mos": 3.5}, {"path": "b b.mp4", "mos": null}]'),
            ("l.json", '{"videos": [{"Video Name": "a.mp4", "MOS": "3.5"}, {"Video Name": "b b.mp4"}]}'),
            ("l.json", '{"a.mp4": {"mos": 3.5}, "b b.mp4": {"mos": NaN}}'),
            ("l.json", '{"a.mp4": 3.5, "b b.mp4": null}'),
            ("l.jsonl", '{"path": "a.mp4", "mos": 3.5}\n\n{"path": "b b.mp4", "mos": "NA"}\n'),
            ("l.ndjson", '{"file": "a.mp4", "score": [3.5]}\n{"file": "b b.mp4"}\n'),
            ("l.txt", "a.mp4 3.5\nb b.mp4 NA\n"),
            ("l.txt", "3.5 a.mp4\nnan b b.mp4\n"),
            ("l.txt", "a.mp4\t3.5\nb b.mp4\t-\n"),
            ("l.csv", "a.mp4,3.5\nb b.mp4,\n"),
            ("l.csv", "3.5;a.mp4\nNA;b b.mp4\n"),
            ("l.tsv", '"a.mp4"\t3.5\n"b b.mp4"\tnull\n'),
        ],
    )
    def test_are_read(self, tmp_path: Path, root: Path, name: str, text: str) -> None:
        rows = list(Table(write(tmp_path, name, text), root))
        assert [(row.name, row.mos) for row in rows] == [("a.mp4", 3.5), ("b b.mp4", None)]

    @pytest.mark.parametrize("text", ['["a.mp4", "b b.mp4"]', '"a.mp4"\n"b b.mp4"'])
    def test_json_of_names_alone(self, tmp_path: Path, root: Path, text: str) -> None:
        assert [row.name for row in Table(write(tmp_path, "l.json", text), root)] == ["a.mp4", "b b.mp4"]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "the file is empty"),
            ("{", "line 1: not readable as JSON"),
            ('{"path": "a.mp4"}\n{"path"', "line 2: not readable as JSON"),
            ("[[1, 2]]", r"item 1: \[1, 2\] is neither an object nor a name"),
            ('{"a": [1], "b": "c"}', "its JSON is no list of videos"),
            ("[" * 100_000, "not readable as JSON"),
            ('[{"x": 1}]', "no column path or filename"),
        ],
    )
    def test_other_json_is_one_line(self, tmp_path: Path, text: str, message: str) -> None:
        with pytest.raises(UsageError, match=message) as error:
            Table(write(tmp_path, "l.json", text))
        assert "\n" not in str(error.value)
        assert len(str(error.value)) < 1000

    @pytest.mark.parametrize("name", ["clip 1", "clip 2", "a,b.mp4"])
    def test_a_name_that_looks_like_a_pair_is_a_name(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).touch()
        assert [row.name for row in Table(write(tmp_path, "l.txt", f"{name}\n"))] == [name]

    def test_names_of_nothing_that_end_in_a_whole_number_stay_names(self, tmp_path: Path) -> None:
        assert [row.name for row in Table(write(tmp_path, "l.txt", "clip 1\nclip 2\n"))] == ["clip 1", "clip 2"]

    def test_a_line_that_names_a_file_is_no_comment(self, tmp_path: Path, root: Path) -> None:
        table = Table(write(tmp_path, "l.txt", "# my list\n#1 best.mp4\na.mp4\n"), root)
        assert [row.name for row in table] == ["#1 best.mp4", "a.mp4"]

    @pytest.mark.parametrize(
        ("listed", "found"),
        [
            ("id7", "id7.mov"),
            ("b b", "b b.mp4"),
            ("https://host/x/a.mp4?sig=1", "a.mp4"),
            ("b%20b.mp4", "b b.mp4"),
            ("id8", "id8"),
        ],
    )
    def test_names_that_differ_from_the_files(self, tmp_path: Path, root: Path, listed: str, found: str) -> None:
        assert [row.name for row in Table(write(tmp_path, "l.csv", f"path\n{listed}\n"), root)] == [found]

    def test_a_name_of_two_files_stays(self, tmp_path: Path, root: Path) -> None:
        (root / "id7.mp4").touch()
        assert [row.name for row in Table(write(tmp_path, "l.csv", "path\nid7\n"), root)] == ["id7"]

    @pytest.mark.parametrize(
        ("page", "name"),
        [
            ("gb18030", "猫咪.mp4"),
            ("shift_jis", "ねこ.mp4"),
            ("euc_kr", "고양이.mp4"),
            ("big5", "貓咪.mp4"),
            ("cp1251", "кошка.mp4"),
            ("cp1252", "été.mp4"),
            ("cp1253", "γάτα.mp4"),
        ],
    )
    def test_code_pages_are_tried_where_the_file_is_there(self, tmp_path: Path, page: str, name: str) -> None:
        (tmp_path / name).touch()
        (tmp_path / "l.csv").write_bytes(f"path,mos\n{name},3\n".encode(page))
        assert [(row.name, row.mos) for row in Table(tmp_path / "l.csv")] == [(name, 3)]


class TestColumnsOfParts:
    """Starts and ends under the names that people give them."""

    @pytest.mark.parametrize(
        ("header", "cells"),
        [
            ("start,end", "1,2.5"),
            ("Start Time,End Time", "0:01,0:02.5"),
            ("time_start,time_end", "1,2.5"),
            ("start_sec,end_sec", "1,2.5"),
            ("from,to", "1,2.5"),
            ("onset,offset", "1,2.5"),
            ("start,duration", "1,1.5"),
            ("begin,length", "1,1.5"),
        ],
    )
    def test_are_found(self, tmp_path: Path, header: str, cells: str) -> None:
        (row,) = Table(write(tmp_path, "l.csv", f"path,{header}\na.mp4,{cells}\n"))
        assert row.name == "a.mp4#t=1.000,2.500"

    def test_a_duration_alone_is_that_of_the_video(self, tmp_path: Path) -> None:
        (row,) = Table(write(tmp_path, "l.csv", "path,duration\na.mp4,9\n"))
        assert row.name == "a.mp4"
        assert row.extras["duration"] == "9"

    def test_an_end_counts_more_than_a_duration(self, tmp_path: Path) -> None:
        (row,) = Table(write(tmp_path, "l.csv", "path,start,end,duration\na.mp4,1,2,60\n"))
        assert row.name == "a.mp4#t=1.000,2.000"

    def test_one_of_a_pair_is_another_column(self, tmp_path: Path) -> None:
        (row,) = Table(write(tmp_path, "l.csv", "path,from\na.mp4,Paris\n"))
        assert (row.name, row.extras["from"]) == ("a.mp4", "Paris")

    def test_frames_take_no_duration(self, tmp_path: Path) -> None:
        path = write(tmp_path, "l.csv", "path,start,duration\na.mp4,frame:3,1\n")
        with pytest.raises(UsageError, match="a start in frames with a duration in seconds"):
            Table(path)
