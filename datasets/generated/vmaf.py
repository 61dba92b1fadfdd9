"""VMAF of pictures beside their pristine ones, by an FFmpeg that has libvmaf: a label to train on."""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from cover.errors import UsageError

_MODEL = "vmaf_v0.6.1"


@lru_cache
def ffmpeg() -> str:
    """Locates the FFmpeg of the package imageio-ffmpeg, which has libvmaf.

    Raises:
        UsageError: The package is not installed, or has no FFmpeg for this machine.
    """
    if find_spec("imageio_ffmpeg") is None:
        raise UsageError("data=stills rates by VMAF and needs imageio-ffmpeg: pip install 'cover-vqa[recipes]'")
    import imageio_ffmpeg

    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise UsageError(f"data=stills: imageio-ffmpeg has no FFmpeg here ({error})") from error


def vmaf(pristine: np.ndarray, versions: Sequence[np.ndarray]) -> list[float]:
    """Rates versions of one picture.

    Source: Netflix's VMAF (github.com/Netflix/vmaf), model ``vmaf_v0.6.1``; a still has no motion.

    Args:
        pristine: RGB, uint8 (H, W, 3).
        versions: Each version, in the same form.

    Returns:
        Of each from 0 to 100, higher is better.

    Raises:
        UsageError: FFmpeg is not there, or has no libvmaf.
    """
    height, width = pristine.shape[:2]
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", "25", "-i"]
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder, name) for name in ("versions", "pristine")}
        files["versions"].write_bytes(b"".join(map(np.ndarray.tobytes, versions)))
        files["pristine"].write_bytes(pristine.tobytes() * len(versions))
        log = Path(folder, "log.json")
        graph = (
            "[0:v]format=yuv420p[a];[1:v]format=yuv420p[b];"
            f"[a][b]libvmaf=model=version={_MODEL}:log_fmt=json:log_path=log.json:n_threads=1"
        )
        inputs = [argument for file in files.values() for argument in (*raw, file.name)]
        command = [ffmpeg(), "-v", "error", *inputs, "-lavfi", graph, "-f", "null", "-"]
        # Nothing in the command comes from outside.
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise UsageError(f"data=stills: FFmpeg measured no VMAF ({' '.join(done.stderr.split())[-200:]})")
        return [float(frame["metrics"]["vmaf"]) for frame in json.loads(log.read_text())["frames"]]
