"""What is handed over, to whom, and what is not."""

import csv
import json
from datetime import date

import pandas as pd
import pytest
from typer.testing import CliRunner

from segkit.cli import app
from segkit.data.cards.card import read_card
from segkit.data.orders import read_orders
from segkit.runtime.errors import InputError
from segkit.runtime.tables.csv_files import write_csv
from segkit.targeting.handover.addresses import normalise_email, sha256
from segkit.targeting.handover.audience import HANDED, audience, reachable_customers, read_contacts
from segkit.targeting.handover.folder import hand_over
from segkit.targeting.handover.platforms import PLATFORMS

CARD = """
title = "Typed shop"
[orders]
source = "orders.csv"
[orders.columns]
customer_id = "customer"
order_id = "order"
ordered_at = "at"
product_id = "product"
quantity = "n"
amount = "paid"
[customers]
source = "customers.csv"
[customers.columns]
customer_id = "customer_id"
email = "email"
phone = "phone"
consent = "consent"
"""
PEOPLE = """customer_id,email,phone,consent
a, Ann@Example.com ,+49 30 123456,true
b,bob@gmail.com,030 123456,true
c,cy@example.com,,false
d,,+1 212-565-0000,true
e,=cmd@example.com,,true
f,ann@example.com,,true
g,gus@example.com,,true
h,hal@example.com,,true
"""


@pytest.fixture
def run(tmp_path):
    """A finished run of eight customers: six in S1, one in S2, one left out."""
    (tmp_path / "shop.toml").write_text(CARD)
    (tmp_path / "customers.csv").write_text(PEOPLE)
    lines = [f"{who},{who}1,2026-01-05,p,1,9.5" for who in "abcdefgh"]
    (tmp_path / "orders.csv").write_text("\n".join(["customer,order,at,product,n,paid", *lines]))
    folder = tmp_path / "reports" / "shop" / "2026-01"
    (folder / "tables").mkdir(parents=True)
    (folder / "model").mkdir()
    (folder / "model" / "rules.sql").write_text("SELECT customer_id FROM features")
    assignments = pd.DataFrame({"customer_id": list("abcdefgh"), "segment_id": ["S1"] * 6 + ["S2", "S0"]})
    names = {"S1": "Loyal", "S2": "=HYPERLINK(1)", "S0": "Unsegmented"}
    assignments["segment"] = assignments["segment_id"].map(names)
    assignments["confidence"] = [1.0, 0.4, 1, 1, 1, 1, 1, 1]
    assignments["rfm_segment"] = "Champions"
    sizes = assignments.groupby(["segment_id", "segment"]).size().rename("customers").reset_index()
    sizes = sizes.assign(customer_share=0.5, revenue=-3.5, revenue_share=0.5, description="+1 more", rule="spend < 9")
    sizes = sizes.assign(rule_precision=0.9, rule_recall=0.4)
    features = pd.DataFrame({"customer_id": list("abcdefgh"), "spend": 9.5})
    for name, table in {"assignments": assignments, "segments": sizes, "features": features}.items():
        table.to_parquet(folder / "tables" / f"{name}.parquet")
    record = {"dataset": "shop", "month": "2026-01", "as_of": "2026-01-31", "source": ""}
    record |= {"card": str(tmp_path / "shop.toml"), "parameters": {"handover_floor": 2, "min_confidence": 0.0}}
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def test_addresses_are_trimmed_hashed_as_documented_and_never_twice(run):
    folder, _ = hand_over(run, ("google-ads", "meta"))
    google = pd.read_csv(folder / "google-ads" / "S1-loyal.csv")
    assert list(google) == ["Email", "Phone"]
    assert google["Email"].dropna().tolist() == [sha256("ann@example.com"), sha256("bob@gmail.com")]
    assert google["Phone"].dropna().tolist() == [sha256("+4930123456"), sha256("+12125650000")]
    meta = pd.read_csv(folder / "meta" / "S1-loyal.csv")
    assert meta["phone"].dropna().tolist() == [sha256("4930123456"), sha256("12125650000")]


def test_the_hash_is_the_published_one():
    assert sha256("test@example.com") == "973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b"


@pytest.mark.parametrize("name", PLATFORMS)
def test_every_customer_is_handed_over_or_counted_with_a_reason(run, name):
    folder, _ = hand_over(run, (name,))
    counts = pd.DataFrame(json.loads((folder / "handover.json").read_text())["counts"][name])
    assert counts["customers"].sum() == 8
    files = [folder / f"{name}.csv"] if not PLATFORMS[name].per_segment else (folder / name).iterdir()
    assert sum(len(pd.read_csv(path)) for path in files) == counts.set_index("reason")["customers"][HANDED].sum()


def test_nobody_without_consent_or_an_address_or_from_a_small_segment(run):
    folder, _ = hand_over(run, ("klaviyo",))
    people = pd.read_csv(folder / "klaviyo.csv")
    assert people["Customer ID"].tolist() == ["a", "b"]
    counts = pd.DataFrame(json.loads((folder / "handover.json").read_text())["counts"]["klaviyo"])
    assert set(counts["reason"]) == {
        HANDED, "without consent", "without an address", "same address as another customer", "in no segment",
        "segment smaller than 2",
    }  # fmt: skip


def test_who_counts_as_reachable_is_who_an_advertising_platform_would_get(run):
    contacts = read_contacts(read_orders(read_card(run.parents[2] / "shop.toml"), date(2026, 1, 31)))
    assigned = pd.read_parquet(run / "tables" / "assignments.parquet").assign(segment_id="S1", confidence=1.0)
    handed = audience(assigned, contacts, PLATFORMS["meta"], floor=1, min_confidence=0)[0]
    reachable = reachable_customers(contacts, pd.Index(list("abcdefgh")))
    same_address = {"f"}
    assert set(reachable[reachable].index) == set(handed["customer_id"]) | same_address


def test_customers_of_low_confidence_are_held_out_and_counted(run):
    told = hand_over(run, ("mailchimp",), min_confidence=0.5)[1][0]
    assert told.startswith("Mailchimp: 1 of 8 customers; not ")
    assert "1 confidence below 0.5" in told


def test_no_cell_of_a_csv_runs_in_a_spreadsheet_and_numbers_stay_numbers(run):
    folder, _ = hand_over(run, ("bi", "klaviyo"), floor=1)
    assert "'=HYPERLINK(1)" in (folder / "klaviyo.csv").read_text()
    for path in folder.rglob("*.csv"):
        texts = pd.read_csv(path).select_dtypes(exclude="number").melt()["value"]
        assert not texts.astype(str).str.match(r"[=+\-@\t\r]").any(), path
    assert pd.read_csv(folder / "bi" / "fact_segment_month.csv")["revenue"].eq(-3.5).all()


def test_the_star_holds_every_customer_and_segment_once(run):
    folder, _ = hand_over(run, ("bi",))
    star = {path.stem: pd.read_parquet(path) for path in (folder / "bi").glob("*.parquet")}
    assert star["dim_customer"]["customer_id"].is_unique
    assert set(star["fact_customer_month"]["segment_id"]) == set(star["dim_segment"]["segment_id"])
    assert star["fact_segment_month"]["customers"].sum() == len(star["fact_customer_month"]) == 8
    assert star["dim_segment"][["rule_precision", "rule_recall"]].values.tolist() == [[0.9, 0.4]] * 3


def test_a_shop_without_addresses_gets_tables_and_sql_and_says_so(run, tmp_path):
    (tmp_path / "shop.toml").write_text(CARD.split("[customers]")[0])
    folder, told = hand_over(run)
    assert told[0] == "No audience files: the shop's data have no e-mail or phone."
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "bi", "handover.json", "sql"]
    with pytest.raises(InputError, match=r"has no e-mail or phone in its \[customers\], so meta can't be served"):
        hand_over(run, ("meta",))


def test_a_handover_replaces_the_one_before_and_leaves_nothing_beside_it(run):
    hand_over(run)
    before = {path.name for path in run.iterdir()}
    hand_over(run, ("bi",))
    assert {path.name for path in run.iterdir()} == before
    assert not (run / "handover" / "klaviyo.csv").exists()


def test_the_command_prints_what_each_platform_gets(run):
    result = CliRunner().invoke(app, ["handover", str(run), "--to", "hubspot", "--set", "handover_floor=10"])
    assert result.exit_code == 0
    assert "HubSpot: 0 of 8 customers; not 7 segment smaller than 10, 1 in no segment." in result.output


def test_phones_count_only_where_a_platform_takes_them():
    assigned = pd.DataFrame({"customer_id": ["a"], "segment_id": "S1", "segment": "x", "confidence": 1.0})
    contacts = pd.DataFrame({"phone": ["+1 212 565 0000"]}, index=["a"])
    handed = {
        name: len(audience(assigned, contacts, one, floor=1, min_confidence=0)[0]) for name, one in PLATFORMS.items()
    }
    assert [name for name, count in handed.items() if count] == ["google-ads", "meta"]


def test_what_is_no_address_is_none():
    assert [normalise_email(text) for text in ("a@b", "a b@x.org", "@x.org", "", "é@x.org", "josé@x.org")] == [None] * 6
    assert normalise_email("O'Neil@x.org") == "o'neil@x.org"


HOSTILE = ["=1+1", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "a\r=1+1", "a\n=1+1", 'a";=1+1', "a;=1+1"]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_no_cell_runs_whatever_mark_a_spreadsheet_splits_at(tmp_path, separator):
    write_csv(pd.DataFrame({"customer_id": HOSTILE, "=x": HOSTILE}), tmp_path / "a.csv")
    with open(tmp_path / "a.csv", newline="") as file:
        rows = list(csv.reader(file, delimiter=separator))
    assert len(rows) == len(HOSTILE) + 1
    cells = [cell for row in rows for cell in row]
    assert not [cell for cell in cells if cell.strip()[:1] in set("=+-@＝＋－＠")]


def test_a_segment_id_from_elsewhere_names_no_file_outside_the_folder(run):
    path = run / "tables" / "assignments.parquet"
    assignments = pd.read_parquet(path)
    assignments.assign(segment_id="../../x", segment="/etc").to_parquet(path)
    folder, _ = hand_over(run, ("meta",))
    assert [one.name for one in (folder / "meta").iterdir()] == ["x-etc.csv"]


def test_a_damaged_record_is_refused(run):
    for text in ("{", "[]", "{}", '{"parameters": {}}'):
        (run / "run.json").write_text(text)
        with pytest.raises(InputError, match="is damaged"):
            hand_over(run)


def test_a_platform_that_wants_longer_lists_is_quoted(run):
    told = hand_over(run, ("meta", "google-ads"))[1]
    assert "advises against lists of fewer than 100: Loyal" in " ".join(told)
    assert "advises" not in told[0]


def test_a_folder_with_other_files_is_never_replaced(run, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("two years")
    with pytest.raises(InputError, match="holds other files"):
        hand_over(run, ("bi",), tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "two years"
    hand_over(run, ("bi",), tmp_path / "new")
    hand_over(run, ("bi",), tmp_path / "new")
