"""Segmentations that are no candidates: peers with as many segments, so that candidates are compared on equal terms."""

import pandas as pd

from segkit.clustering.methods import METHODS
from segkit.clustering.rfm import fit_rfm
from segkit.features.build import CustomerFeatures
from segkit.preprocessing.prepare import fit_matrix

VALUE_FAMILIES = ("value", "lifecycle", "trend")  # of features; the others say what and how customers bought


def count_segments(labels: pd.DataFrame) -> pd.Series:
    """Return by candidate_id how many segments there are; customers left out count as one, as they do in the skill.

    Examples
    --------
    >>> count_segments(pd.DataFrame({"hdbscan-50": [-1, 0, 1], "kmeans-2": [0, 0, 1]})).to_dict()
    {'hdbscan-50': 3, 'kmeans-2': 2}
    """
    return labels.nunique()


def like_rfm(features: CustomerFeatures, ks: list[int], seed: int) -> pd.DataFrame:
    """Return labels of k-means on the three RFM scores (``rfm-scores-5``): rules on equal terms, k for k."""
    rfm = fit_rfm(features.table)
    scores = None if rfm is None else rfm.assign(features.table)[["r", "f", "m"]].to_numpy("float64")
    return _cut(scores, "rfm-scores", ks, seed, features.table.index)


def like_behaviour(features: CustomerFeatures, ks: list[int], seed: int) -> pd.DataFrame:
    """Return labels of k-means on what and how customers bought (``behaviour-5``), each column in standard deviations.

    The simplest way to segments that differ in behaviour, for which no outcome has to be learned. Without such columns
    there are none.
    """
    matrix = fit_matrix(features.table, features.dictionary)
    told = ~matrix.columns["family"].isin(VALUE_FAMILIES).to_numpy()
    X = matrix.transform(features.table)[:, told]
    return _cut(X / X.std(axis=0) if told.any() else None, "behaviour", ks, seed, features.table.index)


def _cut(X, name: str, ks: list[int], seed: int, customers: pd.Index) -> pd.DataFrame:
    if X is None:
        return pd.DataFrame(index=customers)
    found = {f"{name}-{k}": METHODS["kmeans"](X, seed=seed, k=int(k)).labels for k in ks if k > 1}
    return pd.DataFrame(found, index=customers)
