"""Tables of databases as parquet files: copied for one reading, or once for all notebooks of a run."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from segkit.data.cards.sections import FileSource
from segkit.runtime.disk import temporary

_SNAPSHOT = "SEGKIT_SNAPSHOT"  # where the processes of one run find what was copied


def copy_databases(named: Mapping[str, FileSource], folder: Path) -> dict[str, Path]:
    """Return the parquet copy of each source that lies in a database, in `folder` or in that of the run.

    Raises
    ------
    InputError
        As `copy_tables`.
    """
    place = Path(os.environ.get(_SNAPSHOT) or folder)
    copies = {name: place / _file_name(file) for name, file in named.items() if file.in_database}
    wanted: dict[str, dict[str, Path]] = {}
    for name, target in copies.items():
        if not target.exists():
            wanted.setdefault(named[name].source, {})[named[name].table] = target
    if wanted:
        from segkit.data.engines.postgres import copy_tables

        for address, targets in wanted.items():
            copy_tables(address, targets)
    return copies


@contextmanager
def one_snapshot() -> Iterator[None]:
    """Copy each table of a database only once within the block, in all processes that it starts.

    A run reads its orders in every notebook; the shop goes on selling meanwhile.
    """
    if _SNAPSHOT in os.environ:
        yield
        return
    with temporary() as folder:
        os.environ[_SNAPSHOT] = str(folder)
        try:
            yield
        finally:
            del os.environ[_SNAPSHOT]


def _file_name(file: FileSource) -> str:
    """Return a name that says which table of which database it is; it stands in run.json, without the user."""
    place = file.source.partition("://")[2].rpartition("@")[2].partition("?")[0]
    return re.sub(r"[^\w.]+", "-", f"{place}-{file.table}") + ".parquet"
