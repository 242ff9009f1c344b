"""The sections of a card: which keys may stand where, and what they become.

A misspelt key is an error with the right spelling beside it, never a setting that is silently ignored.
"""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from segkit.runtime.errors import InputError
from segkit.runtime.spelling import nearest, quote

KINDS = ("money", "count", "share", "number", "category", "binary", "days")

# Canonical columns of each table: required first, then optional. `None` stands for columns of any name.
REQUIRED = {
    "orders": ("customer_id", "order_id", "ordered_at", "product_id", "quantity"),  # and amount or unit_price
    "products": ("product_id",),
    "customers": ("customer_id",),
    "campaigns": ("customer_id", "campaign_id", "sent_at"),
}
OPTIONAL = {
    "orders": (
        "amount",
        "unit_price",
        "discount",
        "coupon_discount",
        "category",
        "channel",
        "country",
        "store_id",
        "is_return",
    ),
    "products": ("category", "brand", "own_brand", "name"),
    "customers": None,
    "campaigns": ("responded_at",),
}

_FILE_KEYS = ("source", "table", "sheet", "separator", "encoding", "decimal")
_TABLE_KEYS = (*_FILE_KEYS, "sql", "columns", "date_format", "time_zone")
_READY_KEYS = (*_FILE_KEYS, "id", "columns", "kinds", "outcomes")
CARD_KEYS = ("title", "currency", "licence", "citation", "engine")
SECTIONS = (*REQUIRED, "features", "sources", "fetch", "custom_features", "defaults")
_FETCH_KEYS = ("url", "sha256", "member", "member_sha256", "path")
_CUSTOM_KEYS = ("sql", "kind", "family", "unit", "definition")
_RESERVED = (*REQUIRED, *(f"raw_{name}" for name in REQUIRED), "all_orders", "judged_orders")  # names of views
DATABASES = ("postgresql://", "postgres://")
_ENCODINGS = ("utf-8", "utf-16", "latin-1")


@dataclass(frozen=True)
class FileSource:
    """One or many files of the same shape: a path or pattern, and how to read it where that can't be seen.

    `source` is relative to the card, absolute, or ``package:NAME/path`` inside an installed Python package; or it is
    the address of a PostgreSQL database, and `table` says which of its tables (or views) is read.
    """

    source: str
    table: str | None = None
    sheet: str | None = None
    separator: str | None = None
    encoding: str = "utf-8"
    decimal: str = "."

    @property
    def in_database(self) -> bool:
        """Return whether the rows lie in a database and not in a file."""
        return self.source.startswith(DATABASES)

    @property
    def name(self) -> str:
        """Return what messages call it."""
        return self.table if self.table else Path(self.source).name


@dataclass(frozen=True)
class TableSource:
    """Where one canonical table comes from: a file or a query, and an SQL expression per canonical column."""

    file: FileSource | None
    sql: str | None
    columns: dict[str, str]
    exclude: dict[str, str] = field(default_factory=dict)
    date_format: tuple[str, ...] = ()  # tried in order
    time_zone: str | None = None

    @property
    def decimal(self) -> str:
        """Return the decimal mark of numbers that are stored as text."""
        return self.file.decimal if self.file else "."


@dataclass(frozen=True)
class ReadyTable:
    """A table with one row per customer: its file, its id, and what is known about its columns."""

    file: FileSource
    id: str
    columns: tuple[str, ...] | None
    kinds: dict[str, str]
    outcomes: tuple[str, ...]


def check_keys(section: dict, known, path: Path, where: str) -> None:
    """Refuse a key that isn't known, with the nearest that is."""
    for key in section:
        if key not in known:
            listed = ", ".join(known)
            raise InputError(f"{path.name}: {where} has no key `{key}`{nearest(key, known) or '.'} Known: {listed}")


def read_section(content: dict, name: str, path: Path) -> dict:
    """Return a part of the card that must be a section."""
    section = content.get(name, {})
    if not isinstance(section, dict):
        raise InputError(f"{path.name}: `{name}` must be a section, written as [{name}], not {section!r}")
    return section


def read_text(section: dict, key: str, path: Path, where: str, default=None):
    """Return a text of the card; `default` where it isn't given."""
    text = section.get(key, default)
    if text is not default and not isinstance(text, str):
        raise InputError(f"{path.name}: {where} needs text in quotes for `{key}`, not {text!r}")
    return text


def _names(section: dict, key: str, path: Path, where: str) -> tuple[str, ...]:
    names = section.get(key, [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f'{path.name}: {where} needs a list of columns for `{key}`, such as ["age", "visits"]')
    return tuple(names)


def _read_formats(section: dict, path: Path, where: str) -> tuple[str, ...]:
    """Return the formats of dates, which a card gives as a text or as a list of texts."""
    given = section.get("date_format", [])
    formats = [given] if isinstance(given, str) else given
    if not isinstance(formats, list) or not all(isinstance(one, str) and "%" in one for one in formats):
        raise InputError(
            f"{path.name}: {where} needs a format in quotes, or a list of them, for `date_format`, such as "
            f'["%d.%m.%Y %H:%M", "%Y-%m-%d"], not {given!r}'
        )
    return tuple(formats)


def _read_file(section: dict, path: Path, where: str) -> FileSource:
    texts = {key: read_text(section, key, path, where) for key in _FILE_KEYS if key in section}
    if texts.get("encoding", "utf-8") not in _ENCODINGS:
        raise InputError(
            f"{path.name}: {where} `encoding` is one of {', '.join(_ENCODINGS)}, not {texts['encoding']!r}"
        )
    if texts.get("decimal", ".") not in (".", ","):
        raise InputError(f'{path.name}: {where} `decimal` is "." or ",", not {texts["decimal"]!r}')
    if len(texts.get("separator", ";")) != 1:
        raise InputError(f"{path.name}: {where} `separator` is one character, not {texts['separator']!r}")
    file = FileSource(**texts)
    if file.in_database:
        check_address(file, f"{path.name}: {where}")
        if not file.table:
            raise InputError(f'{path.name}: {where} reads a database and needs table = "schema.name" beside `source`')
    elif file.table:
        raise InputError(
            f"{path.name}: {where} `table` goes with the address of a database as `source`, such as "
            '"postgresql://reader@localhost/shop"'
        )
    return file


def check_address(file: FileSource, where: str) -> None:
    """Refuse an address with a password, without ever showing it."""
    parts = urlsplit(file.source)
    if parts.password is not None or "password" in parse_qs(parts.query):
        raise InputError(
            f"{where} `source` holds a password, and cards are shared: write "
            f'"postgresql://{parts.username or "reader"}@..." and put the password into ~/.pgpass or PGPASSWORD'
        )


def _read_expressions(section: dict, path: Path, where: str) -> dict[str, str]:
    """Return SQL by name: a plain text is a source column, ``{ sql = "..." }`` an expression over them."""
    expressions = {}
    for name, given in section.items():
        if isinstance(given, str):
            expressions[name] = quote(given)
        elif isinstance(given, dict) and set(given) == {"sql"} and isinstance(given["sql"], str):
            expressions[name] = given["sql"]
        else:
            raise InputError(
                f'{path.name}: {where} `{name}` must be a column in quotes or {{ sql = "..." }}, not {given!r}'
            )
    return expressions


def read_table(section, name: str, path: Path) -> TableSource:
    """Return where a canonical table comes from, every key and column name checked."""
    where = f"[{name}]"
    section = read_section({name: section}, name, path)
    check_keys(section, (*_TABLE_KEYS, "exclude") if name == "orders" else _TABLE_KEYS, path, where)
    if ("source" in section) == ("sql" in section):
        raise InputError(f'{path.name}: {where} needs either source = "FILE" or sql = "SELECT ..."')
    columns = _read_expressions(read_section(section, "columns", path), path, f"[{name}.columns]")
    optional = OPTIONAL[name]
    if optional is not None:
        check_keys(columns, (*REQUIRED[name], *optional), path, f"[{name}.columns]")
    missing = [column for column in REQUIRED[name] if column not in columns]
    if name == "orders" and not {"amount", "unit_price"} & set(columns):
        missing.append("amount (or unit_price)")
    if missing:
        raise InputError(
            f"{path.name}: [{name}.columns] lacks {', '.join(missing)}; name the source column for each, "
            'or give an expression, such as quantity = { sql = "1" }'
        )
    if {"amount", "unit_price"} <= set(columns):
        raise InputError(f"{path.name}: [{name}.columns] has both amount and unit_price; keep one of them")
    exclude = read_section(section, "exclude", path)
    for reason, condition in exclude.items():
        if not isinstance(condition, str):
            raise InputError(f"{path.name}: [{name}.exclude] `{reason}` must be an SQL condition in quotes")
    return TableSource(
        file=_read_file(section, path, where) if "source" in section else None,
        sql=read_text(section, "sql", path, where),
        columns=columns,
        exclude=exclude,
        date_format=_read_formats(section, path, where),
        time_zone=read_text(section, "time_zone", path, where),
    )


def read_ready_table(section, path: Path) -> ReadyTable:
    """Return what [features] says of a table with one row per customer."""
    where = "[features]"
    section = read_section({"features": section}, "features", path)
    check_keys(section, _READY_KEYS, path, where)
    for key in ("source", "id"):
        if key not in section:
            raise InputError(f"{path.name}: {where} lacks `{key}`")
    kinds = read_section(section, "kinds", path)
    for column, kind in kinds.items():
        if kind not in KINDS:
            raise InputError(
                f"{path.name}: [features.kinds] `{column}` is {kind!r}{nearest(kind, KINDS) or '.'} "
                f"Known: {', '.join(KINDS)}"
            )
    return ReadyTable(
        file=_read_file(section, path, where),
        id=read_text(section, "id", path, where),
        columns=_names(section, "columns", path, where) if "columns" in section else None,
        kinds=kinds,
        outcomes=_names(section, "outcomes", path, where),
    )


def read_sources(content: dict, path: Path) -> dict[str, FileSource]:
    """Return the files that the queries of a card name."""
    sources = {}
    for name, given in read_section(content, "sources", path).items():
        if name in _RESERVED or not name.isidentifier():
            raise InputError(f"{path.name}: [sources] `{name}` can't name a file; take another plain name")
        section = {"source": given} if isinstance(given, str) else given
        if not isinstance(section, dict) or "source" not in section:
            raise InputError(f'{path.name}: [sources] `{name}` must be a file in quotes or {{ source = "..." }}')
        check_keys(section, _FILE_KEYS, path, f"[sources] {name}")
        sources[name] = _read_file(section, path, f"[sources] {name}")
    return sources


def read_custom_features(section: dict, path: Path) -> dict[str, dict]:
    """Return the card's own features; their SQL is checked where they are computed."""
    for name, feature in read_section({"custom_features": section}, "custom_features", path).items():
        where = f"[custom_features] {name}"
        if not isinstance(feature, dict) or not isinstance(feature.get("sql"), str):
            raise InputError(f'{path.name}: {where} must be {{ sql = "...", kind = "...", family = "..." }}')
        check_keys(feature, _CUSTOM_KEYS, path, where)
        if feature.get("kind", "number") not in KINDS:
            raise InputError(f"{path.name}: {where} `kind` is one of {', '.join(KINDS)}, not {feature['kind']!r}")
    return section


def read_fetch(content: dict, path: Path) -> dict[str, str]:
    """Return where a public dataset is published and what its checksums are."""
    section = read_section(content, "fetch", path)
    check_keys(section, _FETCH_KEYS, path, "[fetch]")
    if section and (missing := [key for key in ("url", "sha256", "path") if key not in section]):
        raise InputError(f"{path.name}: [fetch] lacks {', '.join(missing)}")
    return {key: read_text(section, key, path, "[fetch]") for key in section}
