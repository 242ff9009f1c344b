"""The evidence on predictive candidates: where they are cut, and whether they come back when the models learn again."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from segkit.evidence import (
    Evidence,
    candidate_recipe,
    compare_with_null,
    resample_stability,
    separated_pairs,
    weigh_evidence,
)
from segkit.evidence.confidence import resample_rules
from segkit.evidence.recipes import Progress, Recipe
from segkit.methods import Candidate, Fit, Rule
from segkit.methods.fit import finish
from segkit.methods.rules import centre_rule, predict_outcomes
from segkit.predictive.models import Learned, OutcomeModels, learn_ramps
from segkit.predictive.segments import STARTS, cluster_predictions


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
    """Return the evidence on predictive candidates, as `segkit.evidence.gather_evidence` does on others.

    Valleys are looked for, and nulls drawn, among the predictions, where these candidates are k-means. For stability
    the models learn again on every resample of customers: what comes back then is the whole recipe. The nulls' models
    don't, which makes the nulls the stabler, and the verdict the stricter.

    Parameters
    ----------
    features : DataFrame
        Index customer_id, today's, sorted.
    fits : list of (Candidate, Fit)
        Of `segkit.predictive.fit_candidates`, with one weight of value.
    """
    space = predictive_space(models, features, fits[0][0].params["value_weight"])
    shared = {"seed": seed, "jobs": jobs, "progress": progress}
    recipes = {one.candidate_id: candidate_recipe("kmeans", {"k": one.params["k"]}, len(space)) for one, _ in fits}
    cuts = {one.candidate_id: _cut_of(fit, space) for one, fit in fits}
    separation = separated_pairs(space, recipes, cuts, **shared)
    wide, own = _wide_rows(models, features)
    again = {
        one.candidate_id: Recipe(partial(_learn_again, models.learned, models, own, dict(one.params)))
        for one, _ in fits
    }
    frozen = {one.candidate_id: Refitted(fit.rule, fit.labels) for one, fit in fits}
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
        The candidate's ``k`` and ``value_weight``.
    reference : ndarray, shape (n,)
        Its labels of the customers of `features`.
    **settings
        As for `segkit.evidence.resample_rules`.
    """
    wide, own = _wide_rows(models, features)
    recipe = Recipe(partial(_learn_again, models.learned, models, own, dict(params)))
    return [one.inner for one in resample_rules(wide, recipe, reference, **settings)]


def _wide_rows(models: OutcomeModels, features: pd.DataFrame) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return rows whose last column says who a row is, and for each customer the rows that were learned on."""
    rows = pd.Series(np.arange(len(models.learned.customers))).groupby(models.learned.customers.to_numpy())
    rows = {customer: found.to_numpy() for customer, found in rows}
    X = models.matrix.transform(features)
    return np.column_stack([X, np.arange(len(X))]), [rows.get(one, np.empty(0, int)) for one in features.index]


@dataclass(frozen=True)
class Refitted:
    """A rule on the columns of a wide row but the last, and the labels it gave."""

    inner: Rule
    labels: np.ndarray

    @property
    def rule(self) -> "Refitted":
        """Itself."""
        return self

    def assign(self, wide: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return labels as the rule gives them."""
        return self.inner.assign(wide[:, :-1])

    @property
    def segments(self) -> int:
        """The number of labels."""
        return self.inner.segments

    def relabelled(self, labels: np.ndarray) -> "Refitted":
        """Return it with ``labels[label]`` for each label of the rule."""
        return Refitted(self.inner.relabelled(labels), self.labels)


def _cut_of(fit: Fit, space: np.ndarray) -> Fit:
    sizes = np.bincount(fit.labels)
    centres = np.stack([np.bincount(fit.labels, column) / sizes for column in space.T], axis=1)
    return finish(centre_rule(centres), space)


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
) -> Refitted:
    if _last.get("wide") is not wide:
        drawn = [own[int(place)] for place in wide[:, -1]]
        rows = np.concatenate(drawn) if drawn else np.empty(0, int)
        strengths = models.outcomes["strength"].to_numpy()
        ramps = learn_ramps(learned.X[rows], learned.Y[rows], learned.credible[rows], models.outcomes, strengths)
        _last.update(wide=wide, knots=ramps[0], coefficients=ramps[1])
    weights = models.weights(params["value_weight"])
    knots, coefficients = _last["knots"], _last["coefficients"][:, weights > 0] * weights[weights > 0]
    predicted = predict_outcomes(wide[:, :-1], knots, coefficients)
    centres = cluster_predictions(predicted, seed=seed, k=params["k"], starts=STARTS)
    rule = Rule("nearest_prediction", {"knots": knots, "coefficients": coefficients, **centre_rule(centres).arrays})
    return Refitted(rule, rule.assign(wide[:, :-1])[0])
