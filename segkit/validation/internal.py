"""Criteria that need no resampling: what a segmentation looks like in the matrix it was made from.

None of them says whether segments are real or useful: each prefers the shapes it was made for. They stand side by
side, never averaged.
"""

import numpy as np

from segkit.clustering.fit import fit_order

SILHOUETTE_EXACT = 10_000  # customers up to whom every distance is used; above, a seeded sample of as many
_BLOCK = 512  # rows whose distances are held at a time


def compactness(X: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return ``within_ss``, ``calinski_harabasz`` and ``davies_bouldin`` of one labelling.

    Calinski & Harabasz (1974) and Davies & Bouldin (1979) are over the customers in segments, and NaN below two
    segments. The within sum of squares (matrix units squared, for the elbow) is NaN where customers are left out:
    leaving out more would always lower it.

    Examples
    --------
    >>> compactness(np.array([[0.0], [2.0], [10.0], [12.0]]), np.array([0, 0, 1, 1]))
    {'within_ss': 4.0, 'calinski_harabasz': 50.0, 'davies_bouldin': 0.2}
    """
    from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score

    inside = labels >= 0
    rows, labels = (X, labels) if inside.all() else (X[inside], labels[inside])
    count = len(np.unique(labels))
    result = dict.fromkeys(("within_ss", "calinski_harabasz", "davies_bouldin"), np.nan)
    if inside.all() and count:
        groups = (rows[labels == label] for label in np.unique(labels))
        result["within_ss"] = float(sum(((group - group.mean(axis=0)) ** 2).sum() for group in groups))
    if 2 <= count < len(rows):
        result["calinski_harabasz"] = float(calinski_harabasz_score(rows, labels))
        result["davies_bouldin"] = float(davies_bouldin_score(rows, labels))
    return result


def silhouettes(X: np.ndarray, labellings: np.ndarray, *, seed: int) -> np.ndarray:
    """Return the mean silhouette width of each of many labellings (n, c), NaN below two segments.

    A customer left out counts as 0, as one alone in a segment does (Rousseeuw 1987, section 2); otherwise a method
    could raise its silhouette by leaving out more. All labellings share one pass over the distances, and one sample
    of `SILHOUETTE_EXACT` customers where there are more.

    Examples
    --------
    >>> X = np.array([[0.0], [2.0], [10.0], [12.0]])
    >>> silhouettes(X, np.array([[0, 0], [0, 0], [1, 0], [1, 0]]), seed=0).round(4)
    array([0.798,   nan])
    """
    from scipy.spatial.distance import cdist

    if len(X) > SILHOUETTE_EXACT:
        some = fit_order(X, seed, SILHOUETTE_EXACT)
        X, labellings = X[some], labellings[some]
    every = [np.unique(labels[labels >= 0], return_counts=True) for labels in labellings.T]
    members = [labels[:, None] == segments for labels, (segments, _) in zip(labellings.T, every, strict=True)]
    stacked = np.hstack(members).astype("float64")
    starts = np.cumsum([0, *(len(segments) for segments, _ in every)])
    totals = np.zeros(len(every))
    for start in range(0, len(X), _BLOCK):
        block = slice(start, start + _BLOCK)
        sums = cdist(X[block], X) @ stacked  # distances from each customer to all of each segment
        for place, (_, sizes) in enumerate(every):
            if len(sizes) > 1:
                own = members[place][block]
                totals[place] += _widths(sums[:, starts[place] : starts[place + 1]], own, sizes).sum()
    return np.where([len(sizes) > 1 for _, sizes in every], totals / max(len(X), 1), np.nan)


def _widths(sums: np.ndarray, own: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    inside = own.any(axis=1)
    label = own.argmax(axis=1)
    rows = np.arange(len(sums))
    near = sums[rows, label] / np.maximum(sizes[label] - 1, 1)
    other = np.where(own, np.inf, sums / sizes).min(axis=1)
    most = np.maximum(near, other)
    known = inside & (sizes[label] > 1) & (most > 0)
    return np.divide(other - near, most, out=np.zeros(len(sums)), where=known)
