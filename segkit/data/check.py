"""What `segkit check` prints: where every row of a dataset went, and what more columns would add."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from segkit.data.canonical import BREACHES
from segkit.data.cards.card import Card
from segkit.data.doubts import doubts
from segkit.data.orders import Orders, read_orders
from segkit.data.ready_table import ReadyRows, read_ready
from segkit.data.reconcile import reconcile
from segkit.runtime.parameters import read_parameters


def check_dataset(
    card: Card,
    wanted: Mapping[str, Sequence[str]] | None = None,
    try_features: Callable[[Orders], None] = lambda orders: None,
) -> str:
    """Return the report on a dataset as text: ledger with total, columns, days, duplicates, what is missing.

    Parameters
    ----------
    card : Card
    wanted : mapping, optional
        Names of features by the canonical column that they need (``orders.discount``; ``a|b`` for either of two).
    try_features : callable, optional
        Refuses orders that the card's own features don't fit.

    Raises
    ------
    InputError
        As `read_orders`, `read_ready` and `try_features`, and for [defaults] that are no parameters.

    Examples
    --------
    >>> from segkit.data.cards.card import read_card
    >>> report = check_dataset(read_card("complete-journey"), {"orders.channel": ["web_order_share"]})
    >>> print(report[report.index("reason"):report.index("days")])
    reason            rows   orders  customers        amount
    sale         1,458,032  155,368      2,469  4,596,027.06
    zero_amount     11,275    9,588      1,827         12.52
    total        1,469,307                      4,596,039.58
    (amounts in USD)
    (zero_amount: the amount of the line is zero, or its quantity)
    <BLANKLINE>
    """
    heading = card.name if card.title == card.name else f"{card.name}: {card.title}"
    read_parameters(card.defaults)
    if card.ready:
        return "\n".join([heading, "", *_describe_ready(read_ready(card))])
    with read_orders(card) as orders:
        try_features(orders)
        return "\n".join([heading, "", *_describe_orders(orders, wanted or {})])


def _describe_orders(orders: Orders, wanted: Mapping[str, Sequence[str]]) -> list[str]:
    card = orders.card
    lines = _ledger_lines(orders.ledger, card.currency)
    if not card.currency:
        lines.append(f'(amounts in no currency: set one at the top of {card.path.name}, such as currency = "EUR")')
    if "zero_amount" in set(orders.ledger["reason"]):
        lines.append("(zero_amount: the amount of the line is zero, or its quantity)")
    lines.append("")
    lines.append(f"days       {orders.first_day} to {orders.last_day}")
    for name, columns in orders.columns.items():
        lines.append(f"{name:10} {', '.join(columns)}")
    lines += [f"note       {note}" for note in orders.notes]
    if found := reconcile(orders):
        lines += found.tell()
    lines += [f"left out   customers.{name}: {why}" for name, why in orders.left_out.items()]
    lines += [f"warning    {warning}" for warning in tell_dirty_lines(orders)]
    lines += [f"look at    {doubt}" for doubt in doubts(orders)]
    missing = _missing(orders.columns, wanted)
    if missing:
        lines += ["", "not there, and what it would add"]
        width = max(len(column) for column in missing)
        lines += [f"  {column:{width}}  {what}" for column, what in missing.items()]
    return lines


def tell_dirty_lines(orders: Orders) -> list[str]:
    """Return what a user should hear of order lines that repeat, and of those that break the contract."""
    told, broken = [], int(orders.ledger["rows"][orders.ledger["reason"].isin(BREACHES)].sum())
    if orders.duplicates:
        lines = "line repeats" if orders.duplicates == 1 else "lines repeat"
        told.append(f"{orders.duplicates:,} {lines} another one in every column; kept all the same")
    if broken:
        lines = "line breaks the contract and is" if broken == 1 else "lines break the contract and are"
        told.append(f"{broken:,} {lines} left out, and listed in the quarantine of a run")
    return told


def _missing(columns: dict[str, list[str]], wanted: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return what each absent column would add, those that add the most first."""
    there = {f"{table}.{column}" for table, names in columns.items() for column in names}
    gone = {need: list(names) for need, names in wanted.items() if not there & set(need.split("|"))}
    ordered = sorted(gone.items(), key=lambda item: (-len(item[1]), item[0]))
    return {need.replace("|", " or "): ", ".join(names) for need, names in ordered}


def _describe_ready(ready: ReadyRows) -> list[str]:
    lines = [*_ledger_lines(ready.ledger.drop(columns=["orders", "amount"]), ""), ""]
    width = max(len(name) for name in (*ready.kinds, *ready.left_out, *ready.outcomes))
    for name, kind in ready.kinds.items():
        missing = int(ready.table[name].isna().sum())
        why = f"inferred: {ready.inferred[name]}" if name in ready.inferred else "as the card says"
        lines.append(f"{name:{width}}  {kind:8}  {why}{f'; {missing:,} missing' if missing else ''}")
    lines += [f"{name:{width}}  outcome   never clustered on" for name in ready.outcomes]
    return lines + [f"{name:{width}}  left out  {why}" for name, why in ready.left_out.items()]


def _ledger_lines(ledger: pd.DataFrame, currency: str) -> list[str]:
    """Return the ledger as aligned text, with the totals that add up: rows and amount."""
    sums = {column: ledger[column].sum() if column in ("rows", "amount") else None for column in ledger.columns[1:]}
    columns = [["reason", *ledger["reason"], "total"]]
    for column, total in sums.items():
        style = ",.2f" if column == "amount" else ","
        cells = [format(cell, style) for cell in ledger[column]]
        columns.append([column, *cells, "" if total is None else format(total, style)])
    widths = [max(map(len, column)) for column in columns]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
        for row in zip(*columns, strict=True)
    ]
    return lines + ([f"(amounts in {currency})"] if currency and "amount" in ledger else [])
