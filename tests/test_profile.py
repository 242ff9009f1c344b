"""The profile: by hand, what it must not depend on, and what it must not claim."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segkit.runtime.errors import InputError
from segkit.segments.profile import FEWEST_KNOWN, profile_segments, size_segments, sort_ids

KINDS = {"spend": "money", "coupon_order_share": "share", "age": "category", "member": "binary"}


def dictionary(kinds=KINDS):
    return pd.DataFrame({"family": "value", "kind": kinds, "unit": ""}, index=list(kinds))


def shop(customers=400, seed=0):
    """Two segments that differ in spend and age, and in nothing else."""
    rng = np.random.default_rng(seed)
    rich = np.arange(customers) % 2 == 0
    features = pd.DataFrame(
        {
            "spend": np.where(rich, 1000.0, 100.0) * rng.lognormal(0, 0.3, customers),
            "coupon_order_share": rng.beta(2, 8, customers),
            "age": np.where(rng.random(customers) < np.where(rich, 0.8, 0.3), "45-54", "19-24"),
            "member": rng.random(customers) < 0.5,
        },
        index=pd.Index([f"c{number:04}" for number in range(customers)], name="customer_id"),
    )
    return features, pd.Series(np.where(rich, "S1", "S2"), index=features.index)


def row(profile, segment_id, feature, level=""):
    wanted = (profile["segment_id"] == segment_id) & (profile["feature"] == feature) & (profile["level"] == level)
    return profile[wanted].iloc[0]


def test_centres_are_medians_of_money_and_means_of_shares_beside_those_of_all():
    spend = [float(amount) for amount in range(1, 31)]
    share = [0.0] * 15 + [0.5] * 15
    features = pd.DataFrame({"spend": spend, "coupon_order_share": share})
    halves = pd.Series(["S1"] * 15 + ["S2"] * 15)
    profile = profile_segments(features, dictionary(), halves)
    assert row(profile, "S1", "spend")[["centre", "overall"]].tolist() == [8.0, 15.5]
    assert row(profile, "S2", "coupon_order_share")[["centre", "overall", "effect"]].tolist() == [0.5, 0.25, 0.25]
    # 15 ordered values: (15 - 1.96 * sqrt(15)) / 2 = 3.7, so the 3rd from either end
    assert row(profile, "S1", "spend")[["low", "high"]].tolist() == [3.0, 13.0]


def test_an_effect_is_measured_in_standard_deviations_of_all_customers_after_log1p():
    features = pd.DataFrame({"spend": np.expm1([1.0] * 20 + [3.0] * 20)})
    halves = pd.Series(["S1"] * 20 + ["S2"] * 20)
    profile = profile_segments(features, dictionary(), halves)
    np.testing.assert_allclose(profile["effect"], [-1, 1])  # log1p: mean 2, sd 1
    np.testing.assert_allclose(profile["effect_sd"], [-1, 1])


def test_what_differs_is_large_and_certain_and_nothing_else():
    features, segments = shop()
    profile = profile_segments(features, dictionary(), segments, used_features=["spend"])
    assert set(profile.loc[profile["differs"], "feature"]) == {"spend", "age"}
    assert set(profile.loc[profile["used"], "feature"]) == {"spend"}
    assert (profile["effect_low"] < profile["effect"]).all()


def test_a_large_difference_among_few_customers_is_not_called_one():
    features, segments = shop(24)
    assert not profile_segments(features, dictionary(), segments)["differs"].loc[lambda _: features["age"].nunique()]
    tiny = segments.where(np.arange(24) >= FEWEST_KNOWN - 1, "S3")
    profile = profile_segments(features, dictionary(), tiny)
    assert profile.loc[profile["segment_id"] == "S3", ["centre", "effect"]].isna().all(axis=None)


@pytest.mark.parametrize("seed", range(3))
def test_segments_cut_at_random_differ_in_nothing(seed):
    features, segments = shop(2000, seed)
    shuffled = pd.Series(np.random.default_rng(seed).permutation(segments), index=segments.index)
    assert not profile_segments(features, dictionary(), shuffled)["differs"].any()


def test_simultaneous_intervals_cover_no_difference_in_95_of_100_tables():
    rng, missed = np.random.default_rng(5), 0
    codes = pd.Series(rng.permutation(["S1"] * 60 + ["S2"] * 140))
    for _ in range(100):
        features = pd.DataFrame({"spend": rng.lognormal(3, 1, 200), "coupon_order_share": rng.beta(1, 6, 200)})
        profile = profile_segments(features, dictionary(), codes)
        missed += (profile["effect_low"] * profile["effect_high"] > 0).any()
    assert missed <= 12  # 5 expected; more than 12 with probability 0.002


def test_effects_come_from_segments_that_customers_had_no_part_in_and_centres_from_the_delivered_ones():
    features, segments = shop()
    both = profile_segments(features, dictionary(), segments)
    crossed = segments.where(np.arange(len(segments)) >= 100, "S0")  # a hundred found no segment of theirs
    held = profile_segments(features, dictionary(), segments, crossed=crossed)
    pd.testing.assert_series_equal(held["centre"], both["centre"])
    there = profile_segments(features, dictionary(), crossed)
    there = there[there["segment_id"] != "S0"]
    np.testing.assert_allclose(held["effect"], there["effect"])  # all customers are all, those without a segment too


def test_differences_that_only_the_customers_of_a_segment_show_are_not_claimed():
    rng = np.random.default_rng(3)
    noise = pd.DataFrame({f"x{n}": rng.normal(size=60) for n in range(3)}, index=[f"c{n:02}" for n in range(60)])
    meaning = pd.DataFrame({"family": "value", "kind": "number", "unit": ""}, index=list(noise))
    made = pd.Series(np.where(noise["x0"] + noise["x1"] > 0, "S1", "S2"), index=noise.index)
    crossed = pd.Series(rng.permutation(made), index=noise.index)  # other customers make other segments
    assert profile_segments(noise, meaning, made)["differs"].any()
    assert not profile_segments(noise, meaning, made, crossed=crossed)["differs"].any()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_order_of_rows_and_missing_values_of_others_change_nothing(seed):
    features, segments = shop(60)
    features.loc[features.index[:7], "spend"] = np.nan
    order = np.random.default_rng(seed).permutation(len(features))
    there = profile_segments(features, dictionary(), segments)
    pd.testing.assert_frame_equal(there, profile_segments(features.iloc[order], dictionary(), segments))
    assert row(there, "S1", "spend")["customers"] == 26


def test_permuting_labels_permutes_the_profile():
    features, segments = shop()
    swapped = profile_segments(features, dictionary(), segments.map({"S1": "S2", "S2": "S1"}))
    there = profile_segments(features, dictionary(), segments)
    assert row(there, "S1", "spend")["effect"] == pytest.approx(row(swapped, "S2", "spend")["effect"], rel=1e-12)


def test_a_share_that_nobody_has_keeps_an_interval():
    features = pd.DataFrame({"coupon_order_share": [0.0] * 50 + [0.2, 0.4] * 25})
    halves = pd.Series(["S1"] * 50 + ["S2"] * 50)
    none = row(profile_segments(features, dictionary(), halves), "S1", "coupon_order_share")
    assert none["low"] == 0 < none["high"] < 0.05


def test_sizes_reconcile_with_customers_and_revenue():
    features, segments = shop()
    sizes = size_segments(segments.where(segments != "S2", "S0"), features["spend"])
    assert sizes["segment_id"].tolist() == ["S0", "S1"]
    assert sizes["customers"].sum() == len(features)
    assert sizes["revenue"].sum() == pytest.approx(features["spend"].sum())
    assert sizes[["customer_share", "revenue_share"]].sum().tolist() == pytest.approx([1, 1])


def test_segments_come_in_the_order_people_count():
    assert sort_ids(["S10", "S9", "S0"]) == ["S0", "S9", "S10"]


def test_customers_without_a_segment_and_unknown_features_are_named():
    features, segments = shop(40)
    with pytest.raises(InputError, match="2 of 40 customers have no segment, such as c0038, c0039"):
        profile_segments(features, dictionary(), segments.head(38))
    with pytest.raises(InputError, match="not in the dictionary: age"):
        profile_segments(features, dictionary().drop("age"), segments)


def test_what_few_of_a_segment_have_is_not_told_of_it():
    features, dictionary, segments = one_time_shoppers()
    profile = profile_segments(features, dictionary, segments).set_index(["segment_id", "feature"])
    assert profile.loc[("S1", "mean_gap_days"), ["customers", "differs"]].tolist() == [19, False]
    assert profile.loc[("S1", "mean_gap_days"), ["centre", "effect", "effect_low"]].isna().all()
    assert profile.loc[("S2", "mean_gap_days"), "centre"] == 30
    assert profile.loc[("S1", "age"), "centre"] == 40  # nobody asked the others


def one_time_shoppers():
    index = pd.Index([f"c{number:04}" for number in range(400)], name="customer_id")
    gaps = [4.0] * 19 + [np.nan] * 181 + [30.0] * 200
    features = pd.DataFrame({"mean_gap_days": gaps, "age": [40.0] * 19 + [np.nan] * 181 + [50.0] * 200}, index=index)
    meaning = {"family": ["rhythm", "who"], "kind": ["days", "number"], "unit": ""}
    dictionary = pd.DataFrame(meaning, index=["mean_gap_days", "age"])
    return features, dictionary, pd.Series(["S1"] * 200 + ["S2"] * 200, index=index)
