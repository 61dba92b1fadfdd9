"""The weights that a file was trained from: looked for by name and SHA-256, downloaded only if the user asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

from cover.errors import WeightsError
from cover.text import printable
from cover.weights.download import cached, fetch
from cover.weights.published import PRETRAINED_WEIGHTS, RANDOM_WEIGHTS, WeightsFile, sha256_of

_DOWNLOADED = ("cover", PRETRAINED_WEIGHTS)  # values of base_weights that ask for a download


@dataclass(frozen=True)
class Origin:
    """A source of weights: one that the user named, or one that a file says it was trained from.

    Args:
        name: A path or a keyword; None for the published file.
        sha256: What it must hash to, if a file names it.
        owner: The file that names it; None if the user does.
    """

    name: str | Path | None
    sha256: str | None = None
    owner: Path | None = None

    def find(self, published: WeightsFile, asked: str | None) -> Path:
        """Locate the file, fetched or checked if need be.

        Args:
            published: The published file that no name stands for.
            asked: The ``base_weights`` that the user asked for.
        """
        if self.owner is None:
            return fetch(published) if self.name is None else Path(self.name)
        if self.name == RANDOM_WEIGHTS:
            raise WeightsError(
                f"{self.owner} holds only what was trained from random weights, now gone: use best.ckpt of the "
                "finished run, which is whole"
            )
        if self.name is None or self.sha256 == published.sha256:
            return self.fetched(published, asked)
        # The sha256 also rules out that files name each other in a ring.
        name = PureWindowsPath(self.name).name
        given = None if asked is None or asked in _DOWNLOADED else Path(asked)
        for path in filter(None, (given, self.owner.parent / name)):
            if _is_file(path, self.sha256):
                return path
        there = "" if given is None else f" ({given} is not that file)"
        raise WeightsError(
            f"{self.owner} holds only what was trained from {printable(name)}: base_weights=FILE names that "
            f"file{there}, or use best.ckpt of the finished run, which is whole"
        )

    def fetched(self, published: WeightsFile, asked: str | None) -> Path:
        """Locate a published file; download it only where the user asked for that, not because a file names it."""
        if self.owner is None or asked in _DOWNLOADED:
            return fetch(published)
        if asked is not None and _is_file(Path(asked), published.sha256):
            return Path(asked)
        path = cached(published)
        if path is None:
            start = PRETRAINED_WEIGHTS if self.name == PRETRAINED_WEIGHTS else "cover"
            raise WeightsError(
                f"{self.owner} holds only what was trained from {published.name}, which is not on this machine: "
                f"base_weights={start} downloads it ({published.bytes / 1e6:.0f} MB), base_weights=FILE takes a copy"
            )
        return path


def _is_file(path: Path, sha256: str | None) -> bool:
    """Return whether a file is there and has a checksum."""
    try:
        return path.is_file() and sha256_of(path) == sha256
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror or error})") from error


@dataclass(frozen=True)
class Base:
    """The sources that a file of ours says it was trained from."""

    weights: Origin
    clip: Origin


def base_of(path: Path, about: Mapping[str, Any]) -> Base | None:
    """Read the weights that a file says it was trained from; None where it names none.

    Args:
        path: The file.
        about: What it says about itself (:func:`cover.weights.reading.read_about`).

    Raises:
        WeightsError: The entry is damaged.
    """
    base = about.get("base")
    if base is None:
        return None
    names = ("weights", "weights_sha256", "clip_weights", "clip_weights_sha256")
    if not isinstance(base, Mapping) or not all(isinstance(base.get(name), (str, type(None))) for name in names):
        raise WeightsError(f"{path} is damaged: what it says it was trained from makes no sense")
    weights, weights_sha256, clip, clip_sha256 = map(base.get, names)
    return Base(Origin(weights, weights_sha256, path), Origin(clip, clip_sha256, path))
