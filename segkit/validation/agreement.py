"""How far two ways of labelling the same customers agree.

Labels are integers; a negative label is a customer that a method leaves out, which is never a segment.
"""

import numpy as np
import pandas as pd


def contingency(labels: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the customers of each segment of `labels` (rows) in each segment of `others` (columns).

    Parameters
    ----------
    labels, others : ndarray of int, shape (n,)
        Customers left out (negative) by either are not counted.

    Returns
    -------
    ndarray of int, shape (largest label + 1, largest other label + 1)

    Examples
    --------
    >>> contingency(np.array([0, 0, 1, -1]), np.array([1, 0, 1, 1]))
    array([[1, 1],
           [0, 1]])
    """
    rows, columns = int(labels.max(initial=-1)) + 1, int(others.max(initial=-1)) + 1
    both = (labels >= 0) & (others >= 0)
    cells = labels[both].astype(np.int64) * columns + others[both]
    return np.bincount(cells, minlength=rows * columns).reshape(rows, columns)


def adjusted_rand(table: np.ndarray) -> float:
    """Return the adjusted Rand index of a contingency table: 1 the same segments, 0 as alike as by chance.

    Where neither side tells two segments apart there is nothing to agree on: 0.

    Parameters
    ----------
    table : ndarray of int
        As from `contingency`.

    References
    ----------
    Hubert & Arabie (1985), "Comparing partitions", equation 5.

    Examples
    --------
    >>> adjusted_rand(np.array([[5, 0], [0, 5]]))
    1.0
    """

    def pairs(counts):
        return float((counts * (counts - 1.0) / 2).sum())

    together, total = pairs(table), pairs(table.sum(keepdims=True))
    rows, columns = pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    expected = rows * columns / total if total else 0.0
    most = (rows + columns) / 2
    return (together - expected) / (most - expected) if most > expected else 0.0


def agreement_bounds(table: np.ndarray, draw: np.random.Generator, draws: int = 200) -> tuple[float, float]:
    """Return the ends of the 95 % interval of the adjusted Rand index, by bootstrap of the customers in the table.

    Examples
    --------
    >>> low, high = agreement_bounds(np.array([[40, 10], [10, 40]]), np.random.default_rng(0))
    >>> low < adjusted_rand(np.array([[40, 10], [10, 40]])) < high
    True
    """
    total = int(table.sum())
    if not total:
        return np.nan, np.nan
    again = draw.multinomial(total, table.ravel() / total, size=draws)
    low, high = np.quantile([adjusted_rand(each.reshape(table.shape)) for each in again], [0.025, 0.975])
    return float(low), float(high)


def segment_jaccards(labels: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return for each segment of `labels` the Jaccard index with the segment of `others` that it is most alike.

    Members that `others` leaves out count as lost.

    References
    ----------
    Hennig (2007), "Cluster-wise assessment of cluster stability", section 2.

    Examples
    --------
    >>> segment_jaccards(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]))
    array([0.66666667, 0.5       ])
    """
    indices = _jaccard_table(labels, others)
    return indices.max(axis=1) if indices.shape[1] else np.zeros(len(indices))


def match_labels(labels: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return `others` renamed to the labels of `labels`, one to one, so that the Jaccard indices sum to the most.

    A segment that nothing is left for gets a new label beyond those of `labels`; customers left out stay so.

    References
    ----------
    Kuhn (1955), "The Hungarian method for the assignment problem".

    Examples
    --------
    >>> match_labels(np.array([0, 0, 1, 1, -1]), np.array([2, 2, 0, 0, 1]))
    array([0, 0, 1, 1, 2])
    """
    from scipy.optimize import linear_sum_assignment

    indices = _jaccard_table(labels, others)
    rows, columns = linear_sum_assignment(-indices)
    renamed = np.full(indices.shape[1], -1)
    renamed[columns] = rows
    homeless = np.flatnonzero(renamed < 0)
    renamed[homeless] = len(indices) + np.arange(len(homeless))
    return np.where(others >= 0, np.append(renamed, -1)[others], -1)


def _jaccard_table(labels: np.ndarray, others: np.ndarray) -> np.ndarray:
    shared = contingency(labels, others).astype(float)
    sizes = np.bincount(labels[labels >= 0], minlength=shared.shape[0])
    other_sizes = np.bincount(others[others >= 0], minlength=shared.shape[1])
    union = sizes[:, None] + other_sizes[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def segment_flow(solutions: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return how the segments of each solution flow into those of the next, for solutions ordered by their k.

    Parameters
    ----------
    solutions : dict of candidate_id to labels
        Over the same customers, in the order to be compared (such as kmeans-3, kmeans-4, ...).

    Returns
    -------
    DataFrame
        ``candidate_id, label, next_candidate_id, next_label`` (a label of -1 is everybody left out),
        ``customers``, ``share`` of the segment that goes there, ``next_share`` of the next segment that comes
        from there, and ``slsa`` of the next segment, its segment level stability across solutions: 1 when all of it
        comes from one segment, 0 when it comes from all of them alike.

    References
    ----------
    Dolnicar & Leisch (2017), "Using segment level stability to select target segments": SLSA is one minus the entropy
    of the shares in which a segment comes from those before, over the logarithm of their number. It is not the purity
    of clusterings, the largest of these shares.

    Examples
    --------
    >>> flow = segment_flow({"a-1": np.array([0, 0, 0, 0]), "a-2": np.array([0, 0, 0, 1])})
    >>> flow[["label", "next_label", "customers", "share", "next_share"]]
       label  next_label  customers  share  next_share
    0      0           0          3   0.75         1.0
    1      0           1          1   0.25         1.0
    """
    rows = []
    names = list(solutions)
    for name, following in zip(names, names[1:], strict=False):
        table = contingency(solutions[name] + 1, solutions[following] + 1)  # left out is a row of its own here
        origin = table / np.maximum(table.sum(axis=0), 1)
        entropy = -(origin * np.log(np.where(origin > 0, origin, 1))).sum(axis=0)
        slsa = 1 - entropy / np.log(max(np.count_nonzero(table.sum(axis=1)), 2))
        share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
        for one, other in zip(*np.nonzero(table), strict=True):
            rows.append(
                {
                    "candidate_id": name,
                    "label": int(one) - 1,
                    "next_candidate_id": following,
                    "next_label": int(other) - 1,
                    "customers": int(table[one, other]),
                    "share": share[one, other],
                    "next_share": origin[one, other],
                    "slsa": slsa[other],
                }
            )
    return pd.DataFrame(rows)
