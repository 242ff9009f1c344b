"""Whether customers have changed between two periods, feature by feature: the population stability index.

Two periods share most of their customers, often most of their days. So the uncertainty comes from customers drawn
with both of their values, never from two independent samples.
"""

import zlib
from textwrap import fill

import numpy as np
import pandas as pd
from scipy.special import gammaincinv

from segkit.runtime.errors import InputError

ALARM_PSI = 0.1  # the usual limit of "some change"; below it nothing needs doing, however certain
BINS = 10
ATOM_SHARE = 0.1  # a value that so many customers have is a bin of its own
RAREST_LEVEL = 0.01  # levels of a category that fewer have are pooled
EMPTY = 0.5  # customers put into an empty bin
CONFIDENCE = 0.95
NO_CHANGE = 0.995

DRIFT_RULE = fill(
    f"Population stability index over {BINS} bins fixed in the reference period; a value that {ATOM_SHARE:.0%} of the "
    "customers have is a bin of its own, as is not known. Intervals: bootstrap of customers, each with both periods. "
    f"Alarm: the index exceeds {ALARM_PSI:g} and its lower limit exceeds the {NO_CHANGE:.1%} value of no change, which "
    "is found by exchanging the two periods of each customer at random.",
    width=110,
)
DRIFT_COLUMNS = ["feature", "psi", "low", "high", "alarm"]


def feature_drift(
    reference: pd.DataFrame, current: pd.DataFrame, dictionary: pd.DataFrame, *, seed: int, resamples: int = 200
) -> pd.DataFrame:
    """Return how far each feature's distribution moved; see `DRIFT_RULE`.

    Parameters
    ----------
    reference, current : DataFrame
        Index customer_id, one column per feature, natural units, of the two periods.
    dictionary : DataFrame
        Index feature, column kind; its features are compared, in its order.
    seed : int
        Start of the random draws.
    resamples : int
        Draws for the interval, and as many for the value of no change.

    Returns
    -------
    DataFrame
        ``feature``, ``psi``, its 95 % interval ``low, high``, ``alarm``.

    Raises
    ------
    InputError
        A period lacks a feature or has no customers; the message names it.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> may = pd.DataFrame({"spend": rng.normal(9, 1, 999), "age": rng.integers(20, 70, 999)})
    >>> dictionary = pd.DataFrame({"kind": ["money", "number"]}, index=pd.Index(["spend", "age"], name="feature"))
    >>> feature_drift(may, may.assign(spend=may["spend"] + 0.5), dictionary, seed=0)[["feature", "alarm"]]
      feature  alarm
    0   spend   True
    1     age  False
    >>> feature_drift(may, may[["spend"]], dictionary, seed=0)
    Traceback (most recent call last):
    segkit.InputError: features of the current period lack age: make them by the same recipe
    """
    if "present" in dictionary:
        dictionary = dictionary[dictionary["present"]]
    for period, table in (("reference", reference), ("current", current)):
        if lacking := [feature for feature in dictionary.index if feature not in table]:
            raise InputError(
                f"features of the {period} period lack {', '.join(lacking[:3])}: make them by the same recipe"
            )
        if not len(table):
            raise InputError(f"the {period} period has no customers: choose another month to compare with")
    places = _places(reference.index, current.index)
    rows = []
    for feature, kind in dictionary["kind"].items():
        binned = _level_bins if kind == "category" else _number_bins
        then, now, bins = binned(reference[feature], current[feature])
        rows.append((feature, *_judge(_joint(then, now, bins, places), seed, feature, resamples)))
    return pd.DataFrame(rows, columns=DRIFT_COLUMNS)


def mix_drift(old: pd.Series, new: pd.Series, *, seed: int, resamples: int = 200) -> pd.DataFrame:
    """Return the same for the mix of segments: one row, ``feature`` is ``segment``.

    Parameters
    ----------
    old, new : Series
        Index customer_id, the segment_id under lasting ids, best by one frozen model: else it is remodelling.

    Examples
    --------
    >>> may = pd.Series(["S1", "S2"] * 100)
    >>> mix_drift(may, may, seed=0)
       feature  psi  low  high  alarm
    0  segment  0.0  0.0   0.0  False
    """
    segments = pd.Index(sorted({*old.dropna(), *new.dropna()}))
    then, now = segments.get_indexer(old), segments.get_indexer(new)
    joint = _joint(then, now, len(segments), _places(old.index, new.index))
    return pd.DataFrame([("segment", *_judge(joint, seed, "segment", resamples))], columns=DRIFT_COLUMNS)


def _places(then: pd.Index, now: pd.Index) -> tuple[np.ndarray, np.ndarray]:
    """Return where each customer of the reference is in the current period (-1: not), and who is new there."""
    return now.get_indexer(then), then.get_indexer(now) < 0


def _joint(then: np.ndarray, now: np.ndarray, bins: int, places: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return customers by bin then and bin now; the last row and column are those absent in one period.

    It is all that drawing customers with both values needs, whether there are a thousand or a million.
    """
    where, joined = places
    after = np.where(where >= 0, now[where], bins)
    pairs = np.bincount(then * (bins + 1) + after, minlength=(bins + 1) ** 2)
    pairs += np.bincount(bins * (bins + 1) + now[joined], minlength=(bins + 1) ** 2)
    return pairs.reshape(bins + 1, bins + 1)


def _number_bins(reference: pd.Series, current: pd.Series) -> tuple[np.ndarray, np.ndarray, int]:
    then, now = (pd.to_numeric(column).to_numpy(dtype=float, na_value=np.nan) for column in (reference, current))
    known = then[~np.isnan(then)]
    values, counts = np.unique(known, return_counts=True)
    atoms = values[counts >= max(ATOM_SHARE * len(known), 2)]
    rest = known[~np.isin(known, atoms)]
    wanted = max(round(BINS * len(rest) / max(len(known), 1)), 1)
    inner = np.arange(1, wanted) / wanted
    edges = np.unique(np.quantile(rest, inner, method="lower")) if len(rest) and wanted > 1 else np.empty(0)

    def codes(column: np.ndarray) -> np.ndarray:
        place = np.searchsorted(edges, column, side="left")
        if len(atoms):
            at = np.minimum(np.searchsorted(atoms, column), len(atoms) - 1)
            place = np.where(atoms[at] == column, len(edges) + 1 + at, place)
        return np.where(np.isnan(column), len(edges) + 1 + len(atoms), place)

    return codes(then), codes(now), len(edges) + len(atoms) + 2


def _level_bins(reference: pd.Series, current: pd.Series) -> tuple[np.ndarray, np.ndarray, int]:
    shares = reference.astype("str").where(reference.notna()).value_counts(normalize=True)
    levels = pd.Index(sorted(shares.index[shares >= RAREST_LEVEL]))

    def codes(column: pd.Series) -> np.ndarray:
        place = levels.get_indexer(column.astype("str"))
        place = np.where(place < 0, len(levels), place)  # rare ones, and those that came later
        return np.where(column.isna(), len(levels) + 1, place)

    return codes(reference), codes(current), len(levels) + 2


def _judge(joint: np.ndarray, seed: int, feature: str, resamples: int) -> tuple[float, float, float, bool]:
    psi = float(_psi(joint[None])[0])
    # Draws of a feature must not depend on which others there are.
    rng = np.random.default_rng([seed, zlib.crc32(feature.encode())])
    drawn = _psi(_draw(joint, rng, resamples))
    # Resampling adds the noise of a sample to a figure that already has it: the second dose is taken off.
    drawn = drawn - (drawn.mean() - psi)
    low, high = np.maximum(np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]), 0.0)
    unchanged = _psi(_draw((joint + joint.T) / 2, rng, resamples))
    return psi, float(low), float(high), bool(psi > ALARM_PSI and low > _upper_value(unchanged))


def _draw(joint: np.ndarray, rng: np.random.Generator, resamples: int) -> np.ndarray:
    """Return resamples of the customers, as joint counts; only cells that hold somebody are drawn."""
    cells = np.flatnonzero(joint)
    drawn = np.zeros((resamples, joint.size))
    weights = joint.ravel()[cells].astype(float)
    drawn[:, cells] = rng.multinomial(round(weights.sum()), weights / weights.sum(), size=resamples)
    return drawn.reshape(resamples, *joint.shape)


def _psi(joint: np.ndarray) -> np.ndarray:
    """Return the index of each table of joint counts: sum of (q - p) ln(q / p) over bins in use."""
    then, now = joint[:, :-1, :].sum(axis=2), joint[:, :, :-1].sum(axis=1)
    used = (then + now) > 0
    then, now = (np.where(used & (counts == 0), EMPTY, counts) for counts in (then, now))
    p, q = then / then.sum(axis=1, keepdims=True), now / now.sum(axis=1, keepdims=True)
    return ((q - p) * np.log(np.where(used, q, 1) / np.where(used, p, 1))).sum(axis=1)


def _upper_value(unchanged: np.ndarray) -> float:
    """Return the 99.5 % value of no change, from the gamma distribution with the mean and variance of the draws.

    Without change the index is a weighted sum of chi-squared variables, which a gamma comes close to (Satterthwaite
    1946); the quantile of a few hundred draws would be that of their largest.
    """
    mean, variance = unchanged.mean(), unchanged.var()
    if variance == 0:
        return float(mean)
    return float(gammaincinv(mean**2 / variance, NO_CHANGE) * variance / mean)
