"""The model with its weights, and what comes with them."""

import json
import logging
import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cover.config.build.instantiate import instantiate, missing_extra
from cover.config.options.scoring import InferOptions, ScoringOptions
from cover.curves import Calibration
from cover.errors import UsageError
from cover.files import content_digest
from cover.results.reference import Reference, read_reference, shipped_reference
from cover.rows import Row
from cover.scores import BRANCHES
from cover.weights import PRETRAINED_WEIGHTS, PUBLISHED, RANDOM_WEIGHTS, read_about, read_calibration, sha256_of

if TYPE_CHECKING:
    from cover.models import COVER

log = logging.getLogger(__name__)


def weights_checksums(options: ScoringOptions) -> dict[str, str] | str:
    """Identify the weights: SHA-256 of each weight file; known constants for published ones.

    A file that holds only what was trained names the checksums of what it was trained from: its own covers these.

    Raises:
        UsageError: A file cannot be read.
    """
    if options.weights == RANDOM_WEIGHTS:
        return RANDOM_WEIGHTS
    checksums = {}
    for option, published in (("weights", PUBLISHED["cover"]), ("clip_weights", PUBLISHED["clip_vit_l14"])):
        value = getattr(options, option)
        if value == PRETRAINED_WEIGHTS:
            checksums[option] = _start_checksum(options.model.net)
            continue
        try:
            checksums[option] = published.sha256 if value is None else sha256_of(value)
        except OSError as error:
            link = "links are not read; download it and name the file"
            reason = link if re.match(r"[a-z][a-z0-9+.-]+:/", str(value)) else error.strerror or error
            raise UsageError(f"{option}={value}: {reason}") from error
    return checksums


def _start_checksum(net: Mapping[str, Any]) -> str:
    """Identify what training starts from: files of known checksums, a fixed seed, and networks that the user names."""
    named = [arguments.get("pretrained") for arguments in net.values() if isinstance(arguments, Mapping)]
    files = sorted({file for file in named if isinstance(file, str)})
    try:
        return " ".join([PRETRAINED_WEIGHTS, *(sha256_of(Path(file)) for file in files)])
    except OSError as error:
        raise UsageError(f"model.net: pretrained={error.filename}: {error.strerror or error}") from error


def calibration(options: ScoringOptions) -> Calibration | None:
    """Read the calibration in the weights; None where they have none."""
    return read_calibration(options.weights) if isinstance(options.weights, Path) else None


def videos_trained_on(weights: Path | str | None) -> list[str]:
    """List digests of the content of the videos that weights were trained on; none where they do not say."""
    digests = read_about(weights).get("trained_on") if isinstance(weights, Path) else None
    return [digest for digest in digests if isinstance(digest, str)] if isinstance(digests, list) else []


def warn_of_training_videos(weights: Path | str | None, rows: Sequence[Row]) -> None:
    """Warn when videos to measure are videos that the weights were trained on."""
    if not (known := set(videos_trained_on(weights))):
        return
    seen = sum(content_digest(row.path) in known for row in rows)
    if seen:
        log.warning(
            "%d of these %d videos were trained on: the figures are too good; honest ones are those of the training "
            "on other videos (metrics.json in its folder)",
            seen,
            len(rows),
        )


def reference(options: InferOptions, identity: Mapping[str, Any]) -> Reference | None:
    """Read the scores that scores are put among: those that the options name, else those that come with the weights.

    Raises:
        UsageError: What the options name cannot be read, or is of another model.
    """
    if options.reference is not None:
        return read_reference(options.reference, identity)
    if not isinstance(options.weights, Path):
        return None
    about = read_about(options.weights)
    same = about.get("views") == json.loads(json.dumps(identity["views"]))
    return shipped_reference(about) if same else None


def network(net: Mapping[str, Any], *, empty: bool = False) -> "COVER":
    """Make the network without weights.

    Args:
        net: Arguments of :class:`cover.models.COVER`; a branch with ``_target_`` is a backbone of the user's own.
        empty: Whether all but backbones of the user's own is on the meta device, to be filled from a file.

    Raises:
        UsageError: The class of a backbone cannot be imported, or does not take its arguments.
        ValueError: A size is impossible, or a backbone lacks ``out_channels``.
        TypeError: An argument is unknown.
    """
    import torch

    from cover.models import COVER

    nodes = {branch: net[branch] for branch in BRANCHES if isinstance(net.get(branch), Mapping)}
    custom = {branch: instantiate(node, f"model.net.{branch}") for branch, node in nodes.items() if "_target_" in node}
    with torch.device("meta") if empty else nullcontext():
        return COVER(**{**net, **custom})


def build_model(options: ScoringOptions) -> "COVER":
    """Make the model with its weights.

    Raises:
        UsageError: A size is impossible; the weights are missing, damaged, or do not fit.
    """
    import torch

    from cover.weights import load_weights

    try:
        if options.weights == RANDOM_WEIGHTS:
            log.warning("model=%s has random weights: its scores mean nothing", options.model.name)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                return network(options.model.net)
        model = network(options.model.net, empty=True)
    except (TypeError, ValueError) as error:
        raise UsageError(f"model: {error}") from error
    except ModuleNotFoundError as error:
        raise missing_extra(error, "model.net") from error
    weights = None if options.weights is None else str(options.weights)
    load_weights(model, weights, options.clip_weights, options.base_weights)
    return model


def inference_model(options: ScoringOptions) -> "COVER":
    """Make the model with its weights, to score with: what can be folded is.

    Raises:
        UsageError: As :func:`build_model`.
    """
    from cover.models import FrameBackbone

    if options.weights == PRETRAINED_WEIGHTS:
        log.warning("weights=pretrained is where training starts: its scores mean nothing")
    model = build_model(options)
    for backbone in model.backbones.children():
        if isinstance(backbone, FrameBackbone):
            backbone.fold_batch_norms()
    return model
