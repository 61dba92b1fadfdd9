"""How videos are cut into parts, of the options, and what does not go together with parts."""

from collections.abc import Sequence

from cover.config.schema import InferOptions, ResultOptions
from cover.errors import UsageError
from cover.rows import Row
from cover.video import Segments
from cover.video.shots import require_shots


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
