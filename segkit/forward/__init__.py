"""What a segmentation says about the weeks after it was made, beside rules and beside what can be known at all."""

from segkit.forward.ceiling import best_ceiling
from segkit.forward.choice import FORWARD_RULE, STRUCTURE_RULE, advise_segmenting, propose_by_forward, tell_forward
from segkit.forward.horizon import (
    Past,
    best_value_weight,
    judge_candidates,
    judged_from,
    learn_before,
    look_back,
)
from segkit.forward.judgement import Judgement
from segkit.forward.others import earlier_origins, judge_frozen, judge_ready, unseen_outcomes
from segkit.forward.skill import ForwardSkill, Shares, forward_skill

__all__ = [
    "FORWARD_RULE",
    "STRUCTURE_RULE",
    "ForwardSkill",
    "Judgement",
    "Past",
    "Shares",
    "advise_segmenting",
    "best_value_weight",
    "best_ceiling",
    "earlier_origins",
    "forward_skill",
    "judge_candidates",
    "judge_frozen",
    "judge_ready",
    "judged_from",
    "learn_before",
    "look_back",
    "propose_by_forward",
    "tell_forward",
    "unseen_outcomes",
]
