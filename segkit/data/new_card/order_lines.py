"""The card of a file of order lines."""

from segkit.data.cards.sections import FileSource
from segkit.data.convert import sql_text
from segkit.data.dates import as_in_card
from segkit.data.new_card.card_text import DECIDE, file_lines, head_lines, toml_text
from segkit.data.new_card.guess import REQUIRED_ROLES, Guess
from segkit.data.new_card.look import Look
from segkit.data.new_card.synonyms import CURRENCY_COLUMNS, SYNONYMS, name_score, plain_name
from segkit.data.numbers import CURRENCIES, CURRENCY_SIGNS
from segkit.runtime.spelling import quote

_FALLBACKS = {  # what stands in for a column that isn't there, and what that means
    "quantity": ("1", "no such column found: every line counts as one piece"),
    "product_id": ("'any'", "no such column found: products can't be told apart"),
}
MOST_CODES = 8  # that are listed
MOST_ODD_CODES = 0.02  # of all: where more have no digit, codes are words
_OPTIONAL_ROLES = ("discount", "coupon_discount", "category", "channel", "country", "store_id")


def draft_orders(connection, name: str, shown: str, source: FileSource, looks: list[Look], guess: Guess) -> str:
    """Return the card of a file of order lines."""
    roles = guess.roles
    what = f"One row of the file is one order line.{_sampled(looks)}"
    lines = head_lines(name, what, *_currency(looks, roles))
    lines += ["[orders]", *file_lines(shown, source), *_options(guess)]
    lines.append('[orders.columns]                # canonical name = source column, or { sql = "an expression" }')
    for role in REQUIRED_ROLES:
        lines += _column(role, roles, guess)
    lines += _column(_money(guess), roles, guess)
    lines.append("# (amount: the line's money after discount, negative for returns; unit_price: times quantity)")
    lines += [f"{DECIDE}{guess.money.warning}"] if guess.money.warning else []
    lines += _returns(connection, roles)
    for role in _OPTIONAL_ROLES:
        if role in roles:
            lines += _column(role, roles, guess)
    absent = [role for role in _OPTIONAL_ROLES if role not in roles]
    if absent:
        lines.append(f"# not found, and optional: {', '.join(absent)}")
    used = {look.name for look in (*roles.values(), *filter(None, [guess.names]))}
    if len(used) < len(looks):
        lines += ["", "# Columns that aren't used:"]
        for look in looks:
            if look.name not in used:
                why = f" ({guess.rejected[look.name]})" if look.name in guess.rejected else ""
                lines.append(f"#   {look.name}: {look}{why}")
    lines += ["", *_exclusions(connection, roles.get("product_id"))]
    if guess.names is not None:
        lines += ["", *_products(roles["product_id"], guess.names)]
    # a comment ends with its line, and headings of spreadsheets may have several
    return (
        "\n".join(" ".join(line.split("\n")) if " # " in line or line[:4] == "#   " else line for line in lines) + "\n"
    )


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


def _currency(looks: list[Look], roles: dict[str, Look]) -> tuple[str, str]:
    """Return the currency and what says so: a column of it, or a code or sign in the name of a column of money."""
    for look in looks:
        if plain_name(look.name) in CURRENCY_COLUMNS and look.distinct == 1:
            return look.examples[0], f"as column {look.name} says"
        if plain_name(look.name) in CURRENCY_COLUMNS and look.distinct:
            return (
                "",
                f"{look.name} has {look.distinct}, such as {look.examples[0]}: convert amounts, or leave rows out",
            )
    for role in ("amount", "unit_price", "discount"):
        if look := roles.get(role):
            words = plain_name(look.name).upper().split("_")
            codes = [code for code in CURRENCIES if code in words]
            codes += [code for sign, code in CURRENCY_SIGNS.items() if sign in look.name]
            if codes:
                return codes[0], f"by the name of column {look.name}"
    return "", ""


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


def _options(guess: Guess) -> list[str]:
    """Return date_format and time_zone where the file needs them."""
    lines = []
    if guess.date_formats:
        lines.append(f"{as_in_card(guess.date_formats)}    # of ordered_at: check day and month")
        if guess.other_formats:
            when, others = guess.roles["ordered_at"].name, " and ".join(guess.other_formats)
            lines.append(f"{DECIDE}day or month first: no day in {when} is beyond 12, so {others} would fit too")
        if any("%z" in one for one in guess.date_formats):
            lines.append('# time_zone = "Europe/Paris"    # where the shop is; otherwise times are turned into UTC')
    when = guess.roles.get("ordered_at")
    if when is not None and when.type == "TIMESTAMP WITH TIME ZONE":
        lines.append(
            '# time_zone = "Europe/Paris"    # the file has instants; they are read as UTC time unless you say'
        )
    return lines


def _column(role: str, roles: dict[str, Look], guess: Guess) -> list[str]:
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
        return [
            f'{role} = "TO BE NAMED"    # not found: write the name of the column here, or SQL that makes it',
            f"{DECIDE}which column is {role}, TO BE NAMED in the card: none was found{f' ({unfit})' if unfit else ''}",
        ]
    look = roles[role]
    sql, why = guess.money.expressions.get(role, ("", ""))
    written = _expression(role, look) if sql in ("", quote(look.name)) else f"{{ sql = {toml_text(sql)} }}"
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
    if order is None or money is None or order.type != "VARCHAR" or money.comma_share > 0.05:
        return []
    sign = f"TRY_CAST({quote(money.name)} AS DOUBLE)"
    if "amount" not in roles and quantity is not None:
        sign += f" * TRY_CAST({quote(quantity.name)} AS DOUBLE)"
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
