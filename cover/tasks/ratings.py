"""The clips that a training uses: from datasets and splits, with everything checked that can be checked early."""

import logging
import math
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pandas as pd

from cover.errors import UsageError
from cover.models import BRANCHES
from cover.rows import Row
from cover.tasks.protocol import SPLITS, dataset_splits, part_of
from cover.tasks.scoring import dataset_rows, decoder, is_main_process, positive
from cover.training_data import RatedSet

log = logging.getLogger(__name__)

FEWEST_CLIPS = 10
_NAMED = 3  # files that a message names; the table beside it has all


def rated_splits(options: dict[str, Any], folder: Path) -> list[list[RatedSet]]:
    """The datasets of a training, once for each split that is trained on.

    Args:
        options: ``configs/train.yaml`` as composed, as plain data.
        folder: Where ``missing.csv`` goes.

    Returns:
        For each of ``protocol.indices`` the sets: ``data``, then those of ``also``.

    Raises:
        UsageError: Ratings are too few, all alike or not finite; files are missing; a file is on both sides; an option
            is wrong.
    """
    nodes = {options["data"]["name"]: ("data", options["data"])}
    for key, node in options["also"].items():
        if node["name"] in nodes:
            raise UsageError(f"also.{key}.name={node['name']}: there is a dataset of that name; give it another one")
        nodes[node["name"]] = (f"also.{key}", node)
    rows = {name: _rated(node, option) for name, (option, node) in nodes.items()}
    held_out = None if options["validation"] is None else _rated(options["validation"], "validation")
    every = [*rows.items()] + ([] if held_out is None else [("validation", held_out)])
    missing = _missing(every, folder, strict=options["strict"])
    rows = {name: [row for row in found if row.path not in missing] for name, found in rows.items()}
    for name, found in rows.items():
        _require_ratings(found, nodes[name][0])

    if held_out is None:
        parts = {name: _parts(found, options["protocol"], alone=len(rows) == 1) for name, found in rows.items()}
    else:
        parts = {name: [(found, [])] for name, found in rows.items()}
        first = next(iter(rows))
        parts[first] = [(rows[first], [row for row in held_out if row.path not in missing])]
        if len(options["protocol"]["indices"]) != 1:
            raise UsageError("protocol.indices: there is one split where validation= names a dataset; leave it out")
    splits = []
    for index in range(len(options["protocol"]["indices"])):
        sets: list[RatedSet] = []
        for name, (option, node) in nodes.items():
            train, validation = parts[name][index]
            _require_different(train, f"{option}: the part to train on")
            if held_out is None or not sets:
                _require_different(validation, f"{option}: the part to validate on")
            weight = node.get("weight", 1)
            positive(f"{option}.weight", weight, (int, float))
            columns = _columns(options["targets"], train, validation, option)
            sets.append(RatedSet(name, train, validation, decoder(options, node["raw"]), float(weight), columns))
        _require_apart(sets)
        _require_columns(options, sets)
        auxiliary_columns(options["auxiliary"]["columns"], sets)
        splits.append(sets)
    return splits


def auxiliary_columns(patterns: Sequence[str], sets: Sequence[RatedSet]) -> list[str]:
    """Columns that backbones are to tell of clips besides; those that are alike for all clips tell nothing.

    Args:
        patterns: ``auxiliary.columns``: shell patterns over the columns of the data.
        sets: What is trained on.

    Returns:
        Their names, as the first set orders them.

    Raises:
        UsageError: A pattern matches no column, a set lacks one, one is no column of numbers, or all are alike.
    """
    known = list(sets[0].train[0].extras)
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in known):
            found = ", ".join(known) or "none"
            raise UsageError(f"auxiliary.columns: {pattern!r} matches no column of {sets[0].name} (found: {found})")
    wanted = [name for name in known if any(fnmatchcase(name, pattern) for pattern in patterns)]
    seen: dict[str, set[float]] = {name: set() for name in wanted}
    for rated in sets:
        for row in rated.train:
            for name in wanted:
                number = _number(row, name)
                if number is None:
                    raise UsageError(
                        f"auxiliary.columns: {rated.name} has {row.extras.get(name)!r} in {name} for {row.name}, "
                        "not a number"
                    )
                seen[name].add(number)
    varying = [name for name in wanted if len(seen[name]) > 1]
    if wanted and not varying:
        raise UsageError(f"auxiliary.columns: {', '.join(wanted)} are alike for all clips; there is nothing to learn")
    return varying


def _rated(node: dict[str, Any], option: str) -> list[Row]:
    rows, _ = dataset_rows(node, option)
    rated = [row for row in rows if row.mos is not None]
    if not rated:
        columns = ", ".join(rows[0].extras) or "none"
        raise UsageError(f"{option}: no clip has a MOS; a table's column is named by {option}.mos= (found: {columns})")
    for row in rated:
        if not math.isfinite(row.mos or 0.0):
            raise UsageError(f"{option}: {row.name} has the MOS {row.mos}, which is not a number; mend or drop its row")
    if len(rated) < len(rows):
        log.warning("%s: %d of %d clips have no MOS and are left out", option, len(rows) - len(rated), len(rows))
    return rated


def _missing(datasets: Sequence[tuple[str, list[Row]]], folder: Path, *, strict: bool) -> set[Path]:
    """The files that are not there; ``missing.csv`` lists them."""
    missing = [row for _, rows in datasets for row in rows if not row.path.exists()]
    if not missing:
        return set()
    table = folder / "missing.csv"
    if is_main_process():
        folder.mkdir(parents=True, exist_ok=True)
        pd.DataFrame({"Filename": [str(row.path) for row in missing]}).to_csv(
            table, index=False, errors="backslashreplace"
        )
    some = ", ".join(str(row.path) for row in missing[:_NAMED]) + (", ..." if len(missing) > _NAMED else "")
    message = f"{len(missing)} of {sum(len(rows) for _, rows in datasets)} clips are missing ({some}); see {table}"
    if strict:
        raise UsageError(f"data: {message}; strict=false trains without them, data.root= says where clips are")
    log.warning("%s", message)
    return {row.path for row in missing}


def _require_ratings(rows: Sequence[Row], option: str) -> None:
    if len(rows) < FEWEST_CLIPS:
        raise UsageError(
            f"{option}: {len(rows)} rated clips are too few to train on; at least {FEWEST_CLIPS} are needed"
        )
    _require_different(rows, option)


def _require_different(rows: Sequence[Row], what: str) -> None:
    if not rows:
        raise UsageError(f"{what} has no clip")
    if len({row.mos for row in rows}) == 1:
        raise UsageError(f"{what}: all {len(rows)} clips have the MOS {rows[0].mos:g}; there is nothing to learn")


def _parts(rows: list[Row], protocol: Mapping[str, Any], *, alone: bool) -> list[tuple[list[Row], list[Row]]]:
    """What is trained on and what is validated on, for each of ``protocol.indices``."""
    if protocol["splits"] == "full":
        raise UsageError(f"protocol.splits=full: training needs a part to validate on; {', '.join(SPLITS[1:])}")
    if protocol["splits"] == "file" and not alone:
        raise UsageError("protocol.splits=file: a file splits one dataset, and here are several; use column")
    splits = dataset_splits(rows, protocol)
    chosen = []
    for index in protocol["indices"]:
        if not isinstance(index, int) or not 0 <= index < len(splits):
            raise UsageError(f"protocol.indices: {index} is not in 0..{len(splits) - 1}")
        split = splits[index]
        chosen.append((part_of(split, protocol, "train"), part_of(split, protocol, "part")))
    if not chosen:
        raise UsageError("protocol.indices: name at least one split")
    return chosen


def _columns(
    targets: Mapping[str, str | None], train: Sequence[Row], validation: Sequence[Row], option: str
) -> dict[str, str]:
    """Of the columns that rate a branch alone those that a dataset has."""
    columns = {branch: name for branch, name in targets.items() if name is not None and name in train[0].extras}
    for branch, name in columns.items():
        for row in (*train, *validation):
            if _number(row, name) is None:
                found = row.extras.get(name)
                raise UsageError(f"targets.{branch}={name}: {option} has {found!r} there for {row.name}, not a number")
        if len({float(str(row.extras[name])) for row in train}) == 1:
            raise UsageError(
                f"targets.{branch}={name}: {option} rates all clips to train on alike; there is nothing to learn"
            )
    return columns


def _number(row: Row, column: str) -> float | None:
    """What a column says of a clip; None where that is no finite number."""
    try:
        number = float(str(row.extras[column]))
    except (KeyError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _require_columns(options: dict[str, Any], sets: Sequence[RatedSet]) -> None:
    """The columns that options name are there: those of ratings in one set at least, that of contents in all."""
    for branch, name in options["targets"].items():
        if branch not in BRANCHES:
            raise UsageError(f"targets.{branch}: there is no such branch; use {', '.join(BRANCHES)}")
        if name is not None and not any(branch in rated.columns for rated in sets):
            found = ", ".join(sets[0].train[0].extras) or "none"
            raise UsageError(f"targets.{branch}={name}: no dataset has such a column (found: {found})")
    column = options["by_content"]["column"]
    positive("by_content.clips", options["by_content"]["clips"], int)
    for rated in sets:
        if column is not None and (lacking := [row for row in rated.train if column not in row.extras]):
            found = ", ".join(lacking[0].extras) or "none"
            raise UsageError(f"by_content.column={column}: {rated.name} has no such column (found: {found})")


def _require_apart(sets: Sequence[RatedSet]) -> None:
    """No file on both sides, under whatever name and in whatever dataset."""
    trained = {row.path.resolve(): row for rated in sets for row in rated.train}
    for row in (row for rated in sets for row in rated.validation):
        if twin := trained.get(row.path.resolve()):
            raise UsageError(
                f"leak: {row.path} is validated on and, as {twin.path}, trained on; "
                "leave one of the two rows, or split by protocol.splits=grouped"
            )
