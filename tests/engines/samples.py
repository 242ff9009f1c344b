"""Two real datasets, and how far two tables of features are apart."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from segkit.clustering.fit import Candidate
from segkit.clustering.freeze import freeze_candidate
from segkit.clustering.segmentation import Segmentation
from segkit.data.cards.card import Card, read_card
from segkit.data.orders import read_orders
from segkit.features.build import build_features
from segkit.preprocessing.prepare import CustomerMatrix, prepare

KMEANS = Candidate("kmeans-5", "kmeans", {"k": 5})
# Where a copy of the published file may lie: in the project or in a folder beside it.
PLACES = [place / "data" for folder in Path(__file__).parents[2:5] for place in (folder, folder / "shared")]


def complete_journey() -> tuple[Card, date]:
    return read_card("complete-journey"), date(2017, 9, 30)


def online_retail() -> tuple[Card, date]:
    copies = [path for place in PLACES for path in place.glob("**/online_retail_*.parquet")]
    if not copies:
        pytest.skip("no copy of Online Retail II in the project or beside it")
    return read_card("online-retail-ii", copies[0]), date(2010, 11, 30)


def june_matrix() -> CustomerMatrix:
    """Customers of the embedded data as of the end of June, ready for comparing."""
    with read_orders(read_card("complete-journey"), date(2017, 6, 30)) as orders:
        return prepare(build_features(orders, date(2017, 6, 30)))


def scored_features() -> tuple[pd.DataFrame, Segmentation]:
    """Features of the embedded data and a model of them."""
    matrix = june_matrix()
    return matrix.features.table, freeze_candidate(matrix, KMEANS)


DATASETS = {"complete-journey": complete_journey, "online-retail-ii": online_retail}


def largest_difference(one: pd.DataFrame, other: pd.DataFrame) -> float:
    """The largest relative difference of two tables with the same rows, columns, types, texts and gaps."""
    assert one.dtypes.equals(other.dtypes)
    texts = [name for name in one if one[name].dtype == "str"]
    pd.testing.assert_frame_equal(one[texts], other[texts])
    x, y = (table.drop(columns=texts).to_numpy(dtype="float64", na_value=np.nan) for table in (one, other))
    assert one.index.equals(other.index)
    assert (np.isnan(x) == np.isnan(y)).all()
    return float(np.nanmax(np.abs(x - y) / np.maximum(np.maximum(np.abs(x), np.abs(y)), np.finfo(float).tiny)))
