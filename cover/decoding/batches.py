"""Batches of decoded videos whose views have one shape."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from cover.decoding.decoder import Decoded
from cover.rows import Failure, Row
from cover.video import LoadedViews


@dataclass(frozen=True)
class Batch:
    """Videos whose views have one shape, or a video that cannot be decoded.

    Attributes:
        rows: The B videos.
        loaded: The views of each.
        failures: Videos that cannot be decoded.
    """

    rows: Sequence[Row] = ()
    loaded: Sequence[LoadedViews] = ()
    failures: Sequence[Failure] = field(default_factory=list)


def batches(decoded: Iterable[Decoded], size: int) -> Iterator[Batch]:
    """Group decoded videos by the shape of their views.

    Args:
        decoded: What :meth:`Decoder.views` gives.
        size: Videos a batch at most.

    Yields:
        Batches as they fill, failures at once, in the end what filled no batch.
    """
    waiting: dict[tuple[tuple[int, ...], ...], list[tuple[Row, LoadedViews]]] = defaultdict(list)
    for row, outcome in decoded:
        if isinstance(outcome, Failure):
            yield Batch(failures=[outcome])
            continue
        shape = tuple(view.shape for view in outcome.views[0].values())
        waiting[shape].append((row, outcome))
        if len(waiting[shape]) == size:
            yield _batch(waiting.pop(shape))
    yield from map(_batch, waiting.values())


def _batch(group: Sequence[tuple[Row, LoadedViews]]) -> Batch:
    return Batch([row for row, _ in group], [loaded for _, loaded in group])
