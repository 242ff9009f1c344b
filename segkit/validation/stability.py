"""Stability: does the same segmentation come back from other customers of the same shop?"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from segkit.clustering.family import Family
from segkit.clustering.fit import Sample, assign_labels
from segkit.runtime.parallel import Progress, run_tasks
from segkit.runtime.seeds import sample_rows, stream
from segkit.validation.agreement import adjusted_rand, contingency, segment_jaccards

RESAMPLE_LIMIT = 5_000  # customers in a resample; stability rises with n, so that a sample's is on the low side
DISSOLVED = 0.5  # a segment whose best Jaccard index is below this has not come back (Hennig 2007, section 3)
SMALL = 1_000  # customers of the second reading, at which shops of different size can be compared
SMALL_PAIRS = 10
LOOKS = (4, 6, 10, 16, 25, 36)  # pairs of resamples after which a candidate may be given up; see `resample_stability`
KEPT_FITS = 50  # of a candidate that is resampled to the end; they tell how sure the segment of a customer is
GIVE_UP, DOUBT = 0.6, 0.01  # no candidate is feasible below; the chance, at a look, to give up one that is above


class Recipe(NamedTuple):
    """How one candidate is made, and its labels of all customers (None where they are not known)."""

    family: Family
    params: dict
    labels: np.ndarray | None = None


def resample_rows(n: int, *, halves: bool, seed: int, number: int, limit: int = RESAMPLE_LIMIT) -> np.ndarray:
    """Return the rows of resample `number`: a bootstrap, or half of the customers without replacement.

    Of more than `limit` customers, `limit` are drawn with replacement, or as many without as vary alike. The same
    number gives the same rows for every candidate, so that they can share work.

    Both kinds vary alike about the shop's customers: the mean over m of them drawn without replacement has the variance
    1 / m - 1 / n, that over a bootstrap 1 / n, which a half shares. Above `limit` a bootstrap has 1 / `limit`, and m
    rises from half of `limit` towards `limit`. The distinct customers of a bootstrap, which Hennig's ``clusterboot``
    takes by default, have .58 / n, and so come back more often.
    """
    size = resample_size(n, halves=halves, limit=limit)
    if halves:
        return np.sort(stream(seed, "half", number).permutation(n)[:size])
    return np.sort(stream(seed, "bootstrap", number).integers(n, size=size))


def resample_size(n: int, *, halves: bool, limit: int = RESAMPLE_LIMIT) -> int:
    """Return the customers in a resample of `n`; see `resample_rows`.

    Examples
    --------
    >>> [resample_size(n, halves=True) for n in (1001, 5_000, 20_000, 1_000_000)]
    [500, 2500, 4000, 4975]
    """
    drawn = min(n, limit)
    return n * drawn // max(n + drawn, 1) if halves else drawn


@dataclass(frozen=True)
class Stability:
    """What the resamples say about each candidate.

    Attributes
    ----------
    candidates : DataFrame
        ``candidate_id, stability_ari`` (mean over pairs of resamples), with ``_low, _high`` (5 % and 95 % of the
        pairs), ``stability_ari_1000`` (the same of resamples of 1,000; of all where there are fewer), with ``_low,
        _high``,
        ``stability_jaccard_min`` (least mean over the segments), with ``_low, _high`` (5 % and 95 % of that segment's
        resamples), ``resamples, sample_size``.
    segments : DataFrame
        ``candidate_id, label, customers, jaccard`` (mean), ``low, high`` (5 % and 95 % of the resamples),
        ``dissolved`` (share of resamples with an index below 0.5), ``resamples, sample_size``. Customers are all
        customers.
    fits : dict of str to list of ResampleFit
        Of each candidate the first `KEPT_FITS` fits, those of resample 0, 1, ...
    """

    candidates: pd.DataFrame
    segments: pd.DataFrame
    fits: dict[str, list["ResampleFit"]] = field(default_factory=dict, repr=False)

    def of(self, candidate_id: str) -> "Stability":
        """Return what is said about one candidate."""
        tables = (each[each["candidate_id"] == candidate_id] for each in (self.candidates, self.segments))
        return Stability(*tables, {candidate_id: self.fits[candidate_id]})

    @classmethod
    def join(cls, parts: Iterable["Stability"]) -> "Stability":
        """Return what is said about the candidates of several."""
        parts = list(parts) or [cls(*(pd.DataFrame(columns=columns) for columns in _COLUMNS.values()))]
        tables = {name: pd.concat([getattr(one, name) for one in parts], ignore_index=True) for name in _COLUMNS}
        return cls(**tables, fits={name: fits for one in parts for name, fits in one.fits.items()})


class ResampleFit(NamedTuple):
    """A fit on a resample: its rule, and its labels of the customers judged."""

    rule: Any
    labels: np.ndarray


def resample_stability(
    samples: Mapping[str, Sample],
    recipes: Mapping[str, Recipe],
    *,
    seed: int,
    resamples: int = 100,
    give_up: float = GIVE_UP,
    limit: int = RESAMPLE_LIMIT,
    judged: int | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Stability:
    """Return how well each candidate comes back from resamples of the customers.

    Each resample (a bootstrap, or half of the customers for families that duplicates mislead) is segmented by the
    candidate's recipe, and the rule that comes out labels all customers. Labels of two resamples are compared by the
    adjusted Rand index, among customers who are in segments both times; each of the candidate's own segments is
    compared with its likest in every resample by the Jaccard index.

    Stability rises with the number of customers, so it is read a second time on resamples of 1,000. Bootstraps of 1,000
    vary alike in shops of any size above. Of families that duplicates mislead 1,000 are drawn without replacement, and
    vary the less the fewer there are to draw from (a mean by 1 / 1,000 - 1 / n): their readings compare only
    between shops well above 1,000 customers.

    Parameters
    ----------
    samples : mapping of family name to Sample
        The customers in an order of their own (that of their ids), not that of the file, as each family sees them.
    recipes : mapping of candidate_id to Recipe
    resamples : int
        Fits per candidate, an even number; two make a pair.
    give_up : float
        A candidate is not resampled beyond 8, 12, 20, 32, 50 or 72 where these settle that it is not feasible: by a
        one-sided t test at 0.01 (Bonferroni over its segments) some segment's mean Jaccard index is below this.
        Column ``resamples`` says so, and there is no reading at 1,000 customers then; 0 resamples all.
    limit : int
        Customers in a bootstrap, and customers judged, at most.
    judged : int, optional
        Customers judged, where it shall not be `limit`.

    References
    ----------
    Dolnicar & Leisch (2010), "Evaluation of structure and reproducibility of cluster solutions using the bootstrap";
    Hennig (2007), "Cluster-wise assessment of cluster stability".
    """
    n = len(next(iter(samples.values()), ()))
    rows = sample_rows(n, judged or limit, seed)
    plan = {name: recipe._replace(labels=recipe.labels[rows]) for name, recipe in recipes.items()}
    shared = {"jobs": jobs, "progress": progress, "what": "stability"}

    def judge(names: list[str], first: int, last: int, small: bool) -> dict[str, list[_Judged]]:
        part = {name: plan[name] for name in names}
        used = {recipe.family.name: samples[recipe.family.name] for recipe in part.values()}
        tasks = [(used, rows, part, seed, limit, pair, small) for pair in range(first, last)] if part else []
        found = list(run_tasks(_judge_pair, tasks, **shared))
        return {name: [each[name] for each in found] for name in names}

    count, begun, open_names = max(1, resamples // 2), 0, list(plan)
    small = SMALL_PAIRS if n > SMALL else 0
    judged_full: dict[str, list[_Judged]] = {name: [] for name in plan}
    for look in sorted({min(pairs, count) for pairs in (*LOOKS, count)}):
        for name, part in judge(open_names, begun, look, False).items():
            judged_full[name] += part
        begun, open_names = look, [name for name in open_names if _may_reach(judged_full[name], give_up)]
    judged_small = dict.fromkeys(plan, []) | judge(open_names, 0, small, True)

    candidates, segments = [], []
    for name, recipe in recipes.items():
        size = resample_size(n, halves=recipe.family.halves, limit=limit)
        full, at_small = judged_full[name], judged_small[name]
        candidates.append({"candidate_id": name, **_whole(full, at_small if small else full), "sample_size": size})
        customers = np.bincount(recipe.labels[recipe.labels >= 0])
        segments += [{"candidate_id": name, **row, "sample_size": size} for row in _by_segment(full, customers)]
    columns = {"candidates": candidates, "segments": segments}
    tables = {name: pd.DataFrame(found, columns=_COLUMNS[name]) for name, found in columns.items()}
    return Stability(**tables, fits={name: [fit for one in judged_full[name] for fit in one.fits] for name in plan})


_ARI = [f"stability_ari{reading}{end}" for reading in ("", "_1000") for end in ("", "_low", "_high")]
_LEAST = ["stability_jaccard_min", "stability_jaccard_min_low", "stability_jaccard_min_high"]
_JACCARD = ["label", "customers", "jaccard", "low", "high", "dissolved"]
_COLUMNS = {
    "candidates": ["candidate_id", *_ARI, *_LEAST, "resamples", "sample_size"],
    "segments": ["candidate_id", *_JACCARD, "resamples", "sample_size"],
}


@dataclass(frozen=True)
class _Judged:
    """One candidate on one pair of resamples."""

    ari: float
    jaccards: np.ndarray  # (2, segments)
    fits: list[ResampleFit]


def _may_reach(part: list[_Judged], least: float) -> bool:
    """Return whether no segment's mean Jaccard index is known to be below `least`."""
    from scipy.stats import t

    jaccards = np.concatenate([one.jaccards for one in part])
    error = jaccards.std(axis=0, ddof=1) / np.sqrt(len(jaccards))
    allowed = t.ppf(1 - DOUBT / max(jaccards.shape[1], 1), len(jaccards) - 1)
    return bool((jaccards.mean(axis=0) + allowed * error >= least).all())


def _whole(full: list[_Judged], at_small: list[_Judged]) -> dict[str, float]:
    aris, at_1000 = (np.array([one.ari for one in part] or [np.nan]) for part in (full, at_small))
    jaccards = np.concatenate([one.jaccards for one in full])
    least = jaccards[:, jaccards.mean(axis=0).argmin()] if jaccards.shape[1] else np.zeros(1)
    return {
        "stability_ari": aris.mean(),
        "stability_ari_low": np.quantile(aris, 0.05),
        "stability_ari_high": np.quantile(aris, 0.95),
        "stability_ari_1000": at_1000.mean(),
        "stability_ari_1000_low": np.quantile(at_1000, 0.05),
        "stability_ari_1000_high": np.quantile(at_1000, 0.95),
        "stability_jaccard_min": least.mean(),
        "stability_jaccard_min_low": np.quantile(least, 0.05),
        "stability_jaccard_min_high": np.quantile(least, 0.95),
        "resamples": 2 * len(full),
    }


def _by_segment(full: list[_Judged], customers: np.ndarray) -> list[dict[str, float]]:
    jaccards = np.concatenate([one.jaccards for one in full])
    return [
        {
            "label": label,
            "customers": customers[label],
            "jaccard": each.mean(),
            "low": np.quantile(each, 0.05),
            "high": np.quantile(each, 0.95),
            "dissolved": (each < DISSOLVED).mean(),
            "resamples": len(each),
        }
        for label, each in enumerate(jaccards.T)
    ]


def _judge_pair(samples, rows, plan, seed, limit, pair: int, small: bool) -> dict[str, _Judged]:
    n = len(next(iter(samples.values())))
    fits: dict[str, list[ResampleFit]] = {name: [] for name in plan}
    judged = {id(sample): sample.X[rows] for sample in samples.values()}
    for number in (2 * pair, 2 * pair + 1):
        drawn: dict[bool, np.ndarray] = {}
        taken: dict[tuple, Sample] = {}
        for name, (family, params, _) in plan.items():
            # One resample for all that are drawn alike, so that a family can share work among its candidates.
            sample = samples[family.name]
            if family.halves not in drawn:
                drawn[family.halves] = _rows_of(n, family.halves, small, seed, number, limit)
            if (kind := (id(sample), family.halves)) not in taken:
                taken[kind] = sample.take(drawn[family.halves])
            rule = family.refit(taken[kind], seed=seed + number, **params).rule
            fits[name].append(ResampleFit(rule, assign_labels(rule, judged[id(sample)])[0]))
    kept = not small and 2 * pair < KEPT_FITS
    return {name: _judge(fits[name], plan[name].labels, kept) for name in plan}


def _rows_of(n: int, halves: bool, small: bool, seed: int, number: int, limit: int) -> np.ndarray:
    if small:
        draw = stream(seed, "small", number)
        return np.sort(draw.permutation(n)[:SMALL] if halves else draw.integers(n, size=SMALL))
    return resample_rows(n, halves=halves, seed=seed, number=number, limit=limit)


def _judge(fits: list[ResampleFit], reference: np.ndarray, kept: bool) -> _Judged:
    labels = [fit.labels for fit in fits]
    jaccards = np.array([segment_jaccards(reference, each) for each in labels])
    return _Judged(adjusted_rand(contingency(*labels)), jaccards, fits if kept else [])
