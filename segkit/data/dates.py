"""The formats in which the dates of a file are written, found by trying the usual ones."""

import json

from segkit.data.convert import sql_text

USUAL_FORMATS = (  # of two that read the same texts the first is taken: the day first
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M %p",
    "%m/%d/%Y",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
    "%d-%m-%Y %H:%M:%S",
    "%d-%m-%Y %H:%M",
    "%d-%m-%Y",
    "%Y-%m-%d %H:%M:%S %z",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%Y%m%d",
    "%Y%m%d%H%M%S",
    "%d %b %Y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%d-%b-%Y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d.%m.%y",
    "%d.%m.%y %H:%M",
    "%d/%m/%y %H:%M",
    "%m/%d/%y %H:%M",
)
_LEAST_SHARE = 0.01  # of the texts that a further format must read: fewer are slips
_MOST_FORMATS = 6


def date_formats(connection, texts: str, given: tuple[str, ...] = ()) -> tuple[tuple[str, ...], float]:
    """Return the formats that together read the dates of a file, those of the card first, and the share they read.

    The usual one that reads most texts is taken, then the one that reads most of the rest, and so on; never one that
    would read day and month the other way round. Years of two digits stand first, since ``%Y`` reads 26 as the year
    26, and a date before 1990 is not read.

    Parameters
    ----------
    texts : str
        A query with a column ``shown``.
    given : tuple of str
        Formats that the card has.
    """
    texts = f"(SELECT shown FROM ({texts}) AS texts WHERE shown IS NOT NULL) AS texts"
    chosen = given
    rows = connection.execute(f"SELECT count(*) FROM {texts}").fetchone()[0]
    while len(chosen) < max(_MOST_FORMATS, len(given)):
        possible = [one for one in USUAL_FORMATS if one not in chosen and swapped(one) not in chosen]
        unread = f"NOT ({is_read(chosen)})" if chosen else "true"
        counts = ", ".join(f"count(CASE WHEN {is_read((one,))} THEN 1 END)" for one in possible)
        found = connection.execute(f"SELECT {counts} FROM {texts} WHERE {unread}").fetchone()
        if max(found) <= _LEAST_SHARE * rows:
            break
        best = possible[found.index(max(found))]
        chosen = (best, *chosen) if "%y" in best else (*chosen, best)
    if not chosen:
        return (), 0.0
    read = connection.execute(f"SELECT count(*) FROM {texts} WHERE {is_read(chosen)}").fetchone()[0]
    return chosen, read / max(rows, 1)


def undecided(connection, texts: str, formats: tuple[str, ...]) -> list[str]:
    """Return the usual formats that would read the same texts with day and month the other way round."""
    others = []
    for one in formats:
        other = swapped(one)
        if other in USUAL_FORMATS and one in USUAL_FORMATS:
            read, both = connection.execute(
                f"SELECT count(*), count(CASE WHEN {is_read((other,))} THEN 1 END) "
                f"FROM ({texts}) AS texts WHERE {is_read((one,))}"
            ).fetchone()
            others += [other] if read == both else []
    return others


def swapped(date_format: str) -> str:
    """Return a format with day and month the other way round.

    Examples
    --------
    >>> swapped("%d/%m/%Y %H:%M")
    '%m/%d/%Y %H:%M'
    """
    return date_format.replace("%d", "%?").replace("%m", "%d").replace("%?", "%m") if "%m" in date_format else ""


def as_in_card(formats) -> str:
    """Return the line of a card that gives these formats.

    Examples
    --------
    >>> print(as_in_card(["%d.%m.%Y"]), as_in_card(["%d.%m.%Y", "%Y-%m-%d"]), sep=chr(10))
    date_format = "%d.%m.%Y"
    date_format = ["%d.%m.%Y", "%Y-%m-%d"]
    """
    return f"date_format = {json.dumps(formats[0] if len(formats) == 1 else list(formats))}"


def is_read(formats: tuple[str, ...]) -> str:
    """Return SQL for whether one of the formats reads the text ``shown`` as a date since 1990."""
    tries = ", ".join(f"try_strptime(shown, {sql_text(one)})::TIMESTAMP" for one in formats)
    return f"coalesce(coalesce({tries}) >= TIMESTAMP '1990-01-01', false)"
