"""A table for readers: figures aligned and rounded, headings in words."""

import pandas as pd

from segkit.reporting.blocks.block import Block, render
from segkit.runtime.privacy import FEWEST_SHOWN

FEWER = f"fewer than {FEWEST_SHOWN}"


def page_table(
    table: pd.DataFrame,
    name: str = "",
    *,
    counts=(),
    shares=(),
    money=(),
    numbers=(),
    texts=(),
    people=(),
    theirs=(),
    folded=(),
    labels=None,
) -> Block:
    """Return a table for readers, its first column as the heading of each row.

    Columns that are named but not there are passed over, so that one call serves every kind of dataset.

    Parameters
    ----------
    table : DataFrame
        Finished; what is missing is shown as an empty cell. The index is not shown.
    name : str
        For links to it: the id of the table is ``sk-`` and the name.
    counts, shares, money, numbers : collection of str
        Columns shown as whole numbers, percentages with one decimal, amounts without small coins, and numbers with one
        decimal.
    texts : collection of str
        Columns of figures that are texts already, aligned as figures.
    people : collection of str
        Columns that count customers: 1 to 9 are shown as "fewer than 10".
    theirs : collection of str
        Columns that describe these customers: left empty where there are so few.
    folded : collection of str
        Columns of long texts, which open on a click.
    labels : dict, optional
        Headings by column; a column without one shows its name, with spaces.

    Examples
    --------
    >>> ledger = pd.DataFrame({"reason": ["gift", "sale"], "customers": [3, 2446], "amount": [7.5, 8832003.27]})
    >>> page_table(ledger, people=["customers"], money=["amount"], theirs=["amount"])
    reason     customers    amount
      gift fewer than 10
      sale         2,446 8,832,003
    """
    formats = dict.fromkeys(shares, _percent) | dict.fromkeys(numbers, "{:,.1f}".format)
    formats |= dict.fromkeys([*counts, *people, *money], "{:,.0f}".format)
    few = pd.DataFrame({column: table[column].between(1, FEWEST_SHOWN - 1) for column in people if column in table})
    alone = few.any(axis=1).reindex(table.index, fill_value=False)
    shown = pd.DataFrame({column: _cells(table[column], formats.get(column, str)) for column in table})
    for column in few:
        shown[column] = shown[column].mask(few[column], FEWER)
    for column in [column for column in theirs if column in table]:
        shown[column] = shown[column].mask(alone, "")
    shown.columns = [(labels or {}).get(column, str(column).replace("_", " ")) for column in table]
    figures = {*formats, *texts}
    columns = [
        {"label": label, "text": column not in figures, "folded": column in folded}
        for label, column in zip(shown.columns, table, strict=True)
    ]
    html = render("page_table", name=name, columns=columns, rows=shown.to_numpy().tolist(), zip=zip)
    return Block(html, "\n".join(line.rstrip() for line in shown.to_string(index=False).splitlines()))


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _cells(column: pd.Series, form) -> list[str]:
    """Return the cells as text, no minus before a zero."""
    return [
        "" if pd.isna(cell) else form(cell if isinstance(cell, str) else cell + 0.0 if form is not str else cell)
        for cell in column
    ]
