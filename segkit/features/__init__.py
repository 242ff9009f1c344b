"""One row per customer as of a day, in natural units: the dictionary of features, and their composition in SQL."""
