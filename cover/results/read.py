"""Results folders as others read them: one table of the videos, with what failed, what was noted and how it was run."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from cover.errors import UsageError
from cover.rows import named_part
from cover.scores import SCORES

FACTS = ("duration", "width", "height", "fps", "bitrate", "bits_per_pixel", "codec", "lossless")

_COLUMNS = {
    "Semantic": "semantic",
    "Technical": "technical",
    "Aesthetic": "aesthetic",
    "Overall": "overall",
    "MOS": "predicted_mos",  # of scores.csv
    "Percentile": "percentile",
}
_FACTS = dict(
    zip(("Duration", "Width", "Height", "FPS", "Bitrate", "BitsPerPixel", "Codec", "Lossless"), FACTS, strict=True)
)
_NUMBERS = {*FACTS, "mos", "predicted_mos", "percentile"} - {"codec", "lossless"}
_TEXTS = {"Filename", "Start", "End", "Codec", "Lossless", "Note", "Reason"}
_PART = {"Filename": "video", "Start": "start", "End": "end"}


@dataclass(frozen=True)
class Results:
    """The content of a results folder.

    Attributes:
        folder: Where it is.
        table: A row for each video, or part of one, with a score, by name (the index: ``Filename``, of a part with its
            ends as :func:`cover.rows.part_name` writes them): the four scores, ``predicted_mos`` and ``percentile``
            where there are any, ``mos`` where people rated the videos, the facts of the files (:data:`FACTS`; NaN where
            unknown), and the columns of the dataset. Where there are parts, ``video`` is what they are parts of, and
            ``start`` and ``end`` are their ends in seconds (NaN: those of the video).
        extras: Names of the dataset's columns.
        errors: Why a video has no score, by name.
        notes: Remarks on how videos were read, by name.
        run: ``run.yaml``.
        metrics: ``metrics.json`` of an evaluation; empty otherwise.
        in_parts: Whether parts of videos were scored.
    """

    folder: Path
    table: pd.DataFrame
    extras: Sequence[str]
    errors: Mapping[str, str]
    notes: Mapping[str, Sequence[str]]
    run: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    in_parts: bool = False

    @property
    def config(self) -> Mapping[str, Any]:
        """The options of the run; empty where they are unknown."""
        return self.run.get("config") or {}

    @property
    def predicted(self) -> bool:
        """Whether the scores are predictions from elsewhere: evidence in the folder is not theirs."""
        return bool(self.config.get("predictions"))

    @property
    def meaningless(self) -> str | None:
        """The reason why the scores mean nothing, or None."""
        weights = self.config.get("weights")
        if weights == "random":
            return "The weights are random"
        return "Only the backbones have trained weights" if weights == "pretrained" else None


def read_results(folder: Path) -> Results:
    """Read a results folder of ``infer`` or ``evaluate``, finished or interrupted.

    Raises:
        UsageError: It is none, or a file in it cannot be read.
    """
    run = _parsed(folder / "run.yaml", yaml.safe_load)
    predicted = bool((run.get("config") or {}).get("predictions"))
    scores = _scores(folder, predicted=predicted)
    table = scores.rename(columns=_COLUMNS)
    in_parts = {*_PART.values()} <= {*table}
    extras: list[str] = []
    if (folder / "facts.csv").is_file():
        read = _read(folder / "facts.csv")
        facts, extras = _facts(read.drop(columns=[*_PART.values()]) if in_parts else read)
        table = table.join(facts.drop(columns=[name for name in facts if name in table]))
    for name in {*SCORES, *_NUMBERS, *(("start", "end") if in_parts else ())}.intersection(table):
        table[name] = pd.to_numeric(table[name], errors="coerce").replace([math.inf, -math.inf], math.nan)
    for name in FACTS:
        if name not in table:
            table[name] = pd.Series(None, index=table.index, dtype=object if name in ("codec", "lossless") else float)
    notes = {str(name): list(group) for name, group in _lines(folder, "notes.csv", "Note").groupby(level=0)}
    errors = {str(name): reason for name, reason in _lines(folder, "errors.csv", "Reason").items()}
    return Results(
        folder,
        table,
        extras,
        errors,
        notes,
        run,
        _parsed(folder / "metrics.json", json.loads),
        in_parts,
    )


def videos(table: pd.DataFrame) -> list[str]:
    """Give for each row of :attr:`Results.table` the video that it is, or is a part of."""
    told = table.get("video", table.index)
    return [
        str(video) if str(name).startswith(f"{video}#t=") else str(name)
        for name, video in zip(table.index, told, strict=True)
    ]


def identifier(name: str) -> str:
    """Spell the name of a column so that an expression can hold it: ``Frame rate`` -> ``Frame_rate``."""
    return re.sub(r"\W+|^(?=\d)", "_", name)


def _scores(folder: Path, *, predicted: bool) -> pd.DataFrame:
    """The table of scores: those of the last run there, which may have been of predictions from elsewhere."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such results folder")
    if (folder / "scores.csv").is_file() and not (predicted and (folder / "predictions.csv").is_file()):
        table = _read(folder / "scores.csv")
        missing = [name for name in ("Overall",) if name not in table]
        if (folder / "predictions.csv").is_file():
            rated = _read(folder / "predictions.csv")
            table = table.join(rated[[name for name in ("mos", "ci95") if name in rated]])
    elif (folder / "predictions.csv").is_file():
        table = _read(folder / "predictions.csv")
        missing = [name for name in ("overall",) if name not in table]
    else:
        raise UsageError(f"{folder}: a folder without scores.csv; name the results folder of infer or evaluate")
    if missing:
        raise UsageError(f"{folder}: its table has no column {missing[0]}")
    return table


def _facts(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The facts of the files, and the names of the columns that the dataset has besides."""
    ours = {**_FACTS, "MOS": "mos"}
    taken = {*SCORES, *FACTS, *_COLUMNS.values(), "mos", "ci95"}
    others = {str(name): f"{name}_" if name in taken else str(name) for name in table if name not in ours}
    return table.rename(columns={**ours, **others}), [*others.values()]


def _read(path: Path) -> pd.DataFrame:
    """A table of ours; names of videos are texts whatever they look like."""
    try:
        header = pd.read_csv(path, nrows=0).columns
        empty = {name: [""] for name in header if name not in _TEXTS}
        table = pd.read_csv(
            path,
            dtype=dict.fromkeys(_TEXTS.intersection(header), str),
            keep_default_na=False,
            na_values=empty,
        )
        table = _by_name(table)
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"{path}: cannot be read as a table of results ({error})") from error
    return table[~table.index.duplicated(keep="last")]


def _by_name(table: pd.DataFrame) -> pd.DataFrame:
    """A table by the names of its lines, which of parts have their ends; what is called like these gets ``_``."""
    if list(table.columns[:3]) != [*_PART]:
        return table.set_index("Filename")
    table = table.rename(columns={name: f"{name}_" for name in _PART.values()}).rename(columns=_PART)
    cells = table[[*_PART.values()]].itertuples(index=False, name=None)
    return table.set_index(pd.Index([named_part(*one) for one in cells], name="Filename", dtype=object))


def _lines(folder: Path, name: str, column: str) -> "pd.Series[str]":
    path = folder / name
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError):
        return pd.Series(dtype=str)
    if not {"Filename", column} <= {*table}:
        return pd.Series(dtype=str)
    return _by_name(table)[column]


def _parsed(path: Path, parse: Any) -> dict[str, Any]:
    try:
        found = parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}
