"""Fine-tune on mean opinion scores: the work of ``train.py``."""

import dataclasses
import hashlib
import json
import logging
import re
import shlex
import shutil
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning
import pandas as pd
import torch
import yaml
from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.loggers import Logger, WandbLogger
from omegaconf import DictConfig
from rich.console import Console

import cover
from cover.calibration import calibrate, to_plain
from cover.curves import draw_curves, read_curves
from cover.errors import UsageError
from cover.metrics import FITS, MEASURES, Curve, Measures, fit_curve, measure, median
from cover.models import BRANCHES, COVER, SCORES
from cover.report import agreement, scatter
from cover.tasks.build import build, plain
from cover.tasks.cli import EXIT_OK, EXIT_SOME_FAILED
from cover.tasks.ratings import rated_splits
from cover.tasks.scoring import (
    build_model,
    is_main_process,
    positive,
    quiet_lightning,
    weights_checksums,
    write_run_record,
)
from cover.tasks.stages import StageResult, centered, run_stage
from cover.training_data import RatedSet
from cover.weights import PRETRAINED_WEIGHTS, RANDOM_WEIGHTS, save_weights
from cover.writers import set_aside, start_errors, write_text

log = logging.getLogger(__name__)

_SEEN = re.compile(r"\+*(model|views)[.=]")  # options that scoring must be given too
_ANYWHERE = ("output", "resume", "logger", "decode", "trainer", "cache", "published")  # changes no result


def train(cfg: DictConfig) -> int:
    """Trains on the datasets that the config names, on one split or on several, one after the other.

    Args:
        cfg: ``configs/train.yaml`` as composed.

    Returns:
        0 when every clip could be used, 1 when some could not be read (``errors.csv`` says which).

    Raises:
        UsageError: Options, ratings or weights are wrong.
    """
    options = plain(cfg)
    _check(options)
    quiet_lightning()
    folder = Path(HydraConfig.get().runtime.output_dir)
    splits = rated_splits(options, folder)
    indices = options["protocol"]["indices"]
    places = [folder if len(splits) == 1 else folder / f"split_{index}" for index in indices]
    base = _base(options)
    if is_main_process():  # before other ranks start, which must not find what is to be set aside
        for place, sets in zip(places, splits, strict=True):
            _open(options, base, sets, place)
    measured = [_train_split(options, base, sets, place) for place, sets in zip(places, splits, strict=True)]
    if not is_main_process():
        return EXIT_OK
    if len(splits) > 1:
        _summarize(options, measured, folder)
    failed = any(len(pd.read_csv(place / "errors.csv")) for place in places)
    return EXIT_SOME_FAILED if failed else EXIT_OK


def _check(options: dict[str, Any]) -> None:
    """What can be refused before anything is read."""
    for name, kind in (("batch_size", int), ("lr", (int, float)), ("backbone_lr", (int, float))):
        positive(name, options[name], kind)
    positive("auxiliary.weight", options["auxiliary"]["weight"], (int, float))
    decay, warmup, seed = options["ema_decay"], options["warmup_epochs"], options["seed"]
    if decay is not None and not (isinstance(decay, float) and 0 < decay < 1):
        raise UsageError(f"ema_decay={decay}: takes a number between 0 and 1, or null")
    if not isinstance(warmup, (int, float)) or warmup < 0:
        raise UsageError(f"warmup_epochs={warmup}: takes a number, 0 for no warm-up")
    for option, number in (("seed", seed), ("augment.draws", options["augment"]["draws"])):
        if not isinstance(number, int) or number < 0:
            raise UsageError(f"{option}={number}: takes a whole number")
    if options["fit"] not in FITS:
        raise UsageError(f"fit={options['fit']}: takes one of {', '.join(FITS)}")
    for name, stage in options["stages"].items():
        if not isinstance(stage["epochs"], int) or stage["epochs"] < 0:
            raise UsageError(f"stages.{name}.epochs={stage['epochs']}: takes a whole number")
    if not any(stage["epochs"] for stage in options["stages"].values()):
        raise UsageError("stages: no stage has an epoch; set stages.heads.epochs or stages.full.epochs")
    for name in ("check_val_every_n_epoch", "limit_val_batches"):
        if name in options["trainer"]:
            raise UsageError(f"trainer.{name}: every epoch is validated, on all clips; leave it out")
    build(options["loss"], "loss")


def _train_split(
    options: dict[str, Any], base: Mapping[str, Any], sets: Sequence[RatedSet], folder: Path
) -> dict[str, Measures]:
    """Trains on one split, or goes on with it; the measures of each score on the clips that were validated on."""
    measures_file = folder / "metrics.json"
    if not measures_file.exists():
        lightning.seed_everything(options["seed"], verbose=False)
        model = build_model(options)
        logger = _logger(options, folder)
        best: StageResult | None = None
        curve: Curve | None = None
        trained: set[str] = set()
        # What model this is, for those who load it without its config.
        made = {
            "net": {name: value for name, value in options["model"]["net"].items() if name != "_target_"},
            "views": dataclasses.asdict(centered(options)),
            "base": base,
        }
        for name, stage in options["stages"].items():
            if not stage["epochs"]:
                continue
            result = run_stage(options, name, model, sets, folder, logger, made, trained)
            sets, trained = result.data.sets, trained | result.trained
            if best is None or result.score > best.score:
                best = result
                if is_main_process():
                    curve = _calibration(result)
                    _write_weights(model, result, curve, trained, made, folder)
        assert best is not None
        if is_main_process():
            _write_results(options, best, curve, logger, folder)
    if not is_main_process():
        return {}
    _tidy(options, folder)
    figures = json.loads(measures_file.read_text(encoding="utf-8"))
    best_epoch = figures.pop("best")
    measures = {name: Measures.from_dict(values) for name, values in figures.items()}
    _show(measures, best_epoch, folder)
    return measures


def _base(options: dict[str, Any]) -> dict[str, str | None]:
    """The weights that training starts from, as checkpoints name them."""
    checksums = weights_checksums(options)
    if isinstance(checksums, str):
        checksums = dict.fromkeys(("weights", "clip_weights"), checksums)
    base: dict[str, str | None] = {}
    for option, checksum in checksums.items():
        value = options[option]
        named = value is None or value in (PRETRAINED_WEIGHTS, RANDOM_WEIGHTS)
        base[option] = value if named else str(Path(value).absolute())
        base[f"{option}_sha256"] = checksum
    return base


def _open(options: dict[str, Any], base: Mapping[str, Any], sets: Sequence[RatedSet], folder: Path) -> None:
    """Takes up a run of the same options, or sets another one aside and starts anew."""
    file = folder / "run.yaml"
    record = _record(folder)
    kept = {name: value for name, value in options.items() if name not in _ANYWHERE}
    identity = {
        "options": {**kept, "precision": options["trainer"]["precision"], "dtype": options["cache"]["dtype"]},
        "base": base,
        "clips": [[rated.name, *([row.name, row.mos] for row in rated.rows)] for rated in sets],
        "version": cover.__version__,
    }
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()
    if record and (record.get("identity") != digest or not options["resume"]):
        if record.get("identity") != digest:
            log.info("the run in %s is of other options or data; this one starts anew", folder)
        # What this run has written already stays.
        stays = {"previous", "missing.csv", f"{HydraConfig.get().job.name}.log", file.name}
        set_aside([file, *(path for path in folder.iterdir() if path.name not in stays)])
        record = {}
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"identity": digest, "run_id": record.get("run_id", uuid.uuid4().hex[:8]), "base": dict(base)}
    write_run_record(folder, options, **facts)
    if not (folder / "metrics.json").exists():
        start_errors(folder / "errors.csv")
        _write_split(sets, folder / "split.csv")


def _record(folder: Path) -> dict[str, Any]:
    file = folder / "run.yaml"
    return yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {}


def _write_split(sets: Sequence[RatedSet], path: Path) -> None:
    """Which clip was used for what; of a single dataset it is what ``protocol.splits=file`` reads."""
    lines = [
        {"Filename": row.name, "split": part, "mos": row.mos, "dataset": rated.name}
        for rated in sets
        for part in ("train", "validation")
        for row in getattr(rated, part)
    ]
    pd.DataFrame(lines).to_csv(path, index=False, errors="backslashreplace")


def _logger(options: dict[str, Any], folder: Path) -> Logger | None:
    if not options["logger"]:
        return None
    # A run that goes on is the same run there.
    wandb = options["logger"]["_target_"].endswith("WandbLogger")
    known = {"id": _record(folder)["run_id"], "resume": "allow"} if wandb else {}
    logger: Logger = build({**options["logger"], "save_dir": str(folder)}, "logger", **known)
    logger.log_hyperparams(options)
    return logger


def _write_weights(
    model: COVER, result: StageResult, curve: Curve | None, trained: set[str], made: Mapping[str, Any], folder: Path
) -> None:
    """``best.ckpt``, which is whole, and what was trained by itself."""
    about = {
        **made,
        "calibration": None if curve is None else to_plain(curve),
        "stage": result.name,
        "epoch": result.epoch,
        "weights": result.weights,
    }
    state = model.state_dict()
    whole = {
        "state_dict": {f"model.{name}": tensor for name, tensor in state.items()},
        "pytorch-lightning_version": lightning.__version__,
        "cover": {name: value for name, value in about.items() if name != "base"},  # which is for what is not whole
    }
    partial = folder / "best.ckpt.part"
    torch.save(whole, partial)
    partial.replace(folder / "best.ckpt")
    heads, everything = folder / "heads.safetensors", folder / "trained.safetensors"
    file = everything if any(name.startswith("backbones.") for name in trained) else heads
    save_weights({key: state[key] for key in sorted(trained)}, file, about)
    if file == everything:
        heads.unlink(missing_ok=True)  # of a stage that this one surpassed


def _calibration(result: StageResult) -> Curve | None:
    """From raw overall scores to the MOS of the first set, fitted to the clips that were trained on."""
    data, place = result.data, SCORES.index("overall")
    clips = [clip for clip in result.predictions if clip < data.trained and data.owners[clip] is data.sets[0]]
    mos = [data.sets[0].rating(data.clips[clip]) for clip in clips]
    curve = calibrate([result.predictions[clip][place] for clip in clips], mos)
    if curve is None:
        log.warning("scores do not rise with the MOS on the clips trained on: the checkpoint has no MOS scale")
    return curve


def _write_results(
    options: dict[str, Any], best: StageResult, curve: Curve | None, logger: Logger | None, folder: Path
) -> None:
    """Everything that people look at, computed from the best weights."""
    data = best.data
    lines = []
    for clip, scores in best.predictions.items():
        row = data.clips[clip]
        named = dict(zip(SCORES, scores, strict=True))
        line = {"path": row.name, "part": "train" if clip < data.trained else "validation", "mos": row.mos, **named}
        if curve is not None:
            line["mos_predicted"] = float(curve(named["overall"]))
        rated = data.owners[clip]
        line |= {f"{branch}_rated": rated.rating(row, branch) for branch in data.own}
        lines.append({**line, "dataset": rated.name})
    table = pd.DataFrame(lines)
    table.to_csv(folder / "predictions.csv", index=False, float_format="%.6f", errors="backslashreplace")
    first = table[(table["part"] == "validation") & (table["dataset"] == data.sets[0].name)]
    measures = {
        name: measure(first[name], first[target], fit=options["fit"], resamples=options["resamples"])
        for name, target in {
            "overall": "mos",
            **{branch: f"{branch}_rated" if branch in data.own else "mos" for branch in BRANCHES},
        }.items()
    }
    fitted = fit_curve(first["overall"], first["mos"], options["fit"])
    title = f"{data.sets[0].name}, validation"
    scatter(folder / "scatter.png", first["overall"], first["mos"], fitted, title, measures["overall"])
    draw_curves(folder / "curves.png", read_curves(folder / "curves.csv"))
    if logger is not None:
        logger.log_metrics(
            {f"best/{name}/{m}": getattr(values, m) for name, values in measures.items() for m in MEASURES}
        )
        if isinstance(logger, WandbLogger):
            logger.log_table("predictions", dataframe=table)
            logger.log_image("pictures", [str(folder / "curves.png"), str(folder / "scatter.png")])
            logger.experiment.finish()
        logger.finalize("success")
    facts = {"stage": best.name, "epoch": best.epoch, "weights": best.weights}
    figures = {name: values.as_dict() for name, values in measures.items()}
    write_text(folder / "metrics.json", json.dumps({**figures, "best": facts}, indent=2) + "\n")  # last: all is there


def _tidy(options: dict[str, Any], folder: Path) -> None:
    """Leaves of the stages what the last one ended with."""
    stages = folder / "stages"
    if stages.exists():
        *_, last = (name for name, stage in options["stages"].items() if stage["epochs"])
        (stages / last / "last.ckpt").replace(folder / "last.ckpt")
        shutil.rmtree(stages)


def _show(measures: Mapping[str, Measures], best: Mapping[str, Any], folder: Path) -> None:
    """What the run came to, where it is, and the command that uses it."""
    kind = {"raw": "", "ema": ", averaged weights"}[best["weights"]]
    console = Console()
    count = next(iter(measures.values())).n
    console.print(agreement(measures, None, count, 0, 0))
    console.print(f"on clips that were not trained on; best epoch: {best['epoch']} of {best['stage']}{kind}")
    console.print(f"results: {folder} (curves.png, scatter.png, predictions.csv)", highlight=False, soft_wrap=True)
    same = [option for option in HydraConfig.get().overrides.task if _SEEN.match(option)]
    command = shlex.join(["python", "infer.py", "data=mydir", f"weights={folder / 'best.ckpt'}", *same])
    console.print(f"use it: {command}", highlight=False, soft_wrap=True)


def _summarize(options: dict[str, Any], splits: Sequence[Mapping[str, Measures]], folder: Path) -> None:
    """``summary.csv`` with a line a split and score, and their medians on the terminal."""
    lines = [
        {"split": index, "score": score, **{name: getattr(values, name) for name in ("n", *MEASURES)}}
        for index, split in zip(options["protocol"]["indices"], splits, strict=True)
        for score, values in split.items()
    ]
    table = pd.DataFrame(lines)
    measures = table.groupby("score", sort=False)[list(MEASURES)]
    for name, figures in (("median", measures.median()), ("std", measures.std(ddof=0))):
        table = pd.concat([table, figures.reset_index().assign(split=name)], ignore_index=True)
    table.to_csv(folder / "summary.csv", index=False, float_format="%.6f")
    medians = {score: median([split[score] for split in splits]) for score in splits[0]}
    count = next(iter(medians.values())).n
    console = Console()
    console.print(agreement(medians, None, count, 0, 0))
    console.print(f"medians over {len(splits)} splits; in brackets the 2.5th and 97.5th percentiles over them")
    console.print(f"results: {folder / 'summary.csv'} and a folder for each split", highlight=False, soft_wrap=True)
