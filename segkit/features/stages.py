"""The way from order lines to customers, in SQL: three intermediate tables, then one row per customer.

Lines are read three times and joined to nothing bigger than the products. `order_stage` has a row per order,
`taste_stage` per customer and category, `product_stage` per customer and product; each is a temporary table, since
what is chosen from the data (the main categories, say) is chosen from them. The second stage groups each of them by
customer and joins the groups, which are small.
"""

from datetime import date, timedelta

from segkit.cards import quote
from segkit.features.dictionary import Feature

STAGES = ("order_stage", "taste_stage", "product_stage")

_MONDAY = "DATE '1900-01-01'"  # a Monday, so that the number of a weekday does not depend on the engine
_EXTREME_PRICE = "1.386294361"  # ln(4): mixed bags such as "miscellaneous" hold prices of all sizes


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
        ``taste_stage``: customer_id, category, bought, bought_log, branded, own_brand (money on products whose
        brand is known, and on own brands); only if there are categories or own brands.
        ``product_stage``: customer_id, product_id, orders.
    """
    lines = f"SELECT * FROM orders WHERE {_within('ordered_at', after, until)}"
    statements = {"order_stage": _order_stage(columns, lines, until), "product_stage": _product_stage(lines)}
    if any(has_column(columns, need) for need in ("orders.category", "products.category", "products.own_brand")):
        statements["taste_stage"] = _taste_stage(columns, lines)
    return statements


def _order_stage(columns: dict[str, list[str]], lines: str, until: date) -> str:
    present = columns["orders"]
    money = [
        f"sum(CASE WHEN is_return THEN 0 ELSE coalesce({column}, 0) END) AS {column}"
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
        "sum(amount) AS net",
        "sum(CASE WHEN is_return THEN 0 ELSE amount END) AS bought",
        *money,
        *places,
    ]
    return f"""
SELECT
    *,
    date_diff('day', CAST(ordered_at AS DATE), DATE '{until}') AS days_before,
    date_diff('day', {_MONDAY}, CAST(ordered_at AS DATE)) % 7 AS weekday,
    extract(hour FROM ordered_at) AS hour_of_day
FROM (
    SELECT {", ".join(sums)}
    FROM ({lines}) AS lines
    GROUP BY customer_id, order_id
) AS summed"""


def _taste_stage(columns: dict[str, list[str]], lines: str) -> str:
    present = columns.get("products", ())
    own_brand = "own_brand" in present
    if "category" in columns["orders"]:
        category = "lines.category"
    else:
        category = "products.category" if "category" in present else "CAST(NULL AS VARCHAR)"
    join = own_brand or category == "products.category"
    sums = [
        "lines.customer_id",
        f"{category} AS category",
        "sum(lines.amount) AS bought",
    ]
    if own_brand:
        sums += [
            "sum(CASE WHEN products.own_brand IS NULL THEN 0 ELSE lines.amount END) AS branded",
            "sum(CASE WHEN products.own_brand THEN lines.amount ELSE 0 END) AS own_brand",
        ]
    return f"""
SELECT
    *,
    CASE WHEN bought > 0 THEN CAST(bought * ln(bought) AS DECIMAL(30, 9)) ELSE 0 END AS bought_log
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
    WHERE NOT is_return AND product_id IS NOT NULL
) AS pairs
GROUP BY customer_id, product_id"""


def price_statement(columns: dict[str, list[str]], after: date, until: date) -> str:
    """Return the SELECT of product_id, log_relative_price: each product's mean price in its category's.

    A category's price is the geometric mean over its lines of the products' prices, which a few odd units (fuel in
    thousandths of a gallon, say) cannot own; logarithms are summed as DECIMAL, so that their order is no matter.
    """
    category = "lines.category" if "category" in columns["orders"] else "products.category"
    join = "" if "category" in columns["orders"] else "JOIN products ON lines.product_id = products.product_id"
    lines = f"SELECT * FROM orders WHERE {_within('ordered_at', after, until)} AND NOT is_return"
    return f"""
WITH prices AS (
    SELECT product_id, category, lines, CAST(ln(CAST(bought AS DOUBLE) / CAST(units AS DOUBLE)) AS DECIMAL(18, 9)) AS log_price
    FROM (
        SELECT lines.product_id, min({category}) AS category, count(*) AS lines, sum(amount) AS bought,
            sum(CAST(quantity AS DECIMAL(18, 4))) AS units
        FROM ({lines}) AS lines {join}
        GROUP BY lines.product_id
    ) AS products_sold
    WHERE bought > 0 AND units > 0 AND category IS NOT NULL
),
usual AS (
    SELECT category, CAST(CAST(sum(lines * log_price) AS DOUBLE) / sum(lines) AS DECIMAL(18, 9)) AS log_price
    FROM prices
    GROUP BY category
)
SELECT
    prices.product_id,
    least({_EXTREME_PRICE}, greatest(-{_EXTREME_PRICE}, prices.log_price - usual.log_price)) AS log_relative_price
FROM prices JOIN usual ON prices.category = usual.category"""


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
    "tastes": "taste_stage",
    "products": "product_stage",
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
    sources = dict(_GROUPED)
    if "campaigns" in grouped:
        sources["campaigns"] = f"({campaign_statement(columns, after, until)}) AS campaigns"
    if "custom" in grouped:
        own = ", ".join(f"{sql} AS {name}" for name, sql in custom_orders(columns).items())
        sources["custom"] = f"(SELECT customer_id, {own} FROM order_stage WHERE purchase_lines > 0) AS orders"
    if any(feature.name == "relative_price" for feature in features):
        prices = price_statement(columns, after, until)
        sources["products"] = (
            f"product_stage LEFT JOIN ({prices}) AS prices ON product_stage.product_id = prices.product_id"
        )
    groups = ",\n".join(
        f"by_{stage} AS (\n    SELECT customer_id, {', '.join(sums)}\n    FROM {sources[stage]} GROUP BY customer_id\n)"
        for stage, sums in grouped.items()
    )
    joins = "\n".join(
        f"LEFT JOIN by_{stage} ON by_{stage}.customer_id = by_purchases.customer_id"
        for stage in grouped
        if stage != "purchases"
    )
    selected = ",\n    ".join(f"{_from_group(feature)} AS {quote(feature.name)}" for feature in features)
    return f"""
WITH {groups}
SELECT CAST(by_purchases.customer_id AS VARCHAR) AS customer_id,
    {selected}
FROM by_purchases
{joins}
ORDER BY 1"""


def _from_group(feature: Feature) -> str:
    if feature.stage == "customer":
        return feature.sql
    column = f"by_{feature.stage}.{quote(feature.name)}"
    return f"coalesce({column}, 0)" if feature.none_is_zero else column


def _within(column: str, after: date, until: date) -> str:
    start, end = after + timedelta(days=1), until + timedelta(days=1)
    return f"{column} >= CAST('{start}' AS TIMESTAMP) AND {column} < CAST('{end}' AS TIMESTAMP)"
