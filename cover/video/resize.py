"""Bilinear interpolation of single frames in numpy, with the arithmetic of the official pipeline.

The official code resizes float tensors of layout (C, T, H, W) with ``torch.nn.functional.interpolate(mode="bilinear",
align_corners=False)`` and no antialiasing. Its CPU kernel blends columns, then rows, in float32 with one fused
multiply-add each; the same order and the same roundings are used here, so results agree to the last bit and no pixel
is rounded to another level. Only the pixels that count are read, which makes a 4K frame as cheap as a small one.
"""

from dataclasses import dataclass

import numpy as np

_LEVELS = np.float32(255)
_LONG_ROW = 1 << 20  # values: whole rows of more are not copied
_LINES = 64  # of the result that are made at a time: what lies between then stays in the processor's cache


@dataclass(frozen=True, eq=False)
class Taps:
    """The two neighbours each output coordinate lies between, and their weights; arrays of one shape."""

    low: np.ndarray
    high: np.ndarray
    weight_low: np.ndarray
    weight_high: np.ndarray


def taps(positions: np.ndarray, length: int, scale: float) -> Taps:
    """Locate output coordinates among the input's pixels (half-pixel centres).

    Args:
        positions: Output coordinates in px, any shape.
        length: Number of input pixels along this axis.
        scale: Input pixels per output pixel.

    Returns:
        int64 neighbours in [0, length) and float32 weights that sum to 1.
    """
    half = np.float32(0.5)
    source = np.maximum(np.float32(scale) * (positions.astype(np.float32) + half) - half, np.float32(0))
    low = np.minimum(source.astype(np.int64), length - 1)
    weight_high = np.clip(source - low.astype(np.float32), np.float32(0), np.float32(1))
    return Taps(low, np.minimum(low + 1, length - 1), np.float32(1) - weight_high, weight_high)


def _blend(low: np.ndarray, weight_low: np.ndarray, high: np.ndarray, weight_high: np.ndarray) -> np.ndarray:
    """``fma(low, weight_low, high * weight_high)`` in float32: float64 holds the exact product of two float32."""
    blended = low * weight_low.astype(np.float64)
    blended += high * weight_high
    return blended.astype(np.float32)


def whole_taps(height: int, width: int, out_height: int, out_width: int) -> tuple[Taps, Taps]:
    """Rows and columns to blend for resizing a whole frame.

    Args:
        height: Height of the input in px.
        width: Width of the input in px.
        out_height: Height of the output in px.
        out_width: Width of the output in px.

    Returns:
        Taps of shape (out_height,) and (out_width,).
    """
    rows = taps(np.arange(out_height), height, height / out_height)
    columns = taps(np.arange(out_width), width, width / out_width)
    return rows, columns


def resize(frame: np.ndarray, rows: Taps, columns: Taps) -> np.ndarray:
    """Resize a whole frame: bilinear, not antialiased, rounded half to even, as torchvision 0.14 does with uint8.

    Args:
        frame: uint8 of shape (H, W, 3).
        rows: Row taps of :func:`whole_taps`.
        columns: Column taps of :func:`whole_taps`.

    Returns:
        uint8 of shape (out_height, out_width, 3).
    """
    lines = frame.reshape(len(frame), -1)  # one axis for columns and colours, which numpy goes along faster
    left, right = ((side[:, None] * 3 + np.arange(3)).ravel() for side in (columns.low, columns.high))
    weight_left, weight_right = columns.weight_low.repeat(3), columns.weight_high.repeat(3)
    resized = np.empty((len(rows.low), len(left)), dtype=np.uint8)
    for first in range(0, len(resized), _LINES):
        part = slice(first, first + _LINES)
        needed, places = np.unique(np.stack([rows.low[part], rows.high[part]]), return_inverse=True)
        if lines.shape[1] > _LONG_ROW:
            sides = [lines[needed[:, None], side] for side in (left, right)]
        else:  # numpy is faster where it copies whole rows first
            read = lines.take(needed, axis=0)
            sides = [read.take(side, axis=1) for side in (left, right)]
        across = _blend(sides[0], weight_left, sides[1], weight_right)
        upper, lower = across[places.reshape(2, -1)]
        blended = _blend(upper, rows.weight_low[part, None], lower, rows.weight_high[part, None])
        np.rint(blended, out=resized[part], casting="unsafe")
    return resized.reshape(len(resized), -1, 3)


def enlargement(height: int, width: int, side: int) -> float:
    """Factor by which a frame is enlarged until its shorter side is ``side`` px; 1.0 where it is long enough."""
    ratio = min(height / side, width / side)
    return 1 / ratio if ratio < 1 else 1.0


def enlarged_size(height: int, width: int, side: int, crop: int) -> tuple[int, int]:
    """Size of a frame after the enlargement that fragments need.

    Args:
        height: Height of the frame in px.
        width: Width of the frame in px.
        side: Shortest side the fragments allow, px.
        crop: Side of one crop, px, which always fits.

    Returns:
        Height and width in px. As in torch, both are rounded down, so the shorter may be ``side - 1``.
    """
    scale = enlargement(height, width, side)
    return max(int(height * scale), crop), max(int(width * scale), crop)


def sample_enlarged(frame: np.ndarray, rows: Taps, columns: Taps) -> np.ndarray:
    """Pixels of an enlarged frame that is never made as a whole.

    The official code scales to 0..1, interpolates, scales back and cuts the fraction off (it does not round).

    Args:
        frame: uint8 of shape (H, W, 3).
        rows: Row taps of each wanted pixel, shape (h, w).
        columns: Column taps of each wanted pixel, shape (h, w).

    Returns:
        uint8 of shape (h, w, 3).
    """
    weight_low, weight_high = columns.weight_low[..., None], columns.weight_high[..., None]

    def row_pixels(numbers: np.ndarray) -> np.ndarray:
        low, high = (frame[numbers, across] / _LEVELS for across in (columns.low, columns.high))
        return _blend(low, weight_low, high, weight_high)

    upper, lower = row_pixels(rows.low), row_pixels(rows.high)
    blended = _blend(upper, rows.weight_low[..., None], lower, rows.weight_high[..., None])
    return (blended * _LEVELS).astype(np.uint8)
