"""Time of ``evaluate predictions=`` with all its intervals, by number of videos.

    python -m benchmarks.intervals
    python -m benchmarks.intervals --before DIR     # and another checkout of this project beside it

Whole processes, from start to finished pictures, in turns; the figures are medians of seconds. The other checkout runs
with this environment, and on no more than ``--before-most`` videos.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
SIZES = (60, 1_200, 10_000, 100_000, 1_000_000)


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--before", type=Path, help="another checkout")
    parser.add_argument("--before-most", type=int, default=1_200)
    options = parser.parse_args()
    checkouts = {"now": ROOT} | ({"before": options.before.resolve()} if options.before else {})
    seconds: dict[tuple[int, str], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        for size in options.sizes:
            table = predictions(Path(name) / f"{size}.csv", size)
            for _ in range(options.repeats):
                for which, checkout in checkouts.items():
                    if which == "now" or size <= options.before_most:
                        seconds[size, which].append(elapsed(checkout, table))
    header = [f"{which}, s" for which in checkouts]
    print(f"| videos | {' | '.join(header)} |\n|---{'|---' * len(header)}|")
    for size in options.sizes:
        cells = [f"{median(seconds[size, which]):.1f}" if seconds[size, which] else "not run" for which in checkouts]
        print(f"| {size:,} | {' | '.join(cells)} |")


def predictions(path: Path, count: int) -> Path:
    """Write predictions that agree with the MOS but for noise."""
    rng = np.random.default_rng(count)
    scores = rng.normal(size=count)
    mos = np.round(3 + np.tanh(scores) + rng.normal(0, 0.5, count), 3)
    frame = pd.DataFrame({"Filename": [f"v{i}.mp4" for i in range(count)], "mos": mos, "overall": scores.round(4)})
    frame.to_csv(path, index=False)
    return path


def elapsed(checkout: Path, table: Path) -> float:
    """Seconds of one run."""
    output = table.with_suffix(f".{checkout.name}")
    arguments = [f"predictions={table}", f"output={output}", "logger=none"]
    start = time.perf_counter()
    subprocess.run([sys.executable, str(checkout / "evaluate.py"), *arguments], check=True, capture_output=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
