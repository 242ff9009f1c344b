"""Every segmentation that is tried, with all that is known of it: criteria, separation, stability, forward skill.

Criteria and what it says about the days after it was made are known of every candidate; valleys between its segments
and whether they come back, of every one within the limits on sizes and noise.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field

import pandas as pd

from segkit.compare import BASELINES, Comparison, add_candidates, broken_limits, compare_segmentations
from segkit.evidence import (
    CONFIDENCE_FITS,
    Evidence,
    candidate_recipe,
    cross_baseline,
    cross_labels,
    gap_statistic,
    gather_evidence,
    prediction_strength,
    resample_baseline,
    resample_rules,
)
from segkit.features import CustomerFeatures
from segkit.forward import (
    Judgement,
    judge_candidates,
    judge_ready,
    judged_from,
    learn_before,
    look_back,
    propose_by_forward,
    unseen_outcomes,
)
from segkit.forward.horizon import best_value_weight
from segkit.matrix import Matrix
from segkit.methods import Candidate, Fit
from segkit.parameters import Parameters
from segkit.predictive import OutcomeModels, fit_candidates, predictive_grid
from segkit.predictive.evidence import cross_predictive, gather_predictive_evidence, predictive_rules
from segkit.segmentation import Segmentation

Step = Callable[[str], Callable[[int, int, str], None]]
_TABLES = ("candidates", "labels", "timings", "gaps", "strengths", "stability", "pairs", "verdicts", "unseen")
GAP_RESTARTS = 2  # per k, for the customers and for the noise alike; five changed no choice at twice the cost
ONE = "kmeans-1"
MANY, FEW_FITS = 200_000, 20  # the share of 20 is known within 0.11 (a standard error) for the least sure
UNSEEN = ("outcome", "group", "skill", "skill_low", "skill_high", "unseen", "unseen_low", "unseen_high", "ceiling")
STABILITY = (
    *("stability_ari", "stability_ari_low", "stability_ari_high"),
    *("stability_ari_1000", "stability_ari_1000_low", "stability_ari_1000_high"),
    *("stability_jaccard_min", "stability_jaccard_min_low", "stability_jaccard_min_high"),
)


@dataclass
class Trial:
    """Everything that is known of the candidates of a study; made by `try_candidates`.

    Attributes
    ----------
    candidates, labels, timings : DataFrame
        As in `segkit.compare.Comparison`, with stability, separation, structure and forward figures filled in.
    gaps, strengths : DataFrame
        As from `segkit.evidence.gap_statistic` and `prediction_strength`, for k-means.
    stability : DataFrame
        ``candidate_id, label, jaccard, low, high, dissolved`` of the resampled candidates.
    pairs : DataFrame
        ``candidate_id, segment_a, segment_b`` (labels), ``ratio, low, high, p, separated, note``.
    verdicts : DataFrame
        ``candidate_id, structure, why, copula_ari``.
    judgement : Judgement
    unseen : DataFrame
        ``candidate_id, outcome, group, skill, unseen`` (each with ``_low, _high``), ``ceiling`` of the proposed
        candidate where it is predictive: what it says about an outcome that it was made without. Empty otherwise.
    """

    candidates: pd.DataFrame
    labels: pd.DataFrame
    timings: pd.DataFrame
    gaps: pd.DataFrame
    strengths: pd.DataFrame
    stability: pd.DataFrame
    pairs: pd.DataFrame
    verdicts: pd.DataFrame
    judgement: Judgement
    unseen: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["candidate_id", *UNSEEN]))

    def to_tables(self) -> dict[str, pd.DataFrame | dict]:
        """Return tables and dicts from which `from_tables` makes the trial again."""
        own = {name: getattr(self, name) for name in _TABLES}
        return own | {f"judgement_{name}": made for name, made in self.judgement.to_tables().items()}

    @classmethod
    def from_tables(cls, made: dict) -> "Trial":
        """Return the trial that `to_tables` stored."""
        judged = {name.removeprefix("judgement_"): table for name, table in made.items() if name not in _TABLES}
        return cls(**{name: made[name] for name in _TABLES}, judgement=Judgement.from_tables(judged))


def try_candidates(
    features: CustomerFeatures,
    matrix: Matrix,
    orders,
    outcomes: pd.DataFrame | None,
    parameters: Parameters,
    step: Step,
    customers: int | None = None,
) -> Trial:
    """Return all candidates of a study, judged.

    Parameters
    ----------
    features : CustomerFeatures
        As of the last day counted; of a ready table, as of no day.
    matrix : Matrix
        Fitted on them.
    orders : Orders or None
        Read as of that day; None for a ready table.
    outcomes : DataFrame or None
        Of a ready table: columns that are never clustered on, to judge by.
    step : callable
        ``step(text)`` announces a step and returns ``progress(done, total, what)``.
    customers : int, optional
        How many there are, where `features` are of a sample of them.
    """
    jobs, table = len(os.sched_getaffinity(0)), features.table
    comparison = compare_segmentations(table, matrix, parameters, progress=step("comparing segmentations"), jobs=jobs)
    models, fits, past = None, [], None
    if orders is not None:
        past = look_back(orders, features.as_of, parameters, jobs=jobs, progress=step("looking one horizon back"))
        models, fits = predict_segments(orders, features, parameters)
        comparison = add_candidates(comparison, table, matrix, fits, seed=parameters.seed)
        judgement = judge_candidates(
            past, list(comparison.grid.values()), comparison.labels, parameters,
            judged_from=judged_from(orders, parameters.horizon_days), jobs=jobs, progress=step("judging by the future"),
        )  # fmt: skip
    else:
        judgement = judge_ready(table, matrix, outcomes, comparison.labels, parameters, jobs=jobs)
    candidates = fill_in(comparison.candidates.assign(customers=customers or len(table)), judgement.figures())
    gatherer = _Gatherer(comparison, table, matrix, models, fits, parameters, jobs, step)
    candidates, resampled = gatherer.settle(candidates)
    gaps, strengths = gatherer.count_groups()
    several = strengths["candidate_id"] != ONE  # no candidate, but what the others are read against
    candidates = fill_in(candidates, strengths.loc[several, ["candidate_id", "prediction_strength"]])
    tested = gaps[(gaps["customers"] == "all") & gaps["candidate_id"].notna()]
    candidates = fill_in(candidates, tested[["candidate_id", "gap"]])
    proposed = propose_by_forward(candidates, comparison.labels, parameters, judgement.shares)[0]
    found = pd.DataFrame(columns=["candidate_id", *UNSEEN])
    if past is not None and past.models is not None and comparison.grid[proposed].family == "predictive":
        found = unseen_outcomes(past, comparison.grid[proposed], parameters).assign(candidate_id=proposed)
    return Trial(
        candidates, comparison.labels, comparison.timings, gaps, strengths, **resampled, judgement=judgement,
        unseen=found[["candidate_id", *UNSEEN]],
    )  # fmt: skip


def predict_segments(
    orders, features: CustomerFeatures, parameters: Parameters
) -> tuple[OutcomeModels | None, list[tuple[Candidate, Fit]]]:
    """Return models of what customers do next, and the predictive candidates; none where the data begin too late."""
    models = learn_before(orders, features, parameters)
    if models is None:
        return None, []
    weight = best_value_weight(models, parameters)
    grid = predictive_grid(models, max_segments=parameters.max_segments, value_weight=weight)
    return models, fit_candidates(models, features.table, grid, seed=parameters.seed)


def confidence_rules(
    segmentation: Segmentation,
    features: pd.DataFrame,
    models: OutcomeModels | None,
    parameters: Parameters,
    progress: Callable[[int, int, str], None] | None = None,
    customers: int = 0,
) -> tuple:
    """Return the rules of resamples, by which a frozen candidate of any family knows how sure an assignment is.

    Parameters
    ----------
    segmentation : Segmentation
        Of one candidate, fitted on `features`.
    models : OutcomeModels or None
        Of `predict_segments`; only a predictive candidate needs them.
    customers : int, optional
        How many are going to be assigned: above `MANY`, by every rule, a few resamples have to do.
    """
    family, params = segmentation.family, segmentation.params
    most = CONFIDENCE_FITS if customers <= MANY else FEW_FITS
    settings = {"seed": parameters.seed, "resamples": min(most, parameters.bootstraps)}
    if family in BASELINES:
        return tuple(resample_baseline(features, Candidate(segmentation.candidate_id, family, params), **settings))
    settings |= {"jobs": len(os.sched_getaffinity(0)), "progress": progress}
    X = segmentation.matrix.transform(features)
    labels = segmentation.rule.assign(X)[0]
    if family == "predictive":
        return tuple(predictive_rules(models, features, params, labels, **settings))
    dequantised = segmentation.matrix.dequantised(features, parameters.seed)
    recipe = candidate_recipe(family, params, len(X))
    return tuple(resample_rules(X, recipe, labels, dequantised=dequantised, **settings))


def crossed_segments(
    segmentation: Segmentation, features: pd.DataFrame, models: OutcomeModels | None, parameters: Parameters
) -> pd.DataFrame:
    """Return the segment of each customer by the recipe fitted on the half of the customers that they are not in.

    Parameters
    ----------
    segmentation, features, models, parameters
        As for `confidence_rules`.

    Returns
    -------
    DataFrame
        Index customer_id; ``label`` of the segmentation's rule, negative where there is none.
    """
    family, params, seed = segmentation.family, segmentation.params, parameters.seed
    if family in BASELINES:
        crossed = cross_baseline(features, Candidate(segmentation.candidate_id, family, params), seed=seed)
        return pd.DataFrame({"label": crossed}, index=features.index)
    X = segmentation.matrix.transform(features)
    labels = segmentation.rule.assign(X)[0]
    if family == "predictive":
        crossed = cross_predictive(models, features, params, labels, seed=seed)
    else:
        dequantised = segmentation.matrix.dequantised(features, seed)
        crossed = cross_labels(X, candidate_recipe(family, params, len(X)), labels, seed=seed, dequantised=dequantised)
    return pd.DataFrame({"label": crossed}, index=features.index)


class _Gatherer:
    """Evidence on candidates, gathered where it decides."""

    def __init__(self, comparison, table, matrix, models, fits, parameters, jobs, step):
        self.comparison: Comparison = comparison
        self.table, self.matrix, self.models = table, matrix, models
        self.predictive: dict[str, tuple[Candidate, Fit]] = {one.candidate_id: (one, fit) for one, fit in fits}
        self.parameters, self.jobs, self.step = parameters, jobs, step
        self.X, self.dequantised = matrix.transform(table), matrix.dequantised(table, parameters.seed)

    def count_groups(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the gap statistic and the prediction strength of k-means; both may say that there is one group."""
        recipes = {name: self._recipe(name) for name, one in self.comparison.grid.items() if one.family == "kmeans"}
        recipes = {ONE: candidate_recipe("kmeans", {"k": 1}, len(self.X))} | recipes
        gaps = gap_statistic(
            self.X, self.parameters.max_segments + 1, seed=self.parameters.seed, restarts=GAP_RESTARTS, jobs=self.jobs,
            progress=self.step("comparing with uniform noise"),
        )  # fmt: skip
        strengths = prediction_strength(
            self.X, recipes, seed=self.parameters.seed, jobs=self.jobs,
            progress=self.step("foretelling one half by the other"),
        )  # fmt: skip
        names = gaps["segments"].map("kmeans-{}".format).where(gaps["segments"] > 1)
        return gaps.assign(candidate_id=names.where(names.isin(list(recipes)))), strengths

    def settle(self, candidates: pd.DataFrame) -> tuple[pd.DataFrame, dict]:
        """Return the candidates with stability, separation and structure of those within the limits, and the tables."""
        limits = broken_limits(candidates, self.comparison.labels, self.parameters)
        learned = candidates[~candidates["family"].isin(BASELINES)]
        found = self._gather([name for name in learned["candidate_id"] if not limits[name]])
        for part in found:
            candidates = fill_in(candidates, part.stability.candidates[["candidate_id", *STABILITY]])
            candidates = fill_in(candidates, part.separation.candidates[["candidate_id", "separated_share"]])
            candidates = fill_in(candidates, part.verdicts[["candidate_id", "structure", "copula_ari"]])
        return candidates, _tables(found)

    def _recipe(self, name: str):
        candidate = self.comparison.grid[name]
        return candidate_recipe(candidate.family, candidate.params, len(self.X))

    def _gather(self, names: list[str]) -> list[Evidence]:
        shared = {
            "seed": self.parameters.seed,
            "resamples": self.parameters.bootstraps,
            "jobs": self.jobs,
            "progress": self.step(f"looking for valleys, and resampling {len(names)} candidates"),
        }
        plain = {name: self._recipe(name) for name in names if name not in self.predictive}
        clustered = self.table[list(dict.fromkeys(self.matrix.columns["feature"]))]
        found = [
            gather_evidence(
                self.X, plain, self.comparison.fits, dequantised=self.dequantised, features=clustered, **shared
            )
        ]
        if fits := [self.predictive[name] for name in names if name in self.predictive]:
            found.append(gather_predictive_evidence(self.models, self.table, fits, **shared))
        return found


def _tables(found: list[Evidence]) -> dict[str, pd.DataFrame]:
    tables = {
        "stability": [part.stability.segments for part in found],
        "pairs": [part.separation.pairs for part in found],
        "verdicts": [part.verdicts for part in found],
    }
    known = {name: [part for part in parts if len(part)] or parts[:1] for name, parts in tables.items()}
    return {name: pd.concat(parts, ignore_index=True) for name, parts in known.items()}


def fill_in(candidates: pd.DataFrame, figures: pd.DataFrame) -> pd.DataFrame:
    """Return the candidates with the figures known of some of them written over what was there."""
    table = candidates.set_index("candidate_id")
    own = figures.set_index("candidate_id")
    for column in own.columns.intersection(table.columns):
        known = own[column].dropna()
        table[column] = table[column].astype(object) if known.dtype == object or known.dtype == "str" else table[column]
        table.loc[known.index, column] = known
    return table.reset_index()
