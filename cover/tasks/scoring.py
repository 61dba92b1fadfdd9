"""Scoring a dataset into a results folder: what ``infer.py`` and ``evaluate.py`` have in common."""

import hashlib
import json
import logging
import platform
import warnings
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import av
import torch
import yaml
from lightning.pytorch.utilities import rank_zero_only

import cover
from cover.data import Decoder, VideoDataModule
from cover.errors import UsageError
from cover.metrics import Curve
from cover.models import COVER
from cover.module import CoverModule
from cover.processes import available_cpus
from cover.report import VideoProgress
from cover.rows import Dataset, Row
from cover.tasks.build import build
from cover.video import ViewSpec
from cover.weights import (
    PRETRAINED_WEIGHTS,
    PUBLISHED,
    RANDOM_WEIGHTS,
    load_weights,
    read_calibration,
    sha256_of,
)
from cover.writers import ResultStore, ScoreWriter, write_text

log = logging.getLogger(__name__)

_PACKAGES = ("torch", "torchvision", "lightning", "av", "numpy", "pillow", "open_clip_torch", "timm")


def dataset_rows(node: dict[str, Any], option: str = "data") -> tuple[list[Row], Path]:
    """The rows of the dataset that the config names, and the folder their names are relative to.

    Args:
        node: A config of ``configs/data`` as plain data.
        option: Where it stands, for messages.

    Raises:
        UsageError: The dataset cannot be read, is empty, or has one name for two files.
    """
    dataset: Dataset = build(node["rows"], option)
    rows = list(dataset)
    twice = [name for name, count in Counter(row.name for row in rows).items() if count > 1]
    if twice:
        raise UsageError(f"{option}: {len(twice)} names stand for more than one file, the first is {twice[0]!r}")
    if not rows:
        raise UsageError(f"{option}: the dataset names no file")
    return rows, Path(dataset.root)


def score_rows(options: dict[str, Any], rows: Sequence[Row], root: Path, folder: Path) -> ResultStore:
    """Scores what has no valid score in ``folder`` yet, with the model, views and trainer that the config names.

    Args:
        options: The composed config as plain data.
        rows: What to score.
        root: The folder that the rows' names are relative to.
        folder: Where results go.

    Returns:
        The closed results; on ranks other than 0, as far as this rank knows them.

    Raises:
        UsageError: Options or weights are wrong; nothing was scored.
    """
    quiet_lightning()
    datamodule = _datamodule(options, rows)
    weights = weights_checksums(options)
    identity = {
        "root": str(root.absolute()),
        "model": options["model"]["net"],
        "weights": weights,
        "views": options["views"],
        "replayed": _listing(datamodule.replay),
        "raw": options["data"]["raw"],
        "precision": options["trainer"]["precision"],
        "version": cover.__version__,
    }
    store = ResultStore(folder, identity, rows, _calibration(options))
    if is_main_process():
        pending = store.open(resume=options["resume"])
        write_run_record(folder, options, weights_sha256=weights)
    else:
        pending = store.attach()
    if done := len(rows) - len(pending):
        log.info("%d of %d files are scored already (resume=false scores them again)", done, len(rows))
    if pending:
        if options["weights"] == PRETRAINED_WEIGHTS:
            log.warning("weights=pretrained is where training starts: its scores mean nothing")
        datamodule.rows = pending
        module = CoverModule(build_model(options))
        trainer = build(
            {"logger": False, "enable_checkpointing": False, "enable_model_summary": False, **options["trainer"]},
            "trainer",
            enable_progress_bar=False,  # ours counts files
            callbacks=[VideoProgress(len(pending)), ScoreWriter(store)],
        )
        trainer.predict(module, datamodule=datamodule, return_predictions=False)
    if is_main_process():
        store.close()
    return store


def is_main_process() -> bool:
    """Whether this is rank 0, which alone writes and prints what a run comes to."""
    return getattr(rank_zero_only, "rank", 0) == 0


def write_run_record(folder: Path, options: dict[str, Any], **facts: Any) -> None:
    """Writes ``run.yaml``: the composed config, ``facts``, and the versions of what computes scores."""
    ffmpeg = {name: ".".join(map(str, number)) for name, number in av.library_versions.items()}
    packages = {name: version(name) for name in _PACKAGES}
    versions = {"cover": cover.__version__, "python": platform.python_version(), **packages, **ffmpeg}
    record = {"config": options, **facts, "versions": versions}
    write_text(folder / "run.yaml", yaml.safe_dump(record, sort_keys=False))


def view_spec(options: dict[str, Any]) -> ViewSpec:
    """The views that the config names.

    Raises:
        UsageError: A value makes no sense.
    """
    return build({name: value for name, value in options["views"].items() if name != "replay"}, "views")


def decoder(options: dict[str, Any], raw: dict[str, Any]) -> Decoder:
    """What decodes files as the config's ``decode`` says.

    Args:
        options: The composed config as plain data.
        raw: The ``raw`` node of the dataset: what its headerless ``.yuv`` files hold.

    Raises:
        UsageError: A value makes no sense.
    """
    workers, timeout = options["decode"]["workers"], options["decode"]["timeout"]
    # Half of the cores: the model wants the others, and decoding is seldom what one waits for.
    workers = max(1, min(8, available_cpus() // 2)) if workers == "auto" else workers
    positive("decode.workers", workers, int)
    positive("decode.timeout", timeout, (int, float))
    known = raw["width"] or raw["height"]
    layout = build({"_target_": "cover.video.RawFormat", **raw}, "data.raw") if known else None
    return Decoder(workers, timeout, layout)


def positive(option: str, value: object, kind: type | tuple[type, ...]) -> None:
    """Makes sure that an option's value is a positive number.

    Raises:
        UsageError: It is not.
    """
    if not isinstance(value, kind) or isinstance(value, bool) or not value > 0:  # type: ignore[operator]
        raise UsageError(f"{option}={value}: takes a positive number")


def _datamodule(options: dict[str, Any], rows: Sequence[Row]) -> VideoDataModule:
    replay = None if options["views"]["replay"] is None else Path(options["views"]["replay"])
    if replay is not None and not replay.is_dir():
        raise UsageError(f"views.replay={replay}: no such directory")
    positive("batch_size", options["batch_size"], int)
    return VideoDataModule(
        rows,
        view_spec(options),
        decoder(options, options["data"]["raw"]),
        batch_size=options["batch_size"],
        replay=replay,
    )


def weights_checksums(options: dict[str, Any]) -> dict[str, str] | str:
    """What tells weights apart: the checksum of each file, known without reading it where it is a published one.

    A file of what was trained says what it was trained from, with checksums: its own covers these.
    """
    if options["weights"] == RANDOM_WEIGHTS:
        return RANDOM_WEIGHTS
    published = {"weights": PUBLISHED["cover"], "clip_weights": PUBLISHED["clip_vit_l14"]}
    checksums = {}
    for option, file in published.items():
        if option == "weights" and options[option] == PRETRAINED_WEIGHTS:
            checksums[option] = PRETRAINED_WEIGHTS  # files of known checksums and a fixed seed
            continue
        try:
            checksums[option] = file.sha256 if options[option] is None else sha256_of(Path(options[option]))
        except OSError as error:
            raise UsageError(f"{option}={options[option]}: {error.strerror or error}") from error
    return checksums


def _calibration(options: dict[str, Any]) -> Curve | None:
    if options["weights"] in (None, RANDOM_WEIGHTS, PRETRAINED_WEIGHTS):
        return None
    return read_calibration(options["weights"])


def build_model(options: dict[str, Any]) -> COVER:
    """The model that the config names, with its weights.

    Raises:
        UsageError: The weights are missing, damaged, or do not fit.
    """
    if options["weights"] == RANDOM_WEIGHTS:
        log.warning("model=%s has random weights: its scores mean nothing", options["model"]["name"])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return build(options["model"]["net"], "model")
    with torch.device("meta"):
        model: COVER = build(options["model"]["net"], "model")
    load_weights(model, options["weights"], options["clip_weights"])
    return model


def _listing(folder: Path | None) -> str | None:
    """What tells that a folder of recorded draws has changed: names, sizes and times of its files."""
    if folder is None:
        return None
    files = sorted((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in folder.glob("*.npz"))
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()


def quiet_lightning() -> None:
    """Leaves out what Lightning says that our users cannot act on."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*does not have many workers.*", module="lightning")
    warnings.filterwarnings("ignore", message="Couldn't infer the batch indices.*", module="lightning")
    warnings.filterwarnings("ignore", message=".*treespec.*", category=Warning, module="lightning")
    warnings.filterwarnings("ignore", message="Your `IterableDataset` has `__len__` defined.*", module="lightning")
    warnings.filterwarnings("ignore", message="Found .* module.* in eval mode.*", module="lightning")
    warnings.filterwarnings("ignore", message=".*sync_dist=True.*", module="lightning")  # our figures are global
    warnings.filterwarnings("ignore", message=".*all_gather is deprecated.*", module="lightning")
    warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty.*", module="lightning")
    # A rank may have no clip to validate on.
    warnings.filterwarnings("ignore", message="The ``compute`` method of metric Predictions .*", category=UserWarning)
