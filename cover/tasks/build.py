"""From a composed config to objects, with errors that name the option."""

from typing import Any

import hydra
from hydra.errors import InstantiationException
from lightning.fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from cover.errors import UsageError


def plain(cfg: DictConfig) -> dict[str, Any]:
    """The config as plain data, every interpolation resolved.

    Raises:
        UsageError: A mandatory option has no value, or an interpolation leads nowhere.
    """
    try:
        container = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        if isinstance(error.__cause__, UsageError):
            raise error.__cause__ from error
        raise UsageError(f"{error.full_key or 'config'}: {str(error).splitlines()[0]}") from error
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


def build(options: dict[str, Any], name: str, **arguments: Any) -> Any:
    """Hydra's ``instantiate`` on plain, resolved options.

    Args:
        options: With ``_target_``, as :func:`plain` gives them.
        name: The option that holds them, for messages.
        arguments: Further arguments of the target.

    Raises:
        UsageError: A value is not what the target takes.
    """
    # Hydra would look for interpolations again; in resolved text, ${ is part of somebody's file name.
    texts = {key: value for key, value in options.items() if isinstance(value, str) and not key.startswith("_")}
    others = {key: value for key, value in options.items() if key not in texts}
    try:
        factory = hydra.utils.instantiate({**others, "_partial_": True}, _convert_="all")
        return factory(**texts, **arguments)
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, (ValueError, TypeError)):
            raise UsageError(f"{name}: {cause}") from error
        raise
    except (ValueError, TypeError, MisconfigurationException) as error:
        raise UsageError(f"{name}: {error}") from error
