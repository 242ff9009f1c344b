"""From a dataset card to canonical tables, with a ledger of what became of every row."""

from segkit.sources.check import check_dataset, tell_dirty_lines
from segkit.sources.databases import one_snapshot
from segkit.sources.orders import Orders, read_orders
from segkit.sources.ready import ReadyRows, read_ready

__all__ = ["Orders", "ReadyRows", "check_dataset", "one_snapshot", "read_orders", "read_ready", "tell_dirty_lines"]
