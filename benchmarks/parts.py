"""Cost of scoring all parts of a long film: ``python -m benchmarks.parts [--minutes 30] [--folder DIR]``.

Two films are made, kept in the folder and measured: H.264 with 250 frames from keyframe to keyframe and B-frames, and
the same with a rate that varies. Plain decoding of every frame and loading the views of every part of 10 s (as the
decoders do, in one process) take turns, each in a fresh process; medians of the times and of their ratio, and the
highest memory of each. Nothing is scored: what the model costs is another question (``benchmarks.model``).
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.memory import peak_mb
from cover.decoding.decoder import Decoder
from cover.processes import available_cpus
from cover.rows import Row
from cover.video import Segments, ViewSpec
from cover.video.packets import set_threads
from cover.weights import SHIPPED, read_about

RATE, WIDTH, HEIGHT = 30, 1920, 1080
SHOT = 7 * RATE  # frames
SECONDS = 10.0


VIEWS = {"COVER": ViewSpec(), "cover_lite": ViewSpec.from_dict(read_about(SHIPPED["cover_lite"])["views"])}


def make_film(path: Path, minutes: float, *, varying: bool) -> Path:
    """Encode a film of textures that move under grain, another one every seven seconds."""
    rng = np.random.default_rng(0)
    count = int(minutes * 60 * RATE)
    steps = rng.choice([17, 33, 33, 50], count) if varying else np.zeros(count, dtype=int)
    times = np.cumsum(steps)
    with av.open(str(path), "w") as output:
        options = {"preset": "superfast", "bf": "3", "b-adapt": "0", "crf": "26", "sc_threshold": "0"}
        stream = output.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size = 250
        if varying:
            stream.codec_context.time_base = Fraction(1, 1000)
        grain = rng.normal(0, 4, (8, HEIGHT, WIDTH)).astype(np.int16)
        planes = np.full((HEIGHT * 3 // 2, WIDTH), 128, dtype=np.uint8)
        luma = np.zeros((HEIGHT, WIDTH), dtype=np.int16)
        for number in range(count):
            if number % SHOT == 0:
                coarse = rng.integers(16, 235, (HEIGHT // 24, WIDTH // 24)).astype(np.int16)
                luma = coarse.repeat(24, axis=0).repeat(24, axis=1)
            moved = np.roll(luma, 3 * (number % SHOT), axis=1) + grain[number % len(grain)]
            planes[:HEIGHT] = moved.clip(16, 235)
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts = int(times[number]) if varying else number
            frame.time_base = Fraction(1, 1000) if varying else Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def decode_all(path: Path) -> int:
    """Decode every frame, with the threads that a decoder has."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        set_threads(stream, available_cpus())
        return sum(1 for _ in container.decode(stream))


def load_all(path: Path, spec: ViewSpec) -> int:
    """Load the views of every part; each is dropped before the next one comes."""
    parts = 0
    decoder = Decoder(workers=0, segments=Segments(SECONDS))
    with decoder.views([Row(path, path.name)], spec) as decoded:
        for row, loaded in decoded:
            assert hasattr(loaded, "views"), (row, loaded)
            parts += 1
            del loaded
    return parts


def _measure(path: Path, what: str) -> dict[str, float]:
    start = time.perf_counter()
    count = decode_all(path) if what == "plain" else load_all(path, VIEWS[what])
    return {"seconds": time.perf_counter() - start, "count": count, "MB": peak_mb()}


def _fresh(path: Path, what: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.parts", "--measure", what, "--film", str(path)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def main() -> None:
    """Measure, in this process or in fresh ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--folder", type=Path, default=Path("outputs/benchmark_parts"))
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--film", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(_measure(options.film, options.measure)))
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    table = Table("film", "views", "parts", "plain s", "parts s", "ratio", "plain MB", "parts MB")
    for kind, varying in (("long groups", False), ("varying rate", True)):
        path = options.folder / f"{kind.replace(' ', '_')}_{options.minutes:g}min.{'mkv' if varying else 'mp4'}"
        if not path.exists():
            make_film(path.with_suffix(f".part{path.suffix}"), options.minutes, varying=varying).rename(path)
        turns = [{what: _fresh(path, what) for what in ("plain", *VIEWS)} for _ in range(options.repeats)]
        middle = statistics.median
        for views in VIEWS:
            table.add_row(
                kind,
                views,
                str(turns[0][views]["count"]),
                *(f"{middle(turn[what]['seconds'] for turn in turns):.1f}" for what in ("plain", views)),
                f"{middle(turn[views]['seconds'] / turn['plain']['seconds'] for turn in turns):.2f}",
                *(f"{max(turn[what]['MB'] for turn in turns):.0f}" for what in ("plain", views)),
            )
    Console().print(table)


if __name__ == "__main__":
    main()
