"""One scene at falling quality, to see how a model scores it: clips made of a photo that comes with matplotlib."""

import logging
from fractions import Fraction
from pathlib import Path

import numpy as np
from matplotlib import cbook
from PIL import Image

from cover.errors import UsageError
from cover.files import write_bytes
from cover.rows import Row
from cover.text import counted

from .codecs import STORE_ENCODER, has_encoder, store
from .distortions import KINDS
from .folder import GeneratedFolder
from .sources import generator

log = logging.getLogger(__name__)

_PHOTO = "grace_hopper.jpg"  # 512x606 px, by the US Navy, in the public domain
_SIZES = {"landscape": (480, 270), "portrait": (270, 480)}
_FRAMES, _RATE = 50, Fraction(25)
# What is done to a clip, and how much of it (1 to 5).
_CLIPS: dict[str, tuple[tuple[str, int], ...]] = {
    "clean": (),
    "blurred a little": (("blur", 2),),
    "blurred": (("blur", 4),),
    "compressed a little": (("h264", 2),),
    "compressed": (("h264", 4),),
    "noisy": (("noise", 4),),
    "stuttering": (("stutter", 5),),
}


class Demo(GeneratedFolder):
    """Clips of two seconds, 480x270 and 270x480 px, of a camera that moves over one photo; made if they do not exist.

    Args:
        folder: Where they are, or will be.

    Attributes:
        root: The same folder.

    Raises:
        UsageError: They cannot be made or written.
    """

    def __init__(self, folder: str | Path) -> None:
        self.root = Path(folder)
        if not has_encoder(STORE_ENCODER):
            raise UsageError(f"data=demo: the installed PyAV has no encoder {STORE_ENCODER}, with which clips are made")
        if lacking := sum(not self._file(shape, name).exists() for shape in _SIZES for name in _CLIPS):
            log.info("making %s in %s", counted(lacking, "clip"), self.root)
        try:
            self._rows = [self._row(shape, name) for shape in _SIZES for name in _CLIPS]
        except OSError as error:
            raise UsageError(f"data.folder={folder}: {error.strerror or error}") from error

    def _file(self, shape: str, name: str) -> Path:
        return self.root / shape / f"{name}.mp4"

    def _row(self, shape: str, name: str) -> Row:
        file = self._file(shape, name)
        if not file.exists():
            frames = _pan(*_SIZES[shape])
            for kind, level in _CLIPS[name]:
                frames = KINDS[kind](frames, level, generator("demo", kind))
            write_bytes(file, store(frames, _RATE))
        return Row(file, f"{shape}/{file.name}")


def _pan(width: int, height: int) -> np.ndarray:
    """A window of that size which moves slowly over the photo: uint8 (T, H, W, 3)."""
    with Image.open(cbook.get_sample_data(_PHOTO, asfileobj=False)) as opened:
        photo = opened.convert("RGB")
    room = np.array([photo.width - width, photo.height - height])
    frames = []
    for share in np.linspace(0.05, 0.65, _FRAMES):
        left, top = (share * room).tolist()
        box = (left, top, left + width, top + height)
        frames.append(np.asarray(photo.resize((width, height), Image.Resampling.LANCZOS, box=box)))
    return np.stack(frames)
