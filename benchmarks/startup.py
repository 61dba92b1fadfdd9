"""Start-up time of commands, beside ``import torch``.

    python -m benchmarks.startup
    python -m benchmarks.startup --before DIR     # and another checkout of this project beside it

Whole processes, started in turns with ``python -c "import torch"``; the figures are medians of seconds, and of the
ratio to the run of ``import torch`` in the same turn. The other checkout runs with this environment.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
TORCH = "import torch"


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--before", type=Path, help="another checkout")
    options = parser.parse_args()
    checkouts = {"now": ROOT} | ({"before": options.before.resolve()} if options.before else {})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
        plain: list[float] = []
        for turn in range(options.repeats + 1):
            timed = {
                (what, which): elapsed(command, checkout, folder)
                for which, checkout in checkouts.items()
                for what, command in commands(checkout).items()
            }
            torch = elapsed([sys.executable, "-c", TORCH], ROOT, folder)
            if turn:  # the first one warms up
                plain.append(torch)
                for key, value in timed.items():
                    seconds[key].append(value)
    print(f'`python -c "{TORCH}"`: {median(plain):.2f} s (lowest {min(plain):.2f}, highest {max(plain):.2f})\n')
    header = [f"{which}, s" for which in checkouts] + [f"{which}, times import torch" for which in checkouts]
    print(f"| | {' | '.join(header)} |\n|---{'|---' * len(header)}|")
    for what in commands(ROOT):
        times = [f"{median(seconds[what, which]):.2f}" for which in checkouts]
        ratios = [
            f"{median(a / b for a, b in zip(seconds[what, which], plain, strict=True)):.2f}" for which in checkouts
        ]
        print(f"| {what} | {' | '.join(times + ratios)} |")


def commands(checkout: Path) -> dict[str, list[str]]:
    """List the commands that are started, by what they show."""

    def script(name: str, *options: str) -> list[str]:
        return [sys.executable, str(checkout / f"{name}.py"), *options]

    table = ("columns.path=path", "output=out", "resume=false")
    return {
        "one image, `model=cover_lite`": script(
            "infer", "data=p.png", "model=cover_lite", "output=out", "resume=false"
        ),
        "`evaluate predictions=`": script("evaluate", "predictions=good.csv", "resamples=100", *table),
        "`evaluate predictions=`, a name twice": script("evaluate", "predictions=twice.csv", *table),
        "`infer --help`": script("infer", "--help"),
        "an option that is wrong": script("infer", "data=p.png", "batch_size=many"),
        "`from cover import load_model, score`": [sys.executable, "-c", "from cover import load_model, score"],
    }


def prepare(folder: Path) -> None:
    """Write an image and two tables of predictions."""
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (90, 120, 3), dtype=np.uint8)).save(folder / "p.png")
    lines = [f"{number}.mp4,{1 + number % 7 / 2},{number % 9 / 3}" for number in range(60)]
    (folder / "good.csv").write_text("\n".join(["path,mos,overall", *lines]) + "\n")
    (folder / "twice.csv").write_text("\n".join(["path,mos,overall", *lines, lines[0]]) + "\n")


def elapsed(command: list[str], checkout: Path, folder: Path) -> float:
    """Seconds that a process takes; its exit code is not asked for, as some are meant to fail."""
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    start = time.perf_counter()
    subprocess.run(
        command, cwd=folder, env=environment, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
