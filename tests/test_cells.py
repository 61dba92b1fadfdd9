"""Cells of tables: which are missing, and which are numbers."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cover.cells import is_missing, number


@pytest.mark.parametrize("cell", [None, "", "  ", "NA", "n/a", "#N/A", "NaN", "null", "None", "-", "missing", math.nan])
def test_missing_cells(cell: object) -> None:
    assert is_missing(cell)
    assert number(cell) is None


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("0.85", 0.85),
        (" 5 ", 5),
        ("5.", 5),
        ("-.5", -0.5),
        ("1e-3", 0.001),
        (3, 3),
        (2.5, 2.5),
        ("[0.85]", 0.85),
        ("(0.85)", 0.85),
        ("[[0.85]]", 0.85),
        ("tensor(0.85)", 0.85),
        ("tensor([0.85], device='cuda:0')", 0.85),
        ("tensor(0.85, grad_fn=<MeanBackward0>)", 0.85),
        ("np.float32(0.85)", 0.85),
        ("array([0.85], dtype=float32)", 0.85),
        ("85%", 0.85),
        ("85 %", 0.85),
    ],
)
def test_numbers(cell: object, value: float) -> None:
    assert number(cell) == pytest.approx(value)
    assert not is_missing(cell)


@pytest.mark.parametrize("cell", ["good", "[1, 2]", "[]", "1,5", "inf", "-Infinity", "0x10", "d00.mp4", "1 2", "%"])
def test_other_text_is_no_number(cell: str) -> None:
    assert number(cell) is None
    assert not is_missing(cell)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_as_python_writes_them(value: float) -> None:
    assert number(repr(value)) == number(value) == value


@given(st.text())
def test_any_text_is_a_number_missing_or_neither(text: str) -> None:
    assert number(text) is None or not is_missing(text)
