"""Finding the files that lists name, however their names are written."""

import os
import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

from cover.matching import is_address, local_name, without_suffix
from cover.tables import western
from cover.video import IMAGE_SUFFIXES, VIDEO_SUFFIXES

_MEANT = re.compile(r"^~|\\|%|://")  # the home folder, Windows' separator, or an address
CODE_PAGES = ("gb18030", "shift_jis", "euc_kr", "big5", "cp1251", "cp1250", "cp1253", "cp1254", "cp1255", "cp1256")
"""Code pages that spreadsheet programs save text in, beside that of Western Windows, in the order of trial."""
_MEDIA = VIDEO_SUFFIXES | IMAGE_SUFFIXES


class Listing:
    """The files below a folder; each folder is listed once.

    A name that is there as written is that file. Else it is taken without blanks and quotes around it, in another
    Unicode normal form (macOS decomposes é, others do not), with backslashes as Windows has them, from the code page of
    Windows in other countries (:data:`CODE_PAGES`), or below the home folder where it begins with ~. Of an address, the
    path counts, or its last part. A name without a suffix is the only video or image of that name.

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
        self._stems: dict[str, dict[str, list[str]]] = {}

    def find(self, name: str) -> str | None:
        """Give ``name`` as it is really written, relative to the root unless absolute; None where no such file is."""
        if "\0" in name:
            return None
        if os.path.lexists(self._prefix + name if self._is_plain(name) else self._root / name):
            return name
        usual = name.isascii() and name.strip().strip("\"'") == name and not _MEANT.search(name)
        if self._fold_case or not usual:
            found = next(filter(None, map(self._walk, _spellings(name))), None)
            if found is not None:
                return found
        return self._by_stem(local_name(name.strip())) if without_suffix(name) == name else None

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

    def _by_stem(self, name: str) -> str | None:
        """Give the only video or image that has a name but for its suffix."""
        folder, stem = os.path.split(name)
        if not stem:
            return None
        place = str(self._root / folder)
        if place not in self._stems:
            stems: dict[str, list[str]] = {}
            for file in self._list(place)[0]:
                head, suffix = os.path.splitext(file)  # noqa: PTH122 - names, not paths
                if suffix.lower() in _MEDIA:
                    stems.setdefault(head, []).append(file)
            self._stems[place] = stems
        files = self._stems[place].get(stem, [])
        return os.path.join(folder, files[0]) if len(files) == 1 else None  # noqa: PTH118 - keeps a leading ..

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
    if is_address(name.strip()) or "%" in name:
        path = unquote(local_name(name.strip()))
        names += [path, path.rpartition("/")[2]]
    if any("\udc80" <= mark <= "\udcff" for mark in name):
        raw = name.encode("utf-8", "surrogateescape")
        for page in CODE_PAGES:
            with suppress(UnicodeDecodeError):
                names.append(raw.decode(page).strip())
    for spelled in dict.fromkeys(names):
        yield spelled
        if "\\" in spelled:
            yield spelled.replace("\\", "/")
        if spelled.startswith("~"):
            yield os.path.expanduser(spelled)  # noqa: PTH111 - a name, not a path
