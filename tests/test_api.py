"""The public functions of ``import cover``."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cover
from cover.models import COVER
from cover.parts import Part
from cover.scores import VideoScore
from tests.helpers.clips import noise_frame, write_clip
from tests.helpers.tiny import tiny_model, tiny_views

NONE: Mapping[str, np.ndarray] = {}


@pytest.fixture(scope="module")
def model() -> COVER:
    model = tiny_model()
    model.views = tiny_views()
    return model


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("videos")
    return [
        write_clip(folder / f"{seed}.mp4", [noise_frame(seed + frame, 64, 64) for frame in range(8)])
        for seed in (0, 100)
    ]


def test_everything_public_can_be_imported() -> None:
    assert {"UsageError", "VideoError", "VideoScore", "read_reference", "read_results", "score_many"} <= set(
        cover.__all__
    )
    assert all(getattr(cover, name).__name__ == name for name in cover.__all__)


@pytest.mark.parametrize("workers", [0, 1])
def test_many_videos_have_the_scores_of_each(videos: list[Path], model: COVER, workers: int) -> None:
    scored = dict(cover.score_many(videos, model, workers=workers))
    assert {video: str(score) for video, score in scored.items()} == {
        video: str(cover.score(video, model)) for video in videos
    }


def test_a_video_that_fails_gives_its_reason_and_stops_nothing(videos: list[Path], model: COVER) -> None:
    given: list[str | Path] = ["missing.mp4", videos[0]]
    scored = dict(cover.score_many(given, model, workers=0))
    assert isinstance(scored[videos[0]], VideoScore)
    assert isinstance(scored["missing.mp4"], cover.VideoError)
    assert str(scored["missing.mp4"]) == "no such file"


def test_a_video_given_twice_is_scored_twice(videos: list[Path], model: COVER) -> None:
    assert [video for video, _ in cover.score_many([videos[0]] * 2, model, workers=0)] == [videos[0]] * 2


def test_progress_counts_failures(model: COVER, capsys: pytest.CaptureFixture[str]) -> None:
    list(cover.score_many(["missing.mp4"], model, workers=0, progress=True))
    assert "(1 failed)" in capsys.readouterr().err


def test_a_script_needs_no_main_guard(videos: list[Path], tmp_path: Path) -> None:
    """Decoding processes do not import the script a second time."""
    script = tmp_path / "script.py"
    script.write_text(
        "import cover\n"
        "print('started')\n"
        f"for video, score in cover.score_many({[str(path) for path in videos]}, cover.load_model('cover_lite')):\n"
        "    print(type(score).__name__)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["started", "VideoScore", "VideoScore"]


def test_a_score_prints_in_a_few_lines_and_becomes_json() -> None:
    score = VideoScore(
        *(0.5, -0.25, 0.125, 0.375, 3.5, 62.4),
        *(NONE, NONE, NONE),
        notes=("2 frames could not be decoded",),
        part=Part(1.0, None),
    )
    assert str(score) == (
        "overall 0.375 (semantic 0.500, technical -0.250, aesthetic 0.125)\n"
        "predicted MOS 3.50\n"
        "higher than 62 % of the reference videos\n"
        "note: 2 frames could not be decoded"
    )
    assert repr(score) == "VideoScore(semantic=0.5000, technical=-0.2500, aesthetic=0.1250, overall=0.3750)"
    assert json.loads(json.dumps(score.to_dict())) == {
        "semantic": 0.5,
        "technical": -0.25,
        "aesthetic": 0.125,
        "overall": 0.375,
        "predicted_mos": 3.5,
        "percentile": 62.4,
        "start": 1.0,
        "end": None,
        "notes": ["2 frames could not be decoded"],
    }


def test_results_are_read_as_a_table(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text("Filename,semantic,technical,aesthetic,overall\na.mp4,1,2,3,6\n")
    table = cover.read_results(tmp_path)
    assert table.loc["a.mp4", "overall"] == 6
    with pytest.raises(cover.UsageError, match="nothing"):
        cover.read_results(tmp_path / "nothing")


def test_a_folder_of_videos_is_not_taken_for_frames(videos: list[Path], model: COVER, tmp_path: Path) -> None:
    for video in videos:
        (tmp_path / video.name).write_bytes(video.read_bytes())
    Image.fromarray(noise_frame(0, 64, 64)).save(tmp_path / "image.png")
    with pytest.raises(cover.VideoError, match=r"holds 2 videos, such as 0\.mp4; score_many scores several"):
        cover.score(tmp_path, model)
    for video in videos:
        (tmp_path / video.name).unlink()
    assert cover.score(tmp_path, model).overall == cover.score(tmp_path / "image.png", model).overall


@pytest.mark.parametrize("single", ["clip.mp4", Path("clip.mp4")])
def test_one_path_in_place_of_several_is_refused(single: str | Path, model: COVER) -> None:
    with pytest.raises(cover.UsageError, match=r"score_many\(\['clip\.mp4'\], model\)"):
        list(cover.score_many(single, model))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cover.load_model("cover-lite"), r"cover-lite: there is no such model .*; did you mean cover_lite\?"),
        (lambda: cover.load_model("cover_lite", device="cuda:77"), "device=cuda:77: there is no such device here"),
        (lambda: cover.score("a.mp4", "cover_lite"), r"load it first: model = cover.load_model\('cover_lite'\)"),  # type: ignore[arg-type]
    ],
)
def test_what_people_try_first_is_one_line(call: Callable[[], object], message: str) -> None:
    with pytest.raises(cover.UsageError, match=message):
        call()


def test_tab_completion_finds_what_is_public() -> None:
    assert {*cover.__all__} <= {*dir(cover)}
