"""Figures of the chosen segments: how large, how different, where, how firm."""

import numpy as np
import pandas as pd

from segkit.plots.style import (
    INK,
    PAPER,
    QUIET,
    RULE,
    UNSEGMENTED,
    UNSEGMENTED_COLOUR,
    WIDTH,
    axes_of,
    darker,
    panels,
    percent,
    segment_colours,
    spread_apart,
    wrapped,
)
from segkit.runtime.labels import label_of

LONGEST_BAR = 2.5  # standard deviations; longer bars are cut and carry their figure
MOST_OF_A_FAMILY = 2  # bars in a profile: a third reading of the same thing crowds out another
KNOWN_SHARE = 0.5  # of a segment, whose feature must be known for a bar
MOST_POINTS = 5000  # on a map; more only make the page heavy


def plot_sizes(segments, ax=None):
    """Share of customers and share of revenue of each segment, in the order of the table.

    Parameters
    ----------
    segments : DataFrame
        ``segment_id, segment, customer_share, revenue_share``; without revenue only customers are drawn.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    has_revenue = segments["revenue_share"].notna().all()
    revenue_shares = segments["revenue_share"] if has_revenue else 0 * segments["customer_share"]
    ax = axes_of(ax, 0.9 + 0.62 * len(segments))
    colours = segment_colours(segments["segment_id"])
    rows = np.arange(len(segments))
    fills = [colours[name] for name in segments["segment_id"].astype(str)]
    ax.barh(rows - 0.18, revenue_shares, 0.34, color=fills)
    ax.barh(rows + 0.18, segments["customer_share"], 0.26, color=PAPER, edgecolor=fills, linewidth=1.4)
    widest = max(revenue_shares.max(), segments["customer_share"].max(), 0.01)
    for row, (revenue, customers) in enumerate(zip(revenue_shares, segments["customer_share"], strict=True)):
        first = row == 0
        ax.annotate(
            percent(revenue) + (" of revenue" if first else "") if has_revenue else "",
            (max(revenue, 0), row - 0.18),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            weight="bold",
        )
        ax.annotate(
            percent(customers) + (" of customers" if first else ""),
            (customers, row + 0.18),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=QUIET,
            fontsize=10,
        )
    ax.set_yticks(rows, [wrapped(name, 22) for name in segments["segment"]])
    ax.set_ylim(len(segments) - 0.5, -0.5)
    ax.set_xlim(min(0, revenue_shares.min()), widest * 1.3)
    ax.set_xticks([])
    filled = "share of all revenue (filled) and of all customers (outlined)"
    ax.set_xlabel(filled if has_revenue else "share of all customers", loc="left")
    ax.spines["bottom"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return ax


def plot_profile(profile, segments, most=12, always=("spend", "order_count", "days_since_last_order")):
    """What sets each segment apart: one panel per segment, a bar per feature, filled only where it differs.

    In the manner of the shaded bar chart of flexclust (Dolnicar & Leisch 2014, *Tourism Management* 41): the
    line at zero is all customers, what does not differ is left as an outline.

    Parameters
    ----------
    profile : DataFrame
        As `profile_segments` returns it; levels of categories are left to tables.
    segments : DataFrame
        ``segment_id, segment``; panels come in its order.
    most : int
        Features shown: those that set any segment apart most, at most two of a family.
    always : collection of str
        Features shown before others if they set any segment apart, such as those behind the names.

    Returns
    -------
    Figure
    """
    ids = segments["segment_id"].astype(str).tolist()
    drawn = profile[(profile["level"] == "") & profile["segment_id"].isin(ids) & profile["effect_sd"].notna()]
    if "customers" in drawn:  # what few of a segment have is no picture of it
        drawn = drawn[drawn["customers"] >= KNOWN_SHARE * drawn.groupby("segment_id")["customers"].transform("max")]
    telling = drawn["effect_sd"].abs().where(drawn["differs"], 0).groupby(drawn["feature"]).max()
    ranked = telling[telling > 0].sort_values(ascending=False, kind="stable")
    family = drawn.drop_duplicates("feature").set_index("feature")["family"]
    first = [feature for feature in always if feature in ranked.index]
    order = [*first, *ranked.index.difference(first, sort=False)]
    kept = pd.Series(order).groupby([family[feature] for feature in order]).cumcount() < MOST_OF_A_FAMILY
    chosen = set(first) | set(np.array(order)[kept][:most])
    features = [name for name in drawn["feature"].drop_duplicates() if name in chosen]
    effects = drawn.set_index(["segment_id", "feature"])
    columns = len(ids) if len(ids) in (2, 4) else 3
    figure, axes = panels(len(ids), columns, 0.8 + 0.27 * len(features), sharey=True, sharex=True)
    colours = segment_colours(ids)
    rows = np.arange(len(features))
    for ax, segment_id, name in zip(axes, ids, segments["segment"], strict=True):
        own = effects.reindex([(segment_id, feature) for feature in features])
        differs, effect = own["differs"].eq(True).to_numpy(), own["effect_sd"].to_numpy(float)
        colour, length = colours[segment_id], np.clip(effect, -LONGEST_BAR, LONGEST_BAR)
        ax.barh(rows[~differs], length[~differs], 0.62, color=PAPER, edgecolor="#BBBBBB")
        ax.barh(rows[differs], length[differs], 0.62, color=colour, edgecolor=colour)
        for row in rows[np.abs(effect) > LONGEST_BAR + 0.05]:  # one odd segment would flatten all others
            side = np.sign(effect[row])
            ax.annotate(
                f"{effect[row]:+.1f}".replace("-", "\N{MINUS SIGN}"), (side * LONGEST_BAR, row), (-3 * side, 0),
                textcoords="offset points", ha="right" if side > 0 else "left", va="center",
                color=PAPER, fontsize=9, weight="bold",
            )  # fmt: skip
        ax.axvline(0, color=INK, linewidth=1)
        ax.set_title(wrapped(name, 17 if columns < 4 else 11), color=darker(colour), fontsize=11)
        ax.set_xlim(-1.05 * LONGEST_BAR, 1.05 * LONGEST_BAR)
        ax.set_xticks([-2, 0, 2], ["\N{MINUS SIGN}2", "0", "+2"])
        ax.grid(axis="x")
        ax.spines[["left", "bottom"]].set_visible(False)
        ax.tick_params(axis="both", length=0)
    for ax in axes[-columns:]:  # the lowest panel of each column, where the last row is not full
        ax.tick_params(labelbottom=True)
    axes[0].set_yticks(rows, [label_of(feature) for feature in features])
    axes[0].set_ylim(len(features) - 0.4, -0.6)
    figure.supxlabel("difference from all customers, in standard deviations", color=QUIET, fontsize=11)
    return figure


def plot_map(positions, segments, ax=None, labels=True):
    """Customers as points that lie close when they are alike, coloured by segment, labelled at the centres.

    Parameters
    ----------
    positions : DataFrame
        One row per customer: ``x, y, segment_id``; with ``customers`` a row per so many, as from
        `crowd_points`. At most 5,000 evenly chosen rows are drawn.
    segments : DataFrame
        ``segment_id, segment``.
    ax : Axes, optional
    labels : bool
        Whether to write the names at the centres.

    Returns
    -------
    Axes
        Without ticks: only nearness means something, not direction or distance.
    """
    across, along = (np.ptp(positions[axis]) or 1.0 for axis in ("x", "y"))
    ax = axes_of(ax, float(np.clip(WIDTH * along / across, 4.5, 7.5)))
    names = dict(zip(segments["segment_id"].astype(str), segments["segment"], strict=True))
    colours = segment_colours(names)
    chosen = np.unique(np.linspace(0, len(positions) - 1, min(len(positions), MOST_POINTS)).astype(int))
    shown = positions.iloc[chosen]
    fills = shown["segment_id"].astype(str).map(colours).fillna(UNSEGMENTED_COLOUR)
    size = np.clip(30000 / max(len(shown), 1), 5, 16) * (1.0 if labels else 0.3)
    if "customers" in shown:
        size = np.clip(30000 / max(shown["customers"].sum(), 1), 5, 16) * shown["customers"].to_numpy()
    # mixed order: drawn segment by segment, the last would cover the others
    mixed = np.random.default_rng(0).permutation(len(shown))
    size = np.broadcast_to(size, len(shown))[mixed]
    ax.scatter(*shown[["x", "y"]].to_numpy()[mixed].T, s=size, c=fills.to_numpy()[mixed], alpha=0.75, linewidths=0)
    if labels:
        _label_centres(ax, positions, names, colours)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.set_aspect("equal", adjustable="box")
    return ax


def _label_centres(ax, positions, names, colours):
    from matplotlib.patheffects import withStroke

    centres = positions.groupby(positions["segment_id"].astype(str))[["x", "y"]].median()
    centres = centres[[name in names and name != UNSEGMENTED for name in centres.index]]
    height = np.ptp(positions["y"]) or 1.0
    heights = spread_apart(centres["y"].tolist(), 0.085 * height)
    for segment_id, x, y in zip(centres.index, centres["x"], heights, strict=True):
        text = ax.annotate(wrapped(names[segment_id], 16), (x, y), ha="center", va="center", weight="bold")
        text.set(color=darker(colours[segment_id]), linespacing=1.15)
        text.set_path_effects([withStroke(linewidth=3.5, foreground=PAPER)])


def plot_stability(stability, ax=None):
    """How much of each segment comes back when it is found again in resampled customers.

    Parameters
    ----------
    stability : DataFrame
        ``segment_id, segment, jaccard`` and, where known, ``low, high``.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes_of(ax, 1.2 + 0.45 * len(stability))
    rows = np.arange(len(stability))
    colours = segment_colours(stability["segment_id"])
    fills = [colours[name] for name in stability["segment_id"].astype(str)]
    for limit, meaning in ((0.6, "no segment below"), (0.75, "stable above")):
        ax.axvline(limit, color=RULE, zorder=0)
        ax.annotate(
            meaning, (limit, 1), (0, 4), xycoords=("data", "axes fraction"), textcoords="offset points",
            color=QUIET, fontsize=10, ha="right" if limit < 0.7 else "left",
        )  # fmt: skip
    if {"low", "high"} <= set(stability):
        ax.hlines(rows, stability["low"], stability["high"], colors=fills, linewidth=5, alpha=0.35)
    ax.scatter(stability["jaccard"], rows, s=70, c=fills, zorder=3)
    for row, jaccard in enumerate(stability["jaccard"]):
        ax.annotate(f"{jaccard:.2f}", (1.02, row), va="center", annotation_clip=False)
    ax.set_yticks(rows, [wrapped(name, 26) for name in stability["segment"]])
    ax.set_ylim(len(stability) - 0.5, -0.5)
    ax.set_xlim(0, 1)
    ax.set_xlabel("Jaccard index with the same segment in resamples (1 = identical)", loc="left")
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return ax
