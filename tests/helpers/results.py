"""Results folders without a run: scores, facts and evidence of videos that there never were."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import yaml
from PIL import Image, ImageFilter

from cover.files import write_rows, write_text
from cover.parts import Part
from cover.results.evidence import evidence_line
from cover.results.names import EVIDENCE, FACT_COLUMNS, RUN
from cover.results.record import RunRecord
from cover.scores import BRANCHES
from cover.text import printable

SHADES = {"semantic": 0.15, "technical": 0.5, "aesthetic": 0.2}


def make_results(
    folder: Path,
    count: int = 12,
    *,
    names: Sequence[str] | None = None,
    moments: int = 3,
    shift: float = 0.0,
    extras: Mapping[str, Sequence[object]] | None = None,
    mos: bool = False,
    errors: Mapping[str, str] | None = None,
    notes: Mapping[str, str] | None = None,
    weights: str = "weights.safetensors",
    facts: Mapping[int, Mapping[str, object]] | None = None,
    pictures: bool = True,
    parts: int = 0,
    seed: int = 0,
) -> Path:
    """Write a results folder.

    Args:
        folder: Where to.
        count: Videos.
        names: Their names.
        moments: Rows of each map.
        shift: Added to the technical score of each.
        extras: Columns of the dataset.
        mos: Whether people rated the videos.
        errors: Reasons by name of what failed.
        notes: A note by name.
        weights: The option of the run.
        facts: Facts of a video that differ from those of the others.
        pictures: Whether there is evidence.
        parts: Of each video so many parts of 6 s are scored, all those of a video in a row; 0: whole videos.
        seed: Of all that is random.
    """
    random = np.random.default_rng(seed)
    names = names or [f"video_{number:05}.mp4" for number in range(count)]
    starts = [6.0 * part for _ in names for part in range(max(1, parts))]
    names = [name for name in names for _ in range(max(1, parts))]
    folder.mkdir(parents=True, exist_ok=True)
    means = {branch: random.normal(0.2, SHADES[branch], len(names)) for branch in BRANCHES}
    means["technical"] = means["technical"] + shift
    scores, lines = [], []
    for number, name in enumerate(names):
        values = [float(means[branch][number]) for branch in BRANCHES]
        ends = [f"{starts[number]:.3f}", f"{starts[number] + 6:.3f}"] if parts else []
        scores.append([printable(name), *ends, *(f"{value:.4f}" for value in [*values, sum(values)])])
        known = _facts(name, number, (facts or {}).get(number, {}), extras or {}, sum(values), rated=mos, random=random)
        lines.append([known[0], *ends, *known[1:]])
    columns = ("Start", "End") if parts else ()
    write_rows(folder / "scores.csv", ("Filename", *columns, "Semantic", "Technical", "Aesthetic", "Overall"), scores)
    write_rows(
        folder / "facts.csv", ["Filename", *columns, *FACT_COLUMNS, *(["MOS"] if mos else []), *(extras or {})], lines
    )
    write_rows(folder / "errors.csv", ("Filename", "Reason"), list((errors or {}).items()))
    write_rows(folder / "notes.csv", ("Filename", "Note"), list((notes or {}).items()))
    config = {"model": {"name": "cover_lite"}, "weights": weights, "views": {"sampling": "center"}}
    record = RunRecord(
        model="cover_lite",
        weights=weights,
        views=config["views"],
        started="2026-01-01T00:00:00+00:00",
        weights_sha256={"weights": "0" * 64},
        config=config,
    )
    write_text(folder / RUN, yaml.safe_dump(asdict(record)))
    if pictures:
        strips = [_strip(moments, random) for _ in range(8)]
        with (folder / EVIDENCE).open("w", encoding="utf-8") as file:
            for number, name in enumerate(names):
                start = starts[number]
                shown = Part(start, start + 6).name(name) if parts else name
                file.write(_evidence(shown, number, means, moments, strips[number % 8], random, start) + "\n")
    return folder


def _facts(
    name: str,
    number: int,
    differing: Mapping[str, object],
    extras: Mapping[str, Sequence[object]],
    overall: float,
    *,
    rated: bool,
    random: np.random.Generator,
) -> list[object]:
    known: dict[str, object] = {"duration": 6.0, "width": 640, "height": 360, "fps": 25.0, "bitrate": 1200.5}
    known |= {"bits_per_pixel": 0.2084, "codec": "h264", "lossless": "False", **differing}
    rating = [round(3 + overall + random.normal(0, 0.3), 3)] if rated else []
    return [printable(name), *known.values(), *rating, *(values[number] for values in extras.values())]


def _evidence(
    name: str,
    number: int,
    means: Mapping[str, np.ndarray],
    moments: int,
    strip: np.ndarray,
    random: np.random.Generator,
    start: float = 0.0,
) -> str:
    maps = {}
    for branch in BRANCHES:
        cells = random.normal(0, SHADES[branch], (moments, 7, 7)).astype(np.float32)
        maps[branch] = cells - cells.mean() + np.float32(means[branch][number])
    times = {branch: start + np.linspace(0, 6, moments + 2)[1:-1] for branch in BRANCHES}
    frames = {branch: (25 * times[branch]).astype(np.int64)[:, None] for branch in BRANCHES}
    return evidence_line(printable(name), maps, times, frames, strip)


def _strip(moments: int, random: np.random.Generator) -> np.ndarray:
    """Pictures with as much detail as small pictures of videos have: about 1 KB each as WebP."""
    found = []
    for _ in range(moments):
        noise = Image.fromarray(random.integers(0, 256, (24, 40, 3), dtype=np.uint8))
        found.append(np.asarray(noise.resize((160, 90), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(3))))
    return np.stack(found)
