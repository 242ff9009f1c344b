"""Is there anything there? Criteria, stability, separated pairs, and the verdict on each candidate.

Everything here takes a matrix of customers and `Recipe`, which says how a candidate is fitted; nothing knows where the
customers come from.
"""

from segkit.evidence.agreement import adjusted_rand, contingency, match_labels, segment_flow, segment_jaccards
from segkit.evidence.confidence import CONFIDENCE_FITS, cross_baseline, cross_labels, resample_baseline, resample_rules
from segkit.evidence.families import candidate_recipe
from segkit.evidence.gap import gap_statistic
from segkit.evidence.gather import Evidence, gather_evidence, weigh_evidence
from segkit.evidence.nulls import NullComparison, compare_with_null
from segkit.evidence.prediction_strength import prediction_strength, strongest
from segkit.evidence.recipes import Recipe
from segkit.evidence.separation import Separation, separated_pairs
from segkit.evidence.stability import Stability, resample_stability
from segkit.evidence.verdict import Advice, Verdict, candidate_verdict, segment_at_all

__all__ = [
    "CONFIDENCE_FITS",
    "Advice",
    "Evidence",
    "NullComparison",
    "Recipe",
    "Separation",
    "Stability",
    "Verdict",
    "adjusted_rand",
    "candidate_recipe",
    "candidate_verdict",
    "compare_with_null",
    "contingency",
    "cross_baseline",
    "cross_labels",
    "gap_statistic",
    "gather_evidence",
    "match_labels",
    "prediction_strength",
    "resample_baseline",
    "resample_rules",
    "resample_stability",
    "segment_at_all",
    "segment_flow",
    "segment_jaccards",
    "separated_pairs",
    "strongest",
    "weigh_evidence",
]
