"""Which row of a file names its columns, and what they are then called."""

import re

_LOOKED_AT = 30  # rows
_FEWEST = 0.6  # of the widest row's cells are filled in a header
_VALUE = re.compile(r"[^A-Za-z]*\d[^A-Za-z]*|\d{4}-\d\d-\d\d.*")


def find_header(rows: list[list]) -> int:
    """Return the place of the row that names the columns: the first, or the one below titles and groups of columns.

    Examples
    --------
    >>> find_header([["Sales 2024", "", ""], ["", "", ""], ["order", "day", "paid"], ["1", "2024-01-05", "9.90"]])
    2
    >>> find_header([["order", "day"], ["1", "2024-01-05"]])
    0
    """
    rows = rows[:_LOOKED_AT]
    filled = [sum(not _empty(cell) for cell in row) for row in rows]
    widest = max(filled, default=0)
    if not rows or filled[0] > _FEWEST * widest:
        return 0
    for place, row in enumerate(rows):
        if filled[place] >= 0.9 * widest and all(isinstance(cell, str) and not _VALUE.fullmatch(cell) for cell in row):
            return place
    return 0


def column_names(header: list) -> list[str]:
    """Return the names of columns, each its own: the engine tells them apart without regard to case.

    Examples
    --------
    >>> column_names(["id", " ID ", "", "a"])
    ['id', 'ID_again', 'column_3', 'a']
    """
    names: list[str] = []
    taken: set[str] = set()
    for position, cell in enumerate(header, 1):
        name = str(cell).strip() or f"column_{position}"
        while name.lower() in taken:
            name += "_again"
        names.append(name)
        taken.add(name.lower())
    return names


def _empty(cell) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())
