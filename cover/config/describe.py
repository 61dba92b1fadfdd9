"""The schema as a list of options: for paths on the command line, for ``--help`` and for docs/options.md."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_origin

from omegaconf import OmegaConf

from cover.config.options.schemas import SCHEMAS
from cover.config.options.types import Options, members

ANY = "*"
"""In the name of an option: any one name."""


class Option(NamedTuple):
    """One option of a command.

    Attributes:
        name: As on the command line, without ``=``.
        annotation: Its type.
        meaning: Description; None where others say it.
    """

    name: str
    annotation: Any
    meaning: str | None

    @property
    def is_path(self) -> bool:
        """Return whether its value is a path, taken literally on the command line."""
        return Path in members(self.annotation)

    @property
    def is_list(self) -> bool:
        """Return whether its value may be several."""
        return any(get_origin(member) is list for member in members(self.annotation, inside=False))


def options_of(schema: type[Options], prefix: str = "") -> Iterator[Option]:
    """List every option of a schema, those of its nodes included."""
    for name, field in schema.model_fields.items():
        whole = f"{prefix}{name}"
        yield Option(whole, field.annotation, field.description)
        for member in members(field.annotation):
            if isinstance(member, type) and issubclass(member, Options):
                inside = f"{whole}.{ANY}." if get_origin(field.annotation) is dict else f"{whole}."
                yield from options_of(member, inside)
            elif dataclasses.is_dataclass(member):
                yield from (Option(f"{whole}.{part.name}", part.type, None) for part in dataclasses.fields(member))


def path_options() -> list[Option]:
    """List the options whose values are paths, of all commands."""
    options = {option.name: option for schema in SCHEMAS.values() for option in options_of(schema) if option.is_path}
    return list(options.values())


def option_rows(task: str, defaults: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Tabulate the options of a command that have a meaning of their own: name, default, meaning.

    Args:
        task: ``infer``, ``evaluate`` or ``train``.
        defaults: ``configs/<task>.yaml`` as composed, not resolved.
    """
    rows = []
    for option in options_of(SCHEMAS[task]):
        if option.meaning is None or ANY in option.name or option.name.startswith("validation."):
            continue
        value = OmegaConf.select(OmegaConf.create(dict(defaults)), option.name, throw_on_resolution_failure=False)
        rows.append((f"{option.name}=", _shown(value), option.meaning))
    return rows


def _shown(value: object) -> str:
    """A default as it is typed; nothing for nodes and for what follows from other options."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float, str)) and "${" not in str(value) and value != "???":
        return str(value)
    return ""
