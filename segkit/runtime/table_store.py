"""Tables kept by name in a folder, each with a record of how it was made: what a run saves and loads."""

import hashlib
import json
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pandas as pd

from segkit.runtime.disk import building
from segkit.runtime.errors import InputError

RECORD = "record.json"


@dataclass(frozen=True)
class SavedTable:
    """A table that was saved: where, by which step, and what it was made of.

    ``record`` has ``step``, ``kind`` (how it is read), ``digest`` (of its content), and what the saver told of it.
    """

    name: str
    folder: Path
    record: dict

    @property
    def digest(self) -> str:
        """A hash of the content."""
        return self.record["digest"]

    def read(self) -> object:
        """Return what was saved: a DataFrame, plain JSON, or an object that knows how to come back from its tables."""
        kind = self.record["kind"]
        parts = {
            path.stem: _read_part(path)
            for path in sorted(self.folder.iterdir())
            if path.name != RECORD and path.is_file()
        }
        if kind in ("table", "json"):
            return parts["content"]
        module, _, name = kind.partition(":")
        if not module.startswith("segkit."):
            raise InputError(f"{self.folder} was not written by segkit: remove it")
        made = getattr(import_module(module), name)
        return made.load(self.folder) if hasattr(made, "load") else made.from_tables(parts)


def save_table(folder: Path, name: str, content: object, about: dict) -> SavedTable:
    """Write a table (or an object with ``to_tables`` and ``from_tables``, or ``save`` and ``load``) with its record.

    It is written beside its place and takes it whole: who reads meanwhile reads the older one.
    """
    place = folder / name
    with building(place) as beside:
        beside.mkdir()
        kind = _write(content, beside)
        whole = hashlib.sha256()
        for path in sorted(beside.iterdir()):
            whole.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
        record = about | {"kind": kind, "digest": whole.hexdigest()[:20]}
        (beside / RECORD).write_text(json.dumps(record, indent=1, sort_keys=True, default=str))
    return SavedTable(name, place, record)


def find_table(folder: Path, name: str) -> SavedTable | None:
    """Return a saved table; None where there is none, or one that can't be read."""
    try:
        return SavedTable(name, folder / name, json.loads((folder / name / RECORD).read_text()))
    except (OSError, ValueError):
        return None


def _write(content: object, folder: Path) -> str:
    if isinstance(content, pd.DataFrame):
        content.to_parquet(folder / "content.parquet")
        return "table"
    if hasattr(content, "save") and hasattr(content, "load"):
        content.save(folder)
    elif hasattr(content, "to_tables"):
        for part, made in content.to_tables().items():
            if isinstance(made, pd.DataFrame):
                made.to_parquet(folder / f"{part}.parquet")
            else:
                (folder / f"{part}.json").write_text(json.dumps(made))
    else:
        (folder / "content.json").write_text(json.dumps(content))
        return "json"
    return f"{type(content).__module__}:{type(content).__qualname__}"


def _read_part(path: Path) -> object:
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    return json.loads(path.read_text()) if path.suffix == ".json" else None
