"""One study: a dataset, a day, parameters; each step of the analysis computed once and kept.

`data` reads the orders and makes the features, `choosing` tries the candidates and takes one, `segments` fits, names
and profiles it, `worth` asks which are worth it, `telling` says what the report says;
each builds on the one before. `opening` opens a study.
"""

from segkit.study.opening import Study, last_day_counted, open_study

__all__ = ["Study", "last_day_counted", "open_study"]
