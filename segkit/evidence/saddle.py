"""The saddle test: is there a valley between two segments, on customers that did not make them?"""

import numpy as np
import pandas as pd

from segkit.evidence.density_tree import DensityTree, densest, passes

SHALLOW = 0.75  # a pass at least this dense beside the lower mode is no valley
DEEP = 0.5  # the valley that a pair must be large enough to show
LEVEL = 0.05
POWER = 0.8
OWN_SIDE = 0.95  # customers denser than the pass who must lie on their own segment's side of it


def saddle_test(tree: DensityTree, labels: np.ndarray, others: np.ndarray) -> pd.DataFrame:
    """Return for each pair of segments how dense the pass between them is beside the lower of their modes.

    The tree and the labels come from one half of the customers; they say where the two modes and the pass are.
    `others`, the other half, are counted in a ball around the pass and one around the lower mode, of equal radius (the
    distance to the k-th neighbour there). Where there is no valley the pass has at least 0.75 of the mode's customers.

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
        two) with ``low, high`` (95 %, Clopper & Pearson 1934), ``p_single`` (one-sided binomial test of ratio >= 0.75),
        ``own_side`` (share of the pair's learning customers denser than the pass on their own segment's side),
        ``power`` (to reject at 0.05 a ratio of 0.5 with so many customers at the mode).
    """
    from scipy.spatial import cKDTree
    from scipy.stats import binom

    present = [int(label) for label in np.unique(labels) if label >= 0]
    modes = [densest(tree, labels == label) for label in present]
    counted = cKDTree(others)
    rows = []
    for (a, b), way in passes(tree, modes).items():
        lower = max(modes[a], modes[b], key=lambda mode: tree.sparseness[mode])
        radius = tree.sparseness[lower]
        at_pass, at_mode = (
            int(each) for each in counted.query_ball_point([way.place, tree.points[lower]], radius, return_length=True)
        )
        pair = ((labels == present[a]) | (labels == present[b])) & (tree.sparseness < way.sparseness)
        own_side = (way.side[pair] == (labels[pair] == present[a])).mean() if pair.any() else 0.0
        low, high = _interval(at_pass, at_mode)
        p_single = float(binom.cdf(at_pass, at_pass + at_mode, SHALLOW / (1 + SHALLOW)))
        ratio = at_pass / at_mode if at_mode else np.nan
        figures = (at_pass, at_mode, ratio, low, high, p_single, float(own_side), _power(at_mode))
        rows.append((present[a], present[b], *figures))
    names = "segment_a segment_b pass_customers mode_customers ratio low high p_single own_side power"
    return pd.DataFrame(rows, columns=names.split())


def _interval(at_pass: int, at_mode: int) -> tuple[float, float]:
    from scipy.stats import beta

    low = beta.ppf(0.025, at_pass, at_mode + 1) if at_pass else 0.0
    high = beta.ppf(0.975, at_pass + 1, at_mode) if at_mode else 1.0
    return low / (1 - low), high / (1 - high) if high < 1 else np.inf


def _power(at_mode: int) -> float:
    """Return the chance to reject at LEVEL where the pass has DEEP of the mode's customers."""
    from scipy.stats import binom

    total = round(at_mode * (1 + DEEP))
    most = binom.ppf(LEVEL, total, SHALLOW / (1 + SHALLOW))
    if binom.cdf(most, total, SHALLOW / (1 + SHALLOW)) >= LEVEL:
        most -= 1
    return float(binom.cdf(most, total, DEEP / (1 + DEEP)))


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

    No needs evidence as well: enough customers to have shown a valley of half the mode's depth, an interval that
    excludes one, or a valley that the segments are not cut along. Everything else is undetermined.
    """
    p = holm(pairs["p_single"].to_numpy())
    yes = (p < LEVEL) & (pairs["own_side"] >= OWN_SIDE)
    cut_elsewhere = (p < LEVEL) & (pairs["own_side"] < OWN_SIDE)
    no = (pairs["power"] >= POWER) | (pairs["low"] > DEEP) | cut_elsewhere
    return pairs.assign(p=p, separated=np.select([yes, no], ["yes", "no"], "undetermined"))
