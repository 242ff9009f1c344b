"""What the candidates say about the next 90 days of Complete Journey, beside k-means on unweighted features.

Run: ``python benchmarks/forward.py [YYYY-MM ...]``; by default every month whose predictive candidates can be judged.
Prints, for each month and for all together, the figures of the predictive family, their ratios to those of k-means on
every feature at full weight and of the RFM map, and how well models of the past predict; ``forward.csv`` has
the ratios. ``python benchmarks/forward.py halves`` asks instead what 2017-09 would have said had its customers been
halved otherwise, or been others.

Intervals are 95 % of 1,000 bootstrap samples of customers; both sides of a ratio are of the same sample, and a customer
counts as often in every month. The segments are those made of the customers as they are. K-means ends elsewhere from
other starts, so its figure, and the candidate's, are also given as the mean over ten seeds.
"""

import calendar
import sys
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from segkit.clustering.grid import Candidate
from segkit.clustering.methods import METHODS
from segkit.validation.forward.evaluate import propose_by_forward
from segkit.validation.forward.horizon import Past, judge_labels, look_back, refit_candidates
from segkit.validation.predictive_evidence import learning_recipe
from segkit.validation.resampling import resample_rows

from segkit.clustering.outcome_models import stable_outcomes
from segkit.clustering.predictive import fit_predictive, predictive_grid
from segkit.data.cards.card import read_card
from segkit.data.orders import read_orders
from segkit.preprocessing.prepare import fit_matrix
from segkit.runtime.parameters import Parameters
from segkit.runtime.seeds import stream
from segkit.validation.compare import RULES
from segkit.validation.forward.skill import GROUPS, INTERVAL, REPLICATES, ForwardSkill

VALUE_FAMILIES = ("value", "lifecycle", "trend")
MONTHS = ["2017-09", "2017-10", "2017-11", "2017-12"]  # earlier, models of the past have less than 90 days of orders
UNSEEN = ["2017-10", "2017-11"]  # had no part in finding the recipe
SEEDS = range(10)
SEEDED = ("layers-7", "layers-9")  # what is compared over all seeds
COME_BACK = ("layers-5", "layers-7", "layers-9", "predictive-3", "predictive-4", "predictive-5")  # on 2017-09
HALVINGS, SAMPLES = range(20), 40


def label_customers(past: Past, grid: list[Candidate], parameters: Parameters) -> pd.DataFrame:
    """Return labels of rules and predictive candidates, and of k-means on every column of the matrix in sds.

    ``unweighted-k`` is on all columns, ``without value-k`` on those not about value; ``layers-7, seed 3`` and
    ``unweighted-7, seed 3`` are made from other starts.
    """
    table = past.features.table
    labels = dict(refit_candidates(past, [*RULES, *grid], parameters).items())
    matrix = fit_matrix(table, past.features.dictionary)
    X = matrix.transform(table)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    others = ~matrix.columns["family"].isin(VALUE_FAMILIES).to_numpy()
    for k in sorted({one.params["k"] for one in grid}):
        labels[f"unweighted-{k}"] = METHODS["kmeans"](X, seed=0, k=k).labels
        labels[f"without value-{k}"] = METHODS["kmeans"](X[:, others], seed=0, k=k).labels
    Z = past.models.matrix.transform(table)
    for one in grid:
        for seed in SEEDS if one.candidate_id in SEEDED else ():
            k = one.params["k"]
            labels[f"{one.candidate_id}, seed {seed}"] = fit_predictive(past.models, Z, seed=seed, **one.params).labels
            labels[f"unweighted-{k}, seed {seed}"] = METHODS["kmeans"](X, seed=seed, k=k).labels
    return pd.DataFrame(labels, index=table.index)


def told_by(skills: list[ForwardSkill], half: str) -> dict[str, np.ndarray]:
    """Return what each segmentation tells of what can be known, a mean over months: shape (1 + replicates, 2 groups).

    The first row is of the customers as they are. A customer's weight is the same in every month.
    """
    customers = skills[0].customers
    for skill in skills[1:]:
        customers = customers.union(skill.customers)
    weights = stream(0, "forward benchmark").poisson(1.0, (1 + REPLICATES, len(customers))).astype(float)
    weights[0] = 1.0
    shares = []
    for skill in skills:
        inside = {"all": slice(None), "reporting": ~skill.chooses}[half]
        own = weights[:, customers.get_indexer(skill.customers[inside])]
        none, best = own @ skill.none[inside], own @ skill.all_features[inside]
        costs = np.tensordot(own, skill.costs[inside], axes=1)
        explained, ceiling = 1 - costs / none[:, None], 1 - best / none
        counted = [(skill.ceilings["knowable"] & (skill.ceilings["group"] == group)).to_numpy() for group in GROUPS]
        parts = [explained[..., some].sum(axis=-1) / ceiling[:, None, some].sum(axis=-1) for some in counted]
        shares.append(np.stack(parts, axis=-1))
    return dict(zip(skills[0].candidates, np.mean(shares, axis=0).transpose(1, 0, 2), strict=True))


def compare(told: dict[str, np.ndarray], grid: list[Candidate]) -> pd.DataFrame:
    """Return a row per predictive candidate: its figures, and ratios to its peers' with intervals."""
    rows = []
    value, behaviour = range(2)
    for one in grid:
        name, k, own = one.candidate_id, one.params["k"], told[one.candidate_id]
        row = {"candidate": name, "value": own[0, value], "behaviour": own[0, behaviour]}
        row |= _ratio("value to RFM map", own[:, value], told["rfm-10"][:, value])
        row |= _ratio("to unweighted", own[:, behaviour], told[f"unweighted-{k}"][:, behaviour])
        row |= _ratio("to without value", own[:, behaviour], told[f"without value-{k}"][:, behaviour])
        if name in SEEDED:
            seeds = [[told[f"{who}, seed {seed}"][:, behaviour] for seed in SEEDS] for who in (name, f"unweighted-{k}")]
            for who, each in zip(("own", "unweighted"), seeds, strict=True):
                row |= {f"{who} least": min(one[0] for one in each), f"{who} most": max(one[0] for one in each)}
            row |= _ratio("to unweighted, ten seeds", *(np.mean(each, axis=0) for each in seeds))
        rows.append(row)
    return pd.DataFrame(rows)


def _ratio(name: str, own: np.ndarray, other: np.ndarray) -> dict[str, float]:
    ratio = own / other
    low, high = np.quantile(ratio[1:], INTERVAL)
    return {name: ratio[0], f"{name} low": low, f"{name} high": high}


def measure_models(past: Past) -> pd.DataFrame:
    """Return, by outcome, the squared correlation of what followed with what models and ceiling predicted."""
    predicted = past.models.predict(past.models.matrix.transform(past.features.table))
    names = list(past.models.outcomes.index)
    actual = stable_outcomes(past.outcomes[names], past.dictionary)
    rows = []
    for place, name in enumerate(names):
        known = ~np.isnan(actual[:, place])
        pair = (predicted[known, place], past.ceiling[name].to_numpy()[known])
        rows.append([np.corrcoef(actual[known, place], each)[0, 1] ** 2 for each in pair])
    return pd.DataFrame(rows, index=names, columns=["models of the past", "ceiling, same period"])


def judge_again(candidate: str = "layers-7", month: str = "2017-09") -> None:
    """Print how the candidate's figures, and whether it is taken, vary over halves, and over samples, of customers.

    Each seed halves the customers anew (and draws other folds and bootstrap samples); nothing is fitted again. Those
    that may be taken are predictive ones that come back in the report of that month, and k-means. Then its recipe is
    fitted on bootstrap samples of customers, and what these segments tell varies beside what it does with its own.
    """
    parameters, past = Parameters(), look_at(month)
    grid = {one.candidate_id: one for one in predictive_grid(past.models, max_segments=12)}
    tried = [grid[name] for name in COME_BACK]
    tried += [Candidate(f"kmeans-{k}", "kmeans", {"k": k}) for k in (3, 4)]
    labels = refit_candidates(past, [*RULES, *tried], parameters)
    table = pd.DataFrame({"candidate_id": list(labels), "segments": labels.nunique().to_numpy(), "noise_share": 0.0})
    table["smallest_share"] = [labels[name].value_counts(normalize=True).min() for name in labels]
    table["family"] = [one.family for one in [*RULES, *tried]]
    rows = []
    for seed in HALVINGS:
        shares = judge_labels(past, labels, replace(parameters, seed=seed)).shares
        told = shares.figures("reporting").set_index("candidate_id").loc[candidate]
        ahead = shares.gains(candidate, "rfm-10", "reporting").set_index("group").loc["value"]
        row = {"taken": propose_by_forward(table, labels, parameters, shares)[0]}
        row |= told[["forward_value", "forward_behaviour", "forward_share"]].to_dict()
        rows.append(row | {"below RFM map": ahead["high"] < 0, "above RFM map": ahead["low"] > 0})
    halved = pd.DataFrame(rows)
    print(
        f"{month}, {candidate}, {len(halved)} halvings", halved.describe().loc[["mean", "std", "min", "max"]].round(3)
    )
    print(halved["taken"].value_counts(), halved[["below RFM map", "above RFM map"]].sum(), sep="\n")
    customers = past.features.table.sort_index()
    recipe, wide = learning_recipe(past.models, customers, grid[candidate].params)
    for number in range(SAMPLES):
        rows = resample_rows(len(wide), halves=False, seed=0, number=number)
        found = recipe.fit(wide[rows], seed=number, dequantised=None).rule.assign(wide)[0]
        labels[f"sample {number}"] = pd.Series(found, index=customers.index)
    shares = judge_labels(past, labels, parameters).shares
    own, samples = shares.candidates.index(candidate), [name.startswith("sample") for name in shares.candidates]
    for half in ("reporting", "all"):
        fixed, made = (
            shares.draws[half][1:, own].std(axis=0, ddof=1),
            shares.draws[half][0, samples].std(axis=0, ddof=1),
        )
        widths = np.sqrt(1 + (made / fixed) ** 2)
        print(half, "sd of customers", fixed.round(4), "of segments", made.round(4), "wider by", widths.round(2))


def look_at(month: str) -> Past:
    """Return what was known one horizon before the end of a month, and what came after."""
    year, number = map(int, month.split("-"))
    as_of = date(year, number, calendar.monthrange(year, number)[1])
    with read_orders(read_card("complete-journey"), as_of) as orders:
        return look_back(orders, as_of, Parameters(), jobs=1)


def main(months: list[str]) -> None:
    """Print the figures of each month and of all together: of the half of the customers that reports, and of all."""
    parameters, skills, tables = Parameters(), {}, []
    for month in months:
        start, past = time.process_time(), look_at(month)
        grid = predictive_grid(past.models, max_segments=12)
        labels = label_customers(past, grid, parameters)
        judged = {half: judge_labels(past, labels, parameters, choosing=half != "all") for half in ("reporting", "all")}
        skills[month] = judged
        print(f"{month}: weight of value {past.value_weight}, {time.process_time() - start:.0f} CPU s")
        print(measure_models(past).round(3).to_string(), "\n")
    together = {month: [month] for month in months}
    together |= {" ".join(some): some for some in (UNSEEN, months) if len(some) > 1 and set(some) <= set(months)}
    for what, some in together.items():
        for half in ("reporting", "all"):
            told = told_by([skills[month][half] for month in some], half)
            table = compare(told, [one for one in grid if one.candidate_id in told])
            print(f"{what}, of {half} customers; RFM map {told['rfm-10'][0].round(3)}")
            print(table.round(3).to_string(index=False), "\n")
            tables.append(table.assign(months=what, customers=half))
    columns = ["months", "customers", *tables[0].columns]
    pd.concat(tables)[columns].round(4).to_csv(Path(__file__).with_suffix(".csv"), index=False)


if __name__ == "__main__":
    judge_again() if sys.argv[1:] == ["halves"] else main(sys.argv[1:] or MONTHS)
