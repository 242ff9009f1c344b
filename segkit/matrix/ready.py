"""Ready tables of customers: the feature dictionary that they don't bring."""

import pandas as pd

from segkit.errors import InputError
from segkit.matrix.transforms import as_numbers


def ready_dictionary(table: pd.DataFrame, kinds: dict[str, str] | None = None) -> pd.DataFrame:
    """Return a feature dictionary for a ready table of customers, each feature of equal weight in the family given.

    A kind that isn't given is inferred: two answers (0 and 1, true and false, yes and no) are binary, other text a
    category; a name that ends in _days, _count or _share says its kind; numbers from 0 upwards with a long tail are
    counts or, with fractions, money; all others are numbers. Columns as in the dictionary of `customer_features`.

    Examples
    --------
    >>> survey = pd.DataFrame({"tasty": ["Yes", "No"], "age": [31, 44], "city": ["Graz", "Linz"]})
    >>> ready_dictionary(survey, {"age": "number"})["kind"].to_dict()
    {'tasty': 'binary', 'age': 'number', 'city': 'category'}
    """
    rows = []
    for feature in table:
        given = (kinds or {}).get(feature)
        kind = given or _infer_kind(table[feature])
        rows.append(
            {
                "feature": feature,
                "family": "given",
                "kind": kind,
                "unit": {"money": "currency", "days": "days", "share": "0 to 1", "binary": "0 or 1"}.get(kind, ""),
                "whole": "",
                "transform": "as the matrix chooses for its kind",
                "definition": "as it came" if given else f"as it came; kind inferred: {kind}",
                "needs": feature,
                "present": True,
                "missing": "",
            }
        )
    return pd.DataFrame(rows).set_index("feature")


def _infer_kind(values: pd.Series) -> str:
    known = values.dropna()
    try:
        if as_numbers(known, "binary").size:
            return "binary"
    except InputError:
        pass
    numbers = pd.to_numeric(known, errors="coerce")
    if numbers.isna().any() or known.empty:
        return "category"
    for kind in ("days", "count", "share"):
        if str(values.name).endswith(f"_{kind}") and (kind != "share" or numbers.between(0, 1).all()):
            return kind
    middle, high = numbers.quantile([0.5, 0.99])
    if numbers.min() >= 0 and high > 10 * max(middle, 1e-9):
        return "count" if (numbers % 1 == 0).all() else "money"
    return "number"
