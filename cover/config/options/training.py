"""Options of ``train``."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from cover.config.options.data import DataOptions
from cover.config.options.evaluation import ProtocolOptions
from cover.config.options.scoring import ScoringOptions
from cover.config.options.types import (
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
    """The closed-form fit of a branch's head."""

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
    from_scratch: bool = Field(description="initialise each backbone again before the first stage that trains it")
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
        description="best.ckpt keeps the start unless training is significantly better; false: the best by score"
    )
    optimizer: Free = Field(description="any of torch.optim and its arguments")
    loss: LossOptions
    augment: AugmentOptions
    cache: CacheOptions
    fit: FitOption = Field(description="curve for PLCC and RMSE")
    resamples: WholeNumber = Field(description="bootstrap resamplings for 95% intervals; 0 for none")
    seed: WholeNumber
    logger: Free | None = Field(description="none, csv or wandb (logger.offline=true sends nothing)")
