"""The density tree of a cloud of customers: its modes, and the highest pass between two of them."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix


@dataclass(frozen=True)
class DensityTree:
    """A minimum spanning tree in mutual reachability distance.

    Attributes
    ----------
    points : ndarray, shape (n, d)
    sparseness : ndarray, shape (n,)
        Distance to the k-th nearest neighbour, small where customers are dense.
    edges : ndarray of int, shape (n - 1, 2)
    lengths : ndarray, shape (n - 1,)
    """

    points: np.ndarray
    sparseness: np.ndarray
    edges: np.ndarray
    lengths: np.ndarray


@dataclass(frozen=True)
class Pass:
    """The way between two modes that stays densest, and its sparsest place.

    Attributes
    ----------
    place : ndarray, shape (d,)
    sparseness : float
        At the pass; whoever has less is denser than the pass.
    side : ndarray of bool, shape (n,)
        Customers on the first mode's side of the pass.
    """

    place: np.ndarray
    sparseness: float
    side: np.ndarray


def density_tree(points: np.ndarray) -> DensityTree:
    """Return the density tree of `points`, with k = max(20, sqrt(n)) neighbours.

    References
    ----------
    Chaudhuri & Dasgupta (2010), "Rates of convergence for the cluster tree"; Campello, Moulavi & Sander (2013),
    "Density-based clustering based on hierarchical density estimates", definition 3.3 for the distance.
    """
    from hdbscan import HDBSCAN
    from scipy.spatial import cKDTree

    points = np.ascontiguousarray(points, dtype=float)
    neighbours = min(max(20, int(len(points) ** 0.5)), len(points) - 1)
    fitted = HDBSCAN(
        min_samples=neighbours,
        min_cluster_size=max(2, neighbours),
        gen_min_span_tree=True,
        approx_min_span_tree=False,
        algorithm="boruvka_kdtree",
        core_dist_n_jobs=1,
    ).fit(points)
    tree = fitted.minimum_spanning_tree_.to_numpy()
    sparseness = cKDTree(points).query(points, [neighbours + 1])[0][:, 0]
    return DensityTree(points, sparseness, tree[:, :2].astype(np.int64), tree[:, 2])


def densest(tree: DensityTree, members: np.ndarray) -> int:
    """Return the row of the densest customer among `members` (bool, shape (n,))."""
    rows = np.flatnonzero(members)
    return int(rows[tree.sparseness[rows].argmin()])


def passes(tree: DensityTree, modes: list[int]) -> dict[tuple[int, int], Pass]:
    """Return the highest pass between each two of `modes`, keyed by their places in the list."""
    from scipy.sparse.csgraph import breadth_first_order

    graph = _graph(tree, np.ones(len(tree.edges), bool))
    number = {frozenset(map(int, edge)): i for i, edge in enumerate(tree.edges)}
    sides: dict[int, np.ndarray] = {}
    found = {}
    for a, start in enumerate(modes):
        before = breadth_first_order(graph, start, directed=False)[1]
        for b in range(a + 1, len(modes)):
            way, here = [], modes[b]
            while here != start:
                way.append(number[frozenset((here, int(before[here])))])
                here = int(before[here])
            if not way:  # two segments cannot share their densest customer, but two rows can be told as one
                continue
            edge = way[int(np.argmax(tree.lengths[way]))]
            if edge not in sides:
                sides[edge] = _components(tree, edge)
            side = sides[edge] == sides[edge][start]
            found[a, b] = Pass(_place(tree, edge), float(tree.lengths[edge]), side)
    return found


def _graph(tree: DensityTree, keep: np.ndarray) -> csr_matrix:
    n = len(tree.points)
    one, other = tree.edges[keep].T
    return csr_matrix((np.ones(len(one)), (one, other)), shape=(n, n))


def _components(tree: DensityTree, edge: int) -> np.ndarray:
    from scipy.sparse.csgraph import connected_components

    keep = np.arange(len(tree.edges)) != edge
    return connected_components(_graph(tree, keep), directed=False)[1]


def _place(tree: DensityTree, edge: int) -> np.ndarray:
    """Return the middle of an edge that is long itself, else the end that makes it long by being sparse."""
    one, other = tree.edges[edge]
    apart = np.linalg.norm(tree.points[one] - tree.points[other])
    if apart >= 0.999 * max(tree.sparseness[one], tree.sparseness[other]):
        return (tree.points[one] + tree.points[other]) / 2
    return tree.points[one if tree.sparseness[one] > tree.sparseness[other] else other]
