"""One row per customer as of a day, in natural units, computed where the order lines are."""

from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd

from segkit.features.custom import check_custom_features, custom_features
from segkit.features.customers import customer_table
from segkit.features.dictionary import FAMILIES, Feature
from segkit.features.parts import attribute_feature
from segkit.features.recipe import choose_recipe, recipe_features
from segkit.features.stages import has_column, open_stages, window_lines
from segkit.runtime.errors import InputError


@dataclass(frozen=True)
class CustomerFeatures:
    """Features of customers as of a day, what each means, and what was chosen from the data on the way.

    Attributes
    ----------
    table : DataFrame
        Index ``customer_id`` (text, sorted), one column per feature, missing where undefined.
    dictionary : DataFrame
        Index ``feature``: family, kind, unit, whole, transform, definition, needs, present, missing.
    recipe : dict
        Plain texts, lists and dicts; `customer_features` takes it to make the same columns again.
    """

    table: pd.DataFrame
    dictionary: pd.DataFrame
    recipe: dict
    as_of: date
    window_days: int

    def __repr__(self) -> str:
        customers, features = self.table.shape
        return f"{features} features of {customers:,} customers as of {self.as_of}, {self.window_days} days"


def customer_features(orders, as_of: date, window_days: int = 365, recipe: dict | None = None) -> CustomerFeatures:
    """Return one row of features per customer with an order in the `window_days` days that end with `as_of`.

    Parameters
    ----------
    orders : Orders
        From `read_orders`, read as of the same day or a later one.
    as_of : date
        The last day counted. Nothing after it, nothing before the window and nothing before the first order is used:
        what was sent earlier could not be answered by an order.
    window_days : int
        Days in the window, `as_of` included.
    recipe : dict, optional
        Of an earlier call: makes its columns again instead of choosing categories and such from the data.

    Returns
    -------
    CustomerFeatures
        A customer is anyone with at least one order in the window that is not a return.

    Raises
    ------
    InputError
        Nobody ordered in the window (names the days there are); a custom feature of the card fails (names it and
        the columns there are); the recipe needs columns that the dataset lacks (names them).

    Examples
    --------
    >>> from datetime import date
    >>> from segkit.data.cards.card import read_card
    >>> from segkit.data.orders import read_orders
    >>> orders = read_orders(read_card("complete-journey"), date(2017, 9, 30))
    >>> september = customer_features(orders, date(2017, 9, 30))
    >>> september
    49 features of 2,446 customers as of 2017-09-30, 365 days
    >>> september.table.loc[["1", "10"], ["order_count", "days_since_last_order"]]
                 order_count  days_since_last_order
    customer_id
    1                     37                      2
    10                     1                     59
    >>> customer_features(orders, date(2016, 9, 30))
    Traceback (most recent call last):
    segkit.InputError: complete-journey: nobody ordered from 2015-10-02 to 2016-09-30; its orders run from ...
    >>> orders.close()
    """
    after = max(as_of - timedelta(days=window_days), orders.first_day - timedelta(days=1))
    connection, columns, card = orders.connection, orders.columns, orders.card
    if orders.as_of is not None and orders.as_of < as_of:
        raise InputError(f"{card.name}: its orders were read as of {orders.as_of}, before {as_of}; read them anew")
    prices = recipe is None or "relative_price" in recipe["features"]
    with open_stages(connection, columns, after, as_of, prices, bool(card.custom_features)):
        if not connection.execute("SELECT count(*) FROM order_stage WHERE purchase_lines > 0").fetchone()[0]:
            raise InputError(
                f"{card.name}: nobody ordered from {as_of - timedelta(days=window_days - 1)} to {as_of}; its orders "
                f"run from {orders.first_day} to {orders.last_day}"
            )
        chosen = dict(recipe or choose_recipe(connection, columns))
        possible = recipe_features(chosen)
        own = custom_features(card.custom_features, [feature.name for feature in possible], card.name)
        check_custom_features(connection, own, columns, card.name)
        possible = sorted(possible + own, key=lambda feature: FAMILIES.index(feature.family))
        history_days = (as_of - after).days
        missing = {feature.name: _missing(feature, columns, chosen, history_days) for feature in possible}
        chosen.setdefault("features", [name for name, lacks in missing.items() if not lacks])
        present = present_features(possible, chosen["features"], columns, card.name)
        table = customer_table(connection, present, columns, after, as_of)
    refused = {**orders.left_out, **chosen["refused"]} if "customers" in columns else {"attributes": "customers"}
    taken = set(missing)
    for column, why in refused.items():
        feature = attribute_feature(f"customer_{column}" if column in taken else column, column, "category")
        possible.append(feature)
        missing[feature.name] = why
    return CustomerFeatures(table, _dictionary(possible, chosen, missing, card.currency), chosen, as_of, window_days)


def count_customers(orders, as_of: date, window_days: int = 365) -> int:
    """Return how many customers `customer_features` has rows for, without building them."""
    lines = window_lines(as_of - timedelta(days=window_days), as_of)
    return orders.connection.execute(
        f"SELECT count(DISTINCT customer_id) FROM ({lines}) AS lines WHERE NOT is_return"
    ).fetchone()[0]


def _missing(feature: Feature, columns: dict[str, list[str]], recipe: dict, history_days: int) -> str:
    """Return what the dataset lacks for a feature, as text; empty if nothing."""
    lacks = [need.replace("|", " or ") for need in feature.needs if not has_column(columns, need)]
    if feature.needs_hours and not recipe["time_of_day"]:
        lacks.append("a time of day in orders.ordered_at")
    if history_days < feature.history_days:
        lacks.append(f"{feature.history_days} days of orders up to as_of (there are {history_days})")
    return ", ".join(lacks)


def present_features(
    possible: list[Feature], names: list[str], columns: dict[str, list[str]], card: str
) -> list[Feature]:
    """Return the features called `names`; what was chosen once is not dropped for too little history later."""
    by_name = {feature.name: feature for feature in possible}
    if gone := [name for name in names if name not in by_name]:
        raise InputError(f"{card}: the recipe has features that the card no longer defines: {', '.join(gone)}")
    lost = {need for name in names for need in by_name[name].needs if not has_column(columns, need)}
    if lost:
        lost = ", ".join(sorted(need.replace("|", " or ") for need in lost))
        raise InputError(f"{card}: the recipe needs columns that the dataset no longer has: {lost}")
    return [by_name[name] for name in names]


def _dictionary(possible: list[Feature], recipe: dict, missing: dict[str, str], currency: str) -> pd.DataFrame:
    rows = [
        {
            "feature": feature.name,
            "family": feature.family,
            "kind": feature.kind,
            "unit": feature.unit.replace("currency", currency or "currency"),
            "whole": feature.whole,
            "transform": feature.transform,
            "definition": feature.definition,
            "needs": ", ".join(need.replace("|", " or ") for need in feature.needs),
            "present": feature.name in recipe["features"],
            "missing": "" if feature.name in recipe["features"] else missing[feature.name] or "a place in the recipe",
        }
        for feature in possible
    ]
    return pd.DataFrame(rows).set_index("feature")
