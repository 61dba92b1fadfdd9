"""Small copies of the public datasets: a few videos under the names that each uses, and its own annotation file."""

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from scipy.io import savemat

Write = Callable[[Path], None]


def make_miniset(kind: str, root: Path, write: Write, count: int = 8) -> None:
    """Lay out a dataset with MOS values spread over most of its scale.

    Args:
        kind: Name of its config, one of ``KINDS``.
        root: Folder to make it in.
        write: Makes the file of a given path: a clip whose suffix is .mp4 or .avi, or for ``koniq_10k`` a .jpg image.
        count: Videos, at least 2; of those with splits, in the split that the config takes by default. Their other
            splits have 2 more each.
    """
    root.mkdir(parents=True, exist_ok=True)
    for video in KINDS[kind](root, count):
        path = root / video
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path)


def _scores(count: int, low: float, high: float) -> list[float]:
    """``count`` values from ``low`` to ``high`` in a random but fixed order, with few digits."""
    return [round(float(value), 3) for value in np.random.default_rng(0).permutation(np.linspace(low, high, count))]


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def _cells(values: Iterable[object]) -> np.ndarray:
    """A MATLAB cell array of one column."""
    values = list(values)
    cells = np.empty((len(values), 1), dtype=object)
    cells[:, 0] = values
    return cells


def _konvid_1k(root: Path, count: int) -> list[str]:
    cuts = ["original", "cut"]
    ids = [4542323058 + number for number in range(count)]
    long = [f"{id_}_{cuts[number % 2]}_centercrop_960x540_8s.mp4" for number, id_ in enumerate(ids)]
    _write_csv(
        root / "KoNViD_1k_metadata/KoNViD_1k_attributes.csv",
        ["flickr_id", "download_id", "file_name", "MOS", "ti", "si", "colorfulness", "contrast", "blur", "vniqe"],
        (
            [id_, 1000000 + number, name, mos, 4.5, 14.4, 45.7, 20.2, 0.48, 21.7]
            for number, (id_, name, mos) in enumerate(zip(ids, long, _scores(count, 1.22, 4.64), strict=True))
        ),
    )
    return [f"KoNViD_1k_videos/{id_}.mp4" for id_ in ids]


def _live_vqc(root: Path, count: int) -> list[str]:
    names = [f"{'AB'[number % 2]}{number // 2 + 1:03}" for number in range(count)]
    scores = np.array(_scores(count, 6.2, 94.3))[:, None]
    savemat(root / "data.mat", {"video_list": _cells(f"{name}.mp4" for name in names), "mos": scores})
    return [f"Video/{name}{'NEW' if number == 1 else ''}.mp4" for number, name in enumerate(names)]


def _youtube_ugc(root: Path, count: int) -> list[str]:
    kinds = [("Animation", 360), ("Gaming", 1080), ("HDR", 2160), ("VerticalVideo", 720)]
    vids = [f"{kinds[n % 4][0]}_{kinds[n % 4][1]}P-{0x1B3 + n:04x}" for n in range(count)]
    header = ["vid", "category", "resolution", "x_Subjects", "MOSFull", "MOSChunk00", "MOSChunk05", "MOSChunk10"]
    header += ["stdFull", "stdChunk00", "stdChunk05", "stdChunk10", "width", "height", "pixfmt", "framerate"]
    header += ["nb_frames", "bitdepth", "bitrate"]
    rest = [*[0.5] * 4, 1920, 1080, "yuv420p", 29.97002997003, *["NaN"] * 3]
    _write_csv(
        root / "YOUTUBE_UGC_metadata.csv",
        header,
        (
            [vid, *kinds[n % 4], 125, mos, mos, "NaN", mos, *rest]
            for n, (vid, mos) in enumerate(zip(vids, _scores(count, 1.24, 4.7), strict=True))
        ),
    )
    return [f"original_videos_h264/{vid}_crf_10_ss_00_t_20.0.mp4" for vid in vids]


def _lsvq(root: Path, count: int) -> list[str]:
    header = ["name", "p1", "p2", "p3", "height", "width", "mos_p1", "mos_p2", "mos_p3", "mos", "frame_number"]
    header += ["fn_last_frame", "top_vid", "left_vid", "bottom_vid", "right_vid", "start_vid", "end_vid"]

    def row(name: str, mos: float) -> list[object]:
        patch = "[15, 527, 421, 709, 0, 200]"
        sizes = [720, 1280, mos / 2, mos / 3, mos / 4, mos, 30, f"{name}/image_00030"]
        return [name, patch, patch, patch, *sizes, 0, 0, 720, 1280, 0, 30]

    test = [f"yfcc-batch{number % 2 + 1}/{700 + number // 2}" for number in range(count)]  # names repeat in the folders
    train, large = (
        ["ia-batch4/Concert_In_the_Kitchen", "backup/12", "ia-batch5/Kites"],
        ["yfcc-batch1/722", "ia-batch24/youtube-_wgGiVh"],
    )
    _write_csv(
        root / "labels_train_test.csv",
        [*header, "is_test", "is_valid"],
        [
            *([*row(name, mos), "True", "True"] for name, mos in zip(test, _scores(count, 8.5, 91), strict=True)),
            *([*row(name, mos), "False", "False"] for name, mos in zip(train, (2.5, 90.5, 44.0), strict=True)),
        ],
    )
    _write_csv(
        root / "labels_test_1080p.csv",
        [*header, "is_valid"],
        ([*row(name, mos), "False"] for name, mos in zip(large, (17.7, 91.4), strict=True)),
    )
    return [f"{name}.mp4" for name in (*test, *train, *large)]


def _cvd2014(root: Path, count: int) -> list[str]:
    videos, lines = [], ["Content;File_name;Original MOS;Realignment MOS;;;;"]
    for number, mos in enumerate(_scores(count, -6.5, 93.38)):
        test, content = number % 6 + 1, ["City", "Talking head"][number // 6 % 2]
        in_name = "Talking_head" if test == 6 else "Talking_Head"
        name = f"Test0{test}_{content if content == 'City' else in_name}_D{number + 1:02}"
        lines.append(f"{content};{name};71,17;{str(mos).replace('.', ',')};;;;")
        videos.append(f"Test{test}/{content.replace(' ', '_')}/{name}.avi")
    lines += [";;;;;;;"] * 5
    (root / "CVD2014_ratings").mkdir()
    (root / "CVD2014_ratings/Realignment_MOS.csv").write_bytes("".join(f"{line}\r\n" for line in lines).encode())
    return videos


def _live_qualcomm(root: Path, count: int) -> list[str]:
    kinds, phones = ["Artifacts", "Color", "Exposure", "Focus", "Sharpness", "Stabilization"], ["GS5", "Note4"]
    scenes = ["0723_ManUnderTree", "0911duckSwim"]
    names = [f"{scenes[n // 2 % 2]}_{phones[n % 2]}_2015{n:04}" for n in range(count)]
    scores = np.array(_scores(count, 16.6, 73.6))[:, None]
    videos = {
        "vidNames": _cells(f"{name}.yuv" for name in names),
        "distortionType": np.array([[n % 6 + 1] for n in range(count)], dtype=np.uint8),
        "distortionNames": _cells(kinds),
        "phoneID": np.array([[n % 2 + 1] for n in range(count)], dtype=np.uint8),
        "phoneType": _cells(phones),
    }
    savemat(
        root / "qualcommSubjectiveData.mat",
        {"qualcommVideoData": videos, "qualcommSubjectiveData": {"unBiasedMOS": scores, "biasedMOS": scores + 1}},
    )
    return [f"{kinds[n % 6]}/{name}.mp4" for n, name in enumerate(names)]


def _maxwell(root: Path, count: int) -> list[str]:
    lines = [
        f"{number:04}.mp4, {min(mos + 0.25, 5)}, {max(mos - 0.25, 1)}, {mos}"
        for number, mos in enumerate([*_scores(count, 1.03, 4.68), 1.06, 4.74])
    ]
    (root / "val_labels.txt").write_text("\n".join(lines[:count]) + "\n")
    (root / "train_labels.txt").write_text("\n".join(lines[count:]))
    return [f"videos/{number:04}.mp4" for number in range(len(lines))]


def _koniq_10k(root: Path, count: int) -> list[str]:
    sets = ["training", "training", *["test"] * count, "validation", "validation"]
    names = [f"{10004473376 + number}.jpg" for number in range(len(sets))]
    scores = [3.9, 88.4, *_scores(count, 4.2, 88.2), 4.9, 85.5]
    _write_csv(
        root / "koniq10k_distributions_sets.csv",
        ["image_name", "c1", "c2", "c3", "c4", "c5", "c_total", "MOS", "SD", "set"],
        (
            [name, 0.0, 0.0, 0.25, 0.7, 0.05, 105, mos, 0.53, set_]
            for name, mos, set_ in zip(names, scores, sets, strict=True)
        ),
    )
    return [f"1024x768/{name}" for name in names]


KINDS: dict[str, Callable[[Path, int], list[str]]] = {
    "konvid_1k": _konvid_1k,
    "live_vqc": _live_vqc,
    "youtube_ugc": _youtube_ugc,
    "lsvq": _lsvq,
    "cvd2014": _cvd2014,
    "live_qualcomm": _live_qualcomm,
    "maxwell": _maxwell,
    "koniq_10k": _koniq_10k,
}
