"""Time and memory of loading the views of one video: ``python -m benchmarks.decode PATH``.

Each figure is the median over fresh processes. This one decodes nothing: a child starts with its parent's peak memory.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.memory import peak_mb
from cover.video import RawFormat, ViewSpec, load_views
from cover.video.decode import FrameDecoder
from cover.video.probe import index_video
from cover.video.sampling import choose_sampling


def _measure(path: Path, threads: int, raw: RawFormat | None) -> dict[str, float]:
    baseline = peak_mb()
    start, cpu = time.perf_counter(), time.process_time()
    load_views(path, ViewSpec(), threads=threads, raw=raw)
    return {
        "load s": time.perf_counter() - start,
        "load cpu s": time.process_time() - cpu,
        "baseline MB": baseline,
        "peak MB": peak_mb(),
    }


def _measure_parts(path: Path, threads: int, raw: RawFormat | None) -> dict[str, float]:
    start = time.perf_counter()
    index = index_video(path, raw, threads=threads)
    probed = time.perf_counter()
    drawn = choose_sampling(
        ViewSpec(), index.info.frames, index.info.height, index.info.width, path.name, image=index.info.image
    )
    decoder = FrameDecoder(index, {int(number) for part in drawn.indices.values() for number in part}, threads)
    for _ in decoder:
        pass
    return {
        "probe s": probed - start,
        "decode s": time.perf_counter() - probed,
        "frames needed": len(decoder.wanted),
        "frames decoded": decoder.decoded,
        "frames in all": index.info.frames,
        "width": index.info.width,
        "height": index.info.height,
    }


def _fresh(arguments: list[str], part: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.decode", *arguments, "--measure", part]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path, help="video or image")
    parser.add_argument("--runs", type=int, default=3, help="fresh processes per figure")
    parser.add_argument("--threads", type=int, default=0, help="decoder threads (0: FFmpeg chooses)")
    parser.add_argument("--raw", metavar="WxH:FORMAT", help="layout of a headerless .yuv file, as 1920x1080:yuv420p")
    parser.add_argument("--measure", choices=("whole", "parts"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    raw = None
    if options.raw:
        size, pixel_format = options.raw.split(":")
        width, height = size.split("x")
        raw = RawFormat(int(width), int(height), pixel_format)
    if options.measure:
        measure = _measure if options.measure == "whole" else _measure_parts
        sys.stdout.write(json.dumps(measure(options.path, options.threads, raw)))
        return
    for part in ("whole", "parts"):
        runs = [_fresh(sys.argv[1:], part) for _ in range(options.runs)]
        for key in runs[0]:
            values = [run[key] for run in runs]
            print(f"{key:>15}  {statistics.median(values):9.2f}  [{min(values):.2f} - {max(values):.2f}]")
        if part == "whole":
            above = statistics.median(run["peak MB"] - run["baseline MB"] for run in runs)
            print(f"{'above baseline':>15}  {above:9.0f} MB")


if __name__ == "__main__":
    main()
