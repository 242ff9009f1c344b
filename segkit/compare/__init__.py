"""Every family side by side: fit all candidates, judge them by the same criteria, propose one and say why."""

from segkit.compare.choice import BASELINES, CHOICE_RULE, agreement, broken_limits, choose, propose
from segkit.compare.comparison import RULES, Comparison, add_candidates, align_labels, compare_segmentations, judge_fits

__all__ = [
    "BASELINES",
    "broken_limits",
    "CHOICE_RULE",
    "RULES",
    "Comparison",
    "add_candidates",
    "agreement",
    "align_labels",
    "choose",
    "compare_segmentations",
    "judge_fits",
    "propose",
]
