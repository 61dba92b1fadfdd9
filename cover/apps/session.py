"""Scoring uploads into a results folder of their own, and reading results in words."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw

from cover.api import load_model
from cover.decoding.decoder import Decoder
from cover.errors import UsageError
from cover.models import COVER
from cover.reporting.page.moments import Timeline, extreme, rows_on_axis, timeline, weak_stretches
from cover.reporting.page.pictures import Scale, map_scale
from cover.reporting.page.report import write_report
from cover.results.evidence import Evidence, EvidenceFile
from cover.results.read import Results, read_folder
from cover.results.record import RunRecord, write_run_record
from cover.results.store import ResultStore
from cover.rows import Row
from cover.scores import BRANCHES
from cover.scoring.local import LocalEngine, device_of
from cover.scoring.run import score_rows
from cover.scoring.scorer import Scorer
from cover.text import visible
from cover.video import ViewSpec

MANY_MOMENTS = 24
_FRAME = 640  # px of the longer side of a frame as shown
_OPACITY = 0.6


def score_files(
    paths: Sequence[Path],
    model: str,
    device: str,
    place: Path,
    *,
    many: bool = False,
    timeout: float = 60,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Score files into a new folder, with its report.

    Args:
        paths: Videos and images.
        model: ``cover_lite`` or ``cover``.
        device: ``auto``, ``cpu`` or ``gpu``.
        place: The folder that the results folder is made in.
        many: Whether to look at 24 moments of each video; scores then differ a little from those of the model's views.
        timeout: Seconds a video may take to decode.
        progress: Told how many of how many videos are done.

    Returns:
        The results folder; the caller removes it.

    Raises:
        UsageError: The model or the device cannot be had.
    """
    network = _model(model, device)
    views = network.views or ViewSpec()
    if many:
        more = {branch: replace(getattr(views, branch), fragments=MANY_MOMENTS) for branch in BRANCHES}
        views = replace(views, **more)
    scorer = Scorer(network, views)
    rows = [Row(path, name) for path, name in zip(paths, _names(paths), strict=True)]
    folder = Path(tempfile.mkdtemp(dir=place))
    try:
        store = ResultStore(
            folder, {"model": model}, rows, scorer.calibration, reference=scorer.reference, evidence=True
        )
        pending = store.open(resume=False)
        source = scorer.reference.source if scorer.reference else None
        write_run_record(
            folder, RunRecord(model=model, weights=model, views=asdict(views), data="uploads", reference=source)
        )
        engine, decoder = LocalEngine(next(network.parameters()).device), Decoder(workers=1, timeout=timeout)
        progress(0, len(rows))
        scored = score_rows(pending, decoder, views, lambda: (engine, scorer), thumbnails=True)
        for done, (row, outcome) in enumerate(scored, start=1):
            store.add(row, outcome)
            progress(done, len(rows))
        store.close()
        write_report(read_folder(folder))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


@dataclass(frozen=True)
class Scored:
    """Uploads that are scored.

    Attributes:
        results: Their results.
        evidence: What the scores were given for.
        scale: Of the colours of their maps.
    """

    results: Results
    evidence: EvidenceFile
    scale: Scale

    def timeline(self, name: str) -> tuple[Timeline, Evidence]:
        """Give the scores of one video over time, and what they were given for."""
        evidence = self.evidence[name]
        duration = float(self.results.table["duration"].astype(float)[name])
        return timeline(evidence.maps, evidence.times, evidence.frames, duration), evidence


@lru_cache(maxsize=16)
def read_scored(folder: str) -> Scored:
    """Read what :func:`score_files` wrote, once for whatever is shown of it."""
    results, evidence = read_folder(Path(folder)), EvidenceFile(Path(folder))
    return Scored(results, evidence, map_scale(evidence[name] for name in results.table.index))


def in_words(scored: Scored, name: str) -> str:
    """Read the scores of one video in plain words."""
    results = scored.results
    row = results.table.loc[name]
    said = [f"{as_code(name)}: overall {row['overall']:.2f}"]
    rank = row.get("percentile")
    if rank is not None and np.isfinite(rank):
        said[0] += f", higher than {rank:.0f} % of the model's reference ({visible(results.run.reference or '')})"
    weakest = min(BRANCHES, key=lambda branch: row[branch])
    meaning = {"semantic": "content", "technical": "distortions", "aesthetic": "composition, colour and light"}
    said.append(f"The lowest of its three scores is the {weakest} one ({meaning[weakest]}), {row[weakest]:.2f}")
    line, evidence = scored.timeline(name)
    if len(line.times) > 1:
        worst, best = extreme(line, evidence.maps), extreme(line, evidence.maps, best=True)
        said.append(f"Worst at {worst.words()}; best at {best.words()}")
    else:
        said.append(f"Weakest: {extreme(line, evidence.maps).words()}")
    said += [
        f"Weak from {stretch.start:.2f} to {stretch.end:.2f} s: {stretch.branch}, {stretch.below:.2f} below its median"
        for stretch in weak_stretches(line, {})
    ]
    notes = results.notes.get(name, ())
    return ". ".join(said) + "." + "".join(f" Note: {note}." for note in notes)


def frame_with_map(evidence: Evidence, moment: int, branch: str | None, scale: Scale) -> Image.Image | None:
    """Draw one frame looked at with the map of a branch over it, its worst cell marked.

    Args:
        evidence: Of the video.
        moment: Its number.
        branch: ``technical`` or ``aesthetic``; None draws no map.
        scale: What the colours stand for.

    Returns:
        The picture; None without one.
    """
    pictures = evidence.pictures()
    if not pictures:
        return None
    picture = pictures[min(moment, len(pictures) - 1)]
    factor = _FRAME / max(picture.size)
    size = round(picture.width * factor), round(picture.height * factor)
    picture = picture.resize(size, Image.Resampling.BICUBIC)
    if branch is None:
        return picture
    cells = rows_on_axis(evidence.maps[branch], len(evidence.times["aesthetic"]))[moment]
    colours = mpl.colormaps["viridis"](scale.steps(cells))[..., :3]
    over = Image.fromarray((255 * colours).astype(np.uint8)).resize(size, Image.Resampling.NEAREST)
    drawn = Image.blend(picture, over, _OPACITY)
    row, column = np.unravel_index(int(cells.argmin()), cells.shape)
    wide, high = size[0] / cells.shape[1], size[1] / cells.shape[0]
    box = (column * wide, row * high, (column + 1) * wide, (row + 1) * high)
    ImageDraw.Draw(drawn).rectangle(box, outline="white", width=3)
    return drawn


def as_code(name: str) -> str:
    """Write a file's name for Markdown, where it formats nothing."""
    return f"`{visible(name).replace('`', chr(39))}`"


@lru_cache(maxsize=2)
def _model(name: str, device: str) -> COVER:
    if name not in ("cover", "cover_lite"):
        raise UsageError(f"model={name}: takes one of cover_lite, cover")
    return load_model(name, device=device_of(device))


def _names(paths: Sequence[Path]) -> list[str]:
    """Base names; of equal ones the second is numbered."""
    names: list[str] = []
    for path in paths:
        name, number = path.name, 1
        while name in names:
            number += 1
            name = f"{path.stem} ({number}){path.suffix}"
        names.append(name)
    return names
