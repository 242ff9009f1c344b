"""Figures of customers who flow from one column of segments to the next: over months, or as segments grow in number."""

import numpy as np
import pandas as pd

from segkit.plots.style import (
    INK,
    PALETTE,
    QUIET,
    UNSEGMENTED_COLOUR,
    WIDTH,
    axes_of,
    bare,
    darker,
    ink_on,
    nothing,
    percent,
    plain,
    segment_colours,
    spread_apart,
    styled,
    wrapped,
)
from segkit.runtime.privacy import FEWEST_SHOWN

JOINED, LEFT = "joined", "left"
SMALLEST_BAND = 0.005  # of all customers
MOST_BANDS = 24  # between two months; more can't be followed
GAP = 0.03  # between the segments of a month, of all customers


def draw_columns(ax, columns, bands, half, gap):
    """Draw columns of boxes from the top down, and bands between neighbouring ones.

    Parameters
    ----------
    ax : Axes
    columns : list of dict
        Key of a box to (size, colour), in order.
    bands : list of list of (from key, to key, size, colour, alpha)
        Between each column and the next. A band of alpha 0 takes its room and is not drawn.
    half : float
        Half the width of a box; columns are 1 apart.
    gap : float
        Between boxes, in units of size.

    Returns
    -------
    list of dict
        Key to the top of its box, for each column.
    """
    from matplotlib.patches import Rectangle

    tops = []
    for place, column in enumerate(columns):
        sizes = [size for size, _ in column.values()]
        tops.append(dict(zip(column, np.cumsum([0.0, *sizes[:-1]]) + gap * np.arange(len(sizes)), strict=True)))
        for key, (size, colour) in column.items():
            ax.add_patch(Rectangle((place - half, tops[-1][key]), 2 * half, size, facecolor=colour, zorder=3))
    turn = np.linspace(0, 1, 24)
    bend = turn * turn * (3 - 2 * turn)
    for place, own in enumerate(bands):
        starts, ends = dict(tops[place]), dict(tops[place + 1])
        rank = {key: order for order, key in enumerate([*starts, *(key for key in ends if key not in starts)])}
        arrives = {key: order for order, key in enumerate(ends)}
        for source, target, size, colour, alpha in sorted(own, key=lambda band: (rank[band[0]], arrives[band[1]])):
            top = starts[source] + (ends[target] - starts[source]) * bend
            if alpha:
                across = place + half + (1 - 2 * half) * turn
                ax.fill_between(across, top, top + size, color=colour, alpha=alpha, linewidth=0)
            starts[source] += size
            ends[target] += size
    lowest = max(
        max(top.values()) + column[max(top, key=top.get)][0] for top, column in zip(tops, columns, strict=True)
    )
    ax.set(ylim=(1.02 * lowest, -0.01 * lowest), yticks=[])
    bare(ax, "left", "bottom", labelcolor=INK)
    return tops


@styled
def plot_migrations(flows, names, ax=None):
    """Customers flowing between segments, month by month: an alluvial plot.

    Parameters
    ----------
    flows : DataFrame
        ``from_month, to_month, from_segment_id, to_segment_id, customers``, moves as `migrations` has
        them, in the order of the months. Bands of fewer than `FEWEST_SHOWN` customers, of less than `SMALLEST_BAND`
        of all, and beyond the `MOST_BANDS` widest are left out.
    names : dict
        segment_id -> name, written at the last month.
    ax : Axes, optional
    """
    if flows is None or not len(flows) or not flows["customers"].sum():
        return nothing("No moves between months.", ax)
    months = list(dict.fromkeys([*flows["from_month"], *flows["to_month"]]))
    ax = axes_of(ax, 5.2, max(WIDTH, 2.2 + 1.1 * len(months)))
    segments = {*flows["from_segment_id"], *flows["to_segment_id"]} - {JOINED, LEFT}
    colours = segment_colours(segments) | dict.fromkeys((JOINED, LEFT), UNSEGMENTED_COLOUR)
    order = [*sorted(segments, key=lambda name: (name == "S0", len(name), name)), JOINED, LEFT]
    columns = [_sizes(flows, month, order, colours) for month in months]
    whole = max(sum(size for size, _ in column.values()) for column in columns)
    bands = [_moves(flows[flows["from_month"] == month], colours, whole) for month in months[:-1]]
    half = 0.03
    tops = draw_columns(ax, columns, bands, half, GAP * whole)
    for place, (column, top) in enumerate(zip(columns, tops, strict=True)):
        for key, told in ((JOINED, "will join"), (LEFT, "left")):
            size = column.get(key, (0,))[0]
            if size >= FEWEST_SHOWN and (key == JOINED or place < len(months) - 1):
                ax.annotate(f"{told}  {size:,}", (place - half, top[key] + size), (0, -2), va="top",
                            textcoords="offset points", color=QUIET, fontsize=9)  # fmt: skip
    ax.set_ylim(bottom=ax.get_ylim()[0] + 0.04 * whole)  # for what is told below the last box
    last = {key: size for key, (size, _) in columns[-1].items() if size >= FEWEST_SHOWN}
    heights = spread_apart([tops[-1][key] + size / 2 for key, size in last.items()], 0.065 * whole)
    for (key, size), height in zip(last.items(), heights, strict=True):
        told = f"{wrapped(names.get(key, key), 24)}  {size:,}"
        ax.annotate(told, (len(months) - 1 + half, height), (6, 0), textcoords="offset points", va="center",
                    color=darker(colours[key]), fontsize=10)  # fmt: skip
    ax.set_xlim(-2 * half, (len(months) - 1) + max(0.75, 0.22 * len(months)))
    ax.set_xticks(range(len(months)), months)
    ax.set_xlabel("customers by segment; pale bands stayed, strong ones moved; grey: joined, or left", loc="left")
    return ax


def _sizes(flows, month, order, colours):
    """The customers of each segment in a month; last those who will join after it or left before it."""
    came = flows[flows["to_month"] == month].groupby("to_segment_id")["customers"].sum()
    go = flows[flows["from_month"] == month].groupby("from_segment_id")["customers"].sum()
    sizes = go.combine(came, max, fill_value=0).astype(int)
    return {key: (sizes[key], colours[key]) for key in order if sizes.get(key, 0) > 0}


def _moves(moves, colours, whole):
    """The bands between two months; those that are too small to be followed, or told, are left white."""
    moves = moves[moves["customers"] > 0]
    least = max(FEWEST_SHOWN, SMALLEST_BAND * whole, moves["customers"].nlargest(MOST_BANDS).min())
    return [
        (start, end, size, colours[start], (0.22 if start == end else 0.6) if size >= least else 0)
        for start, end, size in moves[["from_segment_id", "to_segment_id", "customers"]].itertuples(index=False)
    ]


@styled
def plot_flow(flow, segments=None, ax=None):
    """How the segments of each number of segments flow into those of the next.

    Columns are candidates, boxes their segments, as high as their share of customers; bands are customers who go from
    one to the other. The chosen segments have the colours that they have everywhere, and to both sides of them a
    segment has the colour of the one that it shares most with. Bands that fan out and mix say that the next solution is
    another cut; bands that stay together say that it splits what was there.

    Parameters
    ----------
    flow : DataFrame
        ``candidate_id, label, segment, next_candidate_id, next_label, next_segment, customers`` (a label of -1 is left
        out).
    segments : DataFrame, optional
        ``segment_id, segment`` of the chosen ones, by whose names they are found; without, `flow` needs no names.
    ax : Axes, optional
    """
    if flow.empty:
        return nothing("No other number of segments to compare with.", ax)
    ax = axes_of(ax, 4.6 if segments is None else 4.9 + 0.12 * len(segments))
    names = list(dict.fromkeys([*flow["candidate_id"], *flow["next_candidate_id"]]))
    total = flow.loc[flow["candidate_id"] == names[0], "customers"].sum()
    colour_of = {} if segments is None else segment_colours(segments["segment_id"])
    called = {} if segments is None else {row.segment: colour_of[row.segment_id] for row in segments.itertuples()}
    chosen, colours = _colours(flow, names, called)
    columns, gap, half = [], 0.012, 0.2
    for place, name in enumerate(names):
        beside = _beside(flow, name, names[place - 1] if place else names[1])
        sizes = beside.groupby("own")["customers"].sum() / total
        if columns:  # a box stands where its customers come from, on average: then bands cross least
            heights = np.cumsum([size for size, _ in columns[-1].values()])
            centre = dict(zip(columns[-1], heights, strict=True))
            weighted = beside["other"].map(lambda key, of=centre: of[key] - 0.5 * columns[-1][key][0])
            pulled = (weighted * beside["customers"]).groupby(beside["own"]).sum() / (sizes * total)
            sizes = sizes.loc[sorted(sizes.index, key=lambda label, at=pulled: (at[label], label))]
        columns.append({label: (size, colours[name, label]) for label, size in sizes.items()})
    bands = [
        [
            (row.label, row.next_label, row.customers / total, colours[name, row.label], 0.4)
            for row in flow[flow["candidate_id"] == name].itertuples()
        ]
        for name in names[:-1]
    ]
    tops = draw_columns(ax, columns, bands, half, gap)
    for place, (column, top) in enumerate(zip(columns, tops, strict=True)):
        for label, (size, colour) in column.items():
            if size >= 0.035:
                share = percent(size).replace("\xa0", "")  # every point of width counts in a box
                ax.annotate(share, (place, top[label] + size / 2), ha="center", va="center", color=ink_on(colour),
                            fontsize=8 if len(names) < 9 else 7)  # fmt: skip
    ticks = [name.rsplit("-", 1)[-1] + ("\nchosen" if name == chosen else "") for name in names]
    ax.set_xticks(range(len(names)), ticks)
    ax.set_xlim(-0.25, max(len(names) - 0.75, 0.25))
    kind = names[0].rsplit("-", 1)[0]
    ax.set_xlabel(plain(f"segments of {kind}; boxes are segments with their share of customers"), loc="left")
    if chosen:
        _name_colours(ax, called)
    return ax


def _name_colours(ax, called):
    from matplotlib.patches import Patch

    boxes = [Patch(color=colour) for colour in called.values()]
    ax.legend(boxes, [plain(name) for name in called], loc="upper left", bbox_to_anchor=(0, -0.18), borderaxespad=0,
              ncols=2, fontsize=10, handlelength=1.0)  # fmt: skip


def _beside(flow, name, neighbour):
    """The customers of a candidate's segments (`own`) in those of the next or the one before (`other`)."""
    back = (flow["candidate_id"] == neighbour) & (flow["next_candidate_id"] == name)
    if back.any():
        return flow[back].rename(columns={"next_label": "own", "label": "other"})
    on = (flow["candidate_id"] == name) & (flow["next_candidate_id"] == neighbour)
    return flow[on].rename(columns={"label": "own", "next_label": "other"})


def _colours(flow, names, called):
    """The candidate whose segments are called so, if it is there, and the colour of every label of every candidate.

    From there on, or from the first, a segment has the colour of the one that it shares most with, the largest first.
    """
    colours = {}
    if called:
        sides = [flow[[f"{side}candidate_id", f"{side}label", f"{side}segment"]] for side in ("", "next_")]
        boxes = pd.concat([side.set_axis(["name", "label", "segment"], axis=1) for side in sides])
        boxes = boxes[boxes["segment"].isin(list(called)) & (boxes["label"] >= 0)]
        colours = {(row.name, row.label): called[row.segment] for row in boxes.itertuples(index=False)}
    chosen = next(iter(colours))[0] if colours else ""
    start = names.index(chosen) if chosen else 0
    if not colours:
        labels = sorted(_beside(flow, *names[:2])["own"].unique())
        colours = {(names[0], label): PALETTE[label % len(PALETTE)] for label in labels}
    colours |= {(name, -1): UNSEGMENTED_COLOUR for name in names}
    steps = [(place, place - 1) for place in range(start + 1, len(names))]
    for place, nearer in [*steps, *((place, place + 1) for place in reversed(range(start)))]:
        name, beside = names[place], _beside(flow, names[place], names[nearer])
        taken = {UNSEGMENTED_COLOUR}
        for row in beside.sort_values("customers", ascending=False, kind="stable").itertuples():
            parent = colours[names[nearer], row.other]
            if (name, row.own) not in colours and parent not in taken:
                colours[name, row.own] = parent
                taken.add(parent)
        free = [colour for colour in PALETTE if colour not in taken and colour not in called.values()] or [QUIET]
        new = [label for label in sorted(beside["own"].unique()) if (name, label) not in colours]
        colours |= {(name, label): free[number % len(free)] for number, label in enumerate(new)}
    return chosen, colours
