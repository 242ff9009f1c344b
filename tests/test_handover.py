"""What is handed over, to whom, and what is not."""

import csv
import json
import re
import subprocess
import sys
from datetime import date

import pandas as pd
import pytest
from typer.testing import CliRunner

from segkit.cli import app
from segkit.clustering.fit import Candidate
from segkit.clustering.freeze import freeze_candidate
from segkit.data.cards.card import read_card
from segkit.data.orders import read_orders
from segkit.preprocessing.prepare import features_from, prepare
from segkit.runtime.errors import InputError
from segkit.runtime.tables.files import write_csv
from segkit.runtime.tables.schema import TABLES
from segkit.scoring.sql.model_sql import replay_sql
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
OTHERS = [f"k{number:02}" for number in range(10)]  # so many that they are handed over
PEOPLE += "".join(f"{who},{who}@example.com,,true\n" for who in OTHERS)
EVERYBODY = [*"abcdefgh", *OTHERS]


@pytest.fixture
def run(tmp_path):
    """A finished run of 18 customers: sixteen in S1, one in S2, one left out."""
    (tmp_path / "shop.toml").write_text(CARD)
    (tmp_path / "customers.csv").write_text(PEOPLE)
    lines = [f"{who},{who}1,2026-01-05,p,1,9.5" for who in EVERYBODY]
    (tmp_path / "orders.csv").write_text("\n".join(["customer,order,at,product,n,paid", *lines]))
    folder = tmp_path / "reports" / "shop" / "2026-01"
    (folder / "tables").mkdir(parents=True)
    features = pd.DataFrame({"customer_id": EVERYBODY, "spend": [9.5, 99.0] * 9})
    matrix = prepare(features_from(features.set_index("customer_id"), {"spend": "money"}))
    freeze_candidate(matrix, Candidate("kmeans-2", "kmeans", {"k": 2})).save(folder / "model")
    (folder / "model" / "rules.sql").write_text("SELECT 'tampered' FROM features")
    ids = [*["S1"] * 6, "S2", "S0", *["S1"] * 10]
    names = {"S1": "Loyal", "S2": "=HYPERLINK(1)", "S0": "Unsegmented"}
    assigned = pd.DataFrame({"customer_id": EVERYBODY, "segment_id": ids, "segment": [names[one] for one in ids]})
    assigned = assigned.assign(confidence=[1.0, 0.4, *[1] * 16], rfm_segment="Champions", reason=None)
    assigned["nearest_segment_id"] = None
    sizes = assigned.groupby(["segment_id", "segment"]).size().rename("customers").reset_index()
    sizes = sizes.assign(customer_share=0.5, revenue=-3.5, revenue_share=0.5, description="+1 more", rule="spend < 9")
    sizes = sizes.assign(rule_precision=0.9, rule_recall=0.4)
    sizes = sizes.assign(**{name: None for name in TABLES["segments"].columns if name not in sizes})
    for name, table in {"assignments": assigned, "segments": sizes, "features": features}.items():
        table.to_parquet(folder / "tables" / f"{name}.parquet")
    write_record(folder)
    return folder


def write_record(run, **more):
    parameters = {"handover_floor": 50, "min_confidence": 0.0} | more
    record = {"dataset": "shop", "month": "2026-01", "as_of": "2026-01-31", "source": "", "parameters": parameters}
    (run / "run.json").write_text(json.dumps(record | {"card": str(run.parents[2] / "shop.toml")}))


def handed(run, name, **asked):
    """Customers by reason, and the rows of the file of a platform, floor ten."""
    folder, _ = hand_over(run, (name,), **{"floor": 10} | asked)
    counts = pd.DataFrame(json.loads((folder / "handover.json").read_text())["counts"][name])
    paths = [folder / f"{name}.csv"] if not PLATFORMS[name].per_segment else sorted((folder / name).iterdir())
    rows = [row for path in paths for row in pd.read_csv(path, dtype=str).to_dict("records")]
    return counts.groupby("reason")["customers"].sum().to_dict(), rows


def test_addresses_are_trimmed_hashed_as_documented_and_never_twice(run):
    folder, _ = hand_over(run, ("google-ads", "meta"), floor=10)
    google = pd.read_csv(folder / "google-ads" / "S1-loyal.csv")
    assert list(google) == ["Email", "Phone"]
    assert google["Email"].dropna().tolist()[:2] == [sha256("ann@example.com"), sha256("bob@gmail.com")]
    assert google["Phone"].dropna().tolist() == [sha256("+4930123456"), sha256("+12125650000")]
    meta = pd.read_csv(folder / "meta" / "S1-loyal.csv")
    assert meta["phone"].dropna().tolist() == [sha256("4930123456"), sha256("12125650000")]


def test_the_hash_is_the_published_one():
    assert sha256("test@example.com") == "973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b"


@pytest.mark.parametrize("name", PLATFORMS)
def test_every_customer_is_handed_over_or_counted_with_a_reason(run, name):
    counts, rows = handed(run, name)
    assert sum(counts.values()) == len(EVERYBODY)
    assert len(rows) == counts[HANDED] > 10


def test_nobody_without_consent_or_an_address_or_from_a_small_segment(run):
    counts, rows = handed(run, "klaviyo")
    assert [row["Customer ID"] for row in rows] == ["a", "b", *OTHERS]
    assert set(counts) == {
        HANDED, "without consent", "without an address", "same address as another customer", "in no segment",
        "segment smaller than 10",
    }  # fmt: skip


REFUSALS = {
    "of another customer": "z,ANN@example.com,,no",
    "of nobody": ",ann@example.com,,unsubscribed",
    "of the same customer": "a,other@example.com,,false",
    "of the same customer, who is silent elsewhere": "a,,,0",
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=list(REFUSALS))
@pytest.mark.parametrize("name", ["klaviyo", "meta"])
def test_a_refusal_under_any_record_holds_for_the_address(run, name, refusal):
    (run.parents[2] / "customers.csv").write_text(PEOPLE.replace("f,ann@", "f,anna@") + refusal + "\n")
    counts, rows = handed(run, name)
    assert counts["without consent"] == 2
    assert not {"ann@example.com", sha256("ann@example.com"), sha256("4930123456")} & {
        text for row in rows for text in row.values()
    }


def test_a_refused_phone_is_left_out_and_who_has_no_other_address_with_it(run):
    (run.parents[2] / "customers.csv").write_text(PEOPLE + "y,,+4930 123456,no\nz,,0012125650000,no\n")
    counts, rows = handed(run, "meta")
    assert counts["without consent"] == 2
    assert sha256("ann@example.com") in {row["email"] for row in rows}
    assert {row["phone"] for row in rows} == {None} or all(pd.isna(row["phone"]) for row in rows)


def test_gmail_spellings_are_one_address_for_refusals_and_for_rows(run):
    gmail = PEOPLE + "k00,b.ob@gmail.com,,true\n"
    (run.parents[2] / "customers.csv").write_text(gmail.replace("k01@example.com", "B.O.B+shop@googlemail.com"))
    for name, column in (("google-ads", "Email"), ("meta", "email"), ("klaviyo", "Email Address")):
        counts, rows = handed(run, name)
        assert counts["same address as another customer"] == 3  # k00 and k01 are bob, f is a
        written = [row[column] for row in rows]
        assert len(written) == len(set(written))
    (run.parents[2] / "customers.csv").write_text(PEOPLE + "z,b.o.b@googlemail.com,,no\n")
    assert handed(run, "klaviyo")[0]["without consent"] == 2


def test_silence_is_no_consent_and_a_card_may_say_why_none_is_needed(run):
    card = run.parents[2] / "shop.toml"
    card.write_text(CARD.replace('consent = "consent"\n', ""))
    folder, told = hand_over(run, ("klaviyo", "meta"), floor=10)
    assert told[0].startswith("Nobody is handed over to mail and ads: the shop's [customers] say nothing of consent")
    assert len(pd.read_csv(folder / "klaviyo.csv")) == 0
    assert not list((folder / "meta").iterdir())
    card.write_text(card.read_text() + '[consent]\nnot_needed = " customers of a | contract "\n')
    folder, told = hand_over(run, ("klaviyo",), floor=10)
    assert told[0].endswith("the card says that it is not needed: customers of a | contract")
    assert len(pd.read_csv(folder / "klaviyo.csv")) == 13
    assert r"customers of a \| contract" in (folder / "README.md").read_text()


def test_the_floor_counts_the_people_in_the_file(run):
    refused = PEOPLE
    for who in OTHERS[:3]:
        refused = refused.replace(f"{who}@example.com,,true", f"{who}@example.com,,false")
    (run.parents[2] / "customers.csv").write_text(refused)
    counts, rows = handed(run, "klaviyo")
    assert (rows, counts["segment with fewer than 10 left"]) == ([], 9)


def test_the_floor_is_fifty_unless_asked_and_never_below_ten_whatever_a_run_says(run):
    assert handed(run, "klaviyo", floor=None) == handed(run, "klaviyo", floor=50)
    assert handed(run, "klaviyo", floor=None)[1] == []
    write_record(run, handover_floor=12)
    assert handed(run, "klaviyo", floor=None)[1] == []
    for low in (1, 9, -3):
        with pytest.raises(InputError, match="handover_floor is .* from 10 to "):
            hand_over(run, floor=low)
    write_record(run, handover_floor=1)
    with pytest.raises(InputError, match=r"run\.json is damaged \(parameter handover_floor is 1"):
        hand_over(run)


def test_who_counts_as_reachable_is_who_an_advertising_platform_would_get(run):
    contacts = read_contacts(read_orders(read_card(run.parents[2] / "shop.toml"), date(2026, 1, 31)))
    assigned = pd.read_parquet(run / "tables" / "assignments.parquet").assign(segment_id="S1", confidence=1.0)
    people = audience(assigned, contacts, PLATFORMS["meta"], floor=1, min_confidence=0)[0]
    reachable = reachable_customers(contacts, pd.Index(EVERYBODY))
    same_address = {"f"}
    assert set(reachable[reachable].index) == set(people["customer_id"]) | same_address


def test_customers_of_low_confidence_are_held_out_and_counted(run):
    told = hand_over(run, ("mailchimp",), floor=10, min_confidence=0.5)[1][0]
    assert told.startswith("Mailchimp: 11 of 18 customers; not ")
    assert "1 confidence below 0.5" in told


def test_no_cell_of_a_csv_runs_in_a_spreadsheet_and_numbers_stay_numbers(run):
    for name in ("assignments", "segments"):
        table = pd.read_parquet(run / "tables" / f"{name}.parquet")
        table.replace({"segment": {"Loyal": "=HYPERLINK(2)"}}).to_parquet(run / "tables" / f"{name}.parquet")
    folder, _ = hand_over(run, ("bi", "klaviyo"), floor=10)
    assert "'=HYPERLINK(2)" in (folder / "klaviyo.csv").read_text()
    for path in folder.rglob("*.csv"):
        texts = pd.read_csv(path).select_dtypes(exclude="number").melt()["value"]
        assert not texts.astype(str).str.match(r"[=+\-@\t\r]").any(), path
    assert pd.read_csv(folder / "bi" / "fact_segment_month.csv")["revenue"].eq(-3.5).all()


def test_the_star_holds_every_customer_and_segment_once(run):
    folder, _ = hand_over(run, ("bi",))
    star = {path.stem: pd.read_parquet(path) for path in (folder / "bi").glob("*.parquet")}
    assert star["dim_customer"]["customer_id"].is_unique
    assert set(star["fact_customer_month"]["segment_id"]) == set(star["dim_segment"]["segment_id"])
    assert star["fact_segment_month"]["customers"].sum() == len(star["fact_customer_month"]) == 18
    assert star["dim_segment"][["rule_precision", "rule_recall"]].values.tolist() == [[0.9, 0.4]] * 3


def test_a_shop_without_addresses_gets_tables_and_sql_and_says_so(run, tmp_path):
    (tmp_path / "shop.toml").write_text(CARD.split("[customers]")[0])
    folder, told = hand_over(run)
    assert told[0] == "No audience files: the shop's data have no e-mail or phone."
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "bi", "handover.json", "sql"]
    with pytest.raises(InputError, match=r"has no e-mail or phone in its \[customers\], so meta can't be served"):
        hand_over(run, ("meta",))


def test_a_handover_replaces_the_one_before_and_leaves_nothing_beside_it(run):
    hand_over(run, floor=10)
    before = {path.name for path in run.iterdir()}
    hand_over(run, ("bi",))
    assert {path.name for path in run.iterdir()} == before
    assert not (run / "handover" / "klaviyo.csv").exists()


def test_the_command_prints_what_each_platform_gets(run):
    result = CliRunner().invoke(app, ["handover", str(run), "--to", "hubspot", "--set", "handover_floor=20"])
    assert result.exit_code == 0
    assert "HubSpot: 0 of 18 customers; not 17 segment smaller than 20, 1 in no segment." in result.output


def test_phones_count_only_where_a_platform_takes_them():
    assigned = pd.DataFrame({"customer_id": ["a"], "segment_id": "S1", "segment": "x", "confidence": 1.0})
    contacts = pd.DataFrame({"phone": ["+1 212 565 0000"], "consent": "yes"}, index=["a"])
    sizes = {
        name: len(audience(assigned, contacts, one, floor=1, min_confidence=0)[0]) for name, one in PLATFORMS.items()
    }
    assert [name for name, count in sizes.items() if count] == ["google-ads", "meta"]


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
    folder, _ = hand_over(run, ("meta",), floor=10)
    assert [one.name for one in (folder / "meta").iterdir()] == ["x-etc.csv"]


BROKEN = {
    "run.json": ["", "{", "[]", "{}", '{"parameters": {}}', "[" * 100_000, '{"month": 5}', "1" * 5000],
    "model/segmentation.json": ["", "{}", "[1]", None],
    "model/rule.npz": ["", "PK", None],
    "tables/assignments.parquet": ["", "PAR1", None],
    "tables/features.parquet": ["x", None],
    "tables/segments.parquet": ["x", None],
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_damaged_run_is_refused_and_the_file_named(run, name):
    for text in BROKEN[name]:
        (run / name).unlink() if text is None else (run / name).write_text(text)
        with pytest.raises(InputError, match=re.escape(name)) as refused:
            hand_over(run)
        assert "\n" not in str(refused.value)
        assert not (run / "handover").exists()


@pytest.mark.parametrize("spoil", [
    lambda table: table.drop(columns="segment_id"), lambda table: table.assign(confidence="high"),
    lambda table: table.assign(segment_id=None), lambda table: pd.concat([table, table]), lambda table: table.head(0),
    lambda table: table.head(3),
])  # fmt: skip
def test_assignments_that_cannot_be_are_refused(run, spoil):
    path = run / "tables" / "assignments.parquet"
    spoil(pd.read_parquet(path)).to_parquet(path)
    with pytest.raises(InputError, match=r"assignments\.parquet is damaged"):
        hand_over(run)


def test_the_sql_is_made_anew_from_the_model(run):
    folder, _ = hand_over(run, ("sql",))
    for path in (folder / "sql").iterdir():
        assert "tampered" not in path.read_text()
    statement = (folder / "sql" / "rules.duckdb.sql").read_text()
    features = pd.read_parquet(run / "tables" / "features.parquet").set_index("customer_id")
    assert replay_sql(statement, features)["segment_id"].nunique() == 2
    (run / "model" / "rules.sql").unlink()
    hand_over(run, ("sql",))


KILLED = """
import os, sys
from pathlib import Path
from segkit.runtime import disk
from segkit.targeting.handover import folder
point, run = sys.argv[1:]
def die(*_, **__):
    os.kill(os.getpid(), 9)
if point == "after the exchange":
    disk._take_place, take = lambda *places: take(*places) or die(), disk._take_place
else:
    setattr(disk if point == "_take_place" else folder, point, die)
folder.hand_over(run, floor=10)
"""


@pytest.mark.parametrize(("point", "before"), [
    ("_read_contacts", True), ("_write_star", False), ("_write_sql", True), ("_take_place", True),
    ("after the exchange", False), ("after the exchange", True),
])  # fmt: skip
def test_a_killed_hand_over_leaves_all_or_nothing_and_the_next_one_finishes(run, point, before):
    if before:
        hand_over(run, ("bi",))
    assert subprocess.run([sys.executable, "-c", KILLED, point, run]).returncode == -9
    there = sorted(path.name for path in (run / "handover").glob("*"))
    as_before = ["README.md", "bi", "handover.json"] if before else []
    assert there == (WHOLE if point == "after the exchange" else as_before)
    folder, _ = hand_over(run, floor=10)
    assert sorted(path.name for path in folder.iterdir()) == WHOLE
    assert sorted(path.name for path in run.iterdir()) == ["handover", "model", "run.json", "tables"]


WHOLE = sorted(["README.md", "bi", "google-ads", "handover.json", "hubspot.csv", "klaviyo.csv", "mailchimp.csv"])
WHOLE = sorted([*WHOLE, "meta", "salesforce.csv", "sql"])


def test_half_a_hand_over_of_an_older_segkit_is_replaced(run):
    (run / "handover" / "meta").mkdir(parents=True)
    hand_over(run, ("bi",))
    assert not (run / "handover" / "meta").exists()


def test_words_of_the_shop_are_text_in_the_readme(run):
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(record | {"dataset": "a|b\n<script>"}))
    text = (hand_over(run, ("bi",))[0] / "README.md").read_text()
    assert text.startswith("# Handed over: a\\|b &lt;script&gt;, 2026-01\n")


def test_a_platform_that_wants_longer_lists_is_quoted(run):
    told = hand_over(run, ("meta", "google-ads"), floor=10)[1]
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
