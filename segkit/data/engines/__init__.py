"""Other engines than the one inside: Apache Spark for order lines that no longer fit, PostgreSQL to read from."""
