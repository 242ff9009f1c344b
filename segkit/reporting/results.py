"""What a finished run holds beside its notebooks: the tables, and the record of how they came about."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from segkit.data.engines.engine import engine_address
from segkit.reporting.study.study_opening import Study
from segkit.runtime.interrupts import temporary
from segkit.runtime.tables.files import write_table
from segkit.runtime.tables.schema import TABLES
from segkit.runtime.tables.types import Column
from segkit.targeting.criteria import LOW_CONFIDENCE

KEPT = ("sale", "return", "kept")  # reasons of rows that count; the last of a ready table


def write_tables(study: Study, folder: Path) -> dict[str, dict[str, Column]]:
    """Write every table of the run, and return the definitions of the columns that depend on the data."""
    about = {feature: _column(row) for feature, row in study.dictionary[study.dictionary["present"]].iterrows()}
    medians = study.features.select_dtypes("number").groupby(study.assignments["segment_id"]).median()
    sized = study.segments.drop(columns=["action", "caution"])
    tables = {
        "ledger": study.ledger,
        "quarantine": study.rows.quarantine,
        "features": study.features,
        "feature_dictionary": study.dictionary,
        "candidates": study.candidates,
        "assignments": study.assignments,
        "segments": sized.merge(_sureness(study.assignments), on="segment_id").merge(
            medians, left_on="segment_id", right_index=True, how="left"
        ),
        "profile": study.profile,
        "name_words": study.name_words,
        "personas": study.personas,
        "kpis": study.kpis,
        "target_criteria": study.target_criteria,
        "targets": study.targets,
        "levers": study.levers,
        "stability": study.stability[list(TABLES["stability"].columns)],
        "pairs": study.pairs,
        "map": study.map[["x", "y"]],
        **_since_last_month(study),
    }
    if study.persona_products is not None:
        tables["persona_products"] = study.persona_products
    if len(study.trial.judgement.outcomes):
        tables["outcomes"] = study.trial.judgement.outcomes
    tables |= {name: table for name in ("origins", "unseen") if len(table := getattr(study, name))}
    for name, table in tables.items():
        write_table(table, name, folder, about if name == "features" else None)
    return {
        "features": about,
        "segments": {name: replace(about[name], definition=f"median; {about[name].definition}") for name in medians},
    }


def _sureness(assignments: pd.DataFrame) -> pd.DataFrame:
    """How sure the assignments to each segment are."""
    by_segment = assignments.groupby("segment_id")["confidence"]
    low = (assignments["confidence"] < LOW_CONFIDENCE).groupby(assignments["segment_id"]).sum()
    return pd.DataFrame({"mean_confidence": by_segment.mean(), "low_confidence_customers": low}).reset_index()


def _since_last_month(study: Study) -> dict[str, pd.DataFrame]:
    """The tables that hold this month against the month before; none without one."""
    if study.earlier is None:
        return {}
    names = ("migrations", "migrated_revenue", "events", "moved", "net_sizes", "forecasts", "drift", "aging")
    tables = {name: getattr(study, name) for name in names}
    return {name: table for name, table in tables.items() if table is not None}


def has_same_data(study: Study, run: Path) -> bool:
    """Return whether a finished run was made of the same rows, whatever else its files have gained since."""
    about = {feature: _column(row) for feature, row in study.dictionary[study.dictionary["present"]].iterrows()}
    with temporary() as folder:
        made = [write_table(study.ledger, "ledger", folder), write_table(study.features, "features", folder, about)]
        return all(path.read_bytes() == (run / "tables" / path.name).read_bytes() for path in made)


def describe_run(study: Study) -> dict:
    """Return what ``run.json`` says of the study; times and memory may differ from run to run."""
    rows = study.ledger.set_index("reason")["rows"]
    kept = rows[rows.index.isin(KEPT)]
    timings = study.trial.timings.set_index("candidate_id").round(3)
    return {
        "dataset": study.card.name,
        "month": study.label,
        "as_of": str(study.as_of) if study.as_of else None,
        "window_days": study.parameters.window_days,
        "days_counted": study.days_counted,
        "seed": study.parameters.seed,
        "choice": study.parameters.choice,
        "parameters": study.parameters.as_dict(),
        "verdict": study.verdict,
        "inputs": study.rows.inputs,
        "engine": engine_address(of_card=study.card.engine).partition(":")[0] or "duckdb",
        "rows": {
            "in": int(rows.sum()),
            "kept": int(kept.sum()),
            "excluded": int(rows.sum() - kept.sum()),
            "by_reason": {reason: int(count) for reason, count in rows.items()},
        },
        "compared": _describe_sample(study),
        "months": _describe_months(study),
        "steps": study.costs,
        "candidates": timings.to_dict("index"),
    }


def _describe_sample(study: Study) -> dict:
    """On how many customers candidates were compared, and how far their segments' sizes are from those of everybody."""
    everybody, some = study.assignments["segment_id"], study.labels.index
    shares = [ids.value_counts(normalize=True) for ids in (everybody, everybody.loc[some])]
    return {
        "customers": len(everybody),
        "sample_size": len(some),
        "largest_share_difference": round(float(shares[0].sub(shares[1], fill_value=0).abs().max()), 5),
    }


def _describe_months(study: Study) -> dict | None:
    """How the month came about: by which way and why, from which model and which month before."""
    if study.as_of is None:
        return None
    history = study.history
    return {name: history[name] for name in ("way", "why", "previous")} | {"fitted": history["fit"]["month"]}


def _column(feature: pd.Series) -> Column:
    """The definition of a feature's column in a written table."""
    kinds = {"money": "money", "share": "share", "category": "text"}
    return Column(kinds.get(feature["kind"], "number"), feature["unit"], feature["definition"])
