"""A dataset card: what a dataset is called, where its files lie, and which column means what.

A card is a small TOML file. Reading one checks every name in it; no data file is opened here.
"""

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

from segkit.data.cards import sections
from segkit.data.cards.sections import REQUIRED, FileSource, ReadyTable, TableSource
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
    segkit.InputError: no dataset `complete-jurney`; did you mean `complete-journey`? Known: ...
    """
    path = _find_card(dataset)
    content = _read_toml(path)
    sections.check_keys(content, (*sections.CARD_KEYS, *sections.SECTIONS), path, "the card")
    about = {key: sections.read_text(content, key, path, "the card", default="") for key in sections.CARD_KEYS}
    if not about["title"]:
        about["title"] = path.stem
    if ("orders" in content) == ("features" in content):
        raise InputError(
            f"{path.name}: a card has either [orders] (one row per order line) or [features] (one row per customer)"
        )
    if "features" in content and (also := [name for name in REQUIRED if name in content]):
        raise InputError(f"{path.name}: [{also[0]}] does not go with [features]")
    tables = {name: sections.read_table(content[name], name, path) for name in REQUIRED if name in content}
    ready = sections.read_ready_table(content["features"], path) if "features" in content else None
    if source is not None:
        tables, ready = _replace_file(tables, ready, Path(source), path)
    return Card(
        name=_name_of(path),
        path=path,
        **about,
        tables=tables,
        ready=ready,
        custom_features=sections.read_custom_features(content.get("custom_features", {}), path),
        defaults=sections.read_section(content, "defaults", path),
        sources=sections.read_sources(content, path),
        fetch=sections.read_fetch(content, path),
    )


def _name_of(path: Path) -> str:
    """Return the name of a card's runs; one that begins with a dot could lead out of the folder that they lie in."""
    name = path.stem
    if name.startswith(".") or name.endswith(".toml") or not name.isprintable() or len(name) > 100:
        raise InputError(
            f"a card called {shortened(path.name)!r} can't name its runs: take letters and digits, as in my-shop.toml"
        )
    return name


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
            f"no dataset `{text}`{hint or '.'} Known: {', '.join(known)}. "
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
            f"{path.name} is not valid TOML: {error}. Text stands in quotes, names with spaces too, a key only once"
        ) from None


def _replace_file(tables: dict, ready: ReadyTable | None, source: Path, path: Path):
    """Return tables and ready table with the main file replaced by `source`."""
    old = ready.file if ready else tables["orders"].file
    if old is None:
        raise InputError(f"{path.name}: [orders] is a query over several files, so one file can't replace it")
    new = replace(old, source=str(source.expanduser().absolute()))
    if ready:
        return tables, replace(ready, file=new)
    return {**tables, "orders": replace(tables["orders"], file=new)}, None
