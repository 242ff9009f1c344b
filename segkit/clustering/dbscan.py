"""DBSCAN: clusters of customers who have enough neighbours within a radius."""

from collections.abc import Sequence

import numpy as np

from segkit.clustering.density import density_fit, find_ground, in_proportion, round_size, thinned
from segkit.clustering.family import Family
from segkit.clustering.fit import Candidate, Fit, Sample
from segkit.clustering.reachability import reachability_tree
from segkit.preprocessing.prepare import CustomerMatrix

QUANTILES = (0.3, 0.5, 0.7, 0.8, 0.9)  # of the distance to a neighbour, tried as the radius


def fit_dbscan(
    customers: Sample, /, *, seed: int, eps: float, min_samples: int, min_cluster_size: int = 2,
    components: int | None = None, sample: int | None = None, validity: bool = True,
) -> Fit:  # fmt: skip
    """Return DBSCAN's clusters (Ester et al. 1996) of `min_cluster_size` cores or more, fitted on the dequantised rows.

    A customer belongs to its nearest core's cluster where that is within `eps`. `components` as in `fit_hdbscan`.
    Clusters of cores are what is left of the tree without edges above `eps` (Campello, Moulavi & Sander 2013, section
    3.1).
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ground = find_ground(customers, seed, sample, components)
    count = len(ground.points)
    labels = np.full(count, -1)
    if count >= max(2, min_samples):
        tree = reachability_tree(ground.points, min_samples - 1)  # a point counts among its own neighbours here
        near = tree.lengths <= eps
        graph = coo_array((np.ones(near.sum()), tree.edges[near].T), shape=(count, count))
        labels = np.where(tree.core_distances <= eps, connected_components(graph, directed=False)[1], -1)
    small = np.bincount(labels[labels >= 0], minlength=1) < min_cluster_size
    labels[small[labels] & (labels >= 0)] = -1
    return density_fit(customers.X, ground, labels, np.full(len(labels), float(eps)), seed, validity)


def _refit(customers: Sample, /, *, seed: int, min_cluster_size: int, min_samples: int, **params) -> Fit:
    """Fit with sizes in proportion: half of the customers have half as many neighbours within a distance."""
    share, size = in_proportion(customers, params.get("sample"), min_cluster_size)
    sizes = {"min_cluster_size": size, "min_samples": max(2, round(min_samples * share))}
    return fit_dbscan(customers, seed=seed, validity=False, **sizes, **params)


def _grid(matrix: CustomerMatrix, segments: Sequence[int]) -> list[Candidate]:
    """Try radii at quantiles of the distance to the 2p-th neighbour in p dimensions (Sander et al. 1998)."""
    from scipy.spatial import cKDTree

    params = thinned(matrix)
    rows = Sample(matrix.X, matrix.dequantised)
    points = find_ground(rows, matrix.seed, params.get("sample"), params.get("components")).points
    neighbours = min(2 * points.shape[1], len(points) - 1)
    distances = cKDTree(points).query(points, [neighbours + 1])[0] if neighbours else np.zeros(1)
    sizes = {"min_samples": neighbours, "min_cluster_size": round_size(0.01 * len(points))}
    radii = sorted({float(f"{eps:.2g}") for eps in np.quantile(distances, QUANTILES) if eps > 0})
    return [Candidate(f"dbscan-{eps:g}", "dbscan", {"eps": eps} | sizes | params) for eps in radii]


DBSCAN = Family("dbscan", "DBSCAN", "#E69F00", 3, _grid, fit_dbscan, _refit, halves=True, density=True)
