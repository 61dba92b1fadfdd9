"""Finding the files that lists name, however their names are written."""

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from cover.tables import western


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
        self._fold_case = fold_case
        self._folders: dict[str, tuple[set[str], dict[str, str]]] = {}

    def find(self, name: str) -> str | None:
        """Give ``name`` as it is really written, relative to the root unless absolute; None where no such file is."""
        if "\0" in name:
            return None
        if os.path.lexists(self._root / name):
            return name
        return next(filter(None, map(self._walk, _spellings(name))), None)

    def _walk(self, name: str) -> str | None:
        path = Path(name)
        found = path.anchor
        for part in path.parts[1:] if path.anchor else path.parts:
            names, by_key = self._list(str(self._root / found))
            real = part if part in names or part in (os.curdir, os.pardir) else by_key.get(self._key(part))
            if real is None:
                return None
            found = os.path.join(found, real)  # noqa: PTH118 - keeps a leading .. as it is
        return found or None

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
