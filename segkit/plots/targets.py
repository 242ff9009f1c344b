"""Which segments are worth it: attractiveness against the ability to serve."""

import numpy as np

from segkit.plots.style import INK, QUIET, axes_of, segment_colours, spread_apart


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
    middle = (targets["ability"].min() + targets["ability"].max()) / 2
    heights = spread_apart(targets["attractiveness"].to_numpy(), 0.12)
    for row, height in zip(targets.itertuples(), heights, strict=True):
        colour, right = colours[row.segment_id], row.ability < middle
        ax.plot([row.ability_low, row.ability_high], [row.attractiveness] * 2, color=colour)
        ax.plot([row.ability] * 2, [row.attractiveness_low, row.attractiveness_high], color=colour)
        ax.scatter(row.ability, row.attractiveness, s=400 * row.customers / targets["customers"].max(), color=colour)
        ax.annotate(
            f"{row.segment}\n{row.customers:,} customers",
            (row.ability_high if right else row.ability_low, height),
            xytext=(14 if right else -14, 0),
            textcoords="offset points",
            ha="left" if right else "right",
            va="center",
            color=INK,
        )
    spread = np.ptp(targets[["ability_low", "ability_high"]].to_numpy())
    ax.set_xlim(targets["ability_low"].min() - 0.3 * spread - 0.02, targets["ability_high"].max() + 0.3 * spread + 0.02)
    ax.set_ylim(0, 1.08)
    ax.set_xlabel("how well it can be served (1: best in all that counts)", color=QUIET)
    ax.set_ylabel("how attractive it is (1: best in all that counts)", color=QUIET)
    return ax
