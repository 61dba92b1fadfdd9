"""KoNViD-1k: 1200 videos of 8 s sampled from YFCC100M, rated by crowd workers.

Hosu et al., "The Konstanz natural video database (KoNViD-1k)", QoMEX 2017.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import ClassVar

from ._annotation import AnnotatedDataset, Annotations, Rating, read_csv

_FOLDER = "KoNViD_1k_videos"
_LONG = ("original", "cut")  # how the 8 s were taken: 646 and 554 of the 1200


class KoNViD1k(AnnotatedDataset):
    """KoNViD-1k, keyed by Flickr id.

    Reads ``KoNViD_1k_attributes.csv`` (columns flickr_id, file_name, MOS, ...; complete copy in lorenzowu/SIONR),
    ``KoNViD_1k_mos.csv`` or ``KONVID_1K_metadata.csv`` of vztu/BVQA_Benchmark (flickr_id, mos, width, height,
    framerate, ...), and text files. Videos are ``<flickr_id>.mp4`` or, as in the attributes,
    ``<flickr_id>_{original,cut}_centercrop_960x540_8s.mp4``.

    Known: the attributes' MOS are rounded to 4 digits, and differ by up to 5e-5 from the text files' in 62 rows. They
    are sorted by MOS: shuffle before splitting. There is no official split. All videos are 960x540 and some have an
    audio track.
    """

    title = "KoNViD-1k"
    source = "https://database.mmsp-kn.de/konvid-1k-database.html"
    mos_range = (1, 5)
    annotations: ClassVar[Annotations] = {
        None: (
            "KoNViD_1k_metadata/KoNViD_1k_attributes.csv",
            "KoNViD_1k_attributes.csv",
            "KoNViD_1k_metadata/KoNViD_1k_mos.csv",
            "KoNViD_1k_mos.csv",
            "KONVID_1K_metadata.csv",
            "labels.txt",
        )
    }

    def _from_native(self, path: Path) -> Iterator[Rating]:
        for record in read_csv(path, ["flickr_id", "MOS"]):
            flickr_id = record.text("flickr_id").removesuffix(".0")
            name = record.text("file_name") if "file_name" in record else f"{flickr_id}.mp4"
            extras = record.numbers(fps="framerate", width="width", height="height")
            yield Rating(record.where, f"{_FOLDER}/{name}", record.number("MOS"), {"flickr_id": flickr_id, **extras})

    def _about(self, path: str) -> dict[str, object]:
        match = _flickr_id(path)
        return {"flickr_id": match} if match else {}

    def _candidates(self, path: str) -> Iterator[str]:
        names = [PurePosixPath(path).name]
        if flickr_id := _flickr_id(path):
            names += [f"{flickr_id}.mp4", *(f"{flickr_id}_{cut}_centercrop_960x540_8s.mp4" for cut in _LONG)]
        yield path
        for name in names:
            yield f"{_FOLDER}/{name}"
            yield name


def _flickr_id(path: str) -> str | None:
    match = re.match(r"\d+(?=[._])", PurePosixPath(path).name)
    return match[0] if match else None
