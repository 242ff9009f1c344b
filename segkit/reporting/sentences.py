"""Sentences of the report that answer first: what to do, how far to trust the segments, how they were chosen."""

import pandas as pd

from segkit.runtime.labels import label_of
from segkit.runtime.text import money, number_word, percent
from segkit.segments.naming.descriptions import figure, unsaid
from segkit.targeting.levers import LEVERS
from segkit.validation.selection import DISSOLVES
from segkit.validation.verdict import CORRELATION_ALONE, STABLE

NO_SEGMENTS = "do not segment"  # how such an advice begins
MOST_WORDS = 40  # on how far to trust the segments
BASELINES = ("rfm", "tiers")  # rules without learning, outside the limits on sizes


def headline(
    actions: pd.DataFrame, segments: pd.DataFrame, profile: pd.DataFrame, currency: str, days: int, advice: str = ""
) -> str:
    """Return the headline: what to do first, with whom, how many they are, how much money, and how they differ.

    Where nothing is known of money it is what sets one segment apart most; where the advice is not to segment, that.

    Parameters
    ----------
    actions : DataFrame
        As `list_actions` returns it: what can be tested and touches most money first.
    segments : DataFrame
        ``segment_id, segment, customers, customer_share``; S0 is not counted as a segment.
    profile : DataFrame
        As `profile_segments` returns it.
    currency : str
    days : int
        Days of orders behind the figures.
    advice : str
        Of the verdict.

    Examples
    --------
    >>> first = {"segment_id": "S3", "segment": "Deal hunters", "customers": 245, "lever": "smaller discounts"}
    >>> first |= {"rate": 0.19, "others": 0.14, "at_stake": 130945.0, "can_test": True}
    >>> headline(pd.DataFrame([first]), pd.DataFrame(), pd.DataFrame(), "USD", 273)
    'Start with smaller discounts for Deal hunters: 245 customers who got 130,945 USD off in 273 days, 19 % of list
    prices (all others 14 %).'
    """
    if advice.startswith(NO_SEGMENTS):
        return f"{advice[0].upper()}{advice[1:]}."
    known = actions[actions["at_stake"].notna()] if len(actions) else actions
    if known.empty:
        return _most_apart(segments[segments["segment_id"] != "S0"], profile)
    first = known.iloc[0]
    lever = next((lever for lever in LEVERS if lever.name == first["lever"] and lever.tried), None)
    tried = (lever.tried if lever else f"{first['lever']} for {{}}").format(first["segment"])
    told = _told_money(first, profile, currency, days)
    start = "Start with" if first["can_test"] else "Most is at stake with"
    return f"{start} {tried}: {first['customers']:,} customers {told}."


def _told_money(first, profile: pd.DataFrame, currency: str, days: int) -> str:
    """Return what the money of an idea is and how far the segment differs in it."""
    sum_of = money(first["at_stake"], currency)
    rates = f"{percent(first['rate'], 0)} of {{}} (all others {percent(first['others'], 0)})"
    if first["lever"] == "smaller discounts":
        return f"who got {sum_of} off in {days} days, {rates.format('list prices')}"
    if first["lever"] == "fewer returns":
        return f"who returned {sum_of} in {days} days, {rates.format('what they bought')}"
    if first["lever"] == "win back":
        return f"of whom those who stayed away lately spent {sum_of} in {days} days"
    told = f"who spent {sum_of} in {days} days" if first["lever"] == "more per customer" else f"and {sum_of}"
    own = profile[(profile["segment_id"] == first["segment_id"]) & (profile["feature"] == "spend")]
    if own.empty or not own["differs"].iloc[0]:
        return told
    row = own.iloc[0]
    return f"{told}, {money(row['centre'], currency)} at the median (all customers {money(row['overall'], currency)})"


def _most_apart(real: pd.DataFrame, profile: pd.DataFrame) -> str:
    """Return which segment differs most from all customers, and in what."""
    plain = profile[profile["differs"] & (profile["level"] == "") & profile["segment_id"].isin(real["segment_id"])]
    told = [row for row in plain.sort_values("effect_sd", key=abs, kind="stable").itertuples() if not unsaid(row)]
    if not told:
        biggest = real.sort_values("customer_share", ascending=False).iloc[0]
        share = percent(biggest["customer_share"], 0)
        count = number_word(len(real)).capitalize()
        return f"{count} segments; the largest, {biggest['segment']}, is {share} of customers."
    row = told[-1]
    own = real.set_index("segment_id").loc[row.segment_id]
    return (
        f"{own['segment']} stand apart most: {own['customers']:,} customers ({percent(own['customer_share'], 0)}) with "
        f"{label_of(row.feature)} {figure(row.centre, row.kind)} (all customers {figure(row.overall, row.kind)})."
    )


def tell_trust(segments: pd.DataFrame, structure: str | None) -> str:
    """Return how far to trust the segments, in at most 40 words for a reader.

    Parameters
    ----------
    segments : DataFrame
        ``segment_id, segment, border`` (firm, blurred, or null where it isn't known).
    structure : str or None
        Of the verdict.

    Examples
    --------
    >>> borders = {"segment_id": ["S1", "S2", "S3"], "segment": ["Loyal", "New", "Rare"]}
    >>> tell_trust(pd.DataFrame(borders | {"border": ["firm", "firm", "blurred"]}), "constructive")
    'Trust the borders of two segments; that of Rare blurs: who stands near it could as well be next door. The segments
    are cuts that we made, not groups that customers form.'
    """
    real = segments[segments["segment_id"] != "S0"]
    border = real["border"] if "border" in real else pd.Series(None, index=real.index, dtype="object")
    cut = "The segments are cuts that we made, not groups that customers form."
    groups = "The segments are groups: few customers lie between them." if structure == "natural" else cut
    if border.isna().all():
        return groups if structure else ""
    blurred = real["segment"][border == "blurred"].tolist()
    firm = int((border == "firm").sum())
    if not blurred:
        return f"Trust the borders of {'both' if firm == 2 else f'all {number_word(firm)}'} segments. {groups}"
    for named in (blurred, []):
        those = (
            f"{'that' if len(blurred) == 1 else 'those'} of {_listed(named)}" if named else number_word(len(blurred))
        )
        near = "blurs: who stands near it" if len(blurred) == 1 else "blur: who stands near them"
        firm_ones = "the border of one segment" if firm == 1 else f"the borders of {number_word(firm)} segments"
        trust = f"Trust {firm_ones}; {those} {near} could as well be next door."
        if not firm:
            trust = "Don't trust single borders: all of them blur, and who stands near one could as well be next door."
        if len(f"{trust} {groups}".split()) <= MOST_WORDS:
            break
    return f"{trust} {groups}"


def _listed(names: list[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


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


def tell_columns(candidates: pd.DataFrame) -> str:
    """Return what the columns of the comparison say of the future; nothing where nothing could be judged."""
    if candidates[["forward_value", "forward_behaviour"]].isna().all(axis=None):
        return ""
    return (
        "The columns say how much of what can be known (as much as the best model of all knows) each candidate tells "
        "of how much customers buy next, and of what and how, all from customers that had no part in the choice. "
        "Percentages among the reasons take both together, on the other half, by which the choice was made. In the "
        "figure every candidate is a point, and the ring marks the one that was taken."
    )


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

    Not to segment at all is said by the headline.

    Examples
    --------
    >>> advice = "use the RFM map: learned segments say no more about the future"
    >>> tell_advice({"segment_at_all": False, "advice": advice, "chosen": "rfm-10"})
    'Use the RFM map: learned segments say no more about the future.'
    """
    advice = verdict.get("advice", "")
    if verdict["segment_at_all"] or not advice or advice.startswith(NO_SEGMENTS):
        return ""
    told = f"{advice[0].upper()}{advice[1:]}."
    if verdict.get("chosen", "").split("-")[0] in BASELINES and advice.startswith("use "):
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
