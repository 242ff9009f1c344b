"""Figures of months: how sizes went, and what drifted. Who moved is in `flows`."""

from segkit.plots.style import (
    ACCENT,
    MUTED,
    PAPER,
    QUIET,
    WIDTH,
    axes_of,
    bare,
    darker,
    draw_intervals,
    label_points,
    nothing,
    percent_axis,
    plain,
    row_axis,
    segment_colours,
    styled,
    wrapped,
)
from segkit.runtime.labels import label_of


@styled
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
    ax : Axes, optional
    """
    import seaborn as sns
    from matplotlib.patheffects import withStroke

    known = series.dropna(subset=[figure])
    if known.empty:
        return nothing(f"No {plain(label or figure.replace('_', ' '))} is known.", ax)
    months = list(dict.fromkeys(series["month"]))
    place_of = {month: place for place, month in enumerate(months)}
    known = known.assign(place=known["month"].map(place_of))
    ax = axes_of(ax, 4.2, max(WIDTH, 2.2 + 1.1 * len(months)))  # as wide as the flows, so that letters are as large
    colours = segment_colours(known["segment_id"])
    sns.lineplot(known, x="place", y=figure, hue="segment_id", palette=colours, estimator=None, marker="o",
                 markeredgewidth=0, legend=False, ax=ax)  # fmt: skip
    every = max(1, -(-len(months) // 12))
    ax.set_xticks(range(0, len(months), every), months[::every])
    ax.set(xlim=(-0.3, len(months) - 0.7), ylim=(min(0, known[figure].min()), 1.12 * (known[figure].max() or 1.0)))
    lasts = known.sort_values("place").groupby("segment_id").tail(1)
    ends = []
    for row in lasts.itertuples():
        name, height = wrapped(names.get(row.segment_id, row.segment_id), 26), getattr(row, figure)
        if row.place == len(months) - 1:
            ends.append((name, row.place, height, colours[row.segment_id]))
        else:
            ax.annotate(f"{name}, until {row.month}", (row.place, height), (0, -9), textcoords="offset points",
                        va="top", ha="right", color=darker(colours[row.segment_id]), fontsize=10,
                        path_effects=[withStroke(linewidth=3, foreground=PAPER)])  # fmt: skip
    label_points(ax, ends, 0.06)
    percent_axis(ax.yaxis)
    ax.set(xlabel="", ylabel=plain(label or figure.replace("_", " ")))
    ax.grid(axis="y")
    bare(ax, "left")
    return ax


@styled
def plot_drift(drift, most=12, ax=None):
    """The features that changed most: their population stability index with its interval, and the limit of an alarm.

    Parameters
    ----------
    drift : DataFrame
        ``feature, psi, low, high, alarm``.
    most : int
        Features shown, the farthest first.
    ax : Axes, optional
    """
    import seaborn as sns

    shown = drift.sort_values("psi", ascending=False, kind="stable").head(most)
    if shown.empty:
        return nothing("No feature to compare with the month before.", ax)
    ax = axes_of(ax, 0.8 + 0.3 * len(shown))
    fills = [ACCENT if alarm else MUTED for alarm in shown["alarm"]]
    rows = row_axis(ax, [label_of(feature) for feature in shown["feature"]])
    draw_intervals(ax, shown["low"], shown["high"], rows, fills, linewidth=3)
    sns.scatterplot(x=shown["psi"], y=rows, c=fills, s=44, linewidth=0, zorder=3, ax=ax)
    ax.axvline(0.1, color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
    ax.set(xlim=(0, max(0.15, 1.05 * shown["high"].astype(float).max())), ylabel="")
    ax.set_xlabel("population stability index (dashed: below it nothing needs doing)", loc="left")
    ax.grid(axis="x")
    bare(ax, "left", "bottom")
    return ax
