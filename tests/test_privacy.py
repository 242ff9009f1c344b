"""No table or picture of the report shows fewer than ten customers."""

import re
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest

from segkit.data.explore import revenue_concentration
from segkit.reporting.blocks.page_table import page_table
from segkit.reporting.blocks.segment_cards import persona_cards, segment_cards
from segkit.runtime.privacy import FEWEST_SHOWN, crowd_points, veil_few, veiled_share

REPORT = Path(__file__).parents[1] / "notebooks" / "07_report.ipynb"
PEOPLE = re.compile(r"customers|people|households", re.IGNORECASE)


def scattered(customers=500, seed=0):
    rng = np.random.default_rng(seed)
    places = pd.DataFrame(rng.normal(size=(customers, 2)), columns=["x", "y"])
    return places.assign(segment_id=rng.choice(["S1", "S2", "S3"], customers, p=[0.6, 0.385, 0.015]))


@pytest.mark.parametrize("seed", range(3))
def test_each_point_of_the_map_stands_for_ten_or_more_and_for_nobodys_own_place(seed):
    customers = scattered(seed=seed)
    points = crowd_points(customers)
    assert points["customers"].min() >= FEWEST_SHOWN
    large = customers["segment_id"].map(customers["segment_id"].value_counts()) >= FEWEST_SHOWN
    assert points["customers"].sum() == large.sum()
    assert not set(points["x"]) & set(customers["x"])


def test_the_order_of_customers_changes_no_point_of_the_map():
    customers = scattered()
    pd.testing.assert_frame_equal(crowd_points(customers), crowd_points(customers.sample(frac=1, random_state=1)))


def test_a_veiled_share_is_true_and_reads_the_same_whichever_few_it_tells_of():
    for customers in (12, 19, 20, 146, 333, 5000):
        told = [veiled_share(count / customers, customers) for count in range(customers + 1)]
        for count, text in enumerate(told):
            bound = float(text.split()[-2]) if text else None
            if text.startswith("over"):
                assert bound < 100 * count / customers
            elif text.startswith("under"):
                assert bound > 100 * count / customers
            elif text:
                assert bound == pytest.approx(100 * count / customers, abs=0.051)
        assert len(set(told[:FEWEST_SHOWN])) == len(set(told[-FEWEST_SHOWN:])) == 1 or customers < 2 * FEWEST_SHOWN


def test_steps_of_the_revenue_curve_hold_ten_customers():
    curve = revenue_concentration(pd.Series(np.arange(1.0, 138)), fewest=FEWEST_SHOWN)
    assert (curve["customer_share"].diff().dropna() * 137).min() >= FEWEST_SHOWN - 1e-9


def test_a_table_hides_few_customers_and_what_is_theirs():
    ledger = pd.DataFrame({"reason": ["gift", "sale"], "customers": [3, 200], "amount": [777.0, 888.0]})
    page = page_table(ledger, "t", people=["customers"], money=["amount"], theirs=["amount"]).html
    assert "888" in page
    assert "777" not in page


def test_a_segment_of_few_has_no_figures_on_any_card():
    size = {"segment_id": "S1", "segment": "Rare ones", "customers": 7, "customer_share": 0.07, "revenue_share": 0.4}
    segments = pd.DataFrame([size | {"description": "7 customers", "action": "Call them.", "caution": ""}])
    many = segments.assign(segment_id="S2", segment="Many", customers=93, customer_share=0.93, revenue_share=0.6)
    many["description"] = "93 customers"
    both = pd.concat([segments, many])
    page = segment_cards(both, colours={"S1": "#000", "S2": "#111"}).html
    assert "Rare ones" in page
    assert "7 customers" not in page
    assert "40\xa0%" not in page
    columns = ["segment_id", "section", "text", "overall_text", "low", "high", "overall", "known_share"]
    personas = pd.DataFrame(columns=columns)
    assert "Rare ones" not in persona_cards(both, personas, None, {"S1": "#000", "S2": "#111"}).html


def shown_counts(html: str):
    """Every figure of the columns of a page's tables that count people, and of its sentences that do."""
    for table in re.findall(r"<table.*?</table>", html, re.DOTALL):
        rows = [
            re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row, re.DOTALL)
            for row in re.findall(r"<tr.*?</tr>", table, re.DOTALL)
        ]
        heads = [place for place, head in enumerate(rows[0]) if PEOPLE.search(head) and "per" not in head]
        cells = [row[place] for row in rows[1:] for place in heads if len(row) == len(rows[0])]
        yield from (int(cell.replace(",", "")) for cell in cells if re.fullmatch(r"[\d,]+", cell))
    text = re.sub(r"<[^>]+>", " ", html).replace("\xa0", " ").replace("&nbsp;", " ")
    yield from (int(found.replace(",", "")) for found in re.findall(r"(\d[\d,]*) (?:customers|people|are just)", text))


def test_the_report_of_the_embedded_data_names_no_group_of_one_to_nine():
    outputs = [out for cell in nbformat.read(REPORT, 4).cells for out in cell.get("outputs", []) if "data" in out]
    counts = [count for out in outputs for count in shown_counts(out["data"].get("text/html", ""))]
    assert len(counts) > 5
    assert not [count for count in counts if 0 < count < FEWEST_SHOWN]


def test_the_check_of_the_report_sees_a_small_group():
    assert list(shown_counts("<p>These 4 customers</p>")) == [4]
    table = "<table><tr><th>customers</th></tr><tr><td>7</td></tr></table>"
    assert 7 in list(shown_counts(table))


def test_a_count_of_a_few_customers_is_veiled_with_what_is_told_of_them_and_no_other():
    moves = pd.DataFrame({"customers": [0, 9, 10], "share": [0.0, 0.3, 0.7]}, index=["S1", "S2", "S3"])
    veiled = veil_few(moves, ["customers"], ["share"])
    assert veiled["customers"].tolist() == [0, "<10", 10]
    assert veiled["share"].isna().tolist() == [False, True, False]
    pd.testing.assert_frame_equal(veil_few(moves.loc[["S1", "S3"]], ["customers"]), moves.loc[["S1", "S3"]])
