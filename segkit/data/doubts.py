"""What of the order lines a reader should doubt: ids that may be one, guests, numbers that recur, words not used."""

from segkit.data.convert import sql_text
from segkit.data.new_card.status import STATUS_NAMES, meaning, telling_words
from segkit.data.new_card.synonyms import NOBODY, plain_name
from segkit.runtime.spelling import quote

_MOST_WORDS = 40
_FEW = 0.01  # of the orders: what so few do is chance


def doubts(orders) -> list[str]:
    """Return what to doubt in the order lines that count, in words, with the way out.

    Parameters
    ----------
    orders : Orders

    Examples
    --------
    >>> from segkit.data.cards.card import read_card
    >>> from segkit.data.orders import read_orders
    >>> with read_orders(read_card("complete-journey")) as orders:
    ...     print(*doubts(orders), sep=chr(10))
    21.7% of 155,368 orders have one line
    """
    return [*_customers(orders.connection), *_orders(orders.connection), *_unused_words(orders)]


def _customers(connection) -> list[str]:
    told = []
    if connection.execute("SELECT typeof(customer_id) FROM orders LIMIT 1").fetchone()[0] != "VARCHAR":
        return told
    alike = """
        SELECT count(*), coalesce(sum(ids), 0), min(one), max(other) FROM (
            SELECT count(*) AS ids, min(id) AS one, max(id) AS other
            FROM (SELECT DISTINCT customer_id AS id FROM orders)
            GROUP BY lower(regexp_replace(trim(id), '^0+', '')) HAVING count(*) > 1)"""
    people, ids, one, other = connection.execute(alike).fetchone()
    if people:
        shown = "" if "@" in one else f", such as {one} and {other}"
        told.append(
            f"{ids:,} customer ids differ only in case or leading zeros and may be {people:,} customers{shown}; "
            "fold_case = true in [orders] makes them one where it is the case"
        )
    listed = ", ".join(sql_text(word) for word in NOBODY if not word.lstrip("-").isdigit())
    nobody = connection.execute(
        "SELECT DISTINCT customer_id FROM orders "
        f"WHERE list_contains([{listed}], lower(replace(customer_id, ' ', '_'))) ORDER BY 1"
    ).fetchall()
    if nobody:
        names = ", ".join(row[0] for row in nobody)
        told.append(f"customers called {names} may be nobody: name them under placeholders in [orders]")
    return told


def _orders(connection) -> list[str]:
    alone, mixed, count = connection.execute("""
        SELECT count(*) FILTER (lines = 1), count(*) FILTER (people > 1), count(*) FROM (
            SELECT count(*) AS lines, count(DISTINCT customer_id) AS people FROM orders GROUP BY order_id)
    """).fetchone()
    told = [f"{alone / count:.1%} of {count:,} orders have one line"]
    if mixed > _FEW * count:
        told.append(
            f"{mixed:,} order numbers belong to several customers: if numbers start anew, set order_key = "
            '["order_id", "date"] in [orders]'
        )
    return told


def _unused_words(orders) -> list[str]:
    """Return the columns that say what is no sale and are not used by the card."""
    table, connection = orders.card.tables["orders"], orders.connection
    used = [
        *table.columns.values(),
        *table.exclude.values(),
        table.status.column if table.status else "",
        table.sql or "",
    ]
    used = " ".join(used).lower()
    told = []
    for name, kind, *_ in connection.execute("DESCRIBE raw_orders").fetchall():
        if kind != "VARCHAR" or name.lower() in used or name.startswith("="):
            continue
        words = f"SELECT DISTINCT trim({quote(name)}) AS word FROM raw_orders WHERE trim({quote(name)}) <> ''"
        found = [row[0] for row in connection.execute(f"{words} LIMIT {_MOST_WORDS + 1}").fetchall()]
        named = set(plain_name(name).split("_")) & set(STATUS_NAMES)
        if len(found) <= _MOST_WORDS and telling_words(found) and (named or all(map(meaning, found))):
            listed = ", ".join(sorted(word for word in found if meaning(word) not in ("", "sale"))[:5])
            told.append(f"{name} is not used and has the words {listed}: say under [orders.status] what they mean")
    return told
