"""Apache Spark behind the few methods of a DuckDB connection that segkit uses.

Statements are written in DuckDB's dialect and translated; views and intermediate tables live in the cluster, and only
the rows of a SELECT come back.
"""

import logging
import signal
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
from sqlglot import exp

from segkit.data.engines.dialect import parse, to_spark
from segkit.runtime.errors import InputError

_TYPES = {
    "string": "VARCHAR",
    "int": "INTEGER",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "timestamp_ntz": "TIMESTAMP",
}


def spark_session(address: str):
    """Return a session on the Spark master at `address`, the one that is open where there is one.

    Raises
    ------
    InputError
        No pyspark or no Java; the message says what to do.
    """
    try:
        from pyspark import SparkConf
        from pyspark.sql import SparkSession
    except ImportError:
        raise InputError("the engine Spark needs the package pyspark: pip install 'segkit[spark]'") from None
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)  # errors are raised, and told once
    settings = SparkConf().setMaster(address).setAppName("segkit").set("spark.ui.showConsoleProgress", "false")
    with _no_word_of_pandas():
        _start_java(settings)
        return _beside_signals(SparkSession.builder.config(conf=settings).getOrCreate)


def _beside_signals(make):
    """Return what `make` makes, in a thread where somebody else sees to Ctrl-C: there Spark leaves the signal alone.

    Its own handler would let a command that is stopped end as if it were done. In a notebook it stays: an interrupted
    cell cancels its jobs.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        return make()
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(make).result()


def _start_java(settings) -> None:
    """Start Spark's driver, unless one runs; what it says while it starts is for nobody to read, its errors are raised.

    Neither a notebook's output nor the terminal is the place for the names of Java's modules and levels of logs.
    """
    from pyspark import SparkContext
    from pyspark.errors import PySparkRuntimeError
    from pyspark.java_gateway import launch_gateway

    if SparkContext._gateway is not None:
        return
    with tempfile.TemporaryFile() as said:
        try:
            SparkContext._ensure_initialized(gateway=launch_gateway(settings, {"stderr": said}), conf=settings)
        except PySparkRuntimeError:
            said.seek(0)
            first = (said.read().decode(errors="replace").strip() or "it said nothing").splitlines()[0]
            raise InputError(
                f"Spark can't start Java ({first}): install Java 17, or set JAVA_HOME to where it is"
            ) from None


class SparkConnection:
    """A Spark session that is spoken to like a DuckDB connection.

    Each has its own views. Errors come as `duckdb.Error`, so that what explains them needs to know only one kind. A
    session that segkit opened (`own`) ends with the last connection, and gives the cluster's cores free.
    """

    _owners = 0

    def __init__(self, session, own: bool = False):
        self._own = own
        SparkConnection._owners += own
        self.session = session.newSession()
        self.session.conf.set("spark.sql.session.timeZone", "UTC")
        self.session.conf.set("spark.sql.ansi.enabled", "true")
        self.session.conf.set("spark.sql.timestampType", "TIMESTAMP_NTZ")
        # Else a small intermediate table is kept in 200 pieces, and each question of it takes 200 tasks.
        self.session.conf.set("spark.sql.optimizer.canChangeCachedPlanOutputPartitioning", "true")
        self._held = {}  # intermediate tables by name, cached in the cluster
        self._views = set()

    def read_parquet(self, name: str, paths: list[Path | str]) -> None:
        """Make a view of parquet files, which every worker must be able to read at these paths."""
        with _as_engine_error():
            rows = self.session.read.option("mergeSchema", len(paths) > 1).parquet(*map(str, paths))
        # Old files keep times without a zone in a form that Spark takes for instants.
        local = duckdb.execute("DESCRIBE FROM read_parquet(?)", [str(paths[0])]).fetchall()
        for column, kind, *_ in local:
            if kind == "TIMESTAMP" and dict(rows.dtypes)[column] == "timestamp":
                rows = rows.withColumn(column, rows[f"`{column}`"].cast("timestamp_ntz"))
        self._name(name, rows)

    def register(self, name: str, table: pd.DataFrame) -> None:
        """Make a view of a table, sent to the cluster."""
        with _as_engine_error():
            self._name(name, self.session.createDataFrame(pa.Table.from_pandas(table, preserve_index=False)))

    def unregister(self, name: str) -> None:
        """Forget a view that `register` made."""
        self._forget(name)

    def query(self, statement: str, parameters: list | tuple = ()):
        """Return the rows of a SELECT as a Spark DataFrame, nothing of it computed yet."""
        return self._frame(parse(statement, parameters))

    def execute(self, statement: str, parameters: list | tuple = ()) -> duckdb.DuckDBPyRelation | None:
        """Run one statement; the rows of a SELECT come back as a relation (``fetchone, fetchall, df``)."""
        tree = parse(statement, parameters)
        if isinstance(tree, exp.Create):
            self._create(tree)
        elif isinstance(tree, exp.Drop):
            self._forget(tree.find(exp.Table).name)
        elif isinstance(tree, exp.Alter):
            self._drop_column(tree.this.name, tree.find(exp.Column).name)
        elif isinstance(tree, exp.Describe):
            return self._describe(tree.this)
        else:
            with _as_engine_error():
                rows = self._frame(tree).toArrow()
            return duckdb.connect().from_arrow(rows)
        return None

    def map_batches(self, rows, function, columns: str):
        """Return what the workers make of Arrow batches of a DataFrame's rows, as a DataFrame with these columns."""
        with _as_engine_error():
            return rows.mapInArrow(function, columns)

    def share(self, content):
        """Return `content` as something whose ``value`` every worker has."""
        return self.session.sparkContext.broadcast(content)

    def write_parquet(self, rows, folder: Path | str) -> None:
        """Compute a DataFrame, and let each worker write its part."""
        with _as_engine_error():
            rows.write.parquet(str(folder))

    def close(self) -> None:
        """Free what the cluster holds for this connection."""
        for name in list(self._views):
            self._forget(name)
        SparkConnection._owners -= self._own
        if self._own and not SparkConnection._owners:
            self.session.stop()
        self._own = False

    def _frame(self, tree: exp.Expression):
        with _as_engine_error():
            return self.session.sql(to_spark(tree))

    def _name(self, name: str, rows) -> None:
        self._forget(name)
        rows.createOrReplaceTempView(f"`{name}`")
        self._views.add(name)

    def _create(self, tree: exp.Create) -> None:
        rows, name = self._frame(tree.expression), tree.this.name
        if tree.kind == "TABLE":
            rows = rows.persist()
        self._name(name, rows)
        if tree.kind == "TABLE":
            self._held[name] = rows

    def _forget(self, name: str) -> None:
        if name in self._held:
            self._held.pop(name).unpersist()
        if name in self._views:
            self._views.discard(name)
            self.session.catalog.dropTempView(name)

    def _drop_column(self, name: str, column: str) -> None:
        rows = self._held[name].drop(column)
        rows.createOrReplaceTempView(f"`{name}`")

    def _describe(self, what: exp.Expression) -> duckdb.DuckDBPyRelation:
        tree = what if isinstance(what, exp.Query) else exp.select("*").from_(what)
        columns = self._frame(tree).dtypes
        names, kinds = [name for name, _ in columns], [_TYPES.get(kind, kind.upper()) for _, kind in columns]
        return duckdb.connect().sql("SELECT unnest($1), unnest($2)", params=[names, kinds])


@contextmanager
def _as_engine_error():
    """Turn an error of Spark into one of DuckDB, its cause in one line; what Spark says of pandas 3 is harmless."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        with _no_word_of_pandas():
            yield
    except (PySparkException, Py4JError) as error:
        causes = [line for line in str(error).splitlines() if line.startswith("Caused by: ")]
        raise duckdb.Error(causes[-1].removeprefix("Caused by: ") if causes else str(error).splitlines()[0]) from None


@contextmanager
def _no_word_of_pandas():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
        yield
