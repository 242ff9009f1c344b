"""The canonical tables as views of an engine, and the ledger of what became of every line."""

from datetime import date, timedelta
from functools import partial

import duckdb
import pandas as pd

from segkit.data import canonical
from segkit.data import columns as as_sql
from segkit.data.cards.card import Card
from segkit.data.contacts import contact_columns
from segkit.data.explain import explain_breaches
from segkit.data.new_card.synonyms import CURRENCY_COLUMNS, plain_name
from segkit.data.numbers import currency_sign, missing_number, quick_number
from segkit.data.views import blame, describe_table, folds_case, integer_ids
from segkit.runtime.errors import InputError
from segkit.runtime.spelling import quote

MAX_BREACH_SHARE = 0.05
CONTACTS = ("email", "phone", "consent")  # kept apart, for nothing but a handover


def create_views(card: Card, as_of: date | None, connection, known: dict | None) -> dict:
    """Create the canonical views and tables; return the ``ledger`` and what else was ``seen``; as `known`, if it is."""
    limit = f"TIMESTAMP '{as_of + timedelta(days=1)}'" if as_of else None
    relations = {name: "all_orders" if name == "orders" else f"raw_{name}" for name in card.tables}
    types: dict[str, dict[str, str]] = {}
    for name, table in card.tables.items():  # orders come first, since other tables may be queries over raw_orders
        types[name] = describe_table(connection, card, name, relations[name])
        if name == "orders":
            ordered_at = as_sql.moment(table.columns["ordered_at"], types[name]["ordered_at"], table)
            until = f" WHERE coalesce({ordered_at} < {limit}, true)" if limit else ""
            connection.execute(f"CREATE VIEW raw_orders AS FROM all_orders{until}")
    integers = integer_ids(card, connection, types, relations)
    canonical_of = partial(canonical.canonical_columns, integers=integers, fold=folds_case(card, connection, types))
    sql = {name: canonical_of(name, table, types[name]) for name, table in card.tables.items()}
    reasons = canonical.reject_reasons(card.tables["orders"], types["orders"], integers, card.currency)
    try:
        connection.execute(f"CREATE VIEW judged_orders AS {canonical.judged_orders(sql['orders'], reasons)}")
        notes, clean = [], []
        if known is None:
            check_currencies(card, connection)
            texts = _cleaned_numbers(card, connection, types)
            ledger, days, notes, clean = _read_ledger(card, connection, as_of, texts)
        else:
            ledger, days, clean = known["ledger"], {}, known["seen"].get("clean", [])
    except duckdb.Error as error:
        raise blame(connection, card, "orders", error) from None
    if clean:  # which spares every later scan
        sql["orders"] = canonical_of("orders", card.tables["orders"], types["orders"], clean=clean)
    found = set(ledger.loc[ledger["rows"] > 0, "reason"])
    connection.execute(f"CREATE VIEW orders AS {canonical.kept_orders(sql['orders'], reasons, found, limit)}")
    columns = {"orders": [name for name in sql["orders"] if name not in ("unit_price", *canonical.UNITS)]}
    for name in [name for name in card.tables if name != "orders"]:
        try:
            connection.execute(f"CREATE TABLE {name} AS {canonical.table_by_key(name, sql[name], limit)}")
        except duckdb.Error as error:
            raise blame(connection, card, name, error) from None
        columns[name] = list(sql[name])
        notes += [] if known else _repeated_keys(connection, name)
    left_out = {}
    if "customers" in columns:
        attributes = [name for name in columns["customers"] if name != "customer_id"]
        left_out = known["seen"]["left_out"] if known else contact_columns(connection, "customers", attributes)
        if apart := [name for name in CONTACTS if name in left_out]:
            # Every record, also where a customer has many or none is named: one refusal holds for its address.
            listed = ", ".join(f"{sql['customers'][column]} AS {quote(column)}" for column in ("customer_id", *apart))
            connection.execute(f"CREATE TABLE contacts AS SELECT {listed} FROM raw_customers")
            columns["contacts"] = apart
        for name in left_out:
            connection.execute(f"ALTER TABLE customers DROP COLUMN {quote(name)}")
        columns["customers"] = [name for name in columns["customers"] if name not in left_out]
    seen = {"days": days, "columns": columns, "left_out": left_out, "notes": notes, "clean": clean}
    return known or {"ledger": ledger, "seen": seen}


def _repeated_keys(connection, name: str) -> list[str]:
    if name == "campaigns":  # many sendings of a campaign to a customer are one
        return []
    read, held = (connection.execute(f"SELECT count(*) FROM {one}").fetchone()[0] for one in (f"raw_{name}", name))
    if read == held:
        return []
    return [f"{name}: {read - held:,} of {read:,} rows have no key or one that occurs before; one row per key is kept"]


def check_currencies(card: Card, connection) -> None:
    """Refuse lines in several currencies of which the card doesn't choose one: they would be summed."""
    table = card.tables["orders"]
    column, used = table.currency_column, " ".join((*table.columns.values(), *table.exclude.values()))
    if column is None:
        named = [row[0] for row in connection.execute("DESCRIBE raw_orders").fetchall()]
        named = [name for name in named if plain_name(name) in CURRENCY_COLUMNS and name.lower() not in used.lower()]
        if not named:
            return
        column = quote(named[0])
    if column == table.currency_column and card.currency:
        return
    written = f"upper(trim(({column})::VARCHAR))"
    found = connection.execute(
        f"SELECT {written} AS currency, count(*) FROM raw_orders WHERE coalesce({written}, '') <> '' "
        "GROUP BY 1 ORDER BY 2 DESC, 1"
    ).fetchall()
    if len(found) > 1:
        listed = ", ".join(f"{name} on {rows:,} lines" for name, rows in found[:5])
        raise InputError(
            f"{card.path.name}: {column} has several currencies ({listed}), which are never summed: set currency = "
            f'"{found[0][0]}" on top and currency_column = {column} in [orders], and lines in others are left out'
        )


def _cleaned_numbers(card: Card, connection, types: dict[str, dict[str, str]]) -> dict[str, str]:
    """Return SQL of the text of each number that was stored as text with more than digits and a point."""
    if not isinstance(connection, duckdb.DuckDBPyConnection):
        return {}
    table = card.tables["orders"]
    texts = [
        name for name in ("quantity", "amount", "unit_price", "discount") if types["orders"].get(name) == "VARCHAR"
    ]
    cleaned = {}
    for name in texts:
        text = f"trim({table.columns[name]})"
        plain = f"TRY_CAST({quick_number(text, table.mark(name))} AS DOUBLE) IS NOT NULL"
        cleaned[name] = (
            f'CASE WHEN "={name}" IS NOT NULL AND NOT coalesce({plain}, false) THEN {missing_number(text)} END'
        )
    return cleaned


def _tell_cleaned(found: pd.DataFrame, texts: dict[str, str], where: str) -> list[str]:
    """Return which numbers were cleaned; refuse those in several currencies."""
    notes = []
    for name in texts:
        cleaned = int(found[f"cleaned {name}"].sum())
        signs = sorted({sign for signs in found[f"signs {name}"].dropna() for sign in signs.split()})
        if len(signs) > 1:
            raise InputError(
                f"{where}: {name} is in several currencies ({', '.join(signs)}), which are never summed; export one of "
                "them, or leave the others out under [orders.exclude]"
            )
        if cleaned:
            example = found[f"example {name}"].dropna().min()
            notes.append(f"{name}: {cleaned:,} numbers were read from texts such as {example!r}")
    return notes


def _explain_status(connection, status, where: str) -> str:
    rows = connection.execute(
        f'SELECT {canonical.written_status(status)} AS word, count(*), sum("=amount")::DOUBLE FROM judged_orders '
        "WHERE \"=reason\" = 'unknown_status' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 8"
    ).fetchall()
    listed = ", ".join(f"{word!r} ({lines:,} lines, {money or 0:,.2f})" for word, lines, money in rows)
    return (
        f"{where}: [orders.status] does not say what these words of {status.column} mean: {listed}; list each under "
        'sale, return or not_a_sale, or give all others one meaning, such as others = "not_a_sale"'
    )


def _read_ledger(
    card: Card, connection, as_of: date | None, texts: dict[str, str]
) -> tuple[pd.DataFrame, dict[str, str], list[str], list[str]]:
    """Return ledger, first and last kept day and day of a sale, notes, clean numbers.

    What breaks the contract too often is refused. `texts` is SQL by column of the numbers that were cleaned.
    """
    cleaned = "".join(
        f', count({text}) AS "cleaned {name}", min({text}) AS "example {name}"'
        f", string_agg(DISTINCT {currency_sign(text)}, ' ') AS \"signs {name}\""
        for name, text in texts.items()
    )
    found = (
        connection.execute(f"""
        SELECT "=reason" AS reason, count(*) AS rows, count(DISTINCT "=order_id") AS orders,
            count(DISTINCT "=customer_id") AS customers, coalesce(sum("=amount"), 0)::DOUBLE AS amount,
            min("=ordered_at")::DATE::VARCHAR AS first_day, max("=ordered_at")::DATE::VARCHAR AS last_day{cleaned}
        FROM judged_orders GROUP BY ALL
    """)
        .df()
        .set_index("reason")
    )
    table = card.tables["orders"]
    where = table.file.name if table.file else "the query of [orders]"
    if found.empty:
        later = connection.execute("SELECT count(*) FROM all_orders").fetchone()[0]
        if later:
            raise InputError(
                f"{card.name} has no order lines up to {as_of}; all {later:,} are later: name a later month"
            )
        raise InputError(f"{where} has no rows; export it again")
    if "unknown_status" in found.index:
        raise InputError(_explain_status(connection, table.status, where))
    notes = _tell_cleaned(found, texts, where)
    broken = found["rows"].reindex(canonical.BREACHES).fillna(0)
    if broken.sum() > MAX_BREACH_SHARE * found["rows"].sum():
        raise InputError(explain_breaches(connection, table, broken, where))
    kept = found[found.index.isin(canonical.KEPT)]
    if kept.empty:
        rows = ", ".join(f"{reason} {count:,}" for reason, count in found["rows"].items())
        raise InputError(
            f"{where} has no line that counts as a sale up to {as_of or 'its end'}; lines by reason: {rows}"
        )
    known = [*canonical.KEPT, *table.exclude, "other_currency", "no_customer", "zero_amount", *canonical.BREACHES]
    stati = [reason for reason in found.index if reason not in known]
    order = [*canonical.KEPT, *table.exclude, *stati, *known[2 + len(table.exclude) :]]
    found.loc[found.index == "other_currency", "amount"] = 0.0  # no sum of several currencies
    order = [reason for reason in order if reason in found.index or reason == "sale" or reason in table.exclude]
    ledger = found.reindex(order)[["rows", "orders", "customers", "amount"]].fillna(0)
    ledger = ledger.astype({"rows": "int64", "orders": "int64", "customers": "int64"})
    days = {"first": kept["first_day"].min(), "last": kept["last_day"].max()}
    if "sale" in kept.index:
        days |= {"first_sale": kept.loc["sale", "first_day"], "last_sale": kept.loc["sale", "last_day"]}
    clean = [name for name in texts if not found[f"cleaned {name}"].any()]
    return ledger.reset_index(), days, notes, clean
