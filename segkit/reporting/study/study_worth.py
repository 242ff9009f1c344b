"""The steps of a study that ask which segments are worth it, and with what."""

from functools import cached_property

import pandas as pd

from segkit.reporting.study.study_segments import SegmentSteps
from segkit.runtime.privacy import veiled_share
from segkit.runtime.text import with_interval
from segkit.targeting.criteria import judge_targets, place_targets
from segkit.targeting.handover.audience import audience, reachable_customers, read_contacts
from segkit.targeting.handover.platforms import PLATFORMS
from segkit.targeting.kpis import segment_kpis
from segkit.targeting.levers import rank_levers


class WorthSteps(SegmentSteps):
    """What each segment brings, whether it is a target, and what could be tried."""

    @cached_property
    def kpis(self) -> pd.DataFrame:
        """The key figures of each segment, with intervals."""
        kpis = segment_kpis(self.features, self.assignments["segment_id"], horizon_days=self.parameters.horizon_days)
        return kpis.merge(self.segments[["segment_id", "segment"]], on="segment_id")

    @property
    def kpi_table(self) -> pd.DataFrame:
        """The key figures that are known of any segment, a row per segment, for readers.

        Retention is a share of people, so it is a text: a bound where fewer than ten make or miss it. Returns are
        left out where nobody ever returned anything: such data seldom have them.
        """
        known = self.kpis[~self.kpis["kpi"].isin(["revenue", "discount_cost"])].dropna(subset="figure")
        if not known.loc[known["kpi"] == "return_rate", "figure"].any():
            known = known[known["kpi"] != "return_rate"]
        order = list(dict.fromkeys(known["kpi"]))
        table = known.pivot_table(index="segment_id", columns="kpi", values="figure")[order]
        if "retention" in table:  # the others are no shares of people
            people = known[known["kpi"] == "retention"].set_index("segment_id")
            told = [veiled_share(row.figure, row.customers) for row in people.itertuples()]
            table["retention"] = pd.Series(told, index=people.index, dtype="str")
        return self._by_name(table)

    def _by_name(self, table: pd.DataFrame) -> pd.DataFrame:
        named = self.segments.set_index("segment_id")["segment"]
        return table.reindex(named.index).set_axis(named).rename_axis(columns=None).reset_index()

    @cached_property
    def target_criteria(self) -> pd.DataFrame:
        """Each segment by the five questions of a target, as figures."""
        judged = judge_targets(self.assignments, self.kpis, self.rules, self._reachable)
        return judged.merge(self.segments[["segment_id", "segment"]], on="segment_id")

    @property
    def criteria_table(self) -> pd.DataFrame:
        """The five questions in words: a row per measure, a column per segment, figures with their intervals."""
        judged = self.target_criteria
        texts = judged.assign(text=[with_interval(*ends) for ends in judged[["figure", "low", "high"]].to_numpy()])
        table = texts.pivot_table(
            index=["criterion", "measure"], columns="segment", values="text", aggfunc="first", sort=False
        )
        return table[list(self.segments["segment"])].rename_axis(columns=None)

    @cached_property
    def _contacts(self) -> pd.DataFrame | None:
        return None if self.as_of is None else read_contacts(self.orders)

    @property
    def _reachable(self) -> pd.Series | None:
        """Who consents and has an address; None where the shop's data don't say."""
        return None if self._contacts is None else reachable_customers(self._contacts, self.features.index)

    @property
    def sureness(self) -> pd.DataFrame:
        """How many customers of each segment stay in its audience, by the least confidence asked for."""
        by_segment = self.assignments.groupby("segment_id")["confidence"]
        table = pd.DataFrame({"customers": by_segment.size(), "mean confidence": by_segment.mean()})
        for least in (0.5, 0.7, 0.9):
            table[f"at least {least}"] = by_segment.agg(lambda known, least=least: int((known >= least).sum()))
        return self._by_name(table)

    @property
    def audiences(self) -> pd.DataFrame:
        """How many customers each platform would get, and why others not; empty where the shop has no addresses."""
        if self._contacts is None:
            return pd.DataFrame(columns=["platform", "reason", "customers"])
        asked = {"floor": self.parameters.handover_floor, "min_confidence": self.parameters.min_confidence}
        assigned = self.assignments.reset_index()
        counts = [
            audience(assigned, self._contacts, platform, **asked)[1].assign(platform=platform.title)
            for platform in PLATFORMS.values()
        ]
        return pd.concat(counts).groupby(["platform", "reason"], sort=False)["customers"].sum().reset_index()

    @cached_property
    def targets(self) -> pd.DataFrame:
        """How attractive each segment is, and how well it can be served, by the analyst's weights."""
        placed = place_targets(self.target_criteria, self.kpis, self.parameters.as_dict())
        return placed.merge(self.segments[["segment_id", "segment"]], on="segment_id")

    @cached_property
    def levers(self) -> pd.DataFrame:
        """What could be tried with each segment, the most at stake first; no effect is measured."""
        sizes = self.segments.set_index("segment_id")["customers"]
        return rank_levers(self.kpis, sizes).merge(self.segments[["segment_id", "segment"]], on="segment_id")
