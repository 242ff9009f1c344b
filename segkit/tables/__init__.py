"""The tables a run leaves behind: `definitions` says what every column is, `files` holds a written table to it."""

from segkit.tables.columns import Column
from segkit.tables.definitions import TABLES
from segkit.tables.files import describe_tables, read_table, round_money, round_significant, write_json, write_table

__all__ = [
    "TABLES",
    "Column",
    "describe_tables",
    "read_table",
    "round_money",
    "round_significant",
    "write_json",
    "write_table",
]
