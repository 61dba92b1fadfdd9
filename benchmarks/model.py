"""Time and memory of the full-size model on one clip, against plain matrix products of the same sizes.

    python -m benchmarks.model                        # a clip as published: 20 semantic frames, 40 of the other two
    python -m benchmarks.model --frames 1 --repeats 9  # the same products in small portions, for a busy machine

``of mm`` is the rate of a branch as a fraction of the rate that ``torch.mm`` and ``torch.bmm`` reach in float32 on
exactly the products the branch consists of (those of attention and of dense convolutions included), measured in turns
with it. It can exceed 1: on a CPU the semantic branch multiplies by oneDNN where ``torch.mm`` calls MKL. ``of best``
takes for each product whichever of the two is faster. Weights are random, which changes neither time nor memory.
"""

import argparse
import os
import resource
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from cover.models import COVER
from cover.scores import BRANCHES

Product = tuple[int, int, int, int]  # batch, rows, inner, columns


class ProductRecorder(TorchDispatchMode):
    """Counts the matrix products of what runs below it, on the meta device: shapes without arithmetic."""

    def __init__(self) -> None:
        super().__init__()
        self.products: Counter[Product] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Record a product and let it happen."""
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name in ("mm", "addmm", "bmm", "baddbmm"):
            a, b = args[-2:]
            self.products[(a.shape[0] if a.ndim == 3 else 1, a.shape[-2], a.shape[-1], b.shape[-1])] += 1
        elif name.startswith("_scaled_dot_product"):
            query, key = args[:2]
            batch, (rows, channels), columns = query.shape[0] * query.shape[1], query.shape[2:], key.shape[2]
            self.products[(batch, rows, channels, columns)] += 1
            self.products[(batch, rows, columns, channels)] += 1
        elif name == "convolution" and args[8] == 1:  # groups; depthwise convolutions are no matrix products
            weight = args[1]
            self.products[(1, out.numel() // weight.shape[0], weight[0].numel(), weight.shape[0])] += 1
        return out


def products_of(module: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> Counter[Product]:
    """The matrix products of a module on the meta device for an input of ``shape``."""
    with torch.no_grad(), ProductRecorder() as recorder:  # inference mode would hide what linear layers consist of
        module(torch.empty(shape, device="meta"))
    return recorder.products


def flops(products: Counter[Product]) -> float:
    """Floating-point operations of the products."""
    return sum(2.0 * b * m * k * n * count for (b, m, k, n), count in products.items())


def seconds(function: Callable[[], object]) -> float:
    """Wall-clock time of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def product_functions(product: Product) -> list[Callable[[], object]]:
    """Ways to compute a plain product, the first by torch.mm or torch.bmm.

    The second factor is laid out as linear layers keep theirs; torch.mm writes into memory that exists already, oneDNN
    reads and writes its own layout.
    """
    batch, rows, inner, columns = product
    a, b = torch.randn(batch, rows, inner), torch.randn(batch, columns, inner)
    out = torch.empty(batch, rows, columns)
    if batch > 1:
        return [lambda: torch.bmm(a, b.transpose(1, 2), out=out)]
    blocked = a[0].to_mkldnn()
    return [lambda: torch.mm(a[0], b[0].t(), out=out[0]), lambda: functional.linear(blocked, b[0])]


def peak_gb() -> float:
    """The largest memory this process ever had resident, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def print_row(name: str, operations: float, times: list[float], plain: list[float], best: list[float]) -> None:
    """One line of the table; the fractions are those of each turn, as machines are busier now than then."""
    of_mm, of_best = ([p / t for p, t in zip(products, times, strict=True)] for products in (plain, best))
    print(
        f"{name:12}{operations / 1e9:10.1f}{median(times):10.2f}{median(plain):10.2f}"
        f"{median(of_mm):10.2f}{median(of_best):10.2f}   ({min(of_mm):.2f} - {max(of_mm):.2f})"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=20, help="semantic frames; the others see twice as many")
    parser.add_argument("--repeats", type=int, default=3, help="measurements; the table shows their medians")
    args = parser.parse_args()

    torch.manual_seed(0)
    start_gb = peak_gb()
    model = COVER().eval()
    model_gb = peak_gb()
    with torch.device("meta"):
        meta = COVER().eval()
    shapes = {
        "semantic": (1, 3, args.frames, 512, 512),
        "technical": (1, 3, 2 * args.frames, 224, 224),
        "aesthetic": (1, 3, 2 * args.frames, 224, 224),
    }
    views = {branch: torch.randn(shape) for branch, shape in shapes.items()}
    products = {branch: products_of(meta.backbones[branch], shape) for branch, shape in shapes.items()}
    with torch.inference_mode():
        features = model.features(views)  # also the warm-up
        model.score_maps(features)
        clip_gb = peak_gb()

        parts: dict[str, Callable[[], object]] = {
            branch: partial(model.backbones[branch], views[branch]) for branch in BRANCHES
        }

        times: dict[str, list[float]] = {part: [] for part in parts}
        plain: dict[str, list[float]] = {part: [] for part in parts}
        best: dict[str, list[float]] = {part: [] for part in parts}
        for _ in range(args.repeats):
            for part, function in parts.items():
                times[part].append(seconds(function))
                plain[part].append(0.0)
                best[part].append(0.0)
                for product, count in products[part].items():
                    ways = []
                    for run in product_functions(product):
                        run()
                        ways.append(median(seconds(run) for _ in range(3)))
                    plain[part][-1] += count * ways[0]
                    best[part][-1] += count * min(ways)

    print(
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}, "
        f"{args.frames} frames, median of {args.repeats}"
    )
    print(
        f"{'branch':12}{'GFLOP':>10}{'seconds':>10}{'products':>10}{'of mm':>10}{'of best':>10}"
        "   (of mm: lowest - highest)"
    )
    for part in BRANCHES:
        print_row(part, flops(products[part]), times[part], plain[part], best[part])
    print_row(
        "model",
        sum(map(flops, products.values())),
        [sum(turn) for turn in zip(*times.values(), strict=True)],
        [sum(turn) for turn in zip(*plain.values(), strict=True)],
        [sum(turn) for turn in zip(*best.values(), strict=True)],
    )
    print(
        f"peak memory: {start_gb:.2f} GB after imports, {model_gb:.2f} GB with the model, "
        f"{clip_gb:.2f} GB having scored a clip"
    )


if __name__ == "__main__":
    main()
