"""Lightning's Trainer and loggers, and the engine that does without them. Lightning is imported where it is needed."""

import logging
import os
import socket
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from netrc import NetrcParseError, netrc
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

from cover.config.build.instantiate import instantiate, missing_extra
from cover.errors import UsageError
from cover.files import write_text

if TYPE_CHECKING:
    import lightning
    from lightning.pytorch.loggers import Logger

    from cover.scoring.local import LocalEngine

_ONE_DEVICE = {"strategy": "auto", "devices": 1, "num_nodes": 1}


def is_local(trainer: Mapping[str, Any]) -> bool:
    """Return whether one device scores, so that Lightning's Trainer is not needed."""
    return (
        trainer.keys() <= {"_target_", "accelerator", "precision", *_ONE_DEVICE}
        and all(str(trainer.get(name, value)) == str(value) for name, value in _ONE_DEVICE.items())
        and trainer.get("accelerator", "auto") in ("auto", "cpu", "gpu", "cuda", "mps")
        and trainer.get("precision", "32-true") in ("32-true", "16-mixed", "bf16-mixed")
    )


def local_engine(trainer: Mapping[str, Any]) -> "LocalEngine":
    """Make the engine that scores on one device.

    Raises:
        UsageError: There is no such device here.
    """
    from cover.scoring.local import LocalEngine, device_of

    return LocalEngine(device_of(trainer.get("accelerator", "auto")), trainer.get("precision", "32-true"))


def build_trainer(trainer: Mapping[str, Any], **arguments: Any) -> "lightning.Trainer":
    """Make Lightning's Trainer of the options; arguments given here yield to them.

    Raises:
        UsageError: A value is not what it takes.
    """
    quiet_lightning()
    defaults = {name: value for name, value in arguments.items() if name != "callbacks"}
    callbacks = {"callbacks": arguments["callbacks"]} if "callbacks" in arguments else {}
    return instantiate({"enable_model_summary": False, **defaults, **trainer}, "trainer", **callbacks)


def require_logger(logger: Mapping[str, Any] | None) -> None:
    """Make sure, before any work, that a logger's package is installed and that W&B can be used.

    Raises:
        UsageError: It is not, there is no key for W&B, or its server does not answer.
    """
    if not logger or not logger["_target_"].endswith("WandbLogger"):
        return
    if find_spec("wandb") is None:
        raise missing_extra(ModuleNotFoundError(name="wandb"), "logger=wandb")
    if logger.get("offline") or os.environ.get("WANDB_MODE", "online") != "online":
        return
    server = urlsplit(os.environ.get("WANDB_BASE_URL") or "https://api.wandb.ai")
    host = server.hostname or ""
    remedy = "logger.offline=true logs into the results folder"
    if not os.environ.get("WANDB_API_KEY") and not _has_login(host):
        raise UsageError(f"logger=wandb: no key for {host}: run `wandb login` or set WANDB_API_KEY; {remedy}")
    try:
        socket.create_connection((host, server.port or (80 if server.scheme == "http" else 443)), timeout=10).close()
    except OSError as error:
        raise UsageError(f"logger=wandb: {host} does not answer ({error.strerror or error}); {remedy}") from error


def _has_login(host: str) -> bool:
    """Return whether ``wandb login`` has left a key for a server."""
    path = Path(os.environ.get("NETRC") or ("~/_netrc" if os.name == "nt" else "~/.netrc")).expanduser()
    try:
        return netrc(path).authenticators(host) is not None
    except (OSError, NetrcParseError, UnicodeDecodeError):
        return False


def build_logger(logger: Mapping[str, Any], config: Mapping[str, Any], folder: Path, **arguments: Any) -> "Logger":
    """Make one of Lightning's loggers, and log the options as hyperparameters.

    Raises:
        UsageError: A value is not what it takes, or its package is not installed.
    """
    made = instantiate({**logger, "save_dir": str(folder)}, "logger", **arguments)
    made.log_hyperparams(dict(config))
    return made


def evaluation_log(logger: Mapping[str, Any], config: Mapping[str, Any], folder: Path) -> Callable[..., None]:
    """Open the log of an evaluation, and log the options as hyperparameters.

    Args:
        logger: The option.
        config: All options as composed.
        folder: The results folder.

    Returns:
        A function that logs figures, table and picture (:func:`cover.reporting.loggers.log_evaluation`).

    Raises:
        UsageError: A value is not what it takes, or its package is not installed.
    """
    from cover.reporting.loggers import log_evaluation, write_csv_log

    if logger["_target_"].endswith(".CSVLogger"):  # the default: not worth importing Lightning for
        place = folder / logger["version"]
        write_text(place / "hparams.yaml", yaml.safe_dump(dict(config), sort_keys=False))
        return partial(write_csv_log, place)
    return partial(log_evaluation, build_logger(logger, config, folder))


def quiet_lightning() -> None:
    """Leave out what Lightning says that our users cannot act on."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for message in (
        ".*does not have many workers.*",
        "Couldn't infer the batch indices.*",
        ".*treespec.*",
        "Your `IterableDataset` has `__len__` defined.*",
        "Found .* module.* in eval mode.*",
        ".*anonymous setting.*",
        ".*sync_dist=True.*",  # our figures are global
        ".*all_gather is deprecated.*",
        "Checkpoint directory .* exists and is not empty.*",
    ):
        warnings.filterwarnings("ignore", message=message, module="lightning")
    # A rank may have no video to validate on.
    warnings.filterwarnings("ignore", message="The ``compute`` method of metric Predictions .*", category=UserWarning)
