"""This month held against the month before: who moved, whether it was they or the model, and what to expect."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import reduce

import numpy as np
import pandas as pd

from segkit.clustering.assign import assign_customers
from segkit.clustering.segmentation import Segmentation
from segkit.data.periods import next_month
from segkit.features.build import CustomerFeatures, build_features
from segkit.monitoring.drift import feature_drift
from segkit.monitoring.forecast import check_forecast, forecast_sizes
from segkit.monitoring.migration import moved_or_remodelled, net_sizes
from segkit.monitoring.month_history import by_month
from segkit.monitoring.previous_month import EarlierMonth
from segkit.monitoring.refit import Way
from segkit.runtime.cache import kept
from segkit.runtime.errors import InputError

FORECASTS = ["month", "segment_id", "expected", "low", "high", "actual", "inside"]
YEAR = timedelta(days=365)
FEWEST_DAYS = 30  # of a window that customers are compared over


@dataclass(frozen=True)
class BothModels:
    """The customers of two months by both months' models; made by `assign_by_both`.

    Attributes
    ----------
    before, now : Series
        Index customer_id, segment_id: as delivered in the month before, and in this one.
    now_by_old : Series or None
        This month's customers by the model of the month before; None where it can't score them.
    before_by_new : Series or None
        The earlier customers by this month's model; None where there were fewer days than it counts.
    kept : bool
        Both months have one model.
    """

    before: pd.Series = field(repr=False)
    now: pd.Series = field(repr=False)
    now_by_old: pd.Series | None = field(repr=False)
    before_by_new: pd.Series | None = field(repr=False)
    kept: bool = False

    def moved(self) -> pd.DataFrame | None:
        """Return how many customers moved, were remodelled, both or neither; None where that can't be told."""
        stayers = self._stayers()
        return None if stayers is None else moved_or_remodelled(*stayers[:3], *self._others(stayers[0].index))

    def net_sizes(self) -> pd.DataFrame | None:
        """Return why each segment is as large as it is, exactly; None where that can't be told."""
        if (stayers := self._stayers()) is None:
            return None
        return net_sizes(*stayers[:3], *self._others(stayers[0].index), None if self.kept else stayers[3])

    def _stayers(self) -> tuple[pd.Series | None, ...] | None:
        all_four = self.before, self.now_by_old, self.now, self.before_by_new
        if self.now_by_old is None:
            return None
        both = reduce(pd.Index.intersection, [segments.index for segments in all_four if segments is not None])
        return tuple(None if segments is None else segments.reindex(both) for segments in all_four)

    def _others(self, both: pd.Index) -> tuple[pd.Series, pd.Series]:
        """Those who joined, and those who left."""
        return self.now.drop(both), self.before.drop(both)


def assign_by_both(
    previous: EarlierMonth,
    segmentation: Segmentation,
    features: CustomerFeatures,
    now: pd.Series,
    by_model: CustomerFeatures | None,
    way: Way,
    orders,
) -> BothModels:
    """Return the customers of both months by the models of both.

    Parameters
    ----------
    segmentation, features
        This month's.
    now : Series
        Index customer_id, this month's segment_id.
    by_model : CustomerFeatures or None
        This month's features by the recipe of the earlier model.
    """
    before = previous.assigned["segment_id"]
    if way.kept:
        return BothModels(before, now, now, before, True)
    old = None
    if by_model is not None:
        old = assign_customers(previous.segmentation, by_model.table, sure=False)["segment_id"]
    new = None
    if previous.as_of - timedelta(days=features.window_days - 1) >= orders.first_day:
        then = build_features(orders, previous.as_of, features.window_days, recipe=features.recipe)
        new = assign_customers(segmentation, then.table, sure=False)["segment_id"]
    return BothModels(before, now, old, new)


def forecast_months(previous: EarlierMonth | None, moves: pd.DataFrame, both: BothModels, label: str) -> pd.DataFrame:
    """Return every forecast of sizes so far, with what came; ``actual`` is null for the month to come.

    What came is counted by the model that the forecast was made with: a forecast of moves foresees no new model.

    Returns
    -------
    DataFrame
        ``month, segment_id, expected, low, high`` (customers), ``actual, inside``.
    """
    known = pd.DataFrame(columns=FORECASTS)
    if previous is not None and previous.forecasts is not None:
        known = previous.forecasts
        due = (known["month"] == label).to_numpy()
        if due.any() and both.now_by_old is not None:
            came = check_forecast(known.loc[due, FORECASTS[1:5]], both.now_by_old.value_counts())
            known = pd.concat([known[~due], came.assign(month=label)[FORECASTS]], ignore_index=True)
    made = pd.DataFrame(columns=FORECASTS)
    if len(moves):
        try:
            sizes = forecast_sizes(by_month(moves), both.now.value_counts())
            made = sizes.assign(month=next_month(label), actual=np.nan, inside=None)[FORECASTS]
        except InputError:  # a segment that nobody's moves are known of
            pass
    return pd.concat([table for table in (known, made) if len(table)] or [known], ignore_index=True)


@dataclass(frozen=True)
class Drift:
    """How far customers have changed, feature by feature, between two windows that share no day.

    ``table`` has ``feature, psi, low, high, alarm`` (empty where the windows would be too short), ``periods`` says
    which windows they are.
    """

    table: pd.DataFrame = field(repr=False)
    periods: str


def customer_drift(orders, as_of: date, window_days: int, seed: int = 0) -> Drift:
    """Return how far customers have changed between two windows of equal length that share no day.

    Those that end with this month and with the same month last year; where the data do not reach so far back, two
    windows one after the other, the longest there are.
    """
    history = (as_of - orders.first_day).days + 1
    days, back = (window_days, YEAR.days) if history >= YEAR.days + window_days else (window_days, window_days)
    if back == window_days and history < 2 * window_days:
        days = back = history // 2
    periods = f"the {days} days up to {as_of} against the {days} days up to {as_of - timedelta(days=back)}"
    if days < FEWEST_DAYS:
        return Drift(pd.DataFrame(columns=["feature", "psi", "low", "high", "alarm"]), periods)
    now = build_features(orders, as_of, days)
    then = build_features(orders, as_of - timedelta(days=back), days, recipe=now.recipe)

    def make() -> dict:
        return {"drift": feature_drift(then.table, now.table, now.dictionary, seed=seed)}

    depends = {"inputs": orders.inputs, "card": orders.card.path.read_text(encoding="utf-8")}
    depends |= {"as_of": as_of, "days": days, "back": back, "seed": seed}
    return Drift(kept("drift", "monitoring.month_moves", depends, make)["drift"], periods)
