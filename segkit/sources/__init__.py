"""From a dataset card to canonical tables, with a ledger of what became of every row."""

from segkit.sources.orders import Orders, read_orders

__all__ = ["Orders", "read_orders"]
