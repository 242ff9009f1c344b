"""Apache Spark, a master and two workers, against the engine inside."""

from datetime import date

import duckdb
import pandas as pd
import pytest
from samples import DATASETS, largest_difference

from segkit.cards import read_card
from segkit.errors import InputError
from segkit.features import customer_features
from segkit.sources import read_orders


@pytest.fixture(scope="module", params=DATASETS)
def both(request, spark):
    """The same dataset read and turned into features by both engines."""
    card, day = DATASETS[request.param]()
    made = []
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
