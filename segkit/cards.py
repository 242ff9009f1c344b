"""Dataset cards: what a dataset is called, where its files lie, and which column means what.

A card is a small TOML file. Reading one checks every name in it, so that a misspelt key is an error with the right
spelling beside it, and never a setting that is silently ignored. No data file is opened here.
"""

import tomllib
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from segkit.errors import InputError

ROOT = Path(__file__).resolve().parent.parent
CARDS = ROOT / "data"

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

_FILE_KEYS = ("source", "sheet", "separator", "encoding", "decimal")
_TABLE_KEYS = (*_FILE_KEYS, "sql", "columns", "date_format", "time_zone")
_READY_KEYS = (*_FILE_KEYS, "id", "columns", "kinds", "outcomes")
_CARD_KEYS = ("title", "currency", "licence", "citation")
_SECTIONS = (
    "orders",
    "products",
    "customers",
    "campaigns",
    "features",
    "sources",
    "fetch",
    "custom_features",
    "defaults",
)
_FETCH_KEYS = ("url", "sha256", "member", "member_sha256", "path")
_CUSTOM_KEYS = ("sql", "kind", "family", "unit", "definition")
_ENCODINGS = ("utf-8", "utf-16", "latin-1")


@dataclass(frozen=True)
class FileSource:
    """One or many files of the same shape: a path or pattern, and how to read it where that can't be seen.

    `source` is relative to the card, absolute, or ``package:NAME/path`` inside an installed Python package.
    """

    source: str
    sheet: str | None = None
    separator: str | None = None
    encoding: str = "utf-8"
    decimal: str = "."


@dataclass(frozen=True)
class TableSource:
    """Where one canonical table comes from: a file or a query, and an SQL expression per canonical column."""

    file: FileSource | None
    sql: str | None
    columns: dict[str, str]
    exclude: dict[str, str] = field(default_factory=dict)
    date_format: str | None = None
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


@dataclass(frozen=True)
class Card:
    """A dataset card whose names have all been checked."""

    name: str
    path: Path
    title: str
    currency: str
    licence: str
    citation: str
    tables: dict[str, TableSource]
    ready: ReadyTable | None
    custom_features: dict[str, dict]
    defaults: dict
    sources: dict[str, FileSource]
    fetch: dict[str, str]

    @property
    def folder(self) -> Path:
        """Return the folder that the card's files are relative to."""
        return self.path.parent

    def __repr__(self) -> str:
        tables = ", ".join(self.tables) or "features"
        return f"{self.name}: {self.title} ({tables})"


def list_cards(folder: Path = CARDS) -> list[Path]:
    """Return the cards in `folder`, sorted by name.

    Examples
    --------
    >>> [path.stem for path in list_cards()][:1]
    ['complete-journey']
    """
    return sorted(folder.glob("*.toml"))


def read_card(dataset: str | Path, source: str | Path | None = None) -> Card:
    """Return the card called `dataset`, every key of it checked.

    Parameters
    ----------
    dataset : str or path
        Name of a card in ``data/``, or the path of a card (anything that ends in ``.toml``).
    source : path, optional
        A file to read instead of the card's own order lines (or ready table); relative to the working directory.

    Raises
    ------
    InputError
        No such card (names the known ones and the nearest), TOML that can't be read (names the line), a misspelt
        or missing key (names the section and the nearest right key), a value of the wrong type.

    Examples
    --------
    >>> read_card("complete-journey")
    complete-journey: The Complete Journey (orders, products, customers, campaigns)
    >>> read_card("complete-jurney")
    Traceback (most recent call last):
    segkit.errors.InputError: no dataset `complete-jurney`; did you mean `complete-journey`? Known: ...
    """
    path = _find_card(dataset)
    content = _read_toml(path)
    _check_keys(content, (*_CARD_KEYS, *_SECTIONS), path, "the card")
    about = {key: _text(content, key, path, "the card", default="") for key in _CARD_KEYS}
    if not about["title"]:
        about["title"] = path.stem
    if ("orders" in content) == ("features" in content):
        raise InputError(
            f"{path.name}: a card has either [orders] (one row per order line) or [features] (one row per customer)"
        )
    if "features" in content and (also := [name for name in REQUIRED if name in content]):
        raise InputError(f"{path.name}: [{also[0]}] does not go with [features]")
    tables = {name: _read_table(content[name], name, path) for name in REQUIRED if name in content}
    ready = _read_ready_table(content["features"], path) if "features" in content else None
    if source is not None:
        tables, ready = _replace_file(tables, ready, Path(source), path)
    return Card(
        name=path.stem,
        path=path,
        **about,
        tables=tables,
        ready=ready,
        custom_features=_read_custom_features(content.get("custom_features", {}), path),
        defaults=_section(content, "defaults", path),
        sources=_read_sources(content, path),
        fetch=_read_fetch(content, path),
    )


def quote(column: str) -> str:
    """Return `column` as an SQL identifier.

    Examples
    --------
    >>> quote('Customer ID')
    '"Customer ID"'
    """
    return '"' + column.replace('"', '""') + '"'


def nearest(name: str, known) -> str:
    """Return ``; did you mean `x`?``, or nothing where no known name is close.

    Examples
    --------
    >>> nearest("custmer_id", ["customer_id", "order_id"])
    '; did you mean `customer_id`?'
    """
    by_lower = {str(one).lower(): str(one) for one in known}
    close = get_close_matches(str(name).lower(), list(by_lower), n=1, cutoff=0.6)
    return f"; did you mean `{by_lower[close[0]]}`?" if close else ""


def _find_card(dataset: str | Path) -> Path:
    text = str(dataset)
    if text.endswith(".toml"):
        path = Path(dataset)
        if not path.is_file():
            raise InputError(f"there is no card {text}; `segkit new-card FILE` writes one for a file of yours")
        return path.resolve()
    path = CARDS / f"{text}.toml"
    known = [card.stem for card in list_cards()]
    if text not in known:
        hint = nearest(text, known)
        if Path(text).is_file():
            hint = f": that is a file, and a dataset is named by its card; `segkit new-card {text}` writes one"
        raise InputError(
            f"no dataset `{text}`{hint or ';'} Known: {', '.join(known)}. "
            "For a file of your own, `segkit new-card FILE` writes a card."
        )
    return path


def _read_toml(path: Path) -> dict:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is not a text file in UTF-8 (byte {error.start}); save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(
            f"{path.name} is not valid TOML: {error}. Text stands in quotes, names with spaces too; a key may occur once"
        ) from None


def _check_keys(section: dict, known, path: Path, where: str) -> None:
    for key in section:
        if key not in known:
            raise InputError(
                f"{path.name}: {where} has no key `{key}`{nearest(key, known) or ';'} Known: {', '.join(known)}"
            )


def _section(content: dict, name: str, path: Path) -> dict:
    section = content.get(name, {})
    if not isinstance(section, dict):
        raise InputError(f"{path.name}: `{name}` must be a section, written as [{name}], not {section!r}")
    return section


def _text(section: dict, key: str, path: Path, where: str, default=None):
    text = section.get(key, default)
    if text is not default and not isinstance(text, str):
        raise InputError(f"{path.name}: {where} needs text in quotes for `{key}`, not {text!r}")
    return text


def _names(section: dict, key: str, path: Path, where: str) -> tuple[str, ...]:
    names = section.get(key, [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f'{path.name}: {where} needs a list of columns for `{key}`, such as ["age", "visits"]')
    return tuple(names)


def _read_file(section: dict, path: Path, where: str) -> FileSource:
    texts = {key: _text(section, key, path, where) for key in _FILE_KEYS if key in section}
    if texts.get("encoding", "utf-8") not in _ENCODINGS:
        raise InputError(
            f"{path.name}: {where} `encoding` is one of {', '.join(_ENCODINGS)}, not {texts['encoding']!r}"
        )
    if texts.get("decimal", ".") not in (".", ","):
        raise InputError(f'{path.name}: {where} `decimal` is "." or ",", not {texts["decimal"]!r}')
    if len(texts.get("separator", ";")) != 1:
        raise InputError(f"{path.name}: {where} `separator` is one character, not {texts['separator']!r}")
    return FileSource(**texts)


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


def _read_table(section, name: str, path: Path) -> TableSource:
    where = f"[{name}]"
    section = _section({name: section}, name, path)
    _check_keys(section, (*_TABLE_KEYS, "exclude") if name == "orders" else _TABLE_KEYS, path, where)
    if ("source" in section) == ("sql" in section):
        raise InputError(f'{path.name}: {where} needs either source = "FILE" or sql = "SELECT ..."')
    columns = _read_expressions(_section(section, "columns", path), path, f"[{name}.columns]")
    optional = OPTIONAL[name]
    if optional is not None:
        _check_keys(columns, (*REQUIRED[name], *optional), path, f"[{name}.columns]")
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
    exclude = _section(section, "exclude", path)
    for reason, condition in exclude.items():
        if not isinstance(condition, str):
            raise InputError(f"{path.name}: [{name}.exclude] `{reason}` must be an SQL condition in quotes")
    return TableSource(
        file=_read_file(section, path, where) if "source" in section else None,
        sql=_text(section, "sql", path, where),
        columns=columns,
        exclude=exclude,
        date_format=_text(section, "date_format", path, where),
        time_zone=_text(section, "time_zone", path, where),
    )


def _read_ready_table(section, path: Path) -> ReadyTable:
    where = "[features]"
    section = _section({"features": section}, "features", path)
    _check_keys(section, _READY_KEYS, path, where)
    for key in ("source", "id"):
        if key not in section:
            raise InputError(f"{path.name}: {where} lacks `{key}`")
    kinds = _section(section, "kinds", path)
    for column, kind in kinds.items():
        if kind not in KINDS:
            raise InputError(
                f"{path.name}: [features.kinds] `{column}` is {kind!r}{nearest(kind, KINDS) or ';'} "
                f"Known: {', '.join(KINDS)}"
            )
    return ReadyTable(
        file=_read_file(section, path, where),
        id=_text(section, "id", path, where),
        columns=_names(section, "columns", path, where) if "columns" in section else None,
        kinds=kinds,
        outcomes=_names(section, "outcomes", path, where),
    )


def _read_sources(content: dict, path: Path) -> dict[str, FileSource]:
    sources = {}
    for name, given in _section(content, "sources", path).items():
        section = {"source": given} if isinstance(given, str) else given
        if not isinstance(section, dict) or "source" not in section:
            raise InputError(f'{path.name}: [sources] `{name}` must be a file in quotes or {{ source = "..." }}')
        _check_keys(section, _FILE_KEYS, path, f"[sources] {name}")
        sources[name] = _read_file(section, path, f"[sources] {name}")
    return sources


def _read_custom_features(section: dict, path: Path) -> dict[str, dict]:
    for name, feature in _section({"custom_features": section}, "custom_features", path).items():
        where = f"[custom_features] {name}"
        if not isinstance(feature, dict) or not isinstance(feature.get("sql"), str):
            raise InputError(f'{path.name}: {where} must be {{ sql = "...", kind = "...", family = "..." }}')
        _check_keys(feature, _CUSTOM_KEYS, path, where)
        if feature.get("kind", "number") not in KINDS:
            raise InputError(f"{path.name}: {where} `kind` is one of {', '.join(KINDS)}, not {feature['kind']!r}")
    return section


def _read_fetch(content: dict, path: Path) -> dict[str, str]:
    section = _section(content, "fetch", path)
    _check_keys(section, _FETCH_KEYS, path, "[fetch]")
    if section and (missing := [key for key in ("url", "sha256", "path") if key not in section]):
        raise InputError(f"{path.name}: [fetch] lacks {', '.join(missing)}")
    return {key: _text(section, key, path, "[fetch]") for key in section}


def _replace_file(tables: dict, ready: ReadyTable | None, source: Path, path: Path):
    """Return tables and ready table with the main file replaced by `source`."""
    old = ready.file if ready else tables["orders"].file
    if old is None:
        raise InputError(f"{path.name}: [orders] is a query over several files, so one file can't replace it")
    new = FileSource(**{**vars(old), "source": str(source.absolute())})
    if ready:
        return tables, ReadyTable(**{**vars(ready), "file": new})
    return {**tables, "orders": TableSource(**{**vars(tables["orders"]), "file": new})}, None
