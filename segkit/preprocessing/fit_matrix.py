"""The matrix fitted on customers: what goes in, how it is scaled, what it weighs."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from segkit.data.cards.sections import KINDS
from segkit.preprocessing.matrix import Matrix, MatrixColumn
from segkit.preprocessing.steps import distinct, find_steps
from segkit.preprocessing.transforms import (
    OTHER,
    TRANSFORMS,
    as_numbers,
    as_texts,
    choose_transform,
    indicator,
    level_places,
    robust_scale,
)
from segkit.runtime.errors import InputError
from segkit.runtime.spelling import nearest

DEFAULT_FAMILY_WEIGHTS = {
    "value": 1.0,
    "lifecycle": 1.0,
    "rhythm": 1.0,
    "basket": 1.0,
    "taste": 1.0,
    "price": 1.0,
    # Most customers have one channel and no returns, and a change between two quarters is mostly chance: few columns
    # with much noise, which at full weight would be the strongest single columns of all.
    "returns": 0.5,
    "channel": 0.5,
    "trend": 0.5,
    # What the firm sent is the firm's doing. Clustered on, past targeting comes back as a discovery.
    "response": 0.0,
    # Known for some customers only, and "unknown" would be the clearest cluster of all. Attributes describe segments,
    # behaviour forms them (Dolnicar, Gruen & Leisch 2018, section 2.2: segmentation and descriptor variables).
    "who": 0.0,
    # A ready table was chosen by the analyst, all of it.
    "given": 1.0,
}
NEAR_CONSTANT = 0.95  # a value that this share of customers has says nothing about the others
NEAR_DUPLICATE = 0.98  # |correlation|, linear or by rank
KNOWN_SHARE = 0.25  # a number known for fewer customers is mostly its median
RARE_LEVEL = 0.02  # levels of a category with a smaller share of customers are pooled


class _Fitted(NamedTuple):
    column: MatrixColumn
    positions: np.ndarray  # of the customers, before the weight
    says: float


def fit_matrix(
    features: pd.DataFrame, dictionary: pd.DataFrame, family_weights: dict[str, float] | None = None
) -> Matrix:
    """Return the matrix fitted on customers: transform by kind, robust scale, soft bound, a weight per family.

    Every family contributes the same variance unless weighted otherwise, however many features it has, and within a
    family every feature does, a whole of shares or a category counting as one. Features that few customers have, or
    differ in, count for less, and so does a family of such features alone. Features that hardly vary, or repeat an
    earlier one of the dictionary, are left out and listed.

    Parameters
    ----------
    features : DataFrame
        One row per customer (index), one column per feature, natural units, missing where undefined.
    dictionary : DataFrame
        Index feature; columns family, kind and, where there are wholes or absent features, whole and present.
    family_weights : dict, optional
        Family -> total variance, over `DEFAULT_FAMILY_WEIGHTS`; 0 leaves a family out.

    Raises
    ------
    InputError
        Unknown kind or family, a feature that the table lacks, values that don't fit their kind, customers twice,
        or nothing that varies; the message names it.

    Examples
    --------
    >>> features = pd.DataFrame({"spend": [10.0, 99.0, 40.0, 20.0], "order_count": [1, 3, 2, 5]}, index=list("abcd"))
    >>> dictionary = pd.DataFrame({"family": ["value", "lifecycle"], "kind": ["money", "count"]}, index=list(features))
    >>> matrix = fit_matrix(features, dictionary, {"value": 2.0})
    >>> matrix.columns[["column", "transform", "variance"]]
            column transform  variance
    0        spend     log1p       2.0
    1  order_count     log1p       1.0
    >>> matrix.transform(features[["spend"]])
    Traceback (most recent call last):
    segkit.InputError: features lack order_count, which the matrix was fitted on: compute them first
    """
    dictionary = _checked(features, dictionary)
    if not features.index.is_monotonic_increasing:
        features = features.sort_index()  # sums, to the last digit, must not depend on the order of rows
    weights = _family_weights(dictionary, family_weights or {})
    counts = {
        feature: as_numbers(features[feature], "count") for feature in dictionary.index[dictionary["kind"] == "count"]
    }
    left_out: list[tuple[str, str]] = []
    fitted: list[_Fitted] = []
    for feature, row in dictionary.iterrows():
        if weights[row["family"]] == 0:
            left_out.append(
                (feature, f"family {row['family']} has weight 0: it describes segments, it doesn't form them")
            )
            continue
        if row["kind"] == "category":
            columns, why = _fit_category(features[feature], row)
        else:
            divisors = {name: count for name, count in counts.items() if name != feature}
            columns, why = _fit_number(features[feature], row, divisors)
        fitted += columns
        if why:
            left_out.append((feature, why))
    fitted, duplicates = _without_duplicates(fitted)
    if not fitted:
        raise InputError("no feature tells the customers apart: " + "; ".join(f"{f} ({why})" for f, why in left_out))
    return Matrix(tuple(_weighted(fitted, weights)), tuple(left_out + duplicates))


def _checked(features: pd.DataFrame, dictionary: pd.DataFrame) -> pd.DataFrame:
    """Return the present rows of the dictionary, with a `whole`; refuse what can't be a matrix."""
    if "present" in dictionary:
        dictionary = dictionary[dictionary["present"].astype(bool)]
    if "whole" not in dictionary:
        dictionary = dictionary.assign(whole="")
    absent = [feature for feature in dictionary.index if feature not in features]
    if absent:
        raise InputError(f"features lack {', '.join(absent)}, which the dictionary calls present: add or remove them")
    for feature, kind in dictionary["kind"].items():
        if kind not in KINDS:
            hint = nearest(kind, KINDS) or ";"
            raise InputError(f"feature {feature} has the unknown kind {kind!r}{hint} kinds are {', '.join(KINDS)}")
    if not features.index.is_unique:
        twice = features.index[features.index.duplicated()]
        examples = ", ".join(map(str, twice[:3]))
        raise InputError(f"features hold {len(twice):,} customers more than once ({examples}): one row per customer")
    return dictionary


def _family_weights(dictionary: pd.DataFrame, asked: dict[str, float]) -> dict[str, float]:
    families = list(dict.fromkeys(dictionary["family"]))
    known = list(dict.fromkeys([*families, *DEFAULT_FAMILY_WEIGHTS]))
    for family, weight in asked.items():
        if family not in known:
            hint = nearest(family, known) or ";"
            raise InputError(
                f"family_weights names the unknown family {family!r}{hint} families are {', '.join(known)}"
            )
        if not 0 <= weight < np.inf:
            raise InputError(f"family_weights gives {family} the weight {weight}: it must be 0 or more, and finite")
    return {family: float({**DEFAULT_FAMILY_WEIGHTS, **asked}.get(family, 1.0)) for family in families}


def _fit_category(values: pd.Series, row: pd.Series) -> tuple[list[_Fitted], str]:
    """Return a category's columns, or why there are none."""
    levels = _levels(values)
    places = level_places(values, levels)
    indicators = {level: indicator(places, place) for place, level in enumerate(levels)}
    shares = {level: float(has_level.mean()) for level, has_level in indicators.items()}
    commonest = max(shares, key=shares.get)
    if shares[commonest] >= NEAR_CONSTANT:
        return [], f"near-constant: {shares[commonest]:.1%} of customers have {commonest}"
    fitted = []
    for level, has_level in indicators.items():
        # One scale for all levels, not one each: any two levels are equally far apart, and a rare level isn't blown
        # up into an outlier.
        share = shares[level]
        column = MatrixColumn(
            column=f"{values.name}={level}",
            **_described(values, row),
            **{"transform": "one-hot", "level": level, "centre": share, "scale": 1.0, "bounded": False},
            variance=share * (1 - share),
            steps=find_steps(has_level, np.sort(has_level), {}),
        )
        fitted.append(_Fitted(column, column.place(has_level), _says(shares[commonest], 1.0)))
    return fitted, ""


def _fit_number(values: pd.Series, row: pd.Series, divisors: dict[str, np.ndarray]) -> tuple[list[_Fitted], str]:
    """Return a number's column, or why there is none."""
    numbers = as_numbers(values, row["kind"])
    known = np.sort(numbers[~np.isnan(numbers)])
    known_share = len(known) / len(numbers) if len(numbers) else 0.0
    if known_share < KNOWN_SHARE:
        return [], f"known for {known_share:.0%} of customers only"
    value, runs = distinct(known)
    commonest = runs.max()
    if max(commonest, len(numbers) - len(known)) >= NEAR_CONSTANT * len(numbers):
        return [], f"near-constant: {commonest / len(numbers):.1%} of customers have {value[runs.argmax()]:g}"
    transform = choose_transform(row["kind"], row["whole"], known)
    transformed = TRANSFORMS[transform](known)
    bounded = row["kind"] != "binary" and transform != "square root"
    centre, scale = robust_scale(transformed) if bounded else (float(transformed.mean()), 1.0)
    column = MatrixColumn(
        column=values.name,
        **_described(values, row),
        **{"transform": transform, "level": "", "centre": centre, "scale": scale, "bounded": bounded},
        variance=1.0,
        steps=find_steps(numbers, known, divisors),
    )
    positions = column.place(transformed)  # those who lack it are at 0
    mean, mean_square = positions.sum() / len(numbers), (positions**2).sum() / len(numbers)
    column = replace(column, variance=float(mean_square - mean**2))
    says = _says(commonest / len(known), known_share)
    return [_Fitted(column, column.place(TRANSFORMS[transform](numbers)), says)], ""


def _described(values: pd.Series, row: pd.Series) -> dict:
    unit = row["whole"] or values.name
    return {"feature": values.name, "family": row["family"], "kind": row["kind"], "unit": unit, "weight": 1.0}


def _says(commonest: float, known: float) -> float:
    """Return how much a feature may weigh, 0 to 1: as a coin that falls on its commonest value, and where known.

    Scaled to full variance, a yes that 5 % of customers give puts them 4.6 sd away, and k-means gives the feature a
    segment of its own. With 4 p (1 - p) two answers are never farther apart than those of an even coin. Likewise the
    known values of a feature that half of the customers lack would be stretched to make up for the others.
    """
    commonest = max(0.5, commonest)
    return float(4 * commonest * (1 - commonest) * known)


def _levels(values: pd.Series) -> list[str]:
    shares = as_texts(values).value_counts(normalize=True)
    frequent = sorted(shares.index[shares >= RARE_LEVEL])
    return frequent if len(frequent) == len(shares) or OTHER in frequent else [*frequent, OTHER]


def _without_duplicates(fitted: list[_Fitted]) -> tuple[list[_Fitted], list[tuple[str, str]]]:
    """Return the columns that don't repeat an earlier one of another feature or whole, and the others with why."""
    if not fitted:
        return [], []
    positions = np.array([one.positions for one in fitted], dtype="float32")
    positions -= positions.mean(axis=1, keepdims=True)
    positions /= np.sqrt(np.maximum((positions**2).sum(axis=1, keepdims=True), 1e-12))
    linear = np.abs(positions @ positions.T)
    kept, duplicates = [], []
    for place, one in enumerate(fitted):
        for earlier in kept:
            other = fitted[earlier]
            if one.column.unit == other.column.unit or "category" in (one.column.kind, other.column.kind):
                continue
            r = linear[place, earlier]
            if 0.9 <= r < NEAR_DUPLICATE:  # ranks are dear, and agree that far only where the line nearly does
                r = max(r, abs(pd.Series(one.positions).rank().corr(pd.Series(other.positions).rank())))
            if r >= NEAR_DUPLICATE:
                duplicates.append((one.column.feature, f"repeats {other.column.feature} (|r| = {r:.3f})"))
                break
        else:
            kept.append(place)
    return [fitted[place] for place in kept], duplicates


def _weighted(fitted: list[_Fitted], weights: dict[str, float]) -> list[MatrixColumn]:
    """Return the columns with weights that give each family its variance, shared among its units."""
    table = pd.DataFrame([(one.column.family, one.column.unit, one.says, one.column.variance) for one in fitted])
    table.columns = ["family", "unit", "says", "variance"]
    units = table.groupby(["family", "unit"]).agg(says=("says", "max"), variance=("variance", "sum"))
    families = units.groupby("family")["says"]
    total = units.index.get_level_values("family").map(weights) * families.transform("max")
    factor = np.sqrt(total * units["says"] / families.transform("sum") / units["variance"])
    weighted = []
    for one in fitted:
        weight = float(factor[one.column.family, one.column.unit])
        weighted.append(replace(one.column, weight=weight, variance=one.column.variance * weight**2))
    return weighted
