"""Which segment of this month is which of the month before: ids that last."""

import re
from dataclasses import dataclass, field
from textwrap import fill

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from segkit.clustering.assign import assign_customers
from segkit.clustering.segmentation import Segmentation
from segkit.features.build import CustomerFeatures
from segkit.runtime.errors import InputError
from segkit.segments.profile import UNSEGMENTED, profile_segments, size_segments, sort_ids

KEPT_JACCARD = 0.3  # of the members in both months: by chance three equal segments have 0.2
WEAK_JACCARD = 0.15  # enough where the profiles, too, are each other's nearest
PROFILE_WEIGHT = 0.1  # Jaccard points that the farthest profiles cost: decides only where members hardly do
DESCENT_SHARE = 0.5  # members that come from one segment (a split) or end in one (a merger)

IDENTITY_RULE = fill(
    "Segments of two months are paired one to one (Hungarian algorithm) by the Jaccard index of the customers present "
    f"in both; the distance of the profiles counts for up to {PROFILE_WEIGHT:g} of it. A segment is kept from a "
    f"Jaccard of {KEPT_JACCARD:g}, or of {WEAK_JACCARD:g} where the two profiles are each other's nearest, provided "
    "that they share more customers than chance would have them share. A segment without a pair is split off another "
    f"when at least {DESCENT_SHARE:.0%} of its customers come from there, merged into another when at least "
    f"{DESCENT_SHARE:.0%} of them end there, otherwise new or gone. A new segment takes the next number that was never "
    "used.",
    width=110,
)
EVENT_COLUMNS = ["event", "segment_id", "other_id", "jaccard"]


@dataclass(frozen=True)
class Matching:
    """What became of the segments of the month before; made by `match_segments`.

    Attributes
    ----------
    ids : dict
        Provisional id of this month -> lasting id; S0 stays S0.
    events : DataFrame
        ``event`` (kept, new, split, merged, gone), ``segment_id``, ``other_id`` (kept: the same; split: where it came
        from; merged: where it went; else null) and ``jaccard`` of the two, null where there is no other.
    used_ids : tuple of str
        Every id that was ever used; for the next month.
    """

    ids: dict[str, str]
    events: pd.DataFrame = field(repr=False)
    used_ids: tuple[str, ...]


def match_segments(
    old: pd.Series,
    new: pd.Series,
    *,
    used_ids: tuple[str, ...],
    old_profile: pd.DataFrame | None = None,
    new_profile: pd.DataFrame | None = None,
) -> Matching:
    """Return the lasting id of each of this month's segments, and the events; see `IDENTITY_RULE`.

    Parameters
    ----------
    old, new : Series
        Index customer_id, the segment_id: lasting ids of the month before, provisional ones of this month. S0 is
        everybody left out, and no segment.
    used_ids : tuple of str
        Every id that was ever used; those of `old` count as used in any case.
    old_profile, new_profile : DataFrame, optional
        As `profile_segments` returns them, under the same ids.

    Raises
    ------
    InputError
        A customer stands there twice; the message names it.

    Examples
    --------
    >>> may = pd.Series(["S1", "S1", "S1", "S3", "S3"], index=list("abcde"))
    >>> june = pd.Series(["S1", "S1", "S2", "S2", "S2", "S2"], index=list("edcbaf"))
    >>> matching = match_segments(may, june, used_ids=("S1", "S2", "S3"))
    >>> matching.ids
    {'S1': 'S3', 'S2': 'S1'}
    >>> matching.events
      event segment_id other_id  jaccard
    0  kept         S1       S1      1.0
    1  kept         S3       S3      1.0
    >>> match_segments(may, pd.concat([june, june]), used_ids=())
    Traceback (most recent call last):
    segkit.InputError: 6 customers are twice in this month's segments, such as e
    """
    for segments, month in ((old, "last month's"), (new, "this month's")):
        if segments.index.has_duplicates:
            twice = segments.index[segments.index.duplicated()].unique()
            raise InputError(f"{len(twice)} customers are twice in {month} segments, such as {twice[0]}")
    old_ids = [segment for segment in sort_ids(old.unique()) if segment != UNSEGMENTED]
    new_ids = [segment for segment in sort_ids(new.unique()) if segment != UNSEGMENTED]
    both = old.index.intersection(new.index)
    shared = pd.crosstab(old.reindex(both).to_numpy(), new.reindex(both).to_numpy())
    old_sizes, new_sizes = shared.sum(axis=1), shared.sum()
    old_sizes, new_sizes = (
        sizes.reindex(ids, fill_value=0) for sizes, ids in ((old_sizes, old_ids), (new_sizes, new_ids))
    )
    shared = shared.reindex(index=old_ids, columns=new_ids, fill_value=0).to_numpy(dtype=float)
    union = old_sizes.to_numpy()[:, None] + new_sizes.to_numpy() - shared
    jaccard = shared / np.maximum(union, 1)
    distance = profile_distances(old_profile, new_profile, old_ids, new_ids)
    scale = np.nanmax(distance, initial=0) or 1.0
    likeness = jaccard - PROFILE_WEIGHT * np.nan_to_num(distance / scale)
    by_chance = old_sizes.to_numpy()[:, None] * new_sizes.to_numpy() / max(len(both), 1)
    enough = (jaccard >= KEPT_JACCARD) | ((jaccard >= WEAK_JACCARD) & _mutually_nearest(distance))
    enough &= shared >= by_chance
    # A pair that isn't enough must not stand in the way of one that is.
    rows, columns = linear_sum_assignment(np.where(enough, likeness + 1, 0), maximize=True)
    kept = {new_ids[j]: i for i, j in zip(rows, columns, strict=True) if enough[i, j]}
    ids = {UNSEGMENTED: UNSEGMENTED} if (new == UNSEGMENTED).any() else {}
    ids |= {segment: old_ids[row] for segment, row in kept.items()}
    used = {*used_ids, *old_ids}
    sizes = new.value_counts()
    for segment in sorted(set(new_ids) - set(kept), key=lambda name: (-sizes[name], new_ids.index(name))):
        ids[segment] = _next_id(used)
        used.add(ids[segment])
    ids = {segment: ids[segment] for segment in sort_ids(ids)}
    lasting = [ids[segment] for segment in new_ids]
    came = shared / new.value_counts().reindex(new_ids).to_numpy()
    went = shared / old.value_counts().reindex(old_ids).to_numpy()[:, None]
    rows = [("kept", old_ids[i], old_ids[i], jaccard[i, new_ids.index(segment)]) for segment, i in kept.items()]
    for j, segment in enumerate(new_ids):
        if segment not in kept:
            rows.append(_descent("split", "new", lasting[j], old_ids, came[:, j], jaccard[:, j]))
    for i, segment in enumerate(old_ids):
        if i not in kept.values():
            rows.append(_descent("merged", "gone", segment, lasting, went[i], jaccard[i]))
    order = {event: place for place, event in enumerate(("kept", "split", "new", "merged", "gone"))}
    rows.sort(key=lambda row: (order[row[0]], len(row[1]), row[1]))
    return Matching(ids, pd.DataFrame(rows, columns=EVENT_COLUMNS), tuple(sort_ids(used - {UNSEGMENTED})))


def follow_segments(old: pd.Series, new: pd.Series, *, used_ids: tuple[str, ...]) -> Matching:
    """Return the events between two months that one model has scored: every id means the same segment.

    Parameters are those of `match_segments`. A segment without customers in one of the months is new or gone.

    Examples
    --------
    >>> may, june = pd.Series({"a": "S1", "b": "S2"}), pd.Series({"a": "S1", "b": "S1"})
    >>> follow_segments(may, june, used_ids=("S1", "S2")).events
      event segment_id other_id  jaccard
    0  kept         S1       S1      0.5
    1  gone         S2      NaN      NaN
    """
    both = old.index.intersection(new.index)
    before, now = old.reindex(both), new.reindex(both)
    rows = []
    for segment in sort_ids(({*old.unique()} | {*new.unique()}) - {UNSEGMENTED}):
        if segment in old.values and segment in new.values:
            either = ((before == segment) | (now == segment)).sum()
            rows.append(("kept", segment, segment, ((before == segment) & (now == segment)).sum() / max(either, 1)))
        else:
            rows.append(("gone" if segment in old.values else "new", segment, None, np.nan))
    events = pd.DataFrame(rows, columns=EVENT_COLUMNS)
    ids = {segment: segment for segment in sort_ids(new.unique())}
    used = {*used_ids, *old.unique(), *new.unique()} - {UNSEGMENTED}
    return Matching(ids, events, tuple(sort_ids(used)))


def lasting_ids(segment_ids: tuple[str, ...], matching: Matching) -> tuple[str, ...]:
    """Return the lasting id of each provisional one; those without customers, which nothing matches, get new numbers.

    Examples
    --------
    >>> matching = Matching({"S1": "S7", "S2": "S2"}, pd.DataFrame(), ("S1", "S2", "S7"))
    >>> lasting_ids(("S1", "S2", "S3"), matching)
    ('S7', 'S2', 'S8')
    """
    used, ids = set(matching.used_ids), []
    for segment in segment_ids:
        ids.append(matching.ids.get(segment) or _next_id(used))
        used.add(ids[-1])
    return tuple(ids)


def number_segments(
    segmentation: Segmentation, features: CustomerFeatures, previous=None, kept: bool = False
) -> tuple[Segmentation, Matching | None]:
    """Return the model with ids that last, and what became of the segments of the month before.

    In a first month segments are numbered by revenue: S1 brings the most. Later each keeps the id of the segment of the
    month before that it matches; see `IDENTITY_RULE`.

    Parameters
    ----------
    segmentation : Segmentation
        Fitted, or kept from the month before.
    previous : EarlierMonth, optional
        The month before.
    kept : bool
        Whether the model is that of the month before: its ids are the same.

    Returns
    -------
    Segmentation
    Matching or None
        None in a first month.
    """
    now = assign_customers(segmentation, features.table, sure=False)["segment_id"]
    if previous is None:
        sizes = size_segments(now, features.revenue)
        order = sizes.sort_values(["revenue", "customers"], ascending=False, kind="stable")["segment_id"]
        filled = [old for old in order if old != UNSEGMENTED]
        empty = [old for old in segmentation.segment_ids if old not in filled]
        new = {old: f"S{place}" for place, old in enumerate(filled + empty, start=1)}
        ids = tuple(new[old] for old in segmentation.segment_ids)
        return segmentation.with_segments(ids, {new[old]: name for old, name in segmentation.names.items()}), None
    before, used = previous.assigned["segment_id"], tuple(previous.history["used_ids"])
    if kept:
        return segmentation, follow_segments(before, now, used_ids=used)
    profile = profile_segments(features.table, features.dictionary, now)
    matching = match_segments(before, now, used_ids=used, old_profile=previous.profile, new_profile=profile)
    ids = lasting_ids(segmentation.segment_ids, matching)
    return segmentation.with_segments(ids, dict(zip(ids, segmentation.names.values(), strict=True))), matching


def _descent(related: str, alone: str, segment: str, others: list[str], shares, jaccard) -> tuple:
    if len(shares) and shares.max() >= DESCENT_SHARE:
        place = int(np.argmax(shares))
        return related, segment, others[place], jaccard[place]
    return alone, segment, None, np.nan


def _next_id(used: set[str]) -> str:
    numbers = [int(found[1]) for segment in used if (found := re.fullmatch(r"S(\d+)", segment))]
    return f"S{max(numbers, default=0) + 1}"


def profile_distances(old_profile, new_profile, old_ids, new_ids) -> np.ndarray:
    """Return the root mean square of the differences between profiles, in standard deviations; NaN where unknown."""
    unknown = np.full((len(old_ids), len(new_ids)), np.nan)
    if old_profile is None or new_profile is None:
        return unknown
    tables = [
        profile.pivot_table(index="segment_id", columns=["feature", "level"], values="effect_sd")
        for profile in (old_profile, new_profile)
    ]
    features = tables[0].columns.intersection(tables[1].columns)
    old, new = (
        table.reindex(index=ids, columns=features).to_numpy(dtype=float)
        for table, ids in zip(tables, (old_ids, new_ids), strict=True)
    )
    squares = (old[:, None, :] - new[None, :, :]) ** 2
    known = (~np.isnan(squares)).sum(axis=2)
    return np.sqrt(np.where(known > 0, np.nansum(squares, axis=2) / np.maximum(known, 1), np.nan))


def _mutually_nearest(distance: np.ndarray) -> np.ndarray:
    filled = np.where(np.isnan(distance), np.inf, distance)
    nearest = (filled == filled.min(axis=0, initial=np.inf)) & (filled == filled.min(axis=1, initial=np.inf)[:, None])
    return nearest & np.isfinite(filled)
