"""Sentences about what to do: which segment to work on, with what, and who is handed over."""

import re

import pandas as pd

from segkit.runtime.labels import label_of


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
