"""Clips made of pristine sources: what is done to them, how they are rated, and what is made when."""

import dataclasses
import functools
import inspect
import itertools
import logging
from collections import Counter, defaultdict
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import yaml
from cover.datasets.generated import Synthetic, clips, codecs, distortions
from cover.datasets.generated.clips import MIXED, PRISTINE, plan
from cover.datasets.generated.distortions import KINDS
from cover.datasets.generated.pseudo_mos import LEVELS, rate
from cover.datasets.generated.sources import PristineSource, film, generator, survey, without_copies
from cover.datasets.table import Table
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cover.errors import UsageError
from cover.evaluation.splits.splits import check_leaks, column_split, grouped_splits
from cover.rows import Row
from cover.scores import BRANCHES
from cover.video import decode, probe
from tests.helpers.clips import write_clip
from tests.helpers.rated import scene

KINDS_MADE = ["h264", "blur", "noise", "low_contrast", "occlusion", MIXED]
OPTIONS = {"split": "all", "takes": 1, "per_content": 7, "seconds": 0.25, "kinds": KINDS_MADE, "workers": 2}


@functools.cache
def canvas() -> np.ndarray:
    return scene(1, 960, np.random.default_rng(0))[0]


def photo(path: Path, width: int = 470, height: int = 400, corner: int = 0) -> Path:
    """A part of one canvas; those of up to 480 px in different corners have nothing in common."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = slice(height) if corner < 2 else slice(-height, None)
    columns = slice(width) if corner % 2 else slice(-width, None)
    Image.fromarray(canvas()[rows, columns]).save(path)
    return path


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("content") / "pristine"
    photo(folder / "wide.png", 470, 400, corner=1)
    photo(folder / "day 1/tall.jpg", 400, 480, corner=2)
    write_clip(folder / "clip.mp4", list(scene(20, 360, np.random.default_rng(3))), options={"crf": "10"})
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no photo")
    Image.fromarray(np.full((400, 400, 3), 90, dtype=np.uint8)).save(folder / "wall.png")
    return folder


@pytest.fixture(scope="module")
def made(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Synthetic:
    return Synthetic(sources, tmp_path_factory.mktemp("clips") / "a", **OPTIONS)


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    frames = scene(24, 160, np.random.default_rng(5))[:, :128]
    frames.setflags(write=False)  # nothing may be done to a clip in place
    return frames


def source_of(path: Path) -> PristineSource:
    return survey(path, f"pristine/{path.name}")


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    return 10 * np.log10(255**2 / max(1e-9, np.mean((first.astype(np.float64) - second) ** 2)))


# --- distortions ---


def damage(kind: str, clean: np.ndarray, distorted: np.ndarray) -> float:
    """How much has been done to a clip."""
    if kind in ("crop", "tilt"):
        return clean[0].size - distorted[0].size
    if kind == "stutter":
        changes = np.flatnonzero([(first != second).any() for first, second in itertools.pairwise(distorted)])
        return float((np.diff([-1, *changes, len(distorted) - 1]) ** 2).sum())  # long freezes count for more
    if kind == "flicker":
        return distorted.mean(axis=(1, 2, 3)).std()
    return -psnr(clean, distorted)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("variant", [0, 1])
def test_each_level_does_more(kind: str, variant: int, clean: np.ndarray) -> None:
    levels = [KINDS[kind](clean, level, np.random.default_rng(variant)) for level in LEVELS]
    for distorted in levels:
        assert distorted.dtype == np.uint8
        assert len(distorted) == len(clean)
        assert not any(size % 2 for size in distorted.shape[1:3])
        assert kind in ("crop", "tilt") or distorted.shape == clean.shape
    measured = [damage(kind, clean, distorted) for distorted in levels]
    assert measured == sorted(set(measured))
    assert damage(kind, clean, clean) < measured[0]


@pytest.mark.parametrize("kind", ["h264", "hevc", "vp9", "mpeg", "noise", "corruption", "overlay"])
def test_a_seed_decides_everything(kind: str, clean: np.ndarray) -> None:
    first, again, other = (KINDS[kind](clean, 4, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_blurs_take_detail_and_noise_adds_some(clean: np.ndarray) -> None:
    def detail(kind: str, level: int) -> float:
        return float(np.abs(np.diff(KINDS[kind](clean, level, np.random.default_rng(0)).astype(int), axis=2)).mean())

    for kind in ("blur", "defocus", "motion_blur", "scaling"):
        assert detail(kind, 1) > detail(kind, 3) > detail(kind, 5)
    assert detail("noise", 1) < detail("noise", 3) < detail("noise", 5)


def test_every_branch_has_kinds_of_its_own() -> None:
    assert Counter(kind.branch for kind in KINDS.values()).keys() == set(BRANCHES)


def test_damage_spares_the_first_picture_and_grows(clean: np.ndarray) -> None:
    packets = codecs.encoded(clean, "libx264", {"crf": "20", "tune": "zerolatency", "slices": "4", "g": "100"})

    def left(share: float) -> list[int]:
        damaged = codecs.lose_slices(packets, "libx264", share, np.random.default_rng(0))
        sizes = {packet.pts: packet.size for packet in damaged}
        return [sizes.get(number, 0) for number in range(len(packets))]

    whole, some, most = [packet.size for packet in packets], left(0.1), left(0.7)
    assert whole[0] == some[0] == most[0]
    assert all(a >= b >= c for a, b, c in zip(whole, some, most, strict=True))
    assert sum(whole) > sum(some) > sum(most)


def test_stored_clips_look_like_what_was_stored(tmp_path: Path, clean: np.ndarray) -> None:
    data = codecs.store(clean, Fraction(30000, 1001))
    assert data == codecs.store(clean, Fraction(30000, 1001))
    (tmp_path / "clip.mp4").write_bytes(data)
    info = probe(tmp_path / "clip.mp4")
    assert (info.frames, info.height, info.width) == clean.shape[:3]
    assert info.fps == pytest.approx(29.97, abs=0.01)
    decoded = np.stack([frame for _, frame in decode(tmp_path / "clip.mp4", range(info.frames))])
    grey = np.array([0.299, 0.587, 0.114])
    assert psnr(clean @ grey, decoded @ grey) > 40


# --- ratings ---

treatments = st.lists(st.tuples(st.sampled_from(BRANCHES), st.sampled_from(LEVELS)), max_size=5)


def test_ratings_of_single_distortions() -> None:
    assert dataclasses.astuple(rate([])) == (5, 5, 5, 5)
    assert [round(rate([("technical", level)]).mos, 2) for level in LEVELS] == [4.02, 3.15, 2.46, 1.95, 1.61]
    assert rate([("technical", 2), ("aesthetic", 3)]).mos == rate([("semantic", 5)]).mos


@given(treatments, st.sampled_from(BRANCHES), st.sampled_from(LEVELS))
def test_more_damage_lowers_the_mos_and_its_own_branch_alone(
    treatment: list[tuple[str, int]], branch: str, level: int
) -> None:
    before, after = (dataclasses.asdict(rate(what)) for what in (treatment, [*treatment, (branch, level)]))
    assert all(1 <= score <= 5 for score in after.values())
    assert {name for name in before if before[name] != after[name]} == {"mos", branch}
    assert after["mos"] < before["mos"]
    assert after[branch] < before[branch]
    assert after["mos"] <= min(after[name] for name in BRANCHES)


# --- sources ---


def test_clips_of_photos_are_of_their_shape_move_and_are_sharp(tmp_path: Path) -> None:
    path = photo(tmp_path / "a.png", 720, 800)
    source = source_of(path)
    assert (source.photo, source.flaw, source.fps) == (True, "", 0)
    shapes = set()
    for take in range(4):
        frames, fps = film(source, take, 0.2, seed=0)
        height, width = frames.shape[1:3]
        shapes.add((width, height))
        assert fps in (24, 25, 30)
        assert len(frames) == round(0.2 * fps)
        assert min(height, width) > 352
        assert width <= 720
        assert height <= 800
        assert all(psnr(first, second) < 50 for first, second in itertools.pairwise(frames))
        grey = Image.fromarray(frames[0]).convert("L")
        blurred = np.asarray(grey.resize((width // 2, height // 2)).resize((width, height)))
        assert psnr(np.asarray(grey), blurred) < 36  # what was enlarged survives that
    assert any(width < height for width, height in shapes)
    assert any(width > height for width, height in shapes)
    first, again, other = (film(source, 0, 0.2, seed)[0] for seed in (0, 0, 1))
    assert (first == again).all()
    assert first.shape != other.shape or (first != other).any()


def test_clips_of_videos_are_excerpts(tmp_path: Path) -> None:
    frames = scene(40, 362, np.random.default_rng(0))[:, :, :361]
    source = source_of(write_clip(tmp_path / "a.mp4", [f[:, :360] for f in frames], rate=50, options={"crf": "4"}))
    assert (source.photo, source.frames, source.fps, source.flaw) == (False, 40, 50, "")
    assert source.takes(0.4) == 2
    every = np.stack([frame for _, frame in decode(source.path, range(40))])
    starts = []
    for take in range(2):
        clip, fps = film(source, take, 0.4, seed=0)
        assert (fps, clip.shape) == (25, (10, 362, 360, 3))
        (start,) = [k for k in range(40) if (every[k] == clip[0]).all()]
        assert (every[start : start + 20 : 2] == clip).all()
        starts.append(start)
    assert abs(starts[0] - starts[1]) >= 1


@pytest.mark.parametrize(
    ("width", "height", "change", "flaw"),
    [
        (300, 500, lambda image: image, "smaller than 352 px"),
        (400, 400, lambda image: image * 0 + 90, "too smooth"),
        (400, 400, lambda image: np.where(np.arange(400)[:, None, None] < 40, 0, image), "with black bars"),
    ],
)
def test_what_will_not_do(tmp_path: Path, width: int, height: int, change: object, flaw: str) -> None:
    path = photo(tmp_path / "a.png", width, height)
    Image.fromarray(change(np.asarray(Image.open(path))).astype(np.uint8)).save(path)  # type: ignore[operator]
    assert source_of(path).flaw == flaw


def test_copies_are_found_in_other_sizes_colours_and_formats(tmp_path: Path) -> None:
    original = Image.open(photo(tmp_path / "b.png", 600, 450))
    original.resize((520, 390)).save(tmp_path / "a.jpg")
    original.crop((100, 0, 470, 450)).save(tmp_path / "part.png")
    Image.fromarray(255 - np.asarray(original)[..., ::-1]).save(tmp_path / "negative.png")
    photo(tmp_path / "other.png", 600, 450, corner=3)
    looked_at = [source_of(path) for path in sorted(tmp_path.iterdir())]
    flaws = {source.path.name: source.flaw for source in without_copies(looked_at)}
    assert {name for name, flaw in flaws.items() if not flaw} == {"b.png", "other.png"}
    (late,) = without_copies([source for source in looked_at if source.path.name == "b.png"], looked_at[:1])
    assert late.flaw == "copies of others"  # whatever has clips already stays


@given(st.text(min_size=1, max_size=20), st.text(max_size=20))
def test_randomness_depends_on_all_parts(first: str, second: str) -> None:
    assert generator(first, second, 1).random() == generator(first, second, 1).random()
    assert generator(first, second, 1).random() != generator(first, second, 2).random()


def test_splits_follow_the_name_alone(tmp_path: Path) -> None:
    source = source_of(photo(tmp_path / "a.png"))
    parts = Counter(dataclasses.replace(source, name=f"photos/{number}.jpg").split for number in range(1000))
    assert parts["train"] == pytest.approx(700, abs=60)
    assert parts["validation"] == pytest.approx(150, abs=45)
    assert dataclasses.replace(source, bytes=1, path=Path("elsewhere")).split == source.split


# --- which clips ---


@pytest.fixture
def source(tmp_path: Path) -> PristineSource:
    return source_of(photo(tmp_path / "a.png"))


def test_the_whole_plan_has_all_kinds_at_all_levels(source: PristineSource) -> None:
    clips = plan(source, 0, [*KINDS, MIXED], None, seed=0)
    assert Counter((clip.distortion, clip.level) for clip in clips) == Counter(
        [(PRISTINE, 0), *((kind, level) for kind in [*KINDS, MIXED] for level in LEVELS)]
    )
    mixed = [clip for clip in clips if clip.distortion == MIXED]
    assert {len(clip.treatment) for clip in mixed} <= {2, 3}
    order = list(KINDS)
    for clip in mixed:
        places = [order.index(kind) for kind, _ in clip.treatment]
        assert places == sorted(set(places))


@pytest.mark.parametrize("take", [0, 1])
def test_fewer_clips_are_the_beginning_of_more(source: PristineSource, take: int) -> None:
    every = plan(source, take, [*KINDS, MIXED], None, seed=3)
    assert all(plan(source, take, [*KINDS, MIXED], count, seed=3) == every[: count + 1] for count in (1, 10, 25))
    some = every[1:26]
    assert Counter(clip.distortion for clip in some)[MIXED] == 5
    branches = Counter(KINDS[clip.distortion].branch for clip in some if clip.distortion != MIXED)
    assert branches["technical"] == 10
    assert min(branches.values()) >= 4
    assert plan(source, take, ["blur"], None, seed=3)[1:] == [clip for clip in every if clip.distortion == "blur"]
    assert every != plan(source, take, [*KINDS, MIXED], None, seed=4)


# --- the dataset ---


def test_rows(made: Synthetic, sources: Path) -> None:
    rows = list(made)
    assert len(made) == len(rows) == 3 * 8
    assert {row.extras["content"].rpartition("-")[0] for row in rows} == {"wide", "tall", "clip"}
    for row in rows:
        assert row.path == made.root / row.name
        assert probe(row.path).frames >= 6
        assert row.extras["reference"] in {other.name for other in rows if other.extras["distortion"] == PRISTINE}
    pristine = [row for row in rows if row.extras["distortion"] == PRISTINE]
    assert [(row.mos, row.extras["level"], row.extras["treatment"]) for row in pristine] == [(5.0, 0, "")] * 3
    assert not list(made.root.rglob("*.part"))


def test_within_a_content_and_kind_the_mos_falls(made: Synthetic) -> None:
    groups = defaultdict(list)
    for row in made:
        groups[row.extras["content"], row.extras["distortion"]].append((row.extras["level"], row.mos))
    assert sum(len(group) > 1 for group in groups.values()) > 3
    for group in groups.values():
        scores = [mos for _, mos in sorted(group)]
        assert scores == sorted(set(scores), reverse=True)


def test_scores_of_branches_move_for_their_own_kinds_only(made: Synthetic) -> None:
    for row in made:
        touched = {KINDS[part.split(":")[0]].branch for part in str(row.extras["treatment"]).split("+") if part}
        assert {branch for branch in BRANCHES if row.extras[branch] != 5} == touched
        assert row.mos is not None
        assert row.mos <= min(float(str(row.extras[branch])) for branch in BRANCHES)


def test_the_table_reads_the_same(made: Synthetic) -> None:
    def plain(row: Row) -> tuple[object, ...]:
        return row.path, row.name, row.mos, {name: str(value) for name, value in row.extras.items()}

    table = Table(made.root / "ratings.csv")
    assert sorted(map(plain, table), key=str) == sorted(map(plain, made), key=str)


def test_no_source_is_in_two_parts(made: Synthetic) -> None:
    rows = list(made)
    check_leaks(column_split(rows), "content")
    for split in grouped_splits(rows, "content", k=3, train=0.5):
        check_leaks(split, "content")


def test_what_is_there_is_used_and_what_is_missing_is_made_again(
    made: Synthetic, sources: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in made.root.rglob("*.mp4")}
    lost, *_ = (row.path for row in made if row.extras["distortion"] == MIXED)
    lost.unlink()
    (lost.parent / ".x.mp4.part").write_bytes(b"half a clip")
    with caplog.at_level(logging.INFO):
        again = Synthetic(sources, made.root, **OPTIONS)
    assert list(again) == list(made)
    after = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in made.root.rglob("*.mp4")}
    assert {path for path in before if before[path][0] != after[path][0]} == {lost}
    assert all(before[path][1] == after[path][1] for path in before)
    assert not list(made.root.rglob("*.part"))
    assert "making 1 of 24 clips" in capfd.readouterr().err
    assert "pristine/broken.jpg is left out: " in caplog.text
    assert "3 of 5 sources will do (left out: 1 too smooth)" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_part_of_it(made: Synthetic, sources: Path) -> None:
    part = next(iter(made)).extras["split"]
    options = {**OPTIONS, "split": part, "kinds": ["blur"], "per_content": 2, "contents": 1}
    rows = list(Synthetic(sources, made.root, **options))
    assert len({row.extras["content"] for row in rows}) == 1
    assert {row.extras["split"] for row in rows} == {part}
    assert [row.extras["distortion"] for row in rows] == [PRISTINE, "blur", "blur"]
    table = Table(made.root / "ratings.csv")
    assert {row.name for row in table} >= {row.name for row in made}  # those of the other runs are still rated
    with pytest.raises(UsageError, match=r"data.folder=.* was made with .*'seed': 0.*; take another"):
        Synthetic(sources, made.root, **{**options, "seed": 1})


def test_the_same_clips_wherever_they_are_made(made: Synthetic, sources: Path, tmp_path: Path) -> None:
    options = {**OPTIONS, "kinds": [MIXED], "per_content": 1, "workers": 1}
    rows = list(Synthetic([sources / "wide.png", sources / "clip.mp4"], tmp_path / "b", **options))
    assert len(rows) == 4
    twins = {row.name: row for row in made}
    for row in rows:
        assert row.path.read_bytes() == twins[row.name].path.read_bytes()
        assert (row.mos, row.extras) == (twins[row.name].mos, twins[row.name].extras)


def test_a_source_that_goes_away_costs_its_own_clips_only(
    made: Synthetic, sources: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "pristine"
    photo(folder / "wide.png", 470, 400, corner=1)
    photo(folder / "bad.png", 400, 480, corner=2)
    options = {**OPTIONS, "kinds": ["low_contrast"], "per_content": 1, "workers": 1}
    Synthetic(folder, tmp_path / "clips", **{**options, "per_content": 2})
    data = (folder / "bad.png").read_bytes()
    (folder / "bad.png").write_bytes(data[:1000] + bytes(len(data) - 1000))
    for clip in (tmp_path / "clips").rglob("*.mp4"):
        clip.unlink()
    rows = list(Synthetic(folder, tmp_path / "clips", **options))
    assert {row.extras["content"].rpartition("-")[0] for row in rows} == {"wide"}
    assert "pristine/bad.png: clips of it are left out: " in caplog.text


def test_no_source(tmp_path: Path) -> None:
    for sources in (None, []):
        with pytest.raises(UsageError, match=r"data.sources: name a folder of sharp photos and videos, or several"):
            Synthetic(sources, tmp_path / "clips")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"^data.sources=.*empty: no video or image in it"):
        Synthetic(tmp_path / "empty", tmp_path / "clips")
    Image.new("RGB", (400, 400)).save(tmp_path / "empty/black.png")
    with pytest.raises(UsageError, match=r"data.sources: none of 1 files will do \(too smooth\)"):
        Synthetic(tmp_path / "empty", tmp_path / "clips", workers=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "val"}, "data.split=val: it takes train, validation, test or all"),
        ({"takes": 0}, "data.takes=0: it takes null or a number from 1 on"),
        ({"seconds": 0}, "data.seconds=0: a clip lasts from 0.2 to 60 s"),
        ({"kinds": ["blurr"]}, "data.kinds: no blurr; it takes crop, tilt, .*, mixed"),
    ],
)
def test_wrong_options(sources: Path, tmp_path: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Synthetic(sources, tmp_path / "clips", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "clips").exists()


def test_encoders_that_are_not_there(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(distortions, "has_encoder", lambda name: name != "libx265")
    assert set(KINDS) - set(clips._kinds(None)) == {"hevc"}
    assert "left out, because the installed PyAV lacks their encoders: hevc (libx265)" in caplog.text
    assert clips._kinds(["blur"]) == ["blur"]
    with pytest.raises(UsageError, match=r"data.kinds: .* lacks encoders for hevc \(libx265\); leave these kinds out"):
        clips._kinds(["hevc"])
    assert not codecs.has_encoder("no such encoder")


def test_config(root: Path) -> None:
    config = yaml.safe_load((root / "configs/data/synthetic.yaml").read_text())
    target = config["rows"].pop("_target_")
    parameters = inspect.signature(Synthetic).parameters
    assert target == "cover.datasets.generated.Synthetic"
    assert config["rows"] == {name: f"${{..{name}}}" for name in parameters}
    defaults = {name: parameter.default for name, parameter in parameters.items()}
    assert {name: config[name] for name in parameters if name not in ("sources", "folder")} == {
        name: value for name, value in defaults.items() if name not in ("sources", "folder")
    }
