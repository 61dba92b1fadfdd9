"""Still images: told by their content, opened, described and decoded. Whatever is wrong with one is one line."""

import io
import math
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from PIL import Image, UnidentifiedImageError

from cover.errors import VideoError
from cover.text import visible
from cover.video.orientation import UPRIGHT, Orientation, orientation_of_exif
from cover.video.source import MAX_IMAGE_BYTES, check_claim

# Formats Pillow knows by a real signature. GIF is a video here; formats told by a weak signature would claim noise.
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000")
# Of these one file may hold a video as well.
_ANIMATED = ("PNG", "AVIF")
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"mif1", b"mif2", b"miaf", b"1pic", b"MiHE"}
_HEIF_SEQUENCES = {b"hevc", b"hevx", b"msf1"}
_TIFF_MAGIC = (b"II*\0", b"MM\0*")
_JPEG_VIDEOS = (".mjpeg", ".mjpg")  # one JPEG after the other; only the name shows it
_EXIF_ORIENTATION = 0x0112
_TIFF_BITS, _TIFF_PHOTOMETRIC, _TIFF_SAMPLE_FORMAT = 0x0102, 0x0106, 0x0153
_WHITE_IS_ZERO, _SIGNED = 0, 2
# A picture whose brightest value is below this share of white is taken for one of another range.
_DARK = 1 / 16
_MODE_BYTES = {"RGBA": 4, "RGBX": 4, "CMYK": 4, "I": 4, "F": 4}
_LARGE = 64_000_000  # bytes; larger pictures are decoded one at a time over all processes
_TILE = 4_000_000  # px that are converted at a time
_JPEG_END = b"\xff\xd9"


@dataclass(frozen=True)
class ImageInfo:
    """The facts that an image file gives about its picture.

    Attributes:
        format: Pillow's name of the format, in lower case.
        mode: Pillow's mode, such as ``RGB`` or ``I;16``.
        height: Height as stored, px.
        width: Width as stored, px.
        orientation: How to show it.
        several: Whether further pictures follow, which are passed over.
    """

    format: str
    mode: str
    height: int
    width: int
    orientation: Orientation
    several: bool


def image_info(path: Path, max_bytes: int = MAX_IMAGE_BYTES) -> ImageInfo | None:
    """Describe a still image, which its content identifies.

    Args:
        path: A regular file (:func:`cover.video.source.check_path`).
        max_bytes: Largest picture, in bytes of its decoded pixels.

    Returns:
        What it says of itself, or None where the file is no still image (it may be a video).

    Raises:
        VideoError: If the image is damaged, larger than the limit, or claims more pixels than its bytes can hold.
    """
    image = _open(path)
    if image is None:
        return None
    with _damage(path), image:
        # Of a phone's JPEG or HEIC further pictures are previews and depth, of which nobody asks.
        several = image.format in ("WEBP", "TIFF") and getattr(image, "n_frames", 1) > 1
        _check_size(image, path, max_bytes)
        if image.format == "HEIF":
            image.load()  # which is when its size is known
            _check_size(image, path, max_bytes)
        name = (image.format or "image").lower()
        return ImageInfo(name, image.mode, image.height, image.width, _orientation(image), several)


def image_size(path: Path) -> tuple[int, int] | None:
    """Read width and height as stored, px, and nothing else; None where the file is no image, or a damaged one."""
    with suppress(VideoError, OSError):
        image = _open(path)
        if image is not None:
            with image:
                return image.size
    return None


def read_image(path: Path, *, rotate: bool) -> np.ndarray:
    """Decode a still image as the official code does (Pillow's ``convert("RGB")``).

    Transparency is dropped, not composed; of several pages the first is read. Gray values of 16 or 32 bits and
    fractions, which Pillow would clip at 255, are scaled by the range that they are in, and refused where that is in
    doubt. The pictures of a HEIC file
    are always upright: libheif turns them while it decodes.

    Args:
        path: The file.
        rotate: Whether to apply the EXIF orientation.

    Returns:
        RGB, uint8 of shape (H, W, 3).

    Raises:
        VideoError: If the image is damaged, or its values have no range that can be told.
    """
    image = _open(path)
    if image is None:
        raise VideoError(f"{visible(path)}: the image changed while it was read")
    needed = _decoded_bytes(image)
    with _damage(path), image, _alone() if needed > _LARGE else nullcontext():
        try:
            picture = _rgb(image, path)
        except OSError:
            if image.format != "JPEG":
                raise
            picture = _without_end_mark(path)
        orientation = _orientation(image) if rotate else UPRIGHT
        image.close()
        return orientation(picture)


def _check_size(image: Image.Image, path: Path, max_bytes: int) -> None:
    check_claim(path, *image.size)
    needed = _decoded_bytes(image)
    if needed > max_bytes:
        raise VideoError(
            f"{visible(path)}: its {image.width}x{image.height} px take {needed / 1e9:.2f} GB; "
            f"decode.max_image_bytes={needed} allows that"
        )


def _decoded_bytes(image: Image.Image) -> int:
    """Bytes of the pixels: three of RGB, or those of the file's own mode where these are more."""
    return image.width * image.height * max(3, _MODE_BYTES.get(image.mode, 3))


@contextmanager
def _alone() -> Iterator[None]:
    """Hold the lock that keeps processes from decoding several large pictures at once; a kill frees it."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    with FileLock(Path(tempfile.gettempdir(), f"cover-pictures-{user}.lock")):
        yield


def _tiles(image: Image.Image) -> Iterator[tuple[slice, slice, Image.Image]]:
    """Give an image in tiles, so that what is made of one is small beside the image."""
    width = min(image.width, _TILE)
    height = max(1, _TILE // width)
    for top in range(0, image.height, height):
        for left in range(0, image.width, width):
            right, bottom = min(left + width, image.width), min(top + height, image.height)
            yield slice(top, bottom), slice(left, right), image.crop((left, top, right, bottom))


def _rgb(image: Image.Image, path: Path) -> np.ndarray:
    """The pixels as RGB, uint8 (H, W, 3)."""
    picture = np.empty((image.height, image.width, 3), dtype=np.uint8)
    if image.mode == "F" or image.mode.startswith("I"):
        _eight_bits(image, path, picture)
    else:
        for rows, columns, tile in _tiles(image):
            picture[rows, columns] = np.asarray(tile.convert("RGB"))
    return picture


def _without_end_mark(path: Path) -> np.ndarray:
    """Decode a JPEG that lacks its end mark although all of its pixels are there.

    What follows the last pixel does not matter to the decoder. So pixels that depend on it are missing in the file.

    Raises:
        OSError: Pixels are missing.
    """
    data = path.read_bytes()
    pictures: list[np.ndarray] = []
    for padding in (b"", b"\x55" * 64):
        with Image.open(io.BytesIO(data + padding + _JPEG_END), formats=("JPEG",)) as image:
            pictures.append(_rgb(image, path))
    if not np.array_equal(pictures[0], pictures[1]):
        raise OSError("the file ends before its last pixel")
    return pictures[0]


def _open(path: Path) -> Image.Image | None:
    """Open an image, not decoded yet; None where the file is no still image."""
    with _damage(path):
        with path.open("rb") as file:
            head = file.read(256)
        formats: tuple[str, ...] = _FORMATS
        heif = _is_heif(head)
        if heif:
            import pi_heif  # not worth importing for other files

            pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
            formats = ("HEIF", *_FORMATS)
        try:
            Image.init()
            with _unlimited():
                image = Image.open(path, formats=formats)
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError):
            if heif or head.startswith(_TIFF_MAGIC):
                what = "HEIF" if heif else "TIFF (64 or 16 bits of floating point, for one)"
                raise VideoError(
                    f"{visible(path)}: the image is damaged, or a kind of {what} that is not read; "
                    "save it as PNG, or with 8 or 16 bits"
                ) from None
            return None
        if image.format == "JPEG" and path.suffix.lower() in _JPEG_VIDEOS:
            image.close()
            return None
        if image.format in _ANIMATED and getattr(image, "is_animated", False):
            image.close()
            return None
        return image


@contextmanager
def _unlimited() -> Iterator[None]:
    """Open images beyond Pillow's own limit: ours is in bytes, and checked before anything is decoded."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _is_heif(head: bytes) -> bool:
    """Tell a HEIF still by the brands in its first box; FFmpeg reads HEIF sequences, which some stills are named as."""
    if head[4:8] != b"ftyp":
        return False
    length = min(int.from_bytes(head[:4], "big"), len(head))
    major, *compatible = (head[start : start + 4] for start in (8, *range(16, length, 4)))
    if b"avif" in (major, *compatible):
        return False
    return major in _HEIF_BRANDS or (major in _HEIF_SEQUENCES and not _HEIF_BRANDS.isdisjoint(compatible))


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Turn whatever Pillow's readers raise on bytes that make no sense, which is any exception, into one of ours."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged EXIF and large images, which have a limit of their own
            yield
    except VideoError:
        raise
    except Exception as error:  # noqa: BLE001
        detail = " ".join(str(error).split()) or type(error).__name__
        raise VideoError(f"{visible(path)}: the image is damaged: {detail}") from None


def _orientation(image: Image.Image) -> Orientation:
    try:
        return orientation_of_exif(image.getexif().get(_EXIF_ORIENTATION))
    except Exception:  # noqa: BLE001 - of a PNG, EXIF is behind the pixels: whether these are whole is not its matter
        return UPRIGHT


def orientation_in_jpeg(data: bytes) -> Orientation:
    """Read the orientation in a JPEG's EXIF; upright without one.

    Args:
        data: The file, or a packet of Motion JPEG.
    """
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            return _orientation(image)
    except Exception:  # noqa: BLE001 - whether the pixels are whole is not its matter
        return UPRIGHT


def _eight_bits(image: Image.Image, path: Path, picture: np.ndarray) -> None:
    """Scale gray values that need more than eight bits, into uint8 (H, W, 3)."""
    tags = dict(image.tag_v2) if image.format == "TIFF" else {}  # type: ignore[attr-defined]
    ends = np.array([(values.min(), values.max()) for values in (np.asarray(tile) for *_, tile in _tiles(image))])
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise VideoError(f"{visible(path)}: it holds values that are no numbers (NaN or infinite)")
    white = _white(image.mode, tags, low, high)
    if white is None:
        kind = "floating-point" if image.mode == "F" else "integer"
        raise VideoError(
            f"{visible(path)}: its {kind} values from {low:g} to {high:g} fit no known range "
            "(0..1, 0..255, 0..65535); save it with 8 or 16 bits, or scaled to one of them"
        )
    for rows, columns, tile in _tiles(image):
        scaled = (np.clip(np.asarray(tile), 0, white) / (white / 255)).round().astype(np.uint8)
        picture[rows, columns] = (255 - scaled if tags.get(_TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO else scaled)[..., None]


def _white(mode: str, tags: Mapping[int, Any], low: float, high: float) -> float | None:
    """Return which value is white, as far as a file's values show it; None where a guess could come out black."""
    if mode == "F":  # resampling leaves values a little outside of their range
        if low >= -0.1 and high <= 1.1:
            return 1
        return 255 if low >= -25 and _DARK * 255 < high <= 280 else None
    if low < 0:
        return None
    if not tags:  # formats that have no choice of range
        return 65535
    signed = _first(tags.get(_TIFF_SAMPLE_FORMAT)) == _SIGNED
    if _first(tags.get(_TIFF_BITS)) == 16:
        return 32767 if signed else 65535
    if high <= 255:
        return 255 if high != 1 else None
    return 65535 if _DARK * 65535 < high <= 65535 else None


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) else value
