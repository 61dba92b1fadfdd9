"""Running a command: composing its config, calling its task, exiting with its code."""

import importlib
import logging
import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NoReturn

import hydra
import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

import cover
from cover.cli.arguments import config_dirs, rewrite
from cover.cli.dispatch import results_help, run_on_results
from cover.cli.help import OVERVIEW, command_help, groups
from cover.cli.interruption import EXIT_INTERRUPTED, was_interrupted
from cover.cli.streams import steady_streams
from cover.config.checkpoint import implied_options
from cover.config.compose import config_folder, resolved
from cover.config.describe import options_of
from cover.config.options.results import COMMANDS
from cover.config.options.schemas import SCHEMAS
from cover.config.resolvers import register_resolvers
from cover.errors import CoverError, UsageError, is_full_disk, own_words
from cover.files import check_plain, sole_writer
from cover.ranks import is_main_process
from cover.results.names import READ
from cover.text import meant, visible, width_of, wrapped

log = logging.getLogger(__name__)

_NO_ROOM = 65_536  # bytes
_FULL = "the disk is full; make room, and run the same command again: it continues"

EXIT_OK = 0
EXIT_SOME_FAILED = 1
EXIT_USAGE = 2
EXIT_UNEXPECTED = 70  # EX_SOFTWARE of sysexits.h

_FREE = (
    "trainer",
    "optimizer",
    "logger",
    "net",
    "also",
    "stages",
)  # nodes that hold other people's arguments, or names

_OTHER_COMMANDS = {
    **dict.fromkeys(("score", "predict", "test", "run", "inference", "rate"), "infer"),
    **dict.fromkeys(("eval", "benchmark", "measure", "validate"), "evaluate"),
    **dict.fromkeys(("fit", "finetune", "fine-tune"), "train"),
    **dict.fromkeys(("diff",), "compare"),
    **dict.fromkeys(("filter", "list"), "select"),
    **dict.fromkeys(("web", "serve", "gui", "ui"), "app"),
}
_OTHER_OPTIONS = {
    **dict.fromkeys(("device", "gpu", "gpus", "cuda", "accelerator"), "trainer=cpu, gpu or ddp"),
    **dict.fromkeys(("precision", "amp", "fp16", "bf16"), "trainer.precision"),
    **dict.fromkeys(("workers", "num_workers", "jobs"), "decode.workers"),
    **dict.fromkeys(("input", "path", "videos", "files", "dataset"), "data"),
    **dict.fromkeys(("out", "out_dir", "output_dir", "save", "save_dir"), "output"),
    **dict.fromkeys(("checkpoint", "ckpt", "ckpt_path", "pretrained"), "weights"),
    **dict.fromkeys(("bs", "batch"), "batch_size"),
    **dict.fromkeys(("epochs", "max_epochs"), "stages.heads.epochs"),
}
"""What other software calls commands and options."""

_ENVIRONMENT = {
    "HYDRA_FULL_ERROR": "1",  # Hydra raises what it would print with a trace
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "WANDB_ERROR_REPORTING": "false",  # which sends reports when the package is only imported
}


def main() -> NoReturn:
    """Run ``cover COMMAND [key=value ...]``, which pip installs."""
    with steady_streams():
        command, *arguments = sys.argv[1:] or [""]
        if command in ("-h", "--help"):
            _print(OVERVIEW)
            sys.exit(EXIT_OK)
        if command == "--version":
            _print(cover.__version__)
            sys.exit(EXIT_OK)
        if command in COMMANDS:
            _run_on_results(command, arguments)
        if command not in SCHEMAS:
            names = [*SCHEMAS, *COMMANDS]
            there = f"{command}: there is no such command ({', '.join(names)}){_command_meant(command, names)}"
            _say(UsageError(there if command else f"name a command: {', '.join(names)} (cover --help shows more)"))
            sys.exit(EXIT_USAGE)
        _run(command, arguments)


def _run_on_results(command: str, arguments: Sequence[str]) -> NoReturn:
    if "--help" in arguments or "-h" in arguments:
        _print(results_help(command))
        sys.exit(EXIT_OK)
    try:
        with _process_state():
            sys.exit(run_on_results(command, arguments))
    except (CoverError, OSError) as error:
        _say(UsageError(_FULL) if is_full_disk(error) else error)
        sys.exit(EXIT_USAGE)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except Exception:
        if was_interrupted():
            sys.exit(EXIT_INTERRUPTED)
        log.exception("unexpected error; please report it with this trace")
        sys.exit(EXIT_UNEXPECTED)


def run(task: str, arguments: Sequence[str] | None = None) -> NoReturn:
    """Compose ``configs/<task>.yaml``, call ``cover.tasks.<task>`` and exit with its code.

    Args:
        task: ``infer``, ``evaluate`` or ``train``.
        arguments: As the shell gave them; by default those of this process.
    """
    with steady_streams():
        _run(task, sys.argv[1:] if arguments is None else arguments)


def _run(task: str, arguments: Sequence[str]) -> NoReturn:
    if "--help" in arguments or "-h" in arguments:
        _print(command_help(task, config_dirs(arguments)))
        sys.exit(EXIT_OK)
    if "--version" in arguments:
        _print(cover.__version__)
        sys.exit(EXIT_OK)
    codes = [EXIT_OK]
    try:
        with _process_state() as original:
            register_resolvers()
            folders = _config_folders(arguments)
            # Behind all others, so that a module there shadows none.
            sys.path += [str(folder.resolve()) for folder in folders[1:]]
            rewritten = rewrite(task, arguments, _datasets(folders), _recipes(folders))
            rewritten = [*implied_options(arguments, folders), *rewritten]
            if not any(argument.startswith("-") for argument in rewritten):
                rewritten.append("--run")  # else Hydra composes the config once more, only to find that out
            sys.argv = [original[0], *rewritten]

            def job(cfg: DictConfig) -> None:
                # Lightning starts further ranks with these, and each of them comes this way again.
                sys.argv = original
                codes.append(_guarded(task, cfg))

            hydra.main(version_base="1.3", config_path=str(config_folder()), config_name=task)(job)()
    except OverrideParseException as error:
        _say(UsageError(f"{error.override}: {error}"))
        sys.exit(EXIT_USAGE)
    except (UsageError, HydraException, OmegaConfBaseException, OSError, yaml.YAMLError) as error:
        if was_interrupted():  # inside a library, which made an error of its own of it
            sys.exit(EXIT_INTERRUPTED)
        # A resolver's own words are in the cause; an OSError is about the results folder, which Hydra makes.
        _say(_better_words(task, own_words(error), config_dirs(arguments)))
        sys.exit(EXIT_USAGE)
    except SystemExit as exit_:  # of Hydra's own flags
        sys.exit(EXIT_USAGE if exit_.code else EXIT_OK)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    sys.exit(max(codes))


@contextmanager
def _process_state() -> Iterator[list[str]]:
    """Change what a command needs of the process, and put it back; gives the arguments of the process."""
    argv, path, root = sys.argv, sys.path[:], logging.getLogger()
    # A log file that cannot be written, as on a full disk, is no news for each of its lines.
    raising, logging.raiseExceptions = logging.raiseExceptions, False
    handlers, level = root.handlers[:], root.level
    added = {name: value for name, value in _ENVIRONMENT.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield argv
    finally:
        sys.argv, sys.path[:] = argv, path
        # What Hydra configured writes to this run's log file, whose folder may go before the process does.
        for ours in [ours for ours in root.handlers if ours not in handlers]:
            root.removeHandler(ours)
            ours.close()
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.raiseExceptions = raising
        for name in added:
            os.environ.pop(name, None)


def _config_folders(arguments: Sequence[str]) -> list[Path]:
    folders = [config_folder(), *config_dirs(arguments)]
    if unknown := [str(folder) for folder in folders if not folder.is_dir()]:
        raise UsageError(f"--config-dir {unknown[0]}: no such folder")
    return folders


def _command_meant(command: str, names: Sequence[str]) -> str:
    other = _OTHER_COMMANDS.get(command.lower())
    return f"; did you mean {other}?" if other else meant(command, names)


def _datasets(folders: Sequence[Path]) -> list[str]:
    return [path.stem for folder in folders for path in (folder / "data").glob("[!_]*.yaml")]


def _recipes(folders: Sequence[Path]) -> list[str]:
    """Names of the experiments that leave open which data."""
    experiments = [path for folder in folders for path in (folder / "experiment").glob("[!_]*.yaml")]
    return [path.stem for path in experiments if "override /data:" not in path.read_text(encoding="utf-8")]


def _guarded(task: str, cfg: DictConfig) -> int:
    """Run one job; whatever happens becomes an exit code, so that a multirun continues with the next job."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    try:
        config = resolved(cfg)
        check_plain(folder, READ)
        with sole_writer(folder) if is_main_process() else nullcontext():
            complete = getattr(importlib.import_module(f"cover.tasks.{task}"), task)(config, folder)
    except CoverError as error:
        _say(error)
        return EXIT_USAGE
    except (KeyboardInterrupt, SystemExit):  # Lightning turns the first into the second
        log.warning("Interrupted. Run the same command to resume.")
        raise KeyboardInterrupt from None
    except Exception as error:
        if was_interrupted():
            raise KeyboardInterrupt from None
        if is_full_disk(error) or (isinstance(error, RuntimeError) and _is_full(folder)):  # as torch has it
            _say(UsageError(f"{folder}: {_FULL}"))
            return EXIT_USAGE
        log.exception("unexpected error; please report it with this trace")
        return EXIT_UNEXPECTED
    return EXIT_OK if complete else EXIT_SOME_FAILED


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < _NO_ROOM
    except OSError:
        return False


def _better_words(task: str, error: BaseException, folders: Sequence[Path]) -> BaseException:
    """Say which option or config was meant, where Hydra says how to append one."""
    first = str(error).splitlines()[0] if str(error) else ""
    if match := re.match(r"Could not (?:override|append) '(?:\+\+?)?([\w.]+)", first):
        names = {option.name for option in options_of(SCHEMAS[task]) if "*" not in option.name}
        if match[1] in names:
            return UsageError(f"{match[1]}: this data= has no such option")
        if any(node in match[1].split(".")[:-1] for node in _FREE):
            return error  # these take further arguments with a plus, as Hydra says
        other = _OTHER_OPTIONS.get(match[1].lower())
        hint = f"; did you mean {other}?" if other and other.split("=")[0] in names else meant(match[1], names)
        return UsageError(f"{match[1]}: there is no such option{hint}")
    if match := re.search(r"Could not find '(\w+)/([^']+)'", str(error)):
        names = set(groups(folders).get(match[1], []))
        listed = f" ({', '.join(sorted(names))})" if names else ""
        return UsageError(f"{match[1]}={match[2]}: there is no such config{listed}{meant(match[2], names)}")
    return error


def _print(text: str) -> None:
    sys.stdout.write(text.rstrip() + "\n")


def _say(error: BaseException) -> None:
    line = f"error: {visible(' '.join(str(error).split()))}"
    sys.stderr.write(f"{wrapped(line, width_of(sys.stderr))}\n")
