"""What every fit ends in: canonical labels that are the output of a frozen rule."""

from dataclasses import dataclass, field

import numpy as np

from segkit.clustering.assignment_rules import Rule


@dataclass(frozen=True)
class Fit:
    """A fitted method: ``labels`` and ``nearest`` (n; the output of ``rule``), and what the fit measured of itself.

    Labels count from 0, the largest segment, to the smallest; -1 is left out. ``statistics`` has ``bic`` and ``icl``
    for mixtures, ``dbcv`` for density methods, ``variance_kept`` where principal components stand for the matrix.
    """

    labels: np.ndarray
    nearest: np.ndarray
    rule: Rule
    statistics: dict[str, float] = field(default_factory=dict)


def finish(rule: Rule, X: np.ndarray, statistics: dict | None = None) -> Fit:
    """Apply the rule; labels in order of size, ties in order of place; those that nobody gets are dropped."""
    labels, nearest = rule.assign(X)
    sizes = np.bincount(labels[labels >= 0], minlength=rule.arrays["labels"].max(initial=-1) + 1)
    order = np.argsort(-sizes, kind="stable")[: np.count_nonzero(sizes)]
    renamed = np.full(len(sizes) + 1, -1, dtype="int32")  # the last place keeps -1 as it is
    renamed[order] = np.arange(len(order))
    rule = rule.relabelled(renamed)
    if len(order) < len(sizes):  # somebody's nearest label may be among the dropped
        labels, nearest = rule.assign(X)
    else:
        labels, nearest = renamed[labels], renamed[nearest]
    return Fit(labels, nearest, rule, statistics or {})


def fit_order(X: np.ndarray, seed: int, sample: int | None) -> np.ndarray:
    """Return which rows to fit on, in an order of their own: a seeded sample where there are too many."""
    weights = np.random.default_rng(0).normal(size=X.shape[1])  # rows that differ get different keys
    order = np.argsort((X * weights).sum(axis=1), kind="stable")
    if sample and len(X) > sample:
        order = order[np.sort(np.random.default_rng(seed).choice(len(X), sample, replace=False))]
    return order
