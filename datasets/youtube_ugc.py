"""YouTube-UGC: clips of 20 s from YouTube uploads under Creative Commons, rated by crowd workers.

Wang, Inguva and Adsumilli, "YouTube UGC dataset for video compression research", MMSP 2019.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import ClassVar

from cover.tables import read_spreadsheet, read_table

from ._annotation import AnnotatedDataset, AnnotatedVideo, Annotations, read_start, records_of

_H264 = "original_videos_h264"
_RAW = "original_videos"
_CODED = "_crf_10_ss_00_t_20.0.mp4"  # the suffix of the smaller, H.264 coded copies
_SHEET = "MOS"


class YouTubeUGC(AnnotatedDataset):
    """YouTube-UGC.

    Reads ``MOS_for_YouTube_UGC_dataset.xlsx`` (sheet MOS; columns vid, category, MOS full, ...), the
    same table as CSV, ``YOUTUBE_UGC_metadata.csv`` of vztu/BVQA_Benchmark (vid, MOSFull, ...), and text files. The
    score is that of the whole clip. Videos are ``original_videos_h264/<vid>_crf_10_ss_00_t_20.0.mp4`` or the raw
    ``original_videos/<category>/<height>P/<vid>.mkv``; the coded ones come first, as they are what is published on.

    Known holes: clips vanish, for the owners take some back every month and ask that copies be deleted. Of 1380 rated
    clips, 1263 could be had in 2021 (BVQA_Benchmark, issue 3), and the text file of DOVER and COVER lists 1147. So say
    how many a result stands on. BVQA_Benchmark leaves out 57 gray clips with an option; DOVER and COVER do not. The raw
    clips have frame rates from 2 to 270, 76 have 10 or 12 bits, and 53 are HDR. There is no official split.
    """

    title = "YouTube-UGC"
    source = "https://media.withyoutube.com/ugc-dataset"
    mos_range = (1, 5)
    annotations: ClassVar[Annotations] = {
        None: (
            "MOS_for_YouTube_UGC_dataset.xlsx",
            f"{_RAW}/MOS_for_YouTube_UGC_dataset.xlsx",
            "original_videos_MOS_for_YouTube_UGC_dataset.xlsx",
            "MOS_for_YouTube_UGC_dataset.csv",
            "original_videos_MOS_for_YouTube_UGC_dataset.csv",
            "YOUTUBE_UGC_metadata.csv",
            "labels.txt",
        )
    }

    def _from_native(self, path: Path) -> Iterator[AnnotatedVideo]:
        columns = ["vid", "MOS full"]
        is_workbook = read_start(path, 2) == b"PK"  # a workbook is a ZIP archive, whatever its name
        table = read_spreadsheet(path, str(path), _SHEET) if is_workbook else read_table(path, str(path))
        for record in records_of(path, table, columns):
            name = f"{_H264}/{record.text('vid')}{_CODED}"
            extras = self._about(name) | record.numbers(
                mos_std="std full",
                mos_chunk00="MOS chunk00",
                mos_chunk05="MOS chunk05",
                mos_chunk10="MOS chunk10",
                fps="framerate",
                width="width",
                height="height",
            )
            yield AnnotatedVideo(record.where, name, record.number("MOS full"), extras)

    def _about(self, path: str) -> dict[str, object]:
        match = _name(path)
        return {"category": match["category"], "resolution": int(match["lines"])} if match else {}

    def _candidates(self, path: str) -> Iterator[str]:
        yield path
        if match := _name(path):
            vid = match["vid"]
            for name in (f"{vid}{_CODED}", f"{vid}.mp4"):
                yield f"{_H264}/{name}"
                yield name
            yield f"{_RAW}/{match['category']}/{match['lines']}P/{vid}.mkv"
            yield f"{_RAW}/{vid}.mkv"
            yield f"{vid}.mkv"


def _name(path: str) -> re.Match[str] | None:
    """The parts of a name such as ``Sports_2160P-4e9f_crf_10_ss_00_t_20.0.mp4``."""
    return re.match(r"(?P<vid>(?P<category>[A-Za-z]+)_(?P<lines>\d+)P-[0-9a-z]+)", PurePosixPath(path).name)
