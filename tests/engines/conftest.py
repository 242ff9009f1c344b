"""The servers that these tests need, started once; where one is missing, the run ends with what to install."""

import os
import sys

import pytest
from servers import missing_servers, postgres_server, spark_cluster

from segkit.data.engines.engine import open_engine


def pytest_sessionstart(session):
    if lacks := missing_servers():
        pytest.exit(f"make test-engines needs {' and '.join(lacks)}", returncode=2)


@pytest.fixture(scope="session")
def spark(tmp_path_factory):
    """The address of a Spark master with two workers."""
    folder = tmp_path_factory.mktemp("spark")
    (folder / "spark-defaults.conf").write_text(
        # Little may come to the driver: the products, on their way to all workers, fit; order lines would not.
        "spark.driver.maxResultSize 16m\nspark.driver.host 127.0.0.1\nspark.driver.bindAddress 127.0.0.1\n"
        "spark.executor.memory 1000m\nspark.sql.shuffle.partitions 4\nspark.ui.enabled false\n"
    )
    os.environ |= {"SPARK_CONF_DIR": str(folder), "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    with spark_cluster(folder) as address:
        held = open_engine(address)  # one session for all tests: the last connection to close ends it
        yield address
        held.close()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory):
    """The address of the owner of a PostgreSQL server."""
    with postgres_server(tmp_path_factory.mktemp("postgres")) as address:
        yield address
