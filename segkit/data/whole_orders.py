"""Order lines completed by what their order says: cells of its first line, and money of the whole order.

Such lines are written once as parquet, into the cache, so that later scans cost no more than those of other lines.
"""

from collections.abc import Callable
from pathlib import Path

import duckdb

from segkit.data import canonical
from segkit.data import columns as as_sql
from segkit.data.cards.sections import TableSource
from segkit.data.convert import sql_text
from segkit.data.source_files import cached, digest_file, scan
from segkit.runtime.disk import temporary
from segkit.runtime.spelling import quote

_PLACE = '"=file", file_row_number'


def complete_lines(table: TableSource, paths: list[Path], where: str) -> list[Path]:
    """Return the files of order lines with fill_down done, and the line's part of each sum of its order.

    The part of a line is what it adds to the sum, by the weight of its own money; parts sum to the whole, to the last
    digit.

    Parameters
    ----------
    table : TableSource
        [orders] of a card.
    paths : list of path
        Parquet files, in the order in which lines follow each other.
    where : str
        What messages call the section.
    """
    if table.fill_down:
        paths = fill_lines(paths, table.fill_down, table.columns["order_id"])
    shares = [share for share in canonical.SHARES if getattr(table, share)]
    if not shares:
        return paths
    sums = [getattr(table, share) for share in shares]
    words = (table.columns, table.order_key, table.date_format, table.decimal, table.take_off_discount, shares, sums)
    return _kept(f"whole orders 1 {words}", paths, lambda connection: _shared(connection, table, shares, where))


def fill_lines(paths: list[Path], names: tuple[str, ...], key: str) -> list[Path]:
    """Return the files with the cells that stand on an order's first line only written on all of its lines.

    `key` is SQL of the order's number: if it is one of the `names`, an order begins where it is filled.
    """
    return _kept(f"filled lines 1 {names} {key}", paths, lambda connection: _filled(connection, names, key))


def _kept(options: str, paths: list[Path], query: Callable) -> list[Path]:
    """Return the file with what a query over the view ``files`` gives, in the order of the lines."""

    def write(draft: str) -> None:
        with (
            temporary() as folder,
            duckdb.connect(
                config={"autoinstall_known_extensions": "false", "temp_directory": str(folder)}
            ) as connection,
        ):
            connection.execute("SET TimeZone = 'UTC'")
            files = scan(paths)[:-1] + ", file_row_number = true, filename = '=file')"
            connection.execute(f"CREATE VIEW files AS FROM {files}")
            chosen = f'SELECT * EXCLUDE (file_row_number, "=file") FROM ({query(connection)}) ORDER BY {_PLACE}'
            connection.execute(f"COPY ({chosen}) TO {sql_text(draft)} (FORMAT parquet)")

    return [cached(f"{options} {' '.join(digest_file(path) for path in paths)}", write)]


def _filled(connection, names: tuple[str, ...], key: str) -> str:
    there = {row[0]: row[1] for row in connection.execute("DESCRIBE files").fetchall()}
    wanted = [name for name in names if name in there]
    if not wanted:
        return "FROM files"

    def cell(name: str) -> str:
        return f"nullif(trim({quote(name)}), '')" if there[name] == "VARCHAR" else quote(name)

    ids = [name for name in wanted if quote(name) == key]
    begins = f"({cell(ids[0])}) IS NOT NULL" if ids else f"({key}) IS DISTINCT FROM lag({key}) OVER (ORDER BY {_PLACE})"
    filled = ", ".join(f"coalesce({cell(name)}, max({cell(name)}) OVER run) AS {quote(name)}" for name in wanted)
    return f"""
        SELECT * EXCLUDE ("=begins", "=run") REPLACE ({filled}) FROM (
            SELECT *, sum("=begins"::INTEGER) OVER (ORDER BY {_PLACE} ROWS UNBOUNDED PRECEDING) AS "=run"
            FROM (SELECT *, {begins} AS "=begins" FROM files))
        WINDOW run AS (PARTITION BY "=run")"""


def _shared(connection, table: TableSource, shares: list[str], where: str) -> str:
    """Return the query of all lines with their part of each sum of a whole order."""
    types = as_sql.column_types(connection, "files", table.columns, where)
    types |= {"line_refund": "DOUBLE"}  # no part of the weights
    given = {share: getattr(table, share) for share in shares}
    given_types = as_sql.column_types(connection, "files", given, where)
    sql = canonical.canonical_columns("orders", table, types, dict.fromkeys(canonical.IDS, False))
    own = {name: sql[name] for name in ("quantity", "unit_price") if name in sql}
    for name in {"amount", "discount"} & set(table.columns):
        own[name] = f"coalesce({as_sql.money(table.columns[name], types[name], table.mark(name))}, 0)"
    weight = f"abs(coalesce({canonical.line_amount(own, table)}, 0))::{as_sql.MONEY}"
    order = 'PARTITION BY "=order"'
    so_far = f'({order} ORDER BY "=weight", "=product", "=file", file_row_number ROWS UNBOUNDED PRECEDING)'
    sums = [
        f"max(coalesce({as_sql.money(given[share], given_types[share], table.mark('amount'))}, 0)) OVER ({order}) "
        f'AS "=all {share}"'
        for share in shares
    ]
    parts = [f'{_part(f""" "=all {share}" """)} AS "={share}"' for share in shares]
    helping = ['"=order"', '"=weight"', '"=product"', '"=all"', '"=until"']
    helping += [f'"=all {share}"' for share in shares]
    return f"""
        SELECT * EXCLUDE ({", ".join(helping)}), {", ".join(parts)} FROM (
            SELECT *, sum("=weight") OVER {so_far} AS "=until", sum("=weight") OVER ({order}) AS "=all" FROM (
                SELECT * REPLACE (CASE WHEN sum("=weight") OVER ({order}) > 0 THEN "=weight" ELSE 1 END AS "=weight")
                FROM (SELECT *, {", ".join(sums)} FROM (
                    SELECT *, {sql["order_id"]} AS "=order", {weight} AS "=weight", {sql["product_id"]} AS "=product"
                    FROM files))))"""


def _part(whole: str) -> str:
    """Return SQL of a line's part: what all lines up to it are due, less what those before it are."""
    due = [
        f'round({whole}::DOUBLE * ({end})::DOUBLE / "=all"::DOUBLE, 4)' for end in ('"=until"', '"=until" - "=weight"')
    ]
    return f"({due[0]}::{as_sql.MONEY} - {due[1]}::{as_sql.MONEY})"
