"""One study: a dataset, a day, parameters; each step of the analysis computed once and kept."""
