"""Which words are true of a segment, and which of them make its name."""

import re
from collections import Counter

import pandas as pd

from segkit.features.dictionary import FEATURES
from segkit.segments.naming.apart import MOST_WORDS, owed_words, tell_apart
from segkit.segments.naming.vocabulary import (
    BIG,
    MIDDLE,
    MIDDLE_REACH,
    NOTHING_DIFFERS,
    NOUNS,
    PLAIN_NOUN,
    PLAIN_NOUN_WITHOUT_ORDERS,
    READING,
    TOP,
    UNSEGMENTED_NAME,
    WEIGHT,
    WORDS,
    composed_word,
    given_words,
    said,
)

KNOWN_SHARE = 0.5  # a word holds for a segment only where its feature is known for half of it
UNSEGMENTED = "S0"
_BUILT_IN = {feature.name for feature in FEATURES}  # what the vocabulary passes over here, it passes over on purpose
# Several words of one theme can hold at once: in these the strongest is taken, in the others the first listed.
_STRONGEST_FIRST = ("taste", "place", "timing", "other")


def find_words(profile, sizes):
    """Every word that is true of each segment, strongest first.

    Parameters
    ----------
    profile : DataFrame
        As `profile_segments` returns it.
    sizes : DataFrame
        ``segment_id, customers, revenue``.

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
    known_features = {word.feature for word in (*WORDS, *NOUNS)}
    found = {}
    for segment_id in sizes["segment_id"]:
        own = list(usable[usable["segment_id"] == segment_id].itertuples(index=False))
        vocabulary = [*NOUNS, *WORDS]
        for row in own:
            if row.feature not in known_features:
                word = composed_word(row.feature, row.level)
                of_the_analyst = row.feature not in _BUILT_IN and not row.level
                vocabulary += [word] if word else given_words(row.feature, row.kind) if of_the_analyst else []
        true = [(word, row) for word in vocabulary for row in own if _holds(word, row)]
        stayed = segment_id in top or not _overdue(profile, segment_id)
        true = [pair for pair in true if not (stayed and pair[0].lapsed)]
        found[segment_id] = sorted(_one_per_theme(true), key=_rank)
    return found


def _overdue(profile, segment_id):
    """Whether more days have passed than usual between two orders of the segment's customers, where that is known."""
    own = profile[(profile["segment_id"] == segment_id) & (profile["level"] == "")].set_index("feature")
    if not {"days_since_last_order", "mean_gap_days"} <= set(own.index):
        return True
    since, gap = own.loc["days_since_last_order"], own.loc["mean_gap_days"]
    return not (gap["customers"] >= KNOWN_SHARE * since["customers"] and since["centre"] < gap["centre"])


def _holds(word, row):
    return (
        row.feature == word.feature
        and bool(re.search(word.level, row.level)) == bool(word.level or not row.level)
        and row.effect * word.sign > 0
        and word.least <= row.centre <= word.most
    )


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


def choose_names(found, profile, sizes, lasting=None):
    """A unique name for each segment, from the words that are true of it.

    A name is the noun for what they spend, where that differs, and the strongest other word. More words come only
    where two segments would share a name, then the one with the strongest further word takes it, and so on; or where
    a segment is owed a word that another of its noun is called by (`owed_words`). A short name rests on fewer
    comparisons and so outlasts a resample or another month. Where words run out, the order of the segments in a
    figure tells them apart, and only if nothing does a number.

    Parameters
    ----------
    found : dict
        As `find_words` returns it.
    profile, sizes : DataFrame
        As for `find_words`.
    lasting : dict, optional
        Segment id to the name that it keeps; the others get names beside these.

    Returns
    -------
    dict
        Segment id to ``(name, [(word, row), ...])``, the words in the order in which they are read.
    """
    plain = PLAIN_NOUN if (profile["feature"] == "order_count").any() else PLAIN_NOUN_WITHOUT_ORDERS
    segments = [name for name in sizes["segment_id"] if name != UNSEGMENTED]
    lasting = {} if lasting is None else lasting
    free = [segment for segment in segments if segment not in lasting]
    found, count = dict(found), dict.fromkeys(segments, 1)
    while True:
        names = {segment: _phrase(_picked(found[segment], count[segment]), plain) for segment in segments} | lasting
        shared = _shared(names, free)
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
    for segment in _shared(names, free):
        count[segment] = 1  # more words did not tell them apart, and leave no room for one that does
        names[segment] = _phrase(_picked(found[segment], 1), plain)
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


def _modifiers(pairs):
    big = any(word.text == BIG for word, _ in pairs)  # whose orders are large too: that says "big" twice
    return [(word, row) for word, row in pairs if word.theme != "noun" and not (big and word.text == "Big-ticket")]


def _picked(pairs, count):
    noun = [pair for pair in pairs if pair[0].theme == "noun"]
    return sorted(_modifiers(pairs)[:count], key=lambda pair: READING.index(pair[0].theme)) + noun


def _further(pairs, count):
    """The next word a name could take, if there is one and room for it."""
    modifiers = _modifiers(pairs)
    noun_words = 2 if any(pair[0].theme == "noun" for pair in pairs) else 1
    return modifiers[count] if count < len(modifiers) and noun_words + count < MOST_WORDS else None


def _phrase(picked, plain):
    words = [said(word) for word, _ in picked]
    if not words:
        words = [NOTHING_DIFFERS.lower()]
    if not picked or picked[-1][0].theme != "noun":
        words.append(plain)
    return " ".join(words)


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
