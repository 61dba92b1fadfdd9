"""Decoding parts of films: indexed once, in one pass, whatever happens to one of them."""

import gc
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

import cover.decoding.decoder
import cover.decoding.parts
from cover.decoding.decoder import Decoder
from cover.parts import FrameNumber
from cover.rows import Failure, Row, part_of
from cover.scoring.distributed import shared_out
from cover.video import LoadedViews, Segments, load_views
from tests.helpers.clips import noise_frame, write_clip
from tests.helpers.tiny import tiny_views
from tests.helpers.workers import stalled_shots, treacherous_part
from tests.video.test_parts import same

SPEC = tiny_views()


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Row:
    """Ten seconds."""
    path = write_clip(tmp_path_factory.mktemp("films") / "film.mp4", 250, gop=100)
    return Row(path, path.name, 3.0, {"kind": "film"})


@pytest.fixture
def nothing_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files, which are to be gone in the end."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def decoded(decoder: Decoder, rows: Sequence[Row], **options: object) -> dict[str, LoadedViews | Failure]:
    with decoder.views(rows, SPEC, **options) as found:  # type: ignore[arg-type]
        outcomes = [(row.name, outcome) for row, outcome in found]
    assert len({name for name, _ in outcomes}) == len(outcomes)
    return dict(outcomes)


@pytest.mark.parametrize(
    "workers", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)]
)
def test_segments_are_as_parts_one_by_one(film: Row, workers: int, nothing_left: Path) -> None:
    plans: list[tuple[Row, Sequence[Row], str | None]] = []
    decoder = Decoder(workers, segments=Segments(1.0))
    found = decoded(decoder, [film], planned=lambda *plan: plans.append(plan))
    ((video, parts, remark),) = plans
    assert (video, remark) == (film, None)
    assert [(row.part.start, row.part.end) for row in parts] == [(float(second), second + 1.0) for second in range(10)]
    assert all((row.mos, row.extras) == (3.0, film.extras) for row in parts)
    assert set(found) == {row.name for row in parts}
    for row in parts:
        same(found[row.name], load_views(film.path, SPEC, start=row.part.start, end=row.part.end))
    assert not list(nothing_left.iterdir())


def test_a_film_is_indexed_once(film: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    indexed: list[Path] = []
    index_video = cover.decoding.parts.index_video
    monkeypatch.setattr(
        cover.decoding.parts,
        "index_video",
        lambda path, **options: indexed.append(path) or index_video(path, **options),
    )
    rows = [part_of(film, second / 10, second / 10 + 1) for second in range(0, 90, 7)]
    assert not any(isinstance(one, Failure) for one in decoded(Decoder(0), rows).values())
    assert indexed == [film.path]


def test_rows_of_a_table(film: Row, tmp_path: Path) -> None:
    Image.fromarray(noise_frame(0, 64, 80)).save(tmp_path / "a.png")
    image, gone = Row(tmp_path / "a.png", "a.png"), Row(tmp_path / "gone.mp4", "gone.mp4")
    rows = [
        part_of(film, 3.0, 4.0),
        part_of(gone, 1.0, 2.0),
        film,
        part_of(film, 0.5, 3.5),
        part_of(film, 40.0, 50.0),
        part_of(film, FrameNumber(20), FrameNumber(40)),
        part_of(image, 1.0, None),
        image,
        part_of(gone, None, 2.0),
    ]
    found = decoded(Decoder(0), rows)
    assert set(found) == {row.name for row in rows}
    reasons = {name: one.reason for name, one in found.items() if isinstance(one, Failure)}
    assert reasons == {
        "film.mp4#t=40.000,50.000": "the part starts at 40 s; the video's last frame is shown at 9.960 s",
        "a.png#t=1.000,": "an image has no parts; leave out start and end",
        "gone.mp4#t=1.000,2.000": "no such file",
        "gone.mp4#t=,2.000": "no such file",
    }
    same(found["film.mp4"], load_views(film.path, SPEC))
    by_number = found["film.mp4#t=frame:20,frame:40"]
    same(by_number, load_views(film.path, SPEC, start=0.8, end=1.6))
    assert by_number.part == pytest.approx((0.8, 1.6))


def test_an_image_is_scored_whole(tmp_path: Path) -> None:
    Image.fromarray(noise_frame(0, 64, 80)).save(tmp_path / "a.png")
    row = Row(tmp_path / "a.png", "a.png")
    for by in (5.0, "shots"):
        found = decoded(Decoder(0, segments=Segments(by)), [row])
        assert list(found) == ["a.png"]
        same(found["a.png"], load_views(row.path, SPEC))


def test_in_order_each_part_is_decoded_for_itself(film: Row) -> None:
    rows = [part_of(film, start, start + 1.0) for start in (5.0, 1.0, 5.0, 3.0)]
    with Decoder(0).views(rows, SPEC, in_order=True) as found:
        assert [row.name for row, _ in found] == [row.name for row in rows]


@pytest.mark.slow
def test_a_stretch_that_hangs_or_crashes_costs_its_part_only(
    film: Row, monkeypatch: pytest.MonkeyPatch, nothing_left: Path
) -> None:
    monkeypatch.setattr(cover.decoding.decoder, "keep_part", treacherous_part)
    found = decoded(Decoder(1, timeout=5, segments=Segments(1.0)), [film])
    reasons = {name: one.reason for name, one in found.items() if isinstance(one, Failure)}
    assert reasons == {
        "film.mp4#t=2.000,3.000": "decoding took longer than 5 s (decode.timeout)",
        "film.mp4#t=4.000,5.000": "the decoder crashed (exit code -11)",
    }
    for start in (3.0, 5.0, 9.0):
        same(found[f"film.mp4#t={start:.3f},{start + 1:.3f}"], load_views(film.path, SPEC, start=start, end=start + 1))
    assert not list(nothing_left.iterdir())


@pytest.mark.slow
def test_behind_a_hang_in_a_file_without_an_index_nothing_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_clip(tmp_path / "film.ts", 250, "mpeg2video")
    monkeypatch.setattr(cover.decoding.decoder, "keep_part", treacherous_part)
    found = decoded(Decoder(1, timeout=2, segments=Segments(2.0)), [Row(path, path.name)])
    reasons = [getattr(one, "reason", "scored") for _, one in sorted(found.items())]
    hung = "decoding took longer than 2 s (decode.timeout)"
    lost = "cannot be reached: the decoder hung on an earlier part and this container cannot be seeked"
    assert reasons == ["scored", hung, lost, lost, lost]


@pytest.mark.slow
def test_where_no_shots_are_found_the_film_is_divided(film: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cover.decoding.decoder, "plan_shots", stalled_shots)
    remarks: list[str | None] = []
    decoder = Decoder(1, timeout=30, segments=Segments("shots", max_seconds=4.0))
    found = decoded(decoder, [film], planned=lambda _video, _rows, remark: remarks.append(remark))
    assert len(found) == 3
    assert not any(isinstance(one, Failure) for one in found.values())
    assert remarks == [
        "its shots could not be found, so it was divided evenly: no frame came for 30 s (decode.timeout)"
    ]


@pytest.mark.slow
def test_a_search_that_stalls_ends_its_process(film: Row, tmp_path: Path) -> None:
    """The process ends itself where no frame comes; what that looks like is a matter of the decoder."""
    pytest.importorskip("scenedetect", reason="needs the extra [shots]")
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_stall, args=(film.path, tmp_path / "index"))
    process.start()
    process.join(60)
    assert (tmp_path / "index.searching").exists()
    assert process.exitcode == cover.decoding.parts.STALLED


def _stall(path: Path, kept: Path) -> None:
    import time

    film = cover.decoding.parts.DividedVideo(path, kept, {"threads": 1}, segments=Segments("shots"))
    cover.decoding.parts.index_divided(film)

    def endless(*_: object, alive: object, **__: object) -> None:
        alive()  # type: ignore[operator]
        kept.with_suffix(".searching").touch()
        time.sleep(60)

    cover.decoding.parts.find_cuts = endless  # type: ignore[assignment]
    cover.decoding.parts.plan_shots(film, 0.5)


def test_ranks_share_films_out_in_stretches(film: Row) -> None:
    other = Row(Path("b.mp4"), "b.mp4")
    rows = [part_of(video, float(second), None) for second in range(5) for video in (film, other)]
    shares = [shared_out(rows, rank, 3) for rank in range(3)]
    assert sorted(row.name for share in shares for row in share) == sorted(row.name for row in rows)
    assert [len({row.path for row in share}) for share in shares] == [1, 2, 1]
    assert shared_out([film, other, film], 1, 2) == [other]


def test_views_are_not_kept(film: Row) -> None:
    gc.collect()
    before = _alive()
    most = 0
    with Decoder(0, segments=Segments(0.5)).views([film], SPEC) as found:
        for _, one in found:
            del one
            most = max(most, _alive() - before)
    assert most <= 4  # of 20 parts


def _alive() -> int:
    return sum(type(one) is LoadedViews for one in gc.get_objects())


def test_how_far_the_search_for_cuts_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    search = cover.decoding.parts.CutSearch()
    assert search.status() == ""
    search.folder = tmp_path
    monkeypatch.setattr(cover.decoding.parts, "_SAID_EVERY", 0.0)
    with cover.decoding.parts._told(tmp_path / "0.index", 4, lambda: None) as passed:
        said = [(passed(), search.status())[1] for _ in range(4)]
    assert said == [f"looking for cuts: {share} %" for share in (25, 50, 75, 100)]
    assert search.status() == ""
