"""Decoding ahead of what is asked for, here or in processes, and batches of one shape."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cover.decoding.batches import batches
from cover.decoding.decoder import Decoder
from cover.rows import Failure, Row
from tests.helpers.clips import write_clip
from tests.helpers.tiny import tiny_views


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """Three clips, two images and an empty file."""
    folder = tmp_path_factory.mktemp("media")
    for number in range(3):
        write_clip(folder / f"{number}.mp4", 12, gop=4)
    for number in range(2):
        pixels = np.random.default_rng(number).integers(0, 256, (64, 80, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    (folder / "empty.mp4").touch()
    return [Row(path, path.name) for path in sorted(folder.iterdir())]


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_every_row_once_in_order(rows: list[Row], workers: int) -> None:
    with Decoder(workers).views(rows, tiny_views(), in_order=True) as decoded:
        found = list(decoded)
    assert [row.name for row, _ in found] == [row.name for row in rows]
    assert [row.name for row, outcome in found if isinstance(outcome, Failure)] == ["empty.mp4"]


def test_batches_have_one_shape(rows: list[Row]) -> None:
    with Decoder(workers=0).views(rows, tiny_views()) as decoded:
        found = list(batches(decoded, 2))
    assert sorted(sorted(row.name for row in batch.rows) for batch in found if batch.rows) == [
        ["0.mp4", "1.mp4"],
        ["0.png", "1.png"],
        ["2.mp4"],
    ]
    (failed,) = [failure for batch in found for failure in batch.failures]
    assert (failed.row.name, failed.reason) == ("empty.mp4", "the file is empty (0 bytes)")


def test_a_bug_costs_its_video_only(rows: list[Row], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug of ours\nwith a second line")

    monkeypatch.setattr("cover.decoding.decoder.load_views", broken)
    with Decoder(workers=0).views(rows[:1], tiny_views()) as decoded:
        ((_, outcome),) = decoded
    assert isinstance(outcome, Failure)
    assert outcome.reason == "unexpected ZeroDivisionError: a bug of ours"


def test_leaving_early_leaves_no_process(rows: list[Row]) -> None:
    import multiprocessing

    with Decoder(workers=1).views(rows, tiny_views()):
        assert multiprocessing.active_children()
    assert not multiprocessing.active_children()


def test_missing_files_are_not_sent_to_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cover.decoding.decoder.load_views", lambda *_, **__: pytest.fail("a missing file is decoded"))
    (tmp_path / "link.mp4").symlink_to(tmp_path / "gone.mp4")
    missing = [Row(tmp_path / name, name) for name in ("a.mp4", "link.mp4", "b.mp4")]
    with Decoder(workers=1).views(missing, tiny_views()) as decoded:
        reasons = {row.name: outcome.reason for row, outcome in decoded if isinstance(outcome, Failure)}
    assert reasons == {"a.mp4": "no such file", "b.mp4": "no such file", "link.mp4": reasons["link.mp4"]}
    assert "is a link to a file that does not exist" in reasons["link.mp4"]
