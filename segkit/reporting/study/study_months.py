"""The steps of a study that hold this month against the month before."""

import hashlib
import json
from datetime import timedelta
from functools import cached_property, reduce

import numpy as np
import pandas as pd

from segkit.clustering.assign import assign_customers
from segkit.data.periods import next_month
from segkit.monitoring.forecast import check_forecast, forecast_sizes
from segkit.monitoring.lasting_names import told_apart
from segkit.monitoring.migration import migrated_revenue, migrations, moved_or_remodelled, net_sizes
from segkit.monitoring.month_sentences import tell_days, tell_events, tell_moved, tell_moves, tell_way
from segkit.monitoring.previous_month import EarlierMonth
from segkit.reporting.study.study_kept_model import CARRIED
from segkit.reporting.study.study_worth import WorthSteps
from segkit.runtime.errors import InputError
from segkit.runtime.tables.files import round_significant
from segkit.segments.profile import sort_ids

MOST_MOVES = 12  # months that a forecast goes back
FORECASTS = ["month", "segment_id", "expected", "low", "high", "actual", "inside"]


class MonthSteps(WorthSteps):
    """Who moved since the month before, whether it was they or the model, and what to expect. Empty without one."""

    @cached_property
    def _now(self) -> pd.Series:
        return self.assignments["segment_id"]

    @cached_property
    def _by_old_model(self) -> pd.Series | None:
        """This month's customers by the model of the month before; None where it can't score them."""
        if self.frozen:
            return self._now
        scored = self._scored(self.as_of)
        return (
            None
            if scored is None
            else assign_customers(self.earlier.segmentation, scored["table"], sure=False)["segment_id"]
        )

    @cached_property
    def _before_by_new_model(self) -> pd.Series | None:
        """The customers of the month before by this month's model; None where there were fewer days than it counts."""
        if self.frozen:
            return self.earlier.assigned["segment_id"]
        if self.earlier.as_of - timedelta(days=self.days_counted - 1) < self.orders.first_day:
            return None
        before = self._features_of(self.earlier.as_of, self._featured["recipe"], self.days_counted)
        return assign_customers(self._numbered, before["table"], sure=False)["segment_id"]

    @cached_property
    def migrations(self) -> pd.DataFrame:
        """How many customers went from which segment to which; see `migrations`."""
        return migrations(self.earlier.assigned["segment_id"], self._now)

    @property
    def events(self) -> pd.DataFrame:
        """What became of each segment of the month before: kept, split, new, merged, gone."""
        return self.matching.events

    @cached_property
    def migrated_revenue(self) -> pd.DataFrame:
        """The revenue of the customers behind each move, before and after."""
        before = self.earlier.features["spend"]
        return migrated_revenue(self.earlier.assigned["segment_id"], self._now, before, self._revenue)

    @cached_property
    def _stayers(self) -> tuple[pd.Series, ...] | None:
        """Of the customers of both months: a, b, c, d of `net_sizes`, d where known; None without b."""
        a, b, c, d = self.earlier.assigned["segment_id"], self._by_old_model, self._now, self._before_by_new_model
        if b is None:
            return None
        known = [segments for segments in (a, b, c, d) if segments is not None]
        both = reduce(pd.Index.intersection, [segments.index for segments in known])
        return tuple(None if segments is None else segments.reindex(both) for segments in (a, b, c, d))

    @property
    def _others(self) -> tuple[pd.Series, pd.Series]:
        """Those who joined, and those who left."""
        both = self._stayers[0].index
        return self._now.drop(both), self.earlier.assigned["segment_id"].drop(both)

    @cached_property
    def moved(self) -> pd.DataFrame | None:
        """How many customers moved, were remodelled, both or neither; None where the old model can't score them."""
        if self._stayers is None:
            return None
        a, b, c, _ = self._stayers
        return moved_or_remodelled(a, b, c, *self._others)

    @cached_property
    def net_sizes(self) -> pd.DataFrame | None:
        """Why each segment is as large as it is, exactly; None where the old model can't score these customers."""
        if self._stayers is None:
            return None
        a, b, c, d = self._stayers
        return net_sizes(a, b, c, *self._others, None if self.frozen else d)

    @property
    def flows(self) -> pd.DataFrame:
        """The moves as `plot_migrations` draws them."""
        return self.migrations.assign(from_month=self.earlier.label, to_month=self.label)

    @cached_property
    def names_of_both(self) -> dict[str, str]:
        """segment_id to name, of this month's segments and of those that are gone."""
        tables = [self.segments] if self.earlier is None else [self.earlier.segments, self.segments]
        return told_apart({row.segment_id: row.segment for table in tables for row in table.itertuples()})

    @property
    def since_last_month(self) -> tuple[str, ...]:
        """What changed since the month before, in sentences: the way, the segments, who moved, the largest moves."""
        if self.earlier is None:
            alone = "a ready table of customers has no months" if self.as_of is None else "there is no month before"
            return (f"Nothing to compare with: {alone}.",)
        way = tell_way(self.advice, self.history["fit"]["month"])
        days = tell_days(self.days_counted, self.earlier.segmentation.window_days, self.parameters.window_days)
        return (
            f"{way} {days}".strip(),
            tell_events(self.events, self.names_of_both, self.segments, self.earlier.label),
            tell_moved(self.moved),
            tell_moves(self.migrated_revenue, self.names_of_both, self.card.currency, self.advice.way),
        )

    # --- what to expect -------------------------------------------------------------------------------------------

    @cached_property
    def _moves(self) -> list[pd.DataFrame]:
        """The moves of the months that this month's model has been used in, oldest first, by that model alone."""
        if self.earlier is None:
            return []
        past = self.earlier.moves if self.frozen else []
        if next_month(self.earlier.label) != self.label or self._before_by_new_model is None:
            return past  # over several months people move farther
        return [*past, migrations(self._before_by_new_model, self._now)][-MOST_MOVES:]

    @cached_property
    def forecasts(self) -> pd.DataFrame:
        """Every forecast of sizes so far, with what came; ``actual`` is null for the month to come.

        What came is counted by the model that the forecast was made with: a forecast of moves foresees no new model.
        """
        known = pd.DataFrame(columns=FORECASTS)
        if self.earlier is not None and self.earlier.forecasts is not None:
            known = self.earlier.forecasts
            due = (known["month"] == self.label).to_numpy()
            if due.any() and self._by_old_model is not None:
                came = check_forecast(known.loc[due, FORECASTS[1:5]], self._by_old_model.value_counts())
                known = pd.concat([known[~due], came.assign(month=self.label)[FORECASTS]], ignore_index=True)
        return pd.concat([table for table in (known, self._forecast()) if len(table)] or [known], ignore_index=True)

    def _forecast(self) -> pd.DataFrame:
        if not self._moves:
            return pd.DataFrame(columns=FORECASTS)
        try:
            made = forecast_sizes(self._moves, self._now.value_counts())
        except InputError:  # a segment that nobody's moves are known of
            return pd.DataFrame(columns=FORECASTS)
        return made.assign(month=next_month(self.label), actual=np.nan, inside=None)[FORECASTS]

    # --- what the next month needs --------------------------------------------------------------------------------

    @cached_property
    def history(self) -> dict:
        """What lasts from month to month beside the model; `EarlierMonth` reads it."""
        used = [] if self.matching is None else self.matching.used_ids
        columns = ["from_segment_id", "to_segment_id", "customers"]
        before = None if self.earlier is None else {"month": self.earlier.label, "digest": self.earlier.digest}
        return {
            "previous": before,
            "way": self.advice.way,
            "why": self.advice.reason,
            "fit": self.earlier.fit if self.frozen else self._fit_record,
            "used_ids": sort_ids({*used, *self.segmentation.segment_ids}),
            "moves": [json.loads(month[columns].to_json(orient="values")) for month in self._moves],
        }

    @property
    def _fit_record(self) -> dict:
        """What is known of a model when it is fitted, for the months that keep it."""
        chosen, trial = self.chosen, self.trial
        own = {}
        for name in ("stability", "pairs"):
            table = getattr(trial, name)
            table = table[table["candidate_id"] == chosen["candidate_id"]].drop(columns="candidate_id")
            own[name] = {"columns": list(table), "rows": _records(table, list(table))}
        return {
            "month": self.label,
            "as_of": str(self.as_of),
            "parameters": self._tried,
            "judged": trial.judgement.shares is not None,
            "figures": dict(zip(CARRIED, _records(chosen.to_frame().T, list(CARRIED))[0], strict=True)),
            "verdict": self.verdict,
            "forward": self.forward_sentence,
            **own,
        }

    def as_earlier(self) -> EarlierMonth:
        """Return this month as the month before of another."""
        depends = [self._depends, self.parameters.as_dict(), self.history["previous"]]
        digest = hashlib.sha256(json.dumps(depends, sort_keys=True, default=str).encode()).hexdigest()
        assigned = self.assignments[["segment_id", "confidence"]]
        history = json.loads(json.dumps(self.history))
        return EarlierMonth(
            self.label, self.as_of, self.segmentation, assigned, self.features, self.map[["x", "y"]], self.segments,
            self.profile, self.name_words, self.forecasts if len(self.forecasts) else None, history, digest,
        )  # fmt: skip


def _records(table: pd.DataFrame, columns: list[str]) -> list[list]:
    """Rows as JSON holds them: numbers rounded, null where one is missing."""
    plain = table[columns].astype(object).where(table[columns].notna(), None)
    return [
        [float(round_significant([cell])[0]) if isinstance(cell, float) else cell for cell in row]
        for row in plain.to_numpy().tolist()
    ]
