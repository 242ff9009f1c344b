"""Numbers as people write them: one grammar for a column, and what fits none is no number.

A text is a number if it is digits with a decimal mark; marks of thousands in their places; a sign before or behind, or
parentheses, as accountants write; a currency sign or code; and of pieces, a unit. Nothing else is guessed at.
"""

from segkit.data.convert import sql_text

_CODES = """
EUR USD GBP CHF SEK NOK DKK PLN CZK HUF RON BGN ISK TRY UAH CAD AUD NZD JPY CNY KRW INR SGD HKD TWD THB IDR MYR PHP VND
BRL MXN ARS CLP COP PEN ZAR NGN KES EGP MAD AED SAR ILS
"""
CURRENCIES = tuple(_CODES.split())
CURRENCY_SIGNS = {"€": "EUR", "£": "GBP", "zł": "PLN", "₹": "INR", "₩": "KRW", "₺": "TRY", "₪": "ILS", "R$": "BRL"}
_MISSING = ("", "-", "–", "—", "n/a", "na", "n.a.", "#n/a", "nan", "none", "null", "nil", "<na>")  # in lower case
_SIGN = r"(?:(?:R|US|CA|A|C|NZ|HK|S)?\$|[€£¥₹₩₺₪₫฿₽]|zł|Kč|kr\.?|Rs\.?|Fr\.?|" + "|".join(CURRENCIES) + ")"
_ODD, _PLAIN = "\u00a0\u202f\u2009−’", "   -'"  # spaces that don't break, a long minus, a curved apostrophe
_UNIT = r"(?i:(?:pcs?|pce|pieces?|ea|each|units?|st(?:k|ck|ück)?|x|uds?|unidades|pi[eè]ces?|pz)\.?)"


def plain_number(text: str, mark: str = ".", units: bool = False) -> str:
    """Return SQL for the number in a text, as text with a point; NULL where the text is none.

    Parameters
    ----------
    text : str
        SQL of the text, trimmed.
    mark : str
        The decimal mark, ``.`` or ``,``; or ``.,`` where both occur: then what could be thousands is no number.
    units : bool
        Whether a unit of pieces may follow.

    Examples
    --------
    >>> import duckdb
    >>> def read(mark, *texts):
    ...     sql = f"SELECT {plain_number('text', mark)} FROM (SELECT unnest(?) AS text)"
    ...     return [row[0] for row in duckdb.execute(sql, [list(texts)]).fetchall()]
    >>> read(".", "4,158", "(12.50)", "1,234.50-", "-$3", "12,50", "2 pcs", "1.2.3")
    ['4158', '-12.50', '-1234.50', '-3', None, None, None]
    >>> read(",", "1.234,50", "12,50-", "3 €", "1'234,5", "125.76")
    ['1234.50', '-12.50', '3', '1234.5', None]
    >>> read(".,", "12.50", "12,50", "1.234,50", "1,234", "0.125")
    ['12.50', '12.50', '1234.50', None, '0.125']
    """
    if mark == ".,":
        either = "^[^0-9]*[1-9][0-9]{0,2}[.,][0-9]{3}[^0-9]*$"
        tries = f"coalesce({plain_number(text, '.', units)}, {plain_number(text, ',', units)})"
        return f"CASE WHEN NOT regexp_matches({text}, '{either}') THEN {tries} END"
    other = "," if mark == "." else "."
    without = f"regexp_replace({text}, {sql_text(f'{_SIGN}|{_UNIT}$' if units else _SIGN)}, '')"
    bare = f"trim(translate({without}, {sql_text(_ODD)}, {sql_text(_PLAIN)}))"
    groups = f"(?:[{other}][0-9]{{2,3}})*[{other}][0-9]{{3}}|[1-9][0-9]{{0,2}}(?:[ '][0-9]{{3}})+"
    number = f"(?:(?:[0-9]+|[1-9][0-9]{{0,2}}{groups})(?:[{mark}][0-9]*)?|[{mark}][0-9]+)"
    ways = rf"[-+]? ?{number}|{number} ?-|\( ?{number} ?\)"
    kept = f"replace(regexp_replace({bare}, '[^0-9{mark}]', '', 'g'), ',', '.')"
    sign = f"CASE WHEN regexp_matches({bare}, '[-(]') THEN '-' ELSE '' END"
    return f"CASE WHEN regexp_matches({bare}, {sql_text(f'^(?:{ways})$')}) THEN {sign} || {kept} END"


def quick_number(text: str, mark: str) -> str:
    """Return SQL for a text whose decimal mark is made a point, which most are in a clean column."""
    if mark == ".":
        return text
    if mark == ",":
        return f"CASE WHEN NOT contains({text}, '.') THEN replace({text}, ',', '.') END"
    return f"CASE WHEN NOT contains({text}, '.') AND NOT contains({text}, ',') THEN {text} END"


def currency_sign(text: str) -> str:
    """Return SQL for the currency that stands in a text; NULL where there is none."""
    return f"nullif(regexp_extract({text}, {sql_text(_SIGN)}), '')"


def missing_number(text: str) -> str:
    """Return SQL for a text with the usual codes for a missing number as NULL.

    Examples
    --------
    >>> import duckdb
    >>> duckdb.execute(f"SELECT {missing_number('text')} FROM (SELECT unnest([' ', 'N/A', '3']) AS text)").fetchall()
    [(None,), (None,), ('3',)]
    """
    listed = ", ".join(map(sql_text, _MISSING))
    return f"CASE WHEN list_contains([{listed}], lower(trim({text}))) THEN NULL ELSE {text} END"
