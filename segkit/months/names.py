"""Names that last from month to month, and what backs them now."""

import numpy as np
import pandas as pd

from segkit.months.identity import profile_distances
from segkit.profile import BOUNDED

NAME_DISTANCE = 0.5  # standard deviations a profile may move and keep its name
WORD_LEFT = 0.25  # standard deviations left of what a word says: half of what gave it
SHARE_LEFT = 0.05  # likewise, in share points

NAME_RULE = (
    f"A name lasts until the profile has moved by {NAME_DISTANCE:g} standard deviations, or until a word of it no "
    "longer holds."
)


def keep_names(
    old_names: pd.DataFrame,
    new_names: pd.DataFrame,
    old_profile: pd.DataFrame,
    new_profile: pd.DataFrame,
    old_words: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return this month's names: last month's, unless the profile moved away from it; see `NAME_RULE`.

    Parameters
    ----------
    old_names, new_names : DataFrame
        ``segment_id, segment`` under lasting ids; the new ones as this month alone would have them.
    old_profile, new_profile : DataFrame
        As `segkit.profile.profile_segments` returns them, under lasting ids.
    old_words : DataFrame, optional
        ``segment_id, feature, level, effect`` behind the words of the old names. A word holds while the effect has
        the old sign and is at least `WORD_LEFT` standard deviations, or `SHARE_LEFT` of a share.

    Returns
    -------
    DataFrame
        ``segment_id``, ``segment`` (unique), ``was_called`` (the old name where it changed, else null), in the order
        of `new_names`.

    Examples
    --------
    >>> def profile(**effects):
    ...     rows = [(segment, "spend", "", effect) for segment, effect in effects.items()]
    ...     return pd.DataFrame(rows, columns=["segment_id", "feature", "level", "effect_sd"])
    >>> may = pd.DataFrame({"segment_id": ["S1", "S2"], "segment": ["Big spenders", "Light buyers"]})
    >>> june = pd.DataFrame({"segment_id": ["S1", "S2"], "segment": ["Loyal regulars", "Typical customers"]})
    >>> keep_names(may, june, profile(S1=1.0, S2=-1.0), profile(S1=1.2, S2=-0.2))
      segment_id            segment    was_called
    0         S1       Big spenders           NaN
    1         S2  Typical customers  Light buyers
    """
    called = dict(zip(old_names["segment_id"], old_names["segment"], strict=True))
    segments = new_names["segment_id"].tolist()
    distance = profile_distances(old_profile, new_profile, segments, segments).diagonal()
    lost = _lost_words(old_words, new_profile)
    stays = {
        segment
        for segment, moved in zip(segments, distance, strict=True)
        if segment in called and not moved > NAME_DISTANCE and segment not in lost
    }
    taken = {called[segment] for segment in stays}
    rows = []
    for segment, proposed in zip(segments, new_names["segment"], strict=True):
        if segment in stays:
            rows.append((segment, called[segment], None))
            continue
        name, number = proposed, 1
        while name in taken:
            name, number = f"{proposed} {number + 1}", number + 1
        taken.add(name)
        before = called.get(segment)
        rows.append((segment, name, before if before != name else None))
    return pd.DataFrame(rows, columns=["segment_id", "segment", "was_called"]).astype("str")


def keep_words(
    old_words: pd.DataFrame,
    new_words: pd.DataFrame,
    names: pd.DataFrame,
    new_names: pd.DataFrame,
    profile: pd.DataFrame,
) -> pd.DataFrame:
    """Return the words behind this month's names: of a name that was kept, the old words with this month's figures.

    Parameters
    ----------
    old_words, new_words : DataFrame
        As `segkit.naming.name_segments` returns them; the old ones of the month before.
    names, new_names : DataFrame
        ``segment_id, segment``: as `keep_names` returned them, and as this month alone would have them.
    profile : DataFrame
        This month's.
    """
    alone = new_names.set_index("segment_id")["segment"]
    kept = names["segment_id"][(names["segment"] != names["segment_id"].map(alone)) & names["was_called"].isna()]
    old = old_words[old_words["segment_id"].isin(kept)]
    now = old[["segment_id", "word", "feature", "level"]].merge(profile, on=["segment_id", "feature", "level"])
    now = now.rename(columns={"centre": "figure"}).assign(basis=np.where(now["used"], "descriptive", "evidence"))
    others = new_words[~new_words["segment_id"].isin(set(old["segment_id"]))]
    return pd.concat([others, now[list(new_words)]], ignore_index=True)


def _lost_words(words: pd.DataFrame | None, profile: pd.DataFrame) -> set[str]:
    """Return the segments of whose name a word no longer holds."""
    if words is None or not len(words):
        return set()
    keys = ["segment_id", "feature", "level"]
    now = words[[*keys, "effect"]].merge(profile, on=keys, suffixes=("_then", ""))
    sign = np.sign(now["effect_then"])
    left = (now["effect_sd"] * sign >= WORD_LEFT) | (now["kind"].isin(BOUNDED) & (now["effect"] * sign >= SHARE_LEFT))
    return set(now["segment_id"][~left])
