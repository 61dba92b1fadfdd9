"""Names from outside as text: valid in files, visible to people."""

import difflib
import os
import re
import shutil
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TextIO

_SHORT = 3  # characters; a shorter text is in many names
_JOINERS = "\u200c\u200d"  # which scripts and emoji need between letters
_ESCAPES = {"\n": r"\n", "\t": r"\t", "\r": r"\r"}

# Control characters but tab and newline, marks that turn text around, bytes that are not UTF-8; and a backslash that
# would look like the escape of one of them.
_HARMFUL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]|\\(?=u(?!d[89a-f])[0-9a-f]{4})"
)
_ESCAPED = re.compile(r"\\u([0-9a-f]{4})")
_SUSPECT = re.compile(rf"{_HARMFUL.pattern}|[|(!]")
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20].*[|(!]", re.DOTALL)


def printable(text: str) -> str:
    r"""Make text valid UTF-8 for files: bytes of a name that are not UTF-8 (lone surrogates) become ``\udcXX``."""
    return text if text.isascii() else text.encode("utf-8", errors="backslashreplace").decode()


def visible(text: str | os.PathLike[str]) -> str:
    r"""Make text visible to people, on terminals and pages, in one line.

    Control characters, marks that turn text around, and lone surrogates are spelt as ``\u202e``.
    """
    name = os.fspath(text)
    return name if name.isascii() and name.isprintable() else "".join(map(_spelt, name))


def wrapped(text: str, width: int | None) -> str:
    """Break text into lines between words; what is longer than a line, such as a path, stays whole.

    Args:
        text: The text.
        width: Columns of the terminal; None breaks nothing.
    """
    if width is None:
        return text
    wrapper = textwrap.TextWrapper(
        width, break_long_words=False, break_on_hyphens=False, replace_whitespace=False, expand_tabs=False
    )
    return "\n".join("\n".join(wrapper.wrap(line)) for line in text.split("\n"))


def width_of(stream: TextIO) -> int | None:
    """Give the columns of the terminal that a stream writes to; None where it is no terminal."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def counted(count: int, what: str) -> str:
    """Count things whose plural ends in s: ``1 video``, ``1,200 videos``."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def as_cell(text: str) -> str:
    r"""Spell text for a cell of a table so that neither a terminal nor a spreadsheet acts on it.

    Control characters, marks that turn text around, and bytes of a name that are not UTF-8 (lone surrogates) become
    ``\u001b``. Text that a spreadsheet would run as a formula gets an apostrophe before it: text that begins with
    ``=``, ``+``, ``-`` or ``@`` and has a ``|``, ``(`` or ``!`` in it. :func:`from_cell` gives the text back.
    """
    if _FORMULA.match(text.lstrip("'")):
        text = f"'{text}"
    return _HARMFUL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def as_cells(values: Sequence[str]) -> Sequence[str]:
    """Spell texts for the cells of a line (:func:`as_cell`), fast where there is nothing to do."""
    return [as_cell(value) for value in values] if _SUSPECT.search(",".join(values)) else values


def from_cell(cell: str) -> str:
    """Give back the text that :func:`as_cell` has spelled."""
    if "\\u" in cell:
        cell = _ESCAPED.sub(_unescaped, cell)
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell.lstrip("'")) else cell


def meant(name: str, known: Iterable[str], count: int = 1) -> str:
    """Suggest the known names that a misspelt one is closest to, to stand at the end of a message; empty without any.

    Args:
        name: The misspelt name.
        known: Names that there are.
        count: Maximum number of suggestions.
    """
    known = list(known)
    close = difflib.get_close_matches(name, known, n=count)
    # A part of a name, such as dense of cover_lite_dense, is less alike than difflib asks for.
    close = close or [other for other in known if len(name) > _SHORT and name.lower() in other.lower()][:count]
    return f"; did you mean {' or '.join(close)}?" if close else ""


def _unescaped(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if character == "\\" or _HARMFUL.match(character) else match[0]


def _spelt(character: str) -> str:
    hidden = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") and character not in _JOINERS
    return _ESCAPES.get(character, f"\\u{ord(character):04x}") if hidden else character
