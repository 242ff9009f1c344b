"""Exports as people really have them: each kind of them read right, or asked about, or refused in words."""

import gzip
import random
import re

import pandas as pd
import pytest
from test_sources import write_workbook

from segkit.data.cards.card import read_card
from segkit.data.check import check_dataset
from segkit.data.new_card.card_text import open_questions
from segkit.data.new_card.draft import draft_card
from segkit.data.orders import read_orders
from segkit.data.ready_table import read_ready
from segkit.runtime.errors import InputError

NAMES = ["order_id", "order_date", "customer_id", "product_id", "quantity", "unit_price"]
DAYS = pd.date_range("2024-01-01 09:18", "2024-11-25 17:16", periods=150)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("segkit.data.source_files.CACHE", tmp_path / "cache")


def shop(most=3):
    """Return the lines of 150 orders of 40 customers; a product has one price, and every other order has two lines."""
    draw, rows = random.Random(4), []
    price = {f"SKU-{number:03d}": draw.randint(1000, 9999) / 100 for number in range(20)}
    for number, when in enumerate(DAYS):
        for what in draw.sample(sorted(price), 1 + number % 2):
            rows.append((1000 + number, when, 1 + number * 7 % 40, what, draw.randint(1, most), price[what]))
    return pd.DataFrame(rows, columns=NAMES)


def total(lines):
    return round(float((lines["quantity"] * lines["unit_price"]).sum()), 2)


def with_total(lines, name="line_total"):
    return lines.assign(**{name: (lines["quantity"] * lines["unit_price"]).round(2)}).drop(columns="unit_price")


def draft(folder, lines=None, name="orders.csv", **options):
    if isinstance(lines, pd.DataFrame):
        lines.to_csv(folder / name, index=False, **options)
    elif lines is not None:
        (folder / name).write_bytes(lines)
    return draft_card(folder / name, "shop", folder)


def decided(folder, text, *answers):
    """Return the card in which each open key is decided by one of these lines."""
    for line in answers:
        text = re.sub(rf'^{line.partition(" ")[0]} = "TO DECIDE".*$', lambda _, line=line: line, text, flags=re.M)
    assert not open_questions(text)
    (folder / "shop.toml").write_text(text, encoding="utf-8")
    return read_card(folder / "shop.toml")


def figures(folder, text, *answers):
    """Return what a drafted card gives, its open keys decided by these lines: money, lines, orders, customers."""
    with read_orders(decided(folder, text, *answers)) as orders:
        rows = orders.ledger.set_index("reason").reindex(["sale", "return"]).fillna(0)
        money = round(float(rows["amount"].sum()), 2)
        return money, int(rows["rows"].sum()), int(rows.loc["sale", "orders"]), int(rows.loc["sale", "customers"])


def written(lines, *columns, how):
    return lines.assign(**{name: lines[name].map(how) for name in columns})


@pytest.mark.parametrize(
    ("how", "options"),
    [
        (lambda number: f"{number:,.2f}", {}),
        (lambda number: f"{number:.2f}".replace(".", ","), {"sep": ";"}),
        (lambda number: f"{number:,.2f}".translate(str.maketrans(",.", ".,")), {"sep": ";"}),
        (lambda number: f"{number:,.2f}".replace(",", "'"), {}),
        (lambda number: f"{number:,.2f}".replace(",", "\u202f").replace(".", ","), {"sep": ";"}),
        (lambda number: f"€ {number:,.2f}", {}),
        (lambda number: f"{number:.2f} EUR", {}),
        (lambda number: f"{number:.2f}".replace(".", ",.="[round(number * 100) % 2]), {"sep": ";"}),
    ],
    ids=["English", "comma", "German", "Swiss", "French", "sign", "code", "mixed"],
)
def test_numbers_are_read_as_their_column_writes_them(tmp_path, how, options):
    lines = shop()
    lines["unit_price"] *= 40
    text = draft(tmp_path, written(with_total(lines), "line_total", how=how), **options)
    assert figures(tmp_path, text) == (total(lines), len(lines), 150, 40)


def test_thousands_without_decimals_are_no_decimals(tmp_path):
    lines = shop().assign(unit_price=lambda rows: (rows["unit_price"] * 100).round())
    text = draft(tmp_path, written(lines, "unit_price", how=lambda number: f"{number:,.0f}"))
    assert figures(tmp_path, text)[0] == total(lines)
    text = draft(tmp_path, written(lines, "unit_price", how=lambda number: f"{number:,.0f}"), sep=";")
    (question,) = open_questions(text)
    assert question.startswith("decimal: numbers such as ")
    assert f'decimal = "."    # of thousands; {total(lines):,.2f} in' in question


@pytest.mark.parametrize("how", ["({})", "{}-", "-{}", "- {}"])
def test_negatives_are_read_as_accountants_write_them(tmp_path, how):
    lines = with_total(shop())
    back = lines.index % 9 == 0
    net = round(float(lines["line_total"].where(~back, -lines["line_total"]).sum()), 2)
    lines["line_total"] = lines["line_total"].astype(str).where(~back, lines["line_total"].map(how.format))
    assert figures(tmp_path, draft(tmp_path, lines))[0] == net


def test_where_only_the_quantity_has_a_sign_it_is_that_of_the_line(tmp_path):
    lines = with_total(shop())
    back = lines.index % 9 == 0
    net = round(float(lines["line_total"].where(~back, -lines["line_total"]).sum()), 2)
    text = draft(tmp_path, lines.assign(quantity=lines["quantity"].where(~back, -lines["quantity"])))
    assert figures(tmp_path, text)[0] == net


@pytest.mark.parametrize("odd", ["nan", "inf", "-inf", "1e400", "2 boxes", "1.2.3", "12,50,1"])
def test_what_is_no_number_is_a_breach_and_never_another_number(tmp_path, odd):
    lines = shop().astype({"quantity": str, "unit_price": str})
    lines.loc[3, "quantity"], lines.loc[5, "unit_price"] = odd, odd
    rows = lines.drop(index=[3, 5]).astype({"quantity": int, "unit_price": float})
    assert figures(tmp_path, draft(tmp_path, lines))[:2] == (total(rows), len(rows))


def test_two_currency_signs_in_one_column_are_never_summed(tmp_path):
    lines = written(shop(), "unit_price", how=lambda number: f"{'$€'[round(number) % 2]}{number:.2f}")
    text = draft(tmp_path, lines)
    with pytest.raises(InputError, match=r"unit_price is in several currencies \(\$, €\), which are never summed"):
        figures(tmp_path, text)


def test_numbers_that_a_workbook_has_as_text_are_numbers(tmp_path):
    lines = with_total(shop())
    amounts = [f"{n:.2f}".replace(".", ",") if place % 3 else n for place, n in enumerate(lines["line_total"])]
    rows = lines.assign(order_date=lines["order_date"].astype(str), line_total=amounts).astype(object)
    write_workbook(tmp_path / "orders.xlsx", {"Sales": [list(rows), *rows.values]})
    assert figures(tmp_path, draft(tmp_path, name="orders.xlsx"))[0] == total(shop())


def test_pieces_may_have_a_unit(tmp_path):
    text = draft(tmp_path, written(shop(), "quantity", how="{} pcs".format))
    assert figures(tmp_path, text)[0] == total(shop())


@pytest.mark.parametrize(
    ("words", "sign"),
    [
        (["completed", "cancelled"], 0),
        (["paid", "voided"], 0),
        (["shipped", "refunded"], 0),
        (["purchase", "page_view"], 0),
        (["sale", "refund"], -1),
        (["order", "chargeback"], -1),
    ],
)
def test_words_that_say_what_is_no_sale_are_never_ignored(tmp_path, words, sign):
    lines = shop()
    other = lines["order_id"] % 8 == 0
    text = draft(tmp_path, lines.assign(state=[words[odd] for odd in other]))
    assert figures(tmp_path, text)[0] == round(total(lines[~other]) + sign * total(lines[other]), 2)


def test_a_word_that_may_mean_either_is_asked_about_with_what_each_answer_gives(tmp_path):
    lines = shop()
    lines["status"] = [["completed", "cancelled", "parked"][number % 3] for number in lines["order_id"]]
    text = draft(tmp_path, lines)
    (question,) = open_questions(text)
    assert "parked on " in question
    done = total(lines[lines["status"] == "completed"])
    assert f'others = "not_a_sale"    # no sales; {done:,.2f} in 50 orders of ' in question
    assert figures(tmp_path, text, 'others = "not_a_sale"')[0] == done
    (tmp_path / "shop.toml").write_text(text)
    with pytest.raises(
        InputError, match=r"\[orders.status\] `others` is still to be decided; write one of .*: others = \"sale\" "
    ):
        read_card(tmp_path / "shop.toml")


def test_a_word_that_no_list_has_is_refused(tmp_path):
    lines = shop()
    text = draft(tmp_path, lines.assign(status=[["failed", "paid"][n % 2] for n in lines["order_id"]]))
    figures(tmp_path, text)
    lines.assign(status="new").to_csv(tmp_path / "orders.csv", index=False)
    with pytest.raises(InputError, match=r"does not say what these words of \"status\" mean: 'new' \(.* list each"):
        read_orders(read_card(tmp_path / "shop.toml"))


@pytest.mark.parametrize("guest", ["0", "Guest", "n/a", "Walk-in", "-1"])
def test_guests_are_nobody(tmp_path, guest):
    lines = shop()
    lines["customer_id"] = lines["customer_id"].astype(str).where(lines["customer_id"] > 12, guest)
    text = draft(tmp_path, lines)
    assert f'placeholders = ["{guest}"]' in text
    kept = lines[lines["customer_id"] != guest]
    assert figures(tmp_path, text) == (total(kept), len(kept), kept["order_id"].nunique(), 28)


def test_an_id_with_many_times_the_orders_of_others_is_asked_about_and_a_customer_0_like_others_is_one(tmp_path):
    lines = shop().assign(customer_id=lambda rows: rows["customer_id"] - 1)
    assert figures(tmp_path, draft(tmp_path, lines))[3] == 40
    lines["customer_id"] = lines["customer_id"].where(lines["customer_id"] > 20, 4711)
    (question,) = open_questions(draft(tmp_path, lines))
    assert question.startswith("placeholders: one id has 79 orders, the next 4: is it a customer, or nobody")


def test_addresses_are_told_apart_without_regard_to_case_and_spaces(tmp_path):
    lines = shop()
    spelled = [f"{' ' * (n % 2)}{'Uu'[n % 2]}ser{who}@Shop.example" for n, who in enumerate(lines["customer_id"])]
    text = draft(tmp_path, lines.drop(columns="customer_id").assign(email=spelled))
    assert figures(tmp_path, text)[3] == 40


def test_of_two_ids_the_one_that_comes_back_is_the_customer(tmp_path):
    lines = shop().rename(columns={"customer_id": "customer_unique_id"})
    text = draft(tmp_path, lines.assign(customer_id=lines["order_id"] + 7))
    assert "customer_id is new in every order, customer_unique_id comes back" in text
    assert figures(tmp_path, text)[3] == 40


@pytest.mark.parametrize("broken", ["1.23457E+15", "1,23457E+15", "########", "#REF!"])
def test_ids_that_a_spreadsheet_destroyed_are_refused(tmp_path, broken):
    lines = shop().astype({"customer_id": str})
    lines.loc[lines["customer_id"].str.len() == 1, "customer_id"] = broken
    with pytest.raises(
        InputError, match=r"an id whose digits a spreadsheet has cut off .*export again, with the ids as"
    ):
        figures(tmp_path, draft(tmp_path, lines))


@pytest.mark.parametrize("priced", [False, True])
def test_an_order_total_on_every_line_is_counted_once(tmp_path, priced):
    lines = shop()
    whole = (lines["quantity"] * lines["unit_price"]).groupby(lines["order_id"]).transform("sum").round(2)
    text = draft(tmp_path, (lines if priced else lines.drop(columns="unit_price")).assign(total=whole))
    assert figures(tmp_path, text) == (total(lines), len(lines), 150, 40)


def test_a_price_that_rises_with_the_pieces_is_of_the_whole_line_and_one_that_tells_nothing_is_asked_about(tmp_path):
    lines = shop()
    rises = lines.assign(price=(lines["quantity"] * lines["unit_price"]).round(2)).drop(columns="unit_price")
    assert figures(tmp_path, draft(tmp_path, rises))[0] == total(lines)
    unlike = rises.assign(product_id=[f"A{number}" for number in range(len(rises))])
    (question,) = open_questions(draft(tmp_path, unlike))
    assert question.startswith("unit_price: is price the price of a piece, or of the whole line")
    assert f'amount = "price"    # of the whole line; {total(lines):,.2f} in 150 orders of 40 customers' in question


def test_a_discount_of_the_whole_order_is_spread_over_its_lines(tmp_path):
    lines = shop()
    gross = (lines["quantity"] * lines["unit_price"]).groupby(lines["order_id"]).transform("sum")
    lines["discount"] = (gross * 0.07).round(2).where(lines["order_id"] % 3 == 0, 0)
    lines["order_total"] = (gross - lines["discount"]).round(2)
    net = round(float(lines.drop_duplicates("order_id")["order_total"].sum()), 2)
    text = draft(tmp_path, lines)
    assert 'order_discount = "discount"' in text
    assert figures(tmp_path, text)[0] == net


@pytest.mark.parametrize("key", ["per day", "per customer"])
def test_order_numbers_that_start_anew_are_other_orders(tmp_path, key):
    lines = shop()
    lines["order_id"] = 1 if key == "per day" else lines.groupby("customer_id")["order_id"].rank("dense").astype(int)
    assert figures(tmp_path, draft(tmp_path, lines))[2] == 150


@pytest.mark.parametrize(
    ("written_as", "first", "last"),
    [
        ("%d/%m/%Y %I:%M %p", "2024-01-01", "2024-11-25"),
        ("%m/%d/%Y %I:%M %p", "2024-01-01", "2024-11-25"),
        ("%d-%b-%y", "2024-01-01", "2024-11-25"),
        ("%d-%m-%Y", "2024-01-01", "2024-11-25"),
        ("excel", "2024-01-01", "2024-11-25"),
        ("mixed", "2024-01-01", "2024-11-25"),
    ],
)
def test_dates_are_read_as_the_file_proves_them(tmp_path, written_as, first, last):
    lines = shop()
    serial = ((lines["order_date"] - pd.Timestamp("1899-12-30")).dt.total_seconds() / 86400).round(5).astype(str)
    days = serial if written_as == "excel" else lines["order_date"].dt.strftime(written_as.replace("mixed", "%d/%m/%Y"))
    if written_as == "mixed":
        days = days.where(lines.index % 2 == 0, serial)
    figures(tmp_path, draft(tmp_path, lines.assign(order_date=days)))
    with read_orders(read_card(tmp_path / "shop.toml")) as orders:
        assert [str(orders.first_day), str(orders.last_day)] == [first, last]


@pytest.mark.parametrize("format_", ["%d/%m/%Y", "%d-%m-%Y", "%d/%m/%Y %I:%M %p", "%d/%m/%y"])
def test_day_and_month_are_asked_about_where_the_dates_prove_neither(tmp_path, format_):
    lines = shop()
    lines = lines[lines["order_date"].dt.day <= 12]
    (question,) = open_questions(draft(tmp_path, lines.assign(order_date=lines["order_date"].dt.strftime(format_))))
    assert question.startswith("date_format: order_date doesn't say which is the day")


def test_days_that_a_spreadsheet_turned_are_asked_about(tmp_path):
    lines = shop()
    early = lines["order_date"].dt.day <= 12
    days = (
        lines["order_date"].dt.strftime("%d/%m/%Y").where(~early, lines["order_date"].dt.strftime("%Y-%d-%m 00:00:00"))
    )
    (question,) = open_questions(draft(tmp_path, lines.assign(order_date=days)))
    assert '["%d/%m/%Y", "%Y-%d-%m %H:%M:%S"]    # a spreadsheet turned day and month' in question
    assert "2024-01-01 to 2024-11-25" in question


def test_two_currencies_are_asked_about_and_never_summed(tmp_path):
    lines = shop()
    lines["currency"] = ["EUR" if number % 3 else "JPY" for number in lines["order_id"]]
    text = draft(tmp_path, lines)
    euros = lines[lines["currency"] == "EUR"]
    assert (
        f'currency = "EUR"    # on {len(euros)} lines; {total(euros):,.2f} in 100 orders of' in open_questions(text)[0]
    )
    assert figures(tmp_path, text, 'currency = "EUR"')[0] == total(euros)
    silent = re.sub("^currency(_column)? = .*$", "", text, flags=re.M)
    with pytest.raises(InputError, match=r'"currency" has several currencies \(EUR on .*, which are never summed'):
        figures(tmp_path, silent)


def cells(lines):
    return lines.assign(order_date=lines["order_date"].astype(str)).astype(object).values.tolist()


def test_sheets_that_go_on_in_each_other_are_read_and_others_are_named(tmp_path):
    rows = cells(shop())
    sheets = {"Jan-Jun": [NAMES, *rows[:90]], "Jul-Dec": [NAMES, *rows[90:]], "Notes": [["made by", "me"], ["a", "b"]]}
    write_workbook(tmp_path / "orders.xlsx", sheets)
    text = draft(tmp_path, name="orders.xlsx")
    assert "# Not read: the sheet Notes" in text
    assert figures(tmp_path, text)[:2] == (total(shop()), len(shop()))
    (tmp_path / "shop.toml").write_text(re.sub("^sheets = .*$", "", text, flags=re.M))
    with pytest.raises(InputError, match=r"has several sheets: 'Jan-Jun' \(91 rows\), .*; name one with sheet = "):
        read_orders(read_card(tmp_path / "shop.toml"))


@pytest.mark.parametrize(
    "above", [[["Sales report 2024"], [""]], [["Order", "", "", "Item"]], [["Report"], ["from", "to"], [""]]]
)
@pytest.mark.parametrize("ending", ["xlsx", "csv"])
def test_titles_above_the_columns_are_passed_over(tmp_path, above, ending):
    rows = [*[[*line, *[""] * (6 - len(line))] for line in above], NAMES, *cells(shop())]
    if ending == "xlsx":
        write_workbook(tmp_path / "orders.xlsx", {"Sales": rows})
    else:
        (tmp_path / "orders.csv").write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    text = draft(tmp_path, name=f"orders.{ending}")
    assert figures(tmp_path, text)[:2] == (total(shop()), len(shop()))
    (tmp_path / "shop.toml").write_text(re.sub("^header_row = .*$", "", text, flags=re.M))
    with pytest.raises(InputError, match=f"row {len(above) + 1} names the columns: set header_row = {len(above) + 1}"):
        read_orders(read_card(tmp_path / "shop.toml"))


@pytest.mark.parametrize(
    ("encoding", "name"), [("cp1252", "Café ’5 €"), ("latin-1", "Café Grüße"), ("utf-16", "Café €")]
)
@pytest.mark.parametrize("packed", [False, True])
def test_western_encodings_are_read(tmp_path, encoding, name, packed):
    named = shop().assign(product_name=lambda rows: rows["product_id"].map(lambda what: f"{name} {what}"))
    content = named.to_csv(index=False, sep=";").encode(encoding)
    file = "orders.csv.gz" if packed else "orders.csv"
    text = draft(tmp_path, gzip.compress(content) if packed else content, file)
    assert figures(tmp_path, text)[0] == total(shop())
    with read_orders(read_card(tmp_path / "shop.toml")) as orders:
        found = orders.connection.execute("SELECT min(name) FROM products").fetchone()
    assert found == (f"{name} SKU-000",)


def test_a_line_that_names_the_separator_is_passed_over_and_a_file_of_one_column_is_refused_in_words(tmp_path):
    content = "sep=;\n" + shop().to_csv(index=False, sep=";")
    assert figures(tmp_path, draft(tmp_path, content.encode()))[0] == total(shop())
    with pytest.raises(InputError, match="orders.csv has only one column, 'order': if another separator"):
        draft(tmp_path, b"order\n1\n2\n")


@pytest.mark.parametrize("gone", [NAMES[:3], NAMES[2:3], NAMES[1:3]])
def test_cells_on_an_orders_first_line_count_for_all_of_its_lines(tmp_path, gone):
    lines = shop().astype(object)
    lines.loc[lines.duplicated("order_id"), gone] = None
    text = draft(tmp_path, lines)
    assert f"fill_down = {gone}".replace("'", '"') in text
    assert figures(tmp_path, text) == (total(shop()), len(shop()), 150, 40)


def test_a_guests_order_gets_nobody_elses_cells(tmp_path):
    lines = shop().astype(object)
    lines.loc[lines.duplicated("order_id") | (lines["order_id"] % 10 == 3), "customer_id"] = None
    named = lines[lines["order_id"] % 10 != 3]
    assert figures(tmp_path, draft(tmp_path, lines))[:2] == (total(named), len(named))


def test_a_blank_in_a_column_of_numbers_is_a_missing_number(tmp_path):
    people = pd.DataFrame({"customerID": [f"A{n:03d}" for n in range(100)], "TotalCharges": range(100)}).astype(str)
    people.loc[::20, "TotalCharges"] = [" ", "", "N/A", "-", "null"]
    text = draft(tmp_path, people.assign(tenure=range(100)))
    (tmp_path / "shop.toml").write_text(text)
    rows = read_ready(read_card(tmp_path / "shop.toml"))
    assert rows.table["TotalCharges"].isna().sum() == 5
    assert rows.kinds["TotalCharges"] == "count"


def test_a_table_of_customers_needs_an_id_however_it_is_called(tmp_path):
    answers = pd.DataFrame(
        {"fast": ["Yes", "No"] * 50, "tasty": ["No"] * 100, "age": [20 + n % 50 for n in range(100)]}
    )
    with pytest.raises(InputError, match=r"has neither orders .* nor an id .*add a column with an id"):
        draft(tmp_path, answers)
    text = draft(tmp_path, answers.assign(CLIENTNUM=range(700, 800), Customer_Age=answers["age"]))
    assert 'id = "CLIENTNUM"' in text


def test_a_check_tells_what_to_doubt(tmp_path):
    lines = shop().astype({"customer_id": str})
    lines["customer_id"] = lines["customer_id"].str.zfill(2).replace({"01": "1", "09": "guest"})
    lines.loc[40:44, "customer_id"] = "01"
    lines["phase"] = "paid"
    text = draft(tmp_path, lines)
    lines.loc[::9, "phase"] = "void"
    lines.to_csv(tmp_path / "orders.csv", index=False)
    shown = check_dataset(decided(tmp_path, text.replace("placeholders", "# placeholders")))
    assert "2 customer ids differ only in case or leading zeros and may be 1 customers, such as 01 and 1" in shown
    assert "customers called guest may be nobody: name them under placeholders" in shown
    assert "50.0% of 150 orders have one line" in shown
    assert "phase is not used and has the words void: say under [orders.status]" in shown


def test_an_expression_that_reads_other_lines_is_refused_as_the_cards(tmp_path):
    text = draft(tmp_path, shop())
    for sql, named in (("sum(unit_price) OVER ()", "OVER"), ("max(unit_price)", "max"), ("unnest([1, 2])", "unnest")):
        changed = re.sub('^unit_price = "unit_price"', f'unit_price = {{ sql = "{sql}" }}', text, flags=re.M)
        with pytest.raises(
            InputError, match=rf"\[orders.columns\] unit_price reads other lines than its own \({named}\)"
        ):
            figures(tmp_path, changed)


def test_a_comment_may_end_an_expression(tmp_path):
    sql = '{ sql = "quantity -- pieces" }\nis_return = { sql = "quantity < 0 -- sent back" }'
    text = re.sub('^quantity = "quantity"', lambda _: f"quantity = {sql}", draft(tmp_path, shop()), flags=re.M)
    assert figures(tmp_path, text)[0] == total(shop())
