"""Self-contained HTML pages: templates, styles and scripts of ours, libraries for plots and tables, one file each.

Observable Plot with d3 (0.49 MB) draws every chart as SVG, which takes the page's own colours in light and dark and is
readable by assistive technology; DataTables (0.12 MB) gives tables that are sorted and searched with the keyboard.
uPlot is smaller and has no histograms or box plots; echarts (1.1 MB) and plotly (4.8 MB) draw on a canvas, or weigh
more than the pictures of a thousand videos; Tabulator's headers cannot be reached with the keyboard.
"""

import base64
import hashlib
import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import ArrayLike

from cover.text import visible

_TEMPLATES = Path(__file__).parent / "templates"
_LIBRARIES = ("vendor/d3.min.js", "vendor/plot.min.js", "vendor/datatables.min.js")


def render(page: str, data: Mapping[str, Any], **context: Any) -> str:
    """Make a page that needs no other file and no network.

    Its Content-Security-Policy lets only the page's own scripts run, by their checksums, and nothing be fetched but
    pictures that lie beside it: hostile names stay text.

    Args:
        page: ``report`` or ``comparison``.
        data: For the page's script, plain.
        context: For its template.
    """
    scripts = [_source(name) for name in (*_LIBRARIES, "common.js", f"{page}.js")]
    return (
        _environment()
        .get_template(f"{page}.html.j2")
        .render(data=_json(data), scripts=scripts, style=_source("page.css"), policy=_policy(scripts), **context)
    )


def plain_numbers(values: ArrayLike) -> list[float | None]:
    """Round numbers to four decimals for JSON; what is not finite becomes None."""
    return [round(value, 4) if math.isfinite(value) else None for value in np.asarray(values, dtype=float).tolist()]


def _policy(scripts: list[Markup]) -> str:
    sums = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    allowed = " ".join(f"'sha256-{checksum}'" for checksum in sums)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: 'self' file:; "
        "base-uri 'none'; form-action 'none'"
    )


def _json(data: Mapping[str, Any]) -> Markup:
    """JSON that may stand in a script element: no ``</script>``, no ``<!--``."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", r"\u003c"))  # noqa: S704 - the escaping is done here


@cache
def _source(name: str) -> Markup:
    text = (_TEMPLATES / name).read_text(encoding="utf-8")
    if "</script" in text or "</style" in text:
        raise ValueError(f"{name} cannot stand inside a page")
    return Markup(text)  # noqa: S704 - a file of ours


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["visible"] = visible
    return environment
