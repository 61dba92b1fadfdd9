"""``--help``: usage and examples by hand, options from the schema, groups from the configs."""

import shutil
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from cover.config.compose import config_folder
from cover.config.describe import option_rows
from cover.config.resolvers import register_resolvers

OVERVIEW = """\
Blind (no-reference) video quality assessment with COVER.

usage: cover COMMAND [key=value ...]

  infer      score videos and images
             cover infer data=mydir
  evaluate   measure how well scores agree with people's
             cover evaluate data=konvid_1k data.root=DIR
  train      fine-tune on mean opinion scores
             cover train data=table data.path=ratings.csv

On results folders:

  report     write report.html again: cover report DIR
  compare    compare run B with run A: cover compare A B
  select     list the videos that fulfil a condition
             cover select DIR 'overall > 0.5'
  gate       exit with 3 unless a condition holds
             cover gate DIR 'mean(overall) > 0.3'
  app        score in the browser: cover app

cover COMMAND --help shows examples and every option; --version the version.
"""


class _Usage(NamedTuple):
    """The purpose of a command, how it is called, and examples of what to type."""

    purpose: str
    calls: Sequence[str]
    examples: Sequence[tuple[str, str]]


_USAGE = {
    "infer": _Usage(
        "Score videos and images without a reference (COVER, CVPR 2024 workshop).",
        ["cover infer data=WHAT [key=value ...]", "python infer.py data=WHAT ...   (from a checkout)"],
        [
            ("data=videos/", "every video and image below a directory"),
            ("data=a.mp4, data='dir/*.mp4'", "a video or image; a quoted glob"),
            ("data=list.csv", "a table or list of paths (.csv, .tsv, .txt, .json, .parquet, ...)"),
            ("data=talk.mp4 segments=10", "every 10 s for itself; segments=shots: every shot"),
            ("data=clips.csv", "columns path, start, end: parts of videos"),
            ("data=demo model=cover_lite", "generated videos, and the small model that ships: no download"),
            ("output=results.csv", "the table there, the rest in results/"),
            ("weights=best.ckpt", "fine-tuned weights"),
            ("reference=outputs/catalogue", "where each score stands among earlier results"),
            ("views.sampling=random views.seed=1 views.samples=4", "average 4 random samplings"),
            ("maps=true", "keep quality over time and space"),
            ("trainer=gpu trainer.precision=bf16-mixed", "on a GPU, in half precision"),
            ("--multirun views.seed=1,2,3", "one run for each value"),
            ("--config-dir DIR", "further configs of your own; --cfg job shows the composed one"),
        ],
    ),
    "evaluate": _Usage(
        "Measure how well scores agree with people's: SROCC, PLCC, KROCC, RMSE.",
        [
            "cover evaluate data=DATASET data.root=DIR [key=value ...]",
            "cover evaluate predictions=FILE output=DIR [key=value ...]",
            "cover evaluate experiment=NAME data.root=DIR [key=value ...]",
        ],
        [
            ("data=table data.path=ratings.csv", "your own: columns path and mos (data.column, data.mos)"),
            ("predictions=preds.csv", "measure a table: Filename, mos, overall and any branch (columns.*)"),
            ("predictions=a.csv,b.csv", "which metric agrees best"),
            ("experiment=cover_konvid_1k", "a published protocol, its figures beside ours"),
            ("weights=best.ckpt", "a fine-tuned checkpoint"),
            ("protocol.splits=random", "median over the official ten 80/20 splits"),
            ("logger=wandb logger.offline=true", "W&B"),
            ("--multirun experiment=a,b", "one summary table at the end"),
        ],
    ),
    "train": _Usage(
        "Fine-tune COVER on mean opinion scores.",
        [
            "cover train data=DATASET data.root=DIR [key=value ...]",
            "cover train data=table data.path=ratings.csv data.root=DIR ...",
        ],
        [
            ("experiment=finetune_head", "gates and heads, 10 epochs (the default)"),
            ("experiment=finetune_full", "then end to end"),
            ("experiment=finetune_small", "few videos: only what cross-validation supports"),
            ("experiment=linear_probe", "the last layer of the heads only"),
            ("experiment=k_splits", "the official ten 80/20 splits, median and spread"),
            ("experiment=pretrain", "from ImageNet, Kinetics and CLIP weights"),
            ("experiment=lite data.sources=DIR also.appeal.path=labels.csv", "how cover_lite was made"),
            ("+data@also.vqc=live_vqc +also.vqc.share=0.5", "a further dataset, half of it in each epoch"),
            ("+data@validation=lsvq validation.split=test", "a dataset to validate on"),
            ("weights=best.ckpt", "start from a checkpoint instead of the published weights"),
            ("protocol.splits=grouped protocol.column=content", "no content on both sides"),
            ("stages.heads.epochs=20 lr=3e-4 batch_size=16 seed=1", "the usual settings"),
            ("trainer=ddp trainer.precision=bf16-mixed", "every GPU, in half precision"),
            ("logger=wandb logger.offline=true", "W&B beside the files"),
        ],
    ),
}

_FIRST = (
    *("data", "data.path", "data.root", "predictions", "model", "weights", "output", "resume", "segments.by"),
    *("protocol.splits", "maps", "report", "reference", "batch_size", "lr", "seed", "trainer", "decode.workers"),
    *("views", "views.sampling", "views.samples", "logger", "strict"),
)
"""Options that most people use, in this order; all others are listed below them."""

EXIT_CODES = (
    ("0", "every video has a score (train: every video could be used)"),
    ("1", "some are missing or failed: see errors.csv, missing.csv"),
    ("2", "an option, the data or the weights are wrong; one line says what to do"),
    ("3", "compare, gate: the condition does not hold"),
    ("70", "unexpected error, with a trace"),
    ("130", "interrupted (Ctrl-C, SIGTERM); the same command resumes"),
)

_COLUMN = 30  # where meanings begin
_WIDEST, _LEAST = 110, 40  # columns of a line


def command_help(task: str, folders: Sequence[Path] = ()) -> str:
    """Write the help of a command: usage, options with defaults, groups, exit codes.

    Args:
        task: ``infer``, ``evaluate`` or ``train``.
        folders: Further folders of configs.
    """
    usage = _USAGE[task]
    options = {
        name: (f"{name}{default}", meaning) for name, default, meaning in option_rows(task, default_config(task))
    }
    first = [options.pop(f"{name}=") for name in _FIRST if f"{name}=" in options]
    names = {
        group: ", ".join(some) for group, some in groups(folders).items() if task != "infer" or group not in _TRAINED
    }
    sections = {
        "Options (key=default):": first,
        "Further options:": list(options.values()),
        "Groups (group=name):": list(names.items()),
        "Exit codes:": EXIT_CODES,
    }
    lines = [usage.purpose, ""]
    lines += [f"{'usage:' if number == 0 else '':<6} {call}" for number, call in enumerate(usage.calls)]
    lines += ["", *in_columns(usage.examples)]
    for title, rows in sections.items():
        lines += ["", title, *in_columns(rows, 14 if rows is sections["Groups (group=name):"] else _COLUMN)]
    return "\n".join(lines)


def in_columns(rows: Sequence[tuple[str, str]], column: int = _COLUMN) -> list[str]:
    """Lay out what is typed and what it means, no wider than the terminal (``COLUMNS`` sets another width).

    Args:
        rows: Texts of both columns.
        column: Where the second one begins; a longer text of the first gets a line of its own.
    """
    width = max(min(shutil.get_terminal_size().columns, _WIDEST), _LEAST)
    column = min(column, width // 2)
    lines = []
    for typed, meaning in rows:
        head = f"  {typed}"
        if len(head) > column - 1:
            lines.append(head)
            head = ""
        wrapper = textwrap.TextWrapper(width, break_long_words=False, break_on_hyphens=False)
        wrapper.initial_indent, wrapper.subsequent_indent = head.ljust(column), " " * column
        lines += wrapper.wrap(meaning) or [head]
    return lines


def default_config(task: str) -> dict[str, object]:
    """Compose ``configs/<task>.yaml`` as it is without any option; nothing is resolved."""
    register_resolvers()
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        container = OmegaConf.to_container(compose(task), resolve=False)
    assert isinstance(container, dict)
    return {str(name): value for name, value in container.items()}


def groups(folders: Sequence[Path] = ()) -> dict[str, list[str]]:
    """List the config groups that an option chooses from, with what further folders of configs add."""
    found: dict[str, set[str]] = {}
    for folder in (config_folder(), *folders):
        for group in folder.glob("[!_]*/"):
            found.setdefault(group.name, set()).update(path.stem for path in group.glob("[!_]*.yaml"))
    return {group: sorted(names) for group, names in sorted(found.items()) if names and group not in _INTERNAL}


_INTERNAL = {"hydra"}
_TRAINED = {"experiment", "logger"}  # groups that infer does not have
