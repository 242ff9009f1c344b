"""Who bought: of several ids the one that repeats, and ids that stand for nobody."""

from segkit.data.convert import sql_text
from segkit.data.new_card.card_text import Decision, toml_list
from segkit.data.new_card.look import Look
from segkit.data.new_card.synonyms import NOBODY, SYNONYMS, name_score
from segkit.runtime.spelling import quote

_MUCH = 3  # times the orders of one in twenty customers
_MORE_OFTEN = 10  # times as many orders as the customer with the next most: nobody buys so much alone


def choose_customer(connection, looks: list[Look], roles: dict[str, Look]) -> str:
    """Put the id that repeats in the place of one that is new in every order; return why, "" where nothing changed."""
    customer, order = roles.get("customer_id"), roles.get("order_id")
    if customer is None or order is None:
        return ""
    others = [look for look in looks if look not in roles.values() and name_score(look.name, SYNONYMS["customer_id"])]
    others = [look for look in others if look.filled_share >= 0.9 * customer.filled_share]
    people = {
        look.name: connection.execute(f"SELECT count(DISTINCT {quote(look.name)}) FROM sample").fetchone()[0]
        for look in (customer, order, *others)
    }
    if not others or people[customer.name] < 0.98 * people[order.name]:
        return ""
    best = min(others, key=lambda look: people[look.name])
    if people[best.name] >= 0.95 * people[customer.name] or people[best.name] < 2:
        return ""
    roles["customer_id"] = best
    return f"{customer.name} is new in every order, {best.name} comes back"


def placeholder_lines(connection, customer: Look, order: Look | None) -> list[str | Decision]:
    """Return the ids that stand for nobody, by their words; asked for where only their many orders say so."""
    written = f"trim({quote(customer.name)}::VARCHAR)"
    listed = ", ".join(map(sql_text, NOBODY))
    of = f"count(DISTINCT {quote(order.name)})" if order is not None else "count(*)"
    ids = f"SELECT regexp_replace({written}, '\\.0$', '') AS id, {of} AS orders, count(*) AS lines FROM rows GROUP BY 1"
    # a number may be a customer's; that of nobody has many times the orders of others
    usual = f"(SELECT quantile_cont(orders, 0.95) FROM ids WHERE NOT list_contains([{listed}], lower(id)))"
    often = f"(NOT regexp_full_match(id, '-?[0-9]+') OR orders > {_MUCH} * coalesce({usual}, 0))"
    found = connection.execute(
        f"WITH ids AS ({ids}) SELECT id, lines FROM ids "
        f"WHERE list_contains([{listed}], lower(replace(id, ' ', '_'))) AND {often} ORDER BY lines DESC, id"
    ).fetchall()
    lines = sum(count for _, count in found)
    names = [name for name, _ in found]
    known = ", ".join(map(sql_text, names)) or "''"
    most = connection.execute(
        f"WITH ids AS ({ids}) SELECT id, orders FROM ids WHERE id <> '' AND id NOT IN ({known}) "
        "ORDER BY orders DESC, id LIMIT 2"
    ).fetchall()
    if len(most) == 2 and most[0][1] >= max(50, _MORE_OFTEN * most[1][1]) and "@" not in most[0][0]:
        asked = f"one id has {most[0][1]:,} orders, the next {most[1][1]:,}: is it a customer, or nobody"
        choices = ((f"placeholders = {toml_list([*names, most[0][0]])}", "nobody"),
                   (f"placeholders = {toml_list(names)}", "a customer"))  # fmt: skip
        return [Decision("placeholders", asked, choices)]
    if not names:
        return []
    return [
        f"placeholders = {toml_list(names)}    # {lines:,} lines of nobody: they stand in the ledger as no_customer"
    ]


def order_key_lines(connection, roles: dict[str, Look], moment: str) -> list[str]:
    """Return what makes an order number unique where it recurs with other customers, or long after.

    `moment` is SQL of the time of a line.
    """
    order, customer = roles.get("order_id"), roles.get("customer_id")
    if order is None or customer is None or "ordered_at" not in roles:
        return []
    own, who = quote(order.name), quote(customer.name)
    back = quote(roles["quantity"].name) if "quantity" in roles and roles["quantity"].negative_share else ""
    kept = f"WHERE NOT coalesce(TRY_CAST({back} AS DOUBLE) < 0, false)" if back else ""

    def mixed(key: str) -> float:
        share = f"""
            SELECT avg((people > 1 OR days > 3)::INTEGER) FROM (
                SELECT count(DISTINCT {who}) AS people, date_diff('day', min({moment}), max({moment})) AS days
                FROM sample {kept} GROUP BY {key} HAVING count(*) > 1)"""
        return connection.execute(share).fetchone()[0] or 0.0

    if mixed(own) < 0.05:
        return []
    for key, columns in ((("order_id", "date"), f"{own}, ({moment})::DATE"),
                         (("order_id", "customer_id"), f"{own}, {who}"),
                         (("order_id", "date", "customer_id"), f"{own}, ({moment})::DATE, {who}")):  # fmt: skip
        if mixed(columns) < 0.05:
            return [
                f"order_key = {toml_list(key)}    # numbers in {order.name} start anew: with these each is one order"
            ]
    return []
