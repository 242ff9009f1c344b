"""Fit one candidate and freeze it."""

from datetime import date

import pandas as pd

from segkit.clustering.assignment_rules import Rule
from segkit.clustering.fit import Fit
from segkit.clustering.grid import Candidate
from segkit.clustering.methods import METHODS
from segkit.clustering.rfm import RfmMap, ValueTiers, fit_rfm, fit_value_tiers
from segkit.clustering.segmentation import Segmentation
from segkit.preprocessing.matrix import Matrix
from segkit.runtime.errors import InputError

BASELINES = {"rfm": fit_rfm, "tiers": fit_value_tiers}  # rules over features, by family; None where columns lack


def fit_segmentation(
    features: pd.DataFrame,
    matrix: Matrix,
    candidate: Candidate,
    *,
    seed: int,
    as_of: date | None = None,
    window_days: int = 365,
    recipe: dict | None = None,
    rule: Rule | RfmMap | ValueTiers | None = None,
) -> Segmentation:
    """Return one candidate fitted and frozen, its segments called S1, S2, ... from the largest to the smallest.

    Parameters
    ----------
    features : DataFrame
        Index customer_id, natural units.
    matrix : Matrix
        Fitted on features such as these.
    candidate : Candidate
        candidate_id, family and params.
    seed, as_of, window_days, recipe
        Kept for later; `seed` also starts the fit.
    rule : optional
        The rule of a fit of this very candidate, which then isn't fitted again.

    Raises
    ------
    InputError
        The features lack what the matrix or the rule needs; the message names it.

    Examples
    --------
    >>> from segkit.preprocessing.prepare import fit_matrix
    >>> from segkit.clustering.assign import assign_customers
    >>> features = pd.DataFrame({"spend": [1.0, 2.0, 3.0, 90.0, 99.0]}, index=list("abcde"))
    >>> matrix = fit_matrix(features, pd.DataFrame({"family": "value", "kind": "money"}, index=["spend"]))
    >>> segmentation = fit_segmentation(features, matrix, Candidate("kmeans-2", "kmeans", {"k": 2}), seed=0)
    >>> segmentation
    kmeans-2, 5 customers, seed 0
    >>> assign_customers(segmentation, features)["segment_id"].to_list()
    ['S1', 'S1', 'S1', 'S2', 'S2']
    >>> assign_customers(segmentation, features[[]])
    Traceback (most recent call last):
    segkit.InputError: features lack spend, which the matrix was fitted on: compute them first
    """
    if rule is None:
        rule = fit_candidate(features, matrix, candidate, seed=seed).rule
    if isinstance(rule, Rule):
        segments = [f"Segment {number}" for number in range(1, rule.segments + 1)]
    else:
        segments = rule.segments
    ids = tuple(f"S{number}" for number in range(1, len(segments) + 1))
    return Segmentation(
        *candidate, matrix, rule, ids, dict(zip(ids, segments, strict=True)), recipe or {}, as_of, window_days, seed,
        len(features),
    )  # fmt: skip


def fit_candidate(features: pd.DataFrame, matrix: Matrix, candidate: Candidate, *, seed: int) -> Fit:
    """Return the fit of one candidate, on one thread: the same as among all candidates."""
    from threadpoolctl import threadpool_limits

    if candidate.family in BASELINES:
        fit = fit_baseline(features, candidate)
        if fit is None:
            raise InputError(
                f"{candidate.candidate_id} needs days_since_last_order, order_count and spend: choose another"
            )
        return fit
    with threadpool_limits(limits=1):
        X, dequantised = matrix.transform(features), matrix.dequantised(features, seed)
        return METHODS[candidate.family](X, seed=seed, dequantised=dequantised, **candidate.params)


def fit_baseline(features: pd.DataFrame, candidate: Candidate) -> Fit | None:
    """Return a rule over features as a fit; None where the features lack its columns.

    Its labels are the places of its named segments, most valued first: some may have no customers.
    """
    rule = BASELINES[candidate.family](features, **candidate.params)
    if rule is None:
        return None
    labels = rule.assign(features)["label"].to_numpy().astype("int32")
    return Fit(labels, labels, rule)
