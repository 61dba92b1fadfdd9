"""The decoder and the views it makes."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cover.config.options.data import DataOptions
from cover.config.options.scoring import DecodeOptions, InferOptions, ResultOptions, ViewOptions
from cover.decoding.decoder import Decoder, default_workers
from cover.errors import UsageError
from cover.rows import Row
from cover.video import RawFormat, Segments, ViewSpec
from cover.video.shots import require_shots


def view_spec(views: ViewOptions) -> ViewSpec:
    """Make the view spec.

    Raises:
        UsageError: A value makes no sense.
    """
    values = {name: getattr(views, name) for name in ViewOptions.model_fields if name not in ("replay", "record")}
    try:
        return ViewSpec(**values)
    except ValueError as error:
        raise UsageError(f"views: {error}") from error


def replay_folder(views: ViewOptions) -> Path | None:
    """Locate the folder of recorded samplings, where there is one.

    Raises:
        UsageError: There is no such folder.
    """
    if views.replay is not None and not views.replay.is_dir():
        raise UsageError(f"views.replay={views.replay}: no such directory")
    return views.replay


def decoder(decode: DecodeOptions, data: DataOptions, segments: Segments | None = None) -> Decoder:
    """Make the decoder of a dataset, of whose videos ``segments`` says how they are cut.

    Raises:
        UsageError: The layout of headerless files makes no sense.
    """
    workers = default_workers() if decode.workers == "auto" else decode.workers
    try:
        layout = RawFormat(**data.raw.model_dump()) if data.raw.width or data.raw.height else None
    except (TypeError, ValueError) as error:
        raise UsageError(f"data.raw: {error}") from error
    return Decoder(workers, decode.timeout, layout, data.stream, data.fps, segments, decode.max_image_bytes)


def reading_options(data: DataOptions) -> dict[str, Any]:
    """Collect what the frames of a file follow from, beside the file, as plain data."""
    return {"raw": data.raw.model_dump(), "stream": data.stream, "fps": data.fps}


def segments(options: ResultOptions) -> Segments | None:
    """Give the way videos are cut; None where they are scored whole, as by ``evaluate``: people rated what they saw.

    Raises:
        UsageError: The lengths contradict each other, or PySceneDetect is missing.
    """
    if not isinstance(options, InferOptions) or options.segments.by is None:
        return None
    chosen = options.segments
    if chosen.min_seconds > chosen.max_seconds:
        raise UsageError(
            f"segments.min_seconds={chosen.min_seconds:g}: is more than segments.max_seconds={chosen.max_seconds:g}"
        )
    assert chosen.by is not None
    if chosen.by == "shots":
        require_shots()
    return Segments(chosen.by, chosen.threshold, chosen.min_seconds, chosen.max_seconds)


def check_parts(options: ResultOptions, rows: Sequence[Row], cut: Segments | None) -> None:
    """Refuse samplings that cannot be replayed or recorded.

    Raises:
        UsageError: Samplings of parts, or several of one video, are to be replayed or recorded; or the folder cannot be
            made.
    """
    for name in ("replay", "record"):
        if getattr(options.views, name) is not None and (cut is not None or any(row.is_part for row in rows)):
            raise UsageError(f"views.{name}: recorded samplings are of whole videos; leave them out to score parts")
    if options.views.record is None:
        return
    if options.views.samples > 1:
        raise UsageError("views.record: a recorded file holds one sampling; leave views.samples out")
    try:
        options.views.record.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"views.record={options.views.record}: {error.strerror or error}") from error


def samplings_sha256(folder: Path) -> str:
    """Compute the checksum of a folder of recorded samplings: names, sizes and times of its files."""
    files = sorted((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in folder.glob("*.npz"))
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()
