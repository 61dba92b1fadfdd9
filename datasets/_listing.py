"""Finding the files that lists name, however their names are written."""

import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from cover.tables import western

_MEANT = re.compile(r"^~|\\")  # the home folder, or Windows' separator


class Listing:
    """The files below a folder; each folder is listed once.

    A name that is there as written is that file. Else it is taken without blanks and quotes around it, in another
    Unicode normal form (macOS decomposes é, others do not), with backslashes as Windows has them, from the code page of
    Western Windows, or below the home folder where it begins with ~.

    Args:
        root: The folder.
        fold_case: Whether names may differ in case: no two videos of a public dataset do so alone, and copies on other
            file systems do differ from the annotation.
    """

    def __init__(self, root: Path, *, fold_case: bool = False) -> None:
        self._root = root
        self._prefix = "" if root == Path() else os.path.join(root, "")  # noqa: PTH118 - a million names
        self._fold_case = fold_case
        self._folders: dict[str, tuple[set[str], dict[str, str]]] = {}

    def find(self, name: str) -> str | None:
        """Give ``name`` as it is really written, relative to the root unless absolute; None where no such file is."""
        if "\0" in name:
            return None
        if os.path.lexists(self._prefix + name if self._is_plain(name) else self._root / name):
            return name
        if not self._fold_case and name.isascii() and name.strip().strip("\"'") == name and not _MEANT.search(name):
            return None  # there is no other way to write it
        return next(filter(None, map(self._walk, _spellings(name))), None)

    def placed(self, name: str) -> tuple[str, str]:
        """Give the path of a name, and the name as seen from the root; outside the root it stays as it is."""
        if self._is_plain(name):
            return self._prefix + name, name
        inside = os.path.relpath(self._root / name, self._root)
        return str(self._root / name), name if inside.startswith(os.pardir) else inside

    @staticmethod
    def _is_plain(name: str) -> bool:
        """Return whether a name is relative and in its shortest form, which is quick to check."""
        return not name.startswith((os.sep, os.pardir)) and os.path.normpath(name) == name

    def _walk(self, name: str) -> str | None:
        path = Path(name)
        place = path.anchor
        for part in path.parts[1:] if path.anchor else path.parts:
            names, by_key = self._list(str(self._root / place))
            real = part if part in names or part in (os.curdir, os.pardir) else by_key.get(self._key(part))
            if real is None:
                return None
            place = os.path.join(place, real)  # noqa: PTH118 - keeps a leading .. as it is
        return place or None

    def _list(self, folder: str) -> tuple[set[str], dict[str, str]]:
        if folder not in self._folders:
            try:
                names = set(os.listdir(folder))  # noqa: PTH208 - names are all that is wanted
            except OSError:  # a file where a folder is expected, or a folder that may not be read
                names = set()
            self._folders[folder] = names, {self._key(name): name for name in sorted(names)}
        return self._folders[folder]

    def _key(self, name: str) -> str:
        name = unicodedata.normalize("NFC", name)
        return unicodedata.normalize("NFC", name.casefold()) if self._fold_case else name


def _spellings(name: str) -> Iterator[str]:
    names = [name, name.strip(), name.strip().strip("\"'"), western(name).strip()]
    for spelled in dict.fromkeys(names):
        yield spelled
        if "\\" in spelled:
            yield spelled.replace("\\", "/")
        if spelled.startswith("~"):
            yield os.path.expanduser(spelled)  # noqa: PTH111 - a name, not a path
