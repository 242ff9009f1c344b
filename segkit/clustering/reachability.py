"""The tree that every density method cuts: who is reached from whom without passing sparser places."""

import hashlib
from typing import NamedTuple

import numpy as np


class ReachabilityTree(NamedTuple):
    """A minimum spanning tree in mutual reachability distance.

    Attributes
    ----------
    edges : ndarray of int, shape (n - 1, 2)
        Shortest first.
    lengths : ndarray, shape (n - 1,)
        The largest of the distance between the two ends and the core distances of both.
    core_distances : ndarray, shape (n,)
        To the k-th nearest other point: small where points are dense.
    """

    edges: np.ndarray
    lengths: np.ndarray
    core_distances: np.ndarray


_last: dict[str, object] = {}  # the tree of the points seen last: candidates of one family meet the same ones in turn


def reachability_tree(points: np.ndarray, neighbours: int) -> ReachabilityTree:
    """Return the exact tree of points (n, d), n above `neighbours` and 1, with the core distance to that neighbour.

    HDBSCAN's clusters of every size, DBSCAN's of every radius, and the passes between modes are all read from it.

    References
    ----------
    Campello, Moulavi & Sander (2013), "Density-based clustering based on hierarchical density estimates", definitions
    2 to 4; March, Ram & Gray (2010), "Fast Euclidean minimum spanning tree", for the algorithm.

    Examples
    --------
    >>> tree = reachability_tree(np.array([[0.0], [1.0], [3.0], [7.0]]), neighbours=1)
    >>> tree.edges.tolist(), tree.lengths.tolist(), tree.core_distances.tolist()
    ([[0, 1], [2, 1], [3, 2]], [1.0, 2.0, 4.0], [1.0, 1.0, 2.0, 4.0])
    """
    points = np.ascontiguousarray(points, dtype=float)
    sample = (neighbours, points.shape, hashlib.blake2b(points).digest())
    if _last.get("sample") != sample:
        _last.update(sample=sample, tree=_span(points, neighbours))
    return _last["tree"]


def _span(points: np.ndarray, neighbours: int) -> ReachabilityTree:
    from hdbscan import HDBSCAN
    from scipy.spatial import cKDTree

    model = HDBSCAN(
        min_cluster_size=max(2, len(points) // 2), min_samples=max(1, neighbours), algorithm="boruvka_kdtree",
        approx_min_span_tree=False, gen_min_span_tree=True, core_dist_n_jobs=1,
    )  # fmt: skip
    tree = model.fit(points).minimum_spanning_tree_.to_numpy()
    tree = tree[np.argsort(tree[:, 2])]
    core_distances = cKDTree(points).query(points, [neighbours + 1])[0][:, 0]
    return ReachabilityTree(tree[:, :2].astype(np.int64), tree[:, 2], core_distances)


def lasting_clusters(tree: ReachabilityTree, min_cluster_size: int) -> np.ndarray:
    """Return HDBSCAN's label of each point, -1 for none: the clusters of that size or more that last longest.

    The library cuts the tree itself when it is given the tree's edges as the only distances there are.

    Examples
    --------
    >>> points = np.r_[np.linspace(0, 1, 20), np.linspace(8, 9, 20)][:, None]
    >>> np.bincount(lasting_clusters(reachability_tree(points, 3), 5)).tolist()
    [20, 20]
    """
    from scipy.sparse import coo_array
    from sklearn.cluster import HDBSCAN

    count, (one, other) = len(tree.core_distances), tree.edges.T
    lengths = np.maximum(tree.lengths, 1e-300)  # a distance of 0 would be none
    both = (np.r_[lengths, lengths], (np.r_[one, other], np.r_[other, one]))
    graph = coo_array(both, shape=(count, count)).tocsr()
    model = HDBSCAN(min_cluster_size=min_cluster_size, min_samples=1, metric="precomputed", copy=False)
    return model.fit(graph).labels_
