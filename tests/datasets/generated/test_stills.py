"""Stills made of photos: what is done to them, how they are rated, and what is made when."""

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cover.datasets.generated import Stills
from cover.datasets.generated.sources import generator, survey
from cover.datasets.generated.stills import CHANGES, pan
from cover.datasets.generated.vmaf import vmaf
from PIL import Image, ImageFilter

from cover.errors import UsageError
from cover.rows import Row
from tests.helpers.rated import scene

pytest.importorskip("imageio_ffmpeg", reason="stills are rated by its FFmpeg, which has VMAF")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("content") / "photos"
    folder.mkdir()
    for number in range(2):
        picture = scene(1, 900, np.random.default_rng(number))[0]
        Image.fromarray(picture[: 520 + 300 * number]).save(folder / f"{number}.png")
    Image.fromarray(np.full((600, 600, 3), 90, dtype=np.uint8)).save(folder / "wall.png")
    return folder


@pytest.fixture(scope="module")
def rows(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    return list(Stills(photos, tmp_path_factory.mktemp("made") / "stills", split="all", workers=2))


def test_a_photo_gives_windows_by_its_size_and_each_its_versions(rows: list[Row]) -> None:
    made = 1 + sum(count for _, count in CHANGES.values())
    windows = Counter(row.extras["reference"] for row in rows)
    assert set(windows.values()) == {made}
    assert sorted(Counter(str(name).split("/")[0] for name in windows).values()) == [1, 2]  # 520 and 820 px
    kinds = Counter(row.extras["distortion"] for row in rows)
    assert kinds == {"pristine": 3} | {name: 3 * count for name, (_, count) in CHANGES.items()}
    for row in rows:
        with Image.open(row.path) as still, Image.open(row.path.parent.parent / str(row.extras["reference"])) as first:
            assert still.size == first.size
            assert min(still.size) >= 240


def test_the_mos_is_the_rank_of_vmaf(rows: list[Row]) -> None:
    pairs = sorted((float(str(row.extras["vmaf"])), row.mos or 0) for row in rows)
    assert all(1 < mos <= 5 for _, mos in pairs)
    assert all(first[1] <= second[1] for first, second in itertools.pairwise(pairs))
    pristine = [row.mos for row in rows if row.extras["distortion"] == "pristine"]
    assert min(mos or 0 for mos in pristine) > 4


def test_the_table_ranks_all_in_the_folder(photos: Path, rows: list[Row]) -> None:
    root = rows[0].path.parent.parent
    fewer = list(Stills(photos, root, split="all", takes=1, contents=1, workers=1))
    assert max(row.mos or 0 for row in fewer) == 5
    table = pd.read_csv(root / "ratings.csv").set_index("path")
    assert {row.name: row.mos for row in rows} == pytest.approx(table["mos"].to_dict(), abs=1e-6)


def test_a_second_run_makes_nothing_and_gives_the_same(
    photos: Path, rows: list[Row], capsys: pytest.CaptureFixture[str]
) -> None:
    root = rows[0].path.parent.parent
    times = {row.path: row.path.stat().st_mtime_ns for row in rows}
    again = list(Stills(photos, root, split="all", workers=1))
    assert [(row.name, row.mos, row.extras) for row in again] == [(row.name, row.mos, row.extras) for row in rows]
    assert {row.path: row.path.stat().st_mtime_ns for row in again} == times
    assert "making" not in capsys.readouterr().err
    table = pd.read_csv(root / "ratings.csv")
    assert set(table["path"]) == {row.name for row in rows}


def test_a_window_that_was_begun_is_made_anew(photos: Path, rows: list[Row], tmp_path: Path) -> None:
    one = list(Stills(photos, tmp_path / "stills", split="all", takes=1, contents=1, workers=1))
    lost = one[3].path.read_bytes()
    one[3].path.unlink()
    (tmp_path / "stills" / str(one[0].extras["content"]) / "0.csv").unlink()
    list(Stills(photos, tmp_path / "stills", split="all", takes=1, contents=1, workers=1))
    assert one[3].path.read_bytes() == lost


@pytest.mark.parametrize("native", [True, False])
def test_a_pan_ends_at_the_window(photos: Path, native: bool) -> None:
    source = survey(photos / "1.png", "photos/1.png")
    frames = pan(source, generator(0), native=native)
    assert frames.shape[0] == 4
    assert all(side % 2 == 0 for side in frames.shape[1:3])
    if native:
        whole, (height, width) = np.asarray(Image.open(source.path)), frames.shape[1:3]
        corners = np.lib.stride_tricks.sliding_window_view(whole[..., 0], (8, 8))
        places = np.argwhere((corners == frames[-1, :8, :8, 0]).all((2, 3)))
        assert any((whole[top : top + height, left : left + width] == frames[-1]).all() for top, left in places)


def test_vmaf_falls_with_blur() -> None:
    pristine = scene(1, 256, np.random.default_rng(0))[0]
    versions = [
        np.asarray(Image.fromarray(pristine).filter(ImageFilter.GaussianBlur(sigma))) for sigma in (0.01, 1, 2, 4)
    ]
    found = vmaf(pristine, versions)
    assert found[0] > 90
    assert all(first > second for first, second in itertools.pairwise(found))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "dev"}, "data.split=dev"),
        ({"takes": 0}, "data.takes=0"),
        ({"sources": None}, "name a folder of sharp photos"),
    ],
)
def test_options_that_make_no_sense(photos: Path, tmp_path: Path, options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Stills(**{"sources": photos, "folder": tmp_path / "stills", **options})


def test_a_folder_of_clips_is_refused(photos: Path, rows: list[Row], tmp_path: Path) -> None:
    (tmp_path / "synthetic.json").write_text('{"format": 1, "seed": 0, "seconds": 1.5}')
    with pytest.raises(UsageError, match=r"what is in it was made with .*; take another"):
        Stills(photos, tmp_path, split="all")


def test_without_its_ffmpeg(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cover.datasets.generated import vmaf as module

    module.ffmpeg.cache_clear()
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"needs imageio-ffmpeg: pip install 'cover-vqa\[recipes\]'"):
        Stills(photos, tmp_path / "stills", split="all")
    module.ffmpeg.cache_clear()
