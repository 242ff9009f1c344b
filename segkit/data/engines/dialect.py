"""SQL in DuckDB's dialect carried to another engine, with what a translation word by word gets wrong."""

import sqlglot
from sqlglot import exp

from segkit.data.engines.times import read_time


def parse(statement: str, parameters: list | tuple = ()) -> exp.Expression:
    """Return the tree of one statement in DuckDB's dialect, its question marks filled in."""
    tree = sqlglot.parse_one(statement, read="duckdb")
    for mark, value in zip(list(tree.find_all(exp.Placeholder)), parameters, strict=True):
        mark.replace(exp.convert(value))
    return tree


def translate(statement: str, dialect: str) -> str:
    """Return a query in the dialect of another engine: duckdb, postgres or spark.

    Examples
    --------
    >>> print(translate("SELECT round(spend / orders, 2) AS mean FROM features", "postgres"))
    SELECT
      CAST(ROUND(CAST(CAST(spend AS DOUBLE PRECISION) / orders AS DECIMAL), 2) AS DOUBLE PRECISION) AS mean
    FROM features
    """
    rewritten = {"spark": _for_spark, "postgres": _for_postgres, "duckdb": lambda node: node}[dialect]
    return parse(statement).transform(rewritten).sql(dialect=dialect, pretty=True)


def to_spark(tree: exp.Expression) -> str:
    r"""Return a query for Spark.

    Examples
    --------
    >>> to_spark(parse("SELECT isfinite(price) FROM lines"))
    "SELECT (NOT ISNAN(price) AND ABS(price) < CAST('inf' AS DOUBLE)) FROM lines"
    >>> print(to_spark(parse(r"SELECT regexp_replace(code, '^(\d+)\.0+$', '\1') FROM lines")))
    SELECT REGEXP_REPLACE(code, '^(\\d+)\\.0+$', '$1') FROM lines
    """
    return tree.transform(_for_spark).sql(dialect="spark")


def _for_postgres(node: exp.Expression) -> exp.Expression:
    if isinstance(node, exp.Round) and node.args.get("decimals") and not isinstance(node.this, exp.Cast):
        node.set("this", exp.cast(node.this, "DECIMAL"))  # it rounds nothing else to decimals
        return exp.cast(node.copy(), "DOUBLE")
    return node


def _for_spark(node: exp.Expression) -> exp.Expression:
    if isinstance(node, exp.RegexpReplace) and node.args.get("replacement"):
        written = node.args["replacement"]
        node.set("replacement", exp.Literal.string(written.this.replace("$", r"\$").replace("\\1", "$1")))
        node.set("modifiers", None)  # "g": Spark replaces every match in any case
    elif isinstance(node, exp.Anonymous | exp.IsInf) and node.name.lower() == "isfinite":
        value = node.expressions[0].sql(dialect="spark")
        return sqlglot.parse_one(f"(NOT isnan({value}) AND abs({value}) < double('inf'))", read="spark")
    elif isinstance(node, exp.Anonymous) and node.name.lower() == "try_strptime":
        return read_time(node.expressions[0], node.expressions[1].this)
    elif isinstance(node, exp.DataType) and node.this == exp.DataType.Type.TIMESTAMPTZ:
        return exp.DataType.build("TIMESTAMPLTZ")  # an instant; what Spark calls TIMESTAMP has no zone here
    return node
