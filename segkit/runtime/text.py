"""Text that is shown: how a figure reads, and how a text of the shop's is escaped wherever it is written.

What comes out of a card or the data (titles, categories, products, names) goes through one of these first:
`escape_html`, `escape_markdown`, `markdown_code`, `plain_text_for_plots`, `safe_cell`, `sql_text`, `quote`.
"""

import html
import re

import numpy as np
import pandas as pd

_RUNS = re.compile(r"(^|[,;|])(\s*)([=+\-@\uff1d\uff0b\uff0d\uff20])")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_MARKUP = re.compile(r"([\\`*_{}\[\]#|~$]|^[-+=]|(?<=^\d)[.)])")

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def one_line(text: object) -> str:
    """Return a text on one line: line ends, tabs and other control characters become a space.

    Examples
    --------
    >>> one_line("Tea\\n& coffee")
    'Tea & coffee'
    """
    return _CONTROLS.sub(" ", str(text)).strip()


def escape_html(text: object) -> str:
    """Return a text for HTML, also between quotes in an attribute.

    Examples
    --------
    >>> escape_html("Tea & <b>coffee</b>")
    'Tea &amp; &lt;b&gt;coffee&lt;/b&gt;'
    """
    return html.escape(_CONTROLS.sub(" ", str(text)))


def escape_markdown(text: object) -> str:
    """Return a text for a Markdown sentence or table cell, on one line: no HTML, no formula, no markup.

    Examples
    --------
    >>> print(escape_markdown("Under $5 | <script> *new*"))
    Under \\$5 \\| &lt;script&gt; \\*new\\*
    """
    return _MARKUP.sub(r"\\\1", html.escape(one_line(text), quote=False))


def markdown_code(text: object) -> str:
    """Return a text as code in Markdown, in a table too.

    Examples
    --------
    >>> print(markdown_code("age"), markdown_code("a|b`c"))
    `age` `` a\\|b`c ``
    """
    text = one_line(text)
    marks = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    inner = text.replace("|", r"\|")
    return f"{marks} {inner} {marks}" if "`" in text or not text else f"`{inner}`"


def plain_text_for_plots(text: object) -> str:
    """Return a text that matplotlib draws as it stands: two dollar signs make no formula.

    Examples
    --------
    >>> print(plain_text_for_plots("Under $5 & over $10"))
    Under \\$5 & over \\$10
    """
    return one_line(text).replace("$", r"\$")


def safe_cell(text: object) -> str:
    """Return a text for a cell of a CSV: one that a spreadsheet would run as a formula gets an apostrophe first.

    So does one after a comma, semicolon or bar within the text, where another country's spreadsheet begins a cell.

    Examples
    --------
    >>> safe_cell("=1+1"), safe_cell("a;-2"), safe_cell("Ann")
    ("'=1+1", "a;'-2", 'Ann')
    """
    return _RUNS.sub(r"\1\2'\3", _CONTROLS.sub(" ", str(text)))


def sql_text(text: str) -> str:
    """Return a text as an SQL constant.

    Examples
    --------
    >>> sql_text("Can't lose them")
    "'Can''t lose them'"
    """
    return "'" + text.replace("'", "''") + "'"


def quote(column: str) -> str:
    """Return a column's name as an SQL identifier.

    Examples
    --------
    >>> quote("Customer ID")
    '"Customer ID"'
    """
    return '"' + column.replace('"', '""') + '"'


def number_word(number: int) -> str:
    """Return small numbers as words.

    Examples
    --------
    >>> number_word(3), number_word(40)
    ('three', '40')
    """
    return NUMBERS[number] if number < len(NUMBERS) else f"{number:,}"


def money(amount: float, currency: str = "") -> str:
    """Return an amount without small coins, with its currency.

    Examples
    --------
    >>> money(8832003.27, "GBP")
    '8,832,003 GBP'
    """
    return f"{amount:,.0f} {currency}".strip()


def percent(share: float, decimals: int = 1) -> str:
    """Return a share in percent.

    Examples
    --------
    >>> percent(0.254), percent(0.254, 0)
    ('25.4 %', '25 %')
    """
    return f"{100 * share:.{decimals}f} %"


def with_interval(figure: float, low: float = float("nan"), high: float = float("nan")) -> str:
    """Return a figure with its interval, with as many digits as a reader needs; ``unknown`` where it is missing.

    Examples
    --------
    >>> with_interval(0.3479, 0.3289, 0.3667), with_interval(1451260.0, 1402420.0, 1500099.0), with_interval(851.0)
    ('0.35 [0.33, 0.37]', '1,451,260 [1,402,420, 1,500,099]', '851')
    """
    if figure != figure:  # the only number unlike itself: not a number
        return "unknown"
    if low != low:
        return _brief(figure)
    return f"{_brief(figure)} [{_brief(low)}, {_brief(high)}]"


def _brief(figure: float) -> str:
    return f"{figure:,.0f}" if abs(figure) >= 100 or figure == int(figure) else f"{figure:.2f}"


def rounded(table: pd.DataFrame, decimals: int) -> pd.DataFrame:
    """Return a table with its figures rounded, and no minus before a zero.

    Examples
    --------
    >>> rounded(pd.DataFrame({"segments": [7, 2], "silhouette": [-0.0004, 0.2512]}), 3)
       segments  silhouette
    0         7       0.000
    1         2       0.251
    """
    return table.assign(**(table.select_dtypes("number").round(decimals) + 0))


def show_intervals(table: pd.DataFrame, decimals: int = 2) -> pd.DataFrame:
    """Return a table whose figures have the ends of their intervals beside them (``_low, _high``) as one text each.

    Examples
    --------
    >>> ends = {"skill_low": [0.66, None], "skill_high": [0.741, None]}
    >>> show_intervals(pd.DataFrame({"segments": [7, 3], "skill": [0.7, 0.5]} | ends))
       segments              skill
    0         7  0.70 [0.66, 0.74]
    1         3               0.50
    """

    def told(figure: float, low: float, high: float) -> str:
        figure, low, high = (f"{number + 0.0:.{decimals}f}" for number in np.round((figure, low, high), decimals))
        return "" if figure == "nan" else figure if low == "nan" else f"{figure} [{low}, {high}]"

    shown = table.copy()
    for name in [name for name in table if {f"{name}_low", f"{name}_high"} <= set(table)]:
        rows = table[[name, f"{name}_low", f"{name}_high"]].astype("float64").to_numpy()
        shown[name] = pd.Series([told(*row) for row in rows], index=table.index, dtype="str")
        shown = shown.drop(columns=[f"{name}_low", f"{name}_high"])
    return shown
