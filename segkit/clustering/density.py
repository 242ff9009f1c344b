"""What the methods share that look for dense regions and leave out whoever is in none: HDBSCAN and DBSCAN."""

from dataclasses import dataclass

import numpy as np

from segkit.clustering.assignment_rules import Rule
from segkit.clustering.fit import Fit, Sample, finish, fit_order, sampled
from segkit.preprocessing.prepare import CustomerMatrix

FITTED_ON = 20_000  # customers at most
MOST_COLUMNS, COMPONENTS = 10, 6  # above so many columns, on this many principal components
FEWEST_NEIGHBOURS = 5  # on a resample
DBCV_SAMPLE = 2_000  # its cost grows with the square


@dataclass(frozen=True)
class Ground:
    """What a density method is fitted on: which customers, their points, and how the points come from the matrix."""

    chosen: np.ndarray
    points: np.ndarray
    origin: np.ndarray
    projection: np.ndarray
    variance_kept: float


def find_ground(customers: Sample, seed: int, sample: int | None, components: int | None) -> Ground:
    """Return what a density method is fitted on; `components` takes so many leading principal components."""
    rows = customers.rows
    chosen = fit_order(rows, seed, sample)
    rows = rows[chosen]
    origin, projection, kept = rows.mean(axis=0), np.eye(rows.shape[1]), 1.0
    if components and components < rows.shape[1]:
        spread, directions = np.linalg.eigh((rows - origin).T @ (rows - origin))
        projection = directions[:, ::-1][:, :components]
        largest = np.abs(projection).argmax(axis=0)
        projection = projection * np.sign(projection[largest, np.arange(components)])  # a sign that doesn't flip
        kept = float(spread[::-1][:components].sum() / spread.sum()) if spread.sum() > 0 else 1.0
    return Ground(chosen, (rows - origin) @ projection, origin, projection, kept)


def density_fit(X, ground: Ground, labels: np.ndarray, radius: np.ndarray, seed: int, validity: bool) -> Fit:
    """Return the rule of cores with their labels and radii; customers within the radius of their nearest core join it.

    ``dbcv`` is left out where `validity` is not asked for: it costs as much as the fit.
    """
    cores = np.flatnonzero(labels >= 0)
    cores = cores[np.lexsort(ground.points[cores].T[::-1])]
    _, first, place = np.unique(labels[cores], return_index=True, return_inverse=True)
    arrays = {
        "cores": ground.points[cores],
        "radius": radius[cores],
        "labels": np.argsort(np.argsort(first))[place].astype("int32"),  # clusters in the order of their first core
        "origin": ground.origin,
        "projection": ground.projection,
    }
    fit = finish(Rule("nearest_customer", arrays), X)
    fit.statistics["variance_kept"] = ground.variance_kept
    fit.statistics["dbcv"] = _dbcv(ground.points, fit.labels[ground.chosen], seed) if validity else np.nan
    return fit


def _dbcv(points: np.ndarray, labels: np.ndarray, seed: int) -> float:
    """Return density-based validity (Moulavi et al. 2014) of at most `DBCV_SAMPLE` points; NaN below two clusters."""
    from hdbscan.validity import validity_index

    if len(points) > DBCV_SAMPLE:
        some = np.random.default_rng(seed).choice(len(points), DBCV_SAMPLE, replace=False)
        points, labels = points[some], labels[some]
    sizes = np.bincount(labels[labels >= 0], minlength=1)
    renamed = np.full(len(sizes) + 1, -1)
    enough = np.flatnonzero(sizes >= 5)  # a density needs neighbours
    renamed[enough] = np.arange(len(enough))
    if len(enough) < 2:
        return np.nan
    with np.errstate(all="ignore"):
        return float(validity_index(points, renamed[labels]))


def thinned(matrix: CustomerMatrix) -> dict:
    """Return the params that say on how many components and customers of a matrix density methods are fitted.

    Where all customers are about equally far from each other, as above ten columns, they see noise only.
    """
    leading = {"components": COMPONENTS} if matrix.X.shape[1] > MOST_COLUMNS else {}
    return leading | sampled(FITTED_ON, len(matrix.compared))


def in_proportion(customers: Sample, sample: int | None, size: int) -> tuple[float, int]:
    """Return the share that a resample is of the customers fitted on, and the size of a cluster in proportion."""
    share = min(1.0, len(customers) / min(customers.of, sample or customers.of))
    return share, max(FEWEST_NEIGHBOURS, round(size * share))


def round_size(size: float) -> int:
    """Return a size of a cluster that reads well."""
    step = 5 if size < 100 else 25
    return max(5, step * round(size / step))
