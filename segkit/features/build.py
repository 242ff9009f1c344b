"""One row per customer as of a day, in natural units, computed where the order lines are."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from segkit.data.engines.engine import engine_address
from segkit.data.ready_table import ReadyRows
from segkit.features.custom import check_custom_features, custom_features
from segkit.features.customers import customer_table
from segkit.features.dictionary import FAMILIES, Feature
from segkit.features.parts import attribute_feature
from segkit.features.ready_dictionary import ready_dictionary
from segkit.features.recipe import choose_recipe, recipe_features
from segkit.features.stages import has_column, open_stages, window_lines
from segkit.runtime.cache import kept
from segkit.runtime.errors import InputError
from segkit.runtime.progress import progress_bar


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
    as_of : date or None
        The last day counted; None for a ready table of customers.
    window_days : int
        Days of orders behind them.
    """

    table: pd.DataFrame
    dictionary: pd.DataFrame
    recipe: dict
    as_of: date | None
    window_days: int

    def __repr__(self) -> str:
        customers, features = self.table.shape
        day = "" if self.as_of is None else f" as of {self.as_of}, {self.window_days} days"
        return f"{features} features of {customers:,} customers{day}"

    @property
    def revenue(self) -> pd.Series:
        """Net spend of each customer within the window; missing for a ready table."""
        return self.table["spend"] if self.as_of is not None else pd.Series(np.nan, index=self.table.index)

    def to_tables(self) -> dict[str, pd.DataFrame | dict]:
        """Return tables and dicts from which `from_tables` makes the features again."""
        day = None if self.as_of is None else self.as_of.isoformat()
        about = {"recipe": self.recipe, "as_of": day, "window_days": self.window_days}
        return {"table": self.table, "dictionary": self.dictionary, "about": about}

    @classmethod
    def from_tables(cls, made: Mapping) -> "CustomerFeatures":
        """Return the features that `to_tables` stored."""
        about = made["about"]
        day = None if about["as_of"] is None else date.fromisoformat(about["as_of"])
        return cls(made["table"], made["dictionary"], about["recipe"], day, about["window_days"])


def customer_features(
    orders, as_of: date, window_days: int = 365, recipe: dict | None = None, add: Mapping[str, Mapping] | None = None
) -> CustomerFeatures:
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
    add : dict, optional
        Features of the notebook's own, by name; see `build_features`. A recipe brings its own.

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
    added = dict(add or {}) if recipe is None else recipe.get("added", {})
    asked = card.custom_features | added
    with open_stages(connection, columns, after, as_of, prices, bool(asked)):
        if not connection.execute("SELECT count(*) FROM order_stage WHERE purchase_lines > 0").fetchone()[0]:
            raise InputError(
                f"{card.name}: nobody ordered from {as_of - timedelta(days=window_days - 1)} to {as_of}; its orders "
                f"run from {orders.first_day} to {orders.last_day}"
            )
        chosen = dict(recipe or choose_recipe(connection, columns))
        possible = recipe_features(chosen)
        if added:
            chosen["added"] = added
        own = custom_features(asked, [feature.name for feature in possible], card.name)
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


def build_features(
    orders,
    as_of: date | None = None,
    window_days: int = 365,
    *,
    add: Mapping[str, Mapping] | None = None,
    recipe: dict | None = None,
) -> CustomerFeatures:
    """Return one row of features per customer, kept on disk so that the same question is answered once.

    Parameters
    ----------
    orders : Orders or ReadyRows
        From `read_orders`, or a ready table of customers from `read_ready`, whose features are those that it has.
    as_of, window_days, recipe
        As for `customer_features`. Where the data begin within the window, the days there are count.
    add : dict, optional
        Features of your own, in DuckDB SQL over a customer's orders (one row per order: ``order_id, ordered_at, amount,
        lines, channel, ...``), beside those of the card's ``[custom_features]``: name to ``custom(sql, kind, family)``.
        They are part of the recipe, so that next month, and whoever is scored later, gets them too.

    Raises
    ------
    InputError
        As for `customer_features`; or `add` for a ready table, which has no orders (add a column to its file).

    Examples
    --------
    >>> from datetime import date
    >>> from segkit.data.cards.card import read_card
    >>> from segkit.data.orders import read_orders
    >>> with read_orders(read_card("complete-journey"), date(2017, 9, 30)) as orders:
    ...     build_features(orders, date(2017, 9, 30), add={"big_order_share": custom("avg((amount > 100)::INT)")})
    50 features of 2,446 customers as of 2017-09-30, 273 days
    """
    if isinstance(orders, ReadyRows):
        if add:
            raise InputError(f"{orders.card.name} has no orders to make {', '.join(add)} of: add a column to its file")
        return CustomerFeatures(orders.table, ready_dictionary(orders.table, orders.kinds), {}, None, window_days)
    days = min(window_days, (as_of - orders.first_day).days + 1)
    own = {name: dict(about) for name, about in (add or {}).items()}
    depends = {
        "card": orders.card.path.read_text(encoding="utf-8"),
        "inputs": orders.inputs,
        "engine": engine_address(of_card=orders.card.engine).partition(":")[0],  # last digits may differ
        "as_of": as_of,
        "window_days": days,
    }
    depends |= ({"recipe": recipe} if recipe else {}) | ({"add": own} if own else {})

    def make() -> dict:
        with progress_bar(f"building the features of {days} days up to {as_of}"):
            made = customer_features(orders, as_of, days, recipe, own)
        return made.to_tables()

    made = kept("features", "features.build", depends, make)
    return CustomerFeatures.from_tables(made)


def custom(sql: str, kind: str = "number", family: str = "value", unit: str = "") -> dict[str, str]:
    """Return a feature of your own, for `build_features`.

    Parameters
    ----------
    sql : str
        An aggregate in DuckDB SQL over a customer's orders, such as ``"avg(lines)"``.
    kind : str
        money, count, share, number, category, binary or days.
    family : str
        The family of features whose weight it shares.

    Examples
    --------
    >>> custom("avg(lines)", kind="count", family="basket")
    {'sql': 'avg(lines)', 'kind': 'count', 'family': 'basket'}
    """
    return {"sql": sql, "kind": kind, "family": family} | ({"unit": unit} if unit else {})


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
