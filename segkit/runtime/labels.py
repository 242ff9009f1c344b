"""How a feature reads: the words for its figure in sentences, cards and pictures."""

# What a figure counts; others read as their name.
_READS = {
    "spend": "spend",
    "mean_order_value": "amount per order",
    "largest_order_value": "largest order",
    "order_count": "orders",
    "days_since_last_order": "days since the last order",
    "tenure_days": "days since the first order",
    "active_span_days": "days between first and last order",
    "mean_gap_days": "days between orders",
    "gap_variation": "irregularity of ordering",
    "weekend_order_share": "orders at weekends",
    "morning_order_share": "orders in the morning",
    "afternoon_order_share": "orders in the afternoon",
    "evening_order_share": "orders in the evening",
    "night_order_share": "orders at night",
    "lines_per_order": "lines per order",
    "products_per_order": "products per order",
    "distinct_product_count": "different products",
    "repeat_product_share": "products bought before",
    "category_entropy": "spread over categories",
    "own_brand_share": "own brands",
    "discount_share": "discounts",
    "category_drug_gm_share": "share of spend on drugstore goods",
    "category_meat_pckgd_share": "share of spend on packaged meat",
    "coupon_share": "paid with coupons",
    "coupon_order_share": "orders with a coupon",
    "relative_price": "price relative to usual",  # of the same categories; 1 is usual
    "return_order_share": "orders with returns",
    "return_spend_share": "money returned",
    "store_count": "stores",
    "main_store_share": "orders at the main store",
    "campaign_response_share": "campaigns answered",
    "kids_count": "children",
    "household_comp": "household",
    "campaigns_received_count": "campaigns received",
    "campaigns_answered_count": "campaigns answered",
}


def label_of(feature):
    """What a figure counts, in a reader's words.

    Examples
    --------
    >>> label_of("spend"), label_of("household_size"), label_of("channel_web_share")
    ('spend', 'household size', 'share of orders by web')
    >>> label_of("relative_price")  # 0.88 says nothing without what it is set against
    'price relative to usual'
    """
    return _READS.get(feature, _plain(feature))


def _plain(feature):
    """A feature's name as a reader would say it.

    Examples
    --------
    >>> _plain("category_drug_gm_share"), _plain("gift_order_share")
    ('share of spend on Drug gm', 'gift orders')
    """
    if feature.startswith("category_"):
        category = feature[9:].removesuffix("_share").replace("_", " ")
        return "share of spend on " + (category if category == "other" else category[:1].upper() + category[1:])
    if feature.startswith("channel_"):
        return "share of orders by " + feature[8:].removesuffix("_share").replace("_", " ")
    if feature.endswith("_order_share"):
        return feature.removesuffix("_order_share").replace("_", " ") + " orders"
    return feature.removesuffix("_share").removesuffix("_count").removesuffix("_days").replace("_", " ")
