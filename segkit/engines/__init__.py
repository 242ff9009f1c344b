"""Other engines than the one inside: Apache Spark for order lines that no longer fit, PostgreSQL to read from."""

from segkit.engines.choice import engine_address, open_engine, use_engine

__all__ = ["engine_address", "open_engine", "use_engine"]
