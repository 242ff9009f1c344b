"""One study: a dataset, a day, parameters; each step of the analysis computed once and kept."""

import calendar
import json
import re
import resource
import time
from contextlib import ExitStack, contextmanager
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from segkit.baselines import fit_rfm
from segkit.candidates import Trial, predict_segments, try_candidates
from segkit.cards import Card, read_card
from segkit.compare import CHOICE_RULE, choose
from segkit.errors import InputError
from segkit.evidence import adjusted_rand, contingency
from segkit.explore import uncovered_days
from segkit.features import CustomerFeatures, customer_features
from segkit.forward import FORWARD_RULE, advise_segmenting, propose_by_forward, tell_forward
from segkit.keep import kept, kept_folder
from segkit.matrix import Matrix, fit_matrix, ready_dictionary
from segkit.methods import Candidate
from segkit.naming import name_segments
from segkit.parameters import Parameters, read_parameters
from segkit.profile import profile_segments, size_segments
from segkit.progress import progress_bar
from segkit.prose import money, tell_coverage
from segkit.segmentation import LEFT_OUT, Segmentation, assign_customers, fit_segmentation
from segkit.sources import Orders, ReadyRows, read_orders, read_ready
from segkit.tables import TABLES, round_significant

FORWARD = ("forward_value", "forward_behaviour", "forward_share")
MAP_CUSTOMERS = 5_000  # customers on the map: more would hide each other, and the page would grow


def open_study(dataset: str | Path, month: str = "", as_of: str = "", source: str = "", **settings) -> "Study":
    """Return the study of a dataset as of the end of a month, or of a day.

    Nothing is computed yet: each table is made when it is first asked for, and kept between sessions, keyed by
    what it depends on.

    Parameters
    ----------
    dataset : str or path
        The name of a card in ``data/``, or the path of one.
    month : str
        ``"2017-09"``. Neither month nor day for a dataset that is a ready table of customers.
    as_of : str
        A day instead of a month, ``"2010-12-10"``: the last day counted.
    source : str
        A file to read instead of the one the card names.
    **settings
        Parameters by name, above the card's ``[defaults]``; see `segkit.parameters.Parameters`.

    Raises
    ------
    InputError
        Unknown dataset, parameter or month; the message names it and the way out.

    Examples
    --------
    >>> open_study("complete-journey", month="2017-09", max_segments=8)
    complete-journey as of 2017-09-30
    >>> open_study("complete-journey", month="17-9")
    Traceback (most recent call last):
    segkit.errors.InputError: month '17-9' is not YYYY-MM; for example 2017-09
    """
    card = read_card(dataset, source or None)
    parameters = read_parameters(card.defaults, settings)
    if card.ready is not None:
        if month or as_of:
            raise InputError(f"dataset {card.name} is a ready table of customers: it takes neither --month nor --as-of")
        return Study(card, "static", None, parameters)
    if bool(month) == bool(as_of):
        raise InputError(f"dataset {card.name} needs either --month YYYY-MM or --as-of YYYY-MM-DD")
    return Study(card, month or as_of, _last_day(month) if month else _day(as_of), parameters)


def _last_day(month: str) -> date:
    match = re.fullmatch(r"(\d{4})-(\d{2})", month)
    if not match or not 1 <= int(match[2]) <= 12 or int(match[1]) < 1:
        raise InputError(f"month {month!r} is not YYYY-MM; for example 2017-09")
    year, number = int(match[1]), int(match[2])
    return date(year, number, calendar.monthrange(year, number)[1])


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) else date.fromisoformat("no day")
    except ValueError:
        raise InputError(f"day {text!r} is not YYYY-MM-DD; for example 2010-12-10") from None


class Study:
    """A dataset as of a day, under parameters; made by `open_study`.

    Attributes are tables (or hold them) and are computed when first asked for: `orders`, `ledger`, `features`,
    `dictionary`, `matrix`, `candidates`, `labels`, `segmentation`, `assignments`, `profile`, `segments`, `map`.
    """

    def __init__(self, card: Card, label: str, as_of: date | None, parameters: Parameters):
        self.card, self.label, self.as_of, self.parameters = card, label, as_of, parameters
        self.costs: dict[str, dict[str, float]] = {}  # step -> seconds, peak memory; for run.json

    def __repr__(self) -> str:
        return self.card.name if self.as_of is None else f"{self.card.name} as of {self.as_of}"

    # --- the data -------------------------------------------------------------------------------------------------

    @cached_property
    def orders(self) -> Orders:
        """The canonical tables, inside the engine; refused where the month has no orders."""
        if self.as_of is None:
            raise InputError(f"dataset {self.card.name} is a ready table of customers: it has no orders")
        with self._cost("read the orders"):
            orders = read_orders(self.card, self.as_of)
        start = self.as_of.replace(day=1) if len(self.label) == len("2017-09") else self._window_start
        count, first, last = orders.connection.execute(
            "SELECT count(*), CAST(min(ordered_at) AS DATE), CAST(max(ordered_at) AS DATE) FROM orders"
            " WHERE NOT is_return"
        ).fetchone()
        if not count or last < start:
            there = f"up to then its orders run from {first} to {last}" if count else "its first order is later"
            raise InputError(f"dataset {self.card.name} has no orders in {self.label}: {there}; name another month")
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

    @property
    def _window_start(self) -> date:
        return self.as_of - timedelta(days=self.parameters.window_days - 1)

    @cached_property
    def uncovered_days(self) -> int:
        """Days at the end of the month that the data does not cover; 0 for a complete month."""
        return 0 if self.as_of is None else uncovered_days(self.orders, self.as_of)

    # --- features and matrix --------------------------------------------------------------------------------------

    @cached_property
    def _depends(self) -> dict:
        """What the features depend on."""
        return {
            "card": self.card.path.read_text(),
            "inputs": self.rows.inputs,
            "as_of": self.as_of,
            "window_days": self.parameters.window_days,
        }

    @cached_property
    def _featured(self) -> dict:
        made = kept("features", self._depends, self._make_ready if self.as_of is None else self._make_features)
        fewest = self.parameters.min_segments * self.parameters.min_customers
        if len(made["table"]) < fewest:
            raise InputError(
                f"dataset {self.card.name} has {len(made['table']):,} customers in {self.label}; {fewest:,} are the "
                f"fewest for min_segments {self.parameters.min_segments} x min_customers "
                f"{self.parameters.min_customers}: take a longer window_days, or lower these"
            )
        return made

    def _make_features(self) -> dict:
        orders = self.orders
        with self._cost("build the features"), progress_bar("building the features"):
            made = customer_features(orders, self.as_of, self.parameters.window_days)
        return {"table": made.table, "dictionary": made.dictionary, "recipe": made.recipe}

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

    @cached_property
    def matrix(self) -> Matrix:
        """The features on common scales, frozen."""
        with self._cost("fit the matrix"):
            return fit_matrix(self.features, self.dictionary)

    # --- candidates and choice ------------------------------------------------------------------------------------

    @cached_property
    def trial(self) -> Trial:
        """Every candidate and all that is known of it."""
        used = self.parameters.as_dict() | {"choice": ""}
        return Trial.from_tables(kept("candidates", self._depends | {"parameters": used}, self._try))

    def _try(self) -> dict:
        matrix = self.matrix
        orders, outcomes = (None, self.ready.outcomes) if self.as_of is None else (self.orders, None)
        with ExitStack() as bars:

            def step(text: str):
                bars.close()
                bars.enter_context(self._cost(text))
                return bars.enter_context(progress_bar(text))

            return try_candidates(self._built, matrix, orders, outcomes, self.parameters, step).to_tables()

    @property
    def _built(self) -> CustomerFeatures:
        recipe = self._featured["recipe"]
        return CustomerFeatures(self.features, self.dictionary, recipe, self.as_of, self.parameters.window_days)

    @property
    def labels(self) -> pd.DataFrame:
        """Integer labels of every customer by every candidate; -1 is left out."""
        return self.trial.labels

    @cached_property
    def candidates(self) -> pd.DataFrame:
        """Every candidate with its criteria, whether it is feasible, chosen, and why not."""
        trial, parameters = self.trial, self.parameters
        proposal = propose_by_forward(trial.candidates, trial.labels, parameters, trial.judgement.shares)
        return choose(trial.candidates, trial.labels, parameters, parameters.choice, proposal)

    @cached_property
    def proposed(self) -> str:
        """The candidate_id that segkit proposes, whatever the analyst chose."""
        trial = self.trial
        return propose_by_forward(trial.candidates, trial.labels, self.parameters, trial.judgement.shares)[0]

    @property
    def choice_rule(self) -> str:
        """The rule by which the proposal was made, in words."""
        return CHOICE_RULE if self.trial.judgement.shares is None else FORWARD_RULE

    @property
    def chosen(self) -> pd.Series:
        """The chosen candidate's row."""
        return self.candidates.loc[self.candidates["chosen"]].iloc[0]

    @cached_property
    def verdict(self) -> dict:
        """What the chosen segmentation is, whether to segment at all, and why; as in ``run.json``."""
        chosen, shares = self.chosen["candidate_id"], self.trial.judgement.shares
        advice = advise_segmenting(chosen, shares)
        why = self.trial.verdicts.set_index("candidate_id")["why"].get(chosen)
        structure = self.chosen["structure"] if pd.notna(self.chosen["structure"]) else None
        criteria = ("stability_ari", "stability_jaccard_min", "separated_share", *FORWARD)
        return {
            "structure": structure,
            "segment_at_all": advice.segment_at_all,
            "chosen": chosen,
            "proposed": self.proposed,
            "why": ". ".join(filter(None, (advice.text, why))),
            "evidence": {name: _number(self.chosen[name]) for name in criteria},
        }

    @property
    def forward_sentence(self) -> str:
        """What the chosen segments, and the RFM map, tell of the future."""
        return tell_forward(self.chosen["candidate_id"], self.trial.judgement.shares)

    @cached_property
    def one_per_family(self) -> pd.DataFrame:
        """The chosen candidate first, then of each other family the one whose number of segments is nearest to its."""
        others = self.candidates[
            (self.candidates["family"] != self.chosen["family"]) & (self.candidates["segments"] > 0)
        ]
        distance = (others["segments"] - self.chosen["segments"]).abs()
        nearest = others.assign(distance=distance).sort_values(["distance", "noise_share"], kind="stable")
        nearest = nearest.drop_duplicates("family").sort_index().drop(columns="distance")
        return pd.concat([self.chosen.to_frame().T.astype(self.candidates.dtypes), nearest], ignore_index=True)

    @cached_property
    def agreement(self) -> pd.DataFrame:
        """Adjusted Rand index between `one_per_family`, square."""
        ids = list(self.one_per_family["candidate_id"])
        groups = [self.labels[candidate].to_numpy() for candidate in ids]
        index = [[adjusted_rand(contingency(one + 1, other + 1)) for other in groups] for one in groups]
        return pd.DataFrame(index, index=ids, columns=ids)

    # --- segments -------------------------------------------------------------------------------------------------

    @cached_property
    def map(self) -> pd.DataFrame:
        """Where customers lie on the map: index ``customer_id``; ``x, y, segment_id``; at most `MAP_CUSTOMERS` rows."""
        positions = kept("map", self._depends | {"seed": self.parameters.seed}, self._draw_map)["positions"]
        return positions.assign(segment_id=self.assignments["segment_id"].reindex(positions.index))

    def _draw_map(self) -> dict:
        from umap import UMAP

        X = self.matrix.transform(self.features)
        drawn = np.arange(len(X))
        if len(X) > MAP_CUSTOMERS:
            drawn = np.sort(np.random.default_rng(self.parameters.seed).choice(len(X), MAP_CUSTOMERS, replace=False))
        with self._cost("draw the map"), progress_bar("laying out the map"):
            mapper = UMAP(
                n_neighbors=min(30, len(drawn) - 1), min_dist=0.3, random_state=self.parameters.seed, n_jobs=1
            )
            positions = mapper.fit_transform(X[drawn])
        return {"positions": pd.DataFrame(positions, index=self.features.index[drawn], columns=["x", "y"])}

    @cached_property
    def segmentation(self) -> Segmentation:
        """The chosen candidate, frozen: its segments numbered by revenue and named by their profiles."""
        names = self._named[0]
        return self._numbered.with_segments(self._numbered.segment_ids, self._numbered.names | _by_id(names, "segment"))

    @cached_property
    def _fitted(self) -> Segmentation:
        chosen = self.chosen["candidate_id"]
        depends = self._depends | {"parameters": self.parameters.as_dict() | {"choice": chosen}}
        return Segmentation.load(kept_folder("segmentation", depends, lambda folder: self._fit().save(folder)))

    def _fit(self) -> Segmentation:
        row, matrix, rule = self.chosen, self.matrix, None
        candidate = Candidate(row["candidate_id"], row["family"], json.loads(row["params"]))
        with self._cost("fit the chosen one"):
            if row["family"] == "predictive":
                models, fits = predict_segments(self.orders, self._built, self.parameters)
                matrix, rule = models.matrix, {one.candidate_id: fit.rule for one, fit in fits}[row["candidate_id"]]
            return fit_segmentation(
                self.features, matrix, candidate, seed=self.parameters.seed, as_of=self.as_of,
                window_days=self.parameters.window_days, recipe=self._featured["recipe"], rule=rule,
            )  # fmt: skip

    @cached_property
    def _numbered(self) -> Segmentation:
        fitted = self._fitted
        sizes = size_segments(assign_customers(fitted, self.features)["segment_id"], self._revenue)
        order = sizes.sort_values(["revenue", "customers"], ascending=False, kind="stable")["segment_id"]
        with_customers = [old for old in order if old != LEFT_OUT]
        without = [old for old in fitted.segment_ids if old not in with_customers]
        new = {old: f"S{place}" for place, old in enumerate(with_customers + without, start=1)}
        ids = tuple(new[old] for old in fitted.segment_ids)
        return fitted.with_segments(ids, {new[old]: name for old, name in fitted.names.items()})

    def _ids_of(self, table: pd.DataFrame, column: str) -> list[str]:
        """Labels as segment ids: lasting ones for the chosen candidate, by size (S1 the largest) for others."""
        chosen, ids = self.chosen["candidate_id"], self._numbered.segment_ids
        pairs = zip(table["candidate_id"], table[column].astype(int), strict=True)
        return [ids[label] if name == chosen else f"S{label + 1}" for name, label in pairs]

    @cached_property
    def stability(self) -> pd.DataFrame:
        """How each segment of the resampled candidates comes back, with its interval."""
        table = self.trial.stability
        return table.assign(segment=self._ids_of(table, "label")).drop(columns="label")

    @property
    def chosen_stability(self) -> pd.DataFrame:
        """How each of the chosen segments comes back, by name."""
        own = self.stability[self.stability["candidate_id"] == self.chosen["candidate_id"]]
        own = own.rename(columns={"segment": "segment_id"}).merge(self.segments[["segment_id", "segment"]])
        return own.sort_values("segment_id", ignore_index=True)

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """Whether a valley lies between two segments of a resampled candidate."""
        table = self.trial.pairs
        named = {column: self._ids_of(table, column) for column in ("segment_a", "segment_b")}
        return table.assign(**named)[list(TABLES["pairs"].columns)]

    @property
    def _revenue(self) -> pd.Series:
        """Net spend of each customer within the window; missing for a ready table."""
        return self.features["spend"] if self.as_of is not None else pd.Series(np.nan, index=self.features.index)

    @cached_property
    def _assigned(self) -> pd.DataFrame:
        return assign_customers(self._numbered, self.features)

    @cached_property
    def profile(self) -> pd.DataFrame:
        """Each segment against all customers, feature by feature, with intervals."""
        dropped = self.matrix.dropped
        repeats = dropped.loc[dropped["why"].str.startswith("repeats "), "feature"]  # made of as much as the others
        used = {*self._fitted.matrix.columns["feature"], *repeats}
        with self._cost("profile the segments"):
            return profile_segments(self.features, self.dictionary, self._assigned["segment_id"], used)

    @cached_property
    def _named(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        sizes = size_segments(self._assigned["segment_id"], self._revenue)
        names, words = name_segments(self.profile, sizes, self.card.currency, self._days_counted)
        return sizes.merge(names, on="segment_id"), words

    @property
    def name_words(self) -> pd.DataFrame:
        """The figures behind every word of the names."""
        return self._named[1]

    @cached_property
    def segments(self) -> pd.DataFrame:
        """The segments by revenue, those left out last: sizes, shares, names, descriptions, suggestions."""
        named = self._named[0]
        return pd.concat(
            [named[named["segment_id"] != LEFT_OUT], named[named["segment_id"] == LEFT_OUT]], ignore_index=True
        )

    @cached_property
    def assignments(self) -> pd.DataFrame:
        """Every customer's segment, and the cell of the RFM map for comparison; index ``customer_id``."""
        assigned = assign_customers(self.segmentation, self.features)
        if self.chosen["candidate_id"] in self.trial.confidence:
            assigned["confidence"] = self.trial.confidence[self.chosen["candidate_id"]]
        rfm = fit_rfm(self.features)
        return assigned.assign(rfm_segment=None if rfm is None else rfm.assign(self.features)["segment"].astype("str"))

    # --- what the report says -------------------------------------------------------------------------------------

    @property
    def _days_counted(self) -> int:
        """Days behind the features: the window, or less where the data begins within it."""
        if self.as_of is None:
            return self.parameters.window_days
        return min(self.parameters.window_days, (self.as_of - self.orders.first_day).days + 1)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know before trusting the rest."""
        if self.as_of is None:
            return ()
        covered = tell_coverage(self.label, self.as_of, self.orders.last_day, self.uncovered_days)
        return (covered,) if covered else ()

    @property
    def key_figures(self) -> dict[str, str]:
        """The study in four figures, by label."""
        figures = {"customers": f"{len(self.features):,}"}
        if self.as_of is not None:
            figures["orders"] = f"{int(self.features['order_count'].sum()):,}"
            figures[f"revenue in {self._days_counted} days"] = money(self._revenue.sum(), self.card.currency)
            figures["last day counted"] = str(self.as_of)
        return figures

    @property
    def shortlist(self) -> pd.DataFrame:
        """The chosen candidate, the best known rule, and of each other family the one nearest in number of segments."""
        shown = ["candidate_id", "segments", "smallest_share", "forward_value", "forward_behaviour", "reason"]
        return self.one_per_family[shown]

    # --- the whole run --------------------------------------------------------------------------------------------

    def compute(self) -> None:
        """Compute every step, so that what the user can mend is found before anything is written."""
        _ = self.candidates, self.map, self.segments, self.assignments

    # --- the cost of each step ------------------------------------------------------------------------------------

    @contextmanager
    def _cost(self, step: str):
        start = time.perf_counter()
        yield
        peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        self.costs[step] = {"seconds": round(time.perf_counter() - start, 2), "peak_memory_mb": round(peak / 1024)}


def _by_id(table: pd.DataFrame, column: str) -> dict[str, str]:
    return dict(zip(table["segment_id"], table[column], strict=True))


def _number(figure) -> float | None:
    """A figure as JSON holds it: rounded, null where it is missing."""
    return None if pd.isna(figure) else float(round_significant([figure])[0])
