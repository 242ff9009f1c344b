"""CSV files that are safe to open in a spreadsheet."""

from pathlib import Path

import pandas as pd

from segkit.runtime.text import safe_cell


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a CSV that is safe to open in a spreadsheet: a text that would run as a formula gets an apostrophe first.

    See `safe_cell`; tabs and line ends become spaces. Numbers stay numbers, a minus included.

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
    safe = {name: table[name].map(safe_cell, na_action="ignore") for name in texts}
    names = [safe_cell(name) for name in table]
    table.assign(**safe).set_axis(names, axis=1).to_csv(path, index=False, encoding="utf-8", lineterminator="\n")
