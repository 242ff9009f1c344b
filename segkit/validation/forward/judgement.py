"""What candidates say about the days after they were made, as tables."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from segkit.runtime.seeds import stream
from segkit.validation.agreement import adjusted_rand, agreement_bounds, contingency
from segkit.validation.forward.skill import Shares


@dataclass(frozen=True)
class Judgement:
    """What candidates say about the days after they were made; made by `judge`.

    Attributes
    ----------
    note : str
        A sentence on what was judged, or why nothing could be and from which month on it can.
    shares : Shares or None
        Figures of candidates, of k-means with as many segments on the three RFM scores (``rfm-scores-5``) and on the
        behavioural columns (``behaviour-5``), and of predictive segmentations with other weights of value
        (``predictive-8, value x 2``).
    outcomes : DataFrame
        ``candidate_id, outcome, group, skill, low, high, ceiling``, of the reporting half of the customers.
    ceilings : DataFrame
        Index outcome; group, loss, customers, ceiling, low, high, knowable.
    recipes : DataFrame
        ``candidate_id, segments`` (one horizon back; those left out count as one), ``agreement`` (adjusted Rand index
        with the delivered segments, over customers of both days; its 95 % interval is ``_low, _high``).
    customers : int
        That the figures of the reporting half are of.
    """

    note: str
    shares: Shares | None
    outcomes: pd.DataFrame
    ceilings: pd.DataFrame
    recipes: pd.DataFrame
    customers: int = 0

    def __repr__(self) -> str:
        return self.note

    def figures(self, half: str = "reporting") -> pd.DataFrame:
        """Return candidate_id, forward_value, forward_behaviour, forward_share and their bounds, of the candidates."""
        if self.shares is None:
            return pd.DataFrame(columns=["candidate_id", "forward_value", "forward_behaviour", "forward_share"])
        table = self.shares.figures(half)
        own = self.recipes.drop(columns="segments").set_index("candidate_id").add_prefix("recipe_")
        return table.merge(own, on="candidate_id")

    def to_tables(self) -> dict[str, pd.DataFrame | dict]:
        """Return tables and dicts from which `from_tables` makes the judgement again."""
        made = {
            "outcomes": self.outcomes,
            "ceilings": self.ceilings,
            "recipes": self.recipes,
            "said": {"note": self.note, "customers": self.customers},
        }
        return made | ({} if self.shares is None else {"shares": self.shares.to_table()})

    @classmethod
    def open(cls, note: str) -> "Judgement":
        """Return the judgement that has no figures yet, or none here; `note` says why, and where or when there are."""
        outcomes = pd.DataFrame(columns=["candidate_id", "outcome", "group", "skill", "low", "high", "ceiling"])
        ceilings = pd.DataFrame(columns=["group", "loss", "customers", "ceiling", "low", "high", "knowable"])
        return cls(note, None, outcomes, ceilings, pd.DataFrame(columns=["candidate_id", "segments", "agreement"]))

    @classmethod
    def from_tables(cls, made: dict) -> "Judgement":
        """Return the judgement that `to_tables` stored."""
        shares = Shares.from_table(made["shares"]) if "shares" in made else None
        said = made["said"]
        return cls(said["note"], shares, made["outcomes"], made["ceilings"], made["recipes"], said["customers"])


def count_segments(labels: pd.DataFrame) -> pd.Series:
    """Return by candidate_id how many segments there are; customers left out count as one, as they do in the skill.

    Examples
    --------
    >>> count_segments(pd.DataFrame({"hdbscan-50": [-1, 0, 1], "kmeans-2": [0, 0, 1]})).to_dict()
    {'hdbscan-50': 3, 'kmeans-2': 2}
    """
    return labels.nunique()


def describe_recipes(labels: pd.DataFrame, delivered: pd.DataFrame) -> pd.DataFrame:
    """Return what `Judgement.recipes` holds: how far segments one horizon back are those delivered now."""
    both = labels.index.intersection(delivered.index)
    rows = []
    for name, segments in count_segments(labels).items():
        agreement, bounds = np.nan, (np.nan, np.nan)
        if name in delivered:
            then, now = labels.loc[both, name].to_numpy() + 1, delivered.loc[both, name].to_numpy() + 1
            table = contingency(then, now)
            agreement, bounds = adjusted_rand(table), agreement_bounds(table, stream(0, "recipe", name))
        rows.append([name, segments, agreement, *bounds])
    return pd.DataFrame(rows, columns=["candidate_id", "segments", "agreement", "agreement_low", "agreement_high"])
