"""The text of a first card, each line with the reason for it."""

import codecs
import glob
import gzip
import os
import re
import tomllib
import zlib
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from segkit.data.canonical import KEPT
from segkit.data.cards.card import CARDS, card_of, cards_folder
from segkit.data.cards.known_exports import recognise
from segkit.data.cards.locate import check_local, locate_files
from segkit.data.cards.sections import DATABASES, FileSource, check_address
from segkit.data.contacts import contact_name
from segkit.data.convert import header_of_csv
from segkit.data.databases import copy_databases
from segkit.data.new_card.card_text import Figures, fill_in
from segkit.data.new_card.customer_card import draft_customers
from segkit.data.new_card.first_lines import columns_to_fill
from segkit.data.new_card.guess import Guess, guess_roles
from segkit.data.new_card.known_card import Export, draft_known, join_lines
from segkit.data.new_card.look import Look, look_at_columns
from segkit.data.new_card.order_lines import draft_orders
from segkit.data.new_card.synonyms import CUSTOMER_IDS, SYNONYMS, name_score, plain_name
from segkit.data.orders import read_orders
from segkit.data.reconcile import reconcile
from segkit.data.source_files import ENDINGS, check_format, file_ending, parquet_files, scan
from segkit.data.whole_orders import fill_lines
from segkit.data.workbooks import choose_sheets
from segkit.runtime.disk import ROOT, check_writable, temporary
from segkit.runtime.errors import InputError
from segkit.runtime.spelling import quote

_ENCODING_BYTES = 10_000_000


def write_new_card(file, name: str = "", folder: Path | None = None, table: str = "") -> Path:
    """Write a first card for a file, or for several of one shop, and return its path.

    Parameters
    ----------
    file : path or list of path
        CSV, parquet, JSON or Excel: order lines, or one row per customer; a pattern or a folder where there are many
        files. Of several, one has the orders, the others customers and products.
    name : str
        Name of the dataset; by default the file's, or that of the folder.
    folder : path, optional
        By default ``data/`` under the current folder, in the project's folder that of the project.
    table : str
        A table of the database whose address stands in `file`'s place.

    Raises
    ------
    InputError
        No such file, or one that can't be read; files that don't belong together; a card of that name exists already.
    """
    folder = folder or cards_folder()
    path = Path(file[0] if isinstance(file, list | tuple) else file).absolute()
    called = (table or path.name.split(".")[0], path.parent.name, "my shop")  # a pattern may have no name
    name = name or next(filter(None, map(plain_name, called))).replace("_", "-")
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
        raise InputError(f"{name!r} can't be the name of a card; use letters, digits and hyphens")
    path = folder / f"{name}.toml"
    if path.exists():
        raise InputError(f"there is a card {path.name} already; choose another name with --name, or remove it")
    folder.mkdir(exist_ok=True)
    check_writable(folder)
    text = draft_card(file, name, folder, table)
    path.write_text(text, encoding="utf-8")
    return path


def draft_card(file, name: str, folder: Path = CARDS, table: str = "") -> str:
    """Return the text of a first card for a file, or for several of one shop: a commented TOML file.

    A known export is recognised by its header. Otherwise each column's role is guessed from its name (English, German,
    French, Spanish) and from what is in it; comments say why, with two examples, and which candidates lost. What the
    file can't answer is left open, with what each answer gives. A file whose rows are customers gets a card with
    [features].

    Parameters
    ----------
    file : path or list of path
        As for `write_new_card`; the card has the pattern.
    name : str
        Title of the card.
    folder : path
        Where the card will lie; the file is named relative to it where both lie in the project.
    table : str
        As for `write_new_card`.
    """
    given = [str(one) for one in (file if isinstance(file, list | tuple) else [file])]
    with (
        temporary() as copied,
        duckdb.connect(config={"autoinstall_known_extensions": "false"}) as connection,
    ):
        exports = [_open(connection, number, *one, copied) for number, one in enumerate(_sources(given, table, folder))]
        _refuse_parts(exports)
        main, lines, guess = None, [], None
        for export in exports:
            drafted, roles = _draft(connection, name, export, folder)
            if main is None or (drafted[1] and not lines[1]):
                main, lines, guess = export, drafted, roles
        body, is_orders = lines
        others = [export for export in exports if export is not main]
        if others and not is_orders:
            raise InputError(
                f"none of {', '.join(export.name for export in exports)} has order lines: give the file with them "
                "too, or one file of customers alone"
            )
        for other in others:
            body += join_lines(connection, other, main, guess, _shown_path(other.source, folder))
    card = folder / f"{name}.toml"
    return fill_in(body, lambda text: _figures(text, card))


def _refuse_parts(exports: list[Export]) -> None:
    """Refuse files of which two have the same columns: parts of one table are one source."""
    for place, one in enumerate(exports):
        for other in exports[:place]:
            if {look.name for look in one.looks} == {look.name for look in other.looks}:
                raise InputError(
                    f"{other.name} and {one.name} have the same columns, so they are parts of one table: name them by "
                    f"their folder, {Path(one.source.source).parent}, or by a pattern in quotes"
                )


def _figures(text: str, path: Path) -> Figures:
    """Return what a card with this text gives."""
    card = card_of(tomllib.loads(text), path)
    with read_orders(card) as orders:
        rows = orders.ledger.set_index("reason")
        money = float(rows["amount"].reindex(KEPT).fillna(0).sum())
        count, people = (int(rows[column].get("sale", 0)) for column in ("orders", "customers"))
        found = reconcile(orders)
        told = f"{money:,.2f} in {count:,} orders of {people:,} customers"
        days = f"{orders.first_day} to {orders.last_day}"
        return Figures(told, days, found.share if found else None, found.law if found else "")


def _draft(connection, name: str, export: Export, folder: Path):
    """Return the lines of a card for one file and whether they are order lines, and the roles of its columns."""
    shown = _shown_path(export.source, folder)
    known = export.known
    if known is not None and known.table == "orders":
        roles = {}
        for role, column in known.section["columns"].items():
            if isinstance(column, str) and (look := export.look(column)):
                roles[role] = look
        return (draft_known(connection, name, shown, export), True), roles
    connection.execute(f"CREATE OR REPLACE TEMP VIEW rows AS FROM {quote(export.relation)}")
    looks = look_at_columns(connection, "rows", export.separator)
    if len(looks) == 1:
        raise InputError(
            f"{export.name} has only one column, {looks[0].name!r}: if another separator is meant, export it with "
            "commas or semicolons between the columns"
        )
    if known is not None and (look := export.look(known.id)):
        of_answers = known if known.table == "features" else None
        return (draft_customers(name, shown, export.source, look, folder, of_answers), False), {}
    guess = guess_roles(connection, looks)
    customers = _customer_id(connection, looks, guess)
    if customers is not None:
        return (draft_customers(name, shown, export.source, customers, folder), False), guess.roles
    if not _has_orders(guess, looks):
        columns = ", ".join(look.name for look in looks[:8])
        raise InputError(
            f"{export.name} has neither orders (no number and day of an order) nor an id that differs in every row "
            f"({columns}): of a table of customers or answers, add a column with an id; of orders, their number and day"
        )
    lines = draft_orders(connection, name, shown, export.source, looks, guess)
    lines[1:1] = [f"# Not read: {what}" for what in export.unread]
    return (lines, True), guess.roles


def _has_orders(guess: Guess, looks: list[Look]) -> bool:
    roles = set(guess.roles)
    named = any(name_score(look.name, SYNONYMS[role]) > 0.5 for look in looks for role in ("order_id", "ordered_at"))
    return len(looks) > 1 and ("ordered_at" in roles or named) and bool(roles - {"ordered_at"})


def _open(connection, number: int, source: FileSource, paths: list[Path], copied: Path) -> Export:
    """Return a file as a table of the engine, with its first-line cells filled."""
    separator, unread, known = "", [], None
    if paths and (ending := file_ending(paths[0])) in (".csv", ".xlsx", ".xlsm", ".xls", ".ods"):
        check_format(paths[0])
        if ending == ".csv":
            separator, row = header_of_csv(paths[0], source)
            source = replace(source, header_row=row)
        else:
            how, others = choose_sheets(paths[0])
            source, unread = replace(source, **how), [f"the sheet {name}" for name in others]
    relation = f"file_{number}"
    for _ in range(2):
        read = list(copy_databases({"rows": source}, copied).values()) or parquet_files(source, paths)
        try:
            _check_columns(paths, read)
            connection.execute(f"CREATE OR REPLACE TEMP VIEW {relation} AS FROM {scan(read)}")
        except (duckdb.Error, pa.ArrowInvalid) as error:
            raise InputError(f"{source.name} can't be read as parquet: {str(error).splitlines()[0]}") from None
        columns = [row[0] for row in connection.execute(f"DESCRIBE {relation}").fetchall()]
        known = known or recognise(columns)
        how = {key: known.section[key] for key in ("records", "rows_below") if key in known.section} if known else {}
        if not how or source == (source := replace(source, **how)):
            break
    looks = []
    if known is not None and known.table == "orders":
        names, key = tuple(known.section.get("fill_down", ())), known.section["columns"]["order_id"]
    else:
        looks = look_at_columns(connection, relation, separator)
        names, key = columns_to_fill(connection, looks)
        source = replace(source, fill_down=names)
    if names:
        read = fill_lines(read, names, quote(key) if isinstance(key, str) else key["sql"])
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {relation} AS FROM {scan(read)}")
    looks = look_at_columns(connection, relation, separator) if names or not looks else looks
    if not looks or not looks[0].rows:
        raise InputError(f"{source.name} has no rows")
    return Export(source, relation, looks, known, separator, unread)


def _sources(given: list[str], table: str, folder: Path) -> list[tuple[FileSource, list[Path]]]:
    """Return the files to be looked at; of several with the same name but for a part, those of a pattern as one."""
    if len(given) > 1 and (pattern := _pattern_of(given)):
        given = [pattern]
    return [_source(one, table, folder) for one in given]


def _pattern_of(given: list[str]) -> str:
    """Return the pattern that means just these files, as when a shell has filled it in; "" if there is none."""
    paths = [Path(one).absolute() for one in given]
    if len({path.parent for path in paths}) > 1 or any(not path.is_file() for path in paths):
        return ""
    begin, end = (
        os.path.commonprefix([part[::way] for part in (path.name for path in paths)])[::way] for way in (1, -1)
    )
    pattern = paths[0].parent / f"{glob.escape(begin)}*{glob.escape(end)}"
    same = {Path(one) for one in glob.glob(str(pattern))} == set(paths)
    return str(pattern) if same and begin and len(begin) > 2 else ""


def _source(file: str, table: str, folder: Path) -> tuple[FileSource, list[Path]]:
    """Return what is to be looked at, and the files that it means; of a database none."""
    if not file.startswith(DATABASES):
        check_local(file)
    try:
        check_address(file)
    except InputError as error:
        raise InputError(f"new-card: the address {error}") from None
    if file.startswith(DATABASES):
        if not table:
            raise InputError("new-card: of a database, say which table or view to look at: --table SCHEMA.NAME")
        return FileSource(file, table), []
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
    texts = (path for path in paths if file_ending(path) == ".csv")
    return next((encoding for encoding in map(_encoding, texts) if encoding != "utf-8"), "utf-8")


def _encoding(path: Path) -> str:
    """Return the encoding of a text file: UTF-8 unless its bytes can't be, in which case Western European."""
    try:
        with (gzip.open if path.name.lower().endswith(".gz") else open)(path, "rb") as stream:
            head = stream.read(_ENCODING_BYTES)
    except (OSError, EOFError, zlib.error):
        return "utf-8"  # whoever reads it says what is wrong
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # the last character may be cut off
    except UnicodeDecodeError:
        if b"\0" in head:
            return "utf-8"
        of_windows = any(0x80 <= byte < 0xA0 for byte in set(head)) and not set(head) & {0x81, 0x8D, 0x8F, 0x90, 0x9D}
        return "cp1252" if of_windows else "latin-1"
    return "utf-8"


def _shown_path(source: FileSource, folder: Path) -> str:
    """Return the path relative to the card where both lie in one project, which may be moved; else as it is."""
    if source.in_database:
        return source.source
    path, home = Path(source.source), folder.resolve()
    roots = [root for root in (ROOT, home.parent) if path.is_relative_to(root) and home.is_relative_to(root)]
    return Path(os.path.relpath(path, home)).as_posix() if roots and home.name == "data" else str(path)


def _customer_id(connection, looks: list[Look], guess: Guess) -> Look | None:
    """Return the id of a table with one row per customer; None for order lines."""
    if {"ordered_at", "order_id"} <= set(guess.roles) and {"amount", "unit_price"} & set(guess.roles):
        return None
    ids = sorted((look for look in looks if name_score(look.name, CUSTOMER_IDS)), key=_id_rank)
    if not _has_orders(guess, looks):
        coded = [look for look in looks if re.search(r"(?i)(id|num|number|nr|no|key|code|#)$", look.name.strip())]
        ids += [look for look in (*coded, looks[0]) if look not in ids and (look.whole or look.type == "VARCHAR")]
    for look in ids:
        filled, distinct = connection.execute(
            f"SELECT count({quote(look.name)}), count(DISTINCT {quote(look.name)}) FROM rows"
        ).fetchone()
        if distinct == filled and look.filled_share > 0.95 and not (look.low is not None and not look.whole):
            return look
    return None


def _id_rank(look: Look) -> tuple[bool, float]:
    """Return the order in which ids are tried: contact data last, since it changes and is nobody's business."""
    return contact_name(look.name), -name_score(look.name, CUSTOMER_IDS)
