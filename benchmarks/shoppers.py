"""Shoppers of known kinds, months and moves, as the order lines that a till writes.

Orders follow the negative binomial process of Ehrenberg (1959): each shopper has a rate of ordering of his own, drawn
from a gamma distribution, and orders by a Poisson process. The mean rate, what an order is worth, where the money goes
and how much of it is discounted are those of the shopper's kind, which may change at the end of a month by a known
matrix. Some shoppers stop for good, others join.
"""

from pathlib import Path

import numpy as np
import pandas as pd

# orders a month, worth of a line, shares of spend (tea, toys, garden, home), lines with a discount
KINDS = {
    "daily": (22.0, 4.0, (0.80, 0.08, 0.06, 0.06), 0.05),
    "bargain": (6.0, 3.0, (0.06, 0.08, 0.06, 0.80), 0.70),
    "family": (11.0, 9.0, (0.06, 0.80, 0.08, 0.06), 0.15),
    "garden": (6.0, 30.0, (0.04, 0.05, 0.85, 0.06), 0.05),
}
MOVES = np.array(
    [[0.88, 0.06, 0.04, 0.02], [0.05, 0.85, 0.08, 0.02], [0.03, 0.05, 0.86, 0.06], [0.02, 0.03, 0.05, 0.90]]
)
START = (0.3, 0.3, 0.25, 0.15)  # shares of the kinds at first, and among those who join
LEAVE, JOIN = 0.03, 0.03  # of the shoppers, a month
STEADINESS = 12.0  # shape of the gamma distribution of rates: the lower, the more shoppers of a kind differ
LINES = 4.0  # mean lines per order, above the first
CATEGORIES = ("tea", "toys", "garden", "home")
CARD = """
title = "Planted shoppers"
currency = "EUR"
[orders]
source = "orders.parquet"
[orders.columns]
customer_id = "customer"
order_id = "order"
ordered_at = "day"
product_id = "product"
quantity = "quantity"
amount = "amount"
discount = "discount"
category = "category"
"""


def plant_kinds(shoppers: int, months: int, seed: int) -> pd.DataFrame:
    """Return the kind of each shopper (row) in each month (column), -1 where they are no customers."""
    draw = np.random.default_rng([seed, 1])
    kinds = draw.choice(len(KINDS), shoppers, p=START)
    columns, alive = [kinds], np.ones(shoppers, bool)
    for _ in range(1, months):
        kinds = columns[-1].copy()
        for kind in range(len(KINDS)):
            of_kind = np.flatnonzero(kinds == kind)
            kinds[of_kind] = draw.choice(len(KINDS), len(of_kind), p=MOVES[kind])
        kinds[draw.random(len(kinds)) < LEAVE] = -1
        kinds[~alive] = -1
        joined = draw.choice(len(KINDS), round(JOIN * shoppers), p=START)
        columns = [np.concatenate([column, np.full(len(joined), -1)]) for column in columns]
        columns.append(np.concatenate([kinds, joined]))
        alive = columns[-1] >= 0
    index = pd.Index([f"c{number:05}" for number in range(len(columns[0]))], name="customer_id")
    return pd.DataFrame(np.stack(columns, axis=1), index=index)


def order_lines(kinds: pd.DataFrame, first: str, seed: int) -> pd.DataFrame:
    """Return the order lines of shoppers of known kinds, from the month `first` on."""
    draw = np.random.default_rng([seed, 2])
    settings = list(KINDS.values())
    pace = draw.gamma(STEADINESS, 1 / STEADINESS, len(kinds))  # of each shopper, whatever the kind
    months = pd.period_range(first, periods=kinds.shape[1], freq="M")
    tables = []
    for month, column in zip(months, kinds, strict=True):
        kind = kinds[column].to_numpy()
        rate = np.where(kind >= 0, np.array([one[0] for one in settings])[kind] * pace, 0.0)
        customer = np.repeat(np.arange(len(kinds)), draw.poisson(rate))
        day = month.start_time + pd.to_timedelta(draw.integers(0, 24 * month.days_in_month, len(customer)), "h")
        lines = 1 + draw.poisson(LINES - 1, len(customer))
        order = np.repeat(np.arange(len(customer)), lines)
        own = kind[customer][order]
        shares = np.array([one[2] for one in settings])[own]
        category = (draw.random(len(order))[:, None] > shares.cumsum(axis=1)).sum(axis=1).clip(max=len(CATEGORIES) - 1)
        full = draw.gamma(6, np.array([one[1] for one in settings])[own] / 6).round(2) + 0.1
        off = draw.random(len(order)) < np.array([one[3] for one in settings])[own]
        discount = np.where(off, 0.3 * full, 0.0).round(2)
        tables.append(
            pd.DataFrame(
                {
                    "customer": kinds.index[customer][order],
                    "order": [f"{month}-{number}" for number in order],
                    "day": day[order],
                    "category": np.array(CATEGORIES)[category],
                    "product": np.array(CATEGORIES)[category] + draw.integers(1, 30, len(order)).astype(str),
                    "quantity": 1,
                    "amount": (full - discount).round(2),
                    "discount": discount,
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def write_shop(
    folder: Path, shoppers: int, months: int, seed: int, first: str = "2025-01"
) -> tuple[Path, pd.DataFrame]:
    """Write orders and card into `folder`; return the path of the card, and the kinds that were planted."""
    kinds = plant_kinds(shoppers, months, seed)
    order_lines(kinds, first, seed).to_parquet(folder / "orders.parquet", index=False)
    (folder / "shoppers.toml").write_text(CARD)
    return folder / "shoppers.toml", kinds
