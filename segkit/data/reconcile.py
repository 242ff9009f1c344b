"""The sums of the order lines beside those that the export itself states of each order."""

from dataclasses import dataclass

from segkit.data import columns as as_sql
from segkit.data.canonical import KEPT

_SHOWN = 5  # orders that differ
_CENT = 0.0051


@dataclass(frozen=True)
class Reconciliation:
    """Orders held against what the export states of them; `differing` has order, stated sum and own."""

    law: str
    orders: int
    equal: int
    stated: float
    own: float
    differing: list[tuple[str, float, float]]

    @property
    def share(self) -> float:
        """Return the share of orders whose sums agree to the cent."""
        return self.equal / self.orders if self.orders else 0.0

    def tell(self) -> list[str]:
        """Return the lines about it in a check."""
        lines = [
            f"totals     the export states {self.stated:,.2f} for {self.orders:,} orders ({self.law}), the lines make "
            f"{self.own:,.2f}: {self.equal:,} orders agree to the cent"
        ]
        lines += [
            f"differs    order {order}: {stated:,.2f} stated, {own:,.2f} here" for order, stated, own in self.differing
        ]
        more = self.orders - self.equal - len(self.differing)
        return lines + ([f"differ     {more:,} more orders"] if more > 0 else [])


def reconcile(orders) -> Reconciliation | None:
    """Return the order totals that the export states beside those of the kept lines; None where it states none.

    Before refunds of whole orders, which are no part of them. Of the ways in which a total may include shipping and
    tax, the one in which most orders agree.
    """
    table = orders.card.tables["orders"]
    given = table.totals
    if not {"subtotal", "total"} & set(given):
        return None
    types = as_sql.column_types(orders.connection, "raw_orders", given, f"{orders.card.path.name}: [orders.totals]")
    sums = {name: f"coalesce({as_sql.money(sql, types[name], table.mark('amount'))}, 0)" for name, sql in given.items()}
    laws = {"subtotal": "subtotal"} if "subtotal" in given else {}
    if not laws:
        less = [name for name in ("shipping", "tax") if name in given]
        for count in range(len(less) + 1):
            laws[" less ".join(["total", *less[:count]])] = " - ".join(["total", *less[:count]])
    back = '"=order_refund"' if table.order_refund else "0"
    if table.line_refund:
        kind = as_sql.column_types(orders.connection, "raw_orders", {"line_refund": table.line_refund}, "[orders]")
        back += f" + abs(coalesce({as_sql.money(table.line_refund, kind['line_refund'], table.mark('amount'))}, 0))"
    stated = ", ".join(f"max({sql}) AS {name}" for name, sql in sums.items())
    kept = ", ".join(f"'{reason}'" for reason in (*KEPT, "zero_amount"))  # what was given back in full counts too
    by_order = f"""
        SELECT "=order_id"::VARCHAR AS "order", sum("=amount" + {back})::DOUBLE AS own, {stated}
        FROM judged_orders WHERE "=reason" IN ({kept}) GROUP BY "=order_id"
        HAVING count(*) FILTER ("=reason" = 'return') = 0"""
    orders.connection.execute(f"CREATE OR REPLACE TEMP TABLE stated_orders AS {by_order}")
    found = []
    for law, sql in laws.items():
        equal = f"abs(own - ({sql})::DOUBLE) < {_CENT}"
        counted = orders.connection.execute(
            f"SELECT count(*), count(*) FILTER ({equal}), coalesce(sum(({sql})::DOUBLE), 0), coalesce(sum(own), 0) "
            "FROM stated_orders"
        ).fetchone()
        found.append((law, sql, equal, counted))
    law, sql, equal, (count, same, all_stated, own) = max(found, key=lambda one: one[3][1])
    differing = orders.connection.execute(
        f'SELECT "order", ({sql})::DOUBLE, own FROM stated_orders WHERE NOT {equal} ORDER BY "order" LIMIT {_SHOWN}'
    ).fetchall()
    return Reconciliation(law, count, same, all_stated, own, differing)
