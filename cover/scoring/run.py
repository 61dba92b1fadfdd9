"""A scoring run: decode in processes, run the model, record each outcome. Decoding starts before torch is imported."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cover.decoding.batches import batches
from cover.decoding.decoder import Decoder, Planned, unheard
from cover.decoding.parts import CutSearch
from cover.results.store import ResultStore
from cover.rows import Failure, Row
from cover.video import ViewSpec

if TYPE_CHECKING:
    from cover.models import COVER
    from cover.scores import VideoScore
    from cover.scoring.local import LocalEngine
    from cover.scoring.scorer import Scorer


class Progress(AbstractContextManager[Any], Protocol):
    """A progress display, such as :class:`cover.reporting.progress.VideoProgress`.

    Attributes:
        status: Says what is under way beside the count.
    """

    status: Callable[[], str]

    def start(self, total: int) -> None:
        """Show that ``total`` videos are to be scored."""

    def expect(self, more: int) -> None:
        """Raise the total: a video turns out to have ``more`` further parts."""

    def advance(self, videos: int, failed: int = 0) -> None:
        """Count videos, of which some have failed."""


@dataclass(frozen=True)
class ScoringRun:
    """The objects of one scoring run, each made once.

    Attributes:
        store: Records the outcomes; not opened yet.
        decoder: Decodes the videos.
        views: The views that the model is given.
        make_model: Loads the model; called after decoding has started.
        make_engine: Makes the engine for one device; None scores with Lightning's Trainer.
        make_trainer: Makes Lightning's Trainer, given its callbacks and other arguments.
        batch_size: Maximum number of videos per forward pass.
        replay: Folder of recorded samplings to use.
        record: Folder to record samplings in.
        thumbnails: Whether to keep small pictures of the frames that were scored.
        weights_sha256: Checksums of the weights.
    """

    store: ResultStore
    decoder: Decoder
    views: ViewSpec
    make_model: "Callable[[], COVER]"
    make_engine: "Callable[[], LocalEngine] | None"
    make_trainer: Callable[..., Any]
    batch_size: int = 1
    replay: Path | None = None
    record: Path | None = None
    thumbnails: bool = False
    weights_sha256: Mapping[str, str] | str = field(default_factory=dict)

    def score(self, pending: Sequence[Row], progress: Progress) -> None:
        """Score rows into the store.

        Args:
            pending: The rows, as ``store.open`` lists them.
            progress: Counts them; started once the model is loaded.

        Raises:
            UsageError: The options or weights are wrong.
        """

        def planned(video: Row, parts: Sequence[Row], remark: str | None) -> None:
            self.store.plan(video, parts, remark)
            progress.expect(len(parts) - 1)

        if self.make_engine is None:
            from cover.scoring.distributed import score_on_devices

            return score_on_devices(self, pending, planned, progress)
        make_engine = self.make_engine

        def ready() -> "tuple[LocalEngine, Scorer]":
            from cover.scoring.scorer import Scorer

            engine = make_engine()
            scorer = Scorer(engine.place(self.make_model()), self.views)
            progress.start(len(pending))
            return engine, scorer

        search = CutSearch()
        scored = score_rows(
            pending,
            self.decoder,
            self.views,
            ready,
            self.batch_size,
            replay=self.replay,
            record=self.record,
            planned=planned,
            search=search,
            thumbnails=self.thumbnails,
        )
        progress.status = search.status
        with progress:
            for row, outcome in scored:
                self.store.add(row, outcome)
                progress.advance(1, isinstance(outcome, Failure))
        return None


def score_rows(
    rows: Sequence[Row],
    decoder: Decoder,
    views: ViewSpec,
    ready: "Callable[[], tuple[LocalEngine, Scorer]]",
    batch_size: int = 1,
    *,
    replay: Path | None = None,
    record: Path | None = None,
    planned: Planned = unheard,
    search: CutSearch | None = None,
    thumbnails: bool = False,
) -> "Iterator[tuple[Row, VideoScore | Failure]]":
    """Score rows on one device, decoding ahead in processes.

    Args:
        rows: The videos and parts.
        decoder: Decodes them.
        views: The views that the model is given.
        ready: Gives the engine, and the scorer whose model is on the engine's device. Called after decoding has
            started, so that the first views are ready when the model is.
        batch_size: Maximum number of videos per forward pass.
        replay: Folder of recorded samplings to use.
        record: Folder to record samplings in.
        planned: Told the parts of each video that is cut into parts.
        search: Told how far the search for cuts is.
        thumbnails: Whether to keep small pictures of the frames that were scored.

    Yields:
        Each row with its score or its failure, as videos finish.
    """
    with decoder.views(rows, views, replay=replay, record=record, planned=planned, search=search) as decoded:
        engine, scorer = ready()
        yield from engine.run(scorer, batches(decoded, batch_size), thumbnails=thumbnails)
