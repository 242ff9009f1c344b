"""The gap statistic: is k-means tighter than it would be where there is nothing?"""

import numpy as np
import pandas as pd

from segkit.runtime.parallel import Progress, run_tasks
from segkit.runtime.seeds import sample_rows, stream
from segkit.validation.resampling import RESAMPLE_LIMIT

TOP_SHARE = 0.005  # the customers left out of the second reading: a few whales stretch the box


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
