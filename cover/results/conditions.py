"""Selecting videos, and gating runs, by an expression over the columns of results.

An expression is parsed into a tree that may hold comparisons, arithmetic, ``and``, ``or``, ``not``, ``in`` and the
functions below, and nothing else; pandas then computes it. No name reaches Python.
"""

import ast
import keyword
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cover.errors import UsageError
from cover.results.read import Results, identifier
from cover.text import meant

_NODES = (
    *(ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.BinOp, ast.Compare),
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn),
    *(ast.Name, ast.Load, ast.Constant, ast.List, ast.Tuple, ast.Call),
)
_CONSTANTS = (bool, int, float, str)
_NO_OPERATORS = frozenset(keyword.kwlist) - {"True", "False", "None", "and", "or", "not", "in", "is", "if", "else"}
_AGGREGATES: dict[str, Callable[[Any], float]] = {
    "mean": lambda values: float(values.mean()),
    "median": lambda values: float(values.median()),
    "min": lambda values: float(values.min()),
    "max": lambda values: float(values.max()),
    "std": lambda values: float(values.std()),
    "sum": lambda values: float(values.sum()),
    "share": lambda values: float(values.mean()),
}
_LONGEST, _DEEPEST, _LARGEST = 2_000, 100, 1e15

FUNCTIONS = (*_AGGREGATES, "quantile", "count")
"""Functions of expressions: ``mean(overall)``, ``share(overall > 0)``, ``quantile(technical, 0.3)`` and ``count()`` of
videos; ``quantile(0.3)`` is that of what it is compared with."""


def conditioned(results: Results) -> pd.DataFrame:
    """Give the table that conditions are about: the columns by names that an expression can hold, and ``filename``."""
    table = results.numbers.rename(columns=identifier)
    table = table.loc[:, ~table.columns.duplicated()]
    return table if "filename" in table else table.assign(filename=table.index.astype(str))


def matching(table: pd.DataFrame, expression: str, by: str | None = None) -> "pd.Series[bool]":
    """Return which videos an expression holds for; where a value it needs is unknown, it does not.

    Args:
        table: Columns by names that are identifiers.
        expression: Such as ``overall > 0.5 and technical > quantile(0.3)``.
        by: A column: quantiles and means are those of each of its groups.

    Raises:
        UsageError: The expression cannot be read, holds what is not allowed, names a column that does not exist, or
            is one figure for all videos.
    """

    def holds(part: pd.DataFrame) -> "pd.Series[bool]":
        holding = _compute(part, expression)
        if not isinstance(holding, pd.Series):
            raise UsageError(f"{expression}: has one value for the whole run; compare a column, such as overall > 0.5")
        if holding.dtype != bool:
            raise UsageError(f"{expression}: is no condition; compare it, such as overall > 0.5")
        return holding

    parts = [holds(part) for _, part in grouped(table, by)]
    holding = pd.concat(parts) if parts else pd.Series(dtype=bool)
    return holding.reindex(table.index, fill_value=False)


def conditions_hold(table: pd.DataFrame, expression: str, by: str | None = None) -> dict[str, bool]:
    """Return whether a condition on all videos holds, such as ``mean(overall) > 0.3``.

    Args:
        table: Columns by names that are identifiers.
        expression: One condition for all videos; of single videos, it must hold for each.
        by: A column: the condition must hold for each of its groups.

    Returns:
        By group, or under ``all``, whether it holds; where a value it needs is unknown, it does not.

    Raises:
        UsageError: As for :func:`matching`.
    """
    outcomes = {}
    for name, part in grouped(table, by):
        value = _compute(part, expression)
        if isinstance(value, pd.Series) and value.dtype == bool:
            value = bool(len(value) and value.all())
        if not isinstance(value, bool) and type(value).__name__ != "bool_":
            raise UsageError(f"{expression}: is no condition; compare it, such as mean(overall) > 0.3")
        outcomes[str(name)] = bool(value)
    return outcomes


@dataclass(frozen=True)
class Figure:
    """The value of a part of a condition.

    Attributes:
        text: The part, such as ``mean(overall)``.
        value: Its value; NaN where it is unknown.
        videos: Names of the videos that it is about, the worst first: those of a share, or those that fail.
        failing: Whether these are videos that fail a condition on single videos.
    """

    text: str
    value: float
    videos: Sequence[str] = ()
    failing: bool = False


def figures_of(table: pd.DataFrame, expression: str) -> list[Figure]:
    """Compute the parts of a condition, to say why it holds or does not.

    Args:
        table: Columns by names that are identifiers.
        expression: A condition that :func:`conditions_hold` takes.

    Returns:
        A figure for each function of all videos; of a condition on single videos, the share that meets it.
    """
    tree = _known(_parsed(expression), table, expression)
    figures = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and not _is_bare_quantile(node):
            text = ast.unparse(node)
            value = _compute(table, text)
            about: Sequence[str] = ()
            if isinstance(node.func, ast.Name) and node.func.id == "share":
                holding = _compute(table, ast.unparse(node.args[0]))
                about = _worst(table, holding) if isinstance(holding, pd.Series) and holding.dtype == bool else ()
            is_known = not isinstance(value, (pd.Series, bool))  # an unknown figure makes a condition false
            figures.append(Figure(text, float(value) if is_known else math.nan, about))
    outcome = _compute(table, expression)
    if isinstance(outcome, pd.Series) and outcome.dtype == bool:
        figures.append(Figure(f"share({expression})", float(outcome.mean()), _worst(table, ~outcome), failing=True))
    return figures


def _worst(table: pd.DataFrame, chosen: "pd.Series[bool]") -> list[str]:
    return [str(name) for name in table[chosen.to_numpy()].sort_values("overall", kind="stable").index]


def _known(tree: ast.Expression, table: pd.DataFrame, expression: str) -> ast.Expression:
    """Spell the columns of an expression as the table does: names as written in files count in any case.

    Raises:
        UsageError: A column does not exist; the message names the closest.
    """
    by_key = {str(name).casefold().replace("_", ""): str(name) for name in reversed(table.columns)}
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Name) or id(node) in called or node.id in table:
            continue
        known = by_key.get(node.id.casefold().replace("_", ""))
        if known is None:
            listed = ", ".join(map(str, table))
            hint = meant(node.id, map(str, table))
            raise UsageError(f"{expression[:80]}: there is no column {node.id} (found: {listed[:500]}){hint}")
        node.id = known
    return tree


def grouped(table: pd.DataFrame, by: str | None) -> list[tuple[str, pd.DataFrame]]:
    """Give the groups of a table by the values of a column, with their names; None gives the table as ``all``.

    Raises:
        UsageError: There is no such column.
    """
    if by is None:
        return [("all", table)]
    if by not in table:
        raise UsageError(f"by={by}: there is no such column (found: {', '.join(map(str, table))})")
    return [(str(name), part) for name, part in table.groupby(by, sort=True, dropna=False)]


def _parsed(expression: str) -> ast.Expression:
    try:
        if len(expression) > _LONGEST:
            raise ValueError(f"longer than {_LONGEST} characters")  # noqa: TRY301 - one way out for all that is unreadable
        tree = ast.parse(_without_keywords(expression.strip()), mode="eval")
        depth = _depth(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = f"{error.msg}; equal is ==, and is and" if isinstance(error, SyntaxError) else str(error)
        raise UsageError(f"{expression[:80]}: cannot be read as a condition ({reason})") from error
    if depth > _DEEPEST:
        raise UsageError(f"{expression[:80]}: is nested too deeply")
    for node in ast.walk(tree):
        if not isinstance(node, _NODES) or (isinstance(node, ast.Constant) and type(node.value) not in _CONSTANTS):
            raise UsageError(
                f"{expression}: {_words(node)} is not allowed; a condition compares columns, such as "
                "overall > 0.5 and codec == 'h264'"
            )
        if isinstance(node, ast.Call):
            _check_call(node, expression)
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and abs(node.value) > _LARGEST:
            raise UsageError(f"{expression[:80]}: takes numbers up to {_LARGEST:g}")
        if isinstance(node, ast.BinOp) and any(map(_is_no_number, (node.left, node.right))):
            raise UsageError(f"{expression[:80]}: only numbers are added and multiplied")
    return tree


def _without_keywords(expression: str) -> str:
    """Write ``_`` behind words of Python that are no operators: a column may be called ``class`` or ``from``."""
    quoted_or_word = re.compile(r"\'[^\']*\'|\"[^\"]*\"|\b[a-z]+\b")
    return quoted_or_word.sub(lambda match: f"{match[0]}_" if match[0] in _NO_OPERATORS else match[0], expression)


def _is_no_number(node: ast.AST) -> bool:
    return isinstance(node, (ast.List, ast.Tuple)) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _check_call(node: ast.Call, expression: str) -> None:
    name = node.func.id if isinstance(node.func, ast.Name) else ast.unparse(node.func)
    if name not in FUNCTIONS:
        raise UsageError(f"{expression}: there is no function {name} (there are {', '.join(FUNCTIONS)})")
    fits = {"quantile": (1, 2), "count": (0,)}.get(name, (1,))
    if node.keywords or len(node.args) not in fits:
        raise UsageError(f"{expression}: {name} takes {' or '.join(map(str, fits))} value(s)")
    if name == "quantile":
        share = node.args[-1]
        value = share.value if isinstance(share, ast.Constant) else None
        if type(value) not in (int, float) or not 0 <= value <= 1:  # type: ignore[operator]
            raise UsageError(f"{expression}: quantile takes a number from 0 to 1")


def _compute(table: pd.DataFrame, expression: str) -> Any:
    tree = _known(_parsed(expression), table, expression)
    try:
        figures = _Figures(table, expression)
        tree = figures.visit(tree)
        outcome = _value(table, tree.body)
    except (
        TypeError,
        ValueError,
        ArithmeticError,
        MemoryError,
        NotImplementedError,
        SyntaxError,
        AttributeError,
        KeyError,
    ) as error:
        raise UsageError(f"{expression}: cannot be computed ({str(error)[:80]})") from error
    if figures.unknown:  # whatever is compared with it
        return pd.Series(False, index=table.index) if isinstance(outcome, pd.Series) else False
    if isinstance(outcome, pd.Series) and outcome.dtype == bool:
        needed = sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name)})
        outcome &= table[needed].notna().all(axis=1)
    return outcome


class _Figures(ast.NodeTransformer):
    """Put in place of each function of all videos its figure."""

    def __init__(self, table: pd.DataFrame, expression: str) -> None:
        self.table = table
        self.expression = expression
        self.unknown = False

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        """Write ``not`` as a comparison: pandas inverts the bits of a single truth value."""
        self.generic_visit(node)
        if isinstance(node.op, ast.Not):
            return ast.Compare(node.operand, [ast.Eq()], [ast.Constant(False)])
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        """Complete ``quantile(q)`` by what it is compared with."""
        sides = [node.left, *node.comparators]
        others = [side for side in sides if not _is_bare_quantile(side)]
        for side in sides:
            if isinstance(side, ast.Call) and _is_bare_quantile(side):
                if len(sides) != 2 or not others:
                    raise UsageError(f"{self.expression}: quantile needs a column: quantile(overall, 0.3)")
                side.args.insert(0, others[0])
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Compute one function."""
        assert isinstance(node.func, ast.Name)
        if node.func.id == "count":
            return ast.Constant(len(self.table))
        if _is_bare_quantile(node):
            raise UsageError(f"{self.expression}: quantile needs a column: quantile(overall, 0.3)")
        values = _value(self.table, self.visit(node.args[0]))
        if not isinstance(values, pd.Series):
            raise UsageError(f"{self.expression}: {node.func.id} takes a column, such as {node.func.id}(overall)")
        if node.func.id == "quantile":
            share = node.args[1]
            assert isinstance(share, ast.Constant)
            return self._constant(float(values.quantile(float(share.value))))  # type: ignore[arg-type]
        return self._constant(_AGGREGATES[node.func.id](values))

    def _constant(self, value: float) -> ast.AST:
        if not math.isfinite(value):
            self.unknown = True
            value = 0.0
        return ast.UnaryOp(ast.USub(), ast.Constant(-value)) if value < 0 else ast.Constant(value)


def _is_bare_quantile(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "quantile"
        and len(node.args) == 1
    )


def _value(table: pd.DataFrame, node: ast.AST) -> Any:
    return table.eval(ast.unparse(node), engine="python", local_dict={}, global_dict={})


def _depth(node: ast.AST) -> int:
    deepest, level = 0, [node]
    while level:
        deepest += 1
        level = [child for parent in level for child in ast.iter_child_nodes(parent)]
    return deepest


def _words(node: ast.AST) -> str:
    return ast.unparse(node)[:40] if isinstance(node, ast.expr) else type(node).__name__
