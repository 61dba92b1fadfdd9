"""LIVE-VQC: 585 videos as their makers' phones wrote them, rated by crowd workers.

Sinno and Bovik, "Large-scale study of perceptual video quality", IEEE TIP 2019.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import ClassVar

from cover.errors import UsageError

from ._annotation import AnnotatedDataset, AnnotatedVideo, Annotations, is_matlab, read_csv, read_matlab

_FOLDER = "Video"


class LIVEVQC(AnnotatedDataset):
    """LIVE-VQC.

    Reads ``data.mat`` (``video_list`` and ``mos``, 585 each; copy in winwinwenwen77/ModularBVQA),
    ``LIVE_VQC_metadata.csv`` of vztu/BVQA_Benchmark (File, MOS, width, height, framerate, ...), and text files.

    Known: BVQA_Benchmark calls nine of the videos ``<id>NEW.mp4`` (A012 A036 A046 A080 B054 B115 B139 B248 B263), the
    other lists do not; either is found. Frame rates differ between lists and many videos seem to have variable ones.
    Of the 585, 139 are portrait; there are 18 resolutions, from 240x320 to 1920x1080. There is no official split.
    """

    title = "LIVE-VQC"
    source = "https://live.ece.utexas.edu/research/LIVEVQC/index.html"
    mos_range = (0, 100)
    annotations: ClassVar[Annotations] = {None: ("data.mat", "LIVE_VQC_metadata.csv", "labels.txt")}

    def _from_native(self, path: Path) -> Iterator[AnnotatedVideo]:
        if is_matlab(path):
            table = read_matlab(path)
            try:
                names, scores = list(table["video_list"]), [float(score) for score in table["mos"]]
            except (KeyError, TypeError, ValueError) as error:
                raise UsageError(
                    f"{path}: not LIVE-VQC's data.mat, which holds video_list and mos ({error})"
                ) from error
            if len(names) != len(scores):
                raise UsageError(f"{path}: {len(names)} names in video_list, but {len(scores)} scores in mos")
            for number, (name, score) in enumerate(zip(names, scores, strict=True), start=1):
                yield AnnotatedVideo(f"{path}, video {number}", f"{_FOLDER}/{name}", score)
            return
        for record in read_csv(path, ["File", "MOS"]):
            extras = record.numbers(fps="framerate", width="width", height="height")
            yield AnnotatedVideo(record.where, f"{_FOLDER}/{record.text('File')}", record.number("MOS"), extras)

    def _candidates(self, path: str) -> Iterator[str]:
        name = PurePosixPath(path).name
        names = [name]
        if match := re.fullmatch(r"([A-Z]\d+)(NEW)?\.mp4", name):
            names.append(f"{match[1]}.mp4" if match[2] else f"{match[1]}NEW.mp4")
        yield path
        for name in names:
            yield f"{_FOLDER}/{name}"
            yield name
