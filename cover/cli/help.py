"""``--help``: usage and examples by hand, options from the schema, groups from the configs."""

import textwrap

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from cover.config.compose import config_folder
from cover.config.describe import option_rows
from cover.config.resolvers import register_resolvers

OVERVIEW = """\
Blind (no-reference) video quality assessment with COVER.

usage: cover COMMAND [key=value ...]

  infer      score videos and images: cover infer data=mydir
  evaluate   measure how well scores agree with people's: cover evaluate data=konvid_1k data.root=DIR
  train      fine-tune on mean opinion scores: cover train data=table data.path=ratings.csv

On results folders:

  report     write report.html again: cover report DIR
  compare    compare run B with run A: cover compare A B
  select     list the videos that fulfil a condition: cover select DIR 'overall > 0.5'
  gate       exit with 3 unless a condition holds: cover gate DIR 'mean(overall) > 0.3'
  app        score in the browser: cover app

cover COMMAND --help shows examples and every option; --version the version.
"""

_USAGE = {
    "infer": """\
Score videos and images without a reference (COVER, CVPR 2024 workshop).

usage: cover infer data=WHAT [key=value ...]        (from a checkout: python infer.py)

  data=videos/                    every video and image below a directory
  data=a.mp4   data='dir/*.mp4'   a video or image; a quoted glob
  data=list.csv                   a .csv, .tsv, .txt or .parquet list of paths
  data=talk.mp4 segments=10       every 10 s for itself; segments=shots: every shot
  data=clips.csv                  columns path, start, end: parts of videos
  data=demo model=cover_lite      generated videos and the small model that ships: no download
  output=results.csv              the table there, the rest in results/
  weights=best.ckpt               fine-tuned weights
  reference=outputs/catalogue     where each score stands among earlier results
  views.sampling=random views.seed=1 views.samples=4   average 4 random samplings
  maps=true                       keep quality over time and space
  trainer=gpu trainer.precision=bf16-mixed
  --multirun views.seed=1,2,3     one run for each value
  --config-dir DIR                further configs of your own; --cfg job shows the composed one
""",
    "evaluate": """\
Measure how well scores agree with people's: SROCC, PLCC, KROCC, RMSE.

usage: cover evaluate data=DATASET data.root=DIR [key=value ...]
       cover evaluate predictions=FILE output=DIR [key=value ...]
       cover evaluate experiment=NAME data.root=DIR [key=value ...]

  data=table data.path=ratings.csv   your own: columns path and mos (data.column, data.mos)
  predictions=preds.csv              measure a table: Filename, mos, overall and any branch (columns.*)
  experiment=cover_konvid_1k         a published protocol, its figures beside ours
  weights=best.ckpt                  a fine-tuned checkpoint
  protocol.splits=random             median over the official ten 80/20 splits
  logger=wandb logger.offline=true   W&B
  --multirun experiment=a,b          one summary table at the end
""",
    "train": """\
Fine-tune COVER on mean opinion scores.

usage: cover train data=DATASET data.root=DIR [key=value ...]
       cover train data=table data.path=ratings.csv data.root=DIR [key=value ...]

  experiment=finetune_head           gates and heads, 10 epochs (the default)
  experiment=finetune_full           then end to end
  experiment=linear_probe            the last layer of the heads only
  experiment=k_splits                the official ten 80/20 splits, median and spread
  experiment=pretrain                from ImageNet, Kinetics and CLIP weights
  experiment=lite data.sources=DIR also.appeal.path=labels.csv   how cover_lite was made
  +data@also.vqc=live_vqc +also.vqc.share=0.5  a further dataset, half of it in each epoch
  +data@validation=lsvq validation.split=test  a dataset to validate on
  weights=best.ckpt                  start from a checkpoint instead of the published weights
  protocol.splits=grouped protocol.column=content   no content on both sides
  stages.heads.epochs=20 lr=3e-4 batch_size=16 seed=1
  trainer=ddp trainer.precision=bf16-mixed
  logger=wandb logger.offline=true   W&B beside the files
""",
}

EXIT_CODES = (
    ("0", "every video has a score (train: every video could be used)"),
    ("1", "some are missing or failed: see errors.csv, missing.csv"),
    ("2", "an option, the data or the weights are wrong; one line says what to do"),
    ("3", "compare, gate: the condition does not hold"),
    ("70", "unexpected error, with a trace"),
    ("130", "interrupted (Ctrl-C, SIGTERM); the same command resumes"),
)

_WIDTH, _COLUMN = 110, 34


def command_help(task: str) -> str:
    """Write the help of a command: usage, options with defaults, groups, exit codes."""
    lines = [_USAGE[task], "Options (key=default):"]
    for name, default, meaning in option_rows(task, default_config(task)):
        head = f"  {name}{default}"
        lines += textwrap.wrap(
            meaning,
            _WIDTH,
            initial_indent=head.ljust(_COLUMN - 1) + " ",
            subsequent_indent=" " * _COLUMN,
        )
    lines += ["", "Groups (group=name):"]
    for group, names in groups().items():
        lines += textwrap.wrap(
            ", ".join(names),
            _WIDTH,
            initial_indent=f"  {group:<12}",
            subsequent_indent=" " * 14,
            break_on_hyphens=False,
        )
    lines += ["", "Exit codes:", *(f"  {code:<4} {meaning}" for code, meaning in EXIT_CODES)]
    return "\n".join(lines)


def default_config(task: str) -> dict[str, object]:
    """Compose ``configs/<task>.yaml`` as it is without any option; nothing is resolved."""
    register_resolvers()
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        container = OmegaConf.to_container(compose(task), resolve=False)
    assert isinstance(container, dict)
    return {str(name): value for name, value in container.items()}


def groups() -> dict[str, list[str]]:
    """List the config groups that an option chooses from."""
    folders = sorted(path for path in config_folder().iterdir() if path.is_dir() and path.name not in _INTERNAL)
    return {folder.name: sorted(path.stem for path in folder.glob("[!_]*.yaml")) for folder in folders}


_INTERNAL = {"hydra", "__pycache__"}
