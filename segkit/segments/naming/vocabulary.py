"""The words a segment's name is made of, each with the feature that must back it.

A name is a noun and one mark: "Fuel regulars", "Deal hunters", "Big baskets". A word may be used when its feature
`differs` in the profile (large and certain) in the word's direction, and when the segment's own figures make the word
true in plain English: nobody is "Lapsed" after four days, however unusual four days are in that shop. Themes keep a
name from saying one thing twice, and say in which order words are read and preferred.
"""

import re
from dataclasses import dataclass

# Themes in the order in which a name is read.
READING = ("stage", "pace", "trend", "habit", "who", "place", "timing", "price", "returns", "taste", "basket", "other")

# How much a theme counts against the others when words compete: what a marketer acts on first comes first.
WEIGHT = {
    "stage": 1.6,
    "pace": 1.0,
    "price": 1.2,
    "taste": 1.1,
    "basket": 1.0,
    "trend": 0.9,
    "who": 0.9,
    "returns": 0.9,
    "place": 0.8,
    "timing": 0.8,
    "habit": 0.7,
    "other": 0.7,
}


@dataclass(frozen=True)
class Word:
    """A word, its theme, the feature (and level) behind it, the direction, and what its segment's figures must be."""

    text: str
    theme: str
    feature: str
    sign: int
    least: float = float("-inf")
    most: float = float("inf")
    level: str = ""  # a regular expression over the levels of a category
    alone: str = ""  # the whole name where the segment has no noun: "Deal hunters"
    orders: float = 0  # that most of its customers must have placed
    gap: float = float("inf")  # days between two orders at most
    lapsed: bool = False  # says that they are leaving
    proper: bool = False  # a name that keeps its capital


def said(word):
    """A word as it stands within a sentence."""
    return word.text if word.proper else word.text.lower()


# The noun says how much they spend or how often they come; without a difference there it is only "shoppers".
BIG, LIGHT, REGULARS = "big spenders", "light buyers", "regulars"
NOUNS = (
    Word(BIG, "noun", "spend", +1),  # more than the mean customer: see `words`
    Word(LIGHT, "noun", "spend", -1),
    Word(REGULARS, "pace noun", "order_count", +1, orders=3, gap=31),
)
TOP = Word("top spenders", "noun", "spend", +1)  # the bigger of two big spenders whom nothing else tells apart
PLAIN_NOUN, PLAIN_NOUN_WITHOUT_ORDERS, NOTHING_DIFFERS = "shoppers", "customers", "Average"
# Where nothing differs, but some spend more and some less: not "average", which is a figure that they may lie above.
MIDDLE = Word("Mid-range", "middle", "spend", 0)
MIDDLE_REACH = 1.0  # standard deviations that its interval keeps within
UNSEGMENTED_NAME = "Unsegmented"
# Marks that say what the noun says, or the opposite of it.
NOT_WITH = {
    BIG: {"Big-basket", "High-value", "Small-basket"},
    LIGHT: {"Occasional", "Big-basket", "High-value", "Small-basket"},
    REGULARS: {"Repeat", "Occasional", "Established", "Frequent"},
}
WITHOUT_LIGHT = {"One-time", "New"}  # who spent little since they ordered once, or came late

ONE_TIME_SHARE = 0.9  # of the customers called one-time, who ordered once
LAPSED_DAYS = 90  # that most of them have stayed away: of others many order again within as many

# Within a theme, the first word that holds is the only one.
WORDS = (
    # lifecycle; who ordered once was never there to lapse
    Word("One-time", "stage", "order_count", -1, most=1, alone="One-time buyers"),
    Word("Lapsed", "stage", "days_since_last_order", +1, least=LAPSED_DAYS, lapsed=True),
    Word("New", "stage", "tenure_days", -1, most=120),
    Word("Repeat", "pace", "order_count", +1, orders=2, alone="Repeat buyers"),
    Word("Occasional", "pace", "order_count", -1, least=1.5),  # fewer are said by "One-time"
    # trend
    Word("Growing", "trend", "spend_slope", +1, least=0.1, orders=3),
    Word("Cooling", "trend", "spend_slope", -1, most=-0.1, orders=3, lapsed=True),
    # rhythm
    Word("Steady", "habit", "gap_variation", -1, most=0.8, orders=3),
    Word("Established", "habit", "active_span_days", +1, least=180),
    Word("Irregular", "habit", "gap_variation", +1, least=1.2, orders=3),
    Word("Weekend", "timing", "weekend_order_share", +1, least=0.4, orders=3),
    Word("Morning", "timing", "morning_order_share", +1, least=0.4, orders=3),
    Word("Afternoon", "timing", "afternoon_order_share", +1, least=0.4, orders=3),
    Word("Evening", "timing", "evening_order_share", +1, least=0.4, orders=3),
    Word("Night-time", "timing", "night_order_share", +1, least=0.3, orders=3),
    # basket
    Word("Big-basket", "basket", "lines_per_order", +1, alone="Big baskets"),
    Word("Small-basket", "basket", "lines_per_order", -1, alone="Small baskets"),
    Word("High-value", "basket", "mean_order_value", +1),
    # price and promotion
    Word("Coupon-led", "price", "coupon_order_share", +1, least=0.1, alone="Coupon users"),
    Word("Deal-hunting", "price", "discount_share", +1, least=0.15, alone="Deal hunters"),
    Word("Full-price", "price", "discount_share", -1, most=0.1, alone="Full-price buyers"),
    Word("Premium", "price", "relative_price", +1, least=1.1, alone="Premium buyers"),
    Word("Budget", "price", "relative_price", -1, most=0.9),
    # taste
    Word("Own-brand", "taste", "own_brand_share", +1, least=0.3, alone="Own-brand buyers"),
    Word("Big-brand", "taste", "own_brand_share", -1, most=0.25, alone="Big-brand buyers"),
    # returns
    Word("Return-prone", "returns", "return_order_share", +1, least=0.15),
    # channel and place
    Word("Multi-store", "place", "store_count", +1, least=3, orders=3),
    # who they are, where that is known for most of the segment
    Word("Family", "who", "kids_count", +1, least=0.5, level=r"^[1-9]"),
    Word("Senior", "who", "age", +1, least=0.5, level=r"^(6[0-9]|[7-9][0-9])"),
    Word("Young", "who", "age", +1, least=0.5, level=r"^(1[0-9]|2[0-9])"),
)

# Departments as shops call them, and the word for somebody who lives on them; others stay as the shop writes them.
CATEGORY_WORDS = {
    "grocery": "Grocery",
    "drug_gm": "Drugstore",
    "produce": "Fresh-produce",
    "fuel": "Fuel",
    "deli": "Deli",
    "meat": "Meat",
    "meat_pckgd": "Packaged-meat",
    "miscellaneous": "",
    "other": "",
    "unknown": "",
    "unnamed": "",
}
LEAST_CATEGORY_SHARE = 0.15
_COMPOSED = re.compile(r"^(category|channel)_(.+)_share$")


def composed_word(feature, level=""):
    """The word for a share of spend in a category, of orders in a channel, or a country; None for other features.

    Examples
    --------
    >>> composed_word("category_drug_gm_share").text, composed_word("channel_web_share").text
    ('Drugstore', 'Web')
    >>> composed_word("country", "Germany").text
    'Germany'
    >>> composed_word("category_küche_share").proper, composed_word("category_fuel_share").proper
    (True, False)
    >>> composed_word("category_other_share") is None
    True
    """
    if feature == "country" and level and level != "other":
        return Word(hyphenated(level), "place", feature, +1, least=0.5, level=f"^{re.escape(level)}$", proper=True)
    match = _COMPOSED.match(feature)
    if not match:
        return None
    text = CATEGORY_WORDS.get(match[2], hyphenated(match[2]))
    if match[1] == "channel":
        return Word(text, "place", feature, +1, least=0.3) if text else None
    own = match[2] not in CATEGORY_WORDS
    return Word(text, "taste", feature, +1, least=LEAST_CATEGORY_SHARE, proper=own) if text else None


def given_words(feature, kind):
    """Words for a feature that the vocabulary doesn't know, such as a question of a survey.

    Examples
    --------
    >>> [word.text for word in given_words("repeat_visits", "number")]
    ['High-repeat-visits', 'Low-repeat-visits']
    >>> [word.text for word in given_words("spicy", "binary")]
    ['Spicy', 'Non-spicy']
    """
    plain = hyphenated(re.sub(r"_(order_share|share|days|count)$", "", feature))
    if kind in ("binary", "share"):
        return [Word(plain, "other", feature, +1), Word(f"Non-{plain.lower()}", "other", feature, -1)]
    return [Word(f"High-{plain.lower()}", "other", feature, +1), Word(f"Low-{plain.lower()}", "other", feature, -1)]


def hyphenated(text):
    """A label as one word: ``Fresh produce`` becomes ``Fresh-produce``."""
    word = "-".join(re.findall(r"\w+", str(text).replace("_", " ")))
    return word[:1].upper() + word[1:]
