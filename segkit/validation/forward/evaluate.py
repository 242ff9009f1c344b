"""Which candidate to propose by what it says about the future, and why not the others."""

import pandas as pd

from segkit.clustering.freeze import BASELINES
from segkit.runtime.parameters import Parameters
from segkit.validation.forward.skill import Shares
from segkit.validation.selection import SIMPLEST_FIRST, broken_limits, propose
from segkit.validation.verdict import Advice, segment_at_all

# Two things make a candidate as good as the best: that the customers can't tell them apart (one standard error of the
# paired difference: Breiman et al. 1984, section 3.4.3), or that it says at most this much less of the ceiling, however
# certain. Without the second the most segments would win wherever there are enough customers, each for a gain that
# nobody would notice; a 95 % interval in place of the first would take what few customers can't show for equality.
AS_GOOD = 0.02
HIGHLY_STABLE = 0.85  # mean Jaccard index of a segment (Hennig 2007, section 3)
RULE_NAMES = {"rfm-10": "an RFM map", "tiers-5": "sorting by spend alone"}
FORWARD_RULE = """\
1. Forward skill: on one half of the customers, those whose share of what can be known about the days to come is within
   one standard error of the paired difference, or 0.02, of the best.
2. Of these, natural ones if there are any.
3. Of these, the fewest segments, then the simplest family, then the larger share.
Reasons tell how much and what and how together, on the half used to choose; shares elsewhere are of the other half."""
STRUCTURE_RULE = """\
1. The natural candidate with the most segments.
2. Where none is natural, the one with the most segments all of which are highly stable (mean Jaccard index of 0.85).
3. Else the most stable one (mean adjusted Rand index between resamples)."""


def propose_by_forward(
    candidates: pd.DataFrame, labels: pd.DataFrame, parameters: Parameters, shares: Shares | None
) -> tuple[str, dict[str, str]]:
    """Return the candidate to propose and, for every candidate, why it or why not; for `choose`.

    By `FORWARD_RULE` over the candidates within the limits (`broken_limits`); by
    `STRUCTURE_RULE` where nothing can be judged; by `propose` where resamples are missing too, or
    nothing is within the limits.

    Parameters
    ----------
    candidates : DataFrame
        candidate_id, family, segments, noise_share, smallest_share and, where known, structure, stability_ari.
    labels : DataFrame
        Index customer_id, a column per candidate.
    parameters : Parameters
    shares : Shares or None
        What each candidate tells, judged one horizon back.

    Examples
    --------
    >>> import numpy as np
    >>> labels = pd.DataFrame({"kmeans-2": [0, 0, 1, 1], "kmeans-3": [0, 1, 2, 2], "ward-2": [0, 1, 0, 1]})
    >>> candidates = pd.DataFrame({"candidate_id": list(labels), "family": ["kmeans", "kmeans", "hierarchical"],
    ...     "segments": [2, 3, 2], "noise_share": 0.0, "smallest_share": [0.5, 0.25, 0.5], "structure": "reproducible"})
    >>> draws = np.array([0.50, 0.51, 0.20])[None, :, None] + np.zeros((9, 1, 3))
    >>> shares = Shares(tuple(labels), dict.fromkeys(("all", "choosing", "reporting"), draws))
    >>> small = Parameters(min_segments=2, min_customers=1)
    >>> best, reasons = propose_by_forward(candidates, labels, small, shares)
    >>> best
    'kmeans-2'
    >>> print(reasons["kmeans-3"])
    Says hardly more than kmeans-2 on the half used to choose (51 % of what can be known, kmeans-2 50 %), with 3
    segments for 2.
    """
    table = candidates.set_index("candidate_id")
    limits = broken_limits(candidates, labels, parameters)
    reasons = {candidate: f"Not feasible: {limit}." for candidate, limit in limits.items() if limit}
    rules = table.index[table["family"].isin(BASELINES)]
    reasons |= dict.fromkeys(rules, "A rule to be beaten: judged beside the others, outside the limits on sizes.")
    rest = table.drop(index=list(reasons))
    if shares is not None:
        judged = [name for name in rest.index if name in shares.candidates]
        known = shares.behind(judged[0])["share"].loc[judged].notna() if judged else pd.Series(dtype=bool)
        if known.any():
            best, found = _by_forward(rest, shares, list(known.index[known]))
            return best, reasons | found
    if len(rest) and "stability_ari" in rest and rest["stability_ari"].notna().any():
        best, found = _by_structure(rest)
        return best, reasons | found
    return propose(candidates, labels, parameters)


def _by_forward(rest: pd.DataFrame, shares: Shares, judged: list[str]) -> tuple[str, dict[str, str]]:
    first = shares.behind(judged[0])["share"].loc[judged].idxmax()
    table = shares.behind(first).loc[judged]
    allowed = table["error"].clip(lower=AS_GOOD)
    as_good = table[table["behind"] <= allowed].join(rest[["segments", "family"]])
    structure = rest.get("structure", pd.Series(index=rest.index, dtype=object))
    natural = [name for name in as_good.index if structure[name] == "natural"]
    near = as_good.loc[natural or as_good.index].assign(
        simplicity=lambda rows: rows["family"].map(SIMPLEST_FIRST.index)
    )
    near = near.assign(share=-near["share"].round(9)).rename_axis("candidate_id").reset_index()
    best = near.sort_values(["segments", "simplicity", "share", "candidate_id"])["candidate_id"].iloc[0]
    reasons = {}
    for name in rest.index:
        if name not in judged:
            reasons[name] = "What it says about the days to come could not be judged: its recipe needs longer history."
        elif name != best:
            reasons[name] = _why_not(name, best, first, table, rest, name in as_good.index, natural)
    lead, behind, error = "the most of all within the limits", *table.loc[best, ["behind", "error"]]
    if best != first:
        most = f"{first} ({_percent(table.loc[first, 'share'])})"
        lead = f"no less than {most} within one standard error"
        if behind > error:
            lead = f"{100 * behind:.1f} points less than {most}, where up to {100 * AS_GOOD:.0f} count as equal"
    others = f"; simplest of the {len(as_good)} that say about as much" if len(as_good) > 1 else ""
    kind = ", natural" if best in natural else ""
    share = _percent(table.loc[best, "share"])
    says = f"On the half of the customers used to choose, it says {share} of what can be known about the days to come"
    other = shares.figures("reporting").set_index("candidate_id").loc[best]
    parts, beside = _told(other), ""
    if len(parts) > 1:
        says += f" ({' and '.join(parts)} together)"
    if parts:
        beside = f". On the other half it says {_percent(other['forward_share'])}"
        beside += ": " + ", ".join(f"{part} of {what}" for what, part in parts.items()) if len(parts) > 1 else ""
    reasons[best] = f"{says}, {lead}{kind}{others}{beside}."
    return best, reasons


def _why_not(name, best, first, table, rest, as_good: bool, natural: list[str]) -> str:
    own, other = _percent(table.loc[name, "share"]), _percent(table.loc[best, "share"])
    if not as_good:
        return (
            f"Says less about the days to come on the half used to choose: {own} of what can be known, {first} "
            f"{_percent(table.loc[first, 'share'])} "
            f"(standard error of the difference {100 * table.loc[name, 'error']:.1f} points)."
        )
    more = "hardly" if table.loc[best, "behind"] - table.loc[name, "behind"] > table.loc[best, "error"] else "no"
    told = f"Says {more} more than {best} on the half used to choose ({own} of what can be known, {best} {other})"
    if natural and name not in natural:
        return f"{told}, and is a cut through a continuum, which {best} is not."
    if rest.loc[name, "segments"] > rest.loc[best, "segments"]:
        return f"{told}, with {rest.loc[name, 'segments']} segments for {rest.loc[best, 'segments']}."
    if SIMPLEST_FIRST.index(rest.loc[name, "family"]) > SIMPLEST_FIRST.index(rest.loc[best, "family"]):
        return f"{told}, with as many segments by a less simple method."
    return f"{told}, with as many segments by the same method."


def _by_structure(rest: pd.DataFrame) -> tuple[str, dict[str, str]]:
    ari = rest["stability_ari"].fillna(-1)
    order = rest.assign(ari=-ari, fewer=-rest["segments"], simplicity=rest["family"].map(SIMPLEST_FIRST.index))
    natural = order[order["structure"] == "natural"] if "structure" in order else order.iloc[:0]
    jaccard = rest["stability_jaccard_min"] if "stability_jaccard_min" in rest else pd.Series(0.0, rest.index)
    sure = order[jaccard >= HIGHLY_STABLE]
    if len(natural):
        best = natural.sort_values(["fewer", "ari", "simplicity"], kind="stable").index[0]
        why = f"Natural, with the most segments of the {len(natural)} natural ones"
    else:
        best = order.sort_values(["ari", "segments", "simplicity"], kind="stable").index[0]
        why = f"None is natural; the most stable (adjusted Rand index {ari[best]:.2f} between resamples)"
        if len(sure):
            best = sure.sort_values(["fewer", "ari", "simplicity"], kind="stable").index[0]
            why = f"None is natural; the most segments of the {len(sure)} all of whose segments come back"
            why += f" (Jaccard index {jaccard[best]:.2f} or more)"
    reasons = {best: f"Nothing that came later can be judged. {why}."}
    for name in rest.index.drop(best):
        if len(natural) and name in natural.index:
            told = f"Natural too, with {rest.loc[name, 'segments']} segments; {best} has {rest.loc[best, 'segments']}."
        elif len(natural):
            told = f"Not natural; {best} is."
        elif name in sure.index:
            told = (
                f"Comes back too, with {rest.loc[name, 'segments']} segments; {best} has {rest.loc[best, 'segments']}."
            )
        elif len(sure):
            told = f"A segment comes back less surely (Jaccard index {jaccard[name]:.2f}, {best} {jaccard[best]:.2f})."
        else:
            told = f"Less stable (adjusted Rand index {ari[name]:.2f}, {best} {ari[best]:.2f})."
        reasons[name] = told
    return best, reasons


def best_rule(shares: Shares) -> str | None:
    """Return the rule to be beaten: of those that were judged, the one that tells most; None where none was."""
    figures = shares.figures("choosing").set_index("candidate_id")["forward_share"]
    rules = figures[figures.index.isin(RULE_NAMES)].dropna()
    return rules.idxmax() if len(rules) else None


def advise_segmenting(chosen: str, shares: Shares | None) -> Advice:
    """Return whether to segment at all, by the half of the customers that did not choose; see `segment_at_all`.

    What must be beaten is `best_rule`; where that is what was chosen, one segment.
    """
    if shares is None or chosen not in shares.candidates:
        return segment_at_all(pd.DataFrame(columns=["group", "against", "low"]))
    baseline = best_rule(shares)
    baseline = None if baseline == chosen else baseline
    against = {"one segment": None, "baseline": baseline}
    gains = [shares.gains(chosen, other, "reporting").assign(against=name) for name, other in against.items()]
    gains = pd.concat(gains, ignore_index=True)
    if gains.empty:
        return Advice(False, "do not segment: nothing that these customers do next can be predicted")
    name = RULE_NAMES.get(baseline, "one segment").replace("an RFM", "the RFM")
    return segment_at_all(gains[gains["group"] != "both"][["group", "against", "low"]], name)


def tell_forward(chosen: str, shares: Shares | None) -> str:
    """Return a sentence with what the chosen candidate and the baseline tell, of customers that did not choose.

    Examples
    --------
    >>> tell_forward("kmeans-5", None)
    'What these segments say about the future can not be judged yet.'
    >>> import numpy as np
    >>> draws = np.array([[0.62, 0.48, 0.55], [0.70, 0.02, 0.36]])[None] + np.zeros((9, 1, 1))
    >>> shares = Shares(("kmeans-5", "rfm-10"), dict.fromkeys(("all", "choosing", "reporting"), draws))
    >>> print(tell_forward("kmeans-5", shares))
    They tell 62 % of what can be known about how much these customers will buy, and 48 % about what and how; \
an RFM map tells 70 % and 2 %.
    """
    if shares is None or chosen not in shares.candidates:
        return "What these segments say about the future can not be judged yet."
    figures = shares.figures("reporting").set_index("candidate_id")
    own, baseline = _told(figures.loc[chosen]), best_rule(shares)
    if not own:
        return "Nobody can predict what these customers do next, so no segments can tell it."
    (first, share), *more = own.items()
    text = f"They tell {share} of what can be known about {first} these customers will buy"
    text += "".join(f", and {share} about {what}" for what, share in more)
    if baseline and baseline != chosen and (beside := _told(figures.loc[baseline])):
        text += f"; {RULE_NAMES[baseline]} tells {' and '.join(beside.values())}"
    return f"{text}."


def _told(figures: pd.Series) -> dict[str, str]:
    shares = {"how much": figures["forward_value"], "what and how": figures["forward_behaviour"]}
    # Segments of a few clear kinds can beat the models of one half of the customers by chance: that is all, not more.
    return {what: _percent(min(share, 1.0)) for what, share in shares.items() if pd.notna(share)}


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
