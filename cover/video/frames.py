"""Folders of numbered frames: one video each, as renderers and generators write them."""

import math
import re
from contextlib import suppress
from pathlib import Path

import numpy as np

from cover.errors import VideoError
from cover.text import visible
from cover.video.images import image_info, image_size, read_image
from cover.video.info import VideoIndex, VideoInfo
from cover.video.orientation import UPRIGHT
from cover.video.source import IMAGE_SUFFIXES

_MOST_NAMED = 5
_FEWEST, _MOST_OF_THEM = 4, 0.8  # images, and share of the numbers, that make a folder look like a video


def frame_files(folder: Path) -> list[Path]:
    """List the images of a folder in natural order: ``frame2.png`` before ``frame10.png``; hidden files do not count.

    Args:
        folder: The folder; those below it do not count.
    """
    files = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and path.name[0] != "."]
    return sorted((path for path in files if path.is_file()), key=lambda path: _natural(path.name))


def looks_like_frames(names: list[str]) -> bool:
    """Return whether names of images are those of a video's frames: one pattern, with most of the numbers there.

    Args:
        names: File names, all of one folder.
    """
    series: dict[str, list[int]] = {}
    for name in names:
        if (number := _number(name)) is not None:
            series.setdefault(_pattern(name), []).append(number)
    return any(_is_dense(numbers) for numbers in series.values())


def _is_dense(numbers: list[int]) -> bool:
    there = set(numbers)
    return len(there) >= _FEWEST and len(there) > _MOST_OF_THEM * len(_regular(there))


def _regular(numbers: set[int]) -> range:
    """The numbers from the first to the last, in the step of the frames."""
    ordered = sorted(numbers)
    return range(ordered[0], ordered[-1] + 1, math.gcd(*np.diff(ordered).tolist()) or 1)


def index_frames(folder: Path, fps: float | None, rotate: bool, max_image_bytes: int) -> VideoIndex:
    """Find out what a folder of frames holds.

    Args:
        folder: A folder of images.
        fps: Their frame rate, where known.
        rotate: Whether ``width`` and ``height`` are those after the EXIF orientation.
        max_image_bytes: Largest image, decoded.

    Returns:
        The index: the size of the frames is that of the first that can be read.

    Raises:
        VideoError: No image is in the folder, or none can be read.
    """
    try:
        files = frame_files(folder)
    except OSError as error:
        raise VideoError(f"{visible(folder)}: {(error.strerror or str(error)).lower()}") from None
    if not files:
        raise VideoError(f"{visible(folder)}: is a directory, not a video file, and no image is in it")
    for file in files:
        image = None
        with suppress(VideoError):
            image = image_info(file, max_image_bytes)
        if image is None:
            continue
        height, width = (image.orientation if rotate else UPRIGHT).size(image.height, image.width)
        info = VideoInfo(
            "frames",
            image.format,
            width,
            height,
            len(files),
            duration=len(files) / fps if fps else None,
            fps=fps,
            pixel_format=image.mode,
            image=len(files) == 1,
        )
        notes = (*_notes(files), *_other_sizes(files, (image.width, image.height)))
        return VideoIndex(folder, info, files=tuple(files), notes=notes)
    raise VideoError(f"{visible(folder)}: none of its {len(files)} images can be read")


def read_frame(index: VideoIndex, number: int, rotate: bool) -> tuple[int, np.ndarray]:
    """Decode a frame of a folder, or the nearest one that can be read.

    Args:
        index: The folder's index.
        number: Frame number.
        rotate: Whether to apply the EXIF orientation.

    Returns:
        The number of the frame that was read, and the frame, RGB, uint8 of shape (H, W, 3).

    Raises:
        VideoError: If not one can be read.
    """
    for distance in range(len(index.files)):
        for other in dict.fromkeys((number - distance, number + distance)):
            if 0 <= other < len(index.files):
                with suppress(VideoError):
                    return other, read_image(index.files[other], rotate=rotate)
    raise VideoError(f"{visible(index.path)}: none of its {len(index.files)} images can be read")


def _notes(files: list[Path]) -> tuple[str, ...]:
    names = [file.name for file in files]
    patterns = {_pattern(name) for name in names}
    if len(patterns) > 1:
        return (f"the names of its images follow {len(patterns)} patterns; all of them were taken for one video",)
    missing = _missing([number for name in names if (number := _number(name)) is not None])
    if not missing:
        return ()
    named = ", ".join(str(number) for number in missing[:_MOST_NAMED]) + (", ..." if len(missing) > _MOST_NAMED else "")
    what = "1 frame is" if len(missing) == 1 else f"{len(missing)} frames are"
    return (
        f"{what} missing between the first and the last (number {named}): those there were taken one after the other",
    )


def _other_sizes(files: list[Path], size: tuple[int, int]) -> tuple[str, ...]:
    others = sum(other is not None and other != size for other in map(image_size, files))
    return (
        (f"{others} of {len(files)} frames have another size than the first, and are resized to it",) if others else ()
    )


def _missing(numbers: list[int]) -> list[int]:
    """Numbers that are left out."""
    there = set(numbers)
    regular = _regular(there) if there else range(0)
    # A sparse numbering (time stamps) has no gaps to speak of.
    return sorted(set(regular) - there) if len(regular) <= 2 * len(there) + 1 else []


def _natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """Sort key: runs of digits by their value."""
    parts = re.split(r"([0-9]+)", name)
    return [(int(part), "") if part.isdigit() and part.isascii() else (-1, part) for part in parts], name


def _pattern(name: str) -> str:
    """A name with its last number left out."""
    return re.sub(r"[0-9]+(?=[^0-9]*$)", "#", Path(name).stem) + Path(name).suffix.lower()


def _number(name: str) -> int | None:
    digits = re.findall(r"[0-9]+", Path(name).stem)
    return int(digits[-1]) if digits else None
