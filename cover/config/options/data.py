"""Options of what is scored: a dataset, how its files and tables are read, and how its videos are cut into parts."""

from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field

from cover.config.options.types import (
    Free,
    NonNegative,
    Options,
    PositiveFloat,
    PositiveInt,
    SegmentLength,
    WholeNumber,
)


class RatingsOptions(Options):
    """Ratings of single raters: ``data=ratings``."""

    screening: Literal["none", "bt500", "p913", "mle"] = Field(
        description="data=ratings: bt500, p913 (by correlation) reject raters; mle weighs them by maximum likelihood"
    )
    threshold: float = Field(description="p913: a rater whose correlation with the MOS is below this is rejected")
    scale: tuple[float, float] | None = Field(description="ends of the rating scale; default: the usual one that fits")
    video: str | None = Field(description="header of the videos; default: filename, path, video...")
    rater: str | None = Field(description="header of the raters; default: participant, rater, subject, worker...")
    rating: str | None = Field(description="header of the ratings; default: rating, score, vote...")
    raters: str | None = Field(description="pattern of the raters' headers in a table with a column each, such as P*")


class RawOptions(Options):
    """Layout of headerless ``.yuv`` files."""

    width: PositiveInt | None = Field(description="width of headerless .yuv files, px")
    height: PositiveInt | None = Field(description="their height, px")
    pixel_format: str = Field(description="their pixel format, by FFmpeg's name")
    fps: PositiveFloat = Field(description="their frame rate")


class DataOptions(Options):
    """A dataset: ``configs/data``. A dataset's own file may have further options, which its ``rows`` refers to."""

    # Options that nothing refers to are refused by cover.config.compose.resolved.
    model_config = ConfigDict(extra="allow", frozen=True)

    name: str = Field(description="its name in results")
    rows: Free
    card: Free | None = None
    published: Free | None = None
    raw: RawOptions
    stream: WholeNumber | None = Field(None, description="number of the video stream, from 0; default: the longest")
    fps: PositiveFloat | None = Field(None, description="frame rate of folders of frames")
    frames: bool = Field(False, description="data=folder: each folder of images is one video")
    lower_is_better: bool | None = Field(None, description="ratings are DMOS or the like: low is good")
    separator: str | None = Field(None, description="data=table: what separates columns; default: found by looking")
    decimal: Literal[".", ","] | None = Field(None, description="data=table: decimal mark of numbers; default: found")
    sheet: str | WholeNumber | None = Field(None, description="data=table: sheet of a spreadsheet, by name or number")
    column: str | None = Field(None, description="data=table: header of the paths; default: path, filename, file...")
    mos: str | None = Field(None, description="data=table: header of the ratings; default: mos or score")
    start: str | None = Field(
        None, description="data=table: header of the starts of parts, seconds or HH:MM:SS.mmm; default: start"
    )
    end: str | None = Field(None, description="data=table: header of their ends; default: end")
    start_frame: str | None = Field(None, description="data=table: frame number of the starts; default: start_frame")
    end_frame: str | None = Field(
        None, description="data=table: frame number of the ends, exclusive; default: end_frame"
    )
    path: Path | None = Field(None, description="data=folder, table: a directory, file, glob or list")
    root: Path | None = Field(None, description="where relative paths start")
    annotation: Path | None = Field(None, description="the annotation of a public dataset; default: in data.root")
    folder: Path | None = Field(None, description="data=demo, synthetic, stills: where what is made is kept")
    sources: Path | list[Path] | None = Field(
        None, description="data=synthetic, stills: folders of sharp photos and videos"
    )
    share: PositiveFloat = Field(1.0, description="fraction of a further dataset used per epoch")


class SegmentOptions(Options):
    """How videos are cut into parts, which are scored separately."""

    by: SegmentLength | None = Field(
        description="segments=10: parts of 10 s; segments=shots: of one shot each; null: whole videos"
    )
    threshold: PositiveFloat = Field(
        description="shots: how many times more than its neighbours the first frame of a shot differs; less finds more"
    )
    min_seconds: NonNegative = Field(description="shots: none is shorter")
    max_seconds: PositiveFloat = Field(description="shots: longer ones are divided evenly")
