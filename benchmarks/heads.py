"""An epoch of head-only training that decodes and runs the backbones, beside one over cached features.

    python -m benchmarks.heads                       # a generated clip of 10 s in 1280x720; minutes on a CPU
    python -m benchmarks.heads a.mp4 b.mp4           # clips of your own
    python -m benchmarks.heads --model tiny          # shows that it runs: backbones for tests are hardly any work

All clips make one batch. Either epoch ends in the same step: gates and heads in training mode, loss, gradients and
optimizer as in ``configs/train.yaml``. One comes from the files, clip by clip, through frozen backbones without
gradients; the other from caches as training reads them, whose files were just written and thus are in memory. The two
take turns. Weights are random, which changes no time.
"""

import argparse
import logging
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import av
import hydra
import numpy as np
import torch
from torch import Tensor

from cover.config.build.recipe import build_recipe
from cover.config.compose import checked, config_folder, resolved
from cover.config.options.training import TrainOptions
from cover.config.resolvers import register_resolvers
from cover.models import branch_scores
from cover.rows import Row
from cover.scores import BRANCHES
from cover.scoring.scorer import stacked
from cover.training.data.batches import CENTER
from cover.training.data.cache import TensorCache
from cover.training.loop.schedule import mark_trained
from cover.video import load_views

CACHED_EPOCHS = 20  # for each one without a cache
STEPS = ("decode and views", "backbones", "read features", "gates and heads")


class Clock:
    """Seconds between laps, once the device has done what it was given."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.last = time.perf_counter()

    def lap(self) -> float:
        """Seconds since the last lap."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        before, self.last = self.last, time.perf_counter()
        return self.last - before


class Epochs:
    """The two kinds of epoch; each returns seconds by step.

    Args:
        options: Those of ``train``.
        rows: The videos.
        folder: Where features are kept.
        device: Where the model is.
    """

    def __init__(self, options: TrainOptions, rows: Sequence[Row], folder: Path, device: torch.device) -> None:
        self.rows = rows
        self.device = device
        recipe = build_recipe(options)
        self.spec = recipe.views
        self.model = recipe.engine.make_network().to(device).eval()
        mark_trained(self.model, recipe.stages[0].train)
        for part in (self.model.gates, self.model.heads):
            part.train()
        self.loss = recipe.engine.make_loss()
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimizer = recipe.engine.make_optimizer([{"params": trained, "lr": recipe.rates.lr}])
        self.mos = torch.linspace(-1, 1, len(rows), device=device)
        self.caches = {branch: TensorCache(folder, f"{branch}-features", {}) for branch in BRANCHES}

    def decoded(self) -> dict[str, float]:
        """An epoch from the files; it leaves features in the caches."""
        seconds = dict.fromkeys(STEPS, 0.0)
        clips, clock = [], Clock(self.device)
        for row in self.rows:
            loaded = load_views(row.path, self.spec)
            seconds["decode and views"] += clock.lap()
            with torch.no_grad():
                (views,) = stacked([loaded], self.device)
                clips.append(self.model.features(self.model.normalize(views)))
            seconds["backbones"] += clock.lap()
        self.step({branch: torch.cat([clip[branch] for clip in clips]) for branch in BRANCHES})
        seconds["gates and heads"] = clock.lap()
        for row, clip in zip(self.rows, clips, strict=True):
            for branch, cache in self.caches.items():
                cache.save(row, CENTER, clip[branch][0])
        return seconds

    def cached(self) -> dict[str, float]:
        """An epoch from the caches."""
        seconds, clock = dict.fromkeys(STEPS, 0.0), Clock(self.device)
        features = {
            branch: torch.stack([cache.load(row, CENTER) for row in self.rows]).to(self.device)
            for branch, cache in self.caches.items()
        }
        seconds["read features"] = clock.lap()
        self.step(features)
        seconds["gates and heads"] = clock.lap()
        return seconds

    def step(self, features: dict[str, Tensor]) -> None:
        """A step of training."""
        self.optimizer.zero_grad()
        self.loss(branch_scores(self.model.score_maps(features)), self.mos)["loss"].backward()
        self.optimizer.step()


def write_clip(path: Path, seconds: int = 10, rate: int = 30, height: int = 720, width: int = 1280) -> None:
    """A camera pans over noise of all scales: H.264."""
    rng = np.random.default_rng(0)
    canvas = np.zeros((height, 2 * width, 3))
    for scale in (1, 4, 16, 80):
        coarse = rng.normal(128, 40, (height // scale, 2 * width // scale, 3))
        canvas += coarse.repeat(scale, axis=0).repeat(scale, axis=1) / 4
    pixels = canvas.clip(0, 255).astype(np.uint8)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=rate, options={"preset": "veryfast"})
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        for number in range(seconds * rate):
            start = 3 * number % width
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels[:, start : start + width]), format="rgb24")
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def main() -> None:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", type=Path, nargs="*", help="videos (default: one is generated)")
    parser.add_argument("--model", default="cover", help="an option of configs/model")
    parser.add_argument("--repeats", type=int, default=1, help="epochs without a cache; the table shows medians")
    options = parser.parse_args()

    logging.getLogger("cover").setLevel(logging.ERROR)
    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    register_resolvers()
    with hydra.initialize_config_dir(str(config_folder()), version_base="1.3"):
        config = resolved(hydra.compose("train", [f"model={options.model}", "data.path=none"]))
    with tempfile.TemporaryDirectory() as folder:
        if not options.paths:
            options.paths = [Path(folder, "generated.mp4")]
            write_clip(options.paths[0])
        epochs = Epochs(
            checked(config, TrainOptions),
            [Row(path, path.name) for path in options.paths],
            Path(folder, "cache"),
            device,
        )
        decoded, cached = [], []
        for _ in range(options.repeats):
            decoded.append(epochs.decoded())
            cached += [epochs.cached() for _ in range(1 + CACHED_EPOCHS)][1:]  # the first one warms up
        size = sum(path.stat().st_size for path in Path(folder, "cache").rglob("*.safetensors"))

    name = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    print(f"{name}, load {os.getloadavg()[0]:.1f}, torch {torch.__version__}, model={options.model}")
    print(f"{len(options.paths)} clips a batch, {size / len(options.paths) / 1e6:.1f} MB of features each")
    print(f"medians of {len(decoded)} epochs that decode and {len(cached)} that read features; seconds an epoch")
    print(f"{'':18}{'decoded':>12}{'cached':>12}")
    for step in STEPS:
        print(f"{step:18}{median(e[step] for e in decoded):12.4f}{median(e[step] for e in cached):12.4f}")
    totals = [[sum(epoch.values()) for epoch in kind] for kind in (decoded, cached)]
    print(f"{'epoch':18}{median(totals[0]):12.4f}{median(totals[1]):12.4f}")
    lowest, middle, highest = (f(totals[0]) / g(totals[1]) for f, g in ((min, max), (median, median), (max, min)))
    print(f"an epoch over cached features is {middle:.0f} times faster ({lowest:.0f} - {highest:.0f})")


if __name__ == "__main__":
    main()
