"""Cells that stand on the first line of an order only, found by where the others are empty."""

from segkit.data.new_card.look import Look
from segkit.data.new_card.synonyms import SYNONYMS, name_score
from segkit.runtime.spelling import quote

_SHARE = 0.95  # of the orders of several lines
_FEWEST = 3  # orders


def columns_to_fill(connection, looks: list[Look]) -> tuple[tuple[str, ...], str]:
    """Return the columns whose cells stand on an order's first line only, and the column of the order's number.

    Either the number itself is empty on the lines below, and whatever is empty with it is meant; or the number stands
    on all lines, and other cells of the order don't.
    """
    named = [look for look in looks if name_score(look.name, SYNONYMS["order_id"]) > 0.5 and look.filled_share > 0.02]
    order = max(named, key=lambda look: name_score(look.name, SYNONYMS["order_id"]), default=None)
    gaps = [look for look in looks if 0.02 < look.filled_share < 0.98]
    if order is None or not gaps:
        return (), ""
    if order in gaps:
        return _empty_together(connection, order, gaps), order.name
    key, filled = quote(order.name), []
    for look in gaps:
        cell = f"nullif(trim({quote(look.name)}::VARCHAR), '')"
        fits, orders = connection.execute(f"""
            SELECT count(*) FILTER (filled = 1 AND first IS NOT NULL), count(*) FROM (
                SELECT count({cell}) AS filled, arg_min(struct_pack(c := {cell}), rowid).c AS first FROM sample
                WHERE {key} IS NOT NULL GROUP BY {key} HAVING count(*) > 1 AND count({cell}) > 0)
        """).fetchone()
        if orders >= _FEWEST and fits >= _SHARE * orders:
            filled.append(look.name)
    return tuple(filled), order.name


def _empty_together(connection, order: Look, gaps: list[Look]) -> tuple[str, ...]:
    def empty(look: Look) -> str:
        return f"nullif(trim({quote(look.name)}::VARCHAR), '') IS NULL"

    first = connection.execute(f"SELECT {empty(order)} FROM sample ORDER BY rowid LIMIT 1").fetchone()[0]
    if first:
        return ()
    checks = ", ".join(
        f"avg(({empty(look)})::INTEGER) FILTER ({where})"
        for look in gaps
        for where in (empty(order), f"NOT {empty(order)}")
    )
    shares = connection.execute(f"SELECT {checks} FROM sample").fetchone()
    below, above = shares[::2], shares[1::2]
    found = [look.name for look, b, a in zip(gaps, below, above, strict=True) if (b or 0) > 0.99 and (a or 0) < 0.5]
    return tuple(found) if len(found) > 1 else ()
