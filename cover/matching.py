"""Names of one video that different files spell differently, and how they are matched.

A name as written comes first. Then the whole path without its suffix counts, where exactly one other name has it. Then
the last part of the path counts, of an address decoded and without query and fragment, under the same condition. Then
that part without its suffix counts.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from urllib.parse import unquote, urlsplit

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_SUFFIX = re.compile(r"(?<=.)\.(?=\w*[A-Za-z])\w{2,5}$")


def is_address(name: str) -> bool:
    """Return whether a name is an address such as ``https://host/a.mp4``."""
    return _ADDRESS.match(name) is not None


def local_name(name: str) -> str:
    """Give the path of an address, decoded and without query and fragment; other names stay."""
    if not is_address(name):
        return name
    try:
        parts = urlsplit(name.strip())
    except ValueError:  # such as https://[a/b.mp4
        return name
    return unquote(parts.path).lstrip("/") or name


def without_suffix(name: str) -> str:
    """Give a name without its suffix, such as ``.mp4``; a fraction such as ``.5`` is not a suffix."""
    return _SUFFIX.sub("", name)


def last_part(name: str) -> str:
    """Give the last part of a path or an address."""
    return PurePath(local_name(name).replace("\\", "/")).name


def match(names: Sequence[str], known: Sequence[str]) -> dict[str, str]:
    """Match names of videos to the names that others know them by.

    Args:
        names: The names.
        known: The names that they may stand for.

    Returns:
        Name -> the known name. A name that could stand for several, or that shares its match with another one, is
        left out; an exact match always counts.
    """
    exact = set(known)
    matched = {name: name for name in names if name in exact}
    for key in (_bare, last_part, lambda name: unquote(last_part(name)), lambda name: without_suffix(last_part(name))):
        taken = set(matched.values())
        rest = [name for name in names if name not in matched]
        if not rest:
            break
        theirs = _unique(key, [name for name in known if name not in taken], known)
        ours = _unique(key, rest, names)
        matched |= {name: theirs[part] for part, name in ours.items() if part in theirs}
    return matched


def spelled_otherwise(matched: Mapping[str, str]) -> str | None:
    """Say how many names were matched to other spellings; None if all are the same."""
    others = [(name, known) for name, known in matched.items() if name != known]
    if not others:
        return None
    name, known = others[0]
    return f"{len(others)} of {len(matched)} names are matched to other spellings, such as {name!r} to {known!r}"


def _bare(name: str) -> str:
    """A whole path without its suffix."""
    return without_suffix(local_name(name).replace("\\", "/"))


def _unique(key: Callable[[str], str], names: Sequence[str], among: Sequence[str]) -> dict[str, str]:
    """Key -> name, of the names whose key no other name has."""
    counts = Counter(map(key, among))
    return {key(name): name for name in names if counts[key(name)] == 1}
