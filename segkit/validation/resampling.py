"""What every part of the evidence asks of a method, and the resamples that it is tried on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from segkit.runtime.seeds import stream

RESAMPLE_LIMIT = 5_000  # customers in a resample; stability rises with n, so that a sample's is on the low side


@dataclass(frozen=True)
class Recipe:
    """How one candidate is fitted: on all customers, and on resamples of them.

    Attributes
    ----------
    fit : callable
        ``fit(X, seed=..., dequantised=...)`` returns an object with ``labels`` (n,), negative for customers left
        out, and ``rule.assign(X)``, which returns ``(labels, nearest)``.
    resampled : callable, optional
        ``fit`` for samples, which may be of any size: the place to scale ``min_cluster_size`` with ``len(X)``.
    halved : callable, optional
        ``fit`` for the half of the customers in which valleys are looked for, where it shall not be `resampled`: one
        fit may take more care than a hundred.
    halves : bool
        Resample half without replacement: duplicates falsify densities and the heights of a tree.
    density : bool
        Segments of any shape (DBSCAN, HDBSCAN): tested in principal, not in discriminant, coordinates.
    """

    fit: Callable[..., Any]
    resampled: Callable[..., Any] | None = None
    halved: Callable[..., Any] | None = None
    halves: bool = False
    density: bool = False

    @property
    def sample_fit(self) -> Callable[..., Any]:
        """The fit for samples."""
        return self.resampled or self.fit


def resample_rows(n: int, *, halves: bool, seed: int, number: int, limit: int = RESAMPLE_LIMIT) -> np.ndarray:
    """Return the rows of resample `number`: a bootstrap, or half of the customers without replacement.

    Of more than `limit` customers, `limit` are drawn with replacement, or as many without as vary alike. The same
    number gives the same rows for every candidate, so that they can share work.

    Both kinds vary alike about the shop's customers: the mean over m of them drawn without replacement has the variance
    1 / m - 1 / n, that over a bootstrap 1 / n, which a half shares. Above `limit` a bootstrap has 1 / `limit`, and m
    rises from half of `limit` towards `limit`. The distinct customers of a bootstrap, which Hennig's ``clusterboot``
    takes by default, have .58 / n, and so come back more often.
    """
    size = resample_size(n, halves=halves, limit=limit)
    if halves:
        return np.sort(stream(seed, "half", number).permutation(n)[:size])
    return np.sort(stream(seed, "bootstrap", number).integers(n, size=size))


def resample_size(n: int, *, halves: bool, limit: int = RESAMPLE_LIMIT) -> int:
    """Return the customers in a resample of `n`; see `resample_rows`.

    Examples
    --------
    >>> [resample_size(n, halves=True) for n in (1001, 5_000, 20_000, 1_000_000)]
    [500, 2500, 4000, 4975]
    """
    drawn = min(n, limit)
    return n * drawn // max(n + drawn, 1) if halves else drawn


def take(dequantised: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    """Return these rows of a matrix that may be absent."""
    return None if dequantised is None else dequantised[rows]
