"""Which candidate to propose, and why not the others."""

import difflib
from itertools import combinations

import numpy as np
import pandas as pd

from segkit.clustering.freeze import BASELINES
from segkit.runtime.errors import InputError
from segkit.runtime.parameters import Parameters
from segkit.validation.agreement import adjusted_rand, contingency

SIMPLEST_FIRST = ("kmeans", "hierarchical", "gmm", "dbscan", "hdbscan", "predictive")
CHOICE_RULE = """\
1. Agreement: those that other families see too (mean adjusted Rand index with candidates of other families that have
   as many segments, or one more or fewer), within 0.05 of the best.
2. Separation: of these, those whose mean silhouette width is within 0.02 of the best.
3. Of these, the fewest segments, then the simplest family."""
UNSTABLE = "a segment doesn't come back"
DISSOLVES = 0.6  # mean Jaccard index below which a segment is none (Hennig 2007, section 3)
LIKE_AGREEMENT = 0.05  # adjusted Rand: smaller differences come and go with the sample
LIKE_SEPARATION = 0.02  # mean silhouette width, likewise


def choose(
    candidates: pd.DataFrame,
    labels: pd.DataFrame,
    parameters: Parameters,
    choice: str = "",
    proposal: tuple[str, dict[str, str]] | None = None,
) -> pd.DataFrame:
    """Return the candidates with `feasible`, `reason` and `chosen` filled in; exactly one is chosen.

    `proposal` is a candidate and the reason for every candidate, by a rule that knows more than the table does
    (`propose_by_forward`); else see `propose` for the rule. `choice` overrules it, also with a
    candidate that is not feasible; the reasons then name both.

    Raises
    ------
    InputError
        `choice` is no candidate (the message names near ones, or all), or nothing is feasible and there is no baseline
        to fall back on (the message names what comes closest).

    Examples
    --------
    >>> labels = pd.DataFrame({"kmeans-2": [0, 0, 1, 1], "ward-2": [0, 0, 1, 1], "kmeans-4": [0, 1, 2, 3]})
    >>> candidates = pd.DataFrame({"candidate_id": list(labels), "family": ["kmeans", "hierarchical", "kmeans"],
    ...     "segments": [2, 2, 4], "noise_share": 0.0, "smallest_share": [0.5, 0.5, 0.25], "silhouette": [0.5, 0.5, 0]})
    >>> small = Parameters(min_segments=2, max_segments=3, min_customers=1)
    >>> choose(candidates, labels, small)[["candidate_id", "feasible", "chosen"]]
      candidate_id  feasible  chosen
    0     kmeans-2      True    True
    1       ward-2      True   False
    2     kmeans-4     False   False
    >>> choose(candidates, labels, small, choice="kmeans2")
    Traceback (most recent call last):
    segkit.InputError: choice 'kmeans2' is no candidate; near: kmeans-2, kmeans-4
    >>> choose(candidates, labels, small, choice="nothing-3")
    Traceback (most recent call last):
    segkit.InputError: choice 'nothing-3' is no candidate; there are kmeans-2, ward-2, kmeans-4
    """
    ids = candidates["candidate_id"].to_list()
    if choice and choice not in ids:
        near = difflib.get_close_matches(choice, ids, n=3)
        there = f"near: {', '.join(near)}" if near else f"there are {', '.join(ids)}"
        raise InputError(f"choice {choice!r} is no candidate; {there}")
    limits = broken_limits(candidates, labels, parameters)
    proposed, reasons = proposal or propose(candidates, labels, parameters)
    reasons = dict(reasons)
    taken = choice or proposed
    if taken != proposed:
        but = f" It breaks a limit: {limits[taken]}." if limits[taken] else ""
        reasons[taken] = f"Chosen by the analyst; segkit proposed {proposed}.{but}"
        reasons[proposed] = f"{reasons[proposed]} The analyst chose {taken} instead."
    elif choice:
        reasons[taken] = f"Chosen by the analyst, as segkit proposed. {reasons[taken]}"
    return candidates.assign(
        feasible=[not limits[candidate] for candidate in ids],
        reason=[reasons[candidate] for candidate in ids],
        chosen=[candidate == taken for candidate in ids],
    )


def propose(candidates: pd.DataFrame, labels: pd.DataFrame, parameters: Parameters) -> tuple[str, dict[str, str]]:
    """Return the candidate to propose and, for every candidate, why it or why not.

    Among the candidates within the limits (`broken_limits`), in this order:

    1. *Agreement*: those that other families see too (`agreement` within `LIKE_AGREEMENT` of the best);
    2. *Separation*: of these, those whose silhouette is within `LIKE_SEPARATION` of the best;
    3. of these, the fewest segments, then the simplest family (`SIMPLEST_FIRST`), then the more agreed on.

    One after the other, not a weighted score: each step can be read off the table. Where no candidate is within the
    limits the RFM map is proposed; where there is none, the steadiest of those that only don't come back.
    """
    table = candidates.set_index("candidate_id")
    limits = broken_limits(candidates, labels, parameters)
    reasons = {candidate: f"Not feasible: {limit}." for candidate, limit in limits.items() if limit}
    baselines = table.index[table["family"].isin(BASELINES)]
    reasons |= dict.fromkeys(baselines, "A rule to be beaten: judged beside the others, outside the limits on sizes.")
    rest = table.drop(index=list(reasons))
    if rest.empty:
        return _fall_back(table, limits, reasons)
    rest = rest.assign(
        agreement=agreement(rest.reset_index(), labels).fillna(-1),
        silhouette=rest["silhouette"].fillna(-1),
        simplicity=rest["family"].map(SIMPLEST_FIRST.index),
    )
    agreed = rest[rest["agreement"] >= rest["agreement"].max() - LIKE_AGREEMENT]
    apart = agreed[agreed["silhouette"] >= agreed["silhouette"].max() - LIKE_SEPARATION]
    order = apart.assign(disagreement=-apart["agreement"].round(6)).reset_index()
    order = order.sort_values(["segments", "simplicity", "disagreement", "candidate_id"])
    best = order["candidate_id"].iloc[0]
    for candidate, row in rest.iterrows():
        reasons[candidate] = _why_not(row, rest.loc[best], best, candidate in agreed.index, candidate in apart.index)
    seen = "No other family is feasible with as many segments"
    if rest.loc[best, "agreement"] >= 0:
        seen = f"Other families see much the same segments (adjusted Rand index {rest.loc[best, 'agreement']:.2f})"
    like = "nobody else is as agreed on" if len(agreed) == 1 else f"one of {len(agreed)} that are as agreed on"
    reasons[best] = f"{seen}; {like}; silhouette {rest.loc[best, 'silhouette']:.2f}."
    return best, reasons


def broken_limits(candidates: pd.DataFrame, labels: pd.DataFrame, parameters: Parameters) -> dict[str, str]:
    """Return, by candidate_id, which limits on segments, sizes and noise it breaks; empty where none.

    Baselines are outside the limits.
    """
    limits = {}
    for row in candidates.itertuples():
        broken = []
        segments = f"{row.segments} segment{'' if row.segments == 1 else 's'}"
        if row.segments < parameters.min_segments:
            broken.append(f"{segments}, and at least {parameters.min_segments} are wanted")
        if row.segments > parameters.max_segments:
            broken.append(f"{segments}, and at most {parameters.max_segments} are wanted")
        if row.segments:
            everybody = getattr(row, "customers", len(labels))  # labels may be of a sample
            least = round(row.smallest_share * everybody)
            smallest = f"its smallest segment has {least:,} of {everybody:,} customers"
            if row.smallest_share < parameters.min_share:
                broken.append(f"{smallest}, and at least {100 * parameters.min_share:.1f} % are wanted")
            elif least < parameters.min_customers:
                broken.append(f"{smallest}, and at least {parameters.min_customers:,} are wanted")
        if row.noise_share > parameters.max_noise:
            broken.append(
                f"it leaves out {100 * row.noise_share:.1f} % of customers, and at most "
                f"{100 * parameters.max_noise:.1f} % are allowed"
            )
        least_stable = getattr(row, "stability_jaccard_min", np.nan)
        if least_stable < DISSOLVES:
            broken.append(f"{UNSTABLE} (mean Jaccard index {least_stable:.2f}, below {DISSOLVES})")
        limits[row.candidate_id] = "" if row.family in BASELINES else "; ".join(broken)
    return limits


def agreement(candidates: pd.DataFrame, labels: pd.DataFrame) -> pd.Series:
    """Return, by candidate_id, how far other families see the same segments.

    The mean adjusted Rand index (Hubert & Arabie 1985; customers left out are a group of their own) with each other
    family's candidates of as many segments or one more or fewer, averaged within families first; missing where there
    is none. Baselines, and labellings of fewer than two segments, don't count.
    """
    judged = candidates[~candidates["family"].isin(BASELINES) & (candidates["segments"] >= 2)]
    rows = list(judged[["candidate_id", "family", "segments"]].itertuples(index=False))
    groups = {row.candidate_id: labels[row.candidate_id].to_numpy() + 1 for row in rows}
    pairs = [
        (one.candidate_id, other.candidate_id, adjusted_rand(contingency(groups[one[0]], groups[other[0]])))
        for one, other in combinations(rows, 2)
        if one.family != other.family and abs(one.segments - other.segments) <= 1
    ]
    both_ways = pairs + [(other, one, index) for one, other, index in pairs]
    long = pd.DataFrame(both_ways, columns=["candidate_id", "other", "index"])
    long["family"] = long["other"].map(judged.set_index("candidate_id")["family"])
    by_family = long.groupby(["candidate_id", "family"])["index"].mean()
    return by_family.groupby("candidate_id").mean().reindex(candidates["candidate_id"])


def _why_not(row: pd.Series, best: pd.Series, name: str, agreed: bool, apart: bool) -> str:
    if not agreed and row["agreement"] < 0:
        return f"No other family is feasible with as many segments, so nothing confirms it; {name} is confirmed."
    if not agreed:
        return (
            f"Other families agree less with it (adjusted Rand index {row['agreement']:.2f}) "
            f"than with {name} ({best['agreement']:.2f})."
        )
    if not apart:
        return (
            f"As agreed on as {name}, but its segments lie less apart "
            f"(silhouette {row['silhouette']:.2f}, {name} {best['silhouette']:.2f})."
        )
    if row["segments"] > best["segments"]:
        return f"As agreed on and as far apart as {name}, with {row['segments']} segments for {best['segments']}."
    return f"As agreed on, as far apart and as many segments as {name}, by a less simple method."


def _fall_back(table: pd.DataFrame, limits: dict[str, str], reasons: dict[str, str]) -> tuple[str, dict[str, str]]:
    learned = table[~table["family"].isin(BASELINES)]
    order = learned.sort_values(["noise_share", "smallest_share"], ascending=[True, False])
    closest = f"closest is {order.index[0]}: {limits[order.index[0]]}" if len(order) else "none was fitted"
    maps = table.index[table["family"] == "rfm"]
    passing = [name for name in order.index if limits[name].startswith(UNSTABLE)]  # it breaks no other limit
    if maps.empty and passing:
        best = order.loc[passing, "stability_jaccard_min"].astype(float).idxmax()
        reasons[best] = f"No segmentation comes back from other customers; this is the steadiest ({limits[best]})."
        return best, reasons
    if maps.empty:
        raise InputError(
            f"no candidate is within the limits ({closest}); relax min_segments, min_share, min_customers or max_noise"
        )
    reasons[maps[0]] = f"No learned segmentation is within the limits ({closest}): use the RFM map."
    return maps[0], reasons
