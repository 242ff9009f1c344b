"""A typical customer of each segment: the middle of the ten who come nearest to its medians."""

import numpy as np
import pandas as pd

from segkit.segments.profile import FEWEST_KNOWN, UNSEGMENTED, scaled, sort_ids

TYPICAL = ("order_count", "spend", "days_since_last_order", "lines_per_order")


def typical_customers(features: pd.DataFrame, dictionary: pd.DataFrame, segments: pd.Series) -> pd.DataFrame:
    """Return the figures of the ten customers nearest to the medians of each segment, as one: their middle, rounded.

    Medians of single figures need not belong together: nobody may have them all. Ten customers who come nearest to all
    of them at once do, and their middle tells of nobody; all who are as near as the tenth are with them. A segment of
    fewer than ten customers whose figures are known has none.

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
        ``segment_id, feature, figure`` (whole for counts that are, else of two digits), ``customers`` (in the group):
        orders, spend, days since the last order and lines per order where there are such, otherwise the first four
        numbers.

    Notes
    -----
    Nearness is the Manhattan distance between figures in standard deviations (money, counts and days after log1p), of
    which the medians are the centre. Publishing the middle of ten or more who are alike is microaggregation
    (Domingo-Ferrer & Mateo-Sanz 2002, *IEEE Transactions on Knowledge and Data Engineering* 14).

    Examples
    --------
    >>> shop = pd.DataFrame({"spend": [9.0] * 11 + [870.0, 900.0, 1020.0] * 5}, index=[f"c{i:02}" for i in range(26)])
    >>> meaning = pd.DataFrame({"kind": ["money"]}, index=["spend"])
    >>> typical_customers(shop, meaning, pd.Series(["S1"] * 11 + ["S2"] * 15, index=shop.index))
      segment_id feature  figure  customers
    0         S1   spend     9.0         11
    1         S2   spend   880.0         10
    """
    kinds = dictionary["kind"]
    names = [name for name in TYPICAL if name in features]
    if not names:
        names = [name for name in features if kinds[name] != "category"][: len(TYPICAL)]
    rows = []
    figures = features[names].astype("float64")
    comparable = pd.DataFrame({name: scaled(figures[name].to_numpy(), kinds[name]) for name in names}, features.index)
    whole = (figures.dropna() % 1 == 0).all() & kinds.reindex(names).isin(["count", "days"])
    comparable /= comparable.std(ddof=0).replace(0, 1)
    segments = segments.reindex(features.index)
    for segment_id in sort_ids(segments.unique()):
        own = (segments == segment_id) & figures.notna().all(axis=1)
        if segment_id != UNSEGMENTED and own.sum() >= FEWEST_KNOWN and names:
            group = figures[own][_middle(comparable[own].to_numpy())]
            rows += [(segment_id, name, _told(group[name].median(), whole[name]), len(group)) for name in names]
    return pd.DataFrame(rows, columns=["segment_id", "feature", "figure", "customers"])


def _middle(values: np.ndarray) -> np.ndarray:
    """Which rows are the ten nearest to the medians, or as near as the tenth."""
    far = np.abs(values - np.median(values, axis=0)).sum(axis=1).round(9)
    return far <= np.partition(far, FEWEST_KNOWN - 1)[FEWEST_KNOWN - 1]


def _told(figure: float, whole: bool) -> float:
    """Return a figure as one would say it of a kind of customer: whole where all are, otherwise two digits."""
    return float(np.round(figure)) if whole else float(f"{figure:.2g}")
