"""Rules of three conditions, and the model as SQL."""

import re
from dataclasses import replace

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import sqlglot

from segkit.clustering.assign import assign_customers
from segkit.clustering.assignment_rules import Rule, predict_outcomes
from segkit.clustering.fit import Candidate
from segkit.clustering.freeze import freeze_candidate
from segkit.clustering.rfm import RFM_MAPS
from segkit.preprocessing.prepare import features_from, prepare
from segkit.scoring.sql.model_sql import DIALECTS, replay_sql, rules_sql, translate_sql
from segkit.segments.rules import segment_rules

CANDIDATES = [
    Candidate("kmeans-4", "kmeans", {"k": 4}),
    Candidate("ward-3", "hierarchical", {"k": 3}),
    Candidate("gmm-full-3", "gmm", {"k": 3, "covariance": "full"}),
    Candidate("rfm-10", "rfm", {"version": "rfm-10"}),
    Candidate("tiers-5", "tiers", {}),
]


@pytest.fixture(scope="module")
def shop():
    random = np.random.default_rng(3)
    orders = random.negative_binomial(1, 0.1, 600) + 1
    gap = random.gamma(3, 10, 600)
    gap[orders == 1] = np.nan
    return pd.DataFrame(
        {
            "days_since_last_order": random.integers(0, 365, 600),
            "order_count": orders,
            "spend": np.where(random.random(600) < 0.03, -5.0, orders * random.gamma(2, 20, 600)).round(2),
            "gap_days": gap,
            "coupon_order_share": np.where(random.random(600) < 0.5, 0.0, random.beta(1, 5, 600)),
            "country": random.choice(["France", "Côte d'Ivoire", None], 600, p=[0.6, 0.3, 0.1]),
        },
        index=pd.Index([f"c{i:03}" for i in range(600)], name="customer_id"),
    )


@pytest.fixture(scope="module")
def meaning(shop):
    kinds = ["days", "count", "money", "days", "share", "category"]
    families = ["lifecycle", "value", "value", "rhythm", "price", "place"]
    return pd.DataFrame({"kind": kinds, "family": families, "unit": "", "whole": ""}, index=shop.columns)


@pytest.mark.parametrize("candidate", CANDIDATES, ids=lambda one: one.candidate_id)
def test_the_sql_puts_every_customer_where_the_model_does(shop, meaning, candidate):
    segmentation = freeze_candidate(prepare(features_from(shop, meaning)), candidate)
    replayed = replay_sql(rules_sql(segmentation, shop), shop)
    expected = assign_customers(segmentation, shop)
    for column in ("segment_id", "segment", "nearest_segment_id"):
        assert replayed[column].fillna("").tolist() == expected[column].fillna("").tolist()


@pytest.mark.parametrize("candidate", CANDIDATES, ids=lambda one: one.candidate_id)
def test_a_figure_that_is_no_number_is_missing_for_the_sql_as_for_the_model(shop, meaning, candidate):
    segmentation = freeze_candidate(prepare(features_from(shop, meaning)), candidate)
    statement, numbers = rules_sql(segmentation, shop), [name for name in shop if name != "country"]
    for number, feature in enumerate(numbers):
        gone = np.arange(len(shop)) % len(numbers) == number
        shop = shop.assign(**{feature: shop[feature].astype("float64").mask(gone)})
    table = pa.table({"customer_id": list(shop.index), "country": pa.array(shop["country"], from_pandas=True)})
    for feature in numbers:  # as Arrow, where NaN is a value and no null
        table = table.append_column(feature, pa.array(shop[feature].to_numpy(), from_pandas=False))
    with duckdb.connect() as connection:
        connection.register("features", table)
        replayed = connection.execute(statement).df().set_index("customer_id")["segment_id"]
    assert replayed.tolist() == assign_customers(segmentation, shop)["segment_id"].tolist()


def test_the_sql_bends_its_lines_where_predicted_behaviour_does(shop, meaning):
    base, draw = freeze_candidate(prepare(features_from(shop, meaning)), CANDIDATES[0]), np.random.default_rng(1)
    width = len(base.matrix.fitted)
    knots = np.sort(draw.normal(size=(5, width)).round(1), axis=0)
    knots[1] = knots[0]  # a piece without width
    arrays = {"knots": knots, "coefficients": draw.normal(size=(4 * width, 3)), "centres": draw.normal(size=(4, 3))}
    rule = Rule("nearest_prediction", {**arrays, "labels": np.arange(4, dtype="int32")})
    model, asked = replace(base, rule=rule), shop.assign(country=shop["country"].replace("France", "Peru"))
    for features in (shop, asked):
        found = replay_sql(rules_sql(model, features), features)["segment_id"]
        assert found.tolist() == assign_customers(model, features)["segment_id"].tolist()
        assert found.nunique() > 2


def test_layers_are_told_apart_by_one_sum_per_direction(shop, meaning):
    base, draw = freeze_candidate(prepare(features_from(shop, meaning)), CANDIDATES[0]), np.random.default_rng(2)
    width = len(base.matrix.fitted)
    lines = {"knots": np.sort(draw.normal(size=(4, width)), axis=0), "coefficients": draw.normal(size=(3 * width, 2))}
    lines["coefficients"][:, 0] *= 100
    predicted = predict_outcomes(base.matrix.transform(shop), **lines)
    low, *upper = np.quantile(predicted[:, 0], [0.15, 0.5, 0.85])
    kinds = np.quantile(predicted[:, 1], [0.2, 0.8])
    centres = np.array([[low, kinds.mean()], *([tier, kind] for tier in upper for kind in kinds)])
    rule = Rule("nearest_prediction", {**lines, "centres": centres, "labels": np.array([0, 1, 2, 3, 0])})
    model = replace(base, rule=rule)
    statement = rules_sql(model, shop)
    assert set(re.findall(r" AS (t\d)\b", statement)) == {"t0", "t1"}
    found = replay_sql(statement, shop)["segment_id"]
    assert found.tolist() == assign_customers(model, shop)["segment_id"].tolist()
    assert found.nunique() == 4


@pytest.mark.parametrize("candidate", [CANDIDATES[0], CANDIDATES[2]], ids=lambda one: one.candidate_id)
def test_the_sql_leaves_out_whom_too_little_is_known_of_as_the_model_does(shop, meaning, candidate):
    segmentation, asked = freeze_candidate(prepare(features_from(shop, meaning)), candidate), shop.head(6).copy()
    for place in range(1, 6):
        asked.iloc[place, :place] = None
    replayed, expected = replay_sql(rules_sql(segmentation, asked), asked), assign_customers(segmentation, asked)
    assert replayed["segment_id"].tolist() == expected["segment_id"].tolist()
    assert {"S0"} < set(replayed["segment_id"])
    assert replayed["nearest_segment_id"].isna().tolist() == (expected["segment_id"] == "S0").tolist()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_sql_parses_in_the_dialects_of_other_engines(shop, meaning, dialect):
    for candidate in (CANDIDATES[0], CANDIDATES[3]):
        segmentation = freeze_candidate(prepare(features_from(shop, meaning)), candidate)
        translated = translate_sql(rules_sql(segmentation, shop), dialect)
        assert sqlglot.parse_one(translated, read=dialect).find(sqlglot.exp.Case)


def test_a_density_method_is_replayed_by_a_tree_that_says_how_far_it_differs(shop, meaning):
    candidate = Candidate("dbscan-1", "dbscan", {"eps": 1.0, "min_samples": 10})
    statement = rules_sql(freeze_candidate(prepare(features_from(shop, meaning)), candidate), shop)
    assert "customers that a decision tree was not grown on" in statement.splitlines()[1]
    assert len(replay_sql(statement, shop)) == 600


def test_a_method_that_leaves_everybody_out_has_sql_too(shop, meaning):
    candidate = Candidate("dbscan-0.01", "dbscan", {"eps": 0.01, "min_samples": 50})
    statement = rules_sql(freeze_candidate(prepare(features_from(shop, meaning)), candidate), shop)
    assert set(replay_sql(statement, shop)["segment_id"]) == {"S0"}
    assert all(sqlglot.parse_one(translate_sql(statement, dialect), read=dialect) for dialect in DIALECTS)


def test_a_name_with_a_quote_stays_a_name(shop, meaning):
    segmentation = freeze_candidate(prepare(features_from(shop, meaning)), CANDIDATES[0])
    names = {one: f"O'{one}; DROP TABLE features" for one in segmentation.segment_ids}
    replayed = replay_sql(rules_sql(segmentation.with_segments(segmentation.segment_ids, names), shop), shop)
    assert set(replayed["segment"]) <= set(names.values())


def test_a_planted_rule_is_found_and_holds_on_other_customers(shop, meaning):
    inside = (shop["order_count"] >= 12) & (shop["days_since_last_order"] < 200)
    found = segment_rules(shop, meaning, inside.map({True: "S1", False: "S2"})).set_index("segment_id")
    assert found.loc["S1", ["rule_precision", "rule_recall"]].min() > 0.9
    assert "order_count >= 1" in found.loc["S1", "rule"]
    assert "days_since_last_order < " in found.loc["S1", "rule"]


def test_rules_have_at_most_three_conditions_and_none_where_segments_are_random(shop, meaning):
    random = pd.Series(np.random.default_rng(1).choice(["S1", "S2", "S3"], 600), index=shop.index)
    found = segment_rules(shop, meaning, random)
    assert found["rule"].dropna().str.count(" and ").le(2).all()
    assert found["rule_precision"].fillna(0).lt(0.6).all()


def test_neither_the_order_of_rows_nor_of_segments_changes_a_rule(shop, meaning):
    segments = (shop["spend"] > 300).map({True: "S1", False: "S2"})
    shuffled = shop.sample(frac=1, random_state=1)
    first, second = segment_rules(shop, meaning, segments), segment_rules(shuffled, meaning, segments)
    pd.testing.assert_frame_equal(first, second)
    swapped = segment_rules(shop, meaning, segments.map({"S1": "S2", "S2": "S1"}))
    assert swapped.set_index("segment_id").loc["S2", "rule"] == first.set_index("segment_id").loc["S1", "rule"]


def test_every_cell_of_a_map_is_in_the_sql(shop, meaning):
    statement = rules_sql(freeze_candidate(prepare(features_from(shop, meaning)), CANDIDATES[3]), shop)
    assert statement.count("BETWEEN") == 2 * sum(len(cells) for cells in RFM_MAPS["rfm-10"].values())


def test_of_many_customers_a_sample_makes_the_rules_and_no_segment_is_lost(monkeypatch):
    monkeypatch.setattr("segkit.segments.rules.RULED_ON", 150)
    spend = np.r_[np.arange(100.0), np.arange(500.0, 600.0), 9000.0]
    shop = pd.DataFrame({"spend": spend}, index=[f"c{i:03}" for i in range(201)])
    segments = pd.Series(["S1"] * 100 + ["S2"] * 100 + ["S3"], index=shop.index)
    rules = segment_rules(shop, pd.DataFrame({"kind": "money"}, index=["spend"]), segments).set_index("segment_id")
    assert list(rules.index) == ["S1", "S2", "S3"]
    assert rules.loc["S1", "rule"] == "spend < 300"
