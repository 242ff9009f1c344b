"""What happens to one feature on its way into the matrix: transform by kind, robust scale, soft bound."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from segkit.runtime.errors import InputError

OTHER, UNKNOWN = "other", "unknown"  # levels of a category
SOFT_BOUND = 3.0  # robust sds from the median up to which distances count in full


def _signed_log(values: np.ndarray) -> np.ndarray:
    # Net spend is below zero where returns exceed the window's sales. Clipping would pile these customers on zero
    # together with those who spent nothing; the mirrored logarithm keeps them apart and in order.
    return np.copysign(np.log1p(np.abs(values)), values)


def _angle(shares: np.ndarray) -> np.ndarray:
    # A lone share is a whole of two parts, (s, 1 - s); its square roots lie on a quarter circle and this is the
    # angle: the same geometry as `_root` for the larger wholes. It is linear for .2 to .8 and opens the ends, where
    # a coupon share of .01 and one of .05 are two different customers. (Fisher's angular transformation.)
    return np.arcsin(np.sqrt(np.clip(shares, 0, 1)))


def _root(shares: np.ndarray) -> np.ndarray:
    # Hellinger: Euclidean distance between square roots (Legendre & Gallagher 2001, doi 10.1007/s004420100716).
    # Preferred over log-ratios since most customers buy nothing at all in some category: log-ratios need an
    # invented value for each zero, and that value then decides the distance.
    return np.sqrt(np.clip(shares, 0, 1))


def _plain(values: np.ndarray) -> np.ndarray:
    return values


TRANSFORMS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "log1p": _signed_log,
    "arcsine root": _angle,
    "square root": _root,
    "as is": _plain,
    "one-hot": _plain,
}


def soft_bound(z: np.ndarray, bound: float = SOFT_BOUND) -> np.ndarray:
    """Return robust z-scores in which only the logarithm of what exceeds `bound` counts.

    A customer with 1,000 times the median spend stays the farthest, but two such customers don't make a segment of
    their own and don't stretch the scale for everybody else. Slope 1 at the bound, strictly increasing.

    Examples
    --------
    >>> soft_bound(np.array([-1.0, 3.0, 4.0, 100.0])).round(2).tolist()
    [-1.0, 3.0, 3.69, 7.58]
    """
    excess = np.maximum(np.abs(z) - bound, 0)
    return np.copysign(np.minimum(np.abs(z), bound) + np.log1p(excess), z)


def as_numbers(values: pd.Series, kind: str) -> np.ndarray:
    """Return a numeric feature as float64, NaN where missing.

    Raises
    ------
    InputError
        Values are text, infinite, or outside 0 to 1 where they mustn't be; the message names feature and customers.

    Examples
    --------
    >>> as_numbers(pd.Series([True, None, False], name="tasty"), "binary").tolist()
    [1.0, nan, 0.0]
    >>> as_numbers(pd.Series([0.2, float("inf")], name="coupon_share", index=["a", "b"]), "share")
    Traceback (most recent call last):
    segkit.InputError: feature coupon_share is infinite for 1 of 2 customers (b): divided by zero? Leave it empty
    """
    numbers = pd.to_numeric(values, errors="coerce").astype("float64")
    _refuse(values, numbers.isna() & values.notna(), "isn't a number", "correct it, or declare its kind as category")
    _refuse(values, np.isinf(numbers), "is infinite", "divided by zero? Leave it empty")
    if kind == "binary":
        _refuse(values, numbers.notna() & ~numbers.isin([0, 1]), "is neither 0 nor 1", "declare it as number or count")
    if kind == "share":
        # A few are legitimate: returns of goods bought before the window exceed its sales. Those are clipped.
        outside = (numbers < 0) | (numbers > 1)
        if outside.mean() > 0.05:
            _refuse(values, outside, "is outside 0 to 1", "divide percentages by 100, or declare its kind as number")
    return np.ascontiguousarray(numbers.to_numpy(dtype="float64", na_value=np.nan))


def _refuse(values: pd.Series, wrong: pd.Series, what: str, way_out: str) -> None:
    if wrong.any():
        examples = ", ".join(str(customer) for customer in values.index[wrong.to_numpy()][:3])
        count = f"{int(wrong.sum()):,} of {len(values):,} customers ({examples})"
        raise InputError(f"feature {values.name} {what} for {count}: {way_out}")


def choose_transform(kind: str, whole: str, known: np.ndarray) -> str:
    """Return the name of the transform for a feature's known values, sorted.

    money and count: log1p. days: log1p unless that makes the column more skewed (days since the last order have a
    long right tail; tenure, bounded by the window, has a left one). share: square root within a whole, else its
    angle. number and binary: as is. Amounts that go both ways for many customers (a change of spend) stay as they
    are too: a logarithm would tear the customers around zero apart.

    Examples
    --------
    >>> choose_transform("money", "", np.array([1.0, 2.0, 3.0])), choose_transform("money", "", np.array([-9.0, 9.0]))
    ('log1p', 'as is')
    """
    if kind == "share":
        return "square root" if whole else "arcsine root"
    if kind not in ("money", "count", "days") or (known < 0).mean() > 0.05:
        return "as is"
    if kind == "days" and abs(_skewness(np.log1p(known.clip(0)))) >= abs(_skewness(known)):
        return "as is"
    return "log1p"


def _skewness(known: np.ndarray) -> float:
    """Kelly's skewness: where the median lies between the 10 % and 90 % quantiles, -1 to 1."""
    low, middle, high = np.quantile(known, (0.1, 0.5, 0.9))
    return (high + low - 2 * middle) / (high - low) if high > low else 0.0


def robust_scale(known: np.ndarray) -> tuple[float, float]:
    """Return median and robust standard deviation of sorted values.

    The interquartile range over that of a normal. Where it is less than a tenth of the range from 1 to 99 % (a column
    with many zeros) the next wider central range that isn't, over its own; at last the standard deviation.

    Examples
    --------
    >>> robust_scale(np.arange(101.0))
    (50.0, 37.06...)
    >>> robust_scale(np.array([0.0] * 80 + [1.0] * 20))
    (0.0, 0.39...)
    """
    # Quantiles of the standard normal, so that a normal column gets its own sd whichever range is used.
    normals = {0.25: 0.6744898, 0.1: 1.2815516, 0.05: 1.6448536, 0.025: 1.959964, 0.01: 2.3263479}
    low, high = np.quantile(known, (0.01, 0.99))
    widest = high - low
    for tail, normal in normals.items():
        low, high = np.quantile(known, (tail, 1 - tail))
        if high - low > 0.1 * widest or high - low == widest > 0:
            return float(np.median(known)), float((high - low) / (2 * normal))
    return float(np.median(known)), float(known.std()) or 1.0


def as_texts(values: pd.Series) -> pd.Series:
    """Return the levels of a category as text; a code reads the same whether or not other customers lack one."""
    if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")
    return values.astype("str").where(values.notna(), UNKNOWN)


def level_places(values: pd.Series, levels: list[str]) -> np.ndarray:
    """Return the place of each customer's level among `levels`; -1 where it is new and nothing was pooled.

    Examples
    --------
    >>> level_places(pd.Series(["FR", "AT", None]), ["FR", "unknown"]).tolist()
    [0, -1, 1]
    """
    places = pd.Index(levels, dtype="str").get_indexer(pd.Index(as_texts(values), dtype="str"))
    return np.where(places < 0, levels.index(OTHER), places) if OTHER in levels else places


def indicator(places: np.ndarray, place: int) -> np.ndarray:
    """Return 1 where a customer has the level of that place, NaN where a level is new and nothing was pooled."""
    return np.where(places < 0, np.nan, places == place)
