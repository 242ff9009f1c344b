"""The ceiling: what the best of several models of all features knows about each outcome, cross-fitted."""

import warnings

import numpy as np
import pandas as pd

from segkit.clustering.assignment_rules import predict_outcomes
from segkit.clustering.outcome_models import KNOTS, OutcomeModels, all_ramps, credibility, learn_ramps
from segkit.preprocessing.matrix import Matrix
from segkit.runtime.parallel import Progress, run_tasks
from segkit.validation.forward.losses import assign_folds, deviances

# scikit-learn fits no Tweedie deviance; Poisson's has its minimum at the same mean, also for amounts.
_FITTED_BY = {"count": "poisson", "money": "poisson", "share": "squared_error"}
_BOOSTING = {"max_iter": 100, "learning_rate": 0.06, "max_leaf_nodes": 8, "min_samples_leaf": 30}
LINES_ON = 10_000  # customers; more change the lines by less than their width
HELD_BACK = 400.0  # customers' worth of penalty on the lines of all features
HELD_BACK_PAST = 4.0  # on those of one prediction


def best_ceiling(
    features: pd.DataFrame,
    matrix: Matrix,
    outcomes: pd.DataFrame,
    dictionary: pd.DataFrame,
    *,
    past: OutcomeModels | None = None,
    seed: int,
    jobs: int = 1,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return every customer's outcomes as predicted from all features by models that did not see the customer.

    Several models are fitted on the folds of `assign_folds`: histogram gradient boosting (Friedman 2001) on the
    features as they are; generalised linear models on piecewise straight lines of the matrix's columns; where there
    are any, the predictions of models of earlier horizons, set right on this one by such lines; and the mean of
    these. For each outcome the customers of a fold are predicted by the one with the least deviance over the
    customers of the other folds (cross-validation selector, van der Laan & Dudoit 2003). Boosting alone is a low
    ceiling for shares, which few customers show with little noise: shares of it flatter.

    Parameters
    ----------
    features : DataFrame
        Index customer_id; natural units, missing where undefined; text is a category.
    matrix : Matrix
        Fitted on such features; of what came after it knows nothing.
    outcomes : DataFrame
        Same index; missing where a customer is not judged.
    dictionary : DataFrame
        Index outcome; column loss.
    past : OutcomeModels, optional
        Learned on outcomes that had ended when the features were made.
    """
    features = features.sort_index()
    outcomes = outcomes.reindex(features.index)
    folds, (raw, texts) = assign_folds(features.index, seed), _as_columns(features)
    X, credible = matrix.transform(features), credibility(outcomes, dictionary)
    before = (
        {}
        if past is None
        else dict(zip(past.outcomes.index, past.predict(past.matrix.transform(features)).T, strict=True))
    )
    tasks = []
    for name in outcomes:
        about = dictionary.loc[[name]]
        columns = [(X, HELD_BACK)] + ([(before[name][:, None], HELD_BACK_PAST)] if name in before else [])
        tasks.append((raw, texts, columns, outcomes[name].to_numpy("float64"), credible, folds, about))
    predicted = run_tasks(_predict_best, tasks, jobs=jobs, progress=progress, what="what can be known at all")
    return pd.DataFrame(dict(zip(outcomes, predicted, strict=True)), index=features.index)


def _as_columns(features: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return features as numbers, texts as codes, and which are texts."""
    columns = [features[name] for name in features]
    texts = np.array([not pd.api.types.is_numeric_dtype(column) for column in columns])
    X = np.column_stack([
        column.astype("category").cat.codes.where(column.notna(), np.nan) if text else column.astype("float64")
        for column, text in zip(columns, texts, strict=True)
    ])  # fmt: skip
    # More than 255 texts: the codes would be refused as a category, and mean nothing as a number.
    few = ~texts | np.array([column.nunique() < 255 for column in columns])
    return X[:, few], texts[few]


def _predict_best(raw, texts, columns, actual, credible, folds, about: pd.DataFrame) -> np.ndarray:
    """Return the outcome as predicted, fold by fold, by the model that predicts the other folds best."""
    known, loss = ~np.isnan(actual), about["loss"].iloc[0]
    expected = np.full((1 + len(columns), len(actual)), np.nan)
    for fold in np.unique(folds):
        inside, learn = folds == fold, known & (folds != fold)
        y = actual[learn] if loss == "share" else np.maximum(actual[learn], 0)
        if len(y) == 0 or np.ptp(y) == 0:
            expected[:, inside] = y[0] if len(y) else np.nan
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected[0, inside] = _boosted(raw[learn], y, raw[inside], texts, loss)
            for place, (X, held_back) in enumerate(columns, start=1):
                some = slice(None, None, 1 + len(y) // LINES_ON)
                known_for = np.flatnonzero(learn)[some]
                expected[place, inside] = _lined(
                    X[known_for], y[some], credible[known_for], X[inside], held_back, about
                )
    expected = np.vstack([expected, expected.mean(axis=0)])
    costs = np.stack([deviances(loss, actual, each) for each in expected])
    best = np.empty(len(actual))
    for fold in np.unique(folds):
        inside = folds == fold
        best[inside] = expected[costs[:, ~inside].sum(axis=1).argmin(), inside]
    return best


def _boosted(X, y, asked, texts, loss: str) -> np.ndarray:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    seen = ~np.isnan(X).all(axis=0)  # the library can't bin a feature that nobody has
    X, asked, texts = X[:, seen], asked[:, seen], texts[seen]
    if not seen.any():
        return np.full(len(asked), y.mean())
    setting = {**_BOOSTING, "categorical_features": texts if texts.any() else None, "early_stopping": False}
    if loss == "binary":
        return HistGradientBoostingClassifier(**setting).fit(X, y.astype(int)).predict_proba(asked)[:, 1]
    return HistGradientBoostingRegressor(loss=_FITTED_BY[loss], **setting).fit(X, y).predict(asked)


def _lined(X, y, credible, asked, held_back: float, about: pd.DataFrame) -> np.ndarray:
    """Return predictions of a generalised linear model on piecewise straight lines of the columns."""
    from sklearn.linear_model import LogisticRegression, PoissonRegressor

    loss = about["loss"].iloc[0]
    if loss == "share":
        knots, coefficients, offset, _ = learn_ramps(X, y[:, None], credible, about)
        middle = np.average(y, weights=credible)
        spread = np.sqrt(np.average((y - middle) ** 2, weights=credible))
        return middle + spread * (predict_outcomes(asked, knots, coefficients) - offset)[:, 0]
    knots = np.quantile(X, KNOTS, axis=0)
    ramps, ramps_asked = all_ramps(X, knots), all_ramps(asked, knots)
    middle, spread = ramps.mean(axis=0), ramps.std(axis=0)
    spread = np.where(spread > 1e-9, spread, np.inf)
    Z, Z_asked = (ramps - middle) / spread, (ramps_asked - middle) / spread
    if loss == "binary":
        return LogisticRegression(C=1 / held_back, max_iter=300).fit(Z, y).predict_proba(Z_asked)[:, 1]
    unit = y.mean()
    model = PoissonRegressor(alpha=held_back / len(y), max_iter=300).fit(Z, y / unit)
    return model.predict(Z_asked) * unit
