"""What a segmentation says about the weeks after it was made, beside rules and beside what can be known at all."""

from segkit.forward.ceiling import boosted_ceiling
from segkit.forward.skill import ForwardSkill, forward_skill

__all__ = ["ForwardSkill", "boosted_ceiling", "forward_skill"]
