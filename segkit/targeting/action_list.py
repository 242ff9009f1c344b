"""What to do, segment by segment: the idea, whom it reaches, the money that it touches, and what a test would take."""

from collections.abc import Sequence

import pandas as pd

from segkit.clustering.segmentation import LEFT_OUT
from segkit.runtime.privacy import FEWEST_SHOWN, veiled_count
from segkit.runtime.text import money, number_word
from segkit.targeting.levers import LEVERS, Lever

UNKNOWN_STAKE = "not known"
_OF_LEVER = ["rate", "at_stake", "at_stake_low", "at_stake_high", "customers_per_arm", "can_test"]


def list_actions(
    segments: pd.DataFrame,
    levers: pd.DataFrame,
    kpis: pd.DataFrame,
    reached: pd.Series | None = None,
    known: Sequence[Lever] = LEVERS,
) -> pd.DataFrame:
    """Return the idea of each segment with the figures of the lever that it pulls; what can be tested stands first.

    Parameters
    ----------
    segments : DataFrame
        ``segment_id, segment, customers, lever, action``. S0, segments of fewer than ten customers and those for which
        there is no idea (no lever) have no row.
    levers, kpis : DataFrame
        As from `rank_levers` and `segment_kpis`.
    reached : Series, optional
        Index segment_id, how many customers can be written to; none where the shop's data don't say. A test is then
        made of these.
    known : sequence of Lever
        Those that were ranked. One of your own stands beside the segment in which it touches most money.

    Returns
    -------
    DataFrame
        ``segment_id, segment, customers, reached, lever, action, rate, others`` (the same figure of all others),
        ``at_stake, at_stake_low, at_stake_high`` (money), ``customers_per_arm, can_test``; sorted by whether a test is
        possible, then by the money at stake. Figures are null where the lever has none.

    Examples
    --------
    >>> segments = pd.DataFrame({"segment_id": ["S1", "S2"], "segment": ["Loyal", "New"], "customers": [300, 900]})
    >>> segments = segments.assign(lever="smaller discounts", action=["Try less.", "Wait."])
    >>> levers = pd.DataFrame({"segment_id": ["S1", "S2"], "lever": "smaller discounts", "rate": 0.1, "effect": ""})
    >>> levers[["at_stake", "at_stake_low", "at_stake_high"]] = [[900.0] * 3, [400.0] * 3]
    >>> levers = levers.assign(customers_per_arm=[200, 200], can_test=[False, True])
    >>> kpis = pd.DataFrame({"segment_id": ["S1"], "kpi": ["discount_rate"], "others": [0.2]})
    >>> list_actions(segments, levers, kpis)[["segment", "action", "at_stake", "can_test"]]
      segment     action  at_stake  can_test
    0     New      Wait.     400.0      True
    1   Loyal  Try less.     900.0     False
    """
    real = segments[(segments["segment_id"] != LEFT_OUT) & (segments["customers"] >= FEWEST_SHOWN)]
    real = real[real["lever"].fillna("") != ""]
    real = pd.concat([real, *(_own_idea(lever, real, levers) for lever in known if lever not in LEVERS)])
    real = real[["segment_id", "segment", "customers", "lever", "action"]]
    actions = real.merge(levers[["segment_id", "lever", *_OF_LEVER]], on=["segment_id", "lever"], how="left")
    rates = {lever.name: lever.rate for lever in known}
    others = kpis.set_index(["segment_id", "kpi"])["others"].to_dict()
    pairs = zip(actions["segment_id"], actions["lever"], strict=True)
    actions["others"] = [others.get((one, rates.get(lever))) for one, lever in pairs]
    actions["reached"] = None if reached is None else actions["segment_id"].map(reached).fillna(0).astype(int)
    able = actions["customers"] if reached is None else actions["reached"]
    actions["can_test"] = (2 * actions["customers_per_arm"] <= able).astype(bool)
    return actions.sort_values(
        ["can_test", "at_stake", "segment_id"], ascending=[False, False, True], kind="stable", ignore_index=True
    )


def _own_idea(lever: Lever, segments: pd.DataFrame, levers: pd.DataFrame) -> pd.DataFrame:
    """Return the segment in which a lever touches most money, with the lever as its idea; no row without one."""
    there = levers[(levers["lever"] == lever.name) & levers["segment_id"].isin(segments["segment_id"])]
    there = there.sort_values("at_stake", ascending=False, kind="stable").head(1)
    row = segments[segments["segment_id"].isin(there["segment_id"])]
    return row.assign(
        lever=lever.name, action=[f"Try {(lever.tried or lever.name).format(name)}." for name in row["segment"]]
    )


def say_actions(actions: pd.DataFrame, currency: str, known: Sequence[Lever] = LEVERS) -> pd.DataFrame:
    """Return the list in a reader's words: ``segment_id, segment, do, count, files, stake, test, needs``, all text.

    Parameters
    ----------
    actions : DataFrame
        As from `list_actions`.
    currency : str
    known : sequence of Lever
        What the sums are called.
    """
    called = {lever.name: lever.money for lever in known}
    rows = []
    for row in actions.itertuples():
        files = f"{row.segment_id} in klaviyo.csv and the like" if pd.notna(row.reached) else ""
        count = (
            f"{veiled_count(int(row.reached))} of {row.customers:,}" if pd.notna(row.reached) else f"{row.customers:,}"
        )
        stake = UNKNOWN_STAKE
        if pd.notna(row.at_stake):
            stake = f"{money(row.at_stake, currency)} {called.get(row.lever, '')}".strip()
        rows.append((row.segment_id, row.segment, row.action, count, files, stake, *_say_test(row)))
    return pd.DataFrame(rows, columns=["segment_id", "segment", "do", "count", "files", "stake", "test", "needs"])


def _say_test(row) -> tuple[str, str]:
    if pd.isna(row.customers_per_arm):
        return "no", "nothing to count yet"
    return ("yes" if row.can_test else "too few"), f"two groups of {row.customers_per_arm:,.0f}"


def tell_actions(actions: pd.DataFrame, days: int) -> str:
    """Return what the figures of the list are, and how many of its ideas can be tested.

    Examples
    --------
    >>> listed = pd.DataFrame({"segment_id": ["S1", "S2"], "at_stake": [9.0, 5.0], "reached": [80, 90]})
    >>> listed["can_test"] = [True, False]
    >>> print(tell_actions(listed, 273))
    Money is all that an idea touches in 273 days, not what it will bring: nothing has been tested. One of two segments
    has enough customers for a test that would see a tenth more or less. The audience files are written by segkit
    handover.
    """
    if actions.empty:
        return ""
    testable = actions.groupby("segment_id")["can_test"].any()
    if actions["at_stake"].isna().all():
        return "Nobody has tested these ideas, and the data don't say how much money they touch."
    able = int(testable.sum())
    some = f"{number_word(able).capitalize()} of {number_word(len(testable))} segments {'has' if able == 1 else 'have'}"
    if not able:
        some = "No segment alone has"
    files = "The audience files are written by segkit handover."
    if actions["reached"].isna().all():
        files = "The data hold no addresses: segkit handover writes each segment by customer id, as tables and SQL."
    return (
        f"Money is all that an idea touches in {days} days, not what it will bring: nothing has been tested. "
        f"{some} enough customers for a test that would see a tenth more or less. {files}"
    )
