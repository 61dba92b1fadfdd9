"""The content of each video: named by a column, or guessed from names of versions of it."""

import dataclasses
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from cover.rows import Row
from cover.tables import Columns

COLUMNS = ("content", "scene", "reference", "ref")
"""Headers of columns that name the content, in any case."""

CONTENT = "content"
"""The extra that :func:`with_contents` gives rows."""

_SPLIT = re.compile(r"[\W_]+")
_CODECS = "h26[3456]|x26[456]|hevc|avc|vvc|vp[89]|av1|mpeg[24]?|mjpeg|prores|svt|libaom|(?:jpe?g|jp2k|webp)\\d*"
_KINDS = "g?blur|noise|wn|bitrate|rate|crf|qp|q|level|lvl|l|quality|enc|hrc|v|ver|version|dist|distorted|compressed"
_WORDS = "low|mid|medium|high|best|worst|orig|original|ref|reference|pristine|clean"
_LEVEL = re.compile(
    rf"(?:{_KINDS}|{_WORDS})\d*|\d+(?:k|m|kbps|mbps|kb|mb|p|i|fps|hz|s|sec|db)|\d+x\d+|(?:{_CODECS})", re.IGNORECASE
)
_WORD = re.compile(rf"(?:{_KINDS}|{_WORDS}|{_CODECS})", re.IGNORECASE)
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class Contents:
    """The videos that show one content.

    Attributes:
        keys: Content of each video, in the order of the rows.
        source: How it is known: ``column NAME``, ``names``, or ``videos`` where parts of
            one have it in common.
    """

    keys: list[str]
    source: str

    @property
    def count(self) -> int:
        """The number of contents."""
        return len(set(self.keys))


def contents(rows: Sequence[Row], column: str | None = None) -> Contents | None:
    """Find the content of each video.

    Args:
        rows: The videos.
        column: The extra that names it; None takes the first of :data:`COLUMNS` that all have, else guesses.

    Returns:
        None where no column says and names tell nothing: every video is then taken to show something else.
    """
    columns = Columns(list(rows[0].extras) if rows else [])
    named_by = columns.find(*(COLUMNS if column is None else (column,)))
    if named_by is not None:
        values = [row.extras.get(named_by) for row in rows]
        if all(value not in (None, "") and value == value for value in values):
            return Contents([str(value) for value in values], f"column {named_by}")
    if column is not None:
        return None
    videos = list(dict.fromkeys(row.video for row in rows))
    guessed = guess(videos)
    if guessed is None and len(videos) == len(rows):
        return None
    of_video = dict(zip(videos, guessed or videos, strict=True))  # parts of a video share its content at least
    return Contents([of_video[row.video] for row in rows], "names" if guessed else "videos")


def guess(names: Sequence[str]) -> list[str] | None:
    """Guess contents from names: what is left without levels, bitrates, codecs, durations and the like at their end.

    ``park_crf23.mp4``, ``park_1500k_h264.mp4`` and ``park/blur_2.png`` are all ``park``. A number counts as a level
    only behind a word that is one.

    Args:
        names: Of the videos, with forward slashes.

    Returns:
        A content for each; None where no two videos share one, or all do.
    """
    stems = [_stem(name) for name in names]
    sizes = Counter(stems)
    return stems if 1 < len(sizes) < len(stems) else None


def _stem(name: str) -> str:
    path = PurePosixPath(name.replace("\\", "/"))
    parts = [*path.parts[:-1], path.stem]
    words = [" ".join(_without_levels([word for word in _SPLIT.split(part) if word])) for part in parts]
    return "/".join(part for part in words if part) or name


def _without_levels(words: list[str]) -> list[str]:
    """Words without those at the end that tell versions apart."""
    end = len(words)
    while end > 0:
        if _LEVEL.fullmatch(words[end - 1]):
            end -= 1
        elif end > 1 and _NUMBER.fullmatch(words[end - 1]) and _WORD.fullmatch(words[end - 2]):
            end -= 2
        else:
            break
    return words[:end]


def with_contents(rows: Sequence[Row], of_rows: Contents) -> list[Row]:
    """Give each row its content as the extra :data:`CONTENT`."""
    return [
        dataclasses.replace(row, extras={**row.extras, CONTENT: key})
        for row, key in zip(rows, of_rows.keys, strict=True)
    ]


def shared(train: Sequence[Row], held_out: Sequence[Row]) -> str | None:
    """Say that two sides of a random split show the same contents.

    Args:
        train: Videos to train on.
        held_out: The others.

    Returns:
        One line; None where no content is on both sides.
    """
    of_rows = contents([*train, *held_out])
    if of_rows is None:
        return None
    seen, left = set(of_rows.keys[: len(train)]), of_rows.keys[len(train) :]
    both = [place for place, key in enumerate(left) if key in seen]
    if not both:
        return None
    twin = of_rows.keys.index(left[both[0]])
    return (
        f"{len(both)} of {len(left)} videos held out show the content of some that are trained on, which flatters (by "
        f"{of_rows.source}: {held_out[both[0]].name} and {train[twin].name}); protocol.splits=grouped keeps them apart"
    )
