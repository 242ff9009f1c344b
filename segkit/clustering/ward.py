"""Ward's hierarchy, over micro-clusters where there are many customers."""

import hashlib
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from segkit.clustering.assignment_rules import centre_rule
from segkit.clustering.family import Family
from segkit.clustering.fit import Candidate, Fit, Sample, finish, fit_order, sampled
from segkit.preprocessing.prepare import CustomerMatrix

FITTED_ON = 200_000  # customers at most
WARD_FULL = 10_000  # above, Ward starts from micro-clusters: its distances grow with the square of the customers
MICRO_CLUSTERS = 2_000

_last: dict[str, Any] = {}  # the tree of the customers seen last: all cuts meet the same ones in turn


def fit_ward(customers: Sample, /, *, seed: int, k: int, sample: int | None = None) -> Fit:
    """Return Ward's hierarchy (1963) cut at k, each customer then put to the nearest centre.

    Full up to `WARD_FULL` customers. Above, customers are first gathered into `MICRO_CLUSTERS` by k-means and Ward
    joins their centres, weighted by their customers.
    """
    X = customers.X
    key = (seed, sample, X.shape, WARD_FULL, hashlib.blake2b(np.ascontiguousarray(X)).digest())
    if _last.get("key") != key:
        _last.update(key=key, tree=ward_tree(X, seed=seed, sample=sample))
    points, weights, merges = _last["tree"]
    branch = cut_tree(merges, min(k, len(points)))
    totals = np.bincount(branch, weights)
    centres = np.stack([np.bincount(branch, weights * column) / totals for column in points.T], axis=1)
    return finish(centre_rule(centres), X)


def ward_tree(X, *, seed: int, sample: int | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return points (m, d), their weights (m) and Ward's merges (m - 1, 2), in the order in which they happen."""
    rows = X[fit_order(X, seed, sample)]
    if len(rows) <= WARD_FULL:
        from scipy.cluster.hierarchy import linkage

        merges = linkage(rows, "ward")[:, :2].astype(int) if len(rows) > 1 else np.empty((0, 2), int)
        return rows, np.ones(len(rows)), merges
    from sklearn.cluster import KMeans

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Number of distinct clusters")
        # A few steps from random customers: micro-clusters need to be small, not good.
        micro = KMeans(MICRO_CLUSTERS, init="random", n_init=1, max_iter=5, random_state=seed).fit(rows).labels_
    weights = np.bincount(micro)
    sums = np.stack([np.bincount(micro, column) for column in rows.T], axis=1)
    points, weights = sums[weights > 0] / weights[weights > 0, None], weights[weights > 0].astype(float)
    return points, weights, weighted_merges(points, weights)


def weighted_merges(points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return Ward's merges (m - 1, 2) of points (m, d) with weights (m), in the order in which they happen.

    Points are numbered 0 to m - 1, what step i joins is m + i, as in scipy's linkage, which knows no weights. The cost
    of a merge is the sum of squares it adds (Ward 1963), updated by the formula of Lance & Williams (1967).

    Examples
    --------
    >>> weighted_merges(np.array([[0.0], [1.0], [5.0], [5.5]]), np.ones(4)).tolist()
    [[2, 3], [0, 1], [5, 4]]
    """
    from scipy.spatial.distance import cdist

    count, names, weights = len(points), np.arange(len(points)), weights.copy()
    costs = cdist(points, points, "sqeuclidean") * (weights[:, None] * weights / (weights[:, None] + weights))
    np.fill_diagonal(costs, np.inf)
    closest, least, merges = costs.argmin(axis=1), costs.min(axis=1), np.empty((count - 1, 2), int)
    for step in range(count - 1):
        a = int(least.argmin())
        b = int(closest[a])
        merges[step] = names[a], names[b]
        both = weights[a] + weights[b] + weights
        row = ((weights[a] + weights) * costs[a] + (weights[b] + weights) * costs[b] - weights * costs[a, b]) / both
        costs[a], costs[:, a], costs[b], costs[:, b] = row, row, np.inf, np.inf
        weights[a], names[a], least[b] = weights[a] + weights[b], count + step, np.inf
        # Ward costs never fall when others merge, so only rows that pointed at a or b need another look.
        stale = np.union1d(np.flatnonzero(np.isin(closest, (a, b)) & np.isfinite(least)), a)
        closest[stale], least[stale] = costs[stale].argmin(axis=1), costs[stale].min(axis=1)
    return merges


def cut_tree(merges: np.ndarray, k: int) -> np.ndarray:
    """Return the branch (0 to k - 1) of each point when the tree has k branches.

    Examples
    --------
    >>> cut_tree(np.array([[2, 3], [0, 1], [5, 4]]), 2).tolist()
    [1, 1, 0, 0]
    """
    count = len(merges) + 1
    branch = np.arange(2 * count - 1)
    for step in range(count - k - 1, -1, -1):  # from the top down, children take their parent's branch
        branch[merges[step]] = branch[count + step]
    return np.unique(branch[:count], return_inverse=True)[1]


def _grid(matrix: CustomerMatrix, segments: Sequence[int]) -> list[Candidate]:
    thin = sampled(FITTED_ON, len(matrix.compared))
    return [Candidate(f"ward-{k}", "hierarchical", {"k": k} | thin) for k in segments]


WARD = Family("hierarchical", "hierarchical", "#D55E00", 1, _grid, fit_ward, halves=True, together=True)
