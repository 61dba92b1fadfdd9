"""Lines of tables."""

import pytest

from cover.results.table_writer import TableLayout
from cover.rows import Row


@pytest.mark.parametrize("value", [0.0, -0.0, -0.00004, 0.00005, 1.23455, -1.23445, 1e6, 12.5])
def test_scores_are_rounded_to_four_decimals_without_a_lone_sign(value: float) -> None:
    layout = TableLayout([Row("a.mp4", "a.mp4")], in_parts=False, predicted_mos=False, percentile=False)
    line = layout.score_line(("a.mp4",), dict.fromkeys(("semantic", "technical", "aesthetic", "overall"), value))
    assert line == ",".join(["a.mp4", *[f"{round(value, 4) + 0.0:.4f}"] * 4])
