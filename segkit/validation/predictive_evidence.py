"""The evidence on predictive candidates: where they are cut, and whether they come back when the models learn again."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from segkit.clustering.assignment_rules import Rule, centre_rule, predict_outcomes
from segkit.clustering.fit import Fit, finish
from segkit.clustering.grid import Candidate
from segkit.clustering.outcome_models import Learned, OutcomeModels, learn_ramps
from segkit.clustering.predictive import combine_outcomes, cut_predictions
from segkit.runtime.parallel import Progress
from segkit.validation.confidence import cross_labels, resample_rules
from segkit.validation.families import STARTS
from segkit.validation.gather import Evidence, weigh_evidence
from segkit.validation.nulls import compare_with_null
from segkit.validation.resampling import Recipe
from segkit.validation.separation import separated_pairs
from segkit.validation.stability import resample_stability


def predictive_space(models: OutcomeModels, features: pd.DataFrame, value_weight: float) -> np.ndarray:
    """Return the weighted predictions that predictive candidates cut, shape (customers, predictable outcomes)."""
    weights = models.weights(value_weight)
    return (models.predict(models.matrix.transform(features)) * weights)[:, weights > 0]


def gather_predictive_evidence(
    models: OutcomeModels,
    features: pd.DataFrame,
    fits: list[tuple[Candidate, Fit]],
    *,
    seed: int,
    resamples: int = 100,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Evidence:
    """Return the evidence on predictive candidates, as `gather_evidence` does on others.

    Valleys are looked for, and nulls drawn, among the predictions, which these candidates cut. Those who are counted
    had no part in the cut, but one in the space: it is made by models that learned from both halves.

    For stability the models learn again on every resample of customers, and cut anew. Frozen stay the matrix, the
    strengths of the ridges and the weights of outcomes and of value, as found on all customers: what comes back is
    the recipe, given these. The nulls' models don't learn again, which makes the nulls the stabler, and the verdict the
    stricter.

    Parameters
    ----------
    features : DataFrame
        Index customer_id, today's, sorted.
    fits : list of (Candidate, Fit)
        Of `fit_candidates`; all flat ones with the same weight of value.
    """
    value_weight = next((one.params["value_weight"] for one, _ in fits if "value_weight" in one.params), 1.0)
    space, kept = predictive_space(models, features, value_weight), models.weights(value_weight)
    shared = {"seed": seed, "jobs": jobs, "progress": progress}
    cuts, recipes = {}, {}
    for one, fit in fits:
        # From weighted predictions to the columns that this candidate cuts, which have no offset taken off.
        combined = combine_outcomes(models, **_without_k(one.params))
        turn = combined[kept > 0] / kept[kept > 0, None]
        centres = fit.rule.arrays | {"centres": fit.rule.arrays["centres"] - models.offset @ combined}
        rule = Rule("nearest_centre", {name: centres[name] for name in ("centres", "labels")})
        cuts[one.candidate_id] = Turned(rule, turn, fit.labels)
        recipes[one.candidate_id] = Recipe(partial(_cut_again, turn, dict(one.params)))
    separation = separated_pairs(space, recipes, cuts, **shared)
    wide, own = _wide_rows(models, features)
    again = {
        one.candidate_id: Recipe(partial(_learn_again, models.learned, models, own, dict(one.params)))
        for one, _ in fits
    }
    unnamed = np.eye(wide.shape[1])[:, :-1]
    frozen = {one.candidate_id: Turned(fit.rule, unnamed, fit.labels) for one, fit in fits}
    stability = resample_stability(wide, again, frozen, resamples=resamples, **shared)
    return weigh_evidence(
        separation,
        stability,
        lambda name, null, observed: compare_with_null(space, recipes[name], observed, null=null, **shared),
    )


def predictive_rules(
    models: OutcomeModels, features: pd.DataFrame, params: Mapping, reference: np.ndarray, **settings
) -> list[Rule]:
    """Return the rules of resamples by which a predictive candidate knows how sure an assignment is.

    Parameters
    ----------
    params : mapping
        The candidate's ``k``, and ``value_weight`` or ``tiers``.
    reference : ndarray, shape (n,)
        Its labels of the customers of `features`.
    **settings
        As for `resample_rules`.
    """
    recipe, wide = learning_recipe(models, features, params)
    return [one.inner for one in resample_rules(wide, recipe, reference, **settings)]


def cross_predictive(
    models: OutcomeModels, features: pd.DataFrame, params: Mapping, reference: np.ndarray, *, seed: int
) -> np.ndarray:
    """Return `cross_labels` of a predictive candidate: each half's models learn anew."""
    recipe, wide = learning_recipe(models, features, params)
    return cross_labels(wide, recipe, reference, seed=seed)


def learning_recipe(models: OutcomeModels, features: pd.DataFrame, params: Mapping) -> tuple[Recipe, np.ndarray]:
    """Return the recipe by which a predictive candidate learns again, and the rows of `features` that it works on."""
    wide, own = _wide_rows(models, features)
    return Recipe(partial(_learn_again, models.learned, models, own, dict(params))), wide


def _wide_rows(models: OutcomeModels, features: pd.DataFrame) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return rows whose last column says who a row is, and for each customer the rows that were learned on."""
    rows = pd.Series(np.arange(len(models.learned.customers))).groupby(models.learned.customers.to_numpy())
    rows = {customer: found.to_numpy() for customer, found in rows}
    X = models.matrix.transform(features)
    return np.column_stack([X, np.arange(len(X))]), [rows.get(one, np.empty(0, int)) for one in features.index]


@dataclass(frozen=True)
class Turned:
    """A rule on other columns than those it is asked by, which `turn` leads to, and the labels it gave."""

    inner: Rule
    turn: np.ndarray
    labels: np.ndarray

    @property
    def rule(self) -> "Turned":
        """Itself."""
        return self

    def assign(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return labels as the rule gives them."""
        return self.inner.assign(X @ self.turn)

    @property
    def segments(self) -> int:
        """The number of labels."""
        return self.inner.segments

    def relabelled(self, labels: np.ndarray) -> "Turned":
        """Return it with ``labels[label]`` for each label of the rule."""
        return Turned(self.inner.relabelled(labels), self.turn, labels[self.labels])


def _cut_again(turn: np.ndarray, params: Mapping, space: np.ndarray, *, seed, dequantised) -> Turned:
    columns = space @ turn
    centres = cut_predictions(columns, seed=seed, k=params["k"], tiers=params.get("tiers", 0))
    fit = finish(centre_rule(centres), columns)
    return Turned(fit.rule, turn, fit.labels)


def _without_k(params: Mapping) -> dict:
    return {name: setting for name, setting in params.items() if name != "k"}


_last: dict[str, Any] = {}  # models of the resample seen last: all candidates meet the same one in turn


def _learn_again(
    learned: Learned,
    models: OutcomeModels,
    own: list[np.ndarray],
    params: Mapping,
    wide: np.ndarray,
    *,
    seed,
    dequantised,
) -> Turned:
    if _last.get("wide") is not wide:
        drawn = [own[int(place)] for place in wide[:, -1]]
        rows = np.concatenate(drawn) if drawn else np.empty(0, int)
        strengths = models.outcomes["strength"].to_numpy()
        ramps = learn_ramps(learned.X[rows], learned.Y[rows], learned.credible[rows], models.outcomes, strengths)
        predicted = predict_outcomes(wide[:, :-1], *ramps[:2])
        _last.update(wide=wide, knots=ramps[0], coefficients=ramps[1], predicted=predicted)
    combined = combine_outcomes(models, **_without_k(params))
    knots, coefficients, predicted = _last["knots"], _last["coefficients"] @ combined, _last["predicted"] @ combined
    centres = cut_predictions(predicted, seed=seed, k=params["k"], tiers=params.get("tiers", 0), starts=STARTS)
    rule = Rule("nearest_prediction", {"knots": knots, "coefficients": coefficients, **centre_rule(centres).arrays})
    unnamed = np.eye(wide.shape[1])[:, :-1]
    return Turned(rule, unnamed, np.empty(0, int))  # nobody asks who was where in a resample
