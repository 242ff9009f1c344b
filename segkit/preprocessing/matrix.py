"""The fitted matrix: what is stored, and what it does to customers."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

import numpy as np
import pandas as pd

from segkit.preprocessing.steps import Steps, jitter
from segkit.preprocessing.transforms import TRANSFORMS, as_numbers, indicator, level_places, soft_bound
from segkit.runtime.errors import InputError
from segkit.runtime.seeds import hash_ids, keyed_uniform


@dataclass(frozen=True)
class MatrixColumn:
    """One column: ``soft_bound((transform(feature) - centre) / scale) * weight``, 0 where the feature is missing.

    The soft bound is there for robustly scaled columns only (`bounded`); shares of a whole, one-hot and binary
    columns have no tails.
    """

    column: str
    feature: str
    family: str
    kind: str
    unit: str  # what shares one weight: the feature, or the whole its share belongs to
    transform: str
    level: str
    centre: float
    scale: float
    bounded: bool
    weight: float
    variance: float
    steps: Steps

    def place(self, transformed: np.ndarray) -> np.ndarray:
        """Return the column for transformed values, before its weight; the neutral 0 where they are missing."""
        z = (transformed - self.centre) / self.scale
        return np.nan_to_num(soft_bound(z) if self.bounded else z, nan=0.0)


@dataclass(frozen=True)
class Matrix:
    """A fitted matrix: features in, rows of numbers out, the same next month; made by `fit_matrix`."""

    fitted: tuple[MatrixColumn, ...]
    left_out: tuple[tuple[str, str], ...] = field(repr=False)

    def __repr__(self) -> str:
        features = len({column.feature for column in self.fitted})
        return f"matrix of {len(self.fitted)} columns from {features} features, {len(self.left_out)} left out"

    @property
    def columns(self) -> pd.DataFrame:
        """One row per column: column, feature, family, transform, centre, scale, weight, variance.

        `centre` and `scale` are in transformed units; `weight` multiplies the scaled column; `variance` is what came
        out over the customers it was fitted on; it sums to the family's weight, or less where its features are sparse.
        """
        shown = ["column", "feature", "family", "transform", "centre", "scale", "weight", "variance"]
        return pd.DataFrame([asdict(column) for column in self.fitted])[shown]

    @property
    def dropped(self) -> pd.DataFrame:
        """One row per feature (or part of a whole) that is not in the matrix: feature, why."""
        return pd.DataFrame(list(self.left_out), columns=["feature", "why"], dtype="str")

    def transform(self, features: pd.DataFrame) -> np.ndarray:
        """Return the customers' rows, shape (customers, columns); equal customers get equal rows.

        A missing number takes the neutral position (the median of the fit; the mean of a composition); a category
        that the fit hasn't seen counts as other, or as neutral where nothing was pooled.

        Raises
        ------
        InputError
            A feature is absent, infinite or not a number; the message names it.
        """
        X = np.empty((len(features), len(self.fitted)))
        for place, (column, transformed) in enumerate(self._transformed(features)):
            X[:, place] = column.place(transformed) * column.weight
        return X

    def dequantised(self, features: pd.DataFrame, seed: int) -> np.ndarray:
        """Return the rows with every value moved by noise within its step, so that no value is shared by many.

        For fitting mixtures and density methods and for tests, which take values that many customers share exactly
        for clusters; never for assignment. Counts and days move by up to half a step, shares and means of few orders
        within 1 / orders, exact zeros up to half way to the smallest values seen, categories by half an indicator;
        missing values are drawn from the known ones. The noise depends on seed, customer_id and column alone.
        """
        ids = hash_ids(features.index)
        X = np.empty((len(features), len(self.fitted)))
        for place, (column, transformed) in enumerate(self._transformed(features, ids, seed)):
            X[:, place] = column.place(transformed) * column.weight
        return X

    def _transformed(
        self, features: pd.DataFrame, ids: np.ndarray | None = None, seed: int = 0
    ) -> Iterator[tuple[MatrixColumn, np.ndarray]]:
        needed = [column.feature for column in self.fitted]
        if ids is not None:
            needed += [column.steps.divisor for column in self.fitted if column.steps.divisor]
        missing = [feature for feature in dict.fromkeys(needed) if feature not in features]
        if missing:
            raise InputError(f"features lack {', '.join(missing)}, which the matrix was fitted on: compute them first")
        levels: dict[str, list[str]] = {}
        for column in self.fitted:
            if column.kind == "category":
                levels.setdefault(column.feature, []).append(column.level)
        places = {feature: level_places(features[feature], own) for feature, own in levels.items()}
        for column in self.fitted:
            if column.kind == "category":
                values = indicator(places[column.feature], levels[column.feature].index(column.level))
            else:
                values = as_numbers(features[column.feature], column.kind)
            if ids is not None:
                divisor = column.steps.divisor
                count = as_numbers(features[divisor], "count") if divisor else None
                uniform = keyed_uniform(ids, seed, column.column)
                values = jitter(values, column.steps, uniform, count, share=column.kind == "share")
            yield column, TRANSFORMS[column.transform](values)

    def to_dict(self) -> dict:
        """Return the matrix as what JSON can hold, exactly."""
        return {
            "columns": [asdict(column) for column in self.fitted],
            "left_out": [list(pair) for pair in self.left_out],
        }

    @classmethod
    def from_dict(cls, stored: dict) -> "Matrix":
        """Return the matrix that `to_dict` stored."""
        columns = []
        for column in stored["columns"]:
            steps = column["steps"]
            atoms = tuple(tuple(atom) for atom in steps["atoms"])
            steps = Steps(**{**steps, "atoms": atoms, "quantiles": tuple(steps["quantiles"])})
            columns.append(MatrixColumn(**{**column, "steps": steps}))
        return cls(tuple(columns), tuple((feature, why) for feature, why in stored["left_out"]))
