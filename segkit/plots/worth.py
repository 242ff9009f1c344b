"""Which segments are worth it: what they bring and do, and attractiveness against the ability to serve."""

from segkit.plots.style import QUIET, WIDTH, axes_of, darker, percent_axis, segment_colours, spread_apart

TOTALS = ("revenue", "discount_cost")


def plot_kpis(kpis, currency=""):
    """What each segment brings and does: a panel per figure, its interval, and all other customers as a mark.

    Parameters
    ----------
    kpis : DataFrame
        ``segment_id, segment, kpi, unit, figure, low, high, others``; figures that are unknown of a segment are left
        out, and so are totals, which a large segment has much of and all others have more.
    currency : str
        Of money.

    Returns
    -------
    list of Axes
    """
    import matplotlib.pyplot as plt

    known = kpis[~kpis["kpi"].isin(TOTALS)].dropna(subset="figure")
    names = list(dict.fromkeys(known["kpi"]))
    segments = known.drop_duplicates("segment_id")[["segment_id", "segment"]]
    places = {segment_id: -place for place, segment_id in enumerate(segments["segment_id"])}
    colours = segment_colours(segments["segment_id"])
    rows = -(-len(names) // 2)
    figure, grid = plt.subplots(rows, 2, figsize=(WIDTH, rows * (1.1 + 0.34 * len(segments))), squeeze=False)
    for ax, name in zip(grid.flat, names, strict=False):
        for row in known[known["kpi"] == name].itertuples():
            height, colour = places[row.segment_id], colours[row.segment_id]
            ax.plot([row.low, row.high], [height, height], color=colour)
            ax.scatter(row.figure, height, s=36, color=colour, zorder=3, clip_on=False)
            ax.plot([row.others] * 2, [height - 0.28, height + 0.28], color=QUIET, linewidth=1)
        ax.set_title(name.replace("_", " "), fontsize=11)
        if (known.loc[known["kpi"] == name, "unit"] == "money").all():
            ax.set_xlabel(currency, loc="right", fontsize=10)
        ax.set_yticks(list(places.values()), segments["segment"] if ax in grid[:, 0] else [""] * len(places))
        ax.tick_params(axis="y", length=0)
        ax.set_ylim(-len(places) + 0.4, 0.6)
        ax.set_xlim(left=min(0, known.loc[known["kpi"] == name, "low"].min()))
        if (known.loc[known["kpi"] == name, "unit"] == "share").all():
            percent_axis(ax.xaxis)
        else:
            ax.xaxis.set_major_formatter(_short)
        ax.locator_params(axis="x", nbins=4)
    for ax in grid.flat[len(names) :]:
        ax.remove()
    return list(grid.flat[: len(names)])


def _short(number, _) -> str:
    return f"{number / 1000:,.0f}k" if abs(number) >= 10_000 else f"{number:,.4g}"


def plot_targets(targets, ax=None):
    """Each segment as a point: how well it can be served against how attractive it is, with both intervals.

    Parameters
    ----------
    targets : DataFrame
        ``segment_id, segment, customers`` and ``attractiveness, ability`` with ``_low`` and ``_high``, 0 to 1.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes_of(ax, 4.6)
    colours = segment_colours(targets["segment_id"])
    for row in targets.itertuples():
        colour = colours[row.segment_id]
        ax.plot([row.ability_low, row.ability_high], [row.attractiveness] * 2, color=colour)
        ax.plot([row.ability] * 2, [row.attractiveness_low, row.attractiveness_high], color=colour)
        ax.scatter(row.ability, row.attractiveness, s=400 * row.customers / targets["customers"].max(), color=colour)
    ax.set_ylim(0, 1.08)
    ax.margins(x=0.1)
    ax.locator_params(axis="x", nbins=6)
    ax.tick_params(labelcolor=QUIET, labelsize=10)
    _name_points(ax, targets, colours)
    ax.set_xlabel("how well it can be served (1: best in all that counts)", color=QUIET)
    ax.set_ylabel("how attractive it is (1: best in all that counts)", color=QUIET)
    return ax


def _name_points(ax, targets, colours):
    """Name each point to the right of the picture, the names in the order of the points' heights."""
    left, right = ax.get_xlim()
    heights = spread_apart(targets["attractiveness"].tolist(), 0.12)
    for row, height in zip(targets.itertuples(), heights, strict=True):
        colour = darker(colours[row.segment_id])
        ax.annotate(
            f"{row.segment}\n{row.customers:,} customers", (row.ability, row.attractiveness),
            (right + 0.04 * (right - left), height), va="center", color=colour, fontsize=10, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.6, "alpha": 0.5, "shrinkA": 0},
        )  # fmt: skip
    ax.set_xlim(left, right)
