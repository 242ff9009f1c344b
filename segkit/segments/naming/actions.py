"""What one would try first with a segment, from the words that are true of it: suggestions, nothing measured.

The rules are read from the top; the first whose words all hold gives the suggestion. They are marketing
practice, not results: whether any of it pays is for an experiment to say, as the report does above them.
"""

from operator import gt, le

from segkit.segments.naming.vocabulary import said

_URGENT = ("stage", "trend", "noun")  # count for what to do even where the name has no room for them

# words that must all be true of the segment (alternatives by "|"), what to do, what not to do
RULES = (
    (
        ("Lapsed|Lapsing", "big spenders"),
        "Win them back in person: ask what went wrong, remind them of what they used to buy.",
        "Don't wait for the next campaign, and don't open with a discount.",
    ),
    (
        ("Lapsed", "light buyers"),
        "Send one inexpensive reminder, then leave them on low-cost channels.",
        "Don't spend the win-back budget here: they brought little while they were active.",
    ),
    (
        ("Lapsed|Lapsing",),
        "Send a reminder with what they bought before, soon after the usual gap between orders has passed.",
        "Don't mail them as often as active customers.",
    ),
    (
        ("Cooling", "big spenders"),
        "Call on them before they leave: ask, and offer service that fits how they buy.",
        "Don't answer with a blanket discount.",
    ),
    (
        ("New",),
        "Welcome them and make the second and third order easy.",
        "Don't judge them by their spend yet: they have had little time.",
    ),
    (
        ("One-time",),
        "Give one good reason for a second order, close to what they bought first.",
        "Don't treat them as loyal, and don't pay for a second order more than it brings.",
    ),
    (
        ("Coupon-led|Deal-seeking", "big spenders"),
        "Keep them with offers on what they don't buy yet; try smaller discounts on what they buy anyway.",
        "Don't raise the general discount: they would take it on their usual basket.",
    ),
    (
        ("big spenders",),
        "Protect them: early access, reliable service, thanks.",
        "Don't discount what they buy at full price.",
    ),
    (
        ("Coupon-led|Deal-seeking",),
        "Lead with offers, chosen so that each order still earns its cost.",
        "Don't send them full-price launches first.",
    ),
    (
        ("Full-price|Premium",),
        "Lead with what is new and good.",
        "Don't teach them to wait for discounts.",
    ),
    (
        ("Return-prone",),
        "Find out why things come back, and improve size, picture and description there.",
        "Don't reward orders before the return period is over.",
    ),
    (
        ("Top-up",),
        "Suggest one thing more per order: bundles, refills, a threshold for free delivery just above their basket.",
        "Don't push big baskets at once.",
    ),
    (
        ("Stock-up|Big-ticket",),
        "Write ahead of their next big shop with lists and multi-buys.",
        "Don't interrupt between shops with small offers.",
    ),
    (
        ("Established",),
        "Thank them for staying, and show them what is new since their last order.",
        "Don't address them as newcomers.",
    ),
    (
        ("Occasional",),
        "Give a reason to come back sooner: reminders at the usual gap, a small next-order benefit.",
        "Don't pay more for a visit than it brings.",
    ),
    (
        ("Growing",),
        "Show them what goes with what they have begun to buy.",
        "Don't take the rise for granted: it may be the season.",
    ),
    (
        ("Cooling",),
        "Ask what changed, and remind them of what they used to buy.",
        "Don't wait until they have gone.",
    ),
    (
        ("Frequent",),
        "Reward the habit, and show them a neighbouring category.",
        "Don't pay for visits that they make anyway.",
    ),
)
# What an idea says of how they order must also be so in the figures beside it on the card: theirs, all customers'.
IN_FIGURES = {
    "Top-up": {"mean_order_value": le},
    "Stock-up|Big-ticket": {"mean_order_value": gt, "order_count": le},  # big shops, with time between them
}
BY_THEME = {
    "taste": (
        "Lead with what they buy more of ({}), then what goes with it.",
        "Don't send the general newsletter first.",
    ),
    "timing": ("Send when they shop.", "Don't read the time of day as a taste."),
    "habit": ("Time messages to how they order.", "Don't send everything to everybody on the same day."),
    "place": ("Talk about their store, channel or country.", "Don't assume that it explains what they buy."),
    "who": ("Choose range and pictures that fit their households.", "Don't address anyone by a guessed attribute."),
}
_GOODS = {"Own-brand": "own brands", "Brand-name": "brand names"}  # what customers called so buy
OTHERWISE = (
    "Treat them as usual, and measure the others against them.",
    "Don't pay for a treatment of their own before a test shows what it brings.",
)
LEFT_OUT = (
    "Use the nearest segment where one is needed.",
    "Don't read them as a group: they are those that fit nowhere.",
)


def suggest_action(found, picked, figures, taken=()):
    """What to do and what not to do with a segment.

    Parameters
    ----------
    found, picked : list
        ``(word, row)`` of every word that is true of the segment, strongest first, and of those in its name.
    figures : DataFrame
        The segment's rows of the profile: ``feature, level, centre, overall``.
    taken : collection of str
        Actions for other segments: two segments that are to be treated alike are no two segments, so that another
        action is looked for first.

    Returns
    -------
    tuple of str
        The action and the caution. Nobody has tested them: whoever shows them says so.

    Examples
    --------
    >>> import pandas as pd
    >>> suggest_action([], [], pd.DataFrame({"feature": [], "level": [], "centre": [], "overall": []}))
    ('Treat them as usual, and measure the others against them.', "Don't pay for a treatment of their own ...")
    """
    plain = figures[(figures["level"] == "") & figures["centre"].notna()].set_index("feature")
    fitting = [*_fitting(found, picked, plain), OTHERWISE]
    return next((way for way in fitting if way[0] not in taken), fitting[0])


def _fitting(found, picked, figures):
    """Every action and caution whose words are true of the segment, those of its name and of what is urgent first."""
    urgent = [pair for pair in found if pair[0].theme in _URGENT]
    for pairs in (picked + urgent, found):
        true = {word.text for word, _ in pairs}
        for needed, action, caution in RULES:
            if all(true & set(words.split("|")) and _in_figures(words, figures) for words in needed):
                yield action, caution
    for word, _ in found:
        if word.theme in BY_THEME:
            action, caution = BY_THEME[word.theme]
            yield action.format(_GOODS.get(word.text, said(word))), caution


def _in_figures(words, figures):
    """Whether the figures, as far as they are known, are as an idea for these words says."""
    return all(
        compare(figures.at[feature, "centre"], figures.at[feature, "overall"])
        for feature, compare in IN_FIGURES.get(words, {}).items()
        if feature in figures.index
    )
