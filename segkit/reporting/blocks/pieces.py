"""Headings, figures, tables: finished ones in, a piece of HTML out."""

from html import escape
from importlib.resources import files

import pandas as pd

from segkit.runtime.privacy import FEWEST_SHOWN

FEWER = f"fewer than {FEWEST_SHOWN}"


class Piece:
    """A piece of a page; Jupyter shows its HTML, a terminal its text."""

    def __init__(self, html: str, text: str = ""):
        self.html, self.text = html, text

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text or "a piece of the report"


def use_page_style() -> Piece:
    """Return the style sheet, so that the pieces of a notebook look as they will in the report."""
    return Piece(f"<style>{files('segkit').joinpath('page.css').read_text()}</style>", "page style")


def answer(sentence: str, more: str = "", warnings: tuple[str, ...] = ()) -> Piece:
    """Return what the eye meets first: one sentence, a little more, and what must be known before trusting it.

    Each line of `more` is a paragraph.
    """
    html = "".join(f"<p class='sk-warning' role='note'>{escape(warning)}</p>" for warning in warnings)
    html += f"<p class='sk-answer'>{escape(sentence)}</p>" if sentence else ""
    html += "".join(f"<p class='sk-more'>{escape(line)}</p>" for line in more.splitlines())
    html = html.replace(" %", "&nbsp;%")  # a figure and its sign stay on one line
    return Piece(f"<div class='sk'>{html}</div>", " ".join(filter(None, [*warnings, sentence, more])))


def title(dataset: str, period: str) -> Piece:
    """Return the page's heading: what was studied, and which month."""
    return Piece(f"<h1>Customer segments · {escape(dataset)} · {escape(period)}</h1>", f"{dataset}, {period}")


def key_figures(figures: dict[str, str]) -> Piece:
    """Return a row of figures, each over its label.

    Examples
    --------
    >>> key_figures({"customers": "2,446", "orders": "155,848"})
    2,446 customers, 155,848 orders
    """
    cells = "".join(
        f"<div><b>{escape(figure)}</b><span>{escape(label)}</span></div>" for label, figure in figures.items()
    )
    text = ", ".join(f"{figure} {label}" for label, figure in figures.items())
    return Piece(f"<div class='sk sk-facts'>{cells}</div>", text)


def page_table(
    table: pd.DataFrame,
    name: str,
    *,
    counts=(),
    shares=(),
    money=(),
    numbers=(),
    texts=(),
    people=(),
    theirs=(),
    labels=None,
) -> Piece:
    """Return a table for readers: figures aligned and rounded, headings in words.

    Parameters
    ----------
    table : DataFrame
        Finished; what is null is shown as an empty cell.
    name : str
        Name of the table within the page; fixed, so that the same table gives the same HTML.
    counts, shares, money, numbers : collections of str
        Columns shown as whole numbers, percentages, amounts without small coins, numbers with one decimal.
    texts : collection of str
        Columns of figures that are texts already, aligned as figures.
    people : collection of str
        Columns that count customers: 1 to 9 are shown as "fewer than 10", since so few could be told.
    theirs : collection of str
        Columns that tell of these customers: left empty where there are so few.
    labels : dict, optional
        Headings, of columns that may be there; one without shows its name, with spaces.

    Examples
    --------
    >>> piece = page_table(pd.DataFrame({"reason": ["gift", "sale"], "customers": [3, 200]}), "t", people=["customers"])
    >>> "fewer than 10" in piece.html, ">3<" in piece.html, ">200<" in piece.html
    (True, False, True)
    """
    from great_tables import GT, loc, style

    labels = {column: (labels or {}).get(column, column.replace("_", " ")) for column in table}
    few = {column: table[column].between(1, FEWEST_SHOWN - 1) for column in people}
    table = table.assign(**{column: table[column].astype("float64").mask(mask) for column, mask in few.items()})
    alone = pd.DataFrame(few).any(axis=1) if few else pd.Series(False, index=table.index)
    table = table.assign(**{column: table[column].where(~alone) for column in theirs})
    shown = GT(table, id=f"sk-{name}").cols_label(labels)
    shown = shown.fmt_integer([*counts, *people]).fmt_percent(list(shares), decimals=1, incl_space=True)
    shown = shown.fmt_number(list(money), decimals=0).fmt_number(list(numbers), decimals=1)
    shown = shown.cols_align("right", list(texts)) if texts else shown
    shown = shown.sub_missing(missing_text="").tab_options(
        table_font_size="14px",
        table_width="100%",
        column_labels_font_weight="600",
        table_border_top_style="hidden",
        table_border_bottom_style="hidden",
        data_row_padding="5px",
    )
    for column, mask in few.items():
        if mask.any():
            hidden = [int(row) for row in mask.to_numpy().nonzero()[0]]
            shown = shown.sub_missing([column], rows=hidden, missing_text=FEWER)
    shown = shown.tab_style(style=style.text(v_align="top"), locations=loc.body())
    return Piece(f"<div class='sk sk-scroll'>{shown.as_raw_html()}</div>", table.to_string(index=False))
