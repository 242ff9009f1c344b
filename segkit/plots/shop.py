"""Figures of the shop: sales, concentration, categories, and how features are distributed."""

import numpy as np
import pandas as pd

from segkit.plots.style import (
    ACCENT,
    INK,
    MUTED,
    PAPER,
    QUIET,
    axes_of,
    bare,
    nothing,
    panels,
    percent,
    percent_axis,
    plain,
    row_axis,
    short_number,
    styled,
    wrapped,
)
from segkit.runtime.labels import label_of


@styled
def plot_sales(sales, currency="", ax=None):
    """Sales month by month; months that the data does not cover to their end are only outlined.

    Parameters
    ----------
    sales : DataFrame
        ``month`` (anything that reads as a date), ``revenue`` and, optionally, ``complete`` (bool).
    currency : str
    ax : Axes, optional
    """
    if sales.empty:
        return nothing("No sales in any month.", ax)
    ax = axes_of(ax, 3.2)
    months = pd.PeriodIndex(sales["month"].astype(str), freq="M")
    complete = sales["complete"].to_numpy(bool) if "complete" in sales else np.ones(len(sales), bool)
    places = np.arange(len(sales))
    ax.bar(places, sales["revenue"], 0.72, color=np.where(complete, ACCENT, PAPER), edgecolor=ACCENT, linewidth=1.2)
    every = -(-len(sales) // 14)
    names = [
        f"{month:%b}" + (f"\n{month.year}" if place == 0 or month.month == 1 else "")
        for place, month in enumerate(months)
    ]
    ax.set_xticks(places[::every], names[::every])
    for place in places[~complete]:
        ax.annotate("incomplete", (place, sales["revenue"].iloc[place]), (0, 5), textcoords="offset points",
                    ha="center", va="bottom", rotation=90, color=QUIET, fontsize=10)  # fmt: skip
    ax.yaxis.set_major_formatter(short_number)
    ax.set_ylabel(plain(f"revenue per month ({currency})" if currency else "revenue per month"))
    ax.grid(axis="y")
    bare(ax, "left")
    return ax


@styled
def plot_concentration(concentration, ax=None, marks=(0.01, 0.05, 0.2, 0.5)):
    """How much of the revenue the best customers bring.

    Parameters
    ----------
    concentration : DataFrame
        ``customer_share`` (best first, ascending) and ``revenue_share``, both cumulative.
    ax : Axes, optional
    marks : tuple of float
        Shares of customers at which the revenue share is written.
    """
    import seaborn as sns
    from matplotlib.patheffects import withStroke

    share, revenue = concentration["customer_share"].to_numpy(), concentration["revenue_share"].to_numpy()
    if len(share) < 2:
        return nothing("Too few customers for a curve.", ax)
    ax = axes_of(ax, 4.4)
    ax.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
    ax.annotate("if all spent alike", (0.72, 0.70), color=QUIET, va="top", ha="left", fontsize=10)
    ax.fill_between(share, share, revenue, color=ACCENT, alpha=0.10, linewidth=0)
    sns.lineplot(x=share, y=revenue, color=ACCENT, estimator=None, sort=False, ax=ax)
    for mark in [mark for mark in marks if mark >= share[1]]:  # between fewer customers nothing is known
        held = float(np.interp(mark, share, revenue))
        ax.plot(mark, held, "o", color=ACCENT, markersize=7)
        ax.annotate(f"top {percent(mark)}: {percent(held)}", (mark, held), (9, -4), textcoords="offset points",
                    va="top", weight="bold" if mark == 0.2 else "normal",
                    path_effects=[withStroke(linewidth=3, foreground=PAPER)])  # fmt: skip
    for axis in (ax.xaxis, ax.yaxis):
        percent_axis(axis)
    ax.set(xlim=(0, 1), ylim=(0, max(1.0, revenue.max()) * 1.01), yticks=[0.2, 0.4, 0.6, 0.8, 1.0])
    ax.set(xlabel="share of customers, biggest spenders first", ylabel="share of revenue")
    ax.grid()
    bare(ax, labelcolor=QUIET, labelsize=10)
    return ax


@styled
def plot_categories(categories, most=12, ax=None):
    """The categories that bring most revenue.

    Parameters
    ----------
    categories : DataFrame
        ``category, revenue_share``, and optionally ``customer_share`` (customers who bought it).
    most : int
        Bars; what remains is the last bar.
    ax : Axes, optional
    """
    if categories.empty:
        return nothing("No categories.", ax)
    ranked = categories.sort_values("revenue_share", ascending=False, kind="stable")
    shown, rest = ranked.head(most), ranked.iloc[most:]
    names = [wrapped(str(name).capitalize(), 24) for name in shown["category"]]
    shares = shown["revenue_share"].tolist()
    if len(rest):
        names.append(f"{len(rest)} others")
        shares.append(rest["revenue_share"].sum())
    ax = axes_of(ax, 0.6 + 0.34 * len(names))
    rows = row_axis(ax, names)
    ax.barh(rows, shares, 0.66, color=[ACCENT] * len(shown) + [MUTED] * bool(len(rest)))
    for row, share in enumerate(shares):
        ax.annotate(percent(share), (max(share, 0), row), (5, 0), textcoords="offset points", va="center")
    ax.set(xlim=(min(0, *shares), 1.12 * max(*shares, 0.01)), xticks=[])
    ax.set_xlabel("share of revenue", loc="left")
    bare(ax, "bottom")
    return ax


@styled
def plot_distributions(distributions, columns=3):
    """How each feature is distributed over customers: a small panel each, families one after the other.

    Parameters
    ----------
    distributions : DataFrame
        ``feature, family, unit, left, right, customer_share``: one row per bin; ``log`` (bool) where the
        bins of the feature grow geometrically.
    columns : int
    """
    import seaborn as sns
    from matplotlib.ticker import MaxNLocator, NullLocator

    if distributions.empty:
        return nothing("No feature of these families.").figure
    figure, axes = panels(distributions["feature"].nunique(), columns, 1.55)
    for ax, (feature, own) in zip(axes, distributions.groupby("feature", sort=False), strict=True):
        unit, log = own["unit"].iloc[0], bool(own["log"].iloc[0])
        edges = np.append(own["left"].to_numpy(float), own["right"].iloc[-1])
        sns.histplot(own, x="left", weights="customer_share", bins=edges.tolist(), element="step", color=ACCENT,
                     alpha=1, linewidth=0, ax=ax)  # fmt: skip
        if log:
            ax.set_xscale("symlog", linthresh=1)
            ax.xaxis.set_minor_locator(NullLocator())
            ax.set_xticks(_decades(edges[-1]), [short_number(tick) for tick in _decades(edges[-1])])
        else:
            ax.xaxis.set_major_locator(MaxNLocator(3))
        if unit.startswith("share") and not log:
            percent_axis(ax.xaxis)
        ax.set_title(wrapped(label_of(feature), 24), fontsize=10, weight="normal", color=INK, pad=4)
        ax.set(xlim=(edges[0], edges[-1]), yticks=[], ylabel="")
        ax.set_xlabel(plain(unit), fontsize=9)
        ax.spines["left"].set_visible(False)
        ax.tick_params(length=2, labelsize=9)
    return figure


def _decades(largest):
    top = int(np.floor(np.log10(max(largest, 1))))
    return [0] + [10**power for power in range(0, top + 1, 1 if top < 4 else 2)]
