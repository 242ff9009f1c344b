"""Segments of customers who are about to do alike things: cuts of what models predict of them.

Each outcome is predicted on the scale on which squared distance stands for its deviance, in units of its standard
deviation, and weighted by group, so that what k-means minimises is what forward skill counts: the part of what
can be known about the outcomes that the segments don't tell.

Two ways to cut. *Flat*: k-means of all predictions, with a weight on those of value. *Layers*, value first: three
tiers of predicted value, and inside the upper two the same few kinds of predicted behaviour; the lowest stays whole,
since what its customers will buy stands on few orders. Layers come back where flat cuts don't: a resample moves the
border between two tiers a little, or that between two kinds, but never trades the one for the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from segkit.clustering.assignment_rules import Rule, centre_rule, predict_outcomes
from segkit.clustering.family import Family
from segkit.clustering.fit import Candidate, Fit, Refit, Sample, finish, fit_order
from segkit.clustering.outcome_models import OutcomeModels, learn_again, learn_ramps
from segkit.preprocessing.matrix import Matrix
from segkit.preprocessing.prepare import CustomerMatrix
from segkit.runtime.seeds import hash_ids, keyed_uniform

VALUE_WEIGHTS = (0.35, 0.5, 0.7, 1.0, 1.4, 2.0)  # tried
TUNED_ON = (6, 9, 12)  # segments
TUNING_FOLDS = 5
TUNING_STARTS = 4  # of k-means
STARTS = 10  # of k-means otherwise
REFIT_STARTS = 5  # on a resample
SHOWN_SEGMENTS = 8  # of the segmentations that show what the weight of value does
AS_GOOD = 0.02
HELD = 0.95
TUNING_CUSTOMERS = 10_000
TIERS = 3  # two tell three quarters of what the RFM map does about value, three nearly all; four come back less often
FIRST = 100.0  # times that value counts in layers: behaviour decides within a tier, but for a hair's breadth at borders
UNTRIMMED = 0.95  # share of customers, the middle ones, that kinds of behaviour are found on


def fit_predictive(customers: Sample, /, *, seed: int, k: int, **cut) -> Fit:
    """Return a cut of the predictions for rows of the models' matrix, as a rule on these rows.

    Parameters
    ----------
    customers : Sample
        With `models`, and `X` in the columns of the models' matrix.
    seed : int
    k : int
        Segments; with tiers, one and a multiple of ``tiers - 1``.
    **cut
        ``value_weight`` or ``tiers``, and ``without``; see `combine_outcomes`.
    """
    models = customers.models
    coefficients = models.coefficients @ combine_outcomes(models, **cut)
    predicted = predict_outcomes(customers.X, models.knots, coefficients)
    centres = cut_predictions(predicted, seed=seed, k=k, tiers=cut.get("tiers", 0))
    arrays = {"knots": models.knots, "coefficients": coefficients, **centre_rule(centres).arrays}
    return finish(Rule("nearest_prediction", arrays), customers.X)


def combine_outcomes(
    models: OutcomeModels, *, value_weight: float = 1.0, tiers: int = 0, without: str = ""
) -> np.ndarray:
    """Return the factors that turn predicted outcomes into the columns that are cut, shape (outcomes, columns).

    Flat, a column per predictable outcome, where `value_weight` is how much those of value count against those of
    behaviour. With `tiers`, first a column for all outcomes of value together, `FIRST` times as long as it were, then
    one per outcome of behaviour. `without` names an outcome to leave out, for asking what the segments say about an
    outcome that they did not see.
    """
    weights = models.weights(1.0 if tiers else value_weight, without)
    columns = np.diag(weights)[:, weights > 0]
    if tiers:
        of_value = (models.outcomes["group"] == "value").to_numpy()[weights > 0]
        columns = np.column_stack([FIRST * columns[:, of_value].sum(axis=1), columns[:, ~of_value]])
    return columns if columns.shape[1] else np.zeros((len(weights), 1))


def cut_predictions(columns: np.ndarray, *, seed: int, k: int, tiers: int = 0, starts: int = STARTS) -> np.ndarray:
    """Return the k centres of a flat cut of columns of predictions or, with `tiers`, of layers.

    Tiers are k-means of the first column, kinds k-means of the others, of the customers above the lowest tier. Kinds
    are found on the middle `UNTRIMMED` of these customers, as seen from the medians (compare trimmed k-means,
    Cuesta-Albertos, Gordaliza & Matran 1997): a handful of extreme ones would make a kind of their own in one
    resample and none in the next.

    Examples
    --------
    >>> value, kind = np.repeat([0.0, 100.0, 200.0], 40), np.tile([0.0, 0.0, 1.0, 1.0], 30)
    >>> cut_predictions(np.column_stack([value, kind]), seed=0, k=5, tiers=3).tolist()
    [[0.0, 0.5], [100.0, 0.0], [100.0, 1.0], [200.0, 0.0], [200.0, 1.0]]
    """
    if not tiers:
        return cluster_predictions(columns, seed=seed, k=k, starts=starts)
    middles = np.sort(cluster_predictions(columns[:, :1], seed=seed, k=tiers, starts=starts).ravel())
    lowest = columns[:, 0] <= middles[:2].mean()
    if len(middles) == 1 or lowest.all():
        return columns.mean(axis=0, keepdims=True)
    above = columns[~lowest, 1:]
    distance = ((above - np.median(above, axis=0)) ** 2).sum(axis=1)
    kinds = above[distance <= np.quantile(distance, UNTRIMMED)]
    kinds = cluster_predictions(kinds, seed=seed, k=(k - 1) // (len(middles) - 1), starts=starts)
    kinds = kinds[np.lexsort(kinds.T[::-1])]
    upper = [np.column_stack([np.full(len(kinds), middle), kinds]) for middle in middles[1:]]
    return np.vstack([[middles[0], *columns[lowest, 1:].mean(axis=0)], *upper])


def cluster_predictions(predicted: np.ndarray, *, seed: int, k: int, starts: int = STARTS) -> np.ndarray:
    """Return k centres of predictions (k-means, best of several starts); never more than there are distinct ones."""
    from sklearn.cluster import KMeans

    rows = predicted[fit_order(predicted, seed, 200_000)]
    return KMeans(min(k, len(np.unique(rows, axis=0))), n_init=starts, random_state=seed).fit(rows).cluster_centers_


def predictive_grid(matrix: CustomerMatrix, segments: Sequence[int]) -> list[Candidate]:
    """Return predictive candidates of so many segments; none where nothing is predictable.

    ``predictive-k`` are flat; ``layers-k`` need predictable outcomes of both groups.
    """
    models = matrix.models
    if models is None or not (weights := models.weights()).any():
        return []
    flat = {"value_weight": models.value_weight}
    found = [Candidate(f"predictive-{k}", "predictive", {"k": k} | flat) for k in segments]
    if models.outcomes["group"][weights > 0].nunique() < 2:
        return found
    layered = [k for k in segments if k > TIERS and (k - 1) % (TIERS - 1) == 0]
    return found + [Candidate(f"layers-{k}", "predictive", {"k": k, "tiers": TIERS}) for k in layered]


def tune_value_weight(models: OutcomeModels, *, seed: int, judge_value: float = 0.5) -> pd.DataFrame:
    """Return value_weight, value, behaviour, both, least_value, tuned: what segments tell of known outcomes.

    At the latest origin that the models were learned on, where customers are predicted by models of the earlier
    origins; where there is none, by models that did not see them. The figures are the variance of a group's outcomes
    that segments explain over what the predictions do, a mean over `TUNED_ON` numbers of segments.

    `tuned` is the least weight of those whose mean of both, by `judge_value`, is within `AS_GOOD` of the best, among
    those that tell at least `HELD` of what the RFM map of that day tells of value (all, where none does). The weight
    only moves along a frontier: what rules on value tell is kept, the rest goes to what and how customers buy, which
    such rules say nothing about.
    """
    learned, table = models.learned, models.outcomes
    latest = np.flatnonzero(learned.origin == 0)
    latest = latest[np.argsort(hash_ids(learned.customers[latest]), kind="stable")[:TUNING_CUSTOMERS]]
    Y, predicted = learned.Y[latest], np.zeros_like(learned.Y[latest])
    if learned.origin.any():
        splits = [(np.flatnonzero(learned.origin > 0), np.ones(len(latest), dtype=bool))]
    else:
        folds = (keyed_uniform(hash_ids(learned.customers[latest]), seed, "tuning") * TUNING_FOLDS).astype(int)
        splits = [(latest[folds != fold], folds == fold) for fold in range(TUNING_FOLDS)]
    for rows, asked in splits:
        knots, coefficients, offset, _ = learn_ramps(learned.X[rows], learned.Y[rows], learned.credible[rows], table)
        predicted[asked] = predict_outcomes(learned.X[latest[asked]], knots, coefficients) - offset
    groups = {group: (table["group"] == group).to_numpy() & (models.weights() > 0) for group in ("value", "behaviour")}
    best = np.array([_explained_by(each, y) for each, y in zip(predicted.T, Y.T, strict=True)])
    found = []
    for value_weight in VALUE_WEIGHTS:
        weighted = predicted * models.weights(value_weight)
        cuts = [cluster_predictions(weighted, seed=seed, k=k, starts=TUNING_STARTS) for k in TUNED_ON]
        told = np.mean([_explained(finish(centre_rule(centres), weighted).labels, Y) for centres in cuts], axis=0)
        row = {group: told[used].sum() / best[used].sum() if used.any() else np.nan for group, used in groups.items()}
        found.append({"value_weight": value_weight, **row})
    result = pd.DataFrame(found)
    both = judge_value * result["value"].fillna(0) + (1 - judge_value) * result["behaviour"].fillna(0)
    place = learned.rfm[latest] - learned.rfm.min()
    rule = (
        HELD * _explained(place, Y)[groups["value"]].sum() / best[groups["value"]].sum()
        if groups["value"].any()
        else 0.0
    )
    holds = result["value"].fillna(0) >= rule
    eligible = both.where(holds | ~holds.any())
    as_good = eligible >= eligible.max() - AS_GOOD
    return result.assign(both=both, least_value=rule, tuned=as_good & (result.index == as_good.idxmax()))


def _explained(labels: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Return the variance of each outcome that segments explain, less what chance would."""
    told = np.zeros(Y.shape[1])
    for place, column in enumerate(Y.T):
        known = ~np.isnan(column)
        y, own = column[known], labels[known]
        counts = np.bincount(own)
        means = np.bincount(own, y) / np.maximum(counts, 1)
        left, total = ((y - means[own]) ** 2).sum(), ((y - y.mean()) ** 2).sum()
        told[place] = 1 - (left / (len(y) - np.count_nonzero(counts))) / (total / (len(y) - 1)) if total > 0 else 0.0
    return told


def _explained_by(predicted: np.ndarray, y: np.ndarray) -> float:
    known = ~np.isnan(y)
    left, total = ((y - predicted)[known] ** 2).sum(), ((y - y[known].mean())[known] ** 2).sum()
    return 1 - left / total if total > 0 else 0.0


def _sample(matrix: CustomerMatrix) -> Sample:
    models = matrix.models
    return Sample(models.matrix.transform(matrix.table), models=models, customers=matrix.compared)


_last: dict[str, Any] = {}  # models of the resample seen last: all candidates meet the same one in turn


def _learn_again(customers: Sample, /, *, seed: int, k: int, **cut) -> Refit:
    """Learn on a resample of the customers, and cut anew.

    Frozen stay the matrix, the strengths of the ridges and the weights of outcomes and of value, as found on all
    customers: what comes back is the recipe, given these.
    """
    models = customers.models
    if _last.get("places") is not customers.places:
        knots, coefficients = learn_again(models, _counts(models, customers.customers[customers.places]))
        predicted = predict_outcomes(customers.X, knots, coefficients)
        _last.update(places=customers.places, knots=knots, coefficients=coefficients, predicted=predicted)
    combined = combine_outcomes(models, **cut)
    coefficients, predicted = _last["coefficients"] @ combined, _last["predicted"] @ combined
    centres = cut_predictions(predicted, seed=seed, k=k, tiers=cut.get("tiers", 0), starts=REFIT_STARTS)
    arrays = {"knots": _last["knots"], "coefficients": coefficients, **centre_rule(centres).arrays}
    return Refit(Rule("nearest_prediction", arrays))


def _counts(models: OutcomeModels, drawn: pd.Index) -> np.ndarray:
    """Return how often each row that the models learned on was drawn, with its customer."""
    codes, known = pd.factorize(models.learned.customers)
    found = known.get_indexer(drawn)
    return np.bincount(found[found >= 0], minlength=len(known))[codes]


def _space(matrix: CustomerMatrix) -> Sample:
    """Return the weighted predictions that are cut: among them valleys are looked for, and nulls drawn.

    The customers who are counted there had no part in the cut, but one in the space: it is made by models that learned
    from both halves. The nulls' models don't learn again, which makes the nulls the stabler, and the verdict the
    stricter.
    """
    models = matrix.models
    weights = models.weights(models.value_weight)
    space = (models.predict(models.matrix.transform(matrix.table)) * weights)[:, weights > 0]
    return Sample(space, models=replace(models, learned=None), customers=matrix.compared)


@dataclass(frozen=True)
class TurnedRule:
    """A rule on other columns than those it is asked by, which `turn` leads to."""

    inner: Rule
    turn: np.ndarray

    def assign(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return labels and nearest labels as the rule gives them."""
        return self.inner.assign(X @ self.turn)


def _cut_again(customers: Sample, /, *, seed: int, k: int, **cut) -> Refit:
    models = customers.models
    kept = models.weights(models.value_weight)
    turn = combine_outcomes(models, **cut)[kept > 0] / kept[kept > 0, None]
    columns = customers.X @ turn
    centres = cut_predictions(columns, seed=seed, k=k, tiers=cut.get("tiers", 0))
    return Refit(TurnedRule(finish(centre_rule(centres), columns).rule, turn))


def _transformer(matrix: CustomerMatrix) -> Matrix:
    return matrix.models.matrix


def _then(params: dict, matrix: CustomerMatrix) -> dict:
    """Take the weight of value that was known then: today's was tuned with the outcomes that are to be judged."""
    return params | {"value_weight": matrix.models.value_weight} if "value_weight" in params else params


def _without(matrix: CustomerMatrix, params: dict, *, seed: int) -> dict[str, np.ndarray]:
    customers = _sample(matrix)
    labels = {"": fit_predictive(customers, seed=seed, **params).labels}
    for name in matrix.models.outcomes.index:
        labels[name] = fit_predictive(customers, seed=seed, **params, without=name).labels
    return labels


def _beside(matrix: CustomerMatrix, segments: Sequence[int], *, seed: int) -> dict[str, np.ndarray]:
    """Return segments that show what the weight of value does."""
    if matrix.models is None or not matrix.models.weights().any():
        return {}
    customers, k = _sample(matrix), min(SHOWN_SEGMENTS, max(segments))
    return {
        f"predictive-{k}, value x {weight:g}": fit_predictive(customers, seed=seed, k=k, value_weight=weight).labels
        for weight in VALUE_WEIGHTS
    }


PREDICTIVE = Family(
    "predictive", "predictive", "#56B4E9", 5, predictive_grid, fit_predictive, _learn_again, sample=_sample,
    space=_space, cut=_cut_again, together=True, transformer=_transformer, then=_then, without=_without, beside=_beside,
)  # fmt: skip
