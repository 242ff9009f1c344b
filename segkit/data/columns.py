"""The SQL that turns a source column into a canonical one, whatever type it arrived in.

Everything here is an expression for the engine; nothing is read but the column's type, and for identifiers whether
they are whole numbers.
"""

import json
from functools import cache

import duckdb

from segkit.data.cards.sections import TableSource
from segkit.data.convert import sql_text
from segkit.data.numbers import plain_number, quick_number
from segkit.data.wrong_sql import explain_sql
from segkit.runtime.errors import InputError

MONEY = "DECIMAL(18, 4)"
AS_WRITTEN = "as written"  # the time zone of times that keep what is written, whatever their offset
UNITS = 10_000  # the smallest that MONEY keeps, to one of a currency

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
_FLOATS = ("FLOAT", "DOUBLE", "DECIMAL")
YES = ("yes", "y", "true", "t", "ja", "j", "oui", "o", "si", "sí", "s", "1", "1.0")  # as shops and surveys write it
NO = ("no", "n", "false", "f", "nein", "non", "0", "0.0")
_EMPTY = ("", "NaN", "nan", "None", "NULL", "null", "<NA>")  # how other tools write a missing text


def check_expression(expression: str, where: str) -> None:
    """Refuse what isn't one SQL expression.

    Raises
    ------
    InputError
        Names the place in the card and what the engine says.

    Examples
    --------
    >>> check_expression("Invoice LIKE 'C%'", "[orders.columns] is_return")
    >>> check_expression("1); DROP TABLE orders; SELECT (1", "[orders.columns] is_return")
    Traceback (most recent call last):
    segkit.InputError: [orders.columns] is_return must be one SQL expression over the source columns...
    """
    parsed = _parse(f"SELECT (\n{expression}\n)")
    statements = parsed.get("statements", [])
    if len(statements) != 1 or len(statements[0]["node"].get("select_list", [])) != 1:
        said = f" ({parsed['error_message']})" if "error_message" in parsed else ""
        raise InputError(f"{where} must be one SQL expression over the source columns, not {expression!r}{said}")


def check_line_expression(expression: str, where: str) -> None:
    """Refuse what isn't one SQL expression over a line by itself.

    Examples
    --------
    >>> check_line_expression("sum(price) OVER (PARTITION BY invoice)", "[orders.columns] amount")
    Traceback (most recent call last):
    segkit.InputError: [orders.columns] amount reads other lines than its own (OVER): ...
    """
    check_expression(expression, where)
    names = set(_functions(_parse(f"SELECT (\n{expression}\n)")))
    if found := sorted(names & _functions_of_many_lines()):
        raise InputError(
            f"{where} reads other lines than its own ({found[0]}): use fill_down, order_total, order_discount or "
            'order_key, or make the table with sql = "SELECT ..." over a file that [sources] names'
        )


def _functions(tree):
    """Yield the functions that a parsed expression calls; OVER for those that read a window."""
    if isinstance(tree, dict):
        if tree.get("class") == "WINDOW":
            yield "OVER"
        elif tree.get("class") == "FUNCTION":
            yield str(tree.get("function_name", "")).lower()
    for part in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _functions(part)


@cache
def _functions_of_many_lines() -> set[str]:
    named = "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type {} 'aggregate'"
    many, other = ({row[0] for row in _parser().execute(named.format(sign)).fetchall()} for sign in ("=", "<>"))
    return (many - other) | {"OVER", "unnest"}


def check_query(query: str, where: str) -> None:
    """Refuse what isn't one SELECT statement.

    Examples
    --------
    >>> check_query("DROP TABLE orders", "[campaigns] sql")
    Traceback (most recent call last):
    segkit.InputError: [campaigns] sql must be one SELECT statement...
    """
    parsed = _parse(query)
    if len(parsed.get("statements", [])) != 1:
        said = f": {parsed['error_message']}" if "error_message" in parsed else ""
        raise InputError(f"{where} must be one SELECT statement{said}")


def _parse(sql: str) -> dict:
    return json.loads(_parser().execute("SELECT json_serialize_sql(?)", [sql]).fetchone()[0])


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    """Return a connection that sees no data; opening one takes longer than parsing."""
    return duckdb.connect(config={"autoinstall_known_extensions": "false"})


def is_time_zone(name: str) -> bool:
    """Return whether the engine knows a time zone of that name."""
    zones = "SELECT count(*) FROM pg_timezone_names() WHERE name = ?"
    return _parser().execute(zones, [name]).fetchone()[0] > 0


def column_types(connection, relation: str, columns: dict[str, str], where: str) -> dict[str, str]:
    """Return the type of each expression of `columns` over `relation`.

    Raises
    ------
    InputError
        A source column that isn't there (names the nearest, and what there is), or SQL that the engine refuses.
    """
    found = dict(row[:2] for row in connection.execute(f"DESCRIBE {relation}").fetchall())
    types = {}
    for name, expression in columns.items():
        check_line_expression(expression, f"{where} {name}")
        try:
            described = connection.execute(f"DESCRIBE SELECT {expression} FROM {relation}").fetchall()
        except duckdb.Error as error:
            raise InputError(f"{where} {name}: {explain_sql(str(error), expression, found)}") from None
        types[name] = described[0][1]
    return types


def missing_text(expression: str) -> str:
    """Return SQL for `expression` with the usual ways of writing a missing text as NULL."""
    # Not IN: DuckDB makes a join of a long one, which every query runs, also those that never read the column.
    return f"CASE WHEN list_contains([{_listed(_EMPTY)}], {expression}) THEN NULL ELSE {expression} END"


def is_number(kind: str) -> bool:
    """Return whether a type of the engine is numeric."""
    return kind.startswith((*_INTEGERS, *_FLOATS, "HUGEINT", "UBIGINT", "UHUGEINT"))


def identifier_is_integer(connection, relation: str, expression: str, kind: str) -> bool:
    """Return whether ids are whole numbers by type, or floats without a fraction."""
    if kind in _INTEGERS:
        return True
    if not kind.startswith(_FLOATS):
        return False
    broken = f"isfinite(({expression})::DOUBLE) AND TRY_CAST({expression} AS BIGINT) IS DISTINCT FROM {expression}"
    return not connection.execute(f"SELECT count(*) FROM {relation} WHERE {broken}").fetchone()[0]


def identifier(expression: str, kind: str, integer: bool) -> str:
    """Return SQL for an id: an integer where every table has one, else text; 13085.0 reads as 13085."""
    if integer:  # no wider than it is: ids are what lines are sorted by
        return expression if kind in _INTEGERS else f"TRY_CAST({expression} AS BIGINT)"
    trimmed = f"trim(({expression})::VARCHAR)"
    if kind.startswith(_FLOATS):
        trimmed = f"regexp_replace({trimmed}, '\\.0+$', '')"
    elif kind not in _INTEGERS:
        trimmed = f"regexp_replace({trimmed}, '^(\\d+)\\.0+$', '\\1')"
    return missing_text(trimmed)


def moment(expression: str, kind: str, source: TableSource) -> str:
    """Return SQL for a point in time, as the local time of the shop, without zone.

    An instant (a type with time zone) is turned into the card's `time_zone`, UTC by default; so is a text with an
    offset where the card names a zone, while without one it counts as the time that is written.
    """
    if kind.startswith("TIMESTAMP WITH TIME ZONE"):
        zone = "UTC" if source.time_zone in (None, AS_WRITTEN) else source.time_zone
        return f"({expression}) AT TIME ZONE {sql_text(zone)}"
    if kind.startswith(("TIMESTAMP", "DATE")):
        return expression if kind == "TIMESTAMP" else f"({expression})::TIMESTAMP"
    written, zone = f"({expression})::VARCHAR", source.time_zone
    if zone == AS_WRITTEN:
        written, zone = f"regexp_replace({written}, ' ?(Z|[+-][0-9]{{2}}:?[0-9]{{2}})$', '')", None
    if source.date_format:
        formats = [one.replace(" %z", "").replace("%z", "") for one in source.date_format] if zone is None else ()
        formats = formats if source.time_zone == AS_WRITTEN else source.date_format
        tries = [_strptime(written, one, zone) for one in formats]
        return tries[0] if len(tries) == 1 else f"coalesce({', '.join(tries)})"
    if zone:
        return f"TRY_CAST({written} AS TIMESTAMP WITH TIME ZONE) AT TIME ZONE {sql_text(zone)}"
    return f"TRY_CAST({written} AS TIMESTAMP)"


def _strptime(written: str, date_format: str, time_zone: str | None) -> str:
    if date_format == "excel":
        days = f"TRY_CAST({written} AS DOUBLE)"
        moment = f"TIMESTAMP '1899-12-30' + to_seconds(round(86400 * {days}))"
        return f"CASE WHEN {days} BETWEEN 10000 AND 100000 THEN {moment} END"
    parsed = f"try_strptime({written}, {sql_text(date_format)})"
    if "%z" in date_format:  # an instant; keep it one
        return f"({parsed}::TIMESTAMP WITH TIME ZONE) AT TIME ZONE {sql_text(time_zone or 'UTC')}"
    return parsed


def number(expression: str, kind: str, mark: str = ".", units: bool = False, clean: bool = False) -> str:
    """Return SQL for a finite number as DOUBLE, NULL where it isn't one; see `plain_number`.

    Texts that are known to be `clean` are digits with a decimal mark, or no numbers.
    """
    if is_number(kind):
        cast = f"({expression})::DOUBLE"
        return cast if not kind.startswith(("FLOAT", "DOUBLE")) else f"CASE WHEN isfinite({expression}) THEN {cast} END"
    read = _read_number(expression, mark, units, "DOUBLE", clean)
    return f"CASE WHEN isfinite({read}) THEN {read} END"


def money(expression: str, kind: str, mark: str = ".", clean: bool = False) -> str:
    """Return SQL for money, exact to a hundredth of the smallest coin, NULL where it isn't a number."""
    return (
        f"TRY_CAST({expression} AS {MONEY})" if is_number(kind) else _read_number(expression, mark, False, MONEY, clean)
    )


def _read_number(expression: str, mark: str, units: bool, kind: str, clean: bool) -> str:
    text = f"trim(({expression})::VARCHAR)"
    quick, plain = quick_number(text, mark), plain_number(text, mark, units)
    if clean:
        return f"TRY_CAST({quick} AS {kind})"
    return f"coalesce(TRY_CAST({quick} AS {kind}), TRY_CAST({plain} AS {kind}))"


def money_units(expression: str, kind: str, canonical: str) -> str:
    """Return SQL for money in whole ten-thousandths as DOUBLE, which is added up at half the cost of a decimal.

    `canonical` is the same money as a decimal; a DOUBLE needn't become one first, which is most of that cost. What is
    beyond decimals is 0.
    """
    if kind != "DOUBLE":
        return f"round({UNITS} * CAST({canonical} AS DOUBLE))"
    return f"CASE WHEN abs({expression}) < 1e14 THEN round({UNITS} * ({expression})) ELSE 0 END"


def boolean(expression: str, kind: str, empty: str = "NULL") -> str:
    """Return SQL for yes or no, in the usual words or as 1 and 0: `empty` for an empty cell, NULL for anything else."""
    if kind == "BOOLEAN":
        return expression if empty == "NULL" else f"coalesce({expression}, {empty})"
    if is_number(kind):
        given = number(expression, kind)
        yes, no = f"{given} = 1", f"{given} = 0"
    else:
        given = missing_text(f"trim(({expression})::VARCHAR)")
        yes, no = (f"list_contains([{_listed(words)}], lower({given}))" for words in (YES, NO))
    return f"CASE WHEN ({given}) IS NULL THEN {empty} WHEN {yes} THEN true WHEN {no} THEN false END"


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(map(sql_text, words))


def word(expression: str, kind: str) -> str:
    """Return SQL for a name out of a list, such as a category, as text."""
    return missing_text(expression if kind == "VARCHAR" else f"({expression})::VARCHAR")


def attribute(expression: str, kind: str) -> str:
    """Return SQL for an attribute of a customer: numbers, days and yes/no as they are, anything else as text."""
    if is_number(kind):
        return f"CASE WHEN isfinite({expression}) THEN {expression} END" if kind in ("FLOAT", "DOUBLE") else expression
    return expression if kind.startswith(("TIMESTAMP", "DATE", "BOOLEAN")) else word(expression, kind)
