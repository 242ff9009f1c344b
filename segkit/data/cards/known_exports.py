"""Known exports: what a format gives a card, and which format a header is of.

A format is a TOML file in ``segkit/data/formats``: adding one is adding a file.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from segkit.runtime.errors import InputError
from segkit.runtime.spelling import nearest

FORMATS = Path(__file__).parents[1] / "formats"
_TABLES = ("orders", "products", "customers", "campaigns", "features")


@dataclass(frozen=True)
class Format:
    """An export of a shop system or of a platform, as a card's section would describe it.

    Attributes
    ----------
    name, title, table : str
        `table` is the section of a card that it goes into.
    header : tuple of str
        Columns that every such export has, in whatever order.
    section : dict
        Keys of the card's section; what the export lacks of it is left out.
    made, about : str
        The date of the format, and where it is described.
    asked : tuple of dict
        What only the shop can answer: ``key``, ``column``, ``question``, ``choices`` (``line``, ``means``).
    id : str
        The column that differs in every row, of customers and answers.
    categories, skus : tuple of str
        Columns that may stand for a product's category, and those with article numbers.
    """

    name: str
    title: str
    table: str
    header: tuple[str, ...]
    section: dict
    made: str
    about: str
    asked: tuple[dict, ...] = ()
    categories: tuple[str, ...] = ()
    skus: tuple[str, ...] = ()
    id: str = ""


@cache
def known_formats() -> dict[str, Format]:
    """Return the formats by name.

    Examples
    --------
    >>> known_formats()["shopify"].table
    'orders'
    """
    found = {}
    for path in sorted(FORMATS.glob("*.toml")):
        given = tomllib.loads(path.read_text(encoding="utf-8"))
        found[path.stem] = Format(
            path.stem, given["title"], given["table"], tuple(given["header"]), given["section"],
            given["made"], given["about"], tuple(given.get("asked", ())), tuple(given.get("categories", ())),
            tuple(given.get("skus", ())), given.get("id", given["section"].get("id", "")),
        )  # fmt: skip
    return found


def recognise(columns) -> Format | None:
    """Return the format of which all columns of the header are there: of several, the one that asks for most.

    Examples
    --------
    >>> recognise(["Email", "Lineitem price", "Name", "Lineitem name", "Lineitem quantity", "Created at", "Total",
    ...     "Financial Status"]).name
    'shopify'
    """
    there = {column.strip().lower() for column in columns}
    fitting = [one for one in known_formats().values() if {name.lower() for name in one.header} <= there]
    return max(fitting, key=lambda one: len(one.header), default=None)


def with_format(content: dict, card: str) -> tuple[dict, dict[str, tuple[str, ...]]]:
    """Return a card's content with what its formats give, which the card overrules; and by table what they gave.

    Raises
    ------
    InputError
        An unknown format (names the nearest), or one of another table.
    """
    merged, from_format = dict(content), {}
    for table in _TABLES:
        section = content.get(table)
        name = section.get("format") if isinstance(section, dict) else None
        if not isinstance(name, str) or not name:
            continue
        known = known_formats().get(name)
        if known is None or known.table != table:
            fitting = [one for one, format_ in known_formats().items() if format_.table == table]
            raise InputError(
                f"{card}: [{table}] `format` is {name!r}{nearest(name, fitting) or '.'} Known: {', '.join(fitting)}"
            )
        merged[table], from_format[table] = _merge(known.section, section)
    return merged, from_format


def _merge(given: dict, section: dict) -> tuple[dict, tuple[str, ...]]:
    columns = dict(given.get("columns", {}))
    own = section.get("columns", {})
    if isinstance(own, dict) and isinstance(columns, dict):
        if {"amount", "unit_price"} & set(own) or "order_total" in section:
            columns = {name: sql for name, sql in columns.items() if name not in ("amount", "unit_price")}
        keys = [f"columns.{name}" for name in columns if name not in own]
        columns |= own
    else:
        keys, columns = [], own or columns
    keys += [key for key in given if key not in section and key != "columns"]
    keys += [f"exclude.{reason}" for reason in given.get("exclude", {}) if reason not in section.get("exclude", {})]
    merged = {**given, **section}
    if columns:
        merged["columns"] = columns
    if "exclude" in given and isinstance(section.get("exclude"), dict):
        merged["exclude"] = {**given["exclude"], **section["exclude"]}
    return merged, tuple(keys)
