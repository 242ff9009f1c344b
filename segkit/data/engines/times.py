"""Times written as text, read on Spark as DuckDB's ``try_strptime`` reads them."""

import re

from sqlglot import exp

from segkit.runtime.errors import InputError

# Java's letters, and the digits of those that are told apart by their number only, such as in 20240131.
_LETTERS = {
    "Y": "y", "y": "yy", "m": "M", "d": "d", "H": "H", "I": "h", "M": "m", "S": "s", "f": "SSSSSS",
    "b": "MMM", "B": "MMMM", "p": "a",
}  # fmt: skip
_DIGITS = {"Y": 4} | dict.fromkeys("mdHIMS", 2)
_OFFSET = r"([+-]\d{2}(:?\d{2})?)\s*$"


def read_time(written: exp.Expression, date_format: str) -> exp.Expression:
    """Return Spark's expression for the time in a text; NULL where it is written in another way.

    Spark's own function forgets an offset, takes every year of two digits for one of this century, and wants each
    space as the format has it.
    """
    local, of_instant = date_format.removesuffix("%z"), date_format.endswith("%z")
    offset = r"\s+" * local.endswith(" ") + _OFFSET
    text = exp.cast(written, "VARCHAR")
    rest = _call("regexp_replace", text, offset, "") if of_instant else text
    pattern = java_format(local.strip(), date_format)
    time = _call("try_to_timestamp", _call("regexp_replace", _call("trim", rest), r"\s+", " "), pattern)
    if "%y" in local:
        century = exp.Interval(this=exp.Literal.string("100"), unit=exp.var("YEAR"))
        time = exp.case().when(_call("year", time) > 2068, exp.Sub(this=time, expression=century)).else_(time)
    if not of_instant:
        return time
    instant = _call("concat", exp.cast(time, "VARCHAR"), _call("nullif", _call("regexp_extract", text, offset, 1), ""))
    return exp.TryCast(this=instant, to=exp.DataType.build("TIMESTAMPLTZ"))


def java_format(date_format: str, whole: str = "") -> str:
    """Return a format of strptime in the letters of Java: a number alone may have one digit.

    Raises
    ------
    InputError
        Names what Spark can't read, such as weekdays, and the format (`whole`, where this is a part of it).

    Examples
    --------
    >>> java_format("%d.%m.%Y %H:%M"), java_format("%Y%m%d"), java_format("%Y-%m-%dT%H:%M:%S")
    ("d'.'M'.'y' 'H':'m", 'yyyyMMdd', "y'-'M'-'d'T'H':'m':'s")
    >>> java_format("%A, %d %B %Y")
    Traceback (most recent call last):
    segkit.InputError: date_format "%A, %d %B %Y": Spark can't read %A; make the time in SQL, ...
    """
    parts, java = re.findall(r"%-?.|[^%]+", date_format), ""
    for before, part, after in zip(["", *parts], parts, [*parts[1:], ""], strict=False):
        letter = part[-1]
        if part[0] != "%":
            java += "'" + part.replace("'", "''") + "'"
        elif letter in _LETTERS:
            among_digits = before.startswith("%") or after.startswith("%")
            java += _LETTERS[letter] * (_DIGITS.get(letter, 1) if among_digits else 1)
        else:
            raise InputError(
                f'date_format "{whole or date_format}": Spark can\'t read {part}; make the time in SQL, '
                'ordered_at = { sql = "..." }, or write the column anew'
            )
    return java


def _call(name: str, *arguments) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=[exp.convert(argument, copy=True) for argument in arguments])
