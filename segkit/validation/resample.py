"""Which segments come back from other customers, lie apart, and are more than chance: candidates on resamples."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pandas as pd

from segkit.clustering.family import Family
from segkit.clustering.fit import Sample
from segkit.preprocessing.prepare import CustomerMatrix
from segkit.runtime.content import made_each
from segkit.runtime.parallel import Progress
from segkit.runtime.progress import progress_bar
from segkit.validation.candidates import STABILITY, Candidates, count_jobs
from segkit.validation.nulls import NullComparison, compare_with_null
from segkit.validation.selection import DISSOLVES, Limits, broken_sizes, may_win
from segkit.validation.separation import Separation, separated_pairs
from segkit.validation.stability import Recipe, Stability, resample_stability
from segkit.validation.verdict import candidate_verdict, needs_null

_VERDICT = ["candidate_id", "structure", "why", "copula_ari"]


def resample(
    candidates: Candidates,
    *,
    limits: Limits | None = None,
    draws: int = 100,
    choice: str = "",
    jobs: int | None = None,
) -> Candidates:
    """Return the candidates with what resamples of the customers say about those that can be proposed.

    Fills in how well each comes back (`resample_stability`), which pairs of its segments have a valley between them
    (`separated_pairs`), and its structure: natural, reproducible or constructive (`candidate_verdict`); adds the tables
    `stability`, `pairs` and `verdicts`. A kept model passes as it is: what is known of it is that of its fit.

    Where the future was judged before, a candidate that says less of it than the best can't be proposed, however often
    it comes back (`may_win`), and is not resampled. Where the best turns out to dissolve, those follow that say as much
    as the next best. Candidates that may be natural, with a valley between every two segments, are resampled in any
    case: that there are groups is an answer too. What was found of a candidate is kept, whatever the limits.

    Parameters
    ----------
    candidates : Candidates
        Of `compare`, or of `judge`.
    limits : Limits, optional
        Candidates that break one can't be chosen, and are not resampled; baselines neither.
    draws : int
        Resamples per candidate, an even number; fewer where these settle that a segment doesn't come back.
    choice : str
        A candidate_id that the analyst takes: it is resampled in any case.
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
    matrix, limits, module = candidates.known_matrix(), limits or Limits(), "validation.resample"
    limits.check(matrix.customers)
    broken = broken_sizes(candidates, limits)
    rest = candidates.fitted["candidate_id"][~candidates.is_baseline]
    recipes = {
        name: Recipe(candidates.family_of(name), candidates.grid[name].params, candidates.labels[name].to_numpy())
        for name in rest
        if not broken[name] or name == choice
    }
    contents = {name: (matrix.fingerprint, recipe) for name, recipe in recipes.items()}

    def find(names: list[str]) -> dict[str, Separation]:
        with progress_bar(f"looking for valleys in {len(names)} candidates") as progress:
            found = find_valleys(matrix, {name: recipes[name] for name in names}, jobs=jobs, progress=progress)
        return {name: found.of(name) for name in names}

    def weigh_each(names: list[str]) -> dict[str, dict]:
        part = {name: recipes[name] for name in names}
        with progress_bar(f"resampling {', '.join(names) if len(names) < 5 else f'{len(names)} candidates'}") as report:
            found = weigh(
                matrix,
                part,
                draws=draws,
                valleys=Separation.join(valleys[name] for name in names),
                jobs=jobs,
                progress=report,
            )
        verdicts = {row[0]: row for row in found["verdicts"].to_numpy(object)}
        return {name: {"stability": found["stability"].of(name), "verdict": verdicts[name]} for name in names}

    valleys = made_each("valleys", module, contents, find)
    within = [name for name in recipes if not broken[name]]
    asked = {name for name in recipes if valleys[name].candidates["all_separated"].all() or name == choice}
    asked |= _asked_next(candidates, within)
    known: dict[str, dict] = {}
    while asked:
        part = {name: (contents[name], draws) for name in recipes if name in asked}
        known |= made_each("resample", module, part, weigh_each)
        left = [name for name in within if name not in known or _comes_back(known[name])]
        asked = _asked_next(candidates, left, known)
    names = [name for name in recipes if name in known]
    stability = Stability.join(known[name]["stability"] for name in names)
    separation = Separation.join(valleys[name] for name in names)
    verdicts = pd.DataFrame([known[name]["verdict"] for name in names], columns=_VERDICT)
    figures = stability.candidates[["candidate_id", *STABILITY]].merge(
        separation.candidates[["candidate_id", "separated_share"]]
    )
    figures = figures.merge(verdicts[["candidate_id", "structure", "copula_ari"]])
    return candidates.filled(
        figures, stability=stability.segments, pairs=separation.pairs, verdicts=verdicts, fits=stability.fits
    )


def weigh(
    matrix: CustomerMatrix,
    recipes: Mapping[str, Recipe],
    *,
    draws: int = 100,
    valleys: Separation | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> dict:
    """Return the evidence on candidates by name: separation, stability, verdicts."""
    families = {recipe.family.name: recipe.family for recipe in recipes.values()}
    shared = {"seed": matrix.seed, "jobs": count_jobs(len(matrix.compared), jobs), "progress": progress}
    separation = valleys or find_valleys(matrix, recipes, jobs=jobs, progress=progress)
    samples = views(matrix, families, lambda family: family.sample)
    stability = resample_stability(samples, recipes, resamples=draws, **shared)
    spaces = views(matrix, families, _space_of)

    def compare(name: str, null: str, observed: float) -> NullComparison:
        return compare_with_null(spaces[recipes[name].family.name], recipes[name], observed, null=null, **shared)

    verdicts = reach_verdicts(separation, stability, compare)
    return {"separation": separation, "stability": stability, "verdicts": verdicts}


def find_valleys(
    matrix: CustomerMatrix,
    recipes: Mapping[str, Recipe],
    *,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Separation:
    """Return which pairs of segments have a valley between them, each family's in the space that it cuts."""
    families = {recipe.family.name: recipe.family for recipe in recipes.values()}
    clustered = matrix.table[list(dict.fromkeys(matrix.columns["feature"]))]
    return separated_pairs(
        views(matrix, families, _space_of), recipes, values=clustered, seed=matrix.seed,
        jobs=count_jobs(len(matrix.compared), jobs), progress=progress,
    )  # fmt: skip


def _space_of(family: Family) -> Callable[[CustomerMatrix], Sample]:
    return family.space or family.sample


def _asked_next(candidates: Candidates, left: list[str], known: Iterable[str] = ()) -> set[str]:
    """Return those that may win of those left and are not known, none where all are.

    Of families that share work, with those that may win if the best dissolves.
    """
    now = may_win(candidates, left)
    if set(now) <= set(known):
        return set()
    then = may_win(candidates, [name for name in left if name not in now[:1]])
    sharing = {family.name for family in map(candidates.family_of, now) if family.together}
    return {*now, *(name for name in then if candidates.family_of(name).name in sharing)} - set(known)


def _comes_back(found: dict) -> bool:
    return bool((found["stability"].candidates["stability_jaccard_min"] >= DISSOLVES).all())


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
    return pd.DataFrame(verdicts, columns=_VERDICT)
