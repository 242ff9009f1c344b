"""Keep what a step of the analysis made, keyed by everything it depends on, so that it is made once."""

import hashlib
import inspect
import json
import os
import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pandas as pd

from segkit.cards import ROOT
from segkit.places import writing

CACHE = ROOT / "data" / ".cache"  # may be deleted at any time
_SHOWS = {"progress"}  # changes no table

Made = dict[str, pd.DataFrame | dict]


def kept(step: str, room: str, depends: dict, make: Callable[[], Made]) -> Made:
    """Return what `make` made: from the cache where it is, else made now and kept.

    Parameters
    ----------
    step : str
        Name of the step.
    room : str
        The module or folder of segkit that makes it; the code of all that it imports counts as an input.
    depends : dict
        All that the result depends on, as what JSON can hold.
    make : callable
        Returns tables and dicts (as what JSON can hold) by name.

    Notes
    -----
    The result is always read back from the cache, so that a step gives the same whether it was made now or before.
    A step is written beside its place and moved there whole; of two sessions that make the same, the first one stays.
    """

    def write(folder: Path) -> None:
        for name, content in make().items():
            if isinstance(content, pd.DataFrame):
                content.to_parquet(folder / f"{name}.parquet")
            else:
                (folder / f"{name}.json").write_text(json.dumps(content))

    own = {"make": inspect.getsource(make)}
    return {path.stem: _read(path) for path in kept_folder(step, room, depends | own, write).iterdir()}


def kept_folder(step: str, room: str, depends: dict, write: Callable[[Path], object]) -> Path:
    """Return the folder that `write` filled: from the cache where it is, else filled now and kept; see `kept`."""
    key = hashlib.sha256(json.dumps([depends, code_digest(room)], sort_keys=True, default=str).encode()).hexdigest()[
        :20
    ]
    folder = CACHE / f"{step.replace(' ', '-')}-{key}"
    if folder.exists():
        return folder
    beside = CACHE / f".{folder.name}-{os.getpid()}"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        with writing(beside):
            write(beside)
        beside.rename(folder)
    except OSError:
        if not folder.exists():  # else another session was faster
            raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def _read(path: Path) -> pd.DataFrame | dict:
    return pd.read_parquet(path) if path.suffix == ".parquet" else json.loads(path.read_text())


@cache
def code_digest(room: str) -> str:
    """Return a hash of the code of a room and all that it imports: another version of segkit makes its own."""
    package = Path(__file__).parent
    found, todo = {}, {room}
    while todo:
        name = todo.pop()
        folder = package / name
        sources = sorted(folder.rglob("*.py")) if folder.is_dir() else [package / f"{name}.py"]
        found[name] = "".join(path.read_text() for path in sources)
        imported = re.findall(r"^\s*from segkit\.(\w+)", found[name], re.MULTILINE)
        todo |= set(imported) - set(found) - _SHOWS
    return hashlib.sha256("".join(found[name] for name in sorted(found)).encode()).hexdigest()
