"""The tables that a run leaves behind: what every column is, and how a table is written."""
