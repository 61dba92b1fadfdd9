"""Options that a weights file implies: the model and the views that it was trained with."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from cover.config.options.scoring import ModelOptions
from cover.errors import UsageError
from cover.scores import BRANCHES
from cover.text import printable
from cover.weights import read_about

_NAMES_MODEL = ("model=", "model.", "+model.", "++model.", "~model.", "experiment=")
_NAMES_VIEWS = ("views=", "views.", "+views.", "++views.")
_DEFAULT = "cover"


def implied_options(arguments: Sequence[str], folders: Sequence[Path]) -> list[str]:
    """List the options that ``weights=FILE`` implies where the command line names no model or no views.

    Args:
        arguments: As the shell gave them.
        folders: Folders of configs.

    Returns:
        Options such as ``model=cover_lite``; none where the file says nothing about its model.

    Raises:
        UsageError: No config describes the model of the file.
        WeightsError: The file cannot be read.
    """
    named = [argument.partition("=")[2] for argument in arguments if argument.startswith("weights=")]
    if len(named) != 1 or not Path(named[0]).is_file() or _any(arguments, _NAMES_MODEL):
        return []
    about = read_about(named[0])
    net = about.get("net")
    if not isinstance(net, Mapping):
        return []
    models = {path.stem: path for folder in folders for path in sorted((folder / "model").glob("[!_]*.yaml"))}
    model = next((name for name, path in models.items() if _net(path) == net), None)
    if model is None:
        raise UsageError(
            f"weights={named[0]}: no config has its network{_differs(net)}; repeat the model= and model.net options "
            "of its training"
        )
    implied = [] if model == _DEFAULT else [f"model={model}"]
    if not _any(arguments, _NAMES_VIEWS):
        implied += _views(about.get("views"), model, folders)
    return implied


def _any(arguments: Sequence[str], beginnings: tuple[str, ...]) -> bool:
    return any(argument.startswith(beginnings) for argument in arguments)


def _net(path: Path) -> Mapping[str, Any]:
    """The network of a config, as checkpoints keep it."""
    net = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("net") or {}
    return ModelOptions(name=path.stem, net=net, weights=None, clip_weights=None).net


def _differs(net: Mapping[str, Any]) -> str:
    """Name the branches whose backbone is not one of ours."""
    others = [
        f"model.net.{branch}={{{key}: {printable(str(node[key]))}, ...}}"
        for branch in BRANCHES
        if isinstance(node := net.get(branch), Mapping)
        for key in ("_target_", "timm", "open_clip")
        if key in node
    ]
    return f" ({', '.join(others)})" if others else ""


def _views(views: object, model: str, folders: Sequence[Path]) -> Iterator[str]:
    """The options of views that are not those of the model's config."""
    usual = _composed(model, folders)
    if not isinstance(views, Mapping) or not usual:
        return
    for branch in BRANCHES:
        given, known = views.get(branch), usual.get(branch, {})
        if isinstance(given, Mapping):
            for name, value in known.items():
                if isinstance(given.get(name), int) and given[name] != value:
                    yield f"views.{branch}.{name}={given[name]}"


def _composed(name: str, folders: Sequence[Path]) -> Any:
    """A config of views with those that it builds on."""
    files = [folder / "views" / f"{name}.yaml" for folder in folders]
    path = next(filter(Path.is_file, files), None)
    if path is None:
        return {}
    content = OmegaConf.to_container(OmegaConf.load(path))
    assert isinstance(content, dict)
    bases = [base for base in content.pop("defaults", []) if isinstance(base, str) and base != "_self_"]
    return OmegaConf.merge(*(_composed(base, folders) for base in bases), content)
