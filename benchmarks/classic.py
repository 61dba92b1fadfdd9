"""BRISQUE, NIQE, PIQE and the variance of the Laplacian of pictures, to compare a model with.

    python benchmarks/classic.py ratings.csv classic.csv [--split test] [--limit 500]

The packages are old and need old libraries, so this file stands alone, in an environment of its own:
``pip install 'numpy<2' 'scipy<1.12' 'opencv-python<4.12' brisque pypiqe scikit-video``. The first argument
is a table whose column ``path`` names pictures beside it, or videos, of which the middle frame is taken (needs PyAV).
Writes ``path`` and a column for each measure, signed such that higher is better. BRISQUE and NIQE come with what they
were trained on by their packages (LIVE, and 125 pristine photos).
"""

import argparse
import csv
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SMALLEST = 200  # px; NIQE needs more than two patches of 96


@lru_cache
def measures() -> dict[str, Callable[[np.ndarray], float]]:
    """The measures by name; each takes RGB, uint8 (H, W, 3)."""
    import brisque
    import cv2
    import pypiqe
    import scipy.misc
    import skvideo.measure

    def half(image: np.ndarray, *_: Any, **__: Any) -> np.ndarray:
        size = image.shape[1] // 2, image.shape[0] // 2
        return np.asarray(Image.fromarray(image.astype(np.float32)).resize(size, Image.Resampling.BICUBIC))

    scipy.misc.imresize = half  # scikit-video calls what SciPy no longer has, to halve a picture
    for name, kind in {"int": int, "float": float}.items():
        setattr(np, name, kind)  # what NumPy no longer has either
    model = brisque.BRISQUE(url=False)
    return {
        "brisque": lambda image: -float(model.score(image)),
        "niqe": lambda image: -float(skvideo.measure.niqe(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))[0]),
        "piqe": lambda image: -float(pypiqe.piqe(image)[0]),
        "laplacian": lambda image: float(cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var()),
    }


def picture(path: Path) -> np.ndarray:
    """A picture, or the middle frame of a video, enlarged where it is too small for NIQE: uint8 (H, W, 3)."""
    if path.suffix.lower() in (".mp4", ".mkv", ".mov", ".webm"):
        import av

        with av.open(str(path)) as file:
            frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
        image = Image.fromarray(frames[len(frames) // 2])
    else:
        image = Image.open(path).convert("RGB")
    factor = max(1.0, SMALLEST / min(image.size))
    if factor > 1:
        image = image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.BICUBIC)
    return np.asarray(image)


def measured(path: Path) -> dict[str, float]:
    """Every measure of a file; NaN where one cannot be computed."""
    image, values = picture(path), {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, measure in measures().items():
            try:
                values[name] = measure(image)
            except (ValueError, FloatingPointError, ZeroDivisionError, np.linalg.LinAlgError):
                values[name] = float("nan")
    return values


def main() -> None:
    """Writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--split", help="only rows with this in the column split")
    parser.add_argument("--limit", type=int, help="so many rows, evenly spread")
    options = parser.parse_args()
    with options.table.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if options.split in (None, row.get("split"))]
    names = [row["path"] for row in rows]
    if options.limit:
        chosen = np.linspace(0, len(names) - 1, min(options.limit, len(names))).round().astype(int)
        names = [names[number] for number in chosen]
    with ProcessPoolExecutor() as pool, options.output.open("w", newline="", encoding="utf-8") as file:
        writer = None
        for number, (name, values) in enumerate(
            zip(names, pool.map(measured, [options.table.parent / name for name in names]), strict=True)
        ):
            if writer is None:
                writer = csv.DictWriter(file, ["path", *values])
                writer.writeheader()
            writer.writerow({"path": name, **values})
            print(f"\r{number + 1} of {len(names)}", end="", file=sys.stderr)
    print(file=sys.stderr)


if __name__ == "__main__":
    main()
