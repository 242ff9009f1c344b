"""Frozen assignment rules: plain arrays that put any customer into a segment, next month as today."""

from dataclasses import dataclass

import numpy as np

CELLS = 1 << 22  # scores held at a time, so that ten million customers need little memory

_ARRAYS = {
    "nearest_centre": {"labels", "centres"},
    "highest_posterior": {"labels", "means", "scales", "offsets"},
    "nearest_customer": {"labels", "cores", "radius", "origin", "projection"},
    "nearest_prediction": {"labels", "centres", "knots", "coefficients"},
    "decision_tree": {"labels", "columns", "limits", "children"},
}
# What each kind of rule holds per centre, component or core customer; other arrays belong to the rule as a whole.
_PER_UNIT = ("labels", "centres", "means", "scales", "offsets", "cores", "radius")


@dataclass(frozen=True)
class Rule:
    """A frozen assignment rule: a kind and plain arrays (no code, so it can be stored and read safely).

    - ``nearest_centre``: ``centres`` (k, d).
    - ``highest_posterior``: ``means`` (k, d), ``scales`` (k, d, d; Cholesky factors of the precisions) and ``offsets``
      (k; log weight and log determinant) of Gaussian components.
    - ``nearest_customer``: ``cores`` (m, p), the customers in dense regions, each with the ``radius`` (m) within which
      it takes others along; ``origin`` (d) and ``projection`` (d, p) lead from the matrix to its principal components.
    - ``nearest_prediction``: ``centres`` (k, p) of predicted outcomes; ``knots`` (m, d) and ``coefficients``
      (d (m - 1), p) of the piecewise straight lines that predict them (see `predict_outcomes`).
    - ``decision_tree``: a row per node, the root first: ``columns`` (m; of the matrix, -1 at a leaf), ``limits`` (m),
      ``children`` (m, 2), with ``labels`` of the leaves, -1 for left out; nobody left out has a nearest label.

    ``labels`` names the label of each centre, component or core. They are sorted by place, and ties go to the first,
    so that equal customers always get equal labels.

    Examples
    --------
    >>> rule = Rule("nearest_centre", {"centres": np.array([[0.0], [10.0]]), "labels": np.array([1, 0])})
    >>> rule.assign(np.array([[2.0], [5.0], [9.0]]))[0]
    array([1, 1, 0], dtype=int32)
    """

    kind: str
    arrays: dict[str, np.ndarray]

    def __post_init__(self):
        if self.kind not in _ARRAYS or set(self.arrays) != _ARRAYS[self.kind]:
            raise ValueError(f"no rule of kind {self.kind!r} has the arrays {', '.join(sorted(self.arrays))}")

    @property
    def segments(self) -> int:
        """The number of labels."""
        labels = self.arrays["labels"]
        return len(np.unique(labels[labels >= 0]))

    def assign(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the label of each row (-1 = left out) and the label to use anyway (-1 only where there is none)."""
        X = np.asarray(X, dtype="float64")
        labels, nearest = np.empty(len(X), "int32"), np.empty(len(X), "int32")
        if not (self.arrays["labels"] >= 0).any():
            return np.full_like(labels, -1), np.full_like(labels, -1)
        assign = _ASSIGN[self.kind](**self.arrays)
        rows = 1 + CELLS // max(len(self.arrays["labels"]), X.shape[1])
        for start in range(0, len(X), rows):
            part = slice(start, start + rows)
            labels[part], nearest[part] = assign(X[part])
        return labels, nearest

    def relabelled(self, labels: np.ndarray) -> "Rule":
        """Return the rule with ``labels[label]`` for each label; what would become -1 is dropped."""
        own = self.arrays["labels"]
        new = np.where(own >= 0, labels[own], -1).astype("int32")
        if self.kind == "decision_tree":  # every node stays
            return Rule(self.kind, {**self.arrays, "labels": new})
        kept = new >= 0
        arrays = {name: array[kept] if name in _PER_UNIT else array for name, array in self.arrays.items()}
        return Rule(self.kind, {**arrays, "labels": new[kept]})


def centre_rule(centres: np.ndarray) -> Rule:
    """Return the rule of the nearest centre (k, d), one label per centre."""
    centres = centres[np.lexsort(centres.T[::-1])]
    return Rule("nearest_centre", {"centres": centres, "labels": np.arange(len(centres), dtype="int32")})


def _nearest_centre(centres, labels):
    middle = centres.mean(axis=0)  # small numbers lose least when squares are subtracted
    around = centres - middle
    squares = (around**2).sum(axis=1)

    def assign(X):
        best = labels[_first_best((X - middle) @ around.T - squares / 2, squares.max())]
        return best, best

    return assign


def _highest_posterior(means, scales, offsets, labels):
    def assign(X):
        best = labels[_first_best(component_scores(X, means, scales, offsets), 1.0)]
        return best, best

    return assign


def _nearest_customer(cores, radius, labels, origin, projection):
    from scipy.spatial import cKDTree

    tree, reach = cKDTree(cores), radius * (1 + 1e-9)

    def assign(X):
        distance, core = tree.query((X - origin) @ projection)
        return np.where(distance <= reach[core], labels[core], -1), labels[core]

    return assign


def _nearest_prediction(centres, labels, knots, coefficients):
    nearest = _nearest_centre(centres, labels)

    def assign(X):
        return nearest(predict_outcomes(X, knots, coefficients))

    return assign


def _decision_tree(labels, columns, limits, children):
    def assign(X):
        node, rows = np.zeros(len(X), dtype="int64"), np.arange(len(X))
        for _ in range(len(columns)):  # nobody passes more nodes than there are
            inner = columns[node] >= 0
            if not inner.any():
                break
            right = X[rows, columns[node]] > limits[node]
            node = np.where(inner, children[node, right.astype(int)], node)
        return labels[node], labels[node]

    return assign


_ASSIGN = {
    "nearest_centre": _nearest_centre,
    "highest_posterior": _highest_posterior,
    "nearest_customer": _nearest_customer,
    "nearest_prediction": _nearest_prediction,
    "decision_tree": _decision_tree,
}


def predict_outcomes(X: np.ndarray, knots: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Return what each row predicts: a sum of piecewise straight lines of its columns (n, p).

    Column j rises by ``coefficients[j (m - 1) + i]`` per unit between ``knots[i, j]`` and ``knots[i + 1, j]``, and is
    flat outside of the first and the last knot.

    Examples
    --------
    >>> knots, coefficients = np.array([[0.0], [1.0], [4.0]]), np.array([[2.0], [10.0]])
    >>> predict_outcomes(np.array([[-5.0], [0.5], [2.0], [99.0]]), knots, coefficients).ravel()
    array([ 0.,  1., 12., 32.])
    """
    predicted, pieces = np.zeros((len(X), coefficients.shape[1])), len(knots) - 1
    for place, (column, at) in enumerate(zip(X.T, knots.T, strict=True)):
        risen = np.clip(column[:, None], at[:-1], at[1:]) - at[:-1]
        predicted += risen @ coefficients[place * pieces : (place + 1) * pieces]
    return predicted


def _first_best(scores: np.ndarray, unit: float) -> np.ndarray:
    # BLAS may give the same customer another last digit in another chunk; near-ties therefore go to the first.
    top = scores.max(axis=1, keepdims=True)
    return np.argmax(scores >= top - 1e-10 * (np.abs(top) + unit), axis=1)


def component_scores(X, means, scales, offsets) -> np.ndarray:
    """Return the log of weight times density of each component at each row, up to a constant (n, k)."""
    parts = zip(means, scales, offsets, strict=True)
    return np.stack([offset - (((X - mean) @ scale) ** 2).sum(axis=1) / 2 for mean, scale, offset in parts], axis=1)
