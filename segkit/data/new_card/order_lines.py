"""The card of a file of order lines."""

from segkit.data.cards.sections import FileSource
from segkit.data.columns import AS_WRITTEN, number
from segkit.data.convert import sql_text
from segkit.data.dates import as_in_card, read_as
from segkit.data.new_card.card_text import Decision, file_lines, head_lines, toml_text
from segkit.data.new_card.guess import REQUIRED_ROLES, Guess, line_money
from segkit.data.new_card.look import Look
from segkit.data.new_card.people import order_key_lines, placeholder_lines
from segkit.data.new_card.status import status_lines
from segkit.data.new_card.synonyms import CURRENCY_COLUMNS, SYNONYMS, name_score, plain_name
from segkit.data.numbers import CURRENCIES, CURRENCY_SIGNS
from segkit.runtime.spelling import quote

_FALLBACKS = {  # what stands in for a column that isn't there, and what that means
    "quantity": ("1", "no such column found: every line counts as one piece"),
    "product_id": ("'any'", "no such column found: products can't be told apart"),
}
_NUMBERS = ("quantity", "amount", "unit_price", "discount", "coupon_discount")
MOST_CODES = 8  # that are listed
MOST_ODD_CODES = 0.02  # of all: where more have no digit, codes are words
_OPTIONAL_ROLES = ("discount", "coupon_discount", "category", "channel", "country", "store_id")


def draft_orders(connection, name: str, shown: str, source: FileSource, looks: list[Look], guess: Guess) -> list:
    """Return the lines of the card of a file of order lines, and what is to be decided in it."""
    roles = guess.roles
    currency, why, currencies = _currency(connection, looks, roles)
    lines = head_lines(name, f"One row of the file is one order line.{_sampled(looks)}", currency, why)
    if currencies:
        lines[3] = _ask_currency(currencies, why)
    lines += ["[orders]", *file_lines(shown, source), *decimal_lines(roles), *date_lines(guess)]
    lines += [f"currency_column = {toml_text(currencies[0])}    # lines in others are left out"] if currencies else []
    if "customer_id" in roles:
        lines += placeholder_lines(connection, roles["customer_id"], roles.get("order_id"))
    lines += order_key_lines(connection, roles, _moment(guess))
    lines += guess.money.words
    lines.append('[orders.columns]                # canonical name = source column, or { sql = "an expression" }')
    for role in REQUIRED_ROLES:
        lines += _column(role, roles, guess)
    if guess.money.price:
        lines.append(guess.money.price)
    elif not any(isinstance(word, str) and word.startswith("order_total") for word in guess.money.words):
        lines += _column(_money(guess), roles, guess)
    lines.append("# (amount: the line's money after discount, negative for returns; unit_price: times quantity)")
    lines += _returns(connection, roles)
    for role in _OPTIONAL_ROLES:
        if role in roles:
            lines += _column(role, roles, guess)
    absent = [role for role in _OPTIONAL_ROLES if role not in roles]
    if absent:
        lines.append(f"# not found, and optional: {', '.join(absent)}")
    stati = list(guess.stati.items())
    if stati:
        lines += ["", *status_lines(connection, *stati[0], line_money(guess))]
    if guess.money.totals:
        lines += [
            "",
            "[orders.totals]                # what the file states of whole orders: `check` holds it against the lines",
        ]
        lines += [f"{what} = {toml_text(column)}" for what, column in guess.money.totals.items()]
    used = {look.name for look in (*roles.values(), *filter(None, [guess.names]))} | set(guess.money.used)
    used |= {currencies[0]} if currencies else set()
    used |= {stati[0][0]} if stati else set()
    if unused := [look for look in looks if look.name not in used]:
        lines += ["", "# Columns that aren't used:"]
        for look in unused:
            why = f" ({guess.rejected[look.name]})" if look.name in guess.rejected else ""
            why = " (words that say what is no sale: look at them)" if look.name in guess.stati else why
            lines.append(f"#   {look.name}: {look}{why}")
    lines += ["", *_exclusions(connection, roles.get("product_id"))]
    if guess.names is not None:
        lines += ["", *_products(roles["product_id"], guess.names)]
    return lines


def _moment(guess: Guess) -> str:
    """Return SQL of the time of a line, in so far as its column says it."""
    when = guess.roles.get("ordered_at")
    if when is None:
        return "NULL::TIMESTAMP"
    if when.is_date or not guess.date_formats:
        return f"TRY_CAST({quote(when.name)}::VARCHAR AS TIMESTAMP)"
    tries = ", ".join(read_as(one) for one in guess.date_formats)
    return f"coalesce({tries})".replace("shown", f"{quote(when.name)}::VARCHAR")


def decimal_lines(roles: dict[str, Look]) -> list:
    """Return the decimal marks of numbers that are stored as text, by column where they differ."""
    looks = {role: look for role, look in roles.items() if role in _NUMBERS and look.type == "VARCHAR"}
    marks = {role: look.mark for role, look in looks.items()}
    if open_ := {role: look for role, look in looks.items() if look.other_marks}:
        other = next(iter(open_.values()))
        clear = {mark for role, mark in marks.items() if role not in open_}
        if not clear:
            asked = f"numbers such as {other.examples[0]} in {other.name}: is the mark one of thousands or of decimals"
            choices = [
                (mark, "of thousands" if (mark == ",") == ("." in other.examples[0]) else "of decimals")
                for mark in ",."
            ]
            return [Decision("decimal", asked, tuple((f"decimal = {toml_text(mark)}", why) for mark, why in choices))]
        marks |= dict.fromkeys(open_, clear.pop())
    if set(marks.values()) <= {"."}:
        return []
    how = {",": "numbers such as 1.234,50", ".,": "some with a decimal comma, some with a point"}
    if len(set(marks.values())) == 1:
        mark = next(iter(marks.values()))
        return [f"decimal = {toml_text(mark)}                  # {how[mark]}"]
    listed = ", ".join(f"{role} = {toml_text(mark)}" for role, mark in marks.items())
    return [f"decimal = {{ {listed} }}    # the marks differ"]


def _money(guess: Guess) -> str:
    """Return which of amount and unit price the card has; where neither was found, what the unfit columns are named."""
    if {"amount", "unit_price"} & set(guess.roles):
        return "amount" if "amount" in guess.roles else "unit_price"
    return "unit_price" if _unfit("unit_price", guess) and not _unfit("amount", guess) else "amount"


def _unfit(role: str, guess: Guess) -> list[str]:
    """Return the columns that are named like a role and can't play it, with the reason."""
    return [f"{name}: {why}" for name, why in guess.rejected.items() if name_score(name, SYNONYMS[role])]


def _sampled(looks: list[Look]) -> str:
    """Return which rows were counted, where they are not all."""
    seen, rows = looks[0].rows, looks[0].all_rows
    return "" if rows == seen else f"\n# Counts and shares beside a column are of the first {seen:,} of {rows:,} rows."


def _currency(connection, looks: list[Look], roles: dict[str, Look]) -> tuple[str, str, tuple]:
    """Return the currency and what says so; and the column and its currencies where there are several.

    A column of currencies says it, or a code or sign in the name or in the cells of a column of money.
    """
    for look in looks:
        if plain_name(look.name) in CURRENCY_COLUMNS and look.distinct == 1:
            return look.examples[0].strip().upper(), f"as column {look.name} says", ()
        if plain_name(look.name) in CURRENCY_COLUMNS and look.distinct:
            written = f"upper(trim({quote(look.name)}::VARCHAR))"
            found = connection.execute(
                f"SELECT {written} AS code, count(*) FROM rows WHERE {written} <> '' GROUP BY 1 ORDER BY 2 DESC, 1"
            ).fetchall()
            if len(found) > 1:
                return "", f"{look.name} has {len(found)}, which are never summed", (look.name, found)
            return found[0][0], f"as column {look.name} says", ()
    for role in ("amount", "unit_price", "discount"):
        if look := roles.get(role):
            words = plain_name(look.name).upper().split("_")
            codes = [code for code in CURRENCIES if code in words]
            codes += [code for sign, code in CURRENCY_SIGNS.items() if sign in look.name]
            if codes:
                return codes[0], f"by the name of column {look.name}", ()
            shown = {code for code in CURRENCIES for one in look.examples if code in one}
            shown |= {code for sign, code in CURRENCY_SIGNS.items() for one in look.examples if sign in one}
            if len(shown) == 1:
                return shown.pop(), f"as the cells of {look.name} say", ()
    return "", "", ()


def _ask_currency(currencies: tuple, why: str) -> Decision:
    _, found = currencies
    choices = tuple((f"currency = {toml_text(code)}", f"on {lines:,} lines") for code, lines in found[:6])
    return Decision("currency", why, choices)


def _exclusions(connection, product: Look | None) -> list[str]:
    """Return an example of what to leave out: codes unlike the others where there are such, often postage and fees."""
    codes, told = "'POSTAGE', 'TEST'", []
    if product is not None and product.type == "VARCHAR":
        rows = connection.execute(
            f"WITH codes AS (SELECT trim({quote(product.name)}) AS code, count(*) AS lines FROM rows GROUP BY code) "
            "SELECT code, lines, (SELECT count(*) FROM codes) FROM codes "
            "WHERE code <> '' AND NOT regexp_matches(code, '[0-9]') ORDER BY lines DESC, code"
        ).fetchall()
        if rows and len(rows) <= MOST_ODD_CODES * rows[0][2]:
            rows = [row for row in rows if row[1] > 1][:MOST_CODES] or rows[:MOST_CODES]
            codes = ", ".join(sql_text(row[0]) for row in rows)
            told = [
                "# These products have no digit in their number; if they are postage, fees or tests, leave them out:"
            ]
    where = f"{quote(product.name)}::TEXT" if product else "product"
    told = told or ["# Lines to leave out:"]
    return [
        *told,
        "# [orders.exclude]                # reason in the ledger = SQL condition over the file's columns",
        f"# not_a_product = {toml_text(f'trim({where}) IN ({codes})')}",
    ]


def _products(product: Look, names: Look) -> list[str]:
    """Return the section that names products: what most lines of each call it."""
    column, name = quote(product.name), quote(names.name)
    return [
        f"[products]                      # {names.name} names them ({names}); of several names the one of most lines",
        "sql = '''",
        "SELECT product, name",
        "FROM (",
        f"    SELECT trim({column}::TEXT) AS product, trim({name}::TEXT) AS name, count(*) AS lines",
        f"    FROM raw_orders WHERE trim({name}::TEXT) <> ''",
        "    GROUP BY 1, 2",
        ")",
        "QUALIFY row_number() OVER (PARTITION BY product ORDER BY lines DESC, name) = 1",
        "'''",
        "[products.columns]",
        'product_id = "product"',
        'name = "name"',
    ]


def date_lines(guess: Guess) -> list:
    """Return date_format and time_zone where the file needs them."""
    lines: list[str | Decision] = []
    when = guess.roles.get("ordered_at")
    if guess.date_choices:
        asked = f"{when.name} doesn't say which is the day and which the month"
        choices = tuple((as_in_card(formats), means) for formats, means in guess.date_choices)
        lines.append(Decision("date_format", asked, choices))
    elif guess.date_formats:
        lines.append(f"{as_in_card(guess.date_formats)}    # of ordered_at: check day and month")
    if any("%z" in one for one in guess.date_formats):
        lines.append(f'time_zone = "{AS_WRITTEN}"    # the times that stand there, whatever their offset')
    if when is not None and when.type == "TIMESTAMP WITH TIME ZONE":
        lines.append(
            '# time_zone = "Europe/Paris"    # the file has instants; they are read as UTC time unless you say'
        )
    return lines


def _column(role: str, roles: dict[str, Look], guess: Guess) -> list:
    """Return the line of a canonical column, with the reason."""
    if role not in roles:
        if role in _FALLBACKS:
            sql, why = _FALLBACKS[role]
            return [f"{role} = {{ sql = {toml_text(sql)} }}    # {why}"]
        if role == "order_id" and {"customer_id", "ordered_at"} <= set(roles):
            sql = f"{quote(roles['customer_id'].name)} || ' ' || {quote(roles['ordered_at'].name)}"
            why = "no such column found: what a customer buys at one time is an order"
            return [f"{role} = {{ sql = {toml_text(sql)} }}    # {why}"]
        unfit = "; ".join(_unfit(role, guess))
        return [Decision(role, f"which column is it: none was found{f' ({unfit})' if unfit else ''}", ())]
    look = roles[role]
    why = guess.customer if role == "customer_id" else guess.money.reasons.get(role, "")
    written = _expression(role, look)
    return [f"{role} = {written}    # {look}{_remark(role, look)}{f'; {why}' if why else ''}"]


def _expression(role: str, look: Look) -> str:
    if role == "ordered_at" and not look.is_date and look.whole and look.low is not None and look.low > 5e8:
        factor = next(factor for limit, factor in ((5e9, 1_000_000), (5e12, 1_000), (5e15, 1)) if look.low < limit)
        times = f"{factor} * " if factor > 1 else ""
        return f"{{ sql = {toml_text(f'make_timestamp({times}{quote(look.name)}::BIGINT)')} }}"
    return toml_text(look.name)


def _remark(role: str, look: Look) -> str:
    if role == "customer_id" and look.filled_share < 0.995:
        return "; lines without one stand in the ledger as no_customer"
    if role == "customer_id" and any("@" in example for example in look.examples):
        return "; an e-mail address: better take an id, if there is one"
    if role in ("amount", "unit_price", "quantity") and look.negative_share:
        return f"; {max(look.negative_share, 0.001):.1%} negative"
    return ""


def _returns(connection, roles: dict[str, Look]) -> list[str]:
    """Return the line of is_return: a column that says so, a letter before the order number, or the sign alone."""
    if "is_return" in roles:
        return [f"is_return = {toml_text(roles['is_return'].name)}    # {roles['is_return']}"]
    order, money, quantity = (roles.get(role) for role in ("order_id", "amount", "quantity"))
    money = money or roles.get("unit_price")
    if order is None or money is None or order.type != "VARCHAR":
        return []
    sign = number(quote(money.name), money.type, money.mark)
    if "amount" not in roles and quantity is not None:
        sign += f" * {number(quote(quantity.name), quantity.type, quantity.mark, True)}"
    found = connection.execute(
        f"SELECT regexp_extract({quote(order.name)}::VARCHAR, '^[A-Za-z]+') AS letters, count(*) FILTER ({sign} < 0), "
        f"count(*) FILTER ({sign} > 0) FROM rows GROUP BY letters HAVING letters <> '' ORDER BY 2 DESC, 1 LIMIT 1"
    ).fetchone()
    negative = connection.execute(f"SELECT count(*) FROM rows WHERE {sign} < 0").fetchone()[0]
    if not found or found[1] < 0.8 * negative or found[2] > 0.05 * found[1]:
        return ["# is_return: not found, so lines with a negative amount are returns"] if negative else []
    sql = f"{quote(order.name)}::TEXT LIKE '{found[0]}%'"
    letter = f"an order number that begins with {found[0]}"
    why = f"of all {negative:,} lines with a negative amount {found[1]:,} have {letter}"
    return [f"is_return = {{ sql = {toml_text(sql)} }}    # {why}"]
