"""A dataset card: what a dataset is called, where its files lie, and which column means what.

A card is a small TOML file. Reading one checks every name in it; no data file is opened here.
"""

import re
import tomllib
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from segkit.data.cards.known_exports import with_format
from segkit.data.cards.locate import check_local
from segkit.data.cards.sections import (
    REQUIRED,
    TO_DECIDE,
    FileSource,
    ReadyTable,
    TableSource,
    check_address,
    read_sections,
)
from segkit.runtime.disk import ROOT, shortened
from segkit.runtime.errors import InputError
from segkit.runtime.spelling import nearest

CARDS = ROOT / "data"


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
    engine: str = ""
    never_named: tuple[str, ...] = ()  # words: goods that hold one are on no page
    consent_not_needed: str = ""  # the reason why customers need not be asked before they are written to

    @property
    def folder(self) -> Path:
        """Return the folder that the card's files are relative to."""
        return self.path.parent

    def __repr__(self) -> str:
        tables = ", ".join(self.tables) or "features"
        return f"{self.name}: {self.title} ({tables})"


def cards_folder() -> Path:
    """Return where new cards are written: ``data/`` under the current folder, in the project's folder the project's."""
    here = Path.cwd()
    return CARDS if here.is_relative_to(ROOT) else here / "data"


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
    segkit.InputError: no dataset `complete-jurney`; did you mean `complete-journey`? Known: ...
    """
    path = _find_card(dataset)
    content = _read_toml(path)
    refuse_open_decisions(content, path)
    return card_of(content, path, source)


def card_of(content: dict, path: Path, source: str | Path | None = None) -> Card:
    """Return the card that a TOML file at `path` with this content is; as `read_card`."""
    content, from_format = with_format(content, path.name)
    read = read_sections(content, path.name)
    tables = {name: getattr(read, name) for name in REQUIRED if getattr(read, name)}
    tables = {name: replace(table, from_format=from_format.get(name, ())) for name, table in tables.items()}
    ready = read.features
    if source is not None:
        tables, ready = _replace_file(tables, ready, str(source), path)
    return Card(
        name=_name_of(path),
        path=path,
        title=read.title or path.stem,
        currency=read.currency,
        licence=read.licence,
        citation=read.citation,
        engine=read.engine,
        never_named=read.never_named,
        consent_not_needed=read.consent.not_needed.strip() if read.consent else "",
        tables=tables,
        ready=ready,
        custom_features=content.get("custom_features", {}),
        defaults=read.defaults,
        sources=read.sources,
        fetch={key: text for key, text in asdict(read.fetch).items() if text} if read.fetch else {},
    )


def _name_of(path: Path) -> str:
    """Return the name of a card's runs; one that begins with a dot could lead out of the folder that they lie in."""
    name = path.stem
    if name.startswith(".") or name.endswith(".toml") or not name.isprintable() or len(name) > 100:
        raise InputError(
            f"a card called {shortened(path.name)!r} can't name its runs: take letters and digits, as in my-shop.toml"
        )
    return name


def refuse_open_decisions(content: dict, path: Path) -> None:
    """Refuse a card in which a key is still to be decided; the message has the choices that stand below it."""
    keys = list(_open_decisions(content, ()))
    if not keys:
        return
    *section, key = keys[0]
    lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    at = next(
        (at for at, line in enumerate(lines) if re.match(rf'[\w.]*"?{re.escape(key)}"? *= *"{TO_DECIDE}"', line)), None
    )
    choices = []
    for line in lines[at + 1 :] if at is not None else ():
        if not line.startswith("#   "):
            break
        choices.append(line.removeprefix("#   ").strip())
    others = f" (and {len(keys) - 1} more)" if len(keys) > 1 else ""
    listed = f"; write one of these lines in its place: {' | '.join(choices)}" if choices else ""
    where = f"[{'.'.join(section)}] " if section else ""
    raise InputError(f"{path.name}: {where}`{key}` is still to be decided{others}{listed}")


def _open_decisions(content, keys: tuple[str, ...]):
    for key, value in content.items() if isinstance(content, dict) else ():
        if value == TO_DECIDE:
            yield (*keys, key)
        yield from _open_decisions(value, (*keys, key))


def _find_card(dataset: str | Path) -> Path:
    text = str(dataset)
    if text.endswith(".toml"):
        path = Path(dataset)
        try:
            there = path.is_file()
        except (OSError, ValueError):  # a name that no file can have
            there = False
        if not there:
            raise InputError(f"there is no card {text[:200]}; `segkit new-card FILE` writes one for a file of yours")
        return path.resolve()
    folders = list(dict.fromkeys((cards_folder(), CARDS)))  # the shop's own first
    known = [card.stem for folder in folders for card in list_cards(folder)]
    path = next((folder / f"{text[:200]}.toml" for folder in folders if text in map(_name, list_cards(folder))), None)
    if path is None:
        hint = nearest(text[:200], known)
        if len(text) < 200 and "\0" not in text and Path(text).is_file():
            hint = f": that is a file, and a dataset is named by its card; `segkit new-card {text}` writes one"
        raise InputError(
            f"no dataset `{text[:200]}`{hint or '.'} Known: {', '.join(known)}. "
            "For a file of your own, `segkit new-card FILE` writes a card."
        )
    return path


def _name(card: Path) -> str:
    return card.stem


def _read_toml(path: Path) -> dict:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is not a text file in UTF-8 (byte {error.start}); save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(
            f"{path.name} is not valid TOML: {error}. Text stands in quotes, names with spaces too, a key only once"
        ) from None
    except (RecursionError, ValueError):
        raise InputError(f"{path.name} is no card: its sections lie too deep, or a number in it is too long") from None


def _replace_file(tables: dict, ready: ReadyTable | None, source: str, path: Path):
    """Return tables and ready table with the main file replaced by `source`."""
    old: FileSource | None = ready or tables["orders"].file
    if old is None:
        raise InputError(f"{path.name}: [orders] is a query over several files, so one file can't replace it")
    try:
        check_address(source)
    except InputError as error:
        raise InputError(f"--source {error}") from None
    if not source.startswith(("postgresql://", "postgres://")):
        check_local(source)
        try:
            source = str(Path(source).expanduser().absolute())
        except RuntimeError:
            raise InputError(f"--source {source}: there is no user of that name") from None
    elif not old.table:
        raise InputError(f"--source: {path.name} names no `table` of a database; give it there beside `source`")
    new = replace(old, source=source)
    return (tables, new) if ready else ({**tables, "orders": new}, None)
