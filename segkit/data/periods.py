"""Months and days: the last one counted, the one after, and whether anything was sold in it."""

import calendar
import re
from datetime import date, timedelta

from segkit.data.orders import Orders
from segkit.runtime.disk import shortened
from segkit.runtime.errors import InputError

EARLIEST_YEAR, LATEST_YEAR = 1990, 2199  # dates beyond are slips of the keyboard


def last_day_counted(month: str = "", as_of: str = "") -> date:
    """Return the last day of a month, or the day itself.

    Examples
    --------
    >>> last_day_counted("2017-09"), last_day_counted(as_of="2010-12-10")
    (datetime.date(2017, 9, 30), datetime.date(2010, 12, 10))
    """
    return _last_day(month) if month else _day(as_of)


def _last_day(month: str) -> date:
    match = re.fullmatch(r"([0-9]{4})-(0[1-9]|1[0-2])", month)
    if not match:
        raise InputError(f"month {shortened(month)!r} is not YYYY-MM; for example 2017-09")
    year, number = int(match[1]), int(match[2])
    return _within_reach(f"month {month}", year) or date(year, number, calendar.monthrange(year, number)[1])


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else "no day")
    except ValueError:
        raise InputError(f"day {shortened(text)!r} is not YYYY-MM-DD; for example 2010-12-10") from None
    return _within_reach(f"day {text}", day.year) or day


def _within_reach(called: str, year: int) -> None:
    """Refuse a year from which no window can be counted back, or no horizon on."""
    if not EARLIEST_YEAR <= year <= LATEST_YEAR:
        raise InputError(f"{called} is beyond what is counted: from {EARLIEST_YEAR} to {LATEST_YEAR}")


def next_month(label: str) -> str:
    """Return the month after, or nothing after a day.

    Examples
    --------
    >>> next_month("2017-12"), next_month("2017-12-09")
    ('2018-01', '')
    """
    if len(label) != len("2017-12"):
        return ""
    year, month = int(label[:4]), int(label[5:])
    return f"{year + month // 12:04}-{month % 12 + 1:02}"


def check_sales(orders: Orders, label: str, as_of: date, window_days: int) -> None:
    """Refuse a month in which nothing was sold, or a day with no sale in the window up to it."""
    start = as_of.replace(day=1) if len(label) == len("2017-09") else as_of - timedelta(days=window_days - 1)
    days = orders.sale_days
    if days is None or days[1] < start:
        there = f"up to then its orders run from {days[0]} to {days[1]}" if days else "its first order is later"
        raise InputError(f"dataset {orders.card.name} has no orders in {label}: {there}; name another month")
