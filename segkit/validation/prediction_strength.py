"""Prediction strength: do the segments of one half foretell who is together in the other half?"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from segkit.runtime.parallel import Progress, run_tasks
from segkit.runtime.seeds import sample_rows, two_halves
from segkit.validation.agreement import contingency
from segkit.validation.resampling import RESAMPLE_LIMIT, Recipe, take

ENOUGH = 0.8  # the threshold of the paper


def prediction_strength(
    X: np.ndarray,
    recipes: Mapping[str, Recipe],
    *,
    seed: int,
    splits: int = 20,
    dequantised: np.ndarray | None = None,
    limit: int = RESAMPLE_LIMIT,
    jobs: int = 1,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the prediction strength of each candidate over random halvings of the customers.

    Each half is segmented on its own; for the worst segment of one half, the share of its pairs of customers that the
    other half's rule also puts together. Each halving is read both ways. The worst segment sets the figure, which
    makes it conservative where a segment is small. One segment foretells itself: 1. It does not apply to candidates
    that leave customers out.

    Returns
    -------
    DataFrame
        ``candidate_id``, ``prediction_strength`` (mean over the halvings, 0 to 1), ``error`` (its standard error),
        ``enough`` (mean + error >= 0.8), ``sample_size``.

    References
    ----------
    Tibshirani & Walther (2005), "Cluster validation by prediction strength", section 2.
    """
    rows = sample_rows(len(X), limit, seed)
    sample, continuous = X[rows], take(dequantised, rows)
    arguments = [(sample, continuous, dict(recipes), seed, number) for number in range(splits)]
    strengths = np.array(
        list(run_tasks(_strengths, arguments, jobs=jobs, progress=progress, what="prediction strength"))
    )
    mean, error = strengths.mean(axis=0), strengths.std(axis=0, ddof=1) / np.sqrt(splits)
    return pd.DataFrame(
        {
            "candidate_id": list(recipes),
            "prediction_strength": mean,
            "error": error,
            "enough": mean + error >= ENOUGH,
            "sample_size": len(sample),
        }
    )


def strongest(strengths: pd.DataFrame, segments: Mapping[str, int]) -> int:
    """Return the largest number of segments with enough prediction strength; 1 where none has.

    Parameters
    ----------
    strengths : DataFrame
        As from `prediction_strength`, of one family.
    segments : mapping of candidate_id to number of segments
    """
    return max((segments[name] for name in strengths.loc[strengths["enough"], "candidate_id"]), default=1)


def _strengths(X, dequantised, recipes: dict[str, Recipe], seed: int, number: int) -> list[float]:
    halves = two_halves(len(X), seed, "prediction strength", number)
    parts = [(X[rows], take(dequantised, rows)) for rows in halves]
    strengths = []
    for recipe in recipes.values():
        fits = [recipe.sample_fit(part, seed=seed, dequantised=continuous) for part, continuous in parts]
        own = [fit.rule.assign(part)[0] for fit, (part, _) in zip(fits, parts, strict=True)]
        foretold = [fit.rule.assign(part)[0] for fit, (part, _) in zip(fits, parts[::-1], strict=True)]
        both_ways = zip(own, foretold[::-1], strict=True)
        strengths.append(float(np.mean([pairs_kept(labels, told) for labels, told in both_ways])))
    return strengths


def pairs_kept(labels: np.ndarray, foretold: np.ndarray) -> float:
    """Return, for the worst segment of `labels`, the share of its pairs that `foretold` puts together.

    Examples
    --------
    >>> pairs_kept(np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 1]))  # one pair in three of the first
    0.3333333333333333
    """
    table = contingency(labels, foretold)
    sizes = np.bincount(labels[labels >= 0], minlength=len(table))
    pairs = sizes * (sizes - 1)
    kept = (table * (table - 1)).sum(axis=1)
    return float((kept[pairs > 0] / pairs[pairs > 0]).min()) if (pairs > 0).any() else 0.0
