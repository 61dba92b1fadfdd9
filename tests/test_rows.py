"""Rows: what they keep, and how earlier versions wrote them."""

import dataclasses
import pickle
from pathlib import Path

import pytest

from cover.parts import WHOLE, Part
from cover.rows import Row, fingerprint, part_of


def test_a_row_keeps_its_location_as_text() -> None:
    row = Row(Path("clips") / "a.mp4", "a.mp4")
    assert (row.location, row.path, row.part, row.mos) == ("clips/a.mp4", Path("clips/a.mp4"), WHOLE, None)
    assert row == Row("clips/a.mp4", "a.mp4")
    assert row.video == "a.mp4"
    assert not row.is_part


def test_a_row_can_be_replaced_and_sent_to_a_process() -> None:
    row = part_of(Row("a.mp4", "a.mp4", 3.5, {"scene": 1}), 1.0, 2.0)
    assert dataclasses.replace(row, mos=4.0).part == Part(1.0, 2.0)
    assert pickle.loads(pickle.dumps(row)) == row
    assert row.footage == ("a.mp4", (1.0, 2.0))


def test_the_names_of_earlier_versions_warn() -> None:
    with pytest.warns(DeprecationWarning, match=r"Row\(path=\) is called Row\(location=\); the old name goes in 0\.9"):
        assert Row(path=Path("a.mp4"), name="a.mp4") == Row("a.mp4", "a.mp4")
    with pytest.warns(DeprecationWarning, match="Row\\(start=, end=\\) is called"):
        assert Row("a.mp4", "a.mp4#t=1.000,", start=1.0).part == Part(1.0)


@pytest.mark.parametrize("arguments", [(), ("a.mp4", "a", None, {}, 1.0)])
def test_what_is_not_a_row(arguments: tuple[object, ...]) -> None:
    with pytest.raises(TypeError, match="Row takes a location"):
        Row(*arguments)  # type: ignore[arg-type]


def test_fingerprints_change_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a.mp4"
    assert fingerprint(file) == [str(file)]
    file.write_bytes(b"1")
    first = fingerprint(file)
    assert first[:2] == [str(file), 1]
    file.write_bytes(b"12")
    assert fingerprint(str(file)) != first
    assert fingerprint(tmp_path)[1:2] + fingerprint(tmp_path)[3:] == [2, 1]
