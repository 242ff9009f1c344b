"""Prepare customers for comparing: their features, the matrix fitted on them, and what families ask of it."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from segkit.data.columns import NO, YES
from segkit.data.ready_table import infer_kind
from segkit.features.build import CustomerFeatures
from segkit.preprocessing.fit_matrix import fit_matrix
from segkit.preprocessing.matrix import Matrix
from segkit.runtime.content import fingerprint
from segkit.runtime.errors import InputError
from segkit.runtime.seeds import sample_customers

# Customers that candidates are compared on. Their figures are known closer than they differ between two months, and
# cost no more at a million customers; the chosen candidate's rule then puts everybody into a segment.
COMPARED = 50_000
_UNITS = {"money": "currency", "days": "days", "share": "0 to 1", "binary": "0 or 1"}


@dataclass(frozen=True)
class CustomerMatrix:
    """Customers ready for comparing; made by `prepare`.

    Attributes
    ----------
    features : CustomerFeatures
        Of all customers.
    transformer : Matrix
        Fitted on them: leads from features to rows of numbers, also next month.
    weights : dict
        Family of features -> weight, as given.
    seed : int
        Starts every random draw of what is made of this matrix.
    models : OutcomeModels or None
        What predicts the outcomes to come; of `learn_outcomes_before`.
    """

    features: CustomerFeatures = field(repr=False)
    transformer: Matrix
    weights: dict[str, float]
    seed: int
    models: Any = None

    def __repr__(self) -> str:
        sample = f" ({len(self.compared):,} compared)" if len(self.compared) < self.customers else ""
        return f"{self.customers:,} customers{sample}, {self.transformer}"

    @property
    def customers(self) -> int:
        """How many customers there are."""
        return len(self.features.table)

    @cached_property
    def compared(self) -> pd.Index:
        """The customers that candidates are fitted on and judged by: all, or `COMPARED` of them."""
        return sample_customers(self.features.table.index, COMPARED)

    @cached_property
    def table(self) -> pd.DataFrame:
        """The features of the customers compared, in natural units."""
        return self.features.table.loc[self.compared]

    @cached_property
    def X(self) -> np.ndarray:
        """The rows of the customers compared, shape (n, d)."""
        return self.transformer.transform(self.table)

    @cached_property
    def dequantised(self) -> np.ndarray:
        """The same rows with every value moved within its step (see `Matrix.dequantised`), shape (n, d)."""
        return self.transformer.dequantised(self.table, self.seed)

    @property
    def columns(self) -> pd.DataFrame:
        """One row per column of the matrix; see `Matrix.columns`."""
        return self.transformer.columns

    @property
    def dropped(self) -> pd.DataFrame:
        """One row per feature that is not in the matrix: feature, why."""
        return self.transformer.dropped

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all that candidates depend on."""
        about = (self.features.dictionary, self.features.recipe, self.features.as_of, self.features.window_days)
        return fingerprint((
            self.table, about, self.transformer.to_dict(), self.weights, self.seed, self.models, self.customers
        ))  # fmt: skip


def prepare(
    features: CustomerFeatures | pd.DataFrame,
    weights: dict[str, float] | None = None,
    *,
    seed: int = 0,
    models: Any = None,
) -> CustomerMatrix:
    """Return customers ready for comparing, with the matrix fitted on their features.

    Parameters
    ----------
    features : CustomerFeatures or DataFrame
        Of a DataFrame (one row per customer, one column per feature) the kinds are inferred; see `features_from`.
    weights : dict, optional
        Family of features -> its total variance, over `DEFAULT_FAMILY_WEIGHTS`; 0 leaves the family out.
    seed : int
        Starts every random draw of comparing.
    models : OutcomeModels, optional
        Of `learn_outcomes_before`: with them the predictive family takes part.

    Raises
    ------
    InputError
        As `fit_matrix`: an unknown family, customers twice, nothing that varies, ...; the message names it.

    Examples
    --------
    >>> shop = pd.DataFrame({"spend": [10.0, 99.0, 40.0, 20.0], "city": ["Graz", "Linz"] * 2}, index=list("abcd"))
    >>> prepare(shop)
    4 customers, matrix of 3 columns from 2 features, 0 left out
    >>> prepare(shop, {"taste": -1})
    Traceback (most recent call last):
    segkit.InputError: family_weights gives taste the weight -1: it must be 0 or more, and finite
    """
    if isinstance(features, pd.DataFrame):
        features = features_from(features)
    transformer = fit_matrix(features.table, features.dictionary, weights)
    return CustomerMatrix(features, transformer, dict(weights or {}), seed, models)


def features_from(table: pd.DataFrame, dictionary: pd.DataFrame | dict[str, str] | None = None) -> CustomerFeatures:
    """Return somebody's own table of customers as features, which form one family, ``given``.

    Parameters
    ----------
    table : DataFrame
        One row per customer (index), one column per feature. Yes and no may be texts.
    dictionary : DataFrame or dict, optional
        A feature dictionary (index feature; family, kind, ...), or kind by feature: money, count, share, number,
        category, binary or days. Kinds that are not given are inferred; columns of no use (dates, identifiers,
        remarks) stay out of the matrix, and the dictionary says why (``missing``).

    Raises
    ------
    InputError
        The table has no row or no column.

    Examples
    --------
    >>> survey = pd.DataFrame({"tasty": ["yes", "no", "yes"], "age": [31, 52, 47]}, index=["a", "b", "c"])
    >>> features_from(survey).dictionary[["family", "kind", "unit"]]
            family    kind    unit
    feature
    tasty    given  binary  0 or 1
    age      given  number
    >>> features_from(survey[[]])
    Traceback (most recent call last):
    segkit.InputError: the table has 3 rows and 0 columns: give one row per customer and one column per feature
    """
    if not all(table.shape):
        raise InputError(
            f"the table has {table.shape[0]:,} rows and {table.shape[1]} columns: give one row per customer and one "
            "column per feature"
        )
    table = table.sort_index().rename_axis("customer_id")
    if not isinstance(dictionary, pd.DataFrame):
        given = dictionary or {}
        kinds = {name: (given[name], "") if name in given else infer_kind(table[name]) for name in table}
        dictionary = _dictionary(kinds)
    yes_no = [name for name in dictionary.index[dictionary["kind"] == "binary"] if not _is_number(table[name])]
    table = table.assign(**{name: _yes_no(table[name]) for name in yes_no})
    return CustomerFeatures(table, dictionary, {}, None, 365)


def _dictionary(kinds: dict[str, tuple[str, str]]) -> pd.DataFrame:
    rows = [
        {
            "feature": feature,
            "family": "given",
            "kind": kind or "category",
            "unit": _UNITS.get(kind, ""),
            "whole": "",
            "transform": "by its kind",
            "definition": "as it came",
            "needs": feature,
            "present": bool(kind),
            "missing": "" if kind else why,
        }
        for feature, (kind, why) in kinds.items()
    ]
    return pd.DataFrame(rows).set_index("feature")


def _is_number(values: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(values)


def _yes_no(values: pd.Series) -> pd.Series:
    said = dict.fromkeys(YES, 1.0) | dict.fromkeys(NO, 0.0)
    return values.map(lambda answer: said.get(str(answer).strip().lower()), na_action="ignore").astype("float64")
