"""What is chosen from the data: which categories, channels and countries count by name, which attributes are features.

Chosen once and kept as a plain dict, the recipe, so that next month, or a customer scored later, gets the very same
columns.
"""

import re

import duckdb

from segkit.features.dictionary import FEATURES, Feature
from segkit.features.parts import attribute_feature, country_feature, part_features
from segkit.features.stages import has_column
from segkit.runtime.spelling import quote

MOST_CATEGORIES = 8
MOST_CHANNELS = 6
MOST_COUNTRIES = 8
MOST_LEVELS = 30  # an attribute with more different texts is a note or a number, not a class

_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINY", "USMALL", "UINT", "UBIG", "UHUGE")
_NUMBERS += ("FLOAT", "DOUBLE", "DECIMAL")


def slug(label: str) -> str:
    """Return `label` as part of a column name.

    Examples
    --------
    >>> slug("DRUG GM"), slug("Elect & Plumbing"), slug("--")
    ('drug_gm', 'elect_plumbing', 'unnamed')
    """
    return re.sub(r"\W+", "_", str(label).casefold()).strip("_") or "unnamed"


def composition_parts(whole: str, labels: list[str]) -> list[dict]:
    """Return the parts of a composition, each with its own feature name, and last the rest (label None).

    Examples
    --------
    >>> [part["feature"] for part in composition_parts("category", ["MEAT", "Meat", "other"])]
    ['category_meat_share', 'category_meat_2_share', 'category_other_2_share', 'category_other_share']
    """
    taken = {"other"}
    parts = []
    for label in labels:
        base = name = slug(label)
        number = 1
        while name in taken:
            number += 1
            name = f"{base}_{number}"
        taken.add(name)
        parts.append({"feature": f"{whole}_{name}_share", "label": label})
    return [*parts, {"feature": f"{whole}_other_share", "label": None}]


def choose_recipe(connection: duckdb.DuckDBPyConnection, columns: dict[str, list[str]]) -> dict:
    """Return the recipe for the intermediate tables on `connection`: plain texts, lists and dicts.

    ``category``, ``channel``: feature and label of each part, biggest first; ``country``: labels; ``attributes``:
    column to kind; ``refused``: attributes that are no features, and why; ``time_of_day``: whether orders have one.
    """

    def top(sql: str, most: int) -> list[str]:
        return [str(label) for label, _ in connection.execute(f"{sql} LIMIT {most}").fetchall()]

    def of_orders(column: str, most: int) -> list[str]:
        return top(
            f"SELECT {column}, count(*) AS orders FROM order_stage WHERE purchase_lines > 0 AND {column} IS NOT NULL "
            f"GROUP BY {column} ORDER BY orders DESC, {column}",
            most,
        )

    recipe = {}
    if has_column(columns, "orders.category|products.category"):
        labels = top(
            "SELECT category, sum(bought) AS sales FROM taste_stage WHERE category IS NOT NULL "
            "GROUP BY category ORDER BY sales DESC, category",
            MOST_CATEGORIES,
        )
        recipe["category"] = composition_parts("category", labels)
    if has_column(columns, "orders.channel"):
        recipe["channel"] = composition_parts("channel", of_orders("channel", MOST_CHANNELS))
    if has_column(columns, "orders.country"):
        recipe["country"] = of_orders("country", MOST_COUNTRIES)
    attributes = [column for column in columns.get("customers", []) if column != "customer_id"]
    recipe["attributes"], recipe["refused"] = _choose_attributes(connection, attributes)
    times = "SELECT count(*) FROM order_stage WHERE hour_of_day > 0"
    recipe["time_of_day"] = connection.execute(times).fetchone()[0] > 0
    return recipe


def recipe_features(recipe: dict) -> list[Feature]:
    """Return every feature there could be with this recipe, in the order of the dictionary."""
    features = []
    for feature in FEATURES:
        if feature.stage == "parts" and feature.whole in recipe:
            features += part_features(feature, recipe[feature.whole])
        elif feature.name == "country" and "country" in recipe:
            features.append(country_feature(feature, recipe["country"]))
        else:
            features.append(feature)
    names = {feature.name for feature in features}
    for column, kind in recipe["attributes"].items():
        features.append(attribute_feature(f"customer_{column}" if column in names else column, column, kind))
    return features


def _choose_attributes(connection, attributes: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the kind of each attribute that is a feature, and why the others are none."""
    chosen, refused = {}, {}
    types = {name: kind for name, kind, *_ in connection.execute("DESCRIBE customers").fetchall()} if attributes else {}
    for column in attributes:
        kind = types[column]
        if kind == "BOOLEAN":
            chosen[column] = "binary"
        elif kind.startswith(_NUMBERS):
            chosen[column] = "number"
        elif kind != "VARCHAR":
            refused[column] = f"a {kind.lower()} is neither a class nor a number"
        else:
            levels = f"SELECT count(DISTINCT {quote(column)}) FROM customers"
            count = connection.execute(levels).fetchone()[0]
            if count <= MOST_LEVELS:
                chosen[column] = "category"
            else:
                refused[column] = f"{count} different texts, more than {MOST_LEVELS}"
    return chosen, refused
