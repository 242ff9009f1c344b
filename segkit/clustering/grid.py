"""What is tried: every family over its parameters."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from segkit.clustering.density import find_ground

CORE_NEIGHBOURS = 25  # as many as min_cluster_size (the library's default) smooths away segments of ten per cent
MOST_COLUMNS, COMPONENTS = 10, 6  # density methods work on this many principal components above so many columns
SAMPLES = {
    "kmeans": 200_000,
    "hierarchical": 200_000,
    "gmm": 30_000,
    "hdbscan": 20_000,
    "dbscan": 20_000,
}  # most fitted on


class Candidate(NamedTuple):
    """A segmentation to try: ``METHODS[family](X, seed=seed, dequantised=..., **params)``."""

    candidate_id: str
    family: str
    params: dict


def candidate_grid(X: np.ndarray, *, max_segments: int, seed: int, dequantised=None) -> list[Candidate]:
    """Return the candidates to try on a matrix (n, d): every family over its parameters.

    k-means, Ward and mixtures (four kinds of covariance) for 2 to `max_segments` segments; HDBSCAN with clusters of at
    least 1, 2, 4 and 8 % of the customers fitted on; DBSCAN with eps at quantiles of the distance to the 2p-th
    neighbour in p dimensions (Sander et al. 1998). Where a family is fitted on a sample, or on principal components,
    its params say so.

    Examples
    --------
    >>> grid = candidate_grid(np.random.default_rng(0).normal(size=(2000, 3)), max_segments=3, seed=0)
    >>> [candidate.candidate_id for candidate in grid][:6]
    ['kmeans-2', 'kmeans-3', 'ward-2', 'ward-3', 'gmm-full-2', 'gmm-full-3']
    """
    ks = range(2, max_segments + 1)
    thin = {family: {"sample": most} if len(X) > most else {} for family, most in SAMPLES.items()}
    grid = [Candidate(f"kmeans-{k}", "kmeans", {"k": k} | thin["kmeans"]) for k in ks]
    grid += [Candidate(f"ward-{k}", "hierarchical", {"k": k} | thin["hierarchical"]) for k in ks]
    for covariance in ("full", "tied", "diag", "spherical"):
        name, shape = f"gmm-{covariance}", {"covariance": covariance}
        grid += [Candidate(f"{name}-{k}", "gmm", {"k": k} | shape | thin["gmm"]) for k in ks]
    leading = {"components": COMPONENTS} if X.shape[1] > MOST_COLUMNS else {}
    fitted_on = min(len(X), SAMPLES["hdbscan"])
    for size in sorted({_round_size(share * fitted_on) for share in (0.01, 0.02, 0.04, 0.08)}):
        params = {"min_cluster_size": size, "min_samples": min(size, CORE_NEIGHBOURS)}
        grid.append(Candidate(f"hdbscan-{size}", "hdbscan", params | leading | thin["hdbscan"]))
    for eps, params in _dbscan_params(X, dequantised, seed, leading | thin["dbscan"]):
        grid.append(Candidate(f"dbscan-{eps:g}", "dbscan", params))
    return grid


def _round_size(size: float) -> int:
    step = 5 if size < 100 else 25
    return max(5, step * round(size / step))


def _dbscan_params(X, dequantised, seed: int, params: dict) -> Iterator[tuple[float, dict]]:
    from scipy.spatial import cKDTree

    points = find_ground(X, dequantised, seed, params.get("sample"), params.get("components")).points
    neighbours = min(2 * points.shape[1], len(points) - 1)
    distances = cKDTree(points).query(points, [neighbours + 1])[0] if neighbours else np.zeros(1)
    size = _round_size(0.01 * len(points))
    quantiles = np.quantile(distances, (0.3, 0.5, 0.7, 0.8, 0.9))
    for eps in sorted({float(f"{eps:.2g}") for eps in quantiles if eps > 0}):
        yield eps, {"eps": eps, "min_samples": neighbours, "min_cluster_size": size} | params
