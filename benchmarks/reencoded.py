"""Order of the scores of real videos that are coded worse and worse.

    python -m benchmarks.reencoded VIDEO [VIDEO ...]

The first seconds of each video are coded with x264 at four CRFs, and scaled down to the heights of a streaming ladder
(those below the video's own) and up again. Prints the overall scores, and how many of the series fall at every step.
"""

import argparse
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from cover.datasets.generated.codecs import transcode
from PIL import Image

from cover import load_model, score
from cover.errors import VideoError
from cover.video import decode, probe

CRFS = (18, 28, 36, 44)
RUNGS = (1080, 720, 480, 240)  # px of the short side


def main() -> None:
    """Prints a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--model", default="cover", help="what load_model takes: cover, cover_lite, or a checkpoint")
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    model = load_model(options.model)
    fallen: dict[str, list[bool]] = {"CRF": [], "ladder": []}
    print(f"| video | {' | '.join(f'CRF {crf}' for crf in CRFS)} | ladder |")
    print("|---" * (len(CRFS) + 2) + "|")
    for path in options.videos:
        try:
            frames = excerpt(path, options.seconds)
        except VideoError as error:
            print(error, file=sys.stderr)
            continue
        height, width = frames.shape[1:3]
        coded = [score(transcode(frames, "libx264", crf), model).overall for crf in CRFS]
        sides = [min(height, width), *(rung for rung in RUNGS if rung < min(height, width))]
        scaled = [score(through(frames, side), model).overall for side in sides]
        fallen["CRF"].append(falls(coded))
        if len(sides) > 1:
            fallen["ladder"].append(falls(scaled))
        ladder = ", ".join(f"{side}p {value:.3f}" for side, value in zip(sides, scaled, strict=True))
        print(f"| {path.name} | {' | '.join(f'{value:.3f}' for value in coded)} | {ladder} |", flush=True)
    print()
    for name, series in fallen.items():
        print(f"{name}: {sum(series)} of {len(series)} fall at every step")


def excerpt(path: Path, seconds: float) -> np.ndarray:
    """The first seconds of a video, of even height and width: RGB, uint8 (T, H, W, 3)."""
    info = probe(path)
    count = min(info.frames, round(seconds * float(info.fps or 25)))
    frames = np.stack([frame for _, frame in decode(path, range(count))])
    return frames[:, : frames.shape[1] // 2 * 2, : frames.shape[2] // 2 * 2]


def through(frames: np.ndarray, side: int) -> np.ndarray:
    """Frames scaled to a short side and back."""
    height, width = frames.shape[1:3]
    factor = side / min(height, width)
    if factor == 1:
        return frames
    small = round(width * factor), round(height * factor)
    return np.stack(
        [
            np.asarray(
                Image.fromarray(frame)
                .resize(small, Image.Resampling.BICUBIC)
                .resize((width, height), Image.Resampling.BICUBIC)
            )
            for frame in frames
        ]
    )


def falls(scores: Sequence[float]) -> bool:
    """Return whether each score is below the one before it."""
    return all(first > second for first, second in itertools.pairwise(scores))


if __name__ == "__main__":
    main()
