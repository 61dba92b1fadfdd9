"""Names from outside as text: valid in files, visible to people."""

import difflib
import os
import unicodedata
from collections.abc import Iterable

_JOINERS = "\u200c\u200d"  # which scripts and emoji need between letters
_ESCAPES = {"\n": r"\n", "\t": r"\t", "\r": r"\r"}


def printable(text: str) -> str:
    r"""Make text valid UTF-8 for files: bytes of a name that are not UTF-8 (lone surrogates) become ``\udcXX``."""
    return text if text.isascii() else text.encode("utf-8", errors="backslashreplace").decode()


def visible(text: str | os.PathLike[str]) -> str:
    r"""Make text visible to people, on terminals and pages, in one line.

    Control characters, marks that turn text around, and lone surrogates are spelt as ``\u202e``.
    """
    name = os.fspath(text)
    return name if name.isascii() and name.isprintable() else "".join(map(_spelt, name))


def meant(name: str, known: Iterable[str], count: int = 1) -> str:
    """Suggest the known names that a misspelt one is closest to, to stand at the end of a message; empty without any.

    Args:
        name: The misspelt name.
        known: Names that there are.
        count: Maximum number of suggestions.
    """
    close = difflib.get_close_matches(name, list(known), n=count)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def _spelt(character: str) -> str:
    hidden = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") and character not in _JOINERS
    return _ESCAPES.get(character, f"\\u{ord(character):04x}") if hidden else character
