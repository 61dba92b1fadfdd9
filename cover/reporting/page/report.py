"""The report of a run: one HTML page, and weak stretches for programs."""

import json
import math
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cover.curves import Fit
from cover.evaluation.fits.curve import fit_curve
from cover.files import write_rows, write_text
from cover.reporting.page.measures import measures_table, raters_lines, standards_table
from cover.reporting.page.moments import Stretch, Timeline, extreme, timeline, weak_stretches
from cover.reporting.page.parts import labels, part_data, starts
from cover.reporting.page.pictures import (
    MAPPED,
    Scale,
    Shelf,
    by_weight,
    map_scale,
    map_sprite,
    packed_curves,
    thumbnail,
    worst_cells,
)
from cover.reporting.page.render import plain_numbers, render
from cover.results.evidence import EvidenceFile
from cover.results.names import FACTS, MOMENT_COLUMNS, MOMENTS, REPORT, REPORT_FILES
from cover.results.read import Results, identifier, videos
from cover.results.streamed import MANY, count_videos
from cover.scores import BRANCHES
from cover.tables import SPREAD_COLUMNS, header_key
from cover.text import counted, visible

_PAGE = 7_900_000  # bytes of a page, as far as leaving out pictures can keep it there
_REST = 700_000  # of them libraries and text
_LEAST_ROOM = 1_000_000
_SAMPLE = 20_000  # listed of more than MANY videos
_STEPS = 200  # of a threshold
_LEVELS = 30  # groups shown of a column
_SPREADS = {key for keys in SPREAD_COLUMNS.values() for key in keys}
_ALIKE = 0.9  # a column with a level for almost every video groups nothing
_SPREAD_OF = 8  # videos that tell the spread between videos
_TICKS, _APART = (5, 10, 25, 50, 75, 90, 95), 5.0  # percentiles
_FAILED_SHOWN = 2_000
_ORDER = ("overall", *BRANCHES)
_NUMBERS = ("mos", "predicted_mos", "percentile", *(name for name in FACTS if name not in ("codec", "lossless")))


def write_report(results: Results, fit: Fit = "logistic4") -> Path:
    """Write ``report.html`` and ``moments.csv`` into a results folder, of what lies there.

    The page holds everything up to about 8 MB; beyond that, pictures lie in ``report_files/``. Evidence is read one
    video at a time.

    Args:
        results: The content of the folder.
        fit: The curve between overall score and MOS, where the videos are rated.

    Returns:
        The page.
    """
    numbers = results.numbers
    evidence = EvidenceFile(None if results.run.predictions else results.folder)
    spreads = {name: float(numbers[name].std()) for name in BRANCHES if name in numbers and len(numbers) >= _SPREAD_OF}
    listed = results.rows_at(_listed(numbers["overall"]))
    data = _table_data(listed, results)
    data |= {"parts": part_data(listed, results), "of": "parts" if results.in_parts else "videos"}
    data |= {"total": len(numbers), "tally": _tallies(numbers), "curve": _fitted(numbers, listed, fit)}
    data |= _seen(listed, results, evidence, spreads)
    shutil.rmtree(results.folder / REPORT_FILES, ignore_errors=True)  # of an earlier report
    shelf = Shelf(results.folder / REPORT_FILES, max(_LEAST_ROOM, _PAGE - _REST - len(json.dumps(data))))
    _shelve(listed, evidence, data, shelf)
    data |= {"pictures": shelf.inside, "files": REPORT_FILES, "folder": shlex.quote(_near(results.folder))}
    labels, measures = measures_table(results.metrics)
    page = render(
        "report",
        data,
        title=f"{results.folder.resolve().name}: video quality",
        run=_run(results, numbers),
        results=results,
        failed=[(visible(name), visible(why)) for name, why in list(results.errors.items())[:_FAILED_SHOWN]],
        measures=measures,
        labels=labels,
        standards=standards_table(results.metrics),
        raters=raters_lines(results.folder),
        outside=bool(shelf.beside),
        listed=len(listed),
        seen=bool(data["words"]) or results.run.predictions,
        whole=results.run.splits == "full",
        total=len(numbers),
        of=data["of"],
        parts=data["parts"],
    )
    write_text(results.folder / REPORT, page)
    return results.folder / REPORT


def _near(folder: Path) -> str:
    """A folder as one would type it here."""
    here = Path.cwd()
    return str(folder.relative_to(here) if folder.is_relative_to(here) and folder != here else folder)


def _listed(overall: "pd.Series[float]") -> list[int]:
    """Places of the videos that the page lists: all, or of very many the best, the worst and a random sample."""
    if len(overall) <= MANY:
        return list(range(len(overall)))
    return sorted(islice(by_weight(overall.tolist(), sample=2), _SAMPLE))


def _table_data(table: pd.DataFrame, results: Results) -> dict[str, Any]:
    names = [str(name) for name in table.index]
    notes = results.notes_of(names)
    numbers = [name for name in (*_ORDER, *_NUMBERS) if name in table and pd.to_numeric(table[name]).notna().any()]
    return {
        "names": labels(table),
        "columns": {name: plain_numbers(pd.to_numeric(table[name])) for name in numbers},
        "codec": [value if isinstance(value, str) else None for value in table["codec"]],
        "groups": _groups(table, results.extras),
        "notes": {place: [visible(note) for note in notes[name]] for place, name in enumerate(names) if name in notes},
    }


def _groups(table: pd.DataFrame, extras: Sequence[str]) -> dict[str, Any]:
    """Columns of the dataset by which videos can be grouped: the most frequent values, and each video's."""
    groups = {}
    for name in extras:
        cells = table[name].dropna().astype(str)
        levels = cells.value_counts()
        numbers = pd.to_numeric(table[name], errors="coerce").dropna()
        # Measurements, such as the standard deviation of ratings, group nothing.
        if header_key(str(name)) in _SPREADS or (len(numbers) == len(cells) and (numbers % 1 != 0).any()):
            continue
        if not 2 <= len(levels) <= max(2, _ALIKE * len(cells)):
            continue
        frequent = list(levels.index[:_LEVELS])
        place = {level: number for number, level in enumerate(frequent)}
        codes = [place.get(str(value), -1) if pd.notna(value) else -1 for value in table[name]]
        groups[visible(name)] = {
            "levels": [visible(level) for level in frequent],
            "codes": codes,
            "of": len(levels),
            "name": identifier(name),
        }
    return groups


def _tallies(table: pd.DataFrame) -> dict[str, Any]:
    """For each score its histogram, and how many videos and hours are above each of many thresholds."""
    hours = pd.to_numeric(table["duration"]).fillna(0).to_numpy() / 3600
    tallies = {}
    for name in _ORDER:
        if name not in table or not table[name].notna().any():
            continue
        values = table[name].dropna().to_numpy()
        low = math.floor(values.min() * 100 - 1e-9) / 100  # below the lowest: at first, all are kept
        high = math.ceil(values.max() * 100 + 1e-9) / 100
        counts, edges = np.histogram(values, bins=min(60, max(8, int(2 * math.sqrt(len(values))))), range=(low, high))
        steps = np.round(np.linspace(low, high, _STEPS + 1), 4)
        order = np.argsort(values)
        upto = np.searchsorted(values[order], steps, side="right")
        left = np.concatenate([np.cumsum(hours[table[name].notna()][order][::-1])[::-1], [0]])
        tallies[name] = {
            "counts": counts.tolist(),
            "edges": np.round(edges, 5).tolist(),
            "steps": steps.tolist(),
            "kept": (len(values) - upto).tolist(),
            "hours": np.round(left[upto], 4).tolist(),
            "ticks": _percentiles(table) if name == "overall" else [],
        }
    return tallies


def _percentiles(table: pd.DataFrame) -> list[tuple[int, float]]:
    """Scores at round percentiles of the reference, as far as the videos reach."""
    if "percentile" not in table or not table["percentile"].notna().any():
        return []
    known = table[["percentile", "overall"]].dropna().sort_values("overall")
    ranks, values = (known[name].to_numpy(dtype=float) for name in ("percentile", "overall"))
    places = {rank: int(np.searchsorted(ranks, rank)) for rank in _TICKS if ranks[0] <= rank <= ranks[-1]}
    # Between videos that stand wide apart, the place of a rank is unknown.
    inside = [rank for rank, place in places.items() if ranks[place] - ranks[max(0, place - 1)] <= _APART]
    return [(rank, round(float(np.interp(rank, ranks, values)), 4)) for rank in inside]


def _fitted(table: pd.DataFrame, listed: pd.DataFrame, fit: Fit) -> dict[str, Any] | None:
    """The curve from overall score to MOS, and what each video departs from it by."""
    if "mos" not in table or table["mos"].notna().sum() < 3:
        return None
    rated = table.dropna(subset=["mos"])
    curve = fit_curve(rated["overall"], rated["mos"], fit)
    if curve is None:
        return None
    line = np.linspace(rated["overall"].min(), rated["overall"].max(), 100)
    return {
        "fit": fit,
        "line": [[round(float(x), 4), round(float(y), 4)] for x, y in zip(line, curve(line), strict=True)],
        "residual": plain_numbers(curve(listed["overall"].to_numpy()) - listed["mos"].to_numpy()),
    }


def _seen(
    listed: pd.DataFrame, results: Results, evidence: EvidenceFile, spreads: Mapping[str, float]
) -> dict[str, Any]:
    """Go through the evidence of every video: weak stretches of all, curves and worst cells of those listed."""
    names = [str(name) for name in listed.index]
    numbers = {name: number for number, name in enumerate(names)}
    scale = map_scale(evidence[name] for name in names if name in evidence)
    timelines: dict[int, Timeline] = {}
    columns: dict[str, dict[int, Any]] = {key: {} for key in ("spans", "cells", "tiles", "stretches", "words")}

    def weak() -> Iterator[list[Any]]:
        """Weak stretches of every video, one at a time."""
        for name, video, duration, start in _rows_in_time(results):
            if name not in evidence:
                continue
            video_evidence = evidence[name]
            line = timeline(video_evidence.maps, video_evidence.times, video_evidence.frames, duration, start)
            stretches = weak_stretches(line, spreads)
            yield from ([video, *_cells(stretch)] for stretch in stretches)
            number = numbers.get(name)
            if number is None:
                continue
            worst, best = extreme(line, video_evidence.maps), extreme(line, video_evidence.maps, best=True)
            timelines[number] = line
            columns["spans"][number] = _span(line)
            columns["cells"][number] = worst_cells(video_evidence)
            columns["tiles"][number] = [
                *video_evidence.size,
                *(size for branch in MAPPED for size in video_evidence.maps[branch].shape[:0:-1]),
            ]
            columns["words"][number] = [worst.words(), best.words(), worst.row, best.row, worst.branch, best.branch]
            if stretches:
                columns["stretches"][number] = [_cells(stretch) for stretch in stretches]

    write_rows(results.folder / MOMENTS, MOMENT_COLUMNS, weak())
    ends = {name: _range([line.curves[name] for line in timelines.values()]) for name in _ORDER}
    columns["curves"] = {
        number: packed_curves(line.times - line.start, line.curves, ends) for number, line in timelines.items()
    }
    ranges = {name: [scale.low, scale.high] for name, scale in ends.items()}
    return {**columns, "scale": [round(scale.low, 4), round(scale.high, 4)], "ranges": ranges}


def _rows_in_time(results: Results) -> Iterator[tuple[str, str, float, float]]:
    """Name, video, duration and start of every scored row."""
    for table in results.chunks():
        durations = pd.to_numeric(table["duration"])
        yield from zip(map(str, table.index), videos(table), durations, starts(table), strict=True)


def _shelve(listed: pd.DataFrame, evidence: EvidenceFile, data: Mapping[str, Any], shelf: Shelf) -> None:
    """Put thumbnails first, for the table, then maps, which panels show over them, then the other frames."""
    scale, names = Scale(*data["scale"]), [str(name) for name in listed.index]
    order = [number for number in by_weight(listed["overall"].tolist(), sample=4) if number in data["words"]]
    for number in order:
        if (small := thumbnail(evidence[names[number]], data["words"][number][2])) is not None:
            shelf.put("thumbs", number, small, ".webp")
    for number in order:
        shelf.put("maps", number, map_sprite(evidence[names[number]], scale), ".png")
    for number in order:
        if strip := evidence[names[number]].strip:
            shelf.put("strips", number, strip, ".webp")


def _span(line: Timeline) -> list[float | None]:
    """Last time of the curves, counted from the start, and duration, s."""
    last = float(line.times[-1]) - line.start
    return [None if math.isnan(value) else round(value, 3) for value in (last, line.duration)]


def _cells(stretch: Stretch) -> list[Any]:
    return [
        round(stretch.start, 2),
        round(stretch.end, 2),
        stretch.branch,
        round(stretch.below, 4),
        round(stretch.time, 2),
        stretch.frame,
    ]


def _range(curves: Sequence[np.ndarray]) -> Scale:
    """Find the range of curves."""
    if not curves:
        return Scale(0.0, 1.0)
    return Scale(round(min(curve.min() for curve in curves), 4), round(max(curve.max() for curve in curves), 4))


def _run(results: Results, numbers: pd.DataFrame) -> list[tuple[str, str]]:
    """The facts of the run, for people."""
    run = results.run
    sums = run.weights_sha256
    weights = sums if isinstance(sums, str) else ", ".join(f"{name} {str(value)[:16]}" for name, value in sums.items())
    facts = [
        ("Model", run.model),
        ("Weights", visible(run.weights or "")),
        ("Checksums (SHA-256)", weights),
        ("Data", visible(run.path or run.data or "")),
        ("Views", _views(run.views)),
        ("Percentiles among", visible(run.reference or "")),
        ("Started", run.started),
        ("Versions", ", ".join(f"{name} {value}" for name, value in run.versions.items())),
    ]
    seconds = pd.to_numeric(numbers["duration"]).sum()
    hours = f"{seconds / 3600:.2f} hours" if seconds >= 360 else f"{seconds / 60:.1f} minutes"
    tried = f"{len(numbers):,} scored, {results.failed:,} failed" + (f", {hours}" if seconds else "")
    of = f"Parts of {counted(count_videos(results), 'video')}" if results.in_parts else "Videos"
    return [(of, tried), *((name, str(value)) for name, value in facts if value)]


def _views(views: Mapping[str, Any]) -> str:
    def moments(branch: str) -> Iterator[str]:
        view = views.get(branch)
        if isinstance(view, Mapping) and all(isinstance(view.get(name, 1), int) for name in ("fragments", "frames")):
            of = counted(view.get("frames", 1), "frame")
            yield f"{branch}: {counted(view.get('fragments', 1), 'moment')} of {of}"

    told = [text for branch in BRANCHES for text in moments(branch)]
    return "; ".join([*told, *([f"sampling {views['sampling']}"] if "sampling" in views else [])])
