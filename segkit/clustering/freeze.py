"""Fit one candidate and freeze it."""

from collections.abc import Sequence

from segkit.clustering.assignment_rules import Rule
from segkit.clustering.families import BASELINES, FAMILIES
from segkit.clustering.family import Family
from segkit.clustering.fit import Candidate, Fit
from segkit.clustering.segmentation import Segmentation
from segkit.preprocessing.prepare import CustomerMatrix
from segkit.runtime.errors import InputError


def freeze_candidate(
    matrix: CustomerMatrix, candidate: Candidate, *, families: Sequence[Family] = (*FAMILIES, *BASELINES)
) -> Segmentation:
    """Return one candidate fitted and frozen, its segments called S1, S2, ... from the largest to the smallest.

    Parameters
    ----------
    matrix : CustomerMatrix
        Of `prepare`.
    candidate : Candidate
        candidate_id, family and params.
    families : sequence of Family
        Among which the candidate's family is looked for.

    Raises
    ------
    InputError
        The family is none of these, or the features lack what it needs; the message names it.

    Examples
    --------
    >>> import pandas as pd
    >>> from segkit.clustering.assign import assign_customers
    >>> from segkit.preprocessing.prepare import prepare
    >>> shop = pd.DataFrame({"spend": [1.0, 2.0, 3.0, 90.0, 99.0]}, index=list("abcde"))
    >>> segmentation = freeze_candidate(prepare(shop), Candidate("kmeans-2", "kmeans", {"k": 2}))
    >>> segmentation
    kmeans-2, 5 customers, seed 0
    >>> assign_customers(segmentation, shop)["segment_id"].to_list()
    ['S1', 'S1', 'S1', 'S2', 'S2']
    >>> assign_customers(segmentation, shop[[]])
    Traceback (most recent call last):
    segkit.InputError: features lack spend, which the matrix was fitted on: compute them first
    """
    family, features = family_of(candidate.family, families), matrix.features
    rule = fit_candidate(matrix, candidate, families=families).rule
    names = [f"Segment {number + 1}" for number in range(rule.segments)] if isinstance(rule, Rule) else rule.segments
    ids = tuple(f"S{number + 1}" for number in range(len(names)))
    return Segmentation(
        *candidate[:3], family.transformer(matrix), rule, ids, dict(zip(ids, names, strict=True)), features.recipe,
        features.as_of, features.window_days, matrix.seed, len(matrix.compared),
    )  # fmt: skip


def fit_candidate(
    matrix: CustomerMatrix, candidate: Candidate, *, families: Sequence[Family] = (*FAMILIES, *BASELINES)
) -> Fit:
    """Return the fit of one candidate, on one thread: the same as among all candidates."""
    from threadpoolctl import threadpool_limits

    family = family_of(candidate.family, families)
    with threadpool_limits(limits=1):
        return family.fit(family.sample(matrix), seed=matrix.seed, **candidate.params)


def family_of(name: str, families: Sequence[Family]) -> Family:
    """Return the family of that name.

    Examples
    --------
    >>> family_of("ward", FAMILIES)
    Traceback (most recent call last):
    segkit.InputError: there is no family 'ward' here, only kmeans, hierarchical, gmm, hdbscan, dbscan, predictive
    """
    found = {family.name: family for family in families}
    if name not in found:
        raise InputError(f"there is no family {name!r} here, only {', '.join(found)}")
    return found[name]
