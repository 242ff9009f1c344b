"""The shop as it is: sales by month and category, how concentrated revenue is, how features are distributed."""

from datetime import date, timedelta

import numpy as np
import pandas as pd

BINS = 24


def monthly_sales(orders, as_of: date) -> pd.DataFrame:
    """Return orders, customers and revenue of every month up to `as_of`, summed in the engine.

    Parameters
    ----------
    orders : Orders
        As `read_orders` returns them.
    as_of : date
        The last day counted.

    Returns
    -------
    DataFrame
        ``month`` (its first day), ``orders``, ``customers``, ``revenue`` (money, net of returns), ``complete``: the
        data covers the whole month.
    """
    # Distinct orders are groups that are counted: engines spill groups to disk, and not what they count as distinct.
    # One statement after the other, so that only one of the groupings is held at a time.
    sales = orders.connection.execute(
        """
        SELECT month, count(*) AS orders, CAST(sum(amount) AS DOUBLE) AS revenue
        FROM (SELECT CAST(date_trunc('month', ordered_at) AS DATE) AS month, order_id, sum(amount) AS amount
              FROM orders GROUP BY 1, 2) AS by_order
        GROUP BY 1 ORDER BY 1
        """
    ).df()
    people = orders.connection.execute(
        """
        SELECT month, count(*) AS customers
        FROM (SELECT CAST(date_trunc('month', ordered_at) AS DATE) AS month, customer_id
              FROM orders GROUP BY 1, 2) AS by_customer
        GROUP BY 1 ORDER BY 1
        """
    ).df()
    sales.insert(2, "customers", people["customers"])
    sales["month"] = pd.to_datetime(sales["month"])
    ends = sales["month"] + pd.offsets.MonthEnd(0)
    starts_late = sales["month"].dt.to_period("M") == pd.Period(orders.first_day, "M")
    pause = longest_pause_days(orders)
    starts_late &= pd.Timestamp(orders.first_day).day > 1 + pause
    last = sales["month"].dt.to_period("M") == pd.Period(as_of, "M")
    sales["complete"] = (
        ~starts_late & (ends <= pd.Timestamp(as_of)) & ~(last & (uncovered_days(orders, as_of, pause) > 0))
    )
    return sales


def longest_pause_days(orders) -> int:
    """Return the longest run of days without an order between two days with orders; holidays, say."""
    return orders.connection.execute(
        """
        SELECT coalesce(max(pause), 0) FROM (
            SELECT date_diff('day', lag(day) OVER (ORDER BY day), day) - 1 AS pause
            FROM (SELECT DISTINCT CAST(ordered_at AS DATE) AS day FROM orders) AS days) AS pauses
        """
    ).fetchone()[0]


def uncovered_days(orders, as_of: date, pause: int | None = None) -> int:
    """Return how many days before and on `as_of` the data does not cover, or 0 when it does.

    A shop that rests on Sundays has no orders on some last days of months. So the days at the end count as uncovered
    only when they are more than the longest pause seen before (`pause`, where it is known already).
    """
    silent = (as_of - orders.last_day).days
    if silent <= 0:
        return 0  # spares a scan
    return silent if silent > (longest_pause_days(orders) if pause is None else pause) else 0


def only_returned(orders, after: date, until: date) -> tuple[int, float]:
    """Return how many people returned something after `after` and up to `until` and bought nothing, and their amount.

    They are no customers of these days, so no feature and no segment has them; the ledger does.
    """
    start, end = after + timedelta(days=1), until + timedelta(days=1)
    window = f"ordered_at >= CAST('{start}' AS TIMESTAMP) AND ordered_at < CAST('{end}' AS TIMESTAMP)"
    people, amount = orders.connection.execute(
        f"""
        SELECT count(*), CAST(coalesce(sum(returned), 0) AS DOUBLE)
        FROM (SELECT customer_id, sum(amount) AS returned FROM orders WHERE {window}
              GROUP BY customer_id HAVING count(CASE WHEN NOT is_return THEN 1 END) = 0) AS people
        """
    ).fetchone()
    return int(people), float(amount)


def category_sales(orders) -> pd.DataFrame | None:
    """Return each category's share of revenue and of customers who bought it; None where there are no categories.

    Returns
    -------
    DataFrame
        ``category, revenue`` (money), ``revenue_share, customer_share``, largest first.
    """
    if "category" in orders.columns["orders"]:
        lines = "orders"
    elif "category" in orders.columns.get("products", []):
        lines = "orders LEFT JOIN products USING (product_id)"
    else:
        return None
    # As by month: groups that can be spilled, and one grouping held at a time.
    revenue, customers = orders.connection.execute(
        """
        SELECT CAST(sum(amount) AS DOUBLE), count(*)
        FROM (SELECT customer_id, sum(amount) AS amount FROM orders GROUP BY 1) AS customers
        """
    ).fetchone()
    categories = orders.connection.execute(
        f"""
        SELECT category, CAST(sum(amount) AS DOUBLE) AS revenue, CAST(count(*) AS DOUBLE) AS customers
        FROM (SELECT coalesce(CAST(category AS VARCHAR), 'unknown') AS category, customer_id, sum(amount) AS amount
              FROM {lines} GROUP BY 1, 2) AS by_customer
        GROUP BY 1 ORDER BY revenue DESC, category
        """
    ).df()
    shares = {"revenue_share": categories["revenue"] / revenue, "customer_share": categories["customers"] / customers}
    return categories.drop(columns="customers").assign(**shares)


def revenue_concentration(spend: pd.Series, fewest: int = 1) -> pd.DataFrame:
    """Return the share of revenue that the best customers bring (a Lorenz curve from the top).

    Parameters
    ----------
    spend : Series
        Money per customer.
    fewest : int
        Customers between two rows, at least.

    Returns
    -------
    DataFrame
        ``customer_share, revenue_share``: cumulative, at most 201 rows from (0, 0) to (1, 1).

    Examples
    --------
    >>> revenue_concentration(pd.Series([70.0, 10.0, 10.0, 10.0])).round(2)
       customer_share  revenue_share
    0            0.00            0.0
    1            0.25            0.7
    2            0.50            0.8
    3            0.75            0.9
    4            1.00            1.0
    """
    best_first = np.sort(spend.to_numpy(dtype=float))[::-1]
    held = np.concatenate([[0.0], np.cumsum(best_first) / best_first.sum()])
    rows = np.unique(np.round(np.linspace(0, len(spend), min(201, len(spend) // fewest + 1))).astype(int))
    return pd.DataFrame({"customer_share": rows / len(spend), "revenue_share": held[rows]})


def feature_distributions(features: pd.DataFrame, dictionary: pd.DataFrame, families=()) -> pd.DataFrame:
    """Return histograms of the numeric features, in natural units.

    Money, counts and days get bins that grow geometrically, so that the whales don't flatten everybody else. Features
    that all customers share are left out.

    Returns
    -------
    DataFrame
        ``feature, family, unit, left, right, customer_share, log``: one row per bin.
    """
    numeric = dictionary[(dictionary["kind"] != "category") & dictionary["family"].isin(list(families))]
    columns = ["left", "right", "customer_share", "feature", "family", "unit", "log"]
    parts = [pd.DataFrame(columns=columns)]
    for feature, row in numeric[numeric["present"]].iterrows():
        known = features[feature].dropna().to_numpy(dtype=float)
        if not len(known) or known.min() == known.max():
            continue  # nothing to see
        log = row["kind"] in ("money", "count", "days")
        known = np.log1p(np.maximum(known, 0)) if log else known
        edges = np.linspace(known.min(), known.max(), BINS + 1)
        share = np.histogram(known, edges)[0] / len(features)
        edges = np.expm1(edges) if log else edges
        bins = pd.DataFrame({"left": edges[:-1], "right": edges[1:], "customer_share": share})
        parts.append(bins.assign(feature=feature, family=row["family"], unit=row["unit"], log=log))
    return pd.concat(parts[1:] or parts, ignore_index=True)
