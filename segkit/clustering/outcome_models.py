"""Models that predict what a customer will do, learned on outcomes that have ended.

They are ridge regressions on ramps, piecewise straight lines of each feature: additive, so that they can be
shown, plain arrays, so that they can be stored, and solved at once for all outcomes, so that they can be refitted on
every resample. On Complete Journey they predict the next quarter as well as gradient boosting does
(`benchmarks/forward.py`).
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from segkit.clustering.assignment_rules import predict_outcomes
from segkit.clustering.fit import fit_order
from segkit.clustering.rfm import fit_rfm
from segkit.preprocessing.fit_matrix import fit_matrix
from segkit.preprocessing.matrix import Matrix
from segkit.preprocessing.transforms import TRANSFORMS, as_numbers, robust_scale

LEARNED_ON = 30_000  # rows; more change the lines by less than their width
STRENGTHS = np.array([10.0, 30.0, 100.0, 300.0, 1e3, 3e3, 1e4, 3e4])  # of the ridge, chosen per outcome
KNOTS = (0.01, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 0.99)  # quantiles between which a line is straight
PREDICTABLE = 0.02  # least share of variance explained of an outcome that customers are clustered on
HALF_CREDIBLE = 5  # orders at which a share of them says half as much as it can
EVERY_FAMILY = {"returns": 1.0, "channel": 1.0, "trend": 1.0, "response": 1.0, "who": 1.0}
# The root of a Poisson count and the fourth root of an amount of Tweedie power 1.5 have about constant variance, so
# that squared distance between them is deviance (Anscombe 1948; McCullagh & Nelder 1989, section 2.5).
_STABLE = {"count": np.sqrt, "money": lambda amounts: amounts**0.25}


@dataclass(frozen=True)
class OutcomeModels:
    """Models that predict every outcome of a customer from features; made by `learn_outcomes`.

    Attributes
    ----------
    matrix : Matrix
        Leads from today's features to the columns that the models work on.
    knots : ndarray, shape (knots, columns)
        Between which the lines are straight.
    coefficients : ndarray, shape (columns x (knots - 1), outcomes)
        Of the ramps; the predictions are in standard deviations of the outcome, from its mean.
    offset : ndarray, shape (outcomes,)
        What the ramps come to for the mean customer.
    outcomes : DataFrame
        Index outcome; group, loss, explained (share of the variance, on customers left out), strength (of the ridge).
    learned : Learned
        What they were learned on, for tuning and for learning again on resamples.
    value_weight : float
        How much outcomes of value count in segments made of the predictions; tuned by `tune_value_weight`.
    """

    matrix: Matrix
    knots: np.ndarray
    coefficients: np.ndarray
    offset: np.ndarray
    outcomes: pd.DataFrame
    learned: "Learned"
    value_weight: float = 1.0

    def __repr__(self) -> str:
        used = int((self.outcomes["explained"] > PREDICTABLE).sum())
        return f"models of {len(self.outcomes)} outcomes ({used} predictable), learned on {len(self.learned.X):,} rows"

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the predictions for rows of the matrix, shape (customers, outcomes), in sds from the mean."""
        return predict_outcomes(np.asarray(X, "float64"), self.knots, self.coefficients) - self.offset

    def weights(self, value_weight: float = 1.0, without: str = "") -> np.ndarray:
        """Return the factor of each outcome's predictions in the distance between customers.

        Each group's predictable variance is 1 in total, that of value times `value_weight`. 0 for an outcome that is
        not predictable, or is called `without`.
        """
        table = self.outcomes
        explained = table["explained"].where((table["explained"] > PREDICTABLE) & (table.index != without), 0.0)
        total = explained.groupby(table["group"]).transform("sum")
        share = np.where(table["group"] == "value", value_weight, 1.0) / total.where(total > 0, np.inf)
        return np.sqrt(np.where(explained > 0, share, 0.0))


@dataclass(frozen=True)
class Learned:
    """What models were learned on: a row per customer and origin.

    ``X`` (m, d), ``Y`` outcomes on their stable scale, in sds from the origin's mean (m, p), ``credible`` (m, weight in
    the model of a share), ``customers`` (m), ``rfm`` (m, place on the RFM map of the day; -1 where there is none),
    ``origin`` (m; 0 is the latest).
    """

    X: np.ndarray
    Y: np.ndarray
    credible: np.ndarray
    customers: pd.Index
    rfm: np.ndarray
    origin: np.ndarray


class Period(NamedTuple):
    """Customers as of an origin, and what they did in the horizon after it (missing where it can't be said)."""

    features: pd.DataFrame
    features_dictionary: pd.DataFrame
    outcomes: pd.DataFrame


def learn_outcomes(
    periods: list[Period], outcomes_dictionary: pd.DataFrame, now: pd.DataFrame, *, seed: int
) -> OutcomeModels:
    """Return models that predict outcomes from features, learned on periods that have ended.

    Each day's features are put on a scale of their own, and outcomes are counted from the period's mean: what matters
    is where a customer stands among the customers of the day, since a shop with twice the history has twice the orders
    per customer, and December is no July.

    Parameters
    ----------
    periods : list of Period
        The latest first. Features that one of them lacks are not used.
    outcomes_dictionary : DataFrame
        Index outcome; group (value, behaviour), loss (binary, count, money, share).
    now : DataFrame
        Index customer_id; features as of today.
    seed : int
        Draws the rows learned on where there are more than `LEARNED_ON`.
    """
    latest = periods[0]
    used = [name for name in latest.features_dictionary.index if name in now and all(_has(p, name) for p in periods)]
    kinds = latest.features_dictionary.loc[used]
    weights = {family: weight for family, weight in EVERY_FAMILY.items() if family in set(kinds["family"])}
    then = fit_matrix(latest.features[used], kinds, weights)
    names = [name for name in latest.outcomes if len(latest.outcomes[name].dropna().unique()) > 1]
    parts = []
    for place, period in enumerate(periods):
        customers = period.features.index.intersection(period.outcomes.index).sort_values()
        table, came = period.features.loc[customers], period.outcomes.loc[customers]
        rfm = fit_rfm(table)
        parts.append(
            Learned(
                _on_scale_of(then, period.features).transform(table),
                standardised(stable_outcomes(came[names], outcomes_dictionary)),
                credibility(came, outcomes_dictionary),
                customers,
                np.full(len(customers), -1) if rfm is None else rfm.assign(table)["label"].to_numpy(),
                np.full(len(customers), place),
            )
        )
    stacked = [np.concatenate([getattr(part, name) for part in parts]) for name in ("X", "Y", "credible")]
    customers = pd.Index(np.concatenate([part.customers.to_numpy() for part in parts]))
    rest = [np.concatenate([getattr(part, name) for part in parts]) for name in ("rfm", "origin")]
    chosen = np.sort(fit_order(stacked[0], seed, LEARNED_ON))
    learned = Learned(*(each[chosen] for each in (*stacked, customers, *rest)))
    ramps = learn_ramps(learned.X, learned.Y, learned.credible, outcomes_dictionary.loc[names])
    return OutcomeModels(_on_scale_of(then, now), *ramps, learned)


def _has(period: Period, name: str) -> bool:
    about = period.features_dictionary
    if name not in about.index or name not in period.features:
        return False
    return bool(about.get("present", pd.Series(True, about.index))[name]) and not about.get("missing", {}).get(name, "")


def standardised(Y: np.ndarray) -> np.ndarray:
    """Return outcomes in standard deviations from their mean, missing where they are."""
    known = ~np.isnan(Y)
    count = np.maximum(known.sum(axis=0), 1)
    middle = np.where(known, Y, 0).sum(axis=0) / count
    spread = np.sqrt((np.where(known, Y - middle, 0) ** 2).sum(axis=0) / count)
    return (Y - middle) / np.where(spread > 1e-12, spread, 1.0)


def stable_outcomes(outcomes: pd.DataFrame, dictionary: pd.DataFrame) -> np.ndarray:
    """Return outcomes on the scale on which squared distance stands for their deviance, shape (customers, outcomes)."""
    columns = []
    for name in outcomes:
        figures = outcomes[name].to_numpy("float64")
        stable = _STABLE.get(dictionary["loss"][name])
        columns.append(figures if stable is None else stable(np.maximum(figures, 0)))
    return np.column_stack(columns) if columns else np.empty((len(outcomes), 0))


def credibility(outcomes: pd.DataFrame, dictionary: pd.DataFrame) -> np.ndarray:
    """Return the weight of each customer in the model of a share, by the orders that the share is one of."""
    counts = [name for name in outcomes if dictionary["loss"].get(name) == "count"]
    if not counts:
        return np.ones(len(outcomes))
    orders = outcomes[counts[0]].fillna(0).to_numpy("float64")
    return np.maximum(orders, 0) / (np.maximum(orders, 0) + HALF_CREDIBLE) + 1e-9


def learn_ramps(X, Y, credible, dictionary: pd.DataFrame) -> tuple:
    """Return knots, coefficients, offset and the table of outcomes (see `OutcomeModels`) of ridge regressions on ramps.

    The strength of each outcome's ridge has the least generalised cross-validation (Golub, Heath & Wahba 1979), from
    which ``explained`` comes too.
    """
    knots = np.quantile(X, KNOTS, axis=0)
    return knots, *_solve(all_ramps(X, knots), Y, credible, dictionary)


def learn_again(models: OutcomeModels, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return knots and coefficients learned anew, each row that the models were learned on counted so often.

    The strengths are those of the models: on a bootstrap sample, whose customers occur twice, leaving one out leaves
    none out. In single precision, which is enough for ridges as strong, and takes half the time.
    """
    rows, learned = np.flatnonzero(counts), models.learned
    knots = np.quantile(learned.X.repeat(counts, axis=0), KNOTS, axis=0)
    ramps = all_ramps(learned.X[rows].astype("float32"), knots.astype("float32"))
    strengths = models.outcomes["strength"].to_numpy()
    return knots, _solve(ramps, learned.Y[rows], learned.credible[rows], models.outcomes, strengths, counts[rows])[0]


def _solve(ramps, Y, credible, dictionary: pd.DataFrame, strengths=None, counts=None) -> tuple:
    """Return coefficients, offset and the table of outcomes; those known for the same customers share their sums."""
    counts = np.ones(len(ramps)) if counts is None else counts.astype(float)
    # On everybody's scale: what those with an outcome hardly vary in would else decide about those without.
    spread = _spread(ramps, counts)
    coefficients, offset = np.zeros((ramps.shape[1], Y.shape[1])), np.zeros(Y.shape[1])
    table = dictionary[["group", "loss"]].assign(explained=0.0, strength=np.nan)
    known, share = ~np.isnan(Y), (dictionary["loss"] == "share").to_numpy()
    together: dict[tuple, list[int]] = {}
    for place in range(Y.shape[1]):
        together.setdefault((share[place], known[:, place].tobytes()), []).append(place)
    for (of_shares, _), places in together.items():
        rows = known[:, places[0]]
        weights = counts[rows] * credible[rows] if of_shares else counts[rows]
        if (customers := counts[rows].sum()) < 2 * len(KNOTS):
            continue
        given = None if strengths is None else strengths[places]
        weights = weights * (customers / weights.sum())
        solved = _ridge(ramps[rows], spread, Y[np.ix_(rows, places)], weights, given)
        coefficients[:, places], offset[places], table.iloc[places, 2], table.iloc[places, 3] = solved
    return coefficients, offset, table


def all_ramps(X: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Return the `ramp_columns` of every column, one beside the other."""
    return np.concatenate([ramp_columns(column, at) for column, at in zip(X.T, knots.T, strict=True)], axis=1)


def ramp_columns(column: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Return how far each value has come between each two knots, shape (n, knots - 1).

    Examples
    --------
    >>> ramp_columns(np.array([-1.0, 0.5, 3.0, 9.0]), np.array([0.0, 1.0, 4.0]))
    array([[0. , 0. ],
           [0.5, 0. ],
           [1. , 2. ],
           [1. , 3. ]])
    """
    return np.clip(column[:, None], knots[:-1], knots[1:]) - knots[:-1]


def _ridge(ramps, spread, Y, weights, strengths: np.ndarray | None) -> tuple[np.ndarray, ...]:
    """Return coefficients for outcomes in sds from their mean, offset, variance explained (0 if given) and strength."""
    from scipy.linalg import solve

    n = weights.sum()
    centre, middle = weights @ ramps / n, weights @ Y / n
    scale = np.sqrt(weights @ (Y - middle) ** 2 / n)
    spread, scale = np.where(spread > 1e-9, spread, np.inf), np.where(scale > 1e-12, scale, np.inf)
    root = np.sqrt(weights)[:, None]
    A, B = (each.astype(ramps.dtype) for each in ((ramps - centre) / spread * root, (Y - middle) / scale * root))
    squares, products = A.T @ A, A.T @ B
    if strengths is None:
        solved, explained, strengths = _best_ridge(squares, products, B, n)
    else:
        strengths, explained = np.where(np.isnan(strengths), 1e3, strengths), np.zeros(Y.shape[1])
        solved = np.empty_like(products)
        for strength in np.unique(strengths):
            places = strengths == strength
            held = squares + np.eye(len(squares), dtype=squares.dtype) * squares.dtype.type(strength)
            solved[:, places] = solve(held, products[:, places], assume_a="pos", overwrite_a=True)
    solved = solved / spread[:, None]
    return solved, centre @ solved, np.where(np.isfinite(scale), explained, 0.0), strengths


def _best_ridge(squares, products, B, n: float) -> tuple[np.ndarray, ...]:
    """Return coefficients, variance explained and strength, that with the least generalised cross-validation."""
    values, vectors = np.linalg.eigh(squares)
    values = np.maximum(values, 0)
    turned = vectors.T @ products  # (columns, outcomes)
    shrunk = 1 / (values[None] + STRENGTHS[:, None])  # (strengths, columns)
    residual = (B**2).sum(axis=0) - 2 * shrunk @ turned**2 + (shrunk**2 * values) @ turned**2
    freedom = n - 1 - (shrunk * values).sum(axis=1)
    crossed = n * residual / freedom[:, None] ** 2  # mean squared error on customers left out
    best = crossed.argmin(axis=0)
    return vectors @ (turned * shrunk[best].T), 1 - crossed[best, np.arange(B.shape[1])], STRENGTHS[best]


def _spread(ramps: np.ndarray, counts: np.ndarray) -> np.ndarray:
    centre = counts @ ramps / counts.sum()
    return np.sqrt(counts @ (ramps - centre) ** 2 / counts.sum())


def _on_scale_of(matrix: Matrix, features: pd.DataFrame) -> Matrix:
    """Return the matrix with the centre and scale of other customers, and the columns of the old ones."""
    columns = []
    for column in matrix.fitted:
        if column.bounded:
            numbers = as_numbers(features[column.feature], column.kind)
            known = np.sort(numbers[~np.isnan(numbers)])
            if len(known):
                centre, scale = robust_scale(TRANSFORMS[column.transform](known))
                column = replace(column, centre=centre, scale=scale if scale > 0 else column.scale)
        columns.append(column)
    return replace(matrix, fitted=tuple(columns))
