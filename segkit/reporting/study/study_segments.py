"""The steps of a study that turn the chosen candidate into named segments."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from segkit.clustering.assign import assign_customers
from segkit.clustering.freeze import fit_segmentation
from segkit.clustering.grid import Candidate
from segkit.clustering.rfm import fit_rfm
from segkit.clustering.segmentation import LEFT_OUT, Segmentation
from segkit.monitoring.lasting_names import lasting_names, lasting_words
from segkit.monitoring.matching import Matching, follow_segments, lasting_ids, match_segments
from segkit.preprocessing.map import lay_out
from segkit.reporting.study.study_choosing import COMPARED, ChoosingSteps
from segkit.runtime.cache import kept, kept_folder
from segkit.runtime.privacy import crowd_points
from segkit.runtime.progress import progress_bar
from segkit.runtime.seeds import sample_customers
from segkit.runtime.tables.schema import TABLES
from segkit.segments.naming.names import name_segments
from segkit.segments.personas.persona_sections import segment_personas
from segkit.segments.personas.products import bought_more
from segkit.segments.personas.typical import typical_customers
from segkit.segments.profile import profile_segments, size_segments
from segkit.segments.rules import segment_rules
from segkit.validation.sureness import confidence_rules, crossed_segments
from segkit.validation.trial import predict_segments

MAP_CUSTOMERS = 5_000  # customers on the map: more would hide each other, and the page would grow
LIKE_CUSTOMERS = 3  # of the month before, between whom a customer is placed on its map


class SegmentSteps(ChoosingSteps):
    """The chosen candidate frozen, its segments named and profiled, every customer assigned."""

    @cached_property
    def map(self) -> pd.DataFrame:
        """Where customers lie on the map: index ``customer_id``; ``x, y, segment_id``; at most `MAP_CUSTOMERS` rows."""
        depends = self._depends | {"seed": self.parameters.seed}
        if self.frozen:
            positions = kept("map", "reporting.study", depends | {"before": self.earlier.digest}, self._follow_map)[
                "positions"
            ]
        else:
            positions = kept("map", "preprocessing.map", depends, self._draw_map)["positions"]
        return positions.assign(segment_id=self.assignments["segment_id"].reindex(positions.index))

    def _draw_map(self) -> dict:
        shown = self.features.loc[sample_customers(self.features.index, MAP_CUSTOMERS)]
        with self._cost("draw the map"), progress_bar("laying out the map"):
            positions = lay_out(self.matrix.transform(shown), self.parameters.seed)
        return {"positions": pd.DataFrame(positions, index=shown.index, columns=["x", "y"])}

    def _follow_map(self) -> dict:
        """Draw on the map of the month before, so that a place means the same: each customer among those most alike."""
        from scipy.spatial import KDTree

        positions = self.earlier.positions
        tree = KDTree(self.matrix.transform(self.earlier.features.loc[positions.index]))
        shown = self.features.loc[sample_customers(self.features.index, MAP_CUSTOMERS)]
        distance, alike = tree.query(self.matrix.transform(shown), k=min(LIKE_CUSTOMERS, len(positions)))
        weights = 1 / np.maximum(distance, 1e-6) ** 2
        places = np.average(positions.to_numpy()[alike], axis=1, weights=np.stack([weights] * 2, axis=-1))
        return {"positions": pd.DataFrame(places, index=shown.index, columns=["x", "y"])}

    @cached_property
    def crowd_map(self) -> pd.DataFrame:
        """The map for pages that go to many: a point per ten or more neighbours of a segment."""
        return crowd_points(self.map)

    @cached_property
    def segmentation(self) -> Segmentation:
        """The chosen candidate, frozen: its segments numbered by revenue and named by their profiles."""
        names = self._named[0]
        return self._numbered.with_segments(self._numbered.segment_ids, self._numbered.names | _by_id(names, "segment"))

    @cached_property
    def _fitted(self) -> Segmentation:
        return self.earlier.segmentation if self.frozen else Segmentation.load(self._fitted_folder)

    @cached_property
    def _crossed(self) -> pd.Series | None:
        """The segment of each customer by a fit they had no part in; None for the model of an earlier month."""
        if self.frozen:
            return None
        ids = pd.array([*self._numbered.segment_ids, LEFT_OUT], dtype="str")
        labels = pd.read_parquet(self._fitted_folder / "crossed.parquet")["label"]
        crossed = pd.Series(ids.take(labels), index=labels.index)
        return crossed.reindex(self.features.index).fillna(self._assigned["segment_id"])  # the others made nothing

    @cached_property
    def _fitted_folder(self) -> Path:
        chosen = self.chosen["candidate_id"]
        depends = self._depends | {"parameters": self._tried, "compared": COMPARED, "chosen": chosen}
        return kept_folder("segmentation", "validation.sureness", depends, self._fit)

    def _fit(self, folder: Path) -> None:
        row, matrix, rule, models = self.chosen, self.matrix, None, None
        candidate = Candidate(row["candidate_id"], row["family"], json.loads(row["params"]))
        with self._cost("fit the chosen one"):
            if row["family"] == "predictive":
                models, fits = predict_segments(self.orders, self.compared, self.parameters)
                matrix, rule = models.matrix, {one.candidate_id: fit.rule for one, fit in fits}[row["candidate_id"]]
            segmentation = fit_segmentation(
                self.compared.table, matrix, candidate, seed=self.parameters.seed, as_of=self.as_of,
                window_days=self.days_counted, recipe=self._featured["recipe"], rule=rule,
            )  # fmt: skip
        with self._cost("how sure the assignments are"), progress_bar("resampling the chosen one") as report:
            sample, count = self.compared.table, len(self.features)
            rules = confidence_rules(segmentation, sample, models, self.parameters, report, count)
        replace(segmentation, resampled=rules).save(folder)
        crossed = crossed_segments(segmentation, self.compared.table, models, self.parameters)
        crossed.to_parquet(folder / "crossed.parquet")

    @cached_property
    def matching(self) -> Matching | None:
        """Which segment is which of the month before, and what became of those; None without one."""
        if self.earlier is None:
            return None
        new = assign_customers(self._fitted, self.features, sure=False)["segment_id"]
        old, used = self.earlier.assigned["segment_id"], tuple(self.earlier.history["used_ids"])
        if self.frozen:
            return follow_segments(old, new, used_ids=used)
        profile = profile_segments(self.features, self.dictionary, new)
        return match_segments(old, new, used_ids=used, old_profile=self.earlier.profile, new_profile=profile)

    @cached_property
    def _numbered(self) -> Segmentation:
        fitted = self._fitted
        if self.frozen:
            return fitted
        if self.matching is not None:
            ids = lasting_ids(fitted.segment_ids, self.matching)
            return fitted.with_segments(ids, dict(zip(ids, fitted.names.values(), strict=True)))
        sizes = size_segments(assign_customers(fitted, self.features, sure=False)["segment_id"], self._revenue)
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
        return table.assign(**named).reindex(columns=list(TABLES["pairs"].columns))  # a kept model may be older

    @cached_property
    def _assigned(self) -> pd.DataFrame:
        return self._made_with(
            self._numbered, "clustering.assign", lambda: assign_customers(self._numbered, self.features, sure=False)
        )

    def _made_with(
        self, segmentation: Segmentation, room: str, make: Callable[[], pd.DataFrame], **more
    ) -> pd.DataFrame:
        """A table made of all customers, kept: of a million, each notebook would take a minute to make it again."""
        from joblib import hash as digest

        depends = self._depends | {"model": digest(segmentation), "seed": self.parameters.seed} | more
        return kept(f"{room} by segment", room, depends, lambda: {"table": make()})["table"]

    @cached_property
    def profile(self) -> pd.DataFrame:
        """Each segment against all customers, feature by feature, with intervals."""
        dropped = self.matrix.dropped
        repeats = dropped.loc[dropped["why"].str.startswith("repeats "), "feature"]  # made of as much as the others
        used = {*self._fitted.matrix.columns["feature"], *repeats}
        segments, crossed = self._assigned["segment_id"], self._crossed
        with self._cost("profile the segments"):
            return self._made_with(
                self._numbered, "segments.profile",
                lambda: profile_segments(self.features, self.dictionary, segments, used, crossed), used=sorted(used),
                crossed=not self.frozen,
            )  # fmt: skip

    @cached_property
    def _named(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        sizes = size_segments(self._assigned["segment_id"], self._revenue)
        before, lasting = self.earlier, {}
        if before is not None:
            lasting = lasting_names(before.segments, before.profile, self.profile, before.words)
        names, words = name_segments(self.profile, sizes, self.card.currency, self.days_counted, lasting)
        if before is not None:
            called = names["segment_id"].map(_by_id(before.segments, "segment")).astype("str")
            names["was_called"] = called.where(called.str.casefold() != names["segment"].str.casefold())
            words = lasting_words(before.words, words, lasting, self.profile)
        return sizes.merge(names, on="segment_id"), words

    @property
    def name_words(self) -> pd.DataFrame:
        """The figures behind every word of the names."""
        return self._named[1]

    @cached_property
    def rules(self) -> pd.DataFrame:
        """Each segment in at most three conditions, with precision and recall on customers that did not choose them."""
        with self._cost("find the rules"):
            return self._made_with(
                self._numbered, "segments.rules",
                lambda: segment_rules(
                    self.features, self.dictionary, self._assigned["segment_id"], seed=self.parameters.seed
                ),
            )  # fmt: skip

    @cached_property
    def segments(self) -> pd.DataFrame:
        """The segments by revenue, those left out last: sizes, shares, names, descriptions, suggestions."""
        named = self._named[0].merge(self.rules, on="segment_id")
        named = named.sort_values(["revenue", "customers"], ascending=False, kind="stable")
        return pd.concat(
            [named[named["segment_id"] != LEFT_OUT], named[named["segment_id"] == LEFT_OUT]], ignore_index=True
        )

    @cached_property
    def personas(self) -> pd.DataFrame:
        """The figures on each segment's card: what sets it apart, a typical customer, when, how, who, campaigns."""
        typical = typical_customers(self.features, self.dictionary, self._assigned["segment_id"])
        cards = segment_personas(self.profile, typical, self.segments, self.card.currency, self.days_counted)
        return self._with_names(cards)

    @cached_property
    def persona_products(self) -> pd.DataFrame | None:
        """What each segment buys more than all customers; None where there are no orders."""
        if self.as_of is None:
            return None
        who = str(pd.util.hash_pandas_object(self._assigned["segment_id"]).sum())
        made = kept(
            "persona products", "segments.personas.products", self._depends | {"segments": who}, self._find_products
        )
        return self._with_names(made["products"])

    def _find_products(self) -> dict:
        after = self.as_of - timedelta(days=self.days_counted)
        with self._cost("find what segments buy"), progress_bar("finding what segments buy"):
            return {"products": bought_more(self.orders, self._assigned["segment_id"], after, self.as_of)}

    def _with_names(self, table: pd.DataFrame) -> pd.DataFrame:
        table = table.merge(self.segments[["segment_id", "segment"]], on="segment_id")
        return table[["segment_id", "segment", *table.columns.drop(["segment_id", "segment"])]]

    @cached_property
    def assignments(self) -> pd.DataFrame:
        """Every customer's segment, and the cell of the RFM map for comparison; index ``customer_id``."""
        with self._cost("assign everybody"):
            return self._made_with(self.segmentation, "clustering.assign", self._assign, sure=True)

    def _assign(self) -> pd.DataFrame:
        assigned = assign_customers(self.segmentation, self.features)
        rfm = fit_rfm(self.features)
        return assigned.assign(rfm_segment=None if rfm is None else rfm.assign(self.features)["segment"].astype("str"))


def _by_id(table: pd.DataFrame, column: str) -> dict[str, str]:
    return dict(zip(table["segment_id"], table[column], strict=True))
