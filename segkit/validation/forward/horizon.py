"""Candidates judged one horizon back: the same recipes, fitted on what was known then, and what came after."""

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import chain

import numpy as np
import pandas as pd

from segkit.clustering.centres import ward_tree
from segkit.clustering.freeze import BASELINES, fit_baseline
from segkit.clustering.grid import Candidate
from segkit.clustering.methods import METHODS
from segkit.clustering.outcome_models import LEARNED_ON, OutcomeModels, Period, learn_outcomes
from segkit.clustering.predictive import VALUE_WEIGHTS, fit_candidates, fit_predictive, tune_value_weight
from segkit.features.build import CustomerFeatures, count_customers, customer_features
from segkit.features.outcomes import customer_outcomes, outcome_dictionary
from segkit.preprocessing.prepare import fit_matrix
from segkit.runtime.parallel import Progress, run_tasks
from segkit.runtime.parameters import Parameters
from segkit.runtime.seeds import sample_customers
from segkit.validation.forward.ceiling import best_ceiling
from segkit.validation.forward.judgement import Judgement, describe_recipes
from segkit.validation.forward.peers import count_segments, like_behaviour, like_rfm
from segkit.validation.forward.skill import ForwardSkill, forward_skill

HISTORY_DAYS = 90  # of orders that a fit needs
MOST_PERIODS = 4  # a year of quarters
JUDGED_ON = 20_000  # customers; more narrow the intervals of shares that are known to a percent
SHOWN_SEGMENTS = 8  # of the predictive segmentations that show what the weight of value does


@dataclass(frozen=True)
class Past:
    """What was known one horizon ago, and what came after; made by `look_back`.

    `features` are as of `origin`, `outcomes` of the days after it up to `until`, `ceiling` the outcomes as predicted
    from all features; `models` are learned on outcomes that had ended by `origin` (None where the data begin too
    late), `value_weight` is tuned on these. `customers` counts all, of which `features` may be a sample.
    """

    origin: date
    until: date
    features: CustomerFeatures
    outcomes: pd.DataFrame
    dictionary: pd.DataFrame
    ceiling: pd.DataFrame
    models: OutcomeModels | None
    value_weight: float
    customers: int


def judged_from(orders, horizon_days: int) -> date:
    """Return the first day as of which candidates can be judged one horizon back."""
    return orders.first_day + timedelta(days=HISTORY_DAYS - 1 + horizon_days)


def learn_before(orders, features: CustomerFeatures, parameters: Parameters) -> OutcomeModels | None:
    """Return models learned on the horizons that ended by the day of `features`, for predicting the next one.

    On up to `MOST_PERIODS` horizons, one after the other, each with `HISTORY_DAYS` of orders before it; None comes
    back where there is none. Nothing after the day of `features` is used.
    """
    orders = orders.sample
    periods, horizon = [], timedelta(days=parameters.horizon_days)
    for number in range(1, MOST_PERIODS + 1):
        origin = features.as_of - number * horizon
        if (origin - orders.first_day).days + 1 < HISTORY_DAYS:
            break
        made = customer_features(orders, origin, features.window_days, recipe=features.recipe)
        table = made.table.loc[sample_customers(made.table.index, LEARNED_ON)]  # the others are let go of at once
        outcomes = customer_outcomes(orders, origin, parameters.horizon_days, features.recipe, table.index)
        periods.append(Period(table, made.dictionary, outcomes))
    if not periods:
        return None
    return learn_outcomes(periods, outcome_dictionary(features.recipe), features.table, seed=parameters.seed)


def look_back(
    orders, as_of: date, parameters: Parameters, *, jobs: int = 1, progress: Progress | None = None
) -> Past | None:
    """Return what was known one horizon before `as_of` and what came until then; None where the data begin too late.

    Parameters
    ----------
    orders : Orders
        Read as of `as_of` or later; nothing after it is used.
    """
    origin = as_of - timedelta(days=parameters.horizon_days)
    if (origin - orders.first_day).days + 1 < HISTORY_DAYS:
        return None
    everybody = orders
    orders = orders.sample
    features = customer_features(orders, origin, parameters.window_days)
    count = len(features.table)
    if orders is not everybody:
        count = count_customers(everybody, origin, parameters.window_days)
    models = learn_before(orders, features, parameters)
    weight = best_value_weight(models, parameters)
    customers = sample_customers(features.table.index, JUDGED_ON)
    table = features.table.loc[customers]
    features = CustomerFeatures(table, features.dictionary, features.recipe, origin, features.window_days)
    outcomes = customer_outcomes(orders, origin, parameters.horizon_days, features.recipe, customers)
    dictionary = outcome_dictionary(features.recipe)
    ceiling = best_ceiling(
        table, fit_matrix(table, features.dictionary), outcomes, dictionary, past=models, seed=parameters.seed,
        jobs=jobs, progress=progress,
    )  # fmt: skip
    return Past(origin, as_of, features, outcomes, dictionary, ceiling, models, weight, count)


def best_value_weight(models: OutcomeModels | None, parameters: Parameters) -> float:
    """Return the weight of value in the predictive family, tuned where the models were learned."""
    if models is None or not models.weights().any():
        return 1.0
    tuning = tune_value_weight(models, seed=parameters.seed, judge_value=parameters.judge_value)
    return float(tuning.loc[tuning["tuned"], "value_weight"].iloc[0])


def judge_candidates(
    past: Past | None,
    candidates: list[Candidate],
    delivered: pd.DataFrame,
    parameters: Parameters,
    *,
    judged_from: date | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Judgement:
    """Return what each candidate's recipe, fitted one horizon back, said about the days since.

    Parameters
    ----------
    past : Past or None
        Of `look_back`.
    candidates : list of Candidate
        Baselines included. A predictive one takes the weight of value that was tuned before the origin.
    delivered : DataFrame
        Index customer_id, a column of today's labels per candidate_id.
    judged_from : date, optional
        For the sentence where there is no past.
    """
    if past is None:
        from_month = f"; from {judged_from:%Y-%m} on it can" if judged_from else ""
        note = (
            f"Nothing that came later can be judged: one horizon back there are less than {HISTORY_DAYS} days of orders"
        )
        return Judgement.open(f"{note}{from_month}.")
    labels = refit_candidates(past, candidates, parameters, jobs=jobs, progress=progress)
    skill = judge_labels(past, _with_companions(past, labels, parameters), parameters)
    return Judgement(
        _note(past, labels), skill.shares, _outcomes(skill, labels), skill.ceilings,
        describe_recipes(labels, delivered), int((~skill.chooses).sum()),
    )  # fmt: skip


def judge_labels(past: Past, labels: pd.DataFrame, parameters: Parameters, choosing: bool = True) -> ForwardSkill:
    """Return the forward skill of labels of the past's customers; see `forward_skill` for `choosing`."""
    return forward_skill(
        labels, past.outcomes, past.dictionary, past.ceiling, seed=parameters.seed,
        judge_value=parameters.judge_value, choosing=choosing,
    )  # fmt: skip


def refit_candidates(
    past: Past, candidates: list[Candidate], parameters: Parameters, *, jobs: int = 1, progress: Progress | None = None
) -> pd.DataFrame:
    """Return the labels of each recipe fitted on the past's customers; without those that could not be fitted then."""
    table, seed = past.features.table, parameters.seed
    matrix = fit_matrix(table, past.features.dictionary)
    X, dequantised = matrix.transform(table), matrix.dequantised(table, seed)
    found = {}
    for candidate in candidates:
        if candidate.family in BASELINES and (fit := fit_baseline(table, candidate)) is not None:
            found[candidate.candidate_id] = fit.labels
    # The weight of value that was tuned with today's outcomes would know what it is judged by.
    flat = {"value_weight": past.value_weight}
    predictive = [one for one in candidates if one.family == "predictive"]
    then = [one if "tiers" in one.params else one._replace(params=one.params | flat) for one in predictive]
    fits = fit_candidates(past.models, table, then, seed=seed)
    found |= {one.candidate_id: fit.labels for one, fit in fits}
    learned = [candidate for candidate in candidates if candidate.family in METHODS]
    tree = [candidate for candidate in learned if candidate.family == "hierarchical"]  # one tree, many cuts
    tasks = [tree] if tree else []
    tasks += [[candidate] for candidate in learned if candidate.family != "hierarchical"]
    arguments = [(X, dequantised, task, seed) for task in tasks]
    refitted = run_tasks(_labels, arguments, jobs=jobs, progress=progress, what="the same recipes one horizon back")
    found |= dict(chain(*refitted))
    order = [candidate.candidate_id for candidate in candidates if candidate.candidate_id in found]
    return pd.DataFrame(found, index=table.index)[order]


def _labels(X, dequantised, candidates: list[Candidate], seed: int) -> list[tuple[str, np.ndarray]]:
    shared = {}
    if candidates[0].family == "hierarchical":
        shared["tree"] = ward_tree(X, seed=seed, sample=candidates[0].params.get("sample"))
    return [
        (one.candidate_id, METHODS[one.family](X, seed=seed, dequantised=dequantised, **one.params, **shared).labels)
        for one in candidates
    ]


def _with_companions(past: Past, labels: pd.DataFrame, parameters: Parameters) -> pd.DataFrame:
    """Return the labels with those of peers of as many segments, and of predictive segments with other weights."""
    ks = sorted(set(count_segments(labels)))
    companions = {}
    for like in (like_rfm, like_behaviour):
        companions |= dict(like(past.features, ks, parameters.seed).items())
    if past.models is not None and past.models.weights().any():
        Z, k = past.models.matrix.transform(past.features.table), min(SHOWN_SEGMENTS, parameters.max_segments)
        for weight in VALUE_WEIGHTS:
            fit = fit_predictive(past.models, Z, seed=parameters.seed, k=k, value_weight=weight)
            companions[f"predictive-{k}, value x {weight:g}"] = fit.labels
    return pd.concat([labels, pd.DataFrame(companions, index=labels.index)], axis=1)


def _outcomes(skill: ForwardSkill, labels: pd.DataFrame) -> pd.DataFrame:
    table = skill.outcomes("reporting")
    return table[table["candidate_id"].isin(labels.columns)].reset_index(drop=True)


def _note(past: Past, labels: pd.DataFrame) -> str:
    sample = f", a sample of {len(labels):,} of" if len(labels) < past.customers else ","
    note = (
        f"Each recipe was fitted again as of {past.origin}{sample} {past.customers:,} customers, and judged on the "
        f"{(past.until - past.origin).days} days up to {past.until}"
    )
    without = "" if past.models else "; the predictive family needs another horizon of orders before and is not judged"
    return f"{note}{without}."
