"""What a study tells its readers: warnings, key figures, the shortlist."""

from datetime import timedelta

import pandas as pd

from segkit.explore import only_returned
from segkit.privacy import FEWEST_SHOWN
from segkit.prose import money, tell_advice, tell_choice, tell_coverage, tell_ledger_days, tell_only_returned
from segkit.study.months import MonthSteps


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
        people, amount = only_returned(self.orders, self.as_of - timedelta(days=self.days_counted), self.as_of)
        return tell_only_returned(people, amount, self.card.currency)

    @property
    def choice_sentence(self) -> str:
        """How the segmentation was chosen, in sentences; of a model that is kept, where that stands."""
        return tell_choice(self.candidates, self.trial.judgement.note if self.frozen else "")

    @property
    def shortlist(self) -> pd.DataFrame:
        """The chosen candidate, the best known rule, and of each other family the one nearest in number of segments.

        What can't be judged, or was in another month, has no column.
        """
        shown = ["candidate_id", "segments", "smallest_share", "forward_value", "forward_behaviour", "reason"]
        shown = [name for name in shown if not self.one_per_family[name].isna().all()]
        few = self.one_per_family["smallest_share"] * len(self.features) < FEWEST_SHOWN
        table = self.one_per_family[shown]
        return table.assign(smallest_share=table["smallest_share"].mask(few))
