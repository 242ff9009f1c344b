"""What could be tried with each segment, what is at stake, and how many customers a test of it takes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtri

POWER, SIGNIFICANCE = 0.8, 0.05
SMALLEST_CHANGE = 0.1  # of a rate, relative: less is seldom worth an action
Ends = tuple[float, float, float]


@dataclass(frozen=True)
class Lever:
    """Something that could be tried with a segment; a new one is one record, in a list that `rank_levers` takes.

    Attributes
    ----------
    name : str
        Such as ``smaller discounts``.
    rate : str
        The key figure that it is meant to move: one of `segment_kpis`.
    at_stake : callable
        From a segment's key figures (index kpi; ``figure, low, high``) to the money that it could move at the most,
        with the ends of its interval; nan where the data don't say.
    tried : str
        How it reads in a sentence, ``{}`` being the segment.
    money : str
        What the sum at stake is, after the amount.
    moves_the_rest : bool
        Whether a test looks at those whom the rate does not count, such as those who stayed away.
    """

    name: str
    rate: str
    at_stake: Callable[[pd.DataFrame], Ends]
    tried: str = ""
    money: str = ""
    moves_the_rest: bool = False


def _unknown(figures: pd.DataFrame) -> Ends:
    return np.nan, np.nan, np.nan


def _stayed_away(figures: pd.DataFrame) -> Ends:
    revenue = figures.loc["revenue", "figure"]
    rate, low, high = _ends(figures, "retention")
    return (1 - rate) * revenue, (1 - high) * revenue, (1 - low) * revenue


def _returned(figures: pd.DataFrame) -> Ends:
    revenue = figures.loc["revenue", "figure"]
    return tuple(rate * revenue for rate in _ends(figures, "return_rate"))


def _paid(figures: pd.DataFrame) -> Ends:
    return _ends(figures, "revenue")


def _discounts(figures: pd.DataFrame) -> Ends:
    return _ends(figures, "discount_cost")


def _ends(figures: pd.DataFrame, kpi: str) -> Ends:
    return tuple(figures.loc[kpi, ["figure", "low", "high"]].astype("float64"))


LEVERS = (
    Lever("win back", "retention", _stayed_away, "winning back {}", "of those who stayed away", moves_the_rest=True),
    Lever("smaller discounts", "discount_rate", _discounts, "smaller discounts for {}", "of discounts"),
    Lever("fewer returns", "return_rate", _returned, "fewer returns from {}", "of returns"),
    Lever("more per customer", "revenue_per_customer", _paid, "{}", "that they pay"),
    # What a campaign adds can't be told without a holdout.
    Lever("campaign", "campaign_response", _unknown, "a campaign to {}"),
)


def rank_levers(kpis: pd.DataFrame, sizes: pd.Series, levers: Sequence[Lever] = LEVERS) -> pd.DataFrame:
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
    levers : sequence of Lever
        What could be tried: ``[*LEVERS, Lever(...)]`` adds one.

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
        for lever in levers:
            rate, low, high = _ends(figures, lever.rate)
            stake = lever.at_stake(figures)
            if np.isnan(rate) or stake[0] <= 0:
                continue
            # from the interval of a mean over customers back to the spread between customers
            spread = (high - low) / (2 * ndtri(0.975)) * np.sqrt(figures.loc[lever.rate, "customers"])
            needed = customers_per_arm(min(rate, 1 - rate) if lever.moves_the_rest else rate, spread)
            enough = 2 * needed <= sizes[segment_id]
            rows.append((segment_id, lever.name, *stake, rate, low, high, "unmeasured", needed, enough))
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
