"""A frozen model as one SELECT over the features, for a warehouse that knows nothing of Python."""

import pandas as pd

from segkit.clustering.assign import assign_customers
from segkit.clustering.assignment_rules import Rule
from segkit.clustering.segmentation import Segmentation
from segkit.runtime.seeds import hash_ids, keyed_uniform
from segkit.scoring.sql.statements import EXACT, tree_statement

DIALECTS = ("bigquery", "postgres", "snowflake", "spark")


def rules_sql(segmentation: Segmentation, features: pd.DataFrame) -> str:
    """Return the SQL that assigns every row of a table ``features`` to its segment.

    It is written in DuckDB's dialect and only of what other engines have too; `translate_sql` carries it to them.
    Nearest centres (k-means, Ward), mixtures, predicted behaviour and rules on spend are replayed exactly, with all
    digits of the model. Density families ask for the nearest of many customers, which SQL can't do at a bearable
    price: a decision tree stands for them.

    Parameters
    ----------
    segmentation : Segmentation
    features : DataFrame
        Index customer_id; the SQL is replayed on them, and its first lines say how many of them it puts elsewhere.

    Returns
    -------
    str
        ``SELECT customer_id, segment_id, segment, nearest_segment_id`` from a table called ``features``, with the
        columns of ``tables/features.parquet``.

    Examples
    --------
    >>> from segkit.clustering.fit import Candidate
    >>> from segkit.clustering.freeze import freeze_candidate
    >>> from segkit.preprocessing.prepare import prepare
    >>> shop = pd.DataFrame({"spend": [1.0, 2.0, 3.0, 90.0, 99.0]}, index=pd.Index(list("abcde"), name="customer_id"))
    >>> segmentation = freeze_candidate(prepare(shop), Candidate("kmeans-2", "kmeans", {"k": 2}))
    >>> statement = rules_sql(segmentation, shop)
    >>> print(statement.splitlines()[1])
    -- Replayed on 5 customers: 0 differ from the model (0.0 %).
    >>> replay_sql(statement, shop)["segment_id"].to_list()
    ['S1', 'S1', 'S1', 'S2', 'S2']
    """
    exact = EXACT.get(_kind(segmentation))
    if exact:
        statement, asked, who = exact(segmentation), features, "customers"
    else:
        grown_on = keyed_uniform(hash_ids(features.index), segmentation.seed, "rules") < 0.5
        statement, asked = tree_statement(segmentation, features[grown_on]), features[~grown_on]
        who = "customers that a decision tree was not grown on"
    expected = assign_customers(segmentation, asked, sure=False)["segment_id"]
    replayed = replay_sql(statement, asked)["segment_id"].reindex(asked.index.astype("str"))
    differ = int((replayed.to_numpy() != expected.to_numpy()).sum())
    share = 100 * differ / max(len(asked), 1)
    return (
        f"-- {segmentation}: the segment of each row of a table called features.\n"
        f"-- Replayed on {len(asked):,} {who}: {differ:,} differ from the model ({share:.1f} %).\n{statement}"
    )


def replay_sql(statement: str, features: pd.DataFrame) -> pd.DataFrame:
    """Return what the statement says of the features: index customer_id, segment_id, segment, nearest_segment_id."""
    import duckdb

    table = features.reset_index(names="customer_id")
    with duckdb.connect() as connection:
        connection.register("features", table)
        replayed = connection.execute(statement).df()
    return replayed.astype({"customer_id": "str"}).set_index("customer_id")


def translate_sql(statement: str, dialect: str) -> str:
    """Return the statement in the dialect of another engine, one of `DIALECTS`.

    Raises
    ------
    ValueError
        Unknown dialect; the message names those there are.

    Examples
    --------
    >>> translate_sql("SELECT CAST(spend AS DOUBLE) FROM features", "bigquery")
    'SELECT CAST(spend AS FLOAT64) FROM features'
    """
    import sqlglot

    if dialect not in DIALECTS:
        raise ValueError(f"unknown dialect {dialect!r}; there are {', '.join(DIALECTS)}")
    tree = sqlglot.parse_one(statement, read="duckdb")
    if dialect == "postgres":  # it writes each stage out wherever the next names it, and grows beyond any memory
        for stage in tree.find_all(sqlglot.exp.CTE):
            stage.set("materialized", True)
    return tree.sql(dialect=dialect, pretty="\n" in statement)


def _kind(segmentation: Segmentation) -> str:
    return segmentation.rule.kind if isinstance(segmentation.rule, Rule) else segmentation.family
