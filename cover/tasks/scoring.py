"""Scoring a dataset into a results folder, for ``infer`` and ``evaluate``."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cover.config import components
from cover.config.parts import check_parts, segments
from cover.config.record import run_record
from cover.config.schema import InferOptions, ResultOptions
from cover.decoding.batches import batches
from cover.decoding.decoder import Decoder, Planned
from cover.ranks import is_main_process
from cover.reporting.progress import VideoProgress
from cover.results.record import write_run_record
from cover.results.store import ResultStore
from cover.rows import Failure, Row
from cover.weights import PRETRAINED_WEIGHTS

log = logging.getLogger(__name__)


def score_rows(
    options: ResultOptions, config: Mapping[str, Any], rows: Sequence[Row], root: Path, folder: Path
) -> ResultStore:
    """Score what has no valid score in a results folder yet.

    Args:
        options: The options.
        config: The same as composed, for ``run.yaml``.
        rows: The videos.
        root: The folder that the rows' names are relative to.
        folder: The results folder.

    Returns:
        The closed results; on ranks other than 0, as far as this rank knows them.

    Raises:
        UsageError: Options or weights are wrong; nothing was scored.
    """
    cut = segments(options)
    check_parts(options, rows, cut)
    decoder = components.decoder(options.decode, options.data, cut)
    checksums = components.weights_checksums(options)
    identity = components.scoring_identity(options, root, checksums)
    identity |= {} if cut is None else {"segments": asdict(cut) if cut.by == "shots" else cut.by}
    reference = components.reference(options, identity) if isinstance(options, InferOptions) else None
    keep = {"maps": options.maps, "evidence": options.report, "cut": cut is not None}
    store = ResultStore(folder, identity, rows, components.calibration(options), reference=reference, **keep)
    if is_main_process():
        pending = store.open(resume=options.resume)
        write_run_record(folder, run_record(options, config, checksums))
    else:
        pending = store.attach()
    if done := len(store.rows) - len(pending):
        what = "parts" if store.in_parts else "videos"
        log.info("%d of %d %s are scored already (resume=false scores them again)", done, len(store.rows), what)
        if options.views.record is not None:
            log.warning("views.record: samplings of these are not recorded again; resume=false records them")
    if pending:
        if options.weights == PRETRAINED_WEIGHTS:
            log.warning("weights=pretrained is where training starts: its scores mean nothing")
        _score(options, decoder, store, pending)
    if is_main_process():
        store.close()
    return store


def _score(options: ResultOptions, decoder: Decoder, store: ResultStore, pending: Sequence[Row]) -> None:
    spec, replay = components.view_spec(options.views), components.replay_folder(options.views)
    if not components.is_local(options.trainer):
        return _score_distributed(options, decoder, store, pending)
    # Decoding starts first, so that the first views are there when torch is imported and the model is built.
    progress, planned = _progress(store)
    with decoder.views(pending, spec, replay=replay, record=options.views.record, planned=planned) as decoded, progress:
        from cover.scoring.scorer import Scorer

        engine = components.local_engine(options.trainer)
        scorer = Scorer(engine.place(components.inference_model(options)), spec)
        progress.start(len(pending))
        for row, outcome in engine.run(scorer, batches(decoded, options.batch_size), thumbnails=options.report):
            store.add(row, outcome)
            progress.advance(1, isinstance(outcome, Failure))
    return None


def _score_distributed(options: ResultOptions, decoder: Decoder, store: ResultStore, pending: Sequence[Row]) -> None:
    try:
        from cover.scoring.distributed import CoverModule, ProgressCallback, ScoreWriter, VideoDataModule
    except ModuleNotFoundError as error:
        raise components.missing_extra(error, "scoring on several devices") from error
    from cover.scoring.scorer import Scorer

    spec = components.view_spec(options.views)
    progress, planned = _progress(store)
    trainer = components.build_trainer(
        options.trainer,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,  # ours counts videos
        callbacks=[ProgressCallback(progress, len(pending)), ScoreWriter(store)],
    )
    data = VideoDataModule(
        pending,
        spec,
        decoder,
        batch_size=options.batch_size,
        replay=components.replay_folder(options.views),
        record=options.views.record,
        planned=planned,
    )
    module = CoverModule(Scorer(components.inference_model(options), spec), thumbnails=options.report)
    trainer.predict(module, datamodule=data, return_predictions=False)


def _progress(store: ResultStore) -> tuple[VideoProgress, Planned]:
    """The bar, and what a decoder tells of each video that it cuts: the results keep the plan, the bar counts on it."""
    progress = VideoProgress(of="part" if store.in_parts else "video")

    def planned(video: Row, parts: Sequence[Row], remark: str | None) -> None:
        store.plan(video, parts, remark)
        progress.expect(len(parts) - 1)

    return progress, planned
