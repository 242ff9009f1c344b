"""Which segments are worth it: what they bring and do, and attractiveness against the ability to serve."""

from segkit.plots.style import (
    QUIET,
    axes_of,
    bare,
    draw_intervals,
    label_points,
    nothing,
    panels,
    percent_axis,
    plain,
    row_axis,
    segment_colours,
    short_number,
    styled,
    wrapped,
)

TOTALS = ("revenue", "discount_cost")


@styled
def plot_kpis(kpis, currency=""):
    """What each segment brings and does: a panel per figure, its interval, and all other customers as a mark.

    Parameters
    ----------
    kpis : DataFrame
        ``segment_id, segment, kpi, unit, figure, low, high, others``; figures that are unknown of a segment are left
        out, and so are totals, which a large segment has much of and all others have more.
    currency : str
        Of money.
    """
    import seaborn as sns

    known = kpis[~kpis["kpi"].isin(TOTALS)].dropna(subset="figure")
    if known.empty:
        return nothing("No key figure is known of these segments.").figure
    segments = known.drop_duplicates("segment_id").set_index("segment_id")["segment"]
    row_of = {segment_id: row for row, segment_id in enumerate(segments.index)}
    colours = segment_colours(segments.index)
    figure, axes = panels(known["kpi"].nunique(), 2, 1.1 + 0.34 * len(segments), sharey=True)
    for ax, (name, own) in zip(axes, known.groupby("kpi", sort=False), strict=True):
        rows, unit = own["segment_id"].map(row_of), own["unit"].unique().tolist()
        draw_intervals(ax, own["low"], own["high"], rows, own["segment_id"].map(colours))
        sns.scatterplot(x=own["figure"], y=rows, hue=own["segment_id"], palette=colours, s=44, linewidth=0, zorder=3,
                        clip_on=False, legend=False, ax=ax)  # fmt: skip
        ax.vlines(own["others"], rows - 0.28, rows + 0.28, color=QUIET, linewidth=1)
        ax.set_title(plain(name.replace("_", " ")), fontsize=11)
        ax.set(xlabel="", ylabel="")
        if unit == ["money"]:
            ax.set_xlabel(plain(currency), loc="right", fontsize=10)
        row_axis(ax, [wrapped(segment, 26) for segment in segments])
        bare(ax)
        ax.set_xlim(left=min(0, own["low"].min()))
        ax.locator_params(axis="x", nbins=4)
        if unit == ["share"]:
            percent_axis(ax.xaxis)
        else:
            ax.xaxis.set_major_formatter(short_number)
    return figure


@styled
def plot_targets(targets, ax=None):
    """Each segment as a point: how well it can be served against how attractive it is, with both intervals.

    Parameters
    ----------
    targets : DataFrame
        ``segment_id, segment, customers`` and ``attractiveness, ability`` with ``_low`` and ``_high``, 0 to 1.
    ax : Axes, optional
    """
    import seaborn as sns

    targets = targets.dropna(subset=["attractiveness", "ability"])
    if targets.empty:
        return nothing("Nothing is known by which segments could be placed.", ax)
    ax = axes_of(ax, 4.6)
    colours = segment_colours(targets["segment_id"])
    fills = targets["segment_id"].map(colours)
    draw_intervals(ax, targets["ability_low"], targets["ability_high"], targets["attractiveness"], fills)
    ends = targets["attractiveness_low"], targets["attractiveness_high"]
    draw_intervals(ax, *ends, targets["ability"], fills, upright=True)
    sns.scatterplot(targets, x="ability", y="attractiveness", hue="segment_id", palette=colours, linewidth=0,
                    s=400 * targets["customers"] / targets["customers"].max(), legend=False, ax=ax)  # fmt: skip
    ax.set_ylim(0, 1.08)
    ax.margins(x=0.1)
    ax.locator_params(axis="x", nbins=6)
    ax.tick_params(labelcolor=QUIET, labelsize=10)
    ax.set_xlabel("how well it can be served (1: best in all that counts)")
    ax.set_ylabel("how attractive it is (1: best in all that counts)")
    labels = [
        (f"{wrapped(row.segment, 26)}\n{row.customers:,} customers", row.ability, row.attractiveness,
         colours[row.segment_id]) for row in targets.itertuples()
    ]  # fmt: skip
    label_points(ax, labels, 0.11)
    return ax
