"""The columns of a wide table of ratings that are raters, and those that summarise raters or describe videos."""

import math
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cover.cells import is_missing, number
from cover.errors import UsageError
from cover.tables import NOT_JUDGEMENTS, TableLine, header_key

_SUMMARY = re.compile(
    r"(?:unnamed|column)\d*|average|averages|avg\w*|mean\w*|median\w*|total\w*|sum|sums|subtotal"
    r"|std\w*|stdev\w*|sd|stddev\w*|standarddeviation|deviation|dev|var|variance|sem|stderr|standarderror|range|iqr"
    r"|minimum|maximum|rank|ranking|ranks|count|counts|number|no|nr|num\w*|mos\w*|dmos\w*|zscore|zscores"
    r"|(?:lower|upper)\w*|p\d+th|percentile\w*|confidence\w*|ci\d*\w{0,5}|skew\w*|kurt\w*|outliers?|valid"
    r"|trial\w*|session\w*|rt|reactiontime|responsetime|timestamp|created\w*|row|rownumber|rowid|line|idx|key"
    # Of videos and metrics.
    r"|(?:psnr|ssim|msssim|vmaf|lpips|niqe|brisque|piqe|fvd|fid|dover|fastvqa|clipiqa)\w*"
    r"|length\w*|codec\w*|scene\w*|hrc\w*|src\w*|pvs\w*|condition\w*|batch\w*|cluster|position\w*"
    r"|seq|sequence\w*|playlist\w*"
    # Summaries in other words and languages.
    r"|rounded|trimmed\w*|geomean|geometric\w*|harmonic\w*|lowest|highest|halfwidth|cv|q[1-4]|quartile\w*"
    r"|top\d*box|bottom\d*box|scaled\w*|nvalid|nmissing|moyenne\w*|m[eé]diane?|[eé]carttype|somme|variance|varianz"
    r"|mittelwert\w*|durchschnitt\w*|standardabweichung|stdabw|summe|gesamt|anzahl|modus|mediana|promedio|suma|total\w*"
    r"|desviaci[oó]n\w*|среднее|медиана|平均\w*|均值|中央値|中位数|標準偏差|标准差"
    r"|overall|semantic|technical|aesthetic|start\w*|end\w*|nbframes|numframes|framenumber|bitdepth|gtlabel|label"
)
_MAYBE = frozenset({"best", "worst", "media", "mode", "pos", "spread", "accept", "fold", "block"})
"""Headers that may be a person's name or that of a column beside the raters."""

_PERHAPS = {"min": min, "max": max}
"""Headers that may be a rater's name; only their values show which."""

_TOLERANCE = 0.0101  # of a summary with two decimals or more; five times as much with one decimal
_SHORTEST_SCALE = 4.0  # from 1 to 5
_LONGEST_SCALE = 10  # points of a rating scale that rows could be numbered by
_MANY = 8  # rows in which a rater is not likely to agree with a statistic of all others by chance
_WHOLE: dict[str, Callable[[Sequence[float]], Sequence[float]]] = {
    "the rounded mean": lambda given: (round(statistics.fmean(given)), math.floor(statistics.fmean(given) + 0.5)),
    "the lowest": lambda given: (min(given),),
    "the highest": lambda given: (max(given),),
    "the number": lambda given: (len(given),),
}
_FEWEST = 3  # rows and raters that a summary can be recognised by


@dataclass(frozen=True)
class RaterColumns:
    """The columns of a wide table.

    Attributes:
        raters: Headers of the raters.
        left_out: Headers of columns of numbers that are not raters.
    """

    raters: list[str]
    left_out: list[str]


def rater_columns(names: Sequence[str], records: Sequence[TableLine], what: str) -> RaterColumns:
    """Choose the columns that are raters.

    A column is no rater if its header says so (``Average``, ``Std. Dev.``, ``Unnamed: 0``), if it counts the rows, or
    if its values are a statistic of the raters (mean, median, sum, deviation, ...) whatever it is called.

    Args:
        names: Headers of the columns that may be raters.
        records: The rows.
        what: What to call the table in messages.

    Raises:
        UsageError: It cannot be decided whether a column is a rater.
    """
    numeric = [name for name in names if _is_numeric(name, records)]
    values = {name: [_value(cells[name]) for _, cells in records] for name in numeric}
    raters = [name for name in numeric if not is_no_judgement(name) and not _counts_rows(values[name])]
    raters = _without_statistics(raters, values)
    if odd := _odd_one(raters, values):
        name, reason = odd
        raise UsageError(
            f"{what}: column {name} may or may not be a rater: {reason}; ratings.raters=PATTERN names the raters, such "
            f"as ratings.raters={_pattern(raters, name)}"
        )
    return RaterColumns(raters, [name for name in numeric if name not in raters])


def is_no_judgement(name: str) -> bool:
    """Return whether a header is that of a summary, an index or a property, not that of a rater."""
    key = header_key(name)
    if name.strip().endswith("%"):  # a percentile, as in "25%"
        return True
    return not key or key in NOT_JUDGEMENTS or _SUMMARY.fullmatch(key) is not None


def _is_numeric(name: str, records: Sequence[TableLine]) -> bool:
    cells = [cells[name] for _, cells in records if not is_missing(cells[name])]
    # A cell that is not a number is an error of its own, in what is a column of ratings otherwise.
    return 2 * sum(number(cell) is not None for cell in cells) > len(cells)


def _value(cell: object) -> float:
    value = number(cell)
    return math.nan if value is None else value


def _counts_rows(values: Sequence[float]) -> bool:
    """Return whether values number the rows from 0 or 1 on, beyond the usual scales of ratings."""
    counted = [[float(first + row) for row in range(len(values))] for first in (0, 1)]
    return len(values) > _LONGEST_SCALE and list(values) in counted


def _without_statistics(raters: list[str], values: Mapping[str, Sequence[float]]) -> list[str]:
    """Drop columns that are a statistic of the columns before them, or of all others."""
    kept: list[str] = []
    for name in raters:
        others = [other for other in raters if other != name]
        if not any(_summarises(name, values, base) for base in (kept, others)):
            kept.append(name)
    return kept


def _summarises(name: str, values: Mapping[str, Sequence[float]], base: Sequence[str]) -> bool:
    """Return whether a column is the mean, median, deviation or sum of others in every row."""
    rows = [row for row in _beside(name, values, base) if len(row[1]) > 1]
    if len(rows) < _FEWEST or len({value for value, _ in rows}) == 1:
        return False
    exact: list[Callable[..., float]] = [sum, *([_PERHAPS[header_key(name)]] if header_key(name) in _PERHAPS else [])]
    if any(all(statistic(given) == value for value, given in rows) for statistic in exact):
        return True
    if all(value.is_integer() for value, _ in rows):  # a rater may agree with the median of a few others
        return False
    one_decimal = all(round(10 * value, 6).is_integer() for value, _ in rows)
    tolerance = _TOLERANCE * (5 if one_decimal else 1)
    return any(
        all(abs(statistic(given) - value) <= tolerance for value, given in rows)
        for statistic in (statistics.fmean, statistics.median, statistics.stdev, statistics.pstdev, statistics.variance)
    )


def _beside(name: str, values: Mapping[str, Sequence[float]], others: Sequence[str]) -> list[tuple[float, list[float]]]:
    """The values of a column with those that other columns have in the same row, where there are any."""
    rows = []
    for place, value in enumerate(values[name]):
        given = [values[other][place] for other in others if not math.isnan(values[other][place])]
        if not math.isnan(value) and given:
            rows.append((value, given))
    return rows


def _odd_one(raters: Sequence[str], values: Mapping[str, Sequence[float]]) -> tuple[str, str] | None:
    """A column whose values lie outside the scale of all others, with the reason; None without one."""
    if len(raters) < _FEWEST:
        return None
    if odd := _whole_summary(raters, values):
        return odd
    ends = {}
    for name in raters:
        known = [value for value in values[name] if not math.isnan(value)]
        if known:
            ends[name] = min(known), max(known)
    for name, (low, high) in ends.items():
        others = [bounds for other, bounds in ends.items() if other != name]
        least, most = min(bounds[0] for bounds in others), max(bounds[1] for bounds in others)
        span = max(most - least, _SHORTEST_SCALE)
        if low > most + span or high < least - span or high > most + 5 * span:
            return name, f"its values {low:g} to {high:g} are far from {least:g} to {most:g} of the other columns"
    return None


def _whole_summary(raters: Sequence[str], values: Mapping[str, Sequence[float]]) -> tuple[str, str] | None:
    """A column that a rater is not likely to give, with the reason; None without one.

    Fractions among raters who give whole numbers only are a statistic or a measurement. Whole numbers that are the
    others' rounded mean, an end of theirs or their number in every row are a statistic.
    """
    for name in raters:
        if header_key(name) in _MAYBE:
            return name, "its header may be that of a summary or a property"
    whole = {name for name in raters if all(math.isnan(value) or value.is_integer() for value in values[name])}
    for name in raters:
        others = [other for other in raters if other != name]
        # Half points are a rater's, finer fractions are not.
        fine = any(not math.isnan(value) and not (2 * value).is_integer() for value in values[name])
        if fine and len(others) >= _FEWEST and whole.issuperset(others):
            return name, "it has fractions, and all other columns have whole numbers"
    for name in raters if len(raters) > _FEWEST else ():
        rows = _beside(name, values, [other for other in raters if other != name])
        if len(rows) < _MANY or len({value for value, _ in rows}) == 1:
            continue
        for said, statistic in _WHOLE.items():
            if all(value in statistic(given) for value, given in rows):
                return name, f"in every row it is {said} of the other columns"
    return None


def _pattern(raters: Sequence[str], odd: str) -> str:
    """A pattern that the other columns share, as it is typed; without one, that of all columns."""
    others = [name for name in raters if name != odd]
    first = re.match(r"[^\W\d_]+", others[0])
    start = first[0] if first else others[0][:1]
    if all(name.startswith(start) for name in others) and not odd.startswith(start):
        return f"'{start}*'"
    return "'*' (all columns; take out what is no rater)"
