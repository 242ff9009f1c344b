"""What customers did in the days after `as_of`: how much they bought, and what and how.

Outcomes are made by the same two stages as features, over the days that follow instead of those before, and with the
categories and channels of the features' recipe. They never stand beside features of the same days.
"""

from datetime import date, timedelta

import pandas as pd

from segkit.features.customers import campaign_statement, customer_table
from segkit.features.recipe import recipe_features
from segkit.features.stages import open_stages
from segkit.runtime.errors import InputError

_VALUE = {  # outcome: loss, definition
    "orders_again": ("binary", "1 with at least one order in the horizon, else 0."),
    "next_order_count": ("count", "Orders in the horizon."),
    "next_spend": ("money", "Money spent in the horizon, net of returns; 0 without an order."),
}
_SHARES = ("discount_share", "coupon_share", "own_brand_share")
_ANSWERED = "next_campaign_answered"


def outcome_dictionary(recipe: dict) -> pd.DataFrame:
    """Return index ``outcome``; group (value, behaviour), loss (binary, count, money, share), definition.

    Shares are of the categories and channels that the recipe names, the rest excepted, since it follows from them.

    Examples
    --------
    >>> outcome_dictionary({"features": ["spend", "discount_share"], "attributes": {}})[["group", "loss"]]
                             group    loss
    outcome
    orders_again             value  binary
    next_order_count         value   count
    next_spend               value   money
    next_discount_share  behaviour   share
    """
    rows = [("value", name, *about) for name, about in _VALUE.items()]
    rows += [
        (
            "behaviour",
            f"next_{feature.name}",
            "share",
            f"{feature.definition[:-1]}, in the horizon; of those who order.",
        )
        for feature in _share_features(recipe)
    ]
    if "campaigns_answered_count" in recipe["features"]:
        answered = "1 if a campaign sent in the horizon was answered in it, else 0; of those who were sent one."
        rows.append(("behaviour", _ANSWERED, "binary", answered))
    return pd.DataFrame(rows, columns=["group", "outcome", "loss", "definition"]).set_index("outcome")


def customer_outcomes(
    orders, as_of: date, horizon_days: int, recipe: dict, customers: pd.Index | None = None
) -> pd.DataFrame:
    """Return what customers did in the `horizon_days` days after `as_of`.

    Parameters
    ----------
    orders : Orders
        Read as of the end of the horizon or later.
    as_of : date
        The day before the first day counted.
    horizon_days : int
    recipe : dict
        Of `customer_features`.
    customers : Index, optional
        The customers of the features, as text: exactly these rows come back, in their order. Otherwise everybody
        with an order in the horizon.

    Returns
    -------
    DataFrame
        Index ``customer_id``, the columns of `outcome_dictionary`. Shares are missing for those who did not order, an
        answer for those who were sent no campaign.

    Raises
    ------
    InputError
        The orders were read as of a day before the end of the horizon; the message names both days.

    Examples
    --------
    >>> from segkit.data.cards.card import read_card
    >>> from segkit.features.build import customer_features
    >>> from segkit.data.orders import read_orders
    >>> with read_orders(read_card("complete-journey"), date(2017, 9, 30)) as orders:
    ...     june = customer_features(orders, date(2017, 6, 30))
    ...     outcomes = customer_outcomes(orders, date(2017, 6, 30), 92, june.recipe, june.table.index)
    >>> outcomes[["orders_again", "next_order_count", "next_spend", "next_discount_share"]].mean().round(2)
    orders_again             0.95
    next_order_count        16.45
    next_spend             477.17
    next_discount_share      0.15
    dtype: float64
    """
    until = as_of + timedelta(days=horizon_days)
    if orders.as_of is not None and orders.as_of < until:
        raise InputError(
            f"{orders.card.name}: outcomes up to {until} need orders read as of then; these were read as of "
            f"{orders.as_of}"
        )
    columns, connection = orders.columns, orders.connection
    by_name = {feature.name: feature for feature in recipe_features(recipe)}
    wanted = [by_name["order_count"], by_name["spend"], *_share_features(recipe)]
    with open_stages(connection, columns, as_of, until, prices=False, custom=False):
        outcomes = customer_table(connection, wanted, columns, as_of, until).add_prefix("next_")
    outcomes.insert(0, "orders_again", 1.0)
    if customers is not None:
        outcomes = outcomes.reindex(customers.rename("customer_id"))
    if _ANSWERED in (names := outcome_dictionary(recipe).index):
        sent = connection.execute(
            "SELECT CAST(customer_id AS VARCHAR) AS customer_id, CAST(max(answered) AS DOUBLE) AS answered "
            f"FROM ({campaign_statement(columns, as_of, until)}) AS campaigns GROUP BY customer_id"
        ).df()
        outcomes[_ANSWERED] = sent.set_index("customer_id")["answered"].reindex(outcomes.index)
    outcomes[list(_VALUE)] = outcomes[list(_VALUE)].fillna(0).astype("float64")
    return outcomes[list(names)]


def _share_features(recipe: dict) -> list:
    """Return the features whose shares, a horizon later, are outcomes."""
    named = {part["feature"] for whole in ("category", "channel") for part in recipe.get(whole, []) if part["label"]}
    return [
        feature
        for feature in recipe_features(recipe)
        if feature.name in recipe["features"] and (feature.name in _SHARES or feature.name in named)
    ]
