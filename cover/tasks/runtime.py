"""How long the model takes for 30 frames of 3840x2160, as the paper and the AIS 2024 challenge time it."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import av
import numpy as np
import torch

from cover.models import COVER, branch_scores
from cover.video import ViewSpec, load_views

FRAMES, HEIGHT, WIDTH = 30, 2160, 3840


def measure_runtime(model: COVER, spec: ViewSpec, device: torch.device, repeats: int = 3) -> dict[str, float | str]:
    """Times decoding and the model apart on a clip made for the purpose.

    Args:
        model: The model, in evaluation mode.
        spec: The views to make.
        device: Where the model runs.
        repeats: Runs of which the median is taken, after one to warm up.

    Returns:
        ``decode_s`` (file to views), ``model_s`` (views to scores), both in seconds, and the ``device`` they stand for.
    """
    model = model.to(device).eval()
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder, "clip.mp4")
        _write_clip(clip)
        decode_s = _median_time(lambda: load_views(clip, spec), repeats)
        views = {branch: torch.from_numpy(view)[None] for branch, view in load_views(clip, spec).views[0].items()}

    def score() -> None:
        on_device = {branch: view.to(device) for branch, view in views.items()}
        branch_scores(model(model.normalize(on_device)))["overall"].tolist()  # waits for a GPU to finish

    with torch.inference_mode():
        model_s = _median_time(score, repeats)
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


def _write_clip(path: Path) -> None:
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
