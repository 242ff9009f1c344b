"""Cards: what may stand in one, and what is said of what may not."""

import pytest

from segkit.data.cards.card import list_cards, read_card
from segkit.data.cards.datasets import describe_datasets
from segkit.reporting.run_chain import name_for_kernels
from segkit.runtime.errors import InputError

ORDERS = """
title = "A shop"
[orders]
source = "orders.csv"
[orders.columns]
customer_id = "who"
order_id = "Order No"
ordered_at = "at"
product_id = "what"
quantity = { sql = "1" }
amount = "paid"
"""


def write(folder, text, name="shop"):
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_card_in_the_project_can_be_read():
    assert {card.stem for card in list_cards()} >= {"complete-journey", "online-retail-ii"}
    assert all(read_card(path).title for path in list_cards())


def test_a_column_becomes_an_identifier_and_an_expression_stays_one(tmp_path):
    columns = read_card(write(tmp_path, ORDERS)).tables["orders"].columns
    assert columns["order_id"] == '"Order No"'
    assert columns["quantity"] == "1"


def test_another_file_replaces_only_the_order_lines(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    products = '[products]\nsource = "p.csv"\ncolumns = { product_id = "p" }\n'
    card = read_card(write(tmp_path, ORDERS + products), source="other.parquet")
    assert card.tables["orders"].file.source == str(tmp_path / "other.parquet")
    assert card.tables["products"].file.source == "p.csv"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("customer_id =", "custmer_id =", r"\[orders.columns\] has no key `custmer_id`; did you mean `customer_id`"),
        ("title =", "titel =", "the card has no key `titel`; did you mean `title`"),
        ("[orders]\n", "[orders]\nsorce = 1\n", r"\[orders\] has no key `sorce`; did you mean `source`"),
        ('amount = "paid"', "", r"lacks amount \(or unit_price\)"),
        ('order_id = "Order No"', "", r"lacks order_id; name the source column"),
        ('amount = "paid"', 'amount = "paid"\nunit_price = "price"', "both amount and unit_price"),
        ('"paid"', "paid", r"not valid TOML: .*line 11"),
        ('"paid"', '{ column = "paid" }', r"`amount` must be a column in quotes or"),
        ('source = "orders.csv"', "", r"needs either source = \"FILE\" or sql"),
        ("[orders]\n", '[orders]\nencoding = "ansi"\n', "`encoding` is one of utf-8"),
        ("[orders]\n", '[orders]\ndecimal = "_"\n', "`decimal` is"),
        ('title = "A shop"', "title = 7", "needs text in quotes for `title`"),
        ('title = "A shop"', '[features]\nsource = "a.csv"\nid = "id"', r"either \[orders\]"),
        ("[orders]\n", '[sources]\norders = "a.csv"\n[orders]\n', "`orders` can't name a file"),
        ("[orders]\n", '[fetch]\nurl = "http://x"\n[orders]\n', r"\[fetch\] lacks sha256, path"),
        ("[orders]\n", '[custom_features]\na = "count(*)"\n[orders]\n', r"\[custom_features\] a must be"),
        ("[orders]\n", "defaults = 3\n[orders]\n", r"must be a section, written as \[defaults\]"),
    ],
)
def test_a_wrong_card_is_refused_with_the_way_out(tmp_path, old, new, message):
    with pytest.raises(InputError, match=message):
        read_card(write(tmp_path, ORDERS.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ('source = "a.csv"', "lacks `id`"),
        ('source = "a.csv"\nid = "id"\nkind = { a = "share" }', "no key `kind`; did you mean `kinds`"),
        ('source = "a.csv"\nid = "id"\nkinds = { a = "shares" }', "`a` is 'shares'; did you mean `share`"),
        ('source = "a.csv"\nid = "id"\noutcomes = "like"', "needs a list of columns for `outcomes`"),
    ],
)
def test_a_wrong_ready_table_is_refused(tmp_path, features, message):
    with pytest.raises(InputError, match=message):
        read_card(write(tmp_path, f"[features]\n{features}\n"))


def test_an_unknown_dataset_names_the_nearest():
    with pytest.raises(InputError, match="no dataset `online-retail-2`; did you mean `online-retail-ii`"):
        read_card("online-retail-2")


def test_a_file_given_as_a_dataset_is_told_from_a_misspelt_name(tmp_path):
    path = tmp_path / "orders.csv"
    path.touch()
    with pytest.raises(InputError, match="that is a file, .* `segkit new-card"):
        read_card(str(path))


def test_a_card_that_is_not_text_is_refused(tmp_path):
    (tmp_path / "shop.toml").write_bytes(b'title = "\xff"')
    with pytest.raises(InputError, match="not a text file in UTF-8"):
        read_card(tmp_path / "shop.toml")


def test_the_list_of_datasets_says_what_is_there_and_how_to_get_the_rest(tmp_path):
    write(tmp_path, ORDERS, "mine")
    write(tmp_path, "titel = 1", "broken")
    listed = describe_datasets(tmp_path)
    assert "mine    A shop" in listed
    assert "there is no file orders.csv" in listed
    assert "broken  can't be read" in listed
    assert "no cards" in describe_datasets(tmp_path / "empty")


def test_a_sentence_begins_with_a_capital_and_what_follows_a_semicolon_does_not(tmp_path):
    with pytest.raises(InputError, match=r"no dataset `zzzz`\. Known: "):
        read_card("zzzz")


def test_a_notebook_finds_a_card_that_lies_in_the_folder_of_the_user(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "tea.toml").write_text('[features]\nsource = "a.csv"\nid = "a"\n')
    monkeypatch.chdir(tmp_path)
    named = name_for_kernels(read_card("tea"))
    monkeypatch.chdir("/")  # as a kernel, which works in the notebooks' folder
    assert read_card(named).name == "tea"
