"""The parts that every card has."""

import json

from segkit.data.cards.sections import FileSource

DECIDE = "# TO DECIDE: "  # begins what the file can't answer; the command line repeats it


def toml_text(text: str) -> str:
    """Return `text` in quotes, as TOML writes it.

    Examples
    --------
    >>> print(toml_text('say "hi"'))
    "say \\"hi\\""
    """
    return json.dumps(text, ensure_ascii=False)


def head_lines(name: str, what: str, currency: str = "", why: str = "") -> list[str]:
    """Return how a card begins; `why` says where the currency comes from, or what is to be known of it."""
    asked = f'to be filled in, such as "EUR"; shown beside amounts{f" ({why})" if why else ""}'
    return [
        f"# A first card for {name}, guessed from the file. Read the comments, correct what is wrong, then try",
        f"# `segkit check {name}`. {what}",
        f"title = {toml_text(name):23} # stands on top of the report",
        f"currency = {toml_text(currency):20} # {why if currency else asked}",
        'licence = ""',
        'citation = ""',
        "",
    ]


def file_lines(shown: str, source: FileSource) -> list[str]:
    """Return the file of a table, with encoding and decimal mark where they aren't the usual ones."""
    lines = [f"source = {toml_text(shown)}"]
    if source.table:
        lines.append(f"table = {toml_text(source.table)}")
    if source.encoding != "utf-8":
        lines.append(f'encoding = "{source.encoding}"')
    if source.decimal == ",":
        lines.append('decimal = ","                  # numbers such as 1.234,50')
    return lines


def open_questions(text: str) -> list[str]:
    """Return what a drafted card leaves to be decided."""
    return [line.removeprefix(DECIDE) for line in text.splitlines() if line.startswith(DECIDE)]
