"""Customers assigned from Arrow batches: the rows of `assign_customers`, near-ties and gaps included."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from segkit.clustering.assign import assign_customers
from segkit.clustering.assignment_rules import Rule
from segkit.clustering.fit import Candidate
from segkit.clustering.freeze import freeze_candidate
from segkit.clustering.segmentation import Segmentation
from segkit.preprocessing.prepare import features_from, prepare
from segkit.runtime.disk import ROOT
from segkit.runtime.errors import InputError
from segkit.scoring.arrow.batches import assign_batches
from segkit.scoring.arrow.sums import Sums

KINDS = {
    "spend": ("value", "money", ""), "orders": ("lifecycle", "count", ""), "recent": ("lifecycle", "days", ""),
    "coupons": ("price", "share", ""), "food": ("taste", "share", "category"), "home": ("taste", "share", "category"),
    "app": ("channel", "binary", ""), "trend": ("trend", "number", ""), "country": ("given", "category", ""),
}  # fmt: skip


def shop(count: int, seed: int = 0) -> pd.DataFrame:
    """Customers with whales, atoms, gaps, shares at and near their ends, and levels that no fit has seen."""
    draw = np.random.default_rng(seed)
    food = draw.beta(1, 1, count)
    table = pd.DataFrame({
        "spend": np.exp(draw.normal(4, 2, count)) - 3, "orders": draw.geometric(0.3, count),
        "recent": draw.integers(0, 365, count), "coupons": draw.choice([0, 1, 1 - 1e-9, 1e-9, 0.3, 0.5], count),
        "food": food, "home": 1 - food, "app": draw.integers(0, 2, count), "trend": draw.standard_cauchy(count),
        "country": draw.choice(["FR", "DE", "AT", None], count, p=[0.5, 0.3, 0.1, 0.1]),
    }).rename(index="c{:06}".format)  # fmt: skip
    for name in ("spend", "recent", "coupons", "food", "app", "trend"):
        table[name] = table[name].where(draw.random(count) > 0.3)
    return table.rename_axis("customer_id")


def segmentation(family: str, **params) -> Segmentation:
    fitted = shop(2_000)
    dictionary = pd.DataFrame.from_dict(KINDS, orient="index", columns=["family", "kind", "whole"])
    candidate = Candidate(family, family, params)
    return freeze_candidate(prepare(features_from(fitted, dictionary)), candidate)


def predicting() -> Segmentation:
    """A rule on piecewise straight lines, as the predictive family has them."""
    base, draw = segmentation("kmeans", k=4), np.random.default_rng(1)
    width = len(base.matrix.fitted)
    knots = np.sort(draw.normal(size=(5, width)), axis=0)
    arrays = {"knots": knots, "coefficients": draw.normal(size=(4 * width, 3)) * (draw.random((4 * width, 1)) > 0.3)}
    centres = draw.normal(size=(6, 3))
    rule = Rule("nearest_prediction", {**arrays, "centres": centres, "labels": np.arange(6, dtype="int32")})
    names = {f"S{place}": f"Segment {place}" for place in range(1, 7)}
    return Segmentation(
        "predictive-6", "predictive", {}, base.matrix, rule, tuple(names), names, {}, None, 365, 0, 2_000
    )


def batched(table: pd.DataFrame, rows: int = 40_000) -> list[pa.RecordBatch]:
    return pa.Table.from_pandas(table.reset_index(), preserve_index=False).to_batches(max_chunksize=rows)


MODELS = {
    "kmeans": lambda: segmentation("kmeans", k=7), "predictive": predicting,
    "gmm": lambda: segmentation("gmm", k=3, covariance="full"),
}  # fmt: skip


def test_the_example_of_the_page_on_scale_loads_a_run_and_gives_its_segments(tmp_path, monkeypatch):
    example = re.search("```python\n(.*?)```", (ROOT / "docs" / "scale.md").read_text(encoding="utf-8"), re.DOTALL)[1]
    model, table, run = segmentation("kmeans", k=4), shop(500, seed=3), tmp_path / "reports" / "my-shop" / "2026-10"
    model.save(run / "model")
    (run / "tables").mkdir()
    table.reset_index().to_parquet(run / "tables" / "features.parquet", index=False)
    monkeypatch.chdir(tmp_path)
    exec(example, found := {})
    assert found["segments"]["segment_id"].to_pylist() == assign_customers(model, table)["segment_id"].tolist()


@pytest.mark.parametrize("family", MODELS)
def test_batches_give_the_very_rows_of_one_table(family):
    model, table = MODELS[family](), shop(100_000, seed=5)
    table.loc[table.index[:500], list(KINDS)] = None
    expected = assign_customers(model, table, sure=False).drop(columns="confidence")
    found = pa.Table.from_batches(assign_batches(model, batched(table))).to_pandas().set_index("customer_id")
    pd.testing.assert_frame_equal(found[list(expected)].astype("str"), expected.astype("str"), check_index_type=False)
    assert "S0" in set(found["segment_id"])
    assert found["segment_id"].nunique() >= 3


def test_customers_between_two_segments_are_left_to_the_rule_itself():
    model = segmentation("kmeans", k=2)
    table, spend = shop(1_000, seed=2).dropna(), np.linspace(-3, 8, 64)
    sides = assign_customers(model, pd.concat([table.assign(spend=np.exp(one)) for one in spend]), sure=False)
    assert sides["segment_id"].nunique() == 2
    low, high = np.full(len(table), -1e3), np.full(len(table), 1e9)
    for _ in range(80):  # halve the way to where each customer changes sides, down to neighbouring numbers
        middle = (low + high) / 2
        left = (assign_customers(model, table.assign(spend=middle), sure=False)["segment_id"] == "S1").to_numpy()
        low, high = np.where(left, middle, low), np.where(left, high, middle)
    tied = pd.concat([table.assign(spend=low), table.assign(spend=high)])
    expected = assign_customers(model, tied, sure=False)["segment_id"].tolist()
    found = pa.Table.from_batches(assign_batches(model, batched(tied)))["segment_id"].to_pylist()
    assert found == expected


def test_few_customers_need_the_rule_itself():
    model = segmentation("kmeans", k=7)
    columns = [column.column for column in model.matrix.fitted]
    assert len(columns) > 8
    tolerance = Sums(model).tolerance
    assert 0 < tolerance[tolerance > 0].min() <= tolerance.max() < 1e-3


def test_kinds_of_a_tier_are_told_apart_however_much_the_tier_weighs():
    flat = predicting()
    arrays = dict(flat.rule.arrays)
    arrays["coefficients"] = arrays["coefficients"] * [1e3, 1, 1]
    kinds = arrays["centres"][:2, 1:]
    arrays["centres"] = np.vstack([np.column_stack([np.full(2, 1e3 * tier), kinds]) for tier in (-1, 0, 1)])
    layers = replace(flat, rule=Rule("nearest_prediction", arrays))
    tolerance = Sums(layers).tolerance
    assert 0 < 100 * tolerance[0, 1] < tolerance[0, 2]
    table = shop(50_000, seed=6)
    found = pa.Table.from_batches(assign_batches(layers, batched(table)))["segment_id"].to_pylist()
    assert found == assign_customers(layers, table, sure=False)["segment_id"].to_list()


def test_what_the_rule_refuses_is_refused_in_batches_too():
    model, table = segmentation("kmeans", k=3), shop(100)
    with pytest.raises(InputError, match=r"feature trend is infinite for 1 of 100 customers \(c000000\)"):
        list(assign_batches(model, batched(table.assign(trend=[np.inf, *table["trend"][1:]]))))
    with pytest.raises(InputError, match=r"feature spend isn't a number for 1 of 100 customers \(c000099\)"):
        list(assign_batches(model, batched(table.assign(spend=[*["1.5"] * 99, "abc"]))))
    with pytest.raises(InputError, match="feature app is neither 0 nor 1"):
        list(assign_batches(model, batched(table.assign(app=0.5))))
    with pytest.raises(InputError, match="a batch lacks spend"):
        list(assign_batches(model, batched(table.drop(columns="spend"))))
