"""The saddle test: is there a valley between two segments, on customers that did not make them?"""

import numpy as np
import pandas as pd

from segkit.validation.density_tree import DensityTree, Pass, densest, passes

SHALLOW = 0.75  # a pass at least this dense beside the lower mode is no valley
DEEP = 0.5  # the valley that a pair must be large enough to show
LEVEL = 0.05
POWER = 0.8
OWN_SIDE = 0.95  # customers denser than the pass who must lie on their own segment's side of it


def saddle_test(tree: DensityTree, labels: np.ndarray, others: np.ndarray) -> pd.DataFrame:
    """Return for each pair of segments how dense the pass between them is beside the lower of their modes.

    The tree and the labels come from one half of the customers; they say where the two modes and the pass are.
    `others`, the other half, are counted in a ball around the pass and one around the lower mode, of equal radius: the
    distance to the k-th neighbour there, or to one that leaves half of the segment outside. Where there is no valley
    the pass has at least 0.75 of the mode's customers.

    Where the sparsest place is the lower mode itself there is no second mode: no ratio, and the p value says so too.
    Balls that overlap in part share customers, though the test and the interval are those of disjoint balls. That
    pulls ratios towards 1, which hides shallow valleys and makes none; error rates were measured with it.

    Clusters always look apart on the customers that made them, and a dip along the line between two segments
    is found in a uniform cloud too once n is large, since the union of two cells has a neck. A pass found in the tree
    of *all* customers goes around such a neck.

    Parameters
    ----------
    tree : DensityTree
        Of the learning half, customers left out included.
    labels : ndarray of int, shape (n,)
        Their segments.
    others : ndarray, shape (m, d)
        The counting half, in the same coordinates.

    Returns
    -------
    DataFrame
        ``segment_a, segment_b`` (labels, ascending), ``pass_customers, mode_customers`` (counted), ``ratio`` (of the
        two) with ``low, high`` (95 %, Clopper & Pearson 1934), all three NaN where there is no second mode,
        ``p_single`` (one-sided binomial test of ratio >= 0.75),
        ``own_side`` (share of the pair's learning customers denser than the pass on their own segment's side),
        ``power`` (to reject a ratio of 0.5 with so many customers at the mode, at 0.05 over the number of pairs:
        Holm's first step).
    """
    present = [int(label) for label in np.unique(labels) if label >= 0]
    modes = [densest(tree, labels == label) for label in present]
    ways = passes(tree, modes)
    lower = [max(modes[a], modes[b], key=lambda mode: tree.sparseness[mode]) for a, b in ways]
    half = {mode: max(1, (labels == label).sum() // 2) for mode, label in zip(modes, present, strict=True)}
    at_pass, at_mode, second = _count(tree, list(ways.values()), lower, half, others)
    rows = []
    for (a, b), way in ways.items():
        pair = ((labels == present[a]) | (labels == present[b])) & (tree.sparseness < way.sparseness)
        own_side = (way.side[pair] == (labels[pair] == present[a])).mean() if pair.any() else 0.0
        rows.append((present[a], present[b], float(own_side)))
    pairs = pd.DataFrame(rows, columns=["segment_a", "segment_b", "own_side"])
    ratio = np.divide(at_pass, at_mode, out=np.full(len(pairs), np.nan), where=at_mode > 0)
    ratio, low, high = (np.where(second, each, np.nan) for each in (ratio, *_interval(at_pass, at_mode)))
    return pairs.assign(
        pass_customers=at_pass,
        mode_customers=at_mode,
        ratio=ratio,
        low=low,
        high=high,
        p_single=_p(at_pass, at_pass + at_mode),
        power=_power(at_mode, LEVEL / max(len(pairs), 1)),
    )


def _count(tree: DensityTree, ways: list[Pass], lower: list[int], most: dict[int, int], others: np.ndarray):
    """Return how many of `others` are around each pass and around the lower mode, and whether these are two places.

    A ball as wide as a small segment would reach into it from the pass: it holds at most half of the segment (`most`),
    and lies where the fewest of the learning customers are on the longest edges of the way.
    """
    from scipy.spatial import cKDTree

    if not ways:
        return np.empty(0, int), np.empty(0, int), np.empty(0, bool)
    sizes = [len(way.places) for way in ways]
    places = np.concatenate([way.places for way in ways])
    learned, counted = cKDTree(tree.points), cKDTree(others)
    radius = np.array([learned.query(tree.points[mode], [most[mode]])[0][0] for mode in lower])
    radius = np.minimum(radius, tree.sparseness[lower])
    around = learned.query_ball_point(places, np.repeat(radius, sizes), return_length=True)
    starts = np.cumsum([0, *sizes[:-1]])
    sparsest = [start + around[start : start + size].argmin() for start, size in zip(starts, sizes, strict=True)]
    both = places[sparsest], tree.points[lower]
    at_pass, at_mode = (counted.query_ball_point(each, radius, return_length=True) for each in both)
    return at_pass, at_mode, (both[0] != both[1]).any(axis=1)


def _p(at_pass: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Return the chance of so few or fewer at the pass where it is SHALLOW times as dense as the mode."""
    from scipy.stats import binom

    return binom.cdf(at_pass, total, SHALLOW / (1 + SHALLOW))


def _interval(at_pass: np.ndarray, at_mode: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from scipy.stats import beta

    low = np.where(at_pass > 0, beta.ppf(0.025, np.maximum(at_pass, 1), at_mode + 1), 0.0)
    high = np.where(at_mode > 0, beta.ppf(0.975, at_pass + 1, np.maximum(at_mode, 1)), 1.0)
    return low / (1 - low), np.divide(high, 1 - high, out=np.full(len(high), np.inf), where=high < 1)


def _power(at_mode: np.ndarray, level: float) -> np.ndarray:
    """Return the chance to reject at `level` where the pass has DEEP of the mode's customers."""
    from scipy.stats import binom

    total = np.round(at_mode * (1 + DEEP)).astype(int)
    most = binom.ppf(level, total, SHALLOW / (1 + SHALLOW))
    most = most - (_p(most, total) >= level)
    return binom.cdf(most, total, DEEP / (1 + DEEP))


def passed(pairs: pd.DataFrame) -> pd.Series:
    """Return which pairs pass one by one: a valley, and the segments cut along it."""
    return (pairs["p_single"] < LEVEL) & (pairs["own_side"] >= OWN_SIDE)


def holm(p: np.ndarray) -> np.ndarray:
    """Return p values adjusted for their number (Holm 1979); NaN stays and is not counted.

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, 0.03]))
    array([0.03, 0.06, 0.06])
    """
    p = np.asarray(p, dtype=float)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    adjusted = p.copy()
    steps = p[order] * (len(order) - np.arange(len(order)))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1) if len(order) else steps
    return adjusted


def decide(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return `pairs` with ``p`` (Holm over the pairs) and ``separated`` (yes, no, undetermined).

    No is said only where a valley of half the mode's depth would have been found with power 0.8. Every other pair that
    is not separated is undetermined, also one with a valley that its segments are not cut along.
    """
    p = holm(pairs["p_single"].to_numpy())
    yes = (p < LEVEL) & (pairs["own_side"] >= OWN_SIDE)
    no = pairs["power"] >= POWER
    return pairs.assign(p=p, separated=np.select([yes, no], ["yes", "no"], "undetermined"))
