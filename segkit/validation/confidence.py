"""How sure an assignment is: rules that resamples of the customers lead to, kept so that anybody can be asked about."""

from typing import Any

import numpy as np
import pandas as pd

from segkit.clustering.freeze import BASELINES
from segkit.clustering.grid import Candidate
from segkit.runtime.parallel import Progress, run_tasks
from segkit.runtime.seeds import sample_rows, two_halves
from segkit.validation.agreement import match_labels
from segkit.validation.resampling import RESAMPLE_LIMIT, Recipe, resample_rows, take

CONFIDENCE_FITS = 50  # the share of them that agree is known within 0.07 (a standard error) for the least sure


def resample_rules(
    X: np.ndarray,
    recipe: Recipe,
    reference: np.ndarray,
    *,
    seed: int,
    resamples: int = CONFIDENCE_FITS,
    dequantised: np.ndarray | None = None,
    limit: int = RESAMPLE_LIMIT,
    jobs: int = 1,
    progress: Progress | None = None,
) -> list[Any]:
    """Return the rule of each resample's fit, its labels matched to those of the candidate.

    The resamples and seeds are those of `resample_stability`. A segment of the resample that matches
    none of the candidate's keeps a label beyond theirs.

    Parameters
    ----------
    X : ndarray, shape (n, d)
        Customers in an order of their own (that of their ids), not that of the file.
    recipe : Recipe
    reference : ndarray, shape (n,)
        The candidate's labels; negative for customers left out.
    limit : int
        Customers in a resample, and customers on whom labels are matched, at most.

    Examples
    --------
    >>> from segkit.validation.families import candidate_recipe
    >>> X = np.r_[np.linspace(0, 1, 20), np.linspace(8, 9, 10)][:, None]
    >>> reference = np.repeat([0, 1], [20, 10])
    >>> rules = resample_rules(X, candidate_recipe("kmeans", {"k": 2}, 30), reference, seed=0, resamples=4)
    >>> [rule.assign(np.array([[0.5], [8.5]]))[0].tolist() for rule in rules]
    [[0, 1], [0, 1], [0, 1], [0, 1]]
    """
    judged = sample_rows(len(X), limit, seed)
    arguments = [(X, dequantised, recipe, judged, reference, seed, limit, number) for number in range(resamples)]
    return list(run_tasks(_matched_rule, arguments, jobs=jobs, progress=progress, what="confidence"))


def _matched_rule(X, dequantised, recipe, judged, reference, seed, limit, number) -> Any:
    rows = resample_rows(len(X), halves=recipe.halves, seed=seed, number=number, limit=limit)
    return matched_rule(X, rows, recipe, judged, reference, seed=seed + number, dequantised=dequantised)


def matched_rule(X, rows, recipe: Recipe, judged, reference, *, seed: int, dequantised=None) -> Any:
    """Return the rule of a fit on some rows, its labels matched to those of `reference` on the rows `judged`."""
    rule = recipe.sample_fit(X[rows], seed=seed, dequantised=take(dequantised, rows)).rule
    labels = rule.assign(X[judged])[0]
    matched = match_labels(reference[judged], labels)
    beyond = max(reference.max(), matched.max()) + 1
    renamed = np.full(max(rule.segments, labels.max() + 1), beyond)  # a segment that none of the judged is in
    renamed[labels[labels >= 0]] = matched[labels >= 0]
    return rule.relabelled(renamed)


def cross_labels(
    X: np.ndarray,
    recipe: Recipe,
    reference: np.ndarray,
    *,
    seed: int,
    dequantised: np.ndarray | None = None,
    limit: int = RESAMPLE_LIMIT,
) -> np.ndarray:
    """Return the label of each customer by a fit on the half of the customers that they are not in.

    A fit on each half puts the other half into its segments, which take the labels of the candidate's that they match.
    So every customer is judged by segments that they had no part in making, and none is lost to a holdout. What the
    labels show is the recipe: where halves lead to other segments, these mix, and differences between them shrink, as
    they should, since the next customers would not show them either.

    Parameters
    ----------
    X, recipe, reference, dequantised, limit
        As for `resample_rules`.

    Returns
    -------
    ndarray, shape (n,)
        Labels of the candidate; negative for customers left out, and in a segment that none of the candidate's matches.

    Examples
    --------
    >>> from segkit.validation.families import candidate_recipe
    >>> X = np.r_[np.linspace(0, 1, 20), np.linspace(8, 9, 10)][:, None]
    >>> reference = np.repeat([1, 0], [20, 10])
    >>> (cross_labels(X, candidate_recipe("kmeans", {"k": 2}, 30), reference, seed=0) == reference).all()
    np.True_
    """
    judged, labels = sample_rows(len(X), limit, seed), np.full(len(X), -1)
    halves = two_halves(len(X), seed, "crossed")
    for mine, others in (halves, halves[::-1]):
        rows = mine[sample_rows(len(mine), limit, seed)]
        rule = matched_rule(X, rows, recipe, judged, reference, seed=seed, dequantised=dequantised)
        labels[others] = rule.assign(X[others])[0]
    return np.where(labels <= reference.max(), labels, -1)


def resample_baseline(
    features: pd.DataFrame, candidate: Candidate, *, seed: int, resamples: int = CONFIDENCE_FITS
) -> list[Any]:
    """Return a rule on spend fitted to each resample of the customers; its segments have names, so none are matched.

    Examples
    --------
    >>> shop = pd.DataFrame({"spend": np.arange(100.0)}, index=[f"c{i:02}" for i in range(100)])
    >>> len(resample_baseline(shop, Candidate("tiers-5", "tiers", {}), seed=0, resamples=3))
    3
    """
    drawn = [resample_rows(len(features), halves=False, seed=seed, number=number) for number in range(resamples)]
    return [BASELINES[candidate.family](features.iloc[rows], **candidate.params) for rows in drawn]


def cross_baseline(features: pd.DataFrame, candidate: Candidate, *, seed: int) -> np.ndarray:
    """Return `cross_labels` of a rule on spend, whose segments have names, so that none are matched.

    Examples
    --------
    >>> shop = pd.DataFrame({"spend": np.arange(100.0)}, index=[f"c{i:02}" for i in range(100)])
    >>> np.bincount(cross_baseline(shop, Candidate("tiers-5", "tiers", {}), seed=0)).sum()
    np.int64(100)
    """
    labels = np.full(len(features), -1)
    halves = two_halves(len(features), seed, "crossed")
    for mine, others in (halves, halves[::-1]):
        rule = BASELINES[candidate.family](features.iloc[mine], **candidate.params)
        labels[others] = rule.assign(features.iloc[others])["label"]
    return labels
