"""The scorer: a model with what it looks at and the scale it speaks in, from a video to its score."""

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from cover.errors import VideoError
from cover.models import COVER, branch_scores
from cover.results.reference import Reference
from cover.scores import BRANCHES, SCORES, VideoScore
from cover.video import LoadedViews, RawFormat, VideoSource, ViewSpec, load_views
from cover.video.sampling import Sampling

THUMBNAIL = 160
"""Longer side of a thumbnail, px."""


class Scorer:
    """Score videos with a model.

    Where there are several samplings of a video, its scores are the means over them (in double precision), and so are
    its maps; a row of a map then stands for the frames of all of them, and for the mean of their times.

    Args:
        model: The network, in evaluation mode, on the device it is to run on.
        views: The views it is given; by default those it was trained on, else the published ones.
        reference: Scores of other videos, among which a score stands; by default those that come with the model's
            weights, if there are any, and if the views are those they were made with.
    """

    def __init__(
        self,
        model: COVER,
        views: ViewSpec | None = None,
        *,
        reference: Reference | None = None,
    ) -> None:
        self.model = model
        self.views = views or model.views or ViewSpec()
        self.calibration = model.calibration
        self.reference = reference or (model.reference if self.views == model.views else None)

    def score(
        self,
        source: VideoSource,
        *,
        replay: Sampling | None = None,
        raw: RawFormat | None = None,
        stream: int | None = None,
        fps: float | None = None,
        start: float | None = None,
        end: float | None = None,
        thumbnails: bool = False,
    ) -> VideoScore:
        """Score one video or image, or a part of a video.

        Args:
            source: A file, a folder of frames, or RGB frames in memory (:func:`cover.video.load_views`).
            replay: A recorded sampling to use.
            raw: Layout of a headerless ``.yuv`` file.
            stream: Number of the video stream, from 0; None for the longest, of those the largest.
            fps: Frame rate of frames in memory or in a folder, for the times of score maps.
            start: Start of the part, seconds after the first frame; None starts with it.
            end: End of the part, seconds after the first frame, exclusive; None ends with the video.
            thumbnails: Whether to keep small pictures of the frames looked at.

        Raises:
            VideoError: The source cannot be read as a video or an image, has no such part, or its score is not finite.
        """
        reading: dict[str, Any] = {"raw": raw, "stream": stream, "fps": fps, "start": start, "end": end}
        (result,) = self.score_batch([load_views(source, self.views, replay=replay, **reading)], thumbnails=thumbnails)
        if isinstance(result, VideoError):
            where = source if isinstance(source, (str, os.PathLike)) else "frames"
            raise VideoError(f"{where}: {result}")
        return result

    @torch.inference_mode()
    def score_batch(self, loaded: Sequence[LoadedViews], *, thumbnails: bool = False) -> list[VideoScore | VideoError]:
        """Score decoded videos, in one forward pass for each sampling.

        Args:
            loaded: The B videos; the views of all have one shape and the same number of samplings.
            thumbnails: Whether to keep small pictures of the frames looked at.

        Returns:
            For each video its score, or why it has none: a score that is not a finite number.
        """
        device = next(self.model.parameters()).device
        maps_of = [self.model(self.model.normalize(views)) for views in stacked(loaded, device)]
        per_sampling = [branch_scores(maps) for maps in maps_of]
        scores = {name: _mean([sampling[name] for sampling in per_sampling]).tolist() for name in SCORES}
        maps = {branch: _mean([sampling[branch] for sampling in maps_of]).float().cpu().numpy() for branch in BRANCHES}
        return [
            self._result(
                video,
                {name: values[place] for name, values in scores.items()},
                {branch: rows[place] for branch, rows in maps.items()},
                thumbnails,
            )
            for place, video in enumerate(loaded)
        ]

    def _result(
        self, video: LoadedViews, scores: Mapping[str, float], maps: Mapping[str, np.ndarray], thumbnails: bool
    ) -> VideoScore | VideoError:
        if not all(map(math.isfinite, scores.values())):
            return VideoError("the model's score is not a finite number; try trainer.precision=32-true")
        frames, times = {}, {}
        for branch, rows in maps.items():
            numbers = [_per_row(sampling.indices[branch], len(rows)) for sampling in video.samplings]
            seconds = [_per_row(sampled[branch], len(rows)) for sampled in video.times]
            frames[branch] = np.concatenate(numbers, axis=1)
            times[branch] = np.concatenate(seconds, axis=1).mean(axis=1)
        return VideoScore(
            **scores,
            predicted_mos=None if self.calibration is None else float(self.calibration(scores["overall"])),
            percentile=None if self.reference is None else self.reference.percentile(scores["overall"]),
            maps=maps,
            times=times,
            frames=frames,
            notes=tuple(video.notes),
            thumbnails=_thumbnails(video, len(maps["aesthetic"])) if thumbnails else None,
            info=video.info,
            part=video.part,
        )


def stacked(loaded: Sequence[LoadedViews], device: torch.device) -> list[dict[str, torch.Tensor]]:
    """Stack the views of videos and move them to a device.

    Args:
        loaded: The B videos; the views of all have one shape and the same number of samplings.
        device: Where to.

    Returns:
        For each sampling: branch -> uint8 RGB (B, 3, T, H, W).
    """
    return [
        {
            branch: torch.stack([torch.from_numpy(views[branch]) for views in sampling]).to(device)
            for branch in sampling[0]
        }
        for sampling in zip(*(video.views for video in loaded), strict=True)
    ]


def _mean(samplings: Sequence[torch.Tensor]) -> torch.Tensor:
    """Average over samplings in double precision, where the device has it."""
    stacked = torch.stack(list(samplings))
    return (stacked.cpu() if stacked.device.type == "mps" else stacked).double().mean(0)


def _per_row(values: np.ndarray, rows: int) -> np.ndarray:
    """Share out what belongs to the frames of a view, (T,), among the rows of its map: (rows, T / rows rounded up)."""
    each = -(-len(values) // rows)
    places = np.minimum(np.arange(rows)[:, None] * each + np.arange(each), len(values) - 1)
    return values[places]


def _thumbnails(video: LoadedViews, rows: int) -> np.ndarray:
    """Small pictures of the first frame of each row of the aesthetic map, from the view that has whole frames."""
    view = video.views[0]["aesthetic"].transpose(1, 2, 3, 0)
    first = _per_row(np.arange(len(view)), rows)[:, 0]
    factor = THUMBNAIL / max(video.info.width, video.info.height)
    size = max(1, round(video.info.width * factor)), max(1, round(video.info.height * factor))
    return np.stack([np.asarray(Image.fromarray(view[place]).resize(size, Image.Resampling.BOX)) for place in first])
