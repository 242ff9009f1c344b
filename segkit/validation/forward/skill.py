"""Forward skill: how much of what can be known about the coming weeks a segment tells."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from segkit.runtime.seeds import stream
from segkit.validation.forward.losses import assign_folds, deviances, segment_means

GROUPS = ("value", "behaviour")
HALVES = ("all", "choosing", "reporting")  # of the customers
REPLICATES = 1_000
BLOCK = 100  # replicates whose weights are held at a time
KNOWABLE = 0.02  # least lower bound of the ceiling of an outcome that counts
FEWEST_EVENTS = 20  # customers with another figure than the commonest; fewer say nothing
INTERVAL = (0.025, 0.975)


@dataclass(frozen=True)
class ForwardSkill:
    """The costs of predicting each customer's outcomes: by the mean of all, by all features, by each segmentation.

    Made by `forward_skill`. Everything that is reported is a ratio of sums of these costs over customers, so that
    intervals, and differences between two segmentations on the same customers, take only other weights.

    Attributes
    ----------
    customers : Index
        Those judged, sorted.
    candidates, names : list of str
        Segmentations and outcomes, in the order of `costs`; an outcome in which fewer than `FEWEST_EVENTS` customers
        differ from the others is left out.
    dictionary : DataFrame
        Index outcome; group, loss.
    none, all_features : ndarray, shape (customers, outcomes)
        Deviance by the mean of all customers, and by the ceiling.
    costs : ndarray, shape (customers, candidates, outcomes)
        Deviance by the segment's mean.
    known : ndarray of bool, shape (customers, outcomes)
        Whether the customer has the outcome (shares: ordered).
    chooses : ndarray of bool, shape (customers,)
        Who belongs to the half that a choice is made on; the others report.
    judge_value : float
        Weight of the group value against behaviour.
    seed : int
    """

    customers: pd.Index
    candidates: list[str]
    names: list[str]
    dictionary: pd.DataFrame
    none: np.ndarray
    all_features: np.ndarray
    costs: np.ndarray
    known: np.ndarray
    chooses: np.ndarray
    judge_value: float
    seed: int

    def __repr__(self) -> str:
        return f"{len(self.candidates)} segmentations judged by {len(self.names)} outcomes of {len(self.customers):,}"

    @cached_property
    def ceilings(self) -> pd.DataFrame:
        """Index outcome; group, loss, customers, ceiling, low, high, and whether it is knowable, of all customers."""
        draws = self._ceiling_skill("all")
        table = self.dictionary.loc[self.names, ["group", "loss"]].assign(customers=self.known.sum(axis=0))
        table["ceiling"], (table["low"], table["high"]) = draws[0], _bounds(draws)
        return table.assign(knowable=table["low"] > KNOWABLE)

    def outcomes(self, half: str = "all") -> pd.DataFrame:
        """Return candidate_id, outcome, group, skill, low, high, ceiling: deviance explained, with 95 % intervals.

        `half` says of which customers: ``all``, ``choosing`` or ``reporting``.
        """
        draws = self._skill(half)
        low, high = _bounds(draws)
        index = pd.MultiIndex.from_product([self.candidates, self.names], names=["candidate_id", "outcome"])
        table = pd.DataFrame({"skill": draws[0].ravel(), "low": low.ravel(), "high": high.ravel()}, index=index)
        table = table.reset_index()
        table.insert(2, "group", table["outcome"].map(self.dictionary["group"]))
        return table.assign(ceiling=np.tile(self._ceiling_skill(half)[0], len(self.candidates)))

    @cached_property
    def shares(self) -> "Shares":
        """What each candidate tells of what can be known, by group, with bootstrap samples."""
        draws = {}
        for half in HALVES:
            skill, ceiling = self._skill(half), self._ceiling_skill(half)
            found = np.full((len(skill), len(self.candidates), 3), np.nan)
            for place, group in enumerate(GROUPS):
                counted = (self.ceilings["knowable"] & (self.ceilings["group"] == group)).to_numpy()
                if counted.any():
                    with np.errstate(divide="ignore", invalid="ignore"):  # nobody may be in the half
                        told = skill[..., counted].sum(axis=-1) / ceiling[:, None, counted].sum(axis=-1)
                    found[..., place] = told
            importance = np.where(np.isnan(found[0, :, :2]), 0.0, [self.judge_value, 1 - self.judge_value])
            with np.errstate(invalid="ignore"):
                found[..., 2] = (np.nan_to_num(found[..., :2]) * importance).sum(axis=-1) / importance.sum(axis=-1)
            draws[half] = found
        return Shares(tuple(self.candidates), draws)

    @cached_property
    def _sums(self) -> dict[str, list[np.ndarray]]:
        """Sums of none, all_features and costs over the customers of each half, and over bootstrap samples of them."""
        customers, count = len(self.customers), self.costs.shape[1]
        flat = np.hstack([self.none, self.all_features, self.costs.reshape(customers, -1)])
        draw = stream(self.seed, "forward")
        sums = {half: [] for half in ("choosing", "reporting")}
        for start in range(0, 1 + REPLICATES, BLOCK):
            # How often a bootstrap draws a customer is Poisson of mean 1, drawn in the order of the ids.
            weights = draw.poisson(1.0, (min(BLOCK, 1 + REPLICATES - start), customers)).astype(float)
            if start == 0:
                weights[0] = 1.0
            for half, inside in (("choosing", self.chooses), ("reporting", ~self.chooses)):
                sums[half].append(weights[:, inside] @ flat[inside])
        stacked = {half: np.concatenate(blocks) for half, blocks in sums.items()}
        stacked["all"] = stacked["choosing"] + stacked["reporting"]
        many = len(self.names)
        return {
            half: [total[:, :many], total[:, many : 2 * many], total[:, 2 * many :].reshape(len(total), count, many)]
            for half, total in stacked.items()
        }

    def _ceiling_skill(self, half: str) -> np.ndarray:
        none, all_features, _ = self._sums[half]
        return _explained(all_features, none)

    def _skill(self, half: str) -> np.ndarray:
        none, _, costs = self._sums[half]
        return _explained(costs, none[:, None, :])


@dataclass(frozen=True)
class Shares:
    """What candidates tell of what can be known: by half of the customers, bootstrap sample, candidate and group.

    A group's figure is the sum of skills over the sum of ceilings, of the outcomes that can be known; missing where
    there is none, and never clipped. That of both is their mean weighted by ``judge_value``, or the one there is.

    Attributes
    ----------
    candidates : tuple of str
    draws : dict of ndarray, shape (1 + replicates, candidates, 3)
        By half (all, choosing, reporting): value, behaviour, both. The first draw is of the customers as they are,
        the others of samples that are the same for all candidates, so that differences are paired.
    """

    candidates: tuple[str, ...]
    draws: dict[str, np.ndarray]

    def figures(self, half: str = "all") -> pd.DataFrame:
        """Return candidate_id, forward_value, forward_behaviour, forward_share, each with _low and _high (95 %)."""
        low, high = _bounds(self.draws[half])
        table = pd.DataFrame({"candidate_id": self.candidates})
        for place, name in enumerate(("forward_value", "forward_behaviour", "forward_share")):
            table[name] = self.draws[half][0, :, place]
            table[f"{name}_low"], table[f"{name}_high"] = low[:, place], high[:, place]
        return table

    def gains(self, candidate: str, other: str | None, half: str = "all") -> pd.DataFrame:
        """Return group (value, behaviour, both), gain, low, high: one candidate's figures less another's.

        `other` None stands for one segment of all customers, which tells nothing: 0.
        """
        gain = self._of(candidate, half) - (0 if other is None else self._of(other, half))
        low, high = _bounds(gain)
        table = pd.DataFrame({"group": [*GROUPS, "both"], "gain": gain[0], "low": low, "high": high})
        return table.dropna(ignore_index=True)

    def behind(self, best: str, half: str = "choosing") -> pd.DataFrame:
        """Return index candidate_id; share, behind (the best one's less its own), error (standard error of behind)."""
        draws = self.draws[half][..., 2]
        difference = draws[:, [self.candidates.index(best)]] - draws
        index = pd.Index(self.candidates, name="candidate_id")
        error = difference[1:].std(axis=0, ddof=1)
        return pd.DataFrame({"share": draws[0], "behind": difference[0], "error": error}, index=index)

    def _of(self, candidate: str, half: str) -> np.ndarray:
        return self.draws[half][:, self.candidates.index(candidate)]

    def to_table(self) -> pd.DataFrame:
        """Return the draws as a table that `from_table` reads."""
        table = {
            f"{half}/{place}/{candidate}": self.draws[half][:, which, place]
            for half in HALVES
            for place in range(3)
            for which, candidate in enumerate(self.candidates)
        }
        return pd.DataFrame(table)

    @classmethod
    def from_table(cls, table: pd.DataFrame) -> "Shares":
        """Return the shares that `to_table` stored."""
        candidates = tuple(name.split("/", 2)[2] for name in table if name.startswith("all/0/"))
        stacked = table.to_numpy("float64").reshape(len(table), len(HALVES), 3, len(candidates))
        return cls(candidates, {half: stacked[:, place].transpose(0, 2, 1) for place, half in enumerate(HALVES)})


def forward_skill(
    labels: pd.DataFrame,
    outcomes: pd.DataFrame,
    dictionary: pd.DataFrame,
    ceiling: pd.DataFrame,
    *,
    seed: int = 0,
    judge_value: float = 0.5,
    choosing: bool = True,
) -> ForwardSkill:
    """Return what each segmentation says about the outcomes of its customers.

    A customer's outcome is predicted by the mean of the segment's other customers, shrunk (`segment_means`), and the
    deviance set against that of the mean of all other customers: what it explains is the skill, 0 for a segmentation
    that says nothing, below for one that misleads. Means come from other folds of customers than they are judged on,
    and for the half that chooses, from that half alone: a segment whose mean happens to be alike in both halves would
    otherwise look good in both, so that the best of many candidates would report too much.

    Parameters
    ----------
    labels : DataFrame
        Index customer_id, a column of labels per candidate, known before the outcomes began; -1 (left out) counts as
        a segment.
    outcomes : DataFrame
        Index customer_id; missing where a customer is not judged (shares: did not order).
    dictionary : DataFrame
        Index outcome; group (value, behaviour), loss (binary, count, money, share).
    ceiling : DataFrame
        As outcomes: predicted from all features, cross-fitted (`best_ceiling`).
    seed : int
        Starts folds and bootstrap samples.
    judge_value : float
        Weight of the group value, 0 to 1.
    choosing : bool
        False where nothing is chosen by it: then everybody reports, and all means come from all customers.

    Examples
    --------
    >>> customers = [f"c{number}" for number in range(400)]
    >>> label = np.arange(400) % 2
    >>> draws = np.random.default_rng(0)
    >>> outcomes = pd.DataFrame({"spend": draws.gamma(1 + 3 * label), "own": draws.random(400)}, index=customers)
    >>> known = pd.DataFrame({"spend": 1.0 + 3 * label, "own": 0.5}, index=customers)
    >>> kinds = pd.DataFrame({"group": ["value", "behaviour"], "loss": ["money", "share"]}, index=list(outcomes))
    >>> skill = forward_skill(pd.DataFrame({"half": label}, index=customers), outcomes, kinds, known)
    >>> skill.shares.figures()[["forward_value", "forward_behaviour"]].round(2)
       forward_value  forward_behaviour
    0           1.01                NaN
    """
    customers = labels.index.intersection(outcomes.index).sort_values()
    labels, outcomes, ceiling = labels.loc[customers], outcomes.loc[customers], ceiling.loc[customers]
    counts = {name: outcomes[name].value_counts() for name in outcomes}
    names = [name for name, count in counts.items() if count.sum() - count.max() >= FEWEST_EVENTS]
    folds = assign_folds(customers, seed)
    chooses = (assign_folds(customers, seed + 1, 2) == 0) & choosing
    none = np.empty((len(customers), len(names)))
    best, costs = np.empty_like(none), np.empty((len(customers), labels.shape[1], len(names)))
    everybody = np.zeros(len(customers), dtype=int)
    groups = [labels[name].to_numpy() + 1 for name in labels]
    for place, name in enumerate(names):
        actual, loss = outcomes[name].to_numpy("float64"), dictionary["loss"][name]
        none[:, place] = deviances(loss, actual, _expected(everybody, folds, actual, chooses))
        best[:, place] = deviances(loss, actual, ceiling[name].to_numpy("float64"))
        for which, group in enumerate(groups):
            costs[:, which, place] = deviances(loss, actual, _expected(group, folds, actual, chooses))
    known = outcomes[names].notna().to_numpy()
    return ForwardSkill(
        customers, list(labels), names, dictionary, none, best, costs, known, chooses, float(judge_value), seed,
    )  # fmt: skip


def _expected(groups: np.ndarray, folds: np.ndarray, actual: np.ndarray, chooses: np.ndarray) -> np.ndarray:
    expected = segment_means(groups, folds, actual)
    if chooses.any():
        expected[chooses] = segment_means(groups, folds, np.where(chooses, actual, np.nan))[chooses]
    return expected


def _explained(cost: np.ndarray, none: np.ndarray) -> np.ndarray:
    return 1 - np.divide(cost, none, out=np.ones(np.broadcast_shapes(cost.shape, none.shape)), where=none > 0)


def _bounds(draws: np.ndarray) -> np.ndarray:
    return np.quantile(draws[1:], INTERVAL, axis=0)
