"""From a dataset's card to canonical tables, with a ledger of what became of every row."""
