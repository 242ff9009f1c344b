"""What the report says beside its tables: warnings, key figures, what changed since the month before."""

from datetime import timedelta

import pandas as pd

from segkit.data.data_sentences import tell_coverage, tell_ledger_days, tell_only_returned
from segkit.data.explore import only_returned, uncovered_days
from segkit.features.build import CustomerFeatures
from segkit.monitoring.lasting_names import names_of_both, unbacked_names
from segkit.monitoring.month_sentences import tell_days, tell_events, tell_moved, tell_moves, tell_way
from segkit.monitoring.refit import Way
from segkit.reporting.sentences import tell_advice
from segkit.runtime.cache import kept
from segkit.runtime.text import money
from segkit.segments.naming.names import name_segments
from segkit.segments.profile import profile_segments, size_segments
from segkit.validation.candidates import Candidates


def warnings_of(candidates: Candidates, segments: pd.DataFrame, profile: pd.DataFrame, run) -> tuple[str, ...]:
    """Return what a reader must know before trusting the rest; no warning is no text.

    Parameters
    ----------
    run : Run
        Of the month.
    """
    verdict = candidates.verdict
    overruled = candidates.chosen["reason"] if verdict["chosen"] != verdict["proposed"] else ""
    told = [overruled, tell_advice(verdict), *unbacked_names(segments, run.previous, profile)]
    if run.as_of is not None:
        days = _days(run)
        told.append(tell_coverage(run.label, run.as_of, run.orders.last_day, days["uncovered"]))
    return tuple(filter(None, told))


def figures_of_month(features: CustomerFeatures, currency: str) -> dict[str, str]:
    """Return the month in four figures, by label."""
    figures = {"customers": f"{len(features.table):,}"}
    if features.as_of is not None:
        figures["orders"] = f"{int(features.table['order_count'].sum()):,}"
        figures[f"revenue in {features.window_days} days"] = money(features.revenue.sum(), currency)
        figures["last day counted"] = str(features.as_of)
    return figures


def learned_segments(candidates: Candidates, features: CustomerFeatures, card) -> pd.DataFrame | None:
    """Return the segments of the best learned candidate where a rule was taken in its place; None elsewhere.

    ``segment, customers, customer_share, revenue_share, description``, named on the customers who made them.
    """
    learned = candidates.verdict["evidence"].get("learned")
    if learned is None or learned not in candidates.labels:
        return None
    segments = candidates.labels[learned].map(lambda label: f"S{label + 1}")
    table = features.table.loc[segments.index]
    profile = profile_segments(table, features.dictionary, segments, never_named=card.never_named)
    sizes = size_segments(segments, features.revenue)
    names, _ = name_segments(profile, sizes, card.currency, features.window_days)
    named = sizes.merge(names, on="segment_id").sort_values("revenue", ascending=False, kind="stable")
    return named[["segment", "customers", "customer_share", "revenue_share", "description"]]


def days_in_ledger(run, features: CustomerFeatures) -> str:
    """Return which days the ledger counts, in a sentence; nothing where they are those of the segments."""
    return "" if run.as_of is None else tell_ledger_days(run.orders.first_day, run.as_of, features.window_days)


def only_returned_sentence(run, features: CustomerFeatures) -> str:
    """Return who is in the ledger and in no segment, in a sentence; nothing where there is nobody."""
    if run.as_of is None:
        return ""
    after = run.as_of - timedelta(days=features.window_days)

    def count() -> dict:
        people, amount = only_returned(run.orders, after, run.as_of)
        return {"found": {"people": people, "amount": amount}}

    found = kept("only returned", "data.explore", _rows(run) | {"after": after}, count)["found"]
    return tell_only_returned(**found, currency=run.card.currency)


def since_last_month(
    run, way: Way, segments: pd.DataFrame, features: CustomerFeatures, events, moved, revenue
) -> tuple[str, ...]:
    """Return what changed since the month before, in sentences: the segments, who moved, the largest moves, the model.

    Parameters
    ----------
    events, moved, revenue : DataFrame or None
        As notebooks 04 and 05 saved them.
    """
    before = run.previous
    if before is None:
        alone = "a ready table of customers has no months" if run.as_of is None else "there is no month before"
        return (f"Nothing to compare with: {alone}.",)
    names = names_of_both(before.segments, segments)
    days = tell_days(features.window_days, before.segmentation.window_days, run.parameters.window_days)
    told = tell_way(way, before.fit["month"] if way.kept else run.label)
    return (
        tell_events(events, names, segments, before.label),
        tell_moved(moved),
        tell_moves(revenue, names, run.card.currency, way.way),
        f"{told} {days}".strip(),
    )


def _days(run) -> dict:
    def measure() -> dict:
        return {"days": {"uncovered": uncovered_days(run.orders, run.as_of)}}

    return kept("coverage", "data.explore", _rows(run), measure)["days"]


def _rows(run) -> dict:
    return {"inputs": run.orders.inputs, "card": run.card.path.read_text(encoding="utf-8"), "as_of": run.as_of}
