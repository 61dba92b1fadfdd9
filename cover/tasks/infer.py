"""Score videos with a model: the work of ``infer.py``."""

import hashlib
import json
import logging
import platform
import warnings
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

import av
import torch
import yaml
from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig
from rich.console import Console

import cover
from cover.data import VideoDataModule, available_cpus
from cover.errors import UsageError
from cover.models import COVER
from cover.module import CoverModule
from cover.report import VideoProgress, summary
from cover.rows import Dataset, Row
from cover.tasks.build import build, plain
from cover.tasks.cli import EXIT_OK, EXIT_SOME_FAILED
from cover.weights import PUBLISHED, load_weights, sha256_of
from cover.writers import ResultStore, ScoreWriter

log = logging.getLogger(__name__)

RANDOM_WEIGHTS = "random"
_PACKAGES = ("torch", "torchvision", "lightning", "av", "numpy", "pillow", "open_clip_torch", "timm")


def infer(cfg: DictConfig) -> int:
    """Scores what ``cfg.data`` names and writes the results as they come.

    Args:
        cfg: ``configs/infer.yaml`` as composed.

    Returns:
        0 when every file has a score, 1 when some have none (``errors.csv`` says why).

    Raises:
        UsageError: Options, data or weights are wrong; nothing was scored.
    """
    _quiet_lightning()
    options = plain(cfg)
    dataset: Dataset = build(options["data"]["rows"], "data")
    rows = _unique(dataset)
    datamodule = _datamodule(options, rows)
    weights = _checksums(options)
    identity = {
        "root": str(Path(dataset.root).absolute()),
        "model": options["model"]["net"],
        "weights": weights,
        "views": options["views"],
        "replayed": _listing(datamodule.replay),
        "raw": options["data"]["raw"],
        "precision": options["trainer"]["precision"],
        "version": cover.__version__,
    }
    folder = Path(HydraConfig.get().runtime.output_dir)
    store = ResultStore(folder, identity, rows)
    rank = getattr(rank_zero_only, "rank", 0)
    if rank == 0:
        pending = store.open(resume=options["resume"])
        record = {"config": options, "weights_sha256": weights, "versions": _versions()}
        (folder / "run.yaml").write_text(yaml.safe_dump(record, sort_keys=False), encoding="utf-8")
    else:
        pending = store.attach()
    if done := len(rows) - len(pending):
        log.info("%d of %d files are scored already (resume=false scores them again)", done, len(rows))
    if pending:
        datamodule.rows = pending
        module = CoverModule(_model(options))
        trainer = build(
            {"logger": False, "enable_checkpointing": False, "enable_model_summary": False, **options["trainer"]},
            "trainer",
            enable_progress_bar=False,  # ours counts files
            callbacks=[VideoProgress(len(pending)), ScoreWriter(store)],
        )
        trainer.predict(module, datamodule=datamodule, return_predictions=False)
    if rank > 0:
        return EXIT_OK
    store.close()
    Console().print(summary(store.scores, store.errors, store.notes, folder))
    return EXIT_SOME_FAILED if store.errors else EXIT_OK


def _unique(dataset: Dataset) -> list[Row]:
    rows = list(dataset)
    twice = [name for name, count in Counter(row.name for row in rows).items() if count > 1]
    if twice:
        raise UsageError(f"data: {len(twice)} names stand for more than one file, the first is {twice[0]!r}")
    if not rows:
        raise UsageError("data: the dataset names no file")
    return rows


def _datamodule(options: dict[str, Any], rows: list[Row]) -> VideoDataModule:
    views, raw, decode = options["views"], options["data"]["raw"], options["decode"]
    replay = None if views["replay"] is None else Path(views["replay"])
    if replay is not None and not replay.is_dir():
        raise UsageError(f"views.replay={replay}: no such directory")
    workers = decode["workers"]
    # Half of the cores: the model wants the others, and decoding is seldom what one waits for.
    workers = max(1, min(8, available_cpus() // 2)) if workers == "auto" else workers
    for name, value, kind in (
        ("decode.workers", workers, int),
        ("decode.timeout", decode["timeout"], (int, float)),
        ("batch_size", options["batch_size"], int),
    ):
        if not isinstance(value, kind) or value <= 0:
            raise UsageError(f"{name}={value}: takes a positive number")
    return VideoDataModule(
        rows,
        build({name: value for name, value in views.items() if name != "replay"}, "views"),
        batch_size=options["batch_size"],
        workers=workers,
        timeout=decode["timeout"],
        raw=build({"_target_": "cover.video.RawFormat", **raw}, "data.raw") if raw["width"] or raw["height"] else None,
        replay=replay,
    )


def _checksums(options: dict[str, Any]) -> dict[str, str] | str:
    """What tells weights apart: the checksum of each file, known without reading it where it is a published one."""
    if options["weights"] == RANDOM_WEIGHTS:
        return RANDOM_WEIGHTS
    published = {"weights": PUBLISHED["cover"], "clip_weights": PUBLISHED["clip_vit_l14"]}
    checksums = {}
    for option, file in published.items():
        try:
            checksums[option] = file.sha256 if options[option] is None else sha256_of(Path(options[option]))
        except OSError as error:
            raise UsageError(f"{option}={options[option]}: {error.strerror or error}") from error
    return checksums


def _model(options: dict[str, Any]) -> COVER:
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


def _versions() -> dict[str, str]:
    ffmpeg = {name: ".".join(map(str, number)) for name, number in av.library_versions.items()}
    packages = {name: version(name) for name in _PACKAGES}
    return {"cover": cover.__version__, "python": platform.python_version(), **packages, **ffmpeg}


def _quiet_lightning() -> None:
    """Leaves out what Lightning says about training when all we do is predict."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*does not have many workers.*", module="lightning")
    warnings.filterwarnings("ignore", message="Couldn't infer the batch indices.*", module="lightning")
    warnings.filterwarnings("ignore", message=".*treespec.*", category=Warning, module="lightning")
