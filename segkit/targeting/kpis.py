"""What each segment brings, costs and does, with intervals."""

import numpy as np
import pandas as pd
from scipy.special import ndtri, stdtrit

CONFIDENCE = 0.95
FEWEST = 10  # customers behind a figure; of fewer nothing is said
# kpi: unit; in the order in which they are read
KPIS = {
    "revenue": "money",
    "revenue_per_customer": "money",
    "orders_per_customer": "orders",
    "retention": "share",
    "campaign_response": "share",
    "discount_cost": "money",
    "discount_rate": "share",
    "return_rate": "share",
}


def segment_kpis(features: pd.DataFrame, segments: pd.Series, *, horizon_days: int = 90) -> pd.DataFrame:
    """Return the key figures of each segment.

    Parameters
    ----------
    features : DataFrame
        Index customer_id, natural units; a figure whose columns are missing is null.
    segments : Series
        Index customer_id, segment_id.
    horizon_days : int
        For retention: of the customers who had ordered before the last `horizon_days` days, the share who ordered
        within them. It describes these segments; it is no forecast, since the segments were made of the same days.

    Returns
    -------
    DataFrame
        ``segment_id, kpi, unit, customers`` (behind the figure), ``figure, low, high`` (95 %), ``others`` (the same
        figure of all other customers). Revenue and its kin are net of returns, in the window.

    Notes
    -----
    Rates are ratios of sums (answers over campaigns, discounts over list prices), with the linearised variance of a
    ratio (Cochran 1977, section 2.11); proportions have Wilson's interval (1927).

    Examples
    --------
    >>> shop = pd.DataFrame({"spend": [10.0] * 10 + [50.0, 70.0] * 5}, index=[f"c{i:02}" for i in range(20)])
    >>> kpis = segment_kpis(shop, pd.Series(["S2"] * 10 + ["S1"] * 10, index=shop.index))
    >>> kpis.query("kpi == 'revenue_per_customer'")[["segment_id", "figure", "low", "high", "others"]].round(1)
      segment_id  figure   low  high  others
    1         S1    60.0  52.5  67.5    10.0
    9         S2    10.0  10.0  10.0    60.0
    """
    parts = _parts(features.sort_index(), horizon_days)
    segments = segments.reindex(features.sort_index().index)
    rows = []
    for segment_id in sorted(segments.unique(), key=lambda name: (len(name), name)):
        inside = (segments == segment_id).to_numpy()
        for kpi, unit in KPIS.items():
            above, below = parts[kpi]
            known = ~(np.isnan(above) | np.isnan(below))
            own, rest = known & inside, known & ~inside
            figure = _figure(kpi, above[own], below[own])
            others = _figure(kpi, above[rest], below[rest])[0]
            row = {"segment_id": segment_id, "kpi": kpi, "unit": unit, "customers": int(own.sum())}
            rows.append(row | dict(zip(("figure", "low", "high"), figure, strict=True)) | {"others": others})
    return pd.DataFrame(rows)


def _parts(features: pd.DataFrame, horizon_days: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return, for each figure, what is summed above and below the line, per customer."""
    nothing = np.full(len(features), np.nan)

    def column(name: str) -> np.ndarray:
        return features[name].to_numpy(dtype="float64", na_value=np.nan) if name in features else nothing

    one, spend, orders = np.ones(len(features)), column("spend"), column("order_count")
    bought = column("mean_order_value") * orders
    listed = bought / np.maximum(1 - column("discount_share"), 0.01)
    since, tenure = column("days_since_last_order"), column("tenure_days")
    before = np.where(tenure >= horizon_days, 1.0, np.where(np.isnan(tenure), np.nan, 0.0))
    again = np.where(np.isnan(since), np.nan, (since < horizon_days) * before)
    return {
        "revenue": (spend, one),
        "revenue_per_customer": (spend, one),
        "orders_per_customer": (orders, one),
        "retention": (again, np.where(before == 0, np.nan, before)),
        "campaign_response": (column("campaigns_answered_count"), _positive(column("campaigns_received_count"))),
        "discount_cost": (listed - bought, one),
        "discount_rate": (listed - bought, _positive(listed)),
        "return_rate": (column("return_spend_share") * bought, _positive(bought)),
    }


def _positive(values: np.ndarray) -> np.ndarray:
    return np.where(values > 0, values, np.nan)


def _figure(kpi: str, above: np.ndarray, below: np.ndarray) -> tuple[float, float, float]:
    n = len(above)
    if n < FEWEST:
        return np.nan, np.nan, np.nan
    if kpi == "retention":
        return wilson(int(above.sum()), n)
    if KPIS[kpi] == "share" and not above.any():
        return wilson(0, n)  # that nobody did it yet is no proof that nobody does
    ratio = above.sum() / below.sum()
    error = np.sqrt(n / (n - 1) * ((above - ratio * below) ** 2).sum()) / below.sum()
    reach = stdtrit(n - 1, (1 + CONFIDENCE) / 2) * error
    low, high = ratio - reach, ratio + reach
    if KPIS[kpi] == "share":
        low, high = max(low, 0.0), min(high, 1.0)
    size = n if kpi in ("revenue", "discount_cost") else 1  # sums over the segment as it is
    return ratio * size, low * size, high * size


def wilson(hits: int, n: int) -> tuple[float, float, float]:
    """Return a proportion with Wilson's 95 % interval.

    Examples
    --------
    >>> tuple(round(figure, 3) for figure in wilson(0, 10))
    (0.0, 0.0, 0.278)
    """
    if n == 0:
        return np.nan, np.nan, np.nan
    z, share = ndtri((1 + CONFIDENCE) / 2), hits / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return share, float(max(middle - reach, 0.0)), float(min(middle + reach, 1.0))
