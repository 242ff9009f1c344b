"""The statement of each kind of frozen model, a stage after the other."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from segkit.baselines import RFM_MAPS, RfmMap, ValueTiers
from segkit.matrix.transforms import OTHER
from segkit.methods import Rule
from segkit.rules.expressions import bounded, name, number, scaled_columns, text, total
from segkit.segmentation import LEAST_KNOWN, LEFT_OUT, UNSEGMENTED, Segmentation, assign_customers

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
    """Return how much is known of what the model works on, as `assign_customers` asks.

    Most customers lack nothing, which one sum tells; in floating point, so that no decimals are added.
    """
    columns = segmentation.matrix.fitted
    total = 0.0
    for one in columns:
        total += one.variance
    if not total:
        return "1.0"
    parts = [f"CASE WHEN {name(one.feature)} IS NULL THEN 0.0e0 ELSE {_double(one.variance)} END" for one in columns]
    numbers = [f"CAST({name(one.feature)} AS DOUBLE)" for one in columns if one.kind != "category"]
    texts = dict.fromkeys(f"{name(one.feature)} IS NOT NULL" for one in columns if one.kind == "category")
    complete = [f"{' + '.join(numbers)} IS NOT NULL"] * bool(numbers) + list(texts)
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
    """Write a sum of lines that bend at knots as one of hinges, ``greatest(x, knot)``, up to the last knot."""
    bent, slopes, shift = [], [], 0.0
    for place, (at, slope, low) in enumerate(_lines(segmentation)):
        if len(at):
            upto = f"least(x{place}, {number(at[-1])})"
            bent += [f"greatest({upto}, {number(knot)}) AS h{len(bent) + more}" for more, knot in enumerate(at[:-1])]
            slopes.append(np.diff(slope, axis=0, prepend=0.0))
            shift = shift + low + np.diff(at) @ slope - slope[-1] * at[-1]
    stages = [*_placed(segmentation), ("bent", "placed", bent or ["0.0 AS h0"])]
    columns = [f"h{place}" for place in range(max(len(bent), 1))]
    nothing = np.zeros((1, segmentation.rule.arrays["coefficients"].shape[1]))
    return _to_centres(segmentation, stages, columns, np.vstack(slopes or [nothing]), shift)


def _lines(segmentation: Segmentation) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray | float]]:
    """Yield, for each column before its weight, where what it predicts bends, the slopes between, and the start."""
    arrays, fitted = segmentation.rule.arrays, segmentation.matrix.fitted
    pieces = len(arrays["knots"]) - 1
    for place, (column, at) in enumerate(zip(fitted, arrays["knots"].T, strict=True)):
        slopes = arrays["coefficients"][place * pieces : (place + 1) * pieces]
        if column.kind == "category":  # it has two values, or three where a level may be new: one or two lines do
            pooled = any(other.level == OTHER for other in fitted if other.feature == column.feature)
            taken = np.unique(column.place(np.array([0.0, 1.0] if pooled else [0.0, 1.0, np.nan])))
            risen = (np.clip(taken[:, None] * column.weight, at[:-1], at[1:]) - at[:-1]) @ slopes
            yield taken, np.diff(risen, axis=0) / np.diff(taken)[:, None], risen[0]
            continue
        wide = np.diff(at) > 0
        yield np.r_[at[:-1][wide], at[1:][wide][-1:]] / column.weight, slopes[wide] * column.weight, 0.0


def _to_centres(segmentation, stages, columns: list[str], loads: np.ndarray, shift) -> str:
    """Return the statement of the nearest centre to ``columns @ loads + shift``, all that in one sum per centre."""
    centres = segmentation.rule.arrays["centres"]
    middle = centres.mean(axis=0)  # as the rule itself does: small numbers lose least
    around = centres - middle
    squares = (around**2).sum(axis=1)
    constants = around @ (shift - middle) - squares / 2
    scores = [
        f"{total(one, columns, constant)} AS s{place}"
        for place, (one, constant) in enumerate(zip(around @ loads.T, constants, strict=True))
    ]
    return _statement(*_first_best([*stages, ("scores", stages[-1][0], scores)], segmentation, squares.max()))


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


def tree_statement(segmentation: Segmentation, features: pd.DataFrame) -> str:
    """Return the statement of a decision tree that stands for the model, grown on these customers."""
    from sklearn.tree import DecisionTreeClassifier

    stages = _placed(segmentation)
    X = segmentation.matrix.transform(features)
    order = [*segmentation.segment_ids, LEFT_OUT]
    expected = assign_customers(segmentation, features, sure=False)["segment_id"]
    labels = expected.map({one: place for place, one in enumerate(order)}).to_numpy()
    tree = DecisionTreeClassifier(max_leaf_nodes=TREE_LEAVES, random_state=0).fit(X, labels).tree_
    seen, weights = np.unique(labels), _weights(segmentation)

    def written(node: int) -> str:
        if tree.children_left[node] == tree.children_right[node]:
            label = seen[np.argmax(tree.value[node][0])]
            return str(-1 if label == len(order) - 1 else label)
        limit = tree.threshold[node] / weights[tree.feature[node]]
        test = f"x{tree.feature[node]} <= {number(limit)}"
        return (
            f"CASE WHEN {test} THEN {written(tree.children_left[node])} ELSE {written(tree.children_right[node])} END"
        )

    return _statement(stages, segmentation, written(0))


EXACT = {
    "nearest_centre": _nearest_centre,
    "nearest_prediction": _nearest_prediction,
    "highest_posterior": _highest_posterior,
    "rfm": _rfm,
    "tiers": _tiers,
}
