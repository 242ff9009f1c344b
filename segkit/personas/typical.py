"""A typical customer of each segment: the one in its middle, rounded until ten customers look the same."""

import numpy as np
import pandas as pd

from segkit.profile import FEWEST_KNOWN, UNSEGMENTED, scaled, sort_ids

TYPICAL = ("order_count", "spend", "days_since_last_order", "lines_per_order")
_STEPS = np.array([1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0])
_SHARE_STEP = 0.05


def typical_customers(features: pd.DataFrame, dictionary: pd.DataFrame, segments: pd.Series) -> pd.DataFrame:
    """Return the rounded figures of a customer in the middle of each segment, and how many others have the same.

    The customer is a medoid: of those whose rounded figures ten or more customers of the segment share, the one with
    the least sum of distances to all of the segment. So the figures belong together, as medians of single features
    need not, and still tell nobody apart. Where no ten are alike, the last figure is left out, and so on.

    Parameters
    ----------
    features : DataFrame
        Index customer_id, natural units.
    dictionary : DataFrame
        Index feature; kind.
    segments : Series
        Index customer_id, segment_id.

    Returns
    -------
    DataFrame
        ``segment_id, feature, figure`` (rounded), ``customers`` (of the segment with the same rounded figures): orders,
        spend, days since the last order and lines per order where there are such, otherwise the first four numbers.

    Notes
    -----
    Distances are Manhattan distances between figures in standard deviations (money, counts and days after log1p), whose
    sum over all others needs one sort per feature (Kaufman & Rousseeuw 1990, *Finding Groups in Data*, chapter 2, for
    medoids).

    Examples
    --------
    >>> shop = pd.DataFrame({"spend": [9.0] * 11 + [870.0, 940.0, 1020.0] * 5}, index=[f"c{i:02}" for i in range(26)])
    >>> meaning = pd.DataFrame({"kind": ["money"]}, index=["spend"])
    >>> typical_customers(shop, meaning, pd.Series(["S1"] * 11 + ["S2"] * 15, index=shop.index))
      segment_id feature  figure  customers
    0         S1   spend    10.0         11
    1         S2   spend  1000.0         15
    """
    kinds = dictionary["kind"]
    names = [name for name in TYPICAL if name in features]
    if not names:
        names = [name for name in features if kinds[name] != "category"][: len(TYPICAL)]
    rows = []
    features = features.sort_index()
    figures = features[names].astype("float64")
    rounded = pd.DataFrame({name: coarse(figures[name].to_numpy(), kinds[name]) for name in names}, features.index)
    comparable = pd.DataFrame({name: scaled(figures[name].to_numpy(), kinds[name]) for name in names}, features.index)
    comparable /= comparable.std(ddof=0).replace(0, 1)
    segments = segments.reindex(features.index)
    for segment_id in sort_ids(segments.unique()):
        own = (segments == segment_id) & figures.notna().all(axis=1)
        if segment_id != UNSEGMENTED:
            rows += [(segment_id, *row) for row in _middle(comparable[own], rounded[own])]
    return pd.DataFrame(rows, columns=["segment_id", "feature", "figure", "customers"])


def _middle(comparable: pd.DataFrame, rounded: pd.DataFrame) -> list[tuple[str, float, int]]:
    """The rounded figures of the medoid among those whom enough others look like, each with that number."""
    cost = sum(_distances(comparable[name].to_numpy()) for name in comparable)
    for count in range(len(rounded.columns), 0, -1):
        names = list(rounded.columns[:count])
        alike = rounded.groupby(names)[names[0]].transform("size").to_numpy()
        if (alike >= FEWEST_KNOWN).any():
            best = np.argmin(np.where(alike >= FEWEST_KNOWN, cost, np.inf))
            return [(name, float(rounded[name].iloc[best]), int(alike[best])) for name in names]
    return []


def _distances(values: np.ndarray) -> np.ndarray:
    """The sum of distances from each value to all others, in one sort."""
    order = np.argsort(values, kind="stable")
    ordered, n = values[order], len(values)
    below = np.concatenate([[0.0], np.cumsum(ordered)])
    place = np.arange(n)
    sums = ordered * place - below[:-1] + (below[-1] - below[1:]) - ordered * (n - 1 - place)
    distances = np.empty(n)
    distances[order] = sums
    return distances


def coarse(values: np.ndarray, kind: str) -> np.ndarray:
    """Return figures rounded so far that many customers share them: 1, 1.5, 2, 3, 5, 7, 10, ...; shares to 5 points.

    Examples
    --------
    >>> coarse(np.array([0.0, 4.4, 51.0, 1518.0, -30.0]), "money")
    array([   0.,    5.,   50., 1500.,  -30.])
    >>> coarse(np.array([0.34, 0.99]), "share").round(2)
    array([0.35, 1.  ])
    """
    if kind in ("share", "binary"):
        return np.round(np.round(values / _SHARE_STEP) * _SHARE_STEP, 2)
    size = np.abs(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        power = np.where(size > 0, 10.0 ** np.floor(np.log10(size)), 1.0)
    nearest = _STEPS[np.abs(np.log(np.maximum(size / power, 1e-9))[..., None] - np.log(_STEPS)).argmin(axis=-1)]
    rounded = np.where(size > 0, np.sign(values) * nearest * power, 0.0)
    return np.where(np.isnan(values), np.nan, rounded)
