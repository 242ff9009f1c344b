"""Names that last from month to month, and what backs them now."""

from collections import Counter

import numpy as np
import pandas as pd

from segkit.monitoring.matching import profile_distances
from segkit.segments.profile import BOUNDED
from segkit.segments.segment_list import BY_ANALYST

NAME_DISTANCE = 0.5  # standard deviations a profile may move and keep its name
WORD_LEFT = 0.25  # standard deviations left of what a word says: half of what gave it
SHARE_LEFT = 0.05  # likewise, in share points

NAME_RULE = (
    f"A name lasts until the profile has moved by {NAME_DISTANCE:g} standard deviations, or until a word of it no "
    "longer holds."
)


def lasting_names(
    old_names: pd.DataFrame, old_profile: pd.DataFrame, new_profile: pd.DataFrame, old_words: pd.DataFrame | None = None
) -> dict[str, str]:
    """Return the names that last: those of segments whose profile has not moved away from them; see `NAME_RULE`.

    Parameters
    ----------
    old_names : DataFrame
        ``segment_id, segment`` of the month before, under lasting ids.
    old_profile, new_profile : DataFrame
        As `profile_segments` returns them, under lasting ids.
    old_words : DataFrame, optional
        ``segment_id, feature, level, effect`` behind the words of the old names. A word holds while the effect has
        the old sign and is at least `WORD_LEFT` standard deviations, or `SHARE_LEFT` of a share.

    Returns
    -------
    dict
        segment_id to name, of the segments of both months that keep theirs.

    Examples
    --------
    >>> def profile(**effects):
    ...     rows = [(segment, "spend", "", effect) for segment, effect in effects.items()]
    ...     return pd.DataFrame(rows, columns=["segment_id", "feature", "level", "effect_sd"])
    >>> may = pd.DataFrame({"segment_id": ["S1", "S2"], "segment": ["Big spenders", "Light buyers"]})
    >>> lasting_names(may, profile(S1=1.0, S2=-1.0), profile(S1=1.2, S2=-0.2))
    {'S1': 'Big spenders'}
    """
    called = dict(zip(old_names["segment_id"], old_names["segment"], strict=True))
    segments = [segment for segment in new_profile["segment_id"].unique() if segment in called]
    distance = profile_distances(old_profile, new_profile, segments, segments).diagonal()
    lost = _lost_words(old_words, new_profile)
    return {
        segment: called[segment]
        for segment, moved in zip(segments, distance, strict=True)
        if not moved > NAME_DISTANCE and segment not in lost
    }


def lasting_words(
    old_words: pd.DataFrame, new_words: pd.DataFrame, lasting: dict[str, str], profile: pd.DataFrame
) -> pd.DataFrame:
    """Return the words behind this month's names: of a name that lasts, the old words with this month's figures.

    Parameters
    ----------
    old_words, new_words : DataFrame
        As `name_segments` returns them; the old ones of the month before.
    lasting : dict
        Of `lasting_names`.
    profile : DataFrame
        This month's.
    """
    old = old_words[old_words["segment_id"].isin(list(lasting))]
    now = old[["segment_id", "word", "feature", "level"]].merge(profile, on=["segment_id", "feature", "level"])
    now = now.rename(columns={"centre": "figure"}).assign(basis=np.where(now["used"], "descriptive", "evidence"))
    others = new_words[~new_words["segment_id"].isin(list(lasting))]
    return pd.concat([others, now[list(new_words)]], ignore_index=True)


def names_to_keep(previous, profile: pd.DataFrame) -> dict[str, str]:
    """Return the names of the month before that hold on this month's profile, and those that an analyst typed.

    Parameters
    ----------
    previous : EarlierMonth or None
        None gives nothing to keep.
    profile : DataFrame
        This month's, under lasting ids.
    """
    if previous is None:
        return {}
    lasting = lasting_names(previous.segments, previous.profile, profile, previous.words)
    return lasting | {one: name for one, name in _typed(previous.segments).items() if one in set(profile["segment_id"])}


def compare_names(
    segments: pd.DataFrame, words: pd.DataFrame, previous, profile: pd.DataFrame, lasting: dict[str, str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return segments and words as they stand beside the month before; unchanged without one.

    Names that changed get ``was_called``; the words of names that last have this month's figures; names that an analyst
    typed keep their mark.
    """
    if previous is None:
        return segments, words
    before = dict(zip(previous.segments["segment_id"], previous.segments["segment"], strict=True))
    called = segments["segment_id"].map(before).astype("str")
    segments = segments.assign(was_called=called.where(called.str.casefold() != segments["segment"].str.casefold()))
    if typed := set(_typed(previous.segments)) & set(segments["segment_id"]):
        by = pd.Series("segkit", segments.index).mask(segments["segment_id"].isin(list(typed)), BY_ANALYST)
        segments = segments.assign(named_by=by)
    return segments, lasting_words(previous.words, words, lasting, profile)


def unbacked_names(segments: pd.DataFrame, previous, profile: pd.DataFrame) -> list[str]:
    """Return a warning for every name that an analyst typed and that the profile has moved away from since."""
    if previous is None or "named_by" not in segments:
        return []
    holds = lasting_names(previous.segments, previous.profile, profile, previous.words)
    typed = _typed(segments)
    return [
        f"{one} is still called {name!r}, as an analyst named it, and its profile has moved since {previous.label}."
        for one, name in typed.items()
        if one in set(previous.segments["segment_id"]) and one not in holds
    ]


def _typed(segments: pd.DataFrame) -> dict[str, str]:
    if "named_by" not in segments:
        return {}
    own = segments[segments["named_by"] == BY_ANALYST]
    return dict(zip(own["segment_id"], own["segment"], strict=True))


def names_of_both(before: pd.DataFrame, segments: pd.DataFrame) -> dict[str, str]:
    """Return segment_id to name, of this month's segments and of those of the month before that are gone."""
    return told_apart({row.segment_id: row.segment for table in (before, segments) for row in table.itertuples()})


def told_apart(names: dict[str, str]) -> dict[str, str]:
    """Return the names of several months with the ids of those segments that share one.

    Examples
    --------
    >>> told_apart({"S1": "Loyal", "S2": "Mid-range", "S5": "Mid-range"})
    {'S1': 'Loyal', 'S2': 'Mid-range (S2)', 'S5': 'Mid-range (S5)'}
    """
    shared = Counter(names.values())
    return {segment: f"{name} ({segment})" if shared[name] > 1 else name for segment, name in names.items()}


def _lost_words(words: pd.DataFrame | None, profile: pd.DataFrame) -> set[str]:
    """Return the segments of whose name a word no longer holds."""
    if words is None or not len(words):
        return set()
    keys = ["segment_id", "feature", "level"]
    now = words[[*keys, "effect"]].merge(profile, on=keys, suffixes=("_then", ""))
    sign = np.sign(now["effect_then"])
    left = (now["effect_sd"] * sign >= WORD_LEFT) | (now["kind"].isin(BOUNDED) & (now["effect"] * sign >= SHARE_LEFT))
    return set(now["segment_id"][~left])
