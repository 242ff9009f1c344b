"""What could be tried with each segment, what is at stake, and how many customers a test of it takes."""

import numpy as np
import pandas as pd
from scipy.special import ndtri

POWER, SIGNIFICANCE = 0.8, 0.05
SMALLEST_CHANGE = 0.1  # of a rate, relative: less is seldom worth an action
# lever: the rate it is meant to move, and what is at stake, in words
LEVERS = {
    "win back": ("retention", "revenue of the window, times the share who have not ordered lately"),
    "smaller discounts": ("discount_rate", "the discounts given in the window"),
    "fewer returns": ("return_rate", "the money returned in the window"),
    "campaign": ("campaign_response", "unknown: what a campaign adds can't be told without a holdout"),
}


def rank_levers(kpis: pd.DataFrame, sizes: pd.Series) -> pd.DataFrame:
    """Return segment x lever, the most at stake first.

    What is at stake is no effect: it is the most that a lever could move. An effect is measured by a test alone, and
    none has been run; where campaigns were sent, the observed response stands beside it, which is no proof either,
    since the shop chose whom to write to.

    Parameters
    ----------
    kpis : DataFrame
        As from `segment_kpis`.
    sizes : Series
        Index segment_id, customers.

    Returns
    -------
    DataFrame
        ``segment_id, lever, at_stake, at_stake_low, at_stake_high`` (money), ``rate, rate_low, rate_high`` (what the
        lever is meant to move), ``effect`` (``unmeasured``), ``customers_per_arm`` (to see a tenth more or less of
        the rate, for win back of those who stay away, two-sided 5 %, power 0.8; null where the rate doesn't vary)
        and ``can_test`` (whether the segment has two such arms). Levers whose figures the shop lacks are left out.

    References
    ----------
    van Belle (2008), *Statistical Rules of Thumb*, section 2.1: the size of two arms from the spread between customers.

    Examples
    --------
    >>> customers_per_arm(0.5, spread=0.5), customers_per_arm(0.2, spread=0.0)
    (1570, nan)
    """
    rows = []
    for segment_id, own in kpis[kpis["segment_id"] != "S0"].groupby("segment_id", sort=True):
        figures = own.set_index("kpi")
        for lever, (kpi, _) in LEVERS.items():
            rate, low, high = figures.loc[kpi, ["figure", "low", "high"]].astype("float64")
            stake = _at_stake(lever, figures)
            if np.isnan(rate) or stake[0] <= 0:
                continue
            # from the interval of a mean over customers back to the spread between customers
            spread = (high - low) / (2 * ndtri(0.975)) * np.sqrt(figures.loc[kpi, "customers"])
            needed = customers_per_arm(min(rate, 1 - rate) if lever == "win back" else rate, spread)
            enough = 2 * needed <= sizes[segment_id]
            rows.append((segment_id, lever, *stake, rate, low, high, "unmeasured", needed, enough))
    columns = ["segment_id", "lever", "at_stake", "at_stake_low", "at_stake_high", "rate", "rate_low", "rate_high"]
    table = pd.DataFrame(rows, columns=[*columns, "effect", "customers_per_arm", "can_test"])
    return table.sort_values(["at_stake", "segment_id"], ascending=[False, True], kind="stable", ignore_index=True)


def customers_per_arm(rate: float, spread: float) -> float:
    """Return how many customers each arm of a test needs to see `rate` change by a tenth of itself.

    `spread` is the standard deviation of the rate between customers.
    """
    if not (spread > 0 and rate > 0):
        return np.nan
    reach = ndtri(1 - SIGNIFICANCE / 2) + ndtri(POWER)
    return int(np.ceil(2 * (reach * spread / (SMALLEST_CHANGE * rate)) ** 2))


def _at_stake(lever: str, figures: pd.DataFrame) -> tuple[float, float, float]:
    """Return the money with its interval, that of the rate alone where it is a share of revenue."""
    revenue, ends = figures.loc["revenue", "figure"], figures.loc[LEVERS[lever][0], ["figure", "low", "high"]]
    rate, low, high = ends.astype("float64")
    if lever == "smaller discounts":
        return tuple(figures.loc["discount_cost", ["figure", "low", "high"]].astype("float64"))
    if lever == "win back":
        return (1 - rate) * revenue, (1 - high) * revenue, (1 - low) * revenue
    return (rate * revenue, low * revenue, high * revenue) if lever == "fewer returns" else (np.nan,) * 3
