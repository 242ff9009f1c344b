"""Figures of months: who moved from which segment to which, how sizes went, what drifted."""

import numpy as np
import pandas as pd

from segkit.plots.style import (
    ACCENT,
    INK,
    PAPER,
    QUIET,
    UNSEGMENTED_COLOUR,
    WIDTH,
    axes_of,
    darker,
    percent_axis,
    segment_colours,
    spread_apart,
    wrapped,
)
from segkit.runtime.labels import label_of

JOINED, LEFT = "joined", "left"
FEWEST_DRAWN = 10  # customers of a band: fewer could be told
SMALLEST_BAND = 0.005  # of all customers
MOST_BANDS = 24  # between two months; more can't be followed
GAP, NODE = 0.03, 0.03  # between segments, of all customers; half the width of a column, of the months' distance


def plot_migrations(flows, names, ax=None):
    """Customers flowing between segments, month by month: an alluvial plot.

    Parameters
    ----------
    flows : DataFrame
        ``from_month, to_month, from_segment_id, to_segment_id, customers``, moves as `migrations` has
        them, in the order of the months. Bands of fewer than `FEWEST_DRAWN` customers, of less than `SMALLEST_BAND`
        of all, and beyond the `MOST_BANDS` widest are left out.
    names : dict
        segment_id -> name, written at the last month.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    months = list(dict.fromkeys([*flows["from_month"], *flows["to_month"]]))
    ax = axes_of(ax, 5.2, max(WIDTH, 2.2 + 1.1 * len(months)))
    columns = [_column(flows, month) for month in months]
    whole = max(sum(column.values()) for column in columns)
    order = _order(flows)
    colours = segment_colours([segment for segment in order if segment not in (JOINED, LEFT)])
    colours |= dict.fromkeys((JOINED, LEFT), UNSEGMENTED_COLOUR)
    tops = [_stack(column, order, GAP * whole) for column in columns]
    for place, month in enumerate(months[:-1]):
        own = flows[flows["from_month"] == month]
        _draw_bands(ax, own, place, tops[place], tops[place + 1], order, colours, SMALLEST_BAND * whole)
    for place, (column, top) in enumerate(zip(columns, tops, strict=True)):
        for segment, size in column.items():
            ax.add_patch(_box(place, top[segment], size, colours[segment]))
            if segment in (JOINED, LEFT) and size >= FEWEST_DRAWN and (segment == JOINED or place < len(months) - 1):
                told = f"{'will join' if segment == JOINED else 'left'}  {size:,}"
                ax.annotate(told, (place - NODE, top[segment] + size), (0, -2), textcoords="offset points", va="top",
                            color=QUIET, fontsize=9)  # fmt: skip
    last, ends = columns[-1], tops[-1]
    shown = [segment for segment in order if last.get(segment, 0) >= FEWEST_DRAWN]
    heights = spread_apart([ends[segment] + last[segment] / 2 for segment in shown], 0.065 * whole)
    for segment, height in zip(shown, heights, strict=True):
        text = f"{wrapped(names.get(segment, segment), 24)}  {last[segment]:,}"
        ax.annotate(text, (len(months) - 1 + NODE, height), (6, 0), textcoords="offset points", va="center",
                    color=darker(colours[segment]), fontsize=10)  # fmt: skip
    ax.set_xlim(-2 * NODE, (len(months) - 1) + max(0.75, 0.22 * len(months)))
    ax.set_ylim(
        1.02 * max(top[list(column)[-1]] + column[list(column)[-1]] for column, top in zip(columns, tops, strict=True)),
        -0.02 * whole,
    )
    ax.set_xticks(range(len(months)), months)
    ax.set_yticks([])
    ax.set_xlabel("customers by segment; pale bands stayed, strong ones moved; grey: joined, or left", loc="left")
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(length=0, labelcolor=INK)
    return ax


def _order(flows) -> list[str]:
    segments = {*flows["from_segment_id"], *flows["to_segment_id"]} - {JOINED, LEFT}
    return [*sorted(segments, key=lambda name: (name == "S0", len(name), name)), JOINED, LEFT]


def _column(flows, month) -> dict[str, int]:
    """Return the customers of each segment in a month; last those who left before it or will join after it."""
    came, go = flows[flows["to_month"] == month], flows[flows["from_month"] == month]
    sizes = came.groupby("to_segment_id")["customers"].sum()
    start = go.groupby("from_segment_id")["customers"].sum()
    sizes = start.combine(sizes, max, fill_value=0).astype(int).to_dict()
    order = [name for name in _order(flows) if sizes.get(name, 0) > 0]
    return {name: sizes[name] for name in order}


def _stack(column, order, gap) -> dict[str, float]:
    tops, height = {}, 0.0
    for segment in order:
        if segment in column:
            tops[segment] = height
            height += column[segment] + gap
    return tops


def _draw_bands(ax, moves, place, tops, next_tops, order, colours, least):
    rank = {segment: position for position, segment in enumerate(order)}
    moves = moves.assign(a=moves["from_segment_id"].map(rank), b=moves["to_segment_id"].map(rank))
    starts, ends = dict(tops), dict(next_tops)
    widest = moves["customers"].nlargest(MOST_BANDS).min()
    for row in moves.sort_values(["a", "b"]).itertuples():
        start, size = starts[row.from_segment_id], row.customers
        starts[row.from_segment_id] += size
        if size >= max(FEWEST_DRAWN, least, widest):
            end = _end(moves, row, ends)
            stays = row.from_segment_id == row.to_segment_id
            ax.add_patch(_band(place, start, end, size, colours[row.from_segment_id], 0.22 if stays else 0.6))


def _end(moves, row, ends) -> float:
    """Return where a band arrives: below those that come from segments above."""
    above = moves[(moves["to_segment_id"] == row.to_segment_id) & (moves["a"] < row.a)]
    return ends[row.to_segment_id] + above["customers"].sum()


def _box(place, top, size, colour):
    from matplotlib.patches import Rectangle

    return Rectangle((place - NODE, top), 2 * NODE, size, facecolor=colour, edgecolor=PAPER, linewidth=0.5, zorder=3)


def _band(place, start, end, size, colour, alpha):
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    left, right = place + NODE, place + 1 - NODE
    middle = (left + right) / 2
    corners = [
        (left, start), (middle, start), (middle, end), (right, end),
        (right, end + size), (middle, end + size), (middle, start + size), (left, start + size), (left, start),
    ]  # fmt: skip
    codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
    return PathPatch(Path(corners, codes), facecolor=colour, alpha=alpha, edgecolor="none")


def plot_series(series, figure, names, label="", ax=None):
    """One figure of each segment over the months, a line each, named at its end.

    Parameters
    ----------
    series : DataFrame
        ``month, segment_id`` and the column `figure`, shares of a whole.
    figure : str
        Such as ``customer_share``.
    names : dict
        segment_id -> name.
    label : str
        For the axis.
    """
    months = list(dict.fromkeys(series["month"]))
    ax = axes_of(ax, 4.2, max(WIDTH, 2.2 + 1.1 * len(months)))  # as wide as the flows, so that letters are as large
    colours = segment_colours(series["segment_id"])
    table = series.pivot_table(index="month", columns="segment_id", values=figure).reindex(months)
    for segment in table:
        ax.plot(range(len(months)), table[segment], "o-", color=colours[segment], markersize=4.5)
    span = float(np.nanmax(table.to_numpy())) or 1.0
    last = table.iloc[-1].dropna()
    for segment, height in zip(last.index, spread_apart(list(last), 0.06 * span), strict=True):
        ax.annotate(names.get(segment, segment), (len(months) - 1, height), (9, 0), textcoords="offset points",
                    va="center", color=darker(colours[segment]), fontsize=10, annotation_clip=False)  # fmt: skip
    for segment in table.columns.drop(last.index):  # those that ended before
        line = table[segment].dropna()
        text = f"{names.get(segment, segment)}, until {line.index[-1]}"
        ax.annotate(text, (months.index(line.index[-1]), line.iloc[-1]), (0, -9), textcoords="offset points",
                    va="top", ha="right", color=darker(colours[segment]), fontsize=10)  # fmt: skip
    every = max(1, -(-len(months) // 12))
    ax.set_xticks(range(0, len(months), every), months[::every])
    ax.set_xlim(-0.3, (len(months) - 1) + max(0.9, 0.3 * len(months)))
    ax.set_ylim(min(0, float(np.nanmin(table.to_numpy()))), 1.12 * span)
    percent_axis(ax.yaxis)
    ax.set_ylabel(label or figure.replace("_", " "))
    ax.grid(axis="y")
    ax.spines["left"].set_visible(False)
    ax.tick_params(length=0)
    return ax


def plot_drift(drift, most=12, ax=None):
    """The features that changed most: their population stability index with its interval, and the limit of an alarm.

    Parameters
    ----------
    drift : DataFrame
        ``feature, psi, low, high, alarm``.
    most : int
        Features shown, the farthest first.
    """
    shown = drift.sort_values("psi", ascending=False, kind="stable").head(most)
    ax = axes_of(ax, 0.8 + 0.3 * len(shown))
    rows = np.arange(len(shown))
    fills = np.where(shown["alarm"].astype(bool), ACCENT, "#BBBBBB")
    ax.hlines(rows, shown["low"], shown["high"], color=fills, linewidth=3)
    ax.scatter(shown["psi"], rows, color=fills, zorder=3, s=36)
    ax.axvline(0.1, color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
    ax.set_yticks(rows, [label_of(feature) for feature in shown["feature"]])
    ax.set_ylim(len(shown) - 0.4, -0.6)
    ax.set_xlim(0, max(0.15, 1.05 * pd.to_numeric(shown["high"]).max()))
    ax.set_xlabel("population stability index (dashed: below it nothing needs doing)", loc="left")
    ax.grid(axis="x")
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(length=0)
    return ax
