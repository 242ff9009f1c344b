"""Where customers lie on the map of a month: alike ones close together, and in the same place next month."""

import numpy as np
import pandas as pd

from segkit.preprocessing.map import lay_out
from segkit.preprocessing.matrix import Matrix
from segkit.runtime.cache import kept
from segkit.runtime.progress import progress_bar
from segkit.runtime.seeds import sample_customers

MAP_CUSTOMERS = 5_000  # customers on the map: more would hide each other, and the page would grow
LIKE_CUSTOMERS = 3  # of the month before, between whom a customer is placed on its map


def draw_map(
    features: pd.DataFrame, transformer: Matrix, segments: pd.Series, seed: int = 0, previous=None
) -> pd.DataFrame:
    """Return where at most `MAP_CUSTOMERS` customers lie on the map.

    Parameters
    ----------
    features : DataFrame
        Index customer_id; natural units.
    transformer : Matrix
        Of the candidates.
    segments : Series
        Index customer_id, the segment_id.
    previous : EarlierMonth, optional
        Where its model is kept: customers are drawn on its map, so that a place means the same.

    Returns
    -------
    DataFrame
        Index customer_id; ``x, y, segment_id``.
    """
    from joblib import hash as content_hash

    shown = features.loc[sample_customers(features.index, MAP_CUSTOMERS)]
    X = transformer.transform(shown)

    def draw() -> dict:
        with progress_bar("laying out the map"):
            return {"positions": pd.DataFrame(lay_out(X, seed), index=shown.index, columns=["x", "y"])}

    if previous is not None:
        positions = _follow(X, shown.index, transformer, previous)
    else:
        depends = {"X": content_hash(X), "customers": content_hash(list(shown.index)), "seed": seed}
        positions = kept("map", "preprocessing.map", depends, draw)["positions"]
    return positions.assign(segment_id=segments.reindex(positions.index))


def _follow(X: np.ndarray, customers: pd.Index, transformer: Matrix, previous) -> pd.DataFrame:
    """Place each customer among those most alike on the map of the month before."""
    from scipy.spatial import KDTree

    known = previous.positions
    tree = KDTree(transformer.transform(previous.features.loc[known.index]))
    distance, alike = tree.query(X, k=min(LIKE_CUSTOMERS, len(known)))
    distance, alike = distance.reshape(len(X), -1), alike.reshape(len(X), -1)
    weights = 1 / np.maximum(distance, 1e-6) ** 2
    places = np.average(known.to_numpy()[alike], axis=1, weights=np.stack([weights] * 2, axis=-1))
    return pd.DataFrame(places, index=customers, columns=["x", "y"])
