"""How often the verdict is wrong: false "natural" where there is nothing, and planted segments found.

Every candidate of a study is judged together, as a study with ``min_segments=2`` would: the table counts draws in which
any of them is called natural. Run from the project's root::

    python benchmarks/verdict.py --draws 100 --sizes 2000 20000
    python benchmarks/verdict.py --draws 2 --sizes 2000          # some minutes
"""

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from scipy.stats import beta

from segkit.evidence import candidate_recipe, resample_stability, separated_pairs
from segkit.evidence.agreement import adjusted_rand, contingency
from segkit.evidence.recipes import run_tasks
from segkit.evidence.verdict import is_natural
from segkit.matrix import fit_matrix, ready_dictionary
from segkit.methods import candidate_grid

MIN_SEGMENTS, MAX_SEGMENTS, MIN_SHARE, MIN_CUSTOMERS, MAX_NOISE = 2, 12, 0.02, 50, 0.2

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


# --- planted -----------------------------------------------------------------------------------------------------


def unequal_normals(generator, n):
    """Well separated normal clouds of 5, 15, 30 and 50 %."""
    truth = generator.choice(4, size=n, p=[0.05, 0.15, 0.3, 0.5])
    centres = 9 * np.array([[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]])
    return _numbers(centres[truth] + generator.normal(size=(n, 4))), truth


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
NULLS = [correlated_normal, log_normal, uniform_box, elongated, homogeneous_shoppers]
PLANTED = [unequal_normals, two_moons, whales, categories]

# --- one study ---------------------------------------------------------------------------------------------------


def judge(features: pd.DataFrame, seed: int):
    """Return the feasible candidates' labels, the natural ones (with all stable), and the stability of the best."""
    features = features.set_axis([f"{i:07}" for i in range(len(features))]).rename_axis("customer_id")
    kinds = {name: KINDS.get(name, "number") for name in features}
    matrix = fit_matrix(features, ready_dictionary(features, kinds))
    X, dequantised = matrix.transform(features), matrix.dequantised(features, seed)
    recipes, fits = {}, {}
    for name, family, params in candidate_grid(X, max_segments=MAX_SEGMENTS, seed=seed, dequantised=dequantised):
        recipe = candidate_recipe(family, params, len(X))
        fit = recipe.fit(X, seed=seed, dequantised=dequantised)
        if _feasible(fit.labels):
            recipes[name], fits[name] = recipe, fit
    clustered = features[list(dict.fromkeys(matrix.columns["feature"]))]
    separation = separated_pairs(X, recipes, fits, seed=seed, dequantised=dequantised, features=clustered).candidates
    apart = set(separation.loc[separation["all_separated"], "candidate_id"]) if len(separation) else set()
    natural = []
    if apart:
        kept = {name: recipe for name, recipe in recipes.items() if name in apart}
        stability = resample_stability(X, kept, fits, seed=seed, resamples=20, dequantised=dequantised).candidates
        both = separation.merge(stability, on="candidate_id").to_dict("records")
        natural = [row["candidate_id"] for row in both if is_natural(row, row)]
    return {name: fit.labels for name, fit in fits.items()}, natural, apart


def _feasible(labels: np.ndarray) -> bool:
    sizes = np.bincount(labels[labels >= 0], minlength=1)
    enough = sizes.min() >= max(MIN_CUSTOMERS, MIN_SHARE * len(labels))
    return bool(MIN_SEGMENTS <= len(sizes) <= MAX_SEGMENTS and enough and (labels < 0).mean() <= MAX_NOISE)


def draw(make, n: int, number: int) -> dict:
    """Return what a study says of one draw."""
    started = time.perf_counter()
    made = make(np.random.default_rng([number, n]), n)
    features, truth = made if isinstance(made, tuple) else (made, None)
    labels, natural, apart = judge(features, seed=number)
    row = {"set": make.__name__, "customers": n, "candidates": len(labels), "apart": len(apart)}
    row |= {"natural": len(natural), "which": " ".join(natural), "seconds": time.perf_counter() - started}
    if truth is not None:
        known = np.where(truth >= 0, truth, -1)
        ari = {name: adjusted_rand(contingency(known, each)) for name, each in labels.items()}
        best = max(natural, key=lambda name: labels[name].max(), default=None)
        row |= {"ari_largest_natural": ari.get(best, np.nan), "ari_best": max(ari.values(), default=np.nan)}
        row["best"] = max(ari, key=ari.get, default="")
    return row


def main() -> None:
    """Print one line per set and size: draws with a natural candidate, with its 95 % interval."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2000, 20000])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="+", default=[each.__name__ for each in NULLS + PLANTED])
    parser.add_argument("--first", type=int, default=0, help="number of the first draw")
    asked = parser.parse_args()
    for make in [each for each in NULLS + PLANTED if each.__name__ in asked.only]:
        for n in asked.sizes:
            numbers = range(asked.first, asked.first + asked.draws)
            rows = pd.DataFrame(run_tasks(draw, [(make, n, number) for number in numbers], jobs=asked.jobs))
            found, draws = int((rows["natural"] > 0).sum()), len(rows)
            low = beta.ppf(0.025, found, draws - found + 1) if found else 0.0
            high = beta.ppf(0.975, found + 1, draws - found) if found < draws else 1.0
            line = f"{make.__name__:22}{n:7} customers: natural in {found} of {draws} draws ({low:.3f} to {high:.3f})"
            line += f"; candidates {rows['candidates'].mean():.0f}, all pairs apart {rows['apart'].mean():.2f} a draw"
            if "ari_best" in rows:
                line += f"; adjusted Rand of the largest natural {rows['ari_largest_natural'].min():.3f} at least"
                line += f", of the best candidate {rows['ari_best'].min():.3f} ({', '.join(sorted(set(rows['best'])))})"
            natural = sorted({name for each in rows["which"] for name in each.split()})
            print(f"{line}; natural: {', '.join(natural) or 'none'}; {rows['seconds'].mean():.0f} s a draw", flush=True)


if __name__ == "__main__":
    main()
