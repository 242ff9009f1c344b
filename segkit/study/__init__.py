"""One study: a dataset, a day, parameters; each step of the analysis computed once and kept.

`data` reads the orders and makes the features, `way` says whether the model of the month before is kept (`earlier`
reads that month, `kept_model` is what is known of its model), `choosing` tries the candidates and takes one, `segments`
fits, names and profiles it, `worth` asks which are worth it, `months` who moved, `telling` says what the report says;
each builds on the one before. `opening` opens a study.
"""

from segkit.study.data import check_sales
from segkit.study.earlier import EarlierMonth
from segkit.study.months import next_month
from segkit.study.opening import Study, last_day_counted, open_study

__all__ = ["EarlierMonth", "Study", "check_sales", "last_day_counted", "next_month", "open_study"]
