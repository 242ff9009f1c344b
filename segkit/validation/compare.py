"""Fit all candidates and set them beside each other by the same criteria."""

import json
import resource
import time
from collections.abc import Iterable, Sequence
from itertools import chain, groupby
from typing import NamedTuple

import numpy as np
import pandas as pd

from segkit.clustering.families import BASELINES, FAMILIES
from segkit.clustering.family import Family
from segkit.clustering.fit import Candidate, Fit, Sample
from segkit.preprocessing.prepare import CustomerMatrix
from segkit.runtime.content import made_once
from segkit.runtime.errors import InputError
from segkit.runtime.parallel import Progress, run_tasks
from segkit.runtime.progress import progress_bar
from segkit.runtime.tables.schema import TABLES
from segkit.validation.agreement import match_labels
from segkit.validation.candidates import Candidates, count_jobs, empty_table
from segkit.validation.internal import compactness, silhouettes


def compare(
    matrix: CustomerMatrix,
    families: Sequence[Family] = FAMILIES,
    segments: Iterable[int] = range(2, 13),
    *,
    jobs: int | None = None,
) -> Candidates:
    """Return every candidate of some families fitted, with the criteria that need nothing else.

    What these customers can't carry, such as a mixture with more parameters than customers, is named in the table with
    the reason, and not fitted.

    Parameters
    ----------
    matrix : CustomerMatrix
        Of `prepare`.
    families : sequence of Family
        The RFM map and the value tiers join them where the features allow.
    segments : iterable of int
        Numbers of segments to try, for families that are told how many.
    jobs : int, optional
        Processes, of one thread each; by default one per core, and one where there are few customers. The tables are
        the same for any number.

    Raises
    ------
    InputError
        Two families have the same name, or no number of segments is above 1.

    Examples
    --------
    Anybody's own table of customers, in five lines:

    >>> from segkit.clustering.families import FAMILIES
    >>> from segkit.preprocessing.prepare import prepare
    >>> from segkit.validation.selection import Limits, choose
    >>> shop = pd.DataFrame({"spend": [*range(30), *range(500, 540)]}, index=[f"c{number}" for number in range(70)])
    >>> candidates = compare(prepare(shop), FAMILIES[:2], segments=range(2, 4))
    >>> candidates
    5 candidates over 70 customers
    >>> choose(candidates, Limits(min_segments=2))
    5 candidates over 70 customers, kmeans-2 chosen
    >>> compare(prepare(shop), segments=[1])
    Traceback (most recent call last):
    segkit.InputError: segments holds [1]: give whole numbers from 2 on, such as range(2, 13)
    """
    segments = tuple(sorted({int(k) for k in segments if k > 1})) if (given := list(segments)) else ()
    if not segments:
        raise InputError(f"segments holds {given}: give whole numbers from 2 on, such as range(2, 13)")
    families = (*BASELINES, *families)
    if len(names := [family.name for family in families]) > len(set(names)):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"two families are called {twice}: give one of them another name")

    def make() -> dict:
        with progress_bar("comparing segmentations") as progress:
            grid = [candidate for family in families for candidate in family.grid(matrix, segments)]
            return _lay_out(matrix, grid, fit_all(matrix, families, grid, jobs=jobs, progress=progress))

    made = made_once("compare", "validation.compare", (matrix.fingerprint, families, segments), make)
    return Candidates(**made, families=families, segments=segments, transformer=matrix.transformer, matrix=matrix)


class Fitted(NamedTuple):
    """A candidate with its fit, its criteria, and what they cost."""

    candidate: Candidate
    fit: Fit
    criteria: dict[str, float]
    cost: dict[str, float]


def fit_all(
    matrix: CustomerMatrix,
    families: Sequence[Family],
    candidates: Sequence[Candidate],
    *,
    jobs: int | None = None,
    progress: Progress | None = None,
    what: str = "fitting candidates",
) -> list[Fitted]:
    """Return each candidate fitted on the customers of a matrix, in the order of the candidates.

    Those that are refused are left out.
    """
    candidates = [one for one in candidates if not one.refused]
    known = {family.name: family for family in families}
    tasks = []
    for name, candidates_of in groupby(candidates, lambda candidate: candidate.family):
        sample, own = known[name].sample(matrix), list(candidates_of)
        parts = [own] if known[name].together else [[one] for one in own]
        tasks += [(matrix.X, sample, known[name], part, matrix.seed) for part in parts]
    jobs = count_jobs(len(matrix.compared), jobs)
    return list(chain(*run_tasks(_fit_part, tasks, jobs=jobs, progress=progress, what=what)))


def _fit_part(X: np.ndarray, sample: Sample, family: Family, candidates: list[Candidate], seed: int) -> list[Fitted]:
    fitted = []
    for candidate in candidates:
        start, fit = time.perf_counter(), family.fit(sample, seed=seed, **candidate.params)
        criteria = measure(X, fit.labels) | {name: fit.statistics.get(name, np.nan) for name in ("dbcv", "bic", "icl")}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        cost = {"seconds": time.perf_counter() - start, "peak_mb": peak}
        fitted.append(Fitted(candidate, fit, criteria, cost))
    return fitted


def measure(X: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return the number of segments, their sizes and how compact they are in the matrix."""
    sizes = np.bincount(labels[labels >= 0])
    sizes = sizes[sizes > 0]  # a rule may have segments that nobody is in
    return {
        "segments": len(sizes),
        "noise_share": float(np.mean(labels < 0)),
        "smallest_share": float(sizes.min() / len(X)) if len(sizes) else np.nan,
        **compactness(X, labels),
    }


def _lay_out(matrix: CustomerMatrix, grid: list[Candidate], fitted: list[Fitted]) -> dict[str, pd.DataFrame]:
    ids = [one.candidate.candidate_id for one in fitted]
    labels = pd.DataFrame(np.stack([one.fit.labels for one in fitted], axis=1), index=matrix.compared, columns=ids)
    timings = pd.DataFrame([{"candidate_id": one.candidate.candidate_id, **one.cost} for one in fitted])
    table = criteria_table(matrix, [one.candidate for one in fitted], labels, [one.criteria for one in fitted])
    if refused := [one for one in grid if one.refused]:
        rows = table.iloc[[0] * len(refused)][["customers", "sample_size"]].reset_index(drop=True)
        about = [(one.candidate_id, one.family, json.dumps(one.params, sort_keys=True), one.refused) for one in refused]
        rows[["candidate_id", "family", "params", "reason"]] = about
        rows["segments"] = [one.params["k"] for one in refused]
        table = pd.concat([table, empty_table(rows).astype(table.dtypes)]).set_index("candidate_id")
        table = table.loc[[one.candidate_id for one in grid]].reset_index()[list(TABLES["candidates"].columns)]
    return {"table": table, "labels": labels, "timings": timings}


def criteria_table(
    matrix: CustomerMatrix, candidates: list[Candidate], labels: pd.DataFrame, criteria: list[dict]
) -> pd.DataFrame:
    """Return the table of candidates, with the silhouettes of all of them in one pass over the distances."""
    table = pd.DataFrame(criteria)
    table["candidate_id"], table["family"] = list(labels), [one.family for one in candidates]
    table["params"] = [json.dumps(one.params, sort_keys=True) for one in candidates]
    table["silhouette"] = silhouettes(matrix.X, labels.to_numpy(), seed=matrix.seed)
    table["customers"], table["sample_size"] = matrix.customers, len(labels)
    return empty_table(table)


def align_labels(labels: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Return the labels renamed so that segments with the same customers have the same label as in `reference`.

    For one colour per segment over many pictures. Segments are matched one to one by overlap (Kuhn 1955); those that
    `reference` has no counterpart for get labels of their own, beyond its own.

    Examples
    --------
    >>> labels = pd.DataFrame({"kmeans-2": [0, 0, 1], "ward-2": [1, 1, 0]})
    >>> align_labels(labels, "kmeans-2")["ward-2"].to_list()
    [0, 0, 1]
    """
    place = labels[reference].to_numpy()
    return labels.apply(lambda column: match_labels(place, column.to_numpy())).astype("int32")
