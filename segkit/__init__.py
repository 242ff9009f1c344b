"""segkit: customer segments that are real, or at least useful, from the order lines of a shop."""
