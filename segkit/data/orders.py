"""The canonical tables of a dataset as of a day, inside the engine, and the ledger of what became of every line."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path

import duckdb
import pandas as pd

from segkit.data import canonical
from segkit.data.cards.card import Card
from segkit.data.cards.datasets import way_to_get
from segkit.data.cards.locate import locate_files
from segkit.data.convert import sql_text
from segkit.data.databases import copy_databases
from segkit.data.engines.engine import check_engine, engine_address, open_engine
from segkit.data.ledger import create_views
from segkit.data.source_files import digest_files, parquet_files
from segkit.data.views import check_parts, connect, fit_formats
from segkit.data.whole_orders import complete_lines
from segkit.runtime.disk import temporary_folder
from segkit.runtime.errors import InputError
from segkit.runtime.memory import engine_memory
from segkit.runtime.spelling import quote

SAMPLED = 50_000  # customers whose past is read where that of some is enough

Keep = Callable[[dict[str, str], Callable[[], dict]], dict]
"""``keep(inputs, make)`` returns what ``make()`` makes of the files with these digests, now or from before."""


@dataclass
class Orders:
    """Order lines, products, customers and campaigns of one dataset as of a day, as views inside DuckDB.

    Only lines that count (sales and returns) up to the end of `as_of` are in the view ``orders``; nothing after it
    is read; their money is there once more in whole ten-thousandths (``amount_units``). Lines stay where they lie and
    are read anew by each query; the other tables are small and held.

    Attributes
    ----------
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
    columns: dict[str, list[str]]
    ledger: pd.DataFrame
    first_day: date
    last_day: date
    sale_days: tuple[date, date] | None
    files: list[Path]
    left_out: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _open: Callable = field(default=None, repr=False)
    _folder: str = ""
    _sampled: bool = False

    def __repr__(self) -> str:
        day = self.as_of or self.last_day
        kept = self.ledger.set_index("reason")["rows"].reindex(canonical.KEPT).fillna(0).astype(int).sum()
        return f"{self.card.name}, {kept:,} order lines as of {day}"

    @cached_property
    def connection(self):
        """The engine, with the views ``orders, products, customers, campaigns`` (those that the card gives).

        It can't read or write any other file, since SQL of a card runs in it. It is opened when first asked for: who
        knows the ledger from before, and asks the lines nothing, takes no cores of a cluster.
        """
        return self._open()

    @cached_property
    def quarantine(self) -> pd.DataFrame:
        """Return the lines that broke the contract: source columns as text, then ``reason``; sorted."""
        found = self._source_columns()
        listed = ", ".join(f"{quote(name)}::VARCHAR AS {quote(name)}" for name in found if name != "reason")
        reasons = ", ".join(sql_text(reason) for reason in canonical.BREACHES)
        none = "" if self.ledger["reason"].isin(canonical.BREACHES).any() else " LIMIT 0"  # spares a scan
        return self.connection.execute(
            f'SELECT {listed}, "=reason" AS reason FROM judged_orders WHERE "=reason" IN ({reasons}) ORDER BY ALL{none}'
        ).df()

    def _source_columns(self) -> list[str]:
        """Return the columns of the source itself, without what segkit put beside them."""
        found = [row[0] for row in self.connection.execute("DESCRIBE raw_orders").fetchall()]
        return [name for name in found if not name.startswith("=")]

    @cached_property
    def duplicates(self) -> int:
        """Return how many lines repeat another one in every source column; they are kept.

        Lines are grouped by a hash first, so that only the few that may be alike are compared in full.
        """
        found = [quote(name) for name in self._source_columns()]
        key = f"hash({', '.join(found)})"
        return self.connection.execute(f"""
            WITH twins AS (SELECT {key} AS twin FROM raw_orders GROUP BY twin HAVING count(*) > 1)
            SELECT coalesce(sum(lines - 1), 0)::BIGINT
            FROM (SELECT count(*) AS lines FROM raw_orders WHERE {key} IN (FROM twins) GROUP BY {", ".join(found)})
        """).fetchone()[0]

    @cached_property
    def inputs(self) -> dict[str, str]:
        """Return the sha256 of every file read; see `digest_files`."""
        return digest_files(self.files)

    @cached_property
    def sample(self) -> "Orders":
        """Return the same orders of at most `SAMPLED` customers, held in the engine; itself where there are no more.

        Those with the least hashes of their ids, which are the same customers in every month. Products, customers,
        campaigns and the ledger stay those of all. It is closed with these orders.
        """
        sales = self.ledger.set_index("reason")["customers"].get("sale", 0)
        if self._sampled or sales <= SAMPLED:
            return self
        lines = f"""
            SELECT * FROM orders WHERE customer_id IN (
                SELECT customer_id FROM (SELECT DISTINCT customer_id FROM orders WHERE NOT is_return) AS customers
                ORDER BY md5(CAST(customer_id AS VARCHAR)), customer_id LIMIT {SAMPLED})"""
        if isinstance(self.connection, duckdb.DuckDBPyConnection):
            held = self.connection.cursor()  # has temporary tables and a search path of its own
            held.execute(f"SET TimeZone = 'UTC'; CREATE SCHEMA sampled; CREATE TABLE sampled.orders AS {lines}")
            held.execute("SET search_path = 'sampled,main'")
        else:
            held = self._open()
            held.execute(f"CREATE TABLE orders AS {lines}")
        sample = replace(self, _open=lambda: held, _sampled=True)
        _ = sample.connection
        return sample

    def close(self) -> None:
        """Close what connections there are, and remove what they spilled."""
        if (sample := self.__dict__.get("sample", self)) is not self:
            sample.connection.close()
        if "connection" in self.__dict__:
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
        limit that is set for all of segkit (`segkit.runtime.memory`).
    threads : int, optional
        All cores otherwise.
    engine : str or SparkSession
        Where the order lines are read and summed: the address of a Spark master, or a session of the caller's. By
        default what the flag ``--engine`` or the card says, else the engine inside. `memory` and `threads` are for
        that one only.
    keep : callable, optional
        ``keep(inputs, make)`` spares the scan where what it found in the same files (see `digest_files`) is kept.

    Raises
    ------
    InputError
        A file that isn't there or can't be read, a source column that is missing, dates or numbers in another
        format, more than 5 % of the lines breaking the contract, no line up to `as_of`. The message names the
        file, the column, how many rows with examples, and the way out.

    Examples
    --------
    >>> from segkit.data.cards.card import read_card
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
    found = {name: locate_files(source, card.folder, way_to_get(card)) for name, source in named.items()}
    address = engine_address(engine, card.engine) if isinstance(engine, str) else engine
    check_engine(address)
    memory = memory or engine_memory()
    folder = str(temporary_folder())  # goes with the process: a notebook seldom closes what it opened
    opened = []
    try:
        copies = copy_databases(named, Path(folder))
        files = {name: [copies[name]] if name in copies else parquet_files(named[name], found[name]) for name in named}
        check_parts(card, named, found, files)
        card = fit_formats(card, files)
        if "raw_orders" in files:
            where = f"{card.path.name}: [orders]"
            files["raw_orders"] = complete_lines(card.tables["orders"], files["raw_orders"], where)

        def open_views(known: dict | None = None) -> tuple:
            other = open_engine(address) if address else None
            connection = connect(files, folder, memory, threads, other)
            try:
                return connection, create_views(card, as_of, connection, known)
            except BaseException:
                connection.close()
                raise

        def make() -> dict:
            connection, about = open_views()
            opened.append(connection)
            return about

        originals = [path for paths in found.values() for path in paths] + list(copies.values())
        originals = sorted(set(originals))
        about = keep(digest_files(originals), make) if keep else make()
    except BaseException:
        for connection in opened:
            connection.close()
        shutil.rmtree(folder, ignore_errors=True)
        raise
    seen = about["seen"]
    days = {name: date.fromisoformat(day) for name, day in seen["days"].items()}
    sale_days = (days["first_sale"], days["last_sale"]) if "first_sale" in days else None
    orders = Orders(
        card, as_of, seen["columns"], about["ledger"], days["first"], days["last"], sale_days, originals,
        seen["left_out"], seen["notes"], lambda: opened.pop() if opened else open_views(about)[0], folder,
    )  # fmt: skip
    if opened:
        _ = orders.connection  # its own from now on, to close
    return orders
