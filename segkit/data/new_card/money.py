"""Which column is the line's money after discount, read off the figures: what it adds up to, and what equals what."""

from dataclasses import dataclass, field
from functools import partial

from segkit.data.columns import number
from segkit.data.new_card.card_text import Decision, toml_text
from segkit.data.new_card.look import Look
from segkit.data.new_card.synonyms import SYNONYMS, name_score, plain_name
from segkit.runtime.spelling import quote

MOST_ROWS = 0.9  # of the filled ones: where a total equals what it should, slips and fees aside
_FEWEST_PRODUCTS = 3  # bought in several quantities: what a price depends on can be seen on them
_PLAIN = "quantity x price"
# What a discount of one line may be, and what it then takes off; sizes only, since returns bear any sign.
_DISCOUNTS = {
    "money per line": "d",
    "money per piece": "q * d",
    "a rate from 0 to 1": "q * p * d",
    "a rate in percent": "q * p * d / 100",
}
_OF_A_PIECE = ("unit", "per", "einzelpreis", "stueckpreis", "stuckpreis", "unitaire", "unitario", "lineitem")


@dataclass
class Money:
    """How the lines' money is written in the card.

    `reasons` is why, by role; `words` further lines of [orders] and what is to be decided; `price` is what is to be
    decided of the price; `totals` are the columns that state money of a whole order, `used` further ones.
    """

    reasons: dict[str, str] = field(default_factory=dict)
    price: Decision | None = None
    words: list[str | Decision] = field(default_factory=list)
    totals: dict[str, str] = field(default_factory=dict)
    used: list[str] = field(default_factory=list)


def settle_money(connection, looks: list[Look], roles: dict[str, Look]) -> Money:
    """Return amount and discount of a line as the figures of the file say them; changes `roles` accordingly.

    Each column that is named like a total is held against quantity x unit price: of the line, and of all lines of its
    order. What holds in `MOST_ROWS` of the rows is taken. Where no sum tells, a price that doesn't rise with the
    quantity is one of a piece. What stays open is a `Decision`.
    """
    money = Money()
    quantity, order = roles.get("quantity"), roles.get("order_id")
    named = [look for look in looks if look is roles.get("amount") or _total_name(look, roles)]
    named = [look for look in named if look.is_money_like]
    pieces = quantity, roles.get("unit_price")
    whole = [look for look in named if order and _is_of_order(connection, look, order, *pieces)]
    if roles.get("amount") in whole:
        del roles["amount"]
    discount = roles.get("discount")
    if discount and order and _is_of_order(connection, discount, order, None, None):
        _whole_discount(connection, money, discount, whole, roles)
        del roles["discount"]
    _settle_price(connection, money, roles, whole)
    price, amount = roles.get("unit_price"), roles.get("amount")
    for look in whole:
        known = "subtotal" if "sub" in plain_name(look.name) or "netto" in plain_name(look.name) else "total"
        if price or amount:
            money.totals.setdefault(known, look.name)
    if not price and not amount and whole:
        total = max(whole, key=lambda look: name_score(look.name, SYNONYMS["amount"]))
        money.words.append(f"order_total = {toml_text(total.name)}    # of the whole order: spread over its lines")
        money.used.append(total.name)
        return money
    _settle_discount(connection, money, looks, roles, [look for look in named if look not in whole])
    amount = roles.get("amount")
    if amount and quantity and not amount.negative_share and quantity.negative_share:
        money.words.append('signed_by = "quantity"    # the amounts have no sign, the quantities have')
    return money


def _settle_price(connection, money: Money, roles: dict[str, Look], whole: list[Look]) -> None:
    """Decide whether a price is of a piece or of the whole line."""
    price, quantity = roles.get("unit_price"), roles.get("quantity")
    if price is None or quantity is None or quantity.low == quantity.high == 1 or roles.get("amount"):
        return
    of_a_piece, why = None, ""
    if order := roles.get("order_id"):
        for total in whole:
            fits = _order_fits(connection, order, quantity, price, total)
            if max(fits) >= MOST_ROWS and fits[0] != fits[1]:
                of_a_piece = fits[0] > fits[1]
                why = f"{'pieces x ' * of_a_piece}{price.name} add up to {total.name} in {max(fits):.0%} of orders"
                break
    if of_a_piece is None:
        of_a_piece, why = _by_quantity(connection, roles.get("product_id"), quantity, price)
    if of_a_piece is None and any(word in plain_name(price.name).split("_") for word in _OF_A_PIECE):
        of_a_piece, why = True, "by its name"
    if of_a_piece is None and quantity.negative_share and not price.negative_share:
        of_a_piece, why = True, "it has no sign where the pieces have one"
    if of_a_piece is None:
        named = toml_text(price.name)
        money.price = Decision(
            "unit_price",
            f"is {price.name} the price of a piece, or of the whole line",
            ((f"unit_price = {named}", "of a piece"), (f"amount = {named}", "of the whole line")),
        )
        del roles["unit_price"]
        money.used.append(price.name)
    elif not of_a_piece:
        roles["amount"] = roles.pop("unit_price")
        money.reasons["amount"] = f"of the whole line: {why}"
    elif why != "by its name":
        money.reasons["unit_price"] = why


def _by_quantity(connection, product: Look | None, quantity: Look, price: Look) -> tuple[bool | None, str]:
    """Return whether a product's price stays alike when more pieces are bought, which one of a piece does."""
    if product is None:
        return None, ""
    same, rises, pairs = connection.execute(f"""
        SELECT count(*) FILTER (alone < shared), count(*) FILTER (alone > shared), count(*) FROM (
            SELECT stddev_pop(p) / avg(p) AS alone, stddev_pop(p / q) / avg(p / q) AS shared
            FROM (SELECT {quote(product.name)} AS product, abs({_value(quantity)}) AS q, abs({_value(price)}) AS p
                FROM sample)
            WHERE p > 0 AND q > 0 GROUP BY product HAVING count(DISTINCT q) > 1)""").fetchone()
    if pairs < _FEWEST_PRODUCTS or max(same, rises) < 0.8 * pairs:
        return None, ""
    if same > rises:
        return True, f"for {same:,} of {pairs:,} products it stays alike when more pieces are bought"
    return False, f"for {rises:,} of {pairs:,} products it rises with the pieces"


def _is_of_order(connection, look: Look, order: Look, quantity: Look | None, price: Look | None) -> bool:
    """Return whether a column is the same on all lines of an order, in nearly all orders of several unlike lines."""
    line = "false"
    if quantity is not None and price is not None and look is not price:
        line = f"abs(abs({_value(look)}) - abs({_value(quantity)} * {_value(price)})) <= 0.0051"
    same, by_line, orders = connection.execute(f"""
        SELECT count(*) FILTER (amounts = 1), count(*) FILTER (by_line), count(*) FROM (
            SELECT count(DISTINCT {_value(look)}) AS amounts, bool_and({line}) AS by_line
            FROM sample WHERE {quote(order.name)} IS NOT NULL AND {_value(look)} IS NOT NULL
            GROUP BY {quote(order.name)} HAVING count(*) > 1)""").fetchone()
    return orders > 0 and same > MOST_ROWS * orders and by_line < 0.5 * orders


def _order_fits(connection, order, quantity, price, total, less="0", lines="true", where="pieces > 1") -> tuple:
    """Return the share of orders whose total, with what is taken off, is the sum of pieces x price, or of prices."""
    fits = connection.execute(f"""
        SELECT avg((abs(total - unit) <= 0.011 + 0.005 * lines)::INTEGER),
            avg((abs(total - plain) <= 0.011 + 0.005 * lines)::INTEGER)
        FROM (SELECT max({_value(total)}) + {less} AS total, sum({_value(quantity)} * {_value(price)}) AS unit,
                sum({_value(price)}) AS plain, count(*) AS lines, max({_value(quantity)}) AS pieces
            FROM sample WHERE {lines} GROUP BY {quote(order.name)})
        WHERE {where}""").fetchone()
    return fits[0] or 0.0, fits[1] or 0.0


def _whole_discount(connection, money: Money, discount: Look, whole: list[Look], roles: dict[str, Look]) -> None:
    """Decide whether the discount of a whole order is still to be taken off its lines."""
    money.used.append(discount.name)
    line = f"order_discount = {toml_text(discount.name)}"
    quantity, price, order = (roles.get(role) for role in ("quantity", "unit_price", "order_id"))
    if quantity and price:
        off = f"max(coalesce(abs({_value(discount)}), 0))"
        for total in whole:
            some = f"{quote(order.name)} IN (SELECT {quote(order.name)} FROM sample WHERE {_value(discount)} > 0)"
            fit = partial(_order_fits, connection, order, quantity, price, total, lines=some, where="true")
            before, after = fit("0")[0], fit(off)[0]
            if max(before, after) >= MOST_ROWS:
                if after >= before:
                    money.words.append(f"{line}    # of the whole order: {total.name} is what is left without it")
                return
    money.words.append(
        Decision(
            "order_discount",
            f"{discount.name} is the same on all lines of an order; is it still to be taken off",
            ((line, "taken off, in proportion"), ("order_discount = false", "the amounts are without it already")),
        )
    )


def _settle_discount(connection, money: Money, looks: list[Look], roles: dict[str, Look], totals: list[Look]) -> None:
    """Find what a line's total equals, and whether the discount of the line is taken off it."""
    quantity, price, amount = (roles.get(role) for role in ("quantity", "unit_price", "amount"))
    discount = roles.get("discount") or _named_discount(looks, roles, money.used)
    if price is None or quantity is None:
        if amount is not None and discount is not None and "amount" not in money.reasons:
            doubt = f"there is no unit price to see whether {discount.name} is taken off {amount.name}"
            _ask_discount(money, roles, doubt, discount)
        return
    found = [(look, *_law(connection, quantity, price, discount, look)) for look in totals]
    fitting = [one for one in found if one[1]]
    if not fitting:
        if amount is not None:
            roles.pop("unit_price")
        if discount is not None:
            doubt = f"no column equals {quantity.name} x {price.name}, with or without {discount.name}"
            _ask_discount(money, roles, doubt, discount)
        return
    # of several totals the one after discount, then the one named most like it
    total, law, share = max(
        fitting, key=lambda one: (one[1] in _DISCOUNTS, name_score(one[0].name, SYNONYMS["amount"]))
    )
    roles["amount"] = total
    roles.pop("unit_price", None)
    shown = f"{quantity.name} x {price.name}"
    if law not in _DISCOUNTS:
        before = f": before {discount.name}" if discount is not None else ""
        money.reasons["amount"] = f"equals {shown} in {share:.0%} of rows{before}"
        if discount is not None:
            doubt = f"{total.name} is {shown} also where {discount.name} isn't 0"
            _ask_discount(money, roles, doubt, discount)
        return
    money.reasons["amount"] = f"equals {shown} less {discount.name} ({law}) in {share:.0%} of rows: after discount"
    money.reasons["discount"] = f"{law}, as {total.name} shows"
    _name_discount(money, roles, discount, law)


def _name_discount(money: Money, roles, discount: Look, law: str) -> None:
    kinds = {"money per piece": "per piece", "a rate from 0 to 1": "rate", "a rate in percent": "percent"}
    kind = kinds.get(law, "negative" if discount.negative_share > 0.5 else "money")
    roles["discount"] = discount
    if kind != "money":
        money.words.append(f"discount_is = {toml_text(kind)}    # what {discount.name} is")


def _ask_discount(money: Money, roles, doubt: str, discount: Look) -> None:
    """Leave to be decided whether the line's discount is still to be taken off, as what its values look like."""
    law = "money per line"
    if discount.percent_share > 0.5:
        law = "a rate in percent"
    elif discount.high is not None and discount.low >= 0 and discount.high <= 1 and not discount.whole:
        law = "a rate from 0 to 1"
    _name_discount(money, roles, discount, law)
    asked = f"amount may still include the discount: {doubt}"
    choices = (("take_off_discount = true", "taken off"), ("take_off_discount = false", "not taken off again"))
    money.words.append(Decision("take_off_discount", asked, choices))


def _total_name(look: Look, roles: dict[str, Look]) -> bool:
    taken = {one.name for role, one in roles.items() if role != "amount"}
    about_returns = name_score(look.name, SYNONYMS["is_return"]) > 0
    return look.name not in taken and not about_returns and name_score(look.name, SYNONYMS["amount"]) > 0


def _named_discount(looks: list[Look], roles: dict[str, Look], used: list[str]) -> Look | None:
    """Return the column named like a discount whose values kept it from being one: a rate, percents, or negative."""
    taken = {*used, *(one.name for one in roles.values())}
    named = [(name_score(one.name, SYNONYMS["discount"]), one) for one in looks if one.name not in taken]
    named = [one for one in named if one[0] and (one[1].is_money_like or one[1].percent_share > 0)]
    return max(named, key=lambda one: one[0])[1] if named else None


def _law(connection, quantity: Look, price: Look, discount: Look | None, total: Look) -> tuple[str, float]:
    """Return what a total equals, and in which share of the rows; "" where it is nothing of the kind."""
    laws = {_PLAIN: "0"} | (_DISCOUNTS if discount is not None else {})
    columns = {"q": quantity, "p": price, "d": discount, "t": total}
    values = ", ".join(
        f"coalesce(abs({_value(look)}), 0) AS d" if name == "d" else f"abs({_value(look)}) AS {name}"
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


def _value(look: Look) -> str:
    """Return SQL of a column as a number; 10 % reads as 10."""
    if look.percent_share:
        return number(f"rtrim({quote(look.name)}::VARCHAR, ' %')", "VARCHAR", look.mark)
    return number(quote(look.name), look.type, look.mark, bool(name_score(look.name, SYNONYMS["quantity"])))
