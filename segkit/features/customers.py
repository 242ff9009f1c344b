"""The second stage, in SQL: orders, categories and products grouped by customer, and the groups joined."""

from datetime import date, timedelta

import duckdb
import pandas as pd

from segkit.features.dictionary import Feature
from segkit.features.stages import product_stage, window_lines, within_days
from segkit.runtime.spelling import quote

_FOURFOLD = 1_386_294  # ln(4): in a mixed bag such as "miscellaneous" one unit is a thousand times another

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

_TASTES_WITH_PRICES = f"""(
        SELECT taste_stage.*,
            CASE WHEN category IS NULL THEN 0 ELSE purchase_lines END AS priced_lines,
            CASE WHEN category IS NULL THEN 0 ELSE CAST(round(purchase_lines * least({_FOURFOLD}, greatest(-{_FOURFOLD},
                log_price / purchase_lines - usual_log_price))) AS BIGINT) END AS log_relative_price
        FROM taste_stage LEFT JOIN (
            SELECT category AS usual_category, sum(log_price) / sum(purchase_lines) AS usual_log_price
            FROM taste_stage WHERE category IS NOT NULL GROUP BY category
        ) AS usual ON category = usual_category
    ) AS tastes"""


def campaign_statement(columns: dict[str, list[str]], after: date, until: date) -> str:
    """Return the SELECT of customer_id, campaign_id, answered (0 or 1) of the campaigns sent in the window."""
    answered = f"responded_at < CAST('{until + timedelta(days=1)}' AS TIMESTAMP)"
    if "responded_at" not in columns["campaigns"]:
        answered = "1 = 0"
    return f"""
        SELECT customer_id, campaign_id, max(CASE WHEN {answered} THEN 1 ELSE 0 END) AS answered
        FROM campaigns WHERE {within_days("sent_at", after, until)} GROUP BY customer_id, campaign_id"""


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
        grouped.setdefault("products", []).append("count(*) AS product_orders")
    names = {feature.name for feature in features}
    products = product_stage(window_lines(after, until), bool({"products_per_order", "repeat_product_share"} & names))
    sources = dict(_GROUPED, products=f"({products}) AS products")
    if "relative_price" in names:
        sources["tastes"] = _TASTES_WITH_PRICES
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
