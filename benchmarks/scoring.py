"""CPU seconds to assign ten million customers: from Arrow batches, by the exported SQL, and by the rule itself.

python benchmarks/scoring.py [--customers 10000000] [--month 2017-09] [--models "kmeans-3 on RFM" kmeans-6 RUN]

Customers are drawn, with replacement, from those of the embedded data, and every feature is moved within 1 % (counts
and days stay whole, shares within 0 to 1), so that hardly two are alike. Features are computed already and lie in
memory as Arrow batches of 1,000,000, texts dictionary-encoded as in Parquet; models are k-means on the embedded data,
or that of the finished run RUN. The threads of numpy and DuckDB are set to one. OPENBLAS_CORETYPE, where set,
keeps numpy from the processor's fast kernels: unset it.
"""

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from segkit.clustering.grid import Candidate

from segkit import open_study
from segkit.clustering.assign import assign_customers
from segkit.clustering.freeze import fit_segmentation
from segkit.clustering.segmentation import Segmentation
from segkit.preprocessing.prepare import fit_matrix
from segkit.scoring.arrow.batches import assign_batches
from segkit.scoring.sql.model_sql import rules_sql

BATCH = 1_000_000
RFM = ["days_since_last_order", "order_count", "spend"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=10_000_000)
    parser.add_argument("--month", default="2017-09")
    parser.add_argument("--models", nargs="*", default=["kmeans-3 on RFM", "kmeans-6"])
    asked = parser.parse_args()
    study = open_study("complete-journey", asked.month)
    for name in asked.models:
        model = fitted(study, name)
        needed = list(dict.fromkeys(column.feature for column in model.matrix.fitted))
        batches = draw_batches(study.features[needed], study.dictionary, asked.customers)
        print(f"{name}: {len(model.matrix.fitted)} columns of the matrix, {asked.customers:,} customers", flush=True)
        seconds, found = measure(lambda: list(assign_batches(model, batches)))  # noqa: B023
        print(f"  Arrow batches   {seconds:7.2f} CPU s", flush=True)
        own, expected = measure(lambda: exactly(model, batches[0]))  # noqa: B023
        same = (found[0].column("segment_id").to_pandas().astype("str").to_numpy() == expected).mean()
        scaled = own * len(batches)
        print(f"  the rule itself {scaled:7.2f} CPU s (one batch of {len(batches)}); ratio {scaled / seconds:.0f}; "
              f"rows alike {same:.7f}", flush=True)  # fmt: skip
        if "tree" in (statement := rules_sql(model, study.features)).splitlines()[1]:
            continue  # a decision tree stands for the model
        own, scored = measure(lambda: by_sql(statement, batches))  # noqa: B023
        ids = pa.Table.from_batches(found)["segment_id"].to_pandas().astype("str").to_numpy()
        differ = int((scored.sort_by("customer_id")["segment_id"].to_pandas().to_numpy() != ids).sum())
        print(f"  exported SQL    {own:7.2f} CPU s; ratio {own / seconds:.0f}; {differ:,} rows differ", flush=True)


def fitted(study, name: str) -> Segmentation:
    """A model: that of a finished run, k-means on three columns, or on all."""
    if (Path(name) / "model").is_dir():
        return Segmentation.load(Path(name) / "model")
    features, matrix = study.features, study.matrix
    if name.endswith(" on RFM"):
        features = features[RFM]
        matrix = fit_matrix(features, study.dictionary.loc[RFM])
    k = int(name.removesuffix(" on RFM").removeprefix("kmeans-"))
    return fit_segmentation(features, matrix, Candidate(f"kmeans-{k}", "kmeans", {"k": k}), seed=0)


def draw_batches(features: pd.DataFrame, dictionary: pd.DataFrame, count: int) -> list[pa.RecordBatch]:
    draw, batches = np.random.default_rng(0), []
    for start in range(0, count, BATCH):
        size = min(BATCH, count - start)
        rows = features.iloc[draw.integers(0, len(features), size)].reset_index(drop=True)
        for name in rows:
            kind = dictionary.loc[name, "kind"]
            if kind in ("category", "binary"):
                continue
            moved = rows[name] * (1 + 0.01 * draw.standard_normal(size))
            moved = moved.round() if kind in ("count", "days") else moved
            rows[name] = moved.clip(0, 1) if kind == "share" else moved
        rows.insert(0, "customer_id", np.arange(start, start + size))
        rows = rows.astype({name: "category" for name in rows if rows[name].dtype == "str"})
        batches.append(pa.RecordBatch.from_pandas(rows, preserve_index=False))
    return batches


def exactly(model: Segmentation, batch: pa.RecordBatch) -> np.ndarray:
    table = batch.to_pandas().set_index("customer_id")
    return assign_customers(model, table, sure=False)["segment_id"].to_numpy()


def by_sql(statement: str, batches: list[pa.RecordBatch]) -> pa.Table:
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("features", pa.Table.from_batches(batches))
        return connection.execute(statement).to_arrow_table()


def measure(do):
    start = time.process_time()
    result = do()
    return time.process_time() - start, result


if __name__ == "__main__":
    main()
