"""How sure an assignment is: rules that resamples of the customers lead to, kept so that anybody can be asked about."""

from typing import Any

import numpy as np
import pandas as pd

from segkit.evidence.agreement import match_labels
from segkit.evidence.recipes import (
    RESAMPLE_LIMIT,
    Progress,
    Recipe,
    resample_rows,
    run_tasks,
    sample_rows,
    take,
)
from segkit.methods import Candidate
from segkit.segmentation import BASELINES

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

    The resamples and seeds are those of `segkit.evidence.resample_stability`. A segment of the resample that matches
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
    >>> from segkit.evidence import candidate_recipe
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
    rule = recipe.sample_fit(X[rows], seed=seed + number, dequantised=take(dequantised, rows)).rule
    labels = rule.assign(X[judged])[0]
    matched = match_labels(reference[judged], labels)
    beyond = max(reference.max(), matched.max()) + 1
    renamed = np.full(max(rule.segments, labels.max() + 1), beyond)  # a segment that none of the judged is in
    renamed[labels[labels >= 0]] = matched[labels >= 0]
    return rule.relabelled(renamed)


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
