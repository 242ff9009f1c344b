"""The way from order lines to customers, in SQL: three intermediate tables, then one row per customer.

Lines are read three times and joined to nothing bigger than the products: into orders, into categories per customer,
and into products per customer. The first two are temporary tables, since what is chosen from the data (the main
categories, say) is chosen from them. The second stage groups each of the three by customer and joins the groups.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta

import duckdb
import pandas as pd

from segkit.cards import quote
from segkit.features.dictionary import Feature

_MONDAY = "DATE '1900-01-01'"  # counted from a Monday, a weekday has the same number in every engine

# Sums of money stay exact; 18 digits keep them in 8 bytes, which halves the time of what follows.
_MONEY = "DECIMAL(18, 4)"

# Logarithms are summed in whole millionths, so that the order of summation does not matter.
_MILLION = 1_000_000
_LOG_PRICE = f"CAST(round({_MILLION} * ln(CAST(lines.amount AS DOUBLE) / lines.quantity)) AS BIGINT)"
_FOURFOLD = 1_386_294  # ln(4): in a mixed bag such as "miscellaneous" one unit is a thousand times another


def has_column(columns: dict[str, list[str]], need: str) -> bool:
    """Return whether one of ``table.column|table.column`` is among the canonical columns present.

    Examples
    --------
    >>> has_column({"orders": ["channel"]}, "orders.category|products.category")
    False
    """
    return any(column in columns.get(table, ()) for table, column in (one.split(".") for one in need.split("|")))


def stage_statements(columns: dict[str, list[str]], after: date, until: date) -> dict[str, str]:
    """Return the SELECT of each intermediate table, over the lines dated after `after` and up to `until`.

    Parameters
    ----------
    columns : dict
        Canonical columns present, by table.
    after, until : date
        The window: the first day is not in it, the last one is. Days are counted back from `until`.

    Returns
    -------
    dict
        ``order_stage`` has customer_id, order_id, ordered_at, days_before, weekday (0 is Monday), hour_of_day,
        purchase_lines, return_lines, net, bought (net without returned lines), and, where the orders have them,
        discount, coupon_discount (both of lines that are not returns), channel, country, store_id.
        ``taste_stage``: customer_id, category, bought, bought_log (bought times its logarithm), log_price (sum over
        purchase_lines, in millionths), branded, own_brand (money on products whose brand is known, and on own ones);
        only if there are categories or own brands.
    """
    lines = _lines(after, until)
    statements = {"order_stage": _order_stage(columns, lines, until)}
    if any(has_column(columns, need) for need in ("orders.category", "products.category", "products.own_brand")):
        statements["taste_stage"] = _taste_stage(columns, lines)
    return statements


@contextmanager
def open_stages(
    connection: duckdb.DuckDBPyConnection, columns: dict[str, list[str]], after: date, until: date
) -> Iterator[None]:
    """Make the intermediate tables of a window on `connection` for as long as the block lasts."""
    statements = stage_statements(columns, after, until)
    try:
        for stage, statement in statements.items():
            connection.execute(f"CREATE OR REPLACE TEMP TABLE {stage} AS {statement}")
        yield
    finally:
        for stage in statements:
            connection.execute(f"DROP TABLE IF EXISTS {stage}")


def _lines(after: date, until: date) -> str:
    return f"SELECT * FROM orders WHERE {_within('ordered_at', after, until)}"


def _within(column: str, after: date, until: date) -> str:
    start, end = after + timedelta(days=1), until + timedelta(days=1)
    return f"{column} >= CAST('{start}' AS TIMESTAMP) AND {column} < CAST('{end}' AS TIMESTAMP)"


def _money(expression: str, name: str) -> str:
    return f"CAST(sum({expression}) AS {_MONEY}) AS {name}"


def _order_stage(columns: dict[str, list[str]], lines: str, until: date) -> str:
    present = columns["orders"]
    discounts = [
        _money(f"CASE WHEN is_return THEN 0 ELSE coalesce({column}, 0) END", column)
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
        "count(CASE WHEN is_return THEN 1 END) AS return_lines",
        _money("amount", "net"),
        _money("CASE WHEN is_return THEN 0 ELSE amount END", "bought"),
        *discounts,
        *places,
    ]
    return f"""
SELECT
    *,
    CAST(date_diff('day', CAST(ordered_at AS DATE), DATE '{until}') AS INTEGER) AS days_before,
    CAST(date_diff('day', {_MONDAY}, CAST(ordered_at AS DATE)) % 7 AS SMALLINT) AS weekday,
    CAST(extract(hour FROM ordered_at) AS SMALLINT) AS hour_of_day
FROM (
    SELECT {", ".join(sums)}
    FROM ({lines}) AS lines
    GROUP BY customer_id, order_id
) AS summed"""


def _taste_stage(columns: dict[str, list[str]], lines: str) -> str:
    present = columns.get("products", ())
    own_brand = "own_brand" in present
    category = "products.category" if "category" in present else "CAST(NULL AS VARCHAR)"
    if "category" in columns["orders"]:
        category = "lines.category"
    sums = [
        "lines.customer_id",
        f"{category} AS category",
        _money("lines.amount", "bought"),
        "count(*) AS purchase_lines",
        f"CAST(sum({_LOG_PRICE}) AS BIGINT) AS log_price",  # a purchase has an amount and a quantity above 0
    ]
    if own_brand:
        sums += [
            _money("CASE WHEN products.own_brand IS NULL THEN 0 ELSE lines.amount END", "branded"),
            _money("CASE WHEN products.own_brand THEN lines.amount ELSE 0 END", "own_brand"),
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


def _product_stage(lines: str) -> str:
    return f"""
SELECT customer_id, product_id, count(*) AS orders
FROM (
    SELECT DISTINCT customer_id, order_id, product_id
    FROM ({lines}) AS lines
    WHERE NOT is_return
) AS pairs
GROUP BY customer_id, product_id"""


# The second stage: what is grouped by customer.
_GROUPED = {
    "orders": "order_stage",
    "purchases": "order_stage WHERE purchase_lines > 0",
    # Only two columns are sorted, instead of the whole order.
    "gaps": """(
        SELECT customer_id, lag(days_before) OVER (PARTITION BY customer_id ORDER BY days_before DESC) - days_before
            AS gap_days
        FROM order_stage WHERE purchase_lines > 0
    ) AS gaps""",
    "tastes": f"""(
        SELECT taste_stage.*,
            CASE WHEN category IS NULL THEN 0 ELSE purchase_lines END AS priced_lines,
            CASE WHEN category IS NULL THEN 0 ELSE CAST(round(purchase_lines * least({_FOURFOLD}, greatest(-{_FOURFOLD},
                log_price / purchase_lines - usual_log_price))) AS BIGINT) END AS log_relative_price
        FROM taste_stage LEFT JOIN (
            SELECT category AS usual_category, sum(log_price) / sum(purchase_lines) AS usual_log_price
            FROM taste_stage WHERE category IS NOT NULL GROUP BY category
        ) AS usual ON category = usual_category
    ) AS tastes""",
    "stores": """(
        SELECT customer_id, store_id, count(*) AS orders
        FROM order_stage WHERE purchase_lines > 0 AND store_id IS NOT NULL GROUP BY customer_id, store_id
    ) AS stores""",
    "countries": """(
        SELECT customer_id, country, row_number() OVER (PARTITION BY customer_id ORDER BY count(*) DESC, country)
            AS place
        FROM order_stage WHERE purchase_lines > 0 AND country IS NOT NULL GROUP BY customer_id, country
    ) AS countries WHERE place = 1""",
    "customers": "customers",
}


def campaign_statement(columns: dict[str, list[str]], after: date, until: date) -> str:
    """Return the SELECT of customer_id, campaign_id, answered (0 or 1) of the campaigns sent in the window."""
    answered = f"responded_at < CAST('{until + timedelta(days=1)}' AS TIMESTAMP)"
    if "responded_at" not in columns["campaigns"]:
        answered = "1 = 0"
    return f"""
        SELECT customer_id, campaign_id, max(CASE WHEN {answered} THEN 1 ELSE 0 END) AS answered
        FROM campaigns WHERE {_within("sent_at", after, until)} GROUP BY customer_id, campaign_id"""


def custom_orders(columns: dict[str, list[str]]) -> dict[str, str]:
    """Return the columns that a card's own features are written in, each with its SQL over ``order_stage``."""
    optional = ("discount", "coupon_discount", "channel", "country", "store_id")
    return {
        "order_id": "order_id",
        "ordered_at": "ordered_at",
        "days_before": "days_before",
        "amount": "net",
        "lines": "purchase_lines",
        "returned_lines": "return_lines",
        **{column: column for column in optional if column in columns["orders"]},
    }


def customer_statement(features: list[Feature], columns: dict[str, list[str]], after: date, until: date) -> str:
    """Return the SELECT of one row per customer with at least one order, over the intermediate tables.

    Parameters
    ----------
    features : list of Feature
        Columns of the result, in this order, after customer_id (text); rows are sorted by customer_id.
    columns, after, until
        As in `stage_statements`.
    """
    grouped: dict[str, list[str]] = {"purchases": ["count(*) AS orders"]}
    for feature in features:
        if feature.stage != "customer":
            grouped.setdefault(feature.stage, []).append(f"{feature.sql} AS {quote(feature.name)}")
    if any(feature.stage == "customer" for feature in features):
        grouped.setdefault("products", []).append("sum(orders) AS product_orders")
    sources = dict(_GROUPED, products=f"({_product_stage(_lines(after, until))}) AS products")
    if "campaigns" in grouped:
        sources["campaigns"] = f"({campaign_statement(columns, after, until)}) AS campaigns"
    if "custom" in grouped:
        own = ", ".join(f"{sql} AS {name}" for name, sql in custom_orders(columns).items())
        sources["custom"] = f"(SELECT customer_id, {own} FROM order_stage WHERE purchase_lines > 0) AS orders"
    groups = ",\n".join(
        f"by_{stage} AS (\n    SELECT customer_id, {', '.join(sums)}\n    FROM {sources[stage]} GROUP BY customer_id\n)"
        for stage, sums in grouped.items()
    )
    joins = "\n".join(
        f"LEFT JOIN by_{stage} ON by_{stage}.customer_id = by_purchases.customer_id"
        for stage in grouped
        if stage != "purchases"
    )
    selected = "".join(f",\n    {_from_group(feature)} AS {quote(feature.name)}" for feature in features)
    return f"""
WITH {groups}
SELECT CAST(by_purchases.customer_id AS VARCHAR) AS customer_id{selected}
FROM by_purchases
{joins}
ORDER BY 1"""


def customer_table(
    connection: duckdb.DuckDBPyConnection,
    features: list[Feature],
    columns: dict[str, list[str]],
    after: date,
    until: date,
) -> pd.DataFrame:
    """Return the rows of `customer_statement`, within `open_stages`: index customer_id (text, sorted)."""
    table = connection.execute(customer_statement(features, columns, after, until)).df().set_index("customer_id")
    table.index = table.index.astype("str")
    return table.astype({feature.name: "str" for feature in features if feature.kind == "category"})


def _from_group(feature: Feature) -> str:
    if feature.stage == "customer":
        return feature.sql
    column = f"by_{feature.stage}.{quote(feature.name)}"
    return f"coalesce({column}, 0)" if feature.none_is_zero else column
