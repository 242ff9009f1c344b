"""The arithmetic of a frozen model as SQL expressions, in the subset that every engine understands.

Numbers are written with all their digits, so that the engine computes with the model's own.
"""

import numpy as np

from segkit.preprocessing.matrix import Matrix, MatrixColumn
from segkit.preprocessing.transforms import OTHER, SOFT_BOUND, UNKNOWN
from segkit.runtime.text import quote, sql_text

_NO_NUMBER = "1e300"  # from here on stands what is none: infinity, and NaN, which some engines put above all numbers


def number(value: float) -> str:
    """Return a number with all its digits, in brackets where it is negative.

    Examples
    --------
    >>> number(0.1), number(-2)
    ('0.1', '(-2.0)')
    """
    text = repr(float(value))
    text = text if "e" in text or "." in text else f"{text}.0"
    return f"({text})" if value < 0 else text


def is_number(value: str) -> str:
    """Return the condition that a value is there and is a number: not null, NaN or infinite."""
    return f"abs({value}) < {_NO_NUMBER}"


def total(weights: np.ndarray, columns: list[str], constant: float = 0.0) -> str:
    """Return the sum of columns times weights; those that weigh nothing are left out.

    Examples
    --------
    >>> total(np.array([2.0, 0.0, -1.0]), ["a", "b", "c"], 0.5)
    '2.0 * a + (-1.0) * c + 0.5'
    """
    parts = [f"{number(weight)} * {column}" for weight, column in zip(weights, columns, strict=True) if weight]
    return " + ".join([*parts, number(constant)] if constant or not parts else parts)


def scaled_columns(matrix: Matrix) -> list[str]:
    """Return, for each column of the matrix, the expression of its scaled value, null where the feature is missing."""
    return [_scaled(matrix, column) for column in matrix.fitted]


def bounded(column: MatrixColumn, scaled: str) -> str:
    """Return the expression that takes a scaled value to its place before its weight; the neutral 0 where missing."""
    value = scaled
    if column.bounded:
        limit = number(SOFT_BOUND)
        beyond = f"sign({scaled}) * ({limit} + ln(abs({scaled}) - {number(SOFT_BOUND - 1)}))"
        value = f"CASE WHEN abs({scaled}) <= {limit} THEN {scaled} WHEN {is_number(scaled)} THEN {beyond} END"
    return f"coalesce({value}, 0.0)"


def _scaled(matrix: Matrix, column: MatrixColumn) -> str:
    feature = quote(column.feature)
    value = f"CAST({feature} AS DOUBLE)"
    if column.kind == "category":
        value = f"CAST({_indicator(matrix, column, f'CAST({feature} AS VARCHAR)')} AS DOUBLE)"
    elif column.transform == "log1p":
        value = f"CASE WHEN {value} < 0 THEN -ln(1.0 - {value}) ELSE ln(1.0 + {value}) END"
    elif column.transform in ("arcsine root", "square root"):
        share = f"CASE WHEN {value} < 0 THEN 0.0 WHEN {value} <= 1 THEN {value} WHEN {is_number(value)} THEN 1.0 END"
        value = f"sqrt({share})" if column.transform == "square root" else f"asin(sqrt({share}))"
    elif not column.bounded:
        value = f"CASE WHEN {is_number(value)} THEN {value} END"
    if column.centre:
        value = f"{value} - {number(column.centre)}"
    return f"({value}) / {number(column.scale)}" if column.scale != 1 else value


def level_code(matrix: Matrix, feature: str) -> tuple[str, list[str | None]]:
    """Return the expression of the place of a category's level, and the levels; the last may be None, any other."""
    levels: list[str | None] = _levels(matrix, feature)
    rest = levels.index(OTHER) if OTHER in levels else len(levels)
    levels = levels if OTHER in levels else [*levels, None]
    cases = " ".join(f"WHEN {sql_text(level)} THEN {place}" for place, level in enumerate(levels) if place != rest)
    value = _known(f"CAST({quote(feature)} AS VARCHAR)")
    return (f"CAST(CASE {value} {cases} ELSE {rest} END AS DOUBLE)" if cases else "0.0e0"), levels


def _levels(matrix: Matrix, feature: str) -> list[str]:
    return [other.level for other in matrix.fitted if other.feature == feature]


def _known(value: str) -> str:
    return f"coalesce({value}, {sql_text(UNKNOWN)})"


def _indicator(matrix: Matrix, column: MatrixColumn, value: str) -> str:
    levels, known = _levels(matrix, column.feature), _known(value)
    if OTHER in levels and column.level != OTHER:
        return f"CASE WHEN {known} = {sql_text(column.level)} THEN 1.0 ELSE 0.0 END"
    listed = ", ".join(sql_text(level) for level in levels if level != column.level)
    others = f"WHEN {known} IN ({listed}) THEN 0.0" if listed else ""
    if OTHER in levels:
        return f"CASE {others} ELSE 1.0 END" if others else "1.0"
    return f"CASE WHEN {known} = {sql_text(column.level)} THEN 1.0 {others} ELSE NULL END"
