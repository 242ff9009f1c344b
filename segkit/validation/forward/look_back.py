"""One horizon back: what was known of customers then, and what came after, which no segmentation has seen."""

from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import pandas as pd

from segkit.clustering.outcome_models import LEARNED_ON, OutcomeModels, Period, learn_outcomes
from segkit.clustering.predictive import tune_value_weight
from segkit.data.engines.engine import engine_address
from segkit.data.orders import Orders
from segkit.data.ready_table import ReadyRows, infer_kind
from segkit.features.build import CustomerFeatures, count_customers, customer_features
from segkit.features.outcomes import customer_outcomes, outcome_dictionary
from segkit.preprocessing.prepare import CustomerMatrix, prepare
from segkit.runtime.content import made_once
from segkit.runtime.progress import progress_bar
from segkit.runtime.seeds import sample_customers
from segkit.validation.candidates import count_jobs
from segkit.validation.forward.ceiling import best_ceiling

HISTORY_DAYS = 90  # of orders that a fit needs
MOST_PERIODS = 4  # a year of quarters
JUDGED_ON = 20_000  # customers; more narrow the intervals of shares that are known to a percent
MOST_LEVELS = 6  # of a category that is asked for one by one
# Numbers without a natural zero are judged by squared error, as shares are.
_LOSS = {"binary": "binary", "money": "money", "count": "count"}


@dataclass(frozen=True)
class Future:
    """What was known of customers, and what came after; made by `look_back`.

    Attributes
    ----------
    note : str
        Why nothing can be judged, and from which month on it can; empty where it can.
    matrix : CustomerMatrix or None
        The customers as of `origin`, prepared alike; its models are learned on outcomes that had ended by then (None
        where the data begin too late). Of a ready table, the customers themselves: it knows no time.
    outcomes : DataFrame
        Index customer_id; what they did after `origin` up to `until`, missing where that can't be said.
    dictionary : DataFrame
        Index outcome; group (value, behaviour), loss (binary, count, money, share).
    ceiling : DataFrame
        The outcomes as predicted from all features by models that did not see the customer.
    origin, until : date or None
        None for a ready table.
    customers : int
        How many there are, of whom `matrix` may have a sample.
    """

    note: str
    matrix: CustomerMatrix | None = field(default=None, repr=False)
    outcomes: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)
    dictionary: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)
    ceiling: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)
    origin: date | None = None
    until: date | None = None
    customers: int = 0

    def __repr__(self) -> str:
        days = f" from {self.origin + timedelta(days=1)} to {self.until}" if self.origin else ""
        return self.note or f"{len(self.dictionary)} outcomes of {len(self.outcomes):,} customers{days}"

    @property
    def known(self) -> bool:
        """Whether there is anything to judge by."""
        return self.matrix is not None


def learn_outcomes_before(
    rows: Orders | ReadyRows | None,
    features: CustomerFeatures,
    *,
    horizon_days: int = 90,
    judge_value: float = 0.5,
    seed: int = 0,
) -> OutcomeModels | None:
    """Return models learned on the horizons that ended by the day of `features`, for predicting the next one.

    On up to `MOST_PERIODS` horizons, one after the other, each with `HISTORY_DAYS` of orders before it. None comes
    back where there is none, and for a ready table. Nothing after the day of `features` is used.

    Parameters
    ----------
    rows : Orders or ReadyRows
        Read as of that day or later.
    features : CustomerFeatures
    horizon_days : int
        Days after a day over which outcomes are counted.
    judge_value : float
        Weight of how much customers will buy against what and how, 0 to 1, by which the weight of value is tuned.
    """
    if not isinstance(rows, Orders):
        return None

    def make() -> OutcomeModels | None:
        with progress_bar("learning what customers do next"):
            return _learn_before(rows, features, horizon_days, judge_value, seed)

    content = (orders_content(rows), features, horizon_days, judge_value, seed)
    return made_once("learn outcomes", "validation.forward.look_back", content, make)


def orders_content(orders: Orders) -> tuple:
    """Return what tells orders from others: their card, files, day, and the engine, whose last digits may differ."""
    engine = engine_address(of_card=orders.card.engine).partition(":")[0]
    return orders.card.path.read_text(), orders.inputs, orders.as_of, engine


def _learn_before(
    orders: Orders, features: CustomerFeatures, horizon_days: int, judge_value: float, seed: int
) -> OutcomeModels | None:
    orders = orders.sample
    periods, horizon = [], timedelta(days=horizon_days)
    for number in range(1, MOST_PERIODS + 1):
        origin = features.as_of - number * horizon
        if (origin - orders.first_day).days + 1 < HISTORY_DAYS:
            break
        made = customer_features(orders, origin, features.window_days, recipe=features.recipe)
        table = made.table.loc[sample_customers(made.table.index, LEARNED_ON)]  # the others are let go of at once
        outcomes = customer_outcomes(orders, origin, horizon_days, features.recipe, table.index)
        periods.append(Period(table, made.dictionary, outcomes))
    if not periods:
        return None
    models = learn_outcomes(periods, outcome_dictionary(features.recipe), features.table, seed=seed)
    return _tuned(models, judge_value, seed)


def _tuned(models: OutcomeModels, judge_value: float, seed: int) -> OutcomeModels:
    if not models.weights().any():
        return models
    tuning = tune_value_weight(models, seed=seed, judge_value=judge_value)
    return replace(models, value_weight=float(tuning.loc[tuning["tuned"], "value_weight"].iloc[0]))


def judged_from(orders: Orders, horizon_days: int) -> date:
    """Return the first day as of which candidates can be judged one horizon back."""
    return orders.first_day + timedelta(days=HISTORY_DAYS - 1 + horizon_days)


def look_back(
    rows: Orders | ReadyRows | None,
    matrix: CustomerMatrix,
    *,
    horizon_days: int = 90,
    judge_value: float = 0.5,
    as_of: date | None = None,
    jobs: int | None = None,
) -> Future:
    """Return what was known one horizon before the day of a matrix, and what came until then.

    Of a ready table, its outcomes: columns that were never clustered on. Where nothing can be judged, `Future.note`
    says why, and from which month on it can.

    Parameters
    ----------
    rows : Orders, ReadyRows or None
        Orders read as of the day of the matrix or later; nothing after it is used.
    matrix : CustomerMatrix
        Whose days, weights and seed count.
    horizon_days, judge_value
        As for `learn_outcomes_before`.
    as_of : date, optional
        Another day than that of the matrix.
    jobs : int, optional
        Processes; as for `compare`.
    """
    if isinstance(rows, Orders):
        as_of = as_of or matrix.features.as_of
        content = (orders_content(rows), as_of, matrix.features.window_days, matrix.weights, matrix.seed)
        content = (*content, matrix.features.recipe.get("added"))
    elif isinstance(rows, ReadyRows) and len(rows.outcomes.columns):
        content = (matrix.fingerprint, rows.outcomes)
    else:
        named = "The card names no outcomes to judge by." if isinstance(rows, ReadyRows) else "There are no orders."
        return Future(named)

    def make() -> Future:
        with progress_bar("looking one horizon back") as progress:
            shared = {"jobs": count_jobs(len(matrix.compared), jobs), "progress": progress}
            if isinstance(rows, ReadyRows):
                return _beside(matrix, rows.outcomes.loc[matrix.compared], shared)
            return _before(rows, matrix, as_of, horizon_days, judge_value, shared)

    return made_once("look back", "validation.forward.look_back", (content, horizon_days, judge_value), make)


def _before(
    orders: Orders, matrix: CustomerMatrix, as_of: date, horizon_days: int, judge_value: float, shared: dict
) -> Future:
    origin = as_of - timedelta(days=horizon_days)
    if (origin - orders.first_day).days + 1 < HISTORY_DAYS:
        return Future(
            f"Nothing that came later can be judged: one horizon back there are less than {HISTORY_DAYS} days of "
            f"orders; from {judged_from(orders, horizon_days):%Y-%m} on it can."
        )
    everybody, orders = orders, orders.sample
    added = matrix.features.recipe.get("added")
    features = customer_features(orders, origin, matrix.features.window_days, add=added)
    count = len(features.table)
    if orders is not everybody:
        count = count_customers(everybody, origin, matrix.features.window_days)
    models = _learn_before(orders, features, horizon_days, judge_value, matrix.seed)
    customers = sample_customers(features.table.index, JUDGED_ON)
    features = replace(features, table=features.table.loc[customers])
    then = prepare(features, matrix.weights, seed=matrix.seed, models=models)
    outcomes = customer_outcomes(orders, origin, horizon_days, features.recipe, customers)
    dictionary = outcome_dictionary(features.recipe)
    ceiling = best_ceiling(
        features.table, then.transformer, outcomes, dictionary, past=models, seed=matrix.seed, **shared
    )
    return Future("", then, outcomes, dictionary, ceiling, origin, as_of, count)


def _beside(matrix: CustomerMatrix, outcomes: pd.DataFrame, shared: dict) -> Future:
    known, dictionary = ready_outcomes(outcomes)
    if not len(dictionary):
        return Future("The card names no outcomes to judge by.")
    ceiling = best_ceiling(matrix.table, matrix.transformer, known, dictionary, seed=matrix.seed, **shared)
    return Future("", matrix, known, dictionary, ceiling, customers=matrix.customers)


def ready_outcomes(outcomes: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a ready table's outcomes as numbers, and their dictionary (index outcome; group, loss).

    Money and counts say how much, everything else what and how; a category is one yes or no per level.

    Examples
    --------
    >>> outcomes = pd.DataFrame({"like": ["yes", "no", "yes"], "visits": [1, 0, 4], "plan": ["a", "b", "c"]})
    >>> ready_outcomes(outcomes)[1]
             group    loss
    outcome
    like     behaviour  binary
    visits       value   count
    plan=a   behaviour  binary
    plan=b   behaviour  binary
    plan=c   behaviour  binary
    """
    columns, about = {}, {}
    for name in outcomes:
        kind, _ = infer_kind(outcomes[name])
        known = outcomes[name].notna()
        if kind == "category":
            texts = outcomes[name].astype("str")
            for level in texts[known].value_counts().index[:MOST_LEVELS]:
                columns[f"{name}={level}"] = (texts == level).astype(float).where(known)
                about[f"{name}={level}"] = ("behaviour", "binary")
        elif kind == "binary":
            first = sorted(outcomes[name][known].unique(), key=str)[-1]
            columns[name] = (outcomes[name] == first).astype(float).where(known)
            about[name] = ("behaviour", "binary")
        elif kind:
            columns[name] = outcomes[name].astype("float64")
            about[name] = ("value" if kind in ("money", "count") else "behaviour", _LOSS.get(kind, "share"))
    dictionary = pd.DataFrame.from_dict(about, orient="index", columns=["group", "loss"]).rename_axis("outcome")
    return pd.DataFrame(columns, index=outcomes.index), dictionary
