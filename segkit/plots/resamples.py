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
    ink_on,
    panels,
    percent,
    segment_colours,
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
    table = table.assign(size=_dot_size(share), whole=table["resamples"] >= table["resamples"].max())
    kinds = [kind for kind in KINDS if (table["kind"] == kind).any()]
    figure, axes = panels(len(kinds), columns, 2.7, sharey=True)
    for place, (ax, kind) in enumerate(zip(axes, kinds, strict=True)):
        own = table[table["kind"] == kind]
        title, unit = KINDS[kind]
        ids = list(dict.fromkeys(own["candidate_id"]))
        ax.axhspan(0, DISSOLVES, color=RULE, alpha=0.35, lw=0, zorder=0)
        ax.axhline(STABLE, color=RULE, lw=1, zorder=0)
        if place % columns == columns - 1 or place == len(kinds) - 1 < columns:  # else the columns would not line up
            for height, text, va in (
                (STABLE, "stable above", "bottom"),
                (DISSOLVES, "no segment\nin the shade", "top"),
            ):
                ax.annotate(text, (1.03, height), xycoords=("axes fraction", "data"), va=va, color=QUIET, fontsize=9)
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
    _explain_dots(figure, int(table["resamples"].max()), table["whole"].all())
    return figure


def _dot_size(share):
    return 12 + 260 * share


def _explain_dots(figure, resamples, all_whole):
    from matplotlib.lines import Line2D

    told = [(0.25, PALETTE[0], f"kept to the end: {resamples} resamples")]
    told += [] if all_whole else [(0.25, PAPER, "given up sooner: a segment surely dissolves")]
    told += [(share, PALETTE[0], f"{percent(share)} of customers") for share in (0.05, 0.5)]
    dots = [
        Line2D([], [], ls="", marker="o", ms=_dot_size(share) ** 0.5, mfc=fill, mec=PALETTE[0], mew=0.8, label=label)
        for share, fill, label in told
    ]
    figure.legend(handles=dots, loc="outside lower left", ncols=2, fontsize=10, labelcolor=QUIET)


def plot_flow(flow, segments=None, ax=None):
    """How the segments of each number of segments flow into those of the next.

    Columns are candidates, boxes their segments, as high as their share of customers; bands are customers who go from
    one to the other. The chosen segments have the colours that they have everywhere, and to both sides of them a
    segment has the colour of the one that it shares most with. Bands that fan out and mix say that the next solution is
    another cut; bands that stay together say that it splits what was there.

    Parameters
    ----------
    flow : DataFrame
        `study.named_flow`: ``candidate_id, label, segment, next_candidate_id, next_label, next_segment, customers`` (a
        label of -1 is left out).
    segments : DataFrame, optional
        ``segment_id, segment`` of the chosen ones, by whose names they are found; without, `flow` needs no names.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes_of(ax, 4.6 if segments is None else 4.9 + 0.12 * len(segments))
    names = list(dict.fromkeys([*flow["candidate_id"], *flow["next_candidate_id"]]))
    total = flow.loc[flow["candidate_id"] == names[0], "customers"].sum() if names else 1
    own_colours = {} if segments is None else segment_colours(segments["segment_id"])
    called = {} if segments is None else {row.segment: own_colours[row.segment_id] for row in segments.itertuples()}
    chosen, colours = _colours(flow, names, called)
    spans, width = {}, 0.4
    for place, name in enumerate(names):
        beside = _beside(flow, name, names[place - 1] if place else names[1])
        sizes = beside.groupby("own")["customers"].sum() / total
        middle = {label: _middle(rows, spans, names[place - 1]) for label, rows in beside.groupby("own") if place}
        order = sorted(sizes.index, key=lambda label: (middle.get(label, 0), label))
        bottom, gap = 0.0, 0.012
        for label in order:
            spans[name, label] = (bottom, bottom + sizes[label])
            colour = colours[name, label]
            ax.add_patch(_box(place - width / 2, bottom, width, sizes[label], colour))
            if sizes[label] >= 0.035:
                share = percent(sizes[label]).replace("\xa0", "")  # every point of width counts in a box
                ax.annotate(share, (place, bottom + sizes[label] / 2), ha="center", va="center",
                            color=ink_on(colour), fontsize=8 if len(names) < 9 else 7)  # fmt: skip
            bottom += sizes[label] + gap
    _bands(ax, flow, spans, colours, total, width)
    ticks = [name.rsplit("-", 1)[1] + ("\nchosen" if name == chosen else "") for name in names]
    ax.set_xticks(range(len(names)), ticks)
    kind = names[0].rsplit("-", 1)[0] if names else ""
    title, unit = KINDS.get(kind, (kind, "segments"))
    ax.set_xlabel(f"{unit} ({title}); boxes are segments with their share of customers", loc="left")
    ax.set_xlim(-0.25, max(len(names) - 0.75, 0.25))
    ax.set_ylim(1.01 + 0.012 * max(flow["next_label"].max() + 2, 1), -0.01)
    ax.set_yticks([])
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(length=0, labelcolor=INK)
    if chosen:
        _name_colours(ax, called)
    return ax


def _name_colours(ax, called):
    from matplotlib.patches import Patch

    boxes = [Patch(color=colour, label=name) for name, colour in called.items()]
    ax.legend(handles=boxes, loc="upper left", bbox_to_anchor=(0, -0.18), borderaxespad=0, ncols=2, fontsize=10,
              handlelength=1.0)  # fmt: skip


def _beside(flow, name, neighbour):
    """The customers of a candidate's segments (`own`) in those of the next or the one before (`other`)."""
    back = (flow["candidate_id"] == neighbour) & (flow["next_candidate_id"] == name)
    if back.any():
        return flow[back].rename(columns={"next_label": "own", "label": "other"})
    on = (flow["candidate_id"] == name) & (flow["next_candidate_id"] == neighbour)
    return flow[on].rename(columns={"label": "own", "next_label": "other"})


def _middle(before, spans, previous):
    """Where a segment's customers come from, on average: boxes in that order cross least."""
    centres = [sum(spans[previous, label]) / 2 for label in before["other"]]
    return float(np.average(centres, weights=before["customers"]))


def _colours(flow, names, called):
    """The candidate whose segments are called so, if it is there, and the colour of every label of every candidate.

    From there on, or from the first, a segment has the colour of the one that it shares most with, the largest first.
    """
    colours = {}
    for side in ("", "next_") if called else ():
        boxes = flow[[f"{side}candidate_id", f"{side}label", f"{side}segment"]].drop_duplicates()
        boxes = boxes[boxes[f"{side}segment"].isin(list(called)) & (boxes[f"{side}label"] >= 0)]
        colours |= {(name, label): called[segment] for name, label, segment in boxes.to_numpy()}
    chosen = next(iter(colours))[0] if colours else ""
    if not colours:
        labels = sorted(_beside(flow, *names[:2])["own"].unique()) if names else []
        colours = {(names[0], label): PALETTE[label % len(PALETTE)] for label in labels}
    start = names.index(chosen) if chosen else 0
    colours |= {(name, -1): UNSEGMENTED_COLOUR for name in names}
    steps = [(place, place - 1) for place in range(start + 1, len(names))]
    for place, nearer in [*steps, *((place, place + 1) for place in reversed(range(start)))]:
        beside = _beside(flow, names[place], names[nearer])
        taken = {UNSEGMENTED_COLOUR}
        for row in beside.sort_values("customers", ascending=False, kind="stable").itertuples():
            parent = colours[names[nearer], row.other]
            if (names[place], row.own) not in colours and parent not in taken:
                colours[names[place], row.own] = parent
                taken.add(parent)
        free = [colour for colour in PALETTE if colour not in taken and colour not in called.values()] or [QUIET]
        new = [label for label in sorted(beside["own"].unique()) if (names[place], label) not in colours]
        colours |= {(names[place], label): free[number % len(free)] for number, label in enumerate(new)}
    return chosen, colours


def _box(left, bottom, width, height, colour):
    from matplotlib.patches import Rectangle

    return Rectangle((left, bottom), width, height, facecolor=colour, edgecolor="none", zorder=3)


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
