"""The videos that a training uses: from datasets and splits, with everything checked that can be checked early."""

import logging
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from cover.decoding.decoder import Decoder
from cover.errors import UsageError
from cover.evaluation.arrays import FEWEST_CORRELATED
from cover.evaluation.raters.study import Study
from cover.evaluation.splits.contents import contents, shared
from cover.evaluation.splits.protocol import Protocol
from cover.evaluation.tables.rated import missing_rows
from cover.rows import Row
from cover.scores import BRANCHES
from cover.training.data.sets import RatedSet

log = logging.getLogger(__name__)

FEWEST_VIDEOS = 10
_FEW_VIDEOS, _FEW_CONTENTS = 300, 20  # of fewer, a single split and a choice of epochs say little


@dataclass(frozen=True)
class TrainingSource:
    """A dataset to train on.

    Attributes:
        option: Where it stands in the config, for messages.
        name: Its name, unique among the sources.
        rows: Its rated rows.
        decoder: Decodes them.
        share: How often an epoch sees each video.
        study: How far its raters agree, where there are ratings of single ones.
    """

    option: str
    name: str
    rows: Sequence[Row]
    decoder: Decoder
    share: float = 1.0
    study: Study | None = None


@dataclass(frozen=True)
class Selection:
    """The choice of videos to train on and to validate on, and of what is learnt of them.

    Attributes:
        protocol: How each source is split.
        indices: Which of the splits to train on, one after the other.
        train: For fixed splits: the name of the one to train on.
        validation: For fixed splits: the name of the one to validate on.
        held_out: Videos to validate on instead of a split of the first source; None without any.
        targets: Branch -> column that rates it alone; None: it learns from the MOS.
        content: Column of the content, by which batches are made; None: they are not.
        auxiliary: Patterns of columns with auxiliary regression targets.
    """

    protocol: Protocol
    indices: Sequence[int] = (0,)
    train: str = "train"
    validation: str = "test"
    held_out: Sequence[Row] | None = None
    targets: Mapping[str, str | None] = field(default_factory=dict)
    content: str | None = None
    auxiliary: Sequence[str] = ()


def rated_splits(
    sources: Sequence[TrainingSource], selection: Selection, folder: Path, *, strict: bool = True
) -> list[list[RatedSet]]:
    """Select the sets of a training, once for each split that is trained on.

    Args:
        sources: The datasets, the one that is measured first.
        selection: What to take of them.
        folder: Where ``missing.csv`` goes.
        strict: Whether a missing video is an error.

    Returns:
        For each split a set of each source.

    Raises:
        UsageError: Ratings are too few or all alike; videos are missing; a file is on both sides; a column is missing.
    """
    held_out = selection.held_out
    every = [row for source in sources for row in source.rows] + list(held_out or ())
    missing = _missing(every, folder, strict)
    rows = {source.name: [row for row in source.rows if row.path not in missing] for source in sources}
    for source in sources:
        _require_ratings(rows[source.name], source.option)
    if held_out is None:
        sides = {name: _sides(of_source, selection, alone=len(rows) == 1) for name, of_source in rows.items()}
    else:
        if len(selection.indices) != 1:
            raise UsageError("protocol.indices: there is one split where validation= names a dataset; leave it out")
        sides = {name: [(of_source, [])] for name, of_source in rows.items()}
        first = sources[0].name
        sides[first] = [(rows[first], [row for row in held_out if row.path not in missing])]
    splits = []
    for index in range(len(selection.indices)):
        sets = [_rated_set(source, *sides[source.name][index], selection) for source in sources]
        for source, rated in zip(sources, sets, strict=True):
            if held_out is None or rated is sets[0]:
                _require_different(rated.validation, f"{source.option}: the split to validate on")
        _require_enough(sets[0])
        _require_apart(sets)
        _require_columns(selection, sets)
        auxiliary_columns(selection.auxiliary, sets)
        splits.append(sets)
    _say_what_flatters(splits[0][0], selection.protocol)
    return splits


def _say_what_flatters(rated: RatedSet, protocol: Protocol) -> None:
    """Warn of contents on both sides of a random split, and of sets that a split says little of."""
    if protocol.splits == "random" and (line := shared(rated.train, rated.validation)):
        log.warning("%s: %s", rated.name, line)
    known = contents(rated.rows)
    few = known is not None and known.count < _FEW_CONTENTS
    if len(rated.rows) < _FEW_VIDEOS or few:
        said = f"{known.count} contents" if few and known else f"{len(rated.rows)} videos"
        log.info(
            "%s: %s are few: experiment=finetune_small chooses what they can carry, and cross-validates",
            rated.name,
            said,
        )


def whole_set(source: TrainingSource, folder: Path, *, strict: bool = True) -> RatedSet:
    """Select all videos of a dataset to train on, for a cross-validation over them.

    Args:
        source: The dataset.
        folder: Where ``missing.csv`` goes.
        strict: Whether a missing video is an error.

    Raises:
        UsageError: Ratings are too few or all alike, or videos are missing.
    """
    missing = _missing(source.rows, folder, strict)
    rows = [row for row in source.rows if row.path not in missing]
    _require_ratings(rows, source.option)
    files: dict[Path, Row] = {}
    for row in rows:
        twin = files.setdefault(row.path.resolve(), row)
        if twin.video != row.video:  # parts of one video are kept together
            raise UsageError(f"leak: {row.path} and {twin.path} are one file; leave one of the two rows")
    return RatedSet(source.name, rows, [], source.decoder)


def auxiliary_columns(patterns: Sequence[str], sets: Sequence[RatedSet]) -> list[str]:
    """Select auxiliary target columns; constant columns are dropped.

    Args:
        patterns: ``auxiliary.columns``: shell patterns over the columns of the data.
        sets: The videos to train on.

    Returns:
        Their names, as the first set orders them.

    Raises:
        UsageError: A pattern matches no column, a set lacks one, one is no column of numbers, or all are alike.
    """
    known = list(sets[0].train[0].extras)
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in known):
            header = ", ".join(known) or "none"
            raise UsageError(f"auxiliary.columns: {pattern!r} matches no column of {sets[0].name} (found: {header})")
    names = [name for name in known if any(fnmatchcase(name, pattern) for pattern in patterns)]
    seen: dict[str, set[float]] = {name: set() for name in names}
    for rated in sets:
        for row in rated.train:
            for name in names:
                number = _number(row, name)
                if number is None:
                    raise UsageError(
                        f"auxiliary.columns: {rated.name} has {row.extras.get(name)!r} in {name} for {row.name}, "
                        "not a number"
                    )
                seen[name].add(number)
    varying = [name for name in names if len(seen[name]) > 1]
    if names and not varying:
        raise UsageError(f"auxiliary.columns: {', '.join(names)} are alike for all videos; there is nothing to learn")
    return varying


def _missing(rows: Sequence[Row], folder: Path, strict: bool) -> set[Path]:
    """List the files that do not exist."""
    remedy = "strict=false trains without them, data.root= says where videos are" if strict else None
    return {row.path for row in missing_rows(rows, folder, remedy, always=False)}


def _require_ratings(rows: Sequence[Row], option: str) -> None:
    if len(rows) < FEWEST_VIDEOS:
        raise UsageError(
            f"{option}: {len(rows)} rated videos are too few to train on; at least {FEWEST_VIDEOS} are needed"
        )
    _require_different(rows, option)


def _require_different(rows: Sequence[Row], what: str) -> None:
    if not rows:
        raise UsageError(f"{what} has no video")
    if len({row.mos for row in rows}) == 1:
        raise UsageError(f"{what}: all {len(rows)} videos have the MOS {rows[0].mos:g}; there is nothing to learn")


def _sides(rows: Sequence[Row], selection: Selection, *, alone: bool) -> list[tuple[list[Row], list[Row]]]:
    """The videos to train on and those to validate on, for each of the splits that are trained on."""
    protocol = selection.protocol
    if protocol.splits == "full":
        raise UsageError("protocol.splits=full: training needs videos to validate on; random, grouped, column or file")
    if protocol.splits == "file" and not alone:
        raise UsageError("protocol.splits=file: a file splits one dataset, and here are several; use column")
    splits = protocol.split(rows)
    chosen = []
    for index in selection.indices:
        if index >= len(splits):
            raise UsageError(f"protocol.indices: {index} is not in 0..{len(splits) - 1}")
        split = splits[index]
        train = protocol.chosen(split, selection.train, "train")
        chosen.append((train, protocol.chosen(split, selection.validation, "validation")))
    if not chosen:
        raise UsageError("protocol.indices: name at least one split")
    return chosen


def _rated_set(
    source: TrainingSource, train: Sequence[Row], validation: Sequence[Row], selection: Selection
) -> RatedSet:
    _require_different(train, f"{source.option}: the split to train on")
    columns = _columns(selection.targets, train, validation, source.option)
    return RatedSet(source.name, train, validation, source.decoder, source.share, columns)


def _columns(
    targets: Mapping[str, str | None], train: Sequence[Row], validation: Sequence[Row], option: str
) -> dict[str, str]:
    """Of the columns that rate a branch alone, those that a dataset has."""
    columns = {branch: name for branch, name in targets.items() if name is not None and name in train[0].extras}
    for branch, name in columns.items():
        for row in (*train, *validation):
            if _number(row, name) is None:
                cell = row.extras.get(name)
                raise UsageError(f"targets.{branch}={name}: {option} has {cell!r} there for {row.name}, not a number")
        if len({float(str(row.extras[name])) for row in train}) == 1:
            raise UsageError(
                f"targets.{branch}={name}: {option} rates all videos to train on alike; there is nothing to learn"
            )
    return columns


def _number(row: Row, column: str) -> float | None:
    """The number that a column has for a video; None where it is no finite number."""
    try:
        number = float(str(row.extras[column]))
    except (KeyError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _require_columns(selection: Selection, sets: Sequence[RatedSet]) -> None:
    """The columns that options name are there: those of ratings in one set at least, that of contents in all."""
    for branch, name in selection.targets.items():
        if branch not in BRANCHES:
            raise UsageError(f"targets.{branch}: there is no such branch; use {', '.join(BRANCHES)}")
        if name is not None and not any(branch in rated.columns for rated in sets):
            header = ", ".join(sets[0].train[0].extras) or "none"
            raise UsageError(f"targets.{branch}={name}: no dataset has such a column (found: {header})")
    column = selection.content
    for rated in sets:
        if column is not None and (lacking := [row for row in rated.train if column not in row.extras]):
            header = ", ".join(lacking[0].extras) or "none"
            raise UsageError(f"by_content.column={column}: {rated.name} has no such column (found: {header})")


def _require_enough(rated: RatedSet) -> None:
    """Enough videos to validate on, and a word where they are few or not apart."""
    count = len(rated.validation)
    if count < FEWEST_CORRELATED:
        raise UsageError(
            f"{rated.name}: {count} videos to validate on are too few to choose an epoch by; "
            "experiment=finetune_small cross-validates over all"
        )


def _require_apart(sets: Sequence[RatedSet]) -> None:
    """No file on both sides, under whatever name and in whatever dataset."""
    trained: dict[Path, list[Row]] = defaultdict(list)
    for row in (row for rated in sets for row in rated.train):
        trained[row.path.resolve()].append(row)
    for row in (row for rated in sets for row in rated.validation):
        if twin := next(
            (other for other in trained.get(row.path.resolve(), ()) if row.part.overlaps(other.part)), None
        ):
            raise UsageError(
                f"leak: {row.path} is validated on and, as {twin.path}, trained on; "
                "leave one of the two rows, or split by protocol.splits=grouped"
            )
