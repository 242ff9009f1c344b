"""The text of a first card, each line with the reason for it."""

import codecs
import os
import re
import tempfile
from dataclasses import replace
from pathlib import Path

import duckdb

from segkit.cards import CARDS, ROOT, FileSource, check_address, quote
from segkit.errors import InputError
from segkit.new_card.customers import draft_customers
from segkit.new_card.guess import Guess, guess_roles
from segkit.new_card.look import Look, look_at_columns
from segkit.new_card.order_lines import draft_orders
from segkit.new_card.synonyms import CUSTOMER_IDS, name_score, plain_name
from segkit.places import check_writable
from segkit.sources.contacts import contact_name
from segkit.sources.databases import copy_databases
from segkit.sources.files import parquet_files, scan

_ENCODING_BYTES = 10_000_000


def write_new_card(file: str | Path, name: str = "", folder: Path = CARDS, table: str = "") -> Path:
    """Write a first card for `file` into `folder` and return its path.

    Parameters
    ----------
    file : path
        CSV, parquet or Excel: order lines, or one row per customer.
    name : str
        Name of the dataset; by default the file's.
    table : str
        A table of the database whose address stands in `file`'s place.

    Raises
    ------
    InputError
        No such file, or one that can't be read; a card of that name exists already.
    """
    called = table or Path(file).name.split(".")[0]
    name = name or plain_name(called).replace("_", "-") or "my-shop"
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
        raise InputError(f"{name!r} can't be the name of a card; use letters, digits and hyphens")
    path = folder / f"{name}.toml"
    if path.exists():
        raise InputError(f"there is a card {path.name} already; choose another name with --name, or remove it")
    check_writable(folder)
    text = draft_card(file, name, folder, table)
    path.write_text(text, encoding="utf-8")
    return path


def draft_card(file: str | Path, name: str, folder: Path = CARDS, table: str = "") -> str:
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
    table : str
        As for `write_new_card`.
    """
    path, source = Path(file).expanduser(), FileSource(str(file), table or None)
    if source.in_database:
        check_address(source, "new-card:")
    elif not path.is_file():
        raise InputError(f"there is no file {file}")
    else:
        source = FileSource(str(path.absolute()), encoding=_encoding(path))
    with (
        tempfile.TemporaryDirectory(prefix="segkit-") as copied,
        duckdb.connect(config={"autoinstall_known_extensions": "false"}) as connection,
    ):
        paths = list(copy_databases({"rows": source}, Path(copied)).values()) or parquet_files(source, [path])
        try:
            connection.execute(f"CREATE VIEW rows AS FROM {scan(paths)}")
        except duckdb.Error as error:
            raise InputError(f"{path.name} can't be read as parquet: {str(error).splitlines()[0]}") from None
        looks = look_at_columns(connection, "rows")
        if not looks or not looks[0].rows:
            raise InputError(f"{source.name} has no rows")
        if any(look.has_commas for look in looks):
            source = replace(source, decimal=",")
        guess = guess_roles(connection, looks, source.decimal)
        shown = source.source if source.in_database else _shown_path(path.absolute(), folder)
        customers = _customer_id(connection, looks, guess)
        if customers is not None:
            return draft_customers(name, shown, source, customers, folder)
        return draft_orders(connection, name, shown, source, looks, guess)


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
