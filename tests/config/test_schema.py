"""Options: what is refused and how, what follows from their types, and that defaults are said once."""

import inspect
from typing import Any

import pytest
import torch

from cover.config.build.decoding import view_spec
from cover.config.compose import checked
from cover.config.describe import option_rows, path_options
from cover.config.options.schemas import SCHEMAS
from cover.config.options.scoring import InferOptions
from cover.errors import UsageError
from cover.models import COVER, AestheticBackbone, SemanticBackbone, TechnicalBackbone
from cover.video import ViewSpec
from tests.helpers.tiny import composed, infer_options
from tools.options import DATASETS, PAGE, datasets_page, page

BACKBONES = {"semantic": SemanticBackbone, "technical": TechnicalBackbone, "aesthetic": AestheticBackbone}


def test_the_published_views_are_the_defaults_of_the_classes() -> None:
    """``score()`` and the command line look at the same frames."""
    assert view_spec(infer_options("model=cover").views) == ViewSpec()


def test_the_published_model_is_the_default_of_the_classes() -> None:
    net = infer_options("model=cover").model.net
    for name, arguments in net.items():
        defaults = inspect.signature(BACKBONES[name]).parameters if name in BACKBONES else {}
        assert arguments == {key: defaults[key].default for key in arguments}
    with torch.device("meta"):
        ours, default = COVER(**net).state_dict(), COVER().state_dict()
    assert {name: tensor.shape for name, tensor in ours.items()} == {
        name: tensor.shape for name, tensor in default.items()
    }


@pytest.mark.parametrize("task", SCHEMAS)
def test_every_default_fits_the_schema(task: str) -> None:
    checked(composed("data=folder", "data.path=x", task=task), SCHEMAS[task])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": "many"}, "batch_size=many: takes a positive number"),
        ({"batch_size": True}, "batch_size=True: takes a positive number"),
        ({"batch_size": 1.5}, "batch_size=1.5: takes a positive number"),
        ({"decode": {"workers": -1, "timeout": 1}}, "decode.workers=-1: takes a whole number"),
        ({"decode": {"workers": "some", "timeout": 1}}, "decode.workers=some: takes a whole number"),
        ({"decode": {"workers": 1, "timeout": 0}}, "decode.timeout=0: takes a positive number"),
        ({"decode": {"workers": 1}}, "decode.timeout: is missing"),
        ({"mapz": True}, "mapz: there is no such option"),
        ({"maps": "perhaps"}, "maps=perhaps: takes true or false"),
        ({"output": 3}, "output=3: takes a text, such as a path or a name"),
    ],
)
def test_one_line_names_the_option(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        checked({**composed("data=folder", "data.path=x"), **change}, InferOptions)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("+views.semantic.colour=1", "views.semantic.colour: there is no such option"),
        ("views.technical.grid=0", "views.technical: grid must be an integer of at least 1, not 0"),
        ("data.raw.width=-3", "data.raw.width=-3: takes a positive number"),
    ],
)
def test_so_does_it_deep_inside(override: str, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        infer_options(override)
    assert str(raised.value) == message


def test_paths_are_known_by_their_type() -> None:
    names = {option.name for option in path_options()}
    assert {"weights", "clip_weights", "output", "predictions", "views.replay", "cache.dir", "protocol.file"} <= names
    assert {"data.path", "data.root", "data.annotation", "data.folder", "data.sources", "also.*.sources"} <= names
    assert not names & {"model.net", "trainer", "fit", "data.name", "logger"}


@pytest.mark.parametrize("task", SCHEMAS)
def test_every_option_has_a_meaning_of_one_line(task: str) -> None:
    rows = option_rows(task, composed("data=folder", "data.path=x", task=task))
    assert len(rows) > 20
    assert all(meaning and "\n" not in meaning for _, _, meaning in rows)


def test_the_page_of_options_is_current() -> None:
    """``make docs`` writes it."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_the_table_of_datasets_is_current() -> None:
    """``make docs`` writes it from the cards."""
    assert "| `konvid_1k` | KoNViD-1k | 1200 of 8 s" in datasets_page()
    assert DATASETS.read_text(encoding="utf-8") == datasets_page()
