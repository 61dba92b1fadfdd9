"""The label files that the field uses, read whole: as many rows and the scores that they are known to have."""

from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import numpy as np
import pandas as pd
import pytest

from cover.rows import Row
from tests.datasets.conftest import reader

# Config, file, split, a video in the form that some copy has it, rows, min, max and mean MOS.
FILES = [
    ("konvid_1k", "KoNViD-1k/KoNViD_1k_attributes.csv", None, "4542323058.mp4", 1200, 1.22, 4.64, 3.02952),
    ("konvid_1k", "KoNViD-1k/KONVID_1K_metadata.csv", None, "4542323058.mp4", 1200, 1.22, 4.64, 3.02952),
    ("konvid_1k", "KoNViD-1k/labels.txt", None, "KoNViD_1k_videos/4542323058.mp4", 1200, 1.22, 4.64, 3.02952),
    ("live_vqc", "LIVE-VQC/LiveVQC_data.mat", None, "Video/A001.mp4", 585, 6.22368, 94.2865, 63.29112),
    ("live_vqc", "LIVE-VQC/LIVE_VQC_metadata.csv", None, "A001.mp4", 585, 6.22368, 94.2865, 63.29112),
    ("live_vqc", "LIVE-VQC/labels.txt", None, "Video/A001.mp4", 585, 6.22368, 94.2865, 63.29112),
    ("youtube_ugc", "YouTube-UGC/YOUTUBE_UGC_metadata.csv", None, "Vlog_720P-7b30.mkv", 1380, 1.242, 4.698, 3.54295),
    ("youtube_ugc", "YouTube-UGC/labels.txt", None, "Animation_480P-7a31.mkv", 1147, 1.242, 4.677, 3.54031),
    ("lsvq", "LSVQ/train_labels.txt", "train", "yfcc-batch1/725.mp4", 28056, 2.44828, 90.51724, 59.77828),
    ("lsvq", "LSVQ/labels_test.txt", "test", "yfcc-batch1/747.mp4", 7186, 8.46667, 91.03333, 59.90862),
    ("lsvq", "LSVQ/labels_1080p.txt", "test_1080p", "yfcc-batch1/722.mp4", 3573, 17.72222, 91.41935, 66.35913),
    (
        *("lsvq", "LSVQ/SAMPLE_labels_train_test_istest_first200.csv", "test", "yfcc-batch1/747.mp4"),
        *(200, 25.96429, 91.03333, 62.95363),
    ),
    (
        *("lsvq", "LSVQ/SAMPLE_labels_test_1080p_first200.csv", "test_1080p", "yfcc-batch1/722.mp4"),
        *(200, 40.34375, 90.82353, 67.16528),
    ),
    ("cvd2014", "CVD2014/Realignment_MOS.csv", None, "Test1/City/Test01_City_D01.avi", 234, -6.5, 93.38, 44.92829),
    ("cvd2014", "CVD2014/labels.txt", None, "Test1/City/Test01_City_D01.avi", 234, -6.5, 93.38, 44.92829),
    *(
        ("live_qualcomm", f"LIVE-Qualcomm/{file}", None, f"{folder}/{name}{suffix}", 208, 16.5621, 73.64276, 50.0)
        for folder, name in [("Focus", "1024_TableTennisAtBalboa_HTCOneVx_VIDEO0138")]
        for file in ("qualcommSubjectiveData.mat", "labels.txt", "mp4labels.txt")
        for suffix in (".yuv", ".mp4")
    ),
    ("maxwell", "DIVIDE_MaxWell/train_labels.txt", "train", "videos/4542.mp4", 3634, 1.05714, 4.74286, 2.98043),
    ("maxwell", "DIVIDE_MaxWell/val_labels.txt", "val", "0000.mp4", 909, 1.02857, 4.68571, 2.97969),
    ("koniq_10k", "KonIQ-10k/training_labels.txt", "training", "10004473376.jpg", 7058, 3.91176, 88.38889, 58.73794),
    (
        "koniq_10k",
        "KonIQ-10k/validation_labels.txt",
        "validation",
        "10043785683.jpg",
        1000,
        4.94872,
        85.52754,
        58.72979,
    ),
    ("koniq_10k", "KonIQ-10k/test_labels.txt", "test", "10007357496.jpg", 2015, 4.16741, 88.24375, 58.70037),
    *(
        (*("koniq_10k", "KonIQ-10k/SAMPLE_koniq10k_distributions_sets_first200.csv", split), *found)
        for split, *found in [
            ("training", "1024x768/10004473376.jpg", 137, 4.46639, 84.12924, 60.46588),
            ("test", "512x384/10007357496.jpg", 40, 20.62162, 81.50625, 62.05366),
            ("all", "10004473376.jpg", 200, 4.46639, 84.12924, 61.12285),
        ]
    ),
]

Read = Callable[..., list[Row]]


@pytest.fixture
def read(root: Path, shared: Path, tmp_path: Path) -> Read:
    """Reads a label file for a dataset folder in which there is one video."""

    def rows(kind: str, file: str, split: str | None, video: str) -> list[Row]:
        path = tmp_path / video
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        return list(reader(root, kind)(tmp_path, shared / "reference/labels" / file, split))

    return rows


@pytest.mark.parametrize(("kind", "file", "split", "video", "count", "low", "high", "mean"), FILES)
def test_counts_and_scores(
    *, read: Read, kind: str, file: str, split: str | None, video: str, count: int, low: float, high: float, mean: float
) -> None:
    rows = read(kind, file, split, video)
    scores = [row.mos for row in rows if row.mos is not None]
    assert len(scores) == len(rows) == len({row.name for row in rows}) == count
    assert [min(scores), max(scores), fmean(scores)] == pytest.approx([low, high, mean], abs=6e-6)
    assert [row.name for row in rows if row.path.exists()] == [video]


def by_name(rows: list[Row], *, suffix: bool = True) -> dict[str, float]:
    """Scores by what all forms of an annotation call a video alike."""
    names = (row.name.rsplit("/", 1)[-1].casefold() for row in rows)
    shortened = {"_original_centercrop_960x540_8s": "", "_cut_centercrop_960x540_8s": "", "new.mp4": ".mp4"}
    table = {}
    for name, row in zip(names, rows, strict=True):
        for long, short in shortened.items():
            name = name.replace(long, short)
        table[name if suffix else name.rsplit(".", 1)[0]] = float(row.mos or 0)
    return table


@pytest.mark.parametrize(
    ("kind", "video", "native", "text", "tolerance"),
    [
        ("konvid_1k", "4542323058.mp4", "KoNViD-1k/KoNViD_1k_attributes.csv", "KoNViD-1k/labels.txt", 5.1e-5),
        ("konvid_1k", "4542323058.mp4", "KoNViD-1k/KONVID_1K_metadata.csv", "KoNViD-1k/labels.txt", 1e-10),
        ("live_vqc", "Video/A001.mp4", "LIVE-VQC/LiveVQC_data.mat", "LIVE-VQC/labels.txt", 0),
        ("live_vqc", "Video/A001.mp4", "LIVE-VQC/LIVE_VQC_metadata.csv", "LIVE-VQC/labels.txt", 1e-10),
        ("cvd2014", "Test01_City_D01.avi", "CVD2014/Realignment_MOS.csv", "CVD2014/labels.txt", 0),
        (
            *("live_qualcomm", "0723_ManUnderTree_GS5_03_20150723_130016.yuv"),
            *("LIVE-Qualcomm/qualcommSubjectiveData.mat", "LIVE-Qualcomm/labels.txt", 1e-12),
        ),
    ],
)
def test_native_and_text_forms_agree(
    *, read: Read, kind: str, video: str, native: str, text: str, tolerance: float
) -> None:
    expected = by_name(read(kind, text, None, video))
    assert by_name(read(kind, native, None, video)) == pytest.approx(expected, abs=tolerance, rel=0)


@pytest.mark.parametrize(
    ("kind", "split", "video", "native", "text"),
    [
        (
            *("youtube_ugc", None, "Animation_480P-7a31.mp4"),
            *("YouTube-UGC/YOUTUBE_UGC_metadata.csv", "YouTube-UGC/labels.txt"),
        ),
        (
            *("lsvq", "test_1080p", "yfcc-batch1/722.mp4"),
            *("LSVQ/SAMPLE_labels_test_1080p_first200.csv", "LSVQ/labels_1080p.txt"),
        ),
        (
            *("koniq_10k", "test", "10007357496.jpg"),
            *("KonIQ-10k/SAMPLE_koniq10k_distributions_sets_first200.csv", "KonIQ-10k/test_labels.txt"),
        ),
    ],
)
def test_native_and_text_forms_agree_where_they_overlap(
    *, read: Read, kind: str, split: str | None, video: str, native: str, text: str
) -> None:
    first, second = by_name(read(kind, native, split, video)), by_name(read(kind, text, split, video))
    both = first.keys() & second.keys()
    assert len(both) == min(len(first), len(second))
    assert {name: first[name] for name in both} == pytest.approx({name: second[name] for name in both}, abs=1e-9)


def test_the_columns_of_maxwell_are_technical_aesthetic_overall(read: Read, shared: Path) -> None:
    rows = read("maxwell", "DIVIDE_MaxWell/val_labels.txt", "val", "0000.mp4")
    scores = pd.read_csv(shared / "reference/labels/DIVIDE_MaxWell/MaxWell_val.csv")
    ours = pd.DataFrame([{"O": row.mos, **row.extras} for row in rows])
    for column, theirs in [("O", "O"), ("technical_mos", "T-all"), ("aesthetic_mos", "A-all")]:
        np.testing.assert_allclose(ours[column], scores[theirs], atol=1e-8)


def test_groups_that_share_content(read: Read) -> None:
    cvd2014 = read("cvd2014", "CVD2014/Realignment_MOS.csv", None, "Test01_City_D01.avi")
    tests = [row.extras["test"] for row in cvd2014]
    assert [tests.count(test) for test in range(1, 7)] == [27, 30, 39, 42, 48, 48]
    assert len({row.extras["scene"] for row in cvd2014}) == 18
    video = "0723_ManUnderTree_GS5_03_20150723_130016.yuv"
    qualcomm = read("live_qualcomm", "LIVE-Qualcomm/qualcommSubjectiveData.mat", None, video)
    assert len({row.extras["content"] for row in qualcomm}) == 54
    assert len({row.extras["phone"] for row in qualcomm}) == 8


def test_lsvq_splits_are_disjoint(read: Read) -> None:
    files = {"train": "train_labels.txt", "test": "labels_test.txt", "test_1080p": "labels_1080p.txt"}
    videos = {"train": "yfcc-batch1/725.mp4", "test": "yfcc-batch1/747.mp4", "test_1080p": "yfcc-batch1/722.mp4"}
    names = [row.name for split, file in files.items() for row in read("lsvq", f"LSVQ/{file}", split, videos[split])]
    assert len(names) == len({name.casefold() for name in names}) == 38815  # case alone tells no two videos apart
