"""The RFM map and the tiers: partitions that never punish a better customer, with frozen edges."""

import json
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segkit.clustering.rfm import RFM_MAPS, TIERS, RfmMap, ValueTiers, fit_rfm, fit_value_tiers
from segkit.runtime.errors import InputError

CELLS = list(product(range(1, 6), repeat=3))
# A map whose edges make figure and score the same thing: 4 days = score 1, 0 days = score 5.
BY_HAND = {"r": (3.0, 2.0, 1.0, 0.0), "f": (2.0, 3.0, 4.0, 5.0), "m": (2.0, 3.0, 4.0, 5.0)}


def _customers(cells=CELLS):
    table = pd.DataFrame(cells, columns=["days_since_last_order", "order_count", "spend"])
    return table.assign(days_since_last_order=5 - table["days_since_last_order"])


@pytest.mark.parametrize("version", RFM_MAPS)
def test_every_map_is_a_partition_of_the_125_cells(version):
    covered = [
        (r, fm)
        for cells in RFM_MAPS[version].values()
        for r_from, r_to, fm_from, fm_to in cells
        for r, fm in product(range(r_from, r_to + 1), range(fm_from, fm_to + 1))
    ]
    assert sorted(covered) == list(product(range(1, 6), repeat=2))  # each cell of r and fm once
    assigned = RfmMap(version, BY_HAND).assign(_customers())
    assert list(map(tuple, assigned[["r", "f", "m"]].to_numpy().tolist())) == CELLS
    assert set(assigned["segment"]) == set(RFM_MAPS[version])
    assert (assigned["label"] >= 0).all()


@pytest.mark.parametrize("version", RFM_MAPS)
def test_more_recent_more_frequent_or_more_money_never_scores_lower(version):
    ranks = list(RFM_MAPS[version])
    assigned = RfmMap(version, BY_HAND).assign(_customers())
    rank = {cell: ranks.index(segment) for cell, segment in zip(CELLS, assigned["segment"], strict=True)}
    for cell, axis in product(CELLS, range(3)):
        better = tuple(score + (place == axis) for place, score in enumerate(cell))
        assert rank.get(better, len(ranks)) >= rank[cell]


def test_quintiles_of_ten_customers_worked_out_by_hand():
    features = pd.DataFrame(
        {"days_since_last_order": range(10), "order_count": [1] * 6 + [2, 2, 3, 9], "spend": range(10)}
    )
    assigned = fit_rfm(features).assign(features)
    assert assigned["r"].to_list() == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1]
    assert assigned["m"].to_list() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert assigned["f"].to_list() == [2] * 6 + [4, 4, 5, 5]  # six share the fifth in which their middle, 30 %, lies


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 4), st.integers(-5, 9)), min_size=1, max_size=40))
def test_equal_customers_score_equal_and_better_ones_not_lower(figures):
    features = pd.DataFrame(figures, columns=["days_since_last_order", "order_count", "spend"])
    scored = fit_rfm(features).assign(features).join(features)
    assert scored["label"].between(0, 9).all()
    assert scored[["r", "f", "m"]].isin(range(1, 6)).all(axis=None)
    for score, figure in {"r": "days_since_last_order", "f": "order_count", "m": "spend"}.items():
        by_figure = scored.groupby(figure)[score]
        assert (by_figure.min() == by_figure.max()).all()
        assert by_figure.first().is_monotonic_decreasing if score == "r" else by_figure.first().is_monotonic_increasing


def test_a_baseline_is_frozen_and_stored():
    features = _customers().assign(spend=lambda table: table["spend"] * 10.5)
    rfm, tiers = fit_rfm(features), fit_value_tiers(features)
    assert RfmMap.from_dict(json.loads(json.dumps(rfm.to_dict()))) == rfm
    assert ValueTiers.from_dict(json.loads(json.dumps(tiers.to_dict()))) == tiers
    for baseline in (rfm, tiers):
        pd.testing.assert_frame_equal(baseline.assign(features.iloc[[3, 77]]), baseline.assign(features).iloc[[3, 77]])


def test_order_and_names_of_customers_change_nothing():
    features = _customers().sample(frac=1, random_state=0)
    for fit in (fit_rfm, fit_value_tiers):
        assert fit(features) == fit(_customers())


def test_tiers_hold_the_stated_shares_and_equal_spend_shares_a_tier():
    features = pd.DataFrame({"spend": np.arange(1000.0)})
    shares = fit_value_tiers(features).assign(features)["segment"].value_counts(normalize=True)
    assert shares[list(TIERS)].to_list() == [0.01, 0.04, 0.15, 0.3, 0.5]
    ties = pd.DataFrame({"spend": [100.0] * 30 + [1.0] * 70})
    assert fit_value_tiers(ties).assign(ties)["segment"].to_list() == ["Top 1 %"] * 30 + ["Next 30 %"] * 70


def test_a_table_without_the_columns_has_no_baseline():
    survey = pd.DataFrame({"yummy": [1, 0]})
    assert fit_rfm(survey) is None
    assert fit_value_tiers(survey) is None


def test_a_customer_without_a_figure_is_unknown():
    features = _customers().astype("float64")
    features.loc[0, "spend"] = np.nan
    for fit in (fit_rfm, fit_value_tiers):
        assigned = fit(features).assign(features)
        assert assigned.loc[0, ["label", "segment"]].to_list() == [-1, "Unknown"]
        assert (assigned["label"][1:] >= 0).all()


def test_customers_without_a_column_are_refused_by_its_name():
    with pytest.raises(InputError, match="features lack spend"):
        fit_rfm(_customers()).assign(_customers().drop(columns="spend"))
    with pytest.raises(InputError, match="unknown RFM map 'rfm-11'; there is rfm-10"):
        fit_rfm(_customers(), "rfm-11")
