"""Videos and images that are simply there: a directory, one file, or a glob."""

import glob
import os
from collections.abc import Iterator
from pathlib import Path

from cover.errors import UsageError
from cover.rows import Row
from cover.video import IMAGE_SUFFIXES, VIDEO_SUFFIXES

_SUFFIXES = VIDEO_SUFFIXES | IMAGE_SUFFIXES


class Folder:
    """Every video and image below a directory, or the files that a path or glob names.

    A directory is searched recursively for files with the suffix of a video or an image; hidden files are passed over
    and linked directories are followed once. A single file or a glob is taken at its word, whatever its suffix.

    Args:
        path: A directory, a file, or a glob (``**`` searches recursively).

    Raises:
        UsageError: Nothing is there, or a directory holds neither videos nor images.
    """

    def __init__(self, path: str | Path) -> None:
        text = os.fspath(path)
        if os.path.lexists(text):  # a name with * or [ in it that exists is that file, not a pattern
            here = Path(text)
            self.root = here if here.is_dir() else here.parent
            files = sorted(_search(here)) if here.is_dir() else [here]
            if not files:
                raise UsageError(
                    f"data={text}: no video or image in it (files with unusual suffixes are found by a glob)"
                )
        elif glob.has_magic(text):
            self.root = _fixed_part(text)
            files = sorted(Path(match) for match in glob.glob(text, recursive=True) if not Path(match).is_dir())  # noqa: PTH207
            if not files:
                raise UsageError(f"data={text}: the glob matches no file")
        else:
            raise UsageError(f"data={text}: no such file or directory")
        self._rows = [Row(path=file, name=os.path.relpath(file, self.root)) for file in files]

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def _search(directory: Path) -> Iterator[Path]:
    seen: set[tuple[int, int]] = set()
    for folder, subfolders, files in os.walk(directory, followlinks=True):
        status = os.stat(folder)  # noqa: PTH116 - one call on the string that os.walk gives
        if (status.st_dev, status.st_ino) in seen:  # a link back up, or a second way to the same folder
            subfolders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in files:
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in _SUFFIXES:  # noqa: PTH122
                yield Path(folder, name)


def _fixed_part(pattern: str) -> Path:
    """The directory in front of the first wildcard."""
    parts: list[str] = []
    for part in Path(pattern).parts:
        if glob.has_magic(part):
            break
        parts.append(part)
    return Path(*parts)
