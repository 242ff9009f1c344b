"""What a table and a column are: type, unit, definition."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """What a column holds: its type (``text integer number share money boolean``), unit and definition."""

    type: str
    unit: str
    definition: str


@dataclass(frozen=True)
class Table:
    """What a table holds: a sentence, its columns, the columns it is sorted by.

    An `open` table has further columns that depend on the data (one per feature, say).
    """

    about: str
    columns: dict[str, Column]
    sort: tuple[str, ...]
    open: bool = False


def text(definition: str, unit: str = "") -> Column:
    return Column("text", unit, definition)


def integer(definition: str, unit: str = "") -> Column:
    return Column("integer", unit, definition)


def number(definition: str, unit: str = "") -> Column:
    return Column("number", unit, definition)


def share(definition: str) -> Column:
    return Column("share", "0 to 1", definition)


def money(definition: str) -> Column:
    return Column("money", "currency", definition)


def boolean(definition: str) -> Column:
    return Column("boolean", "", definition)
