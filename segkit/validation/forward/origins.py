"""Other ways to ask what segments say: at earlier origins, of outcomes they did not see, frozen, of a ready table."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd

from segkit.clustering.grid import Candidate
from segkit.clustering.predictive import fit_predictive
from segkit.data.ready_table import infer_kind
from segkit.preprocessing.matrix import Matrix
from segkit.runtime.parallel import Progress
from segkit.runtime.parameters import Parameters
from segkit.validation.forward.ceiling import best_ceiling
from segkit.validation.forward.horizon import Past, judge_labels, look_back, refit_candidates
from segkit.validation.forward.judgement import Judgement, describe_recipes
from segkit.validation.forward.peers import count_segments, like_behaviour, like_rfm
from segkit.validation.forward.skill import HALVES, Shares, forward_skill

MOST_LEVELS = 6  # of a category that is asked for one by one
# Numbers without a natural zero are judged by squared error, as shares are.
_LOSS = {"binary": "binary", "money": "money", "count": "count"}


def earlier_origins(
    orders, as_of: date, candidates: list[Candidate], parameters: Parameters, *, jobs: int = 1, most: int = 3
) -> pd.DataFrame:
    """Return origin, until, customers, candidate_id, forward_value, forward_behaviour, forward_share (and bounds).

    One block per origin before that of `look_back`, the latest first, as far back as the data allow:
    customers of one period share its weather, which no interval over customers shows. `candidates` are few, such as
    the chosen one and the baselines; k-means on the RFM scores joins them, with as many segments as the first has
    (customers left out count as one). Of all customers: nothing is chosen here. Where the data begin too late to learn
    from, predictive ones are missing.
    """
    tables = []
    for number in range(1, most + 1):
        past = look_back(orders, as_of - timedelta(days=number * parameters.horizon_days), parameters, jobs=jobs)
        if past is None:
            break
        labels = refit_candidates(past, candidates, parameters)
        first = candidates[0]
        segments = count_segments(labels).get(first.candidate_id, first.params.get("k", 0))
        like = like_rfm(past.features, [segments], parameters.seed)
        figures = judge_labels(past, pd.concat([labels, like], axis=1), parameters, choosing=False).shares.figures()
        for name, told in (("customers", len(labels)), ("until", str(past.until)), ("origin", str(past.origin))):
            figures.insert(0, name, told)
        tables.append(figures)
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["origin", "until", "candidate_id"])


def judge_frozen(
    orders,
    as_of: date,
    then: pd.Series,
    fitted: date,
    rules: list[Candidate],
    parameters: Parameters,
    *,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Judgement | None:
    """Return what a frozen model, fitted one horizon before `as_of` or earlier, said about the days since.

    Not its recipe is judged but the very model: its rule, and so the segments of customers as of the day before the
    first of these days, were there before them. Nothing is chosen by it, so that all figures are of everybody. The
    rules' quintiles are those of that day. None comes back where the model is younger than a horizon, or the data
    begin too late.

    Parameters
    ----------
    then : Series
        Index customer_id; labels by the model as of one horizon before. The name is its candidate_id.
    fitted : date
        The last day that the model knows.
    rules : list of Candidate
        To hold it against; k-means with as many segments joins them, on the RFM scores and on the behavioural columns.
    """
    if fitted > as_of - timedelta(days=parameters.horizon_days):
        return None
    past = look_back(orders, as_of, parameters, jobs=jobs, progress=progress)
    if past is None:
        return None
    labels = refit_candidates(past, rules, parameters)
    labels[then.name] = then.reindex(labels.index, fill_value=-1)
    ks = [int(count_segments(labels)[then.name])]
    peers = [like(past.features, ks, parameters.seed) for like in (like_rfm, like_behaviour)]
    skill = judge_labels(past, pd.concat([labels, *peers], axis=1), parameters, choosing=False)
    outcomes, everybody = skill.outcomes(), skill.shares.draws["all"]
    note = (
        f"The model of {fitted} was held against what came: its segments of {past.customers:,} customers as of "
        f"{past.origin}, judged on the {parameters.horizon_days} days up to {as_of}, none of which it had seen."
    )
    return Judgement(
        note, Shares(skill.shares.candidates, dict.fromkeys(HALVES, everybody)),
        outcomes[outcomes["candidate_id"].isin(labels.columns)].reset_index(drop=True), skill.ceilings,
        describe_recipes(labels, labels.iloc[:, :0]), len(skill.customers),
    )  # fmt: skip


def unseen_outcomes(past: Past, candidate: Candidate, parameters: Parameters) -> pd.DataFrame:
    """Return outcome, group, skill, unseen, ceiling of a predictive candidate.

    ``unseen`` is the skill about the outcome of segments that were made without it; both have ``_low, _high`` (95 %).
    """
    X, params = past.models.matrix.transform(past.features.table), candidate.params | {"seed": parameters.seed}
    if "value_weight" in params:
        params["value_weight"] = past.value_weight
    labels = {"": fit_predictive(past.models, X, **params).labels}
    for name in past.models.outcomes.index:
        labels[name] = fit_predictive(past.models, X, **params, without=name).labels
    skill = judge_labels(
        past, pd.DataFrame(labels, index=past.features.table.index), parameters, choosing=False
    ).outcomes()
    seen = skill[skill["candidate_id"] == ""].set_index("outcome")
    own = skill[skill["candidate_id"] == skill["outcome"]].set_index("outcome")
    figures = {}
    for name, table in (("skill", seen), ("unseen", own)):
        figures |= {name: table["skill"], f"{name}_low": table["low"], f"{name}_high": table["high"]}
    return pd.DataFrame({"group": seen["group"], **figures, "ceiling": seen["ceiling"]}).loc[seen.index].reset_index()


def ready_outcomes(outcomes: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a ready table's outcomes as numbers, and their dictionary (index outcome; group, loss).

    Money and counts say how much, everything else what and how; a category is one yes or no per level.

    Examples
    --------
    >>> outcomes = pd.DataFrame({"like": ["yes", "no", "yes"], "visits": [1, 0, 4], "plan": ["a", "b", "c"]})
    >>> ready_outcomes(outcomes)[1]
             group    loss
    outcome
    like     behaviour  binary
    visits       value   count
    plan=a   behaviour  binary
    plan=b   behaviour  binary
    plan=c   behaviour  binary
    """
    columns, about = {}, {}
    for name in outcomes:
        kind, _ = infer_kind(outcomes[name])
        known = outcomes[name].notna()
        if kind == "category":
            texts = outcomes[name].astype("str")
            for level in texts[known].value_counts().index[:MOST_LEVELS]:
                columns[f"{name}={level}"] = (texts == level).astype(float).where(known)
                about[f"{name}={level}"] = ("behaviour", "binary")
        elif kind == "binary":
            first = sorted(outcomes[name][known].unique(), key=str)[-1]
            columns[name] = (outcomes[name] == first).astype(float).where(known)
            about[name] = ("behaviour", "binary")
        elif kind:
            columns[name] = outcomes[name].astype("float64")
            about[name] = ("value" if kind in ("money", "count") else "behaviour", _LOSS.get(kind, "share"))
    dictionary = pd.DataFrame.from_dict(about, orient="index", columns=["group", "loss"]).rename_axis("outcome")
    return pd.DataFrame(columns, index=outcomes.index), dictionary


def judge_ready(
    features: pd.DataFrame,
    matrix: Matrix,
    outcomes: pd.DataFrame,
    labels: pd.DataFrame,
    parameters: Parameters,
    *,
    jobs: int = 1,
) -> Judgement:
    """Return what segments of a ready table say about its own outcomes, which no segmentation saw.

    There is no time in such a table: the delivered segments themselves are judged, cross-fitted over customers.
    """
    known, dictionary = ready_outcomes(outcomes)
    recipes = pd.DataFrame({"candidate_id": list(labels), "segments": labels.nunique().to_numpy(), "agreement": np.nan})
    if known.empty or not len(dictionary):
        nothing = Judgement.open("The card names no outcomes to judge by.")
        return replace(nothing, ceilings=dictionary, recipes=recipes)
    ceiling = best_ceiling(features, matrix, known, dictionary, seed=parameters.seed, jobs=jobs)
    skill = forward_skill(
        labels, known, dictionary, ceiling, seed=parameters.seed, judge_value=parameters.judge_value
    )  # fmt: skip
    note = f"The segments were judged by {len(skill.names)} outcomes of the same table, which they were not made from."
    return Judgement(note, skill.shares, skill.outcomes("reporting"), skill.ceilings, recipes)
