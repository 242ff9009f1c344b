"""Text of the shop's stays text: in HTML, Markdown, pictures, CSV and SQL."""

from html.parser import HTMLParser

import duckdb
import matplotlib.pyplot as plt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segkit.runtime.tables.files import describe_tables, write_table
from segkit.runtime.tables.types import Column
from segkit.runtime.text import escape_html, escape_markdown, markdown_code, plain_text_for_plots, quote, sql_text

HOSTILE = ["<script>alert(1)</script>", "a|b", "a\nb", "Under $5 & over $10", "$$", "`x`", "[x](javascript:x)"]
HOSTILE += ["O'N\"il;--", "a\\$b$c"]
ENGINE = duckdb.connect()


@given(st.text())
def test_html_gives_back_the_very_text_and_no_tag(text):
    read, seen = [], []
    parser = HTMLParser()
    parser.handle_data, parser.handle_starttag = read.append, lambda tag, attributes: seen.append((tag, attributes))
    parser.feed(f'<p title="{escape_html(text)}">{escape_html(text)}</p>')
    parser.close()
    printable = "".join(read)
    assert [tag for tag, _ in seen] == ["p"]
    assert printable == (seen[0][1][0][1] or "")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_cell_of_a_markdown_table_stays_one_cell_without_html(text):
    for cell in (escape_markdown(text), markdown_code(text)):
        assert "\n" not in cell
        assert "|" not in cell.replace(r"\|", "")
    assert "<" not in escape_markdown(text)
    assert escape_markdown(text).replace(r"\$", "").count("$") == 0


@pytest.mark.parametrize("text", [one for one in HOSTILE if "\n" not in one])
def test_a_picture_draws_the_text_as_it_stands(text):
    figure = plt.figure()
    drawn = figure.text(0, 0, plain_text_for_plots(text))
    shown, is_math = drawn._preprocess_math(drawn.get_text())
    plt.close(figure)
    assert (shown, is_math) == (text, False)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_sql_reads_a_text_and_a_name_as_they_are(text):
    read = ENGINE.execute(f"SELECT {sql_text(text)} AS {quote(text)}")
    assert (read.description[0][0], read.fetchone()[0]) == (text, text)


def test_the_readme_of_the_tables_takes_no_markup_of_a_column_or_its_definition(tmp_path):
    name = "a|b\n<img src=x>"
    write_table(pd.DataFrame({"customer_id": ["a"], name: [1.0]}), "features", tmp_path)
    about = {"features": {name: Column("number", "$|", "<script>x</script>\n# title")}}
    lines = describe_tables(tmp_path, about).splitlines()
    assert lines[-1] == r"| `a\|b <img src=x>` | number | \$\| | &lt;script&gt;x&lt;/script&gt; \# title |"
