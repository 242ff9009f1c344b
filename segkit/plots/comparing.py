"""Figures that compare segmentations: criteria, forward skill, what comes back, agreement, the same map for each."""

import numpy as np
import pandas as pd

from segkit.plots.profiles import DISSOLVES, STABLE, plot_map
from segkit.plots.style import (
    INK,
    PALETTE,
    PAPER,
    QUIET,
    RULE,
    axes_of,
    bare,
    columns_of,
    draw_intervals,
    family_looks,
    label_points,
    nothing,
    panels,
    percent,
    percent_axis,
    plain,
    styled,
    wrapped,
)

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
RING = {"facecolors": "none", "edgecolors": INK, "linewidths": 1.8, "zorder": 4}


@styled
def plot_candidates(
    candidates, criteria=("within_ss", "silhouette", "calinski_harabasz", "davies_bouldin"), families=None
):
    """Criteria over the number of segments, a line per family; the chosen candidate is ringed.

    Parameters
    ----------
    candidates : DataFrame
        ``family, segments, chosen`` and the criteria; missing where one does not apply. Where a family has
        several candidates with as many segments, the line runs through the best, the others are faint.
    criteria : sequence of str
        Columns to draw; those without any figure are left out.
    families : optional
        Titles, colours and order of the families, as `family_looks` takes them.
    """
    import seaborn as sns
    from matplotlib.ticker import MaxNLocator

    candidates = candidates[candidates["segments"] >= 1]
    criteria = [name for name in criteria if name in candidates and candidates[name].notna().any()]
    if not criteria:
        return nothing("None of these criteria is known of any candidate.").figure
    looks = family_looks(families, candidates["family"])
    palette = {name: colour for name, (_, colour) in looks.items()}
    figure, axes = panels(len(criteria), 2, 3.0)
    for ax, name in zip(axes, criteria, strict=True):
        meaning, more = CRITERIA.get(name, (name.replace("_", " "), True))
        own = candidates[candidates[name].notna()].astype({name: float})
        shared = {"x": "segments", "y": name, "hue": "family", "palette": palette, "legend": False, "ax": ax}
        sns.scatterplot(own, **shared, s=16, alpha=0.35, linewidth=0)
        best = own.groupby(["family", "segments"], as_index=False)[name].agg("max" if more else "min")
        sns.lineplot(best, **shared, estimator=None, marker="o", markersize=4, markeredgewidth=0)
        chosen = own[own["chosen"].astype(bool)]
        ax.scatter(chosen["segments"], chosen[name], s=170, **RING)
        ax.set_title(plain(meaning))
        ax.set(xlabel="segments", ylabel="higher is better" if more else "lower is better")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.grid(axis="y")
        ax.margins(y=0.12)
        bare(ax, labelcolor=QUIET, labelsize=10)
        ends = best.groupby("family").tail(1).set_index("family")
        label_points(ax, [(title, *ends.loc[family, ["segments", name]], colour)
                          for family, (title, colour) in looks.items() if family in ends.index])  # fmt: skip
    return figure


@styled
def plot_frontier(candidates, beside=None, families=None, ax=None):
    """What each candidate tells about how much customers will buy, against what and how.

    Parameters
    ----------
    candidates : DataFrame
        ``family, candidate_id, forward_value, forward_behaviour, chosen``; those that could not be judged are left out.
        With ``_low, _high`` of the figures, the chosen one has its intervals drawn as a cross, and so has the one of
        each family that tells most about what and how, which also bears the name of the family.
    beside : DataFrame, optional
        ``candidate_id, forward_value, forward_behaviour`` of segmentations that are no candidates: hollow marks, one
        kind for each beginning of the ids, named at the first.
    families : optional
        Titles, colours and order of the families, as `family_looks` takes them.
    ax : Axes, optional
    """
    import seaborn as sns

    figures = ["forward_value", "forward_behaviour"]
    judged = candidates.dropna(subset=figures) if {*figures} <= set(candidates) else candidates.head(0)
    if judged.empty:
        return nothing("No candidate could be judged by what customers did next.", ax)
    ax = axes_of(ax, 4.6)
    looks = family_looks(families, candidates["family"])
    palette = {name: colour for name, (_, colour) in looks.items()}
    judged = judged.astype(dict.fromkeys(figures, float))
    tops = judged.sort_values("forward_behaviour", kind="stable").groupby("family").tail(1)
    chosen = judged[judged["chosen"].astype(bool)]
    if {f"{name}_{end}" for name in figures for end in ("low", "high")} <= set(judged):
        crossed = pd.concat([tops, chosen]).drop_duplicates("candidate_id", keep="last")
        fills = [INK if row.chosen else palette[row.family] for row in crossed.itertuples()]
        line = {"linewidth": 1.2, "alpha": 0.5, "zorder": 1}
        for name, other in (figures, figures[::-1]):
            ends = crossed[f"{name}_low"], crossed[f"{name}_high"]
            draw_intervals(ax, *ends, crossed[other], fills, upright=name == figures[1], **line)
    labels = [(looks[row.family][0], row.forward_value, row.forward_behaviour, palette[row.family])
              for row in tops.itertuples()]  # fmt: skip
    if beside is not None and len(beside):
        groups = beside.groupby(beside["candidate_id"].str.rsplit("-", n=1).str[0], sort=False)
        for (kind, own), mark in zip(groups, "os^Dv<>" * len(groups), strict=False):
            ax.scatter(own[figures[0]], own[figures[1]], marker=mark, s=22, facecolors="none", edgecolors=QUIET)
            labels.append((plain(kind), *own.iloc[0][figures], QUIET))
    sns.scatterplot(judged, x=figures[0], y=figures[1], hue="family", palette=palette, s=42, alpha=0.75, linewidth=0,
                    legend=False, ax=ax)  # fmt: skip
    ax.scatter(chosen[figures[0]], chosen[figures[1]], s=230, **RING)
    ax.set_xlabel("how much they will buy: share of what can be known")
    ax.set_ylabel("what and how: share of what can be known")
    for axis in (ax.xaxis, ax.yaxis):
        percent_axis(axis)
    bare(ax, labelcolor=QUIET, labelsize=10)
    ax.grid(True)
    ax.margins(0.12)
    middle = sum(ax.get_xlim()) / 2
    for left in (True, False):
        label_points(ax, [label for label in labels if (label[1] < middle) == left], 0.055, across=0.02, outline=True)
    return ax


@styled
def plot_stabilities(stability, chosen="", families=None, columns=3):
    """How far each segment of every candidate comes back: a panel per kind of candidate, a dot per segment.

    The lowest dot decides: below 0.6 the candidate is not feasible. A dot is as large as its segment's share of
    customers; candidates that were given up before all resamples are hollow.

    Parameters
    ----------
    stability : DataFrame
        ``candidate_id, customers, jaccard, resamples``, a row per segment, and optionally ``family``. Candidates whose
        ids differ only behind the last hyphen share a panel.
    chosen : str
        The candidate_id to mark.
    families : optional
        Titles and order of the families, as `family_looks` takes them.
    columns : int
        Panels side by side.
    """
    import seaborn as sns

    if stability.empty:
        return nothing("No candidate was resampled.").figure
    share = stability["customers"] / stability.groupby("candidate_id")["customers"].transform("sum")
    table = stability.assign(size=_dot_size(share), whole=stability["resamples"] >= stability["resamples"].max())
    titles = _kinds(table, families)
    figure, axes = panels(len(titles), columns, 2.7, sharey=True)
    columns = columns_of(axes)
    for place, (ax, (kind, title)) in enumerate(zip(axes, titles.items(), strict=True)):
        own = table[_kind_of(table) == kind]
        ids = list(dict.fromkeys(own["candidate_id"]))
        place_of = {name: x for x, name in enumerate(ids)}
        ax.axhspan(0, DISSOLVES, color=RULE, alpha=0.35, lw=0, zorder=0)
        ax.axhline(STABLE, color=RULE, lw=1, zorder=0)
        if place % columns == columns - 1 or place == len(titles) - 1 < columns:  # else the columns don't line up
            for height, text, va in (
                (STABLE, "stable above", "bottom"),
                (DISSOLVES, "no segment\nin the shade", "top"),
            ):
                ax.annotate(text, (1.03, height), xycoords=("axes fraction", "data"), va=va, color=QUIET, fontsize=9)
        ends = own.groupby("candidate_id", sort=False)["jaccard"].agg(["min", "max"])
        lines = [INK if name == chosen else PALETTE[0] for name in ends.index]
        draw_intervals(ax, ends["min"], ends["max"], range(len(ids)), lines, upright=True, linewidth=0.8, alpha=0.5)
        inks = np.where(own["candidate_id"] == chosen, INK, PALETTE[0])
        sns.scatterplot(x=own["candidate_id"].map(place_of), y=own["jaccard"], s=own["size"], alpha=0.85, ax=ax,
                        c=np.where(own["whole"], inks, PAPER), edgecolor=inks, linewidth=0.8, zorder=3,
                        clip_on=False)  # fmt: skip
        if chosen in place_of:
            ax.annotate("chosen", (place_of[chosen], 0), (0, 4), textcoords="offset points", ha="center", color=INK,
                        fontsize=9)  # fmt: skip
        every = 1 if len(ids) < 9 else 2
        ax.set_xticks(range(0, len(ids), every), [plain(name.rsplit("-", 1)[-1]) for name in ids[::every]])
        counted = own["candidate_id"].value_counts()
        by_count = all(name.endswith(f"-{count}") for name, count in counted.items())
        ax.set_title(wrapped(title, 20), fontsize=11)
        ax.set_xlabel("segments" if by_count else "number in the candidate's id", loc="left")
        ax.set(xlim=(-0.6, max(len(ids) - 0.4, 2.6)), ylim=(0, 1.04), ylabel="")
        bare(ax, labelcolor=QUIET, labelsize=10)
        if place % columns == 0:
            ax.set_ylabel("Jaccard index")
    _explain_dots(figure, int(table["resamples"].max()), table["whole"].all())
    return figure


def _kind_of(table):
    return table["candidate_id"].str.rsplit("-", n=1).str[0]


def _kinds(table, families):
    """The title of each kind of candidate: its family's, and what tells it from others of the family."""
    kinds = _kind_of(table)
    family_of = dict(zip(kinds, table["family"] if "family" in table else kinds.str.split("-").str[0], strict=True))
    titles = {}
    for family, (title, _) in family_looks(families, family_of.values()).items():
        own = [kind for kind in family_of if family_of[kind] == family]
        for kind in own:
            apart = "" if len(own) == 1 or kind == family else f", {kind.removeprefix(f'{family}-')}"
            titles[kind] = plain(title + apart)
    return titles


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


@styled
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
    """
    if not names or positions.empty:
        return nothing("No candidates to draw.").figure
    figure, axes = panels(len(names), columns, 2.6)
    first = labels[next(iter(names))]
    ids_of_first = segment_ids or [f"S{label + 1}" for label in range(first.max() + 1)]
    for ax, (candidate, name) in zip(axes, names.items(), strict=True):
        ids = _follow(labels[candidate], first, ids_of_first)
        drawn = positions[["x", "y"]].assign(segment_id=ids.reindex(positions.index))
        largest = max((int(name[1:]) for name in ids.unique()), default=0)  # a colour belongs to a number
        every = [f"S{number}" for number in range(largest + 1)]
        plot_map(drawn, pd.DataFrame({"segment_id": every, "segment": ""}), ax, labels=False)
        ax.set_title(wrapped(name, 24), fontsize=11)
    return figure


def _follow(labels, first, ids):
    """Ids for colouring: each segment gets the id of the first candidate's segment it overlaps most."""
    from scipy.optimize import linear_sum_assignment

    both = pd.crosstab(labels, first)
    both = both.loc[both.index >= 0, both.columns >= 0]
    rows, columns = linear_sum_assignment(-both.to_numpy())
    called = {both.index[row]: ids[both.columns[column]] for row, column in zip(rows, columns, strict=True)}
    free = (name for name in map("S{}".format, range(1, 1000)) if name not in set(called.values()))
    called |= {label: next(free) for label in both.index if label not in called}
    return labels.map(called | {-1: "S0"})


@styled
def plot_agreement(agreement, ax=None):
    """How far candidates agree about who belongs together: adjusted Rand index of each pair.

    Parameters
    ----------
    agreement : DataFrame
        Square; index and columns are candidates, 1 on the diagonal.
    ax : Axes, optional
    """
    import seaborn as sns

    size = len(agreement)
    if size < 2:
        return nothing("One segmentation alone: nothing to compare it with.", ax)
    inches = min(7.0, 2.2 + 0.55 * size)
    ax = axes_of(ax, inches, inches + 0.6)
    shown = agreement.iloc[1:, :-1].astype(float).round(2) + 0.0  # no minus before a zero
    above = np.triu(np.ones((size - 1, size - 1), bool), 1)
    sns.heatmap(shown, mask=above, annot=True, fmt=".2f", annot_kws={"fontsize": 10}, cmap="Blues", vmin=0, vmax=1.15,
                cbar=False, square=True, linewidths=1, linecolor=PAPER, ax=ax)  # fmt: skip
    ax.set_xticklabels([plain(name) for name in shown.columns], rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticklabels([plain(name) for name in shown.index], rotation=0)
    ax.set_xlabel("adjusted Rand index (1 = the same segments, 0 = as by chance)", loc="left")
    ax.set_ylabel("")
    bare(ax, labelcolor=INK)
    return ax
