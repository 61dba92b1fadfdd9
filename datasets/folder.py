"""Videos and images that are simply there: a directory, one file, or a glob."""

import glob
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from cover.errors import UsageError
from cover.rows import Row
from cover.video import IMAGE_SUFFIXES, VIDEO_SUFFIXES, looks_like_frames

_SUFFIXES = VIDEO_SUFFIXES | IMAGE_SUFFIXES
_SYSTEM_FOLDERS = frozenset(
    {"#recycle", "#snapshot", "$recycle.bin", "recycler", "system volume information", "lost+found", "__macosx"}
)
"""Folders of systems, in lower case, beside those of NAS that begin with @ (``@eaDir``, ``@Recycle``, ``@tmp``)."""


class Folder:
    """Every video and image below a directory, or the files that a path or glob names.

    A directory is searched recursively for files with the suffix of a video or an image; hidden files are passed over
    and linked directories are followed once. A single file or a glob is taken at its word, whatever its suffix.

    Args:
        path: A directory, a file, or a glob (``**`` searches recursively).
        frames: Whether the images of a folder are the frames of one video, which has the folder's name.

    Attributes:
        remarks: What was left out of a directory by suffix, and folders that look like frames; one line each.

    Raises:
        UsageError: Nothing is there, or a directory holds neither videos nor images.
    """

    def __init__(self, path: str | Path, frames: bool = False) -> None:
        text = os.fspath(path)
        self.remarks: list[str] = []
        if os.path.lexists(text):  # a name with * or [ in it that exists is that file, not a pattern
            here = Path(text)
            self.root = here if here.is_dir() else here.parent
            files: Collection[Path] = self._directory(here, frames) if here.is_dir() else [here]
        elif glob.has_magic(text):
            self.root = _fixed_part(text)
            matches = [Path(match) for match in glob.glob(text, recursive=True)]  # noqa: PTH207
            below = len(self.root.parts)
            files = [
                file for file in matches if not file.is_dir() and not any(map(is_system_folder, file.parts[below:-1]))
            ]
            if frames:
                inside = [file for folder in matches if folder.is_dir() for file in _search(folder)]
                files = _folded([*files, *filter(_is_known, inside)])
            else:
                self._hint(files)
            if not files:
                folders = "; of folders it takes those with images, with data.frames=true" if matches else ""
                raise UsageError(f"data={text}: the glob matches no file{folders}")
        else:
            raise UsageError(f"data={text}: no such file or directory")
        if self.root in files:  # a folder of frames needs a name, as seen from the one above
            self.root = self.root.absolute().parent
            files = [file.absolute() for file in files]
        self._rows = [Row(file, os.path.relpath(file, self.root)) for file in sorted(files)]

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def _directory(self, path: Path, frames: bool) -> Collection[Path]:
        system: list[Path] = []
        every = list(_search(path, system))
        if system:
            more = f" and {len(system) - 1} more" if len(system) > 1 else ""
            self.remarks.append(f"a system's own folder was left out: {system[0]}{more}")
        files = [file for file in every if _is_known(file)]
        others = Counter(file.suffix.lower() or "no suffix" for file in every) - Counter(
            file.suffix.lower() for file in files
        )
        if not files:
            there = f"; it has {_counts(others)}" if others else ""
            raise UsageError(
                f"data={path}: no video or image in it{there} (files with unusual suffixes are found by a glob)"
            )
        if others:
            lone = others.total() == 1
            what = (
                "1 file that is no video or image" if lone else f"{others.total()} files that are no videos or images"
            )
            self.remarks.append(f"skipped {what} ({next(iter(others)) if lone else _counts(others)})")
        if frames:
            return _folded(files)
        self._hint(files)
        return files

    def _hint(self, files: Iterable[Path]) -> None:
        """Name the option for folders of frames, where there are some."""
        names: dict[Path, list[str]] = {}
        for file in files:
            if file.suffix.lower() in IMAGE_SUFFIXES:
                names.setdefault(file.parent, []).append(file.name)
        alike = [folder for folder, images in names.items() if looks_like_frames(images)]
        if alike:
            what = f"{alike[0]} looks" if len(alike) == 1 else f"{len(alike)} folders, such as {alike[0]}, look"
            self.remarks.append(f"{what} like frames of a video: data.frames=true scores such a folder as one video")


def _is_known(file: Path) -> bool:
    return file.suffix.lower() in _SUFFIXES


def _folded(files: Iterable[Path]) -> set[Path]:
    """Videos as they are, images as the folders that they are in."""
    return {file.parent if file.suffix.lower() in IMAGE_SUFFIXES else file for file in files}


def _counts(suffixes: Counter[str]) -> str:
    return ", ".join(f"{suffix} {count}" for suffix, count in suffixes.most_common())


def is_system_folder(name: str) -> bool:
    """Return whether a folder is one in which a NAS or a system keeps thumbnails, deleted files and the like."""
    return name.startswith("@") or name.casefold() in _SYSTEM_FOLDERS


def _search(directory: Path, system: list[Path] | None = None) -> Iterator[Path]:
    """Find the files below a folder; folders of a system are passed over, and added to ``system``."""
    seen: set[tuple[int, int]] = set()
    for folder, subfolders, files in os.walk(directory, followlinks=True):
        status = os.stat(folder)  # noqa: PTH116 - one call on the string that os.walk gives
        if (status.st_dev, status.st_ino) in seen:  # a link back up, or a second way to the same folder
            subfolders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        if system is not None:
            system += [Path(folder, name) for name in sorted(subfolders) if is_system_folder(name)]
        subfolders[:] = sorted(name for name in subfolders if not (name.startswith(".") or is_system_folder(name)))
        yield from (Path(folder, name) for name in files if not name.startswith("."))


def _fixed_part(pattern: str) -> Path:
    """The directory in front of the first wildcard."""
    parts: list[str] = []
    for part in Path(pattern).parts:
        if glob.has_magic(part):
            break
        parts.append(part)
    return Path(*parts)
