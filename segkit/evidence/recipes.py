"""What every part of the evidence asks of a method, and the resamples that it is tried on."""

import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Progress = Callable[[int, int, str], None]
"""Called as ``progress(done, total, what)`` while the work goes on."""

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


def stream(seed: int, *names: int | str) -> np.random.Generator:
    """Return a generator for one purpose: the same names give the same draws, whatever else is drawn.

    Examples
    --------
    >>> stream(0, "halves", 3).integers(100) == stream(0, "halves", 3).integers(100)
    np.True_
    """
    return np.random.default_rng([seed, *(zlib.crc32(n.encode()) if isinstance(n, str) else n for n in names)])


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


def sample_rows(n: int, limit: int, seed: int) -> np.ndarray:
    """Return all rows, or a seeded sample of `limit` of them in their order."""
    if n <= limit:
        return np.arange(n)
    return np.sort(stream(seed, "sample").permutation(n)[:limit])


def two_halves(n: int, seed: int, *purpose: int | str) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of two halves of the customers, the same for the same purpose."""
    order = stream(seed, "halves", *purpose).permutation(n)
    return np.sort(order[: n // 2]), np.sort(order[n // 2 :])


def take(dequantised: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    """Return these rows of a matrix that may be absent."""
    return None if dequantised is None else dequantised[rows]


def run_tasks(
    task: Callable[..., Any],
    arguments: Sequence[tuple],
    *,
    jobs: int = 1,
    progress: Progress | None = None,
    what: str = "",
) -> Iterator[Any]:
    """Yield ``task(*each)`` in order, on `jobs` processes of one thread each.

    One thread per process: small fits lose more than they win by more, and the last digits of a sum would depend on
    their number. Stop taking results to stop the work; an interrupt ends the processes.
    """
    from joblib import Parallel, delayed, parallel_config
    from threadpoolctl import threadpool_limits

    total = len(arguments)
    if jobs == 1 or total == 1:
        with threadpool_limits(limits=1):
            for done, each in enumerate(arguments, start=1):
                result = task(*each)
                if progress is not None:
                    progress(done, total, what)
                yield result
        return
    with parallel_config(backend="loky", inner_max_num_threads=1):
        # Few tasks ahead of the taker: who stops early has not computed the rest for nothing.
        parallel = Parallel(n_jobs=jobs, return_as="generator", pre_dispatch=jobs + 1, batch_size=1)
        results = parallel(delayed(_one_thread)(task, each) for each in arguments)
        try:
            for done, result in enumerate(results, start=1):
                if progress is not None:
                    progress(done, total, what)
                yield result
        finally:
            with warnings.catch_warnings():  # who stops early knows that some tasks were begun for nothing
                warnings.simplefilter("ignore", UserWarning)
                results.close()


def end_processes() -> None:
    """End the processes that `run_tasks` keeps for its next call: they wait with all that they have imported."""
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True)


def _one_thread(task: Callable[..., Any], arguments: tuple) -> Any:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        return task(*arguments)
