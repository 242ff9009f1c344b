"""What one would try first with a segment, from the words and figures that are true of it: suggestions, not results.

The rules are read from the top; the first whose words all hold, and whose figures are known, gives the suggestion. They
are marketing practice: whether any of it pays is for an experiment to say, and each names the lever that a test of it
would pull, so that cards, the table of actions and the money beside them speak of the same thing.
"""

import re
from operator import gt, le

from segkit.runtime.labels import label_of
from segkit.runtime.sensitive import may_be_named
from segkit.segments.naming.vocabulary import CATEGORY_WORDS

MORE, BACK, DISCOUNTS, RETURNS = "more per customer", "win back", "smaller discounts", "fewer returns"
_URGENT = ("stage", "trend", "noun", "pace noun")  # count for what to do even where the name has no room for them
_SPENDERS = "big spenders|regulars"

# Words that must all be true of the segment (alternatives by "|"; TASTE is a category in its name), the lever, what to
# do, what not to do. {goods}, {share}, {overall}: the category that they buy more of; {room}, {room_share},
# {room_overall}: the one they buy less of; {gap}: days between two of their orders.
RULES = (
    (
        ("Lapsed", _SPENDERS), BACK,
        "Win them back in person: ask what went wrong, and remind them of what they used to buy.",
        "Don't wait for the next campaign, and don't open with a discount.",
    ),
    (
        ("Lapsed", "light buyers"), BACK,
        "Send one inexpensive reminder, then leave them on low-cost channels.",
        "Don't spend the win-back budget here: they brought little while they were active.",
    ),
    (
        ("Lapsed",), BACK,
        "Send a reminder with what they bought before.",
        "Don't mail them as often as active customers.",
    ),
    (
        ("Cooling", _SPENDERS), MORE,
        "Call on them before they leave: ask, and offer service that fits how they buy.",
        "Don't answer with a blanket discount.",
    ),
    (
        ("One-time",), BACK,
        "Give one good reason for a second order, close to what they bought first.",
        "Don't treat them as loyal, and don't pay for a second order more than it brings.",
    ),
    (
        ("New",), MORE,
        "Welcome them and make the second and third order easy.",
        "Don't judge them by their spend yet: they have had little time.",
    ),
    (
        ("Coupon-led|Deal-hunting", _SPENDERS), DISCOUNTS,
        "Try smaller discounts on what they buy anyway: they order every {gap} days.",
        "Don't raise the general discount: they would take it on their usual basket.",
    ),
    (
        ("Coupon-led|Deal-hunting",), DISCOUNTS,
        "Keep the discounts on {goods}, which they buy more of ({share} of their money, all customers {overall}), "
        "and try smaller ones on the rest.",
        "Don't send them full-price launches first.",
    ),
    (
        ("Coupon-led|Deal-hunting",), DISCOUNTS,
        "Try smaller discounts, and see whether they buy less.",
        "Don't send them full-price launches first.",
    ),
    (
        ("Return-prone",), RETURNS,
        "Find out why things come back, and improve size, picture and description there.",
        "Don't reward orders before the return period is over.",
    ),
    (
        ("TASTE",), MORE,
        "Give them a reason to buy {room} along with {goods}: it takes {room_share} of their money, and "
        "{room_overall} of all customers'.",
        "Don't lower the price of {goods}, which they buy anyway.",
    ),
    (
        ("TASTE",), MORE,
        "Lead with {goods}, then show what goes with it.",
        "Don't lower the price of {goods}, which they buy anyway.",
    ),
    (
        (_SPENDERS,), MORE,
        "Show them a wider choice of {goods}: they spend {share} of their money there, all customers {overall}.",
        "Don't discount what they buy at full price.",
    ),
    (
        ("Big-brand",), MORE,
        "Lead with brands, in {goods} first ({share} of their money, all customers {overall}).",
        "Don't lead with own brands.",
    ),
    (
        ("Own-brand",), MORE,
        "Lead with own brands, in {goods} first ({share} of their money, all customers {overall}).",
        "Don't lead with big brands.",
    ),
    (
        (_SPENDERS,), MORE,
        "Protect them: early access, reliable service, thanks.",
        "Don't discount what they buy at full price.",
    ),
    (
        ("regulars",), MORE,
        "Reward the habit: something extra after every few orders.",
        "Don't pay for visits that they make anyway.",
    ),
    (
        ("Full-price|Premium|Big-brand",), MORE,
        "Lead with what is new and good.",
        "Don't teach them to wait for discounts.",
    ),
    (
        ("Small-basket",), MORE,
        "Suggest one thing more per order: bundles, refills, free delivery just above their basket.",
        "Don't push big baskets at once.",
    ),
    (
        ("Big-basket|High-value",), MORE,
        "Write ahead of their next big shop with lists and multi-buys.",
        "Don't interrupt between shops with small offers.",
    ),
    (
        ("Occasional",), BACK,
        "Give a reason to come back sooner: a reminder when their usual gap has passed, a small benefit on the next "
        "order.",
        "Don't pay more for a visit than it brings.",
    ),
    (
        ("light buyers",), BACK,
        "Send a reminder when their usual gap between orders has passed, on a channel that costs little.",
        "Don't pay more for a visit than it brings.",
    ),
    (
        ("Established",), MORE,
        "Thank them for staying, and show them what is new since their last order.",
        "Don't address them as newcomers.",
    ),
    (
        ("Growing",), MORE,
        "Show them what goes with what they have begun to buy.",
        "Don't take the rise for granted: it may be the season.",
    ),
    (
        ("Cooling",), MORE,
        "Ask what changed, and remind them of what they used to buy.",
        "Don't wait until they have gone.",
    ),
    (
        ("Weekend|Morning|Afternoon|Evening|Night-time",), MORE,
        "Send when they shop.",
        "Don't read the time of day as a taste.",
    ),
    (
        ("Family|Senior|Young",), MORE,
        "Choose range and pictures that fit their households.",
        "Don't address anyone by a guessed attribute.",
    ),
)  # fmt: skip
# What an idea says of how they order must also be so in the figures beside it on the card: theirs, all customers'.
IN_FIGURES = {
    "Small-basket": {"mean_order_value": le},
    "Big-basket|High-value": {"mean_order_value": gt, "order_count": le},  # big shops, with time between them
}
OTHERWISE = (
    "",
    "Nothing of their own yet: what they get is what everybody gets.",
    "Don't pay for a treatment of theirs.",
)
LEFT_OUT = (
    "",
    "Use the nearest segment where one is needed.",
    "Don't read them as a group: they are those that fit nowhere.",
)
_NO_GOODS = re.compile("^category_(other|unknown|unnamed|miscellaneous)_share$")
LEAST_ROOM = 0.1  # of all customers' money: a category that is worth an offer


def suggest_action(found, picked, figures, taken=()):
    """What to do and what not to do with a segment, and the lever that it pulls.

    Parameters
    ----------
    found, picked : list
        ``(word, row)`` of every word that is true of the segment, strongest first, and of those in its name.
    figures : DataFrame
        The segment's rows of the profile: ``feature, level, centre, overall, effect_low, effect_high, effect_sd``.
    taken : collection of str
        Actions for other segments: two segments that are to be treated alike are no two segments, so that another
        action is looked for first, among those that pull a lever.

    Returns
    -------
    tuple of str
        The lever, the action and the caution. Nobody has tested them: whoever shows them says so.

    Examples
    --------
    >>> import pandas as pd
    >>> suggest_action([], [], pd.DataFrame({"feature": [], "level": [], "centre": [], "overall": []}))
    ('', 'Nothing of their own yet: what they get is what everybody gets.', "Don't pay for a treatment of theirs.")
    """
    plain = figures[(figures["level"] == "") & figures["centre"].notna()].set_index("feature")
    fitting = list(_fitting(found, picked, plain))
    return next((idea for idea in fitting if idea[1] not in taken), fitting[0] if fitting else OTHERWISE)


def _fitting(found, picked, figures):
    """Every idea whose words are true of the segment, those of its name and of what is urgent first."""
    urgent = [pair for pair in found if pair[0].theme in _URGENT]
    taste = next((word.feature for word, _ in picked if word.feature in figures.index and _is_goods(word.feature)), "")
    goods = _goods(figures, taste) | _gap(figures)
    for pairs in (picked + urgent, found):
        true = {word.text for word, _ in pairs} | ({"TASTE"} if taste else set())
        for needed, lever, *told in RULES:
            holds = all(true & set(words.split("|")) and _in_figures(words, figures) for words in needed)
            if holds and set(re.findall(r"{(\w+)}", told[0])) <= set(goods):
                yield lever, *(text.format(**goods) for text in told)


def _is_goods(feature):
    return feature.startswith("category_") and feature.endswith("_share") and not _NO_GOODS.match(feature)


def _goods(figures, taste):
    """The category that a segment surely buys more of, that of its name first, and the one it buys surely less of."""
    own = figures[[_is_goods(name) and may_be_named(name) for name in figures.index]]
    if own.empty or "effect_low" not in own:
        return {}
    more = own[own["effect_low"] > 0].sort_values("effect_sd", ascending=False, kind="stable")
    less = own[(own["effect_high"] < 0) & (own["overall"] >= LEAST_ROOM)].sort_values("effect", kind="stable")
    found = {}
    if taste or len(more):
        feature = taste or more.index[0]
        found = {"goods": _said(feature), "share": _percent(own, feature, "centre")}
        found["overall"] = _percent(own, feature, "overall")
    if len(less) and less.index[0] != taste:
        feature = less.index[0]
        found |= {"room": _said(feature), "room_share": _percent(own, feature, "centre")}
        found["room_overall"] = _percent(own, feature, "overall")
    return found


def _gap(figures):
    gap = figures["centre"].get("mean_gap_days", float("nan"))
    return {"gap": f"{max(gap, 2):.0f}"} if gap == gap else {}


def _said(feature):
    """A category as one says it: in small letters where it is a common word, else as the shop writes it."""
    told = label_of(feature).removeprefix("share of spend on ")
    common = feature.removeprefix("category_").removesuffix("_share") in CATEGORY_WORDS
    return told.lower() if common else told


def _percent(figures, feature, column):
    return f"{100 * figures.at[feature, column]:.0f}\xa0%"


def _in_figures(words, figures):
    """Whether the figures, as far as they are known, are as an idea for these words says."""
    return all(
        compare(figures.at[feature, "centre"], figures.at[feature, "overall"])
        for feature, compare in IN_FIGURES.get(words, {}).items()
        if feature in figures.index
    )
