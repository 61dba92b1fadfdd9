"""Parts of videos: which frames a stretch of time holds."""

import math

import numpy as np

from cover.errors import VideoError
from cover.video.info import VideoIndex
from cover.video.source import shown

_HALF_MILLISECOND = 5e-4  # tables give milliseconds: a frame whose time rounds to the start is the part's first


def part_frames(index: VideoIndex, start: float | None, end: float | None) -> range:
    """Find the frames that are shown from ``start`` up to, but not at, ``end``.

    Times are those of presentation, to half a millisecond, so that parts that follow each other share no frame and
    leave none out, whatever the frame rate does.

    Args:
        index: Of the video.
        start: Seconds after the first frame; None starts with it.
        end: Likewise; None ends with the last frame, and an end behind that one does too.

    Returns:
        Frame numbers, at least one.

    Raises:
        VideoError: The part is reversed or empty, lies outside the video, or the times of its frames are unknown.
    """
    frames = range(index.info.frames)
    if start is None and end is None:
        return frames
    where = shown(index.path)
    first, last = 0.0 if start is None else start, math.inf if end is None else end
    if not first >= 0 or math.isnan(last):
        raise VideoError(f"{where}: start={first:g}, end={last:g}: takes seconds after the first frame")
    if last <= first:
        raise VideoError(f"{where}: the part from {first:g} to {last:g} s is empty: its end must be after its start")
    if index.info.image:
        raise VideoError(f"{where}: an image has no parts; leave out start and end")
    times = index.seconds(np.arange(len(frames)))
    if np.isnan(times).any():
        raise VideoError(f"{where}: its frames have no times; give their rate (fps), or leave out start and end")
    low, high = np.searchsorted(times, np.array([first, last]) - _HALF_MILLISECOND)
    if low == high:
        if low == len(times):
            raise VideoError(
                f"{where}: the part starts at {first:g} s; the video's last frame is shown at {times[-1]:.3f} s"
            )
        raise VideoError(f"{where}: no frame is shown from {first:g} to {last:g} s")
    return frames[low:high]
