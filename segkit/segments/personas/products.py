"""What a segment buys more than others: products and categories by lift, counted where the order lines are."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from segkit.features.build import CustomerFeatures
from segkit.features.stages import has_column, window_lines
from segkit.runtime.cache import kept
from segkit.runtime.progress import progress_bar
from segkit.runtime.sensitive import may_be_named
from segkit.segments.profile import FEWEST_KNOWN, UNSEGMENTED

LARGE_LIFT = 1.2  # a fifth more; smaller lifts are certain in any large shop and change nothing that one does
FALSE_SHARE = 0.05  # of what is listed
MOST_PRODUCTS = 50  # of a segment
_SUMS = (
    *("item_lines", "item_squares", "item_products", "segment_lines", "segment_squares"),
    *("all_lines", "all_squares", "all_products", "whole_lines", "whole_squares"),
)
COLUMNS = [
    *("segment_id", "level", "item", "customers", "customer_share"),
    *("line_share", "overall_share", "lift", "low", "high", "more"),
]


def bought_more(orders, segments: pd.Series, after: date, until: date) -> pd.DataFrame:
    """Return the categories that each segment buys, and the products that it buys more of than all customers.

    Parameters
    ----------
    orders : Orders
        From `read_orders`.
    segments : Series
        Index customer_id (text), segment_id.
    after, until : date
        The window: the first day is not in it, the last one is.

    Returns
    -------
    DataFrame
        ``segment_id``, ``level`` (category, product), ``item`` (its name; products of one name are one, those without
        go by their number), ``customers`` (of the segment who bought it, 10 or more), ``customer_share`` (of the
        segment), ``line_share, overall_share`` (of the order lines of the segment, of all), ``lift`` (their ratio)
        with an interval ``low, high`` that holds over the whole list, and ``more`` (the lift is at least 1.2 and
        certain). Every category with enough customers; at most 50 products, all bought ``more``; the surest first.

    Notes
    -----
    The lift compares baskets, not volumes: frequent customers buy more of everything, which their orders tell already.
    Lines of one customer are not independent, so the interval comes from sums per customer: log lift is a difference
    of logarithms of ratios, and its linearised variance (Cochran 1977, section 2.11) sums the squares of what each
    customer contributes. That claims too much where few others bought, or one customer bought most: the spread of the
    same segment drawn at random from all customers, which the sums give exactly, is a lower bound on it, turned into
    an interval as by Miettinen (1976, *American Journal of Epidemiology* 103). Of
    thousands of items some differ by chance: those listed are chosen so that 5 % of them are wrong at most (Benjamini &
    Hochberg 1995), with intervals of which 5 % miss at most (Benjamini & Yekutieli 2005, *JASA* 100), on Student's
    distribution with one degree of freedom less than buyers. In segments cut at random nothing is found
    (`tests/test_personas.py`).
    """
    columns, connection = orders.columns, orders.connection
    connection.register("segment_of", segments.rename("segment_id").rename_axis("customer_id").reset_index())
    try:
        parts = [
            _lifts(connection.execute(_statement(item, after, until)).df(), level)
            for level, item in _items(columns).items()
        ]
    finally:
        connection.unregister("segment_of")
    table = pd.concat(parts, ignore_index=True)
    table["customer_share"] = table["customers"] / table["segment_id"].map(segments.value_counts())
    table = table[(table["level"] == "category") | table["more"]].sort_values(
        ["segment_id", "level", "low", "item"], ascending=[True, True, False, True], kind="stable"
    )
    return table[table.groupby(["segment_id", "level"]).cumcount() < MOST_PRODUCTS][COLUMNS].reset_index(drop=True)


def segment_products(rows, features: CustomerFeatures, segments: pd.Series) -> pd.DataFrame | None:
    """Return `bought_more` of the days behind the features, kept on disk; None for a ready table, which has no orders.

    Goods that no page may name (`may_be_named`) are left out.

    Parameters
    ----------
    rows : Orders or ReadyRows
        What was read.
    segments : Series
        Index customer_id, the segment_id.
    """
    if features.as_of is None:
        return None

    def find() -> dict:
        after = features.as_of - timedelta(days=features.window_days)
        with progress_bar("finding what segments buy"):
            products = bought_more(rows, segments, after, features.as_of)
        named = products["item"].map(lambda item: may_be_named(item, rows.card.never_named)).astype(bool)
        return {"products": products[named].reset_index(drop=True)}

    depends = {"inputs": rows.inputs, "card": rows.card.path.read_text(encoding="utf-8"), "as_of": features.as_of}
    depends |= {"days": features.window_days, "segments": str(pd.util.hash_pandas_object(segments).sum())}
    return kept("persona products", "segments.personas.products", depends, find)["products"]


def _items(columns: dict[str, list[str]]) -> dict[str, str]:
    """The SQL expression of each level of goods that the shop has, over ``lines`` and ``products``."""
    items = {}
    if has_column(columns, "orders.category|products.category"):
        items["category"] = "lines.category" if "category" in columns["orders"] else "products.category"
    number = "CAST(lines.product_id AS VARCHAR)"
    named = has_column(columns, "products.name")
    items["product"] = f"coalesce(CAST(products.name AS VARCHAR), {number})" if named else number
    return {level: (item, "products." in item) for level, item in items.items()}


def _statement(item: tuple[str, bool], after: date, until: date) -> str:
    """The SELECT of segment_id, item, customers, and sums over them of lines, squares and products with all lines.

    Beside those of the segment and item stand those of the item, the segment, and everything. Items that fewer than
    `FEWEST_KNOWN` customers of a segment bought count there, and are not listed.
    """
    expression, joined = item
    doubles = ", ".join(f"CAST({name} AS DOUBLE) AS {name}" for name in _SUMS)
    join = "LEFT JOIN products ON lines.product_id = products.product_id" if joined else ""
    return f"""
WITH bought AS (
    SELECT CAST(lines.customer_id AS VARCHAR) AS customer_id, {expression} AS item, count(*) AS item_lines
    FROM ({window_lines(after, until)}) AS lines {join}
    WHERE NOT lines.is_return
    GROUP BY lines.customer_id, {expression}
), baskets AS (
    SELECT customer_id, sum(item_lines) AS all_lines FROM bought GROUP BY customer_id
), totals AS (
    SELECT segment_id, sum(all_lines) AS segment_lines, sum(all_lines * all_lines) AS segment_squares
    FROM baskets JOIN segment_of ON segment_of.customer_id = baskets.customer_id GROUP BY segment_id
), whole AS (
    SELECT sum(segment_lines) AS whole_lines, sum(segment_squares) AS whole_squares FROM totals
), sums AS (
    SELECT segment_id, item, count(*) AS customers, sum(item_lines) AS item_lines,
        sum(item_lines * item_lines) AS item_squares, sum(item_lines * all_lines) AS item_products
    FROM bought
    JOIN baskets ON baskets.customer_id = bought.customer_id
    JOIN segment_of ON segment_of.customer_id = bought.customer_id
    WHERE item IS NOT NULL
    GROUP BY segment_id, item
), beside AS (
    SELECT *, sum(item_lines) OVER (PARTITION BY item) AS all_lines,
        sum(item_squares) OVER (PARTITION BY item) AS all_squares,
        sum(item_products) OVER (PARTITION BY item) AS all_products
    FROM sums
)
SELECT beside.segment_id, item, customers, {doubles}
FROM beside JOIN totals ON totals.segment_id = beside.segment_id CROSS JOIN whole
WHERE customers >= {FEWEST_KNOWN} AND beside.segment_id <> '{UNSEGMENTED}'
ORDER BY beside.segment_id, item"""


def _lifts(sums: pd.DataFrame, level: str) -> pd.DataFrame:
    """Lift of every segment and item, from the sums over the customers of the segment and of all."""
    x, xx, xn, n, nn, all_x, all_xx, all_xn, all_n, all_nn = (sums[name] for name in _SUMS)
    lift = (x / n) / (all_x / all_n)
    # What a customer with x lines of n contributes to log lift: inside a x - b n, outside -x / all_x + n / all_n.
    a, b = 1 / x - 1 / all_x, 1 / n - 1 / all_n
    inside = a**2 * xx - 2 * a * b * xn + b**2 * nn
    outside = (all_xx - xx) / all_x**2 - 2 * (all_xn - xn) / (all_x * all_n) + (all_nn - nn) / all_n**2
    # Were the item bought alike everywhere, the segment's lines of it would spread about what is due like this: as the
    # lines of all customers do about theirs, in proportion to the lines due.
    share = all_x / all_n
    squares = all_xx - 2 * share * all_xn + share**2 * all_nn
    due, excess = share * n, x - share * n
    spread = np.sqrt(squares / all_x * due * (1 - n / all_n))
    by_chance = np.abs(np.log(lift)) * spread / np.maximum(np.abs(excess), 1e-9)
    table = sums[["segment_id", "item", "customers"]].assign(
        level=level,
        line_share=x / n,
        overall_share=share,
        lift=lift,
        error=np.maximum(np.sqrt(np.maximum(inside + outside, 0)), by_chance),
    )
    freedom, log_lift = table["customers"] - 1, np.log(table["lift"])
    p = 2 * stdtr(freedom, -np.abs(log_lift) / table["error"])
    level_of_one = FALSE_SHARE * max(_discoveries(p), 1) / max(len(table), 1)
    reach = stdtrit(freedom, 1 - level_of_one / 2) * table["error"]
    table["low"], table["high"] = np.exp(log_lift - reach), np.exp(log_lift + reach)
    return table.assign(more=(table["lift"] >= LARGE_LIFT) & (table["low"] > 1))


def _discoveries(p: pd.Series) -> int:
    """How many of the p values Benjamini & Hochberg's (1995) rule rejects."""
    ordered = np.sort(p.to_numpy())
    below = np.flatnonzero(ordered <= FALSE_SHARE * np.arange(1, len(ordered) + 1) / max(len(ordered), 1))
    return int(below[-1]) + 1 if len(below) else 0
