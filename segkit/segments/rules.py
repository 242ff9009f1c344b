"""A segment in at most three conditions in natural units, measured on customers that did not choose them."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from segkit.runtime.seeds import hash_ids, keyed_uniform, sample_customers

MOST_CONDITIONS = 3
SMALLEST_LEAF = 0.005  # of the customers that the tree is grown on
RULED_ON = 100_000  # customers, both halves; of more a sample: precision and recall are known within a percent
KNOWN_SHARE = 0.5  # a feature that fewer have is no condition: who lacks it could not be told


class Condition(NamedTuple):
    """One comparison: a feature at least, below, or equal to a limit."""

    feature: str
    sign: str  # ">=", "<" or "="
    limit: float | str

    def holds(self, features: pd.DataFrame) -> np.ndarray:
        """Return for whom it holds; never for whom the feature is missing."""
        values = features[self.feature]
        if self.sign == "=":
            return (values.astype("str") == self.limit).to_numpy(dtype=bool)
        numbers = pd.to_numeric(values).to_numpy(dtype="float64", na_value=np.nan)
        return numbers >= self.limit if self.sign == ">=" else numbers < self.limit


def segment_rules(
    features: pd.DataFrame, dictionary: pd.DataFrame, segments: pd.Series, *, seed: int = 0
) -> pd.DataFrame:
    """Return, for each segment, the conditions that describe it best and how well they do on other customers.

    A shallow tree is grown for each segment against all others on one half of the customers; of its leaves, a path of
    at most three conditions with rounded limits, the one with the highest F1 on that half is the rule. Precision and
    recall are those of the other half. Of more than `RULED_ON` customers a sample is taken, by their ids.

    Parameters
    ----------
    features : DataFrame
        Index customer_id, natural units.
    dictionary : DataFrame
        Index feature; ``kind`` is used.
    segments : Series
        Index customer_id, segment_id; S0 is described like any other.
    seed : int
        Which customers are in which half.

    Returns
    -------
    DataFrame
        ``segment_id, rule, rule_precision, rule_recall``; the rule is null, as the figures are, where no leaf holds
        more of the segment than of the others. Precision is the share of the customers who meet the rule that are in
        the segment, recall the share of the segment that meets it; 0 to 1.

    Examples
    --------
    >>> spend = np.r_[np.arange(100.0), np.arange(500.0, 600.0)]
    >>> shop = pd.DataFrame({"spend": spend}, index=[f"c{i}" for i in range(200)])
    >>> meaning = pd.DataFrame({"kind": "money"}, index=["spend"])
    >>> halves = pd.Series(["S2"] * 100 + ["S1"] * 100, index=shop.index)
    >>> segment_rules(shop, meaning, halves)
      segment_id          rule  rule_precision  rule_recall
    0         S1  spend >= 300             1.0          1.0
    1         S2   spend < 300             1.0          1.0
    """
    found = sorted(segments.unique(), key=lambda name: (len(name), name))
    features = features.loc[sample_customers(features.index, RULED_ON)]
    features = features.sort_index()  # neither the tree nor the halves may depend on the order of the rows
    segments = segments.reindex(features.index)
    usable = [name for name in features if features[name].notna().mean() >= KNOWN_SHARE]
    columns, origin = _columns(features[usable], dictionary["kind"])
    learning = keyed_uniform(hash_ids(features.index), seed, "rules") < 0.5
    rows = []
    for segment_id in found:
        inside = (segments == segment_id).to_numpy()
        rule = _best_rule(columns, origin, features, dictionary["kind"], inside, learning)
        row = {"segment_id": segment_id, "rule": None, "rule_precision": np.nan, "rule_recall": np.nan}
        if rule:
            met = _met(rule, features) & ~learning
            both = (met & inside).sum()
            row["rule"] = " and ".join(_written(condition, dictionary["kind"]) for condition in rule)
            row["rule_precision"] = both / met.sum() if met.any() else np.nan
            row["rule_recall"] = both / max((inside & ~learning).sum(), 1)
        rows.append(row)
    return pd.DataFrame(rows).astype({"rule": "str"})


def _columns(features: pd.DataFrame, kinds: pd.Series) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """Return numbers for a tree, and (feature, level) behind each column."""
    columns, origin = [], []
    for name in features:
        if kinds[name] == "category":
            texts = features[name].astype("str")
            for level in sorted(texts.dropna().unique()):
                columns.append((texts == level).to_numpy(dtype="float64"))
                origin.append((name, level))
        else:
            columns.append(pd.to_numeric(features[name]).to_numpy(dtype="float64", na_value=np.nan))
            origin.append((name, ""))
    return np.column_stack(columns), origin


def _best_rule(columns, origin, features, kinds, inside, learning) -> list[Condition]:
    from sklearn.tree import DecisionTreeClassifier

    if not 0 < inside[learning].sum() < learning.sum():
        return []
    tree = DecisionTreeClassifier(
        max_depth=MOST_CONDITIONS, min_samples_leaf=SMALLEST_LEAF, class_weight="balanced", random_state=0
    )
    grown = tree.fit(columns[learning], inside[learning]).tree_
    known = features[learning]
    best, best_score = [], 0.0
    for path in _paths(grown, origin, kinds):
        met = _met(path, known)
        both = (met & inside[learning]).sum()
        if met.sum() == 0 or both / met.sum() <= inside[learning].mean():
            continue
        score = 2 * both / (met.sum() + inside[learning].sum())
        if score > best_score + 1e-12:
            best, best_score = path, score
    return best


def _paths(tree, origin, kinds) -> list[list[Condition]]:
    """Return the conditions that lead to each leaf, and to each inner node: fewer conditions may do as well."""
    found, todo = [], [(0, {})]
    while todo:
        node, bounds = todo.pop()
        if bounds:
            found.append(_conditions(bounds, origin, kinds))
        if tree.children_left[node] == tree.children_right[node]:
            continue
        place, limit = tree.feature[node], tree.threshold[node]
        low, high = bounds.get(place, (-np.inf, np.inf))
        todo.append((tree.children_left[node], bounds | {place: (low, min(high, limit))}))
        todo.append((tree.children_right[node], bounds | {place: (max(low, limit), high)}))
    return sorted((path for path in found if path and len(path) <= MOST_CONDITIONS), key=lambda path: (len(path), path))


def _conditions(bounds, origin, kinds) -> list[Condition]:
    conditions = []
    for place, (low, high) in bounds.items():
        feature, level = origin[place]
        if level:
            if high < 1:
                return []  # "is not from Germany" describes nobody
            conditions.append(Condition(feature, "=", level))
            continue
        limits = {">=": low, "<": high}
        conditions += [
            Condition(feature, sign, _rounded(limit, kinds[feature]))
            for sign, limit in limits.items()
            if np.isfinite(limit)
        ]
    return sorted(conditions)


def _rounded(limit: float, kind: str) -> float:
    """Return a limit as one would say it: whole counts and days, whole percents, otherwise two digits."""
    if kind in ("count", "days", "binary"):
        return float(np.ceil(limit))
    if kind == "share":
        return float(np.round(limit, 2)) or float(f"{limit:.1g}")
    return float(f"{limit:.2g}")


def _met(rule: list[Condition], features: pd.DataFrame) -> np.ndarray:
    return np.logical_and.reduce([condition.holds(features) for condition in rule])


def _written(condition: Condition, kinds: pd.Series) -> str:
    limit = condition.limit
    if not isinstance(limit, str):
        percent = kinds[condition.feature] == "share"
        limit = f"{100 * limit:g} %" if percent else f"{limit:,.10g}"
    return f"{condition.feature} {condition.sign} {limit}"
