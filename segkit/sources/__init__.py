"""From a dataset card to canonical tables, with a ledger of what became of every row."""

from segkit.sources.check import check_dataset
from segkit.sources.orders import Orders, read_orders
from segkit.sources.ready import ReadyRows, read_ready

__all__ = ["Orders", "ReadyRows", "check_dataset", "read_orders", "read_ready"]
