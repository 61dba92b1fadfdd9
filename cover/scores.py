"""Scores: their names, and those of one video. Imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cover.parts import Part

if TYPE_CHECKING:
    from cover.video import VideoInfo

BRANCHES = ("semantic", "technical", "aesthetic")
"""What the model judges separately."""

REVISION = 1
"""Raised when the scores of the same model, views and video may change; results of another revision are not resumed."""

SCORES = (*BRANCHES, "overall")
"""The branches and their sum."""


@dataclass(frozen=True, repr=False)
class VideoScore:
    """Scores of one video. Higher is better; scores are on the model's own scale, not that of a MOS.

    Attributes:
        semantic: Score of the content.
        technical: Score of distortions: blur, noise, compression, stutter.
        aesthetic: Score of composition, colour and light.
        overall: Their sum.
        predicted_mos: ``overall`` on the scale of the MOS that the model was fine-tuned on; None where the weights have
            no calibration, as the published ones.
        percentile: The share of a reference's videos that ``overall`` is above, 0 to 100; None without a reference.
        maps: Branch -> score map, float32 (T', h, w): quality over time and space, whose mean is the branch's score.
            The semantic map is constant over space.
        times: Branch -> float64 (T',): the moment that each row of the map stands for, seconds after the first frame;
            NaN where the frame rate is unknown.
        frames: Branch -> int64 (T', n): the numbers of the frames that each row of the map has seen.
        notes: Remarks on how the video was read, such as frames that could not be decoded.
        thumbnails: On request, small pictures of the frames looked at: uint8 RGB (T', h, w, 3), one for each row of the
            aesthetic map, in the shape of the video.
        info: What the file holds.
        part: Start and end of the part, seconds after the first frame; None for a whole video.
    """

    semantic: float
    technical: float
    aesthetic: float
    overall: float
    predicted_mos: float | None
    percentile: float | None
    maps: Mapping[str, np.ndarray]
    times: Mapping[str, np.ndarray]
    frames: Mapping[str, np.ndarray]
    notes: tuple[str, ...] = ()
    thumbnails: np.ndarray | None = None
    info: "VideoInfo | None" = None
    part: Part | None = None

    @property
    def scores(self) -> dict[str, float]:
        """The four scores by name, in the order of :data:`SCORES`."""
        return {name: getattr(self, name) for name in SCORES}

    def to_dict(self) -> dict[str, Any]:
        """Give the scores as plain data for JSON or a table, without maps, frames and pictures.

        Returns:
            The four scores, ``predicted_mos`` and ``percentile`` (None where unknown), ``start`` and ``end`` of a part
            in seconds, and ``notes``.
        """
        bounds = {} if self.part is None else {"start": self.part.start, "end": self.part.end}
        known = {"predicted_mos": self.predicted_mos, "percentile": self.percentile}
        return {**self.scores, **known, **bounds, "notes": list(self.notes)}

    def __str__(self) -> str:
        scores = ", ".join(f"{branch} {getattr(self, branch):.3f}" for branch in BRANCHES)
        lines = [f"overall {self.overall:.3f} ({scores})"]
        if self.predicted_mos is not None:
            lines.append(f"predicted MOS {self.predicted_mos:.2f}")
        if self.percentile is not None:
            lines.append(f"higher than {self.percentile:.0f} % of the reference videos")
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"VideoScore({', '.join(f'{name}={score:.4f}' for name, score in self.scores.items())})"
