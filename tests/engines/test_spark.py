"""Apache Spark, a master and two workers, against the engine inside."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import date

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from samples import DATASETS, KMEANS, june_matrix, largest_difference, scored_features

from segkit.clustering.assign import assign_customers
from segkit.clustering.freeze import fit_candidate, freeze_candidate
from segkit.data.cards.card import read_card
from segkit.data.engines.engine import open_engine
from segkit.data.orders import read_orders
from segkit.features.build import customer_features
from segkit.runtime.errors import InputError
from segkit.scoring.on_spark import score_in_cluster
from segkit.scoring.score import score_customers
from segkit.scoring.sql.model_sql import rules_sql


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


@pytest.mark.parametrize(
    ("home", "said"), [("", ""), ("/nowhere", r"Spark can't start Java \(.*\): install Java 17, or set JAVA_HOME")]
)
def test_starting_says_nothing_unless_it_fails_and_leaves_ctrl_c_alone(home, said):
    first = "import signal; from segkit.data.engines.engine import open_engine; "
    first += "signal.signal(signal.SIGINT, signal.SIG_DFL); open_engine('local[1]').close(); "
    first += "assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL"
    where = {"JAVA_HOME": home} if home else {}
    ended = subprocess.run([sys.executable, "-c", first], capture_output=True, text=True, env=os.environ | where)
    assert ended.stdout == ""
    assert re.search(said, ended.stderr) if said else ended.stderr == ""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A model of June, such as a finished run keeps."""
    folder, matrix = tmp_path_factory.mktemp("run"), june_matrix()
    again = [fit_candidate(replace(matrix, seed=seed), KMEANS).rule for seed in (1, 2)]
    replace(freeze_candidate(matrix, KMEANS), resampled=tuple(again)).save(folder / "model")
    return folder


@pytest.mark.parametrize("month", ["", "2017-09"])
def test_the_workers_write_the_very_rows_that_one_machine_scores(spark, run, tmp_path, month):
    sizes = score_in_cluster(run, "complete-journey", tmp_path / "scores", month=month, engine=spark)
    written = pd.read_parquet(tmp_path / "scores").set_index("customer_id").sort_index()
    expected = score_customers(run, "complete-journey", month=month)
    pd.testing.assert_frame_equal(written.astype(expected.dtypes.to_dict()), expected, check_index_type=False)
    assert sizes.to_dict() == expected["segment"].value_counts().to_dict()
    assert [path.name for path in tmp_path.iterdir()] == ["scores"]


def test_a_month_that_the_data_does_not_cover_is_refused_or_warned_of_in_the_cluster_too(spark, run, tmp_path):
    with pytest.raises(InputError, match="has no orders in 2018-09: up to then its orders run from 2017-01-01 to "):
        score_in_cluster(run, "complete-journey", tmp_path / "scores", month="2018-09", engine=spark)
    assert not list(tmp_path.iterdir())
    told = []
    score_in_cluster(run, "complete-journey", tmp_path / "scores", month="2018-01", engine=spark, tell=told.append)
    assert [text.partition(":")[0] for text in told] == ["Incomplete"]


def test_the_exported_model_gives_the_same_segments_in_the_cluster(spark):
    features, model = scored_features()
    connection = open_engine(spark)
    connection.session.createDataFrame(pa.Table.from_pandas(features.reset_index())).createOrReplaceTempView("features")
    found = connection.execute(rules_sql(model, features)).df().set_index("customer_id")["segment_id"]
    connection.close()
    assert found.to_dict() == assign_customers(model, features, sure=False)["segment_id"].to_dict()


def test_a_small_intermediate_table_is_kept_in_few_pieces(spark):
    connection = open_engine(spark)
    connection.session.conf.set("spark.sql.shuffle.partitions", "50")
    connection.register("lines", pd.DataFrame({"customer": range(1000)}))
    connection.execute("CREATE TABLE stage AS SELECT customer % 10 AS ten, count(*) AS n FROM lines GROUP BY 1")
    assert connection.execute("SELECT sum(n) FROM stage").fetchone() == (1000,)
    assert connection.session.table("stage").rdd.getNumPartitions() < 10
    connection.close()
