"""The text of a first card, each line with the reason for it."""

import codecs
import glob
import os
import re
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from segkit.data.cards.card import CARDS
from segkit.data.cards.locate import check_local, locate_files
from segkit.data.cards.sections import DATABASES, FileSource, check_address
from segkit.data.contacts import contact_name
from segkit.data.databases import copy_databases
from segkit.data.new_card.customer_card import draft_customers
from segkit.data.new_card.guess import Guess, guess_roles
from segkit.data.new_card.look import Look, look_at_columns
from segkit.data.new_card.order_lines import draft_orders
from segkit.data.new_card.synonyms import CUSTOMER_IDS, name_score, plain_name
from segkit.data.source_files import ENDINGS, parquet_files, scan
from segkit.runtime.disk import ROOT, check_writable
from segkit.runtime.errors import InputError
from segkit.runtime.interrupts import temporary
from segkit.runtime.spelling import quote

_ENCODING_BYTES = 10_000_000


def write_new_card(file: str | Path, name: str = "", folder: Path = CARDS, table: str = "") -> Path:
    """Write a first card for `file` into `folder` and return its path.

    Parameters
    ----------
    file : path
        CSV, parquet or Excel: order lines, or one row per customer; a pattern or a folder where there are many files.
    name : str
        Name of the dataset; by default the file's, or that of the folder.
    table : str
        A table of the database whose address stands in `file`'s place.

    Raises
    ------
    InputError
        No such file, or one that can't be read; files that don't belong together; a card of that name exists already.
    """
    path = Path(file).absolute()
    called = (table or path.name.split(".")[0], path.parent.name, "my shop")  # a pattern may have no name
    name = name or next(filter(None, map(plain_name, called))).replace("_", "-")
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
        As for `write_new_card`; the card has the pattern.
    name : str
        Title of the card.
    folder : path
        Where the card will lie; the file is named relative to it where both lie in the project.
    table : str
        As for `write_new_card`.
    """
    source, paths = _source(str(file), table, folder)
    with (
        temporary() as copied,
        duckdb.connect(config={"autoinstall_known_extensions": "false"}) as connection,
    ):
        read = list(copy_databases({"rows": source}, copied).values()) or parquet_files(source, paths)
        try:
            _check_columns(paths, read)
            connection.execute(f"CREATE VIEW rows AS FROM {scan(read)}")
        except (duckdb.Error, pa.ArrowInvalid) as error:
            raise InputError(f"{source.name} can't be read as parquet: {str(error).splitlines()[0]}") from None
        looks = look_at_columns(connection, "rows")
        if not looks or not looks[0].rows:
            raise InputError(f"{source.name} has no rows")
        if any(look.has_commas for look in looks):
            source = replace(source, decimal=",")
        guess = guess_roles(connection, looks, source.decimal)
        shown = source.source if source.in_database else _shown_path(Path(source.source), folder)
        customers = _customer_id(connection, looks, guess)
        if customers is not None:
            return draft_customers(name, shown, source, customers, folder)
        return draft_orders(connection, name, shown, source, looks, guess)


def _source(file: str, table: str, folder: Path) -> tuple[FileSource, list[Path]]:
    """Return what is to be looked at, and the files that it means; of a database none."""
    if file.startswith(DATABASES):
        try:
            check_address(file)
        except InputError as error:
            raise InputError(f"new-card: the address {error}") from None
        if not table:
            raise InputError("new-card: of a database, say which table or view to look at: --table SCHEMA.NAME")
        return FileSource(file, table), []
    check_local(file)
    if table:
        raise InputError(f"--table goes with the address of a database, postgresql://..., not with {file}")
    path = Path(file).expanduser().absolute()
    path = _all_files(path) if path.is_dir() else path
    paths = locate_files(FileSource(str(path)), folder)
    return FileSource(str(path), encoding=_common_encoding(paths)), paths


def _all_files(folder: Path) -> Path:
    """Return the pattern of the files in a folder, or in the folders within it."""
    for inside in ("*", "**/*"):
        found = [path for path in folder.glob(inside) if path.is_file() and not path.name.startswith(".")]
        endings = {path.name[-len(one) :] for path in found for one in ENDINGS if path.name.lower().endswith(one)}
        if len(endings) > 1:
            raise InputError(
                f"{folder} holds files that end in {', '.join(sorted(endings))}: name those with the order lines by a "
                f"pattern in quotes, such as '{folder}/*{min(endings)}'"
            )
        if endings:
            return Path(glob.escape(str(folder)), inside + endings.pop())
    raise InputError(f"{folder} holds no file that segkit reads: CSV, parquet or Excel")


def _check_columns(paths: list[Path], read: list[Path]) -> None:
    """Refuse files that can't be parts of one table: read as one, each would leave the columns of the others empty."""
    columns = [set(pq.read_schema(file).names) for file in read]
    for path, names in zip(paths, columns, strict=False):
        common = len(names & columns[0])
        if 2 * common < min(len(names), len(columns[0])):
            raise InputError(
                f"{paths[0].name} and {path.name} have {common} columns in common, so they are no parts of one table: "
                f"name those with the order lines by a pattern in quotes, such as '{path.parent}/orders*{path.suffix}'"
            )


def _common_encoding(paths: list[Path]) -> str:
    """Return the encoding of text files, which is the one of those with other letters than English ones."""
    texts = (path for path in paths if not path.name.lower().endswith(".parquet"))
    return next((encoding for encoding in map(_encoding, texts) if encoding != "utf-8"), "utf-8")


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
