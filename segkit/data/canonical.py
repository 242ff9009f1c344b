"""The SQL of the canonical tables: each column by its card, each line's reason, one row per key of the others."""

from segkit.data import columns as as_sql
from segkit.data.cards.sections import OPTIONAL, REQUIRED, TableSource
from segkit.data.convert import sql_text
from segkit.runtime.errors import InputError
from segkit.runtime.spelling import quote

BREACHES = (
    "bad_date",
    "date_before_1990",
    "bad_quantity",
    "bad_amount",
    "bad_discount",
    "bad_is_return",
    "missing_order_id",
    "missing_product_id",
    "negative_amount",
    "positive_return",
)
KEPT = ("sale", "return")
IDS = ("customer_id", "order_id", "product_id", "campaign_id", "store_id")
TIMES = ("ordered_at", "sent_at", "responded_at")
MONEY = ("amount", "discount", "coupon_discount")
UNITS = tuple(f"{column}_units" for column in MONEY)  # the same in ten-thousandths, which features sum

_WORDS = ("category", "channel", "country", "brand", "name")
_LATEST = "TIMESTAMP '2200-01-01'"  # a date beyond is a slip of the keyboard, or "never" as some shops write it


def canonical_columns(
    name: str, table: TableSource, types: dict[str, str], integers: dict[str, bool]
) -> dict[str, str]:
    """Return SQL by canonical column of a table, in a fixed order; orders have `amount` and `is_return` in any case.

    Parameters
    ----------
    name : str
        orders, products, customers or campaigns.
    types : dict
        The engine's type of each source expression.
    integers : dict
        By id, whether it is a whole number in every table.
    """
    sql = {}
    for column, expression in table.columns.items():
        kind = types[column]
        if column in IDS:
            sql[column] = as_sql.identifier(expression, kind, integers[column])
        elif column in TIMES:
            sql[column] = as_sql.moment(expression, kind, table)
        elif name == "customers":
            sql[column] = as_sql.attribute(expression, kind)
        elif column in ("quantity", "unit_price"):
            sql[column] = as_sql.number(expression, kind, table.decimal)
        elif column in MONEY:
            sql[column] = as_sql.money(expression, kind, table.decimal)
        elif column in _WORDS:
            sql[column] = as_sql.word(expression, kind)
        else:
            sql[column] = as_sql.boolean(expression, kind, "false" if column == "is_return" else "NULL")
    if name == "orders":
        if "unit_price" in sql:
            sql["amount"] = f"TRY_CAST(({sql['quantity']}) * ({sql['unit_price']}) AS {as_sql.MONEY})"
        sql.setdefault("is_return", f"({sql['amount']}) < 0")
        for column in {"discount", "coupon_discount"} & set(sql):
            if as_sql.is_number(types[column]):
                sql[column] = f"coalesce({sql[column]}, 0)"
            elif types[column] == "VARCHAR":  # an empty cell is none, but one that can't be read is a breach
                empty = f"coalesce(trim({table.columns[column]}), '') = ''"
                sql[column] = f"CASE WHEN {empty} THEN 0 ELSE {sql[column]} END"
        for column in [column for column in MONEY if column in sql]:
            read = table.columns.get(column) or f"({sql['quantity']}) * ({sql['unit_price']})"
            sql[f"{column}_units"] = as_sql.money_units(read, types.get(column, "DOUBLE"), sql[column])
    if name == "customers":
        return sql
    order = dict.fromkeys((*REQUIRED[name], "amount", "is_return", *OPTIONAL[name], *UNITS))
    return {column: sql[column] for column in order if column in sql}


def reject_reasons(table: TableSource) -> dict[str, str]:
    """Return the condition of each reason for not keeping a line, in the order in which they are tested.

    A condition reads the parsed columns (``"=amount"``), those of the card the source columns. The first that holds
    is the line's reason: the card's come first, since leaving lines out is the way out where they break the contract.
    NULL is as good as false, since a missing value has a reason of its own, tested before.
    """
    discounts = [name for name in ("discount", "coupon_discount") if name in table.columns]
    tests = {
        "bad_date": f'"=ordered_at" IS NULL OR "=ordered_at" >= {_LATEST}',
        "date_before_1990": "\"=ordered_at\" < TIMESTAMP '1990-01-01'",
        "bad_quantity": '"=quantity" IS NULL OR ("=quantity" < 0 AND "=amount" > 0)',
        "bad_amount": '"=amount" IS NULL',
        "missing_order_id": '"=order_id" IS NULL',
        "missing_product_id": '"=product_id" IS NULL',
    }
    if discounts:
        tests["bad_discount"] = " OR ".join(
            f'"={name}" IS NULL OR ("={name}" < 0 AND "=amount" > 0)' for name in discounts
        )
    if "is_return" in table.columns:
        tests["bad_is_return"] = '"=is_return" IS NULL'
        tests["negative_amount"] = '"=amount" < 0 AND NOT "=is_return"'
        tests["positive_return"] = '"=amount" > 0 AND "=is_return"'
    reasons = {}
    for reason, condition in table.exclude.items():
        if reason in (*BREACHES, *KEPT, "no_customer", "zero_amount"):
            raise InputError(f"[orders.exclude] `{reason}` is a reason of segkit's own; take another name")
        as_sql.check_expression(condition, f"[orders.exclude] {reason}")
        reasons[reason] = f"coalesce(({condition})::BOOLEAN, false)"
    reasons |= {reason: tests[reason] for reason in BREACHES if reason in tests}
    return reasons | {"no_customer": '"=customer_id" IS NULL', "zero_amount": '"=amount" = 0 OR "=quantity" = 0'}


def judged_orders(canonical: dict[str, str], reasons: dict[str, str]) -> str:
    """Return the query of all lines: source columns, parsed ones (``"=amount"``) and ``"=reason"``."""
    cases = " ".join(f"WHEN {condition} THEN {sql_text(reason)}" for reason, condition in reasons.items())
    return (
        f"""SELECT *, CASE {cases} WHEN "=is_return" THEN 'return' ELSE 'sale' END AS "=reason" """
        f"FROM (SELECT *, {_parsed(canonical)} FROM raw_orders)"
    )


def kept_orders(canonical: dict[str, str], reasons: dict[str, str], found: set[str], limit: str | None) -> str:
    """Return the query of the lines that count, in canonical columns.

    Only reasons in `found` are tested: a file in which no line has a bad date needn't be asked on every scan. Plain
    conditions, unlike a CASE, are pushed down to the file.
    """
    tests = [f"NOT ({condition})" for reason, condition in reasons.items() if reason in found]
    tests += [f'"=ordered_at" < {limit}'] if limit else []
    columns = ", ".join(f'"={name}" AS {name}' for name in canonical if name != "unit_price")
    return (
        f"SELECT {columns} FROM (SELECT *, {_parsed(canonical)} FROM all_orders)"
        f"{' WHERE ' + ' AND '.join(tests) if tests else ''}"
    )


def _parsed(canonical: dict[str, str]) -> str:
    return ", ".join(f'{sql} AS "={name}"' for name, sql in canonical.items())


def table_by_key(name: str, canonical: dict[str, str], limit: str | None) -> str:
    """Return the query of products, customers or campaigns with one row per key, whatever the order of the rows.

    Of rows with the same key the first in sort order stands; a campaign counts from its first sending, answered by
    the first response. Nothing after `limit` is read.
    """
    listed = ", ".join(f"{sql} AS {quote(column)}" for column, sql in canonical.items())
    key = REQUIRED[name][0]
    rows = f"SELECT {listed} FROM raw_{name}"
    if name != "campaigns":
        others = ", ".join(quote(column) for column in canonical if column != key) or key
        place = f'row_number() OVER (PARTITION BY {key} ORDER BY {others}) AS "=place"'
        return (
            f"SELECT {', '.join(map(quote, canonical))} "
            f'FROM (SELECT *, {place} FROM ({rows}) WHERE {key} IS NOT NULL) WHERE "=place" = 1'
        )
    responded = ""
    if "responded_at" in canonical:
        until = f" FILTER (responded_at < {limit})" if limit else ""
        responded = f", min(responded_at){until} AS responded_at"
    until = f" AND sent_at < {limit}" if limit else ""
    return (
        f"SELECT customer_id, campaign_id, min(sent_at) AS sent_at{responded} FROM ({rows}) "
        f"WHERE customer_id IS NOT NULL AND campaign_id IS NOT NULL AND sent_at IS NOT NULL{until} "
        "GROUP BY customer_id, campaign_id"
    )
