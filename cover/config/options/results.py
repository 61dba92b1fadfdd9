"""The options of the commands that work on results: few, so that they need no config files."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field

from cover.config.compose import checked
from cover.config.options.types import FitOption, Options, PositiveFloat, PositiveInt, WholeNumber, members
from cover.errors import UsageError


class ReportOptions(Options):
    """Options of ``report``."""

    folder: Path = Field(description="a results folder")
    fit: FitOption = Field("logistic4", description="curve from overall score to MOS")


class CompareOptions(Options):
    """Options of ``compare``."""

    a: Path = Field(description="results folder of run A")
    b: Path = Field(description="results folder of run B")
    output: Path | None = Field(None, description="where to; default: outputs/compare/A-B")
    fail_below: float | None = Field(
        None, description="exit with 3 when the mean change of overall is significantly below this"
    )
    resamples: PositiveInt = Field(9999, description="bootstrap resamplings of the means")


class SelectOptions(Options):
    """Options of ``select``."""

    folder: Path = Field(description="a results folder")
    expression: str = Field(description="a condition over columns, such as 'overall > 0.5'")
    by: str | None = Field(None, description="a column: quantiles and means are those of each group")
    output: Path | None = Field(None, description="a .csv, or a .txt of paths; default: DIR/selected.csv")


class GateOptions(Options):
    """Options of ``gate``."""

    folder: Path = Field(description="a results folder")
    expression: str = Field(description="a condition on all videos, such as 'mean(overall) > 0.3'")
    by: str | None = Field(None, description="a column: each of its groups must fulfil the condition")
    strict: bool = Field(False, description="true: a video that failed fails the gate, too")


class AppOptions(Options):
    """Options of ``app``."""

    model: Literal["cover_lite", "cover"] = Field("cover_lite", description="the model that is chosen at first")
    device: Literal["auto", "cpu", "gpu"] = Field("auto", description="the device that is chosen at first")
    host: str = Field("127.0.0.1", description="address to listen at; 0.0.0.0 lets other machines in")
    port: WholeNumber = Field(7860, description="port; 0: any that is free")
    hosts: str = Field(
        "", description="names that it may be reached by, such as vqa.example.org; default: this machine's; *: any"
    )
    upload_mb: PositiveInt = Field(200, description="largest upload, MB")
    uploads_mb: PositiveInt = Field(2000, description="largest sum of the uploads of an hour, MB")
    timeout: PositiveFloat = Field(60.0, description="seconds a video may take to decode")


COMMANDS: dict[str, type[Options]] = {
    "report": ReportOptions,
    "compare": CompareOptions,
    "select": SelectOptions,
    "gate": GateOptions,
    "app": AppOptions,
}
_OPTION = re.compile(r"([A-Za-z_]\w*)=(?!=)(.*)", re.DOTALL)


def positional(schema: type[Options]) -> list[str]:
    """Name the options that are given by their place: those without a default."""
    return [name for name, field in schema.model_fields.items() if field.is_required()]


def read_arguments(command: str, arguments: Sequence[str]) -> Any:
    """Read the arguments of a command.

    Args:
        command: Its name in :data:`COMMANDS`.
        arguments: As the shell gave them.

    Raises:
        UsageError: One is missing, unknown or one too many, or has a value that it does not take.
    """
    schema = COMMANDS[command]
    places, values = positional(schema), {}
    for argument in arguments:
        match = _OPTION.fullmatch(argument)
        if match and (match[1] in schema.model_fields or not places or match[1] not in places):
            values[match[1]] = _value(schema, match[1], match[2])
        else:
            left = [name for name in places if name not in values]
            if not left:
                raise UsageError(f"{argument}: cover {command} takes no further argument ({usage(command)})")
            values[left[0]] = argument
    if missing := [name for name in places if name not in values]:
        raise UsageError(f"{missing[0].upper()} is missing; {usage(command)}")
    return checked(values, schema)


def usage(command: str) -> str:
    """Give the usage of a command in a line."""
    places = " ".join(name.upper() for name in positional(COMMANDS[command]))
    return " ".join(f"usage: cover {command} {places} [key=value ...]".split())


def command_rows(schema: type[Options]) -> list[tuple[str, str, str]]:
    """Tabulate the options of a command: name, default, meaning; those given by their place in capitals."""
    rows = []
    for name, field in schema.model_fields.items():
        shown = name.upper() if field.is_required() else f"{name}="
        default = "" if field.is_required() or field.default is None else str(field.default)
        default = default.lower() if isinstance(field.default, bool) else default
        rows.append((shown, default, field.description or ""))
    return rows


def _value(schema: type[Options], name: str, text: str) -> Any:
    field = schema.model_fields.get(name)
    if field is None or {Path, str} & set(members(field.annotation)):
        return text
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text
