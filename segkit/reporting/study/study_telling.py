"""What a study tells its readers: warnings, key figures, the shortlist."""

import re
from datetime import timedelta

import pandas as pd

from segkit.data.data_sentences import tell_coverage, tell_ledger_days, tell_only_returned
from segkit.data.explore import only_returned
from segkit.reporting.sentences import tell_advice, tell_choice
from segkit.reporting.study.study_months import MonthSteps
from segkit.runtime.cache import kept
from segkit.runtime.privacy import FEWEST_SHOWN
from segkit.runtime.text import money
from segkit.segments.naming.vocabulary import UNSEGMENTED_NAME


class TellingSteps(MonthSteps):
    """What the report says of the study, figures from the run."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know before trusting the rest."""
        overruled = self.chosen["reason"] if self.verdict["chosen"] != self.verdict["proposed"] else ""
        told = [overruled, tell_advice(self.verdict)]
        if self.as_of is not None:
            told.append(tell_coverage(self.label, self.as_of, self.orders.last_day, self.uncovered_days))
        return tuple(filter(None, told))

    @property
    def key_figures(self) -> dict[str, str]:
        """The study in four figures, by label."""
        figures = {"customers": f"{len(self.features):,}"}
        if self.as_of is not None:
            figures["orders"] = f"{int(self.features['order_count'].sum()):,}"
            figures[f"revenue in {self.days_counted} days"] = money(self._revenue.sum(), self.card.currency)
            figures["last day counted"] = str(self.as_of)
        return figures

    @property
    def days_in_ledger(self) -> str:
        """Which days the ledger counts, in a sentence; nothing where they are those of the segments."""
        return "" if self.as_of is None else tell_ledger_days(self.orders.first_day, self.as_of, self.days_counted)

    @property
    def only_returned(self) -> str:
        """Who is in the ledger and in no segment, in a sentence; nothing where there is nobody."""
        if self.as_of is None:
            return ""
        found = kept("only returned", "data.explore", self._depends, self._count_only_returned)["found"]
        return tell_only_returned(**found, currency=self.card.currency)

    def _count_only_returned(self) -> dict:
        people, amount = only_returned(self.orders, self.as_of - timedelta(days=self.days_counted), self.as_of)
        return {"found": {"people": people, "amount": amount}}

    @property
    def choice_sentence(self) -> str:
        """How the segmentation was chosen, in sentences; of a model that is kept, where that stands."""
        return tell_choice(self.candidates, self.trial.judgement.note if self.frozen else "")

    @property
    def shortlist(self) -> pd.DataFrame:
        """The chosen candidate, those that its reason names, the best known rule, and one of each other family.

        Of a family it is the one nearest in number of segments. What can't be judged, or was in another month, has no
        column.
        """
        reason, table = self.chosen["reason"], self.candidates
        named = table[table["candidate_id"].isin([word.rstrip(".") for word in re.findall(r"[\w.-]+", reason)])]
        table = pd.concat([self.one_per_family.head(1), named, self.one_per_family.tail(-1)], ignore_index=True)
        table = table.drop_duplicates("candidate_id", ignore_index=True)
        shown = ["candidate_id", "segments", "smallest_share", "forward_value", "forward_behaviour", "reason"]
        few = table["smallest_share"] * len(self.features) < FEWEST_SHOWN
        table = table.assign(smallest_share=table["smallest_share"].mask(few))
        return table[[name for name in shown if not table[name].isna().all()]]

    @property
    def named_flow(self) -> pd.DataFrame:
        """`flow` with ``segment, next_segment``: names of the chosen segments, of others the place by size (2 of 5).

        Empty where there is one number of segments alone, as of a model that is kept.
        """
        chosen, flow = self.chosen["candidate_id"], self.flow.copy()
        if flow.empty:
            return flow
        names = [self.segmentation.names[segment_id] for segment_id in self.segmentation.segment_ids]
        counts = self.candidates.set_index("candidate_id")["segments"]
        for side in ("", "next_"):
            pairs = zip(flow[f"{side}candidate_id"], flow[f"{side}label"], strict=True)
            flow[f"{side}segment"] = [
                UNSEGMENTED_NAME if label < 0 else names[label] if one == chosen else f"{label + 1} of {counts[one]}"
                for one, label in pairs
            ]
        return flow
