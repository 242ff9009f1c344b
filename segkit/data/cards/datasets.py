"""What the cards on the shelf offer: which data is there, which is missing, how to get it."""

from pathlib import Path

from segkit.data.cards.card import CARDS, Card, cards_folder, list_cards, read_card
from segkit.data.cards.locate import locate_files
from segkit.data.cards.sections import FileSource
from segkit.runtime.errors import InputError


def describe_datasets(folder: Path | None = None) -> str:
    """Return a paragraph per card: name, title, tables, whether the files are there, how to get those that aren't.

    Of the cards in `folder`, by default of the shop's own and those of the project.

    A card that can't be read is listed with its error, so that one bad card doesn't hide the others.

    Examples
    --------
    >>> print(describe_datasets().splitlines()[0])
    complete-journey  The Complete Journey
    """
    folders = [folder] if folder else dict.fromkeys((cards_folder(), CARDS))
    paths = [path for one in folders for path in list_cards(one)]
    if not paths:
        return f"no cards in {folder.name}/; `segkit new-card FILE` writes one"
    width = max(len(path.stem) for path in paths)
    blocks = []
    for path in paths:
        try:
            card = read_card(path)
            title, lines = card.title, _describe(card)
        except InputError as error:
            title, lines = "can't be read", [str(error)]
        indent = "\n" + " " * (width + 2)
        blocks.append(f"{path.stem:{width}}  {title}{indent}" + indent.join(lines))
    return "\n\n".join(blocks)


def missing_files(card: Card) -> list[str]:
    """Return a message for each file of the card that isn't there."""
    messages = []
    for file in _files(card):
        try:
            locate_files(file, card.folder)
        except InputError as error:
            messages.append(str(error))
    return messages


def way_to_get(card: Card) -> str:
    """Return how to get the files of a card that aren't there."""
    if card.fetch:
        return f"`segkit fetch {card.name}` downloads it; or name a copy with --source FILE"
    return f"put the file where {card.path.name} says, or name it with --source FILE"


def _files(card: Card) -> list[FileSource]:
    files = [table.file for table in card.tables.values() if table.file] + list(card.sources.values())
    return files + ([card.ready] if card.ready else [])


def _describe(card: Card) -> list[str]:
    if card.ready:
        tables = "one row per customer, ready to be segmented"
    else:
        absent = [name for name in ("products", "customers", "campaigns") if name not in card.tables]
        tables = f"tables: {', '.join(card.tables)}" + (f"; none of: {', '.join(absent)}" if absent else "")
    lines = [tables + (f"; {card.licence}" if card.licence else "")]
    missing = missing_files(card)
    lines.append("all files are there" if not missing else f"not there yet: {'; '.join(missing)}")
    return lines + ([f"to get it: {way_to_get(card)}"] if missing else [])
