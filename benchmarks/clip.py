"""One clip from file to scores at full size: time of each step and memory above the loaded model.

    python -m benchmarks.clip PATH            # minutes on a CPU
    python -m benchmarks.clip PATH --repeats 3

Everything runs in this process, as with ``cover.score``; weights are random, which changes neither time nor memory.
Linux only: the peak is the kernel's own high-water mark, set back once the model is loaded.
"""

import argparse
import re
import time
from collections import defaultdict
from pathlib import Path
from statistics import median

import torch

from cover.models import COVER
from cover.scoring.scorer import Scorer
from cover.video import load_views


def main() -> None:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path, help="video or image")
    parser.add_argument("--repeats", type=int, default=1, help="runs, of which the median is printed")
    options = parser.parse_args()

    scorer = Scorer(COVER().eval())
    Path("/proc/self/clear_refs").write_text("5")
    loaded = _status("VmRSS")
    times: dict[str, list[float]] = defaultdict(list)
    peaks: dict[str, float] = defaultdict(float)
    for _ in range(options.repeats):
        clock = time.perf_counter()

        def lap(step: str) -> None:
            nonlocal clock
            now = time.perf_counter()
            times[step].append(now - clock)
            peaks[step] = max(peaks[step], _status("VmHWM") - loaded)
            clock = now

        result = load_views(options.path, scorer.views)
        lap("decode and views")
        scorer.score_batch([result])
        lap("model")
    info = result.info
    print(f"{options.path.name}: {info.frames} frames of {info.width}x{info.height}, {info.codec}")
    print(f"{torch.get_num_threads()} threads, {loaded:.0f} MB with the model loaded")
    for step, values in times.items():
        print(f"{step:>18}  {median(values):8.2f} s   peak so far {peaks[step]:5.0f} MB above that")


def _status(field: str) -> float:
    match = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert match
    return int(match[1]) / 1024


if __name__ == "__main__":
    main()
