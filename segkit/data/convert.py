"""CSV files turned into parquet, without loss: what was read can be got back exactly.

A CSV column becomes a number or a time only where its text follows from it: an article number 007 stays what it is.
"""

import codecs
import csv
import gzip
import re
import zlib
from pathlib import Path
from statistics import median

import duckdb

from segkit.data.cards.sections import FileSource
from segkit.data.headers import column_names, find_header
from segkit.data.workbooks import header_missed
from segkit.runtime.errors import InputError
from segkit.runtime.spelling import quote

_SEPARATORS = ",;\t|"
_SAMPLE_ROWS = 1000
_MOST_COLUMNS = 2000
_LOOKED_AT = 60  # lines, for the separator and the header
_CHUNK = 4_000_000


def sql_text(value: str) -> str:
    """Return `value` as an SQL text literal."""
    return "'" + value.replace("'", "''") + "'"


def convert_csv(path: Path, file: FileSource, target: str) -> None:
    """Write a CSV file as parquet, each column as a number or time where that loses nothing, else as text."""
    separator, names, line_end, above, lower = _read_header(path, file)
    if lower:
        raise InputError(header_missed(path.name, *lower))
    if len(names) > _MOST_COLUMNS:
        raise InputError(
            f"{path.name} has {len(names):,} columns, and segkit reads {_MOST_COLUMNS:,}: export only those it needs"
        )
    read = path
    if above or not _is_utf8(file) or _is_gzip(path):
        read = Path(f"{target}.text")
        _write_plain(path, file.encoding, above, read)
    listed = ", ".join(f"{sql_text(name)}: 'VARCHAR'" for name in names)
    # Nothing is left to detection, which guesses from a sample and explains its failures badly; of a line end, from the
    # first one, which may lie within a name.
    reader = (
        f"read_csv({sql_text(str(read))}, auto_detect = false, header = true, delim = {sql_text(separator)}, "
        f"quote = '\"', escape = '\"', encoding = 'utf-8', new_line = {sql_text(line_end)}, "
        f"columns = {{{listed}}}, compression = 'none')"
    )
    below = f" OFFSET {file.rows_below}" if file.rows_below else ""
    connection = duckdb.connect(config={"autoinstall_known_extensions": "false"})
    try:
        connection.execute(f"CREATE TABLE sample AS FROM {reader} LIMIT {_SAMPLE_ROWS}{below}")
        guessed = _exact_types(connection, names)
        exact: set[str] = set()
        if guessed:
            checks = ", ".join(_is_exact(name, kind) for name, kind in guessed.items())
            held = connection.execute(f"SELECT {checks} FROM (FROM {reader}{below})").fetchone()
            exact = {name for name, holds in zip(guessed, held, strict=True) if holds}
        columns = ", ".join(
            f"TRY_CAST({quote(name)} AS {guessed[name]}) AS {quote(name)}" if name in exact else quote(name)
            for name in names
        )
        connection.execute(f"COPY (SELECT {columns} FROM {reader}{below}) TO {sql_text(target)} (FORMAT parquet)")
    except duckdb.Error as error:
        raise InputError(_explain_csv(path, separator, str(error), above)) from None
    finally:
        connection.close()
        if read != path:
            read.unlink(missing_ok=True)


def _is_gzip(path: Path) -> bool:
    return path.name.lower().endswith(".gz")


def _is_utf8(file: FileSource) -> bool:
    return codecs.lookup(file.encoding).name == "utf-8"


def open_text(path: Path, encoding: str, errors: str = "strict"):
    """Return a text file, packed or not, opened to be read in an encoding."""
    opened = gzip.open if _is_gzip(path) else open
    encoding = "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
    return opened(path, "rt", encoding=encoding, errors=errors, newline="")


def _write_plain(path: Path, encoding: str, above: int, target: Path) -> None:
    """Write a text file unpacked, in UTF-8, from its header on; a packed one is held against its checksum."""
    try:
        with open_text(path, encoding) as stream, target.open("w", encoding="utf-8", newline="") as plain:
            for _ in range(above):
                stream.readline()
            while chunk := stream.read(_CHUNK):
                plain.write(chunk)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        target.unlink(missing_ok=True)
        raise InputError(f"{path.name} is damaged or cut short ({error}); copy or export it again") from None
    except UnicodeError:
        target.unlink(missing_ok=True)
        raise InputError(_wrong_encoding(path.name, encoding)) from None
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _wrong_encoding(where: str, encoding: str) -> str:
    others = " or ".join(f'encoding = "{one}"' for one in ("cp1252", "latin-1") if one != encoding)
    return f"{where}: the text is not {encoding.upper()}; save it as UTF-8, or set {others} beside `source`"


def header_of_csv(path: Path, file: FileSource) -> tuple[str, int | None]:
    """Return the separator of a CSV file, and the row that names its columns where that isn't the first."""
    separator, *_, lower = _read_header(path, file)
    return separator, lower[1] if lower else None


def _read_header(path: Path, file: FileSource) -> tuple:
    """Return separator, columns, line end in SQL, and how many lines stand above the header.

    The separator is the one that the header holds most often outside of quotes. Last comes the first row and the row,
    from 1, that names the columns, where those are two and the card doesn't say so; else None.
    """
    try:
        with open_text(path, file.encoding, "replace") as stream:
            lines = [line for _, line in zip(range(_LOOKED_AT), stream, strict=False)]
            above = (file.header_row or 1) - 1
            told = re.fullmatch(r"sep=(.)\s*", lines[0]) if lines and not above else None
            above += bool(told)
            if above >= len(lines):
                raise InputError(f"{path.name} has no line {above + 1} that could be its header")
            separator = file.separator or (told and told[1]) or _separator(lines[above:])
            rows = csv.reader(iter(lines[above:]), delimiter=separator)
            header = next(rows)
            heads = rows.line_num
            several = [header, *_some(rows)]
    except (OSError, EOFError, csv.Error, UnicodeError, StopIteration, zlib.error) as error:
        raise InputError(f"{path.name} can't be read as CSV: {error or 'it has no header'}") from None
    lower = None
    if not file.header_row and (found := find_header(several)):
        lower = several[0], _line_of(lines[above:], separator, found) + above
    first = lines[above + heads - 1]
    line_end = first.removeprefix(first.rstrip("\r\n")) or "\n"
    return separator, column_names(header), line_end.replace("\r", "\\r").replace("\n", "\\n"), above, lower


def _some(rows) -> list[list[str]]:
    """Return rows as far as they can be read; what is wrong with them is for the engine to say."""
    found = []
    try:
        for row in rows:
            found.append(row)
    except csv.Error:
        pass
    return found


def _line_of(lines: list[str], separator: str, row: int) -> int:
    """Return the line, from 1, in which a row begins."""
    rows = csv.reader(iter(lines), delimiter=separator)
    before = 0
    for _ in range(row):
        next(rows)
        before = rows.line_num
    return before + 1


def _separator(lines: list[str]) -> str:
    """Return the separator that the first line has most of, unless most lines below are of another."""
    counts = {one: [re.sub(r'"[^"]*"', "", line).count(one) for line in lines] for one in _SEPARATORS}
    best = max(_SEPARATORS, key=lambda one: counts[one][0])
    if 2 * median(counts[best]) >= counts[best][0] > 0:
        return best
    return max(_SEPARATORS, key=lambda one: (median(counts[one]), counts[one][0]))


def _is_exact(name: str, kind: str) -> str:
    column = quote(name)
    return f"coalesce(bool_and(TRY_CAST({column} AS {kind})::VARCHAR IS NOT DISTINCT FROM {column}), false)"


def _exact_types(connection, names: list[str]) -> dict[str, str]:
    """Return the type that each column of the sample has without loss; none for text and for empty columns."""
    kinds = ("BIGINT", "DOUBLE", "TIMESTAMP", "DATE")
    found = {}
    for start in range(0, len(names), 200):
        some = names[start : start + 200]
        checks = [f"count({quote(name)}), " + ", ".join(_is_exact(name, kind) for kind in kinds) for name in some]
        held = connection.execute(f"SELECT {', '.join(checks)} FROM sample").fetchone()
        for place, name in enumerate(some):
            filled, *exact = held[5 * place : 5 * place + 5]
            if filled and any(exact):
                found[name] = kinds[exact.index(True)]
    return found


def _explain_csv(path: Path, separator: str, message: str, above: int) -> str:
    line = re.search(r"Line: (\d+)", message)
    where = f"{path.name}, line {int(line[1]) + above}" if line else path.name
    if "invalid unicode" in message.lower() or "not utf-8" in message.lower():
        return _wrong_encoding(where, "utf-8")
    columns = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message)
    if columns:
        return (
            f"{where}: {columns[2]} columns where the header has {columns[1]} (separator {separator!r}); "
            'quote texts that hold the separator, or set separator = "..." beside `source`'
        )
    if "invalid state" in message:
        return f"{where} can't be read as CSV; most likely its lines don't all end alike: save it anew"
    said = message.splitlines()[0].replace(str(path), path.name)
    return f"{where} can't be read as CSV with the separator {separator!r}: {said}"
