"""Names: words only where figures back them, the same whatever the labels, never absurd."""

import itertools

import numpy as np
import pandas as pd
import pytest

from segkit.segments.naming.actions import OTHERWISE
from segkit.segments.naming.apart import MOST_WORDS, tell_apart
from segkit.segments.naming.names import name_segments
from segkit.segments.naming.vocabulary import NOUNS, READING, WEIGHT, WORDS
from segkit.segments.profile import profile_segments, size_segments

KINDS = {
    "spend": ("value", "money"),
    "order_count": ("lifecycle", "count"),
    "days_since_last_order": ("lifecycle", "days"),
    "tenure_days": ("lifecycle", "days"),
    "lines_per_order": ("basket", "count"),
    "weekend_order_share": ("rhythm", "share"),
    "category_drug_gm_share": ("taste", "share"),
    "coupon_order_share": ("price", "share"),
}
USUAL = [300.0, 12, 15, 300, 8, 0.3, 0.1, 0.05]
PLANTED = {  # what sets each planted segment apart, and the name it should get
    "Big spenders": {"spend": 3000},
    "Lapsed light buyers": {"spend": 60, "days_since_last_order": 200},
    "New shoppers": {"tenure_days": 40},
    "Drugstore regulars": {"category_drug_gm_share": 0.6, "order_count": 30},
    "Coupon users": {"coupon_order_share": 0.5},
    "Mid-range shoppers": {},
}


BIG = {"spend": 3000}


def planted(seed=0, customers=120, planted_segments=PLANTED):
    """Features of a segment per planted name, and the segments, S1 first."""
    rng = np.random.default_rng(seed)
    parts = []
    for special in planted_segments.values():
        centre = pd.Series(USUAL, index=list(KINDS)) * 1.0
        centre.update(pd.Series(special, dtype=float))
        part = pd.DataFrame({name: centre[name] * rng.lognormal(0, 0.25, customers) for name in KINDS})
        shares = [name for name in KINDS if name.endswith("share")]
        parts.append(part.assign(**{name: part[name].clip(0, 1) for name in shares}))
    features = pd.concat(parts, ignore_index=True).rename("c{:04}".format)
    ids = np.repeat([f"S{number}" for number in range(1, len(parts) + 1)], customers)
    return features, pd.Series(ids, index=features.index)


def dictionary():
    return pd.DataFrame(KINDS, index=["family", "kind"]).T.assign(unit="")


def with_gaps():
    return pd.concat([dictionary(), pd.DataFrame({"family": "rhythm", "kind": "days", "unit": ""}, ["mean_gap_days"])])


def named(features, segments, used=("spend",), currency="USD"):
    profile = profile_segments(features, dictionary(), segments, used)
    return name_segments(profile, size_segments(segments, features["spend"]), currency)


@pytest.mark.parametrize("seed", range(5))
def test_planted_segments_get_the_names_planted(seed):
    names, _ = named(*planted(seed))
    assert names["segment"].tolist() == list(PLANTED)


def test_permuting_labels_permutes_the_names():
    features, segments = planted()
    ids = sorted(segments.unique())
    for shuffled in itertools.islice(itertools.permutations(ids), 1, 100, 13):
        new_id = dict(zip(ids, shuffled, strict=True))
        names, _ = named(features, segments.map(new_id))
        there = names.set_index("segment_id")["segment"]
        assert [there[new_id[name]] for name in ids] == list(PLANTED)


def test_every_word_of_a_name_is_backed_by_a_large_and_certain_figure():
    names, words = named(*planted())
    apart = words[words["word"] != "Mid-range"]  # which says that they are near the others
    assert (apart["effect_low"] * apart["effect_high"] > 0).all()
    assert words["low"].le(words["figure"]).all()
    assert words["figure"].le(words["high"]).all()
    for segment_id, name in zip(names["segment_id"], names["segment"], strict=True):
        backed = " ".join(words.loc[words["segment_id"] == segment_id, "word"]).lower()
        assert set(name.lower().split()) - set(backed.split()) <= {"average", "shoppers", "coupon", "users"}


def test_words_from_clustered_features_are_descriptive_and_others_evidence():
    _, words = named(*planted(), used=["spend"])
    assert words.set_index("word")["basis"][["big spenders", "Drugstore"]].tolist() == ["descriptive", "evidence"]


def test_a_small_or_an_uncertain_effect_gives_no_word():
    features, segments = planted(planted_segments={"a": {"spend": 330}, "b": {}})
    names, words = named(features, segments)
    assert words.empty
    assert names["segment"].str.endswith("verage shoppers").all()
    few = segments.groupby(segments).head(12).index  # twelve customers each: large effects, wide intervals
    noisy = features.loc[few].assign(order_count=np.random.default_rng(1).lognormal(2, 1, len(few)))
    assert not set(named(noisy, segments[few])[1]["feature"]) & {"order_count"}


def test_nobody_has_lapsed_after_a_few_days_however_unusual():
    features, segments = planted(
        planted_segments={"a": {"days_since_last_order": 6}, "b": {"days_since_last_order": 2}}
    )
    assert "Laps" not in " ".join(named(features, segments)[0]["segment"])


def test_the_segment_with_most_revenue_never_lapses():
    special = {"days_since_last_order": 200, "spend": 3000}
    names, words = named(*planted(planted_segments={"top": special, "rest": {}}))
    assert "Lapsed" not in words["word"].tolist()
    assert names["segment"][0] == "Big spenders"


def test_segments_with_one_name_take_their_next_word():
    some, more = {"coupon_order_share": 0.2}, {"coupon_order_share": 0.25}
    names, _ = named(*planted(planted_segments={"a": BIG, "b": BIG | some, "c": more, "d": {}, "e": {}}))
    assert names["segment"].tolist()[:2] == ["Big spenders", "Coupon-led big spenders"]


def test_where_words_run_out_the_order_in_a_figure_tells_apart_and_only_then_a_number():
    features, segments = planted(planted_segments={"a": {"spend": 300}, "b": {"spend": 400}})
    names, words = named(features, segments)
    assert names["segment"].tolist() == ["Lower-spend average shoppers", "Higher-spend average shoppers"]
    alike, segments = planted(planted_segments={"a": {}, "b": {}})
    names, _ = named(alike, segments)
    assert sorted(names["segment"]) == ["Average shoppers", "Average shoppers 2"]


def test_customers_left_out_are_called_unsegmented_whatever_they_look_like():
    features, segments = planted()
    names, words = named(features, segments.replace("S1", "S0"))
    assert names["segment"][0] == "Unsegmented"
    assert "S0" not in words["segment_id"].tolist()


def test_a_word_needs_to_be_known_for_half_of_the_segment():
    features, segments = planted()
    features.loc[features.index[segments == "S4"][:70], "category_drug_gm_share"] = np.nan
    assert "Drugstore" not in named(features, segments)[1]["word"].tolist()


def test_features_the_vocabulary_does_not_know_lend_their_own_name():
    rng = np.random.default_rng(0)
    answers = pd.DataFrame({"spicy": np.r_[rng.random(60) < 0.9, rng.random(60) < 0.1].astype(float)})
    meaning = pd.DataFrame({"family": "given", "kind": "binary", "unit": ""}, index=["spicy"])
    halves = pd.Series(["S1"] * 60 + ["S2"] * 60)
    profile = profile_segments(answers, meaning, halves)
    names, _ = name_segments(profile, size_segments(halves, pd.Series(np.nan, index=halves.index)))
    assert names["segment"].tolist() == ["Spicy customers", "Non-spicy customers"]


def test_a_description_tells_size_money_rhythm_and_what_differs():
    names, _ = named(*planted())
    sentence = names["description"][3].replace("\xa0", " ")
    assert sentence.startswith("120 customers (17 %) who bring 7 % of revenue. In the year, at the median: ")
    assert ", last order 15.5 days ago (" in sentence
    assert ". They also differ in share of spend on drugstore goods (60 %, all customers 18 %)." in sentence


def test_descriptions_tell_their_usual_figures_in_one_order_whatever_differs_most():
    features, segments = planted(
        planted_segments={"often": {"order_count": 90}, "rest": {}, "dear": {"spend": 9000, "order_count": 20}}
    )
    sentences = named(features, segments)[0]["description"].str.replace("\xa0", " ")
    assert sentences.str.contains(
        r"at the median: [\d.]+ orders(?: \(.+?\))?, [\d,]+ USD spent(?: \(.+?\))?, last"
    ).all()


def test_names_of_one_run_differ_in_a_word_that_a_figure_backs_and_not_in_a_number():
    shops = {"a": {"spend": 9000}, "b": {"spend": 3000}, "c": {}, "d": {}, "e": {}, "f": {"spend": 60}}
    names, words = named(*planted(planted_segments=shops))
    assert names["segment"].tolist()[:2] == ["Top spenders", "Big spenders"]
    assert words.set_index("segment_id").loc["S1", ["word", "feature"]].tolist() == ["top spenders", "spend"]
    features, segments = planted(planted_segments={"a": {}, "b": {"days_since_last_order": 5}, "c": {}})
    profile, sizes = profile_segments(features, dictionary(), segments), size_segments(segments, features["spend"])
    names, _ = tell_apart({"S1": "shoppers", "S2": "shoppers", "S3": "others"}, profile, sizes, {})
    assert list(names.values()) == ["less-recent shoppers", "more-recent shoppers", "others"]


def test_a_word_that_one_is_called_by_is_owed_to_those_of_its_noun_who_have_more_right_to_it():
    often = {"order_count": 60}
    fans = often | {"coupon_order_share": 0.7, "category_drug_gm_share": 0.7}
    shops = {"fans": fans, "some": often | {"coupon_order_share": 0.4}, "a": {}, "b": {}, "few": {"spend": 60}}
    names = named(*planted(planted_segments=shops))[0]["segment"]
    assert names[:2].tolist() == ["Coupon-led drugstore regulars", "Coupon-led regulars"]
    alike = named(*planted(planted_segments=shops | {"fans": fans | {"coupon_order_share": 0.05}}))[0]["segment"]
    assert alike[:2].tolist() == ["Drugstore regulars", "Coupon-led regulars"]


def test_suggestions_follow_the_words():
    names, _ = named(*planted())
    assert names["action"][0].startswith("Protect them")
    assert "win-back" in names["caution"][1]
    assert names["lever"].tolist() == [
        "more per customer",
        "win back",
        *["more per customer"] * 2,
        "smaller discounts",
        "",
    ]


def test_no_name_can_be_longer_than_four_words_and_every_theme_is_read_and_weighed():
    assert {word.theme for word in WORDS} <= set(READING) & set(WEIGHT)
    assert all(len(word.text.split()) == 1 for word in WORDS)
    assert max(len(noun.text.split()) for noun in NOUNS) < MOST_WORDS


def test_who_ordered_once_has_not_lapsed():
    features, segments = planted(
        planted_segments={"once": {"order_count": 1, "days_since_last_order": 200}, "rest": {}, "more": {"spend": 3000}}
    )
    features["order_count"] = features["order_count"].where(segments != "S1", 1.0)
    for again, name in ((8, "One-time buyers"), (36, "Lapsed light buyers")):  # of 120, who have days between orders
        features["mean_gap_days"] = np.where(features.index < f"c{120 - again:04}", np.nan, 30.0)
        profile = profile_segments(features, with_gaps(), segments)
        assert name == name_segments(profile, size_segments(segments, features["spend"]))[0]["segment"][0]


def test_nobody_is_overdue_before_the_usual_days_between_orders_have_passed():
    features, segments = planted(planted_segments={"slow": {"days_since_last_order": 110}, "rest": {}, "more": {}})
    for gap, lapsed in ((20.0, True), (130.0, False)):
        profile = profile_segments(features.assign(mean_gap_days=gap), with_gaps(), segments)
        names, _ = name_segments(profile, size_segments(segments, features["spend"] * (segments != "S1")))
        assert ("Lapsed" in names["segment"][0]) == lapsed


def test_who_spends_between_others_is_not_called_average():
    names, words = named(*planted(planted_segments={"a": {"spend": 3000}, "b": {"spend": 420}, "c": {"spend": 60}}))
    assert names["segment"].tolist() == ["Big spenders", "Mid-range shoppers", "Light buyers"]
    backing = words[words["word"] == "Mid-range"].iloc[0]
    assert -1 < backing["effect_low"] < backing["effect_high"] < 1


def test_two_segments_are_not_given_the_same_advice_where_another_fits():
    big = {"spend": 3000}
    names, _ = named(*planted(planted_segments={"a": big, "b": big | {"order_count": 60}, "c": {}, "d": {}}))
    assert names["action"][:2].is_unique


@pytest.mark.parametrize(("orders", "basket", "big_shops"), [(12, 60, True), (12, 20, False), (60, 60, False)])
def test_an_idea_for_big_shops_needs_a_bigger_basket_than_all_have_and_no_more_orders(orders, basket, big_shops):
    special = {"lines_per_order": 40, "order_count": orders}
    features, segments = planted(planted_segments={"a": special, "b": {}, "c": {}})
    features["mean_order_value"] = np.where(segments == "S1", basket, 30.0)
    meaning = pd.concat([dictionary(), pd.DataFrame({"family": "basket", "kind": "money"}, ["mean_order_value"])])
    profile = profile_segments(features, meaning.fillna({"unit": ""}), segments)
    action = name_segments(profile, size_segments(segments, features["spend"]))[0]["action"][0]
    assert action.startswith("Write ahead of their next big shop") == big_shops


def test_two_segments_of_different_tastes_are_each_told_their_own():
    meaning = pd.concat([dictionary(), pd.DataFrame({"family": "taste", "kind": "share"}, ["category_küche_share"])])
    features, segments = planted(planted_segments={"a": {"category_drug_gm_share": 0.6}, "b": {}, "c": {}})
    features["category_küche_share"] = np.where(segments == "S2", 0.6, 0.1)
    profile = profile_segments(features, meaning.fillna({"unit": ""}), segments)
    names = name_segments(profile, size_segments(segments, features["spend"]))[0]
    assert "drugstore goods" in names["action"][0]
    assert "Küche" in names["action"][1]


def test_a_category_keeps_its_capital_within_a_name_and_a_kept_name_without_one_is_the_same():
    meaning = pd.concat([dictionary(), pd.DataFrame({"family": "taste", "kind": "share"}, ["category_küche_share"])])
    cooks = {"order_count": 60}
    features, segments = planted(planted_segments={"a": cooks, "b": BIG, "c": {}, "d": {}, "e": {}})
    features["category_küche_share"] = np.where(segments.isin(["S1", "S2"]), 0.6, 0.1)
    profile = profile_segments(features, meaning.fillna({"unit": ""}), segments)
    sizes = size_segments(segments, features["spend"])
    assert "Küche regulars" in name_segments(profile, sizes)[0]["segment"].tolist()
    kept = {"S1": "küche regulars"}  # as names were written before
    beside = name_segments(profile, sizes, lasting=kept)[0]["segment"]
    assert beside[0] == kept["S1"]
    assert beside.str.casefold().is_unique


def test_who_gets_no_idea_of_their_own_is_not_said_to_have_nothing_that_sets_them_apart():
    assert "apart" not in " ".join(OTHERWISE)


def test_a_name_that_lasts_is_kept_and_the_others_get_names_beside_it():
    kinds = {"split off": {"spend": 3600}, "lasting": {"spend": 3000}, "c": {}, "d": {"spend": 60}}
    features, segments = planted(planted_segments=kinds)
    profile = profile_segments(features, dictionary(), segments, ("spend",))
    sizes = size_segments(segments, features["spend"])
    alone = name_segments(profile, sizes)[0]["segment"].tolist()
    beside = name_segments(profile, sizes, lasting={"S2": "Big spenders"})[0]["segment"].tolist()
    assert alone[:2] == ["Top spenders", "Big spenders"]
    assert beside == ["Top spenders", "Big spenders", *alone[2:]]


def test_nobody_is_called_big_twice():
    rng = np.random.default_rng(0)
    large = np.r_[rng.normal(5, 0.3, 100), rng.normal(8, 0.3, 100)]
    shop = pd.DataFrame({"spend": np.exp(large), "mean_order_value": np.exp(large - 1)})
    shop.index = [f"c{i:03}" for i in range(200)]
    meaning = pd.DataFrame({"family": ["value", "value"], "kind": "money", "unit": "EUR"}, index=list(shop))
    halves = pd.Series(["S2"] * 100 + ["S1"] * 100, index=shop.index)
    names, _ = name_segments(profile_segments(shop, meaning, halves), size_segments(halves, shop["spend"]))
    assert set(names["segment"]) == {"Big spenders", "Light buyers"}


def test_other_customers_of_the_same_segments_give_the_same_names():
    features, segments = planted()
    there, again = set(named(features, segments)[0]["segment"]), []
    for seed in range(5):
        rows = np.random.default_rng(seed).integers(len(features), size=len(features))
        drawn = features.iloc[rows].set_axis([f"d{place:04}" for place in range(len(rows))])
        names, _ = named(drawn, segments.iloc[rows].set_axis(drawn.index))
        again += [name in there for name in names["segment"]]
    assert np.mean(again) >= 0.9


def test_big_spenders_are_those_of_whom_most_spend_more_than_the_mean_customer():
    whales = {"top": {"spend": 20000}, "upper": {"spend": 700}, **{name: {"spend": 100} for name in "abcd"}}
    features, segments = planted(planted_segments=whales)  # "upper" spends more than the median, not than the mean
    names = named(features, segments)[0]["segment"]
    assert names[0] == "Big spenders"
    assert "spenders" not in " ".join(names[1:])


@pytest.mark.parametrize(("orders", "called"), [(6, "Repeat buyers"), (60, "Regulars")])
def test_regulars_are_so_in_days_that_a_reader_accepts(orders, called):
    few = {name: {"order_count": orders / 4} for name in "bcd"}
    assert named(*planted(planted_segments={"a": {"order_count": orders}} | few))[0]["segment"][0] == called


@pytest.mark.parametrize(("orders", "told"), [(2, False), (12, True)])
def test_a_word_for_a_time_needs_three_orders_of_most(orders, told):
    shops = {"a": {"weekend_order_share": 0.9}, "b": {}, "c": {}}
    shops = {name: kind | {"order_count": orders} for name, kind in shops.items()}
    assert ("Weekend shoppers" in named(*planted(planted_segments=shops))[0]["segment"].tolist()) == told


def test_two_blurred_segments_do_not_differ_by_one_adjective_alone():
    one, other = BIG | {"coupon_order_share": 0.5}, BIG | {"category_drug_gm_share": 0.6, "tenure_days": 900}
    features, segments = planted(planted_segments={"a": one | {"order_count": 12}, "b": other, "c": {}, "d": {}})
    profile, sizes = profile_segments(features, dictionary(), segments), size_segments(segments, features["spend"])
    firm = name_segments(profile, sizes)[0]["segment"][:2].tolist()
    blurred = name_segments(profile, sizes, blurred={"S1", "S2"})[0]["segment"][:2].tolist()
    assert sorted(map(len, map(str.split, firm))) == [2, 3]  # such as "Big spenders", "Drugstore big spenders"
    assert blurred == ["Coupon-led big spenders", "Drugstore big spenders"]


def test_no_name_contradicts_itself():
    shops = {"a": {"spend": 3000}, "b": {"spend": 3400}, "c": {"spend": 60}, "d": {"spend": 75}, "e": {}, "f": {}}
    for seed in range(5):
        names = named(*planted(seed, planted_segments=shops))[0]["segment"].str.lower()
        assert not names.str.contains("(?:lower|higher)-spend (?:big|top|light)").any()


def test_goods_of_health_and_sex_life_and_those_of_the_card_name_no_segment():
    features, segments = planted(planted_segments={"a": {"category_drug_gm_share": 0.6}, "b": {}, "c": {}})
    for category, words in (("sexual_wellness", ()), ("wedding", ("wedding",))):
        feature = f"category_{category}_share"
        meaning = pd.concat([dictionary(), pd.DataFrame({"family": "taste", "kind": "share"}, [feature])])
        bought = features.rename(columns={"category_drug_gm_share": feature})
        profile = profile_segments(bought, meaning.fillna({"unit": ""}), segments, never_named=words)
        names = name_segments(profile, size_segments(segments, features["spend"]))[0]
        assert category.split("_")[0] not in " ".join([*names["segment"], *names["action"]]).lower()


def test_of_two_blurred_segments_with_one_mark_the_other_is_called_by_its_own():
    taste, both = {"category_drug_gm_share": 0.6}, {"category_drug_gm_share": 0.6, "coupon_order_share": 0.5}
    features, segments = planted(planted_segments={"a": taste, "b": both, "c": {}, "d": {}})
    profile, sizes = profile_segments(features, dictionary(), segments), size_segments(segments, features["spend"])
    assert name_segments(profile, sizes)[0]["segment"][:2].tolist() == ["Drugstore shoppers", "Coupon users"]
    both = {"spend": 60, "weekend_order_share": 0.9}
    features, segments = planted(planted_segments={"a": {"spend": 60}, "b": both, "c": {"spend": 900}, "d": {}})
    profile, sizes = profile_segments(features, dictionary(), segments), size_segments(segments, features["spend"])
    names = name_segments(profile, sizes, blurred={"S1", "S2"})[0]["segment"][:2].tolist()
    assert names == ["Light buyers", "Weekend shoppers"]


def test_the_names_of_a_rule_stay_also_where_a_cell_of_it_is_empty():
    features, segments = planted(planted_segments={"a": BIG, "b": {}, "c": {}})
    profile, sizes = profile_segments(features, dictionary(), segments), size_segments(segments, features["spend"])
    rule = {"S1": "Champions", "S2": "Loyal", "S3": "At risk", "S4": "Can't lose them"}
    names, words = name_segments(profile, sizes, lasting=rule)
    assert names["segment"].tolist() == ["Champions", "Loyal", "At risk"]
    assert words.empty
