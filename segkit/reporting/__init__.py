"""The chain of notebooks, finished runs, the report's page and its sentences."""
