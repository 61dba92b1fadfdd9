"""The text files ``path, duration, fps, mos``."""

import re
from pathlib import Path

import pytest
from cover.datasets.labels_txt import Label, is_labels_txt, read_labels_txt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cover.errors import UsageError

FINITE = st.floats(allow_nan=False, allow_infinity=False)
# Whatever a line of a UTF-8 file can hold, Unicode's own line breaks too.
NAMES = (
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), min_size=1).map(str.strip).filter(bool)
)
LINES = st.lists(st.tuples(NAMES, FINITE, FINITE, st.floats()), min_size=1)
in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@in_one_folder
@given(lines=LINES, separator=st.sampled_from([",", ", ", " , "]), end=st.sampled_from(["", "\n", "\r\n", "\n\n"]))
def test_what_is_written_is_read(
    tmp_path: Path, lines: list[tuple[str, float, float, float]], separator: str, end: str
) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(("\n".join(separator.join(map(str, line)) for line in lines) + end).encode())
    labels = read_labels_txt(path)
    expected = [(name.removeprefix("\ufeff").strip(), first, second, repr(mos)) for name, first, second, mos in lines]
    assert [(label.path, *label.fields, repr(label.mos)) for label in labels] == expected
    assert is_labels_txt(path)


@in_one_folder
@given(content=st.binary())
def test_any_other_file_is_read_or_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(content)
    is_labels_txt(path)
    try:
        message, labels = None, read_labels_txt(path)
    except UsageError as error:
        message, labels = str(error), []
    assert all(label.path for label in labels)
    assert message is None or re.fullmatch(rf"{path}, line \d+: .+", message)


def test_names_may_hold_commas_and_bytes_that_are_no_utf8(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_bytes(b"day 1, late/\xff.mp4, -1, -1, 3.5\n\n  b.mp4,8,29.97,4\r\n")
    assert read_labels_txt(tmp_path / "labels.txt") == [
        Label(f"{tmp_path}/labels.txt, line 1", "day 1, late/\udcff.mp4", (-1, -1), 3.5),
        Label(f"{tmp_path}/labels.txt, line 3", "b.mp4", (8, 29.97), 4),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("b.mp4, -1, 3.5", "expected 'path, duration, fps, mos', found 'b.mp4, -1, 3.5'"),
        ("b.mp4, -1, -1,", "expected 'path, duration, fps, mos'"),
        ("b.mp4 -1 -1 3.5", "expected 'path, duration, fps, mos'"),
        (", -1, -1, 3.5", "expected 'path, duration, fps, mos'"),
        ("b.mp4, eight, 30, 3.5", "expected 'path, duration, fps, mos'"),
        ("b.mp4, nan, 30, 3.5", "duration and fps must be finite"),
        ("b.mp4, 8, inf, 3.5", "duration and fps must be finite"),
    ],
)
def test_malformed_lines_are_named(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "labels.txt").write_text(f"a.mp4, -1, -1, 3.5\n{line}\n")
    with pytest.raises(UsageError, match=f"labels.txt, line 2: {message}"):
        read_labels_txt(tmp_path / "labels.txt")


@pytest.mark.parametrize("read", [is_labels_txt, read_labels_txt])
def test_a_file_that_cannot_be_read(tmp_path: Path, read: object) -> None:
    with pytest.raises(UsageError, match=r"nowhere.txt: No such file"):
        read(tmp_path / "nowhere.txt")  # type: ignore[operator]


@pytest.mark.parametrize(
    "text", ["", "\n", "path,mos\na.mp4,3\n", "a.mp4\nb.mp4\n", "flickr_id,download_id,file_name,MOS\n"]
)
def test_other_files_are_told_apart(tmp_path: Path, text: str) -> None:
    (tmp_path / "other.csv").write_text(text)
    assert not is_labels_txt(tmp_path / "other.csv")
