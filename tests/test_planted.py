"""Segments that were put there are found, and told apart from cuts: small versions of benchmarks/verdict.py."""

import numpy as np
import pandas as pd
import pytest

from segkit.clustering.families import FAMILIES
from segkit.clustering.fit import Sample
from segkit.clustering.gmm import GMM
from segkit.preprocessing.prepare import features_from, prepare
from segkit.validation.agreement import adjusted_rand, contingency
from segkit.validation.compare import compare
from segkit.validation.resample import resample
from segkit.validation.selection import Limits, choose


def study(features, kinds, segments, seed):
    """Return the table of k-means candidates, their labels, and the one that is proposed."""
    features = features.set_axis([f"{place:05}" for place in range(len(features))])
    candidates = compare(prepare(features_from(features, kinds), seed=seed), FAMILIES[:1], segments)
    limits = Limits(min_segments=2, min_customers=50)
    chosen = choose(resample(candidates, limits=limits, draws=10), limits)
    return chosen.table, chosen.labels, chosen.proposed


@pytest.mark.parametrize("seed", [0, 1])
def test_three_segments_are_natural_among_half_a_per_cent_of_whales(seed):
    generator = np.random.default_rng(seed)
    truth = generator.choice(3, size=1500, p=[0.3, 0.3, 0.4])
    logs = np.array([[3, 1, 1], [5, 1, 3], [4, 3, 2]])[truth] + generator.normal(0, 0.35, (1500, 3))
    whales = generator.choice(1500, size=7, replace=False)
    logs[whales, 0] += np.log(100)
    features = pd.DataFrame(np.exp(logs), columns=["spend", "order_gap_days", "basket_spend"])
    kinds = {"spend": "money", "order_gap_days": "days", "basket_spend": "money"}
    table, labels, proposed = study(features, kinds, [2, 3, 4], seed)
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
    table, labels, proposed = study(table, kinds, [2, 3, 4, 5], seed)
    assert adjusted_rand(contingency(truth, labels[proposed].to_numpy())) > 0.9
    assert "natural" not in set(table["structure"])


def test_mixtures_find_well_separated_clouds_of_very_unequal_size_in_halves_too():
    generator = np.random.default_rng(4)
    truth = generator.choice(4, size=1000, p=[0.05, 0.15, 0.3, 0.5])
    X = 9 * np.eye(4)[truth] + generator.normal(size=(1000, 4))
    params = {"k": 4, "covariance": "full"}
    fits = [GMM.halved(Sample(X[::2]), seed=seed, **params) for seed in range(6)]
    found = [adjusted_rand(contingency(truth, fit.rule.assign(X)[0])) for fit in fits]
    assert np.mean([index > 0.99 for index in found]) >= 5 / 6
    assert GMM.fit(Sample(X), seed=0, **params).statistics.keys() == {"bic", "icl"}
