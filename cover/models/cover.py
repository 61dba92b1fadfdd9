"""COVER: three backbones, two cross gates and three heads that score a video's quality in time and space.

Source: "COVER: A Comprehensive Video Quality Evaluator" (He et al., CVPRW 2024; github.com/taco-group/COVER at 7373bee,
``cover/models/evaluator.py``).
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from cover.models.aesthetic import AestheticBackbone
from cover.models.fusion import CrossGate, QualityHead
from cover.models.open_clip_backbone import OpenClipBackbone
from cover.models.semantic import SemanticBackbone
from cover.models.technical import TechnicalBackbone
from cover.models.timm_backbone import FrameBackbone
from cover.scores import BRANCHES

_OWN = {"semantic": SemanticBackbone, "technical": TechnicalBackbone, "aesthetic": AestheticBackbone}
GATED_BRANCHES = ("technical", "aesthetic")

_CLIP_STYLE = ((122.77, 116.75, 104.09), (68.50, 66.63, 70.32))
_IMAGENET = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
PIXEL_STATISTICS = {"semantic": _CLIP_STYLE, "technical": _IMAGENET, "aesthetic": _IMAGENET}
"""Mean and standard deviation of R, G, B on a 0..255 scale, by which each branch's view is normalised."""


class COVER(nn.Module):
    """The published COVER with no arguments; the mappings override sizes, so that tests run a tiny one.

    To load weights without first drawing 1.5 GB of random ones, construct it on the meta device (it has no buffers,
    nothing is left behind there)::

        with torch.device("meta"):
            model = COVER()
        model.load_state_dict(state_dict, assign=True)

    Args:
        semantic: Arguments of :class:`~cover.models.semantic.SemanticBackbone`; of any branch, those of
            :class:`~cover.models.timm_backbone.FrameBackbone` where ``timm`` is among them, and of
            :class:`~cover.models.open_clip_backbone.OpenClipBackbone` where ``open_clip`` is. Or a module of your
            own: it takes normalised views, float (B, 3, T, H, W), and returns features, float (B, C, T'); those of
            the technical and aesthetic branches are (B, C, T', h, w). All branches have one T', these two one h, w.
            Its attribute ``out_channels`` is C; an optional ``pixel_statistics`` is mean and deviation of R, G, B
            in 0..255.
        technical: Arguments of :class:`~cover.models.technical.TechnicalBackbone`.
        aesthetic: Arguments of :class:`~cover.models.aesthetic.AestheticBackbone`.
        gated: Whether semantics gates the other two branches, as published. Without gates every head sees its branch
            alone, and the branches may differ in channels.
        head_hidden: Hidden channels of the heads; 0: linear heads.
        head_dropout: Dropout of the heads in training.
        gate_dropout: Dropout of the cross gates in training.

    Attributes:
        custom: Branches whose backbone is a module of the user's own.
        calibration: From raw overall scores, of any shape, to the scale of a MOS, float64 of the same shape; None but
            for weights that were fine-tuned with one. The scores that the model computes stay raw.
        views: The view spec it was trained with; None: as published. Metadata only; the model does not use it.
        reference: Scores of other videos by these weights on these views, that come with them
            (:class:`cover.results.reference.Reference`); None for weights without. Metadata only.

    Raises:
        ValueError: The branches differ in channels, or a size is impossible.
        TypeError: A mapping names an argument its backbone does not have.
    """

    def __init__(
        self,
        semantic: Mapping[str, Any] | nn.Module | None = None,
        technical: Mapping[str, Any] | nn.Module | None = None,
        aesthetic: Mapping[str, Any] | nn.Module | None = None,
        gated: bool = True,
        head_hidden: int = 64,
        head_dropout: float = 0.5,
        gate_dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.calibration: Callable[[ArrayLike], NDArray[np.float64]] | None = None
        self.views: Any = None
        self.reference: Any = None
        given = dict(zip(BRANCHES, (semantic, technical, aesthetic), strict=True))
        arguments = {branch: {} if value is None else value for branch, value in given.items()}
        self.custom = tuple(branch for branch, value in arguments.items() if isinstance(value, nn.Module))
        backbones = {branch: _backbone(branch, values) for branch, values in arguments.items()}
        channels: dict[str, int] = {branch: backbone.out_channels for branch, backbone in backbones.items()}
        if gated and len(set(channels.values())) > 1:
            each = ", ".join(f"{branch} has {count}" for branch, count in channels.items())
            raise ValueError(f"the branches must agree in output channels: {each}")
        self.backbones = nn.ModuleDict(backbones)
        gates = GATED_BRANCHES if gated else ()
        self.gates = nn.ModuleDict({branch: CrossGate(channels[branch], gate_dropout) for branch in gates})
        self.heads = nn.ModuleDict(
            {branch: QualityHead(channels[branch], head_hidden, head_dropout) for branch in BRANCHES}
        )

    def normalize(self, views: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Normalise pixels as each branch was trained.

        Args:
            views: Branch -> RGB in 0..255, uint8 or float (B, 3, T, H, W).

        Returns:
            Branch -> (pixel - mean) / standard deviation, float32, same shapes and devices.
        """
        normalized = {}
        for branch, view in views.items():
            statistics: Any = getattr(self.backbones[branch], "pixel_statistics", PIXEL_STATISTICS[branch])
            mean, std = (torch.tensor(values, device=view.device).view(3, 1, 1, 1) for values in statistics)
            normalized[branch] = (view.float() - mean).div_(std)
        return normalized

    def features(self, views: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run the backbones.

        Args:
            views: Branch -> normalised view, float (B, 3, T, H, W), of all branches or some. The technical and
                aesthetic views have twice the semantic view's frames, but a still image has one frame in all three:
                those two then see it twice.

        Returns:
            Features of these branches before the gates: semantic (B, C, T'), unit vectors but for a
            :class:`~cover.models.timm_backbone.FrameBackbone` without ``out_channels``;
            technical and aesthetic (B, C, T', h, w).
        """
        features = {}
        for branch, view in views.items():
            if branch in GATED_BRANCHES and view.shape[2] == 1:
                view = view.expand(-1, -1, getattr(self.backbones[branch], "moment", 2), -1, -1)
            features[branch] = self.backbones[branch](view)
        return features

    def score_maps(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Gate the features and score every moment and place.

        Args:
            features: What :meth:`features` returns.

        Returns:
            Branch -> quality, float (B, T', h, w), higher is better. The semantic map is constant over space.

        Raises:
            ValueError: The branches differ in T'.
        """
        gated = self.gate(features)
        return {branch: self.heads[branch](gated[branch]) for branch in BRANCHES}

    def gate(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Gate the features by semantics, where the model has gates.

        Args:
            features: What :meth:`features` returns.

        Returns:
            Branch -> what its head is given, float (B, C, T', h, w).

        Raises:
            ValueError: The branches differ in T'.
        """
        lengths = {branch: features[branch].shape[2] for branch in BRANCHES}
        if len(set(lengths.values())) > 1:
            raise ValueError(
                f"the branches' features must agree in time, these do not: {lengths} "
                "(the published technical and aesthetic views have twice the semantic view's frames)"
            )
        semantic = features["semantic"]
        gated = dict(features)
        for branch, gate in self.gates.items():
            gated[branch] = gate(semantic, features[branch])
        # Repeated over space before the head, not after: in training dropout then differs from place to place.
        height, width = gated["technical"].shape[3:]
        gated["semantic"] = semantic[..., None, None].expand(-1, -1, -1, height, width)
        return gated

    def forward(self, views: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Normalised views (see :meth:`features`) -> score maps (see :meth:`score_maps`)."""
        return self.score_maps(self.features(views))


def _backbone(branch: str, arguments: Mapping[str, Any] | nn.Module) -> Any:
    if isinstance(arguments, nn.Module):
        channels = getattr(arguments, "out_channels", None)
        if not isinstance(channels, int) or channels < 1:
            raise ValueError(f"{branch}: {type(arguments).__name__} needs an attribute out_channels, its channels")
        return arguments
    if "timm" in arguments:
        return FrameBackbone(branch, **arguments)
    if "open_clip" in arguments:
        if branch != "semantic":
            raise ValueError(f"{branch}: open_clip= is for the semantic branch")
        return OpenClipBackbone(**arguments)
    return _OWN[branch](**arguments)


def branch_scores(maps: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Average score maps (B, T', h, w) to one score for each branch, (B,), and add up ``overall``, their sum."""
    scores = {branch: maps[branch].flatten(1).mean(1) for branch in BRANCHES}
    scores["overall"] = torch.stack(list(scores.values())).sum(0)
    return scores
