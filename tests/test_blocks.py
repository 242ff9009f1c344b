"""Blocks read right without their style, escape what the data say, and are known by their mark."""

import json
import re
from html.parser import HTMLParser

import matplotlib
import nbformat
import pandas as pd
import pytest

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from segkit import plots
from segkit.reporting.blocks import (
    action_table,
    answer,
    figure_block,
    fold,
    key_figures,
    page_table,
    persona_cards,
    segment_cards,
    sentence,
)
from segkit.reporting.blocks.page import only_blocks, page_html
from segkit.reporting.blocks.segment_cards import goods_as_read

SEGMENTS = pd.DataFrame(
    {
        "segment_id": ["S1", "S2"],
        "segment": ["Fuel <regulars>", "Deal hunters"],
        "customers": [130, 870],
        "customer_share": [0.13, 0.87],
        "revenue_share": [0.312, 0.688],
        "description": ["Often here.", "Seldom here."],
        "action": ["Call them.", ""],
        "caution": ["Don't, ever.", None],
        "border": ["firm", None],
    }
)
COLUMNS = "segment_id section feature label text overall_text figure low high overall customers known_share differs"
PERSONAS = pd.DataFrame(
    [
        ("S1", "apart", "order_count", "orders", "90", "32", 90.0, 80.0, 99.0, 32.0, 130, 1.0, True),
        ("S1", "typical", "order_count", "orders", "94", "", 94.0, None, None, None, 10, None, False),
        ("S2", "apart", "spend", "spend", "1 USD", "9 USD", 1.0, 0.5, 2.0, 9.0, 870, 1.0, False),
    ],
    columns=COLUMNS.split(),
)


class _Text(HTMLParser):
    """What is left of a page without tags and style, as JupyterLab shows it of a notebook that nobody trusts."""

    def __init__(self):
        super().__init__()
        self.words = []

    def handle_data(self, data):
        self.words += data.split()


def bare(html):
    parser = _Text()
    parser.feed(html)
    return " ".join(parser.words)


def test_a_label_stands_before_its_figure_also_without_tags_and_style():
    page = persona_cards(SEGMENTS, PERSONAS).html
    assert "orders 90 all 32" in bare(page)
    assert "13 % of customers, 31 % of revenue What sets them apart" in bare(page)
    assert "firm customers 13 % 130 revenue 31 % Often here." in bare(segment_cards(SEGMENTS).html)
    assert bare(key_figures({"customers": "2,446", "orders": "9"}).html) == "2,446 customers 9 orders"


@pytest.mark.parametrize("page", [persona_cards(SEGMENTS, PERSONAS), segment_cards(SEGMENTS)])
def test_cards_are_tables_and_texts_of_the_data_are_escaped(page):
    assert "<dl" not in page.html
    assert "<table>" in page.html
    assert "Fuel &lt;regulars&gt;" in page.html
    assert re.search(r"<style|<script", page.html) is None


def test_a_card_has_no_empty_room_and_no_figure_of_a_typical_customer_beside_the_medians():
    page = bare(persona_cards(SEGMENTS, PERSONAS.iloc[:2]).html)
    assert "94" not in page
    assert "Who they are" not in page
    assert page.count("What sets them apart") == 1


@pytest.mark.parametrize(
    ("item", "read"), [("FRZN BOXED VEG- VALUE A", "Frozen boxed vegetables, value a"), ("iPhone-Case", "iPhone-Case")]
)
def test_goods_are_cleaned_for_reading(item, read):
    assert goods_as_read(item) == read


def test_the_table_of_actions_says_a_row_in_order_and_has_the_colour_of_the_segment():
    row = {
        "segment_id": "S1",
        "segment": "<Deal> hunters",
        "do": "Try less.",
        "count": "120 of 245",
        "files": "S1 in a.csv",
    }
    row |= {"stake": "900 EUR of discounts", "test": "too few", "needs": "two groups of 97"}
    page = action_table(pd.DataFrame([row]), {"S1": "#123456"}).html
    assert "<Deal> hunters Try less. 120 of 245 S1 in a.csv 900 EUR of discounts too few two groups of 97" in bare(page)
    assert "#123456" in page


def test_what_is_sure_is_bold_and_no_advice_is_missing_its_words():
    page = persona_cards(SEGMENTS, PERSONAS).html
    assert "<b>90</b>" in page
    assert "<b>1 USD</b>" not in page
    assert bare(page).count("Don't") == 1


def test_an_output_of_a_block_is_known_by_its_mark_and_others_are_left_out_of_the_page():
    from IPython.core.formatters import DisplayFormatter

    format_one = DisplayFormatter().format
    cell = nbformat.v4.new_code_cell()
    for shown in (answer("Two segments."), SEGMENTS, sentence("So it is.")):
        bundle, marks = format_one(shown)
        cell.outputs.append(nbformat.v4.new_output("display_data", bundle, metadata=marks))
    cell.outputs.append(nbformat.v4.new_output("stream", text="customer 17"))
    kept = only_blocks(nbformat.v4.new_notebook(cells=[cell])).cells[0].outputs
    assert [sorted(out.data) for out in kept] == [["text/html", "text/plain"], ["text/markdown", "text/plain"]]


@pytest.mark.parametrize("text", ["13. of *all* `a_b_c` <b>50 $ and 9 $</b> [x](y) # ~~1~~", "- 5 | 6 &amp; \\alpha"])
def test_markdown_shows_a_sentence_as_it_is(text):
    from nbconvert.filters import markdown2html_mistune

    shown = markdown2html_mistune(sentence(text).markdown)
    assert bare(shown).replace(" ", "") == text.replace(" ", "")
    assert re.sub(r"</?(p|span)>", "", shown).count("<") == 0


def test_a_table_passes_over_columns_that_are_not_there_and_shows_no_missing_figure():
    table = pd.DataFrame({"segment": ["a"], "retention": [0.93], "note": [None]})
    page = page_table(table, shares=["retention", "campaign_response"], people=["customers"], folded=["note"])
    assert "93.0&nbsp;%" in page.html.replace("\xa0", "&nbsp;")
    assert "None" not in page.html + page.text
    assert "<details" not in page.html


def test_a_figure_gives_the_same_bytes_and_says_what_it_shows():
    plt.close("all")
    sizes = [figure_block(plots.plot_sizes(SEGMENTS), "Sizes & shares").html for _ in range(2)]
    assert sizes[0] == sizes[1]
    assert 'alt="Sizes &amp; shares"' in sizes[0]
    assert plt.get_fignums() == []
    assert figure_block(plots.plot_sizes(SEGMENTS.head(0)), "Sizes").text == "No segments."
    assert figure_block(None, "Sizes").html == ""


def test_a_fold_holds_blocks_and_sentences():
    folded = fold("How sure is this?", "Very & so.", answer("Yes."))
    assert bare(folded.html) == "How sure is this? Very & so. Yes."
    assert folded.text == "How sure is this?\nVery & so.\nYes."


def test_a_page_needs_no_network():
    page = page_html("A & B", answer("Two segments.").html)
    assert "<title>A &amp; B</title>" in page
    assert not re.search(r"(src|href)=.?https?:|@import|url\(", page)


def test_a_figure_is_drawn_a_second_time_for_phones_and_no_wider_figure_is_left_behind():
    page = figure_block(plots.plot_sizes(SEGMENTS), alt="Sizes").html
    widths = [int(width) for width in re.findall(r' width="(\d+)"', page)]
    assert widths == [480, 672]
    assert plots.plot_sizes(SEGMENTS).figure.get_figwidth() == 7
    plt.close("all")


def test_a_first_month_has_a_series_page_of_its_own_segments(tmp_path):
    from segkit.monitoring.previous_month import HISTORY
    from segkit.reporting.series_page import write_series

    for part in ("tables", "model"):
        (tmp_path / "2025-02" / part).mkdir(parents=True)
    (tmp_path / "2025-02" / "model" / HISTORY).write_text("{}")
    months = {"way": "refit", "why": "Found: there is no month before.", "previous": None, "fitted": "2025-02"}
    (tmp_path / "2025-02" / "run.json").write_text(
        json.dumps({"month": "2025-02", "as_of": "2025-02-28", "months": months, "days_counted": 30})
    )
    whole = SEGMENTS.assign(revenue=[1.0, 2.0], rule="", rule_precision=1.0, rule_recall=1.0, mean_confidence=1.0)
    whole["low_confidence_customers"] = 0
    whole.to_parquet(tmp_path / "2025-02" / "tables" / "segments.parquet")
    page = bare(write_series(tmp_path, "Shop", "EUR").read_text().partition("<body")[2])
    assert "Two segments; the largest, Deal hunters, is 87 % of customers." in page
    assert "Fuel <regulars> 130 13.0 % 1 31.2 %" in page
    assert "what became" not in page
