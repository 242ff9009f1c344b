"""Sentences about a month held against the month before, figures from the run."""

import pandas as pd

from segkit.monitoring.migration import JOINED, LEFT
from segkit.monitoring.refit import Advice
from segkit.runtime.labels import label_of
from segkit.runtime.privacy import FEWEST_SHOWN, veiled_count

MOST_TOLD = 3


def tell_way(advice: Advice, fitted: str) -> str:
    """Return which model was used, and why.

    Examples
    --------
    >>> tell_way(Advice("frozen", "Keep scoring with the frozen model: it is 1 month old."), "2017-09")
    'The segments are those found in 2017-09: the model is kept, since it is 1 month old.'
    >>> tell_way(Advice("refit", "Refit: the model is 6 months old and refit_after is 6."), "2017-10")
    'The segments were found anew in 2017-10: the model is 6 months old and refit_after is 6.'
    """
    why = advice.reason.partition(": ")[2]
    if advice.way == "frozen":
        return f"The segments are those found in {fitted}: the model is kept, since {why}"
    return f"The segments were found anew in {fitted}: {why}"


def tell_days(days: int, before: int, window_days: int) -> str:
    """Return over how many days customers are counted; nothing where it is the whole window, as in the month before.

    Examples
    --------
    >>> tell_days(181, 120, window_days=365)
    'Customers are counted over 181 days, last time over 120: totals such as revenue are longer by that.'
    >>> tell_days(181, 181, window_days=365)
    'Customers are counted over 181 days, all that the data had when the model was fitted.'
    >>> tell_days(365, 365, window_days=365)
    ''
    """
    told = f"Customers are counted over {days} days"
    if days != before:
        changed = "longer" if days > before else "shorter"
        return f"{told}, last time over {before}: totals such as revenue are {changed} by that."
    return f"{told}, all that the data had when the model was fitted." if days < window_days else ""


def tell_events(events: pd.DataFrame, names: dict[str, str], called: pd.DataFrame, before: str) -> str:
    """Return what became of the segments of the month before, and who was called otherwise.

    Parameters
    ----------
    events : DataFrame
        Of `match_segments` or `follow_segments`.
    names : dict
        segment_id -> name, of both months; this month's where it has one.
    called : DataFrame
        ``segment, was_called``.
    before : str
        The month before.

    Examples
    --------
    >>> rows = [("kept", "S1", "S1", 0.9), ("split", "S3", "S1", 0.2), ("gone", "S2", None, None)]
    >>> events = pd.DataFrame(rows, columns=["event", "segment_id", "other_id", "jaccard"])
    >>> called = pd.DataFrame({"segment": ["Loyal"], "was_called": ["Regular"]})
    >>> print(tell_events(events, {"S1": "Loyal", "S2": "Old", "S3": "Young"}, called, "2017-09"))
    1 of 2 segments of 2017-09 is still there. Young split off Loyal. Old is gone. Loyal was called Regular.
    """
    kept, old = (events["event"] == "kept").sum(), events["event"].isin(["kept", "merged", "gone"]).sum()
    some = f"{kept} of {old} segments" if kept < old else f"All {old} segments" if old > 1 else "The one segment"
    told = [f"{some} of {before} {'is' if kept == 1 else 'are'} still there."]
    says = {"split": "{} split off {}.", "merged": "{} became part of {}.", "new": "{} is new.", "gone": "{} is gone."}
    for row in events[events["event"] != "kept"].itertuples():
        own, other = names.get(row.segment_id, row.segment_id), names.get(row.other_id, row.other_id)
        told.append(says[row.event].format(own, other))
    for row in called.dropna(subset=["was_called"]).itertuples():
        told.append(f"{row.segment} was called {row.was_called}.")
    return " ".join(told)


def tell_moved(moved: pd.DataFrame | None) -> str:
    """Return how many customers moved, and how many the model did.

    Examples
    --------
    >>> cells = {"cell": ["unchanged", "moved only", "joined", "left"], "customers": [90, 10, 14, 1]}
    >>> tell_moved(pd.DataFrame(cells).assign(share=[0.9, 0.1, None, None]))
    'Of 100 customers of both months 90 % are where they were and 10 % moved; 14 joined, fewer than ten left.'
    """
    if moved is None:
        return (
            "Whether customers moved or the model did can't be told: the old model can't score this month's customers."
        )
    counts = moved.set_index("cell")["customers"]
    stayers = int(counts.drop([JOINED, LEFT], errors="ignore").sum())
    share = counts / max(stayers, 1)
    text = (
        f"Of {stayers:,} customers of both months {_percent(share['unchanged'])} are where they were and "
        f"{_percent(share['moved only'])} moved"
    )
    if other := sum(share.get(cell, 0) for cell in share.index if "remodelled" in cell or "both" in cell):
        text += f", while the new model put {_percent(other)} elsewhere or back"
    return f"{text}; {veiled_count(counts.get(JOINED, 0))} joined, {veiled_count(counts.get(LEFT, 0))} left."


def tell_moves(revenue: pd.DataFrame, names: dict[str, str], currency: str = "", way: str = "frozen") -> str:
    """Return the largest moves between segments with the revenue of these customers; none of fewer than ten.

    Parameters
    ----------
    revenue : DataFrame
        Of `migrated_revenue`.

    Examples
    --------
    >>> row = {"from_segment_id": "S1", "to_segment_id": "S2", "customers": 95, "revenue_after": 255165.0}
    >>> tell_moves(pd.DataFrame([row]), {"S1": "Big spenders", "S2": "Regulars"}, "USD")
    'Largest moves: 95 from Big spenders to Regulars (255,165 USD).'
    """
    between = revenue[
        (revenue["from_segment_id"] != revenue["to_segment_id"])
        & ~revenue["from_segment_id"].isin([JOINED])
        & ~revenue["to_segment_id"].isin([LEFT])
        & (revenue["customers"] >= FEWEST_SHOWN)
    ]
    largest = between.sort_values("customers", ascending=False, kind="stable").head(MOST_TOLD)
    if largest.empty:
        return f"No move between two segments was made by {FEWEST_SHOWN} customers or more."
    told = [
        f"{row.customers:,} from {names.get(row.from_segment_id, row.from_segment_id)} to "
        f"{names.get(row.to_segment_id, row.to_segment_id)} ({f'{row.revenue_after:,.0f} {currency}'.strip()})"
        for row in largest.itertuples()
    ]
    also = ", new borders included" if way == "refit" else ""
    return f"Largest moves{also}: {'; '.join(told)}."


def tell_forecast(forecasts: pd.DataFrame, month: str) -> str:
    """Return how often forecasts held so far, and how often the last one did.

    Examples
    --------
    >>> made = {"month": ["2017-09", "2017-10", "2017-11"], "inside": [True, False, None]}
    >>> tell_forecast(pd.DataFrame(made), "2017-10")
    'Of 1 segment forecast for this month 0 came within its 95 % interval; of all 2 so far, 1 (50 %).'
    >>> tell_forecast(pd.DataFrame(made), "2017-12")
    'No forecast was made for this month; of all 2 so far, 1 (50 %) came within the 95 % interval.'
    """
    known = forecasts.dropna(subset=["inside"])
    if known.empty:
        return "No forecast has come due yet."
    inside = known["inside"].astype(bool)
    own = inside[known["month"] == month]
    held = f"of all {len(known)} so far, {inside.sum()} ({_percent(inside.mean())})"
    if own.empty:
        return f"No forecast was made for this month; {held} came within the 95 % interval."
    segments = "1 segment" if len(own) == 1 else f"{len(own)} segments"
    return (
        f"Of {segments} forecast for this month {own.sum()} came within {'its' if len(own) == 1 else 'their'} "
        f"95 % interval; {held}."
    )


def tell_drift(drift: pd.DataFrame, periods: str) -> str:
    """Return which features changed between two periods.

    Examples
    --------
    >>> drift = pd.DataFrame({"feature": ["spend", "age"], "alarm": [True, False], "psi": [0.3, 0.0]})
    >>> tell_drift(drift, "the 90 days up to 2017-09-30 against the 90 days up to 2017-07-02")
    '1 of 2 features changed (the 90 days up to 2017-09-30 against the 90 days up to 2017-07-02): spend.'
    """
    if drift.empty:
        return "The data are too short to hold two periods against each other."
    alarms = drift[drift["alarm"].astype(bool)].sort_values("psi", ascending=False, kind="stable")["feature"].tolist()
    named = ": " + ", ".join(map(label_of, alarms)) if alarms else ""
    return f"{len(alarms) or 'None'} of {len(drift)} features changed ({periods}){named}."


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
