"""What a prediction costs: deviances by kind of outcome, and the cross-fitted costs of predicting by segment."""

import numpy as np
import pandas as pd

from segkit.runtime.seeds import hash_ids, keyed_uniform

FOLDS = 5
TWEEDIE_POWER = 1.5  # between a count (1) and a gamma amount (2): money with many zeros (Jorgensen 1987)
SUREST = 1e-4  # a chance is never said to be nearer to 0 or 1 than this


def assign_folds(customers: pd.Index, seed: int, folds: int = FOLDS) -> np.ndarray:
    """Return each customer's fold (0 to folds - 1), a function of the customer's id and the seed alone.

    Examples
    --------
    >>> assign_folds(pd.Index(["a", "b", "c"]), seed=0).tolist() == assign_folds(pd.Index(["a", "b", "c"]), 0).tolist()
    True
    """
    return (keyed_uniform(hash_ids(customers), seed, "fold") * folds).astype(int)


def deviances(loss: str, actual: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return the unit deviance of each customer (McCullagh & Nelder 1989, section 2.3), 0 where actual is missing.

    Parameters
    ----------
    loss : str
        ``count`` (Poisson), ``money`` (Tweedie of power 1.5), ``binary`` (twice the log-loss), ``share`` (squared
        error).
    actual, expected : ndarray
        Of shapes that broadcast. Counts and money below 0 count as 0.

    Examples
    --------
    >>> deviances("count", np.array([0.0, 3.0, np.nan]), np.array([1.0, 3.0, 2.0]))
    array([2., 0., 0.])
    >>> deviances("share", np.array([0.5]), np.array([0.25]))
    array([0.0625])
    """
    known = ~np.isnan(actual)
    y = np.where(known, actual, 0.0)
    if loss == "share":
        return np.where(known, (y - expected) ** 2, 0.0)
    if loss == "binary":
        chance = np.clip(expected, SUREST, 1 - SUREST)
        return np.where(known, -2 * (y * np.log(chance) + (1 - y) * np.log1p(-chance)), 0.0)
    y, mean = np.maximum(y, 0.0), np.maximum(expected, 1e-9)
    if loss == "count":
        ratio = np.where(y > 0, y / mean, 1.0)
        return np.where(known, 2 * (y * np.log(ratio) - (y - mean)), 0.0)
    if loss == "money":
        p = TWEEDIE_POWER
        cost = y ** (2 - p) / ((1 - p) * (2 - p)) - y * mean ** (1 - p) / (1 - p) + mean ** (2 - p) / (2 - p)
        return np.where(known, np.maximum(2 * cost, 0.0), 0.0)
    raise ValueError(f"no loss {loss!r}: binary, count, money or share")


def segment_means(groups: np.ndarray, folds: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Return for each customer the mean of its segment over the other folds, shrunk to the mean of all.

    Shrunk by credibility (Buhlmann & Straub 1970): a segment of n customers counts n / (n + within / between), with
    the variances within and between segments estimated on the same customers. The ratio is at least 1, so that no
    segment is ever certain; where segments differ by no more than chance, all take the mean of all.

    Parameters
    ----------
    groups, folds : ndarray of int, shape (n,)
        Segment and fold, from 0.
    actual : ndarray, shape (n,)
        NaN where unknown: takes no part, but gets an expectation.

    Examples
    --------
    >>> segment_means(np.array([0, 0, 1, 1] * 50), np.arange(200) % 2, np.array([1.0, 1.0, 5.0, 5.0] * 50))[:3].round(2)
    array([1.04, 1.04, 4.96])
    """
    known = ~np.isnan(actual)
    y = np.where(known, actual, 0.0)
    parts, many = folds.max() + 1, groups.max() + 1
    cell = folds * many + groups

    def elsewhere(weights):
        sums = np.bincount(cell, weights, parts * many).reshape(parts, many)
        return sums.sum(axis=0) - sums

    count, total = elsewhere(known.astype(float)), elsewhere(y)
    squares = elsewhere(y * y).sum(axis=1)
    customers = count.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        overall = total.sum(axis=1) / customers
        mean = np.where(count > 0, total / count, overall[:, None])
        filled = (count > 0).sum(axis=1)
        within = (squares - (count * mean**2).sum(axis=1)) / np.maximum(customers - filled, 1)
        spread = (count * (mean - overall[:, None]) ** 2).sum(axis=1) - (filled - 1) * within
        between = spread / (customers - (count**2).sum(axis=1) / customers)
        ratio = np.where(between > 0, np.maximum(within, 0) / between, np.inf)
    trust = count / (count + np.maximum(ratio, 1.0)[:, None])
    shrunk = overall[:, None] + trust * (mean - overall[:, None])
    return shrunk[folds, groups]
