"""The tiny model and its views, as ``model=tiny`` composes them."""

from pathlib import Path
from typing import Any

import hydra
import torch
from omegaconf import OmegaConf

from cover.models import COVER
from cover.video import ViewSpec
from cover.weights import SHIPPED

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def composed(*overrides: str) -> dict[str, Any]:
    """``configs/infer.yaml`` with ``model=tiny``, as plain data."""
    return _composed("infer", "data=folder", "data.path=x", *overrides)


def composed_training(*overrides: str) -> dict[str, Any]:
    """``configs/train.yaml`` likewise."""
    return _composed("train", *overrides)


def _composed(task: str, *overrides: str) -> dict[str, Any]:
    OmegaConf.register_new_resolver("stem", str, replace=True)
    OmegaConf.register_new_resolver("shipped", lambda name: str(SHIPPED[name]), replace=True)
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = hydra.compose(task, ["model=tiny", *overrides])
    container = OmegaConf.to_container(config, resolve=True)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


def tiny_views(**options: Any) -> ViewSpec:
    """The views of the tiny model."""
    views = composed()["views"]
    del views["replay"]
    return hydra.utils.instantiate({**views, **options})


def tiny_model() -> COVER:
    """The tiny model with the weights that ``model=tiny`` has."""
    torch.manual_seed(0)
    return hydra.utils.instantiate(composed()["model"]["net"]).eval()
