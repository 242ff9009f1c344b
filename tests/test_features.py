"""By hand: a shop of ten order lines. Then conservation, indifference, edges, and pandas on real orders."""

import json
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from segkit.data.cards.card import read_card
from segkit.data.orders import read_orders
from segkit.features.build import customer_features
from segkit.features.dictionary import FAMILIES, FEATURES, TRANSFORMS
from segkit.runtime.errors import InputError

AS_OF = date(2024, 6, 30)  # a Sunday

# customer, order, time, product, quantity, amount, discount, coupon, category, channel, country, store, returned
LINES = """
ann,a1,2024-06-03 09:00:00,tea,2,8.00,2.00,0,Food,web,FR,1,false
ann,a1,2024-06-03 09:00:00,tea,1,4.00,1.00,0,Food,web,FR,1,false
ann,a1,2024-06-03 09:00:00,pan,1,20.00,0,5.00,Home,web,FR,1,false
ann,a2,2024-06-13 14:00:00,tea,1,5.00,0,0,Food,shop,FR,2,false
ann,a3,2024-06-30 23:59:59,cup,1,3.00,0,0,Home,web,DE,1,false
ann,r1,2024-06-20 10:00:00,pan,-1,-20.00,0,0,Home,web,FR,1,true
bob,b1,2024-06-29 20:30:00,cup,2,6.00,0,0,Home,shop,FR,2,false
bob,b2,2024-07-01 00:00:00,cup,1,3.00,0,0,Home,shop,FR,2,false
,g1,2024-06-10 12:00:00,pan,1,25.00,0,0,Home,shop,FR,2,false
cat,c1,2024-05-31 12:00:00,pan,1,25.00,0,0,Home,web,FR,1,false
dan,d1,2024-06-15 12:00:00,pan,-1,-25.00,0,0,Home,web,FR,1,true
"""
HEADER = "customer,order,time,product,quantity,amount,discount,coupon,category,channel,country,store,returned"
CARD = """
title = "Tiny"
currency = "EUR"
[orders]
source = "lines.csv"
[orders.columns]
customer_id = "customer"
order_id = "order"
ordered_at = "time"
product_id = "product"
quantity = "quantity"
amount = "amount"
is_return = "returned"
"""
OPTIONAL = {"discount": "discount", "coupon_discount": "coupon", "category": "category", "channel": "channel"}
OPTIONAL |= {"country": "country", "store_id": "store"}


def shop(folder: Path, lines: str = LINES, more: str = "", optional=tuple(OPTIONAL), as_of: date | None = AS_OF):
    (folder / "lines.csv").write_text(f"{HEADER}\n{lines.strip()}\n")
    columns = "".join(f'{name} = "{OPTIONAL[name]}"\n' for name in optional)
    (folder / "tiny.toml").write_text(CARD + columns + more)
    return read_orders(read_card(folder / "tiny.toml"), as_of)


@pytest.fixture
def june(tmp_path):
    with shop(tmp_path) as orders:
        return customer_features(orders, AS_OF, window_days=30)


def test_a_customer_has_an_order_in_the_window_that_is_no_return(june):
    # No guest, nobody whose only line is a return, nobody of 31 May: that is one day before the window.
    assert june.table.index.tolist() == ["ann", "bob"]


def test_value_and_lifecycle_by_hand(june):
    ann, bob = june.table.loc["ann"], june.table.loc["bob"]
    assert ann[["spend", "mean_order_value", "largest_order_value"]].tolist() == [20.0, 40 / 3, 32.0]
    assert ann[["order_count", "days_since_last_order", "tenure_days", "active_span_days"]].tolist() == [3, 0, 27, 27]
    # Bob's order of midnight after as_of is not there.
    assert bob[["spend", "order_count", "days_since_last_order", "tenure_days"]].tolist() == [6, 1, 1, 1]


def test_rhythm_by_hand_and_a_missing_gap_is_no_zero(june):
    ann, bob = june.table.loc["ann"], june.table.loc["bob"]
    assert ann["mean_gap_days"] == 13.5
    assert ann["gap_variation"] == pytest.approx(np.std([10, 17], ddof=1) / 13.5)
    assert bob[["mean_gap_days", "gap_variation"]].isna().all()
    parts = ["morning_order_share", "afternoon_order_share", "evening_order_share", "night_order_share"]
    assert ann[["weekend_order_share", *parts]].tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 1 / 3, 0])


def test_basket_by_hand_counts_a_product_once_per_order(june):
    names = ["lines_per_order", "products_per_order", "distinct_product_count", "repeat_product_share"]
    # Tea stands twice in the first order, and again in the second: one of the four products in orders is a repeat.
    assert june.table.loc["ann", names].tolist() == pytest.approx([5 / 3, 4 / 3, 3, 1 / 4])


def test_taste_and_price_by_hand(june):
    ann, bob = june.table.loc["ann"], june.table.loc["bob"]
    assert ann[["category_food_share", "category_home_share", "category_other_share"]].tolist() == [0.425, 0.575, 0]
    assert ann["category_entropy"] == pytest.approx(-0.425 * np.log(0.425) - 0.575 * np.log(0.575), abs=1e-6)
    assert bob["category_entropy"] == 0
    assert ann[["discount_share", "coupon_share"]].tolist() == pytest.approx([3 / 43, 5 / 45])
    # Unit prices in Home: 20 and 3 (ann), 3 (bob). Bob pays 3 / (180 ** (1/3)) of usual.
    assert bob["relative_price"] == pytest.approx(3 / 180 ** (1 / 3), rel=1e-5)


def test_goods_without_a_category_are_in_the_rest_and_have_no_usual_price(tmp_path):
    with shop(tmp_path, LINES + "fay,f1,2024-06-10 09:00:00,box,1,9.00,0,0,,web,FR,1,false\n") as orders:
        fay = customer_features(orders, AS_OF, window_days=30).table.loc["fay"]
    assert (fay["category_other_share"], fay["category_entropy"]) == (1, 0)
    assert np.isnan(fay["relative_price"])


def test_returns_channel_and_place_by_hand(june):
    ann = june.table.loc["ann"]
    assert ann[["return_order_share", "return_spend_share"]].tolist() == [1 / 4, 20 / 40]
    assert ann[["channel_web_share", "channel_shop_share", "channel_other_share"]].tolist() == pytest.approx(
        [2 / 3, 1 / 3, 0]
    )
    assert (ann["country"], ann["store_count"], ann["main_store_share"]) == ("FR", 2, pytest.approx(2 / 3))


def test_trend_needs_half_a_year_and_is_listed_as_absent_without(june):
    assert {"quarter_change", "spend_slope"}.isdisjoint(june.table)
    missing = june.dictionary.loc["quarter_change", "missing"]
    assert missing == "180 days of orders up to as_of (there are 30)"


def test_trend_by_hand(tmp_path):
    lines = "\n".join(
        f"eve,e{n},{day} 12:00:00,tea,1,{amount},0,0,Food,web,FR,1,false"
        for n, (day, amount) in enumerate(
            {"2023-12-31": 1, "2024-04-01": 9, "2024-04-02": 19, "2024-06-30": 30}.items()
        )
    )
    with shop(tmp_path, lines) as orders:
        eve = customer_features(orders, AS_OF).table.loc["eve"]
    # 1 April is 90 days before as_of, 2 April 89. Periods of 30 days, oldest first: 0 0 9 19 0 30.
    assert eve["quarter_change"] == pytest.approx(np.log(50 / 10))
    assert eve["spend_slope"] == pytest.approx(np.polyfit(range(6), [0, 0, 9, 19, 0, 30], 1)[0] / (58 / 6))


def test_responses_count_only_campaigns_of_the_window_answered_by_as_of(tmp_path):
    (tmp_path / "sends.csv").write_text(
        "who,what,sent,answered\nann,x,2024-06-02,2024-06-05\nann,y,2024-06-30,2024-07-01\nann,z,2024-05-31,2024-06-02\n"
    )
    more = '\n[campaigns]\nsource = "sends.csv"\n[campaigns.columns]\n'
    more += 'customer_id = "who"\ncampaign_id = "what"\nsent_at = "sent"\nresponded_at = "answered"\n'
    with shop(tmp_path, more=more, as_of=None) as orders:
        table = customer_features(orders, AS_OF, window_days=30).table
    names = ["campaigns_received_count", "campaigns_answered_count", "campaign_response_share"]
    assert table.loc["ann", names].tolist() == [2, 1, 0.5]
    assert table.loc["bob", names[:2]].tolist() == [0, 0]
    assert np.isnan(table.loc["bob", "campaign_response_share"])


def test_attributes_keep_their_kind_and_contacts_stay_outside(tmp_path):
    (tmp_path / "people.csv").write_text(
        "who,age,region,member,mail,spend\nann,30,North,true,ann@example.org,much\nbob,41,,false,bob@example.org,little\n"
    )
    more = '\n[customers]\nsource = "people.csv"\n[customers.columns]\ncustomer_id = "who"\n'
    more += 'age = "age"\nregion = "region"\nmember = { sql = "member = \'true\'" }\nemail = "mail"\nspend = "spend"\n'
    with shop(tmp_path, more=more) as orders:
        made = customer_features(orders, AS_OF, window_days=30)
    who = made.dictionary.query("family == 'who' and present")["kind"]
    assert who.to_dict() == {"age": "number", "region": "category", "member": "binary", "customer_spend": "category"}
    assert made.table.loc["bob", ["age", "member"]].tolist() == [41, 0]
    assert pd.isna(made.table.loc["bob", "region"])
    assert not made.dictionary.loc["email", "present"]
    assert "example.org" not in made.table.to_csv()


def test_what_columns_are_missing_costs_only_the_features_that_need_them(tmp_path):
    with shop(tmp_path, optional=()) as orders:
        made = customer_features(orders, AS_OF, window_days=30)
    absent = made.dictionary.query("not present")["missing"]
    assert absent["discount_share"] == "orders.discount"
    assert absent["category_share"] == absent["relative_price"] == "orders.category or products.category"
    assert absent["attributes"] == "customers"
    assert made.table.columns.tolist() == made.dictionary.query("present").index.tolist()
    assert {"spend", "repeat_product_share", "evening_order_share"} <= set(made.table)


def test_dates_without_a_time_of_day_have_no_daypart(tmp_path):
    lines = "\n".join(line for line in LINES.replace("23:59:59", "00:00:00").splitlines())
    lines = pd.Series(lines.split("\n")).str.replace(r" \d\d:\d\d:\d\d", " 00:00:00", regex=True)
    with shop(tmp_path, "\n".join(lines)) as orders:
        dictionary = customer_features(orders, AS_OF, window_days=30).dictionary
    assert dictionary.loc["night_order_share", "missing"] == "a time of day in orders.ordered_at"


def test_rows_after_as_of_shuffled_rows_and_renamed_products_change_nothing(tmp_path, june):
    later = "ann,z9,2024-07-02 10:00:00,gin,9,99.00,0,0,Drinks,phone,IT,7,false\n"
    rows = (LINES.strip() + "\n" + later).strip().split("\n")
    lines = "\n".join(rows[::-1]).replace(",tea,", ",chai,")
    with shop(tmp_path, lines) as orders:
        again = customer_features(orders, AS_OF, window_days=30)
    pd.testing.assert_frame_equal(again.table, june.table)
    pd.testing.assert_frame_equal(again.dictionary, june.dictionary)
    assert again.recipe == june.recipe


def test_orders_read_to_their_end_give_the_same_features_as_of_an_earlier_day(tmp_path, june):
    with shop(tmp_path, as_of=None) as orders:
        pd.testing.assert_frame_equal(customer_features(orders, AS_OF, window_days=30).table, june.table)


def test_a_recipe_makes_the_same_columns_of_another_month(tmp_path, june):
    recipe = json.loads(json.dumps(june.recipe))
    lines = "ann,a9,2024-07-31 10:00:00,gin,1,9.00,0,0,Drinks,web,FR,1,false"
    with shop(tmp_path, lines, as_of=date(2024, 7, 31)) as orders:
        july = customer_features(orders, date(2024, 7, 31), 30, recipe=recipe)
    assert july.table.columns.tolist() == june.table.columns.tolist()
    assert july.table.loc["ann", "category_other_share"] == 1


def test_a_recipe_whose_columns_are_gone_is_refused(tmp_path, june):
    with shop(tmp_path, optional=("category",)) as orders, pytest.raises(InputError, match=r"orders\.channel"):
        customer_features(orders, AS_OF, recipe=june.recipe)


def test_labels_that_look_alike_get_names_of_their_own(tmp_path):
    lines = LINES.replace(",Food,", ",other,").replace(",Home,", ",Other!,")
    with shop(tmp_path, lines) as orders:
        made = customer_features(orders, AS_OF, window_days=30)
    shares = [name for name in made.table if name.startswith("category_") and name.endswith("_share")]
    assert shares == ["category_other_2_share", "category_other_3_share", "category_other_share"]
    assert made.table[shares].sum(axis=1).tolist() == pytest.approx([1, 1])
    assert made.dictionary.loc["category_other_2_share", "definition"] == 'Share of spend in category "Other!".'


def test_a_window_without_orders_names_the_days_there_are(tmp_path):
    with shop(tmp_path) as orders, pytest.raises(InputError, match=r"from 2020-05-02 to 2020-05-31; .* 2024-05-31 to"):
        customer_features(orders, date(2020, 5, 31), window_days=30)


def test_features_after_the_day_the_orders_were_read_as_of_are_refused(tmp_path):
    with shop(tmp_path) as orders, pytest.raises(InputError, match="read as of 2024-06-30, before 2024-07-31"):
        customer_features(orders, date(2024, 7, 31))


def test_a_custom_feature_is_an_aggregate_over_orders(tmp_path):
    more = """\n[custom_features]
web_order_share = { sql = "avg((channel = 'web')::INT) -- all", kind = "share", family = "channel" }
last_amount = { sql = "max(amount)", kind = "money" }
"""
    with shop(tmp_path, more=more) as orders:
        made = customer_features(orders, AS_OF, window_days=30)
    assert made.table["web_order_share"].tolist() == pytest.approx([2 / 3, 0])
    assert made.table["last_amount"].tolist() == [32, 6]
    assert made.dictionary.loc["web_order_share", ["family", "kind", "present"]].tolist() == ["channel", "share", True]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("avg(amuont)", "`odd` fails: .*amuont.* their columns: order_id, ordered_at, .*channel"),
        ("amount", "`odd` fails: .* one aggregate"),
        ("sum(amount)", "`odd` is a share, but its figures run from 6"),
        ("min(channel)", "`odd` gives VARCHAR"),
        ("1); DROP TABLE orders; SELECT (1", "`odd` is not one SQL expression"),
        ("SELECT 1", "`odd` is not one SQL expression"),
        ("1 FROM orders", "`odd` is not one SQL expression"),
        ("(SELECT max(amount) FROM orders)", "`odd` is not one SQL expression"),
        ("1, 2", "`odd` is not one SQL expression"),
    ],
)
def test_a_custom_feature_that_fails_is_named(tmp_path, sql, message):
    more = f'\n[custom_features]\nodd = {{ sql = "{sql}", kind = "share" }}\n'
    with shop(tmp_path, more=more) as orders, pytest.raises(InputError, match=message):
        customer_features(orders, AS_OF, window_days=30)


def test_a_custom_feature_cannot_take_a_name_or_found_a_family(tmp_path):
    more = '\n[custom_features]\nspend = { sql = "sum(amount)" }\n'
    with shop(tmp_path, more=more) as orders, pytest.raises(InputError, match="`spend` has the name of a feature"):
        customer_features(orders, AS_OF)
    more = '\n[custom_features]\nodd = { sql = "sum(amount)", family = "gifts" }\n'
    with shop(tmp_path, more=more) as orders, pytest.raises(InputError, match="unknown family 'gifts'; known: value"):
        customer_features(orders, AS_OF)


def test_the_dictionary_is_complete():
    assert len({feature.name for feature in FEATURES}) == len(FEATURES)
    assert {feature.family for feature in FEATURES} == set(FAMILIES) - {"who"}
    assert {feature.kind for feature in FEATURES} <= set(TRANSFORMS)
    assert all(feature.definition.endswith(".") and feature.unit or feature.kind == "category" for feature in FEATURES)


@pytest.fixture(scope="module")
def september():
    with read_orders(read_card("complete-journey"), date(2017, 9, 30)) as orders:
        made = customer_features(orders, date(2017, 9, 30), window_days=120)
        some = made.table.index[::50]
        ids = ", ".join(some)
        lines = orders.connection.execute(
            f"SELECT orders.* EXCLUDE amount, amount::DOUBLE AS amount, category, own_brand FROM orders "
            f"LEFT JOIN products USING (product_id) WHERE customer_id IN ({ids}) AND ordered_at >= '2017-06-03'"
        ).df()
    return made, lines.assign(customer_id=lines["customer_id"].astype(str))


def test_real_orders_give_what_pandas_gives(september):
    made, lines = september
    by_customer, by_order = lines.groupby("customer_id"), lines.groupby(["customer_id", "order_id"])
    values, days = by_order["amount"].sum(), by_order["ordered_at"].min().dt.normalize()
    gaps = days.sort_values().groupby("customer_id").diff().dt.days.groupby("customer_id")
    branded = lines.dropna(subset=["own_brand"]).assign(own=lambda rows: rows["amount"].where(rows["own_brand"], 0))
    expected = pd.DataFrame({
        "spend": by_customer["amount"].sum(),
        "largest_order_value": values.groupby("customer_id").max(),
        "order_count": by_customer["order_id"].nunique(),
        "days_since_last_order": (pd.Timestamp("2017-09-30") - days.groupby("customer_id").max()).dt.days,
        "gap_variation": gaps.std() / gaps.mean(),
        "weekend_order_share": (days.dt.day_of_week >= 5).groupby("customer_id").mean(),
        "repeat_product_share": 1 - by_customer["product_id"].nunique()
        / lines.drop_duplicates(["customer_id", "order_id", "product_id"]).groupby("customer_id").size(),
        "category_meat_share": lines[lines["category"] == "MEAT"].groupby("customer_id")["amount"].sum()
        .reindex(by_customer.groups).fillna(0) / by_customer["amount"].sum(),
        "own_brand_share": branded.groupby("customer_id")["own"].sum() / branded.groupby("customer_id")["amount"].sum(),
    })  # fmt: skip
    actual = made.table.loc[made.table.index[::50], expected.columns].sort_index()
    pd.testing.assert_frame_equal(actual, expected.sort_index(), check_names=False, check_dtype=False)


def test_every_whole_sums_to_one_and_every_share_is_one(september):
    made, _ = september
    shares = made.dictionary.query("kind == 'share' and present")
    assert made.table[shares.index].min().min() >= 0
    assert made.table[shares.index].max().max() <= 1
    for _whole, parts in shares[shares["whole"] != ""].groupby("whole"):
        np.testing.assert_allclose(made.table[parts.index].sum(axis=1), 1)


def test_money_is_conserved_whatever_the_number_of_threads():
    tables = []
    for threads in (1, 2):
        with read_orders(read_card("complete-journey"), date(2017, 3, 31), threads=threads) as orders:
            tables.append(customer_features(orders, date(2017, 3, 31)).table)
            total = orders.connection.execute("SELECT sum(amount)::DOUBLE FROM orders").fetchone()[0]
    assert tables[0].to_csv() == tables[1].to_csv()
    assert tables[0]["spend"].sum() == pytest.approx(total)


def test_the_engine_is_left_as_it_was(tmp_path):
    with shop(tmp_path) as orders:
        before = orders.connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        customer_features(orders, AS_OF, window_days=30)
        assert orders.connection.execute("SELECT table_name FROM duckdb_tables()").fetchall() == before
        with pytest.raises(duckdb.Error):
            orders.connection.execute("FROM order_stage")
