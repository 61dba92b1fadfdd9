"""Tables: the one rule for the names of columns, numbers in cells, and rows that are read again."""

from pathlib import Path

import pytest

from cover.errors import UsageError
from cover.tables import Columns, number, read_table


@pytest.mark.parametrize(
    ("header", "usual", "column"),
    [
        (["a", "MOS"], ["mos"], "MOS"),
        (["MOS", "mos"], ["mos"], "mos"),  # as written, first
        (["Mos", "MOS"], ["mos"], "Mos"),  # then the leftmost
        (["Video Name"], ["videoname"], "Video Name"),
        (["video_name"], ["Video-Name"], "video_name"),
        (["score", "mos"], ["mos", "score"], "mos"),  # the first usual name that is there
        (["Größe"], ["GRÖSSE"], "Größe"),
        (["other"], ["mos"], None),
        (["#", ""], ["?"], None),  # nothing is left of either name
        ([], ["mos"], None),
    ],
)
def test_a_column_is_found_by_one_rule(header: list[str], usual: list[str], column: str | None) -> None:
    assert Columns(header).find(*usual) == column


def test_a_column_that_was_asked_for_must_be_there() -> None:
    columns = Columns(["path", "Score"], "data=list.csv", "read as separated by ','")
    assert columns.find("mos", wanted="score") == "Score"
    with pytest.raises(UsageError) as error:
        columns.find("mos", wanted="rating", option="data.mos")
    assert str(error.value) == (
        "data=list.csv: no column rating (found: path, Score); name it with data.mos=NAME; read as separated by ','"
    )


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="2 columns are called mos; rename all but one"):
        Columns(["mos", "path", "mos"], "data=x.csv").find("mos")


@pytest.mark.parametrize(
    ("cell", "value"), [("1.5", 1.5), (" 2 ", 2.0), (3, 3.0), ("1e2", 100.0), ("", None), (None, None), ("nan", None)]
)
def test_numbers_of_cells(cell: object, value: float | None) -> None:
    assert number(cell) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "path;mos\nx.mp4;1,5\ny.mp4;2\n"),
        ("a.csv", "\n\nsep=;\npath;mos\nx.mp4;1,5\n\ny.mp4;2\n"),
        ("a.tsv", 'path\tmos\r\nx.mp4\t"1,5"\r\ny.mp4\t2'),
        ("a.csv", 'path,mos\rx.mp4,"1,5"\ry.mp4,2\r'),
    ],
)
def test_rows_can_be_read_again(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_bytes(text.encode())
    table = read_table(tmp_path / name, "data")
    for _ in range(2):
        assert [cells for _, cells in table.records] == [{"path": "x.mp4", "mos": "1.5"}, {"path": "y.mp4", "mos": "2"}]


def test_lines_are_counted_as_people_count_them(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('\npath,mos\n"x\ny.mp4",1\n\nz.mp4,2\n')
    assert [where for where, _ in read_table(tmp_path / "a.csv", "data").records] == ["line 4", "line 6"]
