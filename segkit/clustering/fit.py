"""What every family takes and gives: a candidate, the customers that it is fitted on, and the fit with its frozen rule.

The labels of a fit are what its rule says, never what the algorithm said on the way: scoring a customer later, in
another file, in another month, gives the same answer. Fits don't depend on the order of the rows.
"""

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from segkit.clustering.assignment_rules import Rule

NOT_FITTED = "not fitted"  # how the reason of a refused candidate begins


class Candidate(NamedTuple):
    """A segmentation to try: a family and the parameters of its fit, which JSON can hold.

    `refused` says why these customers can't carry it: it is named among the candidates, and not fitted.
    """

    candidate_id: str
    family: str
    params: dict
    refused: str = ""


@dataclass(frozen=True)
class Sample:
    """Customers as the fits of a family see them.

    Attributes
    ----------
    X : ndarray, shape (n, d), or DataFrame
        What the rules of the family are asked by: rows of a matrix, or features.
    dequantised : ndarray, shape (n, d), optional
        `X` with noise within each value's step.
    models : OutcomeModels, optional
        For families that are made of predicted outcomes.
    customers : Index, optional
        Who they are; known for all customers, not for resamples.
    places : ndarray of int, shape (n,), optional
        Which rows of all customers these are; of a resample.
    of : int
        How many customers there are in all, of whom these are a resample.
    """

    X: Any
    dequantised: np.ndarray | None = None
    models: Any = None
    customers: pd.Index | None = None
    places: np.ndarray | None = None
    of: int = 0

    def __post_init__(self):
        if not self.of:
            object.__setattr__(self, "of", len(self.X))

    def __len__(self) -> int:
        return len(self.X)

    @property
    def rows(self) -> np.ndarray:
        """The rows to fit on where values that many share would be taken for clusters: dequantised where known."""
        return self.X if self.dequantised is None else self.dequantised

    def take(self, rows: np.ndarray) -> "Sample":
        """Return these rows."""
        X = self.X.iloc[rows] if isinstance(self.X, pd.DataFrame) else self.X[rows]
        dequantised = None if self.dequantised is None else self.dequantised[rows]
        places = rows if self.places is None else self.places[rows]
        return replace(self, X=X, dequantised=dequantised, places=places)


@dataclass(frozen=True)
class Fit:
    """A fitted method: ``labels`` and ``nearest`` (n; the output of ``rule``), and what the fit measured of itself.

    Labels count from 0, the largest segment, to the smallest; -1 is left out. ``statistics`` has ``bic`` and ``icl``
    for mixtures, ``dbcv`` for density methods, ``variance_kept`` where principal components stand for the matrix,
    ``rule_disagreement`` where a rule only stands for what a method said (share of the customers).
    """

    labels: np.ndarray
    nearest: np.ndarray
    rule: Any
    statistics: dict[str, float] = field(default_factory=dict)


class Refit(NamedTuple):
    """A fit on a resample: its rule and no more."""

    rule: Any


def assign_labels(rule, asked) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and nearest labels by any rule: of rows of a matrix, or of features for the rules on features."""
    if isinstance(asked, pd.DataFrame):
        labels = rule.assign(asked)["label"].to_numpy().astype("int32")
        return labels, labels
    return rule.assign(asked)


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


def sampled(most: int, n: int) -> dict:
    """Return the parameter that says so where a family is fitted on a sample of `most` of n customers."""
    return {"sample": most} if n > most else {}
