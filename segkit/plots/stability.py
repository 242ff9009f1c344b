"""Figures of what comes back: each segment of every candidate, and how segments flow from one k to the next."""

import numpy as np

from segkit.plots.style import (
    INK,
    PALETTE,
    PAPER,
    QUIET,
    RULE,
    UNSEGMENTED_COLOUR,
    axes_of,
    darker,
    panels,
    percent,
)

KINDS = {
    "kmeans": ("k-means", "segments"),
    "ward": ("hierarchical", "segments"),
    "gmm-full": ("mixture, full", "segments"),
    "gmm-tied": ("mixture, tied", "segments"),
    "gmm-diag": ("mixture, diagonal", "segments"),
    "gmm-spherical": ("mixture, spherical", "segments"),
    "predictive": ("predictive", "segments"),
    "layers": ("predictive, in layers", "segments"),
    "hdbscan": ("HDBSCAN", "least customers in a cluster"),
    "dbscan": ("DBSCAN", "radius"),
}
STABLE, DISSOLVES = 0.75, 0.6


def plot_stabilities(stability, chosen="", columns=3):
    """How far each segment of every candidate comes back: a panel per kind of method, a dot per segment.

    The lowest dot decides: below 0.6 the candidate is not feasible. A dot is as large as its segment's share of
    customers; candidates that were given up before all resamples are hollow.

    Parameters
    ----------
    stability : DataFrame
        `study.stability`: ``candidate_id, customers, jaccard, resamples``, a row per segment.
    chosen : str
        The candidate_id to mark.
    columns : int
        Panels side by side.

    Returns
    -------
    Figure
    """
    table = stability.assign(kind=stability["candidate_id"].str.rsplit("-", n=1).str[0])
    share = table["customers"] / table.groupby("candidate_id")["customers"].transform("sum")
    table = table.assign(size=12 + 260 * share, whole=table["resamples"] >= table["resamples"].max())
    kinds = [kind for kind in KINDS if (table["kind"] == kind).any()]
    figure, axes = panels(len(kinds), columns, 2.5, sharey=True)
    for place, (ax, kind) in enumerate(zip(axes, kinds, strict=True)):
        own = table[table["kind"] == kind]
        title, unit = KINDS[kind]
        ids = list(dict.fromkeys(own["candidate_id"]))
        ax.axhspan(0, DISSOLVES, color=RULE, alpha=0.35, lw=0, zorder=0)
        ax.axhline(STABLE, color=RULE, lw=1, zorder=0)
        if place % columns == columns - 1 or place == len(kinds) - 1 < columns:  # else the columns would not line up
            for height, text in ((STABLE, "stable above"), (DISSOLVES, "no segment\nin the shade")):
                ax.annotate(text, (1.03, height), xycoords=("axes fraction", "data"), va="center", color=QUIET,
                            fontsize=9)  # fmt: skip
        for x, name in enumerate(ids):
            dots = own[own["candidate_id"] == name]
            colour = INK if name == chosen else PALETTE[0]
            ax.vlines(x, dots["jaccard"].min(), dots["jaccard"].max(), color=colour, lw=0.8, alpha=0.5)
            fill = colour if dots["whole"].all() else PAPER
            ax.scatter(np.full(len(dots), x), dots["jaccard"], s=dots["size"], c=fill, edgecolors=colour, lw=0.8,
                       alpha=0.85, zorder=3, clip_on=False)  # fmt: skip
            if name == chosen:
                ax.annotate("chosen", (x, 0), (0, 4), textcoords="offset points", ha="center", color=INK, fontsize=9)
        ax.set_title(title)
        every = 1 if len(ids) < 9 else 2
        ax.set_xticks(range(0, len(ids), every), [name.rsplit("-", 1)[1] for name in ids[::every]])
        ax.set_xlabel(unit, loc="left")
        ax.set_xlim(-0.6, max(len(ids) - 0.4, 2.6))
        ax.set_ylim(0, 1.04)
        ax.tick_params(length=0, labelcolor=QUIET, labelsize=10)
        if place % columns == 0:
            ax.set_ylabel("Jaccard index")
    return figure


def plot_flow(flow, ax=None):
    """How the segments of each number of segments flow into those of the next.

    Columns are candidates, boxes their segments, as high as their share of customers; bands are customers who go from
    one to the other. A segment keeps its colour where most of it goes on as one. Bands that fan out and mix say that
    the next solution is another cut; bands that stay together say that it splits what was there.

    Parameters
    ----------
    flow : DataFrame
        `study.flow`: ``candidate_id, label, next_candidate_id, next_label, customers`` (a label of -1 is left out).
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes_of(ax, 4.6)
    names = list(dict.fromkeys([*flow["candidate_id"], *flow["next_candidate_id"]]))
    total = flow.loc[flow["candidate_id"] == names[0], "customers"].sum() if names else 1
    spans, colours, width = {}, {}, 0.4
    for place, name in enumerate(names):
        before = flow[flow["next_candidate_id"] == name].rename(columns={"next_label": "own", "label": "other"})
        own = before if place else flow[flow["candidate_id"] == name].rename(columns={"label": "own"})
        sizes = own.groupby("own")["customers"].sum() / total
        middle = {label: _middle(before[before["own"] == label], spans, names[place - 1]) for label in sizes.index}
        order = sorted(sizes.index, key=lambda label: (middle[label], label)) if place else list(sizes.index)
        colours |= _follow(name, order, before, names[place - 1] if place else "", colours)
        bottom, gap = 0.0, 0.012
        for label in order:
            spans[name, label] = (bottom, bottom + sizes[label])
            ax.add_patch(_box(place - width / 2, bottom, width, sizes[label], colours[name, label]))
            if sizes[label] >= 0.035:
                share = percent(sizes[label]).replace("\xa0", "")  # every point of width counts in a box
                ax.annotate(share, (place, bottom + sizes[label] / 2), ha="center", va="center", color=PAPER,
                            fontsize=8 if len(names) < 9 else 7)  # fmt: skip
            bottom += sizes[label] + gap
    _bands(ax, flow, spans, colours, total, width)
    ax.set_xticks(range(len(names)), [name.rsplit("-", 1)[1] for name in names])
    kind = names[0].rsplit("-", 1)[0] if names else ""
    title, unit = KINDS.get(kind, (kind, "segments"))
    ax.set_xlabel(f"{unit} ({title}); boxes are segments with their share of customers", loc="left")
    ax.set_xlim(-0.25, max(len(names) - 0.75, 0.25))
    ax.set_ylim(1.01 + 0.012 * max(flow["next_label"].max() + 2, 1), -0.01)
    ax.set_yticks([])
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(length=0, labelcolor=INK)
    return ax


def _middle(before, spans, previous):
    """Where a segment's customers come from, on average: boxes in that order cross least."""
    centres = [sum(spans[previous, label]) / 2 for label in before["other"]] if len(before) else [0.0]
    return float(np.average(centres, weights=before["customers"] if len(before) else None))


def _follow(name, order, before, previous, colours):
    """A segment has the colour of the one that most of its customers come from, the largest heir first."""
    found = {(name, -1): UNSEGMENTED_COLOUR}
    taken = set()
    for row in before.sort_values("customers", ascending=False, kind="stable").itertuples():
        parent = colours.get((previous, row.other))
        if (name, row.own) not in found and row.other >= 0 and parent not in taken:
            found[name, row.own] = parent
            taken.add(parent)
    free = [colour for colour in PALETTE if colour not in taken]
    for place, label in enumerate(label for label in order if (name, label) not in found):
        found[name, label] = free[place % len(free)] if free else PALETTE[place % len(PALETTE)]
    return found


def _box(left, bottom, width, height, colour):
    from matplotlib.patches import Rectangle

    return Rectangle((left, bottom), width, height, facecolor=darker(colour), edgecolor="none", zorder=3)


def _bands(ax, flow, spans, colours, total, width):
    names = list(dict.fromkeys([*flow["candidate_id"], *flow["next_candidate_id"]]))
    turn = np.linspace(0, 1, 24)
    bend = turn * turn * (3 - 2 * turn)
    for place, name in enumerate(names[:-1]):
        own = flow[flow["candidate_id"] == name]
        start = {label: spans[name, label][0] for label in own["label"].unique()}
        end = {label: spans[names[place + 1], label][0] for label in own["next_label"].unique()}
        by_place = own.assign(
            from_=own["label"].map(start), to=own["next_label"].map(end)
        ).sort_values(["from_", "to"])  # fmt: skip
        for row in by_place.itertuples():
            height = row.customers / total
            low = start[row.label] + (end[row.next_label] - start[row.label]) * bend
            x = place + width / 2 + (1 - width) * turn
            ax.fill_between(x, low, low + height, color=colours[name, row.label], alpha=0.4, lw=0)
            start[row.label] += height
            end[row.next_label] += height
