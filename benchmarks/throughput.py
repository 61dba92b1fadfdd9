"""Videos a second through ``infer.py``, decoding included.

    python -m benchmarks.throughput                      # cover_lite, 10-second 720p clips
    python -m benchmarks.throughput --options model=cover trainer=gpu

Makes clips (H.264 by x264 as it comes: a keyframe every 250 frames at most), and times the command on few and on many
of them in turns: what the further ones take is free of the time to start. Prints the median and the extremes.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import av
import numpy as np
from matplotlib import cbook
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
RATE = 25


def main() -> None:
    """Prints one line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--few", type=int, default=4)
    parser.add_argument("--many", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--size", type=int, nargs=2, default=(1280, 720), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--options", nargs="*", default=["model=cover_lite"], help="of infer.py")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = write_clip(folder / "clip.mp4", options.seconds, *options.size)
        for count in (options.few, options.many):
            (folder / str(count)).mkdir()
            for number in range(count):
                (folder / str(count) / f"{number}.mp4").hardlink_to(clip)
        rates = []
        for _ in range(options.repeats):
            few, many = (
                elapsed(folder / str(count), folder / "out", options.options) for count in (options.few, options.many)
            )
            rates.append((options.many - options.few) / (many - few))
    print(f"{median(rates):.2f} videos a second (lowest {min(rates):.2f}, highest {max(rates):.2f})")


def elapsed(clips: Path, output: Path, options: list[str]) -> float:
    """Seconds that a run takes."""
    start = time.perf_counter()
    command = [sys.executable, str(ROOT / "infer.py"), f"data={clips}", f"output={output}", "resume=false", *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def write_clip(path: Path, seconds: float, width: int, height: int) -> Path:
    """A camera that moves over a photo, at x264's own settings."""
    with Image.open(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)) as opened:
        photo = opened.convert("RGB").resize((width + 300, (width + 300) * 606 // 512), Image.Resampling.BICUBIC)
    count = round(seconds * RATE)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(count):
            left, top = 300 * number // count, 200 * number // count
            window = photo.crop((left, top, left + width, top + height))
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(window), format="rgb24")))
        output.mux(stream.encode(None))
    return path


if __name__ == "__main__":
    main()
