"""Which segments come back from other customers, lie apart, and are more than chance: candidates on resamples."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from segkit.clustering.family import Family
from segkit.clustering.fit import Sample
from segkit.preprocessing.prepare import CustomerMatrix
from segkit.runtime.content import made_once
from segkit.runtime.parallel import Progress
from segkit.runtime.progress import progress_bar
from segkit.validation.candidates import STABILITY, Candidates, count_jobs
from segkit.validation.nulls import NullComparison, compare_with_null
from segkit.validation.selection import Limits, broken_sizes
from segkit.validation.separation import Separation, separated_pairs
from segkit.validation.stability import Recipe, Stability, resample_stability
from segkit.validation.verdict import candidate_verdict, needs_null


def resample(
    candidates: Candidates, *, limits: Limits | None = None, draws: int = 100, jobs: int | None = None
) -> Candidates:
    """Return the candidates with what resamples of the customers say about those within the limits on sizes.

    Fills in how well each comes back (`resample_stability`), which pairs of its segments have a valley between them
    (`separated_pairs`), and its structure: natural, reproducible or constructive (`candidate_verdict`); adds the tables
    `stability`, `pairs` and `verdicts`. A kept model passes as it is: what is known of it is that of its fit.

    Parameters
    ----------
    candidates : Candidates
        Of `compare`.
    limits : Limits, optional
        Candidates that break one can't be chosen, and are not resampled; baselines neither.
    draws : int
        Resamples per candidate, an even number; fewer where these settle that a segment doesn't come back.
    jobs : int, optional
        As for `compare`.

    Raises
    ------
    InputError
        There are too few customers for the limits; or the candidates were loaded from tables.

    Examples
    --------
    >>> from segkit.clustering.families import FAMILIES
    >>> from segkit.preprocessing.prepare import prepare
    >>> from segkit.validation.compare import compare
    >>> shop = pd.DataFrame({"spend": [*range(40), *range(900, 980)]}, index=[f"c{number:03}" for number in range(120)])
    >>> candidates = compare(prepare(shop), FAMILIES[:1], segments=[2, 3])
    >>> resample(candidates, limits=Limits(min_segments=2), draws=10).verdicts[["candidate_id", "structure"]]
      candidate_id     structure
    0     kmeans-2       natural
    1     kmeans-3  constructive
    """
    if candidates.kept is not None:
        return candidates
    matrix, limits = candidates.known_matrix(), limits or Limits()
    limits.check(matrix.customers)
    broken = broken_sizes(candidates, limits)
    rest = candidates.table[~candidates.is_baseline]
    recipes = {
        name: Recipe(candidates.family_of(name), candidates.grid[name].params, candidates.labels[name].to_numpy())
        for name in rest["candidate_id"]
        if not broken[name]
    }

    def make() -> dict:
        with progress_bar(f"looking for valleys, and resampling {len(recipes)} candidates") as progress:
            return weigh(matrix, recipes, draws=draws, jobs=jobs, progress=progress)

    made = made_once("resample", "validation.resample", (matrix.fingerprint, recipes, draws), make)
    stability, separation, verdicts = made["stability"], made["separation"], made["verdicts"]
    figures = stability.candidates[["candidate_id", *STABILITY]].merge(
        separation.candidates[["candidate_id", "separated_share"]]
    )
    figures = figures.merge(verdicts[["candidate_id", "structure", "copula_ari"]])
    return candidates.filled(figures, stability=stability.segments, pairs=separation.pairs, verdicts=verdicts)


def weigh(
    matrix: CustomerMatrix,
    recipes: Mapping[str, Recipe],
    *,
    draws: int = 100,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> dict:
    """Return the evidence on candidates by name: separation, stability, verdicts."""
    families = {recipe.family.name: recipe.family for recipe in recipes.values()}
    shared = {"seed": matrix.seed, "jobs": count_jobs(len(matrix.compared), jobs), "progress": progress}
    spaces = views(matrix, families, lambda family: family.space or family.sample)
    clustered = matrix.table[list(dict.fromkeys(matrix.columns["feature"]))]
    separation = separated_pairs(spaces, recipes, values=clustered, **shared)
    samples = views(matrix, families, lambda family: family.sample)
    stability = resample_stability(samples, recipes, resamples=draws, **shared)

    def compare(name: str, null: str, observed: float) -> NullComparison:
        return compare_with_null(spaces[recipes[name].family.name], recipes[name], observed, null=null, **shared)

    verdicts = reach_verdicts(separation, stability, compare)
    return {"separation": separation, "stability": stability, "verdicts": verdicts}


def views(
    matrix: CustomerMatrix, families: Mapping[str, Family], kind: Callable[[Family], Callable[[CustomerMatrix], Sample]]
) -> dict[str, Sample]:
    """Return the customers as each family sees them; families that see them alike get the very same sample."""
    made: dict[Callable, Sample] = {}
    for family in families.values():
        if kind(family) not in made:
            made[kind(family)] = kind(family)(matrix)
    return {name: made[kind(family)] for name, family in families.items()}


def reach_verdicts(
    separation: Separation, stability: Stability, compare: Callable[[str, str, float], NullComparison]
) -> pd.DataFrame:
    """Return the verdict on each candidate; ``compare(name, null, observed)`` is asked only where it decides.

    Columns are ``candidate_id, structure, why, copula_ari`` (NaN where that null was not asked for).
    """
    separated = separation.candidates.set_index("candidate_id").to_dict("index")
    stable = stability.candidates.set_index("candidate_id").to_dict("index")
    verdicts = []
    for name in stable:
        nulls: dict[str, NullComparison | None] = {"spherical": None, "copula": None}
        if needs_null(separated[name], stable[name]):
            for null in nulls:
                nulls[null] = compare(name, null, stable[name]["stability_ari"])
                if not nulls[null].exceeded:
                    break
        verdict = candidate_verdict(separated[name], stable[name], **nulls)
        copula_ari = nulls["copula"].null.max() if nulls["copula"] is not None else np.nan
        verdicts.append([name, verdict.structure, verdict.why, copula_ari])
    return pd.DataFrame(verdicts, columns=["candidate_id", "structure", "why", "copula_ari"])
