"""How large the segments will be next month, if moves go on as they did, and how far such forecasts held."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from segkit.monitoring.migration import JOINED, LEFT
from segkit.runtime.errors import InputError
from segkit.segments.profile import sort_ids

CONFIDENCE = 0.95
USUAL_DISPERSION = 4.0  # twice the spread of customers who move each on their own; until months show their own
PRIOR_MONTHS = 2  # that this weighs like
FEWEST_EXPECTED = 5  # customers: rarer moves make chi-squared jump


def forecast_sizes(
    migrations: pd.DataFrame | Sequence[pd.DataFrame], sizes: pd.Series, dispersion: float | None = None
) -> pd.DataFrame:
    """Return how many customers each segment is expected to have next month, with a 95 % interval.

    Parameters
    ----------
    migrations : DataFrame or sequence of DataFrames
        As `migrations` returns them: of the last month, or of several, oldest first, which are pooled.
    sizes : Series
        Index segment_id, the customers of each segment now.
    dispersion : float, optional
        Variance of the moves over that of customers who move independently of each other; else measured
        (`measure_dispersion`).

    Returns
    -------
    DataFrame
        ``segment_id, expected, low, high`` in customers. As many join as did in the mean month.

    Raises
    ------
    InputError
        A segment has customers now and no moves to go by; the message names it.

    Notes
    -----
    The variance is that of multinomial moves and Poisson newcomers, plus that of the estimated shares, times the
    dispersion, which itself is measured on a few months: the interval takes Student's t on as many degrees. Windows
    of consecutive months overlap, so that moves are not Markov: read the interval with its measured coverage.

    Examples
    --------
    >>> rows = [("S1", "S1", 80), ("S1", "S2", 20), ("S2", "S2", 90), ("S2", "left", 10), ("joined", "S1", 30)]
    >>> moves = pd.DataFrame(rows, columns=["from_segment_id", "to_segment_id", "customers"])
    >>> forecast_sizes(moves, pd.Series({"S1": 110, "S2": 110})).round(1)
      segment_id  expected   low   high
    0         S1     118.0  33.3  202.7
    1         S2     121.0  55.6  186.4
    >>> forecast_sizes(moves, pd.Series({"S1": 110, "S9": 11}))
    Traceback (most recent call last):
    segkit.InputError: no moves of S9 are known: forecast once there are two months with it
    """
    months = [migrations] if isinstance(migrations, pd.DataFrame) else list(migrations)
    dispersion = measure_dispersion(months) if dispersion is None else dispersion
    counts = pd.concat(months).pivot_table(
        index="from_segment_id", columns="to_segment_id", values="customers", aggfunc="sum"
    )
    counts = counts.fillna(0.0).drop(columns=LEFT, errors="ignore")
    totals = pd.concat(months).groupby("from_segment_id")["customers"].sum()
    sizes = sizes[sizes > 0].astype(float)
    if len(unknown := sizes.index.difference(totals.index)):
        raise InputError(f"no moves of {', '.join(unknown)} are known: forecast once there are two months with it")
    segments = sort_ids({*sizes.index, *counts.columns})
    counts = counts.reindex(columns=segments, fill_value=0.0)
    known = totals.reindex(sizes.index).to_numpy(dtype=float)[:, None]
    shares = counts.reindex(sizes.index).to_numpy() / known
    now = sizes.to_numpy()[:, None]
    expected, variance = (now * shares).sum(axis=0), (now * shares * (1 - shares) * (1 + now / known)).sum(axis=0)
    if JOINED in counts.index:
        newcomers = counts.loc[JOINED].to_numpy() / len(months)
        expected, variance = expected + newcomers, variance + newcomers * (1 + 1 / len(months))
    reach = stdtrit(PRIOR_MONTHS + len(months) - 1, (1 + CONFIDENCE) / 2) * np.sqrt(dispersion * variance)
    table = pd.DataFrame({"segment_id": segments, "expected": expected})
    return table.assign(low=np.maximum(expected - reach, 0.0), high=expected + reach)


def measure_dispersion(months: Sequence[pd.DataFrame]) -> float:
    """Return how much more the moves vary between months than independent customers would make them, at least 1.

    It is Pearson's chi-squared of the months' moves over its degrees of freedom, by segment of origin, averaged with
    `USUAL_DISPERSION`, which weighs like `PRIOR_MONTHS` months.

    Examples
    --------
    >>> may = pd.DataFrame({"from_segment_id": "S1", "to_segment_id": ["S1", "S2"], "customers": [50, 50]})
    >>> measure_dispersion([may]), measure_dispersion([may] * 9)
    (4.0, 1.0)
    >>> measure_dispersion([may, may.assign(customers=[90, 10])])
    15.36...
    """
    counts = [month.set_index(["from_segment_id", "to_segment_id"])["customers"] for month in months]
    counts = pd.concat(counts, axis=1).fillna(0.0).sort_index()
    total, freedom = 0.0, 0.0
    for origin, moves in counts.groupby(level=0):
        table = moves.to_numpy(dtype=float).T  # a row per month
        table = table[:, table.sum(axis=0) > 0]
        if origin == JOINED:  # nobody knows of how many: each count stands for itself
            expected = np.broadcast_to(table.mean(axis=0), table.shape)
        else:
            expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
        common = expected.mean(axis=0) >= FEWEST_EXPECTED
        total += ((table - expected)[:, common] ** 2 / np.maximum(expected[:, common], 1e-9)).sum()
        freedom += (len(table.T) - (origin != JOINED)) * (len(months) - 1) * common.mean()
    measured = total / freedom if freedom else USUAL_DISPERSION
    weight = len(months) - 1
    return float(max((weight * measured + PRIOR_MONTHS * USUAL_DISPERSION) / (weight + PRIOR_MONTHS), 1.0))


def check_forecast(forecast: pd.DataFrame, actual: pd.Series) -> pd.DataFrame:
    """Return the forecast beside what came: ``actual`` customers and whether they are ``inside`` the interval.

    A segment that vanished has 0; one that nobody could expect is not in the table. The mean of ``inside`` over the
    months so far is the measured coverage.

    Examples
    --------
    >>> forecast = pd.DataFrame({"segment_id": ["S1", "S2"], "expected": [9.0, 5.0], "low": [7.0, 4.0], "high": 11.0})
    >>> check_forecast(forecast, pd.Series({"S1": 8, "S3": 2}))
      segment_id  expected  low  high  actual  inside
    0         S1       9.0  7.0  11.0       8    True
    1         S2       5.0  4.0  11.0       0   False
    """
    actual = actual.reindex(forecast["segment_id"]).fillna(0).astype("int64").to_numpy()
    # Customers are whole: 8 lies inside an interval that ends at 7.6.
    inside = (actual >= np.floor(forecast["low"])) & (actual <= np.ceil(forecast["high"]))
    return forecast.assign(actual=actual, inside=inside)
