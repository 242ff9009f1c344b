"""Order lines completed by what their order says: cells of its first line, and money of the whole order.

Such lines are written once as parquet, into the cache, so that later scans cost no more than those of other lines.
"""

from pathlib import Path

import duckdb

from segkit.data import canonical
from segkit.data import columns as as_sql
from segkit.data.cards.sections import TableSource
from segkit.data.convert import sql_text
from segkit.data.source_files import cached, digest_file, scan
from segkit.runtime.interrupts import temporary
from segkit.runtime.spelling import quote


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
    shares = [share for share in canonical.SHARES if getattr(table, share)]
    if not table.fill_down and not shares:
        return paths
    words = (table.fill_down, table.columns, table.order_key, table.decimal, table.take_off_discount,
             [getattr(table, share) for share in shares])  # fmt: skip
    read = " ".join(digest_file(path) for path in paths)
    return [cached(f"whole orders 1 {read} {words}", lambda draft: _write(table, paths, shares, where, Path(draft)))]


def _write(table: TableSource, paths: list[Path], shares: list[str], where: str, target: Path) -> None:
    with (
        temporary() as folder,
        duckdb.connect(config={"autoinstall_known_extensions": "false", "temp_directory": str(folder)}) as connection,
    ):
        connection.execute("SET TimeZone = 'UTC'")
        files = scan(paths)[:-1] + ", file_row_number = true, filename = '=file')"
        connection.execute(f"CREATE VIEW files AS FROM {files}")
        connection.execute(f"CREATE VIEW lines AS {_filled(connection, table)}")
        query = 'SELECT * EXCLUDE (file_row_number, "=file", "=run") FROM lines ORDER BY "=file", file_row_number'
        if shares:
            query = _shared(connection, table, shares, where)
        connection.execute(f"COPY ({query}) TO {sql_text(str(target))} (FORMAT parquet)")


def _filled(connection, table: TableSource) -> str:
    """Return the query of all lines in which cells that stand on an order's first line only stand on all of them."""
    there = {row[0]: row[1] for row in connection.execute("DESCRIBE files").fetchall()}
    place = '"=file", file_row_number'
    wanted = [name for name in table.fill_down if name in there]
    if not wanted:
        return 'SELECT *, 0 AS "=run" FROM files'

    def cell(name: str) -> str:
        return f"nullif(trim({quote(name)}), '')" if there[name] == "VARCHAR" else quote(name)

    key = table.columns["order_id"]
    ids = [name for name in wanted if quote(name) == key]
    begins = f"({cell(ids[0])}) IS NOT NULL" if ids else f"({key}) IS DISTINCT FROM lag({key}) OVER (ORDER BY {place})"
    filled = ", ".join(f"coalesce({cell(name)}, max({cell(name)}) OVER run) AS {quote(name)}" for name in wanted)
    return f"""
        SELECT * REPLACE ({filled}) FROM (
            SELECT *, sum(begins::INTEGER) OVER (ORDER BY {place} ROWS UNBOUNDED PRECEDING) AS "=run"
            FROM (SELECT *, {begins} AS begins FROM files))
        WINDOW run AS (PARTITION BY "=run")"""


def _shared(connection, table: TableSource, shares: list[str], where: str) -> str:
    """Return the query of all lines with their part of each sum of a whole order."""
    types = as_sql.column_types(connection, "lines", table.columns, where)
    given = {share: getattr(table, share) for share in shares}
    given_types = as_sql.column_types(connection, "lines", given, where)
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
    helping = ['"=file"', "file_row_number", '"=run"', '"=order"', '"=weight"', '"=product"', '"=all"', '"=until"']
    helping += [f'"=all {share}"' for share in shares]
    return f"""
        SELECT * EXCLUDE ({", ".join(helping)}), {", ".join(parts)} FROM (
            SELECT *, sum("=weight") OVER {so_far} AS "=until", sum("=weight") OVER ({order}) AS "=all" FROM (
                SELECT * REPLACE (CASE WHEN sum("=weight") OVER ({order}) > 0 THEN "=weight" ELSE 1 END AS "=weight")
                FROM (SELECT *, {", ".join(sums)} FROM (
                    SELECT *, {sql["order_id"]} AS "=order", {weight} AS "=weight", {sql["product_id"]} AS "=product"
                    FROM lines))))
        ORDER BY "=file", file_row_number"""


def _part(whole: str) -> str:
    """Return SQL of a line's part: what all lines up to it are due, less what those before it are."""
    due = [
        f'round({whole}::DOUBLE * ({end})::DOUBLE / "=all"::DOUBLE, 4)' for end in ('"=until"', '"=until" - "=weight"')
    ]
    return f"({due[0]}::{as_sql.MONEY} - {due[1]}::{as_sql.MONEY})"
