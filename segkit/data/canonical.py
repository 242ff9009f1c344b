"""The SQL of the canonical tables: each column by its card, each line's reason, one row per key of the others."""

import re
from collections.abc import Collection

from segkit.data import columns as as_sql
from segkit.data.cards.sections import OPTIONAL, REQUIRED, TableSource
from segkit.data.convert import sql_text
from segkit.data.numbers import missing_number
from segkit.runtime.errors import InputError
from segkit.runtime.spelling import quote

BREACHES = (
    "bad_date",
    "date_before_1990",
    "bad_quantity",
    "bad_amount",
    "bad_discount",
    "bad_is_return",
    "destroyed_id",
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

NOT_KEPT = ("no_customer", "zero_amount", "other_currency", "unknown_status")
SHARES = ("order_total", "order_discount", "order_refund")  # of whole orders; a line's part is "=order_total"
_DESTROYED = r"[0-9]([.,][0-9]+)?[eE][+][0-9]+|#{3,}|#(REF|NAME|VALUE|DIV/0|NUM)[!?]"  # what spreadsheets leave of ids
_MOST_DIGITS = 9_007_199_254_740_992  # whole numbers beyond are no longer told apart as floats
_WORDS = ("category", "channel", "country", "brand", "name")
_LATEST = "TIMESTAMP '2200-01-01'"  # a date beyond is a slip of the keyboard, or "never" as some shops write it


def canonical_columns(
    name: str,
    table: TableSource,
    types: dict[str, str],
    integers: dict[str, bool],
    fold: bool = False,
    clean: Collection[str] = (),
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
    fold : bool
        Whether customers' ids are told apart without regard to case.
    clean : collection of str
        Columns of numbers stored as text of which none needs more than its decimal mark to be read.
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
            sql[column] = as_sql.number(expression, kind, table.mark(column), column == "quantity", column in clean)
        elif column == "discount" and name == "orders" and table.discount_is == "percent" and kind == "VARCHAR":
            sql[column] = as_sql.money(f"rtrim({expression}, ' %')", kind, table.mark(column))
        elif column in MONEY:
            sql[column] = as_sql.money(expression, kind, table.mark(column), column in clean)
        elif column in _WORDS:
            sql[column] = as_sql.word(expression, kind)
        else:
            sql[column] = as_sql.boolean(expression, kind, "false" if column == "is_return" else "NULL")
    if fold and "customer_id" in sql and not integers["customer_id"]:
        sql["customer_id"] = f"lower({sql['customer_id']})"
    if name == "orders":
        _in_words(sql, table, types, integers)
    if name == "customers":
        return sql
    order = dict.fromkeys((*REQUIRED[name], "amount", "is_return", *OPTIONAL[name], *UNITS))
    return {column: sql[column] for column in order if column in sql}


def _in_words(sql: dict[str, str], table: TableSource, types: dict[str, str], integers: dict[str, bool]) -> None:
    """Complete the SQL of order lines by what the card says in words."""
    words = [word.strip().lower() for word in table.placeholders]
    if integers["customer_id"]:
        words = [word for word in words if re.fullmatch(r"-?[0-9]{1,18}", word)]
    if words:
        who, numbers = sql["customer_id"], integers["customer_id"]
        listed = ", ".join(words if numbers else map(sql_text, words))
        nobody = f"{who} IN ({listed})" if numbers else f"list_contains([{listed}], lower({who}))"
        sql["customer_id"] = f"CASE WHEN NOT {nobody} THEN {who} END"
    if table.order_key:
        sql["order_id"] = " || ' ' || ".join(_part_of_key(part, sql) for part in table.order_key)
    for column in {"discount", "coupon_discount"} & set(sql):
        if as_sql.is_number(types[column]):
            sql[column] = f"coalesce({sql[column]}, 0)"
        elif types[column] == "VARCHAR":  # an empty cell is none, but one that can't be read is a breach
            empty = f"({missing_number(table.columns[column])}) IS NULL"
            sql[column] = f"CASE WHEN {empty} THEN 0 ELSE {sql[column]} END"
    if "discount" in sql and table.discount_is != "money":
        sql["discount"] = f"TRY_CAST({_discount_money(sql, table)} AS {as_sql.MONEY})"
    given = sql.get("amount")
    sql["amount"] = line_amount(sql, table)
    if table.order_total:
        sql["amount"] = '"=order_total"'
    if table.signed_by:
        sql["amount"] = f"CASE WHEN ({sql['quantity']}) < 0 THEN -abs({sql['amount']}) ELSE {sql['amount']} END"
    if table.line_refund:
        back = as_sql.money(table.line_refund, types["line_refund"], table.mark("amount"))
        sql["amount"] = f"TRY_CAST({sql['amount']} - abs(coalesce({back}, 0)) AS {as_sql.MONEY})"
    for share in ("order_discount", "order_refund"):
        if getattr(table, share):
            part = f'"={share}"'
            if share == "order_refund" and table.status:  # what was no sale needn't be given back
                part = f"CASE WHEN {_has_status(table.status, 'not_a_sale')} THEN 0 ELSE {part} END"
            sql["amount"] = f"TRY_CAST({sql['amount']} - {part} AS {as_sql.MONEY})"
    if table.order_discount:
        sql["discount"] = f'{sql["discount"]} + "=order_discount"' if "discount" in sql else '"=order_discount"'
    if table.status and table.status.returned:
        back, amount = _has_status(table.status, "return"), sql["amount"]
        sql["amount"] = f"CASE WHEN {back} THEN -abs({amount}) ELSE {amount} END"
    sql.setdefault("is_return", f"({sql['amount']}) < 0")
    for column in [column for column in MONEY if column in sql]:
        plain = column != "amount" or sql["amount"] == given or "unit_price" in sql and not worded(table)
        plain = plain and not (column == "discount" and (table.order_discount or table.discount_is != "money"))
        read = table.columns.get(column) or f"({sql.get('quantity')}) * ({sql.get('unit_price')})"
        kind = types.get(column, "DOUBLE") if plain else "words"
        sql[f"{column}_units"] = as_sql.money_units(read, kind, sql[column])


def _discount_money(sql: dict[str, str], table: TableSource) -> str:
    """Return SQL of a line's discount as money; rates are of the line before the discount."""
    off = f"({sql['discount']})::DOUBLE"
    if table.discount_is == "negative":
        return f"-{off}"
    if table.discount_is == "per piece":
        return f"{off} * abs({sql['quantity']})"
    rate = off if table.discount_is == "rate" else f"{off} / 100"
    amount = f"abs(({line_amount(sql, table, before=True)})::DOUBLE)"
    return f"{amount} * ({rate})" if table.take_off_discount else f"{amount} * ({rate}) / nullif(1 - ({rate}), 0)"


def worded(table: TableSource) -> bool:
    """Return whether the amount of a line is more than what one or two of its cells say."""
    words = (*(getattr(table, share) for share in SHARES), table.line_refund, table.signed_by, table.take_off_discount)
    return any(words) or bool(table.status and table.status.returned)


def line_amount(sql: dict[str, str], table: TableSource, before: bool = False) -> str:
    """Return SQL of the money of a line from its own cells, or before its discount; 1 where they say nothing."""
    if "unit_price" in sql:
        amount = f"TRY_CAST(({sql['quantity']}) * ({sql['unit_price']}) AS {as_sql.MONEY})"
    else:
        amount = sql.get("amount", f"1::{as_sql.MONEY}")
    if table.take_off_discount and "discount" in sql and not before:
        amount = f"TRY_CAST({amount} - sign({amount}) * abs({sql['discount']}) AS {as_sql.MONEY})"
    return amount


def _part_of_key(part: str, sql: dict[str, str]) -> str:
    if part == "date":
        return f"coalesce(({sql['ordered_at']})::DATE::VARCHAR, '')"
    if part in ("order_id", "customer_id"):
        return f"({sql[part]})::VARCHAR" if part == "order_id" else f"coalesce(({sql[part]})::VARCHAR, '')"
    return f"coalesce({quote(part)}::VARCHAR, '')"


def status_words(status) -> dict[str, str]:
    """Return what each listed word means, in lower case."""
    means = {"sale": status.sale, "return": status.returned, "not_a_sale": status.not_a_sale}
    return {word.strip().lower(): meaning for meaning, words in means.items() for word in words}


def written_status(status) -> str:
    """Return SQL of a status as it is compared: trimmed, in lower case, empty where there is none."""
    return f"coalesce(lower(trim(({status.column})::VARCHAR)), '')"


def _has_status(status, meaning: str) -> str:
    """Return SQL for whether a line's status has a meaning; the words of no list have that of `others`."""
    words = status_words(status)
    others = status.others == meaning
    listed = ", ".join(sql_text(word) for word, means in words.items() if (means != meaning) == others) or "NULL"
    return f"{'NOT ' * others}coalesce(list_contains([{listed}], {written_status(status)}), false)"


def _status_reason(word: str) -> str:
    return "status_" + (re.sub(r"\W+", "_", word).strip("_") or "empty")


def _destroyed(column: str, kind: str, integers: dict[str, bool]) -> str:
    """Return SQL for whether an id was cut off by a spreadsheet or by a float; "" where it can't be."""
    if integers[column]:
        return f'abs("={column}") > {_MOST_DIGITS}' if kind in ("DOUBLE", "FLOAT") else ""
    return (
        f'coalesce(regexp_matches("={column}", {sql_text(f"^(?:{_DESTROYED})$")}), false)' if kind == "VARCHAR" else ""
    )


def reject_reasons(
    table: TableSource, types: dict[str, str], integers: dict[str, bool], currency: str = ""
) -> dict[str, str]:
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
    destroyed = [_destroyed(one, types[one], integers) for one in ("customer_id", "order_id")]
    tests["destroyed_id"] = " OR ".join(filter(None, destroyed)) or "false"
    reasons = {}
    for reason, condition in table.exclude.items():
        if reason in (*BREACHES, *KEPT, *NOT_KEPT):
            raise InputError(f"[orders.exclude] `{reason}` is a reason of segkit's own; take another name")
        as_sql.check_line_expression(condition, f"[orders.exclude] {reason}")
        reasons[reason] = f"coalesce(({condition})::BOOLEAN, false)"
    if table.status:
        for word, meaning in status_words(table.status).items():
            if meaning == "not_a_sale":
                same = f"{written_status(table.status)} = {sql_text(word)}"
                reason = _status_reason(word)
                reasons[reason] = f"{reasons[reason]} OR {same}" if reason in reasons else same
        if table.status.others is None:
            listed = ", ".join(map(sql_text, status_words(table.status))) or "NULL"
            unknown = f"NOT coalesce(list_contains([{listed}], {written_status(table.status)}), false)"
            reasons["unknown_status"] = unknown
        elif table.status.others == "not_a_sale":
            reasons["status_other"] = _has_status(table.status, "not_a_sale")
    if table.currency_column and currency:
        written = f"upper(trim(({table.currency_column})::VARCHAR))"
        reasons["other_currency"] = f"coalesce({written} NOT IN ('', {sql_text(currency.upper())}), false)"
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
    columns = ", ".join(f'"={name}" AS {quote(name)}' for name in canonical if name != "unit_price")
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
