"""Opening files safely: what a path is before any decoder sees it, and which containers count as video."""

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import av
import av.error
from av.container import InputContainer
from av.video.format import VideoFormat

from cover.errors import VideoError
from cover.text import visible

# fmt: off
IMAGE_SUFFIXES = frozenset((
    ".avif", ".bmp", ".heic", ".heif", ".hif", ".jp2", ".jpeg", ".jpg", ".pgm", ".png", ".pnm", ".ppm", ".tif",
    ".tiff", ".webp",
))
VIDEO_SUFFIXES = frozenset((
    ".264", ".265", ".266", ".3g2", ".3gp", ".asf", ".av1", ".avc", ".avi", ".dv", ".f4v", ".flv", ".gif",
    ".h261", ".h263", ".h264", ".h265", ".hevc", ".ivf", ".m1v", ".m2t", ".m2ts", ".m2v", ".m4v", ".mjpeg",
    ".mjpg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".nut", ".obu", ".ogg", ".ogv", ".rm",
    ".rmvb", ".ts", ".vob", ".webm", ".wmv", ".wtv", ".y4m", ".yuv",
))
# fmt: on
RAW_SUFFIX = ".yuv"
_URL = re.compile(r"(?:^|/)[a-z][a-z0-9+.-]+:/", re.IGNORECASE)
MAX_PIXELS = 178_956_970
"""Largest frame that is decoded, px (Pillow's own limit for decompression bombs; 13377 x 13377)."""

MAX_IMAGE_BYTES = 1_000_000_000
"""Largest decoded picture unless another limit is set: RGB of 333 megapixels with 8 bits."""

_SMALL = 16_000_000  # px that any file may claim to hold
_DENSEST = 16_384  # px a byte: more than any codec packs, but for pictures of a single colour

_PLAYLISTS = (b"#EXTM3U", b"ffconcat", b"v=0", b"<MPD", b"[playlist]", b"RTSPtext", b"[Reference]", b"SMIL")

# Streams without a container are recognised by a few bits that noise has, too: the name must say so as well.
_BARE_STREAMS = {
    "av1": (".av1", ".obu"),
    "obu": (".av1", ".obu"),
    "dirac": (".drc", ".vc2"),
    "dnxhd": (".dnxhd", ".dnxhr"),
    "h261": (".h261", ".261"),
    "h263": (".h263", ".263"),
    "h264": (".h264", ".264", ".avc", ".h26l", ".26l", ".jvt"),
    "hevc": (".hevc", ".h265", ".265"),
    "m4v": (".m4v", ".mp4v", ".m4e"),
    "mjpeg": (".mjpeg", ".mjpg"),
    "mjpeg_2000": (".j2k", ".mj2"),
    "mpegvideo": (".mpg", ".mpeg", ".m1v", ".m2v", ".mpv"),
    "vc1": (".vc1",),
    "vvc": (".vvc", ".h266", ".266"),
}


@dataclass(frozen=True)
class RawFormat:
    """Layout of headerless ``.yuv`` files.

    Args:
        width: Width of a frame in px.
        height: Height of a frame in px.
        pixel_format: FFmpeg's name of the pixel format, such as ``yuv420p`` or ``yuv420p10le``.
        fps: Frames per second.

    Raises:
        ValueError: If a value makes no sense; the message names the field.
    """

    width: int
    height: int
    pixel_format: str = "yuv420p"
    fps: float = 25.0

    def __post_init__(self) -> None:
        for name in ("width", "height"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be an integer of at least 1, not {value!r}")
        try:
            VideoFormat(self.pixel_format)
        except ValueError:
            raise ValueError(
                f"pixel_format {self.pixel_format!r} is not one FFmpeg knows (yuv420p, yuv420p10le, ...)"
            ) from None
        if not 0 < self.fps < 1e6:
            raise ValueError(f"fps must be a positive number, not {self.fps!r}")


def check_path(path: str | os.PathLike[str]) -> Path:
    """Make sure that a path is a regular, readable file that holds something.

    Args:
        path: The path.

    Returns:
        The path.

    Raises:
        VideoError: If it is not; each cause has a line of its own.
    """
    path = Path(path)
    name = visible(path)
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise VideoError(f"{name}: is a directory, not a video file")
        if not stat.S_ISREG(status.st_mode):
            raise VideoError(f"{name}: is not a regular file (a pipe, socket or device)")
        if status.st_size == 0:
            raise VideoError(f"{name}: the file is empty (0 bytes)")
        with path.open("rb"):
            pass
    except FileNotFoundError:
        raise VideoError(f"{name}: {_why_missing(path)}") from None
    except NotADirectoryError:
        raise VideoError(f"{name}: there is a file where its path needs a directory") from None
    except PermissionError:
        raise VideoError(f"{name}: no permission to read the file") from None
    except ValueError:
        raise VideoError(f"{name}: not a valid path (it contains a null character)") from None
    except OSError as error:
        what = "a loop of symbolic links" if error.errno == errno.ELOOP else (error.strerror or str(error)).lower()
        raise VideoError(f"{name}: {what}") from None
    return path


def _why_missing(path: Path) -> str:
    if path.is_symlink():
        return "is a link to a file that does not exist"
    if _URL.search(path.as_posix()):  # a path has lost the second slash
        return "a URL; only files are read: download it and name the file"
    if "\\" in path.name and os.sep != "\\":
        return "no such file, nor one with / in place of its backslashes"
    return "no such file"


def check_claim(path: Path, width: int, height: int) -> None:
    """Refuse a file that claims more pixels than its bytes can hold, before they cost memory.

    Raises:
        VideoError: It does.
    """
    size = path.stat().st_size
    if width * height > max(_SMALL, size * _DENSEST):
        raise VideoError(f"{visible(path)}: its {size:,} bytes cannot hold the {width}x{height} px that it claims")


@contextmanager
def open_container(path: Path, raw: RawFormat | None = None) -> Iterator[InputContainer]:
    """Open a video with FFmpeg.

    FFmpeg gets an open file, never a name: names that look like a protocol or a pattern mean nothing to it, any bytes
    are fine in them, and only a file's content shows its format. No other file and no network can be reached.

    Args:
        path: A regular file (:func:`check_path`).
        raw: Layout of the frames; used for ``.yuv`` files only.

    Yields:
        The container.

    Raises:
        VideoError: If the file is no video.
    """
    name = visible(path)
    options = {"protocol_whitelist": "none"}
    container_format = None
    if path.suffix.lower() == RAW_SUFFIX:
        if raw is None:
            raise VideoError(
                f"{name}: a .yuv file has no header; set data.raw.width, data.raw.height and data.raw.pixel_format"
            )
        container_format = "rawvideo"
        options |= {
            "video_size": f"{raw.width}x{raw.height}",
            "pixel_format": raw.pixel_format,
            "framerate": f"{raw.fps:.6f}",
        }
    with path.open("rb") as file:
        _refuse_by_signature(file, name)
        try:
            container = av.open(
                _Nameless(file),
                mode="r",
                format=container_format,
                container_options=options,
                metadata_errors="replace",
                buffer_size=1 << 18,
            )
        except (av.FFmpegError, ValueError) as error:
            raise VideoError(f"{name}: not a video: {_cause(error, file)}") from None
        with container:
            _refuse_by_format(container, path)
            yield container


class _Nameless:
    """An open file without its name, from which PyAV would otherwise let FFmpeg guess the format.

    A damaged file can make FFmpeg seek to places that no file has. The operating system answers with an error, which
    PyAV prints with a trace. Such a seek ends at the start or the end here, and FFmpeg finds nothing to read.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.read, self.tell = file.read, file.tell

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Seek to a place between the start and the end."""
        base = {os.SEEK_CUR: self._file.tell, os.SEEK_END: self._size}.get(whence, int)()
        return self._file.seek(min(max(base + offset, 0), self._size()))

    def _size(self) -> int:
        return os.fstat(self._file.fileno()).st_size


def _cause(error: Exception, file: IO[bytes]) -> str:
    if not isinstance(error, av.error.InvalidDataError):
        return getattr(error, "strerror", None) or str(error)
    file.seek(0)
    head = file.read(512)
    if head[4:8] == b"ftyp":
        return "an MP4 file whose index (moov) is missing or damaged; it was probably cut short"
    if all(byte in b"\t\n\f\r" or 32 <= byte < 127 for byte in head):
        return "it contains text"
    return "no known container format was recognised"


def _refuse_by_signature(file: IO[bytes], name: str) -> None:
    head = file.read(64)
    file.seek(0)
    if head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(_PLAYLISTS):
        raise VideoError(f"{name}: a playlist or stream description, not a video; give the video file itself")


def _refuse_by_format(container: InputContainer, path: Path) -> None:
    """Refuse a file that FFmpeg mistakes for a video."""
    format_name = container.format.name
    kinds = set(format_name.split(","))
    if format_name.endswith("_pipe") or kinds & {"image2", "ico", "svg"}:
        raise VideoError(
            f"{visible(path)}: not a video: a damaged image, or one of an unsupported format ({format_name})"
        )
    suffix = path.suffix.lower()
    if any(kind in _BARE_STREAMS and suffix not in _BARE_STREAMS[kind] for kind in kinds):
        raise VideoError(
            f"{visible(path)}: not a video: its bytes resemble a bare {format_name} stream, its name says otherwise"
        )
