"""Sentences about a finished table: what a notebook prints under it and what the report says, figures from the run."""

from datetime import date

import numpy as np
import pandas as pd

from segkit.privacy import FEWEST_SHOWN

DISSOLVES = 0.6  # mean Jaccard index below which a segment is none (Hennig 2007, section 3)
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def tell_ledger(ledger: pd.DataFrame, currency: str = "") -> str:
    """Return what was kept and what was left out, largest first.

    Examples
    --------
    >>> ledger = pd.DataFrame({"reason": ["no_customer", "sale"], "rows": [20, 80], "amount": [3.0, 97.0]})
    >>> tell_ledger(ledger)
    'Of 100 rows read, 80 (80.0 %) are sales worth 97. Left out: 20 without a customer (20.0 %).'
    """
    rows = ledger.set_index("reason")["rows"]
    sale = ledger.set_index("reason")["amount"].get("sale", 0.0)
    total = rows.sum()
    text = f"Of {total:,} rows read, {rows.get('sale', 0):,} ({_percent(rows.get('sale', 0) / total)}) are sales worth "
    text += money(sale, currency)
    if rows.get("return", 0):
        text += f", and {rows['return']:,} ({_percent(rows['return'] / total)}) are returns"
    others = rows.drop(["sale", "return"], errors="ignore").sort_values(ascending=False, kind="stable")
    others = others[others > 0]
    if others.empty:
        return text + ". Nothing was left out."
    listed = ", ".join(
        f"{count:,} {reason_in_words(reason)} ({_percent(count / total)})" for reason, count in others.items()
    )
    return f"{text}. Left out: {listed}."


def tell_only_returned(people: int, amount: float, currency: str = "") -> str:
    """Return who returned and bought nothing, and so is in no segment; nothing where there are none.

    Examples
    --------
    >>> tell_only_returned(68, -62610.4, "GBP")
    '68 people only returned in these days, for 62,610 GBP: they are in the table above and in no segment.'
    >>> tell_only_returned(3, -20.0, "GBP")
    'Fewer than ten people only returned in these days: they are in the table above and in no segment.'
    """
    if not people:
        return ""
    who = f"{people:,} people only returned in these days, for {money(-amount, currency)}"
    who = who if people >= FEWEST_SHOWN else "Fewer than ten people only returned in these days"
    return f"{who}: they are in the table above and in no segment."


def reason_in_words(reason: str) -> str:
    """Return a reason of the ledger as a reader would say it; the card's own reasons with spaces."""
    known = {
        "no_customer": "without a customer",
        "zero_amount": "with a price or quantity of zero",
        "bad_date": "with a date that can't be read",
        "date_before_1990": "dated before 1990",
        "bad_quantity": "with a quantity that is no number",
        "bad_amount": "with an amount that is no number",
        "negative_amount": "with a negative amount that are no returns",
        "missing_order_id": "without an order number",
        "missing_product_id": "without a product",
    }
    return known.get(reason, reason.replace("_", " "))


def tell_coverage(label: str, as_of: date, last_day: date, uncovered_days: int) -> str:
    """Return a warning where the data ends before the month does; nothing where it is covered.

    Examples
    --------
    >>> tell_coverage("2010-12", date(2010, 12, 31), date(2010, 12, 9), 22)
    'Incomplete: the data ends on 2010-12-09, 22 days before the end of 2010-12. Recent orders are missing, so ...'
    """
    if not uncovered_days:
        return ""
    return (
        f"Incomplete: the data ends on {last_day}, {uncovered_days} days before the end of {label}. Recent orders are "
        "missing, so customers look less active than they are."
    )


def tell_concentration(concentration: pd.DataFrame) -> str:
    """Return how much of the revenue the best customers bring.

    Examples
    --------
    >>> curve = pd.DataFrame({"customer_share": [0, 0.01, 0.2, 1], "revenue_share": [0, 0.1, 0.6, 1]})
    >>> tell_concentration(curve)
    'The top 1 % of customers bring 10 % of revenue, the top 20 % bring 60 %, the lower half 25 %.'
    >>> tell_concentration(curve.drop(index=1))
    'The top 20 % bring 60 %, the lower half 25 %.'
    """
    share = np.interp([0.01, 0.2, 0.5], concentration["customer_share"], concentration["revenue_share"])
    few = concentration["customer_share"].iloc[1] > 0.01  # the first step of the curve is longer
    top = "The" if few else f"The top 1 % of customers bring {_percent(share[0], 0)} of revenue, the"
    return f"{top} top 20 % bring {_percent(share[1], 0)}, the lower half {_percent(1 - share[2], 0)}."


def headline(segments: pd.DataFrame) -> str:
    """Return the answer in one sentence: how few segments bring half of the revenue.

    Parameters
    ----------
    segments : DataFrame
        ``segment_id, customers, customer_share, revenue_share``; S0 is not counted as a segment.
    """
    real = segments[segments["segment_id"] != "S0"]
    if real["revenue_share"].isna().any():
        biggest = real.sort_values("customer_share", ascending=False).iloc[0]
        return (
            f"{number_word(len(real)).capitalize()} segments; the largest, {biggest['segment']}, holds "
            f"{_percent(biggest['customer_share'], 0)} of customers."
        )
    best_first = real.sort_values("revenue_share", ascending=False)
    needed = int((best_first["revenue_share"].cumsum() < 0.5).sum()) + 1
    core = best_first.head(needed)
    verb = "brings" if needed == 1 else "bring"
    return (
        f"{number_word(needed).capitalize()} of {number_word(len(real))} segments, "
        f"{_percent(core['customer_share'].sum(), 0)} of customers, {verb} "
        f"{_percent(core['revenue_share'].sum(), 0)} of revenue."
    )


def tell_choice(candidates: pd.DataFrame) -> str:
    """Return how many candidates there were and why the chosen one was taken."""
    chosen = candidates[candidates["chosen"]].iloc[0]
    if candidates["chosen"].sum() == (~candidates["family"].isin(["rfm", "tiers"])).sum() == 1:
        segments = number_word(int(chosen["segments"]))
        return f"Nothing else was tried: {chosen['candidate_id']}, {segments} segments, is kept. {chosen['reason']}"
    feasible = int((candidates["feasible"] & ~candidates["family"].isin(["rfm", "tiers"])).sum())
    return (
        f"{len(candidates)} segmentations were compared; {feasible} have sizes that a business can use and "
        f"come back from resampled customers. Taken: "
        f"{chosen['candidate_id']}, {number_word(int(chosen['segments']))} segments. {chosen['reason']}"
    )


_STRUCTURE = {
    "natural": "These segments are natural: thinly populated space lies between them.",
    "reproducible": "These segments are cuts through a continuum.",
    "constructive": "These segments are cuts through a continuum, made where they are useful.",
}


def tell_verdict(verdict: dict, forward: str) -> str:
    """Return what the chosen segmentation is and what it is worth, in words a manager understands.

    Parameters
    ----------
    verdict : dict
        As in ``run.json``.
    forward : str
        What the segments tell of the future (`segkit.forward.tell_forward`).

    Examples
    --------
    >>> evidence = {"comes_back": 0.94, "resamples": 100}
    >>> tell_verdict({"structure": "reproducible", "evidence": evidence}, "They tell nothing.")
    'These segments are cuts through a continuum. They are stable: each comes back in at least 94 of 100 resamples ...'
    >>> evidence = {"comes_back": 0.35, "resamples": 20, "stability_jaccard_min": 0.46}
    >>> tell_verdict({"structure": "constructive", "evidence": evidence}, "")
    'These segments are cuts ... Not all of them come back: one did in only 7 of 20 resamples of the customers.'
    """
    return " ".join(filter(None, [_STRUCTURE.get(verdict["structure"], ""), _tell_return(verdict), forward]))


def _tell_return(verdict: dict) -> str:
    evidence = verdict.get("evidence", {})
    share, resamples = evidence.get("comes_back"), evidence.get("resamples")
    if share is None or not resamples:
        return ""
    back = round(share * resamples)
    if evidence.get("stability_jaccard_min", 1) < DISSOLVES:
        return f"Not all of them come back: one did in only {back} of {resamples:.0f} resamples of the customers."
    least = f"at least {back} of {resamples:.0f}" if back < resamples else f"all {resamples:.0f}"
    least += " resamples of the customers"
    if verdict["structure"] == "constructive":
        return f"Each comes back in {least}, with other borders."
    return f"They are stable: each comes back in {least}."


def tell_advice(verdict: dict) -> str:
    """Return what to do where these segments are not worth having; nothing where they are.

    Examples
    --------
    >>> tell_advice({"segment_at_all": False, "advice": "use the RFM map: these segments say no more about the future"})
    'Use the RFM map: these segments say no more about the future. They are shown all the same, for those who ask.'
    """
    if verdict["segment_at_all"] or not (advice := verdict.get("advice", "")):
        return ""
    told = f"{advice[0].upper()}{advice[1:]}."
    if verdict.get("chosen", "").startswith("rfm-") and advice.startswith("use the RFM map"):
        return told  # it is what is shown
    return f"{told} They are shown all the same, for those who ask."


def tell_sizes(sizes: pd.Series) -> str:
    """Return how many customers were put into each segment, largest first.

    Examples
    --------
    >>> tell_sizes(pd.Series({"Loyal": 2, "New": 1}))
    '3 customers: Loyal 2, New 1.'
    """
    return f"{sizes.sum():,} customers: " + ", ".join(f"{name} {count:,}" for name, count in sizes.items()) + "."


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


def tell_levers(levers: pd.DataFrame, currency: str = "") -> str:
    """Return where the most money is at stake, and how much of it could be tested.

    Examples
    --------
    >>> row = {"segment": "Loyal", "lever": "smaller discounts", "at_stake": 1200.0, "can_test": False}
    >>> tell_levers(pd.DataFrame([row]), "EUR")
    'Most is at stake with Loyal, smaller discounts: 1,200 EUR. No effect is measured; 0 of 1 could be tested ...'
    """
    valued = levers[levers["at_stake"].notna()]
    if valued.empty:
        return "The data don't say what is at stake with any lever."
    first = valued.iloc[0]
    return (
        f"Most is at stake with {first['segment']}, {first['lever']}: {money(first['at_stake'], currency)}. No effect "
        f"is measured; {int(levers['can_test'].sum())} of {len(levers)} could be tested within their own segment."
    )


def number_word(number: int) -> str:
    """Return small numbers as words.

    Examples
    --------
    >>> number_word(3), number_word(40)
    ('three', '40')
    """
    return NUMBERS[number] if number < len(NUMBERS) else f"{number:,}"


def money(amount: float, currency: str = "") -> str:
    """Return an amount without small coins, with its currency.

    Examples
    --------
    >>> money(8832003.27, "GBP")
    '8,832,003 GBP'
    """
    return f"{amount:,.0f} {currency}".strip()


def with_interval(figure: float, low: float = float("nan"), high: float = float("nan")) -> str:
    """Return a figure with its interval, with as many digits as a reader needs; ``unknown`` where it is missing.

    Examples
    --------
    >>> with_interval(0.3479, 0.3289, 0.3667), with_interval(1451260.0, 1402420.0, 1500099.0), with_interval(851.0)
    ('0.35 [0.33, 0.37]', '1,451,260 [1,402,420, 1,500,099]', '851')
    """
    if figure != figure:  # the only number unlike itself: not a number
        return "unknown"
    if low != low:
        return _brief(figure)
    return f"{_brief(figure)} [{_brief(low)}, {_brief(high)}]"


def show_intervals(table: pd.DataFrame, decimals: int = 2) -> pd.DataFrame:
    """Return a table whose figures have the ends of their intervals beside them (``_low, _high``) as one text each.

    Examples
    --------
    >>> ends = {"skill_low": [0.66, None], "skill_high": [0.741, None]}
    >>> show_intervals(pd.DataFrame({"segments": [7, 3], "skill": [0.7, 0.5]} | ends))
       segments              skill
    0         7  0.70 [0.66, 0.74]
    1         3               0.50
    """

    def told(figure: float, low: float, high: float) -> str:
        figure, low, high = (f"{number + 0.0:.{decimals}f}" for number in np.round((figure, low, high), decimals))
        return "" if figure == "nan" else figure if low == "nan" else f"{figure} [{low}, {high}]"

    shown = table.copy()
    for name in [name for name in table if {f"{name}_low", f"{name}_high"} <= set(table)]:
        rows = table[[name, f"{name}_low", f"{name}_high"]].astype("float64").to_numpy()
        shown[name] = pd.Series([told(*row) for row in rows], index=table.index, dtype="str")
        shown = shown.drop(columns=[f"{name}_low", f"{name}_high"])
    return shown


def _brief(figure: float) -> str:
    return f"{figure:,.0f}" if abs(figure) >= 100 or figure == int(figure) else f"{figure:.2f}"


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


def _percent(share: float, decimals: int = 1) -> str:
    return f"{100 * share:.{decimals}f} %"
