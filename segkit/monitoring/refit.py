"""Whether to go on scoring with the frozen model or to fit anew, with the reason."""

from dataclasses import dataclass

import pandas as pd

from segkit.runtime.labels import label_of
from segkit.runtime.parameters import WAYS

DRIFTED_SHARE = 0.1  # features in alarm from which the model no longer fits its customers


@dataclass(frozen=True)
class Advice:
    """The way of this month, ``refit`` or ``frozen``, and the reason as a sentence or two."""

    way: str
    reason: str


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
