"""The trial of all candidates of a study: who they are, what they say of the future, and the evidence on each."""

import os
from dataclasses import dataclass, field

import pandas as pd

from segkit.clustering.fit import Fit
from segkit.clustering.grid import Candidate
from segkit.clustering.outcome_models import OutcomeModels
from segkit.clustering.predictive import fit_candidates, predictive_grid
from segkit.features.build import CustomerFeatures
from segkit.preprocessing.matrix import Matrix
from segkit.runtime.parameters import Parameters
from segkit.validation.compare import add_candidates, compare_segmentations
from segkit.validation.forward.evaluate import propose_by_forward
from segkit.validation.forward.horizon import best_value_weight, judge_candidates, judged_from, learn_before, look_back
from segkit.validation.forward.judgement import Judgement
from segkit.validation.forward.origins import judge_ready, unseen_outcomes
from segkit.validation.gathering import ONE, Gatherer, Step, fill_in

_TABLES = ("candidates", "labels", "timings", "gaps", "strengths", "stability", "pairs", "verdicts", "unseen")
UNSEEN = ("outcome", "group", "skill", "skill_low", "skill_high", "unseen", "unseen_low", "unseen_high", "ceiling")


@dataclass
class Trial:
    """Everything that is known of the candidates of a study; made by `try_candidates`.

    Attributes
    ----------
    candidates, labels, timings : DataFrame
        As in `Comparison`, with stability, separation, structure and forward figures filled in.
    gaps, strengths : DataFrame
        As from `gap_statistic` and `prediction_strength`, for k-means.
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
    gatherer = Gatherer(comparison, table, matrix, models, fits, parameters, jobs, step)
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
