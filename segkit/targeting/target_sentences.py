"""Sentences about what to do: which segment to work on, with what, and who is handed over."""

import re
from collections.abc import Sequence

import pandas as pd

from segkit.runtime.labels import label_of
from segkit.runtime.text import money
from segkit.targeting.levers import LEVERS, Lever


def tell_targets(targets: pd.DataFrame) -> str:
    """Return which segment is the most attractive, which the easiest to serve, and whether that is certain.

    Examples
    --------
    >>> ends = {"attractiveness_low": [0.8, 0.1], "attractiveness_high": [1.0, 0.3], "customers": [9, 9]}
    >>> told = {"segment": ["Loyal", "New"], "attractiveness": [0.9, 0.2], "ability": [0.7, 0.9]}
    >>> tell_targets(pd.DataFrame(told | ends))
    'Most attractive by these weights: Loyal, beyond the uncertainty of the figures. Easiest to serve: New.'
    """
    if targets["attractiveness"].isna().all():
        return "Nothing is known of what these segments bring, so none is more attractive than another."
    ranked = targets.sort_values("attractiveness", ascending=False, kind="stable")
    best, others = ranked.iloc[0], ranked.iloc[1:]
    certain = (best["attractiveness_low"] > others["attractiveness_high"]).all()
    how = "beyond the uncertainty of the figures" if certain else "though the figures leave room for another"
    text = f"Most attractive by these weights: {best['segment']}, {how}."
    if targets["ability"].notna().any():
        text += f" Easiest to serve: {targets.loc[targets['ability'].idxmax(), 'segment']}."
    return text


def tell_levers(levers: pd.DataFrame, currency: str, days: int, known: Sequence[Lever] = LEVERS) -> str:
    """Return which idea touches the most money and what that sum is, which is no effect, and how many can be tested.

    Examples
    --------
    >>> row = {"segment": "Loyal", "lever": "smaller discounts", "at_stake": 1200.0, "can_test": False}
    >>> print(tell_levers(pd.DataFrame([row]), "EUR", 273).replace(". ", ".\\n"))
    The idea that touches the most money: smaller discounts for Loyal (all discounts they got in 273 days: 1,200 EUR).
    How much of it they would change is not known: nothing has been tested.
    0 of 1 ideas have enough customers for a test within their own segment.
    """
    valued = levers[levers["at_stake"].notna()]
    if valued.empty:
        return "The data don't say what is at stake with any lever."
    first = valued.iloc[0]
    lever = next((one for one in known if one.name == first["lever"]), Lever(first["lever"], "", at_stake=None))
    tried, touched = lever.tried or f"{lever.name} for {{}}", lever.touched
    return (
        f"The idea that touches the most money: {tried.format(first['segment'])} ({touched.format(f'{days} days')}: "
        f"{money(first['at_stake'], currency)}). How much of it they would change is not known: nothing has been "
        f"tested. {int(levers['can_test'].sum())} of {len(levers)} ideas have enough customers for a test within their "
        "own segment."
    )


def tell_rule(rule: str) -> str:
    """Return a segment's rule in a reader's words.

    Examples
    --------
    >>> tell_rule("category_fuel_share >= 7 % and order_count < 33 and country = Germany")
    'share of spend on Fuel at least 7 % and orders below 33 and country Germany'
    """
    signs = {">=": " at least ", "<": " below ", "=": " "}
    return re.sub(r"(^| and )(\w+) (>=|<|=) ", lambda part: f"{part[1]}{label_of(part[2])}{signs[part[3]]}", rule)


def tell_audiences(audiences: pd.DataFrame) -> str:
    """Return whether there is anybody to hand over, and to whom the most.

    Examples
    --------
    >>> tell_audiences(pd.DataFrame(columns=["platform", "reason", "customers"]))
    'The shop keeps no e-mail or phone beside its customers: it gets tables and SQL, and no audience files.'
    >>> tell_audiences(pd.DataFrame({"platform": ["Meta"], "reason": ["handed over"], "customers": [5]}))
    'Handed over: Meta 5.'
    """
    if audiences.empty:
        return "The shop keeps no e-mail or phone beside its customers: it gets tables and SQL, and no audience files."
    handed = audiences[audiences["reason"] == "handed over"]
    if handed.empty:
        return "Nobody can be handed over; the table says why."
    return "Handed over: " + ", ".join(f"{row.platform} {row.customers:,}" for row in handed.itertuples()) + "."
