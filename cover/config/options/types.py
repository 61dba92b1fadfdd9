"""Types of options: what a number may be, paths that begin at home, and the base of every node."""

import logging
import os
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from cover.curves import Fit
from cover.errors import renamed

log = logging.getLogger(__name__)


def _number(kinds: tuple[type, ...], fits: Callable[[Any], bool], words: str) -> BeforeValidator:
    """Accept numbers of some types that fit; bool is not one of them."""

    def check(value: object) -> object:
        if type(value) not in kinds or not fits(value):
            raise ValueError(f"takes {words}")
        return value

    return BeforeValidator(check)


def _is_positive(value: object) -> bool:
    return isinstance(value, (int, float)) and value > 0


def members(annotation: Any, *, inside: bool = True) -> Sequence[Any]:
    """List the types in a union and, unless ``inside`` is false, those in containers."""
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        return [found for part in get_args(annotation) for found in members(part, inside=inside)]
    if origin in (list, dict) and inside:
        return [found for part in get_args(annotation) for found in members(part)]
    return [annotation]


def at_home(value: Any) -> Any:
    """Expand ~ at the start of a path, or of each of several, to the home folder; few shells do so behind a ``=``."""
    if isinstance(value, list):
        return [at_home(part) for part in value]
    return os.path.expanduser(value) if isinstance(value, str) else value  # noqa: PTH111 - keeps the form it is in


def _current_fit(value: object) -> object:
    """Accept the earlier name of a fit, with a warning."""
    if value == "logistic":
        log.warning("%s", renamed("fit=logistic", "fit=logistic4"))
        return "logistic4"
    return value


PositiveInt = Annotated[int, _number((int,), lambda n: n > 0, "a positive number")]
PositiveFloat = Annotated[float, _number((int, float), lambda n: n > 0, "a positive number")]
WholeNumber = Annotated[int, _number((int,), lambda n: n >= 0, "a whole number")]
NonNegative = Annotated[float, _number((int, float), lambda n: n >= 0, "a number, 0 for none")]
SegmentLength = Annotated[
    float | Literal["shots"],
    _number((int, float, str), lambda by: by == "shots" or _is_positive(by), "seconds, such as 10, or shots"),
]
Fraction = Annotated[float, _number((float,), lambda n: 0 < n < 1, "a number between 0 and 1, or null")]
Free = dict[str, Any]
FitOption = Annotated[Fit, BeforeValidator(_current_fit)]
Splits = Literal["full", "random", "grouped", "column", "file"]


class Options(BaseModel):
    """A node of the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        paths = {name for name, field in cls.model_fields.items() if Path in members(field.annotation)}
        return {name: at_home(value) if name in paths else value for name, value in values.items()}
