"""Scoring from Python: ``load_model`` and ``score``."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from cover.errors import VideoError, WeightsError
from cover.models import COVER, branch_scores
from cover.video import ViewSpec, load_views
from cover.weights import SHIPPED, load_weights, read_about


@dataclass(frozen=True)
class QualityScores:
    """What :func:`score` returns: higher is better, on the model's own scale (not that of a MOS) but for ``mos``.

    Attributes:
        semantic: Score of the content.
        technical: Score of distortions: blur, noise, compression, stutter.
        aesthetic: Score of composition, colour and light.
        overall: Their sum.
        maps: Branch -> float32 (T', 7, 7): quality over time and space, whose mean is the branch's score. The semantic
            map is constant over space. With several draws, the maps are averaged as the scores are.
        notes: What was noticed while the video was read, such as frames that could not be decoded.
        mos: ``overall`` on the scale of the MOS that the model was fine-tuned on; None where the weights have no
            calibration, as the published ones.
    """

    semantic: float
    technical: float
    aesthetic: float
    overall: float
    maps: Mapping[str, np.ndarray]
    notes: tuple[str, ...] = ()
    mos: float | None = None


def load_model(
    name: str | Path = "cover", *, clip_weights: str | Path | None = None, device: str | torch.device = "cpu"
) -> COVER:
    """A model with its weights, ready to score.

    Args:
        name: ``"cover"`` for the published weights, which are downloaded once (1.2 GB, kept in ``$COVER_CACHE``);
            ``"cover_lite"`` for the small model that comes with the package, for demos and coarse ranking; or the path
            of a COVER.pth or of what training made (``best.ckpt``, ``last.ckpt``, ``heads.safetensors``), which says
            what model it is of.
        clip_weights: A CLIP ViT-L/14 image tower in hand: a state dict with OpenAI's ``visual.*`` names, OpenAI's own
            ViT-L-14.pt, or an open_clip file. By default OpenAI's file is downloaded.
        device: Where to put the model.

    Returns:
        The model, in evaluation mode; its ``views`` are those it was trained on.

    Raises:
        WeightsError: A file is missing, damaged, or does not fit, or weights that were trained are not enough without
            others that are gone.
    """
    path = None if name == "cover" else SHIPPED.get(str(name), Path(name))
    about = {} if path is None else read_about(path)
    try:
        with torch.device("meta"):
            model = COVER(**about.get("net", {}))
        model.views = ViewSpec.from_dict(about["views"]) if "views" in about else None
    except (TypeError, ValueError, KeyError) as error:
        raise WeightsError(f"{path} is damaged: what it says of its model makes no sense ({error})") from error
    load_weights(model, path, clip_weights)
    return model.to(device).eval()


@torch.inference_mode()
def score(source: str | Path | np.ndarray, model: COVER, *, views: ViewSpec | None = None) -> QualityScores:
    """Scores one video or image.

    Args:
        source: A file, or RGB frames as uint8 (T, H, W, 3).
        model: From :func:`load_model`.
        views: How frames and crops are chosen; by default as the model was trained to see them, sampled at the centre,
            so that the same video has the same score every time.

    Returns:
        The scores and their maps.

    Raises:
        VideoError: The source cannot be read as a video or an image.
    """
    loaded = load_views(source, views or model.views or ViewSpec())
    device = next(model.parameters()).device
    draws = []
    for draw in loaded.views:
        batch = {branch: torch.from_numpy(view)[None].to(device) for branch, view in draw.items()}
        draws.append(model(model.normalize(batch)))
    maps = {branch: torch.stack([draw[branch] for draw in draws]).mean(0) for branch in draws[0]}
    scores = {name: value.item() for name, value in branch_scores(maps).items()}
    if not all(map(math.isfinite, scores.values())):
        raise VideoError(
            f"{source if not isinstance(source, np.ndarray) else 'frames'}: the score is not a finite number"
        )
    return QualityScores(
        **scores,
        maps={branch: value[0].float().cpu().numpy() for branch, value in maps.items()},
        notes=tuple(loaded.notes),
        mos=None if model.calibration is None else float(model.calibration(scores["overall"])),
    )
