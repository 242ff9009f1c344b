"""CSV files that are safe to open in a spreadsheet."""

import re
from pathlib import Path

import pandas as pd

_RUNS = re.compile(r"(^|[,;|])(\s*)([=+\-@\uff1d\uff0b\uff0d\uff20])")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a CSV that is safe to open in a spreadsheet: a text that would run as a formula gets an apostrophe first.

    So does one after a comma or semicolon within a text, where another country's spreadsheet begins a cell; tabs and
    line ends become spaces. Numbers stay numbers, a minus included.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.csv"
    ...     write_csv(pd.DataFrame({"name": ["=1+1", "Ann"], "change": [-2.5, 1.0]}), path)
    ...     print(path.read_text())
    name,change
    '=1+1,-2.5
    Ann,1.0
    """
    texts = table.select_dtypes(exclude=["number", "bool"]).columns
    safe = {name: table[name].map(_defused, na_action="ignore") for name in texts}
    names = [_defused(str(name)) for name in table]
    table.assign(**safe).set_axis(names, axis=1).to_csv(path, index=False, encoding="utf-8", lineterminator="\n")


def _defused(text: object) -> str:
    return _RUNS.sub(r"\1\2'\3", _CONTROLS.sub(" ", str(text)))
