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

TRANSFORMS = {  # by kind, as segkit.preprocessing names them
    "money": "log1p",
    "count": "log1p",
    "days": "log1p, or as is where that is less skewed",
    "number": "as is",
    "share": "arcsine root",
    "binary": "as is",
    "category": "one-hot",
    "whole": "square root",  # the shares of a whole together: their Hellinger distance
}

QUARTER_DAYS = 90
SLOPE_DAYS = 180  # six periods of 30 days
HISTORY_DAYS = 2 * QUARTER_DAYS  # what the trend features need


@dataclass(frozen=True)
class Feature:
    """One feature of a customer.

    `needs` are canonical columns as ``table.column``; ``a|b`` stands for either. A share of a whole has the name of
    that composition in `whole`; what the parts are is chosen from the data where `stage` is ``parts``. `history_days`
    is the least history (and window) for which it means anything, `needs_hours` says that dates without a time of
    day won't do, `none_is_zero` that a customer without a row in the stage has 0, where others are unknown.
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
    needs_hours: bool = False
    none_is_zero: bool = False

    @property
    def transform(self) -> str:
        """Return what the matrix does to the feature."""
        return TRANSFORMS["whole" if self.whole else self.kind]


def share_of_rows(condition: str) -> str:
    """Return the SQL of the share of rows for which `condition` holds."""
    return f"count(CASE WHEN {condition} THEN 1 END) / count(*)"


def _quarter(first: int) -> str:
    """Return the SQL of the money spent in the 90 days that begin `first` days before `as_of`."""
    within = f"days_before BETWEEN {first} AND {first + QUARTER_DAYS - 1}"
    return f"1 + CAST(sum(CASE WHEN {within} THEN bought ELSE 0 END) AS DOUBLE)"


# Six equal periods, numbered 0 (latest) to 5: the least-squares slope per period is
# sum((2.5 - period) * spend) / 17.5, here with doubled weights 5 - 2 * period, which are whole numbers.
_RECENT = f"CAST(sum(CASE WHEN days_before < {SLOPE_DAYS} THEN {{}} ELSE 0 END) AS DOUBLE)"
_WEIGHTED = _RECENT.format("bought * (5 - 2 * CAST(floor(days_before / 30) AS INTEGER))")
_SLOPE = f"({_WEIGHTED} / 35) / nullif({_RECENT.format('bought')} / 6, 0)"

# Standard deviation over mean of the n gaps from whole-number sums: sqrt((n S2 - S1^2) n / (n - 1)) / S1.
_GAP_SPREAD = "CAST(count(gap_days) * sum(gap_days * gap_days) - sum(gap_days) * sum(gap_days) AS DOUBLE)"
_GAP_VARIATION = f"sqrt({_GAP_SPREAD} * count(gap_days) / nullif(count(gap_days) - 1, 0)) / nullif(sum(gap_days), 0)"

_DAYPARTS = {"morning": (6, 11), "afternoon": (12, 17), "evening": (18, 23), "night": (0, 5)}

_ORDERS = "an order has at least one line that is not a return, and happens at its first line"

# fmt: off
FEATURES: tuple[Feature, ...] = (
    Feature(
        "spend", "value", "money", "currency",
        "Money spent in the window, net of returns.",
        "orders", "CAST(sum(net) AS DOUBLE)",
    ),
    Feature(
        "mean_order_value", "value", "money", "currency",
        "Mean amount of an order, returned lines not counted.",
        "purchases", "CAST(sum(bought) AS DOUBLE) / count(*)",
    ),
    Feature(
        "largest_order_value", "value", "money", "currency",
        "Amount of the largest order, returned lines not counted.",
        "purchases", "CAST(max(bought) AS DOUBLE)",
    ),
    Feature(
        "order_count", "lifecycle", "count", "orders",
        f"Orders in the window; {_ORDERS}.",
        "purchases", "count(*)",
    ),
    Feature(
        "days_since_last_order", "lifecycle", "days", "days",
        "Whole days from the day of the last order to as_of; 0 is that same day.",
        "purchases", "min(days_before)",
    ),
    Feature(
        "tenure_days", "lifecycle", "days", "days",
        "Whole days from the day of the first order in the window to as_of.",
        "purchases", "max(days_before)",
    ),
    Feature(
        "active_span_days", "lifecycle", "days", "days",
        "Whole days from the first order in the window to the last.",
        "purchases", "max(days_before) - min(days_before)",
    ),
    Feature(
        "mean_gap_days", "rhythm", "days", "days",
        "Mean days between consecutive orders; unknown for customers with one order.",
        "purchases", "(max(days_before) - min(days_before)) / nullif(count(*) - 1, 0)",
    ),
    Feature(
        "gap_variation", "rhythm", "number", "standard deviations per mean",
        "Standard deviation of the days between consecutive orders over their mean: 0 is clockwork, 1 is chance; "
        "unknown below three orders.",
        "gaps", _GAP_VARIATION,
    ),
    Feature(
        "weekend_order_share", "rhythm", "share", "share of orders",
        "Share of orders on a Saturday or Sunday.",
        "purchases", share_of_rows("weekday >= 5"),
    ),
    *(
        Feature(
            f"{part}_order_share", "rhythm", "share", "share of orders",
            f"Share of orders from {first:02}:00 to {last:02}:59.",
            "purchases", share_of_rows(f"hour_of_day BETWEEN {first} AND {last}"),
            whole="daypart", needs_hours=True,
        )
        for part, (first, last) in _DAYPARTS.items()
    ),
    Feature(
        "lines_per_order", "basket", "count", "lines",
        "Mean lines of an order, returned lines not counted.",
        "purchases", "sum(purchase_lines) / count(*)",
    ),
    Feature(
        "products_per_order", "basket", "count", "products",
        "Mean number of different products in an order.",
        "customer", "by_products.product_orders / by_purchases.orders",
    ),
    Feature(
        "distinct_product_count", "basket", "count", "products",
        "Different products bought in the window.",
        "products", "CAST(sum(is_new) AS BIGINT)",
        none_is_zero=True,
    ),
    Feature(
        "repeat_product_share", "basket", "share", "share of products in orders",
        "Share of the products in the orders that an earlier order of the window had already contained.",
        "products", "(count(*) - sum(is_new)) / count(*)",
    ),
    Feature(
        "category_share", "taste", "share", "share of spend",
        "Share of spend in each of the main categories and in the rest, one feature each, together 1.",
        "parts", "",
        needs=("orders.category|products.category",), whole="category",
    ),
    Feature(
        "category_entropy", "taste", "number", "nats",
        "Evenness of the spend over all categories (Shannon entropy): 0 is all in one, ln(n) is n equal parts.",
        "tastes",
        # Rounded, so that everybody who buys in one category has exactly the same figure.
        "greatest(0, round(ln(nullif(CAST(sum(bought) AS DOUBLE), 0)) "
        "- CAST(sum(bought_log) AS DOUBLE) / nullif(CAST(sum(bought) AS DOUBLE), 0), 6))",
        needs=("orders.category|products.category",),
    ),
    Feature(
        "own_brand_share", "taste", "share", "share of spend",
        "Share of spend on the shop's own brands, of the spend on products whose brand is known.",
        "tastes", "CAST(sum(own_brand) AS DOUBLE) / nullif(CAST(sum(branded) AS DOUBLE), 0)",
        needs=("products.own_brand",),
    ),
    Feature(
        "discount_share", "price", "share", "share of the price before discount",
        "Discounts as a share of what the goods bought would have cost without them.",
        "purchases", "CAST(sum(discount) AS DOUBLE) / nullif(CAST(sum(bought) + sum(discount) AS DOUBLE), 0)",
        needs=("orders.discount",),
    ),
    Feature(
        "coupon_share", "price", "share", "share of the price before coupons",
        "Coupons as a share of what the goods bought would have cost without them.",
        "purchases",
        "CAST(sum(coupon_discount) AS DOUBLE) / nullif(CAST(sum(bought) + sum(coupon_discount) AS DOUBLE), 0)",
        needs=("orders.coupon_discount",),
    ),
    Feature(
        "relative_price", "price", "number", "times the category's price",
        "What the customer pays per unit beside what everybody pays in the same category: the geometric mean over the "
        "lines bought, 1 is usual; no category counts as more than 4 times or less than a quarter of usual.",
        # Rounded like every power and logarithm: their last digits are other ones in other engines, and maps and
        # densities magnify them.
        "tastes", "round(exp(sum(log_relative_price) / nullif(sum(priced_lines), 0) / 1000000), 9)",
        needs=("orders.category|products.category",),
    ),
    Feature(
        "return_order_share", "returns", "share", "share of orders",
        "Share of orders, pure returns included, with at least one returned line.",
        "orders", share_of_rows("return_lines > 0"),
    ),
    Feature(
        "return_spend_share", "returns", "share", "share of money bought",
        "Money returned in the window over money bought in it, at most 1 (what is returned may be older).",
        "orders",
        "least(1, greatest(0, CAST(sum(bought) - sum(net) AS DOUBLE) / nullif(CAST(sum(bought) AS DOUBLE), 0)))",
    ),
    Feature(
        "channel_share", "channel", "share", "share of orders",
        "Share of orders in each of the main channels and in the rest, one feature each, together 1.",
        "parts", "",
        needs=("orders.channel",), whole="channel",
    ),
    Feature(
        "country", "channel", "category", "",
        "Country of most orders in the window, the first in the alphabet where two tie; rare ones are `other`.",
        "countries", "max(country)",
        needs=("orders.country",),
    ),
    Feature(
        "store_count", "channel", "count", "stores",
        "Different stores ordered from in the window.",
        "stores", "count(*)",
        needs=("orders.store_id",),
    ),
    Feature(
        "main_store_share", "channel", "share", "share of orders",
        "Share of orders at the store with the most of them.",
        "stores", "max(orders) / sum(orders)",
        needs=("orders.store_id",),
    ),
    Feature(
        "quarter_change", "trend", "number", "log ratio",
        "Logarithm of (1 + money bought in the last 90 days) over (1 + money bought in the 90 days before): 0 is no "
        "change, 0.7 is twice as much.",
        "purchases", f"round(ln(({_quarter(0)}) / ({_quarter(QUARTER_DAYS)})), 9)",
        history_days=HISTORY_DAYS,
    ),
    Feature(
        "spend_slope", "trend", "number", "of mean spend per 30 days",
        "Least-squares slope of the money bought over the last six periods of 30 days, over their mean: 0.1 is "
        "growth by a tenth of the mean each period; unknown for customers who bought nothing in them.",
        "purchases", _SLOPE,
        history_days=HISTORY_DAYS,
    ),
    Feature(
        "campaigns_received_count", "response", "count", "campaigns",
        "Campaigns sent to the customer in the window.",
        "campaigns", "count(*)",
        needs=("campaigns.sent_at",), none_is_zero=True,
    ),
    Feature(
        "campaigns_answered_count", "response", "count", "campaigns",
        "Of these, campaigns that the customer had answered by as_of.",
        "campaigns", "CAST(sum(answered) AS BIGINT)",
        needs=("campaigns.sent_at", "campaigns.responded_at"), none_is_zero=True,
    ),
    Feature(
        "campaign_response_share", "response", "share", "share of campaigns",
        "Answered campaigns as a share of those received; unknown for customers who received none.",
        "campaigns", "sum(answered) / count(*)",
        needs=("campaigns.sent_at", "campaigns.responded_at"),
    ),
    Feature(
        "coupon_order_share", "response", "share", "share of orders",
        "Share of orders in which a coupon was used.",
        "purchases", share_of_rows("coupon_discount > 0"),
        needs=("orders.coupon_discount",),
    ),
)
# fmt: on
