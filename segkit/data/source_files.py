"""A file of any format as parquet, which the engine reads lazily.

Parquet is read where it lies. CSV, JSON and Excel are turned into parquet once, in a cache keyed by their content, so
that every later scan reads only the columns it needs.
"""

import hashlib
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

from segkit.data.cards.sections import FileSource
from segkit.data.convert import convert_csv, sql_text
from segkit.data.json_records import convert_json
from segkit.data.workbooks import convert_excel
from segkit.runtime.disk import ROOT, building
from segkit.runtime.errors import InputError

CACHE = ROOT / "data" / ".cache"  # may be deleted at any time

_CSV_ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt")
_EXCEL_ENDINGS = (".xlsx", ".xlsm", ".xls", ".ods")
_JSON_ENDINGS = (".json", ".jsonl", ".ndjson")
ENDINGS = (".parquet", *_EXCEL_ENDINGS, *_CSV_ENDINGS, *_JSON_ENDINGS)
_READER = "3"  # part of the cache key: raise it when the same file would be read differently


def parquet_files(file: FileSource, paths: list[Path]) -> list[Path]:
    """Return parquet files with the rows of `paths`: themselves, or a cached copy of CSV and Excel files.

    Raises
    ------
    InputError
        A file that is empty, not what its ending says, or can't be read; names the file, the line where known, and
        the way out.
    """
    for path in paths:
        check_format(path)
    ending = file_ending(paths[0])
    if any(file_ending(path) != ending for path in paths):
        raise InputError(f"{file.source} matches files of different kinds; make the pattern narrower")
    if ending == ".parquet":
        return paths
    convert = {".csv": convert_csv, ".json": convert_json}.get(ending, convert_excel)
    return [_cached(path, file, convert) for path in paths]


@lru_cache(maxsize=256)
def _digest(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest_file(path: Path) -> str:
    """Return the sha256 of a file; a file that hasn't changed is read once."""
    status = path.stat()
    return _digest(path, status.st_size, status.st_mtime_ns)


def digest_files(paths: Iterable[Path]) -> dict[str, str]:
    """Return the sha256 of each file by its name, or by the shortest end of its path that no other one has.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> files = [Path(mkdtemp(), name) for name in ("north/orders.csv", "south/orders.csv", "south/products.csv")]
    >>> for number, path in enumerate(files):
    ...     path.parent.mkdir(exist_ok=True)
    ...     _ = path.write_text(str(number))
    >>> list(digest_files(files))
    ['north/orders.csv', 'products.csv', 'south/orders.csv']
    """
    digests: dict[str, str] = {}
    left, length = {Path(os.path.abspath(path)) for path in paths}, 1
    while left:
        ends = {path: Path(*path.parts[-length:]).as_posix() for path in left}
        held = Counter(ends.values())
        digests |= {end: digest_file(path) for path, end in ends.items() if held[end] == 1}
        left, length = {path for path in left if held[ends[path]] > 1}, length + 1
    return dict(sorted(digests.items()))


def scan(paths: list[Path]) -> str:
    """Return the SQL that reads these parquet files; columns are matched by name where there are several."""
    listed = ", ".join(sql_text(str(path)) for path in paths)
    return f"read_parquet([{listed}]{', union_by_name = true' if len(paths) > 1 else ''})"


def file_ending(path: Path) -> str:
    """Return what kind of file it is, by its name: .csv, .json, .parquet, or the ending of an Excel file."""
    name = path.name.lower()
    for ending in ENDINGS:
        if name.endswith(ending):
            return ".csv" if ending in _CSV_ENDINGS else ".json" if ending in _JSON_ENDINGS else ending
    raise InputError(f"{path.name}: segkit reads CSV (.csv, .csv.gz, .tsv), parquet, JSON and Excel files")


def check_format(path: Path) -> None:
    """Refuse an empty file and one whose first bytes aren't those of its ending."""
    with path.open("rb") as stream:
        head = stream.read(4096)
    if not head:
        raise InputError(f"{path.name} is empty (0 bytes); export it again")
    ending = file_ending(path)
    found = _recognise(head)
    allowed = {
        ".parquet": {"parquet"},
        ".csv": {"text"},
        ".json": {"text"},
    }.get(ending, {"an Excel workbook (zip)", "an old Excel workbook"})
    if path.name.lower().endswith(".gz"):
        allowed = {"gzip"}
    if found not in allowed:
        way = _RENAMED.get(found)
        way = f"rename it to end in {way}" if way else "export it again as CSV, parquet or Excel"
        named = "text, such as CSV or HTML" if found == "text" else found
        raise InputError(f"{path.name} is not what its ending says: it holds {named}; {way}")


_RENAMED = {
    "parquet": ".parquet",
    "text": ".csv",
    "gzip": ".csv.gz",
    "an Excel workbook (zip)": ".xlsx",
    "an old Excel workbook": ".xls",
}


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
    read = (file.sheet, file.sheets, file.header_row, file.rows_below, file.records, file.separator, file.encoding)
    return cached(f"{_READER} {digest_file(path)} {read}", lambda draft: convert(path, file, draft))


def cached(options: str, make: Callable[[str], None]) -> Path:
    """Return the parquet file that ``make(draft)`` wrote for these options, now or before."""
    folder = CACHE
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # an installation that can't be written to
        folder = Path(tempfile.gettempdir())
    target = folder / f"{hashlib.sha256(options.encode()).hexdigest()[:32]}.parquet"
    if not target.exists():
        with building(target) as draft:
            make(str(draft))
    return target
