# ruff: noqa: E501 (headers are as long as platforms make them)
"""Known exports: recognised by their header whatever its order, and read with the quirks that they have."""

import io
import random
from datetime import date

import pandas as pd
import pytest
from test_exports import decided, draft

from segkit.data.cards.card import read_card
from segkit.data.cards.known_exports import known_formats, recognise
from segkit.data.check import check_dataset
from segkit.data.new_card.card_text import open_questions
from segkit.data.new_card.draft import draft_card
from segkit.data.orders import read_orders
from segkit.data.ready_table import read_ready
from segkit.runtime.errors import InputError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("segkit.data.source_files.CACHE", tmp_path / "cache")


# Each as its platform writes it, with made-up rows: the file, its text, and what is right: money, orders, customers.
SHOPIFY = """
Name,Email,Financial Status,Currency,Subtotal,Total,Discount Amount,Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,Refunded Amount,Vendor
#1,A@x.example,paid,USD,90.00,95.00,10.00,2025-03-01 23:40:09 -0500,1,Box,48.00,TRF-12,0.00,Own
#1,A@x.example,,,,,,2025-03-01 23:40:09 -0500,2,Tea,26.00,CAR-6,,Own
#2,,paid,USD,18.00,18.00,0.00,2025-03-02 11:30:00 -0500,1,Gift,18.00,,0.00,Own
#3,a@x.example,voided,USD,18.00,18.00,0.00,2025-03-02 12:30:00 -0500,1,Box,18.00,TRF-12,0.00,Own
#4,b@x.example,partially_refunded,USD,30.00,30.00,0.00,2025-03-03 08:00:00 -0500,1,Bar,30.00,BAR-3,10.00,Other
#5,b@x.example,refunded,USD,48.00,48.00,0.00,2025-03-04 08:00:00 -0500,1,Box,48.00,TRF-12,48.00,Own
"""
WOOCOMMERCE = """
Order Number,Order Status,Order Date,Email (Billing),SKU,Name,Quantity,Order Line Total,Order Line Total Refunded,Order Shipping Amount,Order Total Amount
723,Completed,2025-03-21 16:16,a.one@x.example,Bar3,Album,2,6,,10,39
723,Completed,2025-03-21 16:16,a.one@x.example,,Ninja,1,23,23,10,39
724,Cancelled,2025-03-22 09:00,b@x.example,,Logo,1,18,,0,18
725,Processing,2025-03-23 09:00,B@x.example,,Logo,1,18,,0,18
"""
WOO_REST = """[
{"id": 7, "status": "processing", "currency": "USD", "date_created": "2024-03-22T16:28:02", "total": "29.35",
 "shipping_total": "10.00", "total_tax": "1.35", "billing": {"email": "J@x.example", "country": "US"}, "refunds": [],
 "line_items": [{"product_id": 93, "quantity": 2, "total": "6.00"}, {"product_id": 22, "quantity": 1, "total": "12.00"}]},
{"id": 8, "status": "completed", "currency": "USD", "date_created": "2024-03-23T16:28:02", "total": "20.00",
 "shipping_total": "0.00", "total_tax": "0.00", "billing": {"email": "j@x.example", "country": "US"},
 "refunds": [{"id": 1, "reason": "broken", "total": "-5.00"}], "line_items": [{"product_id": 93, "quantity": 5, "total": "20.00"}]},
{"id": 9, "status": "cancelled", "currency": "USD", "date_created": "2024-03-23T16:28:02", "total": "4.00",
 "shipping_total": "0.00", "total_tax": "0.00", "billing": {"email": "k@x.example", "country": "US"}, "refunds": [],
 "line_items": [{"product_id": 93, "quantity": 1, "total": "4.00"}]}]"""
AMAZON = """
amazon-order-id\tpurchase-date\torder-status\tsku\tquantity\tcurrency\titem-price\titem-promotion-discount\tbuyer-email
305-1\t2024-01-01T09:18:00+00:00\tShipped\tS-1\t2\tEUR\t125.76\t5.76\tx@m.example
305-2\t2024-01-02T17:16:00+00:00\tCancelled\tS-2\t0\t\t\t\tx@m.example
305-3\t2024-01-03T17:16:00+00:00\tShipped - Delivered to Buyer\tS-2\t1\tEUR\t30.00\t\ty@m.example
"""
ETSY = """
Sale Date,Item Name,Buyer,Quantity,Price,Discount Amount,Item Total,Currency,Order ID,Listing ID
03/14/24,Mug,anna,2,10.00,0.00,20.00,USD,11,501
03/15/24,Bowl,bo,1,25.00,0.00,25.00,USD,12,502
"""
SQUARE = """
Date,Time,Category,Item,Qty,Gross Sales,Discounts,Net Sales,Transaction ID,Event Type,Customer ID,Location
2024-03-14,10:15:00,Drinks,Coffee,2,$7.00,-$1.00,$6.00,t1,Payment,C1,Main
2024-03-15,11:15:00,Food,Cake,1,"$1,004.50",$0.00,"$1,004.50",t2,Payment,C2,Main
2024-03-16,11:15:00,Food,Cake,-1,($4.50),$0.00,($4.50),t3,Refund,C2,Main
"""
STRIPE = """
id,Created (UTC),Amount,Amount Refunded,Currency,Mode,Status,Customer ID,Customer Email
ch_1,2026-04-22 17:34,49.95,0.00,usd,Live,Paid,cus_A1,a.one@x.example
ch_2,2026-04-23 10:11,124.50,24.50,usd,Live,Paid,cus_A2,A.one@x.example
ch_3,2026-04-23 10:15,10.00,0.00,usd,Live,Failed,cus_A1,
ch_4,2026-04-24 10:15,9.00,0.00,usd,Test,Paid,cus_B,
"""
MAGENTO = """
ID,Purchase Date,Grand Total (Purchased),Status,Customer Email,Subtotal,Shipping and Handling,Total Refunded
000000101,"Mar 15, 2024, 10:22 AM",$35.00,Complete,a@x.example,$30.00,$5.00,$0.00
000000102,"Mar 16, 2024, 11:22 PM",$20.00,Canceled,b@x.example,$20.00,$0.00,$0.00
000000103,"Apr 16, 2024, 11:22 PM",$20.00,Processing,a@x.example,$20.00,$0.00,$0.00
"""
ORDERS = {
    "shopify": ("orders.csv", SHOPIFY, ["category = false", 'order_refund = "Refunded Amount"'], (110.0, 2, 2)),
    "woocommerce": ("orders.csv", WOOCOMMERCE, [], (24.0, 2, 2)),
    "woocommerce-rest": ("orders.json", WOO_REST, [], (33.0, 2, 1)),
    "amazon": ("orders.txt", AMAZON, [], (150.0, 2, 2)),
    "etsy": ("orders.csv", ETSY, [], (45.0, 2, 2)),
    "square": ("orders.csv", SQUARE, [], (1006.0, 2, 2)),
    "stripe": ("orders.csv", STRIPE, [], (149.95, 2, 1)),
    "magento": ("orders.csv", MAGENTO, [], (50.0, 2, 1)),
}


@pytest.mark.parametrize("name", ORDERS)
def test_a_known_export_of_orders_needs_no_mapping(tmp_path, name):
    file, content, answers, right = ORDERS[name]
    text = draft(tmp_path, content.strip().encode(), file)
    assert f'format = "{name}"' in text
    with read_orders(decided(tmp_path, text, *answers)) as orders:
        rows = orders.ledger.set_index("reason")
        money = round(float(rows["amount"].reindex(["sale", "return"]).fillna(0).sum()), 2)
        orders_, people = rows.loc["sale", "orders"], rows.loc["sale", "customers"]
    assert (money, orders_, people) == right


@pytest.mark.parametrize("name", ["shopify", "stripe", "amazon"])
def test_a_format_is_recognised_in_any_order_of_columns_and_without_those_that_not_every_export_has(tmp_path, name):
    file, content, answers, right = ORDERS[name]
    separator = "\t" if name == "amazon" else ","
    rows = pd.read_csv(io.StringIO(content.strip()), sep=separator, dtype=str, keep_default_na=False)
    kept = [column for column in rows if column not in ("Vendor", "Mode")]
    random.Random(3).shuffle(kept)
    rows = rows[rows["Mode"] != "Test"] if "Mode" in rows else rows
    text = draft(tmp_path, rows[kept].to_csv(index=False, sep=separator).encode(), file)
    with read_orders(decided(tmp_path, text, *answers)) as orders:
        assert orders.ledger.set_index("reason").loc["sale", "orders"] == right[1]


def test_every_format_has_a_fixture_here_and_says_whence_it_is():
    assert set(known_formats()) == {*ORDERS, *CUSTOMERS, *SURVEYS}
    assert all(one.about.startswith("https://") and one.made and one.title for one in known_formats().values())
    assert all(recognise(one.header) is one for one in known_formats().values())


def test_a_check_holds_the_lines_against_the_totals_that_the_export_states(tmp_path):
    content = SHOPIFY.replace("paid,USD,90.00,95.00", "paid,USD,91.00,96.00").strip()
    text = draft(tmp_path, content.encode())
    answers = ["category = false", 'order_refund = "Refunded Amount"', 'order_discount = "Discount Amount"']
    shown = check_dataset(decided(tmp_path, text, *answers))
    assert (
        "the export states 121.00 for 2 orders (subtotal), the lines make 120.00: 1 orders agree to the cent" in shown
    )
    assert "order #1: 91.00 stated, 90.00 here" in shown


def test_whether_a_discount_is_in_the_prices_is_settled_by_the_totals_and_asked_about_without(tmp_path):
    assert 'order_discount = "Discount Amount"    # taken off' in draft(tmp_path, SHOPIFY.strip().encode())
    net = SHOPIFY.replace(",90.00,95.00", ",100.00,105.00")
    assert "order_discount = false    # not in the prices, as the subtotal of 100%" in draft(
        tmp_path, net.strip().encode()
    )
    none = pd.read_csv(io.StringIO(SHOPIFY.strip())).drop(columns="Subtotal")
    questions = open_questions(draft(tmp_path, none))
    assert any(one.startswith("order_discount: is the order's discount still in the prices") for one in questions)


def test_a_category_is_asked_for_where_an_export_has_none(tmp_path):
    (question,) = [one for one in open_questions(draft(tmp_path, SHOPIFY.strip().encode())) if "category" in one]
    assert 'category = "Vendor"    # 2 different, such as Own' in question
    assert "what Lineitem sku begins with, 3 different" in question


def test_what_a_card_says_overrules_its_format(tmp_path):
    (tmp_path / "orders.csv").write_text(SHOPIFY.strip())
    card = '[orders]\nsource = "orders.csv"\nformat = "{}"\norder_discount = false\ntime_zone = "UTC"\n'
    more = '[orders.columns]\ncategory = "Vendor"\ncountry = false\n[orders.exclude]\ngift = "\\"Lineitem name\\" = \'Gift\'"\n'
    (tmp_path / "shop.toml").write_text(card.format("shopify") + more)
    with read_orders(read_card(tmp_path / "shop.toml")) as orders:
        rows = orders.ledger.set_index("reason")
        assert (rows.loc["sale", "amount"], rows.loc["gift", "rows"], orders.first_day) == (130, 1, date(2025, 3, 2))
        assert {"category", "country"} & set(orders.columns["orders"]) == {"category"}
    (tmp_path / "shop.toml").write_text(card.format("shopfy") + more)
    with pytest.raises(InputError, match=r"\[orders\] `format` is 'shopfy'; did you mean `shopify`\? Known: "):
        read_card(tmp_path / "shop.toml")


CUSTOMERS = {
    "shopify-customers": """
Customer ID,First Name,Email,Accepts Email Marketing,Default Address City,Total Spent,Total Orders
'721,Ann,a@x.example,yes,Utrecht,150.00,3
'722,Bo,B@x.example,no,Elko,0.00,1
""",
    "stripe-customers": """
id,Email,Name,Created (UTC),Delinquent,Total Spend
cus_A1,A@x.example,Ann,2026-04-22T17:34:18Z,false,49.95
cus_A2,b@x.example,Bo,2026-05-22T17:34:18Z,true,0.00
""",
    "klaviyo": """
Email,Klaviyo ID,Country,Email Marketing Consent
a@x.example,01AAA,US,SUBSCRIBED
b@x.example,01BBB,DE,NEVER_SUBSCRIBED
""",
    "mailchimp": """
Email Address,MEMBER_RATING,OPTIN_TIME,CONFIRM_TIME,CC,LEID,EUID
A@x.example,4,2024-03-14 09:12:31,2024-03-14 09:14:00,US,1,aa01
b@x.example,2,,2015-03-16 14:40:47,DE,2,bb02
""",
    "hubspot": """
Record ID,First Name,Last Name,Email,Contact owner,Create Date,Lifecycle Stage
901,Ann,One,a@x.example,me,2024-03-14,Customer
902,Bo,Two,b@x.example,me,2024-03-14,Lead
""",
}


@pytest.mark.parametrize("name", CUSTOMERS)
def test_customers_of_another_platform_join_the_orders_by_what_both_have(tmp_path, name):
    (tmp_path / "orders.csv").write_text(SHOPIFY.strip())
    (tmp_path / "people.csv").write_text(CUSTOMERS[name].strip())
    text = draft_card([tmp_path / "people.csv", tmp_path / "orders.csv"], "shop", tmp_path)
    assert f'format = "{name}"' in text
    with read_orders(decided(tmp_path, text, "category = false", 'order_refund = "Refunded Amount"')) as orders:
        joined = "SELECT count(*) FROM contacts JOIN (SELECT DISTINCT customer_id FROM orders) USING (customer_id)"
        assert orders.connection.execute(joined).fetchone() == (2,)


SURVEYS = {
    "qualtrics": """
StartDate,EndDate,Status,Progress,Finished,RecordedDate,ResponseId,Q1,Q2
Start Date,End Date,Response Type,Progress,Finished,Recorded Date,Response ID,"How satisfied,
are you?",Age
"{""ImportId"":""startDate""}",b,c,d,e,f,g,h,i
2026-01-01 10:00:00,2026-01-01 10:02:00,IP Address,100,True,2026-01-01 10:02:01,R_1,4,30
2026-01-02 10:00:00,2026-01-02 10:02:00,Survey Preview,100,True,2026-01-02 10:02:01,R_2,5,40
2026-01-03 10:00:00,2026-01-03 10:02:00,IP Address,43,False,2026-01-03 10:02:01,R_3,,
2026-01-04 10:00:00,2026-01-04 10:02:00,IP Address,100,True,2026-01-04 10:02:01,R_4,2,50
""",
    "surveymonkey": """
Respondent ID,Collector ID,Start Date,End Date,IP Address,Email Address,Q1
,,,,,,Response
11,1,01/02/2026,01/02/2026,192.0.2.1,,4
12,1,01/02/2026,01/02/2026,192.0.2.1,,2
""",
    "typeform": """
#,How old are you?,Start Date (UTC),Submit Date (UTC),Network ID
aa1,31,2026-01-02 10:00:00,2026-01-02 10:00:00,n1
bb2,42,2026-01-02 10:00:00,2026-01-02 10:00:00,n2
""",
}


@pytest.mark.parametrize("name", SURVEYS)
def test_a_known_survey_is_read_without_the_rows_that_are_no_answers(tmp_path, name):
    text = draft(tmp_path, SURVEYS[name].strip().encode(), "survey.csv")
    assert f'format = "{name}"' in text
    (tmp_path / "shop.toml").write_text(text)
    rows = read_ready(read_card(tmp_path / "shop.toml"))
    assert len(rows.table) == 2
    if name == "qualtrics":
        assert rows.table["Q1"].tolist() == [4, 2]
        assert rows.ledger.set_index("reason")["rows"].to_dict() == {"kept": 2, "preview": 1, "unfinished": 1}


def test_the_currency_is_the_shops_to_say_whatever_the_totals_agree_with(tmp_path):
    mixed = SHOPIFY.replace("partially_refunded,USD", "partially_refunded,EUR").replace(",90.00,95.00", ",91.00,96.00")
    questions = open_questions(draft(tmp_path, mixed.strip().encode()))
    assert any(
        'currency = "USD"    # on 5 lines; ' in one and 'currency = "EUR"    # on 1 lines; ' in one for one in questions
    )
