"""What a step made, kept by the content of what it was made of: tables, arrays, functions of a notebook, models."""

import hashlib
import inspect
import pickle
import platform
import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

from segkit.runtime.cache import is_kept, kept_folder

_LIBRARIES = ("numpy", "pandas", "scipy", "scikit-learn", "hdbscan")


def made_once(step: str, module: str, content: Any, make: Callable[[], Any]) -> Any:
    """Return what `make` makes: from the cache where the same was made of the same content, else made now and kept.

    Parameters
    ----------
    step : str
        Name of the step.
    module : str
        The module of segkit that makes it, below ``segkit``; the code of all that it imports counts too.
    content : any
        All that the result depends on; see `fingerprint`.
    make : callable
        Returns what can be pickled. It is always read back, so that a step gives the same now and later.
    """

    return made_each(step, module, {"": content}, lambda names: {"": make()})[""]


def made_each(
    step: str, module: str, contents: Mapping[str, Any], make: Callable[[list[str]], Mapping[str, Any]]
) -> dict[str, Any]:
    """Return what `make` makes of several, each kept by itself: what was made before is not made again.

    Parameters
    ----------
    step, module : str
        As for `made_once`.
    contents : mapping
        By name, all that the result of that name depends on.
    make : callable
        Called once with the names that are not kept yet; returns the result of each.
    """
    versions = {name: version(name) for name in _LIBRARIES} | {"python": platform.python_version()}
    depends = {name: versions | {"content": fingerprint(content)} for name, content in contents.items()}
    missing = [name for name in contents if not is_kept(step, module, depends[name])]
    made = make(missing) if missing else {}

    def read(name: str) -> Any:
        def write(folder) -> None:
            found = made[name] if name in made else make([name])[name]  # somebody emptied the cache meanwhile
            (folder / "made.pickle").write_bytes(pickle.dumps(found, protocol=5))

        return pickle.loads((kept_folder(step, module, depends[name], write) / "made.pickle").read_bytes())

    return {name: read(name) for name in contents}


def fingerprint(content: Any) -> str:
    """Return a hash that is the same for the same content, in this session and in others.

    Of a function that is not segkit's own, the code counts, its defaults, and the variables of the notebook that it
    reads; segkit's own code is counted by the cache itself. Whatever a cell is called or on which line it stands does
    not count.

    Examples
    --------
    >>> fingerprint({"k": 3}) == fingerprint({"k": 3}), fingerprint({"k": 3}) == fingerprint({"k": 4})
    (True, False)
    >>> fingerprint(lambda x: x + 1) == fingerprint(lambda x: x + 2)
    False
    """
    whole = hashlib.sha256()
    _add(whole, content, set())
    return whole.hexdigest()


def _add(whole, content: Any, seen: set[int]) -> None:
    import numpy as np
    import pandas as pd

    whole.update(type(content).__name__.encode())
    if isinstance(content, (pd.DataFrame, pd.Series)):
        named = list(content) if isinstance(content, pd.DataFrame) else [content.name]
        whole.update(repr(named).encode())
        whole.update(pd.util.hash_pandas_object(content).to_numpy().tobytes())
    elif isinstance(content, pd.Index):
        whole.update(pd.util.hash_pandas_object(content).to_numpy().tobytes())
    elif isinstance(content, np.ndarray) and content.dtype != object:
        whole.update(f"{content.dtype}{content.shape}".encode())
        whole.update(np.ascontiguousarray(content).tobytes())
    elif isinstance(content, dict):
        _add_each(whole, [part for pair in content.items() for part in pair], seen)
    elif is_dataclass(content) and not isinstance(content, type):
        _add_each(whole, [getattr(content, one.name) for one in fields(content)], seen)
    elif isinstance(content, (list, tuple, np.ndarray)):
        _add_each(whole, content, seen)
    elif isinstance(content, (set, frozenset)):
        _add_each(whole, sorted(content, key=repr), seen)
    elif isinstance(content, types.CodeType):
        names = content.co_names + content.co_varnames
        _add_each(whole, [content.co_code, names, content.co_consts], seen)
    elif callable(content):
        _add_callable(whole, content, seen)
    elif isinstance(content, types.ModuleType):
        whole.update(f"{content.__name__} {getattr(content, '__version__', '')}".encode())
    elif hasattr(content, "get_params"):  # an estimator that is not fitted
        _add_each(whole, [type(content).__qualname__, content.get_params()], seen)
    else:
        whole.update(repr(content).encode())


def _add_each(whole, contents, seen: set[int]) -> None:
    whole.update(str(len(contents)).encode())
    for one in contents:
        _add(whole, one, seen)


def _add_callable(whole, called: Any, seen: set[int]) -> None:
    whole.update(getattr(called, "__qualname__", repr(type(called))).encode())
    if id(called) in seen:  # a function that calls itself
        return
    seen.add(id(called))
    if isinstance(called, partial):
        _add_each(whole, [called.func, called.args, called.keywords], seen)
    elif "<" not in getattr(called, "__qualname__", "<") and (getattr(called, "__module__", None) or "").startswith(
        "segkit."
    ):
        whole.update(called.__module__.encode())
    elif hasattr(called, "__code__"):
        read = [called.__globals__[name] for name in _names(called.__code__) if name in called.__globals__]
        kept = [cell.cell_contents for cell in called.__closure__ or ()]
        _add_each(whole, [called.__code__, called.__defaults__, called.__kwdefaults__, kept, read], seen)
    elif getattr(called, "__module__", "") == "__main__":
        whole.update(inspect.getsource(called).encode())
    else:  # of a library: its name is enough
        whole.update(str(getattr(called, "__module__", "")).encode())


def _names(code: types.CodeType) -> list[str]:
    inner = [name for one in code.co_consts if isinstance(one, types.CodeType) for name in _names(one)]
    return list(dict.fromkeys([*code.co_names, *inner]))
