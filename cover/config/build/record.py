"""The record of a run, made of its options."""

from collections.abc import Mapping
from typing import Any

from cover.config.options.evaluation import EvaluateOptions
from cover.config.options.scoring import ScoringOptions
from cover.config.options.training import TrainOptions
from cover.results.record import RunRecord


def run_record(
    options: ScoringOptions, config: Mapping[str, Any], weights_sha256: Mapping[str, str] | str = ""
) -> RunRecord:
    """Describe a run for ``run.yaml``.

    Args:
        options: The options.
        config: The same as composed.
        weights_sha256: Checksums of the weights.
    """
    predictions = options.predictions if isinstance(options, EvaluateOptions) else None
    data: dict[str, Any] = {"data": options.data.name, "path": _text(options.data.path), "config": dict(config)}
    if isinstance(options, (EvaluateOptions, TrainOptions)):
        data["splits"] = options.protocol.splits
    if predictions is not None:
        several = predictions if isinstance(predictions, list) else [predictions]
        return RunRecord(**{**data, "path": ", ".join(map(str, several))}, predictions=True)
    return RunRecord(
        model=options.model.name,
        weights=_text(options.weights),
        views=config["views"],
        weights_sha256=weights_sha256,
        **data,
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
