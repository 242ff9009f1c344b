"""A family of methods: one record with its grid, its fit, how it is refitted, and how it looks in a picture."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from segkit.clustering.assignment_rules import centre_rule
from segkit.clustering.fit import Candidate, Fit, Sample, finish, fit_order
from segkit.clustering.tree_rule import grow_tree
from segkit.preprocessing.matrix import Matrix
from segkit.preprocessing.prepare import CustomerMatrix
from segkit.runtime.errors import InputError


def _matrix_rows(matrix: CustomerMatrix) -> Sample:
    return Sample(matrix.X, matrix.dequantised, customers=matrix.compared)


def _own_transformer(matrix: CustomerMatrix) -> Matrix:
    return matrix.transformer


@dataclass(frozen=True)
class Family:
    """A family of methods, as comparing, resampling, choosing, plots and scoring know it.

    Every fit is called as ``fit(sample, seed=..., **params)`` and returns something with a ``rule``; `fit` itself
    returns a `Fit`. All functions must be of a module, or of a notebook.

    Attributes
    ----------
    name, title, colour : str
        As in the tables, and as in pictures.
    phrase : str
        What a sentence calls it, such as "an RFM map". Default: the title.
    simplicity : int
        Among candidates that are as good the family with the least is taken.
    grid : callable
        ``grid(matrix, segments)`` returns the candidates to try; none where the matrix lacks what they need.
    fit : callable
        On all customers.
    refit : callable, optional
        On a resample, of any size: the place for fewer starts, and for sizes in proportion. Default: `fit`.
    sample : callable
        ``sample(matrix)`` returns the `Sample` that `fit` and `refit` take.
    space : callable, optional
        ``space(matrix)`` returns the `Sample` in which valleys are looked for and nulls are drawn, where it is not
        that of the fits; `cut` then fits there. Its rules work on rows of the space.
    cut : callable, optional
        Default: `refit`.
    halved : callable, optional
        The fit on the half of the customers in which valleys are looked for, where one fit may take more care than a
        hundred. Default: `cut`.
    halves : bool
        Resample half without replacement: duplicates falsify densities and the heights of a tree.
    density : bool
        Segments of any shape: tested in principal, not in discriminant, coordinates.
    together : bool
        Its candidates share work: they are fitted one after the other in one process.
    baseline : bool
        A rule on features to be beaten: judged beside the others, outside the limits on sizes, never resampled.
    transformer : callable
        ``transformer(matrix)`` returns the `Matrix` that leads from features to what the rules work on.
    then : callable, optional
        ``then(params, matrix)`` returns the params with what was learned from later outcomes taken from that matrix.
    without : callable, optional
        ``without(matrix, params, seed=...)`` returns labels by outcome that the segments were made without, and under
        ``""`` those made with all; of families that are made of predicted outcomes.
    beside : callable, optional
        ``beside(matrix, segments, seed=...)`` returns labels by name of what is judged beside the candidates.
    """

    name: str
    title: str
    colour: str
    simplicity: int
    grid: Callable[[CustomerMatrix, Sequence[int]], list[Candidate]]
    fit: Callable[..., Fit]
    refit: Callable[..., Any] | None = None
    sample: Callable[[CustomerMatrix], Sample] = _matrix_rows
    space: Callable[[CustomerMatrix], Sample] | None = None
    cut: Callable[..., Any] | None = None
    halved: Callable[..., Any] | None = None
    halves: bool = False
    density: bool = False
    together: bool = False
    baseline: bool = False
    phrase: str = ""
    transformer: Callable[[CustomerMatrix], Matrix] = _own_transformer
    then: Callable[[dict, CustomerMatrix], dict] | None = None
    without: Callable[..., dict[str, np.ndarray]] | None = None
    beside: Callable[..., dict[str, np.ndarray]] | None = None

    def __post_init__(self):
        for name, default in (("refit", "fit"), ("cut", "refit"), ("halved", "cut"), ("phrase", "title")):
            if not getattr(self, name):
                object.__setattr__(self, name, getattr(self, default))

    def __repr__(self) -> str:
        return f"family {self.name} ({self.title})"

    @classmethod
    def of(
        cls,
        name: str,
        fit: Callable[..., Any],
        params: Iterable[dict] | Callable[[np.ndarray, Sequence[int]], Iterable[dict]] = ({},),
        *,
        title: str = "",
        colour: str = "#7A4A2A",
        dequantised: bool = False,
        halves: bool = True,
        most: int = 20_000,
    ) -> "Family":
        """Return a family of one's own: a cell of a notebook is enough.

        Labels become a frozen rule, so that any customer can be put into a segment later: the nearest centre where
        the method has centres, else a decision tree over the columns of the matrix. How many customers the rule puts
        elsewhere than the method did is the fit's ``rule_disagreement``.

        Parameters
        ----------
        name : str
            As in the tables; candidates are called ``name-5`` and so on.
        fit : callable
            ``fit(X, **params)`` returns labels (n; negative for customers left out), centres (k, d), or a fitted
            scikit-learn estimator.
        params : list of dict, or callable
            What to try, one candidate each; or ``params(X, segments)``, which returns such a list.
        title, colour : str
            For pictures.
        dequantised : bool
            Fit on rows with noise within each value's step: for methods that take shared values for clusters.
        halves : bool
            Resample half of the customers without replacement; False takes bootstraps.
        most : int
            Customers fitted on at most; of more, a seeded sample.

        Examples
        --------
        >>> from sklearn.cluster import MeanShift
        >>> mean_shift = Family.of("meanshift", lambda X, width: MeanShift(bandwidth=width).fit(X), [{"width": 3.0}])
        >>> mean_shift.fit(Sample(np.array([[0.0], [1.0], [9.0]])), seed=0, width=3.0).labels
        array([0, 0, 1], dtype=int32)
        >>> Family.of("mean shift", MeanShift)
        Traceback (most recent call last):
        segkit.InputError: a family is called 'mean shift'; take small letters, digits and _, such as meanshift
        """
        if not name.isidentifier() or name != name.lower():
            raise InputError(f"a family is called {name!r}; take small letters, digits and _, such as meanshift")
        return cls(
            name, title or name, colour, 10, partial(_own_grid, name, params, most),
            partial(_own_fit, name, fit, dequantised), halves=halves,
        )  # fmt: skip


def _own_grid(name: str, params, most: int, matrix: CustomerMatrix, segments: Sequence[int]) -> list[Candidate]:
    tried = list(params(matrix.X, segments) if callable(params) else params)
    thin = {"sample": most} if len(matrix.X) > most else {}
    found = []
    for one in tried:
        try:
            json.dumps(one)
        except TypeError:
            raise InputError(f"family {name}: {one} can't be stored; params are numbers, texts and lists") from None
        called = "-".join(f"{setting:g}" if isinstance(setting, float) else str(setting) for setting in one.values())
        found.append(Candidate(f"{name}-{called}" if called else name, name, one | thin))
    if len({one.candidate_id for one in found}) < len(found):
        raise InputError(f"family {name}: two of its candidates have the same params; give each its own")
    return found


def _own_fit(
    name: str, fit, dequantised: bool, customers: Sample, /, *, seed: int, sample: int | None = None, **params
):
    rows = customers.rows if dequantised else customers.X
    chosen = fit_order(rows, seed, sample)
    found = fit(rows[chosen], **params)
    centres, labels = getattr(found, "cluster_centers_", None), getattr(found, "labels_", None)
    if labels is None and hasattr(found, "predict"):
        labels = found.predict(rows[chosen])
    if centres is None and labels is None:
        array = np.asarray(found)
        centres, labels = (array, None) if array.ndim == 2 else (None, array)
    if centres is not None and np.shape(centres)[1:] != rows.shape[1:]:
        if labels is None:
            raise InputError(
                f"family {name}: its centres have {np.shape(centres)[1]} columns, and X has {rows.shape[1]}"
            )
        centres = None  # of some columns of X alone: labels are what counts
    if centres is None and (labels.ndim != 1 or len(labels) != len(chosen) or labels.dtype.kind not in "iub"):
        raise InputError(
            f"family {name}: its fit returned {type(found).__name__}; it must return {len(chosen):,} whole numbers as "
            "labels, centres, or a fitted estimator of scikit-learn"
        )
    if labels is not None:  # from 0 on, whatever they were called
        names, places = np.unique(np.maximum(labels, -1), return_inverse=True)
        labels = places - int(names[0] < 0)
    rule = centre_rule(np.asarray(centres, "float64")) if centres is not None else grow_tree(rows[chosen], labels)
    made = finish(rule, customers.X)
    if labels is not None:
        made.statistics["rule_disagreement"] = _disagreement(labels, rule.assign(rows[chosen])[0])
    return made


def _disagreement(labels: np.ndarray, ruled: np.ndarray) -> float:
    """Return the share of customers whom the rule puts elsewhere than most of those it says the same of."""
    label_of = {each: np.bincount(labels[ruled == each] + 1).argmax() - 1 for each in np.unique(ruled)}
    return float(np.mean(labels != np.array([label_of[each] for each in ruled])))
