"""The first steps of a study: the data, the features, the matrix."""

import resource
import time
from contextlib import contextmanager
from datetime import date
from functools import cached_property

import numpy as np
import pandas as pd

from segkit.data.cards.card import Card
from segkit.data.engines.engine import engine_address
from segkit.data.explore import uncovered_days
from segkit.data.orders import Orders, read_orders
from segkit.data.periods import check_sales
from segkit.data.ready_table import ReadyRows, read_ready
from segkit.features.build import CustomerFeatures, customer_features
from segkit.preprocessing.matrix import Matrix
from segkit.preprocessing.prepare import fit_matrix
from segkit.preprocessing.ready_dictionary import ready_dictionary
from segkit.runtime.cache import kept
from segkit.runtime.errors import InputError
from segkit.runtime.memory import check_memory
from segkit.runtime.parameters import Parameters
from segkit.runtime.progress import progress_bar


class DataSteps:
    """A dataset as of a day, under parameters: what was read, and what it is turned into."""

    def __init__(self, card: Card, label: str, as_of: date | None, parameters: Parameters):
        self.card, self.label, self.as_of, self.parameters = card, label, as_of, parameters
        self.costs: dict[str, dict[str, float]] = {}  # step -> seconds, peak of the largest process; for run.json

    def __repr__(self) -> str:
        return self.card.name if self.as_of is None else f"{self.card.name} as of {self.as_of}"

    @cached_property
    def orders(self) -> Orders:
        """The canonical tables, inside the engine; refused where the month has no orders."""
        if self.as_of is None:
            raise InputError(f"dataset {self.card.name} is a ready table of customers: it has no orders")
        depends = {"card": self.card.path.read_text(), "as_of": self.as_of}

        def keep(inputs: dict[str, str], make) -> dict:
            def read() -> dict:
                with progress_bar(f"reading the orders up to {self.as_of}"):
                    return make()

            return kept("ledger", "data.orders", depends | {"inputs": inputs}, read)

        with self._cost("read the orders"):
            orders = read_orders(self.card, self.as_of, keep=keep)
        if (sales := orders.ledger.set_index("reason")["customers"].get("sale", 0)) > 0:
            check_memory(int(sales))
        check_sales(orders, self.label, self.as_of, self.parameters.window_days)
        return orders

    @cached_property
    def ready(self) -> ReadyRows:
        """The ready table of customers of a dataset that is one."""
        return read_ready(self.card)

    @property
    def ledger(self) -> pd.DataFrame:
        """Where every row that was read went."""
        return self.rows.ledger

    @property
    def rows(self) -> Orders | ReadyRows:
        """What was read: the orders, or the ready table."""
        return self.ready if self.as_of is None else self.orders

    @cached_property
    def uncovered_days(self) -> int:
        """Days at the end of the month that the data does not cover; 0 for a complete month."""
        if self.as_of is None:
            return 0
        return kept("coverage", "data.explore", self._depends, self._measure_coverage)["days"]["uncovered"]

    def _measure_coverage(self) -> dict:
        return {"days": {"uncovered": uncovered_days(self.orders, self.as_of)}}

    # --- features and matrix --------------------------------------------------------------------------------------

    _recipe: dict | None = None  # of a model that is kept; else the features choose their categories from the data

    @property
    def _window_days(self) -> int:
        """The longest time that features are made of: a model that is kept counts the days of its fit."""
        return self.parameters.window_days

    @cached_property
    def _depends(self) -> dict:
        """What the features depend on."""
        return self._features_depend(self.as_of, self.days_counted, self._recipe)

    def _features_depend(self, as_of: date | None, window_days: int, recipe: dict | None) -> dict:
        data = {
            "card": self.card.path.read_text(),
            "inputs": self.rows.inputs,
            "engine": engine_address(of_card=self.card.engine).partition(":")[0],  # last digits may differ
        }
        return data | {"as_of": as_of, "window_days": window_days} | ({"recipe": recipe} if recipe else {})

    def _features_of(self, as_of: date, recipe: dict | None, window_days: int) -> dict:
        """The features of any day up to `as_of`: table, dictionary, recipe."""

        def make() -> dict:
            with progress_bar(f"building the features of {window_days} days up to {as_of}"):
                made = customer_features(self.orders, as_of, window_days, recipe)
            return {"table": made.table, "dictionary": made.dictionary, "recipe": made.recipe}

        with self._cost("build the features"):
            return kept("features", "features", self._features_depend(as_of, window_days, recipe), make)

    @cached_property
    def _featured(self) -> dict:
        if self.as_of is None:
            made = kept("features", "features", self._depends, self._make_ready)
        else:
            made = self._features_of(self.as_of, self._recipe, self.days_counted)
        fewest = self.parameters.min_segments * self.parameters.min_customers
        if len(made["table"]) < fewest:
            raise InputError(
                f"dataset {self.card.name} has {len(made['table']):,} customers in {self.label}; {fewest:,} are the "
                f"fewest for min_segments {self.parameters.min_segments} x min_customers "
                f"{self.parameters.min_customers}: take a longer window_days, or lower these"
            )
        return made

    def _make_ready(self) -> dict:
        ready = self.ready
        return {"table": ready.table, "dictionary": ready_dictionary(ready.table, ready.kinds), "recipe": {}}

    @property
    def features(self) -> pd.DataFrame:
        """One row per customer in natural units; index ``customer_id``."""
        return self._featured["table"]

    @property
    def dictionary(self) -> pd.DataFrame:
        """What each feature means; index ``feature``."""
        return self._featured["dictionary"]

    @property
    def _built(self) -> CustomerFeatures:
        recipe = self._featured["recipe"]
        return CustomerFeatures(self.features, self.dictionary, recipe, self.as_of, self.days_counted)

    @cached_property
    def matrix(self) -> Matrix:
        """The features on common scales, frozen."""
        with self._cost("fit the matrix"):
            return Matrix.from_dict(kept("matrix", "preprocessing.prepare", self._depends, self._make_matrix)["matrix"])

    def _make_matrix(self) -> dict:
        return {"matrix": fit_matrix(self.features, self.dictionary).to_dict()}

    @property
    def days_counted(self) -> int:
        """Days behind the features: the window, or less where the data begins within it."""
        if self.as_of is None:
            return self._window_days
        return min(self._window_days, (self.as_of - self.orders.first_day).days + 1)

    @property
    def _revenue(self) -> pd.Series:
        """Net spend of each customer within the window; missing for a ready table."""
        return self.features["spend"] if self.as_of is not None else pd.Series(np.nan, index=self.features.index)

    @contextmanager
    def _cost(self, step: str):
        start = time.perf_counter()
        yield
        peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        self.costs[step] = {"seconds": round(time.perf_counter() - start, 2), "peak_memory_mb": round(peak / 1024)}
