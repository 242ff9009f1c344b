"""What a report asks of the order lines beside features and scores, by Spark against the engine inside."""

from datetime import date, timedelta

import pandas as pd
import pytest
from samples import DATASETS

from segkit.data.explore import category_sales, longest_pause_days, monthly_sales, only_returned
from segkit.data.orders import read_orders
from segkit.features.build import count_customers, customer_features
from segkit.features.outcomes import customer_outcomes
from segkit.segments.personas.products import bought_more

HORIZON = 90
SAMPLE = 1_000


def asked(orders, day: date) -> dict[str, pd.DataFrame]:
    """Return every table that notebooks ask of the order lines."""
    origin = day - timedelta(days=HORIZON)
    recipe = customer_features(orders, origin).recipe
    segments = customer_features(orders.sample, day, recipe=recipe).table["order_count"].clip(upper=3)
    figures = [longest_pause_days(orders), count_customers(orders, origin), *only_returned(orders, origin, day)]
    return {
        "figures": pd.DataFrame({"figure": figures}, dtype="float64"),
        "months": monthly_sales(orders, day),
        "categories": pd.DataFrame() if (sales := category_sales(orders)) is None else sales,
        "sample, before": customer_features(orders.sample, origin, recipe=recipe).table,
        "outcomes": customer_outcomes(orders, origin, HORIZON, recipe),
        "bought": bought_more(orders, "S" + segments.astype("str"), day - timedelta(days=365), day),
    }


@pytest.mark.parametrize("name", DATASETS)
def test_every_question_of_a_report_has_the_same_answer(spark, monkeypatch, name):
    monkeypatch.setattr("segkit.data.orders.SAMPLED", SAMPLE)
    card, day = DATASETS[name]()
    answers = []
    for engine in ("duckdb", spark):
        with read_orders(card, day, engine=engine) as orders:
            answers.append(asked(orders, day))
    inside, outside = answers
    assert len(inside["sample, before"]) <= SAMPLE
    for table, expected in inside.items():
        assert list(outside[table]) == list(expected), table
        pd.testing.assert_frame_equal(outside[table], expected, rtol=1e-9, atol=0, obj=f"{name}: {table}")
