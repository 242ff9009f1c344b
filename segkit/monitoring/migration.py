"""Who moved between the segments of two months, and whether it was the customers or the model that did."""

import numpy as np
import pandas as pd

from segkit.runtime.errors import InputError
from segkit.segments.profile import sort_ids

JOINED, LEFT = "joined", "left"
CELLS = {
    "unchanged": "the same segment by either model in either month",
    "moved only": "the customer moved, and the new model agrees",
    "remodelled only": "the customer stayed where the old model had them; the new model puts them elsewhere",
    "both, ending elsewhere": "the customer moved, and the new model puts them into a third segment",
    "both, cancelling out": "the customer moved, and the new model puts them back: looks like nothing happened",
}


def migrations(old: pd.Series, new: pd.Series) -> pd.DataFrame:
    """Return how many customers went from which segment to which.

    Parameters
    ----------
    old, new : Series
        Index customer_id, the segment_id under lasting ids; S0 counts as a segment here.

    Returns
    -------
    DataFrame
        ``from_segment_id`` (``joined`` for customers who were not there), ``to_segment_id`` (``left`` for those who no
        longer are), ``customers``, ``share`` of the customers of the from-segment (or of all who joined); moves that
        nobody made are not listed. Every customer of either month is counted once.

    Examples
    --------
    >>> may = pd.Series(["S1", "S1", "S1", "S2"], index=list("abcd"))
    >>> migrations(may, pd.Series(["S1", "S2", "S2", "S2"], index=list("abde")))
      from_segment_id to_segment_id  customers     share
    0              S1            S1          1  0.333333
    1              S1            S2          1  0.333333
    2              S1          left          1  0.333333
    3              S2            S2          1  1.000000
    4          joined            S2          1  1.000000
    """
    counted = _moves(old, new).value_counts(["from_segment_id", "to_segment_id"]).rename("customers")
    table = _sorted(counted.reset_index())
    whole = table.groupby("from_segment_id")["customers"].transform("sum")
    return table.assign(share=table["customers"] / whole)


def migration_matrix(moves: pd.DataFrame, figure: str = "customers") -> pd.DataFrame:
    """Return moves as a matrix: a row per segment of the month before, a column per segment of this one.

    Parameters
    ----------
    moves : DataFrame
        Of `migrations`.
    figure : str
        ``customers``, or ``share`` of the customers of the row.

    Examples
    --------
    >>> may = pd.Series(["S1", "S1", "S10", "S2"], index=list("abcd"))
    >>> migration_matrix(migrations(may, pd.Series(["S1", "S10", "S10"], index=list("abc"))))
    to_segment_id    S1  S10  left
    from_segment_id
    S1                1    1     0
    S2                0    0     1
    S10               0    1     0
    """
    order = move_order(moves)
    table = moves.pivot_table(
        figure, "from_segment_id", "to_segment_id", aggfunc="sum", fill_value=0, sort=False, observed=True
    )
    return table[[name for name in order if name in table]].reindex([name for name in order if name in table.index])


def migrated_revenue(old: pd.Series, new: pd.Series, old_revenue: pd.Series, new_revenue: pd.Series) -> pd.DataFrame:
    """Return the revenue of the customers behind each move, in the month before and in this one.

    Parameters
    ----------
    old, new : Series
        As for `migrations`.
    old_revenue, new_revenue : Series
        Index customer_id, money per customer within the window of each month.

    Returns
    -------
    DataFrame
        ``from_segment_id, to_segment_id, customers, revenue_before, revenue_after``; the sums are those of all
        customers of either month.

    Examples
    --------
    >>> may, june = pd.Series({"a": "S1", "b": "S1"}), pd.Series({"a": "S2", "c": "S1"})
    >>> migrated_revenue(may, june, pd.Series({"a": 5.0, "b": 1.0}), pd.Series({"a": 9.0, "c": 2.0}))
      from_segment_id to_segment_id  customers  revenue_before  revenue_after
    0              S1            S2          1             5.0            9.0
    1              S1          left          1             1.0            0.0
    2          joined            S1          1             0.0            2.0
    """
    moves = _moves(old, new)
    # Sorted before summing: sums of floats depend on the order of the rows.
    moves["revenue_before"] = old_revenue.reindex(moves.index).where(moves["from_segment_id"] != JOINED, 0.0)
    moves["revenue_after"] = new_revenue.reindex(moves.index).where(moves["to_segment_id"] != LEFT, 0.0)
    groups = moves.sort_values(["revenue_before", "revenue_after"]).groupby(["from_segment_id", "to_segment_id"])
    table = groups[["revenue_before", "revenue_after"]].sum()
    table.insert(0, "customers", groups.size())
    return _sorted(table.reset_index())


def moved_or_remodelled(
    a: pd.Series, b: pd.Series, c: pd.Series, joined: pd.Series | None = None, left: pd.Series | None = None
) -> pd.DataFrame:
    """Return how many customers moved, were remodelled, both or neither: disjoint cells that sum to everybody.

    Parameters
    ----------
    a, b, c : Series
        Index customer_id, of the customers present in both months, the segment_id by the old model in the month
        before, by the old model in this month, by the new model in this month, all under lasting ids.
    joined, left : Series, optional
        Index customer_id, the segment_id of customers of one month only; counted in two further rows.

    Returns
    -------
    DataFrame
        ``cell``, ``customers``, ``share`` of those present in both months (null for joined and left), ``meaning``.

    Raises
    ------
    InputError
        The three are not about the same customers; the message says how many differ.

    Examples
    --------
    >>> a = pd.Series(["S1", "S1", "S1", "S1", "S1"], index=list("vwxyz"))
    >>> b = pd.Series(["S1", "S2", "S1", "S2", "S2"], index=list("vwxyz"))
    >>> c = pd.Series(["S1", "S2", "S2", "S3", "S1"], index=list("vwxyz"))
    >>> moved_or_remodelled(a, b, c)[["cell", "customers", "share"]]
                         cell  customers  share
    0               unchanged          1    0.2
    1              moved only          1    0.2
    2         remodelled only          1    0.2
    3  both, ending elsewhere          1    0.2
    4    both, cancelling out          1    0.2
    >>> moved_or_remodelled(a, b, c.head(3))
    Traceback (most recent call last):
    segkit.InputError: 2 customers are not in all three assignments, such as y: take those present in both months
    """
    a, b, c = _aligned(a, b, c)
    moved, remodelled, elsewhere = a != b, b != c, a != c
    masks = [
        ~moved & ~remodelled,
        moved & ~remodelled,
        ~moved & remodelled,
        moved & remodelled & elsewhere,
        moved & remodelled & ~elsewhere,
    ]
    counts = [int(mask.sum()) for mask in masks]
    rows = [(cell, n, n / max(len(a), 1), CELLS[cell]) for cell, n in zip(CELLS, counts, strict=True)]
    if joined is not None:
        rows.append((JOINED, len(joined), np.nan, "in this month only"))
    if left is not None:
        rows.append((LEFT, len(left), np.nan, "in the month before only"))
    return pd.DataFrame(rows, columns=["cell", "customers", "share", "meaning"])


def net_sizes(
    a: pd.Series, b: pd.Series, c: pd.Series, joined: pd.Series, left: pd.Series, d: pd.Series | None = None
) -> pd.DataFrame:
    """Return why each segment is as large as it is: before + moved + remodelled + joined - left = after, exactly.

    Parameters
    ----------
    a, b, c, joined, left
        As for `moved_or_remodelled`; `joined` by the new model, `left` by the old one.
    d : Series, optional
        The segment_id by the new model in the month before: adds the other order, in which the model changes first.

    Returns
    -------
    DataFrame
        ``segment_id, before, moved, remodelled, joined, left, after``; with `d` also ``remodelled_first`` (d - a)
        and ``moved_then`` (c - d), which have the same sum.

    Examples
    --------
    >>> a, b, c = (pd.Series(list(ids), index=["x", "y"]) for ids in ("ss", "st", "tt"))
    >>> net_sizes(a, b, c, joined=pd.Series({"z": "s"}), left=pd.Series({"w": "t"}))
      segment_id  before  moved  remodelled  joined  left  after
    0          s       2     -1          -1       1     0      1
    1          t       1      1           1       0     1      2
    """
    a, b, c = _aligned(a, b, c)
    parts = {"a": a, "b": b, "c": c, JOINED: joined, LEFT: left}
    if d is not None:
        parts["d"] = _aligned(a, b, d)[2]
    counts = pd.DataFrame({name: part.value_counts() for name, part in parts.items()}).fillna(0).astype("int64")
    counts = counts.reindex(sort_ids(counts.index))
    table = pd.DataFrame(
        {
            "segment_id": counts.index,
            "before": counts["a"] + counts[LEFT],
            "moved": counts["b"] - counts["a"],
            "remodelled": counts["c"] - counts["b"],
            JOINED: counts[JOINED],
            LEFT: counts[LEFT],
            "after": counts["c"] + counts[JOINED],
        }
    )
    if d is not None:
        table["remodelled_first"], table["moved_then"] = counts["d"] - counts["a"], counts["c"] - counts["d"]
    return table.reset_index(drop=True)


def _moves(old: pd.Series, new: pd.Series) -> pd.DataFrame:
    customers = old.index.union(new.index)
    moves = {
        "from_segment_id": old.reindex(customers).fillna(JOINED),
        "to_segment_id": new.reindex(customers).fillna(LEFT),
    }
    return pd.DataFrame(moves).astype("str")


def _sorted(table: pd.DataFrame) -> pd.DataFrame:
    """Return the moves in the order people count, joined and left last."""
    places = {segment: place for place, segment in enumerate(move_order(table))}
    columns = ["from_segment_id", "to_segment_id"]
    return table.sort_values(columns, key=lambda column: column.map(places), ignore_index=True)


def move_order(table: pd.DataFrame) -> list[str]:
    """Return the segments of a table of moves in the order people count, then joined and left."""
    named = {*table["from_segment_id"], *table["to_segment_id"]} - {JOINED, LEFT}
    return [*sort_ids(named), JOINED, LEFT]


def _aligned(a: pd.Series, b: pd.Series, c: pd.Series) -> tuple[pd.Series, pd.Series, pd.Series]:
    everybody = a.index.union(b.index).union(c.index)
    common = a.index.intersection(b.index).intersection(c.index)
    if len(apart := everybody.difference(common)):
        raise InputError(
            f"{len(apart)} customers are not in all three assignments, such as {apart[0]}: take those present in both "
            "months"
        )
    return tuple(segments.reindex(common).astype("str") for segments in (a, b, c))
