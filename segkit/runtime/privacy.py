"""What may be shown of customers where a page goes to many readers: never fewer than ten of them.

A point on a map, a step of a curve and a share can each stand for one customer; here they are put together until they
stand for enough.
"""

import numpy as np
import pandas as pd

FEWEST_SHOWN = 10


def crowd_points(positions: pd.DataFrame, fewest: int = FEWEST_SHOWN) -> pd.DataFrame:
    """Return customers on a map as points that each stand for `fewest` or more neighbours of one segment.

    A segment's customers are halved at the median of the axis along which they spread more, and the halves again, for
    as long as both are large enough. A point is the mean place of those that are left together, so that nobody's own
    place is shown; a segment of fewer customers has no point.

    Parameters
    ----------
    positions : DataFrame
        ``x, y, segment_id``, a row per customer.
    fewest : int

    Returns
    -------
    DataFrame
        ``x, y, segment_id, customers``.

    Examples
    --------
    >>> row = pd.DataFrame({"x": range(40), "y": 0.0, "segment_id": "S1"})
    >>> crowd_points(row)
          x    y segment_id  customers
    0   4.5  0.0         S1         10
    1  14.5  0.0         S1         10
    2  24.5  0.0         S1         10
    3  34.5  0.0         S1         10
    >>> len(crowd_points(row.head(9)))
    0
    """
    rows = []
    for segment_id, own in positions.groupby("segment_id", sort=True):
        for places in _halved(own[["x", "y"]].to_numpy(dtype=float), fewest):
            rows.append((*np.sort(places, axis=0).mean(axis=0), segment_id, len(places)))
    return pd.DataFrame(rows, columns=["x", "y", "segment_id", "customers"])


def _halved(places: np.ndarray, fewest: int) -> list[np.ndarray]:
    if len(places) < fewest:
        return []
    if len(places) < 2 * fewest:
        return [places]
    axis = int(np.ptp(places, axis=0).argmax())
    ordered = places[np.lexsort((places[:, 1 - axis], places[:, axis]))]
    middle = len(ordered) // 2
    return _halved(ordered[:middle], fewest) + _halved(ordered[middle:], fewest)


def veiled_count(count: int, fewest: int = FEWEST_SHOWN) -> str:
    """Return a number of customers for a sentence; of a few only that they are a few.

    Examples
    --------
    >>> veiled_count(1234), veiled_count(6), veiled_count(0)
    ('1,234', 'fewer than ten', '0')
    """
    words = {10: "ten"}.get(fewest, f"{fewest:,}")
    return f"fewer than {words}" if 0 < count < fewest else f"{count:,}"


def veil_few(table: pd.DataFrame, counts=None, theirs=(), fewest: int = FEWEST_SHOWN) -> pd.DataFrame:
    """Return a table for reading, its counts of 1 to 9 customers shown as ``<10``.

    A sum in the same table may still give the count away, but not what these customers are like.

    Parameters
    ----------
    table : DataFrame
    counts : collection of str, optional
        Columns that count customers; by default all.
    theirs : collection of str
        Columns that describe these customers: left empty where there are so few.
    fewest : int

    Examples
    --------
    >>> moves = pd.DataFrame({"S1": [40, 3], "S2": [0, 25]}, index=["S1", "S2"])
    >>> veil_few(moves)
         S1  S2
    S1   40   0
    S2  <10  25
    """
    counts = list(table) if counts is None else list(counts)
    few = table[counts].gt(0) & table[counts].lt(fewest)
    veiled = {name: table[name].astype(object).mask(few[name], f"<{fewest}") for name in counts if few[name].any()}
    return table.assign(**veiled, **{name: table[name].mask(few.any(axis=1)) for name in theirs})


def veiled_share(share: float, customers: int, decimals: int = 1, fewest: int = FEWEST_SHOWN) -> str:
    """Return a share of people in percent; only a bound where fewer than `fewest` of them, or none, make or miss it.

    Of fewer than twice as many people nothing is said, because such a bound would say nothing.

    Examples
    --------
    >>> veiled_share(0.5, 200), veiled_share(0.995, 200), veiled_share(1.0, 146), veiled_share(0.0, 200)
    ('50.0 %', 'over 95 %', 'over 93 %', 'under 5 %')
    >>> veiled_share(0.5, 18)
    ''
    """
    if share != share or customers < 2 * fewest:
        return ""
    count, bound = round(share * customers), 100 * fewest / customers
    if count < fewest:
        return f"under {np.ceil(bound):.0f} %"
    return f"over {np.floor(100 - bound):.0f} %" if customers - count < fewest else f"{100 * share:.{decimals}f} %"
