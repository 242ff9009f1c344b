"""Assign customers by the million from Arrow batches: the rows of `assign_customers`, at a fraction of its cost.

Where a rule compares scores that are sums over the columns of the matrix (nearest centre, nearest prediction), the
sums are made in single precision, block by block. What rounding can have moved is bounded beforehand, for any two of
them; the few customers with a second sum that near to the largest are assigned anew by the rule itself, in double
precision.
"""

from segkit.batches.assigning import assign_batches

__all__ = ["assign_batches"]
