"""The chosen candidate frozen, and how sure the segment of a customer is: by resamples, and by the other half."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from segkit.clustering.assignment_rules import Rule
from segkit.clustering.fit import Sample, assign_labels
from segkit.clustering.freeze import freeze_candidate
from segkit.clustering.segmentation import LEFT_OUT, Segmentation
from segkit.runtime.content import made_once
from segkit.runtime.parallel import Progress, run_tasks
from segkit.runtime.progress import progress_bar
from segkit.runtime.seeds import sample_rows, two_halves
from segkit.validation.agreement import match_labels
from segkit.validation.candidates import Candidates, count_jobs
from segkit.validation.stability import KEPT_FITS, RESAMPLE_LIMIT, Recipe, ResampleFit, resample_rows

CONFIDENCE_FITS = KEPT_FITS  # the share of them that agree is known within 0.07 (a standard error) for the least sure
MANY, FEW_FITS = 200_000, 20  # customers above whom fewer fits have to do: the share is known within 0.11


def fit_segmentation(candidates: Candidates, *, draws: int = 100, jobs: int | None = None) -> Segmentation:
    """Return the chosen candidate fitted and frozen, with rules of resamples that tell how sure an assignment is.

    Its segments are called S1, S2, ... from the largest to the smallest. Where a model is kept it comes back as it is.

    Parameters
    ----------
    candidates : Candidates
        After `choose`.
    draws : int
        Resamples at most; `CONFIDENCE_FITS` do, and for more than `MANY` customers, who are all going to be assigned by
        each, `FEW_FITS`.
    jobs : int, optional
        As for `compare`.

    Raises
    ------
    InputError
        Nothing is chosen yet, or the candidates were loaded from tables: fit where they were compared.

    Examples
    --------
    >>> from segkit.clustering.assign import assign_customers
    >>> from segkit.clustering.families import FAMILIES
    >>> from segkit.preprocessing.prepare import prepare
    >>> from segkit.validation.compare import compare
    >>> from segkit.validation.selection import Limits, choose
    >>> shop = pd.DataFrame({"visits": [*range(30), *range(500, 540)]}, index=[f"c{number}" for number in range(70)])
    >>> candidates = choose(compare(prepare(shop), FAMILIES[:1], segments=[2]), Limits(min_segments=2))
    >>> segmentation = fit_segmentation(candidates, draws=10)
    >>> assign_customers(segmentation, shop)["confidence"].mean().round(2)
    np.float64(1.0)
    """
    if candidates.kept is not None:
        return candidates.kept_segmentation
    matrix, chosen = candidates.known_matrix(), candidates.grid[candidates.chosen["candidate_id"]]
    family = candidates.family_of(chosen.candidate_id)
    fits = min(CONFIDENCE_FITS if matrix.customers <= MANY else FEW_FITS, draws)

    def make() -> Segmentation:
        segmentation, sample = freeze_candidate(matrix, chosen, families=[family]), family.sample(matrix)
        labels = assign_labels(segmentation.rule, sample.X)[0]
        with progress_bar("resampling the chosen one") as progress:
            rules = resample_rules(
                sample, Recipe(family, chosen.params, labels), seed=matrix.seed, resamples=fits,
                known=candidates.fits.get(chosen.candidate_id, []), jobs=count_jobs(len(sample), jobs),
                progress=progress,
            )  # fmt: skip
        return replace(segmentation, resampled=tuple(rules))

    return made_once("segmentation", "validation.sureness", (matrix.fingerprint, chosen, family, fits), make)


def cross_segments(candidates: Candidates, segmentation: Segmentation) -> pd.Series | None:
    """Return the segment of each customer compared by the recipe fitted on the half that they are not in.

    Parameters
    ----------
    candidates : Candidates
        After `choose`.
    segmentation : Segmentation
        Of `fit_segmentation`; its ids are used, which may be others by now.

    Returns
    -------
    Series or None
        Index customer_id; segment_id, ``S0`` where there is none. None for a kept model.
    """
    if candidates.kept is not None:
        return None
    matrix, chosen = candidates.known_matrix(), candidates.grid[segmentation.candidate_id]
    family = candidates.family_of(chosen.candidate_id)

    def make() -> np.ndarray:
        sample = family.sample(matrix)
        labels = assign_labels(segmentation.rule, sample.X)[0]
        return cross_labels(sample, Recipe(family, chosen.params, labels), seed=matrix.seed)

    content = (matrix.fingerprint, chosen, family, segmentation.rule)
    labels = made_once("crossed segments", "validation.sureness", content, make)
    ids = pd.array([*segmentation.segment_ids, LEFT_OUT], dtype="str")
    return pd.Series(ids.take(labels), index=matrix.compared, name="segment_id")


def resample_rules(
    customers: Sample,
    recipe: Recipe,
    *,
    seed: int,
    resamples: int = CONFIDENCE_FITS,
    known: Sequence[ResampleFit] = (),
    limit: int = RESAMPLE_LIMIT,
    jobs: int = 1,
    progress: Progress | None = None,
) -> list[Any]:
    """Return the rule of each resample's fit, its labels matched to those of the candidate.

    The resamples and seeds are those of `resample_stability`. A segment of the resample that matches none of the
    candidate's keeps a label beyond theirs. Rules on features have segments with names, so that none are matched.

    Parameters
    ----------
    customers : Sample
        In an order of their own (that of their ids), not that of the file.
    recipe : Recipe
        With the candidate's labels; negative for customers left out.
    known : sequence of ResampleFit
        The first of these fits, where `resample_stability` has made them.
    limit : int
        Customers in a resample, and customers on whom labels are matched, at most.

    Examples
    --------
    >>> from segkit.clustering.kmeans import KMEANS
    >>> customers = Sample(np.r_[np.linspace(0, 1, 20), np.linspace(8, 9, 10)][:, None])
    >>> rules = resample_rules(customers, Recipe(KMEANS, {"k": 2}, np.repeat([0, 1], [20, 10])), seed=0, resamples=4)
    >>> [rule.assign(np.array([[0.5], [8.5]]))[0].tolist() for rule in rules]
    [[0, 1], [0, 1], [0, 1], [0, 1]]
    """
    judged = sample_rows(len(customers), limit, seed)
    matched = [_match_rule(*fit, recipe, judged) for fit in known[:resamples]]
    arguments = [(customers, recipe, judged, seed, limit, number) for number in range(len(matched), resamples)]
    return matched + list(run_tasks(_resampled_rule, arguments, jobs=jobs, progress=progress, what="confidence"))


def _resampled_rule(customers: Sample, recipe: Recipe, judged, seed: int, limit: int, number: int) -> Any:
    rows = resample_rows(len(customers), halves=recipe.family.halves, seed=seed, number=number, limit=limit)
    return matched_rule(customers, rows, recipe, judged, seed=seed + number)


def matched_rule(customers: Sample, rows: np.ndarray, recipe: Recipe, judged: np.ndarray, *, seed: int) -> Any:
    """Return the rule of a fit on some rows, its labels matched to the candidate's on the rows `judged`."""
    rule = recipe.family.refit(customers.take(rows), seed=seed, **recipe.params).rule
    if not isinstance(rule, Rule):  # its segments have names
        return rule
    return _match_rule(rule, rule.assign(customers.X[judged])[0], recipe, judged)


def _match_rule(rule: Rule, labels: np.ndarray, recipe: Recipe, judged: np.ndarray) -> Rule:
    matched = match_labels(recipe.labels[judged], labels)
    beyond = max(recipe.labels.max(), matched.max()) + 1
    renamed = np.full(max(rule.segments, labels.max() + 1), beyond)  # a segment that none of the judged is in
    renamed[labels[labels >= 0]] = matched[labels >= 0]
    return rule.relabelled(renamed)


def cross_labels(customers: Sample, recipe: Recipe, *, seed: int, limit: int = RESAMPLE_LIMIT) -> np.ndarray:
    """Return the label of each customer by a fit on the half of the customers that they are not in.

    A fit on each half puts the other half into its segments, which take the labels of the candidate's that they match.
    So every customer is judged by segments that they had no part in making, and none is lost to a holdout. What the
    labels show is the recipe: where halves lead to other segments, these mix, and differences between them shrink, as
    they should, since the next customers would not show them either.

    Returns
    -------
    ndarray, shape (n,)
        Labels of the candidate; negative for customers left out, and in a segment that none of the candidate's matches.

    Examples
    --------
    >>> from segkit.clustering.kmeans import KMEANS
    >>> customers = Sample(np.r_[np.linspace(0, 1, 20), np.linspace(8, 9, 10)][:, None])
    >>> labels = np.repeat([1, 0], [20, 10])
    >>> (cross_labels(customers, Recipe(KMEANS, {"k": 2}, labels), seed=0) == labels).all()
    np.True_
    """
    limit = len(customers) if recipe.family.baseline else limit
    judged, labels = sample_rows(len(customers), limit, seed), np.full(len(customers), -1)
    halves = two_halves(len(customers), seed, "crossed")
    for mine, others in (halves, halves[::-1]):
        rows = mine[sample_rows(len(mine), limit, seed)]
        rule = matched_rule(customers, rows, recipe, judged, seed=seed)
        labels[others] = assign_labels(rule, customers.take(others).X)[0]
    return np.where(labels <= recipe.labels.max(), labels, -1)
