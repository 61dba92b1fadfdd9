"""The record of a run: what was scored with which model, options, checksums, versions."""

import platform
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

import cover
from cover.files import is_plain_file, write_text
from cover.results.journal import read_identity
from cover.results.names import RUN

_PACKAGES = ("torch", "lightning", "av", "numpy", "pillow")
_TYPES: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("model", "weights", "data", "path", "splits", "started", "reference"), str),
    **dict.fromkeys(("views", "versions", "training", "config"), dict),
    "predictions": bool,
    "weights_sha256": (dict, str),
}
_LARGEST = 4_000_000  # bytes of a record
_COMPARED = ("model", "weights", "clip_weights", "views", "trainer", "data", "decode")


@dataclass(frozen=True)
class RunRecord:
    """The content of ``run.yaml``.

    Attributes:
        model: Name of the model; None where no model ran.
        weights: The weights as they were given: a file, ``random`` or ``pretrained``; None for the model's own.
        views: The frames and crops that the branches looked at.
        data: Name of what was scored.
        path: Where it is, or the tables of predictions; None where the name says it all.
        predictions: Whether scores are predictions from elsewhere, so that no model ran.
        splits: ``full``, or how the measured videos were split.
        weights_sha256: Checksum of each weight file; a text for weights without a file.
        reference: Where the scores are from that percentiles stand for; None without percentiles.
        started: When, in ISO 8601.
        versions: Of this package, Python, and what scores are computed with.
        training: Of a training: ``identity``, ``run_id``, ``base``.
        config: The options as composed, for people and for comparing runs.
    """

    model: str | None = None
    weights: str | None = None
    views: Mapping[str, Any] = field(default_factory=dict)
    data: str | None = None
    path: str | None = None
    predictions: bool = False
    splits: str = "full"
    weights_sha256: Mapping[str, str] | str = ""
    reference: str | None = None
    started: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def meaningless(self) -> str | None:
        """The reason why the scores mean nothing, or None."""
        if self.weights == "random":
            return "The weights are random"
        return "Only the backbones have trained weights" if self.weights == "pretrained" else None

    def settings(self) -> dict[str, Any]:
        """Give what may explain a difference between the scores of two runs, nested."""
        options = {name: self.config[name] for name in _COMPARED if name in self.config}
        return {**options, "weights_sha256": self.weights_sha256 or None, "versions": dict(self.versions) or None}


def write_run_record(folder: Path, record: RunRecord) -> None:
    """Write ``run.yaml``, with the time and the versions of what computes scores."""
    import av

    ffmpeg = {name: ".".join(map(str, number)) for name, number in av.library_versions.items()}
    versions = {"cover": cover.__version__, "python": platform.python_version(), **_installed(), **ffmpeg}
    started = datetime.now().astimezone().isoformat(timespec="seconds")
    content = {**asdict(record), "started": started, "versions": versions}
    write_text(folder / RUN, yaml.dump(content, Dumper=_Dumper, sort_keys=False))


class _Dumper(yaml.SafeDumper):
    """YAML without aliases, which :class:`_Loader` does not read."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


class _Loader(yaml.SafeLoader):
    """YAML without aliases, by which a few lines can stand for gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not read")
        return super().compose_node(parent, index)


def read_run_record(folder: Path) -> RunRecord | None:
    """Read ``run.yaml``; None if it does not exist, cannot be read, or is larger than a record can be."""
    path = folder / RUN
    try:
        if not is_plain_file(path) or path.stat().st_size > _LARGEST:
            return None
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a safe loader
    except (OSError, ValueError, KeyError, IndexError, AttributeError, TypeError, RecursionError, yaml.YAMLError):
        return None  # PyYAML's constructors raise what their arguments make them raise
    if not isinstance(content, dict):
        return None
    if "predictions" not in content:  # before 0.7
        content = _from_config(content)
    # A file that others wrote may hold anything: what is not of its field's type is unknown.
    known = {name: content[name] for name, kinds in _TYPES.items() if isinstance(content.get(name), kinds)}
    return RunRecord(**known)


def is_before_07(folder: Path, record: RunRecord | None = None) -> bool:
    """Decide whether a folder holds results of a version before 0.7, which wrote the predicted MOS as ``MOS``.

    Args:
        folder: The results folder.
        record: The record of its run, where it is read already.
    """
    record = record or read_run_record(folder)
    written = (record.versions.get("cover") if record else None) or (read_identity(folder) or {}).get("version")
    version = re.match(r"([0-9]{1,4})\.([0-9]{1,4})(?![0-9])", str(written or ""))
    return version is not None and (int(version[1]), int(version[2])) < (0, 7)


def _from_config(content: Mapping[str, Any]) -> dict[str, Any]:
    """Read the record of a version before 0.7, which had only the options."""
    config = _mapping(content.get("config"))
    data, predictions = _mapping(config.get("data")), config.get("predictions")
    known: dict[str, Any] = {name: content.get(name) for name in ("weights_sha256", "started", "versions", "config")}
    known["training"] = {name: content[name] for name in ("identity", "run_id", "base") if name in content}
    known["splits"] = _mapping(config.get("protocol")).get("splits", "full")
    if predictions:
        return {**known, "predictions": True, "data": data.get("name"), "path": str(predictions)}
    return {
        **known,
        "model": _mapping(config.get("model")).get("name"),
        "weights": config.get("weights"),
        "views": _mapping(config.get("views")),
        "data": data.get("name"),
        "path": data.get("path"),
    }


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _installed() -> dict[str, str]:
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:  # of an extra
            continue
    return versions
