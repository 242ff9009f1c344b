"""Methods that look for dense regions, and leave out whoever is in none: HDBSCAN and DBSCAN."""

from dataclasses import dataclass

import numpy as np

from segkit.clustering.assignment_rules import Rule
from segkit.clustering.fit import Fit, finish, fit_order
from segkit.clustering.reachability import reachability_tree

DBCV_SAMPLE = 2_000  # its cost grows with the square


def hdbscan(
    X, *, seed: int, dequantised=None, min_cluster_size: int, min_samples: int, components: int | None = None,
    sample: int | None = None, validity: bool = True,
) -> Fit:  # fmt: skip
    """Return HDBSCAN's clusters (Campello, Moulavi & Sander 2013), fitted on the dequantised rows.

    Every customer of a cluster is a core whose radius is its core distance (to its `min_samples`-th neighbour): a new
    customer belongs to its nearest core's cluster where it lies as near as the neighbours that make the core one.
    `components` fits on that many leading principal components, which become part of the rule: where all customers are
    about equally far from each other, as above ten columns, density methods see noise only. ``dbcv`` is left out where
    `validity` is not asked for: it costs as much as the fit.
    """
    from hdbscan.hdbscan_ import _tree_to_labels, label

    ground = find_ground(X, dequantised, seed, sample, components)
    count, size = len(ground.points), max(2, min_cluster_size)
    if count <= size or not np.ptp(ground.points, axis=0).any():
        return _density_fit(X, ground, np.full(count, -1), np.zeros(count), seed, validity)
    tree = reachability_tree(ground.points, min(min_samples, count - 1))  # alike for every size
    merges = label(np.column_stack([tree.edges, tree.lengths]))
    labels = _tree_to_labels(ground.points, merges, size)[0]
    return _density_fit(X, ground, labels, tree.core_distances, seed, validity)


def dbscan(
    X, *, seed: int, dequantised=None, eps: float, min_samples: int, min_cluster_size: int = 2,
    components: int | None = None, sample: int | None = None, validity: bool = True,
) -> Fit:  # fmt: skip
    """Return DBSCAN's clusters (Ester et al. 1996) of `min_cluster_size` cores or more, fitted on the dequantised rows.

    A customer belongs to its nearest core's cluster where that is within `eps`. `components` and `validity` as in
    `hdbscan`. Clusters of cores are what is left of the tree without edges above `eps` (Campello, Moulavi & Sander
    2013, section 3.1).
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ground = find_ground(X, dequantised, seed, sample, components)
    count = len(ground.points)
    labels = np.full(count, -1)
    if count >= max(2, min_samples):
        tree = reachability_tree(ground.points, min_samples - 1)  # a point counts among its own neighbours here
        near = tree.lengths <= eps
        graph = coo_array((np.ones(near.sum()), tree.edges[near].T), shape=(count, count))
        labels = np.where(tree.core_distances <= eps, connected_components(graph, directed=False)[1], -1)
    small = np.bincount(labels[labels >= 0], minlength=1) < min_cluster_size
    labels[small[labels] & (labels >= 0)] = -1
    return _density_fit(X, ground, labels, np.full(len(labels), float(eps)), seed, validity)


@dataclass(frozen=True)
class Ground:
    """What a density method is fitted on: which customers, their points, and how the points come from the matrix."""

    chosen: np.ndarray
    points: np.ndarray
    origin: np.ndarray
    projection: np.ndarray
    variance_kept: float


def find_ground(X, dequantised, seed: int, sample: int | None, components: int | None) -> Ground:
    rows = X if dequantised is None else dequantised
    chosen = fit_order(rows, seed, sample)
    rows = rows[chosen]
    origin, projection, kept = rows.mean(axis=0), np.eye(rows.shape[1]), 1.0
    if components and components < rows.shape[1]:
        spread, directions = np.linalg.eigh((rows - origin).T @ (rows - origin))
        projection = directions[:, ::-1][:, :components]
        largest = np.abs(projection).argmax(axis=0)
        projection = projection * np.sign(projection[largest, np.arange(components)])  # a sign that doesn't flip
        kept = float(spread[::-1][:components].sum() / spread.sum()) if spread.sum() > 0 else 1.0
    return Ground(chosen, (rows - origin) @ projection, origin, projection, kept)


def _density_fit(X, ground: Ground, labels: np.ndarray, radius: np.ndarray, seed: int, validity: bool) -> Fit:
    cores = np.flatnonzero(labels >= 0)
    cores = cores[np.lexsort(ground.points[cores].T[::-1])]
    _, first, place = np.unique(labels[cores], return_index=True, return_inverse=True)
    arrays = {
        "cores": ground.points[cores],
        "radius": radius[cores],
        "labels": np.argsort(np.argsort(first))[place].astype("int32"),  # clusters in the order of their first core
        "origin": ground.origin,
        "projection": ground.projection,
    }
    fit = finish(Rule("nearest_customer", arrays), X)
    fit.statistics["variance_kept"] = ground.variance_kept
    fit.statistics["dbcv"] = _dbcv(ground.points, fit.labels[ground.chosen], seed) if validity else np.nan
    return fit


def _dbcv(points: np.ndarray, labels: np.ndarray, seed: int) -> float:
    """Return density-based validity (Moulavi et al. 2014) of at most `DBCV_SAMPLE` points; NaN below two clusters."""
    from hdbscan.validity import validity_index

    if len(points) > DBCV_SAMPLE:
        some = np.random.default_rng(seed).choice(len(points), DBCV_SAMPLE, replace=False)
        points, labels = points[some], labels[some]
    sizes = np.bincount(labels[labels >= 0], minlength=1)
    renamed = np.full(len(sizes) + 1, -1)
    enough = np.flatnonzero(sizes >= 5)  # a density needs neighbours
    renamed[enough] = np.arange(len(enough))
    if len(enough) < 2:
        return np.nan
    with np.errstate(all="ignore"):
        return float(validity_index(points, renamed[labels]))
