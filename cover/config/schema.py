"""The options of every command, typed: what ``configs/*.yaml`` may hold and what each option means.

Pydantic rather than OmegaConf's structured configs: a type says what a number may be (``batch_size`` is positive), one
pass finds what is wrong wherever it is, and a field carries its meaning for ``--help`` and docs/options.md. Defaults
are those of the YAML files, and nowhere else. ``trainer``, ``logger``, ``optimizer`` and ``data.rows`` are arguments of
other people's classes and stay free-form.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field

from cover.config.data import DataOptions, RatingsOptions, SegmentOptions
from cover.config.types import (
    FitOption,
    Fraction,
    Free,
    NonNegative,
    Options,
    PositiveFloat,
    PositiveInt,
    Splits,
    WholeNumber,
)
from cover.video import FragmentView, WholeView


class ModelOptions(Options):
    """A model: ``configs/model``."""

    name: str
    net: Free = Field(description="sizes of the network: arguments of cover.models.COVER")
    weights: Path | Literal["random", "pretrained"] | None
    clip_weights: Path | None


class ViewOptions(Options):
    """Frames and crops that the branches look at: ``configs/views``."""

    semantic: WholeView
    technical: FragmentView
    aesthetic: WholeView
    sampling: str = Field(
        description="center: the same score at every run; random: as the official code, seeded for each video"
    )
    seed: int = Field(description="with random: the seed; each video follows from it and its file name")
    samples: int = Field(description="with random: how many samplings of a video are averaged")
    rotate: bool = Field(description="show phone videos and photos upright, as players do")
    replay: Path | None = Field(description="use the samplings recorded in DIR/<Filename>.npz")
    record: Path | None = Field(description="record the sampling of each video in DIR/<Filename>.npz")


class DecodeOptions(Options):
    """Decoding."""

    workers: Literal["auto"] | WholeNumber = Field(
        description="decoding processes; auto: half the cores, at most 8; 0: none, and no time limit"
    )
    timeout: PositiveFloat = Field(description="seconds a video, or a part of one, may take before it fails")


class ScoringOptions(Options):
    """The options that all commands share."""

    ratings: RatingsOptions
    data: DataOptions = Field(description="what to score: a path, or the name of a config; a name wins over a folder")
    model: ModelOptions = Field(description="cover, cover_lite (ships with the package) or tiny (random, for tests)")
    views: ViewOptions = Field(description="what the model looks at; default: what it was trained on")
    trainer: Free = Field(description="auto, cpu, gpu, ddp (every GPU its share); any argument of Lightning's Trainer")
    weights: Path | Literal["random", "pretrained"] | None = Field(
        description="COVER.pth or a checkpoint of ours; default: the model's own"
    )
    clip_weights: Path | None = Field(description="a local CLIP ViT-L/14 image tower; default: downloaded once")
    output: Path = Field(description="results folder")
    resume: bool = Field(description="continue an interrupted run; false moves earlier results to previous/")
    batch_size: PositiveInt = Field(description="videos per forward pass (training: per step and process)")
    decode: DecodeOptions


class ResultOptions(ScoringOptions):
    """Options of what a scoring run keeps beside scores."""

    maps: bool = Field(description="keep each video's score maps: maps/<Filename>.npz")
    report: bool = Field(description="write report.html, and keep what it shows: evidence.jsonl, moments.csv")


class InferOptions(ResultOptions):
    """Options of ``infer``."""

    segments: SegmentOptions
    reference: Path | None = Field(
        description="results of other videos (a folder, or its scores.csv): adds where each score stands among them"
    )


class ColumnOptions(Options):
    """Headers in a table of predictions."""

    path: str | None = Field(description="column that names the videos; default: Filename, path, file, video or name")
    mos: str = Field(description="column of the MOS")
    overall: str = Field(description="column of the overall score; branches likewise")
    semantic: str
    technical: str
    aesthetic: str
    scores: list[str] | None = Field(description="columns of metrics to compare; default: overall, or all of numbers")
    ci95: str | None = Field(description="column of half-widths of the MOS' 95% intervals; default: found by name")
    std: str | None = Field(description="column of the ratings' standard deviations, with n; default: found by name")
    n: str | None = Field(description="column of the numbers of ratings; default: found by name")


class ProtocolOptions(Options):
    """The protocol: a selection of videos."""

    count: PositiveInt = Field(description="of random and grouped splits")
    column: str | None = Field(
        description="grouped, nested: column of the content, default: found, or guessed by names; column: of the split"
    )
    file: Path | None = Field(description="file: a CSV of Filename,split")


class EvaluationProtocol(ProtocolOptions):
    """The selection of videos that are measured."""

    splits: Splits = Field(
        description="full; random (80/20, official seeds), grouped (no content on both sides), column, file"
    )
    split: str = Field(description="column and file: the split to measure")
    write: Path | None = Field(description="a folder for files of the splits that were used")


class EvaluateOptions(ResultOptions):
    """Options of ``evaluate``."""

    predictions: Path | list[Path] | None = Field(
        description="a table of predictions (and MOS, else data= has them) to measure; of several metrics: a.csv,b.csv"
    )
    columns: ColumnOptions
    fit: FitOption = Field(
        description="curve for PLCC and RMSE: the published one, or cubic (ITU-T P.1401), linear, ..."
    )
    resamples: WholeNumber = Field(description="bootstrap resamplings for 95% intervals; 0 for none")
    resolving_power: bool = Field(description="also compute J.149's resolving power, where the MOS have intervals")
    strict: bool = Field(description="true: a missing or failed video is an error")
    protocol: EvaluationProtocol
    logger: Free | None = Field(description="csv, wandb (logger.offline=true sends nothing) or none")
    published: Free | None = Field(description="figures to show beside ours, set by experiments")
    benchmark: bool = Field(description="also time the model on 30 frames of 3840x2160, decoding apart")


class TrainingProtocol(ProtocolOptions):
    """The selection of videos that are trained on."""

    splits: Splits | Literal["nested"] = Field(
        description="random (80/20, official seeds), grouped (no content on both sides), column, file, nested"
    )
    indices: list[WholeNumber] = Field(description="which of the splits to train on, one after the other")
    train: str = Field(description="column and file: the split to train on")
    validation: str = Field(description="column and file: the split to validate on")


class StageOptions(Options):
    """One stage of a training."""

    epochs: WholeNumber = Field(description="its length; 0 skips it")
    train: list[str] = Field(
        description="patterns of parameters that learn; a backbone that none names is frozen; []: heads in closed form"
    )


class TargetOptions(Options):
    """Ratings of one branch alone."""

    semantic: str | None
    technical: str | None = Field(description="column that rates this branch alone; null: it learns from the MOS")
    aesthetic: str | None


class BranchFitOptions(Options):
    """What a branch's head is fitted to in closed form."""

    sets: dict[str, PositiveFloat] | None = Field(
        description="datasets by name, and their shares: {stills: 1}; null: all alike"
    )
    scale: PositiveFloat = Field(description="deviation of the branch's score, and so its weight in the sum")


class RidgeOptions(Options):
    """The stage that fits heads in closed form, by ridge regression."""

    content: str | None = Field(description="column of the content; penalties are chosen on contents left out")
    semantic: BranchFitOptions
    technical: BranchFitOptions
    aesthetic: BranchFitOptions


class ByContentOptions(Options):
    """Videos that share a batch."""

    column: str | None = Field(description="column that names the content")
    videos: PositiveInt = Field(description="number of videos per content placed together in a batch")


class AuxiliaryOptions(Options):
    """Auxiliary regression targets."""

    columns: list[str] = Field(description="auxiliary targets predicted by a temporary linear head (patterns)")
    factor: PositiveFloat = Field(description="factor of their squared error in the loss")


class LossOptions(Options):
    """The loss: a sum over scores and terms."""

    plcc: float = Field(description="factor of the correlation loss")
    rank: float = Field(description="factor of the ranking loss")
    mse: float = Field(description="factor of the squared error, against standardized MOS")
    scores: dict[str, float] = Field(description="factor of each score")
    within: float = Field(description="share of the loss that compares videos of one content only")
    by_interval: bool = Field(
        description="a video weighs less where the interval of its MOS (ci95, or std and n) is wide"
    )


class AugmentOptions(Options):
    """Augmentation that keeps quality as it is."""

    samplings: WholeNumber = Field(description="random samplings cached for each video beside the one at the centre")
    mirror: bool = Field(description="turn random samplings left to right: every second cached one")


class CacheOptions(Options):
    """The cache of features and views."""

    dir: Path | None = Field(description="its folder; default: in $COVER_CACHE")
    dtype: Literal["float32", "float16"] = Field(description="of features; float16 takes half the disk")
    views: bool = Field(description="true: keep decoded views instead of decoding in every epoch")


class TrainOptions(ScoringOptions):
    """Options of ``train``."""

    also: dict[str, DataOptions] = Field(description="further datasets: +data@also.NAME=live_vqc")
    validation: DataOptions | None = Field(description="a dataset to validate on: +data@validation=lsvq")
    strict: bool = Field(description="false: train without the videos that are missing")
    protocol: TrainingProtocol
    from_scratch: bool = Field(description="initialise each backbone anew before the first stage that trains it")
    stages: dict[str, StageOptions]
    ridge: RidgeOptions
    targets: TargetOptions
    by_content: ByContentOptions
    auxiliary: AuxiliaryOptions
    lr: PositiveFloat = Field(description="learning rate of gates and heads")
    backbone_lr: PositiveFloat = Field(description="learning rate of backbones, as a multiple of lr")
    warmup_epochs: NonNegative = Field(description="of each stage; then half a cosine down to 0")
    ema_decay: Fraction | None = Field(description="of averaged weights, validated beside the raw ones; null: none")
    l2_sp: NonNegative = Field(description="factor of a penalty on leaving the weights training starts from")
    require_gain: bool = Field(
        description="best.ckpt stays the start unless training is better beyond chance; false: the best by score"
    )
    optimizer: Free = Field(description="any of torch.optim and its arguments")
    loss: LossOptions
    augment: AugmentOptions
    cache: CacheOptions
    fit: FitOption = Field(description="curve for PLCC and RMSE")
    resamples: WholeNumber = Field(description="bootstrap resamplings for 95% intervals; 0 for none")
    seed: WholeNumber
    logger: Free | None = Field(description="none, csv or wandb (logger.offline=true sends nothing)")


SCHEMAS: dict[str, type[ScoringOptions]] = {"infer": InferOptions, "evaluate": EvaluateOptions, "train": TrainOptions}
"""The schema of each command."""
