"""Resolvers that configs may use in ``${...}``."""

import glob
import os
import re
from pathlib import Path

from omegaconf import OmegaConf

from cover.config.naming import run_folder
from cover.config.options.types import at_home
from cover.errors import UsageError
from cover.weights import SHIPPED

TABLE_SUFFIX = ".csv"


def register_resolvers() -> None:
    """Make the resolvers known to OmegaConf."""
    for resolver in (stem, dataset_folder, shipped, results_folder, run_folder):
        OmegaConf.register_new_resolver(resolver.__name__, resolver, replace=True)


def stem(path: object) -> str:
    """Make a folder name of the last part of a path: ``clips/day 1`` -> ``day_1``, ``a/*.mp4`` -> ``a``."""
    parts = [part for part in Path(str(path)).absolute().parts if not glob.has_magic(part)]
    return re.sub(r"[^\w.-]+", "_", parts[-1], flags=re.ASCII).strip("_") or "data"


def dataset_folder(name: str) -> str:
    """Locate a dataset that ``data.root`` does not name: the folder of its name in ``$COVER_DATASETS``."""
    folder = os.environ.get("COVER_DATASETS")
    if not folder:
        raise UsageError(f"name the folder of {name} with data.root=DIR, or the one that holds it with COVER_DATASETS")
    return str(Path(folder, name).expanduser())


def shipped(model: str) -> str:
    """Locate the weights of a model that come with the package."""
    return str(SHIPPED[model])


def results_folder(output: str) -> str:
    """Choose the results folder: ``output`` itself, or the folder beside a table that it names."""
    output = at_home(output)
    return str(Path(output).with_suffix("")) if names_table(output) else output


def names_table(output: str | Path) -> bool:
    """Return whether ``output`` asks for a table rather than a folder: ``results.csv``, unless that is a folder."""
    path = Path(at_home(str(output)))
    return path.suffix.lower() == TABLE_SUFFIX and not path.is_dir()
