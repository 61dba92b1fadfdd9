"""Names from outside: valid in files, visible to people."""

import os
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cover.text import as_cell, as_cells, from_cell, printable, visible, wrapped

NAMES = st.text() | st.binary().map(os.fsdecode)


@given(NAMES)
def test_files_hold_any_name(name: str) -> None:
    assert printable(name).encode().decode() == printable(name)


@given(NAMES)
def test_people_see_one_line_without_controls(name: str) -> None:
    text = visible(name)
    assert len(text.splitlines()) <= 1
    assert "\x1b" not in text
    assert "\u202e" not in text


@given(NAMES)
def test_cells_give_their_text_back(text: str) -> None:
    assume(not re.search(r"\\ud[89a-f]", text))  # which stands for a byte that is not UTF-8
    assert from_cell(as_cell(text)) == text
    assert as_cells([text, "a"]) == [as_cell(text), "a"]


@given(NAMES)
def test_no_cell_moves_a_terminal_or_starts_a_formula(text: str) -> None:
    cell = as_cell(text)
    assert not {*map(chr, range(32)), "\x7f", "\x9b"} & {*cell} - {"\t", "\n"}
    assert not (cell.lstrip().startswith(("=", "+", "-", "@")) and any(mark in cell for mark in "|(!"))


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=cmd|'/c calc'!A0.jpg", "'=cmd|'/c calc'!A0.jpg"),
        ("@SUM(A1).mp4", "'@SUM(A1).mp4"),
        (" +x!y", "' +x!y"),
        ("-0AbC.mp4", "-0AbC.mp4"),  # an id of a video site
        ("=a=b.mp4", "=a=b.mp4"),
        ("a (1).mp4", "a (1).mp4"),
        ("'quoted'", "'quoted'"),
        ("'=x(1)", "''=x(1)"),
        ("\x1b]0;title\x07.mp4", r"\u001b]0;title\u0007.mp4"),
        (r"a\u001b", r"a\u005cu001b"),
        (r"C:\videos\u.mp4", r"C:\videos\u.mp4"),
        ("two\nlines", "two\nlines"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
    ],
)
def test_what_a_cell_has_for_a_text(text: str, cell: str) -> None:
    assert as_cell(text) == cell


@given(st.text(st.characters(exclude_categories=["Cc", "Zl", "Zp"])), st.integers(10, 100))
def test_lines_break_between_words_only(text: str, width: int) -> None:
    lines = wrapped(text, width).split("\n")
    assert all(len(line) <= width or " " not in line.strip() for line in lines)
    assert " ".join(lines).split() == text.split()
    assert wrapped(text, None) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a b.mp4", "a b.mp4"),
        ("caf\u00e9.mp4", "caf\u00e9.mp4"),
        ("a\nb", r"a\nb"),
        ("\x1b[31mred", r"\u001b[31mred"),
        (os.fsdecode(b"\xff"), r"\udcff"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\U0001f469\u200d\U0001f52c", "\U0001f469\u200d\U0001f52c"),  # a joiner that emoji need
    ],
)
def test_what_is_hidden_is_spelt(name: str, text: str) -> None:
    assert visible(name) == text
