"""Arguments as people type them, turned into what Hydra's grammar understands."""

import difflib
import glob
import os
import re
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from hydra.core.override_parser.types import Quote, QuotedString

from cover.config.describe import ANY, path_options
from cover.config.options.types import at_home
from cover.config.resolvers import names_table
from cover.errors import UsageError, renamed
from cover.tables import JSON, PARQUET, SPREADSHEETS, TABLES

_TABLE_SUFFIXES = {".txt", *TABLES}
_NO_TABLE = {".tsv", ".txt", PARQUET, *JSON, *SPREADSHEETS}  # output= writes .csv only
_SWEEP_FLAGS = {"-m", "--multirun"}
_FLAGS_WITH_VALUE = {"--config-dir", "-cd", "--config-name", "-cn", "--config-path", "-cp", "--cfg", "-c"}
_FLAGS_WITH_VALUE |= {"--package", "-p", "--experimental-rerun"}
_FLAGS = _FLAGS_WITH_VALUE | _SWEEP_FLAGS | {"--run", "--resolve", "--info", "--shell-completion"}
_FLAGS |= {"--help", "--hydra-help", "--version"}
# Options that name the videos themselves, so that data= is not needed.
_NAMES_DATA = ("data=", "experiment=", "predictions=")
# What a table is read by may be any character or header: data.separator=; data.decimal=,
_TABLE_TEXTS = re.compile(
    r"(?:data|validation|also\.\w+)\.(?:separator|decimal|sheet|column|mos|(?:start|end)(?:_frame)?)"
    r"|ratings\.(?:video|rater|rating|raters)|columns\.(?:path|mos|overall|semantic|technical|aesthetic|ci95|std|n)"
)
# Options that have another name now; the old one goes in 0.9.
_RENAMED = (
    (r"data\.(screening|threshold|scale)", r"ratings.\1"),
    (r"protocol\.part", "protocol.{}"),  # which depends on the command
    (r"augment\.draws", "augment.samplings"),
    (r"auxiliary\.weight", "auxiliary.factor"),
    (r"by_content\.clips", "by_content.videos"),
    (r"(also\.\w+)\.weight", r"\1.share"),
)


def rewrite(task: str, arguments: Sequence[str], datasets: Sequence[str], recipes: Sequence[str] = ()) -> list[str]:
    """Turn paths on the command line into what Hydra's grammar understands.

    ``data=`` selects a config group in Hydra; here its value may also be a path or a glob, which becomes
    ``data=folder data.path=...`` or, for a ``.csv``, ``.tsv``, ``.txt`` or ``.parquet`` file,
    ``data=table data.path=...``. A config's name wins over a file of that name, and ``predictions=FILE`` alone makes
    that table the data. In a multirun, values with commas are sweeps as always.

    Args:
        task: ``infer``, ``evaluate`` or ``train``.
        arguments: As the shell gave them, without the program's name.
        datasets: Names of the configs in ``configs/data``.
        recipes: Names of the experiments that leave open which data.

    Returns:
        The arguments for Hydra.

    Raises:
        UsageError: ``data=`` is missing, or its value is neither a known name nor an existing path; or ``output=``
            names a file that is not written.
    """
    flags = {argument for argument in arguments if argument.startswith("-")}
    sweeping = bool(flags & _SWEEP_FLAGS)
    rewritten: list[str] = []
    _check_form(arguments, datasets)
    for argument in arguments:
        old, equals, value = argument.partition("=")
        key = _current(old, task)
        if key != old and any(other.startswith(f"{key}=") for other in arguments):
            raise UsageError(f"{old}= and {key}= are one option; leave the first one out")
        if key == "data" and equals:
            rewritten += _data(value, datasets, sweeping)
            continue
        if key.partition(".")[0] == "segments" and task != "infer":
            raise UsageError(f"{argument}: an option of infer; a table with columns start and end names parts")
        if key == "segments" and not value.startswith("{"):
            key = "segments.by"
        if key == "output":
            _check_output(value, task, sweeping)
        literal = equals and _takes_literal(key.lstrip("+"), value)
        value = at_home(value) if literal else value
        literal = literal and not _is_hydra_syntax(value, sweeping)
        if literal and _is_several(key.lstrip("+"), value):
            value, literal = _listed(value), False
        rewritten.append(f"{key}={_quoted(value)}" if literal else f"{key}{equals}{value}")
    predictions = next((argument for argument in rewritten if argument.startswith("predictions=")), None)
    if predictions and not any(argument.startswith(("data=", "experiment=")) for argument in rewritten):
        first = next(argument.partition("=")[2] for argument in arguments if argument.startswith("predictions="))
        first = first if os.path.lexists(first) else first.strip("[]").split(",")[0].strip("'\" ")
        # Of a sweep, each job's own table has its MOS.
        rewritten += ["data=table", "data.path=${predictions}" if sweeping else f"data.path={_quoted(at_home(first))}"]
    if sweeping and not any(argument.startswith(("output=", "hydra.sweep.dir=")) for argument in rewritten):
        rewritten.append(f"hydra.sweep.dir=outputs/{task}/multirun-{datetime.now():%Y%m%d-%H%M%S}")
    naming = [argument for argument in rewritten if argument.startswith(_NAMES_DATA)]
    if not flags - _SWEEP_FLAGS - _config_flags(arguments) and {*naming} <= {f"experiment={name}" for name in recipes}:
        meant = next((argument.partition("=")[2] for argument in arguments if _is_like_data(argument)), "")
        hint = f"; did you mean data={meant}?" if meant else ""
        names = ", ".join(sorted(datasets))
        raise UsageError(f"no input: pass data=PATH or data=NAME ({names}); --help shows more{hint}")
    return _flags_last(rewritten)


def _is_like_data(argument: str) -> bool:
    return bool(difflib.get_close_matches(argument.partition("=")[0], ["data"], n=1))


def _flags_last(arguments: Sequence[str]) -> list[str]:
    """Move Hydra's flags, with their values, behind the options: its parser does not take options on both sides."""
    options: list[str] = []
    flags: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        if argument.startswith("-"):
            flag, equals, value = argument.partition("=")
            value = at_home(value)
            flags += [f"{flag}{equals}{value}"]
            flags += [at_home(next(waiting, ""))] if argument in _FLAGS_WITH_VALUE else []
        else:
            options.append(argument)
    return options + flags


def config_dirs(arguments: Sequence[str]) -> list[Path]:
    """List the folders of configs that ``--config-dir`` (``-cd``) names."""
    folders = []
    for place, argument in enumerate(arguments):
        flag, equals, value = argument.partition("=")
        if flag in ("--config-dir", "-cd"):
            folders.append(value if equals else next(iter(arguments[place + 1 : place + 2]), ""))
    return [Path(at_home(folder)) for folder in folders]


def _config_flags(arguments: Sequence[str]) -> set[str]:
    return {argument for argument in arguments if argument.partition("=")[0] in ("--config-dir", "-cd")}


def _current(key: str, task: str) -> str:
    """The name that an option has now."""
    plus, name = key[: len(key) - len(key.lstrip("+"))], key.lstrip("+")
    for pattern, new in _RENAMED:
        if re.fullmatch(pattern, name):
            today = re.sub(pattern, new.format("validation" if task == "train" else "split"), name)
            sys.stderr.write(f"warning: {renamed(f'{name}=', f'{today}=')}\n")  # logging is not set up yet
            return plus + today
    return key


def _takes_literal(option: str, value: str) -> bool:
    """Return whether a value is a path, or a text of a table, that has to be taken as it is."""
    if _TABLE_TEXTS.fullmatch(option):
        return True
    for known in path_options():
        if re.fullmatch(re.escape(known.name).replace(re.escape(ANY), r"\w+"), option):
            # Of an option for several, [a,b] is Hydra's list.
            several = known.is_list and value.startswith("[") and value.endswith("]")
            return os.path.lexists(value) or not several
    return False


def _is_several(option: str, value: str) -> bool:
    """Return whether a value is several tables or results folders with commas between them."""
    return option == "predictions" and "," in value and not os.path.lexists(value)


def _listed(value: str) -> str:
    """Paths with commas between them as Hydra's list."""
    return "[" + ",".join(_quoted(at_home(part.strip())) for part in value.split(",") if part.strip()) + "]"


def _check_output(value: str, task: str, sweeping: bool) -> None:
    suffix = Path(value).suffix.lower()
    if suffix in _NO_TABLE and not Path(value).is_dir():
        raise UsageError(f"output={value}: tables are written as .csv; name one, or a folder")
    if names_table(value) and (sweeping or task == "train"):
        what = "a multirun" if sweeping else "training"
        raise UsageError(f"output={value}: {what} writes a folder; name one, such as output={Path(value).stem}")


def _check_form(arguments: Sequence[str], datasets: Sequence[str]) -> None:
    """Refuse what is no ``key=value`` but could be meant as one, and data that is named twice."""
    given = [argument for argument in arguments if argument.startswith("data=")]
    if len(given) > 1:
        raise UsageError(
            f"{' '.join(given)}: data= is given {len(given)} times; name a folder, a glob or a list that holds them all"
        )
    if "=" in arguments:
        raise UsageError("do not put spaces around =; write key=value, such as data=mydir")
    flag = ""
    for argument in arguments:
        waiting = flag in _FLAGS_WITH_VALUE | {"--info", "-i", "--shell-completion", "-sc"}
        flag = argument
        deletion = argument.startswith("~") and "/" not in argument  # Hydra's: ~optimizer.momentum
        if waiting or deletion or "=" in argument or argument.startswith("-"):
            if argument.startswith("--") and argument.partition("=")[0] not in _FLAGS and not waiting:
                name, equals, value = argument.removeprefix("--").partition("=")
                raise UsageError(f"{argument}: options have no dashes: {name}={value if equals else 'VALUE'}")
            continue
        if os.path.lexists(argument) or argument in datasets or glob.has_magic(argument):
            raise UsageError(f"{argument}: options are key=value: data={argument}")
        raise UsageError(f"{argument}: options are key=value, such as data={argument}")


def _data(value: str, datasets: Sequence[str], sweeping: bool) -> list[str]:
    value = value if os.path.lexists(value) and not value.startswith("~") else at_home(value)
    if value in datasets or (sweeping and all(part in datasets for part in value.split(","))):
        return [f"data={value}"]
    if re.match(r"[a-z][a-z0-9+.-]+://", value, re.IGNORECASE):
        raise UsageError(f"data={value}: links are not read; download it and name the file")
    if Path(value).suffix.lower() == ".mat":
        raise UsageError(f"data={value}: a MATLAB file; give it as data.annotation= of its dataset: data=konvid_1k ...")
    # A name with * or [ in it that exists is that file, not a pattern.
    if os.path.lexists(value) or (glob.has_magic(value) and glob.glob(value, recursive=True)):  # noqa: PTH207
        table = Path(value).suffix.lower() in _TABLE_SUFFIXES and Path(value).is_file()
        return [f"data={'table' if table else 'folder'}", f"data.path={_quoted(value)}"]
    if glob.has_magic(value):
        raise UsageError(f"data={value}: the glob matches no file")
    close = difflib.get_close_matches(value, datasets, n=1) or difflib.get_close_matches(value, _beside(value), n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise UsageError(
        f"data={value!r} is neither an existing path nor a known dataset ({', '.join(sorted(datasets))}){hint}"
    )


def _beside(value: str) -> list[str]:
    """Paths beside the one that is not there, for a suggestion."""
    parent = os.path.dirname(value)  # noqa: PTH120 - keeps the form that the user wrote
    try:
        return [os.path.join(parent, name) for name in os.listdir(parent or ".") if name[0] != "."]  # noqa: PTH118, PTH208
    except OSError:
        return []


def _is_hydra_syntax(value: str, sweeping: bool) -> bool:
    """Values that the user has quoted for Hydra, null, interpolations, and sweeps in a multirun."""
    if os.path.lexists(value):
        return False
    quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "'\""
    return quoted or value in {"", "null"} or value.startswith("${") or (sweeping and "," in value)


def _quoted(value: str) -> str:
    """``value`` as one literal string in Hydra's grammar, whatever characters it has."""
    # Hydra's quotes do not keep OmegaConf from seeing an interpolation in ${...}; a backslash does, and backslashes in
    # front of it are doubled.
    literal = re.sub(r"(\\*)\$\{", lambda match: match[1] * 2 + r"\${", value)
    return QuotedString(literal, Quote.single).with_quotes()
