"""The record of a run: options, checksums, versions."""

import platform
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import av
import yaml

import cover
from cover.files import write_text

_PACKAGES = ("torch", "lightning", "av", "numpy", "pillow")


def write_run_record(folder: Path, config: Mapping[str, Any], **facts: Any) -> None:
    """Write ``run.yaml``: the time, the composed config, further facts, and the versions of what computes scores."""
    ffmpeg = {name: ".".join(map(str, number)) for name, number in av.library_versions.items()}
    versions = {"cover": cover.__version__, "python": platform.python_version(), **_installed(), **ffmpeg}
    started = datetime.now().astimezone().isoformat(timespec="seconds")
    record = {"started": started, "config": dict(config), **facts, "versions": versions}
    write_text(folder / "run.yaml", yaml.safe_dump(record, sort_keys=False))


def read_run_record(folder: Path) -> dict[str, Any]:
    """Read ``run.yaml``; empty where there is none."""
    file = folder / "run.yaml"
    return yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {}


def _installed() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # of an extra
            continue
    return found
