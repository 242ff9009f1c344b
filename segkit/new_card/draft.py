"""The text of a first card, each line with the reason for it."""

import codecs
import json
import os
import re
from pathlib import Path

import duckdb

from segkit.cards import CARDS, KINDS, ROOT, Card, FileSource, ReadyTable, quote
from segkit.errors import InputError
from segkit.new_card.guess import REQUIRED_ROLES, Guess, guess_roles
from segkit.new_card.look import Look, look_at_columns
from segkit.new_card.synonyms import CUSTOMER_IDS, name_score, plain_name
from segkit.sources.contacts import contact_name
from segkit.sources.files import parquet_files, scan
from segkit.sources.ready import read_ready

_ENCODING_BYTES = 10_000_000
_FALLBACKS = {  # what stands in for a column that isn't there, and what that means
    "quantity": ("1", "no such column found: every line counts as one piece"),
    "product_id": ("'any'", "no such column found: products can't be told apart"),
}
_CURRENCY_NAMES = ("currency", "currency_code", "waehrung", "wahrung", "devise", "moneda")
_OPTIONAL_ROLES = ("discount", "coupon_discount", "category", "channel", "country", "store_id")


def write_new_card(file: str | Path, name: str = "", folder: Path = CARDS) -> Path:
    """Write a first card for `file` into `folder` and return its path.

    Parameters
    ----------
    file : path
        CSV, parquet or Excel: order lines, or one row per customer.
    name : str
        Name of the dataset; by default the file's.

    Raises
    ------
    InputError
        No such file, or one that can't be read; a card of that name exists already.
    """
    name = name or plain_name(Path(file).name.split(".")[0]).replace("_", "-") or "my-shop"
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
        raise InputError(f"{name!r} can't be the name of a card; use letters, digits and hyphens")
    path = folder / f"{name}.toml"
    if path.exists():
        raise InputError(f"there is a card {path.name} already; choose another name with --name, or remove it")
    text = draft_card(file, name, folder)
    path.write_text(text, encoding="utf-8")
    return path


def draft_card(file: str | Path, name: str, folder: Path = CARDS) -> str:
    """Return the text of a first card for `file`: a commented TOML file that `read_card` accepts.

    Each column's role is guessed from its name (English, German, French, Spanish, and those of common exports) and
    from what is in it; comments say why, with two examples, and which candidates lost. A file whose rows are
    customers gets a card with [features].

    Parameters
    ----------
    file : path
    name : str
        Title of the card.
    folder : path
        Where the card will lie; the file is named relative to it where both lie in the project.
    """
    path = Path(file).expanduser()
    if not path.is_file():
        raise InputError(f"there is no file {file}")
    source = FileSource(str(path.absolute()), encoding=_encoding(path))
    with duckdb.connect(config={"autoinstall_known_extensions": "false"}) as connection:
        try:
            connection.execute(f"CREATE VIEW rows AS FROM {scan(parquet_files(source, [path]))}")
        except duckdb.Error as error:
            raise InputError(f"{path.name} can't be read as parquet: {str(error).splitlines()[0]}") from None
        looks = look_at_columns(connection, "rows")
        if not looks or not looks[0].rows:
            raise InputError(f"{path.name} has no rows")
        guess = guess_roles(connection, looks)
        shown = _shown_path(path.absolute(), folder)
        customers = _customer_id(connection, looks, guess)
        if customers is not None:
            return _draft_ready(name, shown, source, customers, folder)
        return _draft_orders(connection, name, shown, source, looks, guess)


def _encoding(path: Path) -> str:
    """Return the encoding of a text file: UTF-8 unless its bytes can't be, in which case Western European."""
    with path.open("rb") as stream:
        head = stream.read(_ENCODING_BYTES)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # the last character may be cut off
    except UnicodeDecodeError:
        return "utf-8" if b"\0" in head or path.name.endswith(".gz") else "latin-1"
    return "utf-8"


def _encoding_line(source: FileSource) -> list[str]:
    return [] if source.encoding == "utf-8" else [f'encoding = "{source.encoding}"']


def _shown_path(path: Path, folder: Path) -> str:
    """Return the path relative to the card inside the project, which may be moved; else as it is."""
    inside = path.is_relative_to(ROOT) and folder.resolve().is_relative_to(ROOT)
    return Path(os.path.relpath(path, folder)).as_posix() if inside else str(path)


def _customer_id(connection, looks: list[Look], guess: Guess) -> Look | None:
    """Return the id of a table with one row per customer; None for order lines."""
    if {"ordered_at", "order_id"} <= set(guess.roles) and {"amount", "unit_price"} & set(guess.roles):
        return None
    ids = sorted((look for look in looks if name_score(look.name, CUSTOMER_IDS)), key=_id_rank)
    for look in ids or [look for look in looks if look.whole or look.is_text]:
        filled, distinct = connection.execute(
            f"SELECT count({quote(look.name)}), count(DISTINCT {quote(look.name)}) FROM rows"
        ).fetchone()
        if distinct == filled and look.filled_share > 0.95:
            return look
    return None


def _id_rank(look: Look) -> tuple[bool, float]:
    """Return the order in which ids are tried: contact data last, since it changes and is nobody's business."""
    return contact_name(look.name), -name_score(look.name, CUSTOMER_IDS)


def _head(name: str, what: str, currency: str = "") -> list[str]:
    return [
        f"# A first card for {name}, guessed from the file. Read the comments, correct what is wrong, then try",
        f"# `segkit check {name}`. {what}",
        f"title = {_toml(name)}",
        f'currency = {_toml(currency):20} # such as "EUR"; shown beside amounts',
        'licence = ""',
        'citation = ""',
        "",
    ]


def _draft_orders(connection, name: str, shown: str, source: FileSource, looks: list[Look], guess: Guess) -> str:
    roles = guess.roles
    currencies = [look for look in looks if plain_name(look.name) in _CURRENCY_NAMES and look.distinct == 1]
    lines = _head(name, "One row of the file is one order line.", currencies[0].examples[0] if currencies else "")
    lines += ["[orders]", f"source = {_toml(shown)}"]
    lines += _encoding_line(source) + _options(guess)
    lines.append('[orders.columns]                # canonical name = source column, or { sql = "an expression" }')
    for role in REQUIRED_ROLES:
        lines += _column(role, roles, guess)
    money = "amount" if "amount" in roles else "unit_price"
    lines += _column(money, roles, guess)
    lines.append("# (amount: the line's money after discount, negative for returns; unit_price: times quantity)")
    lines += _returns(connection, roles)
    for role in _OPTIONAL_ROLES:
        if role in roles:
            lines += _column(role, roles, guess)
    absent = [role for role in _OPTIONAL_ROLES if role not in roles]
    if absent:
        lines.append(f"# not found, and optional: {', '.join(absent)}")
    used = {look.name for look in roles.values()}
    if len(used) < len(looks):
        lines += ["", "# Columns that aren't used:"]
        for look in looks:
            if look.name not in used:
                why = f" ({guess.rejected[look.name]})" if look.name in guess.rejected else ""
                lines.append(f"#   {look.name}: {look}{why}")
    lines += [
        "",
        "# Lines to leave out, each with a reason of its own in the ledger (SQL over the source columns):",
        "# [orders.exclude]",
        f"# not_a_product = \"{_plain_sql(roles.get('product_id'))} IN ('POSTAGE', 'TEST')\"",
    ]
    return "\n".join(lines) + "\n"


def _plain_sql(look: Look | None) -> str:
    return quote(look.name).replace('"', '\\"') if look else "product"


def _options(guess: Guess) -> list[str]:
    """Return date_format and decimal where the file needs them."""
    lines = []
    if guess.date_formats:
        other = f"; {guess.date_formats[1]} would fit too" if len(guess.date_formats) > 1 else ""
        lines.append(f"date_format = {_toml(guess.date_formats[0])}    # of ordered_at{other}: check day and month")
        if "%z" in guess.date_formats[0]:
            lines.append('# time_zone = "Europe/Paris"    # where the shop is; otherwise times are turned into UTC')
    when = guess.roles.get("ordered_at")
    if when is not None and when.type == "TIMESTAMP WITH TIME ZONE":
        lines.append(
            '# time_zone = "Europe/Paris"    # the file has instants; they are read as UTC time unless you say'
        )
    numbers = [guess.roles[role] for role in ("quantity", "amount", "unit_price") if role in guess.roles]
    if any(look.comma_share > 0.05 for look in numbers):
        lines.append('decimal = ","                  # numbers such as 1.234,50')
    return lines


def _column(role: str, roles: dict[str, Look], guess: Guess) -> list[str]:
    """Return the line of a canonical column, with the reason."""
    if role not in roles:
        if role in _FALLBACKS:
            sql, why = _FALLBACKS[role]
            return [f"{role} = {{ sql = {_toml(sql)} }}    # {why}"]
        if role == "order_id" and {"customer_id", "ordered_at"} <= set(roles):
            sql = f"{quote(roles['customer_id'].name)} || ' ' || {quote(roles['ordered_at'].name)}"
            why = "no such column found: what a customer buys at one time is an order"
            return [f"{role} = {{ sql = {_toml(sql)} }}    # {why}"]
        return [f'{role} = "TO BE NAMED"    # not found: write the name of the column here']
    look = roles[role]
    return [f"{role} = {_expression(role, look)}    # {look}{_remark(role, look)}"]


def _expression(role: str, look: Look) -> str:
    if role == "ordered_at" and not look.is_date and look.whole and look.low is not None and look.low > 5e8:
        factor = next(factor for limit, factor in ((5e9, 1_000_000), (5e12, 1_000), (5e15, 1)) if look.low < limit)
        times = f"{factor} * " if factor > 1 else ""
        return f"{{ sql = {_toml(f'make_timestamp({times}{quote(look.name)}::BIGINT)')} }}"
    return _toml(look.name)


def _remark(role: str, look: Look) -> str:
    if role == "customer_id" and look.filled_share < 0.995:
        return "; lines without one stand in the ledger as no_customer"
    if role == "customer_id" and any("@" in example for example in look.examples):
        return "; an e-mail address: better take an id, if there is one"
    if role in ("amount", "unit_price", "quantity") and look.negative_share:
        return f"; {max(look.negative_share, 0.001):.1%} negative"
    return ""


def _returns(connection, roles: dict[str, Look]) -> list[str]:
    """Return the line of is_return: a column that says so, a letter before the order number, or the sign alone."""
    if "is_return" in roles:
        return [f"is_return = {_toml(roles['is_return'].name)}    # {roles['is_return']}"]
    order, money, quantity = (roles.get(role) for role in ("order_id", "amount", "quantity"))
    money = money or roles.get("unit_price")
    if order is None or money is None or order.type != "VARCHAR" or money.comma_share > 0.05:
        return []
    sign = f"TRY_CAST({quote(money.name)} AS DOUBLE)"
    if "amount" not in roles and quantity is not None:
        sign += f" * TRY_CAST({quote(quantity.name)} AS DOUBLE)"
    found = connection.execute(
        f"SELECT regexp_extract({quote(order.name)}::VARCHAR, '^[A-Za-z]+') AS letters, count(*) FILTER ({sign} < 0), "
        f"count(*) FILTER ({sign} > 0) FROM rows GROUP BY letters HAVING letters <> '' ORDER BY 2 DESC, 1 LIMIT 1"
    ).fetchone()
    negative = connection.execute(f"SELECT count(*) FROM rows WHERE {sign} < 0").fetchone()[0]
    if not found or found[1] < 0.8 * negative or found[2] > 0.05 * found[1]:
        return ["# is_return: not found, so lines with a negative amount are returns"] if negative else []
    sql = f"{quote(order.name)}::TEXT LIKE '{found[0]}%'"
    why = f"{found[1]:,} of {negative:,} lines with a negative amount have an order number that begins with {found[0]}"
    return [f"is_return = {{ sql = {_toml(sql)} }}    # {why}"]


def _draft_ready(name: str, shown: str, source: FileSource, customers: Look, folder: Path) -> str:
    ready = ReadyTable(source, customers.name, None, {}, ())
    rows = read_ready(Card(name, folder / f"{name}.toml", name, "", "", "", {}, ready, {}, {}, {}, {}))
    lines = _head(name, "One row of the file is one customer.")
    lines += [
        "[features]",
        f"source = {_toml(shown)}",
        f"id = {_toml(customers.name)}    # different in every row; {customers}",
    ]
    listed = ", ".join(_toml(column) for column in rows.kinds)
    lines += [
        f"# columns = [{listed}]    # to use only some of them",
        "# outcomes = []                # columns that are never clustered on, but judge the segmentation",
    ]
    lines += [f"# never used: {column} ({why})" for column, why in rows.left_out.items()]
    lines += ["", f"[features.kinds]                # one of {', '.join(KINDS)}; change what is guessed wrong"]
    for column, kind in rows.kinds.items():
        values = list(dict.fromkeys(rows.table[column].dropna()))[:2]
        seen = ", ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values)
        key = column if re.fullmatch(r"[A-Za-z0-9_-]+", column) else _toml(column)
        lines.append(f"{key} = {_toml(kind)}    # {rows.inferred[column]}; e.g. {seen}")
    return "\n".join(lines) + "\n"


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
