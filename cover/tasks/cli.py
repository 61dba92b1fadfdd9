"""The command line: plain Hydra, but for paths, which need no Hydra quoting, and for exit codes that mean something.

Nothing heavy is imported here: worker processes import the entry script again when they start.
"""

import difflib
import glob
import importlib
import logging
import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import hydra
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from cover.errors import CoverError, UsageError

log = logging.getLogger(__name__)

EXIT_OK = 0
EXIT_SOME_FAILED = 1
EXIT_USAGE = 2
EXIT_UNEXPECTED = 70  # EX_SOFTWARE of sysexits.h
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it

# Options whose value is a path: taken literally, so that only the shell's quoting is needed.
_PATH_OPTIONS = {
    *("data.path", "data.root", "data.annotation", "weights", "clip_weights", "output", "predictions"),
    *("views.replay", "protocol.file", "protocol.write", "cache.dir"),
}
_PATH_OPTION = re.compile(r"(also\.\w+|validation)\.(path|root|annotation)")  # of further datasets
_TABLE_SUFFIXES = {".csv", ".tsv", ".txt", ".parquet"}
_SWEEP_FLAGS = {"-m", "--multirun"}
# Options that name the videos themselves, so that data= is not needed.
_NAMES_DATA = ("data=", "experiment=", "predictions=")


def run(task: str) -> NoReturn:
    """Runs an entry script: composes ``configs/<task>.yaml``, calls ``cover.tasks.<task>`` and exits with its code."""
    configs = Path(sys.argv[0]).resolve().parent / "configs"
    codes = [EXIT_OK]

    def job(cfg: DictConfig) -> None:
        codes.append(_guarded(task, cfg))

    OmegaConf.register_new_resolver("stem", _stem, replace=True)
    OmegaConf.register_new_resolver("dataset_folder", _dataset_folder, replace=True)
    OmegaConf.register_new_resolver("shipped", _shipped, replace=True)
    # What schedulers send ends a run as Ctrl-C does; Lightning alone would note it and go on.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # Hydra raises what it would print with a trace; one line does here
    try:
        sys.argv[1:] = rewrite(
            sys.argv[1:],
            datasets=[path.stem for path in (configs / "data").glob("*.yaml")],
            recipes=[path.stem for path in (configs / "experiment").glob("*.yaml") if not _chooses_data(path)],
        )
        hydra.main(version_base="1.3", config_path=str(configs), config_name=task)(job)()
    except OverrideParseException as error:
        _say(UsageError(f"{error.override}: {error}"))
        sys.exit(EXIT_USAGE)
    except (UsageError, HydraException, OmegaConfBaseException, OSError) as error:
        # A resolver's own words are in the cause; an OSError is about the results folder, which Hydra makes.
        _say(error.__cause__ if isinstance(error.__cause__, UsageError) else error)
        sys.exit(EXIT_USAGE)
    except SystemExit as exit_:  # --help and the like
        sys.exit(EXIT_USAGE if exit_.code else EXIT_OK)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    sys.exit(max(codes))


def rewrite(arguments: Sequence[str], datasets: Sequence[str], recipes: Sequence[str] = ()) -> list[str]:
    """Turns paths on the command line into what Hydra's grammar understands.

    ``data=`` selects a config group in Hydra; here its value may also be a path or a glob, which becomes
    ``data=folder data.path=...`` or, for a ``.csv``, ``.tsv``, ``.txt`` or ``.parquet`` file,
    ``data=table data.path=...``. A config's name wins over a file of that name, and ``predictions=FILE`` alone makes
    that table the data. In a multirun, values with commas are sweeps as always.

    Args:
        arguments: As the shell gave them, without the program's name.
        datasets: Names of the configs in ``configs/data``.
        recipes: Names of the experiments that leave open which data.

    Returns:
        The arguments for Hydra.

    Raises:
        UsageError: ``data=`` is missing, or its value is neither a known name nor an existing path.
    """
    flags = {argument for argument in arguments if argument.startswith("-")}
    sweeping = bool(flags & _SWEEP_FLAGS)
    rewritten: list[str] = []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if key == "data" and equals:
            rewritten += _data(value, datasets, sweeping)
        elif equals and _takes_path(key.lstrip("+")) and not _is_hydra_syntax(value, sweeping):
            rewritten.append(f"{key}={_quoted(value)}")
        else:
            rewritten.append(argument)
    predictions = next((argument for argument in rewritten if argument.startswith("predictions=")), None)
    if predictions and not any(argument.startswith(("data=", "experiment=")) for argument in rewritten):
        rewritten += ["data=table", f"data.path={predictions.partition('=')[2]}"]
    naming = [argument for argument in rewritten if argument.startswith(_NAMES_DATA)]
    if not flags - _SWEEP_FLAGS and {*naming} <= {f"experiment={recipe}" for recipe in recipes}:
        raise UsageError(
            f"say which videos: data=PATH, or a dataset: {', '.join(sorted(datasets))} (--help shows more)"
        )
    return rewritten


def _takes_path(option: str) -> bool:
    return option in _PATH_OPTIONS or _PATH_OPTION.fullmatch(option) is not None


def _chooses_data(experiment: Path) -> bool:
    return "override /data:" in experiment.read_text(encoding="utf-8")


def _data(value: str, datasets: Sequence[str], sweeping: bool) -> list[str]:
    if value in datasets or (sweeping and all(part in datasets for part in value.split(","))):
        return [f"data={value}"]
    # A name with * or [ in it that exists is that file, not a pattern.
    if os.path.lexists(value) or (glob.has_magic(value) and glob.glob(value, recursive=True)):  # noqa: PTH207
        table = Path(value).suffix.lower() in _TABLE_SUFFIXES and Path(value).is_file()
        return [f"data={'table' if table else 'folder'}", f"data.path={_quoted(value)}"]
    close = difflib.get_close_matches(value, datasets, n=1) or difflib.get_close_matches(value, _beside(value), n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise UsageError(
        f"data={value!r} is neither an existing path nor a known dataset ({', '.join(sorted(datasets))}){hint}"
    )


def _beside(value: str) -> list[str]:
    """Paths beside the one that is not there, for a suggestion."""
    parent = os.path.dirname(value)  # noqa: PTH120 - keeps the form that the user wrote
    try:
        return [os.path.join(parent, name) for name in os.listdir(parent or ".")]  # noqa: PTH118, PTH208
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


def _stem(path: object) -> str:
    """A folder name made of the last part of a path: ``clips/day 1`` -> ``day_1``, ``a/*.mp4`` -> ``a``."""
    parts = [part for part in Path(str(path)).absolute().parts if not glob.has_magic(part)]
    return re.sub(r"[^\w.-]+", "_", parts[-1], flags=re.ASCII).strip("_") or "data"


def _dataset_folder(name: str) -> str:
    """The folder of a dataset that ``data.root`` does not name: one of its name in ``$COVER_DATASETS``."""
    folder = os.environ.get("COVER_DATASETS")
    if not folder:
        raise UsageError(f"name the folder of {name} with data.root=DIR, or the one that holds it with COVER_DATASETS")
    return str(Path(folder, name))


def _shipped(model: str) -> str:
    """The weights of a model that come with the package."""
    from cover.weights import SHIPPED  # not above: this imports torch, which --help can do without

    return str(SHIPPED[model])


def _guarded(task: str, cfg: DictConfig) -> int:
    """Runs one job; whatever happens becomes an exit code, so that a multirun goes on with the next job."""
    try:
        return int(getattr(importlib.import_module(f"cover.tasks.{task}"), task)(cfg))
    except CoverError as error:
        _say(error)
        return EXIT_USAGE
    except (KeyboardInterrupt, SystemExit):  # Lightning turns the first into the second
        log.warning("stopped; the same command goes on from here")
        raise KeyboardInterrupt from None
    except Exception:
        log.exception("unexpected error; please report it with this trace")
        return EXIT_UNEXPECTED


def _say(error: BaseException) -> None:
    line = " ".join(str(error).split())
    sys.stderr.write("error: " + line.encode("utf-8", "backslashreplace").decode() + "\n")
