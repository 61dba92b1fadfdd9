"""Composed configs as typed options, with one line for what is wrong."""

import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException
from pydantic import ValidationError
from pydantic_core import ErrorDetails

import cover
from cover.config.options.data import DataOptions
from cover.config.options.types import Options
from cover.errors import UsageError, own_words

T = TypeVar("T", bound=Options)

_WORDS = {  # for pydantic's names of what is wrong
    **dict.fromkeys(("path_type", "string_type"), "a text, such as a path or a name"),
    **dict.fromkeys(("bool_parsing", "bool_type"), "true or false"),
    **dict.fromkeys(("int_parsing", "int_type", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_parsing", "float_type"), "a number"),
    **dict.fromkeys(("dict_type", "model_type", "dataclass_type"), "a node: name=value inside it"),
    "list_type": "a list, such as [a,b]",
}


def config_folder() -> Path:
    """Locate the configs: in the package where it is installed, else at the root of the checkout."""
    package = Path(cover.__file__).resolve().parent
    installed = package / "_configs"
    return installed if installed.is_dir() else package.parent / "configs"


def resolved(cfg: DictConfig) -> dict[str, Any]:
    """Resolve a config into plain data.

    Raises:
        UsageError: A mandatory option has no value, an interpolation leads nowhere, or a dataset has an unknown option.
    """
    _check_datasets(cfg)
    _complete_datasets(cfg)
    try:
        container = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        if isinstance(own := own_words(error), UsageError):
            raise own from error
        if isinstance(error, MissingMandatoryValue):
            raise UsageError(f"{error.full_key}: has no value; give {error.full_key}=VALUE") from error
        raise UsageError(f"{error.full_key or 'config'}: {str(error).splitlines()[0]}") from error
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


def _check_datasets(cfg: DictConfig) -> None:
    """Refuse options of datasets that are neither common to all nor referred to by the dataset's own ``rows``."""
    for option, node in _datasets(cfg).items():
        used = set(re.findall(r"[.{](\w+)", " ".join(_interpolations(OmegaConf.to_container(node, resolve=False)))))
        known = [*DataOptions.model_fields, *used]
        if unknown := [str(name) for name in node if name not in known]:
            close = difflib.get_close_matches(unknown[0], known, n=1)
            hint = f"; did you mean {close[0]}?" if close else f"; its rows: refers to no ${{..{unknown[0]}}}"
            raise UsageError(f"{option}.{unknown[0]}: there is no such option{hint}")


def _complete_datasets(cfg: DictConfig) -> None:
    """Give further datasets the options that every dataset has; ``configs/scoring.yaml`` does so for ``data``."""
    further = {place: node for place, node in _datasets(cfg).items() if place != "data"}
    if not further:
        return
    usual = OmegaConf.load(config_folder() / "data" / "_files.yaml")
    with open_dict(cfg):
        for place, node in further.items():
            OmegaConf.update(cfg, place, OmegaConf.merge(usual, node), merge=False)


def _datasets(cfg: DictConfig) -> dict[str, DictConfig]:
    """List the nodes of datasets by the options that hold them."""
    nodes = {"data": cfg.get("data"), "validation": cfg.get("validation")}
    nodes |= {f"also.{name}": node for name, node in (cfg.get("also") or {}).items()}
    return {option: node for option, node in nodes.items() if isinstance(node, DictConfig)}


def _interpolations(container: Any) -> Iterator[str]:
    """Give every ``${...}`` in unresolved plain data."""
    if isinstance(container, str):
        yield from re.findall(r"\$\{.*\}", container)
    elif isinstance(container, (dict, list)):
        for inner in container.values() if isinstance(container, dict) else container:
            yield from _interpolations(inner)


def checked(options: dict[str, Any], schema: type[T]) -> T:
    """Validate plain data.

    Args:
        options: What :func:`resolved` gives.
        schema: What it should be.

    Raises:
        UsageError: An option is missing, unknown, or has a value that it does not take; the message names the first.
    """
    try:
        return schema.model_validate(options)
    except ValidationError as error:
        raise UsageError(_line(error.errors())) from error


def _line(errors: list[ErrorDetails]) -> str:
    """One line for what is wrong first; of a value that fits none of several types, what the last one would take."""
    first = errors[0]
    option = ".".join(str(part) for part in first["loc"] if _is_name(part))
    alike = [error for error in errors if error["loc"][: len(option.split("."))] == tuple(option.split("."))]
    kind, value = alike[-1]["type"], alike[-1]["input"]
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{option}: there is no such option"
    if kind == "missing":
        return f"{option}: is missing"
    option = option.removesuffix(".by")  # as it is typed: segments=10 sets segments.by
    if kind == "value_error":
        message = str(alike[-1]["ctx"]["error"])
        return f"{option}: {message}" if isinstance(value, dict) else f"{option}={value}: {message}"
    if kind == "literal_error":
        expected = str(alike[-1]["ctx"]["expected"]).replace("'", "").replace(" or ", ", ")
        return f"{option}={value}: takes one of {expected}"
    words = _WORDS.get(kind) or alike[-1]["msg"].removeprefix("Input should be ")
    return f"{option}={value}: takes {words}"


def _is_name(part: int | str) -> bool:
    # Of a union, pydantic names the member too: "literal['auto']", "function-before[...]".
    return isinstance(part, int) or (part.isidentifier() and part not in ("int", "float", "str", "path", "none"))
