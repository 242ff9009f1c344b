"""A finished segmentation, frozen: what it takes to put any customer into its segments, stored without code.

`frozen` is the segmentation itself, `arrays` how its rules are stored, `fitting` makes one, `assigning` applies it.
"""

from segkit.segmentation.assigning import LEAST_KNOWN, TOO_LITTLE, assign_customers
from segkit.segmentation.fitting import BASELINES, fit_baseline, fit_candidate, fit_segmentation
from segkit.segmentation.frozen import LEFT_OUT, UNSEGMENTED, Segmentation

__all__ = [
    "BASELINES",
    "LEAST_KNOWN",
    "LEFT_OUT",
    "TOO_LITTLE",
    "UNSEGMENTED",
    "Segmentation",
    "assign_customers",
    "fit_baseline",
    "fit_candidate",
    "fit_segmentation",
]
