"""The steps of a study that look at the month before: is its model kept, or is one fitted anew?"""

from datetime import timedelta
from functools import cached_property
from os import sched_getaffinity

import numpy as np
import pandas as pd

from segkit.clustering.assign import assign_customers
from segkit.monitoring.drift import feature_drift, mix_drift
from segkit.monitoring.previous_month import EarlierMonth
from segkit.monitoring.refit import Advice, advise_way
from segkit.reporting.study.study_data import DataSteps
from segkit.runtime.cache import kept
from segkit.runtime.errors import InputError
from segkit.runtime.progress import progress_bar
from segkit.validation.compare import RULES
from segkit.validation.forward.horizon import judged_from
from segkit.validation.forward.judgement import Judgement
from segkit.validation.forward.origins import judge_frozen

# The parameters that decide how candidates are tried and judged; the others come later.
TRIED = (
    "window_days", "horizon_days", "seed", "min_segments", "max_segments", "min_share", "min_customers", "max_noise",
    "bootstraps", "judge_value",
)  # fmt: skip
YEAR = timedelta(days=365)
FEWEST_DAYS = 30  # of a window that customers are compared over


class WaySteps(DataSteps):
    """Whether this month is scored with the model of the month before, or fitted anew, and why."""

    earlier: EarlierMonth | None = None

    @property
    def _tried(self) -> dict:
        """The parameters behind the candidates."""
        return {name: self.parameters.as_dict()[name] for name in TRIED}

    @cached_property
    def advice(self) -> Advice:
        """The way of this month, ``refit`` or ``frozen``, with the reason."""
        if self.earlier is None:
            return advise_way(age_months=None, refit_after=self.parameters.refit_after)
        then, aging = self.earlier.fit, self.aging
        changed = [name for name in TRIED if then["parameters"].get(name) != self._tried[name]]
        if self.parameters.choice not in ("", self.earlier.segmentation.candidate_id):
            changed.append("choice")
        day = self.earlier.segmentation.as_of
        return advise_way(
            age_months=12 * (self.as_of.year - day.year) + self.as_of.month - day.month,
            refit_after=self.parameters.refit_after,
            drift=None if aging is None else aging[aging["feature"] != "segment"],
            mix=None if aging is None else aging[aging["feature"] == "segment"],
            judged_then=then["judged"],
            judged_now=judged_from(self.orders, self.parameters.horizon_days) <= self.as_of,
            same_features=aging is not None,
            changed=tuple(changed),
            way=self.parameters.way,
        )

    @property
    def frozen(self) -> bool:
        """Whether the model of the month before is kept."""
        return self.advice.way == "frozen"

    @property
    def _recipe(self) -> dict | None:
        return self.earlier.segmentation.recipe if self.frozen else None

    @property
    def _window_days(self) -> int:
        return self.earlier.segmentation.window_days if self.frozen else self.parameters.window_days

    @cached_property
    def _kept_judgement(self) -> Judgement | None:
        """What the model that is kept, as it was frozen, said about the days since; None while it is too young."""
        model, origin = self.earlier.segmentation, self.as_of - timedelta(days=self.parameters.horizon_days)
        then = self._scored(origin) if model.as_of <= origin else None
        if then is None:
            return None

        def make() -> dict:
            before = pd.Series(labels_of(model, then["table"]), name=model.candidate_id, index=then["table"].index)
            jobs, what = len(sched_getaffinity(0)), "judging the model by what came"
            with self._cost(what), progress_bar(what) as bar:
                found = judge_frozen(
                    self.orders, self.as_of, before, model.as_of, RULES, self.parameters, jobs=jobs, progress=bar
                )
            return {} if found is None else found.to_tables()

        depends = self._depends | {"parameters": self._tried, "model": self.earlier.digest}
        found = kept("kept judgement", "reporting.study", depends, make)
        return Judgement.from_tables(found) if found else None

    # --- has anything changed? ------------------------------------------------------------------------------------

    @cached_property
    def aging(self) -> pd.DataFrame | None:
        """How far the customers are from those that the model was fitted on: every feature, and the mix of segments.

        The last row is ``segment``, by the model in both periods. None where this month lacks what the model needs.
        """
        if self.earlier is None:
            raise InputError(f"{self!r} knows no month before: name one, such as previous='2017-08'")
        model = self.earlier.segmentation
        then, now = self._scored(model.as_of), self._scored(self.as_of)
        if then is None or now is None:
            return None

        def make() -> dict:
            drift = feature_drift(
                then["table"], now["table"], now["dictionary"], seed=self.parameters.seed, resamples=200
            )
            labels = [assign_customers(model, one["table"], sure=False)["segment_id"] for one in (then, now)]
            mix = mix_drift(*labels, seed=self.parameters.seed)
            return {"drift": pd.concat([drift, mix], ignore_index=True)}

        depends = self._features_depend(self.as_of, model.window_days, None)
        depends |= {"model": self.earlier.digest, "seed": self.parameters.seed}
        return kept("aging", "reporting.study", depends, make)["drift"]

    def _scored(self, as_of) -> dict | None:
        """The features of a day as the earlier model needs them; None where they can't be made."""
        model = self.earlier.segmentation
        try:
            return self._features_of(as_of, model.recipe, model.window_days)
        except InputError:
            return None

    @cached_property
    def _periods(self) -> tuple[int, int]:
        """Days of the two windows that customers are compared over, and days from the end of one to the other's."""
        history = (self.as_of - self.orders.first_day).days + 1
        window = self.parameters.window_days
        if history >= YEAR.days + window:
            return window, YEAR.days  # the same month last year: the season is the same
        return (window, window) if history >= 2 * window else (history // 2, history // 2)

    @cached_property
    def drift(self) -> pd.DataFrame:
        """How far customers have changed, feature by feature, between two windows that share no day.

        Those that end with this month and with the same month last year; where the data do not reach so far back, two
        windows one after the other, the longest there are. Empty where they would be shorter than `FEWEST_DAYS`.
        """
        days, back = self._periods
        if self.as_of is None or days < FEWEST_DAYS:
            return pd.DataFrame(columns=["feature", "psi", "low", "high", "alarm"])
        now = self._features_of(self.as_of, None, days)
        then = self._features_of(self.as_of - timedelta(days=back), now["recipe"], days)

        def make() -> dict:
            return {"drift": feature_drift(then["table"], now["table"], now["dictionary"], seed=self.parameters.seed)}

        depends = self._features_depend(self.as_of, days, None)
        return kept("drift", "reporting.study", depends | {"back": back, "seed": self.parameters.seed}, make)["drift"]

    @property
    def drift_periods(self) -> str:
        """The two windows that `drift` compares, in words."""
        days, back = self._periods
        return f"the {days} days up to {self.as_of} against the {days} days up to {self.as_of - timedelta(days=back)}"


def labels_of(segmentation, features: pd.DataFrame) -> np.ndarray:
    """Return the integer label of each customer by a frozen model, -1 for those left out."""
    assigned = assign_customers(segmentation, features, sure=False)["segment_id"]
    return pd.Index(segmentation.segment_ids).get_indexer(assigned).astype("int32")
