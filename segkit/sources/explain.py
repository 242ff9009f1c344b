"""What to say about lines that break the contract: how many, examples, and the way out."""

import pandas as pd

from segkit.cards import TableSource
from segkit.sources.convert import sql_text

# What the canonical column is called that each breach is about.
_ABOUT = {
    "bad_date": "ordered_at",
    "date_before_1990": "ordered_at",
    "bad_quantity": "quantity",
    "bad_amount": "amount",
    "bad_discount": "discount",
    "missing_order_id": "order_id",
    "missing_product_id": "product_id",
    "negative_amount": "amount",
    "positive_return": "amount",
}
_SAYS = {
    "bad_date": "no date that can be read",
    "date_before_1990": "a date before 1990",
    "bad_quantity": "no quantity that can be read, or a negative one with a positive amount",
    "bad_amount": "no amount that can be read",
    "bad_discount": "a discount that is negative or can't be read",
    "missing_order_id": "no order id",
    "missing_product_id": "no product id",
    "negative_amount": "a negative amount though is_return is false",
    "positive_return": "a positive amount though is_return is true",
}
_FORMATS = (
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M %p",
    "%m/%d/%Y",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
    "%d-%m-%Y %H:%M:%S",
    "%d-%m-%Y %H:%M",
    "%d-%m-%Y",
    "%Y-%m-%d %H:%M:%S %z",
    "%Y%m%d",
    "%Y%m%d%H%M%S",
    "%d %b %Y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%d-%b-%Y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d.%m.%y",
    "%d/%m/%y %H:%M",
    "%m/%d/%y %H:%M",
)


def explain_breaches(connection, table: TableSource, rows: pd.Series, where: str) -> str:
    """Return the message about lines that break the contract; `rows` counts them by reason."""
    total = connection.execute("SELECT count(*) FROM raw_orders").fetchone()[0]
    reason = rows.idxmax()
    column = _ABOUT[reason]
    if column == "amount" and "amount" not in table.columns:
        column = "unit_price"
    if column == "discount" and "discount" not in table.columns:
        column = "coupon_discount"
    expression = table.columns[column]
    shown = [row[0] for row in connection.execute(
        f"SELECT coalesce(({expression})::VARCHAR, 'nothing') AS shown FROM judged_orders "
        'WHERE "=reason" = ? GROUP BY shown ORDER BY count(*) DESC, shown LIMIT 3', [reason]
    ).fetchall()]  # fmt: skip
    others = [f"{name} {count:,.0f}" for name, count in rows.items() if count and name != reason]
    return (
        f"{where}: {rows[reason]:,.0f} of {total:,} lines have {_SAYS[reason]} ({column} = {expression}; "
        f"for example {', '.join(map(repr, shown))}){'; also ' + ', '.join(others) if others else ''}. "
        f"At most 5 % may break the contract. {_way_out(connection, reason, expression, table, shown)}"
    )


def _way_out(connection, reason: str, expression: str, table: TableSource, shown: list[str]) -> str:
    if reason == "bad_date":
        fitting = fitting_formats(connection, "all_orders", expression)
        if fitting:
            either = " or ".join(f'date_format = "{one}"' for one in fitting)
            return f"Set {either} in [orders]"
        return 'Set date_format = "..." in [orders], such as "%d.%m.%Y %H:%M"'
    if reason in ("bad_quantity", "bad_amount", "bad_discount") and any("," in one for one in shown):
        return 'With a decimal comma, set decimal = "," in [orders]'
    ways = {
        "date_before_1990": "Exclude these lines with a reason in [orders.exclude], or mend the dates",
        "negative_amount": "Let is_return be true for them, leave is_return out (then negative amounts are returns), "
        "or exclude them with a reason in [orders.exclude]",
        "positive_return": 'Amounts of returns are negative; write it so, such as amount = { sql = "CASE WHEN ... THEN '
        '-amount ELSE amount END" }',
        "bad_discount": 'Discounts are money >= 0; where the file has them negative, write { sql = "-discount" }',
        "missing_order_id": "Name another column, or exclude these lines with a reason in [orders.exclude]",
        "missing_product_id": "Name another column, such as the product's name, or exclude these lines with a reason",
    }
    return ways.get(
        reason,
        "Give an expression that reads it, such as { sql = \"replace(price, '£', '')::DOUBLE\" }, or another column",
    )


def fitting_formats(connection, relation: str, expression: str) -> list[str]:
    """Return the common date formats that read a sample of the texts best; two where day and month can't be told."""
    tries = ", ".join(f"count(try_strptime(shown, {sql_text(one)}))" for one in _FORMATS)
    counts = connection.execute(
        f"SELECT {tries} FROM (SELECT ({expression})::VARCHAR AS shown FROM {relation} "
        f"WHERE ({expression}) IS NOT NULL LIMIT 10000)"
    ).fetchone()
    best = max(counts)
    return [one for one, count in zip(_FORMATS, counts, strict=True) if best and count == best][:2]


def explain_numeric_date(connection, relation: str, expression: str, where: str) -> str:
    """Return the message about numbers where a date is needed, with the expression that turns them into one."""
    value = connection.execute(f"SELECT median({expression})::DOUBLE FROM (FROM {relation} LIMIT 10000)").fetchone()[0]
    ways = (
        (
            1e4,
            1e5,
            "days since 1899-12-30, as Excel counts",
            f"TIMESTAMP '1899-12-30' + to_seconds(round(86400 * {expression}))",
        ),
        (19e6, 21e6, "days written as 20240131", ""),
        (5e8, 5e9, "seconds since 1970", f"make_timestamp(1000000 * {expression})"),
        (5e11, 5e12, "milliseconds since 1970", f"make_timestamp(1000 * {expression})"),
        (5e14, 5e15, "microseconds since 1970", f"make_timestamp({expression})"),
    )
    for low, high, meaning, sql in ways:
        if value is not None and low <= value <= high:
            way = f"write it as {{ sql = '''{sql}''' }}" if sql else 'set date_format = "%Y%m%d"'
            return (
                f"{where}: {expression} holds numbers such as {value:.10g}, not dates; they look like {meaning}: {way}"
            )
    return f"{where}: {expression} holds numbers such as {value:.10g}, not dates; name another column or an expression"
