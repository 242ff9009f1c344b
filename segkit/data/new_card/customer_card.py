"""The card of a file with one row per customer."""

import re
from dataclasses import asdict
from pathlib import Path

from segkit.data.cards.card import Card
from segkit.data.cards.sections import KINDS, FileSource, ReadyTable
from segkit.data.new_card.card_text import file_lines, head_lines, toml_text
from segkit.data.new_card.look import Look
from segkit.data.ready_table import read_ready


def draft_customers(name: str, shown: str, source: FileSource, customers: Look, folder: Path, known=None) -> list[str]:
    """Return the lines of the card of a file with one row per customer; `known` is its format, if it has one."""
    exclude = known.section.get("exclude", {}) if known else {}
    ready = ReadyTable(**asdict(source), id=customers.name, exclude=exclude)
    rows = read_ready(Card(name, folder / f"{name}.toml", name, "", "", "", {}, ready, {}, {}, {}, {}))
    lines = head_lines(name, "One row of the file is one customer.")
    lines += [
        "[features]",
        *file_lines(shown, source, known.name if known else ""),
        f"id = {toml_text(customers.name)}    # different in every row; {customers}",
    ]
    listed = ", ".join(toml_text(column) for column in rows.kinds)
    lines += [
        f"# columns = [{listed}]    # to use only some of them",
        "# outcomes = []                # columns that are never clustered on, but judge the segmentation",
    ]
    lines += [f"# never used: {column} ({why})" for column, why in rows.left_out.items()]
    lines += ["", f"[features.kinds]                # one of {', '.join(KINDS)}; change what is guessed wrong"]
    for column, kind in rows.kinds.items():
        values = list(dict.fromkeys(rows.table[column].dropna()))[:2]
        seen = ", ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values)
        key = column if re.fullmatch(r"[A-Za-z0-9_-]+", column) else toml_text(column)
        lines.append(f"{key} = {toml_text(kind)}    # {rows.inferred[column]}; e.g. {seen}")
    return lines
