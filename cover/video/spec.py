"""View specs: the frames, sizes and sampling of the three views. Plain data, checked on construction."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

SEED_LIMIT = 2**63


def _require(fine: bool, message: str) -> None:
    if not fine:
        raise ValueError(message)


def _require_positive(name: str, value: object) -> None:
    fine = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    _require(fine, f"{name} must be an integer of at least 1, not {value!r}")


@dataclass(frozen=True)
class FrameSampling:
    """The frames of a view: from each of ``fragments`` equal parts of the video ``frames`` frames ``interval`` apart.

    Source: ``UnifiedFrameSampler`` of the official code (github.com/taco-group/COVER, ``cover/datasets``).
    """

    fragments: int
    frames: int
    interval: int = 2

    def __post_init__(self) -> None:
        _require_positive("fragments", self.fragments)
        _require_positive("frames", self.frames)
        _require_positive("interval", self.interval)

    @property
    def length(self) -> int:
        """Number of frames in the view (T)."""
        return self.fragments * self.frames


@dataclass(frozen=True)
class WholeView(FrameSampling):
    """Whole frames, each resized to ``size`` x ``size`` px (the aspect ratio is not kept)."""

    size: int = 224

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_positive("size", self.size)


@dataclass(frozen=True)
class FragmentView(FrameSampling):
    """A mosaic of ``grid`` x ``grid`` crops at full resolution, one a cell, each ``fragment`` x ``fragment`` px."""

    grid: int = 7
    fragment: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_positive("grid", self.grid)
        _require_positive("fragment", self.fragment)

    @property
    def size(self) -> int:
        """Side of the mosaic in px; a frame with a shorter side is enlarged before it is cropped."""
        return self.grid * self.fragment


@dataclass(frozen=True)
class ViewSpec:
    """The views of one video. Without arguments: the protocol of the published weights (``cover.yml`` of the paper).

    Args:
        semantic: Frames of the semantic branch.
        technical: Fragments of the technical branch.
        aesthetic: Frames of the aesthetic branch.
        sampling: ``"center"`` takes the middle of every range the official code draws from, so that one file has one
            score; ``"random"`` draws as the official code does, seeded for each file.
        seed: Seed of random samplings.
        samples: Number of independent random samplings of a video.
        rotate: Whether to turn frames as the container's display matrix or an image's EXIF tag asks.

    Raises:
        ValueError: If a value makes no sense; the message names the field.
    """

    semantic: WholeView = field(default_factory=lambda: WholeView(fragments=20, frames=1, size=512))
    technical: FragmentView = field(default_factory=lambda: FragmentView(fragments=20, frames=2))
    aesthetic: WholeView = field(default_factory=lambda: WholeView(fragments=20, frames=2, size=224))
    sampling: Literal["center", "random"] = "center"
    seed: int = 0
    samples: int = 1
    rotate: bool = True

    def __post_init__(self) -> None:
        _require(self.sampling in ("center", "random"), f"sampling must be center or random, not {self.sampling!r}")
        _require_positive("samples", self.samples)
        fine = isinstance(self.seed, int) and not isinstance(self.seed, bool) and 0 <= self.seed < SEED_LIMIT
        _require(fine, f"seed must be an integer from 0 to 2**63 - 1, not {self.seed!r}")
        _require(
            self.samples == 1 or self.sampling == "random",
            "samples > 1 needs sampling=random: every centered sampling of a video is the same",
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "ViewSpec":
        """Make the views that :func:`dataclasses.asdict` turned into this.

        Raises:
            KeyError, TypeError, ValueError: It is no such data.
        """
        branches: dict[str, Any] = {
            "semantic": WholeView(**data["semantic"]),
            "technical": FragmentView(**data["technical"]),
            "aesthetic": WholeView(**data["aesthetic"]),
        }
        return cls(**{**data, **branches})

    @property
    def branches(self) -> dict[str, WholeView | FragmentView]:
        """The three views by branch name, in the order of the model's branches."""
        return {"semantic": self.semantic, "technical": self.technical, "aesthetic": self.aesthetic}
