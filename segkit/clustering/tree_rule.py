"""A decision tree as a frozen rule: for segments that have no centres, by a method that segkit does not know."""

import numpy as np

from segkit.clustering.assignment_rules import Rule

MOST_LEAVES = 256
SMALLEST_LEAF = 0.001  # share of the customers; smaller ones would learn single customers by heart


def grow_tree(X: np.ndarray, labels: np.ndarray) -> Rule:
    """Return the rule of a decision tree that says the labels of rows, those left out (negative) included.

    Arrays have a row per node: ``columns`` (of the matrix; -1 at a leaf), ``limits``, ``children`` (n, 2: the node
    where the column is at most the limit, and the other) and ``labels`` (-1: left out).

    Examples
    --------
    >>> rule = grow_tree(np.array([[0.0], [1.0], [8.0], [9.0]]), np.array([0, 0, 7, 7]))
    >>> rule.assign(np.array([[4.0], [5.0]]))[0]
    array([0, 1], dtype=int32)
    """
    from sklearn.tree import DecisionTreeClassifier

    names = np.unique(labels)
    tree = DecisionTreeClassifier(
        max_leaf_nodes=MOST_LEAVES, min_samples_leaf=max(1, int(SMALLEST_LEAF * len(X))), random_state=0
    )
    tree = tree.fit(X, labels).tree_
    leaf = tree.children_left < 0
    said = names[tree.value[:, 0].argmax(axis=1)]
    places = np.cumsum(names >= 0) - 1  # labels from 0, in the order of their own
    arrays = {
        "columns": np.where(leaf, -1, tree.feature).astype("int32"),
        "limits": np.where(leaf, 0.0, tree.threshold),
        "children": np.where(leaf, 0, [tree.children_left, tree.children_right]).T.astype("int32"),
        "labels": np.where(said < 0, -1, places[np.searchsorted(names, said)]).astype("int32"),
    }
    arrays["labels"][~leaf] = -1
    return Rule("decision_tree", arrays)
