"""The feature dictionary: what each feature of a customer means, what it needs, and its SQL.

One row per feature. `sql` is an aggregate over one of the intermediate tables of `segkit.features.stages` (`stage`),
grouped by customer, in the portable part of SQL: days are compared as DATE, a divisor that can be 0 stands in
nullif, text and ties are settled by min, nothing depends on the order of rows, and whatever is summed is a
whole number or a DECIMAL, so that the same rows give the same figures whatever the number of threads.
"""

from dataclasses import dataclass

FAMILIES = (
    "value",
    "lifecycle",
    "rhythm",
    "basket",
    "taste",
    "price",
    "returns",
    "channel",
    "trend",
    "response",
    "who",
)

TRANSFORMS = {  # by kind; a share of a whole together with the others of that whole
    "money": "log1p",
    "count": "log1p",
    "days": "log1p",
    "number": "as it is",
    "share": "as it is",
    "binary": "as it is",
    "category": "one column per level",
    "whole": "square root (Hellinger)",
}

QUARTER_DAYS = 90
SLOPE_DAYS = 180  # six periods of 30 days
HISTORY_DAYS = 2 * QUARTER_DAYS  # what the trend features need


@dataclass(frozen=True)
class Feature:
    """One feature of a customer.

    `needs` are canonical columns as ``table.column``; ``a|b`` stands for either. A share of a whole has the name of
    that composition in `whole`. `history_days` is the least history (and window) for which it means anything. `none_is_zero` says that a customer
    without a row in the stage has 0, where others are unknown.
    """

    name: str
    family: str
    kind: str
    unit: str
    definition: str
    stage: str
    sql: str
    needs: tuple[str, ...] = ()
    whole: str = ""
    history_days: int = 0
    none_is_zero: bool = False

    @property
    def transform(self) -> str:
        """Return what the matrix does to the feature."""
        return TRANSFORMS["whole" if self.whole else self.kind]


def _share(condition: str) -> str:
    """Return the SQL of the share of rows for which `condition` holds."""
    return f"count(CASE WHEN {condition} THEN 1 END) / count(*)"


def _quarter(first: int) -> str:
    """Return the SQL of the money spent in the 90 days that begin `first` days before `as_of`."""
    within = f"days_before BETWEEN {first} AND {first + QUARTER_DAYS - 1}"
    return f"1 + CAST(sum(CASE WHEN {within} THEN bought ELSE 0 END) AS DOUBLE)"


# Six equal periods, numbered 0 (latest) to 5: the least-squares slope per period is
# sum((2.5 - period) * spend) / 17.5, here with doubled weights 5 - 2 * period, which are whole numbers.
_RECENT = f"CASE WHEN days_before < {SLOPE_DAYS} THEN bought ELSE 0 END"
_WEIGHTED = f"sum(({_RECENT}) * (5 - 2 * CAST(floor(days_before / 30) AS INTEGER)))"
_SLOPE = f"(CAST({_WEIGHTED} AS DOUBLE) / 35) / nullif(CAST(sum({_RECENT}) AS DOUBLE) / 6, 0)"

# Standard deviation over mean of the n gaps from whole-number sums: sqrt((n S2 - S1^2) n / (n - 1)) / S1.
_GAP_SPREAD = "CAST(count(gap_days) * sum(gap_days * gap_days) - sum(gap_days) * sum(gap_days) AS DOUBLE)"
_GAP_VARIATION = f"sqrt({_GAP_SPREAD} * count(gap_days) / nullif(count(gap_days) - 1, 0)) / nullif(sum(gap_days), 0)"

_DAYPARTS = {"morning": (6, 11), "afternoon": (12, 17), "evening": (18, 23), "night": (0, 5)}

_ORDERS = "an order has at least one line that is not a return, and happens at its first line"

FEATURES: tuple[Feature, ...] = (
    Feature(
        "spend",
        "value",
        "money",
        "currency",
        "Money spent in the window, net of returns.",
        "orders",
        "CAST(sum(net) AS DOUBLE)",
    ),
    Feature(
        "mean_order_value",
        "value",
        "money",
        "currency",
        "Mean amount of an order, returned lines not counted.",
        "purchases",
        "CAST(sum(bought) AS DOUBLE) / count(*)",
    ),
    Feature(
        "largest_order_value",
        "value",
        "money",
        "currency",
        "Amount of the largest order, returned lines not counted.",
        "purchases",
        "CAST(max(bought) AS DOUBLE)",
    ),
    Feature(
        "order_count",
        "lifecycle",
        "count",
        "orders",
        f"Orders in the window; {_ORDERS}.",
        "purchases",
        "count(*)",
    ),
    Feature(
        "days_since_last_order",
        "lifecycle",
        "days",
        "days",
        "Whole days from the day of the last order to as_of; 0 is that same day.",
        "purchases",
        "min(days_before)",
    ),
    Feature(
        "tenure_days",
        "lifecycle",
        "days",
        "days",
        "Whole days from the day of the first order in the window to as_of.",
        "purchases",
        "max(days_before)",
    ),
    Feature(
        "active_span_days",
        "lifecycle",
        "days",
        "days",
        "Whole days from the first order in the window to the last.",
        "purchases",
        "max(days_before) - min(days_before)",
    ),
    Feature(
        "mean_gap_days",
        "rhythm",
        "days",
        "days",
        "Mean days between consecutive orders; unknown for customers with one order.",
        "purchases",
        "(max(days_before) - min(days_before)) / nullif(count(*) - 1, 0)",
    ),
    Feature(
        "gap_variation",
        "rhythm",
        "number",
        "standard deviations per mean",
        "Standard deviation of the days between consecutive orders over their mean: 0 is clockwork, 1 is chance; "
        "unknown below three orders.",
        "gaps",
        _GAP_VARIATION,
    ),
    Feature(
        "weekend_order_share",
        "rhythm",
        "share",
        "share of orders",
        "Share of orders on a Saturday or Sunday.",
        "purchases",
        _share("weekday >= 5"),
    ),
    *(
        Feature(
            f"{part}_order_share",
            "rhythm",
            "share",
            "share of orders",
            f"Share of orders from {first:02}:00 to {last:02}:59.",
            "purchases",
            _share(f"hour_of_day BETWEEN {first} AND {last}"),
            needs=("a time of day in orders.ordered_at",),
            whole="daypart",
        )
        for part, (first, last) in _DAYPARTS.items()
    ),
    Feature(
        "lines_per_order",
        "basket",
        "count",
        "lines",
        "Mean lines of an order, returned lines not counted.",
        "purchases",
        "sum(purchase_lines) / count(*)",
    ),
    Feature(
        "products_per_order",
        "basket",
        "count",
        "products",
        "Mean number of different products in an order.",
        "customer",
        "by_products.product_orders / by_purchases.orders",
    ),
    Feature(
        "distinct_product_count",
        "basket",
        "count",
        "products",
        "Different products bought in the window.",
        "products",
        "count(*)",
        none_is_zero=True,
    ),
    Feature(
        "repeat_product_share",
        "basket",
        "share",
        "share of products in orders",
        "Share of the products in the orders that an earlier order of the window had already contained.",
        "products",
        "(sum(orders) - count(*)) / sum(orders)",
    ),
    Feature(
        "category_entropy",
        "taste",
        "number",
        "nats",
        "Evenness of the spend over all categories (Shannon entropy): 0 is all in one, ln(n) is n equal parts.",
        "tastes",
        "greatest(0, ln(nullif(CAST(sum(bought) AS DOUBLE), 0)) - CAST(sum(bought_log) AS DOUBLE) "
        "/ nullif(CAST(sum(bought) AS DOUBLE), 0))",
        needs=("orders.category|products.category",),
    ),
    Feature(
        "own_brand_share",
        "taste",
        "share",
        "share of spend",
        "Share of spend on the shop's own brands, of the spend on products whose brand is known.",
        "tastes",
        "CAST(sum(own_brand) AS DOUBLE) / nullif(CAST(sum(branded) AS DOUBLE), 0)",
        needs=("products.own_brand",),
    ),
    Feature(
        "discount_share",
        "price",
        "share",
        "share of the price before discount",
        "Discounts as a share of what the goods bought would have cost without them.",
        "purchases",
        "CAST(sum(discount) AS DOUBLE) / nullif(CAST(sum(bought) + sum(discount) AS DOUBLE), 0)",
        needs=("orders.discount",),
    ),
    Feature(
        "coupon_share",
        "price",
        "share",
        "share of the price before coupons",
        "Coupons as a share of what the goods bought would have cost without them.",
        "purchases",
        "CAST(sum(coupon_discount) AS DOUBLE) / nullif(CAST(sum(bought) + sum(coupon_discount) AS DOUBLE), 0)",
        needs=("orders.coupon_discount",),
    ),
    Feature(
        "relative_price",
        "price",
        "number",
        "times the category's price",
        "How dear the products are that the customer picks: the products' mean price in the window over the "
        "geometric mean price of their category, as the geometric mean over products in orders; 1 is usual. A "
        "product counts as at most 4 times and at least a quarter of its category's price.",
        "products",
        "exp(CAST(sum(orders * log_relative_price) AS DOUBLE) "
        "/ nullif(sum(CASE WHEN log_relative_price IS NOT NULL THEN orders ELSE 0 END), 0))",
        needs=("orders.category|products.category",),
    ),
    Feature(
        "return_order_share",
        "returns",
        "share",
        "share of orders",
        "Share of orders, pure returns included, with at least one returned line.",
        "orders",
        _share("return_lines > 0"),
    ),
    Feature(
        "return_spend_share",
        "returns",
        "share",
        "share of money bought",
        "Money returned in the window over money bought in it, at most 1 (what is returned may be older).",
        "orders",
        "least(1, greatest(0, CAST(sum(bought) - sum(net) AS DOUBLE) / nullif(CAST(sum(bought) AS DOUBLE), 0)))",
    ),
    Feature(
        "store_count",
        "channel",
        "count",
        "stores",
        "Different stores ordered from in the window.",
        "stores",
        "count(*)",
        needs=("orders.store_id",),
    ),
    Feature(
        "main_store_share",
        "channel",
        "share",
        "share of orders",
        "Share of orders at the store with the most of them.",
        "stores",
        "max(orders) / sum(orders)",
        needs=("orders.store_id",),
    ),
    Feature(
        "quarter_change",
        "trend",
        "number",
        "log ratio",
        "Logarithm of (1 + money bought in the last 90 days) over (1 + money bought in the 90 days before): 0 is no "
        "change, 0.7 is twice as much.",
        "purchases",
        f"ln(({_quarter(0)}) / ({_quarter(QUARTER_DAYS)}))",
        history_days=HISTORY_DAYS,
    ),
    Feature(
        "spend_slope",
        "trend",
        "number",
        "of mean spend per 30 days",
        "Least-squares slope of the money bought over the last six periods of 30 days, over their mean: 0.1 is "
        "growth by a tenth of the mean each period; unknown for customers who bought nothing in them.",
        "purchases",
        _SLOPE,
        history_days=HISTORY_DAYS,
    ),
    Feature(
        "campaigns_received_count",
        "response",
        "count",
        "campaigns",
        "Campaigns sent to the customer in the window.",
        "campaigns",
        "count(*)",
        needs=("campaigns.sent_at",),
        none_is_zero=True,
    ),
    Feature(
        "campaigns_answered_count",
        "response",
        "count",
        "campaigns",
        "Of these, campaigns that the customer had answered by as_of.",
        "campaigns",
        "CAST(sum(answered) AS BIGINT)",
        needs=("campaigns.sent_at", "campaigns.responded_at"),
        none_is_zero=True,
    ),
    Feature(
        "campaign_response_share",
        "response",
        "share",
        "share of campaigns",
        "Answered campaigns as a share of those received; unknown for customers who received none.",
        "campaigns",
        "sum(answered) / count(*)",
        needs=("campaigns.sent_at", "campaigns.responded_at"),
    ),
    Feature(
        "coupon_order_share",
        "response",
        "share",
        "share of orders",
        "Share of orders in which a coupon was used.",
        "purchases",
        _share("coupon_discount > 0"),
        needs=("orders.coupon_discount",),
    ),
)


def quote_text(text: str) -> str:
    """Return `text` as an SQL string.

    Examples
    --------
    >>> quote_text("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def composition_features(whole: str, parts: list[dict]) -> list[Feature]:
    """Return one share per part of a composition, and the share of the rest.

    Parameters
    ----------
    whole : str
        ``category`` (shares of spend) or ``channel`` (shares of orders).
    parts : list of dict
        ``feature`` and ``label`` of each part, from a recipe; the label of the rest is None.
    """
    family, unit, stage, needs = {
        "category": ("taste", "share of spend", "tastes", ("orders.category|products.category",)),
        "channel": ("channel", "share of orders", "purchases", ("orders.channel",)),
    }[whole]
    named = ", ".join(quote_text(part["label"]) for part in parts if part["label"] is not None)
    features = []
    for part in parts:
        if part["label"] is None:
            condition = f"{whole} IS NULL OR {whole} NOT IN ({named})" if named else "1 = 1"
            definition = f"{unit.capitalize()} in any other {whole}, or an unknown one."
        else:
            condition = f"{whole} = {quote_text(part['label'])}"
            definition = f'{unit.capitalize()} in {whole} "{part["label"]}".'
        sql = _share(condition)
        if whole == "category":
            bought = f"CAST(sum(CASE WHEN {condition} THEN bought ELSE 0 END) AS DOUBLE)"
            sql = f"{bought} / nullif(CAST(sum(bought) AS DOUBLE), 0)"
        features.append(
            Feature(part["feature"], family, "share", unit, definition, stage, sql, needs=needs, whole=whole)
        )
    return features


def country_feature(countries: list[str]) -> Feature:
    """Return the feature of the country with most orders, the rare ones called ``other``."""
    named = ", ".join(map(quote_text, countries))
    return Feature(
        "country",
        "channel",
        "category",
        "",
        "Country of most orders in the window, the first in the alphabet where two tie; rare ones are `other`.",
        "countries",
        f"max(CASE WHEN country IN ({named}) THEN country ELSE 'other' END)" if named else "'other'",
        needs=("orders.country",),
    )


def attribute_feature(name: str, column: str, kind: str) -> Feature:
    """Return the feature of one column of the customers table."""
    quoted = '"' + column.replace('"', '""') + '"'
    as_type = {"category": "VARCHAR", "binary": "DOUBLE", "number": "DOUBLE"}[kind]
    return Feature(
        name,
        "who",
        kind,
        "",
        f"{column} as stated in the customers table.",
        "customers",
        f"max(CAST({quoted} AS {as_type}))",
        needs=(f"customers.{column}",),
    )
