"""All the evidence on all candidates of a study, each part computed for those that it can decide about."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from segkit.runtime.parallel import Progress
from segkit.validation.nulls import NullComparison, compare_with_null
from segkit.validation.resampling import Recipe
from segkit.validation.separation import Separation, separated_pairs
from segkit.validation.stability import Stability, resample_stability
from segkit.validation.verdict import candidate_verdict, needs_null


@dataclass(frozen=True)
class Evidence:
    """What speaks for and against each candidate.

    Attributes
    ----------
    stability : Stability
    separation : Separation
    nulls : DataFrame
        ``candidate_id, null`` (spherical, copula), ``observed, null_ari`` (the largest computed), ``samples``
        (computed), ``exceeded, sample_size``; only for candidates that it decides about, else empty.
    verdicts : DataFrame
        ``candidate_id, structure, why, copula_ari`` (NaN where that null was not asked for).
    """

    stability: Stability
    separation: Separation
    nulls: pd.DataFrame
    verdicts: pd.DataFrame


def gather_evidence(
    X: np.ndarray,
    recipes: Mapping[str, Recipe],
    fits: Mapping[str, Any],
    *,
    seed: int,
    resamples: int = 100,
    dequantised: np.ndarray | None = None,
    features: pd.DataFrame | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Evidence:
    """Return stability, separated pairs, comparisons with nulls and the verdict of each candidate.

    Parameters as in `resample_stability` and `separated_pairs`.
    """
    shared = {"seed": seed, "jobs": jobs, "progress": progress}
    separation = separated_pairs(X, recipes, fits, dequantised=dequantised, features=features, **shared)
    stability = resample_stability(X, recipes, fits, resamples=resamples, dequantised=dequantised, **shared)
    return weigh_evidence(
        separation,
        stability,
        lambda name, null, observed: compare_with_null(X, recipes[name], observed, null=null, **shared),
    )


def weigh_evidence(
    separation: Separation, stability: Stability, compare: Callable[[str, str, float], NullComparison]
) -> Evidence:
    """Return the verdict on each candidate; ``compare(name, null, observed)`` is asked only where it decides."""
    separated = separation.candidates.set_index("candidate_id").to_dict("index")
    stable = stability.candidates.set_index("candidate_id").to_dict("index")
    comparisons = []
    verdicts = []
    for name in stable:
        nulls: dict[str, NullComparison | None] = {"spherical": None, "copula": None}
        if needs_null(separated[name], stable[name]):
            for null in nulls:
                nulls[null] = compare(name, null, stable[name]["stability_ari"])
                comparisons.append({"candidate_id": name, "null": null, **nulls[null].row()})
                if not nulls[null].exceeded:
                    break
        verdict = candidate_verdict(separated[name], stable[name], **nulls)
        copula_ari = nulls["copula"].null.max() if nulls["copula"] is not None else np.nan
        verdicts.append([name, verdict.structure, verdict.why, copula_ari])
    return Evidence(
        stability,
        separation,
        pd.DataFrame(comparisons),
        pd.DataFrame(verdicts, columns=["candidate_id", "structure", "why", "copula_ari"]),
    )
