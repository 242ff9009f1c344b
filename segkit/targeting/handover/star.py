"""A star schema of a run for Power BI and Tableau: one fact table per grain, one dimension per thing."""

import pandas as pd

RELATIONS = """\
| table | one row per | joins |
|---|---|---|
| `dim_segment` | segment: name, description, rule and how far it holds | `segment_id` |
| `dim_customer` | customer | `customer_id` |
| `dim_month` | month of the run | `month` |
| `fact_segment_month` | segment and month: customers, revenue, shares | `segment_id`, `month` |
| `fact_customer_month` | customer and month: segment, confidence, features | `customer_id`, `segment_id`, `month` |

`rule_precision` is the share of the customers matched by a `rule` who belong to the segment, `rule_recall` the share of
the segment that it matches, both 0 to 1: a rule describes a segment, and only as far as these say.

Every relationship is many to one, from the fact table to the dimension. Append the fact tables of further months.
"""


def star_schema(
    month: str, as_of: str | None, features: pd.DataFrame, assignments: pd.DataFrame, segments: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """Return the tables of the schema by name; see `RELATIONS`.

    Parameters
    ----------
    month, as_of : str
        The run's month and last day counted.
    features, assignments, segments : DataFrame
        As in the run's ``tables/``.
    """
    told = ["segment_id", "segment", "description", "rule", "rule_precision", "rule_recall"]
    sizes = ["segment_id", "customers", "customer_share", "revenue", "revenue_share"]
    placed = assignments[["customer_id", "segment_id", "confidence"]].merge(features, on="customer_id")
    placed.insert(0, "month", month)
    facts = segments[sizes].copy()
    facts.insert(0, "month", month)
    return {
        "dim_segment": segments[told],
        "dim_customer": assignments[["customer_id", "rfm_segment"]],
        "dim_month": pd.DataFrame({"month": [month], "last_day_counted": [as_of]}),
        "fact_segment_month": facts,
        "fact_customer_month": placed,
    }
