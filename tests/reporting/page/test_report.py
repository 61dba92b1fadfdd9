"""What a report's data say, whatever the size of the run."""

import base64
import csv
import io
import json
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cover.reporting.page import report as reports
from cover.reporting.page.pictures import Scale, Shelf, by_weight, map_scale, map_sprite
from cover.reporting.page.render import render
from cover.reporting.page.report import write_report
from cover.results.evidence import EVIDENCE, EvidenceFile
from cover.results.read import read_folder
from cover.text import visible
from tests.helpers.results import make_results


def data_of(page: Path) -> dict[str, Any]:
    text = page.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])


def reported(folder: Path) -> dict[str, Any]:
    return data_of(write_report(read_folder(folder)))


def test_thresholds_count_as_a_selection_does(tmp_path: Path) -> None:
    tally = reported(make_results(tmp_path, 50))["tally"]["overall"]
    scores = read_folder(tmp_path).table["overall"]
    for step, kept, hours in zip(tally["steps"], tally["kept"], tally["hours"], strict=True):
        assert kept == (scores > step).sum()
        assert hours == pytest.approx(kept * 6 / 3600, abs=1e-4)
    assert tally["kept"][0] == 50
    assert tally["kept"][-1] == 0
    assert sum(tally["counts"]) == 50


def test_curves_come_back_as_they_were(tmp_path: Path) -> None:
    found = reported(make_results(tmp_path, 5, moments=9))
    evidence = EvidenceFile(tmp_path)["video_00002.mp4"]
    packed = base64.b64decode(found["curves"]["2"])
    times = np.frombuffer(packed[:18], "<u2") / 65535 * found["spans"]["2"][0]
    assert times == pytest.approx(evidence.times["aesthetic"], abs=1e-3)
    curves = np.frombuffer(packed[18:], np.uint8).reshape(4, 9) / 255
    low, high = found["ranges"]["technical"]
    drawn = low + (high - low) * curves[2]  # overall, semantic, technical, aesthetic
    assert drawn == pytest.approx(evidence.maps["technical"].mean((1, 2)), abs=(high - low) / 200)


def test_maps_are_grey_on_one_scale(tmp_path: Path) -> None:
    make_results(tmp_path, 40)
    evidence = EvidenceFile(tmp_path)
    names = [f"video_{number:05}.mp4" for number in range(40)]
    scale = map_scale(evidence[name] for name in names)
    cells = np.concatenate(
        [evidence[name].maps[branch].ravel() for name in names for branch in ("technical", "aesthetic")]
    )
    assert (scale.low, scale.high) == pytest.approx(np.quantile(cells, [0.01, 0.99]), abs=0.05)
    grey = np.asarray(Image.open(io.BytesIO(map_sprite(evidence[names[0]], scale))))
    assert grey.shape == (3 * 7, 7 + 7)
    expected = 255 * np.clip((evidence[names[0]].maps["technical"][1] - scale.low) / (scale.high - scale.low), 0, 1)
    assert grey[7:14, :7] == pytest.approx(expected, abs=0.51)


def test_percentiles_of_the_reference_are_marked_as_far_as_scores_reach() -> None:
    scores = np.linspace(-1, 1, 41)
    table = pd.DataFrame({"overall": scores, "percentile": np.linspace(20, 80, 41)})
    assert reports._percentiles(table) == [
        (25, pytest.approx(-0.8333, abs=1e-3)),
        (50, 0),
        (75, pytest.approx(0.8333, abs=1e-3)),
    ]
    assert reports._percentiles(table.drop(columns="percentile")) == []
    assert reports._percentiles(table.iloc[[0, 40]]) == []  # nothing between tells where they are


def test_pictures_that_have_no_room_lie_beside_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "_PAGE", 0)
    monkeypatch.setattr(reports, "_LEAST_ROOM", 60_000)
    found = reported(make_results(tmp_path, 60))
    inside = sum(len(pictures) for pictures in found["pictures"].values())
    files = list((tmp_path / "report_files").iterdir())
    assert inside + len(files) == 3 * 60
    assert 0 < inside < 3 * 60
    assert all(Image.open(file).size for file in files)


def test_a_new_report_leaves_no_pictures_of_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "_PAGE", 0)
    monkeypatch.setattr(reports, "_LEAST_ROOM", 1000)
    reported(make_results(tmp_path, 10))
    assert (tmp_path / "report_files").exists()
    monkeypatch.undo()
    reported(make_results(tmp_path, 4))
    assert not (tmp_path / "report_files").exists()


def test_of_very_many_a_sample_is_listed_and_all_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "MANY", 50)
    monkeypatch.setattr(reports, "_SAMPLE", 20)
    found = reported(make_results(tmp_path, 80, moments=12, mos=True))
    assert len(found["names"]) == len(found["curve"]["residual"]) == 20
    assert found["total"] == sum(found["tally"]["overall"]["counts"]) == 80
    scores = read_folder(tmp_path).table["overall"]
    assert scores.idxmin() in found["names"]
    assert scores.idxmax() in found["names"]


def test_worst_and_best_come_first_with_a_sample_among_them() -> None:
    order = list(by_weight(list(range(100)), sample=4))
    assert sorted(order) == list(range(100))
    assert {0, 1, 98, 99} <= set(order[:8])


def test_moments_for_programs(tmp_path: Path) -> None:
    make_results(tmp_path, 12, moments=24)
    reported(tmp_path)
    with (tmp_path / "moments.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        assert 0 <= float(row["Start"]) <= float(row["Time"]) <= float(row["End"]) <= 6
        assert row["Branch"] in ("semantic", "technical", "aesthetic")


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_videos_or_none(tmp_path: Path, count: int) -> None:
    assert reported(make_results(tmp_path, count, errors={"a.mp4": "empty"}))["total"] == count


def test_a_run_without_evidence(tmp_path: Path) -> None:
    found = reported(make_results(tmp_path, 3, pictures=False))
    assert found["curves"] == found["words"] == {}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", r"a\nb"),
        ("\u202egpj", r"\u202egpj"),
        ("\x00\x1b[31m", r"\u0000\u001b[31m"),
        ("größe 👩\u200d👧", "größe 👩\u200d👧"),
        ("\udcff", r"\udcff"),
    ],
)
def test_hidden_characters_are_spelt(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_data_cannot_end_their_element() -> None:
    page = render(
        "comparison",
        {"names": ["</script><!--"]},
        title="<b>",
        comparison=_Nothing(),
        rows=[],
        answer="",
        alone=[],
        meaningless=[],
        settings=[],
        swamped=0,
    )
    assert "</script><!--" not in page
    assert "<title>&lt;b&gt;</title>" in page


class _Nothing:
    class a:  # noqa: N801
        folder = Path("a")

    b = a


def test_a_shelf_is_full_at_its_room(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "files", room=10)
    shelf.put("thumbs", 0, b"123456", ".webp")  # 8 characters
    shelf.put("thumbs", 1, b"123456", ".webp")
    assert shelf.inside == {"thumbs": {0: "MTIzNDU2"}}
    assert (tmp_path / "files/1.thumbs.webp").read_bytes() == b"123456"


@pytest.mark.parametrize(("value", "step"), [(-1, 0), (0, 0), (0.5, 128), (1, 255), (7, 255)])
def test_steps_of_a_scale(value: float, step: int) -> None:
    assert Scale(0, 1).steps(np.array([value]))[0] == step


def test_parts_are_told_in_the_time_of_their_video(tmp_path: Path) -> None:
    make_results(tmp_path, 3, parts=4, moments=12)
    evidence = EvidenceFile(tmp_path)
    name = "video_00001.mp4#t=12.000,18.000"
    line = json.loads((tmp_path / EVIDENCE).read_text().splitlines()[6])
    assert line["Filename"] == name
    weak = evidence[name].maps["technical"].copy()
    weak[5:7] -= 9  # at 14.8 and 15.2 s of the video
    line["maps"]["technical"]["data"] = base64.b64encode(zlib.compress(weak.astype("<f2").tobytes())).decode()
    with (tmp_path / EVIDENCE).open("a") as file:
        file.write(json.dumps(line) + "\n")
    found = reported(tmp_path)
    assert found["names"][6] == "video_00001.mp4 0:12-0:18"
    assert found["of"] == "parts"
    parts = found["parts"]
    assert (parts["videos"], parts["of"][6]) == (["video_00000.mp4", "video_00001.mp4", "video_00002.mp4"], 1)
    assert (parts["start"][6], parts["end"][6]) == (12.0, 18.0)
    assert sorted(parts["rows"]) == [0, 1, 2]
    assert found["spans"]["6"] == [pytest.approx(6 * 12 / 13, abs=1e-2), 6.0]  # from the part's own start
    assert found["words"]["6"][0].startswith("0:14, technical")
    with (tmp_path / "moments.csv").open() as file:
        (moment,) = [row for row in csv.DictReader(file) if row["Branch"] == "technical"]
    assert moment["Filename"] == "video_00001.mp4"
    assert 12 < float(moment["Start"]) < float(moment["Time"]) < float(moment["End"]) < 18


def test_of_many_videos_the_worst_are_laid_out(tmp_path: Path) -> None:
    found = reported(make_results(tmp_path, 60, parts=2, pictures=False))
    parts, overall = found["parts"], found["columns"]["overall"]
    lowest = {
        video: min(score for of, score in zip(parts["of"], overall, strict=True) if of == video) for video in range(60)
    }
    assert parts["rows"] == sorted(range(60), key=lambda video: lowest[video])[:40]
    assert parts["several"] == 60


def test_whole_videos_have_no_parts(tmp_path: Path) -> None:
    found = reported(make_results(tmp_path, 3))
    assert (found["parts"], found["of"]) == (None, "videos")
