"""Which column is the line's money after discount, read off the figures: what its total equals, row by row."""

from dataclasses import dataclass

from segkit.data.columns import number
from segkit.data.new_card.look import Look
from segkit.data.new_card.synonyms import SYNONYMS, name_score
from segkit.runtime.spelling import quote

MOST_ROWS = 0.9  # of the filled ones: where a total equals what it should, slips and fees aside
_PLAIN = "quantity x price"
# What a discount of one line may be, and what it then takes off; sizes only, since returns bear any sign.
_DISCOUNTS = {
    "money per line": "d",
    "money per piece": "q * d",
    "a rate from 0 to 1": "q * p * d",
    "a rate in percent": "q * p * d / 100",
}


@dataclass(frozen=True)
class Money:
    """How the lines' money is written in the card: SQL by role with the reason, and what is still to be decided."""

    expressions: dict[str, tuple[str, str]]
    used: tuple[str, ...]
    warning: str = ""


def settle_money(connection, looks: list[Look], roles: dict[str, Look], order_totals, decimal: str) -> Money:
    """Return amount and discount of a line as the figures of the file say them; nothing where they say nothing.

    Each column that is named like a line's total is held against quantity x unit price, and against that less the
    discount: as money or as a rate, per line or per piece. What holds in `MOST_ROWS` of the rows, and of those with a
    discount, is taken.

    Parameters
    ----------
    looks : list of Look
    roles : dict
        Column by role, as guessed by names; `unit_price` may be there beside `amount`.
    order_totals : collection of str
        Columns that repeat within orders, which are no line's totals.
    decimal : str
        The decimal mark of numbers that are stored as text.
    """
    quantity, price, amount = (roles.get(role) for role in ("quantity", "unit_price", "amount"))
    discount = roles.get("discount") or _named_discount(looks, roles)
    if price is None or quantity is None:
        if amount is None or discount is None:
            return Money({}, ())
        doubt = f"there is no unit price to see whether {discount.name} is taken off {amount.name}"
        return Money({}, (), _warning(doubt, ""))
    totals = [look for look in looks if look.is_money_like and look.name not in order_totals]
    totals = [look for look in totals if look in (amount, *(one for one in looks if _total_name(one, roles)))]
    found = [(look, *_law(connection, quantity, price, discount, look, decimal)) for look in totals]
    fitting = [one for one in found if one[1]]
    if not fitting:
        return _undecided(quantity, price, discount, amount, decimal)
    # of several totals the one after discount, then the one named most like it
    total, law, share = max(
        fitting, key=lambda one: (one[1] in _DISCOUNTS, name_score(one[0].name, SYNONYMS["amount"]))
    )
    shown = f"{quantity.name} x {price.name}"
    if discount is None:
        return Money({"amount": (quote(total.name), f"equals {shown} in {share:.0%} of rows")}, (total.name,))
    if law in _DISCOUNTS:
        why = f"equals {shown} less {discount.name} ({law}) in {share:.0%} of rows: after discount"
        taken_off = _sql(_DISCOUNTS[law], quantity, price, discount, decimal)
        told = f"{law}, as {total.name} shows"
        money = {"amount": (quote(total.name), why), "discount": (f"abs({taken_off})", told)}
        if law == "money per line" and not discount.negative_share and discount.percent_share == 0:
            money["discount"] = quote(discount.name), told
        return Money(money, (total.name, discount.name))
    why = f"equals {shown} in {share:.0%} of rows: before {discount.name}"
    doubt = f"{total.name} is {shown} also where {discount.name} isn't 0"
    return Money(
        {"amount": (quote(total.name), why)}, (total.name,), _warning(doubt, _less(quantity, price, discount, decimal))
    )


def _undecided(quantity, price, discount, amount, decimal) -> Money:
    if discount is None:
        return Money({}, ())
    doubt = f"no column equals {quantity.name} x {price.name}, with or without {discount.name}"
    return Money({}, (), _warning(doubt, "" if amount else _less(quantity, price, discount, decimal)))


def _warning(doubt: str, sql: str) -> str:
    way = f'; if it isn\'t taken off, write amount = {{ sql = """{sql}""" }}' if sql else ""
    return f"amount may still include the discount: {doubt}{way}"


def _less(quantity: Look, price: Look, discount: Look, decimal: str) -> str:
    """Return SQL of quantity x price less the discount, as what its values look like; the sign stays the quantity's."""
    law = "money per line"
    if discount.percent_share > 0.5:
        law = "a rate in percent"
    elif discount.high is not None and discount.low >= 0 and discount.high <= 1 and not discount.whole:
        law = "a rate from 0 to 1"
    off = _sql(_DISCOUNTS[law], quantity, price, discount, decimal)
    whole = _sql("q * p", quantity, price, discount, decimal)
    return f"{whole} - sign({whole}) * abs({off})"


def _total_name(look: Look, roles: dict[str, Look]) -> bool:
    taken = {one.name for role, one in roles.items() if role != "amount"}
    about_returns = name_score(look.name, SYNONYMS["is_return"]) > 0
    return look.name not in taken and not about_returns and name_score(look.name, SYNONYMS["amount"]) > 0


def _named_discount(looks: list[Look], roles: dict[str, Look]) -> Look | None:
    """Return the column named like a discount whose values kept it from being one: a rate, percents, or negative."""
    taken = {one.name for one in roles.values()}
    named = [(name_score(one.name, SYNONYMS["discount"]), one) for one in looks if one.name not in taken]
    named = [one for one in named if one[0] and (one[1].is_money_like or one[1].percent_share > 0)]
    return max(named, key=lambda one: one[0])[1] if named else None


def _law(connection, quantity, price, discount, total: Look, decimal) -> tuple[str, float]:
    """Return what a total equals, and in which share of the rows; "" where it is nothing of the kind."""
    laws = {_PLAIN: "0"} | (_DISCOUNTS if discount is not None else {})
    columns = {"q": quantity, "p": price, "d": discount, "t": total}
    values = ", ".join(
        f"coalesce(abs({_value(look, decimal)}), 0) AS d" if name == "d" else f"abs({_value(look, decimal)}) AS {name}"
        for name, look in columns.items()
        if look is not None
    )
    # half a cent for the total, and for each piece where the price was rounded after the discount
    fits = ", ".join(
        f"avg(({law})::INTEGER), avg(({law})::INTEGER) FILTER ({'d > 0' if discount is not None else 'true'})"
        for law in (f"abs(t - abs(q * p - ({off}))) <= 0.0051 * (1 + q)" for off in laws.values())
    )
    shares = connection.execute(
        f"SELECT {fits} FROM (SELECT {values} FROM sample) WHERE q > 0 AND p > 0 AND t IS NOT NULL"
    ).fetchone()
    pairs = dict(zip(laws, zip(shares[::2], shares[1::2], strict=True), strict=True))
    pairs = {law: (of_all or 0, of_all if of_some is None else of_some) for law, (of_all, of_some) in pairs.items()}
    best = max(pairs, key=lambda law: (pairs[law][1] or 0, pairs[law][0]))
    holds = min(pairs[best][0], pairs[best][1] or 0) >= MOST_ROWS
    return (best, pairs[best][0]) if holds else ("", 0.0)


def _value(look: Look, decimal: str) -> str:
    """Return SQL of a column as a number; 10 % reads as 10."""
    if look.percent_share:
        return number(f"rtrim({quote(look.name)}::VARCHAR, ' %')", "VARCHAR", decimal)
    return number(quote(look.name), look.type, decimal)


def _sql(law: str, quantity: Look, price: Look, discount: Look, decimal: str) -> str:
    """Return a law with the file's columns in the place of its letters."""
    values = {
        "q": _value(quantity, decimal),
        "p": _value(price, decimal),
        "d": f"coalesce({_value(discount, decimal)}, 0)",
    }
    return " ".join(values.get(word, word) for word in law.split())
