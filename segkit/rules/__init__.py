"""What a segment is in plain conditions, and the whole model as SQL.

`conditions` finds at most three conditions per segment and measures them on customers that did not choose them; `sql`
writes the frozen model as one SELECT, and `expressions` the arithmetic in it.
"""

from segkit.rules.conditions import segment_rules
from segkit.rules.sql import DIALECTS, rules_sql, translate_sql

__all__ = ["DIALECTS", "rules_sql", "segment_rules", "translate_sql"]
