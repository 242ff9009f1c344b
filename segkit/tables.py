"""Every table a run leaves behind: its columns, their types, units and meaning, and how it is written.

One place says what a column is; `write_table` holds a table to it, and `describe_tables` prints it beside the
tables. The same table always becomes the same bytes.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

SIGNIFICANT_DIGITS = 9  # more would carry the order of summation, which differs between machines

_ARROW_TYPES = {
    "text": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "share": pa.float64(),
    "money": pa.float64(),
    "boolean": pa.bool_(),
}


@dataclass(frozen=True)
class Column:
    """What a column holds: its type (``text integer number share money boolean``), unit and definition."""

    type: str
    unit: str
    definition: str


@dataclass(frozen=True)
class Table:
    """What a table holds: a sentence, its columns, the columns it is sorted by.

    An `open` table has further columns that depend on the data (one per feature, say).
    """

    about: str
    columns: dict[str, Column]
    sort: tuple[str, ...]
    open: bool = False


def _text(definition: str, unit: str = "") -> Column:
    return Column("text", unit, definition)


def _integer(definition: str, unit: str = "") -> Column:
    return Column("integer", unit, definition)


def _number(definition: str, unit: str = "") -> Column:
    return Column("number", unit, definition)


def _share(definition: str) -> Column:
    return Column("share", "0 to 1", definition)


def _money(definition: str) -> Column:
    return Column("money", "currency", definition)


def _boolean(definition: str) -> Column:
    return Column("boolean", "", definition)


def _forward(buy: str) -> dict[str, Column]:
    """The columns of what segments tell of the future, with the bounds of their intervals."""
    told = {
        "value": f"skill about how much customers {buy}, as a share of the ceiling",
        "behaviour": f"skill about what and how they {buy}, as a share of the ceiling",
        "share": "weighted mean of the two",
    }
    ends = {"": "", "_low": "; lower end of the 95 % interval", "_high": "; upper end"}
    return {f"forward_{group}{end}": _number(f"{told[group]}{ends[end]}") for group in told for end in ends}


_SEGMENT_ID = _text("the id that stays with a segment; S0 is everybody a method leaves out")
_SEGMENT = _text("the segment's name, unique within a run")
_CUSTOMER_ID = _text("the customer, as in the orders")
_CANDIDATE_ID = _text("family and parameters, such as kmeans-5")

TABLES: dict[str, Table] = {
    "ledger": Table(
        "Where every row that was read went: rows and amount sum to the input.",
        {
            "reason": _text("sale, return, an exclusion of the card, or a breach of the contract"),
            "rows": _integer("order lines (for a ready table: rows)", "lines"),
            "orders": _integer("distinct orders within the reason", "orders"),
            "customers": _integer("distinct customers within the reason", "customers"),
            "amount": _money("sum of the lines' amounts"),
        },
        sort=(),  # kept in the order in which the reasons are tested
    ),
    "quarantine": Table(
        "The rows that broke the contract, as they came, with the reason.",
        {"reason": _text("the first rule of the contract that the row breaks")},
        sort=(),
        open=True,
    ),
    "features": Table(
        "One row per customer as of the day of the run, in natural units.",
        {"customer_id": _CUSTOMER_ID},
        sort=("customer_id",),
        open=True,
    ),
    "feature_dictionary": Table(
        "What each feature means; those that this dataset cannot give are listed with what they lack.",
        {
            "feature": _text("name, as in features and segments"),
            "family": _text("value, lifecycle, rhythm, basket, taste, price, returns, channel, trend, response, who"),
            "kind": _text("money, count, share, number, category, binary, days"),
            "unit": _text("unit of the figures"),
            "whole": _text("the composition that a share belongs to; empty for others"),
            "transform": _text("what the matrix does to it"),
            "definition": _text("one sentence"),
            "needs": _text("columns of the canonical tables it is made of"),
            "present": _boolean("whether this dataset has it"),
            "missing": _text("which columns it lacks"),
        },
        sort=(),
    ),
    "candidates": Table(
        "Every segmentation that was tried, judged the same way. A criterion that does not apply is null.",
        {
            "candidate_id": _CANDIDATE_ID,
            "family": _text("rfm, tiers, kmeans, hierarchical, dbscan, hdbscan, gmm, predictive"),
            "params": _text("parameters of the fit, as JSON"),
            "customers": _integer("customers of the study", "customers"),
            "sample_size": _integer("of these, fitted and judged; fewer where they are too many", "customers"),
            "segments": _integer("segments, without the customers left out", "segments"),
            "noise_share": _share("customers left out"),
            "smallest_share": _share("customers in the smallest segment"),
            "within_ss": _number("sum of squared distances to the segment's mean", "matrix units squared"),
            "silhouette": _number("mean silhouette width (Rousseeuw 1987)", "-1 to 1"),
            "calinski_harabasz": _number("between over within variance (Calinski & Harabasz 1974)"),
            "davies_bouldin": _number("mean likeness to the most alike segment, lower is better (1979)"),
            "dbcv": _number("density-based validity (Moulavi et al. 2014), density families only", "-1 to 1"),
            "bic": _number("Bayesian information criterion, mixtures only, lower is better"),
            "icl": _number("BIC plus twice the entropy (Biernacki et al. 2000), mixtures only, lower is better"),
            "gap": _number("gap statistic (Tibshirani et al. 2001), k-means only", "log units"),
            "prediction_strength": _number("Tibshirani & Walther 2005, mean of 20 halvings, k-means only", "0 to 1"),
            "stability_ari": _number("mean adjusted Rand index between resamples", "-1 to 1"),
            "stability_ari_low": _number("that of the lowest twentieth of the pairs of resamples", "-1 to 1"),
            "stability_ari_high": _number("that of the highest twentieth", "-1 to 1"),
            "stability_ari_1000": _number("mean adjusted Rand index between samples of 1,000 customers", "-1 to 1"),
            "stability_jaccard_min": _number("mean Jaccard of the least stable segment over resamples", "0 to 1"),
            "stability_jaccard_min_low": _number("that of the lowest twentieth of the resamples", "0 to 1"),
            "stability_jaccard_min_high": _number("that of the highest twentieth", "0 to 1"),
            "separated_share": _share("pairs of segments that the saddle test separates"),
            "structure": _text("natural, reproducible or constructive"),
            **_forward("will buy"),
            "recipe_agreement": _number(
                "adjusted Rand index between these segments and those of the same recipe one horizon back, which were "
                "judged",
                "-1 to 1",
            ),
            "recipe_agreement_low": _number("lower end of its 95 % interval", "-1 to 1"),
            "recipe_agreement_high": _number("upper end", "-1 to 1"),
            "feasible": _boolean("whether its sizes and its noise are within the limits"),
            "reason": _text("why it is not feasible, or why it lost; for the chosen one why it won"),
            "chosen": _boolean("exactly one"),
        },
        sort=(),
    ),
    "outcomes": Table(
        "What each candidate says about what customers do next, by outcome; judged one horizon back.",
        {
            "candidate_id": _CANDIDATE_ID,
            "outcome": _text("what customers did in the days after"),
            "group": _text("value (how much) or behaviour (what and how)"),
            "skill": _number("deviance explained by the candidate's segments; below 0 where they mislead"),
            "low": _number("lower end of the 95 % interval of skill"),
            "high": _number("upper end of the 95 % interval of skill"),
            "ceiling": _number("deviance explained by the best of several models of all features"),
        },
        sort=(),
    ),
    "origins": Table(
        "What the chosen candidate and the rules told at every origin that the data allow, of all customers then; at "
        "the latest origin, of the half that had no part in the choice.",
        {
            "origin": _text("day up to which features were known"),
            "until": _text("last day judged by"),
            "customers": _integer("customers as of the origin", "customers"),
            "candidate_id": _text("a candidate, or rfm-scores-k: k-means on the three RFM scores"),
            **_forward("buy"),
        },
        sort=(),
    ),
    "unseen": Table(
        "What the proposed predictive segments say about each outcome when they are made without it.",
        {
            "candidate_id": _CANDIDATE_ID,
            "outcome": _text("what customers did in the days after"),
            "group": _text("value (how much) or behaviour (what and how)"),
            "skill": _number("deviance explained by the segments as they are, of all customers"),
            "skill_low": _number("lower end of its 95 % interval"),
            "skill_high": _number("upper end"),
            "unseen": _number("deviance explained by segments made without this outcome"),
            "unseen_low": _number("lower end of its 95 % interval"),
            "unseen_high": _number("upper end"),
            "ceiling": _number("deviance explained by the best of several models of all features"),
        },
        sort=(),
    ),
    "stability": Table(
        "How far each segment comes back, of every candidate within the limits on sizes and noise.",
        {
            "candidate_id": _CANDIDATE_ID,
            "segment": _text("segment id; of candidates that were not chosen, S1 is the largest"),
            "jaccard": _share("mean Jaccard index with the likest segment of each resample (Hennig 2007)"),
            "dissolved": _share("resamples in which it is below 0.5"),
            "resamples": _integer("fewer than asked for where these settle that the candidate is not feasible"),
            "sample_size": _integer("customers in each resample", "customers"),
        },
        sort=(),
    ),
    "pairs": Table(
        "Whether a valley lies between two segments (saddle test on customers that did not make them).",
        {
            "candidate_id": _CANDIDATE_ID,
            "segment_a": _text("segment id, as in stability"),
            "segment_b": _text("segment id, as in stability"),
            "ratio": _number("customers at the highest pass over customers at the lower mode"),
            "low": _number("lower end of the 95 % interval of ratio"),
            "high": _number("upper end of the 95 % interval of ratio"),
            "p": _number("p value of ratio below 0.75, Holm over the candidate's pairs"),
            "separated": _text("yes, no, undetermined"),
            "sample_size": _integer("customers in the test, one half to learn from and one to count", "customers"),
        },
        sort=(),
    ),
    "assignments": Table(
        "Every customer's segment.",
        {
            "customer_id": _CUSTOMER_ID,
            "segment_id": _SEGMENT_ID,
            "segment": _SEGMENT,
            "confidence": _share("of up to 50 matched resample fits, those that give the customer the same segment"),
            "rfm_segment": _text("the customer's cell of the RFM map, for comparison"),
            "nearest_segment_id": _text("the segment to use for a customer left out; else the same segment"),
            "reason": _text("why a customer is in S0; null for the others"),
        },
        sort=("customer_id",),
    ),
    "map": Table(
        "Where customers lie on the map of the report: near those who are alike; directions and sizes mean nothing.",
        {"customer_id": _CUSTOMER_ID, "x": _number("across"), "y": _number("along")},
        sort=("customer_id",),
    ),
    "migrations": Table(
        "How many customers went from which segment to which since the month before.",
        {
            "from_segment_id": _text("segment in the month before; joined: in this month only"),
            "to_segment_id": _text("segment in this month; left: in the month before only"),
            "customers": _integer("customers", "customers"),
            "share": _share("of the customers of the from-segment, or of all who joined"),
        },
        sort=(),
    ),
    "migrated_revenue": Table(
        "The revenue of the customers behind each move.",
        {
            "from_segment_id": _text("as in migrations"),
            "to_segment_id": _text("as in migrations"),
            "customers": _integer("customers", "customers"),
            "revenue_before": _money("net of returns, in the window of the month before"),
            "revenue_after": _money("net of returns, in this month's window"),
        },
        sort=(),
    ),
    "events": Table(
        "What became of each segment of the month before.",
        {
            "event": _text("kept, split, new, merged, gone"),
            "segment_id": _SEGMENT_ID,
            "other_id": _text("kept: the same; split: where it came from; merged: where it went; else null"),
            "jaccard": _share("Jaccard index of the two, over customers of both months"),
        },
        sort=(),
    ),
    "moved": Table(
        "Whether the customers moved or the model did: disjoint cells that sum to everybody.",
        {
            "cell": _text("unchanged, moved only, remodelled only, both (two kinds), joined, left"),
            "customers": _integer("customers", "customers"),
            "share": _share("of the customers of both months; null for joined and left"),
            "meaning": _text("what the cell says"),
        },
        sort=(),
    ),
    "net_sizes": Table(
        "Why each segment is as large as it is: before + moved + remodelled + joined - left = after.",
        {
            "segment_id": _SEGMENT_ID,
            "before": _integer("in the month before", "customers"),
            "moved": _integer("net, by the old model in both months", "customers"),
            "remodelled": _integer("net, by the new model instead of the old one", "customers"),
            "joined": _integer("in this month only", "customers"),
            "left": _integer("in the month before only", "customers"),
            "after": _integer("in this month", "customers"),
        },
        sort=(),
        open=True,
    ),
    "forecasts": Table(
        "Every forecast of sizes so far, made a month before, and what came.",
        {
            "month": _text("the month that was forecast"),
            "segment_id": _SEGMENT_ID,
            "expected": _number("expected customers", "customers"),
            "low": _number("lower end of the 95 % interval", "customers"),
            "high": _number("upper end", "customers"),
            "actual": _integer("customers that came, by the model of the forecast; null where it is to come"),
            "inside": _boolean("whether they lie within the interval"),
        },
        sort=("month", "segment_id"),
    ),
    "drift": Table(
        "How far customers have changed between two windows that share no day (population stability index).",
        {
            "feature": _text("feature, as in feature_dictionary"),
            "psi": _number("population stability index"),
            "low": _number("lower end of its 95 % interval, customers drawn with both values"),
            "high": _number("upper end"),
            "alarm": _boolean("above 0.1, and its lower end above the 99.5 % value of no change"),
        },
        sort=(),
    ),
    "aging": Table(
        "How far customers are from those that the model was fitted on, feature by feature, and the mix of segments. "
        "Where the data began within its window, over as many days in both periods.",
        {
            "feature": _text("feature, as in feature_dictionary; segment: the mix of segments by that model"),
            "psi": _number("population stability index"),
            "low": _number("lower end of its 95 % interval"),
            "high": _number("upper end"),
            "alarm": _boolean("as in drift"),
        },
        sort=(),
    ),
    "kpis": Table(
        "Key figures of each segment, with 95 % intervals; null where fewer than ten customers stand behind one.",
        {
            "segment_id": _SEGMENT_ID,
            "segment": _SEGMENT,
            "kpi": _text("which figure"),
            "unit": _text("money, orders or share"),
            "customers": _integer("customers behind the figure", "customers"),
            "figure": _number("the figure, in its unit"),
            "low": _number("lower end of its 95 % interval"),
            "high": _number("upper end"),
            "others": _number("the same figure of all other customers"),
        },
        sort=(),
    ),
    "target_criteria": Table(
        "Whether each segment is measurable, accessible, substantial, differentiable and actionable, in figures.",
        {
            "segment_id": _SEGMENT_ID,
            "segment": _SEGMENT,
            "criterion": _text("measurable, accessible, substantial, differentiable or actionable"),
            "measure": _text("what the figure says; those of customers are shares of the segment"),
            "figure": _number("the figure; null where it is not known"),
            "low": _number("lower end of its 95 % interval; null where it has none"),
            "high": _number("upper end"),
        },
        sort=(),
    ),
    "targets": Table(
        "Where each segment stands by the weights of the run: how attractive it is, and how well it can be served.",
        {
            "segment_id": _SEGMENT_ID,
            "segment": _SEGMENT,
            "customers": _integer("customers", "customers"),
            "attractiveness": _share("1: best of all segments in every figure that counts; null where none is known"),
            "attractiveness_low": _share("with the lower ends of the figures' intervals"),
            "attractiveness_high": _share("with the upper ends"),
            "ability": _share("1: best of all segments in every figure that counts; null where none is known"),
            "ability_low": _share("with the lower ends of the figures' intervals"),
            "ability_high": _share("with the upper ends"),
        },
        sort=(),
    ),
    "levers": Table(
        "What could be tried with each segment, the most at stake first; no effect is measured.",
        {
            "segment_id": _SEGMENT_ID,
            "segment": _SEGMENT,
            "lever": _text("what could be tried"),
            "at_stake": _money("the most that the lever could move, in the window"),
            "at_stake_low": _money("lower end of its 95 % interval"),
            "at_stake_high": _money("upper end"),
            "rate": _number("the rate that it is meant to move", "0 to 1"),
            "rate_low": _number("lower end of its 95 % interval", "0 to 1"),
            "rate_high": _number("upper end", "0 to 1"),
            "effect": _text("unmeasured: only a test would tell"),
            "customers_per_arm": _number("customers in each arm of a test that sees a tenth more or less", "customers"),
            "can_test": _boolean("whether the segment has two such arms"),
        },
        sort=(),
    ),
    "segments": Table(
        "The chosen segments. Shares of customers and of revenue sum to 1; revenue is net of returns in the window.",
        {
            "segment_id": _SEGMENT_ID,
            "segment": _SEGMENT,
            "description": _text("one sentence with figures"),
            "rule": _text("at most three conditions that come close to it, in natural units"),
            "rule_precision": _share("of who meets the rule, in the segment, on a half that did not choose the rule"),
            "rule_recall": _share("of the segment, who meets the rule, on that half"),
            "customers": _integer("customers", "customers"),
            "customer_share": _share("of all customers"),
            "revenue": _money("net of returns, within the window"),
            "revenue_share": _share("of all revenue; above 1 or below 0 only where returns exceed sales"),
            "mean_confidence": _share("mean confidence of its customers; null where it is not known"),
            "low_confidence_customers": _integer("customers assigned with a confidence below 0.5", "customers"),
        },
        sort=(),
        open=True,
    ),
    "personas": Table(
        "The figures on each segment's card, in words and as numbers; each has ten or more customers behind it.",
        {
            "segment_id": _SEGMENT_ID,
            "segment": _SEGMENT,
            "section": _text("apart, typical (a customer in the middle, rounded), when, how, who, campaigns"),
            "feature": _text("feature, as in feature_dictionary"),
            "level": _text("level of a category; empty for numbers"),
            "label": _text("what the figure counts, in a reader's words"),
            "text": _text("the figure as a reader would say it"),
            "overall_text": _text("the same figure of all customers; empty for a typical customer"),
            "figure": _number("median, or mean of shares and yes/no features; rounded for a typical customer"),
            "low": _number("lower end of its 95 % interval"),
            "high": _number("upper end"),
            "overall": _number("the same figure of all customers"),
            "customers": _integer("whose value is known; for a typical customer: with the same figures", "customers"),
            "known_share": _share("customers of the segment whose value is known"),
            "differs": _boolean("whether the difference from all customers is large and certain"),
        },
        sort=(),
    ),
    "persona_products": Table(
        "What each segment buys: every category, and the products bought more than by all customers, surest first.",
        {
            "segment_id": _SEGMENT_ID,
            "segment": _SEGMENT,
            "level": _text("category or product"),
            "item": _text("its name; products of one name are one, those without go by their number"),
            "customers": _integer("customers of the segment who bought it, 10 or more", "customers"),
            "customer_share": _share("of the segment's customers, who bought it"),
            "line_share": _share("of the segment's order lines"),
            "overall_share": _share("of all customers' order lines"),
            "lift": _number("line_share over overall_share"),
            "low": _number("lower end of its interval; of those listed, 5 % miss at most"),
            "high": _number("upper end"),
            "more": _boolean("whether the lift is at least 1.2 and certain"),
        },
        sort=(),
    ),
    "profile": Table(
        "Each segment against all customers, feature by feature, with intervals.",
        {
            "segment_id": _SEGMENT_ID,
            "feature": _text("feature, as in feature_dictionary"),
            "level": _text("level of a category; empty for numbers"),
            "family": _text("as in feature_dictionary"),
            "kind": _text("as in feature_dictionary"),
            "unit": _text("as in feature_dictionary"),
            "customers": _integer("customers of the segment whose value is known", "customers"),
            "centre": _number("median, or mean of shares, yes/no features and levels; null below ten customers"),
            "low": _number("lower end of its 95 % interval"),
            "high": _number("upper end"),
            "overall": _number("the same figure of all customers"),
            "effect": _number("difference from all customers, in share points or standard deviations (after log1p)"),
            "effect_low": _number("lower end of its simultaneous 95 % interval"),
            "effect_high": _number("upper end"),
            "effect_sd": _number("the effect in standard deviations, whatever the kind"),
            "differs": _boolean("whether the effect is large and certain"),
            "used": _boolean("whether the segments were made from the feature, and so differ by construction"),
        },
        sort=(),
    ),
    "name_words": Table(
        "The figures behind the words of each segment's name, on customers that did not make the segments.",
        {
            "segment_id": _SEGMENT_ID,
            "word": _text("the word, as used in the name"),
            "feature": _text("the feature behind it"),
            "level": _text("level of a category; empty for numbers"),
            "figure": _number("the segment's figure, as centre in profile"),
            "low": _number("lower end of its 95 % interval"),
            "high": _number("upper end"),
            "overall": _number("the same figure of all customers"),
            "effect": _number("difference from all customers, as in profile"),
            "effect_low": _number("lower end of its simultaneous 95 % interval"),
            "effect_high": _number("upper end"),
            "basis": _text("descriptive: the segments were made from the feature; evidence: they were not"),
        },
        sort=(),
    ),
}


def write_table(table: pd.DataFrame, name: str, folder: Path | str, extra: dict[str, Column] | None = None) -> Path:
    """Write `table` as ``<folder>/<name>.parquet``, held to its definition.

    Columns come in the defined order, then those of an open table in theirs. Floats are rounded to
    `SIGNIFICANT_DIGITS`, rows are sorted where the table has a sort key, nothing but the data is stored, so that
    the same table gives the same bytes.

    Parameters
    ----------
    table : DataFrame
        Has every defined column, as a column or as the index.
    name : str
        A key of `TABLES`.
    folder : path
        Exists.
    extra : dict, optional
        Columns of an open table with a type of their own; others keep theirs.

    Raises
    ------
    ValueError
        A column is missing, or one too many in a table that is not open. (A fault of segkit, not of the user.)

    Examples
    --------
    >>> import tempfile
    >>> ledger = pd.DataFrame({"reason": ["sale"], "rows": [3], "orders": [2], "customers": [1], "amount": [9.5]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     read_table(write_table(ledger, "ledger", folder))
      reason  rows  orders  customers  amount
    0   sale     3       2          1     9.5
    >>> write_table(ledger[["reason"]], "ledger", ".")
    Traceback (most recent call last):
    ValueError: table ledger lacks rows, orders, customers, amount
    """
    definition = TABLES[name]
    if table.index.name is not None:
        table = table.reset_index()
    missing = [column for column in definition.columns if column not in table]
    if missing:
        raise ValueError(f"table {name} lacks {', '.join(missing)}")
    others = [column for column in table if column not in definition.columns]
    if others and not definition.open:
        raise ValueError(f"table {name} has no column {', '.join(others)}")
    table = table[[*definition.columns, *others]]
    if definition.sort:
        table = table.sort_values(list(definition.sort), kind="stable")
    known = {**definition.columns, **(extra or {})}
    arrays = [_to_arrow(table[column], known[column].type if column in known else None) for column in table]
    path = Path(folder) / f"{name}.parquet"
    arrow = pa.Table.from_arrays(arrays, names=list(table))
    pq.write_table(arrow, path, compression="zstd", store_schema=False)
    return path


def read_table(path: Path | str) -> pd.DataFrame:
    """Return a written table."""
    return pd.read_parquet(path)


def _to_arrow(series: pd.Series, kind: str | None) -> pa.Array:
    if kind == "text" or (kind is None and not _is_number(series)):
        missing = series.isna()
        return pa.array([None if gone else str(text) for text, gone in zip(series, missing, strict=True)], pa.string())
    if kind is None:
        kind = "boolean" if series.dtype == bool else "integer" if series.dtype.kind in "iu" else "number"
    if kind in ("number", "share", "money"):
        series = pd.to_numeric(series).astype("float64")
        rounded = round_money(series) if kind == "money" else round_significant(series.to_numpy())
        return pa.array(rounded, pa.float64(), from_pandas=True)
    return pa.array(series.tolist(), _ARROW_TYPES[kind], from_pandas=True)


def _is_number(series: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(series) or pd.api.types.is_bool_dtype(series)


def round_money(amounts: pd.Series) -> np.ndarray:
    """Return amounts rounded to a hundredth of the smallest coin."""
    return np.round(amounts.to_numpy(dtype="float64"), 4) + 0.0


def round_significant(numbers: np.ndarray, digits: int = SIGNIFICANT_DIGITS) -> np.ndarray:
    """Return `numbers` rounded to significant digits; 0, NaN and infinities stay as they are.

    Examples
    --------
    >>> round_significant(np.array([123456.789, 0.000123456789, 0.0]), digits=4)
    array([1.235e+05, 1.235e-04, 0.000e+00])
    """
    numbers = np.asarray(numbers, dtype="float64")
    finite = np.isfinite(numbers) & (numbers != 0)
    rounded = numbers.copy()
    exponents = digits - 1 - np.floor(np.log10(np.abs(numbers[finite]))).astype(int)
    # Dividing by a power of ten keeps the shortest decimal exact; multiplying by 1e-n does not.
    big = exponents < 0
    scales = 10.0 ** np.abs(exponents)
    part = numbers[finite]
    rounded[finite] = np.where(big, np.round(part / scales) * scales, np.round(part * scales) / scales)
    return rounded + 0.0  # no negative zeros


def describe_tables(folder: Path | str, about: dict[str, dict[str, Column]] | None = None) -> str:
    """Return the README of a folder of tables: each table there, each column with type, unit and definition.

    `about` holds, by table, the definitions of columns that depend on the data.
    """
    lines = [
        "# Tables of this run",
        "",
        "Parquet files; shares are 0 to 1, money is in the dataset's currency.",
    ]
    for name, definition in TABLES.items():
        path = Path(folder) / f"{name}.parquet"
        if not path.exists():
            continue
        lines += [
            "",
            f"## {name}.parquet",
            "",
            definition.about,
            "",
            "| column | type | unit | what |",
            "|---|---|---|---|",
        ]
        known = {**definition.columns, **((about or {}).get(name, {}))}
        for field in pq.read_schema(path):
            column = known.get(field.name) or Column(str(field.type), "", "as it came")
            lines.append(f"| `{field.name}` | {column.type} | {column.unit} | {column.definition} |")
    return "\n".join(lines) + "\n"


def write_json(content: dict, path: Path | str) -> None:
    """Write `content` as indented JSON with sorted keys; NaN is refused, since it is not JSON."""
    Path(path).write_text(json.dumps(content, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n")
