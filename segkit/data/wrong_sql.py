"""What to say about SQL of a card that the engine refuses: what is not there or does not fit, and the way out."""

import re
from collections.abc import Iterable
from pathlib import Path

from segkit.runtime.spelling import nearest, quote

_MISSING = (r'Referenced column "(.+?)" not found', r"UNRESOLVED_COLUMN.*? with name `(.+?)` cannot be resolved")
_NO_TABLE = (r"Table with name (.+?) does not exist", r"The table or view `(.+?)` cannot be found")
_NO_FUNCTION = (r"Function with name (\S+) does not exist", r"Cannot resolve routine `(.+?)`")
_UNREADABLE = (r"Could not convert string '(.*?)' to ", r"The value '(.*?)' of the type")
_MISFIT = r"Cannot compare|Cannot mix|No function matches|explicit cast|DATATYPE_MISMATCH"


def explain_sql(said: str, sql: str, types: dict[str, str]) -> str:
    """Return what is wrong with an expression over a file, from what the engine said and the file's columns.

    Examples
    --------
    >>> types = {"price": "VARCHAR", "pieces": "BIGINT"}
    >>> print(explain_sql('Binder Error: Referenced column "prize" not found in FROM clause!', "prize < 2", types))
    there is no column 'prize'; did you mean `price`? There are: price, pieces (in: prize < 2)
    >>> print(explain_sql("Cannot compare values of type VARCHAR and type INTEGER_LITERAL - ...", "price < 2", types))
    price is text; as a number it is CAST(price AS DOUBLE) (in: price < 2)
    """
    plain = sql.startswith('"') and sql.endswith('"')
    place = "" if plain else f" (in: {sql})"
    column = sql[1:-1].replace('""', '"') if plain else _first(_MISSING, said)
    if column and len(types) == 1:
        return (
            f"there is no column {column!r}; the file has only one column, {next(iter(types))!r}: is another separator "
            f'meant? Set separator = "..." beside `source`{place}'
        )
    if column:
        return f"there is no column {column!r}{nearest(column, types) or '.'} There are: {', '.join(types)}{place}"
    if function := _first(_NO_FUNCTION, said):
        near = re.search(r'Did you mean "(.+?)"', said)
        return f"there is no function {function}{f'; did you mean {near[1]}?' if near else ''}{place}"
    if (given := _first(_UNREADABLE, said)) is not None:
        return f"{given!r} can't be read; in the place of CAST or ::, TRY_CAST(... AS ...) takes it for empty{place}"
    first = said.splitlines()[0]
    if re.search(_MISFIT, first):
        wanted = "~~" not in first  # text; a pattern, as LIKE has, wants one
        held = [name for name, kind in types.items() if (kind == "VARCHAR") == wanted and _mentions(sql, name)]
        if held:
            name = held[0] if re.fullmatch(r"[A-Za-z_]\w*", held[0]) else quote(held[0])
            ways = [f"as a number it is CAST({name} AS DOUBLE)"] if not re.search("DATE|TIME|INTERVAL", first) else []
            ways += [f"as a day it is CAST({name} AS DATE)"] if not re.search("INT|DOUBLE|DECIMAL", first) else []
            what = "text" if wanted else "no text"
            ways = ways if wanted else [f"as text it is CAST({name} AS VARCHAR)"]
            return f"{' and '.join(held)} {'is' if len(held) == 1 else 'are'} {what}; {', '.join(ways)}{place}"
    return f"{first}{place}. There are: {', '.join(types)}"


def explain_query(said: str, tables: Iterable[str]) -> str:
    """Return what is wrong with a query of a card, which may read these tables.

    Examples
    --------
    >>> print(explain_query("Catalog Error: Table with name tree does not exist!", ["two", "three"]))
    there is no table `tree`; did you mean `three`? A query reads two, three; [sources] names more files
    """
    reads = f"A query reads {', '.join(tables)}; [sources] names more files" if tables else "[sources] names files"
    if table := _first(_NO_TABLE, said):
        return f"there is no table `{table}`{nearest(table, tables) or '.'} {reads}"
    if column := _first(_MISSING, said):
        near = re.search(r"Candidate bindings: (.+)", said)
        return f"there is no column {column!r}{f'; near it are {near[1]}' if near else ''}. {reads}"
    return f"{said.splitlines()[0].rstrip('.!')}. {reads}"


def explain_parquet(said: str, paths: list[Path]) -> str:
    """Return what to do about parquet files that can't be read; names the one that the engine complains of."""
    broken = next((path for path in paths if str(path) in said), paths[0])
    first = said.splitlines()[0].replace(str(broken), broken.name)
    return f"{broken.name} can't be read as parquet; if it is damaged or cut short, export it again ({first})"


def _first(patterns: tuple[str, ...], said: str) -> str | None:
    return next((found[1] for pattern in patterns if (found := re.search(pattern, said))), None)


def _mentions(sql: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", sql, re.IGNORECASE) is not None
