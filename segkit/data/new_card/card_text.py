"""The parts that every card has, and what is left to be decided in it."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from segkit.data.cards.sections import TO_DECIDE, FileSource
from segkit.runtime.errors import InputError

MONEY_KEYS = ("order_discount", "order_refund", "take_off_discount", "unit_price")
_AGREE = 0.9  # of the orders whose stated totals agree with an answer, to take it without asking
_LEAD = 0.02  # before the other answers, which agree where nothing depends on them


@dataclass(frozen=True)
class Decision:
    """What the file can't answer: the key, what is asked, and the lines that answer it, each with what it means.

    What the lines' money is (`MONEY_KEYS`) is not asked where all answers give the same figures, or where the totals
    that the export states speak for one.
    """

    key: str
    asked: str
    choices: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Figures:
    """What a card gives: money, orders and customers; days; and how far it agrees with what the export states."""

    told: str
    days: str = ""
    agreement: float | None = None
    law: str = ""


def toml_text(text: str) -> str:
    """Return `text` in quotes, as TOML writes it.

    Examples
    --------
    >>> print(toml_text('say "hi"'))
    "say \\"hi\\""
    """
    return json.dumps(text, ensure_ascii=False)


def toml_list(texts) -> str:
    """Return texts as TOML writes a list.

    Examples
    --------
    >>> print(toml_list(["paid", "sent"]))
    ["paid", "sent"]
    """
    return f"[{', '.join(map(toml_text, texts))}]"


def head_lines(name: str, what: str, currency: str = "", why: str = "") -> list:
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


def file_lines(shown: str, source: FileSource, format_: str = "") -> list[str]:
    """Return the file of a table, with how it is read where that isn't the usual way."""
    lines = [f"source = {toml_text(shown)}"]
    lines += [f"format = {toml_text(format_)}"] if format_ else []
    for key in ("table", "sheet", "separator"):
        lines += [f"{key} = {toml_text(getattr(source, key))}"] if getattr(source, key) else []
    lines += [f"sheets = {toml_list(source.sheets)}    # they go on in each other"] if source.sheets else []
    if source.header_row and not format_:
        lines.append(f"header_row = {source.header_row}    # the row that names the columns")
    if source.encoding != "utf-8":
        lines.append(f'encoding = "{source.encoding}"')
    if source.fill_down:
        lines.append(f"fill_down = {toml_list(source.fill_down)}    # they stand on an order's first line only")
    return lines


def fill_in(lines: list, figures: Callable[[str], Figures]) -> str:
    """Return the text of a card in which each `Decision` is open, with what each of its choices gives.

    Parameters
    ----------
    lines : list of str and Decision
    figures : callable
        What a card with this text gives.
    """
    lines = list(lines)
    written = []
    for place, line in enumerate(lines):
        if not isinstance(line, Decision):
            written.append(line)
            continue
        found = [_try(lines, place, choice, figures) for choice, _ in line.choices]
        if (settled := _settled(line, found)) is not None:
            lines[place] = settled
            written.append(settled)
            continue
        way = "write one of these lines in its place:" if line.choices else "write the name of the column here"
        written.append(f"{line.key} = {toml_text(TO_DECIDE)}    # {line.asked}; {way}")
        for (choice, why), one in zip(line.choices, found, strict=True):
            told = one if isinstance(one, str) else f"{one.told}{f', {one.days}' * (line.key == 'date_format')}"
            written.append(f"#   {choice}    # {'; '.join(filter(None, [why, told]))}")
    # a comment ends with its line, and headings of spreadsheets may have several
    written = [" ".join(line.split("\n")) if "#" in line and "'''" not in line else line for line in written]
    return "\n".join(written) + "\n"


def _try(lines: list, place: int, choice: str, figures: Callable[[str], Figures]) -> Figures | str:
    others = [(one.choices or (("", ""),))[0][0] if isinstance(one, Decision) else one for one in lines]
    others[place] = choice
    try:
        return figures("\n".join(others))
    except (InputError, ValueError) as error:
        said = str(error).split(": ", 1)[-1]
        return f"can't be read: {said[:160]}"


def _settled(line: Decision, found: list[Figures | str]) -> str | None:
    """Return the line that answers a question by itself, with the reason; None where it is to be asked."""
    read = [one for one in found if isinstance(one, Figures)]
    if line.key not in MONEY_KEYS or len(read) < len(found) or not found:
        return None
    if len({(one.told, one.days) for one in read}) == 1:
        return f"{line.choices[0][0]}    # all answers give the same here"
    best = max(range(len(read)), key=lambda place: read[place].agreement or 0.0)
    others = [one.agreement or 0.0 for place, one in enumerate(read) if place != best]
    if (read[best].agreement or 0.0) >= _AGREE and max(others) < read[best].agreement - _LEAD:
        choice, why = line.choices[best]
        return f"{choice}    # {why}, as the {read[best].law} of {read[best].agreement:.0%} of orders says"
    return None


def open_questions(text: str) -> list[str]:
    """Return what a drafted card leaves to be decided, each with its choices."""
    found, lines = [], text.splitlines()
    for place, line in enumerate(lines):
        if f'= "{TO_DECIDE}"' in line and not line.startswith("#"):
            key, _, asked = line.partition(f' = "{TO_DECIDE}"    # ')
            below = lines[place + 1 :]
            last = next((at for at, one in enumerate(below) if not one.startswith("#   ")), len(below))
            found.append("\n".join([f"{key}: {asked}", *(f"  {one[4:]}" for one in below[:last])]))
    return sorted(found, key=lambda question: not question.startswith("category"))  # it is what makes segments tell
