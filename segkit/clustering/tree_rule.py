"""A decision tree as a frozen rule: for segments that have no centres, by a method that segkit does not know."""

import numpy as np

from segkit.clustering.assignment_rules import Rule

MOST_LEAVES = 256
SMALLEST_LEAF = 0.001  # share of the customers; smaller ones would learn single customers by heart


def grow_tree(
    X: np.ndarray, labels: np.ndarray, *, most_leaves: int = MOST_LEAVES, smallest_leaf: float = SMALLEST_LEAF
) -> Rule:
    """Return the rule of a decision tree that says the labels of rows, those left out (-1) included.

    Arrays have a row per node: ``columns`` (of the matrix; -1 at a leaf), ``limits``, ``children`` (n, 2: the node
    where the column is at most the limit, and the other) and ``labels`` (-1: left out).

    Examples
    --------
    >>> rule = grow_tree(np.array([[0.0], [1.0], [8.0], [9.0]]), np.array([0, 0, 1, 1]))
    >>> rule.assign(np.array([[4.0], [5.0]]))[0]
    array([0, 1], dtype=int32)
    """
    from sklearn.tree import DecisionTreeClassifier

    least = max(1, int(smallest_leaf * len(X)))
    tree = DecisionTreeClassifier(max_leaf_nodes=most_leaves, min_samples_leaf=least, random_state=0).fit(X, labels)
    names, tree = tree.classes_, tree.tree_
    leaf = tree.children_left < 0
    arrays = {
        "columns": np.where(leaf, -1, tree.feature).astype("int32"),
        "limits": np.where(leaf, 0.0, tree.threshold),
        "children": np.where(leaf, 0, [tree.children_left, tree.children_right]).T.astype("int32"),
        "labels": np.where(leaf, names[tree.value[:, 0].argmax(axis=1)], -1).astype("int32"),
    }
    return Rule("decision_tree", arrays)
