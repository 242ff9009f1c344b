"""How many groups there are: the gap statistic and the prediction strength of k-means, which may say one."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from segkit.clustering.fit import Sample
from segkit.clustering.kmeans import KMEANS
from segkit.runtime.content import made_once
from segkit.runtime.parallel import Progress, run_tasks
from segkit.runtime.progress import progress_bar
from segkit.runtime.seeds import sample_rows, stream, two_halves
from segkit.validation.agreement import contingency
from segkit.validation.candidates import Candidates, count_jobs
from segkit.validation.stability import RESAMPLE_LIMIT, Recipe

TOP_SHARE = 0.005  # the customers left out of the second reading of the gap: a few whales stretch the box
GAP_RESTARTS = 2  # per k, for the customers and for the noise alike; five changed no choice at twice the cost
ENOUGH = 0.8  # prediction strength, the threshold of the paper


def count_groups(candidates: Candidates, *, jobs: int | None = None) -> Candidates:
    """Return the candidates with the gap statistic and the prediction strength of k-means.

    For one segment up to the most that were asked for; adds the tables `gaps` and `strengths`, and fills in the
    candidates that k-means has. A kept model passes as it is.

    Parameters
    ----------
    candidates : Candidates
        Of `compare`.
    jobs : int, optional
        As for `compare`.

    Examples
    --------
    >>> from segkit.clustering.families import FAMILIES
    >>> from segkit.preprocessing.prepare import prepare
    >>> from segkit.validation.compare import compare
    >>> shop = pd.DataFrame({"spend": [*range(30), *range(900, 940)]}, index=[f"c{number}" for number in range(70)])
    >>> count_groups(compare(prepare(shop), FAMILIES[:1], segments=[2, 3])).strengths["enough"].to_list()
    [True, True, False]
    """
    if candidates.kept is not None:
        return candidates
    matrix, most = candidates.known_matrix(), max(candidates.segments)

    def make() -> dict:
        shared = {"seed": matrix.seed, "jobs": count_jobs(len(matrix.compared), jobs)}
        with progress_bar("comparing with uniform noise") as progress:
            gaps = gap_statistic(matrix.X, most + 1, restarts=GAP_RESTARTS, progress=progress, **shared)
        recipes = {f"kmeans-{k}": Recipe(KMEANS, {"k": k}) for k in range(1, most + 1)}
        with progress_bar("foretelling one half by the other") as progress:
            strengths = prediction_strength(KMEANS.sample(matrix), recipes, progress=progress, **shared)
        return {"gaps": gaps, "strengths": strengths}

    made = made_once("count groups", "validation.group_counts", (matrix.fingerprint, most), make)
    gaps, strengths = made["gaps"], made["strengths"]
    names = gaps["segments"].map("kmeans-{}".format).where(gaps["segments"] > 1)
    gaps = gaps.assign(candidate_id=names.where(names.isin(strengths["candidate_id"])))
    tested = gaps[(gaps["customers"] == "all") & gaps["candidate_id"].notna()]
    figures = strengths[["candidate_id", "prediction_strength"]].merge(tested[["candidate_id", "gap"]], how="left")
    known = figures["candidate_id"].isin(candidates.table["candidate_id"])
    return candidates.filled(figures[known], gaps=gaps, strengths=strengths)


def gap_statistic(
    X: np.ndarray,
    most: int = 12,
    *,
    seed: int,
    references: int = 50,
    restarts: int = 5,
    limit: int = RESAMPLE_LIMIT,
    jobs: int = 1,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the gap between k-means' sum of squares on uniform noise and on `X`, for k = 1 to `most`.

    The noise is uniform over the box along the principal axes of `X`. Everything is read twice: on all customers, and
    without the `TOP_SHARE` farthest from the median, whose distance alone makes the box large and empty.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    most : int
        Largest k; the choice can tell k from k + 1 below it.
    references : int
        Draws of noise.
    limit : int
        Of more customers a seeded sample of this size is used; the column ``sample_size`` says so.

    Returns
    -------
    DataFrame
        ``customers`` (``all`` or ``without the top 0.5 %``), ``segments``, ``gap``, ``gap_error`` (one standard error
        with that of simulating: s(k) in the paper), in log units, ``choice`` (True at the smallest k with
        gap(k) >= gap(k + 1) - s(k + 1)) and ``sample_size``.

    References
    ----------
    Tibshirani, Walther & Hastie (2001), "Estimating the number of clusters in a data set via the gap statistic",
    section 3, choice (b) of the reference.

    Examples
    --------
    >>> two = np.repeat([[0.0, 0.0], [9.0, 9.0]], 30, axis=0) + stream(0, "doctest").normal(size=(60, 2))
    >>> gaps = gap_statistic(two, 3, seed=0, references=10)
    >>> gaps.query("choice")["segments"].tolist()
    [2, 2]
    """
    rows = sample_rows(len(X), limit, seed)
    sample = np.asarray(X, dtype=float)[rows]
    sizes = range(1, min(most, len(sample)) + 1)
    far = np.linalg.norm(sample - np.median(sample, axis=0), axis=1)
    inner = sample[far <= np.quantile(far, 1 - TOP_SHARE)]
    readings = {"all": sample, "without the top 0.5 %": inner}
    arguments = [
        (points, number, seed, sizes, restarts) for points in readings.values() for number in range(references + 1)
    ]
    logs = np.array(list(run_tasks(_log_within, arguments, jobs=jobs, progress=progress, what="gap")))
    tables = []
    for (customers, points), read in zip(readings.items(), np.split(logs, 2), strict=True):
        gap = read[1:].mean(axis=0) - read[0]
        error = read[1:].std(axis=0) * np.sqrt(1 + 1 / references)
        table = pd.DataFrame({"customers": customers, "segments": sizes, "gap": gap, "gap_error": error})
        enough = np.flatnonzero(gap[:-1] >= gap[1:] - error[1:])
        table["choice"] = table.index == (enough[0] if len(enough) else -1)
        tables.append(table.assign(sample_size=len(points)))
    return pd.concat(tables, ignore_index=True)


def _log_within(points: np.ndarray, number: int, seed: int, sizes: range, restarts: int) -> list[float]:
    """Return log W(k) for the points themselves (number 0) or for one draw of noise in their box."""
    from sklearn.cluster import KMeans

    centred = points - points.mean(axis=0)
    if number > 0:
        # Distances don't change when the noise is left in the principal axes instead of turned back.
        turned = centred @ np.linalg.svd(centred, full_matrices=False)[2].T
        centred = stream(seed, "gap", number).uniform(turned.min(axis=0), turned.max(axis=0), size=turned.shape)
    total = float((centred**2).sum())
    within = [total]
    for size in sizes[1:]:
        within.append(KMeans(size, n_init=restarts, random_state=seed).fit(centred).inertia_)
    # Fewer distinct points than k leave nothing within; the floor keeps the logarithm finite.
    return list(np.log(np.maximum(within, 1e-12 * max(total, 1e-300))))


def prediction_strength(
    customers: Sample,
    recipes: Mapping[str, Recipe],
    *,
    seed: int,
    splits: int = 20,
    limit: int = RESAMPLE_LIMIT,
    jobs: int = 1,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the prediction strength of each candidate over random halvings of the customers.

    Each half is segmented on its own; for the worst segment of one half, the share of its pairs of customers that the
    other half's rule also puts together. Each halving is read both ways. The worst segment sets the figure, which
    makes it conservative where a segment is small. One segment foretells itself: 1. It does not apply to candidates
    that leave customers out.

    Returns
    -------
    DataFrame
        ``candidate_id``, ``prediction_strength`` (mean over the halvings, 0 to 1), ``error`` (its standard error),
        ``enough`` (mean + error >= 0.8), ``sample_size``.

    References
    ----------
    Tibshirani & Walther (2005), "Cluster validation by prediction strength", section 2.
    """
    sample = customers.take(sample_rows(len(customers), limit, seed))
    arguments = [(sample, dict(recipes), seed, number) for number in range(splits)]
    strengths = np.array(
        list(run_tasks(_strengths, arguments, jobs=jobs, progress=progress, what="prediction strength"))
    )
    mean, error = strengths.mean(axis=0), strengths.std(axis=0, ddof=1) / np.sqrt(splits)
    return pd.DataFrame(
        {
            "candidate_id": list(recipes),
            "prediction_strength": mean,
            "error": error,
            "enough": mean + error >= ENOUGH,
            "sample_size": len(sample),
        }
    )


def strongest(strengths: pd.DataFrame, segments: Mapping[str, int]) -> int:
    """Return the largest number of segments with enough prediction strength; 1 where none has.

    Parameters
    ----------
    strengths : DataFrame
        As from `prediction_strength`, of one family.
    segments : mapping of candidate_id to number of segments
    """
    return max((segments[name] for name in strengths.loc[strengths["enough"], "candidate_id"]), default=1)


def _strengths(sample: Sample, recipes: dict[str, Recipe], seed: int, number: int) -> list[float]:
    halves = two_halves(len(sample), seed, "prediction strength", number)
    parts = [sample.take(rows) for rows in halves]
    strengths = []
    for family, params, _ in recipes.values():
        rules = [family.refit(part, seed=seed, **params).rule for part in parts]
        own = [rule.assign(part.X)[0] for rule, part in zip(rules, parts, strict=True)]
        foretold = [rule.assign(part.X)[0] for rule, part in zip(rules, parts[::-1], strict=True)]
        both_ways = zip(own, foretold[::-1], strict=True)
        strengths.append(float(np.mean([pairs_kept(labels, told) for labels, told in both_ways])))
    return strengths


def pairs_kept(labels: np.ndarray, foretold: np.ndarray) -> float:
    """Return, for the worst segment of `labels`, the share of its pairs that `foretold` puts together.

    Examples
    --------
    >>> pairs_kept(np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 1]))  # one pair in three of the first
    0.3333333333333333
    """
    table = contingency(labels, foretold)
    sizes = np.bincount(labels[labels >= 0], minlength=len(table))
    pairs = sizes * (sizes - 1)
    kept = (table * (table - 1)).sum(axis=1)
    return float((kept[pairs > 0] / pairs[pairs > 0]).min()) if (pairs > 0).any() else 0.0
