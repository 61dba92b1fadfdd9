"""Distortions of clips: their kinds, the branch that answers for each, and five strengths of each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from scipy import ndimage

from cover.scores import BRANCHES

from .codecs import decoded, encoded, has_encoder, lose_slices, transcode, transcode_at_rate
from .pseudo_mos import LEVELS

Distort = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
"""Takes RGB frames, uint8 (T, H, W, 3), a strength, and what draws variants and places; returns such frames.

The same generator gives the same variant at every strength, so that levels differ by strength alone.
"""


@dataclass(frozen=True)
class Kind:
    """A kind of distortion.

    Attributes:
        name: What ``extras["distortion"]`` says.
        branch: Which branch of the model answers for it.
        strengths: Of levels 1 to 5, in a unit of its own.
        apply: Does it.
        encoders: FFmpeg's encoders that it needs.
    """

    name: str
    branch: str
    strengths: tuple[float, float, float, float, float]
    apply: Distort
    encoders: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        assert self.branch in BRANCHES
        assert len(self.strengths) == len(LEVELS)

    def __call__(self, frames: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
        """Distorts a clip.

        Args:
            frames: RGB, uint8 (T, H, W, 3), even height and width.
            level: 1 (just visible) to 5 (ruined).
            rng: Draws variants and places; seeded alike, it draws alike for all levels.

        Returns:
            RGB, uint8 (T, H', W', 3), even height and width; those of ``frames`` but for ``tilt`` and ``crop``.
        """
        return self.apply(frames, self.strengths[level - 1], rng)

    @property
    def available(self) -> bool:
        """Return whether the installed PyAV has all the encoders."""
        return all(map(has_encoder, self.encoders))


# --- technical ------------------------------------------------------------------------------------------------------


def _compress(
    frames: np.ndarray, strength: float, rng: np.random.Generator, encoder: str, reference: float, doubling: float
) -> np.ndarray:
    """A codec at a CRF or, as often, at the bitrate that corresponds to it: it halves every ``doubling`` CRF.

    Beyond the highest CRF, the rung of a streaming service's ladder: coded smaller, and scaled up again.
    """
    highest = 63 if encoder == "libvpx-vp9" else 51
    quality = min(strength, highest)
    at_rate = rng.random() < 0.5

    def code(rung: np.ndarray) -> np.ndarray:
        if at_rate:
            return transcode_at_rate(rung, encoder, reference, 2 ** ((reference - quality) / doubling))
        return transcode(rung, encoder, quality)

    return _on_rung(frames, 2 ** ((strength - quality) / doubling), code)


def _mpeg(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Blocks of codecs without a deblocking filter: MPEG-4 part 2, MPEG-2 or Motion JPEG at a fixed quantiser.

    Beyond the highest quantiser of all three, coded smaller and scaled up: larger blocks.
    """
    encoder = ("mpeg4", "mpeg2video", "mjpeg")[rng.integers(3)]
    return _on_rung(frames, max(1, strength / 31), lambda rung: transcode(rung, encoder, min(31, round(strength))))


def _on_rung(frames: np.ndarray, factor: float, code: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Codes at a resolution that is smaller by a factor."""
    if factor <= 1:
        return code(frames)
    height, width = frames.shape[1:3]
    small = (max(32, even(width / factor)), max(32, even(height / factor)))
    coded = code(_each(frames, lambda image: image.resize(small, Image.Resampling.BICUBIC)))
    return _each(coded, lambda image: image.resize((width, height), Image.Resampling.BICUBIC))


def _scale(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    kernels = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
    down, up = kernels[rng.integers(3)], kernels[rng.integers(3)]
    height, width = frames.shape[1:3]
    small = (max(8, round(width / strength)), max(8, round(height / strength)))
    return _each(frames, lambda image: image.resize(small, down).resize((width, height), up))


def _blur(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    return _each(frames, lambda image: image.filter(ImageFilter.GaussianBlur(strength * _px(frames))))


def _motion_blur(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """The path of a hand that moves on a line while the shutter is open."""
    angle, length = rng.uniform(0, np.pi), strength * _px(frames)
    steps = np.linspace(-length / 2, length / 2, max(3, 2 * round(length) + 1))
    points = {(round(np.sin(angle) * step), round(np.cos(angle) * step)) for step in steps.tolist()}
    runs = []
    for row in {y for y, _ in points}:
        columns = [x for y, x in points if y == row]
        runs.append((row, min(columns), max(columns)))
    return _smear(frames, runs)


def _defocus(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """The disc that a point becomes in front of or behind the plane of focus."""
    radius = strength * _px(frames) + 0.5  # whose disc has pixels with their middle in it
    reach = int(radius)
    runs = []
    for row in range(-reach, reach + 1):
        half = int(np.sqrt(radius**2 - row**2))
        runs.append((row, -half, half))
    return _smear(frames, runs)


def _noise(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Poisson-Gaussian noise of a sensor, whose variance rises linearly with the signal, in brightness or in colours.

    Source: Foi et al., "Practical Poissonian-Gaussian noise modeling and fitting for single-image raw-data", IEEE
    Transactions on Image Processing 17(10), 2008.
    """
    colours, coarse = rng.random() < 0.5, rng.random() < 0.5
    _, height, width, _ = frames.shape
    deviation = np.sqrt(0.4 + 0.6 * np.arange(256) / 128).astype(np.float32) * np.float32(strength)
    result = np.empty_like(frames)
    for number, frame in enumerate(frames):
        noise = rng.standard_normal((height, width, 3 if colours else 1), dtype=np.float32)
        if coarse:  # as demosaicing leaves it: neighbours are alike
            noise = ndimage.uniform_filter(noise, (2, 2, 0)) * np.float32(1.6)
        noise *= deviation[frame] if colours else deviation[frame[..., 1:2]]
        noise = noise + frame
        result[number] = np.clip(np.rint(noise, out=noise), 0, 255, out=noise)
    return result


def _band(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    steps = 255 / (strength - 1)
    return _lut(frames, np.rint(np.arange(256) / steps) * steps)


def _corrupt(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Decode a stream with lost and damaged slices; damage stays until the next intra picture."""
    encoder = ("libx264", "mpeg2video")[rng.integers(2)]
    gop = str(rng.integers(15, 40))
    options = {
        "libx264": {"crf": "20", "tune": "zerolatency", "slices": "8", "g": gop},
        "mpeg2video": {"qmin": "3", "qmax": "3", "bf": "0", "g": gop},
    }
    # FFmpeg guesses what an H.264 slice held so well that it takes three times the losses to be as bad as in MPEG-2.
    share = min(1.0, 3 * strength) if encoder == "libx264" else strength
    packets = encoded(frames, encoder, options[encoder])
    return decoded(lose_slices(packets, encoder, share, rng), encoder, frames)


def _stutter(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Frames that stay too long, and those dropped for it: every one, or one now and then for longer."""
    count = len(frames)
    hold = round(strength)
    if rng.random() < 0.5:
        return frames[np.arange(count) // hold * hold]
    order, freeze, gap = np.arange(count), round(1.5 * strength), int(rng.integers(1, 4))
    for start in range(gap, count, freeze + gap):
        order[start : start + freeze] = start
    return frames[order]


def _shake(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Jerks from frame to frame, without zooming in; what comes in at the border mirrors the picture."""
    count, height, width, _ = frames.shape
    path = ndimage.gaussian_filter1d(rng.standard_normal((count, 2)), 0.7, axis=0)
    path -= path.mean(axis=0)
    path *= strength * min(height, width) / path.std()
    reach = min(height, width) // 3
    moves = np.clip(np.rint(path), -reach, reach).astype(int)
    result = np.empty_like(frames)
    for number, (frame, (down, right)) in enumerate(zip(frames, moves, strict=True)):
        padded = np.pad(frame, ((abs(down), abs(down)), (abs(right), abs(right)), (0, 0)), mode="reflect")
        top, left = abs(down) - down, abs(right) - right
        result[number] = padded[top : top + height, left : left + width]
    return result


def _flicker(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    count = len(frames)
    if rng.random() < 0.5:
        wave = np.sin(2 * np.pi * np.arange(count) / rng.uniform(3, 8) + rng.uniform(0, 2 * np.pi))
    else:
        wave = rng.uniform(-1, 1, count)
    ramp = np.arange(256) / 255
    # Brightness in powers: black and white stay what they are.
    luts = [255 * ramp ** (2.0 ** (strength * value)) for value in wave]
    return np.stack([_lut(frame, lut) for frame, lut in zip(frames, luts, strict=True)])


# --- aesthetic ------------------------------------------------------------------------------------------------------


def _expose(frames: np.ndarray, strength: float, rng: np.random.Generator, sign: int) -> np.ndarray:
    """Light times a power of two, in the linear light behind a gamma of 2.2."""
    return _lut(frames, np.arange(256) * 2 ** (sign * strength / 2.2))


def _cast(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """A wrong white balance: gains of the three colours that keep their mean."""
    hue = rng.uniform(0, 2 * np.pi)
    gains = 1 + strength * np.cos(hue + 2 * np.pi * np.arange(3) / 3)
    return np.stack(
        [_lut(frames[..., channel], np.arange(256) * gain) for channel, gain in enumerate(gains.tolist())], axis=-1
    )


def _flatten(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    grey = rng.uniform(100, 170)
    return _lut(frames, grey + strength * (np.arange(256) - grey))


def _saturate(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    return _each(frames, lambda image: Image.blend(image.convert("L").convert("RGB"), image, strength))


def _tilt(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """A camera held askew: the upright part of the turned picture, not enlarged, of the same aspect ratio."""
    angle = strength * rng.choice([-1, 1])
    _, height, width, _ = frames.shape
    sine, cosine = np.sin(np.radians(strength)), np.cos(np.radians(strength))
    long, short = max(height, width), min(height, width)
    share = short / (long * sine + short * cosine)
    rows, columns = even(height * share), even(width * share)
    top, left = (height - rows) // 2, (width - columns) // 2
    box = (left, top, left + columns, top + rows)
    return _each(frames, lambda image: image.rotate(angle, Image.Resampling.BICUBIC).crop(box))


def _bars(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Black at top and bottom, at the sides, or all round; the strength is its share of the area."""
    _, height, width, _ = frames.shape
    around = int(rng.integers(3))
    rest = np.sqrt(1 - strength) if around == 2 else 1 - strength
    bar = [round(size * (1 - rest) / 2) for size in (height, width)]
    result = frames.copy()
    if around != 1:
        result[:, : bar[0]] = result[:, height - bar[0] :] = 0
    if around != 0:
        result[:, :, : bar[1]] = result[:, :, width - bar[1] :] = 0
    return result


# --- semantic -------------------------------------------------------------------------------------------------------


def _occlude(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Something shapeless in front of the middle of the scene; the strength is its share of the area."""
    _, height, width, _ = frames.shape
    centre = rng.uniform(0.42, 0.58, 2)
    colour = rng.uniform(0, 1, 3) * rng.uniform(20, 200)
    bumps = rng.uniform(0.05, 0.25, 3)
    phases = rng.uniform(0, 2 * np.pi, 3)
    rows, columns = np.mgrid[:height, :width]
    y, x = rows / height - centre[0], columns / width - centre[1]
    around = np.arctan2(y, x)
    shape = 1 + sum(bump * np.cos(k * around + phase) for k, bump, phase in zip((2, 3, 5), bumps, phases, strict=True))
    distance = np.hypot(y, x) / shape
    edge = np.quantile(distance, strength)
    opacity = np.clip((edge - distance) / 0.02 + 0.5, 0, 1)[..., None].astype(np.float32)
    paint = (opacity * colour).astype(np.float32)
    return np.stack([(frame * (1 - opacity) + paint).astype(np.uint8) for frame in frames])


def _overlay(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Stickers, captions and blocks, one over the other, until they cover a share of the area."""
    _, height, width, _ = frames.shape
    cover = Image.new("RGBA", (width, height))
    draw = ImageDraw.Draw(cover)
    covered = np.zeros((height, width), dtype=bool)
    while covered.mean() < strength:
        tall, wide = height * rng.uniform(0.08, 0.22), width * rng.uniform(0.15, 0.4)
        top, left = rng.uniform(0, height - tall), rng.uniform(0, width - wide)
        box = (left, top, left + wide, top + tall)
        paint, ink = (tuple(rng.integers(0, 256, 3).tolist()) for _ in range(2))
        kind = rng.integers(3)
        if kind == 0:
            draw.ellipse(box, fill=(*paint, 255), outline=(*ink, 255), width=max(1, height // 120))
        else:
            draw.rectangle(box, fill=(*paint, 255))
        letters = "".join(rng.choice(list("ABCDEFGHKLMNOPRSTUVWXYZ0123456789!?"), 9))
        if kind != 2:
            font = ImageFont.load_default(size=max(8, round(min(tall * 0.5, wide / 6))))
            draw.text((left + wide / 2, top + tall / 2), letters, fill=(*ink, 255), font=font, anchor="mm")
        covered |= np.asarray(cover)[..., 3] > 0
    where = covered[..., None]
    paint_over = np.asarray(cover)[..., :3]
    return np.stack([np.where(where, paint_over, frame) for frame in frames])


def _blank(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """No picture for a share of the time, at the start or at the end."""
    colours = ((0, 0, 0), (0, 0, 180), (128, 128, 128), (235, 235, 235))
    colour = colours[rng.integers(len(colours))]
    lost = min(len(frames) - 1, max(1, round(strength * len(frames))))
    result = frames.copy()
    result[slice(lost) if rng.random() < 0.5 else slice(len(frames) - lost, None)] = colour
    return result


def _crop(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """A part from one of the corners, as many px as it had; the strength is its share of each side."""
    _, height, width, _ = frames.shape
    rows, columns = even(max(height * strength, 32)), even(max(width * strength, 32))
    top, left = ((0, height - rows)[rng.integers(2)], (0, width - columns)[rng.integers(2)])
    return np.ascontiguousarray(frames[:, top : top + rows, left : left + columns])


# --- helpers --------------------------------------------------------------------------------------------------------


def _px(frames: np.ndarray) -> float:
    """The width of a blur of one px at a short side of 540 px is in these frames, in px."""
    # Between "alike in px" (a pixel peeper's view) and "alike on the screen" (a viewer's), as sources are no smaller.
    return float(np.sqrt(max(352, min(frames.shape[1:3])) / 540))


def _each(frames: np.ndarray, change: Callable[[Image.Image], Image.Image]) -> np.ndarray:
    return np.stack([np.asarray(change(Image.fromarray(frame))) for frame in frames])


def _lut(frames: np.ndarray, table: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(table), 0, 255).astype(np.uint8)[frames]


def even(size: float) -> int:
    """Rounds a number of px down to an even one, 2 at least."""
    return max(2, int(size) // 2 * 2)


def _smear(frames: np.ndarray, runs: Sequence[tuple[int, int, int]]) -> np.ndarray:
    """Means over a shape of pixels, given as runs: row, first and last column, relative to the pixel."""
    reach = max(max(abs(row), abs(first), abs(last)) for row, first, last in runs)
    count = sum(last - first + 1 for _, first, last in runs)
    _, height, width, _ = frames.shape
    result = np.empty_like(frames)
    for number, frame in enumerate(frames):
        padded = np.pad(frame, ((reach, reach), (reach + 1, reach), (0, 0)), mode="edge")
        sums = padded.cumsum(axis=1, dtype=np.int32)  # runs are differences of two sums
        total = np.zeros(frame.shape, dtype=np.int32)
        for row, first, last in runs:
            lines = sums[reach + row : reach + row + height]
            total += lines[:, reach + last + 1 : reach + last + 1 + width]
            total -= lines[:, reach + first : reach + first + width]
        result[number] = (total + count // 2) // count
    return result


# In the order in which they happen to a clip: scene, camera, production, coding, channel, player.
KINDS = {
    kind.name: kind
    for kind in (
        Kind("crop", "semantic", (0.72, 0.55, 0.43, 0.34, 0.26), _crop),  # share of each side
        Kind("tilt", "aesthetic", (4, 8, 13, 19, 26), _tilt),  # degrees
        Kind("occlusion", "semantic", (0.08, 0.18, 0.32, 0.5, 0.7), _occlude),  # share of the area
        Kind("underexposure", "aesthetic", (0.8, 1.5, 2.3, 3.2, 4.2), partial(_expose, sign=-1)),  # stops
        Kind("overexposure", "aesthetic", (0.6, 1.1, 1.7, 2.4, 3.2), partial(_expose, sign=1)),  # stops
        Kind("colour_cast", "aesthetic", (0.15, 0.28, 0.42, 0.6, 0.8), _cast),  # gain
        Kind("motion_blur", "technical", (3, 6, 11, 19, 32), _motion_blur),  # px at 540p
        Kind("defocus", "technical", (1.2, 2.2, 3.6, 5.8, 9), _defocus),  # radius in px at 540p
        Kind("blur", "technical", (0.8, 1.3, 2.1, 3.4, 5.5), _blur),  # sigma in px at 540p
        Kind("noise", "technical", (5, 9, 16, 27, 45), _noise),  # deviation of 8-bit values
        Kind("shake", "technical", (0.006, 0.012, 0.022, 0.04, 0.07), _shake),  # share of the short side
        Kind("low_contrast", "aesthetic", (0.72, 0.52, 0.37, 0.25, 0.15), _flatten),  # share of the contrast
        Kind("oversaturation", "aesthetic", (1.6, 2.3, 3.3, 4.8, 7), _saturate),  # share of the colour
        Kind("banding", "technical", (20, 13, 9, 6, 4), _band),  # values a colour
        Kind("bars", "aesthetic", (0.12, 0.24, 0.36, 0.5, 0.65), _bars),  # share of the area
        Kind("overlay", "semantic", (0.07, 0.16, 0.28, 0.44, 0.65), _overlay),  # share of the area
        Kind("scaling", "technical", (1.6, 2.3, 3.4, 5, 7.5), _scale),  # factor
        Kind(
            "h264",
            "technical",
            (28, 32.5, 37, 41, 46),  # CRF
            partial(_compress, encoder="libx264", reference=23, doubling=6),
            ("libx264",),
        ),
        Kind(
            "hevc",
            "technical",
            (28, 33, 38, 43, 49),  # CRF
            partial(_compress, encoder="libx265", reference=26, doubling=6),
            ("libx265",),
        ),
        Kind(
            "vp9",
            "technical",
            (42, 55, 65, 72, 80),  # CRF
            partial(_compress, encoder="libvpx-vp9", reference=32, doubling=10),
            ("libvpx-vp9",),
        ),
        Kind("mpeg", "technical", (7, 13, 24, 45, 80), _mpeg, ("mpeg4", "mpeg2video", "mjpeg")),  # quantiser
        Kind(
            "corruption",
            "technical",
            (0.01, 0.025, 0.06, 0.13, 0.28),  # share of MPEG-2 slices
            _corrupt,
            ("libx264", "mpeg2video"),
        ),
        Kind("flicker", "technical", (0.12, 0.25, 0.45, 0.75, 1.2), _flicker),  # stops of gamma
        Kind("stutter", "technical", (2, 3, 5, 8, 13), _stutter),  # frames that one stays
        Kind("blank", "semantic", (0.1, 0.22, 0.36, 0.55, 0.78), _blank),  # share of the time
    )
}
