"""The sections of a card: which keys may stand where, and what they become.

A misspelt key is an error with the right spelling beside it, never a setting that is silently ignored.
"""

import codecs
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StrictBool,
    StrictInt,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError

from segkit.runtime.errors import InputError
from segkit.runtime.spelling import nearest, quote

KINDS = ("money", "count", "share", "number", "category", "binary", "days")
TO_DECIDE = "TO DECIDE"  # the value of a key that its owner still has to choose

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
DATABASES = ("postgresql://", "postgres://")
_NUMBERS = ("quantity", "amount", "unit_price", "discount", "coupon_discount")
_RESERVED = (*REQUIRED, *(f"raw_{name}" for name in REQUIRED), "all_orders", "judged_orders", "contacts")  # views
_PREFIX = "^([A-Za-z]{2,})[-_. ]?[0-9]"
_CONFIG = ConfigDict(extra="forbid")


class Sql(str):
    """An SQL expression, as opposed to the name of a column."""


def as_sql(given) -> Sql:
    """Return SQL of what a card gives for a column: its name in quotes, or ``{ sql = "..." }``.

    ``{ prefix_of = "..." }`` is the word that an article number begins with.

    Examples
    --------
    >>> as_sql("Order No"), as_sql({"sql": "1"})
    ('"Order No"', '1')
    """
    if isinstance(given, Sql):
        return given
    if isinstance(given, str) and given.strip():
        return Sql(quote(given))
    if isinstance(given, dict) and set(given) == {"sql"} and isinstance(given["sql"], str) and given["sql"].strip():
        return condition(given["sql"])
    if isinstance(given, dict) and set(given) == {"prefix_of"} and isinstance(given["prefix_of"], str):
        return Sql(f"nullif(regexp_extract({quote(given['prefix_of'])}::VARCHAR, '{_PREFIX}', 1), '')")
    raise ValueError(f'must be a column in quotes or {{ sql = "..." }}, not {given!r}')


def _or_none(given) -> Sql | None:
    """Return SQL as `as_sql` does; None for false, which overrules what a format gives."""
    return None if given is False or given is None else as_sql(given)


def condition(given) -> Sql:
    """Return SQL that a card gives; what a comment at its end could swallow stands on a line of its own."""
    if not isinstance(given, str) or not given.strip():
        raise ValueError(f"must be an SQL condition in quotes, not {given!r}")
    return Sql(f"({given}\n)" if "--" in given and not isinstance(given, Sql) else given)


def _names(given):
    if isinstance(given, list | tuple) and all(isinstance(name, str) for name in given):
        return tuple(given)
    raise ValueError(f'needs a list of columns or words, such as ["age", "visits"], not {given!r}')


def _formats(given):
    listed = [given] if isinstance(given, str) else given
    if isinstance(listed, list | tuple) and all(
        isinstance(one, str) and ("%" in one or one == "excel") for one in listed
    ):
        return tuple(listed)
    raise ValueError(
        "must be a format in quotes or a list of them, such as "
        f'["%d.%m.%Y %H:%M", "%Y-%m-%d"], or "excel" for the numbers of a spreadsheet, not {given!r}'
    )


def _section(about: str) -> PydanticCustomError:
    return PydanticCustomError("section", "{about}", {"about": about})


Expression = Annotated[Sql, PlainValidator(as_sql)]
Optional = Annotated[Sql | None, PlainValidator(_or_none)]
Condition = Annotated[Sql, PlainValidator(condition)]
Names = Annotated[tuple[str, ...], PlainValidator(_names)]


@dataclass(frozen=True, config=_CONFIG)
class Section:
    """A part of a card whose keys are known."""

    @model_validator(mode="before")
    @classmethod
    def _keys_are_known(cls, given):
        if isinstance(given, Mapping):
            known = [one.alias or name for name, one in cls.__pydantic_fields__.items() if name != "from_format"]
            for key in given:
                if key not in known:
                    listed = ", ".join(known)
                    raise _section(f"has no key `{key}`{nearest(key, known) or '.'} Known: {listed}")
        return given


@dataclass(frozen=True, config=_CONFIG)
class FileSource(Section):
    """One or many files of the same shape: a path or pattern, and how to read it where that can't be seen.

    `source` is relative to the card, absolute, or ``package:NAME/path`` inside an installed Python package; or it is
    the address of a PostgreSQL database, and `table` says which of its tables (or views) is read.

    `header_row` counts from 1; `rows_below` are between header and data; `records` names the list of a JSON record
    that has a row per entry. Cells of `fill_down` stand on an order's first line only.
    """

    source: str = ""
    table: str | None = None
    sheet: str | None = None
    sheets: Names = ()
    header_row: Annotated[StrictInt, Field(ge=1, le=1000)] | None = None
    rows_below: StrictInt = 0
    records: str = ""
    separator: str | None = None
    encoding: str = "utf-8"
    decimal: str | dict[str, str] = "."
    fill_down: Names = ()
    format: str = ""

    @field_validator("source")
    @classmethod
    def _has_no_password(cls, source: str) -> str:
        check_address(source)
        if "\0" in source:
            raise ValueError("holds a character that no path has")
        return source

    @field_validator("encoding")
    @classmethod
    def _is_an_encoding(cls, encoding: str) -> str:
        try:
            known = codecs.lookup(encoding)._is_text_encoding and "idna" not in encoding
        except (LookupError, ValueError):
            known = False
        if not known:
            raise ValueError(f"is one of utf-8, utf-16, cp1252 (Western Windows), latin-1, not {encoding!r}")
        return encoding

    @field_validator("decimal")
    @classmethod
    def _is_a_mark(cls, decimal):
        marks = decimal.values() if isinstance(decimal, dict) else [decimal]
        if wrong := [mark for mark in marks if mark not in (".", ",", ".,")]:
            raise ValueError(
                f'is "." or ",", ".," where both are marks of decimals, or {{ amount = ",", quantity = "." }}, '
                f"not {wrong[0]!r}"
            )
        return decimal

    @field_validator("separator")
    @classmethod
    def _is_one_character(cls, separator: str | None) -> str | None:
        if separator is not None and len(separator) != 1:
            raise ValueError(f"is one character, not {separator!r}")
        return separator

    @model_validator(mode="after")
    def _fits_together(self):
        if self.in_database and not self.table:
            raise _section('reads a database and needs table = "schema.name" beside `source`')
        if self.table and not self.in_database:
            raise _section(
                '`table` goes with the address of a database as `source`, such as "postgresql://reader@localhost/shop"'
            )
        if self.sheet and self.sheets:
            raise _section("has both sheet and sheets; keep one of them")
        return self

    @property
    def in_database(self) -> bool:
        """Return whether the rows lie in a database and not in a file."""
        return self.source.startswith(DATABASES)

    @property
    def name(self) -> str:
        """Return what messages call it."""
        return self.table if self.table else Path(self.source).name

    def mark(self, column: str) -> str:
        """Return the decimal mark of a column whose numbers are stored as text: ``.``, ``,`` or ``.,`` for either."""
        return self.decimal if isinstance(self.decimal, str) else self.decimal.get(column, ".")


@dataclass(frozen=True, config=_CONFIG)
class Status(Section):
    """What the words of a column mean for the lines that have them, in any case; `others` for words not listed."""

    column: Expression
    sale: Names = ()
    returned: Names = Field(default=(), alias="return")
    not_a_sale: Names = ()
    others: Literal["sale", "return", "not_a_sale"] | None = None

    @model_validator(mode="after")
    def _each_word_once(self):
        words = [word.strip().lower() for word in (*self.sale, *self.returned, *self.not_a_sale)]
        if twice := [word for word in words if words.count(word) > 1]:
            raise _section(f"lists {twice[0]!r} twice; a word means one thing")
        return self


@dataclass(frozen=True, config=_CONFIG)
class TableSource(FileSource):
    """Where one canonical table comes from: a file or a query, and an SQL expression per canonical column."""

    name_of_table: ClassVar[str] = ""
    sql: str | None = None
    columns: dict[str, Optional] = Field(default_factory=dict)
    date_format: Annotated[tuple[str, ...], PlainValidator(_formats)] = ()  # tried in order
    time_zone: str | None = None  # "as written": whatever the offset
    fold_case: StrictBool | None = None
    from_format: Names = ()  # keys that no card has: they came with the format, and may be missing in the file

    exclude: ClassVar[dict[str, str]] = {}
    status: ClassVar[Status | None] = None

    @field_validator("columns")
    @classmethod
    def _without_refused(cls, columns: dict) -> dict:
        return {name: sql for name, sql in columns.items() if sql is not None}

    @model_validator(mode="after")
    def _columns_are_known(self):
        name, where = self.name_of_table, f"[{self.name_of_table}.columns]"
        if bool(self.source) == bool((self.sql or "").strip()):
            raise _section('needs either source = "FILE" or sql = "SELECT ..."')
        known = (*REQUIRED[name], *(OPTIONAL[name] or ()))
        for column in self.columns if OPTIONAL[name] is not None else ():
            if column not in known:
                listed = ", ".join(known)
                raise _section(f"{where} has no key `{column}`{nearest(column, known) or '.'} Known: {listed}")
        missing = [column for column in REQUIRED[name] if column not in self.columns]
        if name == "orders" and not {"amount", "unit_price"} & set(self.columns) and not self.order_total:
            missing.append("amount (or unit_price)")
        if missing:
            raise _section(
                f"{where} lacks {', '.join(missing)}; name the source column for each, "
                'or give an expression, such as quantity = { sql = "1" }'
            )
        if {"amount", "unit_price"} <= set(self.columns):
            raise _section(f"{where} has both amount and unit_price; keep one of them")
        return self

    @property
    def file(self) -> "TableSource | None":
        """Return itself where its rows lie in files, None where they are a query."""
        return self if self.source else None


@dataclass(frozen=True, config=_CONFIG)
class OrdersTable(TableSource):
    """Order lines: what else an export needs, in words.

    Attributes
    ----------
    placeholders : tuple of str
        Customer ids, in any case, that stand for nobody.
    order_key : tuple of str
        What makes an order number unique: order_id, date, customer_id, or columns of the file.
    order_total, order_discount, order_refund : SQL
        Money of a whole order, on any of its lines: the first is spread over the lines (by price x quantity where
        there is a unit price, else evenly), the others are taken off in proportion.
    line_refund : SQL
        Money that was given back for the line, above zero: taken off it.
    discount_is : str
        Whether the line's discount is money, money below zero, money per piece, a rate from 0 to 1, or a percentage.
    take_off_discount : bool
        Whether the amounts still include the line's discount.
    signed_by : str
        ``quantity`` where amounts have no sign of their own.
    currency_column : SQL
        The currency of each line; lines in another one than the card's are left out.
    totals : dict
        What the export states of a whole order: subtotal or total, with shipping and tax where it includes them.
    """

    name_of_table: ClassVar[str] = "orders"
    exclude: dict[str, Condition] = Field(default_factory=dict)
    placeholders: Names = ()
    order_key: Names = ()
    order_total: Optional = None
    order_discount: Optional = None
    order_refund: Optional = None
    line_refund: Optional = None
    discount_is: Literal["money", "negative", "per piece", "rate", "percent"] = "money"
    take_off_discount: StrictBool = False
    signed_by: Literal["quantity"] | None = None
    currency_column: Optional = None
    status: Status | None = None
    totals: dict[Literal["subtotal", "total", "shipping", "tax"], Expression] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _money_is_clear(self):
        if self.order_total and "amount" in self.columns:
            raise _section("has both order_total and an amount in [orders.columns]; keep one of them")
        if isinstance(self.decimal, dict) and (others := set(self.decimal) - set(_NUMBERS)):
            raise _section(f"`decimal` has {min(others)!r}; it goes by {', '.join(_NUMBERS)}")
        return self


@dataclass(frozen=True, config=_CONFIG)
class ProductsTable(TableSource):
    name_of_table: ClassVar[str] = "products"


@dataclass(frozen=True, config=_CONFIG)
class CustomersTable(TableSource):
    name_of_table: ClassVar[str] = "customers"


@dataclass(frozen=True, config=_CONFIG)
class CampaignsTable(TableSource):
    name_of_table: ClassVar[str] = "campaigns"


def _kind(given):
    if given not in KINDS:
        raise ValueError(f"is {given!r}{nearest(given, KINDS) or '.'} Known: {', '.join(KINDS)}")
    return given


@dataclass(frozen=True, config=_CONFIG)
class ReadyTable(FileSource):
    """A table with one row per customer: its file, its id, and what is known about its columns."""

    id: str = ""
    columns: Names | None = None
    kinds: dict[str, Annotated[str, BeforeValidator(_kind)]] = Field(default_factory=dict)
    outcomes: Names = ()
    exclude: dict[str, Condition] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_an_id(self):
        for key in ("source", "id"):
            if not getattr(self, key):
                raise _section(f"lacks `{key}`")
        return self


@dataclass(frozen=True, config=_CONFIG)
class CustomFeature(Section):
    sql: Condition
    kind: Annotated[str, BeforeValidator(_kind)] = "number"
    family: str = "value"
    unit: str = ""
    definition: str = ""


@dataclass(frozen=True, config=_CONFIG)
class Fetch(Section):
    """Where a public dataset is published, and its checksums."""

    url: str
    sha256: str
    path: str
    member: str | None = None
    member_sha256: str | None = None


@dataclass(frozen=True, config=_CONFIG)
class Consent(Section):
    """Why customers need not be asked before they are written to."""

    not_needed: str

    @model_validator(mode="after")
    def _has_a_reason(self):
        if not self.not_needed.strip():
            raise _section('needs a reason, as in not_needed = "customers under contract"')
        return self


def _file(given):
    return {"source": given} if isinstance(given, str) else given


@dataclass(frozen=True, config=_CONFIG)
class CardFile(Section):
    """All of a card."""

    title: str = ""
    currency: str = ""
    licence: str = ""
    citation: str = ""
    engine: str = ""
    never_named: tuple[str, ...] = ()  # words: goods that hold one are on no page
    orders: OrdersTable | None = None
    products: ProductsTable | None = None
    customers: CustomersTable | None = None
    campaigns: CampaignsTable | None = None
    features: ReadyTable | None = None
    sources: dict[str, Annotated[FileSource, BeforeValidator(_file)]] = Field(default_factory=dict)
    fetch: Fetch | None = None
    consent: Consent | None = None
    custom_features: dict[str, CustomFeature] = Field(default_factory=dict)
    defaults: dict = Field(default_factory=dict)

    @model_validator(mode="after")
    def _sections_go_together(self):
        if (self.orders is None) == (self.features is None):
            raise _section("has either [orders] (one row per order line) or [features] (one row per customer)")
        if self.features and (also := [name for name in REQUIRED if getattr(self, name)]):
            raise _section(f"has [{also[0]}], which does not go with [features]")
        lower = [name.lower() for name in self.sources]
        for name, file in self.sources.items():
            if name.lower() in _RESERVED or not name.isidentifier() or lower.count(name.lower()) > 1:
                raise _section(f"[sources] `{name}` can't name a file; take another plain name")
            if not file.source:
                raise _section(f'[sources] `{name}` must be a file in quotes or {{ source = "..." }}')
        for name in self.custom_features:
            if not name.strip() or name.lower() == "customer_id":
                raise _section(f"[custom_features] `{name}` can't name a feature; take another plain name")
        return self


_READER = TypeAdapter(CardFile)


def read_sections(content: dict, card: str) -> CardFile:
    """Return the sections of a card, every key and value of it checked.

    Raises
    ------
    InputError
        One line with the card's name, the section, the key, and the nearest right one.

    Examples
    --------
    >>> read_sections({"orders": {"sorce": "a.csv"}}, "shop.toml")
    Traceback (most recent call last):
    segkit.InputError: shop.toml: [orders] has no key `sorce`; did you mean `source`? Known: source, table, ...
    """
    try:
        return _READER.validate_python(content)
    except ValidationError as refused:
        errors = refused.errors(include_url=False, include_input=False)
    missing = [str(error["loc"][-1]) for error in errors if error["type"] == "missing"]
    raise InputError(f"{card}: {_explain(errors[0], missing)}")


def _explain(error: dict, missing: list[str]) -> str:
    """Return one of pydantic's errors in the words of a card."""
    *section, key = error["loc"] or ("",)
    kind, about = error["type"], error.get("ctx", {})
    if kind == "section":
        said = about["about"]
        return said if said.startswith("[") else f"{_place(error['loc'])} {said}"
    where = _place(section)
    if kind == "missing" and section[:1] == ["custom_features"]:
        return f'{where} must be {{ sql = "...", kind = "...", family = "..." }}'
    if kind == "missing":
        return f"{where} lacks {', '.join(missing)}"
    if kind == "value_error":
        said = str(about["error"])
        needs = said.startswith("needs a list of columns")
        return f"{where} {said.replace('columns', f'columns for `{key}`', 1)}" if needs else f"{where} `{key}` {said}"
    if kind == "string_type":
        return f"{where} needs text in quotes for `{key}`"
    if kind in ("dict_type", "dataclass_type", "dataclass_exact_type"):
        if section == ["custom_features"]:
            return f'{where} {key} must be {{ sql = "...", kind = "...", family = "..." }}'
        if section == ["sources"]:
            return f'{where} `{key}` must be a file in quotes or {{ source = "..." }}'
        return f"{where} `{key}` must be a section, written as [{'.'.join(map(str, error['loc']))}]"
    said = {"bool_type": "is true or false", "int_type": "is a whole number"}.get(kind)
    said = said or (
        f"is one of {about['expected']}" if "expected" in about else error["msg"][:1].lower() + error["msg"][1:]
    )
    return f"{where} `{key}`: {said}"


def _place(loc) -> str:
    """Return what messages call a section of a card.

    Examples
    --------
    >>> _place(()), _place(("orders", "columns")), _place(("sources", "sends"))
    ('the card', '[orders.columns]', '[sources] sends')
    """
    parts = [str(part) for part in loc]
    if parts[:1] in (["sources"], ["custom_features"]) and len(parts) > 1:
        return f"[{parts[0]}] {parts[1]}"
    return f"[{'.'.join(parts)}]" if parts else "the card"


def check_address(source: str) -> None:
    """Refuse an address with a password, without ever showing it.

    Examples
    --------
    >>> check_address("postgresql://me:secret@host/shop")
    Traceback (most recent call last):
    segkit.InputError: holds a password, and cards are shared: write "postgresql://me@..." and put the password ...
    """
    if source.startswith(DATABASES):
        parts = urlsplit(source)
        secret = parts.password is not None or any("pass" in key.lower() for key in parse_qs(parts.query, True))
        user = parts.username or "reader"
    else:
        secret, user = re.search(r"passw(or)?d\s*=|://[^/@\s]*:[^/@\s]*@", source, re.IGNORECASE), "reader"
    if secret:
        raise InputError(
            f'holds a password, and cards are shared: write "postgresql://{user}@..." and put the password into '
            "~/.pgpass or PGPASSWORD"
        )
