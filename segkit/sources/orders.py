"""The canonical tables of a dataset as of a day, inside the engine, and the ledger of what became of every line."""

import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import duckdb
import pandas as pd

from segkit.cards import REQUIRED, Card, TableSource, quote
from segkit.errors import InputError
from segkit.sources import columns as as_sql
from segkit.sources.contacts import contact_columns
from segkit.sources.explain import explain_breaches
from segkit.sources.files import digest_file, locate_files, parquet_files, scan, text

MAX_BREACH_SHARE = 0.05
BREACHES = (
    "bad_date",
    "date_before_1990",
    "bad_quantity",
    "bad_amount",
    "bad_discount",
    "missing_order_id",
    "missing_product_id",
    "negative_amount",
    "positive_return",
)
KEPT = ("sale", "return")

_WORDS = ("category", "channel", "country", "brand", "name")
_IDS = ("customer_id", "order_id", "product_id", "campaign_id", "store_id")


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
        Canonical columns by table.
    ledger : DataFrame
        ``reason, rows, orders, customers, amount``: every line read stands under one reason. Kept reasons first.
    first_day, last_day : date
        Days of the first and last kept line.
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
    files: list[Path]
    left_out: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _folder: str = ""

    def __repr__(self) -> str:
        day = self.as_of or self.last_day
        kept = self.ledger.set_index("reason")["rows"].reindex(KEPT).fillna(0).astype(int).sum()
        return f"{self.card.name}, {kept:,} order lines as of {day}"

    @cached_property
    def quarantine(self) -> pd.DataFrame:
        """Return the lines that broke the contract: source columns as text, then ``reason``; sorted."""
        found = [row[0] for row in self.connection.execute("DESCRIBE raw_orders").fetchall()]
        listed = ", ".join(f"{quote(name)}::VARCHAR AS {quote(name)}" for name in found if name != "reason")
        reasons = ", ".join(text(reason) for reason in BREACHES)
        return self.connection.execute(
            f'SELECT {listed}, "=reason" AS reason FROM judged_orders WHERE "=reason" IN ({reasons}) ORDER BY ALL'
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
        return {path.name: digest_file(path) for path in sorted(self.files)}

    def close(self) -> None:
        """Close the connection and remove what it spilled."""
        self.connection.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> "Orders":
        return self

    def __exit__(self, *_) -> None:
        self.close()


def read_orders(
    card: Card, as_of: date | None = None, *, memory: str | None = None, threads: int | None = None
) -> Orders:
    """Return the canonical tables of `card` as of a day, with the ledger; one scan over the order lines.

    Parameters
    ----------
    card : Card
        With [orders].
    as_of : date, optional
        The last day counted; later lines, campaigns and responses are not read. Otherwise everything is.
    memory : str, optional
        Limit of the engine, such as "2GB"; it spills to a temporary folder beyond.
    threads : int, optional
        All cores otherwise.

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
    files: dict[str, list[Path]] = {}
    named = dict(card.sources)
    named |= {f"raw_{name}": table.file for name, table in card.tables.items() if table.file}
    originals: list[Path] = []
    way_out = f"`segkit fetch {card.name}` downloads it" if card.fetch else ""
    for name, source in named.items():
        found = locate_files(source, card.folder, way_out)
        originals += found
        files[name] = parquet_files(source, found)
    folder = tempfile.mkdtemp(prefix="segkit-")
    connection = _connect(files, folder, memory, threads)
    try:
        return _build(card, as_of, connection, files, sorted(set(originals)), folder)
    except BaseException:
        connection.close()
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _connect(files: dict[str, list[Path]], folder: str, memory: str | None, threads: int | None):
    """Return a connection that can read the given files and nothing else."""
    config = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false", "temp_directory": folder}
    if memory:
        config["memory_limit"] = memory
    if threads:
        config["threads"] = threads
    connection = duckdb.connect(config=config)
    allowed = ", ".join(text(str(path)) for paths in files.values() for path in paths)
    connection.execute(
        "SET TimeZone = 'UTC'; SET python_enable_replacements = false; SET enable_progress_bar = false;"
        f"SET allowed_paths = [{allowed}]; SET enable_external_access = false"
    )
    for name, paths in files.items():
        relation = "all_orders" if name == "raw_orders" else name
        try:
            connection.execute(f"CREATE VIEW {quote(relation)} AS FROM {scan(paths)}")
        except duckdb.Error as error:
            raise InputError(f"{paths[0].name} can't be read as parquet: {str(error).splitlines()[0]}") from None
    return connection


def _build(card: Card, as_of: date | None, connection, files, originals: list[Path], folder: str) -> Orders:
    orders = card.tables["orders"]
    _create_query(connection, "all_orders", orders, "[orders]")
    types = {"orders": as_sql.column_types(connection, "all_orders", orders.columns, "[orders.columns]")}
    _check_time(connection, orders, types["orders"], "all_orders", "[orders.columns]")
    limit = f"TIMESTAMP '{as_of + timedelta(days=1)}'" if as_of else None
    ordered_at = as_sql.moment(orders.columns["ordered_at"], types["orders"]["ordered_at"], orders)
    until = f" WHERE coalesce({ordered_at} < {limit}, true)" if limit else ""
    connection.execute(f"CREATE VIEW raw_orders AS FROM all_orders{until}")
    for name, table in card.tables.items():
        if name != "orders":
            _create_query(connection, f"raw_{name}", table, f"[{name}]")
            types[name] = as_sql.column_types(connection, f"raw_{name}", table.columns, f"[{name}.columns]")
            _check_time(connection, table, types[name], f"raw_{name}", f"[{name}.columns]")
    integers = _integer_ids(card, connection, types)
    canonical = {name: _canonical(name, card.tables[name], types[name], integers) for name in card.tables}
    _create_orders(connection, orders, types["orders"], canonical["orders"], limit)
    ledger, first_day, last_day = _read_ledger(card, connection, as_of, originals)
    notes: list[str] = []
    columns = {"orders": [name for name in canonical["orders"] if name != "unit_price"]}
    for name in card.tables:
        if name != "orders":
            columns[name] = _create_table(connection, name, canonical[name], limit, notes)
    left_out = {}
    if "customers" in columns:
        attributes = [name for name in columns["customers"] if name != "customer_id"]
        left_out = contact_columns(connection, "customers", attributes)
        for name in left_out:
            connection.execute(f"ALTER TABLE customers DROP COLUMN {quote(name)}")
        columns["customers"] = [name for name in columns["customers"] if name not in left_out]
    return Orders(
        card, as_of, connection, columns, ledger, first_day, last_day, originals, left_out, notes, _folder=folder
    )


def _create_query(connection, relation: str, table: TableSource, where: str) -> None:
    if table.sql:
        as_sql.check_query(table.sql, f"{where} sql")
        try:
            connection.execute(f"CREATE VIEW {quote(relation)} AS {table.sql}")
        except duckdb.Error as error:
            raise InputError(f"{where} sql: {str(error).splitlines()[0]}") from None


def _integer_ids(card: Card, connection, types: dict[str, dict[str, str]]) -> dict[str, bool]:
    """Return for each id whether it is a whole number in every table, so that tables join on one type."""
    integers = dict.fromkeys(_IDS, True)
    for name, table in card.tables.items():
        relation = "all_orders" if name == "orders" else f"raw_{name}"
        for column in set(_IDS) & set(table.columns):
            integers[column] &= as_sql.identifier_is_integer(
                connection, relation, table.columns[column], types[name][column]
            )
    return integers


def _canonical(name: str, table: TableSource, types: dict[str, str], integers: dict[str, bool]) -> dict[str, str]:
    """Return SQL by canonical column; the amount and is_return are there in any case."""
    sql = {}
    for column, expression in table.columns.items():
        kind = types[column]
        if column in _IDS:
            sql[column] = as_sql.identifier(expression, kind, integers[column])
        elif column in ("ordered_at", "sent_at", "responded_at"):
            sql[column] = as_sql.moment(expression, kind, table)
        elif name == "customers":
            sql[column] = as_sql.attribute(expression, kind)
        elif column in ("quantity", "unit_price"):
            sql[column] = as_sql.number(expression, kind, table.decimal)
        elif column in ("amount", "discount", "coupon_discount"):
            sql[column] = as_sql.money(expression, kind, table.decimal)
        elif column in _WORDS:
            sql[column] = as_sql.word(expression, kind)
        else:
            sql[column] = as_sql.boolean(expression, kind)
    if name == "orders":
        if "unit_price" in sql:
            sql["amount"] = f"TRY_CAST(({sql['quantity']}) * ({sql['unit_price']}) AS {as_sql.MONEY})"
        sql["is_return"] = f"coalesce({sql['is_return']}, false)" if "is_return" in sql else f"({sql['amount']}) < 0"
        for column in {"discount", "coupon_discount"} & set(sql):
            if as_sql.is_number(types[column]):
                sql[column] = f"coalesce({sql[column]}, 0)"
    return sql


def _conditions(table: TableSource, types: dict[str, str]) -> list[tuple[str, str]]:
    """Return reason and condition of every line that isn't kept, in the order in which they are tested."""
    discounts = [name for name in ("discount", "coupon_discount") if name in table.columns]
    bad_discount = [f'"={name}" < 0 AND "=amount" > 0' for name in discounts]
    bad_discount += [f'"={name}" IS NULL' for name in discounts]
    tests = {
        "bad_date": '"=ordered_at" IS NULL OR NOT isfinite("=ordered_at")',
        "date_before_1990": "\"=ordered_at\" < TIMESTAMP '1990-01-01'",
        "bad_quantity": '"=quantity" IS NULL OR ("=quantity" < 0 AND "=amount" > 0)',
        "bad_amount": '"=amount" IS NULL',
        "bad_discount": " OR ".join(f"({test})" for test in bad_discount) or "false",
        "missing_order_id": '"=order_id" IS NULL',
        "missing_product_id": '"=product_id" IS NULL',
    }
    if "is_return" in table.columns:
        tests["negative_amount"] = '"=amount" < 0 AND NOT "=is_return"'
        tests["positive_return"] = '"=amount" > 0 AND "=is_return"'
    conditions = [(reason, f"coalesce({test}, false)") for reason, test in tests.items()]
    for reason, condition in table.exclude.items():
        if reason in (*BREACHES, *KEPT, "no_customer", "zero_amount"):
            raise InputError(f"[orders.exclude] `{reason}` is a reason of segkit's own; take another name")
        as_sql.check_expression(condition, f"[orders.exclude] {reason}")
        conditions.append((reason, f"coalesce(({condition})::BOOLEAN, false)"))
    conditions.append(("no_customer", '"=customer_id" IS NULL'))
    conditions.append(("zero_amount", '"=amount" = 0 OR "=quantity" = 0'))
    return conditions


def _create_orders(connection, table: TableSource, types, canonical: dict[str, str], limit: str | None) -> None:
    """Create the views of all lines with their reason, and of the kept ones in canonical columns."""
    conditions = _conditions(table, types)
    listed = ", ".join(f'{sql} AS "={name}"' for name, sql in canonical.items())
    reason = as_sql.join_reasons(conditions, "CASE WHEN \"=is_return\" THEN 'return' ELSE 'sale' END")
    try:
        connection.execute(f'CREATE VIEW judged_orders AS SELECT *, {reason} AS "=reason" '
                           f"FROM (SELECT *, {listed} FROM raw_orders)")  # fmt: skip
    except duckdb.Error as error:
        raise InputError(f"[orders]: {str(error).splitlines()[0]}") from None
    # The same conditions as a plain conjunction, which the engine can push down to the file, unlike a CASE.
    kept = " AND ".join(f"NOT ({condition})" for _, condition in conditions)
    until = f' AND "=ordered_at" < {limit}' if limit else ""
    columns = ", ".join(f'"={name}" AS {name}' for name in canonical if name != "unit_price")
    connection.execute(
        f"CREATE VIEW orders AS SELECT {columns} FROM (SELECT *, {listed} FROM all_orders) WHERE {kept}{until}"
    )


def _read_ledger(card: Card, connection, as_of: date | None, originals: list[Path]):
    """Return ledger, first and last kept day; refuse what breaks the contract too often."""
    try:
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
    except duckdb.Error as error:
        raise InputError(f"{card.path.name}, [orders]: {str(error).splitlines()[0]}") from None
    table = card.tables["orders"]
    where = table.file.source if table.file else "the query of [orders]"
    if not found["rows"].sum():
        first = connection.execute(
            f"SELECT min({as_sql.moment(table.columns['ordered_at'], 'VARCHAR', table)})::DATE FROM all_orders"
        ).fetchone()[0]
        if first is None:
            raise InputError(f"{where} has no rows; export it again")
        raise InputError(f"{card.name} has no orders up to {as_of}; the data begins on {first}")
    if found["rows"].reindex(BREACHES).sum() > MAX_BREACH_SHARE * found["rows"].sum():
        raise InputError(explain_breaches(connection, table, found["rows"].reindex(BREACHES).fillna(0), where))
    kept = found.reindex(KEPT).dropna()
    if kept.empty:
        raise InputError(f"{card.name} has no sale up to {as_of or 'its end'}: {found['rows'].to_dict()}")
    always = ("sale", *table.exclude)
    order = [*KEPT, *table.exclude, "no_customer", "zero_amount", *BREACHES]
    order = [reason for reason in order if reason in found.index or reason in always]
    ledger = found.reindex(order)[["rows", "orders", "customers", "amount"]].fillna(0)
    counts = ["rows", "orders", "customers"]
    ledger[counts] = ledger[counts].astype("int64")
    return ledger.reset_index(), kept["first_day"].min().date(), kept["last_day"].max().date()


def _create_table(connection, name: str, canonical: dict[str, str], limit: str | None, notes: list[str]) -> list[str]:
    """Hold a small table, one row per key; return its columns."""
    listed = ", ".join(f"{sql} AS {quote(column)}" for column, sql in canonical.items())
    key = REQUIRED[name][0]
    rows = f"SELECT {listed} FROM raw_{name}"
    if name == "campaigns":
        until = f" AND sent_at < {limit}" if limit else ""
        answered = f"min(responded_at) FILTER (responded_at < {limit})" if limit else "min(responded_at)"
        answered = f"{answered} AS responded_at" if "responded_at" in canonical else "NULL::TIMESTAMP AS responded_at"
        query = (
            f"SELECT customer_id, campaign_id, min(sent_at) AS sent_at, {answered} FROM ({rows}) "
            f"WHERE customer_id IS NOT NULL AND campaign_id IS NOT NULL{until} GROUP BY customer_id, campaign_id"
        )
    else:
        others = ", ".join(quote(column) for column in canonical if column != key) or key
        query = (
            f"SELECT * FROM ({rows}) WHERE {key} IS NOT NULL "
            f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {others}) = 1"
        )
    try:
        connection.execute(f"CREATE TABLE {name} AS {query}")
    except duckdb.Error as error:
        raise InputError(f"[{name}]: {str(error).splitlines()[0]}") from None
    if name != "campaigns":
        read = connection.execute(f"SELECT count(*) FROM raw_{name}").fetchone()[0]
        held = connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
        if read > held:
            notes.append(
                f"{name}: {read - held:,} of {read:,} rows have no {key} or one that occurs before; "
                "the first in sort order is kept"
            )
    return ["customer_id", "campaign_id", "sent_at", "responded_at"] if name == "campaigns" else list(canonical)


def _check_time(connection, table: TableSource, types: dict[str, str], relation: str, where: str) -> None:
    """Refuse an unknown time zone, and numbers where a date is needed."""
    from segkit.sources.explain import explain_numeric_date

    if table.time_zone:
        known = connection.execute("SELECT count(*) FROM pg_timezone_names() WHERE name = ?", [table.time_zone])
        if not known.fetchone()[0]:
            raise InputError(f'{where}: unknown time_zone {table.time_zone!r}; write it as in "Europe/Paris"')
    for column in {"ordered_at", "sent_at", "responded_at"} & set(types):
        if as_sql.is_number(types[column]) and not table.date_format:
            raise InputError(explain_numeric_date(connection, relation, table.columns[column], f"{where} {column}"))
