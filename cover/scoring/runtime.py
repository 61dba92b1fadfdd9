"""Runtime of the model for 30 frames of 3840x2160, as the paper and the AIS 2024 challenge time it."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import av
import numpy as np
import torch

from cover.scoring.scorer import Scorer
from cover.video import load_views

FRAMES, HEIGHT, WIDTH = 30, 2160, 3840


def measure_runtime(scorer: Scorer, repeats: int = 3) -> dict[str, float | str]:
    """Time decoding and the model apart on a video made for the purpose.

    Args:
        scorer: With a model on the device to be timed.
        repeats: Runs of which the median is taken, after one to warm up.

    Returns:
        ``decode_s`` (file to views), ``model_s`` (views to scores), both in seconds, and the ``device`` they stand for.
    """
    device = next(scorer.model.parameters()).device
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder, "video.mp4")
        _write_video(video)
        decode_s = _median_time(lambda: load_views(video, scorer.views), repeats)
        loaded = load_views(video, scorer.views)
    model_s = _median_time(lambda: scorer.score_batch([loaded]), repeats)  # its results are on the CPU
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    return {"decode_s": decode_s, "model_s": model_s, "device": name}


def _median_time(function: Callable[[], object], repeats: int) -> float:
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return median(times)


def _write_video(path: Path) -> None:
    """Thirty frames of a moving texture, H.264."""
    texture = np.random.default_rng(0).integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8)
    frame = texture.repeat(8, axis=0).repeat(8, axis=1)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(FRAMES):
            moved = np.roll(frame, 4 * number, axis=1)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(moved, format="rgb24")))
        output.mux(stream.encode(None))
