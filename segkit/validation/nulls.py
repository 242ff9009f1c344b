"""Is a segmentation stabler than the same recipe on customers without any structure?"""

from dataclasses import dataclass, replace

import numpy as np

from segkit.clustering.fit import Sample
from segkit.runtime.parallel import Progress, run_tasks
from segkit.runtime.seeds import sample_rows, stream
from segkit.validation.agreement import adjusted_rand, contingency
from segkit.validation.stability import RESAMPLE_LIMIT, Recipe, resample_rows

SAMPLES = 39  # to be above all of them is one chance in 40 where there is nothing


@dataclass(frozen=True)
class NullComparison:
    """The mean adjusted Rand index of a candidate beside those of samples without structure.

    Attributes
    ----------
    observed : float
    null : ndarray
        Those computed; the first that is not below `observed` ends the comparison, so there may be fewer than asked.
    samples : int
        Those asked for.
    exceeded : bool
        The candidate is above all of them.
    sample_size : int
        Customers in each.
    """

    observed: float
    null: np.ndarray
    samples: int
    exceeded: bool
    sample_size: int


def compare_with_null(
    space: Sample,
    recipe: Recipe,
    observed: float,
    *,
    seed: int,
    null: str = "spherical",
    samples: int = SAMPLES,
    fits: int = 3,
    limit: int = RESAMPLE_LIMIT,
    jobs: int = 1,
    progress: Progress | None = None,
) -> NullComparison:
    """Return whether `observed` exceeds the stability of the same recipe on samples without structure.

    Parameters
    ----------
    space : Sample
        The customers in the space that the candidate cuts.
    recipe : Recipe
    observed : float
        The candidate's mean adjusted Rand index over resamples (`Stability.candidates`), which vary as much.
    null : {"spherical", "copula"}
        ``spherical``: a normal cloud alike in all directions. ``copula``: the same rank correlations and the same
        distribution of every column as `X`, joined by a normal copula, so without segments beyond those.
    fits : int
        Resamples of each sample; all their pairs are compared. Fewer pairs than the candidate's make the largest of the
        null vary more, and so the comparison the stricter. Those of a sample that can't reach `observed` any more,
        whatever the pairs that are left, are not fitted: the decision is the same.

    Raises
    ------
    ValueError
        `null` is another word.

    References
    ----------
    Dolnicar & Leisch (2010) call what exceeds this reproducible; Monte Carlo test after Barnard (1963).
    """
    if null not in ("spherical", "copula"):
        raise ValueError(f"null is {null!r}; it must be 'spherical' or 'copula'")
    X = space.X
    pattern = X[sample_rows(len(X), limit, seed)]
    if null == "spherical":
        # As wide as the customers, for recipes with a distance in them; the rows only lend their number.
        pattern = np.broadcast_to(np.sqrt(X.var(axis=0).mean()), pattern.shape)
    bare = replace(space, X=X[:0], dequantised=None, customers=None)  # customers who are drawn are nobody
    arguments = [(pattern, bare, recipe, observed, null, fits, seed, number) for number in range(samples)]
    found: list[float] = []
    results = run_tasks(_null_agreement, arguments, jobs=jobs, progress=progress, what=f"{null} null")
    for agreement in results:
        found.append(agreement)
        if agreement >= observed:
            break
    results.close()
    return NullComparison(observed, np.array(found), samples, max(found) < observed, len(pattern))


def copula_sample(X: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return as many rows as `X` with its columns' distributions and rank correlations, and nothing else of it.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(50, 2))
    >>> drawn = copula_sample(X, np.random.default_rng(1))
    >>> bool((np.sort(drawn, axis=0) == np.sort(X, axis=0)).all())
    True
    """
    from scipy.stats import norm, rankdata

    n = len(X)
    scores = norm.ppf((rankdata(X, axis=0) - 0.5) / n)
    spread = scores.std(axis=0)
    scores = scores / np.where(spread > 0, spread, 1)
    correlation = scores.T @ scores / n
    values, vectors = np.linalg.eigh(correlation)
    drawn = generator.normal(size=X.shape) @ (vectors * np.sqrt(np.maximum(values, 0))).T
    order = np.argsort(np.argsort(drawn, axis=0, kind="stable"), axis=0, kind="stable")
    return np.take_along_axis(np.sort(X, axis=0), order, axis=0)


def _null_agreement(pattern, bare: Sample, recipe: Recipe, observed: float, null: str, fits, seed, number) -> float:
    generator = stream(seed, "null", null, number)
    spherical = null == "spherical"
    X = pattern * generator.normal(size=pattern.shape) if spherical else copula_sample(pattern, generator)
    drawn, family = replace(bare, X=X), recipe.family
    labels, found, pairs = [], [], fits * (fits - 1) // 2
    for part in range(fits):
        if found and sum(found) + pairs - len(found) < observed * pairs:
            break
        rows = resample_rows(len(X), halves=family.halves, seed=seed, number=fits * number + part)
        rule = family.cut(drawn.take(rows), seed=seed + part, **recipe.params).rule
        labels.append(rule.assign(X)[0])
        found += [adjusted_rand(contingency(labels[-1], other)) for other in labels[:-1]]
    return float(np.mean(found))
