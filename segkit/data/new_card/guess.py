"""Which column plays which role in an order line, by its name and by what is in it."""

from dataclasses import dataclass, field

from segkit.data.columns import boolean, is_number, number
from segkit.data.dates import date_choices, date_formats, is_read
from segkit.data.new_card.look import Look
from segkit.data.new_card.money import Money, settle_money
from segkit.data.new_card.people import choose_customer
from segkit.data.new_card.status import status_columns
from segkit.data.new_card.synonyms import PRODUCT_NAMES, SYNONYMS, name_score
from segkit.runtime.spelling import quote

REQUIRED_ROLES = ("customer_id", "order_id", "ordered_at", "product_id", "quantity")
_NEVER_EMPTY = ("order_id", "ordered_at", "product_id", "quantity", "amount", "unit_price")
_NUMBERS = ("quantity", "amount", "unit_price", "discount", "coupon_discount")


@dataclass
class Guess:
    """Column by role, and the candidates that lost with the reason; the column with names of products; the rest.

    `date_choices` are pairs of formats and what they mean, where the dates don't tell which holds; `customer` is why
    an id was taken though another is named more like it; `stati` are the words of columns that say what is no sale.
    """

    roles: dict[str, Look] = field(default_factory=dict)
    names: Look | None = None
    rejected: dict[str, str] = field(default_factory=dict)
    date_formats: tuple[str, ...] = ()
    date_choices: list[tuple[tuple[str, ...], str]] = field(default_factory=list)
    money: Money = field(default_factory=Money)
    customer: str = ""
    stati: dict[str, list[str]] = field(default_factory=dict)
    key: list[str] = field(default_factory=list)


def guess_roles(connection, looks: list[Look]) -> Guess:
    """Return the likeliest column for each role of an order line; each column plays one role at most.

    Names decide between columns that could play a role; whether a column could is decided by what is in it: a date
    that can be read, numbers where a number is needed, no gaps where the contract allows none; and what an amount and
    a discount are, by what they add up to.
    """
    guess = Guess()
    scores = []
    for position, look in enumerate(looks):
        for role, synonyms in SYNONYMS.items():
            score = name_score(look.name, synonyms)
            if not score or (role in _NUMBERS and name_score(look.name, SYNONYMS["is_return"])):
                continue  # a refunded amount is no line's amount
            unfit = _unfit(connection, role, look)
            if unfit:
                guess.rejected.setdefault(look.name, f"its name says {role}, but {unfit}")
            else:
                scores.append((-score, list(SYNONYMS).index(role), position, role, look))
    taken: set[str] = set()
    for _, _, _, role, look in sorted(scores, key=lambda row: row[:3]):
        if role in guess.roles:
            guess.rejected.setdefault(look.name, f"could be {role}, but {guess.roles[role].name} is named more like it")
        elif look.name not in taken:
            guess.roles[role] = look
            taken.add(look.name)
    _guess_by_content(connection, guess, looks, taken)
    guess.customer = choose_customer(connection, looks, guess.roles)
    guess.money = settle_money(connection, looks, guess.roles)
    _guess_names(connection, guess, looks)
    for look in (*guess.roles.values(), *filter(None, [guess.names])):
        guess.rejected.pop(look.name, None)
    find_dates(connection, guess)
    free = [look for look in looks if look not in guess.roles.values() or look is guess.roles.get("is_return")]
    guess.stati = status_columns(connection, free)
    _returns_by_word(connection, guess)
    return guess


def find_dates(connection, guess: Guess) -> None:
    """Find the formats in which the dates of the orders are written, and whether that is certain."""
    if (when := guess.roles.get("ordered_at")) is not None and not when.is_date:
        of_digits = when.low is not None and when.whole and 19e6 < when.low < 21e6
        if of_digits or (when.type == "VARCHAR" and when.dates_share < 0.95):
            guess.date_formats, _ = date_formats(connection, _texts(when))
            guess.date_choices = date_choices(connection, _texts(when), guess.date_formats)
        elif when.high is not None and when.low > 20_000 and when.high < 80_000:
            guess.date_formats = ("excel",)


def line_money(guess: Guess) -> str:
    """Return SQL of a line's money as its columns say it; NULL where none was found."""
    quantity, price, amount = (guess.roles.get(role) for role in ("quantity", "unit_price", "amount"))
    if amount is None and (price is None or quantity is None):
        return "NULL"
    return " * ".join(
        number(quote(one.name), one.type, one.mark, True) for one in ([amount] if amount else [quantity, price])
    )


def _returns_by_word(connection, guess: Guess) -> None:
    """Let a column of returns say so in words where their amounts are not negative; else its words are no status."""
    back = guess.roles.get("is_return")
    if back is None:
        return
    yes = boolean(quote(back.name), back.type, "false")
    negative = connection.execute(
        f"SELECT avg((({line_money(guess)}) < 0)::INTEGER) FROM sample WHERE {yes}"
    ).fetchone()[0]
    if negative is not None and negative < 0.5:
        del guess.roles["is_return"]
        words = connection.execute(
            f"SELECT DISTINCT coalesce(trim({quote(back.name)}::VARCHAR), '') FROM sample"
        ).fetchall()
        guess.stati = {back.name: sorted(row[0] for row in words), **guess.stati}
    else:
        guess.stati.pop(back.name, None)


def _unfit(connection, role: str, look: Look) -> str:
    """Return why a column can't play a role; empty if it can."""
    if look.filled_share == 0:
        return "it is empty"
    if role in _NEVER_EMPTY and look.filled_share < 0.8:
        return f"{1 - look.filled_share:.0%} of its cells are empty"
    if role == "ordered_at":
        return "" if _is_time(connection, look) else _no_dates(connection, look)
    if look.is_date:
        return "it holds dates"
    if role in _NUMBERS:
        if not look.is_money_like:
            return _not_all("numbers", look.numbers_share, look.no_number, look)
        if role == "discount" and not look.whole and look.high is not None and look.low >= 0 and look.high <= 1:
            return "it runs from 0 to 1: a rate"
        if role in ("discount", "coupon_discount") and look.negative_share > 0.05:
            return "it is negative"
        return ""
    if role == "is_return":
        read = boolean(quote(look.name), look.type, "false")
        unread = connection.execute(f"SELECT max({quote(look.name)}) FROM sample WHERE ({read}) IS NULL").fetchone()[0]
        return "" if unread is None else f"it holds {unread}, not yes and no"
    if role in ("channel", "category", "country") and look.distinct > 1000:
        return f"it has {look.distinct:,} different values"
    if role == "product_id" and look.low is not None and not look.is_text and not look.whole:
        return "its numbers have fractions"
    return ""


def _no_dates(connection, look: Look) -> str:
    """Return how many values of a column are no dates, and one that is none."""
    formats, share = date_formats(connection, _texts(look)) if look.type == "VARCHAR" else ((), 0)
    if not formats:
        return _not_all("dates", 0, "", look)
    unread = f"SELECT mode(shown) FROM ({_texts(look)}) AS texts WHERE NOT {is_read(formats)}"
    return _not_all("dates", share, connection.execute(unread).fetchone()[0], look)


def _not_all(what: str, share: float, example: str, look: Look) -> str:
    """Return which part of a column's values is not what its name says, with examples of those."""
    if share and example:
        return f"{1 - share:.0%} of its values are no {what}, such as {example}"
    return f"its values are no {what} ({', '.join(look.examples)})"


def _is_time(connection, look: Look) -> bool:
    if look.is_date or look.dates_share > 0.95:
        return True
    if look.is_text or look.type == "VARCHAR":
        return date_formats(connection, _texts(look))[1] > 0.95
    if look.low is None or not is_number(look.type):
        return False
    return (look.whole and (5e8 < look.low < 5e15 or 19e6 < look.low < 21e6)) or (
        look.low > 20_000 and look.high < 80_000
    )


def _texts(look: Look) -> str:
    """Return the query of some ten thousand texts of a column, from all of the sample."""
    every = look.rows // 10_000 + 1
    return f"SELECT {quote(look.name)}::VARCHAR AS shown FROM sample WHERE rowid % {every} = 0"


def _guess_by_content(connection, guess: Guess, looks: list[Look], taken: set[str]) -> None:
    """Give the time of the order to the only column with dates where no name says it."""
    if "ordered_at" not in guess.roles:
        dates = [look for look in looks if look.name not in taken and not is_number(look.type)]
        dates = [look for look in dates if _is_time(connection, look)]
        if len(dates) == 1:
            guess.roles["ordered_at"] = dates[0]
            taken.add(dates[0].name)


def _guess_names(connection, guess: Guess, looks: list[Look]) -> None:
    """Find the column that says what products are called: text, by its name, and mostly the same for one product."""
    product, taken = guess.roles.get("product_id"), {look.name for look in guess.roles.values()}
    named = [(-name_score(look.name, PRODUCT_NAMES), look.name, look) for look in looks if look.name not in taken]
    for score, _, look in sorted(named, key=lambda one: one[:2]):
        if not score or product is None or look.kind != "text" or look.distinct < 2:
            continue
        same, lines = connection.execute(
            f"SELECT sum(most), sum(lines) FROM (SELECT max(lines) AS most, sum(lines) AS lines FROM (SELECT "
            f"{quote(product.name)} AS product, count(*) AS lines FROM sample WHERE {quote(look.name)} IS NOT NULL "
            f"GROUP BY product, {quote(look.name)}) GROUP BY product)"
        ).fetchone()
        if same > 0.5 * lines:
            guess.names = look
            return
        guess.rejected[look.name] = "named like a product's name, but lines of one product differ in it"
