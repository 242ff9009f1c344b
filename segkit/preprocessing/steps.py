"""How finely features were measured, and the noise that fills the gaps between values that many customers share."""

from dataclasses import dataclass

import numpy as np

ATOM_SHARE = 0.01  # a value that this share of customers has exactly is an atom
FEW_VALUES = 50  # a column with no more distinct values is a scale, whatever its numbers
_QUANTILES = np.linspace(0, 1, 41)


@dataclass(frozen=True)
class Steps:
    """How finely a feature was measured, and how its known values are spread; JSON-able by `dataclasses.asdict`.

    `step` is the distance between neighbouring values; a mean or share over `divisor` (a count feature) less `less`
    has ``step / (divisor - less)``. `atoms` are (value, from, to) of values that many customers share though there
    are plenty of others: an exact zero means "less than can be seen", up to half way to the smallest values
    that are seen. `quantiles` are 41 of the known values, from which the missing ones are drawn.
    """

    step: float
    divisor: str
    less: int
    atoms: tuple[tuple[float, float, float], ...]
    quantiles: tuple[float, ...]


def find_steps(values: np.ndarray, known: np.ndarray, counts: dict[str, np.ndarray]) -> Steps:
    """Return how finely `values` were measured; `known` are those not missing, sorted, `counts` possible divisors.

    Examples
    --------
    >>> shares = np.array([0.5, 1 / 3, 0.0, 0.25])
    >>> find_steps(shares, np.sort(shares), {"order_count": np.array([2.0, 3.0, 1.0, 4.0])}).divisor
    'order_count'
    """
    quantiles = tuple(np.quantile(known, _QUANTILES).tolist())
    value, runs = distinct(known)
    fractions = ~np.isnan(values) & (values != np.rint(values))
    divisor, less = _divisor(values, np.flatnonzero(fractions), counts)
    if divisor:
        return Steps(1.0, divisor, less, (), quantiles)
    step = 0.0
    if not fractions.any():
        step = float(np.gcd.reduce(np.diff(known).astype("int64"))) or 1.0
    elif 1 < len(value) <= FEW_VALUES:
        step = float(np.diff(value).min())
    if len(value) <= FEW_VALUES:
        return Steps(step, "", 0, (), quantiles)
    atoms = tuple(_atom(known, atom, step) for atom in value[runs >= max(2, ATOM_SHARE * len(known))])
    return Steps(step, "", 0, atoms, quantiles)


def distinct(known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct values of sorted ones, and how many customers have each."""
    starts = np.flatnonzero(np.r_[True, known[1:] > known[:-1]][: len(known)])
    return known[starts], np.diff(np.r_[starts, len(known)])


def _divisor(values: np.ndarray, rows: np.ndarray, counts: dict[str, np.ndarray]) -> tuple[str, int]:
    """Return the count that turns the fractions in `rows` into whole numbers, and what to take off it."""
    if not len(rows):
        return "", 0
    few = rows[:: 1 + len(rows) // 1000]  # most pairs fail on these already
    for divisor, count in counts.items():
        for less in (0, 1):
            if all(_turns_whole(values[some], count[some] - less) for some in (few, rows)):
                return divisor, less
    return "", 0


def _turns_whole(fractions: np.ndarray, count: np.ndarray) -> bool:
    product = fractions * count
    whole = np.abs(product - np.rint(product)) < 1e-6 * np.maximum(1, np.abs(product))
    return bool(np.all(count >= 1) and whole.mean() > 0.99)


def _atom(known: np.ndarray, value: float, step: float) -> tuple[float, float, float]:
    start, end = np.searchsorted(known, value, "left"), np.searchsorted(known, value, "right")
    # Half way to the nearest 5 % of the values on either side.
    low = (value + known[int(0.95 * start)]) / 2 if start else value
    high = (value + known[end + int(0.05 * (len(known) - end))]) / 2 if end < len(known) else value
    return float(value), float(min(low, value - step / 2)), float(max(high, value + step / 2))


def jitter(values: np.ndarray, steps: Steps, uniform: np.ndarray, count: np.ndarray | None, share: bool) -> np.ndarray:
    """Return `values` moved by `uniform` noise (0 to 1) within their step; a missing one is drawn from the known.

    A share is reflected at 0 and 1, so that it stays one.
    """
    width = steps.step
    if count is not None:
        width = steps.step / np.fmax(count - steps.less, 1)
    moved = values + (uniform - 0.5) * width
    for value, low, high in steps.atoms:
        moved = np.where(values == value, low + uniform * (high - low), moved)
    if share:
        moved = 1 - np.abs(1 - np.abs(moved))
    return np.where(np.isnan(values), np.interp(uniform, _QUANTILES, steps.quantiles), moved)
