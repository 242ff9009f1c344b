"""CSV and Excel files turned into parquet, without loss: what was read can be got back exactly.

A CSV column becomes a number or a time only where its text follows from it: an article number 007 stays what it is.
"""

import csv
import gzip
import re
from itertools import chain
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from segkit.data.cards.sections import FileSource
from segkit.runtime.errors import InputError
from segkit.runtime.spelling import nearest, quote

_SEPARATORS = ",;\t|"
_SAMPLE_ROWS = 1000


def sql_text(value: str) -> str:
    """Return `value` as an SQL text literal."""
    return "'" + value.replace("'", "''") + "'"


def convert_csv(path: Path, file: FileSource, target: str) -> None:
    """Write a CSV file as parquet, each column as a number or time where that loses nothing, else as text."""
    separator, names, line_end = _read_header(path, file)
    listed = ", ".join(f"{sql_text(name)}: 'VARCHAR'" for name in names)
    # Nothing is left to detection, which guesses from a sample and explains its failures badly; of a line end, from the
    # first one, which may lie within a name.
    reader = (
        f"read_csv({sql_text(str(path))}, auto_detect = false, header = true, delim = {sql_text(separator)}, "
        f"quote = '\"', escape = '\"', encoding = {sql_text(file.encoding)}, new_line = {sql_text(line_end)}, "
        f"columns = {{{listed}}})"
    )
    connection = duckdb.connect(config={"autoinstall_known_extensions": "false"})
    try:
        connection.execute(f"CREATE TABLE sample AS FROM {reader} LIMIT {_SAMPLE_ROWS}")
        guessed = {name: kind for name in names if (kind := _exact_type(connection, name))}
        exact: set[str] = set()
        if guessed:
            checks = ", ".join(_is_exact(name, kind) for name, kind in guessed.items())
            held = connection.execute(f"SELECT {checks} FROM {reader}").fetchone()
            exact = {name for name, holds in zip(guessed, held, strict=True) if holds}
        columns = ", ".join(
            f"{quote(name)}::{guessed[name]} AS {quote(name)}" if name in exact else quote(name) for name in names
        )
        connection.execute(f"COPY (SELECT {columns} FROM {reader}) TO {sql_text(target)} (FORMAT parquet)")
    except duckdb.Error as error:
        raise InputError(_explain_csv(path, separator, str(error))) from None
    finally:
        connection.close()


def _read_header(path: Path, file: FileSource) -> tuple[str, list[str], str]:
    """Return separator (the one that the header holds most often outside of quotes), columns, line end in SQL."""
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    encoding = "utf-8-sig" if file.encoding == "utf-8" else file.encoding
    try:
        with opened(path, "rt", encoding=encoding, errors="replace", newline="") as stream:
            read = [stream.readline()]
            separator = file.separator or max(_SEPARATORS, key=re.sub(r'"[^"]*"', "", read[0]).count)
            lines = (read.append(line) or line for line in stream)  # a name may go on in the next
            header = next(csv.reader(chain(read[:1], lines), delimiter=separator))
    except (OSError, EOFError, csv.Error, UnicodeError, StopIteration) as error:
        raise InputError(f"{path.name} can't be read as CSV: {error or 'it has no header'}") from None
    names: list[str] = []
    for position, cell in enumerate(header, 1):
        name = cell.strip() or f"column_{position}"
        while name.lower() in [other.lower() for other in names]:
            name += "_again"  # the engine tells columns apart without regard to case
        names.append(name)
    line_end = read[-1].removeprefix(read[-1].rstrip("\r\n")) or "\n"
    return separator, names, line_end.replace("\r", "\\r").replace("\n", "\\n")


def _is_exact(name: str, kind: str) -> str:
    column = quote(name)
    return f"coalesce(bool_and(TRY_CAST({column} AS {kind})::VARCHAR IS NOT DISTINCT FROM {column}), false)"


def _exact_type(connection, name: str) -> str | None:
    """Return the type that a column of the sample has without loss; None for text and for empty columns."""
    kinds = ("BIGINT", "DOUBLE", "TIMESTAMP", "DATE")
    checks = ", ".join(_is_exact(name, kind) for kind in kinds)
    *held, filled = connection.execute(f"SELECT {checks}, count({quote(name)}) FROM sample").fetchone()
    return next((kind for kind, exact in zip(kinds, held, strict=True) if exact), None) if filled else None


def _explain_csv(path: Path, separator: str, message: str) -> str:
    line = re.search(r"Line: (\d+)", message)
    where = f"{path.name}, line {line[1]}" if line else path.name
    if "invalid unicode" in message.lower() or "not utf-8" in message.lower():
        return f'{where}: the text is not UTF-8; save it as UTF-8, or set encoding = "latin-1" beside `source`'
    columns = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message)
    if columns:
        return (
            f"{where}: {columns[2]} columns where the header has {columns[1]} (separator {separator!r}); "
            'quote texts that hold the separator, or set separator = "..." beside `source`'
        )
    if "invalid state" in message:
        return f"{where} can't be read as CSV; most likely its lines don't all end alike: save it anew"
    return f"{where} can't be read as CSV with the separator {separator!r}: {message.splitlines()[0]}"


def convert_excel(path: Path, file: FileSource, target: str) -> None:
    from python_calamine import CalamineError, load_workbook

    try:
        workbook = load_workbook(path)
    except (CalamineError, OSError) as error:
        raise InputError(f"{path.name} can't be read as an Excel file: {error}; save it again as .xlsx") from None
    sheet = file.sheet or workbook.sheet_names[0]
    if sheet not in workbook.sheet_names:
        if len(workbook.sheet_names) > 1:
            raise InputError(
                f"{path.name} has no sheet {sheet!r}{nearest(sheet, workbook.sheet_names) or ';'} "
                f'its sheets are {", ".join(workbook.sheet_names)}; name one with sheet = "..."'
            )
        sheet = workbook.sheet_names[0]
    rows = workbook.get_sheet_by_name(sheet).iter_rows()
    header = next((row for row in rows if any(cell != "" for cell in row)), None)
    if header is None:
        raise InputError(f"{path.name}: the sheet {sheet!r} is empty")
    columns: list[list] = [[] for _ in header]
    for row in rows:
        if any(cell != "" for cell in row):
            for column, cell in zip(columns, row, strict=True):
                column.append(None if cell == "" else cell)
    named = {
        str(name).strip(): column
        for name, column in zip(header, columns, strict=True)
        if str(name).strip() or any(cell is not None for cell in column)
    }
    pq.write_table(pa.table({name: _excel_column(column) for name, column in named.items()}), target)


def _excel_column(cells: list) -> pa.Array:
    """Return cells of one type as that type, mixed ones as text; Excel knows no integers, so whole numbers are."""
    kinds = {type(cell) for cell in cells} - {type(None)}
    if kinds <= {int, float} and kinds:
        whole = all(cell is None or float(cell).is_integer() for cell in cells)
        return pa.array([None if cell is None else int(cell) if whole else float(cell) for cell in cells])
    if len(kinds) == 1 and not kinds & {str}:
        return pa.array(cells)
    return pa.array([None if cell is None else _excel_text(cell) for cell in cells], pa.string())


def _excel_text(cell) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
