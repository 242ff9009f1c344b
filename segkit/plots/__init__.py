"""Figures: a finished table in, a picture of exactly that table out. Nothing is computed that a table could hold.

Functions that take an `ax` return it (a new one by default), those that draw several panels return the figure. Where
there is nothing to draw, the picture says why in a sentence.

`style` holds the one visual language, `shop` draws orders and features, `comparing` compares segmentations, `profiles`
shows the chosen one, `flows` who goes where, `moves` how sizes went, `worth` what segments bring. seaborn draws what is
statistical; it and matplotlib are imported when the first figure is drawn.
"""

from segkit.plots.comparing import plot_agreement, plot_candidates, plot_frontier, plot_maps, plot_stabilities
from segkit.plots.flows import plot_flow, plot_migrations
from segkit.plots.moves import plot_drift, plot_series
from segkit.plots.profiles import plot_map, plot_profile, plot_sizes, plot_stability
from segkit.plots.shop import plot_categories, plot_concentration, plot_distributions, plot_sales
from segkit.plots.style import segment_colours, use_style
from segkit.plots.worth import plot_kpis, plot_targets

__all__ = [
    "plot_agreement",
    "plot_candidates",
    "plot_categories",
    "plot_concentration",
    "plot_distributions",
    "plot_drift",
    "plot_flow",
    "plot_frontier",
    "plot_kpis",
    "plot_map",
    "plot_maps",
    "plot_migrations",
    "plot_profile",
    "plot_sales",
    "plot_series",
    "plot_sizes",
    "plot_stabilities",
    "plot_stability",
    "plot_targets",
    "segment_colours",
    "use_style",
]
