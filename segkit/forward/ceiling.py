"""The ceiling: what gradient boosting on all features knows about each outcome, cross-fitted."""

import warnings

import numpy as np
import pandas as pd

from segkit.evidence.recipes import Progress, run_tasks
from segkit.forward.losses import assign_folds

# scikit-learn fits no Tweedie deviance; Poisson's has its minimum at the same mean, also for amounts.
_FITTED_BY = {"count": "poisson", "money": "poisson", "share": "squared_error"}
_BOOSTING = {"max_iter": 100, "learning_rate": 0.06, "max_leaf_nodes": 8, "min_samples_leaf": 30}


def boosted_ceiling(
    features: pd.DataFrame,
    outcomes: pd.DataFrame,
    dictionary: pd.DataFrame,
    *,
    seed: int,
    jobs: int = 1,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return every customer's outcomes as predicted from all features by models that did not see the customer.

    Histogram gradient boosting (Friedman 2001) with the loss that fits the outcome, on the folds of `assign_folds`.

    Parameters
    ----------
    features : DataFrame
        Index customer_id; natural units, missing where undefined; text is a category.
    outcomes : DataFrame
        Same index; missing where a customer is not judged.
    dictionary : DataFrame
        Index outcome; column loss.
    """
    features = features.sort_index()
    outcomes = outcomes.reindex(features.index)
    columns = [features[name] for name in features]
    texts = np.array([not pd.api.types.is_numeric_dtype(column) for column in columns])
    X = np.column_stack([
        column.astype("category").cat.codes.where(column.notna(), np.nan) if text else column.astype("float64")
        for column, text in zip(columns, texts, strict=True)
    ])  # fmt: skip
    # More than 255 texts: the codes would be refused as a category, and mean nothing as a number.
    few = ~texts | np.array([column.nunique() < 255 for column in columns])
    X, texts = X[:, few], texts[few]
    folds = assign_folds(features.index, seed)
    tasks = [(X, outcomes[name].to_numpy("float64"), folds, texts, dictionary["loss"][name]) for name in outcomes]
    predicted = run_tasks(_predict_elsewhere, tasks, jobs=jobs, progress=progress, what="what can be known at all")
    return pd.DataFrame(dict(zip(outcomes, predicted, strict=True)), index=features.index)


def _predict_elsewhere(X: np.ndarray, actual: np.ndarray, folds: np.ndarray, texts: np.ndarray, loss: str):
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    known = ~np.isnan(actual)
    expected = np.full(len(X), np.nan)
    setting = {**_BOOSTING, "categorical_features": texts if texts.any() else None, "early_stopping": False}
    for fold in np.unique(folds):
        inside, learn = folds == fold, known & (folds != fold)
        y = actual[learn]
        if len(y) == 0 or np.ptp(y) == 0:
            expected[inside] = y[0] if len(y) else np.nan
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if loss == "binary":
                model = HistGradientBoostingClassifier(**setting).fit(X[learn], y.astype(int))
                expected[inside] = model.predict_proba(X[inside])[:, 1]
            else:
                y = y if loss == "share" else np.maximum(y, 0)
                model = HistGradientBoostingRegressor(loss=_FITTED_BY[loss], **setting).fit(X[learn], y)
                expected[inside] = model.predict(X[inside])
    return expected
