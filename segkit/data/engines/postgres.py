"""Tables of a shop's own PostgreSQL, copied row by row into parquet for the engine inside.

The server is only read: one transaction, read only, in which all tables of a card are seen as of the same moment. Rows
stream to a file, and are never all in memory. Passwords stay with libpq (``PGPASSWORD``, ``~/.pgpass``); none is taken
from a card, written, or shown.
"""

from pathlib import Path
from urllib.parse import urlsplit

import duckdb

from segkit.runtime.errors import InputError
from segkit.runtime.spelling import nearest, quote

_PATIENCE = 10  # seconds for a server to answer
_TYPES = {  # of PostgreSQL's catalogue; anything else is text
    16: "BOOLEAN",
    20: "BIGINT",
    21: "SMALLINT",
    23: "INTEGER",
    700: "FLOAT",
    701: "DOUBLE",
    1082: "DATE",
    1114: "TIMESTAMP",
    1184: "TIMESTAMP WITH TIME ZONE",
}
_NUMERIC = 1700


def copy_tables(address: str, targets: dict[str, Path]) -> None:
    """Write each table of `targets`, all as of one moment, to its parquet file.

    Parameters
    ----------
    address : str
        ``postgresql://user@host:port/database``, as libpq reads it.
    targets : dict
        File by name of table, ``schema.table`` or, where the search path finds it, ``table``.

    Raises
    ------
    InputError
        No psycopg, no server, no such user or password, no such table, no right to read it; says which, and the way
        out.
    """
    try:
        import psycopg
    except ImportError:
        raise InputError("reading PostgreSQL needs the package psycopg: pip install 'segkit[postgres]'") from None
    shown = show_address(address)
    settings = "-c default_transaction_read_only=on -c timezone=UTC -c datestyle=ISO -c synchronize_seqscans=off"
    try:
        connection = psycopg.connect(address, connect_timeout=_PATIENCE, options=settings)
    except psycopg.OperationalError as error:
        raise InputError(f"{shown}: {_explain_connection(str(error))}") from None
    with connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        for table, target in targets.items():
            try:
                _copy_table(connection, table, target, shown)
            except psycopg.errors.InsufficientPrivilege:
                user = connection.info.user
                raise InputError(
                    f"{shown}: the user {user} may not read {table}, of which all columns are copied; its owner can "
                    f"GRANT SELECT ON {table} TO {user}, or on a view with the columns that the card needs, which is "
                    "then named in the table's place"
                ) from None
            except psycopg.Error as error:
                raise InputError(f"{shown}: {table} can't be read: {str(error).splitlines()[0]}") from None


def show_address(address: str) -> str:
    """Return where a database is, without user, password or options.

    Examples
    --------
    >>> show_address("postgresql://reader@db.example:5433/shop?sslmode=require")
    'the database shop on db.example:5433'
    """
    parts = urlsplit(address)
    place = parts.netloc.rpartition("@")[2] or "this machine"
    return f"the database {parts.path.lstrip('/') or parts.username or ''} on {place}"


def _copy_table(connection, table: str, target: Path, shown: str) -> None:
    named = _find_table(connection, table, shown)
    described = connection.execute(f"SELECT * FROM {named} LIMIT 0").description
    written = target.with_suffix(".csv")
    try:
        with (
            connection.cursor().copy(f"COPY (SELECT * FROM {named}) TO STDOUT (FORMAT csv, NULL '\\N')") as rows,
            written.open("wb") as stream,
        ):
            for part in rows:
                stream.write(part)
        _write_parquet(written, {column.name: _duckdb_type(column) for column in described}, target)
    finally:
        written.unlink(missing_ok=True)


def _find_table(connection, table: str, shown: str) -> str:
    """Return a table's full name, quoted; refuse one that isn't there."""
    try:
        with connection.transaction():
            found = connection.execute("SELECT to_regclass(%s)", [table]).fetchone()[0]
    except Exception as error:  # a name that is no name
        raise InputError(
            f"{shown}: {table!r} can't name a table: {str(error).splitlines()[0]}; a name with spaces or capitals has "
            "double quotes of its own, such as '\"Order Lines\"'"
        ) from None
    if found is not None:
        return connection.execute(
            "SELECT format('%%I.%%I', nspname, relname) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace "
            "WHERE pg_class.oid = to_regclass(%s)", [table]
        ).fetchone()[0]  # fmt: skip
    there = [
        name for (name,) in connection.execute(
            "SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables "
            "WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
        )
    ]  # fmt: skip
    listed = ", ".join(there[:20]) + (", ..." if len(there) > 20 else "") or "none that this user may read"
    raise InputError(f"{shown} has no table {table}{nearest(table, there) or '.'} It has: {listed}")


def _duckdb_type(column) -> str:
    if column.type_code == _NUMERIC:
        known = column.precision is not None and column.precision <= 38 and 0 <= column.scale <= column.precision
        return f"DECIMAL({column.precision}, {column.scale})" if known else "DOUBLE"
    return _TYPES.get(column.type_code, "VARCHAR")


def _write_parquet(written: Path, kinds: dict[str, str], target: Path) -> None:
    # What has no counterpart (NaN as a decimal, a day before Christ) becomes a missing value, which is counted later.
    listed = ", ".join(f"TRY_CAST({quote(name)} AS {kind}) AS {quote(name)}" for name, kind in kinds.items())
    texts = dict.fromkeys(kinds, "VARCHAR")
    with duckdb.connect(config={"autoinstall_known_extensions": "false"}) as engine:
        engine.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
        rows = engine.read_csv(
            str(written), header=False, sep=",", quotechar='"', escapechar='"', na_values="\\N",
            allow_quoted_nulls=False, names=list(texts), dtype=texts, auto_detect=False,
        )  # fmt: skip
        rows.project(listed).write_parquet(str(target))


def _explain_connection(message: str) -> str:
    first = next((line for line in message.splitlines() if "FATAL" in line), message.splitlines()[0])
    said = first.rpartition("FATAL:")[2].strip() or first
    if "password" in said:
        return f"{said}; segkit takes it from the environment (PGPASSWORD) or from ~/.pgpass"
    if "does not exist" in said:
        return f"{said}; correct the address"
    return f"{said}; is the server up, and may this machine reach it?"
