"""What the candidates say about the next 90 days of Complete Journey, beside k-means on unweighted features.

Run: ``python benchmarks/forward.py [YYYY-MM ...]``; prints, for each month, the figures of the predictive family
beside those of rules and of k-means on every feature at full weight, and how well models of the past predict.
"""

import calendar
import sys
import time
from datetime import date

import numpy as np
import pandas as pd

from segkit.cards import read_card
from segkit.compare.comparison import RULES
from segkit.forward import look_back
from segkit.forward.horizon import judge_labels, refit_candidates
from segkit.matrix import fit_matrix
from segkit.methods import METHODS
from segkit.parameters import Parameters
from segkit.predictive import predictive_grid
from segkit.predictive.models import stable_outcomes
from segkit.sources import read_orders

VALUE_FAMILIES = ("value", "lifecycle", "trend")


def unweighted_kmeans(features: pd.DataFrame, dictionary: pd.DataFrame, ks: range) -> dict[str, np.ndarray]:
    """Return labels of k-means on every column of the matrix, each in sds: all, and those not about value."""
    matrix = fit_matrix(features, dictionary)
    X = matrix.transform(features)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    others = ~matrix.columns["family"].isin(VALUE_FAMILIES).to_numpy()
    labels = {f"unweighted-{k}": METHODS["kmeans"](X, seed=0, k=k).labels for k in ks}
    return labels | {f"without value-{k}": METHODS["kmeans"](X[:, others], seed=0, k=k).labels for k in ks}


def measure_models(past) -> pd.DataFrame:
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


def measure(as_of: date, parameters: Parameters) -> None:
    """Print the figures of one month: of the half of the customers that reports, and of all."""
    start = time.process_time()
    with read_orders(read_card("complete-journey"), as_of) as orders:
        past = look_back(orders, as_of, parameters, jobs=2)
    grid = predictive_grid(past.models, max_segments=12)
    labels = refit_candidates(past, [*RULES, *grid], parameters)
    extra = unweighted_kmeans(past.features.table, past.features.dictionary, range(2, 13))
    labels = pd.concat([labels, pd.DataFrame(extra, index=labels.index)], axis=1)
    halves = {"reporting": judge_labels(past, labels, parameters).shares}
    halves["all"] = judge_labels(past, labels, parameters, choosing=False).shares
    print(f"{as_of}: weight of value {past.value_weight}, {time.process_time() - start:.0f} CPU s")
    for half, shares in halves.items():
        told = shares.figures(half).set_index("candidate_id")
        rows = []
        for one in grid:
            k, own = one.params["k"], told.loc[one.candidate_id]
            peers = [told["forward_behaviour"][f"{peer}-{k}"] for peer in ("unweighted", "without value")]
            ratios = [own["forward_behaviour"] / peer for peer in peers]
            value = own["forward_value"] / told["forward_value"]["rfm-10"]
            rows.append([one.candidate_id, own["forward_value"], own["forward_behaviour"], *peers, *ratios, value])
        columns = ["candidate", "value", "behaviour", "unweighted", "without value", "ratio", "ratio to without value"]
        print(f"of {half} customers")
        print(pd.DataFrame(rows, columns=[*columns, "value to RFM map"]).round(3).to_string(index=False))
        print(told.loc[["rfm-10", "tiers-5"], ["forward_value", "forward_behaviour"]].round(3).to_string())
    print(measure_models(past).round(3).to_string(), "\n")


if __name__ == "__main__":
    for month in sys.argv[1:] or ["2017-12", "2017-10"]:
        year, number = map(int, month.split("-"))
        measure(date(year, number, calendar.monthrange(year, number)[1]), Parameters())
