"""The density tree of a cloud of customers: its modes, and the highest pass between two of them."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from segkit.clustering.reachability import reachability_tree


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
    """The way between two modes that stays densest, and its sparsest edges.

    Attributes
    ----------
    places : ndarray, shape (p, d)
        Middles and ends of the longest edges: a sparse customer on the way makes both of its edges as long.
    sparseness : float
        At the pass; whoever has less is denser than the pass.
    side : ndarray of bool, shape (n,)
        Customers on the first mode's side of the pass.
    """

    places: np.ndarray
    sparseness: float
    side: np.ndarray


def density_tree(points: np.ndarray) -> DensityTree:
    """Return the density tree of `points`, with k = max(20, sqrt(n)) neighbours.

    References
    ----------
    Chaudhuri & Dasgupta (2010), "Rates of convergence for the cluster tree"; Campello, Moulavi & Sander (2013),
    "Density-based clustering based on hierarchical density estimates", definition 3.3 for the distance.
    """
    points = np.ascontiguousarray(points, dtype=float)
    edges, lengths, core_distances = reachability_tree(points, min(max(20, int(len(points) ** 0.5)), len(points) - 1))
    return DensityTree(points, core_distances, edges, lengths)


def densest(tree: DensityTree, members: np.ndarray) -> int:
    """Return the row of the densest customer among `members` (bool, shape (n,))."""
    rows = np.flatnonzero(members)
    return int(rows[tree.sparseness[rows].argmin()])


def passes(tree: DensityTree, modes: list[int]) -> dict[tuple[int, int], Pass]:
    """Return the highest pass between each two of `modes`, keyed by their places in the list.

    The tree is hung up by the first mode once; the way between two modes then goes up to where their ways meet, and
    one side of an edge is everything below it.
    """
    below, up, lengths = _hung_up(tree, modes[0])
    ways = [_way_up(mode, up) for mode in modes]
    found = {}
    for a, one in enumerate(ways):
        for b in range(a + 1, len(modes)):
            shared = set(one).intersection(ways[b])
            way = [node for node in one + ways[b] if node not in shared]
            if not way:  # two segments cannot share their densest customer, but two rows can be told as one
                continue
            most = max(map(lengths.__getitem__, way))
            longest = [node for node in way if lengths[node] == most]
            one_end, other_end = tree.points[longest], tree.points[[up[node] for node in longest]]
            places = np.vstack([(one_end + other_end) / 2, one_end, other_end])
            side = below(longest[0])
            found[a, b] = Pass(places, most, side if side[modes[a]] else ~side)
    return found


def _hung_up(tree: DensityTree, root: int):
    """Return the tree as seen from `root`: who is below a customer, who is above, and the lengths of the edges up."""
    from scipy.sparse.csgraph import depth_first_order

    n = len(tree.points)
    one, other = tree.edges.T
    graph = csr_matrix((np.ones(len(one)), (one, other)), shape=(n, n))
    order, above = depth_first_order(graph, root, directed=False)
    up = above.tolist()
    up[root] = -1
    lengths = np.zeros(n)
    lengths[np.where(above[other] == one, other, one)] = tree.lengths
    count = [1] * n  # of the customers below, oneself included
    for node in order[:0:-1].tolist():
        count[up[node]] += count[node]
    place = np.empty(n, np.int64)
    place[order] = np.arange(n)

    def below(node: int) -> np.ndarray:
        return (place >= place[node]) & (place < place[node] + count[node])

    return below, up, lengths.tolist()


def _way_up(node: int, up: list[int]) -> list[int]:
    """Return the customers from `node` to the root, each standing for the edge above it; the root has none."""
    way = []
    while up[node] >= 0:
        way.append(node)
        node = up[node]
    return way
