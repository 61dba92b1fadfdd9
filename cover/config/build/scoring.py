"""The objects of a scoring run, each made once."""

import dataclasses
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from cover.config.build.decoding import (
    check_parts,
    decoder,
    reading_options,
    replay_folder,
    samplings_sha256,
    segments,
    view_spec,
)
from cover.config.build.model import build_model, calibration, inference_model, reference, weights_checksums
from cover.config.build.trainer import build_trainer, is_local, local_engine
from cover.config.options.scoring import InferOptions, ResultOptions
from cover.files import write_text
from cover.results.names import RUNTIME
from cover.results.store import ResultStore
from cover.rows import Row
from cover.scores import REVISION
from cover.scoring.run import ScoringRun


def scoring(options: ResultOptions, rows: Sequence[Row], root: Path, folder: Path) -> ScoringRun:
    """Make the objects of a scoring run. Nothing is written, and no model is loaded.

    Args:
        options: The options.
        rows: The videos.
        root: The folder that the rows' names are relative to.
        folder: The results folder.

    Raises:
        UsageError: The options do not go together, or a file that they name cannot be read.
    """
    cut = segments(options)
    check_parts(options, rows, cut)
    views, replay = view_spec(options.views), replay_folder(options.views)
    checksums = weights_checksums(options)
    identity: dict[str, Any] = {
        "root": str(root.absolute()),
        "model": options.model.net,
        "weights": checksums,
        "views": dataclasses.asdict(views),
        "replayed": None if replay is None else samplings_sha256(replay),
        **reading_options(options.data),
        "precision": options.trainer["precision"],
        "revision": REVISION,
    }
    if cut is not None:
        identity["segments"] = dataclasses.asdict(cut) if cut.by == "shots" else cut.by
    store = ResultStore(
        folder,
        identity,
        rows,
        calibration(options),
        reference=reference(options, identity) if isinstance(options, InferOptions) else None,
        maps=options.maps,
        evidence=options.report,
        cut=cut is not None,
    )
    return ScoringRun(
        store=store,
        decoder=decoder(options.decode, options.data, cut),
        views=views,
        make_model=partial(inference_model, options),
        make_engine=partial(local_engine, options.trainer) if is_local(options.trainer) else None,
        make_trainer=partial(build_trainer, options.trainer),
        batch_size=options.batch_size,
        replay=replay,
        record=options.views.record,
        thumbnails=options.report,
        weights_sha256=checksums,
    )


def write_runtime(options: ResultOptions, folder: Path) -> dict[str, float | str]:
    """Measure the runtime of the model on one device, and write ``runtime.json``.

    Raises:
        UsageError: The weights are missing or do not fit.
    """
    from cover.scoring.local import device_of
    from cover.scoring.runtime import measure_runtime
    from cover.scoring.scorer import Scorer

    device = device_of("cpu" if options.trainer["accelerator"] == "cpu" else "auto")
    runtime = measure_runtime(Scorer(build_model(options).to(device).eval(), view_spec(options.views)))
    write_text(folder / RUNTIME, json.dumps(runtime, indent=2) + "\n")
    return runtime
