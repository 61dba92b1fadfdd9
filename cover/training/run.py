"""A training run: its stages, its results folder, and resuming it."""

import hashlib
import json
import logging
import math
import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightning
import pandas as pd
from lightning.pytorch.loggers import Logger

from cover.curves import Calibration
from cover.evaluation.fits.calibration import calibrate
from cover.evaluation.gain import Gain, gain
from cover.evaluation.splits.contents import contents
from cover.files import LOCK, set_aside, write_rows
from cover.models import COVER
from cover.ranks import is_main_process
from cover.results.names import ERRORS, FILENAME, LAST, METRICS, MISSING, RUN, SPLIT, SPLIT_COLUMNS, TRAINED
from cover.results.record import RunRecord, read_run_record, write_run_record
from cover.scores import REVISION, SCORES
from cover.training.checkpoints import trained_on, write_weights
from cover.training.data.features import start_errors
from cover.training.data.sets import RatedSet
from cover.training.recipe import Recipe
from cover.training.stages import StageResult, run_stage, run_start

log = logging.getLogger(__name__)

_LEVEL = 0.99  # of the gain's intervals: the best of several epochs was chosen on the videos that it stands on
FINISHED = METRICS  # the last file of a run: where it is, all is there


@dataclass(frozen=True)
class TrainingOutcome:
    """The outcome of a training.

    Attributes:
        best: The stage whose weights ``best.ckpt`` has.
        curve: The calibration of these weights; None without one.
        tried: The best stage that was trained, which ``best`` is unless it did not help.
        start: The model before any training; None where its weights were random.
        gain: How much better ``tried`` agrees with the MOS than the start, on the first set's videos to validate on.
    """

    best: StageResult
    curve: Calibration | None
    tried: StageResult
    start: StageResult | None = None
    gain: Gain | None = None

    def table(self) -> pd.DataFrame:
        """Tabulate the scores of every video by the best weights.

        Returns:
            ``Filename, split, mos``, the scores, ``predicted_mos`` where there is a calibration, ratings of single
            branches (``technical_rated``), ``overall_before`` and ``overall_trained`` where the start is known,
            ``dataset``.
        """
        data, lines = self.best.data, []
        compared = {} if self.start is None else {"before": self.start.overall, "trained": self.tried.overall}
        for video, scores in self.best.predictions.items():
            row, rated = data.videos[video], data.owners[video]
            named = dict(zip(SCORES, scores, strict=True))
            split = "train" if video < data.trained else "validation"
            line = {FILENAME: row.name, "split": split, "mos": row.mos, **named}
            if self.curve is not None:
                line["predicted_mos"] = float(self.curve(named["overall"]))
            line |= {f"{branch}_rated": rated.rating(row, branch) for branch in data.own}
            line |= {
                f"overall_{name}": scores_of.get((rated.name, row.name), math.nan)
                for name, scores_of in compared.items()
            }
            lines.append({**line, "dataset": rated.name})
        return pd.DataFrame(lines)


def train_stages(
    recipe: Recipe,
    make_model: Callable[[], COVER],
    sets: Sequence[RatedSet],
    about: Mapping[str, Any],
    folder: Path,
    logger: Logger | None,
) -> TrainingOutcome:
    """Train on one split, or continue; leaves weights and curves in the results folder.

    Where the weights to start from mean something, they are validated first, and trained ones take their place only if
    they are better significantly (``recipe.start.require_gain``).

    Args:
        recipe: The recipe.
        make_model: Makes the model with the weights to start from.
        sets: The videos.
        about: Plain data for the weights (see :func:`~cover.training.checkpoints.write_weights`).
        folder: The results folder, which :func:`open_run` has opened.
        logger: Besides ``curves.csv``.

    Raises:
        UsageError: Options are wrong, a disk is full, or too few videos can be read.
    """
    lightning.seed_everything(recipe.seed, verbose=False)
    model = make_model()
    unseen = about
    about = {**about, "trained_on": trained_on(about, [row for rated in sets for row in rated.train])}
    start = run_start(recipe, model, sets, folder, about) if recipe.start.known else None
    sets = sets if start is None else start.data.sets
    tried: StageResult | None = None
    curve: Calibration | None = None
    trained: set[str] = set()
    for stage in recipe.stages:
        result = run_stage(recipe, stage, model, sets, folder, logger, about, trained)
        sets, trained = result.data.sets, trained | result.trained
        if tried is None or result.score > tried.score:
            tried = result
            if is_main_process():
                curve = _calibration(result)
                write_weights(model, result, curve, trained, about, folder)
    assert tried is not None
    if start is None:
        return TrainingOutcome(tried, curve, tried)
    worth = _gain(start, tried)
    if worth.clear or (tried.score > start.score and not recipe.start.require_gain):
        return TrainingOutcome(tried, curve, tried, start, worth)
    if is_main_process():
        curve = _calibration(start)
        (folder / TRAINED).unlink(missing_ok=True)
        write_weights(make_model(), start, curve, set(start.trained), unseen, folder)
    return TrainingOutcome(start, curve, tried, start, worth)


def _gain(start: StageResult, tried: StageResult) -> Gain:
    """Compare the trained model with the start, on the first set's videos to validate on that both could read."""
    data = tried.data
    rated = data.sets[0]
    before, after = start.overall, tried.overall
    both = [row for row in rated.validation if {(rated.name, row.name)} <= before.keys() & after.keys()]
    known = contents(both)
    return gain(
        [before[rated.name, row.name] for row in both],
        [after[rated.name, row.name] for row in both],
        [rated.rating(row) for row in both],
        None if known is None else known.keys,
        level=_LEVEL,
    )


def open_run(
    folder: Path, record: RunRecord, follows: Mapping[str, Any], sets: Sequence[RatedSet], *, resume: bool
) -> None:
    """Resume a run with identical options, else archive it to ``previous/`` and start fresh.

    Args:
        folder: The results folder.
        record: What ``run.yaml`` says of the run.
        follows: The options and checksums that the result follows from.
        sets: The videos.
        resume: Whether to resume at all.
    """
    earlier = read_run_record(folder)
    videos = [[rated.name, *([row.name, row.mos] for row in rated.rows)] for rated in sets]
    identity = _digest({**follows, "videos": videos, "revision": REVISION})
    run_id = uuid.uuid4().hex[:8]
    if earlier is not None:
        is_same = earlier.training.get("identity") == identity
        run_id = earlier.training.get("run_id", run_id) if is_same and resume else run_id
    if earlier is not None and not (is_same and resume):
        if not is_same:
            log.info("the run in %s has other options or data; this one starts fresh", folder)
        file = folder / RUN
        # What this run has written already stays.
        stays = {"previous", MISSING, "train.log", LOCK, file.name}
        set_aside([file, *(path for path in folder.iterdir() if path.name not in stays)])
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"identity": identity, "run_id": run_id, "base": dict(follows["base"])}
    write_run_record(folder, replace(record, training=facts))
    if not (folder / FINISHED).exists():
        start_errors(folder / ERRORS)
        write_splits(sets, folder / SPLIT)


def _digest(identity: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()


def write_splits(sets: Sequence[RatedSet], path: Path) -> None:
    """Write which video was used for what; of a single dataset it is what ``protocol.splits=file`` reads."""
    rows = [
        (row.name, split, row.mos, rated.name)
        for rated in sets
        for split in ("train", "validation")
        for row in getattr(rated, split)
    ]
    write_rows(path, SPLIT_COLUMNS, rows)


def tidy(recipe: Recipe, folder: Path) -> None:
    """Keep only the last stage's final checkpoint."""
    stages = folder / "stages"
    if stages.exists():
        (stages / recipe.stages[-1].name / LAST).replace(folder / LAST)
        shutil.rmtree(stages)


def _calibration(result: StageResult) -> Calibration | None:
    """The curve from overall scores to the MOS of the first set, fitted to the videos that were trained on."""
    data, place = result.data, SCORES.index("overall")
    videos = [video for video in result.predictions if video < data.trained and data.owners[video] is data.sets[0]]
    mos = [data.sets[0].rating(data.videos[video]) for video in videos]
    curve = calibrate([result.predictions[video][place] for video in videos], mos)
    if curve is None:
        log.warning("scores do not rise with the MOS on the videos trained on: the checkpoint has no MOS scale")
    return curve
