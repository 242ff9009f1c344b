"""The shop as it is: sales of every month and category, counted as a plain statement counts them."""

from datetime import date
from types import SimpleNamespace

import pandas as pd
import pytest
from sqlglot import exp, parse_one

from segkit.data.cards.card import read_card
from segkit.data.explore import category_sales, monthly_sales
from segkit.data.orders import read_orders

MONTHS = """
    SELECT CAST(date_trunc('month', ordered_at) AS DATE) AS month, count(DISTINCT order_id) AS orders,
        count(DISTINCT customer_id) AS customers, CAST(sum(amount) AS DOUBLE) AS revenue
    FROM orders GROUP BY 1 ORDER BY 1
"""
CATEGORIES = """
    SELECT coalesce(category, 'unknown') AS category, CAST(sum(amount) AS DOUBLE) AS revenue,
        count(DISTINCT customer_id) / (SELECT count(DISTINCT customer_id) FROM orders) AS customer_share
    FROM orders LEFT JOIN products USING (product_id) GROUP BY 1 ORDER BY revenue DESC, category
"""


@pytest.fixture(scope="module")
def orders():
    with read_orders(read_card("complete-journey"), date(2017, 9, 30)) as orders:
        yield orders


def test_sales_by_month_are_those_that_counting_distinct_orders_gives(orders):
    sales, plain = monthly_sales(orders, date(2017, 9, 30)), orders.connection.execute(MONTHS).df()
    plain["month"] = plain["month"].astype(sales["month"].dtype)
    pd.testing.assert_frame_equal(sales[list(plain)], plain, check_exact=True)
    assert sales["complete"].all()
    assert sales["orders"].sum() > 100_000


def test_sales_by_category_are_those_that_counting_distinct_customers_gives(orders):
    sales, plain = category_sales(orders), orders.connection.execute(CATEGORIES).df()
    pd.testing.assert_frame_equal(sales[list(plain)], plain, check_exact=True)
    assert sales["revenue_share"].sum() == pytest.approx(1)


def test_no_statement_groups_the_order_lines_twice_since_an_engine_may_hold_both_at_once(orders):
    asked = []

    def execute(statement: str):
        asked.append([table.name for table in parse_one(statement, read="duckdb").find_all(exp.Table)].count("orders"))
        return orders.connection.execute(statement)

    about = {"columns": orders.columns, "first_day": orders.first_day, "last_day": orders.last_day}
    spied = SimpleNamespace(connection=SimpleNamespace(execute=execute), **about)
    category_sales(spied)
    monthly_sales(spied, date(2017, 9, 30))
    assert len(asked) >= 4
    assert set(asked) == {1}


def test_an_order_of_two_customers_counts_once_and_a_line_without_a_category_is_unknown(tmp_path):
    lines = ["x,1,2024-01-05,a,2.00,tea", "y,1,2024-01-06,a,3.00,"]
    lines += ["y,2,2024-02-01,a,1.50,tea", "y,2,2024-02-01,b,1,tea"]
    (tmp_path / "lines.csv").write_text("who,order,at,what,paid,kind\n" + "\n".join(lines) + "\n")
    columns = 'customer_id = "who"\norder_id = "order"\nordered_at = "at"\nproduct_id = "what"\namount = "paid"\n'
    text = f'title = "x"\n[orders]\nsource = "lines.csv"\n[orders.columns]\n{columns}category = "kind"\n'
    (tmp_path / "shop.toml").write_text(text + 'quantity = { sql = "1" }\n')
    with read_orders(read_card(tmp_path / "shop.toml")) as orders:
        months, categories = monthly_sales(orders, orders.last_day), category_sales(orders)
    assert months[["orders", "customers", "revenue"]].values.tolist() == [[1, 2, 5.0], [1, 1, 2.5]]
    assert categories["category"].tolist() == ["tea", "unknown"]
    assert categories[["revenue", "customer_share"]].values.tolist() == [[4.5, 1], [3, 0.5]]
