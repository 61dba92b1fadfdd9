"""The published weight files: where they are and what they must hash to. Imports no torch."""

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

CHUNK = 1 << 20

PRETRAINED_WEIGHTS = "pretrained"
"""In place of a path: what training from scratch starts from."""

RANDOM_WEIGHTS = "random"
"""In place of a path: none, the model stays as it was initialised."""


@dataclass(frozen=True)
class WeightsFile:
    """One published file.

    Args:
        name: Name for messages.
        url: Where its authors publish it; https, or http on this machine itself.
        sha256: Hex digest of the whole file.
        bytes: Size of the whole file.
        licence: Licence it is published under.
        filename: Its name in the cache folder.
        option: The option that takes a local copy instead, where there is one.
    """

    name: str
    url: str
    sha256: str
    bytes: int
    licence: str
    filename: str
    option: str | None


PUBLISHED = {
    "cover": WeightsFile(
        name="COVER.pth",
        url="https://github.com/vztu/COVER/raw/release/Model/COVER.pth",
        sha256="43a0fc777fe46e5e0513c50bf4b3dc5343fc82214e8f6e66b2bc068f0755875e",
        bytes=262_292_246,
        licence="MIT (the licence of the repository that holds it)",
        filename="COVER.pth",
        option="weights",
    ),
    "clip_vit_l14": WeightsFile(
        name="OpenAI CLIP ViT-L/14",
        # The digest is the folder of the address. The size is what others' records of this digest agree on.
        url="https://openaipublic.azureedge.net/clip/models/"
        "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836/ViT-L-14.pt",
        sha256="b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836",
        bytes=932_768_134,
        licence="MIT",
        filename="ViT-L-14.pt",
        option="clip_weights",
    ),
    # What training from scratch starts from. torchvision publishes eight digits of each digest, in the file's name (the
    # whole ones are what others' records of these files agree on), and sizes to a kilobyte.
    "convnext_tiny": WeightsFile(
        name="torchvision's ConvNeXt-T, trained on ImageNet-1K",
        url="https://download.pytorch.org/models/convnext_tiny-983f1562.pth",
        sha256="983f1562536e84ff750a1576fb08e54de751dbf2e17c0d8a4a13704341fdcd3d",
        bytes=114_420_000,
        licence="BSD-3-Clause (torchvision's; ImageNet has terms of its own)",
        filename="convnext_tiny-983f1562.pth",
        option=None,
    ),
    "swin3d_t": WeightsFile(
        name="torchvision's Video Swin-T, trained on Kinetics-400",
        url="https://download.pytorch.org/models/swin3d_t-7615ae03.pth",
        sha256="7615ae035996b65eb38dad437ae533d2dfcd36f9f89d28c0f0fa7bfb8e6b3130",
        bytes=127_447_000,
        licence="BSD-3-Clause (torchvision's, from Video-Swin-Transformer, Apache-2.0; Kinetics has terms of its own)",
        filename="swin3d_t-7615ae03.pth",
        option=None,
    ),
}


SHIPPED = {"cover_lite": Path(__file__).with_name("cover_lite.safetensors")}
"""Weights that come with the package, by the name of their model."""


MIRROR = "COVER_WEIGHTS_URL"
"""Environment variable with the address of a folder that has copies of the published files."""


def mirrored(file: WeightsFile) -> WeightsFile:
    """Give the file as it is on the mirror that ``$COVER_WEIGHTS_URL`` names; its checksum stays the published one."""
    base = os.environ.get(MIRROR, "").strip().rstrip("/")
    return replace(file, url=f"{base}/{file.filename}") if base else file


def cache_dir() -> Path:
    """Locate the folder that downloaded weights are kept in: ``$COVER_CACHE``, else ``cover`` in torch.hub's folder."""
    if configured := os.environ.get("COVER_CACHE"):
        return Path(configured).expanduser()
    import torch.hub

    return Path(torch.hub.get_dir()) / "cover"


def sha256_of(path: Path) -> str:
    """Compute the hex sha256 of a file's content.

    Raises:
        OSError: The file cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while chunk := content.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
