"""Keep what a step of the analysis made, keyed by everything it depends on, so that it is made once."""

import hashlib
import inspect
import json
import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pandas as pd

from segkit.runtime.disk import ROOT, building

CACHE = Path(os.environ.get("SEGKIT_CACHE") or ROOT / "data" / ".cache")  # may be deleted at any time
_SHOWS = {"runtime.progress"}  # changes no table

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
    A step is written beside its place and moved there whole.
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
    folder = _place(step, room, depends)
    if not folder.exists():
        with building(folder) as beside:
            beside.mkdir()
            write(beside)
    return folder


def is_kept(step: str, room: str, depends: dict) -> bool:
    """Return whether the step was made of the same before; see `kept`."""
    return _place(step, room, depends).exists()


def _place(step: str, room: str, depends: dict) -> Path:
    key = hashlib.sha256(json.dumps([depends, code_digest(room)], sort_keys=True, default=str).encode()).hexdigest()
    return CACHE / f"{step.replace(' ', '-')}-{key[:20]}"


def _read(path: Path) -> pd.DataFrame | dict:
    return pd.read_parquet(path) if path.suffix == ".parquet" else json.loads(path.read_text())


@cache
def code_digest(*modules: str) -> str:
    """Return a hash of the code of modules or rooms and of all that they import.

    Parameters
    ----------
    modules : str
        Below segkit, such as ``validation.trial`` or ``features``.
    """
    package = Path(__file__).parents[1]
    found, todo = {}, {path for module in modules for path in _sources(package, module)}
    while todo:
        path = todo.pop()
        found[path] = path.read_text(encoding="utf-8")
        imported = re.findall(r"^\s*from segkit\.([\w.]+) import ([\w, ]+|\()", found[path], re.MULTILINE)
        names = {name for module, items in imported for name in (module, *_submodules(module, items))}
        todo |= {one for name in names - _SHOWS for one in _sources(package, name)} - set(found)
    texts = [found[path] for path in sorted(found)]
    return hashlib.sha256("".join(texts).encode()).hexdigest()


def _sources(package: Path, module: str) -> list[Path]:
    place = package.joinpath(*module.split("."))
    return sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]


def _submodules(module: str, items: str) -> list[str]:
    place = Path(__file__).parents[1].joinpath(*module.split("."))
    names = re.findall(r"\w+", items)
    return [f"{module}.{name}" for name in names if (place / f"{name}.py").exists() or (place / name).is_dir()]
