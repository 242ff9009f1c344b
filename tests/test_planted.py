"""Segments that were put there are found, and told apart from cuts: small versions of benchmarks/verdict.py."""

import numpy as np
import pandas as pd
import pytest

from segkit.clustering.methods import METHODS
from segkit.preprocessing.prepare import fit_matrix
from segkit.features.ready_dictionary import ready_dictionary
from segkit.runtime.parameters import Parameters
from segkit.validation.agreement import adjusted_rand, contingency
from segkit.validation.families import candidate_recipe
from segkit.validation.forward.evaluate import propose_by_forward
from segkit.validation.separation import separated_pairs
from segkit.validation.stability import resample_stability
from segkit.validation.verdict import is_natural


def study(features, kinds, candidates, seed):
    """Return candidates with structure and stability, their labels, and the one that would be proposed."""
    features = features.set_axis([f"{place:05}" for place in range(len(features))])
    matrix = fit_matrix(features, ready_dictionary(features, kinds))
    X, dequantised = matrix.transform(features), matrix.dequantised(features, seed)
    recipes = {name: candidate_recipe(family, params, len(X)) for name, (family, params) in candidates.items()}
    fits = {name: recipe.fit(X, seed=seed, dequantised=dequantised) for name, recipe in recipes.items()}
    labels = pd.DataFrame({name: fit.labels for name, fit in fits.items()}, index=features.index)
    shared = {"seed": seed, "dequantised": dequantised}
    separation = separated_pairs(X, recipes, fits, features=features, **shared).candidates
    stability = resample_stability(X, recipes, fits, resamples=10, **shared).candidates
    sizes = labels.apply(lambda own: own[own >= 0].value_counts(normalize=True).min())
    table = pd.DataFrame(
        {"family": {name: family for name, (family, _) in candidates.items()}, "smallest_share": sizes}
    )
    table = table.assign(segments=labels.max() + 1, noise_share=(labels < 0).mean()).rename_axis("candidate_id")
    table = table.reset_index().merge(separation.drop(columns="segments")).merge(stability)
    table["structure"] = ["natural" if is_natural(row, row) else "" for row in table.to_dict("records")]
    return table, labels, propose_by_forward(table, labels, Parameters(min_segments=2), None)[0]


def kmeans(*ks):
    return {f"kmeans-{k}": ("kmeans", {"k": k}) for k in ks}


@pytest.mark.parametrize("seed", [0, 1])
def test_three_segments_are_natural_among_half_a_per_cent_of_whales(seed):
    generator = np.random.default_rng(seed)
    truth = generator.choice(3, size=1500, p=[0.3, 0.3, 0.4])
    logs = np.array([[3, 1, 1], [5, 1, 3], [4, 3, 2]])[truth] + generator.normal(0, 0.35, (1500, 3))
    whales = generator.choice(1500, size=7, replace=False)
    logs[whales, 0] += np.log(100)
    features = pd.DataFrame(np.exp(logs), columns=["spend", "order_gap_days", "basket_spend"])
    kinds = {"spend": "money", "order_gap_days": "days", "basket_spend": "money"}
    table, labels, proposed = study(features, kinds, kmeans(2, 3, 4), seed)
    assert table.set_index("candidate_id")["structure"][proposed] == "natural"
    others = np.setdiff1d(np.arange(1500), whales)
    assert adjusted_rand(contingency(truth[others], labels[proposed].to_numpy()[others])) > 0.95


@pytest.mark.parametrize("seed", [0, 1])
def test_segments_that_categories_carry_among_noise_are_proposed_and_not_called_natural(seed):
    generator = np.random.default_rng(seed)
    truth = generator.choice(4, size=1500, p=[0.4, 0.3, 0.2, 0.1])
    table = pd.DataFrame(generator.normal(size=(1500, 3)), columns=["noise_a", "noise_b", "noise_c"])
    for name, codes in {"channel": [0, 1, 2, 0], "region": [0, 1, 1, 2], "brand": [0, 1, 0, 2]}.items():
        code = np.where(generator.random(1500) < 0.03, generator.integers(3, size=1500), np.array(codes)[truth])
        table[name] = np.array(["one", "two", "three"])[code]
    kinds = {name: "category" if table[name].dtype == "str" else "number" for name in table}
    table, labels, proposed = study(table, kinds, kmeans(2, 3, 4, 5), seed)
    assert adjusted_rand(contingency(truth, labels[proposed].to_numpy())) > 0.9
    assert "natural" not in set(table["structure"])


def test_mixtures_find_well_separated_clouds_of_very_unequal_size_in_halves_too():
    generator = np.random.default_rng(4)
    truth = generator.choice(4, size=1000, p=[0.05, 0.15, 0.3, 0.5])
    X = 9 * np.eye(4)[truth] + generator.normal(size=(1000, 4))
    recipe = candidate_recipe("gmm", {"k": 4, "covariance": "full"}, len(X))
    fits = [recipe.halved(X[::2], seed=seed, dequantised=None) for seed in range(6)]
    found = [adjusted_rand(contingency(truth, fit.rule.assign(X)[0])) for fit in fits]
    assert np.mean([index > 0.99 for index in found]) >= 5 / 6
    assert METHODS["gmm"](X, seed=0, k=4, covariance="full").statistics.keys() == {"bic", "icl"}
