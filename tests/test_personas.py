"""Personas: what a segment buys more of, a typical customer who is nobody, and the cards that show them."""

from datetime import date
from types import SimpleNamespace

import duckdb
import numpy as np
import pandas as pd
import pytest

from segkit.reporting.blocks.segment_cards import persona_cards
from segkit.segments.personas.persona_sections import segment_personas
from segkit.segments.personas.products import bought_more
from segkit.segments.personas.typical import typical_customers
from segkit.segments.profile import FEWEST_KNOWN, profile_segments, size_segments

WINDOW = date(2024, 12, 31), date(2025, 12, 31)
NAMES = {"t1": "tea", "t2": "tea", "y1": "toy"}


def shop(lines, names=NAMES):
    """Orders of lines (customer, product, day, is_return), and products called by name."""
    connection = duckdb.connect()
    table = pd.DataFrame(lines, columns=["customer_id", "product_id", "ordered_at", "is_return"])
    table["ordered_at"] = pd.to_datetime(table["ordered_at"])
    connection.register("lines", table)
    connection.execute("CREATE TABLE orders AS FROM lines")
    products = pd.DataFrame({"product_id": list(names), "name": list(names.values())})
    connection.register("products", products)
    columns = {"orders": ["customer_id", "product_id", "ordered_at", "is_return"], "products": ["product_id", "name"]}
    return SimpleNamespace(connection=connection, columns=columns)


def tea_and_toys(customers=20):
    """Twenty who buy tea four times and a toy once, twenty the other way round."""
    tea, toys = ["t1", "t2", "t1", "t2", "y1"], ["y1", "y1", "y1", "y1", "t1"]
    whose = [(f"a{n:02}", item) for n in range(customers) for item in tea]
    whose += [(f"b{n:02}", item) for n in range(customers) for item in toys]
    ids = sorted({customer for customer, _ in whose})
    return [(customer, item, "2025-05-05", False) for customer, item in whose], pd.Series(
        ["S1" if name[0] == "a" else "S2" for name in ids], index=ids
    )


def test_lift_is_the_share_of_the_segments_lines_over_that_of_all_and_names_are_one_product():
    lines, segments = tea_and_toys()
    found = bought_more(shop(lines), segments, *WINDOW).set_index(["segment_id", "item"])
    assert found.index.tolist() == [("S1", "tea"), ("S2", "toy")]
    tea = found.loc[("S1", "tea")]
    assert tea[["customers", "customer_share", "line_share", "overall_share", "lift"]].tolist() == [
        *(20, 1.0, 0.8),
        *(0.5, 1.6),
    ]
    assert 1 < tea["low"] <= tea["lift"] <= tea["high"]


def test_returns_and_lines_outside_the_window_are_no_purchases():
    lines, segments = tea_and_toys()
    more = [("a00", "y1", "2025-05-05", True), ("a00", "y1", "2024-12-31", False), ("a00", "y1", "2026-01-01", False)]
    pd.testing.assert_frame_equal(
        bought_more(shop(lines), segments, *WINDOW), bought_more(shop(lines + more), segments, *WINDOW)
    )


def test_what_fewer_than_ten_customers_bought_is_not_listed():
    lines, segments = tea_and_toys()
    few = [(f"a{n:02}", "x", "2025-05-05", False) for n in range(FEWEST_KNOWN - 1) for _ in range(5)]
    assert "x" not in set(bought_more(shop(lines + few), segments, *WINDOW)["item"])
    enough = few + [("a09", "x", "2025-05-05", False)] * 5
    assert "x" in set(bought_more(shop(lines + enough), segments, *WINDOW)["item"])


def test_one_enthusiast_is_no_taste_of_a_segment():
    lines, segments = tea_and_toys()
    some = [(f"{half}{n:02}", "x", "2025-05-05", False) for half in "ab" for n in range(12)]
    one = [("a00", "x", "2025-05-05", False)] * 60
    assert "x" not in set(bought_more(shop(lines + some + one), segments, *WINDOW)["item"])


@pytest.mark.parametrize("seed", range(4))
def test_segments_cut_at_random_buy_nothing_more_than_others(seed):
    rng = np.random.default_rng(seed)
    customers = np.repeat(np.arange(300), rng.geometric(0.05, 300))
    items = rng.zipf(1.5, len(customers)) % 200
    lines = [(f"c{who:03}", f"p{item}", "2025-05-05", False) for who, item in zip(customers, items, strict=True)]
    segments = pd.Series(rng.permutation(["S1"] * 60 + ["S2"] * 240), index=[f"c{n:03}" for n in range(300)])
    assert bought_more(shop(lines, {"p0": "zero"}), segments, *WINDOW).empty


def customers(size=400, seed=0):
    rng = np.random.default_rng(seed)
    features = pd.DataFrame({"order_count": rng.geometric(0.2, size), "spend": rng.lognormal(4, 1, size)})
    features["days_since_last_order"] = rng.integers(0, 300, size)
    features["age"] = rng.choice(["young", "old"], size)
    features.index = [f"c{n:03}" for n in range(size)]
    meaning = pd.DataFrame({"kind": ["count", "money", "days", "category"]}, index=list(features))
    meaning = meaning.assign(family=["lifecycle", "value", "lifecycle", "who"], unit="")
    return features, meaning, pd.Series(np.where(features["spend"] > 60, "S1", "S2"), index=features.index)


def test_the_typical_customer_is_the_middle_of_ten_or_more_and_ids_and_the_order_of_rows_are_nothing():
    features, meaning, segments = customers()
    typical = typical_customers(features, meaning, segments)
    assert set(typical["segment_id"]) == {"S1", "S2"}
    assert typical["customers"].min() >= FEWEST_KNOWN
    shuffled = features.sample(frac=1, random_state=1).rename("x{}".format)
    renamed = segments.rename("x{}".format)
    pd.testing.assert_frame_equal(typical_customers(shuffled, meaning, renamed), typical)


def test_a_typical_customer_is_near_the_medians_but_its_figures_belong_together():
    features, meaning, _ = customers()
    features["spend"] = (
        10.0 * features["order_count"] + np.arange(len(features)) % 7
    )  # nobody orders much, spends little
    everybody = pd.Series("S1", index=features.index)
    told = typical_customers(features, meaning, everybody).set_index("feature")["figure"]
    medians = features[["order_count", "spend", "days_since_last_order"]].median()
    assert (np.abs(np.log1p(told) - np.log1p(medians)) < 0.25).all()
    assert told["spend"] == pytest.approx(10 * told["order_count"], abs=7)


def test_of_fewer_than_ten_nobody_is_typical_and_all_who_are_alike_count():
    features, meaning, segments = customers(60)
    assert typical_customers(features.head(9), meaning, segments.head(9)).empty
    alike = pd.DataFrame({"order_count": [2] * 14 + [9] * 3, "spend": [20.0] * 14 + [500.0] * 3})
    told = typical_customers(alike, meaning, pd.Series("S1", index=alike.index))
    assert told[["figure", "customers"]].to_numpy().tolist() == [[2.0, 14], [20.0, 14]]


def cards(features, meaning, segments):
    profile = profile_segments(features, meaning, segments)
    sizes = size_segments(segments, features["spend"])
    return segment_personas(profile, typical_customers(features, meaning, segments), sizes, "EUR")


def test_a_card_has_ten_customers_behind_each_figure_and_says_of_how_many_it_is_known():
    features, meaning, segments = customers()
    features.loc[segments.index[segments == "S1"][9:], "age"] = np.nan
    features.loc[segments.index[segments == "S2"][30:], "age"] = np.nan
    told = cards(features, meaning, segments)
    assert told["customers"].min() >= FEWEST_KNOWN
    who = told[told["section"] == "who"].set_index("segment_id")
    assert who.index.tolist() == ["S2"]
    assert who["known_share"].iloc[0] == pytest.approx(30 / (segments == "S2").sum())


def test_a_card_tells_a_bound_where_few_of_a_segment_are_otherwise_and_shows_only_what_surely_differs():
    features, meaning, segments = customers()
    features.loc[segments.index[segments == "S1"], "age"] = ["old"] * ((segments == "S1").sum() - 3) + ["young"] * 3
    told = cards(features, meaning, segments).query("section == 'who'").set_index("segment_id")
    assert told.loc["S1", "text"] == "old (over\xa094\xa0%)"
    known = features["age"].where(features.index.isin(segments.index[segments == "S1"][:30]) | (segments == "S2"))
    few = cards(features.assign(age=known.replace("young", "old")), meaning, segments).query("section == 'who'")
    assert few["segment_id"].tolist() == []  # over 66 % of thirty says nothing beside 100 % of all
    alike = features.assign(age=["old", "young"] * 200)
    sizes = size_segments(segments, features["spend"]).assign(segment="Some", action="", caution="")
    page = persona_cards(sizes, cards(alike, meaning, segments), None, {"S1": "#000000", "S2": "#111111"}).html
    assert ">age<" not in page


def test_a_lift_is_bold_only_where_its_lower_end_is_clearly_above_one_and_untold_where_few_stand_behind_it():
    products = pd.DataFrame({"segment_id": "S1", "level": "product", "item": ["sure", "maybe", "few"], "customers": 20})
    products = products.assign(lift=2.0, low=[1.5, 1.02, 1.0], high=[4.0, 4.0, 12.0], more=True)
    features, meaning, segments = customers()
    sizes = size_segments(segments, features["spend"]).assign(segment="Some", action="", caution="")
    told = cards(features, meaning, segments)
    page = persona_cards(sizes, told, products, {"S1": "#000000", "S2": "#111111"}).html
    assert '>sure</th><td class="short"><b>2.0 times' in page
    assert '>maybe</th><td class="short">2.0 times' in page
    assert ">few<" not in page


def test_what_sets_apart_is_certain_and_says_one_thing_once():
    features, meaning, segments = customers()
    features["largest_order_value"] = features["spend"] * 1.1
    meaning.loc["largest_order_value"] = ["money", "value", ""]
    apart = cards(features, meaning, segments).query("section == 'apart'")
    assert apart.groupby("segment_id")["feature"].apply(list).tolist() == [["spend"], ["spend"]] or set(
        apart["feature"]
    ) == {"largest_order_value"}


def test_a_section_that_no_segment_has_is_on_no_card_and_texts_of_the_data_are_escaped():
    features, meaning, segments = customers()
    ages = np.where(segments == "S1", "<b>old</b>", "young")
    told = cards(features.assign(age=ages), meaning, segments)
    sizes = size_segments(segments, features["spend"]).assign(segment="Some & others", action="Do it.", caution="")
    page = persona_cards(sizes, told, None, {"S1": "#000000", "S2": "#111111"}).html
    assert "Campaigns" not in page
    assert "What they buy" not in page
    assert "&lt;b&gt;old&lt;/b&gt;" in page
    assert "Some &amp; others" in page
    assert page.count("<details") == 2
