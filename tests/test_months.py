"""Two months side by side: identity, moves, drift, forecasts, advice."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segkit.monitoring.drift import feature_drift, mix_drift
from segkit.monitoring.forecast import check_forecast, forecast_sizes
from segkit.monitoring.matching import match_segments
from segkit.monitoring.migration import migrated_revenue, migrations, moved_or_remodelled, net_sizes
from segkit.monitoring.refit import advise_way
from segkit.runtime.errors import InputError

KINDS = pd.DataFrame({"kind": "number"}, index=pd.Index([f"f{i}" for i in range(10)], name="feature"))


@pytest.fixture
def may():
    """Three segments of 40, 40 and 20 customers."""
    return pd.Series(["S1"] * 40 + ["S2"] * 40 + ["S3"] * 20, index=[f"c{i:03}" for i in range(100)])


def events(matching):
    return {(row.event, row.segment_id): row.other_id for row in matching.events.itertuples()}


def test_a_month_against_itself_is_the_identity(may):
    matching = match_segments(may, may, used_ids=())
    assert matching.ids == {"S1": "S1", "S2": "S2", "S3": "S3"}
    assert set(matching.events["event"]) == {"kept"}
    assert (matching.events["jaccard"] == 1).all()


def test_permuted_labels_and_shuffled_rows_change_nothing(may):
    permuted = may.map({"S1": "S3", "S2": "S1", "S3": "S2"}).sample(frac=1, random_state=1)
    assert match_segments(may, permuted, used_ids=()).ids == {"S1": "S2", "S2": "S3", "S3": "S1"}


def test_a_planted_split_is_recognised_and_its_new_half_gets_a_number_never_used(may):
    june = may.copy()
    june.iloc[:15] = "S4"
    matching = match_segments(may, june, used_ids=("S1", "S2", "S3", "S7"))
    assert matching.ids["S4"] == "S8"
    assert events(matching)["split", "S8"] == "S1"
    assert matching.used_ids[-1] == "S8"


def test_a_planted_merger_is_recognised(may):
    matching = match_segments(may, may.replace("S3", "S2"), used_ids=())
    assert events(matching) == {("kept", "S1"): "S1", ("kept", "S2"): "S2", ("merged", "S3"): "S2"}


def test_a_planted_birth_and_death_are_recognised(may):
    newcomers = pd.Series("S9", index=[f"n{i}" for i in range(30)])
    june = pd.concat([may[may != "S3"], newcomers])
    found = events(match_segments(may, june, used_ids=()))
    assert ("new", "S4") in found
    assert ("gone", "S3") in found


def test_random_segments_of_another_month_are_no_old_acquaintances(may):
    random = pd.Series(np.random.default_rng(0).choice(["S1", "S2", "S3", "S4", "S5"], 100), index=may.index)
    assert (match_segments(may, random, used_ids=()).events["event"] == "kept").sum() <= 1


def test_customers_left_out_are_no_segment_and_keep_their_id(may):
    june = may.copy()
    june.iloc[:5] = "S0"
    assert match_segments(may, june, used_ids=()).ids["S0"] == "S0"


SEGMENTS = st.dictionaries(st.integers(0, 30), st.sampled_from(["S0", "S1", "S2", "S3"]), min_size=1)


@settings(max_examples=50, deadline=None)
@given(SEGMENTS, SEGMENTS)
def test_every_customer_of_either_month_is_in_one_move(old, new):
    old, new = pd.Series(old, dtype="str"), pd.Series(new, dtype="str")
    moves = migrations(old, new)
    assert moves["customers"].sum() == len(old.index.union(new.index))
    assert np.allclose(moves.groupby("from_segment_id")["share"].sum(), 1)
    after = moves[moves["to_segment_id"] != "left"].groupby("to_segment_id")["customers"].sum()
    assert after.to_dict() == new.value_counts().to_dict()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(*[st.sampled_from(["S1", "S2", "S3"])] * 4), min_size=1, max_size=40))
def test_cells_are_disjoint_and_net_sizes_add_up_exactly_in_either_order(rows):
    a, b, c, d = (pd.Series(list(column)) for column in zip(*rows, strict=True))
    joined, left = pd.Series({"x": "S1"}), pd.Series({"y": "S2", "z": "S3"})
    assert moved_or_remodelled(a, b, c)["customers"].sum() == len(rows)
    sizes = net_sizes(a, b, c, joined, left, d)
    total = sizes["before"] + sizes["moved"] + sizes["remodelled"] + sizes["joined"] - sizes["left"]
    assert total.equals(sizes["after"])
    assert (sizes["remodelled_first"] + sizes["moved_then"]).equals(sizes["moved"] + sizes["remodelled"])


def test_revenue_that_moved_is_all_revenue(may):
    june = may.iloc[10:].replace("S2", "S1")
    money = pd.Series(np.arange(100.0), index=may.index)
    moved = migrated_revenue(may, june, money, 2 * money)
    assert moved["revenue_before"].sum() == money.sum()
    assert moved["revenue_after"].sum() == 2 * money.iloc[10:].sum()


def shop(seed, n=1000):
    """Ten features that persist: this month is last month plus as much noise again."""
    rng = np.random.default_rng(seed)
    who = rng.normal(size=(n, 10))
    return tuple(
        pd.DataFrame((who + rng.normal(size=(n, 10))) / np.sqrt(2), columns=KINDS.index) for _ in ("then", "now")
    )


def test_no_change_hardly_ever_alarms():
    alarms = sum(feature_drift(*shop(seed), KINDS, seed=seed, resamples=60)["alarm"].sum() for seed in range(20))
    assert alarms <= 2  # of 200


def test_a_shift_of_half_a_standard_deviation_is_alarmed():
    found, others = 0, 0
    for seed in range(20):
        then, now = shop(seed)
        drift = feature_drift(then, now.assign(f3=now["f3"] + 0.5), KINDS, seed=seed, resamples=60)
        alarmed = drift.set_index("feature")["alarm"]
        found, others = found + alarmed["f3"], others + alarmed.drop("f3").sum()
    assert found >= 19
    assert others <= 2


def test_drift_does_not_depend_on_the_order_of_customers_or_features():
    then, now = shop(1)
    one = feature_drift(then, now, KINDS, seed=0, resamples=20).set_index("feature")
    other = feature_drift(then.sample(frac=1, random_state=0), now, KINDS.iloc[::-1], seed=0, resamples=20)
    pd.testing.assert_frame_equal(one, other.set_index("feature").loc[one.index])


def test_missing_values_and_atoms_have_bins_of_their_own():
    then = pd.DataFrame({"f0": [1.0] * 500 + [np.nan] * 500})
    now = pd.DataFrame({"f0": [1.0] * 800 + [np.nan] * 200})
    assert feature_drift(then, now, KINDS.head(1), seed=0)["alarm"].item()
    assert not feature_drift(then, then, KINDS.head(1), seed=0)["alarm"].item()


def test_a_changed_mix_of_segments_is_alarmed_and_the_same_mix_is_not(may):
    many = pd.Series(np.repeat(["S1", "S2"], 500))
    assert mix_drift(many, pd.Series(np.repeat(["S1", "S2"], [800, 200])), seed=0)["alarm"].item()
    assert not mix_drift(many, many.sample(frac=1, random_state=0).set_axis(many.index), seed=0)["alarm"].item()


def test_a_forecast_from_true_moves_covers_what_comes():
    rng, inside = np.random.default_rng(0), []
    matrix = np.array([[0.9, 0.1], [0.2, 0.8]])
    for _ in range(60):
        months = [rng.choice(2, 500)]
        for _ in range(2):
            months.append((rng.random(500) > matrix[months[-1], 0]).astype(int))
        named = [pd.Series(np.where(month == 0, "S1", "S2")) for month in months]
        forecast = forecast_sizes(migrations(named[0], named[1]), named[1].value_counts())
        inside += check_forecast(forecast, named[2].value_counts())["inside"].tolist()
    assert np.mean(inside) >= 0.95


def test_a_model_is_refitted_when_it_is_old_drifted_or_can_be_judged_at_last():
    assert advise_way(age_months=6, refit_after=6).way == "refit"
    assert advise_way(age_months=1, refit_after=6, judged_then=False).way == "refit"
    assert advise_way(age_months=1, refit_after=6, same_features=False).way == "refit"
    assert advise_way(age_months=9, refit_after=6, way="frozen").way == "frozen"
    assert advise_way(age_months=None, refit_after=6).way == "refit"


def test_what_cannot_be_compared_is_refused(may):
    with pytest.raises(InputError, match="no moves of S9 are known"):
        forecast_sizes(migrations(may, may), pd.Series({"S9": 3}))
    with pytest.raises(InputError, match="the current period has no customers"):
        feature_drift(shop(0)[0], shop(0)[1].head(0), KINDS, seed=0)
