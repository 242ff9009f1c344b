"""The formats in which the dates of a file are written, found by trying the usual ones."""

import json

from segkit.data.convert import sql_text

USUAL_FORMATS = (  # of two that read the same texts the first is taken: the day first
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y %I:%M:%S %p",
    "%d/%m/%Y %I:%M %p",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M %p",
    "%m/%d/%Y",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
    "%d-%m-%Y %H:%M:%S",
    "%d-%m-%Y %H:%M",
    "%d-%m-%Y",
    "%m-%d-%Y %H:%M:%S",
    "%m-%d-%Y %H:%M",
    "%m-%d-%Y",
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
    "%d-%b-%y",
    "%d %b %y",
    "%d-%b-%y %H:%M",
    "%d-%b-%Y %H:%M",
    "%d %b %Y %H:%M",
    "%b %d, %Y %I:%M %p",
    "%b %d, %Y, %I:%M %p",
    "%d-%m-%y",
    "%m-%d-%y",
    "%d/%m/%y %I:%M %p",
    "%m/%d/%y %I:%M %p",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d.%m.%y",
    "%d.%m.%y %H:%M",
    "%d/%m/%y %H:%M",
    "%m/%d/%y %H:%M",
)
_LEAST_SHARE = 0.01  # of the texts that a further format must read: fewer are slips
_MOST_FORMATS = 6
_FEWEST_TURNED = 20  # dates: with fewer, days up to 12 are chance


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
        possible = [one for one in (*USUAL_FORMATS, "excel") if one not in chosen and swapped(one) not in chosen]
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


def read_as(date_format: str) -> str:
    """Return SQL of the time that a format reads in the text ``shown``; "excel" are days since 1899-12-30."""
    if date_format == "excel":
        days = "TRY_CAST(shown AS DOUBLE)"
        moment = f"TIMESTAMP '1899-12-30' + to_seconds(round(86400 * {days}))"
        return f"CASE WHEN {days} BETWEEN 20000 AND 80000 THEN {moment} END"
    return f"try_strptime(shown, {sql_text(date_format)})::TIMESTAMP"


def date_choices(connection, texts: str, formats: tuple[str, ...]) -> list[tuple[tuple[str, ...], str]]:
    """Return the lists of formats among which the dates don't decide, with what each means; none where they do.

    Either no day is beyond 12, so that day and month could be the other way round; or a spreadsheet has turned day and
    month wherever it could, and left the other dates as text: then all that it read has days up to 12, all else beyond.
    """
    if turned := undecided(connection, texts, formats):
        pairs = dict(zip([swapped(one) for one in turned], turned, strict=True))
        other = tuple(pairs.get(one, one) for one in formats)
        return [(one, "the day first" if _day_first(one) else "the month first") for one in (formats, other)]
    iso = [one for one in formats if one.startswith("%Y-%m-%d")]
    written = [one for one in formats if swapped(one) in USUAL_FORMATS]
    if not iso or not written:
        return []
    beyond, read, early, whole = connection.execute(f"""
        SELECT count(*) FILTER (NOT {is_read(tuple(map(swapped, written)))} AND {is_read(tuple(written))}),
            count(*) FILTER ({is_read(tuple(written))}),
            count(*) FILTER (day(coalesce({", ".join(map(read_as, iso))})) <= 12),
            count(*) FILTER ({is_read(tuple(iso))})
        FROM ({texts}) AS texts""").fetchone()
    if whole < _FEWEST_TURNED or beyond < read or early < whole:
        return []
    other = tuple(one.replace("%m-%d", "%d-%m") if one in iso else one for one in formats)
    return [
        (other, "a spreadsheet turned day and month of the others, which are turned back"),
        (formats, "as they stand"),
    ]


def _day_first(formats: tuple[str, ...]) -> bool:
    return any(one.find("%d") < one.find("%m") for one in formats if swapped(one) in USUAL_FORMATS)


def is_read(formats: tuple[str, ...]) -> str:
    """Return SQL for whether one of the formats reads the text ``shown`` as a date since 1990."""
    tries = ", ".join(read_as(one) for one in formats)
    return f"coalesce(coalesce({tries}) >= TIMESTAMP '1990-01-01', false)"
