"""Apache Spark, a master and two workers, against the engine inside."""

from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from segkit.cards import read_card
from segkit.errors import InputError
from segkit.features import customer_features
from segkit.sources import read_orders

# A copy of the published file, in the project or in a folder beside it.
PLACES = [place / "data" for folder in Path(__file__).parents[2:5] for place in (folder, folder / "shared")]
RETAIL = [path for place in PLACES for path in place.glob("**/online_retail_*.parquet")]
SETS = {
    "complete-journey": (None, date(2017, 9, 30)),
    "online-retail-ii": (RETAIL[0] if RETAIL else None, date(2010, 11, 30)),
}


def largest_difference(one: pd.DataFrame, other: pd.DataFrame) -> float:
    """The largest relative difference of two tables with the same rows, columns, types, texts and gaps."""
    texts = [name for name in one if one[name].dtype == "str"]
    pd.testing.assert_frame_equal(one[texts], other[texts])
    assert one.dtypes.equals(other.dtypes)
    x, y = (table.drop(columns=texts).to_numpy(dtype="float64", na_value=np.nan) for table in (one, other))
    assert (np.isnan(x) == np.isnan(y)).all()
    return float(np.nanmax(np.abs(x - y) / np.maximum(np.maximum(np.abs(x), np.abs(y)), np.finfo(float).tiny)))


@pytest.fixture(scope="module", params=SETS)
def both(request, spark):
    """The same dataset read and turned into features by both engines."""
    source, day = SETS[request.param]
    if request.param == "online-retail-ii" and not RETAIL:
        pytest.skip("no copy of Online Retail II in or beside the project")
    card, made = read_card(request.param, source), []
    for engine in ("duckdb", spark):
        with read_orders(card, day, engine=engine) as orders:
            features = customer_features(orders, day)
            made.append((features, orders.ledger, orders.quarantine, orders.duplicates, orders.columns, orders.notes))
    return request.param, *made


def test_every_feature_of_every_customer_is_the_same(both):
    name, (inside, *_), (spark, *_) = both
    difference = largest_difference(inside.table, spark.table)
    print(f"{name}: {inside.table.shape}, largest relative difference {difference:.1e}")
    assert difference <= 1e-9
    assert spark.recipe == inside.recipe
    pd.testing.assert_frame_equal(spark.dictionary, inside.dictionary)


def test_every_line_stands_under_the_same_reason(both):
    _, (_, ledger, quarantine, *others), (_, its_ledger, its_quarantine, *its_others) = both
    pd.testing.assert_frame_equal(its_ledger, ledger)
    pd.testing.assert_frame_equal(its_quarantine, quarantine)
    assert its_others == others


def test_order_lines_do_not_fit_into_what_may_come_back(spark):
    with (
        read_orders(read_card("complete-journey"), date(2017, 9, 30), engine=spark) as orders,
        pytest.raises(duckdb.Error, match="maxResultSize"),
    ):
        orders.connection.execute("SELECT * FROM orders")


def test_an_address_where_nobody_answers_is_refused():
    with pytest.raises(InputError, match="no Spark master answers at spark://127.0.0.1:9"):
        read_orders(read_card("complete-journey"), engine="spark://127.0.0.1:9")
