"""Videos of a dataset that are there, and those that are missing."""

from pathlib import Path

import pytest

from cover.errors import UsageError
from cover.evaluation.tables.rated import check_some_exist
from cover.rows import Row


@pytest.mark.parametrize("there", [["a.mp4"], ["a.mp4", "b.mp4"]])
def test_one_video_that_is_there_is_enough(there: list[str], tmp_path: Path) -> None:
    for name in there:
        (tmp_path / name).touch()
    check_some_exist([Row(tmp_path / name, name) for name in ("b.mp4", "a.mp4")])


def test_a_wrong_root_is_one_line_that_names_places_and_remedy(tmp_path: Path) -> None:
    rows = [Row(tmp_path / f"{number}.mp4", f"{number}.mp4") for number in range(1000)]
    with pytest.raises(
        UsageError, match=r"all 1000 videos are missing \(.*0\.mp4, .*\.\.\.\); data\.root=DIR"
    ) as error:
        check_some_exist(rows)
    assert len(str(error.value)) < 1000
