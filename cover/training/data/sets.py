"""Rated videos of one dataset, as training uses them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from cover.decoding.decoder import Decoder
from cover.evaluation.raters.uncertainty import uncertainties
from cover.rows import Row
from cover.scores import SCORES


@dataclass(frozen=True)
class RatedSet:
    """The videos of one dataset that a training uses.

    Args:
        name: Of the dataset.
        train: Rated videos to train on.
        validation: Rated videos to validate on.
        decoder: Decodes them.
        share: How often an epoch sees each video to train on; 0.5 takes a random half of them.
        columns: Branch -> the extra of a row that rates it alone. A branch without one is rated by the MOS.
    """

    name: str
    train: Sequence[Row]
    validation: Sequence[Row]
    decoder: Decoder
    share: float = 1.0
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> list[Row]:
        """All videos: those to train on, then those to validate on."""
        return [*self.train, *self.validation]

    def rating(self, row: Row, score: str = "overall") -> float:
        """Give the rating that a score should follow: that of the branch alone where there is one, else the MOS."""
        value = row.extras[self.columns[score]] if score in self.columns else row.mos
        assert isinstance(value, (int, float, str))
        return float(value)

    @cached_property
    def scales(self) -> dict[str, tuple[float, float]]:
        """For each score, mean and standard deviation of its ratings of the videos to train on."""
        ratings = {score: np.array([self.rating(row, score) for row in self.train]) for score in SCORES}
        return {score: (float(values.mean()), float(values.std())) for score, values in ratings.items()}

    def standardized(self, row: Row, score: str = "overall") -> float:
        """Give a rating in standard deviations from the mean of the videos to train on, so that sets are alike."""
        mean, std = self.scales[score]
        return (self.rating(row, score) - mean) / std

    @cached_property
    def certainties(self) -> dict[str, float] | None:
        """Weight of each video by the interval of its MOS, 0 to 2: 2 / (1 + (interval / median interval)^2).

        A video with the usual interval weighs 1, one that is known exactly 2; so does 1 where no interval is known.
        None where the dataset has no intervals.
        """
        intervals = uncertainties(self.rows, {})
        if intervals is None:
            return None
        half = intervals[0]
        usual = float(np.nanmedian(half))
        weights = 2 / (1 + (half / usual) ** 2) if usual > 0 else np.ones(len(half))
        weights = np.where(np.isfinite(weights), weights, 1.0)
        return {row.name: float(weight) for row, weight in zip(self.rows, weights, strict=True)}
