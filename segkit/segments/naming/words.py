"""Which words are true of a segment, and which of them make its name."""

import re
from collections import Counter

import pandas as pd

from segkit.features.dictionary import FEATURES
from segkit.segments.naming.apart import MOST_WORDS, owed_words, tell_apart
from segkit.segments.naming.vocabulary import (
    BIG,
    LIGHT,
    MIDDLE,
    MIDDLE_REACH,
    NOT_WITH,
    NOTHING_DIFFERS,
    NOUNS,
    ONE_TIME_SHARE,
    PLAIN_NOUN,
    PLAIN_NOUN_WITHOUT_ORDERS,
    READING,
    TOP,
    UNSEGMENTED_NAME,
    WEIGHT,
    WITHOUT_LIGHT,
    WORDS,
    composed_word,
    given_words,
    said,
)
from segkit.segments.profile import KNOWN_SHARE

UNSEGMENTED = "S0"
_BUILT_IN = {feature.name for feature in FEATURES}  # what the vocabulary passes over here, it passes over on purpose
# Several words of one theme can hold at once: in these the strongest is taken, in the others the first listed.
_STRONGEST_FIRST = ("taste", "place", "timing", "other")


def find_words(profile, sizes, window_days=365):
    """Every word that is true of each segment, strongest first.

    Parameters
    ----------
    profile : DataFrame
        As `profile_segments` returns it.
    sizes : DataFrame
        ``segment_id, customers, revenue``.
    window_days : int
        Days of orders behind the features.

    Returns
    -------
    dict
        Segment id to a list of ``(word, row)``: a `Word` and the row of the profile that backs it. A theme gives
        at most one word. The segment with the most revenue is never said to have lapsed.
    """
    usable = profile[profile["differs"]].merge(
        sizes[["segment_id", "customers"]], on="segment_id", suffixes=("", "_of")
    )
    usable = usable[usable["customers"] >= KNOWN_SHARE * usable["customers_of"]]
    top = sizes["segment_id"][sizes["revenue"] == sizes["revenue"].max()].tolist()
    mean = sizes["revenue"].sum() / sizes["customers"].sum() if sizes["revenue"].notna().all() else None
    known_features = {word.feature for word in (*WORDS, *NOUNS)}
    found = {}
    for size in sizes.itertuples(index=False):
        own = list(usable[usable["segment_id"] == size.segment_id].itertuples(index=False))
        vocabulary = [*NOUNS, *WORDS]
        for row in own:
            if row.feature not in known_features:
                word = composed_word(row.feature, row.level)
                of_the_analyst = row.feature not in _BUILT_IN and not row.level
                vocabulary += [word] if word else given_words(row.feature, row.kind) if of_the_analyst else []
        habits = profile[(profile["segment_id"] == size.segment_id) & (profile["level"] == "")].set_index("feature")
        true = [
            (word, row)
            for word in vocabulary
            for row in own
            if _holds(word, row)
            and _ordered_enough(word, row, habits, window_days)
            and _spend_as_said(word, row, size, mean)
        ]
        stayed = size.segment_id in top or not _overdue(habits)
        true = [pair for pair in true if not (stayed and pair[0].lapsed)]
        found[size.segment_id] = sorted(_without_contradiction(_one_per_theme(true)), key=_rank)
    return found


def _overdue(habits):
    """Whether more days have passed than usual between two orders of the segment's customers, where that is known."""
    if not {"days_since_last_order", "mean_gap_days"} <= set(habits.index):
        return True
    since, gap = habits.loc["days_since_last_order"], habits.loc["mean_gap_days"]
    return not (gap["customers"] >= KNOWN_SHARE * since["customers"] and since["centre"] < gap["centre"])


def _holds(word, row):
    return (
        row.feature == word.feature
        and bool(re.search(word.level, row.level)) == bool(word.level or not row.level)
        and row.effect * word.sign > 0
        and (row.centre - row.overall) * word.sign > 0
        and word.least <= row.centre <= word.most
    )


def _ordered_enough(word, row, habits, window_days):
    """Whether the segment's orders make the word true: one order is no habit, and who comes twice a year no regular."""
    if "order_count" not in habits.index:
        return True
    orders = habits.loc["order_count"]
    if word.text == "One-time":  # days between orders are known of whoever ordered twice
        again = habits["customers"].get("mean_gap_days")
        return again is not None and again <= (1 - ONE_TIME_SHARE) * orders["customers"]
    needed = max(word.orders, 2) if row.kind == "share" else word.orders
    if orders["centre"] < needed or (needed > 2 and orders["low"] < needed):
        return False
    gap = habits["centre"].get("mean_gap_days", float("nan"))
    return word.gap >= (gap if gap == gap else window_days / orders["centre"])


def _spend_as_said(word, row, size, mean):
    """Whether most big spenders spend more than the mean customer, and light buyers bring less per head."""
    if word.feature != "spend" or mean is None:
        return True
    own = size.revenue / size.customers
    return min(own, row.centre) > mean if word.sign > 0 else own < mean


def _without_contradiction(pairs):
    """The words without those that contradict a stronger one or say the same again."""
    texts = {word.text for word, _ in pairs}
    gone = {"Growing", "Cooling", "Repeat"} & texts if texts & {"Lapsed", "One-time"} else set()
    if texts & WITHOUT_LIGHT:
        gone |= {LIGHT}
    return [pair for pair in pairs if pair[0].text not in gone]


def _one_per_theme(true):
    themes = {}
    for pair in true:
        held = themes.get(pair[0].theme)
        stronger = held and pair[0].theme in _STRONGEST_FIRST and _strength(pair) > _strength(held)
        if held is None or stronger:
            themes[pair[0].theme] = pair
    return themes.values()


def _strength(pair):
    word, row = pair
    return abs(row.effect_sd) * WEIGHT.get(word.theme, 1.0)


def _rank(pair):
    return -_strength(pair), pair[0].text


def choose_names(found, profile, sizes, lasting=None, blurred=()):
    """A unique name for each segment, from the words that are true of it.

    A name is a noun and one mark, which "big spenders" and "light buyers" bear already. One more comes only where two
    segments would share a name, then the one with the strongest further word takes it; where a segment is owed a word
    that another of its noun is called by (`owed_words`); or where two segments with a blurred border would differ by
    one adjective alone. A short name rests on fewer comparisons and so outlasts a resample or another month. Where
    words run out, the order of the segments in a figure tells them apart, and only if nothing does a number.

    Parameters
    ----------
    found : dict
        As `find_words` returns it.
    profile, sizes : DataFrame
        As for `find_words`.
    lasting : dict, optional
        Segment id to the name that it keeps; the others get names beside these.
    blurred : collection of str
        Segments whose borders move when customers are drawn anew.

    Returns
    -------
    dict
        Segment id to ``(name, [(word, row), ...])``, the words in the order in which they are read.
    """
    plain = PLAIN_NOUN if (profile["feature"] == "order_count").any() else PLAIN_NOUN_WITHOUT_ORDERS
    segments = [name for name in sizes["segment_id"] if name != UNSEGMENTED]
    lasting = {one: name for one, name in (lasting or {}).items() if one in segments}  # a rule names empty cells too
    free = [segment for segment in segments if segment not in lasting]
    found, count = dict(found), {segment: _marks(found[segment]) for segment in segments}
    shortest = dict(count)
    while True:
        names = {segment: _phrase(_picked(found[segment], count[segment]), plain) for segment in segments} | lasting
        shared = _shared(names, free) + [one for one, _ in _one_adjective_apart(names, free, blurred)]
        longer = [(segment, pair) for segment in shared if (pair := _further(found[segment], count[segment]))]
        longer = longer or [
            (segment, pair)
            for segment, pair in owed_words(found, names)
            if segment in free and _further(found[segment], count[segment])
        ]
        if not longer:
            break
        segment, pair = min(longer, key=lambda one: _rank(one[1]))
        taken = [*_modifiers(found[segment])[: count[segment]], pair]
        found[segment] = taken + [other for other in found[segment] if other not in taken]
        count[segment] += 1
    for one, other in _one_adjective_apart(names, free, blurred):  # where the shorter one has no more words
        pairs, marks = _unlike(found[other], count[other], names[one])
        name = _phrase(_picked(pairs, marks), plain)
        if marks and other in free and name.casefold() not in map(str.casefold, names.values()):
            found[other], count[other], names[other] = pairs, marks, name
    for segment in _shared(names, free):
        count[segment] = shortest[segment]  # more words did not tell them apart, and leave no room for one that does
        names[segment] = _phrase(_picked(found[segment], count[segment]), plain)
    middle = _in_the_middle(profile, segments)
    middle = {segment: middle[segment] for segment in free if segment in middle and not _picked(found[segment], 1)}
    names |= dict.fromkeys(middle, f"{said(MIDDLE)} {plain}")
    names, tops = tell_apart(names, profile, sizes, lasting)
    names = {segment: name[0].upper() + name[1:] for segment, name in names.items()} | lasting
    if UNSEGMENTED in set(sizes["segment_id"]):
        names[UNSEGMENTED] = UNSEGMENTED_NAME
    picked = {segment: _picked(found[segment], count[segment]) for segment in segments}
    picked |= {segment: [(MIDDLE, row)] for segment, row in middle.items()}
    for segment in tops:
        picked[segment] = [(TOP, row) if word.text == BIG else (word, row) for word, row in picked[segment]]
    return {segment: (name, picked.get(segment, [])) for segment, name in names.items()}


def _shared(names, free):
    """The segments without a lasting name whose name another has too, in capitals or not."""
    times = Counter(name.casefold() for name in names.values())
    return [segment for segment in free if times[names[segment].casefold()] > 1]


def _in_the_middle(profile, segments):
    """Segments that surely spend about as much as all customers, between others that spend more and less."""
    spend = profile[(profile["feature"] == MIDDLE.feature) & profile["segment_id"].isin(segments)]
    between = (spend["low"] > spend["high"].min()) & (spend["high"] < spend["low"].max())
    near = (spend["effect_low"] > -MIDDLE_REACH) & (spend["effect_high"] < MIDDLE_REACH)
    return {row.segment_id: row for row in spend[between & near].itertuples(index=False)}


def _one_adjective_apart(names, free, blurred):
    """Pairs of segments with blurred borders: the name of the first is that of the second without one of its words."""
    words = {segment: names[segment].casefold().split() for segment in names if segment in blurred}
    return [
        (one, other)
        for one in words
        for other in words
        if one in free and len(words[other]) == len(words[one]) + 1 and set(words[one]) < set(words[other])
    ]


def _unlike(pairs, count, name):
    """The words with those marks first that the name of another doesn't have, and how many of these there are.

    Where that name is the noun alone, the noun goes.
    """
    said_there = name.casefold().split()
    own = [pair for pair in _modifiers(pairs)[:count] if pair[0].text.casefold() not in said_there]
    noun = _noun(pairs)
    rest = [
        pair for pair in pairs if pair not in own and not (noun and noun[0].text == name.casefold() and pair is noun)
    ]
    return own + rest, len(own)


def _noun(pairs):
    """The stronger of what they spend and how often they come."""
    return next((pair for pair in pairs if pair[0].theme.endswith("noun")), None)


def _marks(pairs):
    """How many marks a name has to begin with: big and light are marks, and who has gone or is new is told always."""
    noun = _noun(pairs)
    bare = noun is None or noun[0].text not in (BIG, LIGHT)
    return int(bare or any(word.theme == "stage" for word, _ in pairs))


def _modifiers(pairs):
    noun = _noun(pairs)
    without = NOT_WITH.get(noun[0].text, ()) if noun else ()
    marks = [pair for pair in pairs if not pair[0].theme.endswith("noun") and pair[0].text not in without]
    return sorted(marks, key=lambda pair: pair[0].theme != "stage")  # a stable sort: strongest first but for the stage


def _picked(pairs, count):
    noun = _noun(pairs)
    return sorted(_modifiers(pairs)[:count], key=lambda pair: READING.index(pair[0].theme)) + ([noun] if noun else [])


def _further(pairs, count):
    """The next word a name could take, if there is one and room for it."""
    modifiers, noun = _modifiers(pairs), _noun(pairs)
    noun_words = len(noun[0].text.split()) if noun else 1
    return modifiers[count] if count < min(len(modifiers), 2) and noun_words + count < MOST_WORDS else None


def _phrase(picked, plain):
    if not picked:
        return f"{NOTHING_DIFFERS.lower()} {plain}"
    *marks, (last, _) = picked
    words = [said(word) for word, _ in marks]
    if last.theme.endswith("noun"):
        return " ".join([*words, last.text])
    named_alone = [word for word, _ in picked if word.alone]
    if not named_alone:
        return " ".join([*words, said(last), plain])
    kept = next((word for word in named_alone if word.theme == "stage"), named_alone[-1])
    rest = [said(word) for word, _ in picked if word is not kept]
    return " ".join([*rest, kept.alone.lower()])


def list_words(chosen, profile):
    """The figures behind the words of each name.

    Returns
    -------
    DataFrame
        ``segment_id, word, feature, level, figure, low, high, overall, effect, effect_low, effect_high, basis``;
        `basis` is ``descriptive`` where the segments were made from the feature, so that they differ in it by
        construction, and ``evidence`` where they were not.
    """
    rows = [
        {
            "segment_id": segment_id,
            "word": word.text,
            "feature": row.feature,
            "level": row.level,
            "figure": row.centre,
            "low": row.low,
            "high": row.high,
            "overall": row.overall,
            "effect": row.effect,
            "effect_low": row.effect_low,
            "effect_high": row.effect_high,
            "basis": "descriptive" if row.used else "evidence",
        }
        for segment_id, (_, picked) in chosen.items()
        for word, row in picked
    ]
    columns = ["segment_id", "word", "feature", "level", "figure", "low", "high", "overall"]
    return pd.DataFrame(rows, columns=[*columns, "effect", "effect_low", "effect_high", "basis"])
