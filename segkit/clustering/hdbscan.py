"""HDBSCAN: clusters that last over the widest range of densities."""

from collections.abc import Sequence

import numpy as np

from segkit.clustering.density import density_fit, find_ground, in_proportion, round_size, thinned
from segkit.clustering.family import Family
from segkit.clustering.fit import Candidate, Fit, Sample
from segkit.clustering.reachability import lasting_clusters, reachability_tree
from segkit.preprocessing.prepare import CustomerMatrix

CORE_NEIGHBOURS = 25  # as many as min_cluster_size (the library's default) smooths away segments of ten per cent
SHARES = (0.01, 0.02, 0.04, 0.08)  # least size of a cluster, of the customers fitted on


def fit_hdbscan(
    customers: Sample, /, *, seed: int, min_cluster_size: int, min_samples: int, components: int | None = None,
    sample: int | None = None, validity: bool = True,
) -> Fit:  # fmt: skip
    """Return HDBSCAN's clusters (Campello, Moulavi & Sander 2013), fitted on the dequantised rows.

    Every customer of a cluster is a core whose radius is its core distance (to its `min_samples`-th neighbour): a new
    customer belongs to its nearest core's cluster where it lies as near as the neighbours that make the core one.
    `components` fits on that many leading principal components, which become part of the rule.
    """
    ground = find_ground(customers, seed, sample, components)
    count, size = len(ground.points), max(2, min_cluster_size)
    if count <= size or not np.ptp(ground.points, axis=0).any():
        return density_fit(customers.X, ground, np.full(count, -1), np.zeros(count), seed, validity)
    tree = reachability_tree(ground.points, min(min_samples, count - 1))  # alike for every size
    return density_fit(customers.X, ground, lasting_clusters(tree, size), tree.core_distances, seed, validity)


def _refit(customers: Sample, /, *, seed: int, min_cluster_size: int, min_samples: int, **params) -> Fit:
    _, size = in_proportion(customers, params.get("sample"), min_cluster_size)
    sizes = {"min_cluster_size": size, "min_samples": min(min_samples, size)}
    return fit_hdbscan(customers, seed=seed, validity=False, **sizes, **params)


def _grid(matrix: CustomerMatrix, segments: Sequence[int]) -> list[Candidate]:
    params = thinned(matrix)
    fitted_on = min(len(matrix.compared), params.get("sample", len(matrix.compared)))
    return [
        Candidate(
            f"hdbscan-{size}", "hdbscan",
            {"min_cluster_size": size, "min_samples": min(size, CORE_NEIGHBOURS)} | params,
        )
        for size in sorted({round_size(share * fitted_on) for share in SHARES})
    ]  # fmt: skip


HDBSCAN = Family("hdbscan", "HDBSCAN", "#CC79A7", 4, _grid, fit_hdbscan, _refit, halves=True, density=True)
