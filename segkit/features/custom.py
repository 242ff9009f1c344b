"""Features of a card's own: an aggregate in SQL over the customer's orders, and nothing but that."""

import json

import duckdb

from segkit.data.convert import sql_text
from segkit.features.customers import custom_orders
from segkit.features.dictionary import FAMILIES, FEATURES, Feature
from segkit.features.stages import open_stages
from segkit.runtime.errors import InputError


def custom_features(card_features: dict[str, dict], known: list[str], card: str) -> list[Feature]:
    """Return the features that a card defines under ``[custom_features]``.

    Parameters
    ----------
    card_features : dict
        ``sql`` and optionally ``kind``, ``family``, ``unit``, ``definition`` by name.
    known : list of str
        Names that are taken.
    card : str
        What messages call the card.

    Raises
    ------
    InputError
        The name is taken, the family unknown, or the SQL is not one expression.

    Examples
    --------
    >>> custom_features({"gifts": {"sql": "DROP TABLE orders"}}, [], "shop")
    Traceback (most recent call last):
    segkit.InputError: shop: custom feature `gifts` is not one SQL expression: DROP TABLE orders
    """
    features = []
    for name, given in card_features.items():
        if name in known:
            raise InputError(f"{card}: custom feature `{name}` has the name of a feature of segkit; choose another")
        family = given.get("family", "value")
        if family not in FAMILIES:
            raise InputError(
                f"{card}: custom feature `{name}` has the unknown family {family!r}; known: {', '.join(FAMILIES)}"
            )
        sql = given["sql"].strip()
        if not _is_expression(sql):
            raise InputError(f"{card}: custom feature `{name}` is not one SQL expression: {sql}")
        definition = given.get("definition", f"{sql}, over the customer's orders.")
        features.append(
            # On a line of its own, so that a comment at the end cannot swallow what follows.
            Feature(
                name, family, given.get("kind", "number"), given.get("unit", ""), definition, "custom", f"({sql}\n)"
            )
        )
    return features


def try_custom_features(orders) -> None:
    """Refuse a card whose own features don't fit its orders, as `customer_features` does, without computing them."""
    card = orders.card
    own = custom_features(card.custom_features, [feature.name for feature in FEATURES], card.name)
    if own:
        no_days = orders.last_day, orders.last_day
        with open_stages(orders.connection, orders.columns, *no_days, prices=False):
            check_custom_features(orders.connection, own, orders.columns, card.name)


def check_custom_features(
    connection: duckdb.DuckDBPyConnection, features: list[Feature], columns: dict[str, list[str]], card: str
) -> None:
    """Try each custom feature on the orders, so that an error can name it.

    Raises
    ------
    InputError
        An expression fails, is no aggregate, gives text where the kind is a number, or a share outside 0 to 1; the
        message names the feature, what the engine says, and the columns there are.
    """
    available = custom_orders(columns)
    own = ", ".join(f"{sql} AS {name}" for name, sql in available.items())
    orders = f"(SELECT customer_id, {own} FROM order_stage WHERE purchase_lines > 0) AS orders"
    for feature in features:
        where = f"{card}: custom feature `{feature.name}`"
        value = f"SELECT {feature.sql} AS figure FROM {orders} GROUP BY customer_id"
        try:
            kind = connection.execute(f"DESCRIBE {value}").fetchone()[1]
            low, high = connection.execute(f"SELECT min(figure), max(figure) FROM ({value}) AS figures").fetchone()
        except duckdb.Error as error:
            said = str(error).splitlines()[0]
            raise InputError(
                f"{where} fails: {said}. It must be one aggregate over the customer's orders; their columns: "
                f"{', '.join(available)}"
            ) from None
        if (kind == "VARCHAR") != (feature.kind == "category"):
            raise InputError(f"{where} gives {kind}, which does not go with kind {feature.kind!r}")
        if feature.kind == "share" and low is not None and not 0 <= low <= high <= 1:
            raise InputError(f"{where} is a share, but its figures run from {low} to {high}; a share is 0 to 1")


def _is_expression(sql: str) -> bool:
    """Return whether `sql` is a single expression: no statement, no table, no query inside."""
    # The parser itself says what it reads; nothing is run or looked up.
    with duckdb.connect() as parser:
        parsed = parser.execute(f"SELECT json_serialize_sql({sql_text('SELECT ' + sql)})").fetchone()[0]
    tree = json.loads(parsed)
    if tree["error"] or len(tree["statements"]) != 1:
        return False
    node = tree["statements"][0]["node"]
    plain = (
        node["type"] == "SELECT_NODE"
        and len(node["select_list"]) == 1
        and node["from_table"]["type"] == "EMPTY"
        and not node["where_clause"]
        and not node["group_expressions"]
        and not node["having"]
        and not node["modifiers"]
        and not node["cte_map"]["map"]
        and not node["select_list"][0].get("alias")
    )
    return plain and not _mentions(node["select_list"][0], "SUBQUERY")


def _mentions(tree, expression_class: str) -> bool:
    """Return whether an expression of that class is anywhere in a parsed tree."""
    if isinstance(tree, dict):
        return tree.get("class") == expression_class or any(_mentions(part, expression_class) for part in tree.values())
    return isinstance(tree, list) and any(_mentions(part, expression_class) for part in tree)
