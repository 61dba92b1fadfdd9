"""Options of ``evaluate``."""

from pathlib import Path

from pydantic import Field

from cover.config.options.scoring import ResultOptions
from cover.config.options.types import FitOption, Free, Options, PositiveInt, Splits, WholeNumber


class ColumnOptions(Options):
    """Headers in a table of predictions."""

    path: str | None = Field(description="column that names the videos; default: Filename, path, file, video or name")
    mos: str = Field(description="column of the MOS")
    overall: str = Field(description="column of the overall score; columns.semantic= etc. name the others")
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
    published: Free | None = Field(description="figures of COVER on this dataset to show beside ours")
    benchmark: bool = Field(description="also time the model on 30 frames of 3840x2160, decoding apart")
