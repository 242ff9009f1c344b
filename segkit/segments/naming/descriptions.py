"""A few sentences about a segment, with its figures, in the words of a reader."""

import math

from segkit.runtime.labels import label_of
from segkit.runtime.privacy import veiled_share
from segkit.segments.profile import FEWEST_KNOWN

MOST_DIFFERENCES = 3
# Second readings of something said already: the same money, the same orders.
_SAID = (
    {"spend", "largest_order_value", "distinct_product_count"},
    {"order_count", "mean_gap_days", "repeat_product_share", "active_span_days"},
    {"days_since_last_order", "quarter_change", "spend_slope"},
    {"products_per_order", "lines_per_order", "mean_order_value"},
    {"coupon_share", "coupon_order_share"},
    {"store_count", "main_store_share"},
    {"return_order_share", "return_spend_share"},
)
# What is told of every segment that has it: the figure as it is, and as a reader is told it, in words.
_USUAL = {
    "order_count": lambda count, told: f"{told} order{'' if count == 1 else 's'}",
    "spend": lambda spend, told: f"{told} spent",
    "days_since_last_order": lambda days, told: f"last order {ago(days)}",
}
# Counted from the first order in the window: where all data begin within it, they tell when the data begin.
_CAPPED = {"tenure_days", "active_span_days"}
CAPPED_SHARE = 0.5  # of the window: younger than that is told
# Figures that need a lesson first, and what the shop itself decided.
_UNSAID = {"quarter_change", "spend_slope", "category_entropy", "gap_variation", "campaigns_received_count"}


def describe_segment(size, profile, backing=(), currency="", window_days=365):
    """A few sentences: how many, what they bring, their usual figures, and what else sets them apart most.

    Parameters
    ----------
    size : row
        ``customers, customer_share, revenue_share``.
    profile : DataFrame
        The segment's rows of the profile.
    backing : collection of str
        Features behind the segment's name, told before others.
    currency : str
    window_days : int

    Returns
    -------
    str
    """
    customers = f"{size.customers:,} customers ({percent(size.customer_share)})"
    bring = f" who bring {percent(size.revenue_share)} of revenue" if known(size.revenue_share) else ""
    usual = _usual(profile, currency)
    sentence = f"{customers}{bring}."
    if usual:
        sentence += f" In {_window(window_days)}, at the median: {', '.join(usual)}."
    apart = [_difference(row, currency) for row in _telling(profile, backing, usual, currency, window_days)]
    if apart:
        return f"{sentence} They {'also differ' if usual else 'differ most'} in {_listed(apart)}."
    if usual and profile["differs"].any():
        return f"{sentence} Beyond these figures, nothing sets them clearly apart from all customers."
    return f"{sentence} Nothing sets them clearly apart from all customers."


def _usual(profile, currency):
    """Orders, spend and days since the last order beside those of all customers, in one order for every segment."""
    plain = profile[(profile["level"] == "") & profile["feature"].isin(list(_USUAL)) & profile["centre"].notna()]
    rows = {row.feature: row for row in plain.itertuples(index=False)}
    if not {"order_count", "spend"} <= set(rows):
        return []
    told = []
    for feature, says in _USUAL.items():
        if row := rows.get(feature):
            own, overall = (figure(one, row.kind, currency) for one in (row.centre, row.overall))
            all_customers = "" if any("(" in fact for fact in told) else "all customers "
            told.append(says(row.centre, own) + ("" if own == overall else f" ({all_customers}{overall})"))
    return told


def _telling(profile, backing, usual, currency, window_days):
    """The rows that differ most, one for each thing said; those behind the name are among them."""
    said = [_SAID[0], _SAID[1], _SAID[2]] if usual else []
    rows = []
    told = profile["differs"] & ((profile["level"] == "") | (profile["centre"] * profile["customers"] >= FEWEST_KNOWN))
    ranked = profile[told].sort_values("effect_sd", key=abs, ascending=False, kind="stable")
    ranked = ranked.loc[(~ranked["feature"].isin(list(backing))).sort_values(kind="stable").index]
    for row in ranked.itertuples(index=False):
        group = group_of(row.feature, row.level)
        if group not in said and not unsaid(row, currency, window_days):
            said.append(group)
            rows.append(row)
    return sorted(rows[:MOST_DIFFERENCES], key=lambda row: -abs(row.effect_sd))


def group_of(feature, level=""):
    """The features that say the same thing as this one, itself included."""
    return next((group for group in _SAID if feature in group), {feature, level})


def unsaid(row, currency="", window_days=365):
    """Whether a row of the profile says nothing to a reader.

    So it is with figures that need a lesson first, with what the shop itself decided, with the days since a first order
    that lies where the data begin, and with figures that read the same as those of all customers: medians of counts
    can agree where the customers behind them do not.
    """
    capped = row.feature in _CAPPED and not row.centre < CAPPED_SHARE * window_days
    same = figure(row.centre, row.kind, currency) == figure(row.overall, row.kind, currency)
    return row.feature in _UNSAID or row.feature.endswith("_other_share") or capped or same or not own_figure(row)


def _difference(row, currency):
    label = label_of(row.feature)
    centre, overall = own_figure(row, currency), figure(row.overall, row.kind, currency)
    if row.level:
        return f"{label} {row.level} ({centre} of those known, {overall} of all)"
    return f"{label} ({centre}, all customers {overall})"


def _listed(parts):
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _window(window_days):
    return "the year" if window_days in (364, 365, 366) else f"{window_days} days"


def ago(days):
    """How long ago a day was.

    Examples
    --------
    >>> ago(0), ago(1), ago(6.5)
    ('today', '1 day ago', '6.5 days ago')
    """
    return "today" if days < 0.5 else f"{number(days)} day{'' if round(days) == 1 else 's'} ago"


def figure(amount, kind, currency=""):
    """A figure with its unit.

    Examples
    --------
    >>> figure(0.182, "share"), figure(3940.4, "money", "USD"), figure(9.27, "count"), figure(1.084, "number")
    ('18\xa0%', '3,940\xa0USD', '9.3', '1.08')
    """
    if kind in ("share", "binary", "category"):
        return percent(amount)
    if kind == "money":
        return money(amount, currency)
    return number(amount) if kind in ("count", "days") else f"{amount:,.2f}"


def own_figure(row, currency=""):
    """A segment's figure in a row of the profile; of people whom few are like or unlike, a bound.

    Nothing where the bound doesn't tell it from that of all customers.
    """
    bound = veiled_share(row.centre, row.customers) if row.level or row.kind == "binary" else "0"
    if bound[:1].isdigit():
        return figure(row.centre, row.kind, currency)
    side, _, percentage = bound.removesuffix(" %").partition(" ")
    telling = bound and (float(percentage) - 100 * row.overall) * (1 if side == "over" else -1) >= 0
    return bound.replace(" ", "\xa0") if telling else ""


def money(amount, currency):
    """Money without coins, but for small sums."""
    text = f"{amount:,.0f}" if abs(amount) >= 20 else f"{amount:,.2f}"
    return f"{text}\xa0{currency}" if currency else text


def number(count):
    """A count, with one decimal where it has any and is small."""
    return f"{count:,.0f}" if abs(count) >= 20 or float(count).is_integer() else f"{count:,.1f}"


def percent(share):
    """A share in percent.

    Examples
    --------
    >>> percent(0.25), percent(0.004), percent(0.0)
    ('25\xa0%', '0.4\xa0%', '0\xa0%')
    """
    return f"{100 * share:.1f}\xa0%" if 0.0005 <= abs(share) < 0.0095 else f"{100 * share:.0f}\xa0%"


def known(figure):
    """Whether there is a figure at all."""
    return figure is not None and not math.isnan(figure)
