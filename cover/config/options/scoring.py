"""Options that all commands on videos share, and those of ``infer``.

Pydantic rather than OmegaConf's structured configs: a type says what a number may be (``batch_size`` is positive), one
pass finds what is wrong wherever it is, and a field carries its meaning for ``--help`` and docs/options.md. Defaults
are those of the YAML files, and nowhere else. ``trainer``, ``logger``, ``optimizer`` and ``data.rows`` are arguments of
other people's classes and stay free-form.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from cover.config.options.data import DataOptions, RatingsOptions, SegmentOptions
from cover.config.options.types import Free, Options, PositiveFloat, PositiveInt, WholeNumber
from cover.scores import BRANCHES
from cover.video import FragmentView, WholeView


class ModelOptions(Options):
    """A model: ``configs/model``."""

    name: str
    net: Free = Field(description="sizes of the network: arguments of cover.models.COVER")
    weights: Path | Literal["random", "pretrained"] | None
    clip_weights: Path | None

    @field_validator("net")
    @classmethod
    def _without_defaults(cls, net: Free) -> Free:
        """Drop what is null, and CLIP's options from a semantic branch that is another network."""
        net = {name: value for name, value in net.items() if name not in BRANCHES or value is not None}
        semantic = net.get("semantic")
        if isinstance(semantic, dict):
            semantic = {name: value for name, value in semantic.items() if (name, value) != ("open_clip", None)}
            if not semantic.keys().isdisjoint(("_target_", "timm")):
                semantic.pop("frames_per_chunk", None)
        return net if semantic is None else {**net, "semantic": semantic}


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
    max_image_bytes: PositiveInt = Field(
        description="largest picture, in bytes of its pixels (3 for each of 8-bit RGB); 200 megapixels have 0.6 GB"
    )


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
    base_weights: Path | Literal["cover", "pretrained"] | None = Field(
        description="what heads.safetensors was trained from: a file, or cover or pretrained to download it"
    )
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
