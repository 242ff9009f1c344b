"""A month that keeps the model of an earlier one: what is known of it, without trying anything else."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd

from segkit.clustering.families import BASELINES, FAMILIES
from segkit.clustering.family import Family
from segkit.clustering.fit import Candidate
from segkit.clustering.segmentation import Segmentation
from segkit.preprocessing.prepare import CustomerMatrix
from segkit.validation.candidates import KEPT_FIGURES, Candidates, json_rows
from segkit.validation.compare import criteria_table, fit_all, measure
from segkit.validation.forward.judge import labels_of
from segkit.validation.forward.judgement import Judgement
from segkit.validation.selection import OF_BASELINES, forward_sentence

_RESAMPLED = ("stability", "pairs")


def record_fit(candidates: Candidates, *, month: str, as_of: date, parameters: dict) -> dict:
    """Return what is known of the chosen candidate when it is fitted, as JSON holds it, for the months that keep it.

    Parameters
    ----------
    candidates : Candidates
        After `choose`.
    month : str
        Such as ``"2017-09"``.
    as_of : date
        Its last day counted.
    parameters : dict
        Those that decided how candidates were tried and judged; a month with others fits anew.
    """
    if candidates.kept is not None:
        return {name: known for name, known in candidates.kept.items() if name != "candidate_id"}
    chosen, own = candidates.chosen, {}
    for name in _RESAMPLED:
        table = getattr(candidates, name)
        table = table[table["candidate_id"] == chosen["candidate_id"]].drop(columns="candidate_id")
        own[name] = {"columns": list(table), "rows": json_rows(table, list(table))}
    return {
        "month": month,
        "as_of": str(as_of),
        "parameters": parameters,
        "judged": candidates.judgement.shares is not None,
        "figures": dict(zip(KEPT_FIGURES, json_rows(chosen.to_frame().T, KEPT_FIGURES)[0], strict=True)),
        "verdict": candidates.verdict,
        "forward": forward_sentence(candidates),
        **own,
    }


def kept_candidates(
    segmentation: Segmentation,
    matrix: CustomerMatrix,
    fit: dict,
    *,
    why: str,
    judgement: Judgement | None = None,
) -> Candidates:
    """Return a kept model beside the baselines; `judge`, `resample` and `count_groups` pass it on as it is.

    Criteria are of this month's customers. What takes resamples (stability, separation, structure) is that of the fit.
    What it says about the future is that of the fit too, until it is a horizon old: then `judgement` holds the model
    itself against the days since.

    Parameters
    ----------
    segmentation : Segmentation
        The model, with its ids and names.
    matrix : CustomerMatrix
        This month's customers, by the model's recipe.
    fit : dict
        What was known of it at its fit; of `record_fit`.
    why : str
        Why it is kept, such as "frozen: nothing has changed".
    judgement : Judgement, optional
        Of `judge_kept`.
    """
    note = f"What it tells about the future was judged when it was fitted, in the report of {fit['month']}."
    judgement = judgement or Judgement.open(note)
    kept = Candidate(segmentation.candidate_id, segmentation.family, segmentation.params)
    rules = [one for family in BASELINES for one in family.grid(matrix, [2]) if one.candidate_id != kept.candidate_id]
    fitted = fit_all(matrix, BASELINES, rules, jobs=1)
    labels = pd.DataFrame({one.candidate.candidate_id: one.fit.labels for one in fitted}, index=matrix.compared)
    labels[kept.candidate_id] = labels_of(segmentation, matrix.table)
    criteria = [one.criteria for one in fitted] + [measure(matrix.X, labels[kept.candidate_id].to_numpy())]
    table = criteria_table(matrix, [*rules, kept], labels, criteria).set_index("candidate_id")
    for name in KEPT_FIGURES:
        table[name] = table[name].astype(object)
        table.loc[kept.candidate_id, name] = fit["figures"].get(name)
    table["reason"] = OF_BASELINES
    table.loc[kept.candidate_id, "reason"] = (
        f"Fitted as of {segmentation.as_of}, and kept: {why.partition(': ')[2] or why}"
    )
    found = {name: _read_rows(**fit[name]).assign(candidate_id=kept.candidate_id) for name in _RESAMPLED}
    timings = pd.DataFrame([{"candidate_id": one.candidate.candidate_id, **one.cost} for one in fitted])
    candidates = Candidates(
        table.reset_index(), labels, timings, _families(kept), (), matrix.transformer, matrix, judgement, **found,
        kept=fit | {"candidate_id": kept.candidate_id}, kept_segmentation=segmentation,
    )  # fmt: skip
    return candidates.filled(judgement.figures())


def _read_rows(columns: list[str], rows: list[list]) -> pd.DataFrame:
    """Return a table of `record_fit`; an interval with a lower end and no upper one goes on without end."""
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(high=table["high"].astype(float).mask(table["high"].isna() & table["low"].notna(), np.inf))


def _families(kept: Candidate) -> tuple[Family, ...]:
    """Return the baselines, and the family of the model; one of a notebook is known by its name alone."""
    known = {family.name: family for family in (*BASELINES, *FAMILIES)}
    own = known.get(kept.family) or replace(FAMILIES[0], name=kept.family, title=kept.family, phrase="", simplicity=10)
    return tuple(dict.fromkeys((*BASELINES, own)))
