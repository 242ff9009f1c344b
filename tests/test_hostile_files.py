"""Files and cards that are damaged, blown up, or made to harm: refused within seconds, in one line."""

import gzip
import random
import sys
import time
import zipfile
from pathlib import Path

import pytest
from test_sources import CARD, HEADER, LINES, write, write_workbook

from segkit.data.cards.card import read_card
from segkit.data.cards.locate import locate_files
from segkit.data.cards.sections import FileSource
from segkit.data.new_card.draft import write_new_card
from segkit.data.orders import read_orders
from segkit.data.ready_table import read_ready
from segkit.data.source_files import cached
from segkit.runtime.errors import InputError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("segkit.data.source_files.CACHE", tmp_path / "cache")


def refused(folder, name="orders.csv"):
    """Return the one line with which a file is refused."""
    (folder / "shop.toml").write_text(CARD.replace("orders.csv", name))
    start = time.monotonic()
    with pytest.raises(InputError) as error:
        read_orders(read_card(folder / "shop.toml"))
    assert "\n" not in str(error.value)
    assert time.monotonic() - start < 60
    return str(error.value)


def test_a_damaged_gz_is_refused_wherever_it_is_cut_or_changed(tmp_path):
    whole = gzip.compress("\n".join([HEADER, *LINES * 50]).encode())
    draw = random.Random(1)
    for cut in draw.sample(range(20, len(whole) - 1), 12):
        (tmp_path / "orders.csv.gz").write_bytes(whole[:cut])
        assert "orders.csv.gz" in refused(tmp_path, "orders.csv.gz")
    for place in draw.sample(range(30, len(whole)), 12):
        (tmp_path / "orders.csv.gz").write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        assert "orders.csv.gz" in refused(tmp_path, "orders.csv.gz")


def patched(path, change):
    """Change the first sheet of a workbook."""
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    parts["xl/worksheets/1.xml"] = change(parts["xl/worksheets/1.xml"])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        for name, content in parts.items():
            book.writestr(name, content)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda xml: xml.replace(b"</sheetData>", b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'),
         "a sheet reaches to the cell XFD1048576"),
        (lambda xml: xml.replace(b"<t>mug</t>", b"<t>" + b"a" * 60_000_000 + b"</t>", 1), "unpacks to 60 MB"),
        (lambda xml: xml.replace(b"<t>mug</t>", b"<t>&evil;</t>"), "can't be read as an Excel file"),
    ],
)  # fmt: skip
def test_a_workbook_that_would_fill_the_memory_is_refused(tmp_path, change, message):
    write_workbook(tmp_path / "orders.xlsx", {"Sales": [HEADER.split(","), *[line.split(",") for line in LINES]]})
    patched(tmp_path / "orders.xlsx", change)
    assert message in refused(tmp_path, "orders.xlsx")


def test_a_workbook_without_sheets_is_refused(tmp_path):
    write_workbook(tmp_path / "orders.xlsx", {})
    assert "orders.xlsx" in refused(tmp_path, "orders.xlsx")


def test_a_file_of_thousands_of_columns_is_refused_or_read_within_seconds(tmp_path):
    (tmp_path / "orders.csv").write_text(",".join(f"c{n}" for n in range(5000)) + "\n" + ",".join("1" * 5000) + "\n")
    assert "orders.csv has 5,000 columns" in refused(tmp_path)


def test_nothing_is_imported_to_find_a_file_of_a_package(tmp_path, monkeypatch):
    (tmp_path / "evil").mkdir()
    for name in ("__init__", "x"):
        (tmp_path / "evil" / f"{name}.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)  # as where segkit was started by its script
    packages = ("evil.x", "evil", "../evil", "", "__main__")
    for source in (f"package:{package}/y.csv" for package in packages):
        with pytest.raises(InputError):
            locate_files(FileSource(source), tmp_path)
    assert "evil" not in sys.modules


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me:hunter2@host/shop",
        "postgres://host/shop?password=hunter2",
        "postgresql://host/shop?sslpassword=hunter2",
        "mysql://me:hunter2@host/shop",
        "host=db password=hunter2 dbname=shop",
    ],
)
def test_a_password_is_neither_accepted_nor_shown(tmp_path, address):
    write(tmp_path)
    card = CARD.replace("orders.csv", address).replace("[orders.columns]", 'table = "a.b"\n[orders.columns]')
    for attempt in (
        lambda: read_card(tmp_path / "shop.toml", source=address),
        lambda: write_new_card(address, folder=tmp_path, table="a.b"),
        lambda: (tmp_path / "shop.toml").write_text(card) and read_orders(read_card(tmp_path / "shop.toml")),
    ):
        with pytest.raises(InputError) as error:
            attempt()
        assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    "card",
    [
        "a = " + "[" * 5000 + "]" * 5000,
        "a = " + "9" * 5000,
        '[orders]\nsql = ""\n',
        '[features]\nsource = "~nouser/x.csv"\nid = "id"\n',
        f'[features]\nsource = "{"x" * 5000}.csv"\nid = "id"\n',
        '[features]\nsource = "a\\u0000b.csv"\nid = "id"\n',
        '[features]\nsource = "survey.csv"\nid = "id"\n',
        '[features]\nsource = "survey.csv"\nid = "id"\n[custom_features]\n"" = { sql = "1" }\n',
        '[features]\nsource = "survey.csv"\nid = "id"\n[custom_features]\ncustomer_id = { sql = "1" }\n',
        '[features]\nsource = "survey.csv"\nid = "id"\n[sources]\na = "survey.csv"\nA = "survey.csv"\n',
    ],
)  # fmt: skip
def test_a_card_that_nobody_can_mean_is_refused_in_one_line(tmp_path, card):
    (tmp_path / "survey.csv").write_text("id,customer_id,age\n1,2,3\n2,3,4\n")
    (tmp_path / "shop.toml").write_text(card)
    with pytest.raises(InputError) as error:
        read_ready(read_card(tmp_path / "shop.toml"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["x" * 5000, "x" * 5000 + ".toml", "a\0b", "..", "...toml", "~nouser/x.toml"])
def test_a_name_that_no_card_has_is_refused_in_one_line(name):
    with pytest.raises(InputError) as error:
        read_card(name)
    assert len(str(error.value)) < 500


def test_the_odd_file_of_a_pattern_is_named(tmp_path):
    card = CARD.replace("orders.csv", "orders-*.csv")
    write(tmp_path, LINES[:10], name="orders-1.csv", card=card)
    odd = write(tmp_path, LINES[10:], header=HEADER.replace("price", "cost"), name="orders-2.csv", card=card)
    with pytest.raises(
        InputError, match=r"orders-2.csv has no column 'price', which other files of orders-\*.csv have"
    ):
        read_orders(odd)


def test_a_conversion_that_was_stopped_leaves_no_file_that_passes_for_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("segkit.data.source_files.CACHE", tmp_path)

    def stops(draft):
        Path(draft).write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached("orders", stops)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.read_text() == "half"]
    assert cached("orders", lambda draft: Path(draft).write_text("whole")).read_text() == "whole"
