"""A connection of the engine that sees the files of one card and nothing else."""

import re
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from segkit.data import columns as as_sql
from segkit.data.canonical import IDS, TIMES
from segkit.data.cards.card import Card
from segkit.data.cards.sections import REQUIRED, TableSource
from segkit.data.convert import sql_text
from segkit.data.explain import explain_numeric_date
from segkit.data.source_files import scan
from segkit.data.wrong_sql import explain_parquet, explain_query, explain_sql
from segkit.runtime.errors import InputError
from segkit.runtime.spelling import quote


def connect(files: dict[str, list[Path]], folder: str, memory: str | None, threads: int | None, engine=None):
    """Return a connection that can read the given files and nothing else, or `engine` with views of them."""
    if engine is not None:
        for name, paths in files.items():
            try:
                engine.read_parquet("all_orders" if name == "raw_orders" else name, paths)
            except duckdb.Error as error:
                raise InputError(explain_parquet(str(error), paths)) from None
        return engine
    config = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false", "temp_directory": folder}
    if memory:
        config |= {"memory_limit": memory, "preserve_insertion_order": "false"}  # the order takes memory to keep
    if threads:
        config["threads"] = threads
    connection = duckdb.connect(config=config)
    if connection.execute("SELECT current_setting('enable_progress_bar')").fetchone()[0]:
        connection.execute("SET enable_progress_bar = false")  # in a notebook, its bar would stay in the output
    allowed = ", ".join(sql_text(str(path)) for paths in files.values() for path in paths)
    connection.execute(
        "SET TimeZone = 'UTC'; SET python_enable_replacements = false;"
        f"SET allowed_paths = [{allowed}]; SET enable_external_access = false"
    )
    for name, paths in files.items():
        relation = "all_orders" if name == "raw_orders" else name
        try:
            connection.execute(f"CREATE VIEW {quote(relation)} AS FROM {scan(paths)}")
        except duckdb.Error as error:
            raise InputError(explain_parquet(str(error), paths)) from None
    return connection


def fit_formats(card: Card, files: dict[str, list[Path]]) -> Card:
    """Return the card without what a known export may have and these files don't."""
    tables = dict(card.tables)
    for name, table in card.tables.items():
        if table.from_format and f"raw_{name}" in files:
            tables[name] = _fit_format(name, table, _schema(files[f"raw_{name}"]))
    return replace(card, tables=tables)


def _schema(paths: list[Path]) -> set[str]:
    return {column.lower() for path in paths for column in pq.read_schema(path).names}


def _fit_format(name: str, table: TableSource, there: set[str]) -> TableSource:
    def found(sql) -> bool:
        return all(column.lower() in there for column in re.findall(r'"([^"]+)"', sql or ""))

    def optional(column: str) -> bool:
        return f"columns.{column}" in table.from_format and column not in REQUIRED[name]

    columns = {column: sql for column, sql in table.columns.items() if found(sql) or not optional(column)}
    changed: dict = {"columns": columns}
    if name == "orders":
        for key in ("order_discount", "order_refund", "line_refund", "currency_column"):
            if key in table.from_format and not found(getattr(table, key)):
                changed[key] = None
        if "status" in table.from_format and table.status and not found(table.status.column):
            changed["status"] = None
        changed["exclude"] = {
            reason: sql for reason, sql in table.exclude.items()
            if f"exclude.{reason}" not in table.from_format or found(sql)
        }  # fmt: skip
        if "totals" in table.from_format:
            changed["totals"] = {key: sql for key, sql in table.totals.items() if found(sql)}
    return replace(table, **changed)


def check_parts(card: Card, named: dict, found: dict[str, list[Path]], files: dict[str, list[Path]]) -> None:
    """Refuse files of one pattern of which one lacks a column that the card uses: its rows would seem empty."""
    for name, paths in files.items():
        table = card.tables.get(name.removeprefix("raw_"))
        if len(paths) < 2 or table is None or len(paths) != len(found.get(name, ())):
            continue
        used = {sql[1:-1].lower() for sql in table.columns.values() if re.fullmatch('"[^"]+"', sql)}
        schemas = [{column.lower() for column in pq.read_schema(path).names} for path in paths]
        for path, schema in zip(found[name], schemas, strict=True):
            if lacking := sorted((used & set().union(*schemas)) - schema):
                raise InputError(
                    f"{path.name} has no column {lacking[0]!r}, which other files of {named[name].source} have; leave "
                    "it out of the pattern, or export it again"
                )


def describe_table(connection, card: Card, name: str, relation: str) -> dict[str, str]:
    """Return the type of each source expression of a table; refuse times that can't be."""
    table, where = card.tables[name], f"{card.path.name}: [{name}.columns]"
    if table.sql:
        as_sql.check_query(table.sql, f"{card.path.name}: [{name}] sql")
        try:
            connection.execute(f"CREATE VIEW {quote(relation)} AS {table.sql}")
        except duckdb.Error as error:
            others = [f"raw_{one}" for one in card.tables if one != name and (card.tables[one].file or one == "orders")]
            said = explain_query(str(error), [*card.sources, *others])
            raise InputError(f"{card.path.name}: [{name}] sql: {said}") from None
    types = as_sql.column_types(connection, relation, table.columns, where)
    if name == "orders" and table.line_refund:
        given = {"line_refund": table.line_refund}
        types |= as_sql.column_types(connection, relation, given, f"{card.path.name}: [orders]")
    known = table.time_zone in (None, as_sql.AS_WRITTEN) or as_sql.is_time_zone(table.time_zone)
    if not known:
        raise InputError(
            f'{card.path.name}: [{name}]: unknown time_zone {table.time_zone!r}; write it as in "Europe/Paris"'
        )
    for column in set(TIMES) & set(types):
        if as_sql.is_number(types[column]) and not table.date_format:
            raise InputError(explain_numeric_date(connection, relation, table.columns[column], f"{where} {column}"))
    return types


def blame(connection, card: Card, name: str, error: duckdb.Error) -> InputError:
    """Return the error about the first expression of a table's section that the engine refuses on its rows."""
    table, relation = card.tables[name], f"raw_{name}"
    types = dict(row[:2] for row in connection.execute(f"DESCRIBE {relation}").fetchall())
    tried = {f"[{name}.columns] {column}": (sql, f"({sql})") for column, sql in table.columns.items()}
    tried |= {f"[{name}.exclude] {reason}": (sql, f"({sql})::BOOLEAN") for reason, sql in table.exclude.items()}
    for where, (sql, value) in tried.items():
        try:
            connection.execute(f"SELECT count({value}) FROM {relation}").fetchone()
        except duckdb.Error as refused:
            return InputError(f"{card.path.name}: {where}: {explain_sql(str(refused), sql, types)}")
    return InputError(f"{card.path.name}: [{name}]: {str(error).splitlines()[0]}")


def integer_ids(card: Card, connection, types: dict[str, dict[str, str]], relations: dict[str, str]) -> dict[str, bool]:
    """Return for each id whether it is a whole number in every table, so that tables join on one type."""
    integers = dict.fromkeys(IDS, True)
    for name, table in card.tables.items():
        for column in set(IDS) & set(table.columns):
            expression, kind = table.columns[column], types[name][column]
            integers[column] &= as_sql.identifier_is_integer(connection, relations[name], expression, kind)
    if card.tables["orders"].order_key:
        integers["order_id"] = False
    return integers


def folds_case(card: Card, connection, types: dict[str, dict[str, str]]) -> bool:
    """Return whether customers' ids are told apart without regard to case: as the card says, or as e-mail addresses."""
    table, kind = card.tables["orders"], types["orders"]["customer_id"]
    if table.fold_case is not None or kind != "VARCHAR":
        return bool(table.fold_case)
    address = f"contains({table.columns['customer_id']}, '@')"
    return connection.execute(f"SELECT 1 FROM all_orders WHERE {address} LIMIT 1").fetchone() is not None
