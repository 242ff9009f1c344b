"""Features whose number or labels depend on the data: shares of a whole, the country, attributes of customers."""

from dataclasses import replace

from segkit.data.convert import sql_text
from segkit.features.dictionary import Feature
from segkit.runtime.spelling import quote


def part_features(composition: Feature, parts: list[dict]) -> list[Feature]:
    """Return one share per part of a composition, and the share of the rest.

    Parameters
    ----------
    composition : Feature
        Of stage ``parts``: the categories (shares of spend) or channels (shares of orders) together.
    parts : list of dict
        ``feature`` and ``label`` of each part, from a recipe; the label of the rest is None.
    """
    whole, unit = composition.whole, composition.unit
    stage, total, amount, share = "purchases", "count(*)", "count(CASE WHEN {} THEN 1 END)", "({}) / ({})"
    if unit == "share of spend":
        stage, total, amount = "tastes", "sum(bought)", "sum(CASE WHEN {} THEN bought ELSE 0 END)"
        share = "CAST({} AS DOUBLE) / nullif(CAST({} AS DOUBLE), 0)"
    labels = [part["label"] for part in parts if part["label"] is not None]
    amounts = {label: amount.format(f"{whole} = {sql_text(label)}") for label in labels}
    # The rest is what the named parts leave, exactly, since counts and decimals are: it compares no text again.
    amounts[None] = " - ".join([total, *amounts.values()])
    features = []
    for part in parts:
        label = part["label"]
        definition = f"{unit.capitalize()} in any other {whole}, or in none."
        if label is not None:
            definition = f'{unit.capitalize()} in {whole} "{label}".'
        sql = share.format(amounts[label], total)
        features.append(replace(composition, name=part["feature"], definition=definition, stage=stage, sql=sql))
    return features


def country_feature(country: Feature, labels: list[str]) -> Feature:
    """Return the feature of the country with most orders, those not in `labels` called ``other``."""
    named = ", ".join(map(sql_text, labels))
    sql = f"max(CASE WHEN country IN ({named}) THEN country ELSE 'other' END)" if labels else "'other'"
    return replace(country, sql=sql)


def attribute_feature(name: str, column: str, kind: str) -> Feature:
    """Return the feature of one column of the customers table."""
    as_type = {"category": "VARCHAR", "binary": "DOUBLE", "number": "DOUBLE"}[kind]
    return Feature(
        name,
        "who",
        kind,
        "",
        f"`{column}` as it stands in the customers table; unknown for customers who are not in it.",
        "customers",
        f"max(CAST({quote(column)} AS {as_type}))",
        needs=(f"customers.{column}",),
    )
