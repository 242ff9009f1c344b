"""The predictive family: cluster not what customers did but what models say they are about to do."""

from segkit.predictive.models import OutcomeModels, Period, learn_outcomes
from segkit.predictive.segments import fit_candidates, fit_predictive, predictive_grid, tune_value_weight

__all__ = [
    "OutcomeModels",
    "Period",
    "fit_candidates",
    "fit_predictive",
    "learn_outcomes",
    "predictive_grid",
    "tune_value_weight",
]
