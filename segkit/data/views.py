"""A connection of the engine that sees the files of one card and nothing else."""

from pathlib import Path

import duckdb

from segkit.data import columns as as_sql
from segkit.data.canonical import IDS, TIMES
from segkit.data.cards.card import Card
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
    if table.time_zone and not as_sql.is_time_zone(table.time_zone):
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
    return integers
