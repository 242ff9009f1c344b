"""Which segments are worth it, and with what: figures with intervals, never stars.

`kpis` has what each segment brings and does, `criteria` the five questions of a target, `levers` what could be tried
and what is at stake.
"""

from segkit.targets.criteria import LOW_CONFIDENCE, judge_targets, place_targets
from segkit.targets.kpis import segment_kpis
from segkit.targets.levers import rank_levers

__all__ = ["LOW_CONFIDENCE", "judge_targets", "place_targets", "rank_levers", "segment_kpis"]
