"""Classes that options name by ``_target_``, with errors that name the option."""

import traceback
from collections.abc import Mapping
from typing import Any

import hydra
from hydra.errors import InstantiationException

from cover.errors import CoverError, UsageError, is_full_disk

_EXTRAS = {  # what a base install lacks -> the extra that has it
    "wandb": "wandb",
    "h5py": "datasets",
    "timm": "backbones",
    "open_clip": "backbones",
    "python_calamine": "datasets",
    "pyarrow": "datasets",
}


def missing_extra(error: ModuleNotFoundError, what: str) -> UsageError:
    """Say what to install for a package that is not there.

    Raises:
        ModuleNotFoundError: The same error, where it is about a package that no extra has.
    """
    package = _missing_package(error)
    if package not in _EXTRAS:
        raise error
    return UsageError(f"{what} needs {package}: pip install 'cover-vqa[{_EXTRAS[package]}]'")


def _missing_package(error: ModuleNotFoundError) -> str:
    # Errors that Lightning raises itself have no name; their text has it.
    named = (error.name or "").split(".")[0]
    return named or next((known for known in _EXTRAS if known in str(error)), "")


def instantiate(node: Mapping[str, Any], option: str, **arguments: Any) -> Any:
    """Run Hydra's ``instantiate`` on plain, resolved options.

    Args:
        node: With ``_target_``.
        option: The option that holds it, for messages.
        arguments: Further arguments of the target.

    Raises:
        UsageError: A value is not what the target takes, or the target cannot be imported.
    """
    # Hydra would look for interpolations again; in resolved text, ${ is part of somebody's file name.
    texts = {key: value for key, value in node.items() if isinstance(value, str) and not key.startswith("_")}
    others = {key: value for key, value in node.items() if key not in texts}
    try:
        factory = hydra.utils.instantiate({**others, "_partial_": True}, _convert_="all")
        return factory(**texts, **arguments)
    except InstantiationException as error:
        cause = error.__cause__
        while cause is not None and not isinstance(cause, ModuleNotFoundError) and cause.__cause__ is not None:
            cause = cause.__cause__
        if isinstance(cause, ModuleNotFoundError):
            raise _not_importable(cause, node, option) from error
        if isinstance(cause, (ValueError, TypeError, ImportError, AttributeError)):
            raise UsageError(f"{option}: {cause}") from error
        # Such as a target that Hydra does not call.
        raise UsageError(f"{option}: {(str(error).splitlines() or [type(error).__name__])[0]}") from error
    except ModuleNotFoundError as error:
        raise _not_importable(error, node, option) from error
    except (ValueError, TypeError) as error:
        raise UsageError(f"{option}: {error}") from error
    except Exception as error:
        if type(error).__name__ == "MisconfigurationException":  # Lightning's, which is not imported for its name
            raise UsageError(f"{option}: {error}") from error
        target = str(node.get("_target_"))
        if isinstance(error, CoverError) or is_full_disk(error) or target.startswith("cover."):
            raise
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise UsageError(
            f"{option}: {target} ends with {type(error).__name__}: {error} ({place.filename}, line {place.lineno})"
        ) from error


def _not_importable(error: ModuleNotFoundError, node: Mapping[str, Any], option: str) -> UsageError:
    """Say why the target of a node cannot be imported: an extra, or a module that Python does not find."""
    if _missing_package(error) in _EXTRAS:
        return missing_extra(error, option)
    target = str(node.get("_target_"))
    if error.name == target:
        module, _, name = target.rpartition(".")
        return UsageError(f"{option}: the module {module} has no {name!r}")
    if error.name and not f"{target}.".startswith(f"{error.name}."):
        return UsageError(f"{option}: {target} needs the module {error.name!r}, which is not installed")
    return UsageError(
        f"{option}: no module named {error.name!r}; put it in the folder of --config-dir or on PYTHONPATH"
    )
