"""Views of one video, and the samplings of a part of it."""

from dataclasses import dataclass, field, replace

import numpy as np

from cover.parts import Part
from cover.video.info import VideoIndex, VideoInfo
from cover.video.sampling import Sampling, check_sampling, choose_sampling
from cover.video.spec import ViewSpec


@dataclass
class LoadedViews:
    """The views of one video, or of a part of one.

    Attributes:
        views: For each sampling: branch -> uint8 RGB (3, T, H, W), C-contiguous.
        info: What the file holds.
        samplings: The frames and crops that were chosen; frame numbers are those of the whole video.
        times: For each sampling: branch -> float64 (T,), seconds after the first frame of the video; NaN where unknown.
        notes: What the user should know about the file although it was loaded, one line each.
        part: Start and end of the part, seconds after the first frame; None for a whole video.
    """

    views: list[dict[str, np.ndarray]]
    info: VideoInfo
    samplings: list[Sampling]
    times: list[dict[str, np.ndarray]]
    notes: list[str] = field(default_factory=list)
    part: Part | None = None


def part_samplings(
    info: VideoInfo, frames: range, spec: ViewSpec, name: str, replay: Sampling | None, where: str
) -> list[Sampling]:
    """Choose samplings of a part as of a video of that many frames; the numbers are those in the whole video.

    Args:
        info: What the video holds.
        frames: Frame numbers of the part.
        spec: The views wanted.
        name: What seeds random samplings.
        replay: A recorded sampling to use; ``spec.samples`` is then ignored.
        where: Name of the video, for messages.

    Raises:
        VideoError: ``replay`` does not fit.
    """
    size = info.height, info.width
    if replay is not None:
        check_sampling(replay, spec, len(frames), *size, where)
        samplings = [replay]
    else:
        samplings = [
            choose_sampling(spec, len(frames), *size, name, sample, image=info.image) for sample in range(spec.samples)
        ]
    return [
        replace(sampling, indices={branch: numbers + frames.start for branch, numbers in sampling.indices.items()})
        for sampling in samplings
    ]


def sampling_times(sampling: Sampling, index: VideoIndex) -> dict[str, np.ndarray]:
    """Give the times of a sampling's frames by branch, seconds after the first frame of the video."""
    return {branch: index.seconds(numbers) for branch, numbers in sampling.indices.items()}
