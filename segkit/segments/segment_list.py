"""The list of segments: sizes, names, rules in one table; and names that an analyst types."""

from collections.abc import Mapping

import pandas as pd

from segkit.clustering.assign import assign_customers
from segkit.clustering.rfm import fit_rfm
from segkit.clustering.segmentation import Segmentation
from segkit.features.build import CustomerFeatures
from segkit.runtime.errors import InputError
from segkit.runtime.sensitive import may_be_named
from segkit.segments.profile import UNSEGMENTED
from segkit.segments.rules import segment_rules
from segkit.validation.candidates import Candidates
from segkit.validation.verdict import STABLE

RULES = ("rfm", "tiers")  # families whose segments have names of their own
FIRM, BLURRED = "firm", "blurred"
BY_ANALYST = "analyst"  # in ``named_by`` of the segments, and in ``basis`` of the words


def describe_by_rule(features: CustomerFeatures, segments: pd.Series, seed: int = 0) -> pd.DataFrame:
    """Return each segment in at most three conditions, with precision and recall on customers that did not choose them.

    Parameters
    ----------
    segments : Series
        Index customer_id, the segment_id.

    Returns
    -------
    DataFrame
        ``segment_id, rule, rule_precision, rule_recall``.
    """
    named = [name for name in features.table if not name.startswith("category_") or may_be_named(name)]
    return segment_rules(features.table[named], features.dictionary, segments, seed=seed)


def list_segments(
    names: pd.DataFrame, sizes: pd.DataFrame, rules: pd.DataFrame, borders: pd.Series | None = None
) -> pd.DataFrame:
    """Return the segments by revenue, those left out last: sizes, shares, names, descriptions, ideas, rules, borders.

    Parameters
    ----------
    names : DataFrame
        Of `name_segments`: a row per ``segment_id``.
    sizes : DataFrame
        Of `size_segments`.
    rules : DataFrame
        Of `describe_by_rule`.
    borders : Series, optional
        Of `segment_borders`: becomes the column ``border``, null where it is not known.
    """
    named = sizes.merge(names, on="segment_id").merge(rules, on="segment_id")
    named["border"] = None if borders is None else named["segment_id"].map(borders)
    named = named.sort_values(["revenue", "customers"], ascending=False, kind="stable")
    left_out = named["segment_id"] == UNSEGMENTED
    return pd.concat([named[~left_out], named[left_out]], ignore_index=True)


def rename_segments(segments: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Return the segments with names of your own; they stay with the id in later months, marked as yours.

    Parameters
    ----------
    segments : DataFrame
        With ``segment_id`` and ``segment``.
    names : mapping
        segment_id to name; the others keep theirs. Nothing is marked where it is empty.

    Raises
    ------
    InputError
        An id is none of the segments, a name is empty, or two segments would have the same.

    Examples
    --------
    >>> segments = pd.DataFrame({"segment_id": ["S1", "S2"], "segment": ["Big spenders", "Light buyers"]})
    >>> rename_segments(segments, {"S2": "Deal hunters"})
      segment_id       segment named_by
    0         S1  Big spenders   segkit
    1         S2  Deal hunters  analyst
    >>> rename_segments(segments, {"S7": "Deal hunters"})
    Traceback (most recent call last):
    segkit.InputError: there is no segment S7 to rename; there are S1, S2
    """
    if not names:
        return segments
    known = list(segments["segment_id"])
    if unknown := [one for one in names if one not in known]:
        raise InputError(f"there is no segment {unknown[0]} to rename; there are {', '.join(known)}")
    called = segments["segment_id"].map(lambda one: " ".join(str(names[one]).split()) if one in names else None)
    named = segments.assign(segment=called.fillna(segments["segment"]))
    if (empty := named["segment"] == "").any():
        raise InputError(f"segment {named.loc[empty, 'segment_id'].iloc[0]} needs a name that is not empty")
    lowered = named["segment"].str.casefold()
    if (twice := lowered.duplicated()).any():
        raise InputError(f"two segments would be called {named.loc[twice, 'segment'].iloc[0]!r}: choose another name")
    before = segments["named_by"] if "named_by" in segments else pd.Series("segkit", segments.index)
    return named.assign(named_by=before.mask(segments["segment_id"].isin(list(names)), BY_ANALYST))


def segment_borders(candidates: Candidates, segmentation: Segmentation) -> pd.Series:
    """Return whether each segment's border is ``firm`` or ``blurred``; empty where nothing was resampled.

    Firm is a mean Jaccard index of at least `STABLE` over resamples: most of its customers stay in it when customers
    are drawn anew.

    Returns
    -------
    Series of str
        Index segment_id.
    """
    own = candidates.stability[candidates.stability["candidate_id"] == segmentation.candidate_id]
    own = with_segment_ids(own, {"label": "segment_id"}, segmentation).set_index("segment_id")["jaccard"].dropna()
    return own.ge(STABLE).map({True: FIRM, False: BLURRED}).astype("str").rename("border")


def names_of_rule(segmentation: Segmentation) -> dict[str, str]:
    """Return the names that a rule gives its own segments, such as those of the RFM map, by segment_id; else none."""
    return dict(segmentation.names) if segmentation.family in RULES else {}


def name_segmentation(segmentation: Segmentation, segments: pd.DataFrame) -> Segmentation:
    """Return the frozen model with the names of the list; ids of segments without customers keep theirs."""
    names = dict(zip(segments["segment_id"], segments["segment"], strict=True))
    return segmentation.with_segments(segmentation.segment_ids, segmentation.names | names)


def assign_everybody(segmentation: Segmentation, features: CustomerFeatures) -> pd.DataFrame:
    """Return every customer's segment with its confidence, and the cell of the RFM map for comparison.

    Returns
    -------
    DataFrame
        Index customer_id; as `assign_customers` has it, and ``rfm_segment`` (null where the data have no such map).
    """
    assigned, rfm = assign_customers(segmentation, features.table), fit_rfm(features.table)
    cell = None if rfm is None else rfm.assign(features.table)["segment"].astype("str")
    return assigned.assign(rfm_segment=cell)


def with_names(table: pd.DataFrame, segments: pd.DataFrame) -> pd.DataFrame:
    """Return a table with ``segment_id`` and, beside it, the name of the segment."""
    table = table.merge(segments[["segment_id", "segment"]], on="segment_id")
    return table[["segment_id", "segment", *table.columns.drop(["segment_id", "segment"])]]


def by_name(table: pd.DataFrame, segments: pd.DataFrame) -> pd.DataFrame:
    """Return a table with index segment_id as one with a column ``segment``, in the order of the list."""
    named = segments.set_index("segment_id")["segment"]
    return table.reindex(named.index).set_axis(named).rename_axis(columns=None).reset_index()


def with_segment_ids(table: pd.DataFrame, columns: Mapping[str, str], segmentation: Segmentation) -> pd.DataFrame:
    """Return a table of labels with segment ids: lasting ones for the chosen candidate, by size for the others.

    Parameters
    ----------
    table : DataFrame
        With ``candidate_id`` and columns of integer labels.
    columns : mapping
        Column of labels to the name of the column of ids.
    """
    ids = segmentation.segment_ids
    made = {}
    for column, name in columns.items():
        pairs = zip(table["candidate_id"], table[column].astype(int), strict=True)
        made[name] = [ids[at] if one == segmentation.candidate_id else f"S{at + 1}" for one, at in pairs]
    return table.drop(columns=[column for column in columns if column not in columns.values()]).assign(**made)
