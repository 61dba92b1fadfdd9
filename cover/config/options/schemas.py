"""The schema of each command."""

from cover.config.options.evaluation import EvaluateOptions
from cover.config.options.scoring import InferOptions, ScoringOptions
from cover.config.options.training import TrainOptions

SCHEMAS: dict[str, type[ScoringOptions]] = {"infer": InferOptions, "evaluate": EvaluateOptions, "train": TrainOptions}
"""The schema of each command."""
