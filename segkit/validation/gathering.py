"""The evidence on candidates, gathered where it decides: whether they come back, and what lies between segments."""

from collections.abc import Callable

import pandas as pd

from segkit.clustering.fit import Fit
from segkit.clustering.grid import Candidate
from segkit.validation.compare import Comparison
from segkit.validation.families import candidate_recipe
from segkit.validation.gap import gap_statistic
from segkit.validation.gather import Evidence, gather_evidence
from segkit.validation.prediction_strength import prediction_strength
from segkit.validation.predictive_evidence import gather_predictive_evidence
from segkit.validation.selection import BASELINES, broken_limits

Step = Callable[[str], Callable[[int, int, str], None]]
GAP_RESTARTS = 2  # per k, for the customers and for the noise alike; five changed no choice at twice the cost
ONE = "kmeans-1"
STABILITY = (
    *("stability_ari", "stability_ari_low", "stability_ari_high"),
    *("stability_ari_1000", "stability_ari_1000_low", "stability_ari_1000_high"),
    *("stability_jaccard_min", "stability_jaccard_min_low", "stability_jaccard_min_high"),
)


class Gatherer:
    """Evidence on candidates, gathered where it decides."""

    def __init__(self, comparison, table, matrix, models, fits, parameters, jobs, step):
        self.comparison: Comparison = comparison
        self.table, self.matrix, self.models = table, matrix, models
        self.predictive: dict[str, tuple[Candidate, Fit]] = {one.candidate_id: (one, fit) for one, fit in fits}
        self.parameters, self.jobs, self.step = parameters, jobs, step
        self.X, self.dequantised = matrix.transform(table), matrix.dequantised(table, parameters.seed)

    def count_groups(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the gap statistic and the prediction strength of k-means; both may say that there is one group."""
        recipes = {name: self._recipe(name) for name, one in self.comparison.grid.items() if one.family == "kmeans"}
        recipes = {ONE: candidate_recipe("kmeans", {"k": 1}, len(self.X))} | recipes
        gaps = gap_statistic(
            self.X, self.parameters.max_segments + 1, seed=self.parameters.seed, restarts=GAP_RESTARTS, jobs=self.jobs,
            progress=self.step("comparing with uniform noise"),
        )  # fmt: skip
        strengths = prediction_strength(
            self.X, recipes, seed=self.parameters.seed, jobs=self.jobs,
            progress=self.step("foretelling one half by the other"),
        )  # fmt: skip
        names = gaps["segments"].map("kmeans-{}".format).where(gaps["segments"] > 1)
        return gaps.assign(candidate_id=names.where(names.isin(list(recipes)))), strengths

    def settle(self, candidates: pd.DataFrame) -> tuple[pd.DataFrame, dict]:
        """Return the candidates with stability, separation and structure of those within the limits, and the tables."""
        limits = broken_limits(candidates, self.comparison.labels, self.parameters)
        learned = candidates[~candidates["family"].isin(BASELINES)]
        found = self._gather([name for name in learned["candidate_id"] if not limits[name]])
        for part in found:
            candidates = fill_in(candidates, part.stability.candidates[["candidate_id", *STABILITY]])
            candidates = fill_in(candidates, part.separation.candidates[["candidate_id", "separated_share"]])
            candidates = fill_in(candidates, part.verdicts[["candidate_id", "structure", "copula_ari"]])
        return candidates, _tables(found)

    def _recipe(self, name: str):
        candidate = self.comparison.grid[name]
        return candidate_recipe(candidate.family, candidate.params, len(self.X))

    def _gather(self, names: list[str]) -> list[Evidence]:
        shared = {
            "seed": self.parameters.seed,
            "resamples": self.parameters.bootstraps,
            "jobs": self.jobs,
            "progress": self.step(f"looking for valleys, and resampling {len(names)} candidates"),
        }
        plain = {name: self._recipe(name) for name in names if name not in self.predictive}
        clustered = self.table[list(dict.fromkeys(self.matrix.columns["feature"]))]
        found = [
            gather_evidence(
                self.X, plain, self.comparison.fits, dequantised=self.dequantised, features=clustered, **shared
            )
        ]
        if fits := [self.predictive[name] for name in names if name in self.predictive]:
            found.append(gather_predictive_evidence(self.models, self.table, fits, **shared))
        return found


def fill_in(candidates: pd.DataFrame, figures: pd.DataFrame) -> pd.DataFrame:
    """Return the candidates with the figures known of some of them written over what was there."""
    table = candidates.set_index("candidate_id")
    own = figures.set_index("candidate_id")
    for column in own.columns.intersection(table.columns):
        known = own[column].dropna()
        table[column] = table[column].astype(object) if known.dtype == object or known.dtype == "str" else table[column]
        table.loc[known.index, column] = known
    return table.reset_index()


def _tables(found: list[Evidence]) -> dict[str, pd.DataFrame]:
    tables = {
        "stability": [part.stability.segments for part in found],
        "pairs": [part.separation.pairs for part in found],
        "verdicts": [part.verdicts for part in found],
    }
    known = {name: [part for part in parts if len(part)] or parts[:1] for name, parts in tables.items()}
    return {name: pd.concat(parts, ignore_index=True) for name, parts in known.items()}
