"""Scoring a dataset into a results folder, for ``infer`` and ``evaluate``."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cover.config.build.record import run_record
from cover.config.build.scoring import scoring
from cover.config.options.scoring import ResultOptions
from cover.ranks import is_main_process
from cover.reporting.progress import VideoProgress
from cover.results.record import write_run_record
from cover.results.store import ResultStore
from cover.rows import Row

log = logging.getLogger(__name__)


def score_dataset(
    options: ResultOptions, config: Mapping[str, Any], rows: Sequence[Row], root: Path, folder: Path
) -> ResultStore:
    """Score the rows that have no valid score in a results folder yet.

    Args:
        options: The options.
        config: The same options as composed, for ``run.yaml``.
        rows: The videos.
        root: The folder that the rows' names are relative to.
        folder: The results folder.

    Returns:
        The closed results; on ranks other than 0, the part that this rank knows.

    Raises:
        UsageError: Options or weights are wrong; nothing was scored.
    """
    run = scoring(options, rows, root, folder)
    store = run.store
    if is_main_process():
        pending = store.open(resume=options.resume)
        source = store.reference.source if store.reference else None
        write_run_record(folder, replace(run_record(options, config, run.weights_sha256), reference=source))
    else:
        pending = store.attach()
    what = "part" if store.in_parts else "video"
    if done := len(store.rows) - len(pending):
        log.info("%d of %d %ss are scored already (resume=false scores them again)", done, len(store.rows), what)
        if run.record is not None:
            log.warning("views.record: samplings of these are not recorded again; resume=false records them")
    if pending:
        progress = VideoProgress(of=what)
        progress.wait("importing, and loading the model")
        try:
            run.score(pending, progress)
        finally:
            progress.stop()
    if is_main_process():
        store.close()
    return store
