"""Sentences about a finished table: what a notebook prints under it and what the report says, figures from the run.

`answer` has what a reader meets first, `data` what was read and left out, `targets` what to do, and `figures` how a
number reads. Sentences about months are in `segkit.months.telling`, on the future in `segkit.forward`.
"""

from segkit.prose.answer import headline, tell_advice, tell_choice, tell_sizes, tell_verdict
from segkit.prose.data import (
    reason_in_words,
    tell_concentration,
    tell_coverage,
    tell_ledger,
    tell_ledger_days,
    tell_only_returned,
)
from segkit.prose.figures import money, number_word, percent, rounded, show_intervals, with_interval
from segkit.prose.targets import tell_audiences, tell_levers, tell_rule, tell_targets

__all__ = [
    "headline", "money", "number_word", "percent", "reason_in_words", "rounded", "show_intervals", "tell_advice",
    "tell_audiences", "tell_choice", "tell_concentration", "tell_coverage", "tell_ledger", "tell_ledger_days",
    "tell_levers", "tell_only_returned", "tell_rule", "tell_sizes", "tell_targets", "tell_verdict", "with_interval",
]  # fmt: skip
