"""Figures that compare segmentations: criteria, agreement, and the same map coloured by each."""

import numpy as np

from segkit.plots.profiles import plot_map
from segkit.plots.style import INK, PALETTE, PAPER, QUIET, axes_of, darker, panels, percent_axis, spread_apart, wrapped

FAMILY_NAMES = {
    "kmeans": "k-means",
    "hierarchical": "hierarchical",
    "gmm": "Gaussian mixture",
    "hdbscan": "HDBSCAN",
    "dbscan": "DBSCAN",
    "predictive": "predictive",
    "rfm": "RFM map",
    "tiers": "value tiers",
    "layers": "in layers",  # predictive, too, but cut otherwise
}
_FAMILY_COLOURS = dict(zip(FAMILY_NAMES, PALETTE, strict=False))
# criterion: what to write on the panel, whether more is better
CRITERIA = {
    "within_ss": ("within sum of squares", False),
    "silhouette": ("silhouette", True),
    "calinski_harabasz": ("Calinski-Harabasz", True),
    "davies_bouldin": ("Davies-Bouldin", False),
    "dbcv": ("DBCV", True),
    "bic": ("BIC", False),
    "icl": ("ICL", False),
    "gap": ("gap", True),
    "prediction_strength": ("prediction strength", True),
    "stability_ari": ("stability (adjusted Rand)", True),
    "stability_jaccard_min": ("least stable segment (Jaccard)", True),
    "forward_share": ("forward skill", True),
}


def plot_candidates(candidates, criteria=("within_ss", "silhouette", "calinski_harabasz", "davies_bouldin")):
    """Criteria over the number of segments, a line per family; the chosen candidate is ringed.

    Parameters
    ----------
    candidates : DataFrame
        ``family, segments, chosen`` and the criteria; missing where one does not apply. Where a family has
        several candidates with as many segments, the line runs through the best, the others are faint.
    criteria : sequence of str
        Columns to draw; those without any figure are left out.

    Returns
    -------
    Figure
    """
    from matplotlib.ticker import MaxNLocator

    criteria = [name for name in criteria if name in candidates and candidates[name].notna().any()]
    figure, axes = panels(len(criteria), 2, 3.0)
    for ax, name in zip(axes, criteria, strict=True):
        meaning, more = CRITERIA.get(name, (name.replace("_", " "), True))
        own = candidates[candidates[name].notna() & (candidates["segments"] >= 1)]
        ends = []
        for family in [family for family in FAMILY_NAMES if (own["family"] == family).any()]:
            points = own[own["family"] == family]
            best = points.groupby("segments")[name].agg("max" if more else "min")
            colour = _FAMILY_COLOURS[family]
            ax.plot(points["segments"], points[name], "o", color=colour, markersize=4, alpha=0.35, mew=0)
            ax.plot(best.index, best, color=colour, marker="o", markersize=4)
            ends.append((family, best.index[-1], best.iloc[-1]))
        chosen = own[own["chosen"]]
        ax.plot(chosen["segments"], chosen[name], "o", markersize=13, mfc="none", mec=INK, mew=1.8)
        ax.set_title(meaning)
        ax.set_ylabel("higher is better" if more else "lower is better")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_xlabel("segments")
        ax.grid(axis="y")
        ax.margins(y=0.12)
        ax.tick_params(length=0, labelcolor=QUIET, labelsize=10)
        _label_ends(ax, ends)
    return figure


def plot_frontier(candidates, beside=None, ax=None):
    """What each candidate tells about how much customers will buy, against what and how.

    Parameters
    ----------
    candidates : DataFrame
        ``family, candidate_id, forward_value, forward_behaviour, chosen``; those that could not be judged are left out.
        With ``_low, _high`` of the figures, the chosen one and the rules have their intervals drawn as a cross.
    beside : DataFrame, optional
        ``candidate_id, forward_value, forward_behaviour`` of segmentations that are no candidates, such as
        `study.companions`: predictive ones are joined by a line, from the least weight of value to the most; rings
        are k-means on RFM scores, triangles k-means on the behavioural columns.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes_of(ax, 4.2)
    judged = candidates.dropna(subset=["forward_value", "forward_behaviour"])
    layered = judged["candidate_id"].str.startswith("layers-")
    judged = judged.assign(kind=judged["family"].mask(layered, "layers"))
    if beside is not None and len(beside):
        for start, style in (("predictive-", "-"), ("rfm-scores-", "o"), ("behaviour-", "^")):
            own = beside[beside["candidate_id"].str.startswith(start)]
            drawn = {"color": QUIET, "lw": 1, "markersize": 4, "mfc": "none", "alpha": 0.7}
            ax.plot(own["forward_value"], own["forward_behaviour"], style, **drawn)
    _draw_crosses(ax, judged)
    tops = []
    for kind in [kind for kind in FAMILY_NAMES if (judged["kind"] == kind).any()]:
        own = judged[judged["kind"] == kind].sort_values("forward_behaviour")
        colour = _FAMILY_COLOURS[kind]
        ax.plot(own["forward_value"], own["forward_behaviour"], "o", color=colour, markersize=6, alpha=0.75, mew=0)
        tops.append((kind, *own.iloc[-1][["forward_value", "forward_behaviour"]]))
    chosen = judged[judged["chosen"]]
    ax.plot(chosen["forward_value"], chosen["forward_behaviour"], "o", markersize=15, mfc="none", mec=INK, mew=1.8)
    ax.set_xlabel("how much they will buy: share of what can be known")
    ax.set_ylabel("what and how: share of what can be known")
    percent_axis(ax.xaxis)
    percent_axis(ax.yaxis)
    ax.tick_params(labelcolor=QUIET, labelsize=10)
    ax.grid(True)
    ax.margins(0.12)
    middle = sum(ax.get_xlim()) / 2
    _label_tops(ax, [top for top in tops if top[1] < middle])
    _label_tops(ax, [top for top in tops if top[1] >= middle])
    return ax


def _draw_crosses(ax, judged):
    """Draw the intervals of the chosen one and of the rules; those of all would hide the points."""
    if not {"forward_value_low", "forward_behaviour_low"} <= set(judged):
        return
    for row in judged[judged["chosen"] | judged["family"].isin(["rfm", "tiers"])].itertuples():
        line = {"color": INK if row.chosen else _FAMILY_COLOURS[row.family], "lw": 1.2, "alpha": 0.6, "zorder": 1}
        ax.plot([row.forward_value_low, row.forward_value_high], [row.forward_behaviour] * 2, **line)
        ax.plot([row.forward_value] * 2, [row.forward_behaviour_low, row.forward_behaviour_high], **line)


def _label_tops(ax, tops):
    """Name the highest point of each kind, the names apart from each other."""
    from matplotlib.patheffects import withStroke

    tops = sorted(tops, key=lambda top: top[2])
    low, high = ax.get_ylim()
    heights = spread_apart([height for *_, height in tops], 0.055 * (high - low))
    for (kind, across, height), beside in zip(tops, heights, strict=True):
        colour = darker(_FAMILY_COLOURS[kind])
        place = across + 0.02 * (ax.get_xlim()[1] - ax.get_xlim()[0])
        line = {"arrowstyle": "-", "color": colour, "lw": 0.6, "alpha": 0.5, "shrinkA": 0}
        ax.annotate(
            FAMILY_NAMES[kind], (across, height), (place, beside), color=colour, fontsize=10, va="center",
            annotation_clip=False, arrowprops=line, path_effects=[withStroke(linewidth=2, foreground=PAPER)],
        )  # fmt: skip


def _label_ends(ax, ends):
    low, high = ax.get_ylim()
    left, right = ax.get_xlim()
    at = spread_apart([value for *_, value in ends], 0.085 * (high - low))
    for (family, segments, value), height in zip(ends, at, strict=True):
        colour = _FAMILY_COLOURS[family]
        place = right + 0.03 * (right - left)
        ax.annotate(
            FAMILY_NAMES[family], (segments, value), (place, height), textcoords="data", va="center",
            color=colour, fontsize=10, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.6, "alpha": 0.5},
        )  # fmt: skip
    ax.set_xlim(left, right)


def plot_maps(positions, labels, names, segment_ids=None, columns=3):
    """The same map of customers once per candidate, coloured by its segments.

    Parameters
    ----------
    positions : DataFrame
        Index ``customer_id``; ``x, y``.
    labels : DataFrame
        Index ``customer_id``; a column of integer labels per candidate, -1 for customers left out. Colours of
        every candidate follow those of the first: a segment takes the colour of the one it shares most with.
    names : dict
        What to write above each panel, by candidate.
    segment_ids : sequence of str, optional
        Ids of the first candidate's labels 0, 1, ..., whose colours it has elsewhere; by default S1, S2, ...
    columns : int

    Returns
    -------
    Figure
    """
    import pandas as pd

    figure, axes = panels(len(names), columns, 2.6)
    first = labels[next(iter(names))]
    ids_of_first = segment_ids or [f"S{label + 1}" for label in range(first.max() + 1)]
    for ax, (candidate, name) in zip(axes, names.items(), strict=True):
        ids = _follow(labels[candidate], first, ids_of_first)
        drawn = positions[["x", "y"]].assign(segment_id=ids.reindex(positions.index))
        plot_map(drawn, pd.DataFrame({"segment_id": all_ids(ids), "segment": ""}), ax, labels=False)
        ax.set_title(wrapped(name, 24), fontsize=11)
    return figure


def all_ids(ids):
    """Every id up to the largest, so that a colour belongs to a number whatever numbers occur."""
    largest = max((int(name[1:]) for name in ids.unique()), default=0)
    return [f"S{number}" for number in range(largest + 1)]


def _follow(labels, first, ids):
    """Ids for colouring: each segment gets the id of the first candidate's segment it overlaps most."""
    import pandas as pd
    from scipy.optimize import linear_sum_assignment

    both = pd.crosstab(labels, first)
    both = both.loc[both.index >= 0, both.columns >= 0]
    rows, columns = linear_sum_assignment(-both.to_numpy())
    called = {both.index[row]: ids[both.columns[column]] for row, column in zip(rows, columns, strict=True)}
    free = (name for name in map("S{}".format, range(1, 1000)) if name not in set(called.values()))
    called |= {label: next(free) for label in both.index if label not in called}
    return labels.map(called | {-1: "S0"})


def plot_agreement(agreement, ax=None):
    """How far candidates agree about who belongs together: adjusted Rand index of each pair.

    Parameters
    ----------
    agreement : DataFrame
        Square; index and columns are candidates, 1 on the diagonal.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    size = len(agreement)
    figure_size = min(7.0, 2.2 + 0.55 * size)
    if ax is None:
        ax = panels(1, 1, figure_size, figure_size + 0.6)[1][0]
    lower = np.tril(np.ones((size, size), bool), -1)
    shown = np.where(lower, agreement.to_numpy(float), np.nan)[1:, :-1].round(2) + 0.0  # no minus before a zero
    ax.imshow(shown, cmap="Blues", vmin=0, vmax=1.15)
    for (row, column), value in np.ndenumerate(shown):
        if np.isfinite(value):
            colour = PAPER if value > 0.65 else INK
            ax.annotate(f"{value:.2f}", (column, row), ha="center", va="center", color=colour, fontsize=10)
    ax.set_xticks(range(size - 1), agreement.columns[:-1], rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(size - 1), agreement.index[1:])
    ax.set_xlabel("adjusted Rand index (1 = the same segments, 0 = as by chance)", loc="left")
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(length=0, labelcolor=INK)
    return ax
