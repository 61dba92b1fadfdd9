"""The ``path, duration, fps, mos`` text files that blind VQA projects pass around.

One video a line, no header, four fields: ``KoNViD_1k_videos/4542323058.mp4, 8.008, 29.97, 3.22``. The path is relative
to the dataset's folder, and -1 stands for an unknown duration or frame rate. DOVER ships such files for the public
datasets (https://github.com/VQAssessment/DOVER, ``examplar_data_labels``); COVER and FAST-VQA ship the same ones, but
for COVER's ``train_labels.txt`` of LSVQ, in which six file names are damaged (see :mod:`datasets.lsvq`).
"""

import math
from dataclasses import dataclass
from pathlib import Path

from cover.errors import UsageError
from cover.tables import read_text

_FIELDS = 3  # numbers that follow the path


@dataclass(frozen=True)
class Label:
    """One line.

    Attributes:
        where: File and line, for messages.
        path: The video, relative to the dataset's folder.
        fields: The two numbers in front of the score: duration (s) and frame rate, or -1 where unknown.
        mos: Mean opinion score, as written: it may be NaN.
    """

    where: str
    path: str
    fields: tuple[float, float]
    mos: float


def is_labels_txt(path: Path) -> bool:
    """Return whether the first line of a file is of this format.

    Raises:
        UsageError: The file cannot be read.
    """
    return next((_split(line) is not None for _, line in _lines(path)), False)


def read_labels_txt(path: Path) -> list[Label]:
    """Reads a file whole.

    The path is all that precedes the last three commas, so that it may hold commas itself. Blank lines are passed over.

    Raises:
        UsageError: The file cannot be read, or a line is malformed; the message names file and line.
    """
    labels = []
    for number, line in _lines(path):
        where = f"{path}, line {number}"
        parts = _split(line)
        if parts is None:
            raise UsageError(f"{where}: expected 'path, duration, fps, mos', found {line.strip()[:80]!r}")
        name, (first, second, mos) = parts
        if not math.isfinite(first) or not math.isfinite(second):
            raise UsageError(
                f"{where}: duration and fps must be finite numbers (-1 where unknown), not {line.strip()!r}"
            )
        labels.append(Label(where, name, (first, second), mos))
    return labels


def _lines(path: Path) -> list[tuple[int, str]]:
    text = read_text(path, str(path))
    return [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]


def _split(line: str) -> tuple[str, list[float]] | None:
    name, *fields = line.rsplit(",", _FIELDS)
    try:
        numbers = [float(field) for field in fields]
    except ValueError:
        return None
    return (name.strip(), numbers) if name.strip() and len(numbers) == _FIELDS else None
