"""The canonical tables as views of an engine, and the ledger of what became of every line."""

from datetime import date, timedelta

import duckdb
import pandas as pd

from segkit.data import canonical
from segkit.data import columns as as_sql
from segkit.data.cards.card import Card
from segkit.data.contacts import contact_columns
from segkit.data.explain import explain_breaches
from segkit.data.views import blame, describe_table, integer_ids
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
    sql = {name: canonical.canonical_columns(name, table, types[name], integers) for name, table in card.tables.items()}
    reasons = canonical.reject_reasons(card.tables["orders"])
    try:
        connection.execute(f"CREATE VIEW judged_orders AS {canonical.judged_orders(sql['orders'], reasons)}")
        ledger, days = _read_ledger(card, connection, as_of) if known is None else (known["ledger"], {})
    except duckdb.Error as error:
        raise blame(connection, card, "orders", error) from None
    found = set(ledger.loc[ledger["rows"] > 0, "reason"])
    connection.execute(f"CREATE VIEW orders AS {canonical.kept_orders(sql['orders'], reasons, found, limit)}")
    columns = {"orders": [name for name in sql["orders"] if name not in ("unit_price", *canonical.UNITS)]}
    notes: list[str] = []
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
    return known or {
        "ledger": ledger, "seen": {"days": days, "columns": columns, "left_out": left_out, "notes": notes}
    }  # fmt: skip


def _repeated_keys(connection, name: str) -> list[str]:
    if name == "campaigns":  # many sendings of a campaign to a customer are one
        return []
    read, held = (connection.execute(f"SELECT count(*) FROM {one}").fetchone()[0] for one in (f"raw_{name}", name))
    if read == held:
        return []
    return [f"{name}: {read - held:,} of {read:,} rows have no key or one that occurs before; one row per key is kept"]


def _read_ledger(card: Card, connection, as_of: date | None) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return ledger, and first and last kept day and day of a sale; refuse what breaks the contract too often."""
    found = (
        connection.execute("""
        SELECT "=reason" AS reason, count(*) AS rows, count(DISTINCT "=order_id") AS orders,
            count(DISTINCT "=customer_id") AS customers, coalesce(sum("=amount"), 0)::DOUBLE AS amount,
            min("=ordered_at")::DATE::VARCHAR AS first_day, max("=ordered_at")::DATE::VARCHAR AS last_day
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
    broken = found["rows"].reindex(canonical.BREACHES).fillna(0)
    if broken.sum() > MAX_BREACH_SHARE * found["rows"].sum():
        raise InputError(explain_breaches(connection, table, broken, where))
    kept = found[found.index.isin(canonical.KEPT)]
    if kept.empty:
        rows = ", ".join(f"{reason} {count:,}" for reason, count in found["rows"].items())
        raise InputError(
            f"{where} has no line that counts as a sale up to {as_of or 'its end'}; lines by reason: {rows}"
        )
    order = [*canonical.KEPT, *table.exclude, "no_customer", "zero_amount", *canonical.BREACHES]
    order = [reason for reason in order if reason in found.index or reason == "sale" or reason in table.exclude]
    ledger = found.reindex(order)[["rows", "orders", "customers", "amount"]].fillna(0)
    ledger = ledger.astype({"rows": "int64", "orders": "int64", "customers": "int64"})
    days = {"first": kept["first_day"].min(), "last": kept["last_day"].max()}
    if "sale" in kept.index:
        days |= {"first_sale": kept.loc["sale", "first_day"], "last_sale": kept.loc["sale", "last_day"]}
    return ledger.reset_index(), days
