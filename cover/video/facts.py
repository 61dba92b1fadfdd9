"""Facts of a file that a table lists: duration, size, rate."""

from pathlib import Path
from typing import Any

import av

from cover.video.info import VideoInfo

_LOSSLESS_IMAGES = {"PNG", "BMP", "GIF", "PPM", "TGA"}


def file_facts(info: VideoInfo, path: Path) -> dict[str, Any]:
    """Gather the facts of a file; None stands for what is unknown.

    Args:
        info: What it holds.
        path: The file, or the folder of frames.

    Returns:
        ``duration`` (s; None of images), ``width`` and ``height`` (px, as shown), ``fps``, ``bitrate`` (kbit/s, of the
        whole file with its sound), ``bits_per_pixel`` (of the file, for each pixel of each frame), ``codec``, and
        ``lossless``, whether the codec knows no loss at all.
    """
    duration = None if info.image else info.duration or (info.frames / info.fps if info.fps else None)
    size = _size(path)
    pixels = info.frames * info.width * info.height
    return {
        "duration": None if duration is None else round(duration, 4),
        "width": info.width,
        "height": info.height,
        "fps": None if info.image or not info.fps else round(info.fps, 3),
        "bitrate": round(size * 8 / duration / 1000, 1) if size and duration else None,
        "bits_per_pixel": round(size * 8 / pixels, 4) if size and pixels else None,
        **_codec(info),
    }


def _size(path: Path) -> int | None:
    try:
        files = path.iterdir() if path.is_dir() else [path]
        return sum(file.stat().st_size for file in files)
    except OSError:
        return None


def _codec(info: VideoInfo) -> dict[str, Any]:
    try:
        codec = av.Codec(info.codec, "r")
    except (av.FFmpegError, ValueError):  # of an image that Pillow reads
        return {"codec": info.codec, "lossless": info.codec.upper() in _LOSSLESS_IMAGES}
    return {"codec": codec.canonical_name, "lossless": not codec.lossy}
