"""Whether to go on scoring with the frozen model or to fit anew, with the reason."""

from dataclasses import dataclass, field
from datetime import timedelta

import pandas as pd

from segkit.clustering.assign import assign_customers
from segkit.clustering.segmentation import Segmentation
from segkit.features.build import CustomerFeatures, build_features
from segkit.monitoring.drift import feature_drift, mix_drift
from segkit.monitoring.month_history import tried_parameters
from segkit.monitoring.previous_month import EarlierMonth
from segkit.runtime.cache import kept as kept_on_disk
from segkit.runtime.errors import InputError
from segkit.runtime.labels import label_of
from segkit.runtime.parameters import WAYS
from segkit.validation.forward.judge import judge_kept

DRIFTED_SHARE = 0.1  # features in alarm from which the model no longer fits its customers


@dataclass(frozen=True)
class Advice:
    """The way of this month, ``refit`` or ``frozen``, and the reason as a sentence or two."""

    way: str
    reason: str


@dataclass(frozen=True)
class Way:
    """Whether this month keeps the model of the month before, and why; made by `keep_or_refit`.

    Attributes
    ----------
    way, reason : str
        ``frozen`` (the model is kept) or ``refit``; the reason as a sentence or two.
    model : Segmentation or None
        The model that is kept.
    fit : dict
        What was known of it when it was fitted.
    aging : DataFrame or None
        How far this month's customers are from those that the earlier model was fitted on: ``feature, psi, low, high,
        alarm``; the last row is ``segment``, the mix of segments. None without a month before.
    """

    way: str
    reason: str
    model: Segmentation | None = field(default=None, repr=False)
    fit: dict = field(default_factory=dict, repr=False)
    aging: pd.DataFrame | None = field(default=None, repr=False)

    @property
    def kept(self) -> bool:
        """Whether the model of an earlier month stays in use."""
        return self.way == "frozen"

    def to_tables(self) -> dict:
        """Return what `from_tables` makes the way again of; the model itself is saved as what is fitted."""
        about = {"about": {"way": self.way, "reason": self.reason}}
        return about if self.aging is None else about | {"aging": self.aging}

    @classmethod
    def from_tables(cls, made: dict) -> "Way":
        """Return the way that `to_tables` stored."""
        return cls(**made["about"], aging=made.get("aging"))


def keep_or_refit(
    previous: EarlierMonth | None,
    features: CustomerFeatures,
    by_model: CustomerFeatures | None,
    orders,
    parameters,
    *,
    way: str = "auto",
    refit_after: int = 6,
    judged_from=None,
) -> Way:
    """Return whether to go on with the model of the month before, or to compare candidates anew.

    Parameters
    ----------
    previous : EarlierMonth or None
        The month before; without one the model is fitted.
    features : CustomerFeatures
        Of this month.
    by_model : CustomerFeatures or None
        Of this month by the recipe of the earlier model; None where they can't be made.
    orders : Orders
        Read as of this month.
    parameters : Parameters
        Where those that decide how candidates are tried differ from when the model was fitted, it is fitted anew.
    way : str
        auto, refit (fit anew) or frozen (keep the model).
    refit_after : int
        Months after which a model is fitted anew in any case.
    judged_from : date, optional
        The first day as of which the future can be judged.
    """
    if previous is None:
        advice = advise_way(age_months=None, refit_after=refit_after)
        return Way(advice.way, advice.reason)
    model, tried = previous.segmentation, tried_parameters(parameters)
    aging = None if by_model is None else model_aging(previous, by_model, orders, parameters.seed)
    changed = [name for name, given in tried.items() if previous.fit["parameters"].get(name) != given]
    if parameters.choice not in ("", model.candidate_id):
        changed.append("choice")
    advice = advise_way(
        age_months=12 * (features.as_of.year - model.as_of.year) + features.as_of.month - model.as_of.month,
        refit_after=refit_after,
        drift=None if aging is None else aging[aging["feature"] != "segment"],
        mix=None if aging is None else aging[aging["feature"] == "segment"],
        judged_then=previous.fit["judged"],
        judged_now=judged_from is not None and judged_from <= features.as_of,
        same_features=aging is not None,
        changed=tuple(changed),
        way=way,
    )
    kept = advice.way == "frozen"
    return Way(advice.way, advice.reason, model if kept else None, previous.fit if kept else {}, aging)


def features_by_model(previous: EarlierMonth | None, orders, as_of) -> CustomerFeatures | None:
    """Return a day's features by the recipe of the earlier model; None without one, or where they can't be made."""
    if previous is None:
        return None
    try:
        return build_features(orders, as_of, previous.segmentation.window_days, recipe=previous.segmentation.recipe)
    except InputError:
        return None


def judge_kept_model(way: Way, previous: EarlierMonth, orders, as_of, parameters):
    """Return what the kept model itself said about the days since; None while it is younger than a horizon."""
    origin = as_of - timedelta(days=parameters.horizon_days)
    then = features_by_model(previous, orders, origin) if way.model.as_of <= origin else None
    if then is None:
        return None
    settings = {"horizon_days": parameters.horizon_days, "judge_value": parameters.judge_value}
    return judge_kept(orders, way.model, then, as_of, **settings)


def model_aging(previous: EarlierMonth, now: CustomerFeatures, orders, seed: int) -> pd.DataFrame | None:
    """Return how far customers are from those that the earlier model was fitted on; see `Way.aging`."""
    model = previous.segmentation
    then = features_by_model(previous, orders, model.as_of)
    if then is None:
        return None

    def make() -> dict:
        drift = feature_drift(then.table, now.table, now.dictionary, seed=seed, resamples=200)
        labels = [assign_customers(model, one.table, sure=False)["segment_id"] for one in (then, now)]
        return {"drift": pd.concat([drift, mix_drift(*labels, seed=seed)], ignore_index=True)}

    depends = {
        "inputs": orders.inputs,
        "as_of": now.as_of,
        "days": now.window_days,
        "model": previous.digest,
        "seed": seed,
    }
    return kept_on_disk("aging", "monitoring.refit", depends, make)["drift"]


def advise_way(
    *,
    age_months: int | None,
    refit_after: int,
    drift: pd.DataFrame | None = None,
    mix: pd.DataFrame | None = None,
    judged_then: bool = True,
    judged_now: bool = True,
    same_features: bool = True,
    changed: tuple[str, ...] = (),
    way: str = "auto",
) -> Advice:
    """Return whether to keep scoring with the frozen model or to refit.

    Parameters
    ----------
    age_months : int or None
        Months since the model was fitted; None where there is no model.
    refit_after : int
        Months after which a model is fitted anew in any case.
    drift, mix : DataFrame, optional
        Of `feature_drift` and `mix_drift`, against the period that the model was fitted on.
    judged_then, judged_now : bool
        Whether the future could be judged when the model was fitted, and whether it can be now.
    same_features : bool
        Whether this month has the features that the model needs.
    changed : tuple of str
        Parameters that are set otherwise than when the model was fitted.
    way : str
        ``refit`` or ``frozen`` where somebody has decided, else ``auto``; the advice then says so.

    Examples
    --------
    >>> advise_way(age_months=2, refit_after=6)
    Advice(way='frozen', reason='Keep scoring with the frozen model: it is 2 months old and no feature has drifted ...')
    >>> drift = pd.DataFrame({"feature": ["spend", "age"], "alarm": [True, False], "psi": [0.3, 0.0]})
    >>> advise_way(age_months=2, refit_after=6, drift=drift).reason
    'Refit: 1 of 2 features drifted since the model was fitted (spend).'
    >>> advise_way(age_months=2, refit_after=6, way="thaw")
    Traceback (most recent call last):
    ValueError: way is 'thaw'; it must be auto, refit or frozen
    """
    if way not in WAYS:
        raise ValueError(f"way is {way!r}; it must be auto, refit or frozen")
    if age_months is None:
        return Advice("refit", "Fit: there is no month before.")
    if not same_features:
        why = "this month's orders lack features that the model was fitted on, so it can't score anybody."
        return Advice("refit", f"Refit: {why}")
    if "window_days" in changed:
        return Advice("refit", "Refit: window_days differs from when the model was fitted, so its features would too.")
    if way != "auto":
        told = "Refit" if way == "refit" else "Keep scoring with the frozen model"
        return Advice(way, f"{told}: it was asked for (way).")
    if changed:
        return Advice("refit", f"Refit: {', '.join(changed)} differ from when the model was fitted.")
    drifted = _in_alarm(drift)
    moved = bool(len(_in_alarm(mix)))
    features = 0 if drift is None else len(drift)
    age = "1 month" if age_months == 1 else f"{age_months} months"
    if age_months >= refit_after:
        return Advice("refit", f"Refit: the model is {age} old and refit_after is {refit_after}.")
    if judged_now and not judged_then:
        why = "what customers do next can be judged now, and could not when the model was fitted."
        return Advice("refit", f"Refit: {why}")
    if drifted and (len(drifted) >= DRIFTED_SHARE * features or moved):
        also = " and the mix of segments with them" if moved else ""
        named = ", ".join(map(label_of, drifted[:3])) + (", ..." if len(drifted) > 3 else "")
        why = f"{len(drifted)} of {features} features drifted{also} since the model was fitted ({named})."
        return Advice("refit", f"Refit: {why}")
    if moved:
        why = "the mix of segments changed while the features did not drift: customers moved, and a model fitted anew "
        return Advice("frozen", f"Keep scoring with the frozen model: {why}would hide where.")
    few = (
        f"of its features only {', '.join(map(label_of, drifted))} drifted since"
        if drifted
        else "no feature has drifted since"
    )
    return Advice("frozen", f"Keep scoring with the frozen model: it is {age} old and {few}.")


def _in_alarm(table: pd.DataFrame | None) -> list[str]:
    """Return the features in alarm, the farthest first."""
    if table is None:
        return []
    return list(table[table["alarm"]].sort_values("psi", ascending=False, kind="stable")["feature"])
