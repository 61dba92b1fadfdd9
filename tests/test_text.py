"""Names from outside: valid in files, visible to people."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cover.text import printable, visible

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
