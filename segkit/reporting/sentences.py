"""Sentences of the report that answer first: who brings the revenue, what the segments are, whether to use them."""

import pandas as pd

from segkit.runtime.text import number_word, percent
from segkit.validation.selection import DISSOLVES
from segkit.validation.verdict import CORRELATION_ALONE, STABLE

MOST_NAMED = 3  # segments in the headline
BASELINES = ("rfm", "tiers")  # rules without learning, outside the limits on sizes


def headline(segments: pd.DataFrame) -> str:
    """Return the headline: how few segments bring half of the revenue, and which ones.

    Parameters
    ----------
    segments : DataFrame
        ``segment_id, segment, customer_share, revenue_share``; S0 is not counted as a segment.

    Examples
    --------
    >>> shares = {"customer_share": [0.1, 0.2, 0.7], "revenue_share": [0.45, 0.3, 0.25]}
    >>> table = pd.DataFrame({"segment_id": ["S1", "S2", "S3"], "segment": ["Loyal", "New", "Rare"]} | shares)
    >>> headline(table)
    'Two of three segments bring 75 % of revenue: Loyal and New, 30 % of customers.'
    """
    real = segments[segments["segment_id"] != "S0"]
    if real["revenue_share"].isna().any():
        biggest = real.sort_values("customer_share", ascending=False).iloc[0]
        return (
            f"{number_word(len(real)).capitalize()} segments; the largest, {biggest['segment']}, holds "
            f"{percent(biggest['customer_share'], 0)} of customers."
        )
    best_first = real.sort_values("revenue_share", ascending=False)
    needed = int((best_first["revenue_share"].cumsum() < 0.5).sum()) + 1
    core = best_first.head(needed)
    verb = "brings" if needed == 1 else "bring"
    brings = f"{verb} {percent(core['revenue_share'].sum(), 0)} of revenue"
    some = f"{number_word(needed).capitalize()} of {number_word(len(real))} segments"
    people = f"{percent(core['customer_share'].sum(), 0)} of customers"
    if needed > MOST_NAMED:
        return f"{some}, {people}, {brings}."
    *others, last = core["segment"]
    named = f"{', '.join(others)} and {last}" if others else last
    return f"{some} {brings}: {named}, {people}."


def tell_choice(candidates: pd.DataFrame, kept: str = "") -> str:
    """Return how many candidates were compared and why the chosen one was chosen.

    Parameters
    ----------
    candidates : DataFrame
        ``candidate_id, family, segments, reason, chosen``.
    kept : str
        Of a model that is kept: where it was judged.

    Examples
    --------
    >>> table = pd.DataFrame({"candidate_id": ["kmeans-4", "ward-3"], "family": ["kmeans", "hierarchical"]})
    >>> table = table.assign(segments=[4, 3], feasible=[True, False], reason="It says most.", chosen=[True, False])
    >>> tell_choice(table)
    '2 segmentations of two families were compared. Chosen: kmeans-4, four segments. It says most.'
    """
    chosen = candidates[candidates["chosen"]].iloc[0]
    told = f"{chosen['candidate_id']}, {number_word(int(chosen['segments']))} segments"
    learned = ~candidates["family"].isin(BASELINES)
    if candidates["chosen"].sum() == learned.sum() == 1:
        return f"The model of an earlier month is kept: {told}. {kept}".strip()
    families = number_word(candidates["family"].nunique())
    return f"{len(candidates)} segmentations of {families} families were compared. Chosen: {told}. {chosen['reason']}"


_CUTS = {"reproducible": "cuts through a continuum", "constructive": "cuts made where they are useful"}


def tell_verdict(verdict: dict, forward: str) -> str:
    """Return what the chosen segmentation is and how far to trust it, in words for a manager.

    Parameters
    ----------
    verdict : dict
        As in ``run.json``.
    forward : str
        What the segments say about the future (`tell_forward`).

    Examples
    --------
    >>> evidence = {"comes_back": 0.94, "resamples": 100, "stability_jaccard_min": 0.784}
    >>> tell_verdict({"structure": "reproducible", "evidence": evidence}, "They tell nothing.")
    'No gap was found between these segments: take them as cuts through a continuum. They are stable: each comes back in
    at least 94 of 100 random draws of customers, with at least half the same customers (78 % or more on average).
    They tell nothing.'
    >>> evidence = {"comes_back": 1.0, "resamples": 20, "stability_jaccard_min": 0.7, "doubtful": 3}
    >>> tell_verdict({"structure": "constructive", "evidence": evidence}, "")
    'No gap ... Each comes back in all 20 random draws of customers, with other borders but at least half the same
    customers (70 % or more on average). Below 75 % borders are doubtful: those of three are.'
    """
    return " ".join(filter(None, [_tell_structure(verdict), _tell_return(verdict), forward]))


def _tell_structure(verdict: dict) -> str:
    if verdict["structure"] == "natural":
        return "These segments are natural: fewer customers lie between them than within them."
    if verdict["structure"] not in _CUTS:
        return ""
    share = verdict.get("evidence", {}).get("separated_share") or 0
    found = "No gap was found between these segments"
    if share:
        found = "A gap was found between some of these segments, not between all"
    if share == 1:
        found = "Gaps were found between these segments, but their borders move"
    other = verdict.get("evidence", {}).get("natural")
    beside = f" {other} is natural: fewer customers lie between its segments than within them." if other else ""
    return f"{found}: take them as {_CUTS[verdict['structure']]}.{beside}"


def _tell_return(verdict: dict) -> str:
    evidence = verdict.get("evidence", {})
    share, resamples, common = map(evidence.get, ("comes_back", "resamples", "stability_jaccard_min"))
    if share is None or not resamples or common is None:
        return ""
    back = round(share * resamples)
    # A Jaccard index of 0.5; and its mean, of the segment where it is least.
    same = f"at least half the same customers ({percent(common, 0)} or more on average)."
    doubtful = evidence.get("doubtful")  # segments with a mean from DISSOLVES to STABLE, where they were counted
    if doubtful or (doubtful is None and DISSOLVES <= common < STABLE):
        those = "those of at least one are" if doubtful is None else f"those of {number_word(int(doubtful))} are"
        same += f" Below {percent(STABLE, 0)} borders are doubtful: {those}."
    draws = f"{resamples:.0f} random draws of customers"
    if common < DISSOLVES:
        return f"Not all of them come back: one did in only {back} of {draws}, with {same}"
    least = f"at least {back} of" if back < resamples else "all"
    if verdict["structure"] == "constructive":
        return f"Each comes back in {least} {draws}, with other borders but {same}"
    told = f"They are stable: each comes back in {least} {draws}, with {same}"
    if CORRELATION_ALONE in verdict.get("why", ""):
        told += " Cuts would be as stable wherever customers' figures merely rise and fall together."
    return told


def tell_advice(verdict: dict) -> str:
    """Return what to do instead where the segments are not worth having; an empty text where they are.

    Examples
    --------
    >>> tell_advice({"segment_at_all": False, "advice": "use the RFM map: these segments say no more about the future"})
    'Use the RFM map: these segments say no more about the future. They are shown all the same.'
    """
    if verdict["segment_at_all"] or not (advice := verdict.get("advice", "")):
        return ""
    told = f"{advice[0].upper()}{advice[1:]}."
    if verdict.get("chosen", "").startswith("rfm-") and advice.startswith("use the RFM map"):
        return told  # it is what the page shows
    return f"{told} They are shown all the same."


def tell_sizes(sizes: pd.Series) -> str:
    """Return how many customers were put into each segment, largest first.

    Examples
    --------
    >>> tell_sizes(pd.Series({"Loyal": 2, "New": 1}))
    '3 customers: Loyal 2, New 1.'
    """
    return f"{sizes.sum():,} customers: " + ", ".join(f"{name} {count:,}" for name, count in sizes.items()) + "."
