"""Excel files turned into parquet: every sheet, title and column accounted for."""

import re
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from segkit.data.cards.sections import FileSource
from segkit.data.headers import column_names, find_header
from segkit.runtime.errors import InputError
from segkit.runtime.spelling import nearest

_MOST_CELLS = 100_000_000  # of a sheet's rows x columns, which are all held
_EMPTY_SHARE = 0.01  # of a large sheet's cells that must at least be filled
_LARGE = 5_000_000
_BLOWN_UP = 300  # times as large as in the file: no real sheet is
_CELL = re.compile(rb'<c [^>]{0,200}?\br="([A-Z]{1,3})([0-9]{1,7})"')
_CHUNK = 4_000_000  # bytes; far beyond the 32,767 characters that a cell may have


def convert_excel(path: Path, file: FileSource, target: str) -> None:
    """Write the sheets of an Excel file as parquet, one below the other."""
    sheets = read_sheets(path, file)
    names = list(sheets)
    tables = [_table(path, name, rows, file) for name, rows in sheets.items()]
    for name, table in zip(names, tables, strict=True):
        if set(table) != set(tables[0]):
            others = ", ".join(sorted(set(table) ^ set(tables[0])))
            raise InputError(
                f"{path.name}: the sheets {names[0]!r} and {name!r} differ in the columns {others}, so they are no "
                'parts of one table; name one with sheet = "..."'
            )
    columns = {name: [cell for table in tables for cell in table[name]] for name in tables[0]}
    pq.write_table(pa.table({name: _column(cells) for name, cells in columns.items()}), target)


def read_sheets(path: Path, file: FileSource, every: bool = False) -> dict[str, list[list]]:
    """Return the rows of the sheets that a card names, or of `every` one; of a workbook with one sheet, of that one.

    Raises
    ------
    InputError
        A file that can't be read or would take too much memory, a sheet that isn't there, several sheets and none
        named.
    """
    from python_calamine import load_workbook

    _check_size(path)
    try:
        workbook = load_workbook(path)
        there = list(workbook.sheet_names)
        wanted = list(file.sheets) or ([file.sheet] if file.sheet else there)
        if len(there) == 1:  # of a file in the place of another, the sheet may have any name
            wanted = there
        if wrong := [name for name in wanted if name not in there]:
            raise InputError(
                f"{path.name} has no sheet {wrong[0]!r}{nearest(wrong[0], there) or ';'} "
                f'its sheets are {", ".join(there)}; name one with sheet = "..."'
            )
        sheets = {name: list(workbook.get_sheet_by_name(name).iter_rows()) for name in wanted}
    except InputError:
        raise
    except BaseException as error:  # the reader is written in Rust, whose panics are no Exceptions
        if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit | MemoryError):
            raise
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path.name} can't be read as an Excel file: {said}; save it again as .xlsx") from None
    filled = {name: rows for name, rows in sheets.items() if any(cell != "" for row in rows for cell in row)}
    if not filled:
        raise InputError(f"{path.name}: the sheet {next(iter(sheets), '')!r} is empty")
    if len(filled) > 1 and not (file.sheet or file.sheets or every):
        listed = ", ".join(f"{name!r} ({len(rows):,} rows)" for name, rows in filled.items())
        quoted = ", ".join(f'"{name}"' for name in filled)
        raise InputError(
            f'{path.name} has several sheets: {listed}; name one with sheet = "...", or those that go on in each other '
            f"with sheets = [{quoted}]"
        )
    return filled


def choose_sheets(path: Path) -> tuple[dict, list[str]]:
    """Return how to read a workbook that nobody has described: the sheets of the largest table, and its header's row.

    Sheets with the same columns go on in each other. The others' names come second.
    """
    sheets = read_sheets(path, FileSource(str(path)), every=True)
    heads = {}
    for name, rows in sheets.items():
        first = next(number for number, row in enumerate(rows) if any(cell != "" for cell in row))
        at = first + find_header(rows[first:])
        heads[name] = (at, tuple(sorted(set(column_names(rows[at])))))
    together: dict[tuple, list[str]] = {}
    for name, head in heads.items():
        together.setdefault(head, []).append(name)
    head, names = max(together.items(), key=lambda one: sum(len(sheets[name]) for name in one[1]))
    how: dict = {"sheets": tuple(names)} if len(names) > 1 else {"sheet": names[0]} if len(sheets) > 1 else {}
    first = next(number for number, row in enumerate(sheets[names[0]]) if any(cell != "" for cell in row))
    if head[0] > first:
        how["header_row"] = head[0] + 1
    return how, [name for name in sheets if name not in names]


def _table(path: Path, sheet: str, rows: list[list], file: FileSource) -> dict[str, list]:
    """Return the columns of a sheet by name, without empty rows and without columns that nobody filled."""
    filled = [number for number, row in enumerate(rows) if any(cell != "" for cell in row)]
    at = file.header_row - 1 if file.header_row else filled[0]
    if not file.header_row and (found := find_header(rows[at:])):
        raise InputError(header_missed(f"{path.name}: the sheet {sheet!r}", rows[at], at + found + 1))
    if at >= len(rows):
        raise InputError(f"{path.name}: header_row = {at + 1} is beyond the {len(rows):,} rows of {sheet!r}")
    below = [rows[number] for number in filled if number > at][file.rows_below :]
    columns = zip(*below, strict=True) if below else [()] * len(rows[at])
    named = zip(column_names(rows[at]), rows[at], columns, strict=True)
    return {name: list(cells) for name, head, cells in named if str(head).strip() or any(cell != "" for cell in cells)}


def header_missed(where: str, first: list, row: int) -> str:
    """Return the message about titles above the row that names the columns."""
    shown = " ".join(str(cell) for cell in first if str(cell).strip())[:60]
    return f"{where} begins with {shown!r}, and row {row} names the columns: set header_row = {row} beside `source`"


def _check_size(path: Path) -> None:
    """Refuse a workbook that would fill the memory: a cell far away from all others, or a sheet blown up."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as book:
        for part in book.infolist():
            if part.file_size > 50_000_000 and part.file_size > _BLOWN_UP * max(part.compress_size, 1):
                raise InputError(
                    f"{path.name} unpacks to {part.file_size // 1_000_000:,} MB, {_BLOWN_UP} times its size and more: "
                    "it is damaged or made to fill the memory; export it again"
                )
            if re.fullmatch(r"xl/(worksheets/[^/]+|sharedStrings)\.xml", part.filename):
                _check_sheet(path, book, part)


def _check_sheet(path: Path, book: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    cells, widest, last, rest = 0, 0, 0, b""
    far = ""
    with book.open(part) as stream:
        while chunk := stream.read(_CHUNK):
            if len(chunk) == _CHUNK and b"<" not in chunk:
                raise InputError(f"{path.name}: a cell has more text than Excel can hold; export the file again")
            cells += chunk.count(b"<c ")
            text = rest + chunk
            for column, row in _extremes(text):
                number = _column_number(column)
                if number > widest or int(row) > last:
                    widest, last, far = max(widest, number), max(last, int(row)), (column + row).decode()
            rest = text[-40:]
    area = widest * last
    if area > _MOST_CELLS or (area > _LARGE and cells < _EMPTY_SHARE * area):
        raise InputError(
            f"{path.name}: a sheet reaches to the cell {far}, {last:,} rows and {widest:,} columns, of which only "
            f"{cells:,} cells are filled; delete what stands far away from the table, or export it as CSV"
        )


def _extremes(text: bytes):
    """Return the cells with the last row and the last column of a part of a sheet."""
    found = _CELL.findall(text)
    return (max(found, key=lambda one: int(one[1])), max(found, key=lambda one: (len(one[0]), one[0]))) if found else ()


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + letter - 64
    return number


def _column(cells: list) -> pa.Array:
    """Return cells of one type as that type, mixed ones as text; Excel knows no integers, so whole numbers are."""
    cells = [None if cell == "" else cell for cell in cells]
    kinds = {type(cell) for cell in cells} - {type(None)}
    if kinds <= {int, float} and kinds:
        whole = all(cell is None or float(cell).is_integer() for cell in cells)
        return pa.array([None if cell is None else int(cell) if whole else float(cell) for cell in cells])
    if len(kinds) == 1 and not kinds & {str}:
        return pa.array(cells)
    return pa.array([None if cell is None else _text(cell) for cell in cells], pa.string())


def _text(cell) -> str:
    """Return a cell beside others of another type as text; a number so that its point is no mark of thousands."""
    if not isinstance(cell, float):
        return str(cell)
    text = str(int(cell)) if cell.is_integer() else repr(cell)
    return f"{text}0" if re.fullmatch(r"-?\d+\.\d{3}", text) else text
