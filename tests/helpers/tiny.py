"""The tiny model and its views, as ``model=tiny`` composes them."""

from pathlib import Path
from typing import Any

import hydra
import torch
from omegaconf import OmegaConf

from cover.config.build.decoding import view_spec
from cover.config.build.training import TrainingPlan, training
from cover.config.compose import checked
from cover.config.options.scoring import InferOptions
from cover.config.options.training import TrainOptions
from cover.config.resolvers import register_resolvers
from cover.models import COVER
from cover.video import ViewSpec

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def composed(*overrides: str, task: str = "infer") -> dict[str, Any]:
    """``configs/<task>.yaml`` with ``model=tiny``, as plain data."""
    register_resolvers()
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = hydra.compose(task, ["model=tiny", *overrides])
    container = OmegaConf.to_container(config, resolve=True)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


def infer_options(*overrides: str) -> InferOptions:
    """The options of ``infer`` with ``model=tiny``."""
    return checked(composed("data=folder", "data.path=x", *overrides), InferOptions)


def train_options(*overrides: str) -> TrainOptions:
    """The options of ``train``, likewise."""
    return checked(composed(*overrides, task="train"), TrainOptions)


def training_plan(*overrides: str) -> TrainingPlan:
    """The objects of a training with ``model=tiny``."""
    config = composed(*overrides, task="train")
    return training(checked(config, TrainOptions), config)


def tiny_views(*overrides: str) -> ViewSpec:
    """The views of the tiny model, such as ``tiny_views("views.sampling=random")``."""
    return view_spec(infer_options(*overrides).views)


def tiny_model() -> COVER:
    """The tiny model with the weights that ``model=tiny`` has."""
    torch.manual_seed(0)
    return COVER(**infer_options().model.net).eval()
