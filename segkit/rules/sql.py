"""A frozen model as one SELECT over the features, for a warehouse that knows nothing of Python."""

import numpy as np
import pandas as pd

from segkit.baselines import RFM_MAPS, RfmMap, ValueTiers
from segkit.matrix.steps import hash_ids, keyed_uniform
from segkit.methods import Rule
from segkit.rules.expressions import bounded, name, number, scaled_columns, text, total
from segkit.segmentation import LEAST_KNOWN, LEFT_OUT, UNSEGMENTED, Segmentation, assign_customers

DIALECTS = ("bigquery", "postgres", "snowflake", "spark")
TREE_LEAVES = 64
_RFM = {"r": "days_since_last_order", "f": "order_count", "m": "spend"}


def rules_sql(segmentation: Segmentation, features: pd.DataFrame) -> str:
    """Return the SQL that assigns every row of a table ``features`` to its segment.

    It is written in DuckDB's dialect and only of what other engines have too; `translate_sql` carries it to them.
    Nearest centres (k-means, Ward), mixtures, predicted behaviour and rules on spend are replayed exactly: arithmetic
    with the same digits. Density families ask for the nearest of many customers, which SQL can't do
    at a bearable price: a decision tree stands for them.

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
    >>> from segkit.matrix import fit_matrix
    >>> from segkit.methods import Candidate
    >>> from segkit.segmentation import fit_segmentation
    >>> shop = pd.DataFrame({"spend": [1.0, 2.0, 3.0, 90.0, 99.0]}, index=pd.Index(list("abcde"), name="customer_id"))
    >>> matrix = fit_matrix(shop, pd.DataFrame({"family": "value", "kind": "money"}, index=["spend"]))
    >>> segmentation = fit_segmentation(shop, matrix, Candidate("kmeans-2", "kmeans", {"k": 2}), seed=0)
    >>> statement = rules_sql(segmentation, shop)
    >>> print(statement.splitlines()[1])
    -- Replayed on 5 customers: 0 differ from the model (0.0 %).
    >>> replay_sql(statement, shop)["segment_id"].to_list()
    ['S1', 'S1', 'S1', 'S2', 'S2']
    """
    exact = _EXACT.get(_kind(segmentation))
    if exact:
        statement, asked, who = exact(segmentation), features, "customers"
    else:
        grown_on = keyed_uniform(hash_ids(features.index), segmentation.seed, "rules") < 0.5
        statement, asked = _tree_statement(segmentation, features[grown_on]), features[~grown_on]
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


def _statement(stages: list[tuple[str, str, list[str]]], segmentation: Segmentation, label: str) -> str:
    """Return a SELECT whose stages (name, source, columns) lead to an expression of the label, -1 for left out."""
    first, carried = ["customer_id"], ["customer_id"]
    if isinstance(segmentation.rule, Rule):
        first, carried = [*first, f"{_known_share(segmentation)} AS known"], [*carried, "known"]
        label = f"CASE WHEN known < {number(LEAST_KNOWN)} THEN -1 ELSE {label} END"
    written = [
        f"{stage} AS (\n  SELECT\n    "
        + ",\n    ".join([*(carried if place else first), *columns])
        + f"\n  FROM {source}\n)"
        for place, (stage, source, columns) in enumerate(stages)
    ]
    ids = [text(one) for one in segmentation.segment_ids]
    names = [text(segmentation.names[one]) for one in segmentation.segment_ids]

    def cases(named: list[str], left_out: str) -> str:
        return " ".join(f"WHEN {place} THEN {one}" for place, one in [*enumerate(named), (-1, left_out)])

    return (
        f"WITH {', '.join(written)}, labelled AS (\n  SELECT\n    customer_id,\n    {label} AS label\n"
        f"  FROM {stages[-1][0]}\n)\nSELECT\n  customer_id,\n"
        f"  CASE label {cases(ids, text(LEFT_OUT))} END AS segment_id,\n"
        f"  CASE label {cases(names, text(UNSEGMENTED))} END AS segment,\n"
        f"  CASE label {cases(ids, 'CAST(NULL AS VARCHAR)')} END AS nearest_segment_id\n"
        f"FROM labelled\nORDER BY customer_id\n"
    )


def _known_share(segmentation: Segmentation) -> str:
    """Return how much is known of what the model works on, as `assign_customers` asks."""
    columns = segmentation.matrix.fitted
    parts = [f"CASE WHEN {name(one.feature)} IS NULL THEN 0.0 ELSE {number(one.variance)} END" for one in columns]
    total = 0.0
    for one in columns:
        total += one.variance
    return f"({' + '.join(parts)}) / {number(total)}" if total else "1.0"


def _placed(segmentation: Segmentation) -> list[tuple[str, str, list[str]]]:
    """Return the stages that make the matrix: columns x0, x1, ..."""
    fitted = segmentation.matrix.fitted
    scaled = [f"{value} AS z{place}" for place, value in enumerate(scaled_columns(segmentation.matrix))]
    placed = [f"{bounded(column, f'z{place}')} AS x{place}" for place, column in enumerate(fitted)]
    return [("scaled", "features", scaled), ("placed", "scaled", placed)]


def _nearest_centre(segmentation: Segmentation) -> str:
    arrays = segmentation.rule.arrays
    columns = [f"x{place}" for place in range(len(segmentation.matrix.fitted))]
    return _to_centres(segmentation, _placed(segmentation), arrays["centres"], columns)


def _nearest_prediction(segmentation: Segmentation) -> str:
    arrays, stages = segmentation.rule.arrays, _placed(segmentation)
    knots, pieces = arrays["knots"], len(arrays["knots"]) - 1
    risen = []
    for place, at in enumerate(knots.T):
        for piece in range(pieces):
            low, high, column = number(at[piece]), number(at[piece + 1]), f"x{place}"
            above = f"WHEN {column} >= {high} THEN {high} - {low} ELSE {column} - {low} END"
            value = f"CASE WHEN {column} <= {low} THEN 0.0 {above}"
            risen.append(f"{value} AS r{place * pieces + piece}")
    names = [f"r{place}" for place in range(len(risen))]
    predicted = [f"{total(column, names)} AS p{place}" for place, column in enumerate(arrays["coefficients"].T)]
    stages += [("risen", "placed", risen), ("predicted", "risen", predicted)]
    return _to_centres(segmentation, stages, arrays["centres"], [f"p{place}" for place in range(len(predicted))])


def _to_centres(segmentation, stages, centres, columns) -> str:
    middle = centres.mean(axis=0)  # as the rule itself does: small numbers lose least
    around = centres - middle
    squares = (around**2).sum(axis=1)
    moved = [f"{column} - {number(centre)} AS {column}" for column, centre in zip(columns, middle, strict=True)]
    scores = [
        f"{total(one, columns, -half)} AS s{place}"
        for place, (one, half) in enumerate(zip(around, squares / 2, strict=True))
    ]
    stages = [*stages, ("moved", stages[-1][0], moved), ("scores", "moved", scores)]
    return _statement(*_first_best(stages, segmentation, squares.max()))


def _highest_posterior(segmentation: Segmentation) -> str:
    arrays, stages = segmentation.rule.arrays, _placed(segmentation)
    width, turned, scores = len(segmentation.matrix.fitted), [], []
    columns = [f"x{place}" for place in range(width)]
    for place, (mean, scale, offset) in enumerate(
        zip(arrays["means"], arrays["scales"], arrays["offsets"], strict=True)
    ):
        own = []
        for axis, weights in enumerate(scale.T):
            turned.append(f"{total(weights, columns, -float(mean @ weights))} AS t{place}_{axis}")
            own.append(f"t{place}_{axis} * t{place}_{axis}")
        scores.append(f"{number(offset)} - ({' + '.join(own)}) / 2.0 AS s{place}")
    stages += [("turned", "placed", turned), ("scores", "turned", scores)]
    return _statement(*_first_best(stages, segmentation, 1.0))


def _first_best(stages, segmentation, unit: float):
    """Return the arguments of `_statement` that pick the best score, the first of near-ties as the rule does."""
    labels = segmentation.rule.arrays["labels"]
    names = [f"s{place}" for place in range(len(labels))]
    best = f"greatest({', '.join(names)})" if len(names) > 1 else names[0]
    stages = [*stages, ("best", "scores", [*names, f"{best} AS top"])]
    near = f"top - 1e-10 * (abs(top) + {number(unit)})"
    picked = " ".join(f"WHEN {one} >= {near} THEN {label}" for one, label in zip(names, labels, strict=True))
    return stages, segmentation, f"CASE {picked} END"


def _rfm(segmentation: Segmentation) -> str:
    rule: RfmMap = segmentation.rule
    scores = []
    for score, column in _RFM.items():
        sign = "<=" if score == "r" else ">="
        steps = [f"CASE WHEN {name(column)} {sign} {number(edge)} THEN 1 ELSE 0 END" for edge in rule.edges[score]]
        scores.append(f"CASE WHEN {name(column)} IS NULL THEN 0 ELSE {' + '.join(['1', *steps])} END AS {score}")
    cells = [
        f"WHEN r BETWEEN {r0} AND {r1} AND floor((f + m + 1) / 2.0) BETWEEN {fm0} AND {fm1} THEN {label}"
        for label, segment in enumerate(rule.segments)
        for r0, r1, fm0, fm1 in RFM_MAPS[rule.version][segment]
    ]
    label = f"CASE WHEN r = 0 OR f = 0 OR m = 0 THEN -1 {' '.join(cells)} ELSE -1 END"
    return _statement([("scores", "features", scores)], segmentation, label)


def _tiers(segmentation: Segmentation) -> str:
    rule: ValueTiers = segmentation.rule
    steps = " ".join(f"WHEN spend >= {number(edge)} THEN {label}" for label, edge in enumerate(rule.edges))
    label = f"CASE WHEN spend IS NULL THEN -1 {steps} ELSE {len(rule.edges)} END"
    return _statement([("scores", "features", ["spend"])], segmentation, label)


def _tree_statement(segmentation: Segmentation, features: pd.DataFrame) -> str:
    from sklearn.tree import DecisionTreeClassifier

    stages = _placed(segmentation)
    X = segmentation.matrix.transform(features)
    order = [*segmentation.segment_ids, LEFT_OUT]
    expected = assign_customers(segmentation, features, sure=False)["segment_id"]
    labels = expected.map({one: place for place, one in enumerate(order)}).to_numpy()
    tree = DecisionTreeClassifier(max_leaf_nodes=TREE_LEAVES, random_state=0).fit(X, labels).tree_
    seen = np.unique(labels)

    def written(node: int) -> str:
        if tree.children_left[node] == tree.children_right[node]:
            label = seen[np.argmax(tree.value[node][0])]
            return str(-1 if label == len(order) - 1 else label)
        test = f"x{tree.feature[node]} <= {number(tree.threshold[node])}"
        return (
            f"CASE WHEN {test} THEN {written(tree.children_left[node])} ELSE {written(tree.children_right[node])} END"
        )

    return _statement(stages, segmentation, written(0))


_EXACT = {
    "nearest_centre": _nearest_centre,
    "nearest_prediction": _nearest_prediction,
    "highest_posterior": _highest_posterior,
    "rfm": _rfm,
    "tiers": _tiers,
}
