"""Checks of the options of ``train`` that need no data and no torch."""

from cover.config.build.decoding import view_spec
from cover.config.build.trainer import require_logger
from cover.config.options.training import BranchFitOptions, TrainOptions
from cover.errors import UsageError
from cover.video import ViewSpec
from cover.weights import PRETRAINED_WEIGHTS, RANDOM_WEIGHTS


def check_training(options: TrainOptions) -> None:
    """Refuse what can be refused before anything is read, or torch imported.

    Raises:
        UsageError: The options do not go together.
    """
    if options.protocol.splits == "nested":
        _check_nested(options)
    elif not any(stage.epochs for stage in options.stages.values()):
        raise UsageError("stages: no stage has an epoch; set that of stages.ridge, stages.heads or stages.full")
    _check_batches(options)
    for name in ("check_val_every_n_epoch", "limit_val_batches"):
        if name in options.trainer:
            raise UsageError(f"trainer.{name}: every epoch is validated, on all videos; leave it out")
    names = [node.name for node in (options.data, *options.also.values())]
    for branch, fit in fits(options).items():
        if unknown := set(fit.sets or ()) - set(names):
            raise UsageError(f"ridge.{branch}.sets: no dataset {min(unknown)!r} here, only {', '.join(names)}")
    require_logger(options.logger)
    centered(options)


def _check_nested(options: TrainOptions) -> None:
    """Refuse what the ladder has no use for."""
    if any(stage.epochs for stage in options.stages.values()):
        raise UsageError("protocol.splits=nested: no stage is trained; experiment=finetune_small sets what it takes")
    if options.also or options.validation is not None:
        raise UsageError("protocol.splits=nested: cross-validates over data= alone; leave also= and validation= out")
    if options.by_content.column is not None:
        raise UsageError("protocol.splits=nested: makes no batches; protocol.column= names the content")
    if any(options.targets.model_dump().values()):
        raise UsageError("protocol.splits=nested: adapts the overall score to the MOS; leave targets= out")
    if not known_start(options):
        raise UsageError("protocol.splits=nested: adapts a trained model; weights=random and from_scratch have none")
    if options.trainer.get("devices", 1) not in (1, "1", "auto"):
        raise UsageError("protocol.splits=nested: takes one device; leave trainer.devices out")


def _check_batches(options: TrainOptions) -> None:
    """Refuse settings in which a loss compares a video with nothing, and learns nothing without a word."""
    if not any(stage.epochs and stage.train for stage in options.stages.values()):
        return
    several = options.trainer.get("devices", 1) not in (1, "1") or options.trainer.get("num_nodes", 1) != 1
    if options.batch_size == 1 and not several:
        raise UsageError("batch_size=1: losses compare the videos of a batch; it takes 2 at least, 8 by default")
    if options.loss.within == 1 and (options.by_content.column is None or options.by_content.videos == 1):
        raise UsageError(
            "loss.within=1: losses then compare videos of one content only; by_content.column= and by_content.videos= "
            "(2 at least) bring several of them into a batch"
        )


def fits(options: TrainOptions) -> dict[str, BranchFitOptions]:
    """Give the options of closed-form fits by branch."""
    ridge = options.ridge
    return {"semantic": ridge.semantic, "technical": ridge.technical, "aesthetic": ridge.aesthetic}


def centered(options: TrainOptions) -> ViewSpec:
    """Make the view spec that training validates with.

    Raises:
        UsageError: The views are not sampled at the centre.
    """
    if options.views.sampling != "center" or options.views.replay or options.views.record:
        raise UsageError("views.sampling: training validates on the centre; augment.samplings= adds random ones")
    return view_spec(options.views)


def known_start(options: TrainOptions) -> bool:
    """Return whether the weights to start from mean something: whether their heads are not random."""
    return not options.from_scratch and options.weights not in (RANDOM_WEIGHTS, PRETRAINED_WEIGHTS)
