"""Every reader on a small folder laid out like its dataset: what it finds, under which names, and what it refuses."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from cover.datasets._annotation import AnnotatedDataset
from cover.datasets.lsvq import LSVQ
from scipy.io import savemat

from cover.errors import UsageError
from cover.rows import Row
from tests.datasets.conftest import Miniset, reader
from tests.helpers.minisets import KINDS, make_miniset

Open = Callable[..., AnnotatedDataset]
OTHERS = [kind for kind in KINDS if kind != "maxwell"]  # whose own annotation is no such text file
SPLITS = {"lsvq": "test", "maxwell": "val", "koniq_10k": "test"}


@pytest.fixture
def open_(root: Path) -> Open:
    """``open_(kind, folder)`` reads a folder in the split that the config takes by default."""

    def read(kind: str, folder: Path, annotation: Path | None = None, split: str | None = None) -> AnnotatedDataset:
        return reader(root, kind)(folder, annotation, split or SPLITS.get(kind))

    return read


@pytest.mark.parametrize("count", [2, 8, 13])
def test_a_small_dataset(kind: str, open_: Open, tmp_path: Path, count: int) -> None:
    make_miniset(kind, tmp_path / "data", Path.touch, count)
    dataset = open_(kind, tmp_path / "data")
    rows = list(dataset)
    scores = [row.mos for row in rows if row.mos is not None]
    low, high = dataset.mos_range
    assert len(dataset) == len(rows) == len(scores) == len(set(scores)) == count
    assert max(scores) - min(scores) > 0.55 * (high - low)
    assert all(row.path == tmp_path / "data" / row.name and row.path.is_file() for row in rows)


@pytest.mark.parametrize(
    ("kind", "split", "count"),
    [
        ("lsvq", "test", 8),
        ("lsvq", "train", 3),
        ("lsvq", "test_1080p", 2),
        ("maxwell", "val", 8),
        ("maxwell", "train", 2),
        ("koniq_10k", "test", 8),
        ("koniq_10k", "training", 2),
        ("koniq_10k", "validation", 2),
        ("koniq_10k", "all", 12),
    ],
)
def test_splits(*, miniset: Miniset, open_: Open, root: Path, kind: str, split: str, count: int) -> None:
    folder = miniset(kind)
    rows = list(open_(kind, folder, split=split))
    assert len(rows) == count
    assert all(row.path.is_file() for row in rows)
    for other in reader(root, kind).annotations:
        if other != split and "all" not in (other, split):
            assert {row.name for row in rows}.isdisjoint(row.name for row in open_(kind, folder, split=other))


def test_a_split_that_there_is_not(miniset: Miniset, open_: Open, kind: str) -> None:
    with pytest.raises(UsageError, match=r"data.split=psychic: .* takes "):
        open_(kind, miniset(kind), split="psychic")


@pytest.mark.parametrize("kind", OTHERS)
def test_the_text_form_gives_the_same_rows(miniset: Miniset, open_: Open, kind: str) -> None:
    folder = miniset(kind)
    native = list(open_(kind, folder))
    (folder / "list.txt").write_text("".join(f"{row.name}, -1, -1, {row.mos}\n" for row in native))
    text = list(open_(kind, folder, folder / "list.txt"))
    assert [(row.path, row.mos) for row in text] == [(row.path, row.mos) for row in native]
    for row, other in zip(text, native, strict=True):
        assert row.extras.items() <= other.extras.items()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("konvid_1k", "labels.txt"),
        ("konvid_1k", "KoNViD_1k_mos.csv"),
        ("konvid_1k", "KONVID_1K_metadata.csv"),
        ("live_vqc", "LIVE_VQC_metadata.csv"),
        ("live_vqc", "labels.txt"),
        ("youtube_ugc", "MOS_for_YouTube_UGC_dataset.csv"),
        ("youtube_ugc", "labels.txt"),
        ("lsvq", "labels_test.txt"),
        ("cvd2014", "labels.txt"),
        ("live_qualcomm", "labels.txt"),
        ("live_qualcomm", "mp4labels.txt"),
        ("koniq_10k", "test_labels.txt"),
    ],
)
def test_other_annotations_are_found(miniset: Miniset, open_: Open, kind: str, name: str) -> None:
    folder = miniset(kind)
    native = open_(kind, folder)
    native.annotation.unlink()
    rows = list(native)
    texts = {
        "labels.txt": "".join(f"{row.name}, 8.0, 25, {row.mos}\n" for row in rows),
        "KoNViD_1k_mos.csv": '"flickr_id","mos"\n'
        + "".join(f"{row.extras.get('flickr_id')}.0,{row.mos}\n" for row in rows),
        "KONVID_1K_metadata.csv": "flickr_id,mos,framerate\n"
        + "".join(f"{row.extras.get('flickr_id')},{row.mos},25\n" for row in rows),
        "LIVE_VQC_metadata.csv": "File,MOS,framerate\n" + "".join(f"{row.path.name},{row.mos},25\n" for row in rows),
        "MOS_for_YouTube_UGC_dataset.csv": "vid,category,MOS full\n"
        + "".join(f"{row.path.name.split('_crf')[0]},x,{row.mos}\n" for row in rows),
    }
    (folder / name).write_text(texts.get(name, texts["labels.txt"]))
    found = open_(kind, folder)
    assert found.annotation == folder / name
    assert [(row.path, row.mos) for row in found] == [(row.path, row.mos) for row in rows]
    if name.endswith("txt"):
        assert all(row.extras["duration"] == 8.0 and row.extras["fps"] == 25.0 for row in found)
    if "metadata" in name:
        assert all(row.extras["fps"] == 25.0 for row in found)


@pytest.mark.parametrize(
    ("kind", "renamed"),
    [
        ("konvid_1k", r"KoNViD_1k_videos/(\d+).mp4 -> KoNViD_1k_videos/\1_original_centercrop_960x540_8s.mp4"),
        ("konvid_1k", r"KoNViD_1k_videos/(\d+).mp4 -> KoNViD_1k_videos/\1_cut_centercrop_960x540_8s.mp4"),
        ("konvid_1k", r"KoNViD_1k_videos/(\d+).mp4 -> \1.mp4"),
        ("live_vqc", r"Video/(\w\d+)(NEW)?.mp4 -> Video/\1.mp4"),
        ("live_vqc", r"Video/(\w\d+)(NEW)?.mp4 -> Video/\1NEW.mp4"),
        ("live_vqc", r"Video/(.+) -> \1"),
        ("live_vqc", r"Video/(.+).mp4 -> VIDEO/\1.MP4"),
        ("youtube_ugc", r"original_videos_h264/(.+)_crf_10_ss_00_t_20.0.mp4 -> \1.mkv"),
        ("youtube_ugc", r"original_videos_h264/((\w+)_(\d+P).+)_crf_.* -> original_videos/\2/\3/\1.mkv"),
        ("youtube_ugc", r"original_videos_h264/(.+) -> \1"),
        ("cvd2014", r"(.*)Talking_[Hh]ead_D(.*) -> \1Talking_HEAD_D\2"),
        ("cvd2014", r"(.*)Talking_head/(.*) -> \1Talking head/\2"),
        ("live_qualcomm", r"(.*).mp4 -> \1.yuv"),
        ("live_qualcomm", r"(.*)/(.*).mp4 -> \2.yuv"),
        ("maxwell", r"videos/(.*) -> \1"),
        ("koniq_10k", r"1024x768/(.*) -> 512x384/\1"),
        ("koniq_10k", r"1024x768/(.*) -> \1"),
    ],
)
def test_other_names_of_the_videos(miniset: Miniset, open_: Open, kind: str, renamed: str) -> None:
    folder = miniset(kind)
    before = list(open_(kind, folder))
    pattern, _, replacement = renamed.partition(" -> ")
    expected = []
    for row in before:
        name = re.sub(pattern, replacement, row.name)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        row.path.rename(folder / name)
        expected.append((name, row.mos))
        if not any(row.path.parent.iterdir()):
            row.path.parent.rmdir()
    after = list(open_(kind, folder))
    assert [(row.name, row.mos) for row in after] == expected
    assert [row.path for row in after] == [folder / name for name, _ in expected]


def test_the_larger_images_come_first(miniset: Miniset, open_: Open) -> None:
    folder = miniset("koniq_10k")
    (folder / "512x384").mkdir()
    for path in (folder / "1024x768").iterdir():
        (folder / "512x384" / path.name).touch()
    assert {row.path.parent.name for row in open_("koniq_10k", folder)} == {"1024x768"}


def test_missing_videos_keep_their_rows(miniset: Miniset, open_: Open, kind: str) -> None:
    folder = miniset(kind)
    before = list(open_(kind, folder))
    before[1].path.unlink()
    after = list(open_(kind, folder))
    assert len(after) == len(before)
    assert [row.path.exists() for row in after].count(False) == 1
    assert not after[1].path.exists()


def test_a_folder_without_the_annotation(kind: str, open_: Open, root: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        open_(kind, tmp_path)
    message, cls = str(error.value), reader(root, kind)
    assert message.startswith(f"data.root={tmp_path}: no annotation of {cls.title} in it; expected ")
    assert all(name in message for name in cls.annotations[SPLITS.get(kind)])
    assert cls.source in message
    assert "data.annotation=FILE" in message


def test_a_folder_that_is_not_there(kind: str, open_: Open, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"data.root={tmp_path}/nowhere: no such folder"):
        open_(kind, tmp_path / "nowhere")


def test_a_folder_without_one_video(miniset: Miniset, open_: Open, root: Path, kind: str) -> None:
    folder = miniset(kind)
    rows = list(open_(kind, folder))
    for row in rows:
        row.path.unlink()
    with pytest.raises(UsageError) as error:
        open_(kind, folder)
    assert f"none of the {len(rows)} files that" in str(error.value)
    assert rows[0].path.name in str(error.value)
    assert reader(root, kind).source in str(error.value)


def test_an_annotation_that_is_not_there(miniset: Miniset, open_: Open, kind: str) -> None:
    folder = miniset(kind)
    with pytest.raises(UsageError, match="nowhere: No such file"):
        open_(kind, folder, folder / "nowhere")


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"a,b\n1,2\n", b"MATLAB 5.0 MAT-file", b"PK\x03\x04", b"\x00\xff" * 99]
)
def test_an_annotation_that_is_something_else(miniset: Miniset, open_: Open, kind: str, content: bytes) -> None:
    folder = miniset(kind)
    for name in ("other", "other.txt"):
        (folder / name).write_bytes(content)
        with pytest.raises(UsageError, match=re.escape(f"{folder}/{name}")) as error:
            open_(kind, folder, folder / name)
        assert "\n" not in str(error.value)


def test_a_damaged_matlab_file(miniset: Miniset, open_: Open) -> None:
    for kind in ("live_vqc", "live_qualcomm"):
        folder = miniset(kind)
        path = open_(kind, folder).annotation
        content = path.read_bytes()
        for size in range(130, len(content), 97):
            path.write_bytes(content[:size])
            with pytest.raises(UsageError, match=path.name):
                open_(kind, folder)


def test_a_matlab_file_of_version_73(miniset: Miniset, open_: Open) -> None:
    folder = miniset("live_vqc")
    (folder / "data.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(512))
    with pytest.raises(UsageError, match=r"data.mat: not a readable MATLAB file"):
        open_("live_vqc", folder)


def test_a_matlab_file_of_another_dataset(miniset: Miniset, open_: Open) -> None:
    folder = miniset("live_vqc")
    savemat(folder / "other.mat", {"video_list": ["A001.mp4"]})
    with pytest.raises(UsageError, match=r"other.mat: not LIVE-VQC's data.mat"):
        open_("live_vqc", folder, folder / "other.mat")
    names = np.array(["A001.mp4", "A002.mp4"], dtype=object)
    savemat(folder / "other.mat", {"video_list": names, "mos": np.arange(3)})
    with pytest.raises(UsageError, match=r"other.mat: 2 names in video_list, but 3 scores in mos"):
        open_("live_vqc", folder, folder / "other.mat")
    with pytest.raises(UsageError, match=r"other.mat: not qualcommSubjectiveData.mat"):
        open_("live_qualcomm", folder, folder / "other.mat")


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("mos", ["nan", "inf", "-11", "101"])
def test_scores_outside_the_scale(miniset: Miniset, open_: Open, kind: str, mos: str) -> None:
    folder = miniset(kind)
    first, second, *_ = open_(kind, folder)
    (folder / "list.txt").write_text(f"{first.name}, -1, -1, {first.mos}\n{second.name}, -1, -1, {mos}\n")
    with pytest.raises(UsageError, match=rf"list.txt, line 2: MOS {mos} is outside \S+\.\.\S+ of "):
        open_(kind, folder, folder / "list.txt")


@pytest.mark.parametrize("kind", OTHERS)
def test_a_video_rated_twice(miniset: Miniset, open_: Open, kind: str) -> None:
    folder = miniset(kind)
    first, second, *_ = open_(kind, folder)
    lines = [f"{row.name}, -1, -1, {row.mos}\n" for row in (first, second, first)]
    (folder / "list.txt").write_text("".join(lines))
    with pytest.raises(UsageError, match=rf"list.txt, line 3: {first.name} is rated already \(.*list.txt, line 1\)"):
        open_(kind, folder, folder / "list.txt")


def test_two_names_of_one_video(miniset: Miniset, open_: Open) -> None:
    folder = miniset("live_vqc")
    (folder / "labels.txt").write_text("Video/A001.mp4, -1, -1, 50\nVideo/A001NEW.mp4, -1, -1, 51\n")
    with pytest.raises(UsageError, match=r"labels.txt, line 2: Video/A001.mp4 is rated already"):
        open_("live_vqc", folder, folder / "labels.txt")


@pytest.mark.parametrize("name", ["/etc/A001.mp4", "../A001.mp4", "Video/../../A001.mp4"])
def test_videos_outside_the_folder(miniset: Miniset, open_: Open, name: str) -> None:
    folder = miniset("live_vqc")
    (folder / "labels.txt").write_text(f"{name}, -1, -1, 50\n")
    with pytest.raises(UsageError, match=f"labels.txt, line 1: {name} is not a path below the dataset's folder"):
        open_("live_vqc", folder, folder / "labels.txt")


@pytest.mark.parametrize("kind", ["live_vqc", "lsvq", "live_qualcomm", "koniq_10k"])
def test_five_point_scores_on_a_scale_of_a_hundred(miniset: Miniset, open_: Open, kind: str) -> None:
    folder = miniset(kind)
    first, second, *_ = open_(kind, folder)
    (folder / "list.txt").write_text(f"{first.name}, -1, -1, 1.5\n{second.name}, -1, -1, 4.5\n")
    with pytest.raises(UsageError, match=r"list.txt: every MOS is within 1..5, but .* is rated on 0..100"):
        open_(kind, folder, folder / "list.txt")


@pytest.mark.parametrize(
    ("kind", "old", "new", "message"),
    [
        ("konvid_1k", ",2.197,", ",,", "line 2: MOS is empty"),
        ("konvid_1k", ",2.197,", ",good,", "line 2: MOS is 'good', not a number"),
        ("konvid_1k", ",2.197,", ",2,197,", "line 2: more fields than the header has"),
        ("konvid_1k", ",MOS,", ",Score,", r"no column MOS \(found: flickr_id, download_id, file_name, Score, ti"),
        ("konvid_1k", "\n4542323059,", '\n"4542323059,', "not a readable table"),
        ("cvd2014", ";22,037;", ";22.037,5;", "line 2: Realignment MOS is '22.037.5', not a number"),
        ("cvd2014", "Test01_City", "Clip01_City", r"line 2: file name 'Clip01_City_D01' does not begin with its test"),
        ("lsvq", ",True,True\n", ",Yes,True\n", "line 2: is_test is 'yes', neither True nor False"),
        ("koniq_10k", ",test\n", ",testing\n", "line 4: set is 'testing', not training, validation or test"),
        ("maxwell", "0001.mp4, ", "0001.mp4, 8.0, ", None),
    ],
)
def test_malformed_native_annotations(
    *, miniset: Miniset, open_: Open, kind: str, old: str, new: str, message: str | None
) -> None:
    folder = miniset(kind)
    path = open_(kind, folder).annotation
    text = path.read_bytes().decode()
    assert old in text
    path.write_bytes(text.replace(old, new, 1).encode())
    if message is None:  # "0001.mp4, 8.0" is a name that could be
        assert not next(row for row in open_(kind, folder) if row.name.startswith("0001")).path.exists()
        return
    with pytest.raises(UsageError, match=rf"{path.name}(, |: ).*{message}|{path.name}, {message}"):
        open_(kind, folder)


def test_lsvq_leaves_out_the_broken_videos_at_the_end(miniset: Miniset, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = miniset("lsvq")
    monkeypatch.setattr(LSVQ, "listed", 9)  # 8 test rows and one of training
    assert len(LSVQ(folder, split="test")) == 8
    assert len(LSVQ(folder, split="train")) == 1
    monkeypatch.setattr(LSVQ, "listed", 5)
    assert len(LSVQ(folder, split="test")) == 5


def test_lsvq_tells_its_lists_apart(miniset: Miniset, open_: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = miniset("lsvq")
    with pytest.raises(
        UsageError, match=r"labels_test_1080p.csv: it has no column is_test, so it does not hold split test"
    ):
        open_("lsvq", folder, folder / "labels_test_1080p.csv")
    with pytest.raises(UsageError, match=r"labels_train_test.csv: it has a column is_test, .* split test_1080p"):
        open_("lsvq", folder, folder / "labels_train_test.csv", "test_1080p")
    (folder / "labels.txt").write_text("".join(f"{row.name}, -1, -1, {row.mos}\n" for row in open_("lsvq", folder)))
    monkeypatch.setattr(LSVQ, "both_tests", 8)
    with pytest.raises(UsageError, match=r"labels.txt: it holds both test sets"):
        open_("lsvq", folder, folder / "labels.txt")


def test_lsvq_refuses_the_damaged_training_list(miniset: Miniset, open_: Open) -> None:
    folder = miniset("lsvq")
    (folder / "list.txt").write_text("yfcc-batch1/700.mp4, -1, -1, 9\nia-batch15/Wrestling_-_Ancover.mp4, -1, -1, 63\n")
    with pytest.raises(UsageError, match=r"list.txt, line 2: .*Ancover.mp4 is a damaged name .* take DOVER's"):
        open_("lsvq", folder, folder / "list.txt", "train")


def test_koniq_takes_the_scale_of_a_hundred(miniset: Miniset, open_: Open) -> None:
    folder = miniset("koniq_10k")
    expected = [(row.name, row.mos) for row in open_("koniq_10k", folder, split="all")]
    (folder / "koniq10k_distributions_sets.csv").unlink()
    lines = [f"{name.split('/')[1]},105,{1 + mos / 25},0.5,{mos}" for name, mos in expected]
    scores = folder / "koniq10k_scores_and_distributions.csv"
    scores.write_text("\n".join(["image_name,c_total,MOS,SD,MOS_zscore", *lines]))
    assert [(row.name, row.mos) for row in open_("koniq_10k", folder, split="all")] == expected

    with pytest.raises(UsageError, match=r"no column set, so its splits are unknown; .* or data.split=all"):
        open_("koniq_10k", folder)
    scores.write_text("\n".join(["image_name,c_total,MOS,SD", *(line.rsplit(",", 1)[0] for line in lines)]))
    with pytest.raises(UsageError, match=r"every MOS is within 1..5, but KonIQ-10k is rated on 0..100"):
        open_("koniq_10k", folder, split="all")


def test_maxwell_has_three_scores(miniset: Miniset, open_: Open) -> None:
    folder = miniset("maxwell")
    (folder / "val_labels.txt").write_text("0001.mp4, 1.25, 2.5, 3.75\n")
    (row,) = open_("maxwell", folder)
    assert (row.mos, row.extras) == (3.75, {"technical_mos": 1.25, "aesthetic_mos": 2.5})
    (folder / "val_labels.txt").write_text("0001.mp4, -1, -1, 3.75\n")
    with pytest.raises(UsageError, match=r"val_labels.txt, line 1: expected 'path, technical, aesthetic, overall'"):
        open_("maxwell", folder)
    (folder / "MaxWell_val.csv").write_text("O,A-1,T-all\n1.03,-0.94,1.11\n")
    with pytest.raises(UsageError, match=r"MaxWell_val.csv: it names no videos; take val_labels.txt"):
        open_("maxwell", folder, folder / "MaxWell_val.csv")


def test_youtube_ugc_reads_the_workbook(miniset: Miniset, open_: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = miniset("youtube_ugc")
    expected = [(row.name, row.mos) for row in open_("youtube_ugc", folder)]
    (folder / "YOUTUBE_UGC_metadata.csv").unlink()
    workbook = folder / "original_videos/MOS_for_YouTube_UGC_dataset.xlsx"
    workbook.parent.mkdir()
    cells = [(name.split("/")[1].split("_crf")[0], "x", mos, mos) for name, mos in expected]
    sheet = pd.DataFrame(cells, columns=["vid", "category", "MOS full", "MOS chunk00"])
    try:
        sheet.to_excel(workbook, sheet_name="MOS", index=False)
    except ImportError:  # it is optional
        workbook.write_bytes(b"PK")
        monkeypatch.setattr(pd, "read_excel", lambda *_, **__: sheet.astype(str))
    rows = list(open_("youtube_ugc", folder))
    assert [(row.name, row.mos) for row in rows] == expected
    assert rows[0].extras == {"category": "Animation", "resolution": 360, "mos_chunk00": rows[0].mos}


def test_youtube_ugc_says_what_the_workbook_needs(
    miniset: Miniset, open_: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = miniset("youtube_ugc")
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    (folder / "MOS_for_YouTube_UGC_dataset.xlsx").write_bytes(b"PK")
    with pytest.raises(UsageError, match=r"\.xlsx: reading it needs python-calamine: pip install .* as CSV"):
        open_("youtube_ugc", folder)


def test_configs(kind: str, root: Path) -> None:
    files, own = (yaml.safe_load((root / "configs/data" / f"{name}.yaml").read_text()) for name in ("_files", kind))
    config = {**files, **own}
    cls = reader(root, kind)
    assert config["root"] == f"${{dataset_folder:{kind}}}"
    assert config["annotation"] is None
    assert set(config["rows"]) == {"_target_", "root", "annotation"} | ({"split"} if kind in SPLITS else set())
    assert config.get("split") == SPLITS.get(kind)
    assert config.get("split") in cls.annotations
    assert set(config["raw"]) == {"width", "height", "pixel_format", "fps"}
    assert set(config["card"]) == {"title", "videos", "resolution", "mos", "terms", "source"}
    assert (config["card"]["title"], config["card"]["source"]) == (cls.title, cls.source)


class TestKonvidInMatlab:
    """Names and scores in the forms that MATLAB users keep them in."""

    SCORES = np.array([3.5, 2.25])

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        for name in ("4542323058", "10053703034"):
            (tmp_path / "KoNViD_1k_videos").mkdir(exist_ok=True)
            (tmp_path / f"KoNViD_1k_videos/{name}.mp4").touch()
        return tmp_path

    @pytest.mark.parametrize(
        "variables",
        [
            pytest.param({"flickr_ids": np.array([4542323058.0, 10053703034.0]), "mos": SCORES}, id="numbers"),
            pytest.param({"video_names": ["4542323058.mp4", "10053703034.mp4"], "scores": SCORES}, id="file names"),
            pytest.param({"flickr_id": ["4542323058", "10053703034"], "MOS": SCORES}, id="ids as text"),
            pytest.param(
                {"data": {"flickr_ids": np.array([4542323058.0, 10053703034.0]), "mos": SCORES}}, id="a struct"
            ),
        ],
    )
    def test_version_5(self, variables: dict[str, Any], folder: Path, open_: Open) -> None:
        cells = {
            name: np.array(value, dtype=object) if isinstance(value, list) else value
            for name, value in variables.items()
        }
        savemat(folder / "KoNViD_1k_mos.mat", cells)
        self.check(list(open_("konvid_1k", folder)))

    def test_version_73(self, folder: Path, open_: Open) -> None:
        h5py = pytest.importorskip("h5py", reason="writes the file")
        with h5py.File(folder / "KoNViD-1kinfo.mat", "w", userblock_size=512) as file:
            names = [np.array(list(map(ord, name)), np.uint16) for name in ("4542323058.mp4", "10053703034.mp4")]
            cells = [file.create_dataset(f"#refs#/{place}", data=name[:, None]) for place, name in enumerate(names)]
            file.create_dataset("video_names", data=[[cell.ref for cell in cells]], dtype=h5py.ref_dtype)
            file.create_dataset("scores", data=self.SCORES[None])
        header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(116) + bytes(8) + b"\x00\x02IM"
        data = (folder / "KoNViD-1kinfo.mat").read_bytes()
        (folder / "KoNViD-1kinfo.mat").write_bytes(header + data[len(header) :])
        self.check(list(open_("konvid_1k", folder)))

    def check(self, rows: list[Row]) -> None:
        assert [(row.path.name, row.mos) for row in rows] == [("4542323058.mp4", 3.5), ("10053703034.mp4", 2.25)]
        assert all(row.path.exists() for row in rows)

    @pytest.mark.parametrize(
        ("variables", "message"),
        [
            (
                {"flickr_ids": np.arange(3.0), "mos": SCORES},
                r"of one length \(found: flickr_ids, mos\)",
            ),
            ({"flickr_ids": np.array([np.nan, 4542323058]), "mos": SCORES}, r"entry 1: the video has no name"),
            ({"flickr_ids": np.arange(2.0), "mos": np.array([np.nan, 2])}, r"entry 1: MOS nan is outside 1..5"),
        ],
    )
    def test_what_is_no_annotation(self, variables: dict[str, Any], message: str, folder: Path, open_: Open) -> None:
        savemat(folder / "KoNViD_1k_mos.mat", variables)
        with pytest.raises(UsageError, match=message):
            open_("konvid_1k", folder)
