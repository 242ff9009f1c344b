"""What to say about lines that break the contract: how many, examples, and the way out."""

import re

import pandas as pd

from segkit.data import columns as as_sql
from segkit.data.cards.sections import TableSource
from segkit.data.convert import sql_text
from segkit.data.dates import as_in_card, date_formats, undecided
from segkit.data.numbers import missing_number

# What the canonical column is called that each breach is about.
_ABOUT = {
    "bad_date": "ordered_at",
    "date_before_1990": "ordered_at",
    "bad_quantity": "quantity",
    "bad_amount": "amount",
    "bad_discount": "discount",
    "bad_is_return": "is_return",
    "destroyed_id": "customer_id",
    "missing_order_id": "order_id",
    "missing_product_id": "product_id",
    "negative_amount": "amount",
    "positive_return": "amount",
}
_SAYS = {
    "bad_date": "no date that can be read, or one after 2199",
    "date_before_1990": "a date before 1990",
    "bad_quantity": "no quantity that can be read, or a negative one with a positive amount",
    "bad_amount": "no amount that can be read",
    "bad_discount": "a discount that is negative or can't be read",
    "bad_is_return": "an is_return that is neither yes nor no",
    "destroyed_id": "an id whose digits a spreadsheet has cut off",
    "missing_order_id": "no order id",
    "missing_product_id": "no product id",
    "negative_amount": "a negative amount though is_return is false",
    "positive_return": "a positive amount though is_return is true",
}


def explain_breaches(connection, table: TableSource, rows: pd.Series, where: str) -> str:
    """Return the message about lines that break the contract; `rows` counts them by reason."""
    total = connection.execute("SELECT count(*) FROM raw_orders").fetchone()[0]
    reason = rows.idxmax()
    column = _ABOUT[reason]
    if column == "amount" and "amount" not in table.columns:
        column = "unit_price"
    if column == "discount" and "discount" not in table.columns:
        column = "coupon_discount"
    if column not in table.columns:
        column = "order_total"
    expression = table.columns.get(column) or table.order_total
    shown = [row[0] for row in connection.execute(
        f"SELECT ({expression})::VARCHAR AS shown FROM judged_orders "
        'WHERE "=reason" = ? GROUP BY shown ORDER BY count(*) DESC, shown LIMIT 3', [reason]
    ).fetchall()]  # fmt: skip
    others = [f"{name} {count:,.0f}" for name, count in rows.items() if count and name != reason]
    return (
        f"{where}: {rows[reason]:,.0f} of {total:,} lines have {_SAYS[reason]} ({column} = {expression}; "
        f"for example {', '.join(map(_shown, shown))}){'; also ' + ', '.join(others) if others else ''}. "
        f"At most 5 % may break the contract. {_way_out(connection, reason, column, expression, table, shown)}"
    )


def _way_out(connection, reason: str, column: str, expression: str, table: TableSource, shown: list[str]) -> str:
    kind = connection.execute(f"DESCRIBE SELECT {expression} FROM raw_orders").fetchall()[0][1]
    if condition := _left_out(reason, expression, kind, shown):
        name = "too_early" if reason == "date_before_1990" else f"no_{reason.removeprefix('bad_')}"
        return (
            f"Name another column, mend this one, or leave these lines out: under [orders.exclude], {name} = "
            f"'''{condition}'''"
        )
    if reason in ("bad_date", "date_before_1990") and (way := _other_formats(connection, reason, expression, table)):
        return way
    if reason in ("bad_quantity", "bad_amount", "bad_discount"):
        if marks := _other_marks(connection, expression, column, table):
            return marks
        if reason == "bad_quantity" and any(re.match(r"-|\\(|[0-9.,]+-$", one or "") for one in shown):
            return 'Where the sign of the quantity is that of the line, set signed_by = "quantity" in [orders]'
    if reason == "bad_is_return":
        return f"Say which of them are returns, such as is_return = {{ sql = '''{_a_return(expression, shown)}''' }}"
    written = expression if kind == "VARCHAR" else f"({expression})::VARCHAR"
    ways = {
        "bad_date": "Write the date as SQL that reads it, such as "
        f"ordered_at = {{ sql = '''coalesce(try_strptime({written}, '%d.%m.%Y %H:%M'), "
        f"try_strptime({written}, '%Y-%m-%d'))''' }}, or exclude these lines with a reason in [orders.exclude]",
        "date_before_1990": "Exclude these lines with a reason in [orders.exclude], or mend the dates",
        "negative_amount": "Let is_return be true for them, leave is_return out (then negative amounts are returns), "
        "or exclude them with a reason in [orders.exclude]",
        "positive_return": "Amounts of returns are negative; instead of is_return, let [orders.status] say which words "
        'of a column are returns: column = "...", sale = [...], return = [...]',
        "destroyed_id": "They can't be told apart any more: export again, with the ids as text, and save it from no "
        "spreadsheet",
        "bad_discount": 'Discounts are money >= 0; where the file has them negative, write { sql = "-discount" }',
        "missing_order_id": "Name another column, or exclude these lines with a reason in [orders.exclude]",
        "missing_product_id": "Name another column, such as the product's name, or exclude these lines with a reason",
    }
    return ways.get(
        reason,
        "Name another column, mend this one, or leave these lines out with a reason in [orders.exclude]",
    )


def _other_marks(connection, expression: str, column: str, table: TableSource) -> str:
    """Return the decimal mark that would read nearly all numbers of a column; "" where none would."""
    text = missing_number(f"trim(({expression})::VARCHAR)")
    ways = {
        ",": 'With a decimal comma, set decimal = "," in [orders]',
        ".": 'With a decimal point, set decimal = "." in [orders]',
        ".,": 'Some have a decimal comma and some a point: set decimal = ".,", which reads both, in [orders]',
    }
    for mark, way in ways.items():
        read = f"count({as_sql.number(expression, 'VARCHAR', mark, column == 'quantity')})"
        share = f"SELECT {read} / greatest(count({text}), 1) FROM raw_orders"
        if mark != table.mark(column) and connection.execute(share).fetchone()[0] > 0.95:
            return way
    return ""


def _a_return(expression: str, shown: list[str]) -> str:
    """Return a condition on values that are neither yes nor no: money or pieces sent back, or the rarest word."""
    if all(re.fullmatch(r"-?\d+(\.\d+)?", one) for one in shown):
        return f"TRY_CAST({expression} AS DOUBLE) {'<' if shown[0].startswith('-') else '>'} 0"
    return f"{expression} IN ({sql_text(shown[-1])})"


def _left_out(reason: str, expression: str, kind: str, shown: list[str]) -> str:
    """Return the SQL of lines that no way of reading them would save: empty ones, and times out of all bounds."""
    if reason in ("bad_date", "bad_quantity", "bad_amount") and not any((one or "").strip() for one in shown):
        return f"coalesce(trim({expression}), '') = ''" if kind == "VARCHAR" else f"({expression}) IS NULL"
    bounds = {"bad_date": f"coalesce(({expression}) >= '2200-01-01', true)"}
    bounds |= {"date_before_1990": f"'1990-01-01' > ({expression})"}
    return bounds.get(reason, "") if kind.startswith(("TIMESTAMP", "DATE")) else ""


def _shown(text: str | None) -> str:
    """Return an example as a message shows it."""
    return "empty" if text is None or not text.strip() else repr(text)


def _other_formats(connection, reason: str, expression: str, table: TableSource) -> str:
    """Return the formats to add to the card's for the lines whose date can't be read; "" where none is usual."""
    lines = "SELECT ({})::VARCHAR AS shown FROM judged_orders WHERE \"=reason\" {} '{}' LIMIT 10000"
    unread, others = (
        f"SELECT shown FROM ({lines.format(expression, one, reason)}) AS some_lines" for one in ("=", "<>")
    )
    known = table.date_format or date_formats(connection, others)[0]
    formats, _ = date_formats(connection, unread, known)
    if set(formats) <= set(known):
        return ""
    turned = undecided(connection, f"{unread} UNION ALL {others}", formats)
    doubt = f"; no day is beyond 12, so day and month may be the other way round: {', '.join(turned)}" if turned else ""
    begin = f"They don't fit {as_in_card(table.date_format)}: set" if table.date_format else "Set"
    return f"{begin} {as_in_card(formats)} in [orders]{doubt}"


def explain_numeric_date(connection, relation: str, expression: str, where: str) -> str:
    """Return the message about numbers where a date is needed, with the expression that turns them into one."""
    value = connection.execute(f"SELECT median({expression})::DOUBLE FROM (FROM {relation} LIMIT 10000)").fetchone()[0]
    ways = (
        (
            1e4,
            1e5,
            "days since 1899-12-30, as Excel counts",
            "excel",
        ),
        (19e6, 21e6, "days written as 20240131", ""),
        (5e8, 5e9, "seconds since 1970", f"make_timestamp(1000000 * {expression})"),
        (5e11, 5e12, "milliseconds since 1970", f"make_timestamp(1000 * {expression})"),
        (5e14, 5e15, "microseconds since 1970", f"make_timestamp({expression})"),
    )
    for low, high, meaning, sql in ways:
        if value is not None and low <= value <= high:
            way = f"write it as {{ sql = '''{sql}''' }}" if "(" in sql else f'set date_format = "{sql or "%Y%m%d"}"'
            return (
                f"{where}: {expression} holds numbers such as {value:.10g}, not dates; they look like {meaning}: {way}"
            )
    return f"{where}: {expression} holds numbers such as {value:.10g}, not dates; name another column or an expression"
