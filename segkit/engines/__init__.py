"""Other engines than the one inside: Apache Spark for order lines that no longer fit, PostgreSQL to read from."""

from segkit.engines.choice import check_engine, engine_address, open_engine, use_engine

__all__ = ["check_engine", "engine_address", "open_engine", "use_engine"]
