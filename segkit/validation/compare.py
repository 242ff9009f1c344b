"""Fit all candidates and judge them by the same criteria."""

import json
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple

import numpy as np
import pandas as pd

from segkit.clustering.centres import ward_tree
from segkit.clustering.fit import Fit
from segkit.clustering.freeze import fit_baseline
from segkit.clustering.grid import Candidate, candidate_grid
from segkit.clustering.methods import METHODS
from segkit.preprocessing.matrix import Matrix
from segkit.runtime.parallel import run_tasks
from segkit.runtime.parameters import Parameters
from segkit.runtime.tables.schema import TABLES
from segkit.validation.agreement import match_labels
from segkit.validation.internal import compactness, silhouettes

RULES = [Candidate("rfm-10", "rfm", {"version": "rfm-10"}), Candidate("tiers-5", "tiers", {})]
SERIAL_BELOW = 1_000  # fewer customers are fitted sooner than a second process starts

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Comparison:
    """All candidates of a study, none chosen yet; made by `compare_segmentations`.

    Attributes
    ----------
    candidates : DataFrame
        One row per candidate, columns as in ``candidates.parquet``; null where a criterion doesn't apply.
    labels : DataFrame
        Index customer_id, one column of labels per candidate_id; 0 is its largest segment, -1 is left out.
    fits : dict
        candidate_id -> `Fit`, with the frozen rule.
    grid : dict
        candidate_id -> `Candidate`: family and params, to fit the same recipe on other customers.
    timings : DataFrame
        candidate_id, seconds, peak_mb (of the process that fitted it, up to then). Apart from `candidates`, since they
        differ from run to run.
    """

    candidates: pd.DataFrame
    labels: pd.DataFrame
    fits: dict[str, Fit]
    grid: dict[str, Candidate]
    timings: pd.DataFrame

    def __repr__(self) -> str:
        return f"{len(self.candidates)} candidates over {len(self.labels):,} customers"


def compare_segmentations(
    features: pd.DataFrame,
    matrix: Matrix,
    parameters: Parameters,
    *,
    progress: Progress | None = None,
    jobs: int | None = None,
) -> Comparison:
    """Return every candidate fitted and judged: five families over their parameters, RFM map and value tiers.

    Parameters
    ----------
    features : DataFrame
        Index customer_id, natural units.
    matrix : Matrix
        Fitted on features such as these.
    parameters : Parameters
        `max_segments` and `seed` are used.
    progress : callable, optional
        Called as ``progress(done, total, what)``.
    jobs : int, optional
        Processes, of one thread each; by default one per core, and one where there are few customers. The tables are
        the same for any number.

    Examples
    --------
    >>> features = pd.DataFrame({"spend": [*range(30), *range(500, 540)]}, index=[f"c{i}" for i in range(70)])
    >>> dictionary = pd.DataFrame({"family": "value", "kind": "money"}, index=["spend"])
    >>> from segkit.preprocessing.prepare import fit_matrix
    >>> comparison = compare_segmentations(features, fit_matrix(features, dictionary), Parameters(max_segments=3))
    >>> comparison.labels["kmeans-2"].value_counts().to_list()
    [40, 30]
    """
    import joblib
    from threadpoolctl import threadpool_limits

    seed = parameters.seed
    X, dequantised = matrix.transform(features), matrix.dequantised(features, seed)
    with threadpool_limits(limits=1):
        grid = candidate_grid(X, max_segments=parameters.max_segments, seed=seed, dequantised=dequantised)
        judged = [_judge_baseline(X, features, baseline) for baseline in RULES]
    if jobs is None:
        jobs = 1 if len(X) < SERIAL_BELOW else joblib.cpu_count()
    together = [candidate for candidate in grid if candidate.family == "hierarchical"]  # one tree, many cuts
    tasks = [together] + [[candidate] for candidate in grid if candidate.family != "hierarchical"]
    arguments = [(X, dequantised, task, seed) for task in tasks]
    judged += chain(*run_tasks(_judge_fits, arguments, jobs=jobs, progress=progress, what="fitting candidates"))
    place = {candidate: position for position, (candidate, _, _) in enumerate(RULES + grid)}
    found = sorted((one for one in judged if one is not None), key=lambda one: place[one.candidate.candidate_id])
    with threadpool_limits(limits=1):
        return _line_up(found, X, features.index, seed)


def add_candidates(
    comparison: Comparison,
    features: pd.DataFrame,
    matrix: Matrix,
    fits: list[tuple[Candidate, Fit]],
    *,
    seed: int,
) -> Comparison:
    """Return the comparison with further candidates, judged by the same criteria in the same matrix.

    Parameters
    ----------
    comparison : Comparison
    features, matrix : DataFrame, Matrix
        Those that the comparison was made of.
    fits : list of (Candidate, Fit)
        Whose labels are of the same customers, such as those of `fit_candidates`.
    seed : int
        Of the comparison.
    """
    if not fits:
        return comparison
    more = judge_fits(features, matrix, fits, seed=seed)
    tables = {
        name: pd.concat([getattr(comparison, name), getattr(more, name)], ignore_index=True)
        for name in ("candidates", "timings")
    }
    labels = pd.concat([comparison.labels, more.labels], axis=1)
    return Comparison(
        labels=labels, fits=comparison.fits | more.fits, grid=comparison.grid | more.grid, **tables
    )  # fmt: skip


def judge_fits(features: pd.DataFrame, matrix: Matrix, fits: list[tuple[Candidate, Fit]], *, seed: int) -> Comparison:
    """Return finished fits, judged by the same criteria as all others; parameters as for `add_candidates`."""
    X, start = matrix.transform(features), time.perf_counter()
    return _line_up([_judge(X, candidate, fit, start) for candidate, fit in fits], X, features.index, seed)


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


class _Judged(NamedTuple):
    candidate: Candidate
    fit: Fit
    criteria: dict[str, float]
    cost: dict[str, float]


def _judge_fits(X, dequantised, candidates: list[Candidate], seed: int) -> list[_Judged]:
    """Return candidates that can share work, fitted and judged."""
    judged, start = [], time.perf_counter()
    shared = {"tree": ward_tree(X, seed=seed, sample=candidates[0].params.get("sample"))} if len(candidates) > 1 else {}
    for candidate in candidates:
        fit = METHODS[candidate.family](X, seed=seed, dequantised=dequantised, **candidate.params, **shared)
        judged.append(_judge(X, candidate, fit, start))
        start = time.perf_counter()
    return judged


def _judge_baseline(X: np.ndarray, features: pd.DataFrame, baseline: Candidate) -> _Judged | None:
    start, fit = time.perf_counter(), fit_baseline(features, baseline)
    return None if fit is None else _judge(X, baseline, fit, start)


def _judge(X: np.ndarray, candidate: Candidate, fit: Fit, start: float) -> _Judged:
    sizes = np.bincount(fit.labels[fit.labels >= 0])
    sizes = sizes[sizes > 0]  # a rule may have segments that nobody is in
    criteria = {
        "segments": len(sizes),
        "noise_share": float(np.mean(fit.labels < 0)),
        "smallest_share": float(sizes.min() / len(X)) if len(sizes) else np.nan,
        **compactness(X, fit.labels),
        **{name: fit.statistics.get(name, np.nan) for name in ("dbcv", "bic", "icl")},
    }
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return _Judged(candidate, fit, criteria, {"seconds": time.perf_counter() - start, "peak_mb": peak})


def _line_up(found: list[_Judged], X: np.ndarray, customers: pd.Index, seed: int) -> Comparison:
    """Return the tables; the labels are held once, whoever looks at them."""
    ids = [one.candidate.candidate_id for one in found]
    stacked = np.stack([one.fit.labels for one in found])
    fits = {}
    for one, labels in zip(found, stacked, strict=True):
        nearest = one.fit.nearest if (labels < 0).any() else labels
        fits[one.candidate.candidate_id] = replace(one.fit, labels=labels, nearest=nearest)
    table = pd.DataFrame([one.criteria for one in found])
    table["candidate_id"], table["family"] = ids, [one.candidate.family for one in found]
    table["params"] = [json.dumps(one.candidate.params, sort_keys=True) for one in found]
    table["silhouette"] = silhouettes(X, stacked.T, seed=seed)
    table["customers"] = table["sample_size"] = len(X)
    columns = TABLES["candidates"].columns
    null = {"text": None, "boolean": False}
    later = {name: null.get(column.type, np.nan) for name, column in columns.items() if name not in table}
    return Comparison(
        table.assign(**later)[list(columns)],
        pd.DataFrame(stacked.T, index=customers, columns=ids, copy=False),
        fits,
        {one.candidate.candidate_id: one.candidate for one in found},
        pd.DataFrame([{"candidate_id": one.candidate.candidate_id, **one.cost} for one in found]),
    )
