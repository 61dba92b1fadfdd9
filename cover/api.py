"""Scoring from Python: ``load_model``, ``score``, ``score_many`` and ``read_results``."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from cover.decoding.decoder import Decoder, default_workers
from cover.errors import UsageError, VideoError, WeightsError
from cover.models import COVER
from cover.results.reference import Reference, read_reference, shipped_reference
from cover.rows import Failure, Row
from cover.scores import BRANCHES, VideoScore
from cover.scoring.local import LocalEngine
from cover.scoring.run import score_rows
from cover.scoring.scorer import Scorer
from cover.text import meant
from cover.video import VIDEO_SUFFIXES, VideoSource, ViewSpec
from cover.weights import SHIPPED, load_weights, read_about

if TYPE_CHECKING:
    import pandas as pd

    from cover.reporting.progress import VideoProgress


def load_model(
    name: str | Path = "cover",
    *,
    clip_weights: str | Path | None = None,
    base_weights: str | Path | None = None,
    backbones: Mapping[str, nn.Module] | None = None,
    device: str | torch.device = "cpu",
) -> COVER:
    """Load a model with its weights, ready to score.

    Args:
        name: ``"cover"`` for the published weights, which are downloaded once (1.2 GB, kept in ``$COVER_CACHE``);
            ``"cover_lite"`` for the small model that comes with the package, for demos and coarse ranking; or the path
            of a COVER.pth or of what training made (``best.ckpt``, ``last.ckpt``, ``heads.safetensors``), which says
            what model it is of.
        clip_weights: A local CLIP ViT-L/14 image tower: a state dict with OpenAI's ``visual.*`` names, OpenAI's own
            ViT-L-14.pt, or an open_clip file. By default OpenAI's file is downloaded.
        base_weights: The file that ``heads.safetensors`` was trained from, where it is neither in the same folder nor
            downloaded yet; ``"cover"`` or ``"pretrained"`` to download published files that it was trained from.
        backbones: Branch -> the backbone of your own that the file was trained with; its tensors come from the file.
        device: Where to put the model.

    Returns:
        The model, in evaluation mode; its ``views`` are those it was trained on.

    Raises:
        WeightsError: A file is missing, damaged, or does not fit, or weights that were trained are not enough without
            others that are gone.
    """
    path = None if name == "cover" else SHIPPED.get(str(name), Path(name))
    known = ("cover", *SHIPPED)
    if path is not None and not path.exists() and path.name == str(path) and not path.suffix:
        raise WeightsError(f"{name}: there is no such model or file ({', '.join(known)}){meant(str(name), known)}")
    place = _device(device)
    about = {} if path is None else read_about(path)
    net = about.get("net", {})
    try:
        _refuse_code(net, backbones or {}, path)
        with torch.device("meta"):
            model = COVER(**{**net, **(backbones or {})})
        model.views = ViewSpec.from_dict(about["views"]) if "views" in about else None
        model.reference = shipped_reference(about)
    except (TypeError, ValueError, KeyError) as error:
        raise WeightsError(f"{path} is damaged: what it says of its model makes no sense ({error})") from error
    load_weights(model, path, clip_weights, base_weights)
    return model.to(place).eval()


def _device(device: str | torch.device) -> torch.device:
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"device={device}: there is no such device here; use cpu") from error
    return place


def _refuse_code(net: Mapping[str, Any], given: Mapping[str, nn.Module], path: Path | None) -> None:
    """Refuse a file that names code to import, or a network to download."""
    for branch in BRANCHES:
        node = net.get(branch)
        if branch in given or not isinstance(node, Mapping):
            continue
        target = node.get("_target_")
        if target is not None:
            raise WeightsError(
                f"{path}: the {branch} branch is {target}, which is never imported because a file names it; repeat "
                f"model.net.{branch}={{_target_: ...}} on the command line, or give load_model(backbones=)"
            )
        for library in ("timm", "open_clip"):
            name = str(node.get(library, ""))
            if ":" in name or "/" in name:
                raise WeightsError(
                    f"{path}: the {branch} branch is {name}, which is never fetched because a file names it; repeat "
                    f"model.net.{branch}.{library}= on the command line"
                )


def score(
    source: VideoSource,
    model: COVER,
    *,
    views: ViewSpec | None = None,
    fps: float | None = None,
    start: float | None = None,
    end: float | None = None,
    reference: str | Path | Reference | None = None,
    thumbnails: bool = False,
) -> VideoScore:
    """Score one video or image, or a part of a video as though it were a file of its own.

    Args:
        source: A file, a folder of frames, or RGB frames, uint8 (T, H, W, 3): an array, a torch tensor (which may be
            (T, 3, H, W) too), or a list of frames.
        model: From :func:`load_model`.
        views: Frames and crops to look at; by default as the model was trained to see them, sampled at the centre, so
            that the same video has the same score every time.
        fps: Frame rate of frames in memory or in a folder, for the times of score maps.
        start: Start of the part, seconds after the first frame; None starts with it.
        end: End of the part, seconds after the first frame, exclusive; None ends with the video.
        reference: A results folder of ``infer`` or its ``scores.csv``, made by the same model: says where the score
            stands (``percentile``); unless given, what comes with the weights. Scoring many videos, read it once
            (:func:`cover.results.reference.read_reference`).
        thumbnails: Whether to keep small pictures of the frames looked at.

    Returns:
        The scores and their maps.

    Raises:
        VideoError: The source cannot be read as a video or an image, is a folder of videos, has no such part, or its
            score is not finite.
        UsageError: The reference cannot be read.
    """
    _refuse_folder_of_videos(source)
    return _scorer(model, views, reference).score(source, fps=fps, start=start, end=end, thumbnails=thumbnails)


def score_many(
    videos: Iterable[str | Path],
    model: COVER,
    *,
    views: ViewSpec | None = None,
    workers: int | None = None,
    timeout: float = 300,
    batch_size: int = 1,
    reference: str | Path | Reference | None = None,
    thumbnails: bool = False,
    progress: bool = False,
) -> Iterator[tuple[str | Path, VideoScore | VideoError]]:
    """Score many videos or images, decoding ahead in processes. A video that fails does not stop the others.

    Args:
        videos: Files, and folders of frames.
        model: From :func:`load_model`.
        views: Frames and crops to look at; by default those the model was trained on, sampled at the centre.
        workers: Decoding processes; None: half of the cores, at most 8; 0 decodes here, without a time limit.
        timeout: Seconds that decoding a video may take before the video fails.
        batch_size: Maximum number of videos per forward pass.
        reference: A results folder or its ``scores.csv``, for ``percentile``; by default the one in the weights.
        thumbnails: Whether to keep small pictures of the frames that were scored.
        progress: Whether to show a progress bar on stderr.

    Yields:
        Each video as given, with its scores, or with the :class:`~cover.errors.VideoError` that says why it has none;
        in the order in which videos finish.

    Raises:
        UsageError: The reference cannot be read, or ``videos`` is a single path.
    """
    if isinstance(videos, (str, Path)):
        raise UsageError(f"score_many takes several videos: score_many([{str(videos)!r}], model)")
    given = list(videos)
    rows = [Row(video, str(video)) for video in given]
    scorer = _scorer(model, views, reference)
    engine = LocalEngine(next(model.parameters()).device)
    decoder = Decoder(default_workers() if workers is None else workers, timeout)
    original = {row.name: video for row, video in zip(rows, given, strict=True)}
    with _progress(len(rows)) if progress else nullcontext() as bar:
        for row, outcome in score_rows(
            rows, decoder, scorer.views, lambda: (engine, scorer), batch_size, thumbnails=thumbnails
        ):
            result = VideoError(outcome.reason) if isinstance(outcome, Failure) else outcome
            if bar is not None:
                bar.advance(1, isinstance(result, VideoError))
            yield original[row.name], result


def read_results(folder: str | Path) -> "pd.DataFrame":
    """Read a results folder of ``infer`` or ``evaluate``, finished or interrupted.

    Returns:
        A table with one line per scored video and its name, ``Filename``, as the index: ``semantic``, ``technical``,
        ``aesthetic``, ``overall``, where known ``predicted_mos``, ``percentile`` and ``mos``, then the facts of the
        file (``duration`` in seconds, ``width`` and ``height`` in pixels, ...) and the columns of the dataset. Parts
        have ``video``, ``start`` and ``end`` (seconds).

    Raises:
        UsageError: The folder is not a results folder, or a file in it cannot be read.
    """
    from cover.results.read import read_folder

    return read_folder(Path(folder)).table


def _refuse_folder_of_videos(source: VideoSource) -> None:
    """Refuse a folder of videos, of which only images would be read, as the frames of one video."""
    if isinstance(source, (str, Path)) and Path(source).is_dir():
        videos = sorted(path for path in Path(source).iterdir() if path.suffix.lower() in VIDEO_SUFFIXES)
        if videos:
            raise VideoError(
                f"{source}: holds {len(videos)} videos, such as {videos[0].name}; score_many scores several, "
                "and a folder of frames holds images only"
            )


def _scorer(model: COVER, views: ViewSpec | None, reference: str | Path | Reference | None) -> Scorer:
    if not isinstance(model, nn.Module):
        raise UsageError(f"model={model!r}: load it first: model = cover.load_model({str(model)!r})")
    if views is not None and not isinstance(views, ViewSpec):
        raise UsageError(f"views={views!r}: takes a cover.video.ViewSpec; names are for the command line")
    known = read_reference(reference) if isinstance(reference, (str, Path)) else reference
    return Scorer(model, views, reference=known)


def _progress(total: int) -> "VideoProgress":
    from cover.reporting.progress import VideoProgress

    bar = VideoProgress()
    bar.start(total)
    return bar
