"""CVD2014: 234 videos of five scenes by 78 cameras, rated in a laboratory in six tests.

Nuutinen et al., "CVD2014: a database for evaluating no-reference video quality assessment algorithms", IEEE TIP 2016.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import ClassVar

from cover.errors import UsageError

from ._annotation import AnnotatedDataset, AnnotatedVideo, Annotations, Record, read_csv


class CVD2014(AnnotatedDataset):
    """CVD2014.

    Reads ``Realignment_MOS.csv`` (``;`` between columns, decimal commas, empty rows at its end; copy in
    winwinwenwen77/ModularBVQA) and text files. The score is "Realignment MOS", which puts the separate tests on one
    scale; three videos fall below 0 on it (-6.50 is the lowest). "Original MOS" is in ``extras``.

    Known: the table writes "Talking head", folders ``Talking_head``, files ``Talking_Head`` in tests 1 to 5 and
    ``Talking_head`` in test 6; names are matched in any case. Frame rates are odd (9.8 to 31.6). There is no official
    split, and in a test each scene is shot by many cameras, so that random splits share content: ``extras`` has test,
    content and scene (both in one) to group by.
    """

    title = "CVD2014"
    source = "https://zenodo.org/records/2646315"
    mos_range = (-10, 100)  # 0..100 in each test, shifted where the tests are aligned
    annotations: ClassVar[Annotations] = {
        None: ("CVD2014_ratings/Realignment_MOS.csv", "Realignment_MOS.csv", "labels.txt")
    }

    def _from_native(self, path: Path) -> Iterator[AnnotatedVideo]:
        for record in read_csv(path, ["Content", "File_name", "Realignment MOS"]):
            name, content = record.text("File_name"), record.text("Content").replace(" ", "_")
            match = re.match(r"Test0?(\d)_", name)
            if match is None:
                raise UsageError(f"{record.where}: file name {name!r} does not begin with its test, as in Test01_")
            video = f"Test{match[1]}/{content}/{name}.avi"
            extras = {**self._about(video), "original_mos": _decimal(record, "Original MOS")}
            yield AnnotatedVideo(record.where, video, _decimal(record, "Realignment MOS"), extras)

    def _about(self, path: str) -> dict[str, object]:
        match = re.match(r"Test0?(?P<test>\d)_(?P<content>\w+)_D\d+", PurePosixPath(path).name)
        if match is None:
            return {}
        content = match["content"].capitalize()
        return {"test": int(match["test"]), "content": content, "scene": f"Test{match['test']}/{content}"}

    def _candidates(self, path: str) -> Iterator[str]:
        yield path
        yield path.replace("Talking_head/", "Talking head/")
        yield PurePosixPath(path).name


def _decimal(record: Record, column: str) -> float:
    """A number with a decimal comma."""
    text = record.text(column)
    return Record(record.where, {column: text.replace(",", ".")}).number(column)
