"""Names beside each other: who is owed a word that another has, and two of one name told apart."""

import re
from collections import Counter

from segkit.segments.naming.vocabulary import BIG, TOP

MOST_WORDS = 4
# The figures in which two or three segments of one name are compared: feature, word for more, word for less, and what
# a name must not say already, since "lower-spend big spenders" contradicts itself.
_COMPARED = (
    ("spend", "Higher-spend", "Lower-spend", "spend|light"),
    ("order_count", "More-frequent", "Less-frequent", "regulars|occasional|one-time|repeat"),
    ("days_since_last_order", "Less-recent", "More-recent", "lapsed|new"),
    ("lines_per_order", "Bigger-basket", "Smaller-basket", "basket"),
)
# Standard deviations that should lie between two of them. Where nowhere so much does, less will do: their intervals
# leave no doubt about the order, and a number instead of the word would say nothing.
LEAST_APART = 0.5


def owed_words(found, names):
    """Words that segments are not called by, though another of the same noun is that has less right to them.

    Words are earned against all customers, and of those who spend much most order often. Where some of the big spenders
    are called frequent, a reader takes the others to order less: so those who surely order more are called it too.

    Parameters
    ----------
    found : dict
        As `find_words` returns it.
    names : dict
        Segment id to name.

    Returns
    -------
    list
        ``(segment_id, (word, row))``; the intervals of the two figures don't overlap.
    """
    nouns = {one: next((word for word, _ in found[one] if word.theme.endswith("noun")), None) for one in names}
    said = {one: names[one].lower().split() for one in names}
    called = [(nouns[one], word, row) for one in names for word, row in found[one] if word.text.lower() in said[one]]
    return [
        (one, (word, row))
        for one in names
        for word, row in found[one]
        if word.text.lower() not in said[one]
        and any(
            (noun, of) == (nouns[one], word) and (row.low > other.high if word.sign > 0 else row.high < other.low)
            for noun, of, other in called
        )
    ]


def tell_apart(names, profile, sizes, lasting):
    """Names made unique, and the segments that are called top spenders for it.

    Of two or three segments of one name the highest and the lowest in a figure are called so, where their intervals do
    not overlap; the one in the middle keeps the bare name. Of two big spenders the bigger is called a top spender.
    Where words run out, there are numbers in order of revenue.

    Parameters
    ----------
    names : dict
        Segment id to name; in lower case, but for proper words and those that last.
    profile, sizes : DataFrame
        As for `find_words`.
    lasting : dict
        Segment id to the name that it keeps.

    Returns
    -------
    names : dict
    tops : set
        Segment ids.
    """
    names, tops = dict(names), set()
    for name in [name for name, shared in Counter(map(str.casefold, names.values())).items() if shared > 1]:
        members = [segment for segment in names if names[segment].casefold() == name]
        for segment, word in _compared(name, members, profile).items():
            if segment not in lasting:
                top, own = word == TOP.text, names[segment]
                names[segment] = f"{own[: -len(BIG)]}{word}" if top else f"{word.lower()} {own}"
                tops |= {segment} if top else set()
        members = [segment for segment in members if names[segment].casefold() == name]
        ordered = sizes[sizes["segment_id"].isin(members)].sort_values(
            ["revenue", "customers", "segment_id"], ascending=[False, False, True]
        )
        ordered = sorted(ordered["segment_id"], key=lambda segment: segment not in lasting)
        for number, segment in enumerate(ordered[1:], start=2):
            names[segment] = f"{names[segment]} {number}"
    return names, tops


def _compared(name, members, profile):
    """A word for the highest and the lowest, in the first figure that has them far enough apart."""
    if not 2 <= len(members) <= 3 or len(name.split()) >= MOST_WORDS:
        return {}
    for least in (LEAST_APART, 0.0):
        for feature, more, less, said in _COMPARED:
            top = feature == "spend" and name.endswith(BIG)
            if re.search(said, name) and not top:
                continue
            own = profile[(profile["feature"] == feature) & profile["segment_id"].isin(members)]
            rows = list(own.sort_values("centre", kind="stable").itertuples(index=False))
            steps = list(zip(rows, rows[1:], strict=False))
            if len(steps) + 1 == len(members) and all(
                low.high < high.low and high.effect_sd - low.effect_sd >= least for low, high in steps
            ):
                if top:
                    return {rows[-1].segment_id: TOP.text}
                return {rows[-1].segment_id: more, rows[0].segment_id: less}
    return {}
