"""The features as one statement, for a warehouse that has the canonical tables and knows nothing of Python."""

from datetime import date, timedelta

from segkit.data.cards.card import Card
from segkit.data.columns import UNITS
from segkit.features.build import present_features
from segkit.features.custom import custom_features
from segkit.features.customers import customer_statement
from segkit.features.recipe import recipe_features
from segkit.features.stages import stage_statements


def feature_statement(card: Card, recipe: dict, as_of: date, window_days: int = 365, dialect: str = "duckdb") -> str:
    """Return the SELECT of one row of features per customer, over tables ``orders, products, customers, campaigns``.

    It is what `customer_features` runs, with the intermediate tables inside. The tables must hold canonical columns
    of the types that segkit gives them (money as DECIMAL(18, 4), times without a zone), and texts must compare by
    code point (``COLLATE "C"`` in PostgreSQL).

    Parameters
    ----------
    card : Card
        Says which canonical columns there are.
    recipe : dict
        Of `customer_features`, or of a frozen segmentation.
    as_of, window_days
        As for `customer_features`, but the statement can't know where the data begin: for the features of a run, pass
        the days that were counted (`window_days` of its segmentation, ``days_counted`` in ``run.json``).
    dialect : str
        duckdb, postgres or spark: those on which the figures have been compared.

    Raises
    ------
    InputError
        The recipe needs a column that the card doesn't have.

    Examples
    --------
    >>> from segkit.data.cards.card import read_card
    >>> recipe = {"features": ["order_count"], "attributes": {}}
    >>> statement = feature_statement(read_card("complete-journey"), recipe, date(2017, 9, 30), dialect="postgres")
    >>> print(statement.splitlines()[0])
    WITH order_stage AS (
    """
    from segkit.data.engines.dialect import translate

    columns = {name: list(table.columns) for name, table in card.tables.items()}
    columns["orders"] = list(dict.fromkeys([*columns["orders"], "amount", "is_return"]))
    if "unit_price" in columns["orders"]:
        columns["orders"].remove("unit_price")  # part of the amount, and no column of its own
    possible = recipe_features(recipe)
    possible += custom_features(card.custom_features, [feature.name for feature in possible], card.name)
    features = present_features(possible, recipe["features"], columns, card.name)
    after = as_of - timedelta(days=window_days)
    prices = "relative_price" in recipe["features"]
    money = [column for column in ("amount", "discount", "coupon_discount") if column in columns["orders"]]
    units = ", ".join(f"round({UNITS} * CAST({column} AS DOUBLE)) AS {column}_units" for column in money)
    orders = f"(SELECT {', '.join(columns['orders'])}, {units} FROM orders) AS orders"
    stages = stage_statements(columns, after, as_of, prices, bool(card.custom_features), orders)
    inside = ",\n".join(f"{name} AS ({statement}\n)" for name, statement in stages.items())
    own = customer_statement(features, columns, after, as_of).strip().removeprefix("WITH ")
    return translate(f"WITH {inside},\n{own}", dialect)
