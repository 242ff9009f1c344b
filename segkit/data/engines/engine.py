"""Which engine runs the SQL: the one inside (DuckDB), or the one that a flag or the card names."""

import os
import socket
from contextlib import suppress
from urllib.parse import urlsplit

from segkit.runtime.errors import InputError

VARIABLE = "SEGKIT_ENGINE"  # how a flag of the command line reaches the notebooks' own processes
_PATIENCE = 5  # seconds for a master to answer
_SPARK = ("spark://", "k8s://", "yarn", "local")


def engine_address(named: str = "", of_card: str = "") -> str:
    """Return the address of the engine to use: as named, else from the environment, else the card's; "" for DuckDB.

    Raises
    ------
    InputError
        An address that no engine has; the message says how they look.

    Examples
    --------
    >>> engine_address("spark://10.0.0.5:7077"), engine_address("duckdb", "yarn")
    ('spark://10.0.0.5:7077', '')
    >>> engine_address("sparc://10.0.0.5:7077")
    Traceback (most recent call last):
    segkit.InputError: unknown engine 'sparc://10.0.0.5:7077'; "duckdb" is the one inside, and Spark's ...
    """
    address = named or os.environ.get(VARIABLE, "") or of_card
    if address in ("", "duckdb"):
        return ""
    if not address.startswith(_SPARK):
        raise InputError(
            f'unknown engine {address!r}; "duckdb" is the one inside, and Spark\'s is the address of its master, '
            "such as spark://host:7077, yarn or local[2]"
        )
    return address


def use_engine(address: str) -> str:
    """Make an engine the one for this process and those that it starts; "" changes nothing."""
    if address:
        engine_address(address)
        os.environ[VARIABLE] = address
    return address


def check_engine(engine) -> None:
    """Refuse the address of a Spark master where nobody answers, which Spark itself finds out after a minute."""
    if not isinstance(engine, str) or not engine.startswith("spark://"):
        return
    for place in engine.removeprefix("spark://").split(","):
        with suppress(OSError, ValueError):
            parts = urlsplit(f"spark://{place}")
            socket.create_connection((parts.hostname, parts.port or 7077), _PATIENCE).close()
            return
    raise InputError(f"no Spark master answers at {engine}; its address stands on top of the master's own page")


def open_engine(engine):
    """Return a connection to the engine at an address of `engine_address`, or to an open SparkSession."""
    from segkit.data.engines.spark import SparkConnection, spark_session

    if not isinstance(engine, str):
        return SparkConnection(engine)
    check_engine(engine)
    return SparkConnection(spark_session(engine), own=True)
