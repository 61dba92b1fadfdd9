"""Lines of tables: quick ones are the same as careful ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cover.files import csv_line
from cover.results.table_writer import TableLayout, quick_line
from cover.rows import Row


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_a_quick_line_is_the_careful_one(cells: list[str]) -> None:
    assert quick_line(cells) == csv_line(*cells)


@pytest.mark.parametrize("value", [0.0, -0.0, -0.00004, 0.00005, 1.23455, -1.23445, 1e6, 12.5])
def test_scores_are_rounded_to_four_decimals_without_a_lone_sign(value: float) -> None:
    layout = TableLayout([Row("a.mp4", "a.mp4")], in_parts=False, predicted_mos=False, percentile=False)
    line = layout.score_line(("a.mp4",), dict.fromkeys(("semantic", "technical", "aesthetic", "overall"), value))
    assert line == ",".join(["a.mp4", *[f"{round(value, 4) + 0.0:.4f}"] * 4])
