"""A first card for a file: it reads, and the columns are right where names or contents say so."""

import os
import random
import re
from pathlib import Path

import pandas as pd
import pytest

from segkit.data.cards.card import CARDS, read_card
from segkit.data.new_card.card_text import open_questions
from segkit.data.new_card.draft import draft_card, write_new_card
from segkit.data.orders import read_orders
from segkit.data.ready_table import read_ready
from segkit.data.reconcile import reconcile
from segkit.runtime.errors import InputError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("segkit.data.source_files.CACHE", tmp_path / "cache")


def some_orders(day="%Y-%m-%d", orders=60):
    """Return order lines of 20 customers; the order number of a return begins with R."""
    draw = random.Random(1)
    rows = []
    for number in range(orders):
        back = number % 10 == 0
        when = pd.Timestamp(2024, 1 + number % 12, 1 + number % 28).strftime(day)
        for _ in range(draw.randint(1, 4)):
            pieces = -1 if back else draw.randint(1, 3)
            who, what = f"{number % 20:03d}", f"P{draw.randint(1, 30)}"
            rows.append((f"{'R' * back}{1000 + number}", when, who, what, pieces, round(draw.uniform(1, 900), 2)))
    return pd.DataFrame(rows, columns=["order", "day", "customer", "product", "pieces", "price"])


NAMES = ["order_id", "order_date", "customer_id", "sku", "qty", "price"]


def drafted(folder, name="orders"):
    file = next(folder.glob(f"{name}.*"))
    (folder / "drafted.toml").write_text(draft_card(file, "drafted", folder), encoding="utf-8")
    return read_card(folder / "drafted.toml")


def columns(card):
    return {role: sql.strip('"') for role, sql in card.tables["orders"].columns.items()}


def test_columns_are_found_by_their_names_and_returns_by_the_letter_before_the_number(tmp_path):
    lines = some_orders()
    lines.columns = ["Invoice No", "InvoiceDate", "CustomerID", "Stock Code", "Qty", "UnitPrice"]
    lines.to_csv(tmp_path / "orders.csv", index=False)
    card = drafted(tmp_path)
    assert columns(card) == {
        "customer_id": "CustomerID",
        "order_id": "Invoice No",
        "ordered_at": "InvoiceDate",
        "product_id": "Stock Code",
        "quantity": "Qty",
        "unit_price": "UnitPrice",
        "is_return": "Invoice No\"::TEXT LIKE 'R%'",
    }
    with read_orders(card) as orders:
        assert orders.ledger["reason"].tolist() == ["sale", "return"]
        assert orders.ledger["amount"].sum() == pytest.approx((lines["Qty"] * lines["UnitPrice"]).sum())


@pytest.mark.parametrize(
    ("name", "values", "found"),
    [
        ("Refunded Amount", [0.0, 12.5], False),
        ("Refunded Amount", ["0.00", "12.50"], False),
        ("Retoure", ["bought", "sent back"], False),
        ("Retoure", ["nein", "ja"], True),
        ("Refunded", [0, 1], True),
    ],
)
def test_a_column_is_is_return_only_if_it_says_yes_or_no(tmp_path, name, values, found):
    lines = some_orders()
    lines["pieces"] = lines["pieces"].abs()
    lines[name] = [values[place % 2] for place in range(len(lines))]
    lines.to_csv(tmp_path / "orders.csv", index=False)
    roles = {column: role for role, column in columns(drafted(tmp_path)).items()}
    assert roles.get(name) == ("is_return" if found else None)


def test_a_german_export_with_its_dates_commas_and_umlauts_needs_no_edit(tmp_path):
    lines = some_orders("%d.%m.%Y 10:00").assign(land="Österreich")
    lines.columns = ["Bestellnummer", "Bestelldatum", "Kundennr.", "Artikelnummer", "Stückzahl", "Einzelpreis", "Land"]
    lines.to_csv(tmp_path / "orders.csv", index=False, sep=";", decimal=",", encoding="latin-1")
    card = drafted(tmp_path)
    assert card.tables["orders"].date_format == ("%d.%m.%Y %H:%M",)
    assert columns(card)["country"] == "Land"
    with read_orders(card) as orders:
        assert orders.ledger["amount"].sum() == pytest.approx((lines["Stückzahl"] * lines["Einzelpreis"]).sum())


@pytest.mark.parametrize(
    "names",
    [
        ["numero_commande", "date_commande", "id_client", "code_produit", "quantité", "prix_unitaire"],
        ["id_pedido", "fecha_pedido", "id_cliente", "código_producto", "cantidad", "precio_unitario"],
        ["Name", "Created at", "Email", "Lineitem sku", "Lineitem quantity", "Lineitem price"],
        ["transaction_id", "event_date", "user_pseudo_id", "item_id", "quantity", "price"],
        ["order_number", "date_created", "customer_id", "sku", "qty", "item_price"],
    ],
)
def test_exports_of_other_languages_and_shops_are_recognised(tmp_path, names):
    some_orders("%Y%m%d" if "event_date" in names else "%Y-%m-%d").set_axis(names, axis=1).to_csv(
        tmp_path / "orders.csv", index=False
    )
    card = drafted(tmp_path)
    roles = ("order_id", "ordered_at", "customer_id", "product_id", "quantity", "unit_price")
    assert [columns(card)[role] for role in roles] == names
    with read_orders(card) as orders:
        assert orders.ledger["reason"].tolist() == ["sale", "return"]


@pytest.mark.parametrize(("of", "role"), [("pieces", "unit_price"), ("lines", "amount")])
def test_what_adds_up_to_an_order_total_tells_whether_a_price_is_of_a_piece_or_of_the_line(tmp_path, of, role):
    lines = some_orders().set_axis(NAMES, axis=1)
    money = lines["price"] * (lines["qty"] if of == "pieces" else 1)
    lines["qty"] = lines["qty"].abs()
    lines["total"] = money.abs().groupby(lines["order_id"]).transform("sum").round(2)
    lines.to_csv(tmp_path / "orders.csv", index=False)
    card = drafted(tmp_path)
    assert columns(card)[role] == "price"
    assert card.tables["orders"].totals == {"total": '"total"'}
    with read_orders(card) as orders:
        assert reconcile(orders).share == 1


@pytest.mark.parametrize(
    ("named", "currency"),
    [("price", ""), ("Price (£)", "GBP"), ("price_eur", "EUR"), ("Einzelpreis in CHF", "CHF"), ("Euro price", "")],
)
def test_the_currency_is_read_from_the_name_of_the_money_or_asked_for(tmp_path, named, currency):
    lines = some_orders().set_axis(["order_id", "order_date", "customer_id", "sku", "qty", named], axis=1)
    lines.to_csv(tmp_path / "orders.csv", index=False)
    assert drafted(tmp_path).currency == currency
    assert ("to be filled in" in (tmp_path / "drafted.toml").read_text()) == (not currency)


def test_products_get_the_name_that_most_of_their_lines_bear(tmp_path):
    lines = some_orders().set_axis(["order_id", "order_date", "customer_id", "sku", "qty", "price"], axis=1)
    lines["Description"] = "thing " + lines["sku"]
    lines.loc[lines.index[lines["sku"] == "P7"][:1], "Description"] = "a slip"
    lines.loc[lines.index[lines["sku"] == "P8"][:1], "Description"] = None
    lines["item_name"] = [f"note {number}" for number in range(len(lines))]  # differs within a product
    lines.to_csv(tmp_path / "orders.csv", index=False)
    with read_orders(drafted(tmp_path)) as orders:
        named = dict(orders.connection.execute("SELECT product_id, name FROM products").fetchall())
    assert named == {sku: f"thing {sku}" for sku in lines["sku"].unique()}
    assert "item_name: text" in (text := (tmp_path / "drafted.toml").read_text())
    assert "lines of one product differ in it" in text


def test_a_card_says_which_rows_it_counted_and_what_is_no_number(tmp_path, monkeypatch):
    monkeypatch.setattr("segkit.data.new_card.look.SAMPLE_ROWS", 100)
    lines = some_orders().set_axis(["Invoice", "date", "customer_id", "sku", "qty", "Unit\nprice"], axis=1)
    lines["Invoice"] = [*["C489449"] * 3, *map(str, range(3, len(lines)))]
    lines.loc[:24, "customer_id"] = None
    lines.to_parquet(tmp_path / "orders.parquet")
    assert columns(drafted(tmp_path))["unit_price"] == "Unit\nprice"
    text = (tmp_path / "drafted.toml").read_text()
    assert f"of the first 100 of {len(lines)} rows" in text
    assert 'order_id = "Invoice"    # numbers (3.0% not, such as C489449), 98 different' in text
    assert ", 25% of the first 100 empty; e.g." in text


def test_products_without_a_digit_among_numbers_are_offered_for_exclusion(tmp_path, monkeypatch):
    monkeypatch.setattr("segkit.data.new_card.look.SAMPLE_ROWS", 100)  # they may stand in later rows only
    lines = some_orders(orders=300).set_axis(["order_id", "order_date", "customer_id", "sku", "qty", "price"], axis=1)
    lines["sku"] = [f"P{number % 90}" for number in range(len(lines))]
    lines.loc[lines.index[150::50], "sku"] = "POST"
    lines.to_csv(tmp_path / "orders.csv", index=False)
    drafted(tmp_path)
    text = (tmp_path / "drafted.toml").read_text().replace("# [orders.exclude]", "[orders.exclude]")
    (tmp_path / "drafted.toml").write_text(text.replace("# not_a_product", "not_a_product"))
    with read_orders(read_card(tmp_path / "drafted.toml")) as orders:
        left_out = orders.ledger.set_index("reason")["rows"]["not_a_product"]
    assert left_out == (lines["sku"] == "POST").sum()


def test_an_e_mail_address_is_never_quoted_in_a_card(tmp_path):
    lines = some_orders().set_axis(["order_id", "order_date", "email", "sku", "qty", "price"], axis=1)
    lines["email"] = "c" + lines["email"] + "@shop.example"
    lines.to_csv(tmp_path / "orders.csv", index=False)
    drafted(tmp_path)
    text = (tmp_path / "drafted.toml").read_text()
    assert "better take an id" in text
    assert "@shop.example" not in text


def test_what_is_not_found_has_a_stand_in_or_is_asked_for(tmp_path):
    lines = some_orders().set_axis(["x", "order_date", "customer_id", "y", "z", "amount"], axis=1)
    lines[["order_date", "customer_id", "amount"]].assign(amount=lines["amount"] + 1).to_csv(
        tmp_path / "orders.csv", index=False
    )
    card = drafted(tmp_path)
    assert columns(card)["quantity"] == "1"
    with read_orders(card) as orders:
        assert orders.ledger["rows"].tolist() == [len(lines)]


@pytest.mark.parametrize(
    ("column", "others", "asked"),
    [
        ("sales", "soon", r"amount: which .*\(sales: its name says amount, but .* no numbers, such as soon\)"),
        ("order_date", "soon", "ordered_at: which column is it.*66% of its values are no dates, such as soon"),
        ("order_date", None, "ordered_at: which column is it: none was found;"),
        ("price", None, "amount: which column is it: none was found;"),
    ],
)
def test_a_column_that_is_still_to_be_named_is_to_be_decided_with_what_spoke_against_others(
    tmp_path, column, others, asked
):
    lines = some_orders().set_axis(NAMES, axis=1)
    if column == "sales":
        lines = lines.rename(columns={"price": "sales"})
    lines[column] = lines[column].where(lines.index % 3 == 0, others)
    lines = lines if others else lines.drop(columns=column)
    lines.to_csv(tmp_path / "orders.csv", index=False)
    (question,) = open_questions(draft_card(tmp_path / "orders.csv", "drafted", tmp_path))
    assert re.match(asked, question)


def test_one_row_per_customer_becomes_a_ready_table(tmp_path):
    people = pd.DataFrame({"respondent_id": range(1, 31), "E-Mail": [f"a{n}@x.at" for n in range(30)]})
    people = people.assign(
        yummy=["Yes", "No"] * 15, **{"visits per year": range(30), "city": ["Graz", "Linz", "Wien"] * 10}
    )
    people.to_parquet(tmp_path / "survey.parquet")
    card = drafted(tmp_path, "survey")
    assert card.ready.id == "respondent_id"
    rows = read_ready(card)
    assert rows.kinds == {"yummy": "binary", "visits per year": "count", "city": "category"}
    assert list(rows.left_out) == ["E-Mail"]


def test_a_card_is_written_once_and_never_over_another(tmp_path):
    some_orders().set_axis(["order_id", "date", "customer_id", "sku", "qty", "price"], axis=1).to_csv(
        tmp_path / "My Orders.csv", index=False
    )
    path = write_new_card(tmp_path / "My Orders.csv", folder=tmp_path)
    assert path.name == "my-orders.toml"
    with pytest.raises(InputError, match=r"a card my-orders.toml already; choose another name with --name"):
        write_new_card(tmp_path / "My Orders.csv", folder=tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.csv", None, "there is no file"),
        ("empty.csv", "", "is empty"),
        ("header.csv", "a,b\n", "has no rows"),
        ("text.parquet", "a,b\n1,2\n", "not what its ending says"),
    ],
)
def test_a_bad_file_gets_no_card(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        write_new_card(tmp_path / name, folder=tmp_path)
    assert not list(tmp_path.glob("*.toml"))


@pytest.mark.parametrize(
    ("given", "written", "name"),
    [
        ("2024", "2024/*.csv", "2024"),
        ("2024/", "2024/*.csv", "2024"),
        ("2024/*.csv", "2024/*.csv", "2024"),
        ("2024/orders-*", "2024/orders-*", "orders"),
        ("", "**/*.csv", None),
    ],
)
def test_many_files_are_named_by_their_folder_or_a_pattern_which_the_card_has(tmp_path, given, written, name):
    (tmp_path / "2024").mkdir()
    lines = some_orders().set_axis(NAMES, axis=1)
    for month in (1, 2):
        lines[month - 1 :: 2].to_csv(tmp_path / "2024" / f"orders-{month}.csv", index=False)
    (tmp_path / "2024" / "_SUCCESS").touch()
    card = read_card(write_new_card(f"{tmp_path}/{given}", folder=tmp_path))
    assert card.tables["orders"].file.source == str(tmp_path / written)
    assert card.name == (name or tmp_path.name.replace("_", "-"))
    with read_orders(card) as orders:
        assert orders.ledger["rows"].sum() == len(lines)


def test_files_that_are_no_parts_of_one_table_get_no_card(tmp_path):
    some_orders().set_axis(NAMES, axis=1).to_csv(tmp_path / "orders.csv", index=False)
    pd.DataFrame({"customer_id": ["001"], "city": ["Graz"], "age": [40]}).to_csv(tmp_path / "people.csv", index=False)
    with pytest.raises(InputError, match=r"orders.csv and people.csv have 1 columns in common, .*orders\*\.csv'"):
        write_new_card(tmp_path, folder=tmp_path)
    (tmp_path / "orders.parquet").touch()
    with pytest.raises(InputError, match=r"holds files that end in .csv, .parquet: name those .*/\*\.csv'"):
        write_new_card(tmp_path, folder=tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty holds no file that segkit reads"):
        write_new_card(tmp_path / "empty", folder=tmp_path)


@pytest.mark.parametrize(
    ("address", "table", "message"),
    [
        (
            "s3://shop/orders.parquet",
            "",
            r"and tables at postgresql://, nothing at s3://; bring the rows here",
        ),
        ("mysql://me:secret@host/shop", "", r"nothing at mysql://; bring the rows here as parquet or CSV"),
        ("postgresql://me@host/shop", "", r"say which table or view to look at: --table SCHEMA.NAME"),
        ("postgresql://me:secret@host/shop", "", r"holds a password"),
        ("orders.csv", "public.orders", r"--table goes with .* postgresql://..., not with orders.csv"),
    ],
)
def test_an_address_that_is_not_read_is_told_with_the_way_out(tmp_path, address, table, message):
    with pytest.raises(InputError, match=message) as told:
        write_new_card(address, folder=tmp_path, table=table)
    assert "secret" not in str(told.value)


def test_the_card_drafted_for_the_published_retail_data_needs_no_edit(tmp_path):
    path = Path(os.environ.get("SEGKIT_ONLINE_RETAIL", CARDS / "raw" / "online_retail_II.xlsx"))
    if not path.is_file():
        pytest.skip("needs the file: `segkit fetch online-retail-ii`, or its path in SEGKIT_ONLINE_RETAIL")
    (tmp_path / "shop.toml").write_text(draft_card(path, "shop", tmp_path))
    with read_orders(read_card(tmp_path / "shop.toml")) as orders:
        sale = orders.ledger.set_index("reason").loc["sale"]
    assert sale.round(2).tolist() == [407_664, 19_213, 4_312, 8_832_003.27]


def german_lines(total, discount="money per line", rows=500):
    """Return a German shop's lines whose discount and total are as told; every tenth line is a return."""
    draw = random.Random(2)
    lines = []
    for number in range(rows):
        pieces, price = draw.randint(1, 5) * (-1 if number % 10 == 0 else 1), draw.randint(200, 9000) / 100
        off = draw.choice([0, 0, 0.05, 0.1, 0.25])
        per = {"money per line": abs(pieces) * price, "money per piece": price, "percent": 100}.get(discount, 1)
        off_written = round(off * per, 2)
        taken = off_written * {"money per piece": abs(pieces)}.get(discount, 1)
        taken = off * abs(pieces) * price if discount in ("percent", "rate") else taken
        sign = 1 if pieces > 0 else -1
        sums = {"after": pieces * price - sign * taken, "before": pieces * price, "neither": draw.randint(1, 99)}
        when = f"{1 + number % 28:02d}.{1 + number % 12:02d}.2026 12:00"
        who = f"{number % 50:03d}", f"B{1000 + number // 2}", when, f"P{number % 30}"
        lines.append((*who, pieces, price, off_written, round(sums[total], 2)))
    names = ["Kundennr", "Bestellnr", "Bestelldatum", "Artikelnr", "Menge", "Einzelpreis", "Rabatt", "Gesamtbetrag"]
    return pd.DataFrame(lines, columns=names)


def german_text(lines, folder):
    off = lines["Rabatt"].map(lambda number: f"{number:g}".replace(".", ","))  # 0, not 0,00, as spreadsheets write it
    lines.assign(Rabatt=off).to_csv(folder / "orders.csv", index=False, sep=";", decimal=",")
    return draft_card(folder / "orders.csv", "drafted", folder)


def decided(folder, text, *lines):
    """Return the card in which each open key is decided by one of these lines."""
    for line in lines:
        key = line.partition(" ")[0]
        text = re.sub(rf'^(amount|{key}) = "TO DECIDE".*$', lambda _, line=line: line, text, flags=re.M)
    (folder / "drafted.toml").write_text(text, encoding="utf-8")
    return read_card(folder / "drafted.toml")


@pytest.mark.parametrize(
    ("discount", "told"),
    [
        ("money per line", "money per line"),
        ("money per piece", "money per piece"),
        ("percent", "a rate in percent"),
        ("rate", "a rate from 0 to 1"),
    ],
)
def test_a_total_that_equals_price_less_discount_is_the_amount_and_tells_what_the_discount_is(tmp_path, discount, told):
    lines = german_lines("after", discount)
    text = german_text(lines, tmp_path)
    card = decided(tmp_path, text)
    assert columns(card)["amount"] == "Gesamtbetrag"
    assert f"equals Menge x Einzelpreis less Rabatt ({told}) in 100% of rows: after discount" in text
    assert open_questions(text) == []
    gross, net = lines["Menge"] * lines["Einzelpreis"], lines["Gesamtbetrag"]
    assert gross.sum() > 1.05 * net.sum()
    with read_orders(card) as orders:
        assert orders.ledger["amount"].sum() == pytest.approx(net.sum())
        found = orders.connection.execute("SELECT sum(discount)::DOUBLE FROM orders").fetchone()[0]
    assert found == pytest.approx(gross.abs().sum() - net.abs().sum(), abs=1)


@pytest.mark.parametrize(
    ("total", "doubt"),
    [
        ("before", "Gesamtbetrag is Menge x Einzelpreis also where Rabatt isn't 0"),
        ("neither", "no column equals Menge x Einzelpreis, with or without Rabatt"),
        ("", "no column equals Menge x Einzelpreis, with or without Rabatt"),
    ],
)
def test_an_amount_that_may_include_the_discount_is_asked_about_with_what_each_answer_gives(tmp_path, total, doubt):
    lines = german_lines(total or "after")
    text = german_text(lines if total else lines.drop(columns="Gesamtbetrag"), tmp_path)
    (question,) = open_questions(text)
    assert question.startswith(f"take_off_discount: amount may still include the discount: {doubt}")
    if total == "neither":
        return
    net = german_lines("after")["Gesamtbetrag"].sum()
    assert f"take_off_discount = true    # taken off; {net:,.2f} in " in question
    with read_orders(decided(tmp_path, text, "take_off_discount = true")) as orders:
        assert orders.ledger["amount"].sum() == pytest.approx(net)


def test_dates_in_several_formats_are_read_by_as_many_and_an_open_order_of_day_and_month_is_asked_about(tmp_path):
    lines = some_orders("%d.%m.%Y 12:00")
    lines.columns = ["order_id", "order_date", "customer_id", "sku", "qty", "price"]
    iso = pd.to_datetime(lines["order_date"], format="%d.%m.%Y %H:%M")
    lines["order_date"] = lines["order_date"].where(lines.index % 3 > 0, iso.dt.strftime("%Y-%m-%d"))
    lines["order_date"] = lines["order_date"].where(lines.index % 5 > 0, iso.dt.strftime("%d.%m.%y"))
    lines.to_csv(tmp_path / "orders.csv", index=False)
    card = drafted(tmp_path)
    assert set(card.tables["orders"].date_format) == {"%d.%m.%Y %H:%M", "%Y-%m-%d", "%d.%m.%y"}
    with read_orders(card) as orders:
        assert orders.ledger["reason"].tolist() == ["sale", "return"]
        assert [orders.first_day, orders.last_day] == [iso.min().date(), iso.max().date()]
    lines.assign(order_date="05/06/2026").to_csv(tmp_path / "orders.csv", index=False)
    (question,) = open_questions(draft_card(tmp_path / "orders.csv", "drafted", tmp_path))
    assert question.startswith("date_format: order_date doesn't say which is the day and which the month")
    assert re.search('= "%d/%m/%Y"    # the day first; .*, 2026-06-05 to 2026-06-05', question)
    assert re.search('= "%m/%d/%Y"    # the month first; .*, 2026-05-06 to 2026-05-06', question)


def test_a_postcode_is_a_word_that_keeps_its_zeros_or_is_left_out_with_the_reason(tmp_path):
    people = pd.DataFrame({"customer_id": range(100), "Kunde seit Tagen": range(100)})
    people["PLZ"] = [f"{1000 + 67 * (n % 4):05d}" for n in range(100)]
    people["zipCode"] = [str(1010 + n) for n in range(100)]
    people["store code"] = [f"{n % 7:03d}" for n in range(100)]
    people.to_csv(tmp_path / "people.csv", index=False)
    rows = read_ready(drafted(tmp_path, "people"))
    assert rows.kinds == {"Kunde seit Tagen": "count", "PLZ": "category", "store code": "category"}
    assert rows.table["PLZ"].iloc[0] == "01000"
    assert rows.left_out["zipCode"].startswith("a postcode with 100 different values")
