"""The steps of a study that try every candidate and take one."""

import json
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from os import sched_getaffinity

import pandas as pd

from segkit.clustering.grid import Candidate
from segkit.features.build import CustomerFeatures
from segkit.reporting.study.study_kept_model import keep_model, kept_verdict
from segkit.reporting.study.study_way import WaySteps
from segkit.runtime.cache import kept
from segkit.runtime.progress import progress_bar
from segkit.runtime.seeds import sample_customers
from segkit.runtime.tables.files import round_significant
from segkit.runtime.tables.schema import TABLES
from segkit.validation.agreement import adjusted_rand, contingency, segment_flow
from segkit.validation.compare import RULES
from segkit.validation.forward.evaluate import FORWARD_RULE, advise_segmenting, propose_by_forward, tell_forward
from segkit.validation.forward.origins import earlier_origins
from segkit.validation.prediction_strength import strongest
from segkit.validation.selection import BASELINES, CHOICE_RULE, DISSOLVES, choose
from segkit.validation.trial import Trial, try_candidates
from segkit.validation.verdict import STABLE, Advice

KEPT_RULE = """\
No candidates are tried while the model of an earlier month is kept: its segments are held against the two rules on this
month's customers. Candidates are tried again once customers have drifted from those it was fitted on, or it is old."""
# Customers that candidates are compared on. Their figures are known closer than they differ between two months, and
# cost no more at a million customers; the chosen candidate's rule then puts everybody into a segment.
COMPARED = 50_000
FORWARD = ("forward_value", "forward_behaviour", "forward_share")


class ChoosingSteps(WaySteps):
    """The candidates, which of them is taken, and what it is."""

    @cached_property
    def trial(self) -> Trial:
        """Every candidate and all that is known of it; of a model that is kept, beside the rules alone."""
        if self.frozen:
            return keep_model(
                self.earlier, self.features, self.matrix, self.parameters, self.advice.reason, self._kept_judgement
            )
        return Trial.from_tables(
            kept(
                "candidates",
                "validation.trial",
                self._depends | {"parameters": self._tried, "compared": COMPARED},
                self._try,
            )
        )

    def _try(self) -> dict:
        matrix = self.matrix
        orders, outcomes = (None, self.ready.outcomes) if self.as_of is None else (self.orders, None)
        with ExitStack() as bars:

            def step(text: str):
                bars.close()
                bars.enter_context(self._cost(text))
                return bars.enter_context(progress_bar(text))

            if outcomes is not None:
                outcomes = outcomes.loc[self.compared.table.index]
            count = len(self.features)
            return try_candidates(
                self.compared, matrix, orders, outcomes, self.parameters, step, customers=count
            ).to_tables()

    @cached_property
    def compared(self) -> CustomerFeatures:
        """The features of the customers that candidates are fitted on and judged by: all, or `COMPARED` of them."""
        built = self._built
        return replace(built, table=built.table.loc[sample_customers(built.table.index, COMPARED)])

    @property
    def labels(self) -> pd.DataFrame:
        """Integer labels of every customer compared, by every candidate; -1 is left out."""
        return self.trial.labels

    @cached_property
    def candidates(self) -> pd.DataFrame:
        """Every candidate with its criteria, whether it is feasible, chosen, and why not."""
        return choose(self.trial.candidates, self.trial.labels, self.parameters, self.parameters.choice, self._proposal)

    @cached_property
    def _proposal(self) -> tuple[str, dict[str, str]]:
        trial = self.trial
        if self.frozen:
            reasons = trial.candidates.set_index("candidate_id")["reason"].to_dict()
            return self.earlier.segmentation.candidate_id, reasons
        return propose_by_forward(trial.candidates, trial.labels, self.parameters, trial.judgement.shares)

    @property
    def proposed(self) -> str:
        """The candidate_id that segkit proposes, whatever the analyst chose."""
        return self._proposal[0]

    @property
    def choice_rule(self) -> str:
        """The rule by which the proposal was made, in words."""
        if self.frozen:
            return KEPT_RULE
        return CHOICE_RULE if self.trial.judgement.shares is None else FORWARD_RULE

    @property
    def group_counts(self) -> pd.DataFrame:
        """How many groups the gap statistic and prediction strength see; 1 says that there are none."""
        gaps, strengths = self.trial.gaps, self.trial.strengths
        if strengths.empty:
            return pd.DataFrame({"groups": pd.Series(dtype="Int64")}).rename_axis("criterion")
        chosen = gaps[gaps["choice"]].set_index("customers")["segments"]
        by_gap = {f"gap, {who}": chosen.get(who) for who in gaps["customers"].unique()}
        segments = {name: int(name.removeprefix("kmeans-")) for name in strengths["candidate_id"]}
        counts = by_gap | {"prediction strength": strongest(strengths, segments)}
        return pd.DataFrame({"groups": pd.Series(counts, dtype="Int64")}).rename_axis("criterion")

    @property
    def group_criteria(self) -> pd.DataFrame:
        """The gap statistic and the prediction strength of k-means by number of segments, with standard errors."""
        gaps, strengths = self.trial.gaps, self.trial.strengths
        if strengths.empty:
            return pd.DataFrame(index=pd.Index([], name="segments"))
        table = {}
        for who, short in zip(gaps["customers"].unique(), ("gap", "gap_without_top"), strict=True):
            own = gaps[gaps["customers"] == who].set_index("segments")
            table |= {short: own["gap"], f"{short}_error": own["gap_error"]}
        foretold = strengths.set_index(strengths["candidate_id"].str.removeprefix("kmeans-").astype(int))
        return pd.DataFrame(
            table | {"prediction_strength": foretold["prediction_strength"], "strength_error": foretold["error"]}
        ).rename_axis("segments")

    @property
    def chosen(self) -> pd.Series:
        """The chosen candidate's row."""
        return self.candidates.loc[self.candidates["chosen"]].iloc[0]

    @cached_property
    def verdict(self) -> dict:
        """What the chosen segmentation is, whether to segment at all, and why; as in ``run.json``."""
        chosen, shares = self.chosen["candidate_id"], self.trial.judgement.shares
        if self.frozen:
            return kept_verdict(self.earlier, {name: _number(self.chosen[name]) for name in FORWARD})
        advice = advise_segmenting(chosen, shares)
        if chosen == self.proposed and self.chosen["family"] in BASELINES and advice.segment_at_all:
            advice = Advice(False, "use the RFM map: no learned segmentation is within the limits")
        if chosen == self.proposed and not self.chosen["feasible"]:
            advice = Advice(False, "do not segment: no segmentation comes back from other customers")
        why = self.trial.verdicts.set_index("candidate_id")["why"].get(chosen)
        structure = self.chosen["structure"] if pd.notna(self.chosen["structure"]) else None
        table = self.candidates
        natural = table[table["feasible"] & (table["structure"] == "natural") & (structure != "natural")]
        other = natural.sort_values(["segments", "forward_share"])["candidate_id"].iloc[-1:]
        criteria = ("stability_ari", "stability_jaccard_min", "separated_share", *FORWARD)
        return {
            "structure": structure,
            "segment_at_all": advice.segment_at_all,
            "chosen": chosen,
            "proposed": self.proposed,
            "advice": advice.text,
            "why": ". ".join(filter(None, (advice.text, why))),
            "evidence": {name: _number(self.chosen[name]) for name in criteria}
            | self._returns
            | {"natural": other.iloc[0] if len(other) else None},
        }

    @property
    def _returns(self) -> dict[str, float | None]:
        """How often the chosen segment that comes back least does (Jaccard >= 0.5); how many borders are doubtful."""
        own = self.trial.stability[self.trial.stability["candidate_id"] == self.chosen["candidate_id"]]
        if own.empty or "resamples" not in own:
            return {"comes_back": None, "resamples": None, "doubtful": None}
        return {
            "comes_back": _number(1 - own["dissolved"].max()),
            "resamples": _number(own["resamples"].max()),
            "doubtful": int(own["jaccard"].between(DISSOLVES, STABLE, inclusive="left").sum()),
        }

    @property
    def forward_sentence(self) -> str:
        """What the chosen segments, and the RFM map, tell of the future."""
        told = tell_forward(self.chosen["candidate_id"], self.trial.judgement.shares)
        if self.frozen and self.trial.judgement.shares is not None:
            days = f"the last {self.parameters.horizon_days} days, which it had not seen"
            told = told.replace("They", "Its segments", 1)
            return f"The model of {self.earlier.segmentation.as_of} was held against {days}. {told}"
        if self.frozen:
            told = self.earlier.fit["forward"]
            return f"When the model was fitted, as of {self.earlier.fit['as_of']}: {told[:1].lower()}{told[1:]}"
        return told

    @property
    def companions(self) -> pd.DataFrame:
        """What was judged beside the candidates: k-means on RFM scores and on behaviour, predictive ones by weight."""
        shown = ["candidate_id", *FORWARD]
        shares = self.trial.judgement.shares
        if shares is None:
            return pd.DataFrame(columns=shown)
        figures = shares.figures("reporting")[shown]
        return figures[~figures["candidate_id"].isin(self.candidates["candidate_id"])].reset_index(drop=True)

    @property
    def equal_terms(self) -> pd.DataFrame:
        """The chosen candidate beside the rules, and k-means on the RFM scores and on behaviour with as many segments.

        Index candidate_id; what each tells, and by how much the chosen one is ahead of it (``ahead_value``,
        ``ahead_behaviour``), each with the ends of its 95 % interval: of differences the paired one.
        """
        chosen, shares = self.chosen["candidate_id"], self.trial.judgement.shares
        if shares is None or chosen not in shares.candidates:
            return pd.DataFrame(columns=list(FORWARD)).rename_axis("candidate_id")
        peers = [f"{name}-{self._judged_segments}" for name in ("rfm-scores", "behaviour")]
        names = dict.fromkeys([chosen, *(rule.candidate_id for rule in RULES), *peers])
        table = shares.figures("reporting").set_index("candidate_id")
        table = table.loc[[name for name in names if name in table.index]]
        for name in table.index.drop(chosen):
            for row in shares.gains(chosen, name, "reporting").itertuples():
                ends = {"": row.gain, "_low": row.low, "_high": row.high}
                table.loc[name, [f"ahead_{row.group}{end}" for end in ends]] = list(ends.values())
        return table

    @property
    def _judged_segments(self) -> int:
        """How many segments the chosen recipe made where it was judged; customers left out count as one."""
        recipes = self.trial.judgement.recipes.set_index("candidate_id")["segments"]
        return int(recipes.get(self.chosen["candidate_id"], self.chosen["segments"]))

    @property
    def unseen(self) -> pd.DataFrame:
        """What the proposed predictive segments say about each outcome when they are made without it."""
        return self.trial.unseen

    @cached_property
    def origins(self) -> pd.DataFrame:
        """What the chosen candidate, k-means and the rules told at every origin that the data allow."""
        judgement = self.trial.judgement
        judged = judgement.shares
        if judged is None or self.as_of is None:
            return pd.DataFrame(columns=list(TABLES["origins"].columns))
        table, k = self.candidates.set_index("candidate_id"), self._judged_segments
        ids = dict.fromkeys([self.chosen["candidate_id"], f"kmeans-{k}", *(rule.candidate_id for rule in RULES)])
        tried = [
            Candidate(one, table["family"][one], json.loads(table["params"][one])) for one in ids if one in table.index
        ]

        def make() -> dict:
            with self._cost("judging at earlier origins"), progress_bar("judging at earlier origins"):
                found = earlier_origins(self.orders, self.as_of, tried, self.parameters, jobs=len(sched_getaffinity(0)))
            return {"table": found}

        depends = self._depends | {"parameters": self._tried, "candidates": tried}
        latest = judged.figures("reporting").set_index("candidate_id")  # the others had a part in the choice
        latest = latest.loc[[name for name in [*ids, f"rfm-scores-{k}"] if name in latest.index]].reset_index()
        origin = self.as_of - timedelta(days=self.parameters.horizon_days)
        latest = latest.assign(origin=str(origin), until=str(self.as_of), customers=judgement.customers)
        # A model that is kept did not exist at the origins before; its recipe was judged there when it was fitted.
        tables = [
            latest,
            *([] if self.frozen else [kept("origins", "validation.forward.origins", depends, make)["table"]]),
        ]
        return pd.concat(tables, ignore_index=True)[list(TABLES["origins"].columns)]

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
    def flow(self) -> pd.DataFrame:
        """How segments flow from one number of segments into the next; candidates of the chosen kind, or k-means."""
        table = self.candidates[self.candidates["segments"] > 0]
        rule = self.chosen["family"] in BASELINES
        kind = "kmeans" if rule else self.chosen["candidate_id"].rsplit("-", 1)[0]
        own = table[table["candidate_id"].str.rsplit("-", n=1).str[0] == kind].sort_values("segments", kind="stable")
        return segment_flow({name: self.labels[name].to_numpy() for name in own["candidate_id"]})

    @cached_property
    def agreement(self) -> pd.DataFrame:
        """Adjusted Rand index between `one_per_family`, square."""
        ids = list(self.one_per_family["candidate_id"])
        groups = [self.labels[candidate].to_numpy() for candidate in ids]
        index = [[adjusted_rand(contingency(one + 1, other + 1)) for other in groups] for one in groups]
        return pd.DataFrame(index, index=ids, columns=ids)


def _number(figure) -> float | None:
    """A figure as JSON holds it: rounded, null where it is missing."""
    return None if pd.isna(figure) else float(round_significant([figure])[0])
