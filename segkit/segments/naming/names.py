"""Names, one-sentence descriptions and first suggestions, all from the profile and never from a label number.

`vocabulary` holds the words and what must back them, `words` finds those that are true and chooses, `apart`
makes names of one wording unlike, `sentences` writes them out, `actions` suggests what to do.
"""

import pandas as pd

from segkit.segments.naming.actions import LEFT_OUT, suggest_action
from segkit.segments.naming.descriptions import describe_segment
from segkit.segments.naming.words import UNSEGMENTED, choose_names, find_words, list_words

__all__ = ["name_segments"]


def name_segments(profile, sizes, currency="", window_days=365, lasting=None, blurred=()):
    """Return names, descriptions and suggestions for all segments, and the figures behind the names.

    Parameters
    ----------
    profile : DataFrame
        As `profile_segments` returns it. Its effects decide the words: estimate them on customers
        that did not make the segments where there are such (its `holdout`).
    sizes : DataFrame
        ``segment_id, customers, customer_share, revenue, revenue_share``, as `size_segments` returns it.
    currency : str
        For the descriptions.
    window_days : int
        Days of orders behind the features.
    lasting : dict, optional
        segment_id to the name that it keeps from the month before; the others get names beside these.
    blurred : collection of str
        Segments whose borders move when customers are drawn anew: two such names differ by more than an adjective.

    Returns
    -------
    names : DataFrame
        ``segment_id, segment`` (the name, unique, at most four words), ``description, lever, action, caution`` (what
        one would try first, and the lever that it pulls: see `suggest_action`); a row per row of `sizes`, in its
        order.
    words : DataFrame
        ``segment_id, word, feature, level, figure, low, high, overall, effect, effect_low, effect_high, basis``:
        a row per word of a name that was made here; `basis` is ``descriptive`` for features that made the segments,
        else ``evidence``.

    Examples
    --------
    >>> from segkit.segments.profile import profile_segments, size_segments
    >>> shop = pd.DataFrame({"spend": [9.0] * 20 + [900.0] * 20}, index=[f"c{i:02}" for i in range(40)])
    >>> meaning = pd.DataFrame({"family": "value", "kind": "money", "unit": "USD"}, index=["spend"])
    >>> halves = pd.Series(["S1"] * 20 + ["S2"] * 20, index=shop.index)
    >>> names, words = name_segments(profile_segments(shop, meaning, halves), size_segments(halves, shop["spend"]))
    >>> names["segment"].tolist()
    ['Light buyers', 'Big spenders']
    >>> words[["segment_id", "word", "feature", "figure", "overall", "basis"]]
      segment_id          word feature  figure  overall     basis
    0         S1  light buyers   spend     9.0    454.5  evidence
    1         S2  big spenders   spend   900.0    454.5  evidence
    """
    found = find_words(profile, sizes, window_days)
    chosen = choose_names(found, profile, sizes, lasting, blurred)
    rows, ways = [], {}
    ranked = sizes.sort_values(["revenue", "customers", "segment_id"], ascending=[False, False, True])
    for segment_id in ranked["segment_id"]:  # the one that brings most has the first choice of an action
        taken = [action for _, action, _ in ways.values()]
        own = profile[profile["segment_id"] == segment_id]
        ways[segment_id] = suggest_action(found[segment_id], chosen[segment_id][1], own, taken)
    for size in sizes.itertuples(index=False):
        own = profile[profile["segment_id"] == size.segment_id]
        backing = [row.feature for _, row in chosen[size.segment_id][1]]
        left_out = size.segment_id == UNSEGMENTED
        lever, action, caution = LEFT_OUT if left_out else ways[size.segment_id]
        rows.append(
            {
                "segment_id": size.segment_id,
                "segment": chosen[size.segment_id][0],
                "description": describe_segment(size, own, backing, currency, window_days),
                "lever": lever,
                "action": action,
                "caution": caution,
            }
        )
    made = {one: name for one, name in chosen.items() if one not in (lasting or {})}
    return pd.DataFrame(rows), list_words(made, profile)
