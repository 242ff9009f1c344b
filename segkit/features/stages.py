"""The first stage, in SQL: from order lines to orders, to categories per customer, to products per customer.

Lines are read three times and joined to nothing bigger than the products. Orders and categories are temporary tables,
since what is chosen from the data (the main categories, say) is chosen from them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta

import duckdb

from segkit.data.columns import MONEY, UNITS

# Logarithms are summed in whole millionths, so that the order of summation does not matter; up to 2 ** 53, a DOUBLE
# sums them as exactly as a whole number does, at less cost.
_MILLION = 1_000_000
_LOG_PRICE = f"round({_MILLION} * ln(lines.amount_units / {UNITS} / lines.quantity))"


def has_column(columns: dict[str, list[str]], need: str) -> bool:
    """Return whether one of ``table.column|table.column`` is among the canonical columns present.

    Examples
    --------
    >>> has_column({"orders": ["channel"]}, "orders.category|products.category")
    False
    """
    return any(column in columns.get(table, ()) for table, column in (one.split(".") for one in need.split("|")))


def stage_statements(
    columns: dict[str, list[str]],
    after: date,
    until: date,
    prices: bool = True,
    custom: bool = True,
    orders: str = "orders",
) -> dict[str, str]:
    """Return the SELECT of each intermediate table, over the lines dated after `after` and up to `until`.

    Parameters
    ----------
    columns : dict
        Canonical columns present, by table.
    after, until : date
        The window: the first day is not in it, the last one is. Days are counted back from `until`.
    prices : bool
        Whether prices will be compared, which takes the logarithm of every line's.
    custom : bool
        Whether a card's own features may ask for the id and the time of an order; segkit's never do.
    orders : str
        What to read lines from, with their money also in ten-thousandths (``amount_units``).

    Returns
    -------
    dict
        ``order_stage`` has customer_id, with `custom` order_id and ordered_at, days_before, weekday (0 is Monday),
        hour_of_day, purchase_lines, return_lines, net, bought (net without returned lines), and, where the orders
        have them, discount, coupon_discount (both of lines that are not returns), channel, country, store_id.
        ``taste_stage``, only if there are categories or own brands: customer_id, category, bought, bought_log (bought
        times its logarithm), purchase_lines, with `prices` log_price (sum over these lines, in millionths), with own
        brands branded and own_brand (money on products whose brand is known, and on own ones).
    """
    lines = window_lines(after, until, orders)
    statements = {"order_stage": _order_stage(columns, lines, until, custom)}
    if any(has_column(columns, need) for need in ("orders.category", "products.category", "products.own_brand")):
        statements["taste_stage"] = _taste_stage(columns, lines, prices)
    return statements


@contextmanager
def open_stages(
    connection: duckdb.DuckDBPyConnection,
    columns: dict[str, list[str]],
    after: date,
    until: date,
    prices: bool = True,
    custom: bool = True,
) -> Iterator[None]:
    """Make the intermediate tables of a window on `connection` for as long as the block lasts."""
    statements = stage_statements(columns, after, until, prices, custom)
    try:
        for stage, statement in statements.items():
            connection.execute(f"CREATE OR REPLACE TEMP TABLE {stage} AS {statement}")
        yield
    finally:
        for stage in statements:
            connection.execute(f"DROP TABLE IF EXISTS {stage}")


def window_lines(after: date, until: date, orders: str = "orders") -> str:
    return f"SELECT * FROM {orders} WHERE {within_days('ordered_at', after, until)}"


def within_days(column: str, after: date, until: date) -> str:
    start, end = after + timedelta(days=1), until + timedelta(days=1)
    return f"{column} >= CAST('{start}' AS TIMESTAMP) AND {column} < CAST('{end}' AS TIMESTAMP)"


def _money(units: str) -> str:
    """Return the SQL of a sum of money in whole ten-thousandths, which a DOUBLE adds up exactly to 900 billion.

    18 digits keep it in 8 bytes, which halves the time of what follows.
    """
    return f"CAST(sum({units}) / {UNITS} AS {MONEY})"


def _order_stage(columns: dict[str, list[str]], lines: str, until: date, custom: bool) -> str:
    present = columns["orders"]
    discounts = [
        f"coalesce({_money(f'CASE WHEN is_return THEN 0 ELSE {column}_units END')}, 0) AS {column}"
        for column in ("discount", "coupon_discount")
        if column in present
    ]
    # An order is made in one channel, country and store; where the export says otherwise the first one counts.
    places = [f"min({column}) AS {column}" for column in ("channel", "country", "store_id") if column in present]
    sums = [
        "customer_id",
        "order_id",
        "min(ordered_at) AS ordered_at",
        "count(CASE WHEN is_return THEN NULL ELSE 1 END) AS purchase_lines",
        "count(*) AS lines",
        f"{_money('amount_units')} AS net",
        f"{_money('CASE WHEN is_return THEN 0 ELSE amount_units END')} AS bought",
        *discounts,
        *places,
    ]
    days_before = f"CAST(date_diff('day', CAST(ordered_at AS DATE), DATE '{until}') AS INTEGER)"
    kept = [
        "customer_id",
        *(["order_id", "ordered_at"] if custom else []),
        f"{days_before} AS days_before",
        # A day earlier is six weekdays later; engines number weekdays each in their own way.
        f"CAST(({until.weekday()} + 6 * {days_before}) % 7 AS SMALLINT) AS weekday",
        "CAST(extract(hour FROM ordered_at) AS SMALLINT) AS hour_of_day",
        "purchase_lines",
        "lines - purchase_lines AS return_lines",
        "net",
        "bought",
        *(column for column in ("discount", "coupon_discount", "channel", "country", "store_id") if column in present),
    ]
    return f"""
SELECT {", ".join(kept)}
FROM (
    SELECT {", ".join(sums)}
    FROM ({lines}) AS lines
    GROUP BY customer_id, order_id
) AS summed"""


def _taste_stage(columns: dict[str, list[str]], lines: str, prices: bool) -> str:
    present = columns.get("products", ())
    own_brand = "own_brand" in present
    category = "products.category" if "category" in present else "CAST(NULL AS VARCHAR)"
    if "category" in columns["orders"]:
        category = "lines.category"
    sums = [
        "lines.customer_id",
        f"{category} AS category",
        f"{_money('lines.amount_units')} AS bought",
        "count(*) AS purchase_lines",
    ]
    if prices:  # a purchase has an amount and a quantity above 0
        sums.append(f"CAST(sum({_LOG_PRICE}) AS BIGINT) AS log_price")
    if own_brand:
        sums += [
            f"{_money('CASE WHEN products.own_brand IS NULL THEN 0 ELSE lines.amount_units END')} AS branded",
            f"{_money('CASE WHEN products.own_brand THEN lines.amount_units ELSE 0 END')} AS own_brand",
        ]
    join = own_brand or category == "products.category"
    return f"""
SELECT
    *,
    CASE WHEN bought > 0 THEN CAST(bought * ln(CAST(bought AS DOUBLE)) AS DECIMAL(30, 9)) ELSE 0 END AS bought_log
FROM (
    SELECT {", ".join(sums)}
    FROM ({lines}) AS lines {"LEFT JOIN products ON lines.product_id = products.product_id" if join else ""}
    WHERE NOT lines.is_return
    GROUP BY lines.customer_id, {category}
) AS summed"""


def product_stage(lines: str, in_orders: bool) -> str:
    """Return the SELECT of a row per customer and product, or where asked for, per product of each of their orders.

    In either case ``is_new`` is 1 in one row of each product of a customer, 0 in the others. Sorting the lines once
    costs less than grouping them twice, by groups that are nearly as many as they are: of the lines of an order, which
    are of one rank, the first stands for the product in it.
    """
    if not in_orders:
        return f"SELECT DISTINCT customer_id, product_id, 1 AS is_new FROM ({lines}) AS lines WHERE NOT is_return"
    over = "OVER (PARTITION BY customer_id, product_id ORDER BY order_id)"
    return f"""
SELECT customer_id, CASE WHEN place = 1 THEN 1 ELSE 0 END AS is_new
FROM (
    SELECT customer_id, rank() {over} AS place, row_number() {over} AS line_place
    FROM ({lines}) AS lines WHERE NOT is_return
) AS sorted
WHERE place = line_place"""
