"""The statement of each kind of frozen model, a stage after the other."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from segkit.clustering.assign import LEAST_KNOWN, assign_customers
from segkit.clustering.assignment_rules import Rule, predict_outcomes
from segkit.clustering.rfm import RFM_MAPS, RfmMap, ValueTiers
from segkit.clustering.segmentation import LEFT_OUT, UNSEGMENTED, Segmentation
from segkit.clustering.tree_rule import grow_tree
from segkit.preprocessing.matrix import MatrixColumn
from segkit.runtime.text import quote, sql_text
from segkit.scoring.sql.expressions import bounded, is_number, level_code, number, scaled_columns, total

TREE_LEAVES = 64
_RFM = {"r": "days_since_last_order", "f": "order_count", "m": "spend"}


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
    ids = [sql_text(one) for one in segmentation.segment_ids]
    names = [sql_text(segmentation.names[one]) for one in segmentation.segment_ids]

    def cases(named: list[str], left_out: str) -> str:
        return " ".join(f"WHEN {place} THEN {one}" for place, one in [*enumerate(named), (-1, left_out)])

    return (
        f"WITH {', '.join(written)}, labelled AS (\n  SELECT\n    customer_id,\n    {label} AS label\n"
        f"  FROM {stages[-1][0]}\n)\nSELECT\n  customer_id,\n"
        f"  CASE label {cases(ids, sql_text(LEFT_OUT))} END AS segment_id,\n"
        f"  CASE label {cases(names, sql_text(UNSEGMENTED))} END AS segment,\n"
        f"  CASE label {cases(ids, 'CAST(NULL AS VARCHAR)')} END AS nearest_segment_id\n"
        f"FROM labelled\nORDER BY customer_id\n"
    )


def _known_share(segmentation: Segmentation) -> str:
    """Return how much is known of what the model works on, as `assign_customers` asks.

    Most customers lack nothing, which one sum tells; in floating point, so that no decimals are added.
    """
    columns = segmentation.matrix.fitted
    total = 0.0
    for one in columns:
        total += one.variance
    if not total:
        return "1.0"
    known = {one.feature: f"{quote(one.feature)} IS NOT NULL" for one in columns if one.kind == "category"}
    complete, numbers = list(known.values()), {}
    for one in columns:
        if one.kind != "category":
            numbers[one.feature] = f"CAST({quote(one.feature)} AS DOUBLE)"
            known[one.feature] = is_number(numbers[one.feature])
    if numbers:
        complete.insert(0, is_number(" + ".join(numbers.values())))
    parts = [f"CASE WHEN {known[one.feature]} THEN {_double(one.variance)} ELSE 0.0e0 END" for one in columns]
    return f"CASE WHEN {' AND '.join(complete)} THEN 1.0e0 ELSE ({' + '.join(parts)}) / {number(total)} END"


def _double(value: float) -> str:
    return number(value) if "e" in number(value) else f"{number(value)}e0"


def _placed(segmentation: Segmentation) -> list[tuple[str, str, list[str]]]:
    """Return the stages that make the matrix, before its weights: columns x0, x1, ..."""
    fitted = segmentation.matrix.fitted
    scaled = [f"{value} AS z{place}" for place, value in enumerate(scaled_columns(segmentation.matrix))]
    placed = [f"{bounded(column, f'z{place}')} AS x{place}" for place, column in enumerate(fitted)]
    return [("scaled", "features", scaled), ("placed", "scaled", placed)]


def _weights(segmentation: Segmentation) -> np.ndarray:
    return np.array([column.weight for column in segmentation.matrix.fitted])


def _nearest_centre(segmentation: Segmentation) -> str:
    weights = _weights(segmentation)
    columns = [f"x{place}" for place in range(len(weights))]
    return _to_centres(segmentation, _placed(segmentation), columns, np.diag(weights), 0.0)


def _nearest_prediction(segmentation: Segmentation) -> str:
    """Write a line that bends at knots, and is flat beyond the last, as a sum of distances from its knots."""
    scaled, placed, bent, names, loads, shift = [], [], [], [], [], 0.0
    for place, (value, column, at, slopes, start) in enumerate(_lines(segmentation)):
        scaled.append(f"{value} AS z{place}")
        placed.append(f"{bounded(column, f'z{place}') if column else f'z{place}'} AS x{place}")
        names += [f"h{len(names) + more}" for more in range(len(at))]
        bent += [f"abs(x{place} - {number(knot)}) AS h{len(bent) + more}" for more, knot in enumerate(at)]
        loads.append(np.diff(slopes, axis=0, prepend=0.0, append=0.0) / 2)
        shift = shift + start - (at - at[0]) @ loads[-1]
    stages = [("scaled", "features", scaled), ("placed", "scaled", placed), ("bent", "placed", bent)]
    if not names:
        names, stages = ["h0"], [("bent", "features", ["0.0 AS h0"])]
        loads = [np.zeros((1, segmentation.rule.arrays["coefficients"].shape[1]))]
    return _to_centres(segmentation, stages, names, np.vstack(loads), shift)


def _lines(segmentation: Segmentation) -> Iterator[tuple[str, MatrixColumn | None, np.ndarray, np.ndarray, np.ndarray]]:
    """Yield the scaled value of each numeric column and the code of each category, and how it predicts.

    With the value go its column (None for a code), where the line bends, the slopes between, and where it starts.
    A category has a straight line from each level to the next, of which only the ends are ever taken.
    """
    arrays, fitted = segmentation.rule.arrays, segmentation.matrix.fitted
    knots = arrays["knots"]
    by_column = arrays["coefficients"].reshape(len(fitted), len(knots) - 1, -1)
    values = scaled_columns(segmentation.matrix)
    for place, (column, at, slopes) in enumerate(zip(fitted, knots.T, by_column, strict=True)):
        own = [other for other, one in enumerate(fitted) if one.feature == column.feature]
        wide = np.diff(at) > 0
        if column.kind != "category" and wide.any():
            at = np.r_[at[:-1][wide], at[1:][wide][-1:]] / column.weight
            yield values[place], column, at, slopes[wide] * column.weight, np.zeros(slopes.shape[1])
        if column.kind == "category" and place == own[0]:
            code, levels = level_code(segmentation.matrix, column.feature)
            X = [fitted[other].place(_switched(levels, fitted[other].level)) * fitted[other].weight for other in own]
            risen = predict_outcomes(np.column_stack(X), knots[:, own], np.concatenate(by_column[own]))
            yield code, None, np.arange(len(levels), dtype="float64"), np.diff(risen, axis=0), risen[0]


def _switched(levels: list[str | None], level: str) -> np.ndarray:
    return np.array([np.nan if one is None else float(one == level) for one in levels])


def _to_centres(segmentation, stages, columns: list[str], loads: np.ndarray, shift) -> str:
    """Return the statement of the nearest centre to ``columns @ loads + shift``.

    All columns are summed once for each direction in which centres differ: layers of seven segments differ in four.
    """
    centres = segmentation.rule.arrays["centres"]
    middle = centres.mean(axis=0)  # as the rule itself does: small numbers lose least
    around = centres - middle
    squares = (around**2).sum(axis=1)
    left, sizes, directions = np.linalg.svd(around, full_matrices=False)
    used = sizes > 1e-12 * sizes.max()
    sums = [
        f"{total(one, columns, constant)} AS t{place}"
        for place, (one, constant) in enumerate(
            zip(directions[used] @ loads.T, directions[used] @ (shift - middle), strict=True)
        )
    ] or ["0.0e0 AS t0"]
    names = [f"t{place}" for place in range(len(sums))]
    factors = (left * sizes)[:, used] if used.any() else np.zeros((len(centres), 1))
    scores = [
        f"{total(one, names, constant)} AS s{place}"
        for place, (one, constant) in enumerate(zip(factors, -squares / 2, strict=True))
    ]
    stages = [*stages, ("turned", stages[-1][0], sums), ("scores", "turned", scores)]
    return _statement(*_first_best(stages, segmentation, squares.max()))


def _highest_posterior(segmentation: Segmentation) -> str:
    arrays, stages, each = segmentation.rule.arrays, _placed(segmentation), _weights(segmentation)
    turned, scores = [], []
    columns = [f"x{place}" for place in range(len(each))]
    for place, (mean, scale, offset) in enumerate(
        zip(arrays["means"], arrays["scales"], arrays["offsets"], strict=True)
    ):
        own = []
        for axis, weights in enumerate(scale.T):
            turned.append(f"{total(weights * each, columns, -float(mean @ weights))} AS t{place}_{axis}")
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
        steps = [f"CASE WHEN {quote(column)} {sign} {number(edge)} THEN 1 ELSE 0 END" for edge in rule.edges[score]]
        known = is_number(f"CAST({quote(column)} AS DOUBLE)")
        scores.append(f"CASE WHEN {known} THEN {' + '.join(['1', *steps])} ELSE 0 END AS {score}")
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
    unknown = f"spend IS NULL OR NOT {is_number('CAST(spend AS DOUBLE)')}"
    label = f"CASE WHEN {unknown} THEN -1 {steps} ELSE {len(rule.edges)} END"
    return _statement([("scores", "features", ["spend"])], segmentation, label)


def _decision_tree(segmentation: Segmentation) -> str:
    return _tree_cases(segmentation, segmentation.rule)


def tree_statement(segmentation: Segmentation, features: pd.DataFrame) -> str:
    """Return the statement of a decision tree that stands for the model, grown on these customers."""
    expected = assign_customers(segmentation, features, sure=False)["segment_id"]
    labels = pd.Index(segmentation.segment_ids).get_indexer(expected)
    X = segmentation.matrix.transform(features)
    return _tree_cases(segmentation, grow_tree(X, labels, most_leaves=TREE_LEAVES, smallest_leaf=0.0))


def _tree_cases(segmentation: Segmentation, tree: Rule) -> str:
    """Return the statement of a decision tree over the columns of the matrix."""
    columns, limits, children, labels = (tree.arrays[name] for name in ("columns", "limits", "children", "labels"))
    weights = _weights(segmentation)

    def written(node: int) -> str:
        if (column := columns[node]) < 0:
            return str(labels[node])
        test = f"x{column} <= {number(limits[node] / weights[column])}"
        return f"CASE WHEN {test} THEN {written(children[node, 0])} ELSE {written(children[node, 1])} END"

    return _statement(_placed(segmentation), segmentation, written(0))


EXACT = {
    "nearest_centre": _nearest_centre,
    "nearest_prediction": _nearest_prediction,
    "highest_posterior": _highest_posterior,
    "decision_tree": _decision_tree,
    "rfm": _rfm,
    "tiers": _tiers,
}
