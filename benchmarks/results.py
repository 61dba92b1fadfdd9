"""Times and memory of results folders with many rows, with stub scores: list, open, resume, close, report.

Each phase runs in a process of its own, which says how long it took and its peak memory. Another checkout can be
measured in turns with this one: ``python -m benchmarks.results --before ../other``.
"""

import argparse
import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.memory import peak_mb
from cover.files import append_line

PHASES = ("list", "open", "fill", "close", "resume", "report")


def main() -> None:
    """Prints a line for each phase."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--before", type=Path, help="another checkout to measure in turns")
    parser.add_argument("--phases", nargs="+", choices=PHASES, default=PHASES)
    parser.add_argument("--phase", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.phase:
        measure(options.phase[0], Path(options.phase[1]), options.count)
        return
    checkouts = {"now": Path.cwd()} | ({"before": options.before.resolve()} if options.before else {})
    figures: dict[tuple[str, str], list[list[float]]] = {}
    with tempfile.TemporaryDirectory(prefix="cover-benchmark-") as temporary:
        for _ in range(options.repeats):
            for name in checkouts:
                folder = Path(temporary) / name
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                write_list(folder, options.count)
            for phase in options.phases:
                for name, checkout in checkouts.items():
                    folder = Path(temporary) / name
                    if phase == "fill":
                        fill(folder, options.count)
                        continue
                    figures.setdefault((name, phase), []).append(run(checkout, phase, folder, options.count))
                    print(f"{name} {phase}: {figures[name, phase][-1]}", file=sys.stderr)
    print(f"{options.count:,} rows; median of {options.repeats}")
    for (name, phase), found in figures.items():
        seconds, memory = (median(values) for values in zip(*found, strict=True))
        print(f"{name:8} {phase:7} {seconds:8.1f} s {memory:8.0f} MB")
    for name in checkouts:
        whole = [found for (other, phase), found in figures.items() if other == name and phase != "report"]
        print(f"{name:8} total   {sum(median(s for s, _ in found) for found in whole):8.1f} s without the report")


def run(checkout: Path, phase: str, folder: Path, count: int) -> list[float]:
    """Run one phase in a process of its own; gives seconds and peak memory in MB."""
    command = [sys.executable, __file__, "--phase", phase, str(folder), "--count", str(count)]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment, cwd=checkout)
    found: list[float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def measure(phase: str, folder: Path, count: int) -> None:
    """Measure one phase of the package that is on the path, which may be of 0.6; prints seconds and peak memory."""
    from cover.config.build.datasets import dataset_rows
    from cover.config.compose import checked
    from cover.config.options.data import DataOptions
    from cover.config.options.results import ReportOptions
    from cover.tasks.report import report

    try:
        store = importlib.import_module("cover.results.store")
    except ModuleNotFoundError:  # before 0.7
        store = importlib.import_module("cover.scoring.store")
    raw = {"width": None, "height": None, "pixel_format": "yuv420p", "fps": 25}
    rows = {"_target_": "cover.datasets.table.Table", "path": str(folder / "list.csv")}
    data = checked({"name": "stub", "rows": rows, "raw": raw}, DataOptions)
    started = time.perf_counter()
    if phase == "report":
        report(ReportOptions(folder=folder / "run", fit="logistic4"))
    else:
        listing = dataset_rows(data)
    if phase in ("open", "close", "resume"):
        started = time.perf_counter()
        results = store.ResultStore(folder / "run", {"model": "stub"}, listing.rows)
        pending = results.open(resume=True)
        assert len(pending) == (count if phase == "open" else 0)
    if phase == "close":
        append_line(folder / "run" / "journal.jsonl", json.dumps({"Filename": "another.mp4", "error": "stub"}))
        started = time.perf_counter()
        results.close()
    print(json.dumps([time.perf_counter() - started, peak_mb()]))


def write_list(folder: Path, count: int) -> None:
    """Write a list of videos that there are not."""
    with (folder / "list.csv").open("w") as file:
        file.write("path\n")
        file.writelines(f"videos/clip_{number:07}.mp4\n" for number in range(count))


def fill(folder: Path, count: int) -> None:
    """Write stub scores for all videos, as a run leaves them that was killed at its very end."""
    from cover.scores import BRANCHES  # not where 0.6 is measured

    run = folder / "run"
    with (run / "journal.jsonl").open("a") as journal, (run / "scores.csv").open("a") as scores:
        for number in range(count):
            name, values = f"videos/clip_{number:07}.mp4", [number % 997 / 997, number % 31 / 31, number % 7 / 7]
            named = dict(zip(BRANCHES, values, strict=True)) | {"overall": sum(values)}
            facts: dict[str, object] = {"duration": 10.0, "width": 1920, "height": 1080, "fps": 25.0, "bitrate": 4000.0}
            facts |= {"bits_per_pixel": 0.08, "codec": "h264", "lossless": False}
            record = {"Filename": name, "fingerprint": [str((folder / name).absolute())], "scores": named}
            journal.write(json.dumps({**record, "notes": [], "facts": facts}) + "\n")
            scores.write(",".join([name, *(f"{value:.4f}" for value in named.values())]) + "\n")


if __name__ == "__main__":
    main()
