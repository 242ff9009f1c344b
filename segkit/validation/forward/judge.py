"""Candidates judged by what came after: the same recipes, fitted on what was known one horizon ago."""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd

from segkit.clustering.assign import assign_customers
from segkit.clustering.families import BASELINES
from segkit.clustering.family import Family
from segkit.clustering.fit import Candidate, Sample
from segkit.clustering.freeze import family_of
from segkit.clustering.kmeans import fit_kmeans
from segkit.clustering.rfm import fit_rfm
from segkit.clustering.segmentation import Segmentation
from segkit.data.orders import Orders
from segkit.features.build import CustomerFeatures
from segkit.preprocessing.prepare import CustomerMatrix, prepare
from segkit.runtime.content import made_once
from segkit.runtime.parallel import Progress
from segkit.runtime.progress import progress_bar
from segkit.validation.candidates import Candidates
from segkit.validation.compare import fit_all
from segkit.validation.forward.judgement import Judgement, count_segments, describe_recipes
from segkit.validation.forward.look_back import Future, look_back, orders_content
from segkit.validation.forward.skill import HALVES, ForwardSkill, Shares, forward_skill

VALUE_FAMILIES = ("value", "lifecycle", "trend")  # of features; the others say what and how customers bought


def judge(
    candidates: Candidates, future: Future | None, *, judge_value: float = 0.5, jobs: int | None = None
) -> Candidates:
    """Return the candidates with what each says about the days to come, as a share of what can be known.

    Each recipe is fitted again on the customers as they were one horizon ago, and its segments are held against what
    these did since; of a ready table the delivered segments are, by outcomes that they were not made from. A kept model
    passes as it is.

    Parameters
    ----------
    candidates : Candidates
        Of `compare`.
    future : Future or None
        Of `look_back`.
    judge_value : float
        Weight of how much customers will buy against what and how, 0 to 1.
    jobs : int, optional
        As for `compare`.
    """
    if candidates.kept is not None:
        return candidates
    if future is None or not future.known:
        note = future.note if future else "Nothing that came later can be judged."
        return candidates.filled(Judgement.open(note).figures(), judgement=Judgement.open(note))

    def make() -> Judgement:
        with progress_bar("judging by the future") as progress:
            return _judge(candidates, future, judge_value, jobs, progress)

    grid, families = _fitted(candidates), candidates.families
    content = (grid, families, candidates.labels, candidates.segments, future, judge_value)
    judgement = made_once("judge", "validation.forward.judge", content, make)
    return candidates.filled(judgement.figures(), judgement=judgement)


def _judge(
    candidates: Candidates, future: Future, judge_value: float, jobs: int | None, progress: Progress
) -> Judgement:
    delivered = candidates.labels
    if future.origin is None:
        labels, companions = delivered, pd.DataFrame(index=delivered.index)
        recipes = pd.DataFrame({"candidate_id": list(labels), "segments": labels.nunique().to_numpy()})
        recipes["agreement"] = np.nan
    else:
        labels = refit_candidates(future, _fitted(candidates), candidates.families, jobs=jobs, progress=progress)
        companions = _companions(future, labels, candidates.families, candidates.segments)
        recipes = describe_recipes(labels, delivered)
    skill = judge_labels(future, pd.concat([labels, companions], axis=1), judge_value)
    outcomes = skill.outcomes("reporting")
    outcomes = outcomes[outcomes["candidate_id"].isin(labels.columns)].reset_index(drop=True)
    customers = int((~skill.chooses).sum()) if future.origin else 0
    return Judgement(_note(future, labels, skill), skill.shares, outcomes, skill.ceilings, recipes, customers)


def _fitted(candidates: Candidates) -> list[Candidate]:
    grid = candidates.grid
    return [grid[name] for name in candidates.fitted["candidate_id"]]


def judge_labels(
    future: Future, labels: pd.DataFrame, judge_value: float = 0.5, *, choosing: bool = True
) -> ForwardSkill:
    """Return the forward skill of labels of the future's customers; see `forward_skill` for `choosing`."""
    return forward_skill(
        labels, future.outcomes, future.dictionary, future.ceiling, seed=future.matrix.seed, judge_value=judge_value,
        choosing=choosing,
    )  # fmt: skip


def refit_candidates(
    future: Future,
    candidates: Sequence[Candidate],
    families: Sequence[Family],
    *,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the labels of each recipe fitted on customers as they were; without those that could not be fitted then.

    What a recipe took from later outcomes, such as the weight of value, is that which was known then.
    """
    matrix, able = future.matrix, {}
    then = []
    for candidate in candidates:
        family = family_of(candidate.family, families)
        if family.name not in able:  # a family that tries nothing on these customers lacks what it needs
            able[family.name] = bool(family.grid(matrix, [2])) if family.baseline or family.then else True
        if able[family.name]:
            params = family.then(candidate.params, matrix) if family.then else candidate.params
            then.append(candidate._replace(params=params))
    fitted = fit_all(matrix, families, then, jobs=jobs, progress=progress, what="the same recipes one horizon back")
    labels = {one.candidate.candidate_id: one.fit.labels for one in fitted}
    return pd.DataFrame(labels, index=matrix.compared)


def _companions(
    future: Future, labels: pd.DataFrame, families: Sequence[Family], segments: Sequence[int]
) -> pd.DataFrame:
    """Return the labels of what stands beside the candidates: peers of as many segments, and what families add."""
    found = peers(future.matrix, sorted(set(count_segments(labels))))
    for family in families:
        if family.beside:
            found |= family.beside(future.matrix, segments, seed=future.matrix.seed)
    return pd.DataFrame(found, index=labels.index)


def peers(matrix: CustomerMatrix, ks: Sequence[int], behaviour: bool = True) -> dict[str, np.ndarray]:
    """Return labels of segmentations that are no candidates but compare on equal terms, k for k.

    k-means on the three RFM scores (``rfm-scores-5``), and on what and how customers bought (``behaviour-5``), each
    column in standard deviations: the simplest way to segments that differ in behaviour, for which no outcome has to be
    learned. Without such columns there are none.
    """
    rfm, told = fit_rfm(matrix.table), ~matrix.columns["family"].isin(VALUE_FAMILIES).to_numpy()
    spaces = {} if rfm is None else {"rfm-scores": rfm.assign(matrix.table)[["r", "f", "m"]].to_numpy("float64")}
    if behaviour and told.any():
        X = matrix.X[:, told]
        spaces["behaviour"] = X / X.std(axis=0)
    return {
        f"{name}-{k}": fit_kmeans(Sample(X), seed=matrix.seed, k=int(k)).labels
        for name, X in spaces.items()
        for k in ks
        if k > 1
    }


def _note(future: Future, labels: pd.DataFrame, skill: ForwardSkill) -> str:
    if future.origin is None:
        outcomes = f"{len(skill.names)} outcomes of the same table"
        return f"The segments were judged by {outcomes}, which they were not made from."
    sample = f", a sample of {len(labels):,} of" if len(labels) < future.customers else ","
    note = (
        f"Each recipe was fitted again as of {future.origin}{sample} {future.customers:,} customers, and judged on the "
        f"{(future.until - future.origin).days} days up to {future.until}"
    )
    missing = "; the predictive family needs another horizon of orders before and is not judged"
    return f"{note}{'' if future.matrix.models else missing}."


def judge_kept(
    orders: Orders,
    segmentation: Segmentation,
    then: CustomerFeatures,
    as_of: date,
    *,
    horizon_days: int = 90,
    judge_value: float = 0.5,
    weights: dict[str, float] | None = None,
    jobs: int | None = None,
) -> Judgement | None:
    """Return what a kept model, fitted one horizon before `as_of` or earlier, said about the days since.

    Not its recipe is judged but the very model: its rule, and so the segments of customers as of the day before the
    first of these days, were there before them. Nothing is chosen by it, so that all figures are of everybody. The
    rules' quintiles are those of that day. None comes back where the model is younger than a horizon, or the data
    begin too late.

    Parameters
    ----------
    orders : Orders
        Read as of `as_of` or later.
    segmentation : Segmentation
    then : CustomerFeatures
        As of one horizon before `as_of`, by the model's recipe.
    as_of : date
        The last day of the month that keeps the model.
    """
    if segmentation.as_of > as_of - timedelta(days=horizon_days):
        return None

    def make() -> Judgement | None:
        seen = prepare(then, weights, seed=segmentation.seed)
        future = look_back(orders, seen, horizon_days=horizon_days, judge_value=judge_value, as_of=as_of, jobs=jobs)
        with progress_bar("judging the model by what came"):
            return _judge_frozen(future, segmentation, then, judge_value)

    content = (orders_content(orders), segmentation, then, as_of, horizon_days, judge_value, weights)
    return made_once("judge kept", "validation.forward.judge", content, make)


def _judge_frozen(
    future: Future, segmentation: Segmentation, then: CustomerFeatures, judge_value: float
) -> Judgement | None:
    if not future.known:
        return None
    rules = [one for family in BASELINES for one in family.grid(future.matrix, [2])]
    rules = [one for one in rules if one.candidate_id != segmentation.candidate_id]
    labels, name = refit_candidates(future, rules, BASELINES), segmentation.candidate_id
    labels[name] = labels_of(segmentation, then.table).reindex(labels.index, fill_value=-1)
    beside = pd.DataFrame(peers(future.matrix, [int(count_segments(labels)[name])]), index=labels.index)
    skill = judge_labels(future, pd.concat([labels, beside], axis=1), judge_value, choosing=False)
    outcomes, everybody = skill.outcomes(), skill.shares.draws["all"]
    days = f"judged on the {(future.until - future.origin).days} days up to {future.until}, none of which it had seen"
    note = (
        f"The model of {segmentation.as_of} was held against what came: its segments of {future.customers:,} customers "
        f"as of {future.origin}, {days}."
    )
    return Judgement(
        note, Shares(skill.shares.candidates, dict.fromkeys(HALVES, everybody)),
        outcomes[outcomes["candidate_id"].isin(labels.columns)].reset_index(drop=True), skill.ceilings,
        describe_recipes(labels, labels.iloc[:, :0]), len(skill.customers),
    )  # fmt: skip


def labels_of(segmentation: Segmentation, features: pd.DataFrame) -> pd.Series:
    """Return the integer label of each customer by a frozen model, -1 for those left out; named after its candidate."""
    assigned = assign_customers(segmentation, features, sure=False)["segment_id"]
    labels = pd.Index(segmentation.segment_ids).get_indexer(assigned).astype("int32")
    return pd.Series(labels, index=features.index, name=segmentation.candidate_id)
