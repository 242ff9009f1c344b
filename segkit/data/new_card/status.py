"""What the words of a status column mean: sales, returns, and what is no sale."""

import re

from segkit.data.new_card.card_text import Decision, toml_list, toml_text
from segkit.data.new_card.look import Look
from segkit.data.new_card.synonyms import STATUS, plain_name
from segkit.runtime.spelling import quote

_MOST_WORDS = 40
STATUS_NAMES = STATUS["names"]


def plain_word(word: str) -> str:
    """Return a word of a status as it is looked up.

    Examples
    --------
    >>> plain_word(" On-Hold"), plain_word("wc-completed")
    ('on_hold', 'completed')
    """
    return re.sub(r"\W+", "_", word.strip().lower()).strip("_").removeprefix("wc_")


def meaning(word: str) -> str:
    """Return what a word means for the lines that have it; "" where that isn't known."""
    plain = plain_word(word)
    first = plain.split("_")[0]
    for means in ("sale", "not_a_sale", "return", "given_back"):
        if plain in STATUS[means]:
            return means
    # what a market place appends: Shipped - Delivered to Buyer
    return "sale" if first in ("shipped",) else "not_a_sale" if first in ("cancelled", "canceled", "pending") else ""


def telling_words(words) -> bool:
    """Return whether one of the words says that there was no sale, or that it was given back."""
    return any(meaning(word) not in ("", "sale") for word in words)


def status_columns(connection, looks: list[Look], relation: str = "sample") -> dict[str, list[str]]:
    """Return the words of each column of few words of which one says that a line is no sale; likeliest first."""
    found = {}
    for look in looks:
        if look.type not in ("VARCHAR", "BOOLEAN") or not 1 < look.distinct + (look.filled_share < 1) <= _MOST_WORDS:
            continue
        column = f"coalesce(trim({quote(look.name)}::VARCHAR), '')"
        query = f"SELECT {column} AS word FROM {relation} GROUP BY 1 ORDER BY count(*) DESC, 1"
        words = [row[0] for row in connection.execute(query).fetchall()]
        named = set(plain_name(look.name).split("_")) & set(STATUS_NAMES)
        known = all(meaning(word) for word in words if word)
        if telling_words(words) and (named or known):
            found[look.name] = words
    rank = {name: place for place, name in enumerate(STATUS_NAMES)}
    return dict(sorted(found.items(), key=lambda one: _rank(one, rank)))


def _rank(one, rank: dict[str, int]) -> tuple:
    name, words = one
    places = [rank[part] for part in plain_name(name).split("_") if part in rank]
    paid = bool({"payment", "financial", "order"} & set(plain_name(name).split("_")))
    return ("fulfillment" in plain_name(name), not paid, min(places, default=99), len(words))


def status_lines(connection, name: str, words: list[str], money: str) -> list[str | Decision]:
    """Return the section [orders.status] for a column; `money` is SQL of a line's amount, to see its sign."""
    lists: dict[str, list[str]] = {"sale": [], "return": [], "not_a_sale": []}
    unknown, counts = [], {}
    column = f"coalesce(trim({quote(name)}::VARCHAR), '')"
    rows = connection.execute(
        f"SELECT {column} AS word, count(*), avg((({money}) < 0)::INTEGER) FROM sample GROUP BY 1"
    ).fetchall()
    for word, lines, negative in rows:
        counts[word] = lines
        means = meaning(word)
        if means == "given_back":
            means = "return" if (negative or 0) > 0.5 else "not_a_sale"
        (lists[means] if means else unknown).append(word)
    if not lists["sale"] and "" in unknown:  # a column that says only what went wrong
        lists["sale"].append("")
        unknown.remove("")
    told = [
        f"[orders.status]                # what each word of {name} means for its lines",
        f"column = {toml_text(name)}",
    ]
    for means, those in lists.items():
        if those:
            those = sorted(those, key=lambda word: (-counts[word], word))
            shown = ", ".join(f"{word or '(empty)'} on {counts[word]:,} lines" for word in those)
            told.append(f"{means} = {toml_list(those)}    # {shown}")
    if unknown:
        shown = ", ".join(f"{word or '(empty)'} on {counts[word]:,} lines" for word in sorted(unknown))
        choices = (('others = "sale"', "sales"), ('others = "not_a_sale"', "no sales"))
        told.append(Decision("others", f"what do the other words mean: {shown} (or list them above)", choices))
    return told
