"""A month that keeps the model of the month before: what is known of it, without trying anything else."""

import pandas as pd

from segkit.clustering.fit import Fit
from segkit.clustering.freeze import fit_baseline
from segkit.clustering.grid import Candidate
from segkit.monitoring.previous_month import EarlierMonth
from segkit.preprocessing.matrix import Matrix
from segkit.reporting.study.study_way import labels_of
from segkit.runtime.parameters import Parameters
from segkit.validation.compare import RULES, judge_fits
from segkit.validation.forward.judgement import Judgement
from segkit.validation.gathering import STABILITY, fill_in
from segkit.validation.trial import Trial

CARRIED = (*STABILITY, "separated_share", "structure", "copula_ari")
RESAMPLED = ("stability", "pairs")


def keep_model(
    earlier: EarlierMonth,
    features: pd.DataFrame,
    matrix: Matrix,
    parameters: Parameters,
    why: str,
    judgement: Judgement | None,
) -> Trial:
    """Return the kept model beside the two rules as a trial of three candidates.

    Criteria are of this month's customers. What takes resamples (stability, separation, structure) is that of the fit.
    What it says about the future is that of the fit too, until it is a horizon old: then `judgement` holds the model
    itself against the days since.
    """
    note = f"What it tells about the future was judged when it was fitted, in the report of {earlier.fit['month']}."
    model, judgement = earlier.segmentation, judgement or Judgement.open(note)
    kept = Candidate(model.candidate_id, model.family, model.params)
    labels = labels_of(model, features)
    rules = [(rule, fit_baseline(features, rule)) for rule in RULES if rule.candidate_id != kept.candidate_id]
    fits = [(rule, fit) for rule, fit in rules if fit is not None] + [(kept, Fit(labels, labels, model.rule))]
    comparison = judge_fits(features, matrix, fits, seed=parameters.seed)
    candidates = comparison.candidates.set_index("candidate_id")
    for name in CARRIED:
        candidates[name] = candidates[name].astype(object)
        candidates.loc[kept.candidate_id, name] = earlier.fit["figures"].get(name)
    candidates["reason"] = "A rule to be beaten: judged beside the others, outside the limits on sizes."
    candidates.loc[kept.candidate_id, "reason"] = f"Fitted as of {model.as_of}, and kept: {why.partition(': ')[2]}"
    found = {name: pd.DataFrame(earlier.fit[name]["rows"], columns=earlier.fit[name]["columns"]) for name in RESAMPLED}
    nothing = pd.DataFrame(columns=["candidate_id", "structure", "why"])
    return Trial(
        fill_in(candidates.reset_index(), judgement.figures()),
        comparison.labels,
        comparison.timings,
        gaps=pd.DataFrame(columns=["customers", "segments", "gap", "choice", "candidate_id"]),
        strengths=pd.DataFrame(columns=["candidate_id", "prediction_strength", "error", "enough"]),
        stability=found["stability"].assign(candidate_id=kept.candidate_id),
        pairs=found["pairs"].assign(candidate_id=kept.candidate_id),
        verdicts=nothing,
        judgement=judgement,
    )


def kept_verdict(earlier: EarlierMonth, figures: dict) -> dict:
    """Return the verdict on a kept model: that of its fit, saying so, with the forward `figures` that are known now."""
    found = earlier.fit["verdict"]
    known = {name: figure for name, figure in figures.items() if figure is not None}
    why = f"as found when the model was fitted, as of {earlier.fit['as_of']}: {found['why']}"
    evidence = found["evidence"] | known
    return found | {"chosen": earlier.segmentation.candidate_id, "why": why, "evidence": evidence}
