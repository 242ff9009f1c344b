"""The predictive family: cluster not what customers did but what models say they are about to do."""

from segkit.predictive.models import OutcomeModels, learn_outcomes
from segkit.predictive.segments import fit_predictive, predictive_grid, tune_value_weight

__all__ = ["OutcomeModels", "fit_predictive", "learn_outcomes", "predictive_grid", "tune_value_weight"]
