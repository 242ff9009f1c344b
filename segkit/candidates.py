"""Every segmentation that is tried, with all that is known of it: criteria, separation, stability, forward skill.

What is cheap is known of every candidate: its criteria, the saddle test between its segments, and what it says about
the days after it was made. Resampling is dear, so it is spent where it decides: on candidates that a valley runs
through between all their segments, on one of each family, and on whatever would be proposed, again and again until
the proposal is one that comes back.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import pandas as pd

from segkit.compare import BASELINES, Comparison, add_candidates, broken_limits, compare_segmentations
from segkit.evidence import Evidence, candidate_recipe, gather_evidence, separated_pairs
from segkit.features import CustomerFeatures
from segkit.forward import Judgement, judge_candidates, judged_from, learn_before, look_back, propose_by_forward
from segkit.forward.horizon import best_value_weight
from segkit.matrix import Matrix
from segkit.methods import Candidate, Fit
from segkit.parameters import Parameters
from segkit.predictive import fit_candidates, predictive_grid
from segkit.predictive.evidence import gather_predictive_evidence

Step = Callable[[str], Callable[[int, int, str], None]]
STABILITY = ("stability_ari", "stability_jaccard_min")


@dataclass
class Trial:
    """Everything that is known of the candidates of a study; made by `try_candidates`.

    Attributes
    ----------
    candidates, labels, timings : DataFrame
        As in `segkit.compare.Comparison`, with stability, separation, structure and forward figures filled in.
    stability : DataFrame
        ``candidate_id, label, jaccard, low, high, dissolved`` of the resampled candidates.
    pairs : DataFrame
        ``candidate_id, segment_a, segment_b`` (labels), ``ratio, low, high, p, separated``.
    confidence : DataFrame
        Index customer_id, a column per resampled candidate.
    verdicts : DataFrame
        ``candidate_id, structure, why``.
    judgement : Judgement
    """

    candidates: pd.DataFrame
    labels: pd.DataFrame
    timings: pd.DataFrame
    stability: pd.DataFrame
    pairs: pd.DataFrame
    confidence: pd.DataFrame
    verdicts: pd.DataFrame
    judgement: Judgement


def try_candidates(
    features: CustomerFeatures, matrix: Matrix, orders, as_of: date | None, parameters: Parameters, step: Step
) -> Trial:
    """Return all candidates of a study, judged.

    Parameters
    ----------
    features : CustomerFeatures
        As of `as_of`.
    matrix : Matrix
        Fitted on them.
    orders : Orders or None
        Read as of `as_of`; None for a ready table, of which no future is known.
    step : callable
        ``step(text)`` announces a step and returns ``progress(done, total, what)``.
    """
    jobs = len(os.sched_getaffinity(0))
    table = features.table
    comparison = compare_segmentations(table, matrix, parameters, progress=step("comparing segmentations"), jobs=jobs)
    models, fits, judgement = None, [], None
    if orders is not None:
        past = look_back(orders, as_of, parameters, jobs=jobs, progress=step("looking one horizon back"))
        models, fits = _predictive(orders, features, parameters)
        comparison = add_candidates(comparison, table, matrix, fits, seed=parameters.seed)
        judgement = judge_candidates(
            past, list(comparison.grid.values()), comparison.labels, parameters,
            judged_from=judged_from(orders, parameters.horizon_days), jobs=jobs, progress=step("judging by the future"),
        )  # fmt: skip
    else:
        judgement = judge_candidates(None, [], comparison.labels, parameters)
    candidates = _with(comparison.candidates, judgement.figures())
    gatherer = _Gatherer(comparison, table, matrix, models, fits, parameters, jobs, step)
    candidates, resampled = gatherer.settle(candidates, judgement)
    return Trial(candidates, comparison.labels, comparison.timings, **resampled, judgement=judgement)


def _predictive(orders, features: CustomerFeatures, parameters: Parameters):
    models = learn_before(orders, features, parameters)
    if models is None:
        return None, []
    weight = best_value_weight(models, parameters)
    grid = predictive_grid(models, max_segments=parameters.max_segments, value_weight=weight)
    return models, fit_candidates(models, features.table, grid, seed=parameters.seed)


class _Gatherer:
    """Evidence on candidates, gathered where it decides."""

    def __init__(self, comparison, table, matrix, models, fits, parameters, jobs, step):
        self.comparison: Comparison = comparison
        self.table, self.matrix, self.models = table, matrix, models
        self.predictive: dict[str, tuple[Candidate, Fit]] = {one.candidate_id: (one, fit) for one, fit in fits}
        self.parameters, self.jobs, self.step = parameters, jobs, step
        self.X, self.dequantised = matrix.transform(table), matrix.dequantised(table, parameters.seed)
        self.found: list[Evidence] = []

    def settle(self, candidates: pd.DataFrame, judgement: Judgement) -> tuple[pd.DataFrame, dict]:
        """Return the candidates with what evidence decides about them, and its tables."""
        labels, parameters = self.comparison.labels, self.parameters
        limits = broken_limits(candidates, labels, parameters)
        learned = candidates[~candidates["family"].isin(BASELINES)]
        usable = [name for name in learned["candidate_id"] if not limits[name]]
        separation = self._separate([name for name in usable if name not in self.predictive])
        candidates = _with(candidates, separation[["candidate_id", "separated_share"]])
        todo = set(separation.loc[separation["all_separated"].astype(bool), "candidate_id"])
        todo |= set(usable) & set(self.predictive)  # they learn again on the same resamples: together is cheaper
        proposed, _ = propose_by_forward(candidates, labels, parameters, judgement.shares)
        todo |= set(_one_per_family(learned[learned["candidate_id"].isin(usable)], candidates, proposed))
        done: set[str] = set()
        while todo - done:
            evidence = self._gather(sorted(todo - done))
            done |= todo
            for part in evidence:
                candidates = _with(candidates, part.stability.candidates[["candidate_id", *STABILITY]])
                candidates = _with(candidates, part.separation.candidates[["candidate_id", "separated_share"]])
                candidates = _with(candidates, part.verdicts[["candidate_id", "structure"]])
            self.found += evidence
            proposed, _ = propose_by_forward(candidates, labels, parameters, judgement.shares)
            todo |= {proposed} & set(usable)
        return candidates, self._tables()

    def _separate(self, names: list[str]) -> pd.DataFrame:
        recipes = {name: self._recipe(name) for name in names}
        return separated_pairs(
            self.X, recipes, self.comparison.fits, seed=self.parameters.seed, dequantised=self.dequantised,
            features=self.table, jobs=self.jobs, progress=self.step("looking for valleys between segments"),
        ).candidates  # fmt: skip

    def _recipe(self, name: str):
        candidate = self.comparison.grid[name]
        return candidate_recipe(candidate.family, candidate.params, len(self.X))

    def _gather(self, names: list[str]) -> list[Evidence]:
        shared = {
            "seed": self.parameters.seed,
            "resamples": self.parameters.bootstraps,
            "jobs": self.jobs,
            "progress": self.step(f"resampling {', '.join(names)}"),
        }
        plain = {name: self._recipe(name) for name in names if name not in self.predictive}
        found = []
        if plain:
            found.append(
                gather_evidence(
                    self.X, plain, self.comparison.fits, dequantised=self.dequantised, features=self.table, **shared
                )
            )
        if fits := [self.predictive[name] for name in names if name in self.predictive]:
            found.append(gather_predictive_evidence(self.models, self.table, fits, **shared))
        return found

    def _tables(self) -> dict[str, pd.DataFrame]:
        def together(tables):
            return pd.concat(list(tables), ignore_index=True)

        confidence = {}
        for part in self.found:
            rows = self.table.index[part.stability.rows]
            confidence |= {name: pd.Series(own, index=rows) for name, own in part.stability.confidence.items()}
        return {
            "stability": together(part.stability.segments for part in self.found),
            "pairs": together(part.separation.pairs for part in self.found),
            "verdicts": together(part.verdicts for part in self.found),
            "confidence": pd.DataFrame(confidence).reindex(self.table.index),
        }


def _one_per_family(usable: pd.DataFrame, candidates: pd.DataFrame, proposed: str) -> list[str]:
    """The proposed candidate, and of each other family the usable one nearest to it in number of segments."""
    segments = candidates.set_index("candidate_id")["segments"]
    nearest = usable.assign(distance=(usable["segments"] - segments[proposed]).abs())
    nearest = nearest.sort_values("distance", kind="stable").drop_duplicates("family")
    own = segments.index[segments.index == proposed]
    rules = candidates.loc[candidates["family"].isin(BASELINES), "candidate_id"]
    return [name for name in [*own, *nearest["candidate_id"]] if name not in set(rules)]


def _with(candidates: pd.DataFrame, figures: pd.DataFrame) -> pd.DataFrame:
    """The candidates with the figures known of some of them written over what was there."""
    table = candidates.set_index("candidate_id")
    own = figures.set_index("candidate_id")
    for column in own.columns.intersection(table.columns):
        known = own[column].dropna()
        table[column] = table[column].astype(object) if known.dtype == object or known.dtype == "str" else table[column]
        table.loc[known.index, column] = known
    return table.reset_index()
