"""Every segmentation that is tried, with all that is known of it: criteria, separation, stability, forward skill.

Criteria and what it says about the days after it was made are known of every candidate; valleys between its segments
and whether they come back, of every one within the limits on sizes and noise.
"""

from segkit.candidates.confidence import confidence_rules, crossed_segments
from segkit.candidates.gathering import GAP_RESTARTS, STABILITY, fill_in
from segkit.candidates.trial import Trial, predict_segments, try_candidates

__all__ = [
    "GAP_RESTARTS",
    "STABILITY",
    "Trial",
    "confidence_rules",
    "crossed_segments",
    "fill_in",
    "predict_segments",
    "try_candidates",
]
