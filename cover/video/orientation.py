"""How a picture is turned and mirrored before it is shown."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from av.sidedata.sidedata import SideDataContainer
from av.video.frame import VideoFrame

_MIRRORED_EXIF = (2, 4, 5, 7)
_EXIF_TURNS = {3: 2, 4: 2, 5: 1, 6: 3, 7: 3, 8: 1}


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways to lay a picture on its side or on its face.

    Attributes:
        turns: Quarter turns counter-clockwise, 0 to 3.
        mirrored: Whether left and right change places before the turns.
    """

    turns: int = 0
    mirrored: bool = False

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Give height and width as shown, px."""
        return (width, height) if self.turns % 2 else (height, width)

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """Show a picture, (H, W, ...), as it is meant; C-contiguous where anything changes."""
        if not self.turns and not self.mirrored:
            return picture
        mirrored = picture[:, ::-1] if self.mirrored else picture
        return np.ascontiguousarray(np.rot90(mirrored, self.turns))


UPRIGHT = Orientation()


def orientation_of(frame: VideoFrame) -> Orientation | None:
    """Read a frame's display matrix, which FFmpeg takes from the container or from the stream itself.

    Source: FFmpeg's ``libavutil/display.h``: a row (p, q) times the upper left 2 x 2 of the matrix is where a pixel is
    shown. The nearest quarter turn counts.

    Returns:
        How to show the frame, or None where PyAV cannot tell.
    """
    try:
        # frame.side_data would be kept by the frame that it refers to, and both until cycles are collected.
        data: Any = SideDataContainer(frame).get("DISPLAYMATRIX")  # type: ignore[call-arg]
    except ValueError:  # one of the frame's side data is of a kind that PyAV does not know
        return None
    if data is None:
        return UPRIGHT
    (a, b, _), (c, d, _), _ = np.frombuffer(bytes(data), np.int32).reshape(3, 3).astype(float)
    # Mirroring changes the signs of a and b only, so that c and d alone tell the turn.
    upright = abs(d) >= abs(c)
    turns = (2 if d < 0 else 0) if upright else (1 if c > 0 else 3)
    return Orientation(turns, mirrored=bool(a * d - b * c < 0))


def orientation_of_exif(value: object) -> Orientation:
    """Read the EXIF tag Orientation, 1 to 8; anything else is upright."""
    turns = _EXIF_TURNS.get(value, 0) if isinstance(value, int) else 0
    return Orientation(turns, value in _MIRRORED_EXIF)
