"""Ratings of distorted clips, by what was done to them."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from cover.scores import BRANCHES

LEVELS = (1, 2, 3, 4, 5)
_STEP = 0.5


@dataclass(frozen=True)
class PseudoMos:
    """Scores of a clip, from 1 (bad) to 5 (pristine).

    Attributes:
        mos: Of the clip as a whole.
        semantic: Of what can be recognised.
        technical: Of how faithfully it was coded, sampled and shown.
        aesthetic: Of light, colour and composition.
    """

    mos: float
    semantic: float
    technical: float
    aesthetic: float


def rate(treatment: Iterable[tuple[str, int]]) -> PseudoMos:
    """Rates a clip by the branches and levels of what was done to it.

    The impairment I of a branch is half the root of the sum of the squares of its levels, that of the clip the sum over
    its branches; every score is 1 + 8 / (1 + exp(I)). For one distortion at levels 1 to 5 that is 4.02, 3.15, 2.46,
    1.95 and 1.61.

    Why so: distortions of one kind mask each other, so that two together are worse than either and better than their
    sum; a Minkowski sum with an exponent near 2 describes that (de Ridder, "Minkowski-metrics as a combination rule for
    digital-image-coding impairments", SPIE 1666, 1992). Light or content do not mask a blurred picture, and COVER adds
    its branches, hence the plain sum there. A logistic curve maps impairments to ratings, as usual in the field (VQEG):
    of a spoilt clip, more damage takes less. So a score falls with every level of anything added, and a distortion
    moves no branch's score but its own's.

    Args:
        treatment: Branch and level of each distortion; none for a pristine clip.

    Returns:
        The scores.
    """
    squares = dict.fromkeys(BRANCHES, 0)
    for branch, level in treatment:
        squares[branch] += level**2
    impairments = {branch: _STEP * math.sqrt(square) for branch, square in squares.items()}
    return PseudoMos(_score(sum(impairments.values())), **{name: _score(value) for name, value in impairments.items()})


def _score(impairment: float) -> float:
    return 1 + 8 / (1 + math.exp(impairment))
