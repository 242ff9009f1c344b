"""Key figures, criteria and audiences of the segments as tables for readers."""

import pandas as pd

from segkit.features.build import CustomerFeatures
from segkit.runtime.privacy import veiled_share
from segkit.runtime.text import with_interval
from segkit.segments.segment_list import by_name
from segkit.targeting.handover.audience import audience, reachable_customers, read_contacts
from segkit.targeting.handover.platforms import PLATFORMS


def kpi_table(kpis: pd.DataFrame, segments: pd.DataFrame) -> pd.DataFrame:
    """Return the key figures that are known of any segment, a row per segment, for readers.

    Rates alone: orders and spend stand on the cards, as medians. Retention is a share of people, so it is a text: a
    bound where fewer than ten make or miss it, and no column where more than half of them would be bounds. Returns are
    left out where nobody ever returned anything: such data seldom have them.
    """
    known = kpis[kpis["unit"] == "share"].dropna(subset="figure")
    if not known.loc[known["kpi"] == "return_rate", "figure"].any():
        known = known[known["kpi"] != "return_rate"]
    order = list(dict.fromkeys(known["kpi"]))
    table = known.pivot_table(index="segment_id", columns="kpi", values="figure")
    table = table[order] if order else pd.DataFrame(index=pd.Index([], name="segment_id"))
    if "retention" in table:  # the others are no shares of people
        people = known[known["kpi"] == "retention"].set_index("segment_id")
        told = [veiled_share(row.figure, row.customers) for row in people.itertuples()]
        table["retention"] = pd.Series(told, index=people.index, dtype="str")
        if 2 * sum(text[:1].isdigit() for text in told) < len(told):
            table = table.drop(columns="retention")
    return by_name(table, segments)


def criteria_table(criteria: pd.DataFrame, segments: pd.DataFrame) -> pd.DataFrame:
    """Return the five questions in words: a row per measure, a column per segment, figures with their intervals."""
    texts = criteria.assign(text=[with_interval(*ends) for ends in criteria[["figure", "low", "high"]].to_numpy()])
    table = texts.pivot_table(
        index=["criterion", "measure"], columns="segment", values="text", aggfunc="first", sort=False
    )
    return table[list(segments["segment"])].rename_axis(columns=None)


def sureness(assignments: pd.DataFrame, segments: pd.DataFrame) -> pd.DataFrame:
    """Return how many customers of each segment stay in its audience, by the least confidence asked for."""
    by_segment = assignments.groupby("segment_id")["confidence"]
    table = pd.DataFrame({"customers": by_segment.size(), "mean confidence": by_segment.mean()})
    for least in (0.5, 0.7, 0.9):
        table[f"at least {least}"] = by_segment.agg(lambda known, least=least: int((known >= least).sum()))
    return by_name(table, segments)


def reachable(rows, features: CustomerFeatures) -> pd.Series | None:
    """Return who consents and has an address; None where the shop's data don't say.

    Parameters
    ----------
    rows : Orders or ReadyRows
        What was read.
    """
    contacts = None if features.as_of is None else read_contacts(rows)
    return None if contacts is None else reachable_customers(contacts, features.table.index)


def count_reached(rows, features: CustomerFeatures, assignments: pd.DataFrame) -> pd.Series | None:
    """Return how many customers of each segment can be written to, by segment_id; None where the data don't say."""
    able = reachable(rows, features)
    return None if able is None else able.groupby(assignments["segment_id"].reindex(able.index)).sum()


def count_audiences(rows, features: CustomerFeatures, assignments: pd.DataFrame, floor: int, min_confidence: float):
    """Return how many customers each platform would get, and why others not; empty where the shop has no addresses.

    Returns
    -------
    DataFrame
        ``platform, reason, customers``: numbers alone, no address.
    """
    contacts = None if features.as_of is None else read_contacts(rows)
    if contacts is None:
        return pd.DataFrame(columns=["platform", "reason", "customers"])
    assigned = assignments.reset_index()
    counts = [
        audience(assigned, contacts, platform, floor=floor, min_confidence=min_confidence)[1].assign(
            platform=platform.title
        )
        for platform in PLATFORMS.values()
    ]
    return pd.concat(counts).groupby(["platform", "reason"], sort=False)["customers"].sum().reset_index()
