"""Dataset cards: a small TOML file that says where a dataset lies and which column means what."""

from segkit.cards.card import CARDS, ROOT, Card, list_cards, read_card
from segkit.cards.describe import describe_datasets, way_to_get
from segkit.cards.locate import check_local, locate_files
from segkit.cards.names import nearest, quote
from segkit.cards.sections import KINDS, OPTIONAL, REQUIRED, FileSource, ReadyTable, TableSource, check_address

__all__ = [
    "CARDS",
    "KINDS",
    "OPTIONAL",
    "REQUIRED",
    "ROOT",
    "Card",
    "FileSource",
    "ReadyTable",
    "TableSource",
    "check_address",
    "check_local",
    "describe_datasets",
    "list_cards",
    "locate_files",
    "nearest",
    "quote",
    "read_card",
    "way_to_get",
]
