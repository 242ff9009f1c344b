"""How often the verdict is wrong: false "natural" where there is nothing, and planted segments found.

Every candidate of a study is judged together, as a study with ``min_segments=2`` would: a draw counts as natural when
any of them is. Each draw is one row of ``verdict.csv``; those that stand there are not made again, so that a run can be
stopped and taken up. Run from the project's root::

    python benchmarks/verdict.py --draws 100 --sizes 2000 20000
    python benchmarks/verdict.py --draws 2 --sizes 2000          # a minute
    python benchmarks/verdict.py --draws 0                       # only what verdict.csv says
"""

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from scipy.stats import beta
from segkit.clustering.grid import candidate_grid
from segkit.validation.families import candidate_recipe
from segkit.validation.forward.evaluate import propose_by_forward

from segkit.features.ready_dictionary import ready_dictionary
from segkit.preprocessing.prepare import fit_matrix
from segkit.runtime.parallel import run_tasks
from segkit.runtime.parameters import Parameters
from segkit.validation.agreement import adjusted_rand, contingency
from segkit.validation.separation import separated_pairs
from segkit.validation.stability import resample_stability
from segkit.validation.verdict import is_natural

PARAMETERS = Parameters(min_segments=2)
DRAWS = Path(__file__).with_suffix(".csv")

# --- nothing there -----------------------------------------------------------------------------------------------


def correlated_normal(generator, n):
    """Six features that go up and down together."""
    return _numbers(generator.normal(size=(n, 6)) @ np.linalg.cholesky(0.6 * np.ones((6, 6)) + 0.4 * np.eye(6)).T)


def log_normal(generator, n):
    """Long tails, and nothing that takes their logarithm."""
    return _numbers(np.exp(generator.normal(size=(n, 4))))


def uniform_box(generator, n):
    """A box: the tightest cells k-means can cut, and no valley between any."""
    return _numbers(generator.uniform(size=(n, 4)))


def elongated(generator, n):
    """One cloud, eight times as long as wide, turned."""
    turned = np.linalg.qr(generator.normal(size=(5, 5)))[0]
    return _numbers((generator.normal(size=(n, 5)) * [8, 2, 1, 1, 1]) @ turned)


def homogeneous_shoppers(generator, n):
    """Shoppers of one kind, whose order counts are small integers and whose shares are fractions of them."""
    rate = generator.gamma(2.0, 1.0, n)
    order_count = 1 + generator.poisson(rate)
    return pd.DataFrame(
        {
            "order_count": order_count,
            "spend": order_count * np.exp(generator.normal(3, 0.5, n) + generator.normal(0, 0.4, n)),
            "days_since_last_order": np.floor(365 * generator.beta(1, order_count)).astype(int),
            "coupon_order_share": generator.binomial(order_count, 0.2) / order_count,
            "weekend_order_share": generator.binomial(order_count, 0.4) / order_count,
            "line_count": order_count + generator.poisson(2.0 * order_count),
        }
    )


def many_columns(generator, n):
    """Thirty-five features with eight causes in common, a third of them with long tails: judged by discriminants."""
    points = generator.normal(size=(n, 8)) @ generator.normal(size=(8, 35)) / 8**0.5 + generator.normal(size=(n, 35))
    return _numbers(np.where(np.arange(35) % 3 == 0, np.exp(points / 1.5), points))


# --- planted -----------------------------------------------------------------------------------------------------


def unequal_normals(generator, n):
    """Well separated normal clouds of 5, 15, 30 and 50 %."""
    truth = generator.choice(4, size=n, p=[0.05, 0.15, 0.3, 0.5])
    centres = 9 * np.array([[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]])
    return _numbers(centres[truth] + generator.normal(size=(n, 4))), truth


def normals_4_sd(generator, n):
    """Three equal normal clouds whose means are four standard deviations apart."""
    return _three_normals(generator, n, 4.0)


def normals_5_sd(generator, n):
    """The same, five apart."""
    return _three_normals(generator, n, 5.0)


def normals_6_sd(generator, n):
    """The same, six apart."""
    return _three_normals(generator, n, 6.0)


def _three_normals(generator, n, apart):
    truth = generator.choice(3, size=n)
    return _numbers(apart / 2**0.5 * np.eye(4)[truth] + generator.normal(size=(n, 4))), truth


def two_moons(generator, n):
    """Two moons in a tenth of background."""
    truth = generator.choice([0, 1, -1], size=n, p=[0.455, 0.455, 0.09])
    turn = generator.uniform(0, np.pi, n)
    upper = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    lower = np.stack([1 - np.cos(turn), 0.5 - np.sin(turn)], axis=1)
    points = np.where((truth == 0)[:, None], upper, lower) + generator.normal(0, 0.06, (n, 2))
    background = generator.uniform([-1.5, -1], [2.5, 1.5], (n, 2))
    return _numbers(np.where((truth < 0)[:, None], background, points)), truth


def whales(generator, n):
    """Three segments, and half a per cent of customers with a hundred times the spend."""
    truth = generator.choice(3, size=n, p=[0.3, 0.3, 0.4])
    logs = np.array([[3, 1, 1], [5, 1, 3], [4, 3, 2]])[truth] + generator.normal(0, 0.35, (n, 3))
    whale = generator.choice(n, size=max(1, n // 200), replace=False)
    logs[whale, 0] += np.log(100)
    truth[whale] = -1
    return pd.DataFrame(np.exp(logs), columns=["spend", "order_gap_days", "basket_spend"]), truth


def categories(generator, n):
    """Four segments carried by three categories, among three features of noise."""
    truth = generator.choice(4, size=n, p=[0.4, 0.3, 0.2, 0.1])
    table = pd.DataFrame(generator.normal(size=(n, 3)), columns=["noise_a", "noise_b", "noise_c"])
    for name, codes in {"channel": [0, 1, 2, 0], "region": [0, 1, 1, 2], "brand": [0, 1, 0, 2]}.items():
        slip = generator.random(n) < 0.03
        code = np.where(slip, generator.integers(3, size=n), np.array(codes)[truth])
        table[name] = np.array(["one", "two", "three"])[code]
    return table, truth


def _numbers(points):
    return pd.DataFrame(points, columns=[f"feature_{i}" for i in range(points.shape[1])])


KINDS = {
    "order_count": "count",
    "line_count": "count",
    "spend": "money",
    "basket_spend": "money",
    "days_since_last_order": "days",
    "order_gap_days": "days",
    "coupon_order_share": "share",
    "weekend_order_share": "share",
    "channel": "category",
    "region": "category",
    "brand": "category",
}  # everything else is a number
NULLS = [correlated_normal, log_normal, uniform_box, elongated, homogeneous_shoppers, many_columns]
PLANTED = [unequal_normals, normals_4_sd, normals_5_sd, normals_6_sd, two_moons, whales, categories]

# --- one study ---------------------------------------------------------------------------------------------------


def judge(features: pd.DataFrame, seed: int, fit_all: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the candidates within the limits on sizes that were fitted, with structure, and their labels.

    A candidate with a pair that fails on half of the customers cannot be natural; it is fitted on all of them only
    where `fit_all` says so, and then resampled where no other is natural, so that one can be chosen.
    """
    features = features.set_axis([f"{i:07}" for i in range(len(features))]).rename_axis("customer_id")
    kinds = {name: KINDS.get(name, "number") for name in features}
    matrix = fit_matrix(features, ready_dictionary(features, kinds))
    X, dequantised = matrix.transform(features), matrix.dequantised(features, seed)
    grid = candidate_grid(X, max_segments=PARAMETERS.max_segments, seed=seed, dequantised=dequantised)
    recipes = {one.candidate_id: candidate_recipe(one.family, one.params, len(X)) for one in grid}
    clustered = features[list(dict.fromkeys(matrix.columns["feature"]))]
    shared = {"seed": seed, "dequantised": dequantised}
    first = separated_pairs(X, recipes, None, features=clustered, **shared).candidates
    hopeful = set(first.loc[first["all_separated"].astype(bool), "candidate_id"])
    fits, rows = {}, []
    for one in grid:
        if fit_all or one.candidate_id in hopeful:
            fit = recipes[one.candidate_id].fit(X, **shared)
            sizes, noise = np.bincount(fit.labels[fit.labels >= 0], minlength=1), (fit.labels < 0).mean()
            least = max(PARAMETERS.min_customers, PARAMETERS.min_share * len(X))
            if 2 <= len(sizes) <= PARAMETERS.max_segments and sizes.min() >= least and noise <= PARAMETERS.max_noise:
                fits[one.candidate_id] = fit
                row = {"candidate_id": one.candidate_id, "family": one.family, "segments": len(sizes)}
                rows.append(row | {"noise_share": noise, "smallest_share": sizes.min() / len(X)})
    candidates = pd.DataFrame(rows, columns=["candidate_id", "family", "segments", "noise_share", "smallest_share"])
    tried = (hopeful & set(fits)) or (set(fits) if fit_all else set())
    kept = {one.candidate_id: recipes[one.candidate_id] for one in grid if one.candidate_id in tried}
    separation = separated_pairs(X, kept, fits, features=clustered, **shared).candidates
    stability = resample_stability(X, kept, fits, resamples=20, **shared).candidates
    both = separation.merge(stability, on="candidate_id").drop(columns="segments")
    both["structure"] = ["natural" if is_natural(row, row) else "" for row in both.to_dict("records")]
    candidates = candidates.merge(both, on="candidate_id", how="left")
    return candidates, pd.DataFrame({name: fit.labels for name, fit in fits.items()}, index=features.index)


def draw(make, n: int, number: int) -> dict:
    """Return what a study says of one draw."""
    started = time.process_time()
    made = make(np.random.default_rng([number, n]), n)
    features, truth = made if isinstance(made, tuple) else (made, None)
    candidates, labels = judge(features, number, fit_all=truth is not None)
    natural = candidates.loc[candidates["structure"] == "natural", "candidate_id"].to_list()
    row = {"set": make.__name__, "customers": n, "draw": number, "natural": len(natural), "which": " ".join(natural)}
    if truth is not None:
        ari = {name: adjusted_rand(contingency(truth, labels[name].to_numpy())) for name in labels}
        row["best"] = max(ari, key=ari.get, default="")
        row["best_ari"] = ari.get(row["best"], np.nan)
        row["chosen"] = propose_by_forward(candidates, labels, PARAMETERS, None)[0]
        row["chosen_ari"] = ari.get(row["chosen"], np.nan)
    return row | {"cpu_seconds": round(time.process_time() - started, 1)}


COLUMNS = ["set", "customers", "draw", "natural", "which", "best", "best_ari", "chosen", "chosen_ari", "cpu_seconds"]


def summary(draws: pd.DataFrame) -> pd.DataFrame:
    """Return draws with a natural candidate by set and size, with the exact 95 % interval (Clopper & Pearson 1934)."""
    rows = []
    order = {make.__name__: place for place, make in enumerate(NULLS + PLANTED)}
    for (name, n), own in sorted(draws.groupby(["set", "customers"]), key=lambda each: (order[each[0][0]], each[0][1])):
        found, count = int((own["natural"] > 0).sum()), len(own)
        low = beta.ppf(0.025, found, count - found + 1) if found else 0.0
        high = beta.ppf(0.975, found + 1, count - found) if found < count else 1.0
        row = {"set": name, "customers": n, "draws": count, "natural": found, "low": low, "high": high}
        row |= {"least_chosen_ari": own["chosen_ari"].min(), "chosen": " ".join(sorted(set(own["chosen"].dropna())))}
        rows.append(row | {"cpu_seconds": own["cpu_seconds"].mean()})
    return pd.DataFrame(rows)


def main() -> None:
    """Make the draws that are missing and print the summary."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2000, 20000])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="+", default=[each.__name__ for each in NULLS + PLANTED])
    asked = parser.parse_args()
    done = set()
    if DRAWS.exists():
        done = set(pd.read_csv(DRAWS)[["set", "customers", "draw"]].itertuples(index=False, name=None))
    asked_for = [make for make in NULLS + PLANTED if make.__name__ in asked.only]
    todo = [(make, n, number) for n in asked.sizes for number in range(asked.draws) for make in asked_for]
    todo = [each for each in todo if (each[0].__name__, *each[1:]) not in done]
    for row in run_tasks(draw, todo, jobs=asked.jobs) if todo else ():
        table = pd.DataFrame([row]).reindex(columns=COLUMNS)
        table.to_csv(DRAWS, mode="a", header=not DRAWS.exists(), index=False, float_format="%.4g")
    print(summary(pd.read_csv(DRAWS)).to_string(index=False, float_format="{:.3f}".format))


if __name__ == "__main__":
    main()
