"""Arrays of rules in files that hold nothing but numbers."""

import io
import zipfile
from pathlib import Path

import numpy as np

from segkit.clustering.assignment_rules import Rule

_DATE = (1980, 1, 1, 0, 0, 0)  # of every file in the archive: the same arrays make the same bytes
_ROWS = "rows"


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays as an ``npz`` whose bytes depend on nothing else."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in sorted(arrays.items()):
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _DATE), content.getvalue(), zipfile.ZIP_DEFLATED)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of an ``npz``; one that would run code is refused with a ValueError."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except ValueError:  # whose own text advises to load it all the same
        raise ValueError(f"{path.name} holds other things than arrays of numbers") from None


def stack_rules(rules: tuple[Rule, ...]) -> dict[str, np.ndarray]:
    """Return rules of one kind as arrays: each array of theirs end to end, floats in single precision, and ``rows``.

    Examples
    --------
    >>> rules = [Rule("nearest_centre", {"centres": np.ones((k, 2)), "labels": np.arange(k)}) for k in (2, 3)]
    >>> stacked = stack_rules(rules)
    >>> stacked["centres"].shape, stacked["rows"].tolist()
    ((5, 2), [[2, 2], [3, 3]])
    >>> [rule.segments for rule in unstack_rules("nearest_centre", stacked)]
    [2, 3]
    """
    if not rules:
        return {}
    names = sorted(rules[0].arrays)
    stacked = {name: np.concatenate([rule.arrays[name] for rule in rules]) for name in names}
    stacked = {name: array.astype("float32") if array.dtype.kind == "f" else array for name, array in stacked.items()}
    return stacked | {_ROWS: np.array([[len(rule.arrays[name]) for name in names] for rule in rules])}


def unstack_rules(kind: str, stacked: dict[str, np.ndarray]) -> list[Rule]:
    """Return the rules that `stack_rules` stacked."""
    if not stacked:
        return []
    names = sorted(set(stacked) - {_ROWS})
    ends = stacked[_ROWS].cumsum(axis=0)
    parts = {name: np.split(stacked[name], ends[:-1, place]) for place, name in enumerate(names)}
    return [Rule(kind, {name: part[number] for name, part in parts.items()}) for number in range(len(ends))]
