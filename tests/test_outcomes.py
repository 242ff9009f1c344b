"""What customers did after a day: by hand, and in step with the features of the same recipe."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from segkit.data.cards.card import read_card
from segkit.data.orders import read_orders
from segkit.features.build import customer_features
from segkit.features.outcomes import customer_outcomes, outcome_dictionary
from segkit.runtime.errors import InputError

AS_OF = date(2024, 5, 31)

LINES = """customer,order,time,product,quantity,amount,discount,category,channel
ann,a1,2024-05-03 09:00:00,tea,1,8.00,0,Food,web
bob,b1,2024-05-31 23:59:59,cup,1,6.00,0,Home,shop
eve,e1,2024-05-20 12:00:00,cup,1,6.00,0,Home,shop
ann,a2,2024-06-01 00:00:00,tea,1,8.00,2.00,Food,web
ann,a3,2024-06-30 23:59:59,gin,1,20.00,10.00,Drinks,phone
ann,r1,2024-06-20 10:00:00,tea,-1,-8.00,0,Food,web
ann,a4,2024-07-01 00:00:00,tea,1,8.00,0,Food,web
bob,r2,2024-06-15 12:00:00,cup,-1,-6.00,0,Home,shop
new,n1,2024-06-15 12:00:00,cup,1,6.00,0,Home,shop
"""
SENDS = """who,what,sent,answered
ann,x,2024-06-02,2024-07-05
bob,x,2024-06-02,2024-06-05
bob,y,2024-06-03,
eve,z,2024-05-31,2024-06-05
"""
CARD = """
title = "Tiny"
[orders]
source = "lines.csv"
[orders.columns]
customer_id = "customer"
order_id = "order"
ordered_at = "time"
product_id = "product"
quantity = "quantity"
amount = "amount"
discount = "discount"
category = "category"
channel = "channel"
[campaigns]
source = "sends.csv"
[campaigns.columns]
customer_id = "who"
campaign_id = "what"
sent_at = "sent"
responded_at = "answered"
"""


@pytest.fixture
def shop(tmp_path):
    (tmp_path / "lines.csv").write_text(LINES)
    (tmp_path / "sends.csv").write_text(SENDS)
    (tmp_path / "tiny.toml").write_text(CARD)
    return lambda as_of: read_orders(read_card(tmp_path / "tiny.toml"), as_of)


@pytest.fixture
def june(shop):
    with shop(date(2024, 6, 30)) as orders:
        may = customer_features(orders, AS_OF, window_days=30)
        return customer_outcomes(orders, AS_OF, 30, may.recipe, may.table.index)


def test_how_much_by_hand_for_exactly_the_customers_of_the_features(june):
    assert june.index.tolist() == ["ann", "bob", "eve"]  # not the one who is new
    # Ann's orders of the first and the last moment of June, less the return; Bob only brought something back.
    assert june[["orders_again", "next_order_count", "next_spend"]].to_numpy().tolist() == [
        [1, 2, 20],
        [0, 0, 0],
        [0, 0, 0],
    ]


def test_what_and_how_by_hand_of_those_who_ordered(june):
    shares = ["next_discount_share", "next_category_food_share", "next_category_home_share"]
    assert june.loc["ann", shares].tolist() == pytest.approx([12 / 40, 8 / 28, 0])
    assert june.loc["ann", ["next_channel_web_share", "next_channel_shop_share"]].tolist() == [0.5, 0]
    assert june.loc[["bob", "eve"], shares].isna().all(axis=None)
    assert "next_category_other_share" not in june  # it follows from the others


def test_a_campaign_counts_if_sent_and_answered_in_the_horizon(june):
    np.testing.assert_array_equal(june["next_campaign_answered"], [0, 1, np.nan])


def test_the_dictionary_has_the_columns_each_in_one_group(shop, june):
    with shop(AS_OF) as orders:
        dictionary = outcome_dictionary(customer_features(orders, AS_OF, 30).recipe)
    assert june.columns.tolist() == dictionary.index.tolist()
    assert dictionary.groupby("group").size().to_dict() == {"behaviour": 6, "value": 3}
    assert set(dictionary["loss"]) == {"binary", "count", "money", "share"}


def test_without_a_list_everybody_with_an_order_comes_back(shop):
    with shop(None) as orders:
        recipe = customer_features(orders, AS_OF, window_days=30).recipe
        assert customer_outcomes(orders, AS_OF, 30, recipe).index.tolist() == ["ann", "new"]


def test_a_horizon_that_the_orders_do_not_reach_is_refused(shop):
    with shop(date(2024, 6, 29)) as orders:
        recipe = customer_features(orders, AS_OF, window_days=30).recipe
        with pytest.raises(InputError, match=r"up to 2024-06-30 .* as of 2024-06-29"):
            customer_outcomes(orders, AS_OF, 30, recipe)


def test_outcomes_of_real_orders_are_the_features_of_the_horizon():
    with read_orders(read_card("complete-journey"), date(2017, 9, 30)) as orders:
        july = customer_features(orders, date(2017, 7, 31), window_days=60)
        outcomes = customer_outcomes(orders, date(2017, 7, 31), 61, july.recipe, july.table.index)
        then = customer_features(orders, date(2017, 9, 30), 61, recipe=july.recipe).table
    both = then.index.intersection(outcomes.index)
    assert outcomes["orders_again"].sum() == len(both)
    for name in ("spend", "order_count", "discount_share", "own_brand_share", "category_meat_share"):
        pd.testing.assert_series_equal(
            outcomes.loc[both, f"next_{name}"], then.loc[both, name], check_names=False, check_dtype=False
        )
