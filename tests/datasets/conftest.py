"""How tests open a dataset: by the name of its config, as the entry points do."""

import importlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from cover.datasets._annotation import AnnotatedDataset

from tests.helpers.minisets import KINDS, make_miniset

Miniset = Callable[[str], Path]


def reader(root: Path, kind: str) -> type[AnnotatedDataset]:
    """The class that a dataset's config names."""
    config = yaml.safe_load((root / "configs/data" / f"{kind}.yaml").read_text())
    module, _, name = config["rows"]["_target_"].rpartition(".")
    return getattr(importlib.import_module(module), name)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """The name of each public dataset's config in turn."""
    return request.param


@pytest.fixture
def miniset(tmp_path: Path) -> Miniset:
    """``miniset("konvid_1k")`` is a folder laid out like that dataset, with empty files for videos."""

    def make(kind: str) -> Path:
        root = tmp_path / kind
        shutil.rmtree(root, ignore_errors=True)
        make_miniset(kind, root, Path.touch)
        return root

    return make
