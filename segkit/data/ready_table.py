"""A ready table with one row per customer: read, checked, and the kind of each column told or guessed."""

import re
from dataclasses import dataclass

import duckdb
import pandas as pd

from segkit.data import columns as as_sql
from segkit.data.cards.card import Card
from segkit.data.cards.datasets import way_to_get
from segkit.data.cards.locate import locate_files
from segkit.data.cards.sections import KINDS, FileSource, ReadyTable
from segkit.data.contacts import contact_columns
from segkit.data.convert import sql_text
from segkit.data.databases import copy_databases
from segkit.data.numbers import missing_number
from segkit.data.source_files import digest_files, parquet_files, scan
from segkit.data.wrong_sql import explain_parquet, explain_sql
from segkit.runtime.disk import temporary
from segkit.runtime.errors import InputError
from segkit.runtime.spelling import nearest, quote

MAX_BREACH_SHARE = 0.05
MOST_CATEGORIES = 50  # a text with more different values is a remark or an address, not a category

_YES_NO = dict.fromkeys(as_sql.YES, 1.0) | dict.fromkeys(as_sql.NO, 0.0)
_MONEY = ("spend", "spent", "revenue", "amount", "price", "sales", "income", "money", "ltv", "clv", "value", "cost")
_POSTCODE = re.compile(r"(^|_)(plz|postleitzahl|zip|zip_?code|post_?code|postal_?code|code_postal|codigo_postal)(_|$)")
_DAYS = ("day", "days", "recency", "tenure")
_COUNTS = ("count", "number", "num", "n", "orders", "visits", "purchases", "clicks", "sessions", "items", "frequency")


@dataclass(frozen=True)
class ReadyRows:
    """A ready table of customers.

    Attributes
    ----------
    table : DataFrame
        Index ``customer_id`` (text, sorted), a column per feature as it came, yes and no as 1 and 0.
    kinds : dict
        Kind by feature: money, count, share, number, category, binary, days.
    inferred : dict
        Why, for each feature whose kind the card does not give.
    outcomes : DataFrame
        Same index; columns that are never clustered on.
    left_out : dict
        Columns that are neither, and why: contact data, remarks, dates, empty ones.
    ledger : DataFrame
        ``reason, rows, orders, customers, amount`` with the reasons ``kept`` and ``missing_id``; no orders, no money.
    quarantine : DataFrame
        Rows without an id, as text, and ``reason``.
    inputs : dict
        sha256 of every file read; see `digest_files`.
    """

    table: pd.DataFrame
    kinds: dict[str, str]
    inferred: dict[str, str]
    outcomes: pd.DataFrame
    left_out: dict[str, str]
    ledger: pd.DataFrame
    quarantine: pd.DataFrame
    inputs: dict[str, str]

    def __repr__(self) -> str:
        return f"{len(self.table):,} customers, {self.table.shape[1]} features"


def read_ready(card: Card) -> ReadyRows:
    """Return the customers of a card with [features].

    A kind that the card doesn't give is inferred, by the first rule that holds: yes and no (in the usual spellings,
    1 and 0 too) are binary, and stand as 1 and 0 in the table; other text is a category; a name with ``days`` in it
    is days; numbers from 0 to 1 with fractions are a share; numbers >= 0 whose name says money are money; whole
    numbers >= 0 whose name says a count, or that reach beyond 20, are a count; everything else is a number.

    Raises
    ------
    InputError
        A file that can't be read, no such column (names the nearest), ids that occur twice (how many, with
        examples), more than 5 % of the rows without an id, a kind that doesn't fit the values, nothing left.
    """
    ready = card.ready
    if ready is None:
        raise InputError(f"{card.name} has order lines, not a ready table with one row per customer")
    paths = locate_files(ready, card.folder, way_to_get(card))
    where = ready.name if ready.in_database else paths[0].name
    with (
        temporary() as folder,
        duckdb.connect(config={"autoinstall_known_extensions": "false"}) as connection,
    ):
        copies = list(copy_databases({"rows": ready}, folder).values())
        files = copies or parquet_files(ready, paths)
        try:
            connection.execute(f"CREATE VIEW rows AS FROM {scan(files)}")
        except duckdb.Error as error:
            raise InputError(explain_parquet(str(error), files)) from None
        types = {row[0]: row[1] for row in connection.execute("DESCRIBE rows").fetchall()}
        used = _used_columns(ready, types, where)
        _create_customers(connection, ready, types, used)
        ledger, quarantine = _check_ids(connection, ready, where)
        left_out = contact_columns(connection, "customers", [name for name in used if name not in ready.outcomes])
        listed = ", ".join(quote(name) for name in used)
        found = connection.execute(f'SELECT "=id", {listed} FROM customers ORDER BY 1').df()
        inputs = digest_files(copies or paths)
    found = found.set_index("=id").rename_axis("customer_id")
    kinds, inferred = {}, {}
    for name in [name for name in used if name not in (*left_out, *ready.outcomes)]:
        if name in ready.kinds:
            _check_kind(found[name], ready.kinds[name], ready, where)
            kinds[name] = ready.kinds[name]
        else:
            kind, why = infer_kind(found[name])
            if kind:
                kinds[name], inferred[name] = kind, why
            else:
                left_out[name] = why
    if not kinds:
        raise InputError(f"{where} has no column to segment by: {'; '.join(f'{k}: {v}' for k, v in left_out.items())}")
    for name in [name for name, kind in kinds.items() if kind == "binary"]:
        found[name] = _as_yes_no(found[name])
    outcomes = found[list(ready.outcomes)]
    return ReadyRows(found[list(kinds)], kinds, inferred, outcomes, left_out, ledger, quarantine, inputs)


def _used_columns(ready: ReadyTable, types: dict[str, str], where: str) -> list[str]:
    """Return features and outcomes in the order of the file; refuse a column that isn't there."""
    asked = (ready.id, *(ready.columns or ()), *ready.outcomes, *ready.kinds)
    for name in asked:
        if name not in types:
            alone = '; is another separator meant? Set separator = "..."' if len(types) == 1 else ""
            there = f"It has: {', '.join(types)}{alone}"
            raise InputError(f"{where} has no column {name!r}{nearest(name, types) or '.'} {there}")
    chosen = ready.columns if ready.columns is not None else tuple(types)
    if clash := [name for name in chosen if name.lower() == "customer_id" and name != ready.id]:
        raise InputError(
            f"{where} has a column {clash[0]!r} beside its id {ready.id!r}: take it for the id, or leave it out by "
            "naming the `columns` to use"
        )
    if ready.columns is not None and (unused := [name for name in ready.kinds if name not in ready.columns]):
        raise InputError(f"[features.kinds] `{unused[0]}` is not among the `columns` of [features]")
    return [name for name in types if name != ready.id and (name in chosen or name in ready.outcomes)]


def _create_customers(connection, ready: ReadyTable, types: dict[str, str], used: list[str]) -> None:
    integer = as_sql.identifier_is_integer(connection, "rows", quote(ready.id), types[ready.id])
    identifier = as_sql.identifier(quote(ready.id), types[ready.id], integer)
    texts = [name for name in used if types[name] == "VARCHAR"]
    numeric = [name for name in texts if _is_numeric_text(connection, name, ready.mark(name))]
    listed = [f'({identifier})::VARCHAR AS "=id"']
    for name in used:
        number = as_sql.number(quote(name), "VARCHAR", ready.mark(name))
        listed.append(f"{number if name in numeric else _plain(name, types[name])} AS {quote(name)}")
    for reason, condition in ready.exclude.items():
        as_sql.check_line_expression(condition, f"[features.exclude] {reason}")
    tests = " ".join(f"WHEN ({sql}) THEN {sql_text(reason)}" for reason, sql in ready.exclude.items())
    reason = f"CASE {tests} END" if tests else "NULL"
    try:
        connection.execute(f'CREATE TABLE judged AS SELECT {", ".join(listed)}, {reason} AS "=reason" FROM rows')
    except duckdb.Error as error:
        raise InputError(f"[features.exclude]: {explain_sql(str(error), reason, types)}") from None
    connection.execute('CREATE TABLE customers AS SELECT * EXCLUDE ("=reason") FROM judged WHERE "=reason" IS NULL')


def _plain(name: str, kind: str) -> str:
    # Decimals become floats: pandas would hold them as objects.
    if _is_postcode(name):
        return f"{quote(name)}::VARCHAR"
    if kind.startswith(("TIMESTAMP", "DATE")):  # 'infinity' is no day
        return f"CASE WHEN isfinite({quote(name)}) THEN {quote(name)} END"
    return f"{quote(name)}::DOUBLE" if kind.startswith("DECIMAL") else as_sql.attribute(quote(name), kind)


def _is_numeric_text(connection, name: str, decimal: str) -> bool:
    """Return whether every text of a column is a number, so that it was only stored as text; 01067 is a code."""
    written = missing_number(quote(name))
    number = as_sql.number(quote(name), "VARCHAR", decimal)
    filled, numbers = connection.execute(f"SELECT count({written}), count({number}) FROM rows").fetchone()
    coded = f"SELECT count(*) FROM rows WHERE regexp_matches({written}, '^0[0-9]')"
    return filled > 0 and filled == numbers and not _is_postcode(name) and not connection.execute(coded).fetchone()[0]


def _is_postcode(name: str) -> bool:
    split = re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
    return bool(_POSTCODE.search(re.sub(r"[^a-zó0-9]+", "_", split).replace("ó", "o")))


def _check_ids(connection, ready: ReadyTable, where: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    total, missing = connection.execute('SELECT count(*), count(*) FILTER ("=id" IS NULL) FROM customers').fetchone()
    if not total:
        raise InputError(f"{where} has no rows; export it again")
    if missing > MAX_BREACH_SHARE * total:
        raise InputError(f"{where}: {missing:,} of {total:,} rows have no {ready.id!r}; name another column as id")
    repeated = connection.execute(
        'SELECT "=id", count(*) AS rows FROM customers WHERE "=id" IS NOT NULL GROUP BY 1 HAVING rows > 1 ORDER BY 1'
    ).fetchall()
    if repeated:
        shown = ", ".join(f"{one} ({count} rows)" for one, count in repeated[:3])
        raise InputError(
            f"{where}: {len(repeated):,} values of {ready.id!r} occur more than once, such as {shown}; a ready table "
            "has one row per customer. For order lines, write a card with [orders]"
        )
    quarantine = connection.execute(
        'SELECT * EXCLUDE ("=id"), \'missing_id\' AS reason FROM customers WHERE "=id" IS NULL ORDER BY ALL'
    ).df()
    connection.execute('DELETE FROM customers WHERE "=id" IS NULL')
    excluded = 'SELECT "=reason", count(*) FROM judged WHERE "=reason" IS NOT NULL GROUP BY 1 ORDER BY 1'
    rows = {"kept": total - missing, **dict(connection.execute(excluded).fetchall())}
    rows |= {"missing_id": missing} if missing else {}
    ledger = pd.DataFrame({"reason": list(rows), "rows": list(rows.values())})
    return ledger.assign(orders=0, customers=[total - missing] + [0] * (len(rows) - 1), amount=0.0), quarantine


def infer_kind(values: pd.Series) -> tuple[str, str]:
    """Return the kind of a column and why; no kind, and why, for a column that is of no use.

    Examples
    --------
    >>> infer_kind(pd.Series([3, 8, 1], name="visit_count"))
    ('count', 'whole numbers, named as a count')
    >>> infer_kind(pd.Series([0.1, 0.9, 0.4], name="discounted"))
    ('share', 'numbers from 0 to 1')
    >>> infer_kind(pd.Series(["Yes", "No", "Yes"], name="spicy"))
    ('binary', 'yes or no: No, Yes')
    """
    known = values.dropna()
    if known.empty:
        return "", "empty"
    if pd.api.types.is_datetime64_any_dtype(known):
        return "", "a date; give the days since then instead"
    distinct = sorted(known.unique(), key=str)
    if len(distinct) == len(values) > 2 and re.search(r"(^|_)id$|Id$|ID$", str(values.name)):
        return "", "an identifier: different in every row"
    if len(distinct) <= 2 and _as_yes_no(known).notna().all():
        return "binary", f"yes or no: {', '.join(str(value) for value in distinct)}"
    if not pd.api.types.is_numeric_dtype(known):
        if len(distinct) > MOST_CATEGORIES:
            if _is_postcode(str(values.name)):
                return (
                    "",
                    f"a postcode with {len(distinct):,} different values; give the region instead",
                )
            return "", f"text with {len(distinct):,} different values"
        return "category", f"text with {len(distinct)} values"
    words = set(str(values.name).lower().replace("-", "_").replace(" ", "_").split("_"))
    whole = bool((known % 1 == 0).all())
    if words & set(_DAYS):
        return "days", "named as days"
    if not whole and known.between(0, 1).all():
        return "share", "numbers from 0 to 1"
    if (known >= 0).all():
        if words & set(_MONEY):
            return "money", "numbers from 0, named as money"
        if whole and words & set(_COUNTS):
            return "count", "whole numbers, named as a count"
        if whole and known.max() > 20 and not words & {"age"}:
            return "count", f"whole numbers up to {known.max():,.0f}"
    return "number", "numbers"


def _as_yes_no(values: pd.Series) -> pd.Series:
    """Return 1 and 0 for answers that say yes and no, NaN for others and missing ones."""
    return values.map(lambda answer: _YES_NO.get(str(answer).strip().lower()), na_action="ignore").astype("float64")


def _check_kind(values: pd.Series, kind: str, file: FileSource, where: str) -> None:
    """Refuse a kind that the values can't be."""
    known = values.dropna()
    numeric = pd.api.types.is_numeric_dtype(known)
    shown = ", ".join(repr(value) for value in list(dict.fromkeys(known))[:3])
    if kind == "category":
        return
    if kind == "binary":
        if _as_yes_no(known).isna().any():
            raise InputError(f"{where}: {values.name!r} is declared binary but holds {shown}, not yes and no")
        return
    if not numeric:
        comma = '; with a decimal comma, set decimal = ","' if file.decimal == "." and "," in shown else ""
        raise InputError(
            f"{where}: {values.name!r} is declared {kind} but holds text such as {shown}{comma}; correct the file or "
            f"[features.kinds] (one of {', '.join(KINDS)})"
        )
    if kind == "share" and not known.between(0, 1).all():
        raise InputError(
            f"{where}: {values.name!r} is declared a share but runs from {known.min():g} to {known.max():g}; shares "
            "are 0 to 1 (divide percentages by 100), anything else is a number"
        )
    if kind in ("count", "days") and (known < 0).any():
        raise InputError(f"{where}: {values.name!r} is declared {kind} but goes down to {known.min():g}; use number")
