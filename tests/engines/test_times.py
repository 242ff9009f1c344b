"""Dates in many formats, read by Spark as by the engine inside."""

import pandas as pd
import pytest
from samples import largest_difference

from segkit.data.cards.card import read_card
from segkit.data.dates import USUAL_FORMATS
from segkit.data.engines.engine import open_engine
from segkit.data.orders import read_orders
from segkit.data.views import connect
from segkit.features.build import customer_features
from segkit.runtime.errors import InputError

TEXTS = [
    "05.01.2026 10:30", "5.1.2026 9:05", "05.01.26", "5.1.26", "05.01.95", " 05.01.2026 ", "05.01.2026  10:30",
    "05. 01. 2026", "1.2.3456", "05/01/2026 10:30", "5/1/2026", "1/5/2026 3:07 PM", "01/05/2026 03:07:11 pm",
    "2/29/2024 12:05 am", "12/30/99", "31.02.2026", "29.02.2025", "2026-01-05", "2026-1-5", "26-01-05",
    "2026-01-05 10:30:15", "2026-01-05T10:30:15", "2026-01-05 10:30:15.5", "20260105", "20260105103015",
    "2026-01-05 10:30:15 +0200", "2026-01-05 10:30:15+02", "2026-01-05 10:30:15  -05:30", "2026-01-05 10:30:15 Z",
    "05.01.2026 24:00", "5 Jan 2026", "05 January 2026", "Jan 5, 2026", "january 05, 2026", "05-JAN-2026",
    "7 May 2026", "5 Janvier 2026", "never", "",
]  # fmt: skip
SHOP = """
title = "x"
[orders]
source = "lines.csv"
date_format = ["%d.%m.%y", "%d.%m.%Y %H:%M", "%Y-%m-%dT%H:%M:%S"]
[orders.columns]
customer_id = "customer"
order_id = "order"
ordered_at = "at"
product_id = { sql = "'tea'" }
quantity = { sql = "1" }
amount = "order"
"""


def test_every_usual_format_reads_the_same_texts_and_no_others(spark, tmp_path):
    shown = TEXTS + [pd.Timestamp("2026-05-07 15:07:11+0200").strftime(one) for one in USUAL_FORMATS]
    texts = pd.DataFrame({"place": range(len(shown)), "shown": shown})
    reads = ", ".join(
        f"CAST(CAST(try_strptime(shown, '{one}') AS TIMESTAMP) AS VARCHAR) AS \"{one}\"" for one in USUAL_FORMATS
    )
    found = []
    for connection in (connect({}, str(tmp_path), None, 1), open_engine(spark)):
        connection.register("texts", texts)
        found.append(connection.execute(f"SELECT {reads} FROM texts ORDER BY place").df().set_axis(shown))
        connection.close()
    pd.testing.assert_frame_equal(found[1].astype("str"), found[0].astype("str"))
    assert found[0].notna().any().all()


def test_dates_in_several_formats_give_the_same_features(spark, tmp_path, monkeypatch):
    monkeypatch.setattr("segkit.runtime.cache.CACHE", tmp_path / "cache")
    times = pd.date_range("2025-01-01 09:05", "2025-06-30", freq="37h")
    formats = ("%d.%m.%y", "%-d.%-m.%Y %H:%M", "%Y-%m-%dT%H:%M:%S")
    written = [time.strftime(formats[place % 3]) for place, time in enumerate(times)]
    lines = pd.DataFrame({"customer": [place % 20 for place in range(len(times))], "order": range(1, len(times) + 1)})
    lines.assign(at=written).to_csv(tmp_path / "lines.csv", index=False)
    (tmp_path / "shop.toml").write_text(SHOP)
    (tmp_path / "other.toml").write_text(SHOP.replace("%d.%m.%y", "%a %d.%m.%y"))
    made = []
    for engine in ("duckdb", spark):
        with read_orders(read_card(tmp_path / "shop.toml"), engine=engine) as orders:
            made.append((customer_features(orders, orders.last_day).table, orders.ledger))
    assert largest_difference(made[0][0], made[1][0]) <= 1e-9
    pd.testing.assert_frame_equal(made[1][1], made[0][1])
    assert made[0][1]["rows"].tolist() == [len(times)]
    with pytest.raises(InputError, match=r'date_format "%a %d.%m.%y": Spark can\'t read %a'):
        read_orders(read_card(tmp_path / "other.toml"), engine=spark)
