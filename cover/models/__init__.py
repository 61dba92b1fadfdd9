"""COVER as plain torch modules: no files, no training loop, usable from a notebook."""

from cover.models.aesthetic import AestheticBackbone
from cover.models.cover import COVER, PIXEL_STATISTICS, branch_scores
from cover.models.open_clip_backbone import OpenClipBackbone
from cover.models.scratch import fan_in_, whiten_
from cover.models.semantic import SemanticBackbone
from cover.models.technical import TechnicalBackbone
from cover.models.timm_backbone import FrameBackbone

__all__ = [
    "COVER",
    "PIXEL_STATISTICS",
    "AestheticBackbone",
    "FrameBackbone",
    "OpenClipBackbone",
    "SemanticBackbone",
    "TechnicalBackbone",
    "branch_scores",
    "fan_in_",
    "whiten_",
]
