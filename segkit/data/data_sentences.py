"""Sentences about the data: what was read and left out, how far it reaches, who brings the revenue."""

from datetime import date, timedelta

import numpy as np
import pandas as pd

from segkit.runtime.privacy import FEWEST_SHOWN
from segkit.runtime.text import money, percent


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
    text = f"Of {total:,} rows read, {rows.get('sale', 0):,} ({percent(rows.get('sale', 0) / total)}) are sales worth "
    text += money(sale, currency)
    if rows.get("return", 0):
        text += f", and {rows['return']:,} ({percent(rows['return'] / total)}) are returns"
    others = rows.drop(["sale", "return"], errors="ignore").sort_values(ascending=False, kind="stable")
    others = others[others > 0]
    if others.empty:
        return text + ". Nothing was left out."
    listed = ", ".join(
        f"{count:,} {reason_in_words(reason)} ({percent(count / total)})" for reason, count in others.items()
    )
    return f"{text}. Left out: {listed}."


def tell_ledger_days(first_day: date, as_of: date, days_counted: int) -> str:
    """Return which days the ledger counts where segments are made of fewer; nothing where they are the same.

    Examples
    --------
    >>> tell_ledger_days(date(2017, 1, 1), date(2017, 10, 31), 273)
    'These are the rows of all days up to 2017-10-31; the revenue above is that of the 273 days from 2017-02-01 on.'
    >>> tell_ledger_days(date(2017, 1, 1), date(2017, 10, 31), 304)
    ''
    """
    after = as_of - timedelta(days=days_counted)
    if first_day > after:
        return ""
    return (
        f"These are the rows of all days up to {as_of}; the revenue above is that of the {days_counted} days from "
        f"{after + timedelta(days=1)} on."
    )


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
        "destroyed_id": "with an id that a spreadsheet cut off",
        "other_currency": "in another currency",
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
    top = "The" if few else f"The top 1 % of customers bring {percent(share[0], 0)} of revenue, the"
    return f"{top} top 20 % bring {percent(share[1], 0)}, the lower half {percent(1 - share[2], 0)}."
