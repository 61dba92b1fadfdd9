"""Rated clips for tests of training: generated scenes, distorted by known amounts, and ratings that follow these.

A tiny network is to learn them from random weights in a minute, and to judge scenes it has not seen. Hence scenes that
differ in what they show but not in how colourful or detailed they are, and noise in colours, which no undistorted clip
has: were noise only the opposite of blur, a rating that falls with both could hardly be found from random weights.
"""

import csv
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from tests.helpers.clips import write_clip

DISTORTIONS = ("blur", "compression", "noise")
COLUMNS = ("path", "mos", "content", "distortion", "level")

# Strengths from the weakest level to the strongest, steps of equal ratio (CRF: of equal difference) between them.
_BLUR = (0.8, 3.2)  # standard deviation of the Gaussian in px
_NOISE = (8.0, 40.0)  # standard deviation on the scale of 0..255
_CRF = (31, 47)
_CLEAN_CRF = 10
_PRISTINE_MOS, _WORST_MOS, _JITTER = 4.7, 1.3, 0.08


def make_rated(
    folder: Path, sources: int = 20, levels: int = 3, frames: int = 8, size: int = 128, seed: int = 0
) -> Path:
    """Write clips and their ratings.

    Every source gives a pristine clip and one for each distortion and level. The rating falls by equal steps from
    level to level, alike for all distortions, with a small error of its own for each clip; so no prediction can rank
    all of them, and the best SROCC to hope for is about 0.95. More sources leave those before as they are.

    Args:
        folder: Where to write; made if absent.
        sources: Scenes, each with its own detail at several scales, edges, flat areas, colours and motion.
        levels: Strengths of each distortion.
        frames: Frames a clip.
        size: Height and width in px.
        seed: Of scenes, noise and errors of the ratings.

    Returns:
        ``folder/ratings.csv``, with paths relative to the folder, the MOS from 1 to 5, and what was done to the clip:
        content (the source), distortion (``pristine`` or one of ``DISTORTIONS``) and level (0 for pristine).
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[tuple[object, ...]] = []
    for source in range(sources):
        clean = scene(frames, size, np.random.default_rng([seed, source]))
        for kind, distortion in enumerate(("pristine", *DISTORTIONS)):
            for level in range(1, levels + 1) if kind else (0,):
                rng = np.random.default_rng([seed, source, kind, level])
                strength = (level - 1) / (levels - 1) if levels > 1 else 1.0
                crf = round(_CRF[0] + strength * (_CRF[1] - _CRF[0])) if distortion == "compression" else _CLEAN_CRF
                path = folder / f"{source:02}-{distortion}-{level}.mp4"
                # One thread: with more, the bytes depend on the machine. And x264 is not repeatable with mbtree.
                options = {"crf": str(crf), "preset": "veryfast", "threads": "1", "x264-params": "mbtree=0"}
                write_clip(path, list(_distorted(clean, distortion, strength, rng)), options=options)
                mos = _PRISTINE_MOS - (_PRISTINE_MOS - _WORST_MOS) * level / levels + _JITTER * rng.standard_normal()
                rows.append((path.name, round(float(np.clip(mos, 1, 5)), 3), source, distortion, level))
    ratings = folder / "ratings.csv"
    with ratings.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])
    return ratings


def scene(frames: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """A camera that pans over a painted canvas while a disc cut out of another one moves across: uint8 (T, H, W, 3)."""
    reach = 3 * frames
    background, other = _canvas(size + 2 * reach, rng), _canvas(size, rng)
    velocity = rng.integers(1, 4, 2) * rng.choice([-1, 1], 2)
    centre, drift = rng.uniform(0.35, 0.65, 2) * size, rng.uniform(-2, 2, 2)
    radius = rng.uniform(0.1, 0.2) * size
    rows, columns = np.mgrid[:size, :size]
    clip = np.empty((frames, size, size, 3), dtype=np.uint8)
    for time in range(frames):
        top, left = reach + velocity * time  # whole pixels, so that motion takes away no detail
        clip[time] = background[top : top + size, left : left + size]
        y, x = centre + drift * time
        disc = (rows - y) ** 2 + (columns - x) ** 2 < radius**2
        clip[time][disc] = np.roll(other, (round(y), round(x)), axis=(0, 1))[disc]
    return clip


def _canvas(size: int, rng: np.random.Generator) -> np.ndarray:
    """Flat and textured areas of many colours with shapes and gratings over them, uint8 (size, size, 3)."""
    # Every scene has all colours and as much detail as the others: content is to say nothing about quality.
    colours = 128 + rng.uniform(-40, 40, (16, 1)) + rng.uniform(-25, 25, (16, 3))
    areas = np.stack([_smooth(size, 16, rng) for _ in colours])
    image = colours[areas.argmax(axis=0)]
    # Texture like that of nature, whose amplitude rises with its scale, on about half of the canvas.
    texture = sum(scale**0.3 * _smooth(size, scale, rng) for scale in (1.0, 2.0, 4.0, 8.0))
    textured = ndimage.gaussian_filter((_smooth(size, 16, rng) > 0).astype(np.float64), 2)
    image += (rng.uniform(9, 13) * texture * textured)[..., None]
    picture = Image.fromarray(np.clip(image, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for number in range(size * size // 400):
        colour = tuple(int(value) for value in colours[rng.integers(len(colours))])
        left, top, width, height = (int(value) for value in (*rng.integers(-8, size, 2), *rng.integers(4, 24, 2)))
        box = [left, top, left + width, top + height]
        shape = number % 4
        if shape == 0:
            draw.rectangle(box, fill=colour)
        elif shape == 1:
            draw.ellipse(box, fill=colour)
        elif shape == 2:
            draw.line(box, fill=colour, width=int(rng.integers(1, 4)))
        else:
            for column in range(left, left + width, int(rng.integers(3, 8))):
                draw.line([column, top, column, top + height], fill=colour)
    # The sharpness of a lens: without it, no picture would be as sharp as noise.
    return ndimage.gaussian_filter(np.asarray(picture), (0.6, 0.6, 0))


def _smooth(size: int, scale: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise of unit variance and a given correlation length in px, (size, size)."""
    coarse = rng.standard_normal((int(np.ceil(size / scale)) + 3,) * 2)
    field = ndimage.zoom(coarse, scale, order=1)[:size, :size] if scale > 1 else coarse[:size, :size]
    return field / field.std()


def _distorted(clean: np.ndarray, distortion: str, strength: float, rng: np.random.Generator) -> np.ndarray:
    """A clip with blur or noise of a strength from 0 (the weakest level) to 1; anything else leaves it as it is."""
    if distortion == "blur":
        sigma = _BLUR[0] * (_BLUR[1] / _BLUR[0]) ** strength
        return ndimage.gaussian_filter(clean, (0, sigma, sigma, 0))
    if distortion == "noise":
        deviation = _NOISE[0] * (_NOISE[1] / _NOISE[0]) ** strength
        frames, height, width, _ = clean.shape
        # Of 2x2 px in each colour by itself, as phones show it: that is what coding leaves of noise in colours.
        noise = rng.standard_normal((frames, -(-height // 2), -(-width // 2), 3), dtype=np.float32)
        noise = noise.repeat(2, axis=1).repeat(2, axis=2)[:, :height, :width]
        return np.clip(clean + deviation * noise, 0, 255).astype(np.uint8)
    return clean
