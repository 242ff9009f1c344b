"""A connection of the engine that sees the files of one card and nothing else."""

from contextlib import contextmanager
from pathlib import Path

import duckdb

from segkit.cards import Card, TableSource, quote
from segkit.errors import InputError
from segkit.sources import columns as as_sql
from segkit.sources.canonical import IDS, TIMES
from segkit.sources.convert import sql_text
from segkit.sources.explain import explain_numeric_date
from segkit.sources.files import scan


def connect(files: dict[str, list[Path]], folder: str, memory: str | None, threads: int | None, engine=None):
    """Return a connection that can read the given files and nothing else, or `engine` with views of them."""
    if engine is not None:
        for name, paths in files.items():
            with in_card(paths[0].name):
                engine.read_parquet("all_orders" if name == "raw_orders" else name, paths)
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
            raise InputError(f"{paths[0].name} can't be read as parquet: {str(error).splitlines()[0]}") from None
    return connection


@contextmanager
def in_card(where: str):
    """Turn an error of the engine into one that names the section of the card whose SQL it came from."""
    try:
        yield
    except duckdb.Error as error:
        raise InputError(f"{where}: {str(error).splitlines()[0]}") from None


def describe_table(connection, name: str, table: TableSource, relation: str) -> dict[str, str]:
    """Return the type of each source expression of a table; refuse times that can't be."""
    where = f"[{name}.columns]"
    if table.sql:
        as_sql.check_query(table.sql, f"[{name}] sql")
        with in_card(f"[{name}] sql"):
            connection.execute(f"CREATE VIEW {quote(relation)} AS {table.sql}")
    types = as_sql.column_types(connection, relation, table.columns, where)
    if table.time_zone and not as_sql.is_time_zone(table.time_zone):
        raise InputError(f'[{name}]: unknown time_zone {table.time_zone!r}; write it as in "Europe/Paris"')
    for column in set(TIMES) & set(types):
        if as_sql.is_number(types[column]) and not table.date_format:
            raise InputError(explain_numeric_date(connection, relation, table.columns[column], f"{where} {column}"))
    return types


def integer_ids(card: Card, connection, types: dict[str, dict[str, str]], relations: dict[str, str]) -> dict[str, bool]:
    """Return for each id whether it is a whole number in every table, so that tables join on one type."""
    integers = dict.fromkeys(IDS, True)
    for name, table in card.tables.items():
        for column in set(IDS) & set(table.columns):
            expression, kind = table.columns[column], types[name][column]
            integers[column] &= as_sql.identifier_is_integer(connection, relations[name], expression, kind)
    return integers
