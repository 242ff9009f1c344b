"""Sources: files of any format become canonical tables, and every row is accounted for."""

import os
import random
import re
import zipfile
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segkit.data.cards.card import CARDS, read_card
from segkit.data.check import check_dataset
from segkit.data.orders import read_orders
from segkit.data.ready_table import read_ready
from segkit.runtime.errors import InputError

CARD = """
currency = "EUR"
[orders]
source = "orders.csv"
[orders.columns]
customer_id = "who"
order_id = "order"
ordered_at = "at"
product_id = "what"
quantity = "pieces"
unit_price = "price"
"""
HEADER = "who,order,at,what,pieces,price"
# A sale of two lines, a return, a guest, a gift, a line on the last day and one after it, one without a date.
LINES = [
    "007,A1,2024-01-05 10:00:00,mug,2,3.50",
    "007,A1,2024-01-05 10:00:00,tea,1,10.05",
    "007,A2,2024-01-09 11:00:00,mug,-1,3.50",
    ",A3,2024-01-09 12:00:00,mug,1,3.50",
    "8,A4,2024-01-10 09:00:00,card,1,0",
    "8,A5,2024-01-31 23:59:59,tea,3,10.05",
    "8,A6,2024-02-01 00:00:00,tea,1,10.05",
    *[f"9,B{number},2024-01-20 08:00:00,tea,1,1" for number in range(14)],
    "9,A7,,tea,1,10.05",
]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("segkit.data.source_files.CACHE", tmp_path / "cache")


def write(folder, lines=LINES, header=HEADER, card=CARD, name="orders.csv"):
    (folder / name).write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    (folder / "shop.toml").write_text(card, encoding="utf-8")
    return read_card(folder / "shop.toml")


def ledger(card, as_of=None):
    with read_orders(card, as_of) as orders:
        return orders.ledger.set_index("reason")


def kept(card, as_of=None):
    with read_orders(card, as_of) as orders:
        return orders.connection.execute("FROM orders ORDER BY ALL").df()


def test_every_line_stands_under_one_reason_by_hand(tmp_path):
    found = ledger(write(tmp_path), date(2024, 1, 31))
    assert found["rows"].to_dict() == {"sale": 17, "return": 1, "no_customer": 1, "zero_amount": 1, "bad_date": 1}
    assert found.loc["sale", ["orders", "customers"]].tolist() == [16, 3]
    assert found["amount"].round(2).to_dict() == {
        "sale": 2 * 3.5 + 10.05 + 3 * 10.05 + 14,
        "return": -3.5,
        "no_customer": 3.5,
        "zero_amount": 0,
        "bad_date": 10.05,
    }


def test_the_kept_lines_are_the_sales_and_returns_of_the_ledger(tmp_path):
    card = write(tmp_path)
    lines = kept(card, date(2024, 1, 31))
    assert lines["is_return"].value_counts().to_dict() == {False: 17, True: 1}
    assert lines["amount"].sum() == pytest.approx(
        ledger(card, date(2024, 1, 31)).loc[["sale", "return"], "amount"].sum()
    )


def test_an_article_number_keeps_its_zeros_and_all_ids_become_text(tmp_path):
    assert set(kept(write(tmp_path))["customer_id"]) == {"007", "8", "9"}


def test_lines_after_the_day_change_nothing(tmp_path):
    card = write(tmp_path)
    before = ledger(card, date(2024, 1, 31)), kept(card, date(2024, 1, 31))
    card = write(tmp_path, [*LINES, *["8,Z1,2024-03-01 00:00:00,tea,broken,1"] * 30])
    pd.testing.assert_frame_equal(ledger(card, date(2024, 1, 31)), before[0])
    pd.testing.assert_frame_equal(kept(card, date(2024, 1, 31)), before[1])


def test_the_order_of_the_rows_changes_nothing(tmp_path):
    before = ledger(write(tmp_path)), kept(write(tmp_path))
    shuffled = random.Random(0).sample(LINES, len(LINES))
    pd.testing.assert_frame_equal(ledger(write(tmp_path, shuffled)), before[0])
    pd.testing.assert_frame_equal(kept(write(tmp_path, shuffled)), before[1])


LINE = st.tuples(
    st.sampled_from(["1", "2", "3.0", ""]),
    st.sampled_from(["2024-01-05", "2024-02-30", "1970-01-01", ""]),
    st.sampled_from(["1", "-2", "0", "x"]),
    st.sampled_from(["1.25", "-3", "0", "free", "0.0001"]),
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(LINE, min_size=1, max_size=30))
def test_rows_and_money_always_reconcile_to_the_file(tmp_path, lines):
    good = ["1,G,2024-01-01,p,1,1"] * 600  # so that breaches stay below 5 %
    card = write(tmp_path, [f"{who},O,{at},p,{count},{price}" for who, at, count, price in lines] + good)
    numbers = [(int(n), Decimal(p)) for _, _, n, p in lines if n != "x" and p != "free"]
    money = sum((count * price for count, price in numbers), Decimal(600))
    with read_orders(card) as orders:
        assert orders.ledger["rows"].sum() == len(lines) + 600
        assert orders.ledger["amount"].sum() == pytest.approx(float(money), abs=1e-6)
        count, total = orders.connection.execute("SELECT count(*), sum(amount) FROM orders").fetchone()
    sums = orders.ledger.set_index("reason").reindex(["sale", "return"]).sum()
    assert (count, float(total)) == (sums["rows"], pytest.approx(sums["amount"], abs=1e-6))


def test_the_quarantine_holds_the_broken_lines_as_they_came(tmp_path):
    with read_orders(write(tmp_path)) as orders:
        broken = orders.quarantine
    assert broken["reason"].tolist() == ["bad_date"]
    assert broken["order"].tolist() == ["A7"]


def test_repeated_lines_are_counted_and_kept(tmp_path):
    with read_orders(write(tmp_path, [*LINES, LINES[0], LINES[0], LINES[5]])) as orders:
        assert orders.duplicates == 3
        assert orders.ledger["rows"].sum() == len(LINES) + 3


def test_an_exclusion_of_the_card_comes_before_the_reasons_about_customer_and_amount(tmp_path):
    card = write(tmp_path, card=CARD + "[orders.exclude]\ngift_card = \"what = 'card'\"\nnever = \"what = 'x'\"\n")
    found = ledger(card)["rows"]
    assert (found["gift_card"], found["never"], "zero_amount" in found) == (1, 0, False)


def test_declared_returns_must_be_negative_and_negative_amounts_declared(tmp_path):
    card = CARD + 'is_return = { sql = "starts_with(\\"order\\", \'A2\')" }\n'
    lines = [*LINES, "8,A2x,2024-01-09,mug,1,5", "8,A8,2024-01-09,mug,-1,5", *LINES[7:21] * 4]
    found = ledger(write(tmp_path, lines, card=card))["rows"]
    assert (found["return"], found["positive_return"], found["negative_amount"]) == (1, 1, 1)


@pytest.mark.parametrize(
    ("written", "way"),
    [
        (["sold", "returned"], """'''"back" IN ('returned')'''"""),
        (["0.00", "12.50"], """'''TRY_CAST("back" AS DOUBLE) > 0'''"""),
        (["0", "12.5"], """'''TRY_CAST("back" AS DOUBLE) > 0'''"""),
        (["nein", "Ja"], ""),
        (["", "1.0"], ""),
    ],
)
def test_a_return_is_yes_or_no_and_anything_else_is_refused_with_an_expression(tmp_path, written, way):
    no, yes = written
    lines = [f"1,A{n},2024-01-05,tea,1,1,{no}" for n in range(9)] + [f"1,B,2024-01-05,tea,-1,1,{yes}"]
    card = write(tmp_path, lines, HEADER + ",back", CARD + 'is_return = "back"\n')
    if way:
        with pytest.raises(InputError, match=r"orders.csv: .*\(is_return = \"back\"; for example '") as refused:
            read_orders(card)
        assert str(refused.value).endswith(f"such as is_return = {{ sql = {way} }}")
        card = write(tmp_path, lines, HEADER + ",back", CARD + f"is_return = {{ sql = {way} }}\n")
    assert ledger(card)["rows"].to_dict() == {"sale": 9, "return": 1}


def test_products_and_customers_have_one_row_per_key_and_contact_data_stay_out(tmp_path):
    (tmp_path / "people.csv").write_text("id,mail,post,city\n7,a@x.at,b@x.at,Graz\n8,c@x.at,d@x.at,NaN\n8,,,Linz\n")
    people = '[customers]\nsource = "people.csv"\n[customers.columns]\n' + "\n".join(
        ['customer_id = "id"', 'email = "mail"', 'second = "post"', 'city = "city"']
    )
    with read_orders(write(tmp_path, card=CARD + people)) as orders:
        assert orders.columns["customers"] == ["customer_id", "city"]
        assert set(orders.left_out) == {"email", "second"}
        assert orders.connection.execute("SELECT customer_id, city FROM customers ORDER BY 1").fetchall() == [
            ("7", "Graz"),
            ("8", None),
        ]
        assert "1 of 3 rows have no key or one that occurs before" in orders.notes[0]


def test_campaigns_come_from_a_query_and_nothing_after_the_day_is_known(tmp_path):
    (tmp_path / "sends.csv").write_text("who,mailing,sent,answered\n8,M1,2024-01-02,2024-02-02\n8,M2,2024-02-01,\n")
    campaigns = """
[sources]
sends = "sends.csv"
[campaigns]
sql = "SELECT *, sent::TIMESTAMP AS at FROM sends"
columns = { customer_id = "who", campaign_id = "mailing", sent_at = "at", responded_at = "answered" }
"""
    with read_orders(
        write(tmp_path, card=campaigns + CARD.replace('currency = "EUR"', "")), date(2024, 1, 31)
    ) as orders:
        found = orders.connection.execute("SELECT campaign_id, responded_at FROM campaigns").fetchall()
    assert found == [("M1", None)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"header": HEADER.replace("who", "whom")}, r"customer_id: there is no column 'who'; did you mean `whom`"),
        ({"header": HEADER.replace(",", "~")}, "line 2: 2 columns where the header has 1.*set separator"),
        ({"header": "who~order", "lines": ["1~2"]}, "the file has only one column, 'who~order': is another separator"),
        ({"card": CARD.replace("[orders]", '[orders]\nseparator = ";"')}, r"only one column, .*separator"),
        ({"lines": []}, "orders.csv has no rows"),
        ({"lines": ["1,A,05.01.2024 10:00,p,1,1"] * 5}, r"5 of 5 lines have no date.*date_format = \"%d.%m.%Y %H:%M\""),
        ({"lines": ["1,A,the 5th,p,1,1"] * 5}, r"'the 5th'.*ordered_at = \{ sql = '''coalesce\(try_strptime\(\"at\""),
        ({"lines": ["1,A,,p,1,1"] * 5}, r"for example empty\)"),
        ({"lines": ['1,A,2024-01-05,p,1,"1,50"'] * 5}, r"no amount that can be read.*'1,50'.*decimal = \",\""),
        ({"lines": ["1,A,2024-01-05,p,1,two"] * 5}, r"no amount.*'two'.*Name another column"),
        ({"lines": ["1,A,1704448800,p,1,1"] * 5}, "seconds since 1970: write it as.*make_timestamp"),
        ({"lines": ["1,A,20240105,p,1,1"] * 5}, r"days written as 20240131: set date_format = \"%Y%m%d\""),
        ({"lines": [*LINES, "1,A,2024-01-05,p,1,1,9"]}, r"line 24: 7 columns where the header has 6"),
        ({"card": CARD + 'is_return = { sql = "price <" }\n'}, "is_return must be one SQL expression"),
        ({"card": CARD + 'category = { sql = "1); DROP VIEW orders; SELECT (1" }\n'}, "must be one SQL expression"),
        ({"card": CARD + "[orders.exclude]\nsale = \"what = 'x'\"\n"}, "`sale` is a reason of segkit's own"),
        ({"card": CARD.replace("[orders]", '[orders]\ntime_zone = "Vienna"')}, "unknown time_zone 'Vienna'"),
    ],
)
def test_a_bad_file_is_refused_with_the_way_out(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        read_orders(write(tmp_path, **changes))


EXCLUDE = '[orders.exclude]\ncheap = "{}"\n'
PRODUCTS = '[sources]\none = "orders.csv"\n[products]\nsql = "SELECT what FROM {}"\ncolumns.product_id = "what"\n'


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            'is_return = { sql = "prize < 0" }',
            r"\.columns\] is_return: there is no column 'prize'; did you mean `price`",
        ),
        (EXCLUDE.format("pric::DOUBLE < 2"), r"\.exclude\] cheap: there is no column 'pric'; .* There are: who, "),
        (
            EXCLUDE.format("price < 2"),
            r"cheap: price is text; as a number it is CAST\(price AS DOUBLE\) \(in: price < 2",
        ),
        (EXCLUDE.format("what < DATE '2024-01-05'"), r"cheap: what is text; as a day it is CAST\(what AS DATE\)"),
        (EXCLUDE.format("pieces LIKE '1%'"), r"cheap: pieces is no text; as text it is CAST\(pieces AS VARCHAR\)"),
        (EXCLUDE.format("what::DOUBLE < 2"), r"cheap: 'mug' can't be read; in the place of .*, TRY_CAST"),
        (EXCLUDE.format("lenght(what) < 2"), r"cheap: there is no function lenght; did you mean length\?"),
        (PRODUCTS.format("three"), r"\[products\] sql: there is no table `three`\. A query reads one, raw_orders; "),
        (
            PRODUCTS.format("one WHERE b > 1"),
            r"\[products\] sql: there is no column 'b'; near it are .*\[sources\] names more files",
        ),
    ],
)
def test_sql_of_a_card_that_fails_is_named_with_the_way_out(tmp_path, more, message):
    with pytest.raises(InputError, match="shop.toml: .*" + message):
        read_orders(write(tmp_path, LINES, card=CARD + more))


def test_no_discount_is_an_empty_cell_also_among_decimal_commas(tmp_path):
    lines = ["1,A,2024-01-05,p,1,1,", '1,B,2024-01-05,p,1,1,"0,50"'] * 5
    card = CARD.replace("[orders]", '[orders]\ndecimal = ","') + 'discount = "off"\n'
    with read_orders(write(tmp_path, lines, f"{HEADER},off", card)) as orders:
        assert orders.ledger["reason"].tolist() == ["sale"]
        assert float(orders.connection.execute("SELECT sum(discount) FROM orders").fetchone()[0]) == 2.5


@pytest.mark.parametrize("given", ["", 'date_format = "%d.%m.%Y %H:%M"'])
def test_mixed_dates_are_counted_shown_and_read_by_the_list_of_formats_that_the_message_gives(tmp_path, given):
    lines = [f"1,A{n},{'2026-10-31' if n % 3 else '31.10.2026 12:00'},p,1,1" for n in range(30)] + ["1,Z,,p,1,1"]
    with pytest.raises(InputError, match=r"(11|21) of 31 lines have no date.*empty") as refused:
        read_orders(write(tmp_path, lines, card=CARD.replace("[orders]", f"[orders]\n{given}")))
    way = re.search(r"[Ss]et (date_format = \[.*\]) in \[orders\]", str(refused.value))[1]
    rows = ledger(write(tmp_path, lines, card=CARD.replace("[orders]", f"[orders]\n{way}")))["rows"]
    assert rows.to_dict() == {"sale": 30, "bad_date": 1}


def dated(folder, kind, broken, share):
    """The card of lines of which so many in a hundred have a broken date."""
    duckdb.execute(
        "COPY (SELECT n AS who, n AS \"order\", nullif(CASE WHEN n < ? THEN ? ELSE '2024-01-31' END, '')"
        f"::{kind} AS \"at\", 'tea' AS what, 1 AS pieces, 2.5 AS price FROM range(100) AS lines(n)) TO "
        f"'{folder}/orders.parquet'",
        [share, broken],
    )
    return CARD.replace("orders.csv", "orders.parquet")


@pytest.mark.parametrize(
    ("kind", "broken"),
    [
        ("VARCHAR", ""),
        ("DATE", ""),
        ("DATE", "infinity"),
        ("TIMESTAMP", ""),
        ("TIMESTAMP", "infinity"),
        ("TIMESTAMP", "-infinity"),
        ("TIMESTAMP", "9999-12-31"),
        ("TIMESTAMP", "1899-12-30"),
        ("TIMESTAMPTZ", "infinity"),
        ("TIMESTAMP_NS", "infinity"),
    ],
)
def test_dates_that_no_format_saves_are_left_out_by_the_sql_that_the_message_gives(tmp_path, kind, broken):
    card = dated(tmp_path, kind, broken, 10)
    with pytest.raises(InputError, match=r'orders.parquet: 10 of 100 lines .*ordered_at = "at"; ') as refused:
        read_orders(write(tmp_path, card=card))
    name, way = re.search(r"under \[orders.exclude\], (\w+) = ('''.*''')$", str(refused.value)).groups()
    left_out = ledger(write(tmp_path, card=f"{card}[orders.exclude]\n{name} = {way}\n"))["rows"]
    assert left_out.to_dict() == {"sale": 90, name: 10}
    assert ledger(write(tmp_path, card=dated(tmp_path, kind, broken, 1)))["rows"].tolist() == [99, 1]


@pytest.mark.parametrize(("column", "name"), [("pieces", "no_quantity"), ("price", "no_amount")])
def test_lines_without_quantity_or_price_are_left_out_by_the_sql_that_the_message_gives(tmp_path, column, name):
    lines = pd.DataFrame({"who": 1, "order": range(10), "at": "2024-01-31", "what": "tea", "pieces": 1.0, "price": 2.5})
    lines.loc[:3, column] = None
    lines.to_csv(tmp_path / "mine.csv", index=False)
    card = CARD.replace("orders.csv", "mine.csv")
    with pytest.raises(InputError, match=f"leave these lines out: under .orders.exclude., {name} = ") as refused:
        read_orders(write(tmp_path, card=card))
    way = re.search(f"{name} = '''.*'''", str(refused.value))[0]
    assert ledger(write(tmp_path, card=f"{card}[orders.exclude]\n{way}\n"))["rows"].to_dict() == {"sale": 6, name: 4}


def test_a_day_before_the_first_line_is_refused(tmp_path):
    lines = [line for line in LINES if ",," not in line]  # a line without a date belongs to every day
    with pytest.raises(InputError, match="no order lines up to 2023-12-31; all 21 are later"):
        read_orders(write(tmp_path, lines), date(2023, 12, 31))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("orders.csv", b"", r"orders.csv is empty \(0 bytes\)"),
        (
            "orders.parquet",
            b"who,order\n1,2\n",
            "orders.parquet is not what its ending says: it holds text, such as CSV or HTML; rename it to end in .csv",
        ),
        ("orders.xlsx", b"<html>", "orders.xlsx is not what its ending says"),
        ("orders.csv", b"PAR1....PAR1", "orders.csv is not what its ending says: it holds parquet"),
        ("orders.csv", b"\x89PNG\r\n\0", "it holds binary data; export it again as CSV, parquet or Excel"),
        ("orders.csv", b"PK\x03\x04", "rename it to end in .xlsx"),
        ("orders.parquet", b"PAR1....PAR1", "orders.parquet can't be read as parquet; .*export it again"),
        ("orders.xlsx", b"PK\x03\x04....", "orders.xlsx can't be read as an Excel file"),
        ("orders.csv", "who\nKäse\n".encode("latin-1"), r"not UTF-8.*encoding = \"latin-1\""),
        ("orders.csv", b"who,order\r\n1,2\n3,4\n", "its lines don't all end alike"),
        ("orders.dat", b"{}", "segkit reads CSV"),
    ],
)
def test_a_file_that_is_not_what_its_ending_says_is_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    (tmp_path / "shop.toml").write_text(CARD.replace("orders.csv", name))
    with pytest.raises(InputError, match=message):
        read_orders(read_card(tmp_path / "shop.toml"))


def test_a_missing_file_or_package_is_refused(tmp_path):
    card = write(tmp_path, name="order.csv")
    with pytest.raises(InputError, match=r"a folder; name the files in it by a pattern, such as .*/\*\.parquet"):
        read_orders(read_card(card.path, tmp_path))
    with pytest.raises(InputError, match=r"no file orders.csv; did you mean `order.csv`\? Put the file where"):
        read_orders(card)
    (tmp_path / "order.csv").unlink()
    with pytest.raises(InputError, match=r"no file orders.csv; put the file where shop.toml says, or name it with"):
        read_orders(card)
    (tmp_path / "shop.toml").write_text(CARD.replace("orders.csv", "package:no_such_shop/a.csv"))
    with pytest.raises(InputError, match="pip install no_such_shop"):
        read_orders(read_card(tmp_path / "shop.toml"))


def test_a_query_of_a_card_reaches_no_other_file(tmp_path):
    (tmp_path / "secret.csv").write_text("a\n1\n")
    query = f'[products]\nsql = "SELECT * FROM read_csv(\'{tmp_path}/secret.csv\')"\ncolumns = {{ product_id = "a" }}'
    with pytest.raises(InputError, match=r"\[products\] sql: Permission Error"):
        read_orders(write(tmp_path, card=CARD + query))
    with pytest.raises(InputError, match=r"\[products\] sql must be one SELECT statement"):
        read_orders(write(tmp_path, card=CARD + query.replace("SELECT * FROM", "COPY secret TO")))


def test_many_files_of_a_pattern_are_one_table(tmp_path):
    card = write(tmp_path, LINES[:10], name="orders-1.csv", card=CARD.replace("orders.csv", "orders-*.csv"))
    write(tmp_path, LINES[10:], name="orders-2.csv", card=CARD.replace("orders.csv", "orders-*.csv"))
    with read_orders(card) as orders:
        assert orders.ledger["rows"].sum() == len(LINES)
        assert list(orders.inputs) == ["orders-1.csv", "orders-2.csv"]


def test_of_files_with_one_name_each_counts_as_an_input(tmp_path):
    for shop in ("north", "south"):
        (tmp_path / shop).mkdir()
        write(tmp_path / shop)
    card = write(tmp_path, name="unread.csv", card=CARD.replace("orders.csv", "*/orders.csv"))
    with read_orders(card) as before:
        assert list(before.inputs) == ["north/orders.csv", "south/orders.csv"]
    write(tmp_path / "north", LINES[:-1])
    with read_orders(card) as after:
        assert after.inputs["north/orders.csv"] != before.inputs["north/orders.csv"]


def test_of_ready_tables_with_one_name_each_counts_as_an_input(tmp_path):
    survey = SURVEY.splitlines()
    for half, rows in (("a", survey[:3]), ("b", [survey[0], *survey[3:]])):
        (tmp_path / half).mkdir()
        (tmp_path / half / "survey.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "s.toml").write_text('[features]\nsource = "*/survey.csv"\nid = "id"\n')
    assert list(read_ready(read_card(tmp_path / "s.toml")).inputs) == ["a/survey.csv", "b/survey.csv"]


@pytest.mark.parametrize("within", ["\n", "\r\n"])
@pytest.mark.parametrize("between", ["\n", "\r\n"])
def test_a_heading_may_go_on_in_the_next_line_however_lines_end(tmp_path, within, between):
    card = write(tmp_path, card=CARD.replace('"who"', "{ sql = \"columns('^who')\" }"))
    header = HEADER.replace("who", f'"who{within}bought"')
    (tmp_path / "orders.csv").write_bytes(between.join([header, *LINES, ""]).encode())
    assert ledger(card)["rows"].sum() == len(LINES)


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet", "xlsx"])
def test_the_same_rows_in_any_format_give_the_same_tables(tmp_path, ending):
    lines = [line.replace("007", "7") for line in LINES]
    wanted = kept(write(tmp_path, lines)).assign(customer_id=lambda rows: rows["customer_id"].astype(str))
    rows = pd.read_csv(tmp_path / "orders.csv")  # customer ids become 7.0, since one is missing
    other = tmp_path / f"other.{ending}"
    if ending == "parquet":
        rows.to_parquet(other)
    elif ending == "xlsx":
        write_workbook(
            other, {"notes": [["x"]], "lines": [list(rows), *rows.astype(object).where(rows.notna(), None).values]}
        )
    else:
        rows.to_csv(other, index=False)
    (tmp_path / "shop.toml").write_text(CARD.replace("[orders]", '[orders]\nsheet = "lines"'))
    found = kept(read_card(tmp_path / "shop.toml", source=other))
    pd.testing.assert_frame_equal(found.assign(customer_id=found["customer_id"].astype(str)), wanted)


def test_a_sheet_that_is_not_there_is_refused(tmp_path):
    write_workbook(tmp_path / "orders.xlsx", {"Year 1": [["a"], [1]], "Year 2": [["a"], [1]]})
    (tmp_path / "shop.toml").write_text(CARD.replace('"orders.csv"', '"orders.xlsx"\nsheet = "Yaer 1"'))
    with pytest.raises(InputError, match="no sheet 'Yaer 1'; did you mean `Year 1`"):
        read_orders(read_card(tmp_path / "shop.toml"))


def test_instants_become_the_local_time_of_the_card(tmp_path):
    lines = [line.replace(":00,", ":00+00:00,").replace(":59,", ":59+00:00,") for line in LINES]
    written = kept(write(tmp_path, lines))["ordered_at"].max()
    card = CARD.replace("[orders]", '[orders]\ntime_zone = "Europe/Vienna"')
    local = kept(write(tmp_path, lines, card=card))["ordered_at"].max()
    assert (str(written), str(local)) == ("2024-02-01 00:00:00", "2024-02-01 01:00:00")


def test_a_decimal_comma_and_a_date_format_are_read_when_the_card_says_so(tmp_path):
    options = '[orders]\nseparator = ";"\ndecimal = ","\ndate_format = "%d.%m.%Y"'
    card = write(tmp_path, ["1;A;31.01.2024;p;2;1.234,50"], HEADER.replace(",", ";"), CARD.replace("[orders]", options))
    lines = kept(card)
    assert (float(lines["amount"][0]), str(lines["ordered_at"][0])) == (2469.0, "2024-01-31 00:00:00")


@pytest.mark.parametrize("kind", ["DOUBLE", "DECIMAL(9, 5)", "FLOAT", "VARCHAR"])
def test_money_in_ten_thousandths_is_the_money_whatever_it_was_read_from(tmp_path, kind):
    """Also half-way between two of them, and where a discount is none or beyond reason."""
    discounts = ["NULL", "'NaN'", "-1e15"] if kind == "DOUBLE" else ["0.5"] * 3
    rows = ", ".join(
        f"(1, 'A{paid}', DATE '2024-01-05', 'tea', 1, {paid}::{kind}, {discount}::{kind})"
        for paid, discount in zip(["0.00015", "1.00005", "7"], discounts, strict=True)
    )
    rows = duckdb.sql(f'FROM (VALUES {rows}) AS t(who, "order", "at", what, pieces, paid, less)')
    rows.write_parquet(str(tmp_path / "orders.parquet"))
    card = CARD.replace("orders.csv", "orders.parquet").replace('unit_price = "price"', 'amount = "paid"')
    (tmp_path / "shop.toml").write_text(card + 'discount = "less"\n')
    lines = kept(read_card(tmp_path / "shop.toml"))
    assert len(lines) == 3
    for column in ("amount", "discount"):
        assert (lines[column].astype(float) * 10_000).round().tolist() == lines[f"{column}_units"].tolist()


def test_what_was_read_once_is_read_from_the_cache_until_the_file_changes(tmp_path):
    card = write(tmp_path)
    before = ledger(card)["rows"].sum()
    assert len(list((tmp_path / "cache").iterdir())) == 1
    write(tmp_path, LINES[:20])
    assert ledger(card)["rows"].sum() == before - 2


def test_the_embedded_data_has_the_households_it_is_known_for():
    with read_orders(read_card("complete-journey"), date(2017, 9, 30)) as orders:
        assert orders.connection.execute("SELECT count(DISTINCT customer_id) FROM orders").fetchone() == (2446,)
        assert set(orders.columns) == {"orders", "products", "customers", "campaigns"}
        types = {row[1] for row in orders.connection.execute("DESCRIBE orders").fetchall() if row[0].endswith("_id")}
    assert types == {"BIGINT"}  # grouping by text costs twice as much


def test_the_published_retail_data_has_the_sales_it_is_known_for():
    path = Path(os.environ.get("SEGKIT_ONLINE_RETAIL", CARDS / "raw" / "online_retail_II.xlsx"))
    if not path.is_file():
        pytest.skip("needs the file: `segkit fetch online-retail-ii`, or its path in SEGKIT_ONLINE_RETAIL")
    with read_orders(read_card("online-retail-ii", source=path)) as orders:
        sale = orders.ledger.set_index("reason").loc["sale"]
        assert orders.duplicates == 6865
    assert sale.round(2).tolist() == [407_664, 19_213, 4_312, 8_832_003.27]
    assert orders.ledger["rows"].sum() == 525_461


SURVEY = "\n".join(
    ["id,yummy,visits,age,city,share,mail,like"]
    + [f"{n},{'Yes' if n % 2 else 'No'},{n * 3},{20 + n},Graz,0.{n},a{n}@x.at,{n}" for n in range(1, 10)]
)


def ready(folder, survey=SURVEY, features='id = "id"\nkinds = { age = "number" }\noutcomes = ["like"]\n'):
    (folder / "survey.csv").write_text(survey + "\n")
    (folder / "survey.toml").write_text(f'[features]\nsource = "survey.csv"\n{features}')
    return read_ready(read_card(folder / "survey.toml"))


def test_a_ready_table_has_a_kind_for_each_column_and_no_contact_data(tmp_path):
    rows = ready(tmp_path)
    assert rows.kinds == {"yummy": "binary", "visits": "count", "age": "number", "city": "category", "share": "share"}
    assert "age" not in rows.inferred
    assert rows.left_out == {"mail": "contact data, by its name"}
    assert rows.table.index.tolist() == [str(number) for number in range(1, 10)]
    assert rows.table["yummy"].tolist() == [1, 0, 1, 0, 1, 0, 1, 0, 1]
    assert rows.outcomes.columns.tolist() == ["like"]
    assert rows.ledger["rows"].tolist() == [9]


@pytest.mark.parametrize(
    ("survey", "features", "message"),
    [
        (SURVEY + "\n3,No,1,1,Graz,0,x,1", 'id = "id"', r"1 values of 'id' occur more than once, such as 3 \(2 rows\)"),
        (SURVEY, 'id = "ID"', "no column 'ID'; did you mean `id`"),
        (SURVEY, 'id = "id"\ncolumns = ["yumy"]', "no column 'yumy'; did you mean `yummy`"),
        (SURVEY, 'id = "id"\ncolumns = ["age"]\nkinds = { city = "category" }', "`city` is not among the `columns`"),
        (SURVEY, 'id = "id"\nkinds = { city = "money" }', "'city' is declared money but holds text such as 'Graz'"),
        (SURVEY, 'id = "id"\nkinds = { visits = "share" }', "'visits' is declared a share but runs from 3 to 27"),
        (SURVEY, 'id = "id"\nkinds = { city = "binary" }', "'city' is declared binary but holds 'Graz'"),
        (SURVEY, 'id = "id"\ncolumns = ["mail"]', "no column to segment by: mail: contact data"),
        (SURVEY.replace("\n1,", "\n,"), 'id = "id"', "1 of 9 rows have no 'id'"),
        ("id,a", 'id = "id"', "survey.csv has no rows"),
    ],
)
def test_a_bad_ready_table_is_refused_with_the_way_out(tmp_path, survey, features, message):
    with pytest.raises(InputError, match=message):
        ready(tmp_path, survey, features)


def test_a_day_that_never_comes_is_no_value_of_a_ready_table(tmp_path):
    duckdb.execute(
        "COPY (SELECT n AS id, n AS visits, CASE WHEN n = 3 THEN 'infinity' ELSE '2024-01-31' END::DATE AS until "
        f"FROM range(30) AS people(n)) TO '{tmp_path}/people.parquet'"
    )
    (tmp_path / "people.toml").write_text('title = "x"\n[features]\nsource = "people.parquet"\nid = "id"\n')
    rows = read_ready(read_card(tmp_path / "people.toml"))
    assert rows.left_out == {"until": "a date; give the days since then instead"}


def test_a_check_shows_ledger_total_warnings_and_what_a_column_would_add(tmp_path):
    card = write(tmp_path, [*LINES, LINES[0]])
    shown = check_dataset(card, {"orders.channel": ["web_share"], "orders.category|products.category": ["x", "y"]})
    assert "total          23" in shown
    assert "1 line repeats another one in every column; kept" in shown
    assert "1 line breaks the contract and is left out" in shown
    missing = "  orders.category or products.category  x, y\n  orders.channel                        web_share"
    assert shown.endswith(missing)


def test_a_check_asks_for_the_currency_that_is_missing_and_calls_a_card_without_a_title_once(tmp_path):
    shown = check_dataset(write(tmp_path, card=CARD.replace('currency = "EUR"', "")))
    assert shown.startswith("shop\n")
    assert '(amounts in no currency: set one at the top of shop.toml, such as currency = "EUR")' in shown
    titled = check_dataset(write(tmp_path, card='title = "A shop"' + CARD))
    assert titled.startswith("shop: A shop\n")
    assert "(amounts in EUR)" in titled


MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def write_workbook(path, sheets):
    """Write the smallest Excel file: numbers as numbers, everything else as text."""
    numbered = list(enumerate(sheets.items(), 1))
    names = "".join(f'<sheet name="{name}" sheetId="{n}" r:id="r{n}"/>' for n, (name, _) in numbered)
    parts = {"_rels/.rels": _links([("r1", "officeDocument", "xl/workbook.xml")])}
    parts["[Content_Types].xml"] = f'<Types xmlns="{PACKAGE}/content-types"/>'
    parts["xl/workbook.xml"] = f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{names}</sheets></workbook>'
    parts["xl/_rels/workbook.xml.rels"] = _links([(f"r{n}", "worksheet", f"worksheets/{n}.xml") for n, _ in numbered])
    for n, (_, rows) in numbered:
        cells = "".join("<row>" + "".join(map(_cell, row)) + "</row>" for row in rows)
        parts[f"xl/worksheets/{n}.xml"] = f'<worksheet xmlns="{MAIN}"><sheetData>{cells}</sheetData></worksheet>'
    with zipfile.ZipFile(path, "w") as book:
        for name, content in parts.items():
            book.writestr(name, content)


def _links(links):
    listed = "".join(f'<Relationship Id="{one}" Type="{OFFICE}/{kind}" Target="{to}"/>' for one, kind, to in links)
    return f'<Relationships xmlns="{PACKAGE}/relationships">{listed}</Relationships>'


def _cell(value):
    if value is None:
        return "<c/>"
    return f"<c><v>{value}</v></c>" if not isinstance(value, str) else f'<c t="inlineStr"><is><t>{value}</t></is></c>'


def test_a_sample_holds_all_lines_of_some_customers_and_leaves_the_orders_as_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr("segkit.data.orders.SAMPLED", 2)
    with read_orders(write(tmp_path)) as orders:
        everything, some = orders.connection.execute("FROM orders").df(), orders.sample
        held = some.connection.execute("FROM orders").df()
        who = set(held["customer_id"])
        assert len(who) == 2 < everything["customer_id"].nunique()
        assert len(held) == everything["customer_id"].isin(who).sum()
        assert len(orders.connection.execute("FROM orders").df()) == len(everything)
        assert some.sample is some
        assert some.ledger is orders.ledger
        assert set(orders.sample.connection.execute("FROM orders").df()["customer_id"]) == who


def test_there_is_no_sample_where_there_are_few_customers(tmp_path):
    with read_orders(write(tmp_path)) as orders:
        assert orders.sample is orders


def test_a_ledger_that_was_kept_spares_the_scan_and_the_engine_and_changes_nothing(tmp_path):
    before = {}

    def keep(inputs, make):
        key = str(inputs)
        if key not in before:
            before[key] = make()
        return before[key]

    card = write(tmp_path)
    with read_orders(card, keep=keep) as first, read_orders(card, keep=keep) as again:
        assert again.ledger is first.ledger
        assert (again.first_day, again.sale_days, again.columns) == (first.first_day, first.sale_days, first.columns)
        assert "connection" not in vars(again)
        read = "FROM orders ORDER BY ALL"
        assert again.connection.execute(read).fetchall() == first.connection.execute(read).fetchall()
