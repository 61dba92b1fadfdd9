"""The small files of public bug reports, where they are at hand: what is right is in their own README."""

from pathlib import Path

import numpy as np
import pytest
from cover.datasets.table import Table
from PIL import Image

from cover.video import ViewSpec, decode, load_views, probe
from tests.helpers.clips import read_number


@pytest.fixture
def inputs(shared: Path) -> Path:
    folder = shared / "inputs"
    if not folder.is_dir():
        pytest.skip("the inputs of bug reports are not at hand")
    return folder


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("times/genpts.mp4", range(100)),
        ("times/nvr.asf", range(100)),
        ("leading/radl_cut.ts", range(21, 100)),
    ],
)
def test_frames(name: str, numbers: range, inputs: Path) -> None:
    assert [read_number(frame) for _, frame in decode(inputs / name, range(len(numbers)))] == list(numbers)
    assert probe(inputs / name).frames == len(numbers)
    assert load_views(inputs / name, ViewSpec()).notes == []


@pytest.mark.parametrize("name", ["front_camera", "turned_and_mirrored"])
def test_mirrored(name: str, inputs: Path) -> None:
    ((_, frame),) = decode(inputs / f"mirrored/{name}.mp4", [0])
    with Image.open(inputs / f"mirrored/{name}.frame0.png") as expected:
        np.testing.assert_array_equal(frame, np.array(expected.convert("RGB")))


@pytest.mark.parametrize(
    ("name", "size", "note"),
    [
        ("matrix/bt2020c.mp4", (320, 240), "colour matrix (bt2020c)"),
        ("matrix/ictcp_pq.mp4", (320, 240), "colour matrix (ictcp)"),
        ("streams/still_first.mov", (320, 240), "stream 1 of 0..1 (320x240)"),
        ("streams/preview_first.mkv", (480, 360), "stream 1 of 0..1 (480x360)"),
        ("photos/IMG_0001.HEIC", (320, 240), None),
    ],
)
def test_scored(name: str, size: tuple[int, int], note: str | None, inputs: Path) -> None:
    loaded = load_views(inputs / name, ViewSpec())
    assert (loaded.info.width, loaded.info.height) == size
    assert (note or "") in " ".join(loaded.notes)
    assert bool(loaded.notes) == bool(note)


@pytest.mark.parametrize("name", ["float01.tif", "int32.tif"])
def test_tiff(name: str, inputs: Path) -> None:
    ((_, frame),) = decode(inputs / "tiff" / name, [0])
    with Image.open(inputs / "tiff/same_8bit.png") as expected:
        np.testing.assert_array_equal(frame, np.array(expected.convert("RGB")))


@pytest.mark.parametrize(
    ("name", "mos"),
    [
        ("padded.txt", [None, None, None]),
        ("padded.tsv", [61.0, 40.0]),
        ("labels.xlsx", [61.0, 40.0]),
        ("excel_french.csv", [61.0, 40.5]),
        ("excel_utf16.csv", [61.0]),
        ("from_windows.txt", [None, None]),
        ("decomposed.csv", [50.0]),
    ],
)
def test_lists(name: str, mos: list[float | None], inputs: Path) -> None:
    rows = list(Table(inputs / "lists" / name, root=inputs / "lists/videos"))
    assert [row.mos for row in rows] == mos
    assert all(row.path.exists() for row in rows)
