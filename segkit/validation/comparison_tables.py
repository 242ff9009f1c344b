"""Tables that show a comparison: who agrees with whom, on equal terms, how many groups, how segments flow."""

import re

import pandas as pd

from segkit.runtime.privacy import FEWEST_SHOWN
from segkit.validation.agreement import adjusted_rand, contingency, segment_flow
from segkit.validation.candidates import FORWARD, Candidates
from segkit.validation.forward.origins import judged_segments


def one_per_family(candidates: Candidates) -> pd.DataFrame:
    """Return rows of the table: the chosen one first, then of each other family the one nearest in segments to it."""
    chosen, table = candidates.chosen, candidates.fitted
    others = table[(table["family"] != chosen["family"]) & (table["segments"] > 0)]
    distance = (others["segments"] - chosen["segments"]).abs()
    nearest = others.assign(distance=distance).sort_values(["distance", "noise_share"], kind="stable")
    nearest = nearest.drop_duplicates("family").sort_index().drop(columns="distance")
    return pd.concat([chosen.to_frame().T.astype(table.dtypes), nearest], ignore_index=True)


def agreement_between(candidates: Candidates) -> pd.DataFrame:
    """Return the adjusted Rand index between each two of `one_per_family`, square, by candidate_id."""
    ids = list(one_per_family(candidates)["candidate_id"])
    groups = [candidates.labels[candidate].to_numpy() for candidate in ids]
    index = [[adjusted_rand(contingency(one + 1, other + 1)) for other in groups] for one in groups]
    return pd.DataFrame(index, index=ids, columns=ids)


def group_counts(candidates: Candidates) -> pd.DataFrame:
    """Return how many groups the gap statistic and prediction strength see: index criterion; groups (1 is none).

    Empty before `count_groups`, and for a kept model.
    """
    gaps, strengths = candidates.gaps, candidates.strengths
    counts = {}
    if len(strengths):
        chosen = gaps[gaps["choice"]].set_index("customers")["segments"]
        counts = {f"gap, {who}": chosen.get(who) for who in gaps["customers"].unique()}
        enough = strengths.loc[strengths["enough"], "candidate_id"].str.removeprefix("kmeans-").astype(int)
        counts["prediction strength"] = max(enough, default=1)
    return pd.DataFrame({"groups": pd.Series(counts, dtype="Int64")}).rename_axis("criterion")


def group_criteria(candidates: Candidates) -> pd.DataFrame:
    """Return the gap statistic and the prediction strength of k-means by number of segments, with standard errors.

    Index segments; gap, gap_error, gap_without_top, gap_without_top_error, prediction_strength, strength_error.
    """
    gaps, strengths = candidates.gaps, candidates.strengths
    if strengths.empty:
        return pd.DataFrame(index=pd.Index([], name="segments"))
    table = {}
    for who, short in zip(gaps["customers"].unique(), ("gap", "gap_without_top"), strict=True):
        own = gaps[gaps["customers"] == who].set_index("segments")
        table |= {short: own["gap"], f"{short}_error": own["gap_error"]}
    foretold = strengths.set_index(strengths["candidate_id"].str.removeprefix("kmeans-").astype(int))
    table |= {"prediction_strength": foretold["prediction_strength"], "strength_error": foretold["error"]}
    return pd.DataFrame(table).rename_axis("segments")


def companions(candidates: Candidates) -> pd.DataFrame:
    """Return what was judged beside the candidates: k-means on RFM scores and on behaviour, predictive ones by weight.

    ``candidate_id, forward_value, forward_behaviour, forward_share``.
    """
    shown, shares = ["candidate_id", *FORWARD], candidates.judgement.shares
    if shares is None:
        return pd.DataFrame(columns=shown)
    figures = shares.figures("reporting")[shown]
    return figures[~figures["candidate_id"].isin(candidates.table["candidate_id"])].reset_index(drop=True)


def equal_terms(candidates: Candidates) -> pd.DataFrame:
    """Return the chosen one beside the baselines, and k-means on RFM scores and on behaviour with as many segments.

    Index candidate_id; what each tells, and by how much the chosen one is ahead of it (``ahead_value``,
    ``ahead_behaviour``), each with the ends of its 95 % interval: of differences the paired one.
    """
    chosen, shares = candidates.chosen["candidate_id"], candidates.judgement.shares
    if shares is None or chosen not in shares.candidates:
        return pd.DataFrame(columns=list(FORWARD)).rename_axis("candidate_id")
    baselines = candidates.table["candidate_id"][candidates.is_baseline]
    peers = [f"{name}-{judged_segments(candidates)}" for name in ("rfm-scores", "behaviour")]
    table = shares.figures("reporting").set_index("candidate_id")
    table = table.loc[[name for name in dict.fromkeys([chosen, *baselines, *peers]) if name in table.index]]
    for name in table.index.drop(chosen):
        for row in shares.gains(chosen, name, "reporting").itertuples():
            ends = {"": row.gain, "_low": row.low, "_high": row.high}
            table.loc[name, [f"ahead_{row.group}{end}" for end in ends]] = list(ends.values())
    return table


def segment_flows(candidates: Candidates) -> pd.DataFrame:
    """Return how segments flow from one number of segments into the next, of the chosen kind, or of k-means.

    Columns as from `segment_flow`. Empty where there is one number of segments alone.
    """
    table, chosen = candidates.fitted[candidates.fitted["segments"] > 0], candidates.chosen["candidate_id"]
    kind = "kmeans" if candidates.family_of(chosen).baseline else chosen.rsplit("-", 1)[0]
    own = table[table["candidate_id"].str.rsplit("-", n=1).str[0] == kind].sort_values("segments", kind="stable")
    return segment_flow({name: candidates.labels[name].to_numpy() for name in own["candidate_id"]})


def shortlist(candidates: Candidates) -> pd.DataFrame:
    """Return the chosen one, those that its reason names, the strongest refused, and one of each other family.

    Of a family it is the one nearest in number of segments. What can't be judged, or was in another month, has no
    column; the share of a smallest segment with too few customers to be shown is left out.
    """
    table, reason = candidates.table, candidates.chosen["reason"]
    named = table[table["candidate_id"].isin([word.rstrip(".") for word in re.findall(r"[\w.-]+", reason)])]
    nearest = one_per_family(candidates)
    refused = table[~table["feasible"].astype(bool)].dropna(subset="forward_share")
    refused = refused.sort_values("forward_share", ascending=False, kind="stable").head(1)
    table = pd.concat([nearest.head(1), named, refused, nearest.tail(-1)], ignore_index=True)
    table = table.drop_duplicates("candidate_id", ignore_index=True)
    few = table["smallest_share"] * table["customers"] < FEWEST_SHOWN
    table = table.assign(smallest_share=table["smallest_share"].mask(few))
    shown = ["candidate_id", "segments", "smallest_share", "forward_value", "forward_behaviour", "reason"]
    return table[[name for name in shown if not table[name].isna().all()]]
