"""Which segments are worth it, and with what: figures with intervals, never stars; and what is handed over."""
