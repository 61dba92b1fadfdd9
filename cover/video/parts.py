"""Parts of videos: which frames a stretch of time holds, and how a video is cut into parts."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cover.errors import VideoError
from cover.parts import WHOLE, Bound, FrameNumber, Part
from cover.text import visible
from cover.video.info import VideoIndex

_NEARLY = 0.1  # s: an end that is rounded up
_HALF_MILLISECOND = 5e-4  # tables give milliseconds: a frame whose time rounds to the start is the part's first


@dataclass(frozen=True)
class Segments:
    """How whole videos are cut into parts.

    Args:
        by: Seconds, or ``shots``.
        threshold: Shots: how much more than its neighbours a frame has to differ from the one before.
        min_seconds: Shots: none is shorter.
        max_seconds: Shots: longer ones are divided evenly.
    """

    by: float | Literal["shots"]
    threshold: float = 3.0
    min_seconds: float = 1.0
    max_seconds: float = 60.0


def part_frames(index: VideoIndex, part: Part) -> range:
    """Find the frames that are shown from the start of a part up to, but not at, its end.

    Times are those of presentation, to half a millisecond, so that consecutive parts neither share
    nor skip frames, even at variable frame rates.

    Args:
        index: Of the video.
        part: The part; an end behind the last frame is the end of the video.

    Returns:
        Frame numbers, at least one.

    Raises:
        VideoError: The part is reversed or empty, lies outside the video, or the times of its frames are unknown.
    """
    frames = range(index.info.frames)
    if part == WHOLE:
        return frames
    start, end = part
    where = visible(index.path)
    for moment in (start, end):
        if moment is not None and not isinstance(moment, (int, float)):
            raise VideoError(f"{where}: start and end take seconds, not {moment!r}")
        if moment is not None and not (moment >= 0 and math.isfinite(moment)):
            raise VideoError(f"{where}: {_words(moment)}: a part starts and ends at 0, the first frame, or later")
    if index.info.image:
        raise VideoError(f"{where}: an image has no parts; leave out start and end")
    low, high = _frame_at(index, start, 0), _frame_at(index, end, len(frames))
    stretch = f"from {_words(start)} to {_words(end)}".replace(" s to", " to")
    if low >= len(frames):
        last = f"numbered {len(frames) - 1}"
        if not isinstance(start, FrameNumber):
            last = f"shown at {_times(index)[-1]:.3f} s"
        raise VideoError(f"{where}: the part starts at {_words(start)}; the video's last frame is {last}")
    if low >= high:
        if type(start) is type(end) and start is not None and end is not None and end > start:
            raise VideoError(f"{where}: no frame is shown {stretch}")
        raise VideoError(f"{where}: the part {stretch} is empty: its end must be after its start")
    return frames[low:high]


def part_seconds(index: VideoIndex, part: Part) -> Part | None:
    """Give a part's start and end in seconds after the first frame, NaN where unknown; None for the whole video.

    Args:
        index: Of the video.
        part: The part; an end behind the last frame is the end of the video.
    """
    if part == WHOLE:
        return None
    first, last = _seconds(index, part.start, 0.0), _seconds(index, part.end, index.end)
    return Part(first, last if math.isnan(index.end) else min(last, index.end))


def even_parts(index: VideoIndex, seconds: float) -> list[Part]:
    """Cut a video every so many seconds; a last piece of less than half of it joins the one before.

    A piece in which no frame begins joins the one before, so that each frame belongs to exactly one part.

    Args:
        index: Of the video.
        seconds: Length of a part.

    Returns:
        The parts in order, to the millisecond; none of an image, which is scored as a whole.

    Raises:
        VideoError: The times of the frames are unknown.
    """
    end = _end(index)
    count = max(1, math.floor((end + _HALF_MILLISECOND) / seconds))
    if end - count * seconds >= seconds / 2 - _HALF_MILLISECOND:
        count += 1
    return _tiles(index, seconds * np.arange(1, count))


def shot_parts(index: VideoIndex, cuts: Iterable[int], shortest: float, longest: float) -> list[Part]:
    """Cut a video at the first frames of its shots.

    Args:
        index: Of the video.
        cuts: Frame numbers, ascending.
        shortest: Minimum shot length, seconds; earlier cuts are ignored, and a shorter last piece joins
            the one before.
        longest: Seconds: longer shots are divided evenly.

    Returns:
        The parts in order, to the millisecond; none of an image, which is scored as a whole.

    Raises:
        VideoError: The times of the frames are unknown.
    """
    times, end = _times(index), _end(index)
    bounds = [0.0]
    for cut in cuts:
        if times[cut] - bounds[-1] >= shortest - _HALF_MILLISECOND:
            bounds.append(float(times[cut]))
    if len(bounds) > 1 and end - bounds[-1] < shortest - _HALF_MILLISECOND:
        bounds.pop()
    inner = list(bounds[1:])
    for first, last in zip(bounds, [*bounds[1:], end], strict=True):
        pieces = math.ceil((last - first - _HALF_MILLISECOND) / longest)
        inner += np.linspace(first, last, pieces + 1)[1:-1].tolist()
    return _tiles(index, np.sort(inner))


def in_passes(parts: Sequence[range]) -> list[list[int]]:
    """Sort parts into passes over their video, such that no two of a pass overlap.

    Args:
        parts: Frame numbers of each.

    Returns:
        Places in ``parts``, for each pass from the video's start to its end; as few passes as can be.
    """
    passes: list[list[int]] = []
    for place in sorted(range(len(parts)), key=lambda place: (parts[place].start, parts[place].stop)):
        free = (places for places in passes if parts[places[-1]].stop <= parts[place].start)
        in_pass = next(free, None)
        if in_pass is None:
            passes.append([place])
        else:
            in_pass.append(place)
    return passes


def beyond_the_end(index: VideoIndex, part: Part) -> str | None:
    """Say that a part is to end after its video does; None where it does not.

    Args:
        index: Of the video.
        part: A part that :func:`part_frames` takes.
    """
    if part.end is None or index.info.image:
        return None
    if isinstance(part.end, FrameNumber):
        last, behind = index.info.frames, part.end > index.info.frames
        return f"the part is to end at frame {part.end}, but the video has {last} frames" if behind else None
    end = _end(index)
    frame = 1 / index.info.fps if index.info.fps else 0.0
    if part.end <= end + max(frame, _NEARLY):
        return None
    return f"the part is to end at {part.end:g} s, but the video ends at {end:.3g} s"


def _tiles(index: VideoIndex, inner: np.ndarray) -> list[Part]:
    """Parts between boundaries, without those that would leave a part without a frame; none of an image."""
    if index.info.image:
        return []
    times = _times(index)
    bounds = np.round(np.concatenate([[0.0], inner]), 3)
    firsts = np.searchsorted(times, bounds - _HALF_MILLISECOND)
    # Of boundaries before the same frame, the last one counts: until then, the frame before is still shown.
    starts = bounds[np.diff(firsts, append=len(times)) > 0]
    end = max(round(_end(index), 3), round(float(times[-1]), 3) + 0.001)
    return [Part(float(first), float(last)) for first, last in zip(starts, [*starts[1:], end], strict=True)]


def _times(index: VideoIndex) -> np.ndarray:
    """Times of all frames, s."""
    if np.isnan(index.times).any():
        raise VideoError(
            f"{visible(index.path)}: its frames have no times; give their rate (data.fps=, in Python fps=) "
            "to score parts"
        )
    return index.times


def _end(index: VideoIndex) -> float:
    """The end of a video, s; of a single frame of no known rate, a millisecond after its start."""
    return float(_times(index)[-1]) + 0.001 if math.isnan(index.end) else index.end


def _seconds(index: VideoIndex, moment: Bound | None, default: float) -> float:
    """When a moment is, s; NaN where unknown."""
    if moment is None:
        return default
    if isinstance(moment, FrameNumber):
        return float(index.times[moment]) if moment < index.info.frames else index.end
    return float(moment)


def _frame_at(index: VideoIndex, moment: Bound | None, default: int) -> int:
    """The first frame that is shown no earlier than at a moment."""
    if moment is None:
        return default
    if isinstance(moment, FrameNumber):
        return min(moment, index.info.frames)
    return int(np.searchsorted(_times(index), moment - _HALF_MILLISECOND))


def _words(moment: Bound | None) -> str:
    if moment is None:
        return "the end"  # a start that is None is 0 and never the fault
    return f"frame {moment}" if isinstance(moment, FrameNumber) else f"{moment:g} s"
