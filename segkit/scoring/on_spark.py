"""Scoring where the order lines are: features and segments made by the workers of a cluster, and written by them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pandas as pd

from segkit.clustering.assign import assign_customers
from segkit.clustering.segmentation import LEFT_OUT, UNSEGMENTED, Segmentation
from segkit.data.orders import Orders, read_orders
from segkit.data.periods import check_sales, last_day_counted
from segkit.features.build import present_features
from segkit.features.custom import custom_features
from segkit.features.customers import customer_statement
from segkit.features.recipe import recipe_features
from segkit.features.stages import open_stages
from segkit.runtime.disk import building, check_name, check_writable, shortened
from segkit.runtime.errors import InputError
from segkit.scoring.score import known_customers, left_out_why, open_model, tell_data, without_orders_why

_COLUMNS = "customer_id string, segment_id string, segment string, nearest_segment_id string, "
_COLUMNS += "confidence double, reason string"


def score_in_cluster(
    run: Path | str,
    dataset: str | Path,
    out: Path | str,
    month: str = "",
    as_of: str = "",
    source: str = "",
    engine="",
    tell: Callable[[str], object] | None = None,
) -> pd.Series:
    """Write the segment of every customer as parquet, from the workers of a Spark cluster; return segment sizes.

    The rows are those of `score_customers`; neither they nor the features come to the driver.

    Parameters
    ----------
    run, dataset, month, as_of, source, tell
        As for `score_customers`.
    out : path
        Folder that the workers write: a place that they all see. Replaced whole, or left as it was.
    engine : str or SparkSession
        As for `read_orders`.

    Returns
    -------
    Series
        Customers by name of segment, largest first.

    Raises
    ------
    InputError
        As `score_customers`; or the workers' Python has no segkit.
    """
    segmentation, card = open_model(run, dataset, source)
    if card.ready is not None:
        raise InputError(f"{card.name} is a ready table of customers: score it without --engine")
    out = Path(out)
    check_folder(out)
    day = last_day_counted(month, as_of) if month or as_of else segmentation.as_of
    with building(out, f"--out {out}") as new, read_orders(card, day, engine=engine) as orders:
        check_sales(orders, month or str(day), day, segmentation.window_days)
        for warning in tell_data(orders, month or str(day), day) if tell else ():
            tell(warning)
        try:
            with _scored(orders, day, segmentation, day != segmentation.as_of or bool(source)) as scores:
                orders.connection.write_parquet(scores, new)
            orders.connection.read_parquet("scores", sorted(new.glob("*.parquet")))
            sizes = orders.connection.execute("SELECT segment, count(*) AS customers FROM scores GROUP BY segment").df()
        except duckdb.Error as error:
            if "No module named 'segkit'" in str(error):
                raise InputError(
                    "the Python of Spark's workers has no segkit: install it, or name one that has in PYSPARK_PYTHON"
                ) from None
            raise
    return sizes.set_index("segment")["customers"].sort_values(ascending=False, kind="stable")


def check_folder(out: Path) -> None:
    """Refuse a folder that a cluster can't write scored customers to, or that holds anything but parquet files."""
    check_name(out, f"--out {out}")
    if not out.parent.is_dir():
        raise InputError(f"--out {shortened(out)}: there is no folder {shortened(out.parent)}")
    if out.is_file():
        raise InputError(f"--out {out} is a file, and a cluster writes a folder of parquet files: name another place")
    check_writable(out.parent, f"--out {out}")
    others = [one.name for one in out.iterdir() if one.suffix != ".parquet"] if out.is_dir() else []
    if others := [name for name in others if name != "_SUCCESS" and not name.startswith(".")]:
        raise InputError(f"--out {out} holds other files ({others[0]}), which would be replaced: name a new folder")


@contextmanager
def _scored(orders: Orders, day: date, segmentation: Segmentation, another_day: bool) -> Iterator:
    """Give the scores as a Spark DataFrame, of which nothing is computed before it is written."""
    after, columns, connection = day - timedelta(days=segmentation.window_days), orders.columns, orders.connection
    possible = recipe_features(segmentation.recipe)
    possible += custom_features(orders.card.custom_features, [one.name for one in possible], orders.card.name)
    features = present_features(possible, segmentation.recipe["features"], columns, orders.card.name)
    with open_stages(connection, columns, after, day, "relative_price" in segmentation.recipe["features"]):
        rows = connection.query(customer_statement(features, columns, after, day))
        if why := left_out_why(orders, day, segmentation):
            scores = _left_out(rows, why)
        else:
            scores = connection.map_batches(rows, _assign(connection.share(segmentation)), _COLUMNS)
        if another_day:
            others = connection.query(known_customers(orders)).join(
                rows.select("customer_id"), "customer_id", "left_anti"
            )
            scores = scores.unionByName(_left_out(others, without_orders_why(day, segmentation)))
        yield scores


def _assign(segmentation):
    """Return what a worker does with its customers, a batch at a time."""

    def assign(batches):
        import pyarrow as pa

        for batch in batches:
            scores = assign_customers(segmentation.value, batch.to_pandas().set_index("customer_id"))
            yield pa.RecordBatch.from_pandas(scores.reset_index(), preserve_index=False)

    return assign


def _left_out(customers, why: str):
    from pyspark.sql import functions

    texts = {"segment_id": LEFT_OUT, "segment": UNSEGMENTED, "nearest_segment_id": None}
    written = [functions.lit(text).cast("string").alias(name) for name, text in texts.items()]
    nobody_asked = functions.lit(None).cast("double").alias("confidence")
    return customers.select("customer_id", *written, nobody_asked, functions.lit(why).alias("reason"))
