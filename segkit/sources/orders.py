"""The canonical tables of a dataset as of a day, inside the engine, and the ledger of what became of every line."""

import atexit
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import duckdb
import pandas as pd

from segkit.cards import Card, locate_files, quote, way_to_get
from segkit.engines import engine_address, open_engine
from segkit.errors import InputError
from segkit.memory import engine_memory
from segkit.sources import canonical
from segkit.sources import columns as as_sql
from segkit.sources.contacts import contact_columns
from segkit.sources.convert import sql_text
from segkit.sources.databases import copy_databases
from segkit.sources.explain import explain_breaches
from segkit.sources.files import digest_file, parquet_files
from segkit.sources.views import connect, describe_table, in_card, integer_ids

MAX_BREACH_SHARE = 0.05
CONTACTS = ("email", "phone", "consent")  # kept apart, for nothing but a handover
SAMPLED = 50_000  # customers whose past is read where that of some is enough

Keep = Callable[[dict[str, str], Callable[[], dict]], dict]
"""``keep(inputs, make)`` returns what ``make()`` makes of the files with these digests, now or from before."""


@dataclass
class Orders:
    """Order lines, products, customers and campaigns of one dataset as of a day, as views inside DuckDB.

    Only lines that count (sales and returns) up to the end of `as_of` are in the view ``orders``; nothing after it
    is read. Lines stay where they lie and are read anew by each query; the other tables are small and held.

    Attributes
    ----------
    connection : duckdb.DuckDBPyConnection
        Has the views ``orders, products, customers, campaigns`` (those that the card gives). It can't read or write
        any other file, since SQL of a card runs in it.
    columns : dict of list
        Canonical columns by table; ``contacts`` (e-mail, phone, consent) is a table of its own.
    ledger : DataFrame
        ``reason, rows, orders, customers, amount``: every line read stands under one reason. Kept reasons first.
    first_day, last_day : date
        Days of the first and last kept line.
    sale_days : tuple of date or None
        Days of the first and last line that is a sale; None without one.
    left_out : dict
        Columns of ``customers`` that are never features, and why.
    notes : list of str
        What else a reader should know, such as keys that occur twice.
    """

    card: Card
    as_of: date | None
    connection: duckdb.DuckDBPyConnection
    columns: dict[str, list[str]]
    ledger: pd.DataFrame
    first_day: date
    last_day: date
    sale_days: tuple[date, date] | None
    files: list[Path]
    left_out: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _folder: str = ""
    _sampled: bool = False

    def __repr__(self) -> str:
        day = self.as_of or self.last_day
        kept = self.ledger.set_index("reason")["rows"].reindex(canonical.KEPT).fillna(0).astype(int).sum()
        return f"{self.card.name}, {kept:,} order lines as of {day}"

    @cached_property
    def quarantine(self) -> pd.DataFrame:
        """Return the lines that broke the contract: source columns as text, then ``reason``; sorted."""
        found = [row[0] for row in self.connection.execute("DESCRIBE raw_orders").fetchall()]
        listed = ", ".join(f"{quote(name)}::VARCHAR AS {quote(name)}" for name in found if name != "reason")
        reasons = ", ".join(sql_text(reason) for reason in canonical.BREACHES)
        none = "" if self.ledger["reason"].isin(canonical.BREACHES).any() else " LIMIT 0"  # spares a scan
        return self.connection.execute(
            f'SELECT {listed}, "=reason" AS reason FROM judged_orders WHERE "=reason" IN ({reasons}) ORDER BY ALL{none}'
        ).df()

    @cached_property
    def duplicates(self) -> int:
        """Return how many lines repeat another one in every source column; they are kept.

        Lines are grouped by a hash first, so that only the few that may be alike are compared in full.
        """
        found = [quote(row[0]) for row in self.connection.execute("DESCRIBE raw_orders").fetchall()]
        key = f"hash({', '.join(found)})"
        return self.connection.execute(f"""
            WITH twins AS (SELECT {key} AS twin FROM raw_orders GROUP BY twin HAVING count(*) > 1)
            SELECT coalesce(sum(lines - 1), 0)::BIGINT
            FROM (SELECT count(*) AS lines FROM raw_orders WHERE {key} IN (FROM twins) GROUP BY {", ".join(found)})
        """).fetchone()[0]

    @cached_property
    def inputs(self) -> dict[str, str]:
        """Return the sha256 of every file read, by file name."""
        return _digests(self.files)

    @cached_property
    def sample(self) -> "Orders":
        """Return the same orders of at most `SAMPLED` customers, held in the engine; itself where there are no more.

        Those with the least hashes of their ids, which are the same customers in every month. Products, customers,
        campaigns and the ledger stay those of all. It is closed with these orders.
        """
        sales = self.ledger.set_index("reason")["customers"].get("sale", 0)
        if self._sampled or sales <= SAMPLED or not isinstance(self.connection, duckdb.DuckDBPyConnection):
            return self
        held = self.connection.cursor()  # has temporary tables and a search path of its own
        held.execute(f"""
            SET TimeZone = 'UTC'; CREATE SCHEMA sampled;
            CREATE TABLE sampled.orders AS SELECT * FROM orders WHERE customer_id IN (
                SELECT customer_id FROM (SELECT DISTINCT customer_id FROM orders WHERE NOT is_return)
                ORDER BY md5(CAST(customer_id AS VARCHAR)), customer_id LIMIT {SAMPLED});
            SET search_path = 'sampled,main'
        """)
        return replace(self, connection=held, _sampled=True)

    def close(self) -> None:
        """Close the connection and remove what it spilled."""
        if (sample := self.__dict__.get("sample", self)) is not self:
            sample.connection.close()
        self.connection.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> "Orders":
        return self

    def __exit__(self, *_) -> None:
        self.close()


def read_orders(
    card: Card,
    as_of: date | None = None,
    *,
    memory: str | None = None,
    threads: int | None = None,
    engine: str = "",
    keep: Keep | None = None,
) -> Orders:
    """Return the canonical tables of `card` as of a day, with the ledger; one scan over the order lines.

    Parameters
    ----------
    card : Card
        With [orders].
    as_of : date, optional
        The last day counted; later lines, campaigns and responses are not read. Otherwise everything is.
    memory : str, optional
        Limit of the engine, such as "2GB"; it spills to a temporary folder beyond. By default its share of the
        limit that is set for all of segkit (`segkit.memory`).
    threads : int, optional
        All cores otherwise.
    engine : str or SparkSession
        Where the order lines are read and summed: the address of a Spark master, or a session of the caller's. By
        default what the flag ``--engine`` or the card says, else the engine inside. `memory` and `threads` are for
        that one only.
    keep : callable, optional
        ``keep(inputs, make)`` spares the scan where the ledger of the same files (sha256 by name) is kept.

    Raises
    ------
    InputError
        A file that isn't there or can't be read, a source column that is missing, dates or numbers in another
        format, more than 5 % of the lines breaking the contract, no line up to `as_of`. The message names the
        file, the column, how many rows with examples, and the way out.

    Examples
    --------
    >>> from segkit.cards import read_card
    >>> with read_orders(read_card("complete-journey"), date(2017, 9, 30)) as orders:
    ...     print(orders)
    ...     orders.ledger[["reason", "rows", "customers"]]
    complete-journey, 1,086,853 order lines as of 2017-09-30
            reason     rows  customers
    0         sale  1086853       2446
    1  zero_amount     8328       1662
    """
    if "orders" not in card.tables:
        raise InputError(f"{card.name} is a ready table with one row per customer; it has no order lines")
    named = dict(card.sources)
    named |= {f"raw_{name}": table.file for name, table in card.tables.items() if table.file}
    way_out = way_to_get(card) if card.fetch else ""
    found = {name: locate_files(source, card.folder, way_out) for name, source in named.items()}
    address = engine_address(engine, card.engine) if isinstance(engine, str) else engine
    other = open_engine(address) if address else None
    memory = memory or engine_memory()
    folder = tempfile.mkdtemp(prefix="segkit-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)  # a notebook seldom closes what it opened
    connection = None
    try:
        copies = copy_databases(named, Path(folder))
        files = {name: [copies[name]] if name in copies else parquet_files(named[name], found[name]) for name in named}
        originals = [path for paths in found.values() for path in paths] + list(copies.values())
        connection = connect(files, folder, memory, threads, other)
        return _build(card, as_of, connection, sorted(set(originals)), folder, keep)
    except BaseException:
        if connection is not None:
            connection.close()
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _build(card: Card, as_of: date | None, connection, originals: list[Path], folder: str, keep: Keep | None) -> Orders:
    limit = f"TIMESTAMP '{as_of + timedelta(days=1)}'" if as_of else None
    relations = {name: "all_orders" if name == "orders" else f"raw_{name}" for name in card.tables}
    types: dict[str, dict[str, str]] = {}
    for name, table in card.tables.items():  # orders come first, since other tables may be queries over raw_orders
        types[name] = describe_table(connection, name, table, relations[name])
        if name == "orders":
            ordered_at = as_sql.moment(table.columns["ordered_at"], types[name]["ordered_at"], table)
            until = f" WHERE coalesce({ordered_at} < {limit}, true)" if limit else ""
            connection.execute(f"CREATE VIEW raw_orders AS FROM all_orders{until}")
    integers = integer_ids(card, connection, types, relations)
    sql = {name: canonical.canonical_columns(name, table, types[name], integers) for name, table in card.tables.items()}
    reasons = canonical.reject_reasons(card.tables["orders"])
    with in_card("[orders]"):
        connection.execute(f"CREATE VIEW judged_orders AS {canonical.judged_orders(sql['orders'], reasons)}")

        def read() -> dict:
            return _read_ledger(card, connection, as_of)

        judged = keep(_digests(originals), read) if keep else read()
    ledger, days = judged["ledger"], {name: date.fromisoformat(day) for name, day in judged["days"].items()}
    found = set(ledger.loc[ledger["rows"] > 0, "reason"])
    connection.execute(f"CREATE VIEW orders AS {canonical.kept_orders(sql['orders'], reasons, found, limit)}")
    columns = {"orders": [name for name in sql["orders"] if name != "unit_price"]}
    notes: list[str] = []
    for name in [name for name in card.tables if name != "orders"]:
        with in_card(f"[{name}]"):
            connection.execute(f"CREATE TABLE {name} AS {canonical.table_by_key(name, sql[name], limit)}")
        columns[name] = list(sql[name])
        notes += _repeated_keys(connection, name)
    left_out = {}
    if "customers" in columns:
        attributes = [name for name in columns["customers"] if name != "customer_id"]
        left_out = contact_columns(connection, "customers", attributes)
        if apart := [name for name in CONTACTS if name in left_out]:
            connection.execute(f"CREATE TABLE contacts AS SELECT customer_id, {', '.join(apart)} FROM customers")
            columns["contacts"] = apart
        for name in left_out:
            connection.execute(f"ALTER TABLE customers DROP COLUMN {quote(name)}")
        columns["customers"] = [name for name in columns["customers"] if name not in left_out]
    sale_days = (days["first_sale"], days["last_sale"]) if "first_sale" in days else None
    first_last = days["first"], days["last"], sale_days
    return Orders(card, as_of, connection, columns, ledger, *first_last, originals, left_out, notes, folder)


def _digests(files: list[Path]) -> dict[str, str]:
    return {path.name: digest_file(path) for path in sorted(files)}


def _repeated_keys(connection, name: str) -> list[str]:
    if name == "campaigns":  # many sendings of a campaign to a customer are one
        return []
    read, held = (connection.execute(f"SELECT count(*) FROM {one}").fetchone()[0] for one in (f"raw_{name}", name))
    if read == held:
        return []
    return [f"{name}: {read - held:,} of {read:,} rows have no key or one that occurs before; one row per key is kept"]


def _read_ledger(card: Card, connection, as_of: date | None) -> dict[str, pd.DataFrame | dict[str, str]]:
    """Return ledger, and first and last kept day and day of a sale; refuse what breaks the contract too often."""
    found = (
        connection.execute("""
        SELECT "=reason" AS reason, count(*) AS rows, count(DISTINCT "=order_id") AS orders,
            count(DISTINCT "=customer_id") AS customers, coalesce(sum("=amount"), 0)::DOUBLE AS amount,
            min("=ordered_at")::DATE AS first_day, max("=ordered_at")::DATE AS last_day
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
    return {"ledger": ledger.reset_index(), "days": {name: day.date().isoformat() for name, day in days.items()}}
