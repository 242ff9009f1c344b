"""The rules that a learned segmentation must beat: a map of RFM scores, and tiers of spend.

Both are fitted once (the edges of their classes) and then frozen, as any other segmentation is.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from segkit.clustering.family import Family
from segkit.clustering.fit import Candidate, Fit, Sample, assign_labels
from segkit.preprocessing.prepare import CustomerMatrix
from segkit.preprocessing.transforms import as_numbers
from segkit.runtime.errors import InputError

# Segments of a map from the least to the most valued, each as rectangles (r from, r to, fm from, fm to) of scores 1 to
# 5: r for the days since the last order, fm for the mean of the scores of orders and spend, halves rounded up, since
# these two say nearly the same. A published map never changes: another one gets a name of its own.
RFM_MAPS: dict[str, dict[str, tuple[tuple[int, int, int, int], ...]]] = {
    "rfm-10": {
        "Lost": ((1, 2, 1, 1),),
        "Hibernating": ((1, 2, 2, 2),),
        "About to sleep": ((3, 3, 1, 2),),
        "At risk": ((1, 2, 3, 4),),
        "Promising": ((4, 5, 1, 1),),
        "Need attention": ((3, 3, 3, 3),),
        "Can't lose them": ((1, 2, 5, 5),),
        "Potential loyalists": ((4, 5, 2, 3),),
        "Loyal": ((3, 3, 4, 5), (4, 4, 4, 4)),
        "Champions": ((5, 5, 4, 5), (4, 4, 5, 5)),
    }
}
TIERS = {"Top 1 %": 0.01, "Next 4 %": 0.05, "Next 15 %": 0.2, "Next 30 %": 0.5, "Lower half": 1.0}
UNKNOWN = "Unknown"  # customers without one of the figures (a ready table): label -1

_SCORED = {"r": "days_since_last_order", "f": "order_count", "m": "spend"}


@dataclass(frozen=True)
class RfmMap:
    """A map of `RFM_MAPS` with the edges of its scores, frozen; made by `fit_rfm`.

    `edges` holds, for each score, the figures at which a customer reaches 2, 3, 4 and 5 (for `r` at most so many
    days, else at least). Where many customers share a figure there are fewer, and some scores stay empty.
    """

    version: str
    edges: dict[str, tuple[float, ...]]

    @property
    def candidate_id(self) -> str:
        """The name of the map."""
        return self.version

    @property
    def segments(self) -> list[str]:
        """Names from the most to the least valued: `label` is the position."""
        return list(RFM_MAPS[self.version])[::-1]

    def assign(self, features: pd.DataFrame) -> pd.DataFrame:
        """Return each customer's scores and segment: index as in features; r, f, m (1 to 5, 0 unknown), label, segment.

        Raises
        ------
        InputError
            A column is missing; the message names it.
        """
        scores = {score: self._score(features, score) for score in _SCORED}
        r, f, m = scores.values()
        labels = np.full(len(features), -1)
        for label, segment in enumerate(self.segments):
            for cell in RFM_MAPS[self.version][segment]:
                labels[_inside(cell, r, (f + m + 1) // 2)] = label
        labels[(r == 0) | (f == 0) | (m == 0)] = -1
        return pd.DataFrame({**scores, **_named(labels, self.segments)}, index=features.index)

    def _score(self, features: pd.DataFrame, score: str) -> np.ndarray:
        figures = _upwards(_column(features, _SCORED[score]), score)
        edges = np.array(self.edges[score]) * (-1 if score == "r" else 1)
        return np.where(np.isnan(figures), 0, 1 + np.searchsorted(edges, figures, side="right"))

    def to_dict(self) -> dict:
        """Return the map as what JSON can hold."""
        return {"version": self.version, "edges": {score: list(edges) for score, edges in self.edges.items()}}

    @classmethod
    def from_dict(cls, stored: dict) -> "RfmMap":
        """Return the map that `to_dict` stored."""
        return cls(stored["version"], {score: tuple(edges) for score, edges in stored["edges"].items()})


def fit_rfm(features: pd.DataFrame, version: str = "rfm-10") -> RfmMap | None:
    """Return the RFM map with edges at the quintiles of these customers; None where the table lacks a column.

    The score of a figure is the fifth that the middle of the customers who share it falls into, so that equal
    customers have equal scores: of 60 % who ordered once the middle is at 30 %, score 2 (a quintile of ranks would
    spread them over 1, 2 and 3 by the order of rows).

    Parameters
    ----------
    features : DataFrame
        days_since_last_order (days), order_count (orders), spend (currency); one row per customer.
    version : str
        A key of `RFM_MAPS`.

    Raises
    ------
    InputError
        Unknown version; the message names those there are.

    Examples
    --------
    >>> features = pd.DataFrame(
    ...     {
    ...         "days_since_last_order": [1, 30, 90, 200, 360],
    ...         "order_count": [9, 1, 1, 1, 2],
    ...         "spend": [900, 40, 60, 10, 80],
    ...     },
    ...     index=list("abcde"),
    ... )
    >>> rfm = fit_rfm(features)
    >>> rfm.assign(features)
       r  f  m  label         segment
    a  5  5  5      0       Champions
    b  4  2  2      2  Potential loyalists
    c  3  2  3      4  Need attention
    d  2  2  1      8     Hibernating
    e  1  4  4      6         At risk
    >>> fit_rfm(features, "rfm-99")
    Traceback (most recent call last):
    segkit.InputError: unknown RFM map 'rfm-99'; there is rfm-10
    """
    if version not in RFM_MAPS:
        raise InputError(f"unknown RFM map {version!r}; there is {', '.join(RFM_MAPS)}")
    if any(column not in features for column in _SCORED.values()):
        return None
    edges = {}
    for score, column in _SCORED.items():
        reached = _quintile_edges(_upwards(_column(features, column), score))
        edges[score] = tuple(-edge if score == "r" else edge for edge in reached)
    return RfmMap(version, edges)


def _quintile_edges(figures: np.ndarray) -> list[float]:
    """Return the smallest figures whose customers' middle lies above 20, 40, 60 and 80 % of all customers."""
    distinct, counts = np.unique(figures[~np.isnan(figures)], return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    places = np.searchsorted(middle, np.array([0.2, 0.4, 0.6, 0.8]) * counts.sum(), side="right")
    return [float(distinct[place]) for place in places if place < len(distinct)]


def _upwards(figures: np.ndarray, score: str) -> np.ndarray:
    return -figures if score == "r" else figures


def _inside(cell: tuple[int, int, int, int], r: np.ndarray, fm: np.ndarray) -> np.ndarray:
    r_from, r_to, fm_from, fm_to = cell
    return (r >= r_from) & (r <= r_to) & (fm >= fm_from) & (fm <= fm_to)


@dataclass(frozen=True)
class ValueTiers:
    """Tiers of spend, frozen; made by `fit_value_tiers`. `edges` is the least spend of each tier but the last."""

    edges: tuple[float, ...]

    candidate_id = f"tiers-{len(TIERS)}"

    @property
    def segments(self) -> list[str]:
        """Names from the highest to the lowest spend: `label` is the position."""
        return list(TIERS)

    def assign(self, features: pd.DataFrame) -> pd.DataFrame:
        """Return each customer's tier: index as in features; label, segment.

        Raises
        ------
        InputError
            The column spend is missing.
        """
        spend = _column(features, "spend")
        labels = np.searchsorted(-np.array(self.edges), -spend, side="left")
        return pd.DataFrame(_named(np.where(np.isnan(spend), -1, labels), self.segments), index=features.index)

    def to_dict(self) -> dict:
        """Return the tiers as what JSON can hold."""
        return {"edges": list(asdict(self)["edges"])}

    @classmethod
    def from_dict(cls, stored: dict) -> "ValueTiers":
        """Return the tiers that `to_dict` stored."""
        return cls(tuple(stored["edges"]))


def fit_value_tiers(features: pd.DataFrame) -> ValueTiers | None:
    """Return tiers with edges at the top 1, 5, 20 and 50 % of spend; None where the table has no spend.

    Customers with the same spend share a tier, the higher one, so that a tier can be larger than its name says.

    Examples
    --------
    >>> features = pd.DataFrame({"spend": [float(spend) for spend in range(1, 101)]})
    >>> fit_value_tiers(features).assign(features)["segment"].value_counts(sort=False).to_dict()
    {'Lower half': 50, 'Next 30 %': 30, 'Next 15 %': 15, 'Next 4 %': 4, 'Top 1 %': 1}
    """
    if "spend" not in features:
        return None
    spend = _column(features, "spend")
    highest = np.sort(spend[~np.isnan(spend)])[::-1]
    # 1e-9: 0.2 * 15 is a little more than 3, and the fourth customer isn't in the top 20 % of 15.
    last = [max(1, int(np.ceil(share * len(highest) - 1e-9))) for share in list(TIERS.values())[:-1]]
    return ValueTiers(tuple(float(highest[place - 1]) for place in last) if len(highest) else ())


def _column(features: pd.DataFrame, column: str) -> np.ndarray:
    if column not in features:
        raise InputError(f"features lack {column}, which the baseline was fitted on: compute it first")
    return as_numbers(features[column], "money")


def _named(labels: np.ndarray, segments: list[str]) -> dict:
    names = pd.array([*segments, UNKNOWN], dtype="str")  # UNKNOWN last: label -1
    return {"label": labels, "segment": names.take(labels)}


def _features(matrix: CustomerMatrix) -> Sample:
    return Sample(matrix.table, customers=matrix.compared)


def _fit_map(customers: Sample, /, *, seed: int, version: str) -> Fit:
    """Return the map as a fit: labels are the places of its segments, most valued first; some may have nobody."""
    rule = fit_rfm(customers.X, version)
    if rule is None:
        raise InputError(f"{version} needs {', '.join(_SCORED.values())}: choose another")
    return Fit(*assign_labels(rule, customers.X), rule)


def _fit_tiers(customers: Sample, /, *, seed: int) -> Fit:
    rule = fit_value_tiers(customers.X)
    if rule is None:
        raise InputError(f"{ValueTiers.candidate_id} needs spend: choose another")
    return Fit(*assign_labels(rule, customers.X), rule)


def _maps(matrix: CustomerMatrix, segments: Sequence[int]) -> list[Candidate]:
    known = set(_SCORED.values()) <= set(matrix.features.table)
    return [Candidate("rfm-10", "rfm", {"version": "rfm-10"})] if known else []


def _tiers(matrix: CustomerMatrix, segments: Sequence[int]) -> list[Candidate]:
    return [Candidate("tiers-5", "tiers", {})] if "spend" in matrix.features.table else []


RFM = Family("rfm", "RFM map", "#882255", 0, _maps, _fit_map, sample=_features, baseline=True, phrase="an RFM map")
VALUE_TIERS = Family(
    "tiers", "value tiers", "#332288", 0, _tiers, _fit_tiers, sample=_features, baseline=True,
    phrase="sorting by spend alone",
)  # fmt: skip
