"""Ready tables of customers: the feature dictionary that they don't bring."""

import pandas as pd

from segkit.runtime.errors import InputError

_UNITS = {"money": "currency", "days": "days", "share": "0 to 1", "binary": "0 or 1"}


def ready_dictionary(table: pd.DataFrame, kinds: dict[str, str]) -> pd.DataFrame:
    """Return a feature dictionary for a ready table of customers: one family, given, in which every feature is equal.

    Parameters
    ----------
    table : DataFrame
        One row per customer, one column per feature.
    kinds : dict
        Kind by feature: money, count, share, number, category, binary or days.

    Returns
    -------
    DataFrame
        Columns as in the dictionary of `customer_features`.

    Raises
    ------
    InputError
        A feature has no kind; the message names it.

    Examples
    --------
    >>> survey = pd.DataFrame({"tasty": [1, 0], "city": ["Graz", "Linz"]})
    >>> ready_dictionary(survey, {"tasty": "binary", "city": "category"})[["family", "kind", "unit"]]
            family      kind    unit
    feature
    tasty    given    binary  0 or 1
    city     given  category
    >>> ready_dictionary(survey, {"tasty": "binary"})
    Traceback (most recent call last):
    segkit.InputError: the ready table's city has no kind: give one under [features.kinds]
    """
    unknown = [feature for feature in table if feature not in kinds]
    if unknown:
        raise InputError(f"the ready table's {', '.join(unknown)} has no kind: give one under [features.kinds]")
    rows = [
        {
            "feature": feature,
            "family": "given",
            "kind": kinds[feature],
            "unit": _UNITS.get(kinds[feature], ""),
            "whole": "",
            "transform": "by its kind",
            "definition": "as it came",
            "needs": feature,
            "present": True,
            "missing": "",
        }
        for feature in table
    ]
    return pd.DataFrame(rows).set_index("feature")
