"""All rules of choice: the limits, which candidate to propose and why not the others, and whether to segment at all."""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from segkit.clustering.fit import NOT_FITTED
from segkit.clustering.rfm import RFM
from segkit.runtime.errors import InputError
from segkit.validation.candidates import FORWARD, Candidates, json_number
from segkit.validation.forward.skill import Shares
from segkit.validation.verdict import STABLE

SEPARATION_RULE = """\
Neither the future nor resamples are known.
1. Those whose mean silhouette width is within 0.02 of the best.
2. Of these, the fewest segments, then the simplest family."""
STRUCTURE_RULE = """\
1. The natural candidate with the most segments.
2. Where none is natural, the one with the most segments all of which are highly stable (mean Jaccard index of 0.85).
3. Else the most stable one (mean adjusted Rand index between resamples)."""
FORWARD_RULE = """\
1. Forward skill: on one half of the customers, those whose share of what can be known about the days to come is within
   one standard error of the paired difference, or 0.02, of the best.
2. Of these, natural ones if there are any.
3. Of these, the fewest segments, then the simplest family, then the larger share.
Reasons tell how much and what and how together, on the half used to choose; shares elsewhere are of the other half."""
KEPT_RULE = """\
No candidates are tried while the model of an earlier month is kept: its segments are held against the two rules on this
month's customers. Candidates are tried again once customers have drifted from those it was fitted on, or it is old."""
OF_BASELINES = "A rule to be beaten: judged beside the others, outside the limits on sizes."
NOT_RESAMPLED = "not resampled: cannot win"
UNSTABLE = "a segment doesn't come back"
DISSOLVES = 0.6  # mean Jaccard index below which a segment is none (Hennig 2007, section 3)
HIGHLY_STABLE = 0.85  # mean Jaccard index of a segment (Hennig 2007, section 3)
LIKE_SEPARATION = 0.02  # mean silhouette width: smaller differences come and go with the sample
# Two things make a candidate as good as the best: that the customers can't tell them apart (one standard error of the
# paired difference: Breiman et al. 1984, section 3.4.3), or that it says at most this much less of the ceiling, however
# certain. Without the second the most segments would win wherever there are enough customers, each for a gain that
# nobody would notice; a 95 % interval in place of the first would take what few customers can't show for equality.
AS_GOOD = 0.02


@dataclass(frozen=True)
class Limits:
    """What a business can use: limits on segments, their sizes, and customers left out.

    Attributes
    ----------
    min_segments, max_segments : int
        Fewest that are useful, and most that can be treated differently.
    min_share : float
        Smallest share of customers a segment may have.
    min_customers : int or None
        Fewest customers a segment may have; None takes 50, of less than 1,000 customers a twentieth, never under 10.
    max_noise : float
        Largest share of customers a method may leave out.

    Examples
    --------
    >>> [Limits().least(customers) for customers in (40_000, 600, 90)]
    [50, 30, 10]
    >>> Limits(min_segments=5, max_segments=4)
    Traceback (most recent call last):
    segkit.InputError: min_segments is 5 and max_segments 4: the first can't exceed the second
    """

    min_segments: int = 3
    max_segments: int = 12
    min_share: float = 0.02
    min_customers: int | None = None
    max_noise: float = 0.2

    def __post_init__(self):
        if self.min_segments > self.max_segments:
            raise InputError(
                f"min_segments is {self.min_segments} and max_segments {self.max_segments}: the first can't exceed the "
                "second"
            )

    def least(self, customers: int) -> int:
        """Return the fewest customers a segment may have, of so many."""
        if self.min_customers is not None:
            return self.min_customers
        return 50 if customers >= 1_000 else max(10, customers // 20)

    def check(self, customers: int) -> None:
        """Refuse fewer customers than the limits can be kept with.

        Raises
        ------
        InputError
            The message names how many are needed.
        """
        least = self.least(customers)
        if customers < (fewest := self.min_segments * least):
            raise InputError(
                f"there are {customers:,} customers; {fewest:,} are the fewest for min_segments {self.min_segments} x "
                f"min_customers {least}: take a longer window_days, or lower these"
            )


def choose(candidates: Candidates, limits: Limits | None = None, choice: str = "") -> Candidates:
    """Return the candidates with `feasible`, `reason` and `chosen` filled in, and with `proposed` and `verdict`.

    Exactly one is chosen: the proposed one (see `choice_rule`), unless `choice` names another, which may break limits;
    the reasons then name both. Where the best learned one says no more about the future than a rule, the rule is
    proposed.

    Parameters
    ----------
    candidates : Candidates
        Of `compare`; what was found by `judge` and `resample` counts.
    limits : Limits, optional
    choice : str
        A candidate_id, over the rules.

    Raises
    ------
    InputError
        `choice` is no candidate (the message names near ones, or all), or nothing is feasible and there is no baseline
        to fall back on (the message names what comes closest).

    Examples
    --------
    >>> from segkit.clustering.families import FAMILIES
    >>> from segkit.preprocessing.prepare import prepare
    >>> from segkit.validation.compare import compare
    >>> shop = pd.DataFrame({"visits": [*range(30), *range(500, 540)]}, index=[f"c{number}" for number in range(70)])
    >>> candidates = compare(prepare(shop), FAMILIES[:2], segments=[2, 3])
    >>> choose(candidates, Limits(min_segments=2)).table[["candidate_id", "feasible", "chosen"]]
      candidate_id  feasible  chosen
    0     kmeans-2      True    True
    1     kmeans-3     False   False
    2       ward-2      True   False
    3       ward-3     False   False
    >>> choose(candidates, Limits(min_segments=2), choice="kmeans3")
    Traceback (most recent call last):
    segkit.InputError: choice 'kmeans3' is no candidate; near: kmeans-3, kmeans-2
    >>> choose(candidates, Limits(min_segments=2), choice="nothing-3")
    Traceback (most recent call last):
    segkit.InputError: choice 'nothing-3' is no candidate; there are kmeans-2, kmeans-3, ward-2, ward-3
    """
    limits = limits or Limits()
    check_choice(candidates, choice)
    ids = candidates.table["candidate_id"].to_list()
    broken = broken_limits(candidates, limits)
    proposed, reasons = _propose_kept(candidates) if candidates.kept is not None else propose(candidates, limits)
    taken = choice or proposed
    if taken != proposed:
        but = f" It breaks a limit: {broken[taken]}." if broken[taken] else ""
        but = " It was not resampled." if broken[taken] == NOT_RESAMPLED else but
        reasons[taken] = f"Chosen by the analyst; segkit proposed {proposed}.{but}"
        reasons[proposed] = f"{reasons[proposed]} The analyst chose {taken} instead."
    elif choice:
        reasons[taken] = f"Chosen by the analyst, as segkit proposed. {reasons[taken]}"
    table = candidates.table.assign(
        feasible=[not broken[one] for one in ids],
        reason=[reasons[one] for one in ids],
        chosen=[one == taken for one in ids],
    )
    chosen = replace(candidates, table=table, proposed=proposed)
    chosen = replace(chosen, verdict=reach_verdict(chosen))
    return chosen if choice or candidates.kept is not None else _take_the_rule(chosen)


def _take_the_rule(candidates: Candidates) -> Candidates:
    """Return the candidates with the rule chosen that the advice says to use; as they are where it names none."""
    advice = candidates.verdict["advice"]
    if candidates.verdict["segment_at_all"] or not advice.startswith("use ") or candidates.judgement.shares is None:
        return candidates
    rule, learned = best_baseline(candidates), candidates.chosen["candidate_id"]
    if rule in (None, learned):
        return candidates
    table = candidates.table.set_index("candidate_id", drop=False)
    table["chosen"] = table.index == rule
    table.loc[rule, "reason"] = f"{advice[0].upper()}{advice[1:]} than this rule. The best of them is {learned}."
    table.loc[learned, "reason"] += f" It is the best of the learned ones; {rule} is taken, of which it says no more."
    taken = replace(candidates, table=table.reset_index(drop=True), proposed=rule)
    verdict = reach_verdict(taken) | {"segment_at_all": False, "advice": advice, "why": advice}
    return replace(taken, verdict=verdict | {"evidence": verdict["evidence"] | {"learned": learned}})


def check_choice(candidates: Candidates, choice: str) -> None:
    """Refuse a choice that is none of the candidates, before the minutes that judging takes; see `choose`."""
    ids = candidates.table["candidate_id"].to_list()
    if choice and choice not in ids:
        check_tried(choice, max(candidates.segments, default=0))
        near = difflib.get_close_matches(choice, ids, n=3)
        there = f"near: {', '.join(near)}" if near else f"there are {', '.join(ids)}"
        raise InputError(f"choice {choice!r} is no candidate; {there}")
    if choice and choice not in candidates.fitted["candidate_id"].to_list():
        reason = candidates.table.set_index("candidate_id")["reason"][choice]
        raise InputError(f"choice {choice!r} was {reason}; take fewer features, or another candidate")


def check_tried(choice: str, max_segments: int) -> None:
    """Refuse a choice of more segments than will be tried.

    Examples
    --------
    >>> check_tried("kmeans-20", max_segments=12)
    Traceback (most recent call last):
    segkit.InputError: choice 'kmeans-20' is not tried: max_segments is 12; --set max_segments=20 tries it
    """
    counted = re.fullmatch(r"(?:kmeans|ward|gmm-[a-z]+|predictive|layers)-([0-9]{1,4})", choice)
    if counted and int(counted[1]) > max_segments:
        most = f"max_segments is {max_segments}; --set max_segments={counted[1]} tries it"
        raise InputError(f"choice {choice!r} is not tried: {most}")


def choice_rule(candidates: Candidates) -> str:
    """Return the rule by which the proposal was made, in words."""
    if candidates.kept is not None:
        return KEPT_RULE
    if candidates.judgement.shares is not None:
        return FORWARD_RULE
    return STRUCTURE_RULE if len(candidates.stability) else SEPARATION_RULE


def propose(candidates: Candidates, limits: Limits) -> tuple[str, dict[str, str]]:
    """Return the candidate to propose and, for every candidate, why it or why not.

    Of those within the limits, by what they say about the future (`FORWARD_RULE`) where that was judged, else by
    resamples (`STRUCTURE_RULE`) where there are any, else by how far apart their segments lie (`SEPARATION_RULE`). One
    criterion after the other and never a weighted score, so that each step can be read off the table.

    Where no candidate is within the limits the RFM map is proposed; where there is none, the steadiest of those that
    only don't come back.
    """
    table, shares = _known(candidates), candidates.judgement.shares
    broken = broken_limits(candidates, limits)
    reasons = {one: _not_feasible(limit) for one, limit in broken.items() if limit}
    reasons |= dict.fromkeys(table.index[table["baseline"]], OF_BASELINES)
    rest = table.drop(index=list(reasons))
    if rest.empty:
        return _fall_back(table, broken, reasons)
    if judged := _judged(shares, rest.index):
        best, found = _by_forward(rest, shares, judged)
        return best, reasons | found
    best, found = (_by_structure if rest["stability_ari"].notna().any() else _by_separation)(rest)
    return best, reasons | found


def _not_feasible(limit: str) -> str:
    return limit if limit.startswith((NOT_RESAMPLED, NOT_FITTED)) else f"Not feasible: {limit}."


def may_win(candidates: Candidates, names: Sequence[str]) -> list[str]:
    """Return those of some candidates that say as much about the future as the best of them, which comes first.

    By `FORWARD_RULE` only these can be proposed, if the best comes back; where the future is not known, each can.
    """
    judged = _judged(shares := candidates.judgement.shares, names)
    return _as_good(shares, judged)[1] if judged else list(names)


def _judged(shares: Shares | None, names: Iterable[str]) -> list[str]:
    judged = [name for name in names if shares is not None and name in shares.candidates]
    known = shares.behind(judged[0])["share"].loc[judged].notna() if judged else pd.Series(dtype=bool)
    return list(known.index[known])


def _as_good(shares: Shares, judged: list[str]) -> tuple[str, list[str]]:
    """Return the candidate that says most on the half that chooses, and those that say as much."""
    first = shares.behind(judged[0])["share"].loc[judged].idxmax()
    table = shares.behind(first).loc[judged]
    likes = table.index[table["behind"] <= table["error"].clip(lower=AS_GOOD)]
    return first, [first, *likes.drop(first)]


def _known(candidates: Candidates) -> pd.DataFrame:
    """Return the table by candidate_id, with the simplicity of its family and whether it is a baseline."""
    about = candidates.family_table.set_index("family")
    table = candidates.table.set_index("candidate_id")
    simplicity, baseline = (table["family"].map(about[name]) for name in ("simplicity", "baseline"))
    return table.assign(simplicity=simplicity, baseline=baseline.astype(bool))


def _propose_kept(candidates: Candidates) -> tuple[str, dict[str, str]]:
    reasons = candidates.table.set_index("candidate_id")["reason"].to_dict()
    return candidates.kept["candidate_id"], reasons


def broken_sizes(candidates: Candidates, limits: Limits) -> dict[str, str]:
    """Return, by candidate_id, which limits on segments, sizes and noise it breaks; empty where none.

    Baselines are outside the limits; of one that was not fitted it is why.
    """
    found, fitted = {}, set(candidates.fitted["candidate_id"])
    for row, baseline in zip(candidates.table.itertuples(), candidates.is_baseline, strict=True):
        if row.candidate_id not in fitted:
            found[row.candidate_id] = row.reason
            continue
        broken, everybody = [], row.customers  # labels may be of a sample
        segments = f"{row.segments} segment{'' if row.segments == 1 else 's'}"
        if row.segments < limits.min_segments:
            broken.append(f"{segments}, and at least {limits.min_segments} are wanted")
        if row.segments > limits.max_segments:
            broken.append(f"{segments}, and at most {limits.max_segments} are wanted")
        if row.segments:
            smallest = round(row.smallest_share * everybody)
            told = f"its smallest segment has {smallest:,} of {everybody:,} customers"
            if row.smallest_share < limits.min_share:
                broken.append(f"{told}, and at least {100 * limits.min_share:.1f} % are wanted")
            elif smallest < limits.least(everybody):
                broken.append(f"{told}, and at least {limits.least(everybody):,} are wanted")
        if row.noise_share > limits.max_noise:
            broken.append(
                f"it leaves out {100 * row.noise_share:.1f} % of customers, and at most "
                f"{100 * limits.max_noise:.1f} % are allowed"
            )
        found[row.candidate_id] = "" if baseline else "; ".join(broken)
    return found


def broken_limits(candidates: Candidates, limits: Limits) -> dict[str, str]:
    """Return, by candidate_id, which limits it breaks, that on stability included; empty where none.

    A candidate that `resample` left out, because it can't be proposed, counts as breaking one: nobody knows whether it
    comes back.
    """
    found = broken_sizes(candidates, limits)
    if len(asked := set(candidates.stability["candidate_id"])):
        left = candidates.table["candidate_id"][~candidates.is_baseline]
        found |= {name: NOT_RESAMPLED for name in left if name not in asked and not found[name]}
    least = candidates.table.set_index("candidate_id")["stability_jaccard_min"].astype(float)
    for name in least.index[(least < DISSOLVES) & ~candidates.is_baseline.to_numpy()]:
        unstable = f"{UNSTABLE} (mean Jaccard index {least[name]:.2f}, below {DISSOLVES})"
        found[name] = "; ".join(filter(None, (found[name], unstable)))
    return found


def _by_forward(rest: pd.DataFrame, shares: Shares, judged: list[str]) -> tuple[str, dict[str, str]]:
    first, likes = _as_good(shares, judged)
    table = shares.behind(first).loc[judged]
    as_good = table.loc[likes].join(rest[["segments", "simplicity"]])
    natural = [name for name in as_good.index if rest["structure"][name] == "natural"]
    near = as_good.loc[natural or as_good.index]
    near = near.assign(share=-near["share"].round(9)).rename_axis("candidate_id").reset_index()
    best = near.sort_values(["segments", "simplicity", "share", "candidate_id"])["candidate_id"].iloc[0]
    reasons = {}
    for name in rest.index:
        if name not in judged:
            reasons[name] = "What it says about the days to come could not be judged: its recipe needs longer history."
        elif name != best:
            reasons[name] = _why_says_less(name, best, first, table, rest, name in as_good.index, natural)
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


def _why_says_less(name, best, first, table, rest, as_good: bool, natural: list[str]) -> str:
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
    if rest.loc[name, "simplicity"] > rest.loc[best, "simplicity"]:
        return f"{told}, with as many segments by a less simple method."
    return f"{told}, with as many segments by the same method."


def _by_structure(rest: pd.DataFrame) -> tuple[str, dict[str, str]]:
    ari = rest["stability_ari"].fillna(-1)
    order = rest.assign(ari=-ari, fewer=-rest["segments"])
    natural = order[order["structure"] == "natural"]
    jaccard = rest["stability_jaccard_min"].fillna(0.0)
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


def _by_separation(rest: pd.DataFrame) -> tuple[str, dict[str, str]]:
    width = rest["silhouette"].astype(float).fillna(-1)
    apart = rest[width >= width.max() - LIKE_SEPARATION].rename_axis("candidate_id").reset_index()
    best = apart.sort_values(["segments", "simplicity", "candidate_id"])["candidate_id"].iloc[0]
    reasons = {}
    for name in rest.index:
        told = f"Its segments lie less apart (silhouette {width[name]:.2f}, {best} {width[best]:.2f})."
        if name in set(apart["candidate_id"]):
            more, fewer = rest.loc[name, "segments"], rest.loc[best, "segments"]
            told = f"As far apart as {best}, with {more} segments for {fewer}."
            if more == fewer:
                told = f"As far apart and as many segments as {best}, by a less simple method."
        reasons[name] = told
    like = "nobody else is" if len(apart) == 1 else f"simplest of the {len(apart)} that are"
    reasons[best] = f"Its segments lie farthest apart (silhouette {width[best]:.2f}); {like} as far apart."
    return best, reasons


def _fall_back(table: pd.DataFrame, broken: dict[str, str], reasons: dict[str, str]) -> tuple[str, dict[str, str]]:
    order = table[~table["baseline"]].sort_values(["noise_share", "smallest_share"], ascending=[True, False])
    closest = f"closest is {order.index[0]}: {broken[order.index[0]]}" if len(order) else "none was fitted"
    passing = [name for name in order.index if broken[name].startswith(UNSTABLE)]  # it breaks no other limit
    maps = table.index[table["family"] == RFM.name]
    if maps.empty and passing:
        best = order.loc[passing, "stability_jaccard_min"].astype(float).idxmax()
        reasons[best] = f"No segmentation comes back from other customers; this is the steadiest ({broken[best]})."
        return best, reasons
    if maps.empty:
        raise InputError(
            f"no candidate is within the limits ({closest}); relax min_segments, min_share, min_customers or max_noise"
        )
    reasons[maps[0]] = f"No learned segmentation is within the limits ({closest}): use the RFM map."
    return maps[0], reasons


def reach_verdict(candidates: Candidates) -> dict:
    """Return what the chosen segmentation is, whether to segment at all, and why; as in ``run.json``.

    Of a kept model it is the verdict on its fit, which says so, with what is known of the future now.
    """
    chosen = candidates.chosen
    told = {name: json_number(chosen[name]) for name in FORWARD}
    if candidates.kept is not None:
        found = candidates.kept["verdict"]
        evidence = found["evidence"] | {name: figure for name, figure in told.items() if figure is not None}
        why = f"as found when the model was fitted, as of {candidates.kept['as_of']}: {found['why']}"
        return found | {"chosen": chosen["candidate_id"], "why": why, "evidence": evidence}
    name, own = chosen["candidate_id"], chosen["candidate_id"] == candidates.proposed
    advice = advise_segmenting(candidates)
    if own and candidates.family_of(name).baseline and advice.segment_at_all:
        advice = Advice(False, "use the RFM map: no learned segmentation is within the limits")
    if own and not chosen["feasible"]:
        advice = Advice(False, "do not segment: no segmentation comes back from other customers")
    why = candidates.verdicts.set_index("candidate_id")["why"].get(name)
    structure = chosen["structure"] if pd.notna(chosen["structure"]) else None
    table = candidates.table
    natural = table[table["feasible"] & (table["structure"] == "natural") & (structure != "natural")]
    other = natural.sort_values(["segments", "forward_share"])["candidate_id"].iloc[-1:]
    criteria = ("stability_ari", "stability_jaccard_min", "separated_share")
    return {
        "structure": structure,
        "segment_at_all": advice.segment_at_all,
        "chosen": name,
        "proposed": candidates.proposed,
        "advice": advice.text,
        "why": ". ".join(filter(None, (advice.text, why))),
        "evidence": {criterion: json_number(chosen[criterion]) for criterion in criteria}
        | told
        | _comes_back(candidates, name)
        | {"natural": other.iloc[0] if len(other) else None},
    }


def _comes_back(candidates: Candidates, name: str) -> dict[str, float | None]:
    """Return how often the segment that comes back least does (Jaccard >= 0.5), and how many borders are doubtful."""
    own = candidates.stability[candidates.stability["candidate_id"] == name]
    if own.empty:
        return {"comes_back": None, "resamples": None, "doubtful": None}
    return {
        "comes_back": json_number(1 - own["dissolved"].max()),
        "resamples": json_number(own["resamples"].max()),
        "doubtful": int(own["jaccard"].between(DISSOLVES, STABLE, inclusive="left").sum()),
    }


@dataclass(frozen=True)
class Advice:
    """Whether to segment at all.

    Attributes
    ----------
    segment_at_all : bool
    text : str
    """

    segment_at_all: bool
    text: str


def _segment_at_all(gains: pd.DataFrame, baseline: str = "the RFM map") -> Advice:
    """Return whether the chosen candidate is worth having, on customers that did not choose it.

    In either group of outcomes it must be ahead of both others by the lower end of a 95 % interval, a one-sided test at
    2.5 %. One group is enough, so a candidate that says nothing has two such chances, 5 % together at most.

    Parameters
    ----------
    gains : DataFrame
        ``group`` (value, behaviour), ``against`` (``one segment`` or ``baseline``), ``low`` (lower bound of the paired
        interval of the chosen candidate's skill minus the other's). Empty where nothing can be judged.

    Examples
    --------
    >>> gains = pd.DataFrame({"group": ["value"] * 2, "against": ["one segment", "baseline"], "low": [0.2, -0.1]})
    >>> _segment_at_all(gains)
    Advice(segment_at_all=False, text='use the RFM map: learned segments say no more about the future')
    """
    if gains.empty:
        return Advice(True, "nothing that came later could be judged; whether it is worth having is open")
    beaten = gains.assign(beats=gains["low"] > 0).pivot_table(index="group", columns="against", values="beats")
    one, other = beaten["one segment"] > 0, beaten["baseline"] > 0
    if (one & other).any():
        groups = " and ".join({"value": "how much", "behaviour": "what and how"}[g] for g in beaten.index[one & other])
        return Advice(True, f"segment: it says more than {baseline} about {groups} customers will buy")
    if one.any():
        return Advice(False, f"use {baseline}: learned segments say no more about the future")
    return Advice(False, "do not segment: these segments say nothing about the future")


def best_baseline(candidates: Candidates) -> str | None:
    """Return the baseline to be beaten: of those that were judged, the one that tells most; None where none was."""
    figures = candidates.judgement.shares.figures("choosing").set_index("candidate_id")["forward_share"]
    rules = figures[figures.index.isin(candidates.table["candidate_id"][candidates.is_baseline])].dropna()
    return rules.idxmax() if len(rules) else None


def advise_segmenting(candidates: Candidates) -> Advice:
    """Return whether to segment at all, by the half of the customers that did not choose.

    What must be beaten is `best_baseline`; where that is what was chosen, one segment.
    """
    chosen, shares = candidates.chosen["candidate_id"], candidates.judgement.shares
    if shares is None or chosen not in shares.candidates:
        return _segment_at_all(pd.DataFrame(columns=["group", "against", "low"]))
    baseline = best_baseline(candidates)
    baseline = None if baseline == chosen else baseline
    against = {"one segment": None, "baseline": baseline}
    gains = [shares.gains(chosen, other, "reporting").assign(against=name) for name, other in against.items()]
    gains = pd.concat(gains, ignore_index=True)
    if gains.empty:
        return Advice(False, "do not segment: nothing that these customers do next can be predicted")
    name = candidates.family_of(baseline).phrase.replace("an RFM", "the RFM") if baseline else "one segment"
    return _segment_at_all(gains[gains["group"] != "both"][["group", "against", "low"]], name)


def forward_sentence(candidates: Candidates, horizon_days: int = 90) -> str:
    """Return a sentence with what the chosen segments, and the best baseline, tell of the future.

    Of customers that did not choose; of a kept model, what was found when it was fitted, until it is a horizon old.
    """
    told, kept = _tell_forward(candidates), candidates.kept
    if kept is None:
        return told
    if candidates.judgement.shares is None:
        return f"When the model was fitted, as of {kept['as_of']}: {kept['forward'][:1].lower()}{kept['forward'][1:]}"
    days = f"the last {horizon_days} days, which it had not seen"
    told = told.replace("They", "Its segments", 1)
    return f"The model of {kept['as_of']} was held against {days}. {told}"


def _tell_forward(candidates: Candidates) -> str:
    chosen, shares = candidates.chosen["candidate_id"], candidates.judgement.shares
    if shares is None or chosen not in shares.candidates:
        return "What these segments say about the future can not be judged yet."
    figures = shares.figures("reporting").set_index("candidate_id")
    own, baseline = _told(figures.loc[chosen]), best_baseline(candidates)
    if not own:
        return "Nobody can predict what these customers do next, so no segments can tell it."
    (first, share), *more = own.items()
    text = f"They tell {share} of what can be known about {first} these customers will buy"
    text += "".join(f", and {share} about {what}" for what, share in more)
    if baseline and baseline != chosen and (beside := _told(figures.loc[baseline])):
        text += f"; {candidates.family_of(baseline).phrase} tells {' and '.join(beside.values())}"
    return f"{text}."


def _told(figures: pd.Series) -> dict[str, str]:
    shares = {"how much": figures["forward_value"], "what and how": figures["forward_behaviour"]}
    # Segments of a few clear kinds can beat the models of one half of the customers by chance: that is all, not more.
    return {what: _percent(min(share, 1.0)) for what, share in shares.items() if pd.notna(share)}


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
