"""Figures of the chosen segments: how large, how different, where, how firm."""

import numpy as np
import pandas as pd

from segkit.plots.style import (
    INK,
    MUTED,
    PAPER,
    QUIET,
    RULE,
    UNSEGMENTED,
    axes_of,
    bare,
    columns_of,
    darker,
    draw_intervals,
    full_width,
    nothing,
    panels,
    percent,
    row_axis,
    segment_colours,
    spread_apart,
    styled,
    wrapped,
)
from segkit.runtime.labels import label_of

LONGEST_BAR = 2.5  # standard deviations; longer bars are cut and carry their figure
MOST_OF_A_FAMILY = 2  # bars in a profile: a third reading of the same thing crowds out another
KNOWN_SHARE = 0.5  # of a segment, whose feature must be known for a bar
MOST_POINTS = 5000  # on a map; more only make the page heavy
STABLE, DISSOLVES = 0.75, 0.6  # Jaccard index (Hennig 2007)


@styled
def plot_sizes(segments, ax=None):
    """Share of customers and share of revenue of each segment, in the order of the table.

    Parameters
    ----------
    segments : DataFrame
        ``segment_id, segment, customer_share, revenue_share``; without revenue only customers are drawn.
    ax : Axes, optional
    """
    if segments.empty:
        return nothing("No segments.", ax)
    ax = axes_of(ax, 0.9 + 0.62 * len(segments))
    colours = segment_colours(segments["segment_id"])
    rows = np.array(row_axis(ax, [wrapped(name, 22) for name in segments["segment"]]))
    ax.set_ylim(len(segments) - 0.5, -0.5)
    fills = [colours[name] for name in segments["segment_id"].astype(str)]
    has_revenue = segments["revenue_share"].notna().all()
    bars = [("revenue", -0.18, 0.34, {"color": fills}, {"weight": "bold"})] if has_revenue else []
    outlined = {"color": PAPER, "edgecolor": fills, "linewidth": 1.4}
    bars.append(("customer", 0.18, 0.26, outlined, {"color": QUIET, "fontsize": 10}))
    for of, lower, height, look, letters in bars:
        shares = segments[f"{of}_share"]
        ax.barh(rows + lower, shares, height, **look)
        for row, share in enumerate(shares):
            told = percent(share) + (f" of {of}{'s' * (of == 'customer')}" if row == 0 else "")
            ax.annotate(told, (max(share, 0), row + lower), (5, 0), textcoords="offset points", va="center", **letters)
    drawn = segments[[f"{of}_share" for of, *_ in bars]].to_numpy(float)
    ax.set(xlim=(min(0, drawn.min()), max(drawn.max(), 0.01) * 1.38), xticks=[])
    filled = "share of all revenue (filled) and of all customers (outlined)"
    ax.set_xlabel(filled if has_revenue else "share of all customers", loc="left")
    bare(ax, "bottom")
    return ax


@styled
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
    """
    ids = segments["segment_id"].astype(str).tolist()
    drawn = profile[(profile["level"] == "") & profile["segment_id"].isin(ids) & profile["effect_sd"].notna()]
    features = _telling_features(drawn, most, always)
    if not features:
        return nothing("No feature sets any segment apart from all customers.").figure
    effects = drawn.set_index(["segment_id", "feature"])
    columns = next((count for count in (3, 4, 5) if len(ids) <= count or len(ids) % count != 1), 3)  # none alone
    figure, axes = panels(len(ids), min(columns, len(ids)), 0.8 + 0.27 * len(features), sharey=True, sharex=True)
    columns = columns_of(axes)
    colours = segment_colours(ids)
    rows = np.array(row_axis(axes[0], [label_of(feature) for feature in features]))
    for ax, segment_id, name in zip(axes, ids, segments["segment"], strict=True):
        own = effects.reindex([(segment_id, feature) for feature in features])
        differs, effect = own["differs"].eq(True).to_numpy(), own["effect_sd"].to_numpy(float)
        colour, length = colours[segment_id], np.clip(effect, -LONGEST_BAR, LONGEST_BAR)
        ax.barh(rows[~differs], length[~differs], 0.62, color=PAPER, edgecolor=MUTED)
        ax.barh(rows[differs], length[differs], 0.62, color=colour, edgecolor=colour)
        for row in rows[np.abs(effect) > LONGEST_BAR + 0.05]:  # one odd segment would flatten all others
            side, figures = np.sign(effect[row]), f"{effect[row]:+.1f}".replace("-", "\N{MINUS SIGN}")
            ax.annotate(figures, (side * LONGEST_BAR, row), (-3 * side, 0), textcoords="offset points", va="center",
                        ha="right" if side > 0 else "left", color=PAPER if differs[row] else INK, fontsize=9,
                        weight="bold")  # fmt: skip
        ax.axvline(0, color=INK, linewidth=1)
        ax.set_title(wrapped(name, int(10 * (full_width() - 1.8) / columns)), color=darker(colour), fontsize=11)
        ax.set_xlim(-1.05 * LONGEST_BAR, 1.05 * LONGEST_BAR)
        ax.set_xticks([-2, 0, 2], ["\N{MINUS SIGN}2", "0", "+2"])
        ax.grid(axis="x")
        bare(ax, "left", "bottom")
    for ax in axes[-columns:]:  # the lowest panel of each column, where the last row is not full
        ax.tick_params(labelbottom=True)
    figure.supxlabel("difference from all customers, in standard deviations", color=QUIET, fontsize=11)
    return figure


def _telling_features(drawn, most, always):
    """The features to show, in the order of the profile."""
    if "customers" in drawn:  # what few of a segment have is no picture of it
        drawn = drawn[drawn["customers"] >= KNOWN_SHARE * drawn.groupby("segment_id")["customers"].transform("max")]
    telling = drawn["effect_sd"].abs().where(drawn["differs"], 0).groupby(drawn["feature"]).max()
    ranked = telling[telling > 0].sort_values(ascending=False, kind="stable")
    family = drawn.drop_duplicates("feature").set_index("feature")["family"]
    first = [feature for feature in always if feature in ranked.index]
    order = pd.Series([*first, *ranked.index.difference(first, sort=False)], dtype=object)
    kept = order.groupby(order.map(family)).cumcount() < MOST_OF_A_FAMILY
    chosen = {*first, *order[kept].head(most)}
    return [name for name in drawn["feature"].drop_duplicates() if name in chosen]


@styled
def plot_map(positions, segments, ax=None, labels=True):
    """Customers as points that lie close when they are alike, coloured by segment, labelled at the centres.

    Without ticks: only nearness means something, not direction or distance.

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
    """
    import seaborn as sns

    if positions.empty:
        return nothing("No customers to place on a map.", ax)
    ax = axes_of(ax, 0.8 * full_width())
    names = dict(zip(segments["segment_id"].astype(str), segments["segment"], strict=True))
    colours = segment_colours([*names, UNSEGMENTED])
    chosen = np.unique(np.linspace(0, len(positions) - 1, min(len(positions), MOST_POINTS)).astype(int))
    # mixed order: drawn segment by segment, the last would cover the others
    shown = positions.iloc[np.random.default_rng(0).permutation(chosen)]
    behind = shown["customers"] if "customers" in shown else pd.Series(1 if labels else 0.3, index=shown.index)
    size = np.clip(30000 / max(behind.sum() if "customers" in shown else len(shown), 1), 5, 16) * behind
    ids = shown["segment_id"].astype(str)
    sns.scatterplot(x=shown["x"], y=shown["y"], hue=ids.where(ids.isin(list(colours)), UNSEGMENTED), palette=colours,
                    s=size, alpha=0.75, linewidth=0, legend=False, rasterized=len(shown) > 1500, ax=ax)  # fmt: skip
    if labels:
        _label_centres(ax, positions, names, colours)
    ax.set(xticks=[], yticks=[], xlabel="", ylabel="", aspect="equal", adjustable="datalim")
    bare(ax, "left", "bottom")
    return ax


def _label_centres(ax, positions, names, colours):
    from matplotlib.patheffects import withStroke

    centres = positions.groupby(positions["segment_id"].astype(str))[["x", "y"]].median()
    centres = centres[[name in names and name != UNSEGMENTED for name in centres.index]]
    heights = spread_apart(centres["y"].tolist(), 0.085 * (np.ptp(positions["y"]) or 1.0))
    for segment_id, x, y in zip(centres.index, centres["x"], heights, strict=True):
        ax.annotate(wrapped(names[segment_id], 16), (x, y), ha="center", va="center", weight="bold", linespacing=1.15,
                    color=darker(colours[segment_id]),
                    path_effects=[withStroke(linewidth=3.5, foreground=PAPER)])  # fmt: skip


@styled
def plot_stability(stability, ax=None):
    """How much of each segment comes back when it is found again in resampled customers.

    Parameters
    ----------
    stability : DataFrame
        ``segment_id, segment, jaccard`` and, where known, ``low, high``.
    ax : Axes, optional
    """
    import seaborn as sns

    if stability.empty:
        return nothing("These segments were not resampled.", ax)
    ax = axes_of(ax, 1.2 + 0.45 * len(stability))
    colours = segment_colours(stability["segment_id"])
    fills = stability["segment_id"].astype(str).map(colours).tolist()
    rows = row_axis(ax, [wrapped(name, 26) for name in stability["segment"]])
    for limit, meaning, side in ((DISSOLVES, "no segment below", "right"), (STABLE, "stable above", "left")):
        ax.axvline(limit, color=RULE, zorder=0)
        ax.annotate(meaning, (limit, 1), (0, 4), xycoords=("data", "axes fraction"), textcoords="offset points",
                    color=QUIET, fontsize=10, ha=side)  # fmt: skip
    if {"low", "high"} <= set(stability):
        draw_intervals(ax, stability["low"], stability["high"], rows, fills, linewidth=5, alpha=0.35)
    sns.scatterplot(x=stability["jaccard"], y=rows, c=fills, s=70, linewidth=0, zorder=3, clip_on=False, ax=ax)
    for row, jaccard in enumerate(stability["jaccard"]):
        ax.annotate(f"{jaccard:.2f}", (1.02, row), va="center", annotation_clip=False)
    ax.set(xlim=(0, 1), ylabel="")
    ax.set_xlabel("Jaccard index with itself in resamples (1: identical)", loc="left")
    bare(ax, "left")
    return ax
