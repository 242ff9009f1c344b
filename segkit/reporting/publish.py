"""From the tables that notebooks saved to the files of a finished run: tables/, model/, run.json."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from segkit.clustering.segmentation import Segmentation
from segkit.data.engines.engine import engine_address
from segkit.features.build import CustomerFeatures
from segkit.monitoring.month_history import month_history, tried_parameters
from segkit.monitoring.previous_month import HISTORY, EarlierMonth
from segkit.runtime.tables.files import describe_tables, write_json, write_table
from segkit.runtime.tables.schema import TABLES
from segkit.runtime.tables.types import Column
from segkit.scoring.sql.model_sql import rules_sql
from segkit.targeting.criteria import LOW_CONFIDENCE
from segkit.validation.candidates import Candidates

KEPT = ("sale", "return", "kept")  # reasons of rows that count; the last of a ready table
# What a chain of notebooks must save, so that the run can be scored, handed over and held against the next month.
REQUIRED = (
    "customer_features", "candidates", "way", "segmentation", "assignments", "segments", "profile", "name_words", "map",
)  # fmt: skip
# Tables that are written as they were saved, where they were.
_AS_SAVED = (
    "assignments", "profile", "name_words", "personas", "persona_products", "kpis", "target_criteria", "targets",
    "levers", "stability", "pairs", "origins", "unseen", "migrations", "migrated_revenue", "events", "moved",
    "net_sizes", "forecasts", "drift",
)  # fmt: skip

Load = Callable[[str], object]
"""Gives a table that a notebook saved, by name; None where none did."""


def write_tables(load: Load, rows, folder: Path) -> dict[str, dict[str, Column]]:
    """Write every table of the run, and return the definitions of the columns that depend on the data."""
    features: CustomerFeatures = load("customer_features")
    candidates: Candidates = load("candidates")
    present = features.dictionary[features.dictionary["present"]]
    about = {feature: column_of(row) for feature, row in present.iterrows()}
    assignments = load("assignments")
    medians = features.table.select_dtypes("number").groupby(assignments["segment_id"]).median()
    sized = load("segments").drop(columns=["lever", "action", "caution"], errors="ignore")
    sized = sized.assign(border=sized.get("border", None))
    tables = {
        "ledger": rows.ledger,
        "quarantine": rows.quarantine,
        "features": features.table,
        "feature_dictionary": features.dictionary,
        "candidates": candidates.table,
        "segments": sized.merge(_sureness(assignments), on="segment_id").merge(
            medians, left_on="segment_id", right_index=True, how="left"
        ),
        "outcomes": candidates.judgement.outcomes if len(candidates.judgement.outcomes) else None,
        "map": load("map")[["x", "y"]],
        "aging": load("way").aging,
    }
    tables |= {name: load(name) for name in _AS_SAVED}
    optional = ("origins", "unseen")
    for name, table in tables.items():
        if table is None or (name in optional and not len(table)):
            continue
        if name in ("stability", "pairs"):  # what else is known of them stays in the house of the notebooks
            table = table.reindex(columns=list(TABLES[name].columns))
        write_table(table, name, folder, about if name == "features" else None)
    return {
        "features": about,
        "segments": {name: replace(about[name], definition=f"median; {about[name].definition}") for name in medians},
    }


def write_model(load: Load, folder: Path, parameters, label: str, previous: EarlierMonth | None) -> Segmentation:
    """Write the frozen model, its SQL, and what lasts from month to month."""
    features: CustomerFeatures = load("customer_features")
    segmentation: Segmentation = load("segmentation")
    segmentation.save(folder)
    if features.as_of is not None:
        history = month_history(
            load("candidates"), segmentation.segment_ids, load("way"), tried_parameters(parameters), label,
            features.as_of, previous, tuple(load("used_ids") or ()), load("moves_so_far"),
        )  # fmt: skip
        write_json(history, folder / HISTORY)
    (folder / "rules.sql").write_text(rules_sql(segmentation, features.table), encoding="utf-8")
    return segmentation


def write_readme(folder: Path, about: dict[str, dict[str, Column]]) -> None:
    """Write what every table and column of a run is."""
    (folder / "README.md").write_text(describe_tables(folder, about), encoding="utf-8")


def describe_run(load: Load, card, label: str, parameters, rows, previous: EarlierMonth | None, costs: dict) -> dict:
    """Return what ``run.json`` says of a run; times and memory may differ from run to run."""
    features, candidates, way = load("customer_features"), load("candidates"), load("way")
    counted = rows.ledger.set_index("reason")["rows"]
    kept = counted[counted.index.isin(KEPT)]
    segmentation = load("segmentation")
    months = None
    if features.as_of is not None:
        before = None if previous is None else {"month": previous.label, "digest": previous.digest}
        fitted = previous.fit["month"] if way.kept else label
        months = {"way": way.way, "why": way.reason, "previous": before, "fitted": fitted}
    return {
        "dataset": card.name,
        "month": label,
        "as_of": None if features.as_of is None else str(features.as_of),
        "window_days": parameters.window_days,
        "days_counted": features.window_days,
        "seed": parameters.seed,
        "choice": parameters.choice,
        "parameters": parameters.as_dict(),
        "verdict": candidates.verdict,
        "inputs": rows.inputs,
        "engine": engine_address(of_card=card.engine).partition(":")[0] or "duckdb",
        "rows": {
            "in": int(counted.sum()),
            "kept": int(kept.sum()),
            "excluded": int(counted.sum() - kept.sum()),
            "by_reason": {reason: int(count) for reason, count in counted.items()},
        },
        "compared": _describe_sample(load("assignments"), candidates.labels.index),
        "months": months,
        "named_by_analyst": _typed(load("segments")),
        "fitted_customers": segmentation.customers,
        "steps": costs,
        "candidates": candidates.timings.set_index("candidate_id").round(3).to_dict("index"),
    }


def _typed(segments: pd.DataFrame) -> list[str]:
    return list(segments.loc[segments["named_by"] == "analyst", "segment_id"]) if "named_by" in segments else []


def _sureness(assignments: pd.DataFrame) -> pd.DataFrame:
    """How sure the assignments to each segment are."""
    by_segment = assignments.groupby("segment_id")["confidence"]
    low = (assignments["confidence"] < LOW_CONFIDENCE).groupby(assignments["segment_id"]).sum()
    return pd.DataFrame({"mean_confidence": by_segment.mean(), "low_confidence_customers": low}).reset_index()


def _describe_sample(assignments: pd.DataFrame, some: pd.Index) -> dict:
    """On how many customers candidates were compared, and how far their segments' sizes are from those of everybody."""
    everybody = assignments["segment_id"]
    shares = [ids.value_counts(normalize=True) for ids in (everybody, everybody.loc[some])]
    return {
        "customers": len(everybody),
        "sample_size": len(some),
        "largest_share_difference": round(float(shares[0].sub(shares[1], fill_value=0).abs().max()), 5),
    }


def column_of(feature: pd.Series) -> Column:
    """Return the definition of a feature's column in a written table."""
    kinds = {"money": "money", "share": "share", "category": "text"}
    return Column(kinds.get(feature["kind"], "number"), feature["unit"], feature["definition"])
