"""How sure the segment of a customer is: by rules of resamples, and by the half of the customers without them."""

import os
from collections.abc import Callable

import pandas as pd

from segkit.clustering.grid import Candidate
from segkit.clustering.outcome_models import OutcomeModels
from segkit.clustering.segmentation import Segmentation
from segkit.runtime.parameters import Parameters
from segkit.validation.confidence import (
    CONFIDENCE_FITS,
    cross_baseline,
    cross_labels,
    resample_baseline,
    resample_rules,
)
from segkit.validation.families import candidate_recipe
from segkit.validation.predictive_evidence import cross_predictive, predictive_rules
from segkit.validation.selection import BASELINES

MANY, FEW_FITS = 200_000, 20  # the share of 20 is known within 0.11 (a standard error) for the least sure


def confidence_rules(
    segmentation: Segmentation,
    features: pd.DataFrame,
    models: OutcomeModels | None,
    parameters: Parameters,
    progress: Callable[[int, int, str], None] | None = None,
    customers: int = 0,
) -> tuple:
    """Return the rules of resamples, by which a frozen candidate of any family knows how sure an assignment is.

    Parameters
    ----------
    segmentation : Segmentation
        Of one candidate, fitted on `features`.
    models : OutcomeModels or None
        Of `predict_segments`; only a predictive candidate needs them.
    customers : int, optional
        How many are going to be assigned: above `MANY`, by every rule, a few resamples have to do.
    """
    family, params = segmentation.family, segmentation.params
    most = CONFIDENCE_FITS if customers <= MANY else FEW_FITS
    settings = {"seed": parameters.seed, "resamples": min(most, parameters.bootstraps)}
    if family in BASELINES:
        return tuple(resample_baseline(features, Candidate(segmentation.candidate_id, family, params), **settings))
    settings |= {"jobs": len(os.sched_getaffinity(0)), "progress": progress}
    X = segmentation.matrix.transform(features)
    labels = segmentation.rule.assign(X)[0]
    if family == "predictive":
        return tuple(predictive_rules(models, features, params, labels, **settings))
    dequantised = segmentation.matrix.dequantised(features, parameters.seed)
    recipe = candidate_recipe(family, params, len(X))
    return tuple(resample_rules(X, recipe, labels, dequantised=dequantised, **settings))


def crossed_segments(
    segmentation: Segmentation, features: pd.DataFrame, models: OutcomeModels | None, parameters: Parameters
) -> pd.DataFrame:
    """Return the segment of each customer by the recipe fitted on the half of the customers that they are not in.

    Parameters
    ----------
    segmentation, features, models, parameters
        As for `confidence_rules`.

    Returns
    -------
    DataFrame
        Index customer_id; ``label`` of the segmentation's rule, negative where there is none.
    """
    family, params, seed = segmentation.family, segmentation.params, parameters.seed
    if family in BASELINES:
        crossed = cross_baseline(features, Candidate(segmentation.candidate_id, family, params), seed=seed)
        return pd.DataFrame({"label": crossed}, index=features.index)
    X = segmentation.matrix.transform(features)
    labels = segmentation.rule.assign(X)[0]
    if family == "predictive":
        crossed = cross_predictive(models, features, params, labels, seed=seed)
    else:
        dequantised = segmentation.matrix.dequantised(features, seed)
        crossed = cross_labels(X, candidate_recipe(family, params, len(X)), labels, seed=seed, dequantised=dequantised)
    return pd.DataFrame({"label": crossed}, index=features.index)
