"""The saddle test and the verdict: valleys that are there are found, others are not."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_blobs, make_moons

from segkit.clustering.assignment_rules import centre_rule
from segkit.clustering.families import FAMILIES
from segkit.clustering.fit import Sample, finish
from segkit.clustering.kmeans import KMEANS
from segkit.validation.density_tree import density_tree, passes
from segkit.validation.nulls import compare_with_null
from segkit.validation.resample import reach_verdicts
from segkit.validation.saddle import _power, decide, holm, saddle_test
from segkit.validation.separation import separated_pairs
from segkit.validation.stability import Recipe, resample_stability
from segkit.validation.strata import find_strata

KMEANS_CUTS = {f"kmeans-{k}": ("kmeans", {"k": k}) for k in (2, 3, 4, 6)}
HDBSCAN = {"hdbscan-50": ("hdbscan", {"min_cluster_size": 50, "min_samples": 25})}


BY_NAME = {family.name: family for family in FAMILIES}


def recipes_of(X, candidates, seed=0, dequantised=None):
    """Return the families' sample of the customers, and each candidate with its labels."""
    sample, recipes = Sample(X, dequantised), {}
    for name, (family, params) in candidates.items():
        recipes[name] = Recipe(BY_NAME[family], params, BY_NAME[family].fit(sample, seed=seed, **params).labels)
    return dict.fromkeys(BY_NAME, sample), recipes


def separation(X, candidates, seed=0, dequantised=None, values=None):
    return separated_pairs(*recipes_of(X, candidates, seed, dequantised), seed=seed, values=values)


def apart(X, candidates, seed=0, **more):
    found = separation(X, candidates, seed, **more).candidates
    return set(found.loc[found["all_separated"], "candidate_id"])


def structures(X, candidates):
    samples, recipes = recipes_of(X, candidates)
    separated = separated_pairs(samples, recipes, seed=0)
    stable = resample_stability(samples, recipes, resamples=10, seed=0)

    def compare(name, null, observed):
        return compare_with_null(samples["kmeans"], recipes[name], observed, null=null, seed=0)

    return reach_verdicts(separated, stable, compare).set_index("candidate_id")["structure"].to_dict()


def known(rule, name="known-2"):
    """A candidate whose rule is known, without labels: those of the learning half are taken."""
    family = replace(KMEANS, name="known", halved=lambda customers, seed: finish(rule(customers.X), customers.X))
    return {name: Recipe(family, {})}


def two_lumps(n=200, gap=20.0):
    points = np.random.default_rng(0).normal(size=(2 * n, 2))
    points[n:, 0] += gap
    return points, np.repeat([0, 1], n)


def test_the_pass_of_two_lumps_lies_in_the_middle_and_parts_them():
    points, truth = two_lumps()
    way = passes(density_tree(points), [0, 399])[0, 1]
    assert 5 < way.places[0, 0] < 15
    assert (way.side == (truth == 0)).all()
    assert way.sparseness > 10


def test_a_saddle_between_far_lumps_is_empty_and_its_interval_excludes_a_shallow_valley():
    points, truth = two_lumps()
    pair = saddle_test(density_tree(points), truth, two_lumps()[0] + 0.01).iloc[0]
    assert (pair["pass_customers"], pair["ratio"], pair["own_side"]) == (0, 0, 1)
    assert pair["p_single"] < 1e-4
    assert pair["low"] == 0 < pair["high"] < 0.5


def test_no_needs_power_and_every_other_pair_that_is_not_separated_is_undetermined():
    pairs = pd.DataFrame(
        {
            "p_single": [0.001, 0.3, 0.3, 0.9, 0.001, 0.001],
            "own_side": [1.0, 1.0, 1.0, 1.0, 0.7, 0.7],
            "power": [0.3, 0.3, 0.8, 0.79, 0.79, 0.8],
        }
    )
    found = decide(pairs)["separated"].tolist()
    assert found == ["yes", "undetermined", "no", "undetermined", "undetermined", "no"]


def test_power_is_that_of_the_first_step_of_holm():
    alone, of_many = (_power(np.array([120]), 0.05 / pairs)[0] for pairs in (1, 21))
    assert (round(alone, 2), round(of_many, 2)) == (0.81, 0.41)
    points, truth = two_lumps()
    three = np.where((truth == 1) & (points[:, 1] > 0), 2, truth)
    one, several = (saddle_test(density_tree(points), labels, points + 0.01) for labels in (truth, three))
    assert several["power"].max() < one["power"].max()


def test_a_lump_and_its_slope_have_no_second_mode_and_no_ratio():
    points = np.random.default_rng(0).normal(size=(600, 2))
    halves = known(lambda X: centre_rule(np.array([[0.0, 0.0], [3.0, 0.0]])))  # the second is the first one's slope
    pair = separated_pairs({"known": Sample(points)}, halves, seed=0).pairs.iloc[0]
    assert np.isnan(pair[["ratio", "low", "high"]].astype(float)).all()
    assert pair["p"] > 0.5
    assert (pair["separated"], pair["note"]) == ("undetermined", "no second mode")


def test_holm_leaves_what_is_unknown_alone():
    assert holm(np.array([0.02, np.nan, 0.01])) == pytest.approx([0.02, np.nan, 0.02], nan_ok=True)
    assert holm(np.array([])).size == 0


NULLS = {
    "correlated normal": lambda g, n: g.normal(size=(n, 4)) @ np.linalg.cholesky(0.7 + 0.3 * np.eye(4)).T,
    "log-normal": lambda g, n: np.exp(g.normal(size=(n, 3))),
    "uniform box": lambda g, n: g.uniform(size=(n, 2)),
    "elongated": lambda g, n: g.normal(size=(n, 4)) * [8, 1, 1, 1],
    "twelve dimensions": lambda g, n: g.normal(size=(n, 12)),
}


@pytest.mark.parametrize("null", NULLS)
def test_nothing_is_separated_where_nothing_is(null):
    X = NULLS[null](np.random.default_rng(3), 1200)
    ward = {"ward-3": ("hierarchical", {"k": 3})}
    assert apart(X, KMEANS_CUTS | HDBSCAN | ward) == set()


def test_four_blobs_are_natural_at_four_never_at_six_and_at_two_coarser_than_the_data():
    X, _ = make_blobs(1200, 4, centers=4, cluster_std=1.0, random_state=0)
    found = separation(X, KMEANS_CUTS).candidates.set_index("candidate_id")
    assert found.loc["kmeans-4", "all_separated"]
    assert found.loc["kmeans-4", "splits"] == ""
    assert not found.loc["kmeans-6", "all_separated"]
    assert found.loc["kmeans-2", "splits"] != ""


def test_two_moons_are_natural_for_hdbscan_and_not_for_kmeans():
    generator = np.random.default_rng(1)
    X, truth = make_moons(1500, noise=0.06, random_state=1)
    X = np.r_[X, generator.uniform([-1.5, -1], [2.5, 1.5], (150, 2))]
    assert structures(X, HDBSCAN) == {"hdbscan-50": "natural"}
    assert apart(X, KMEANS_CUTS) == set()


def test_normal_clouds_of_very_unequal_size_are_natural():
    generator = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2], [1200, 200, 100])
    X = generator.normal(size=(1500, 3)) + 10 * np.eye(3)[truth]
    assert structures(X, {"gmm-3": ("gmm", {"k": 3, "covariance": "full"})}) == {"gmm-3": "natural"}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_segment_smaller_than_the_ball_of_a_mode_is_apart_from_others_nine_deviations_away(seed):
    generator = np.random.default_rng([seed, 2000])
    truth = generator.choice(4, size=2000, p=[0.05, 0.15, 0.3, 0.5])
    X = 9 * np.array([[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]])[truth] + generator.normal(size=(2000, 4))
    assert apart(X, {"gmm-4": ("gmm", {"k": 4, "covariance": "full"})}, seed) == {"gmm-4"}


@pytest.mark.parametrize("seed", [2, 5])
def test_the_ball_at_a_pass_does_not_reach_into_a_segment_of_fewer_than_its_neighbours(seed):
    generator = np.random.default_rng([seed, 1000])
    truth = generator.choice(3, size=1000, p=[0.04, 0.35, 0.61])  # twenty in a half, as many as a mode's neighbours
    centres = 9.0 * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    X = centres[truth] + generator.normal(size=(1000, 3))
    found = separated_pairs({"known": Sample(X)}, known(lambda X: centre_rule(centres)), seed=seed)
    assert found.candidates["all_separated"].all()


def test_without_labels_the_pairs_are_those_of_the_segments_that_half_of_the_customers_show():
    X, _ = make_blobs(600, 3, centers=3, cluster_std=1.0, random_state=0)
    samples, recipes = recipes_of(X, {"kmeans-3": ("kmeans", {"k": 3})})
    unknown = {"kmeans-3": recipes["kmeans-3"]._replace(labels=None)}
    found = [separated_pairs(samples, given, seed=0) for given in (recipes, unknown)]
    assert [each.candidates["all_separated"].tolist() for each in found] == [[True], [True]]
    assert sorted(found[0].pairs["p_single"]) == sorted(found[1].pairs["p_single"])


def test_segments_that_half_of_the_customers_do_not_show_are_not_all_separated():
    X, _ = make_blobs(600, 3, centers=3, cluster_std=1.0, random_state=0)
    samples, recipes = recipes_of(X, {"kmeans-3": ("kmeans", {"k": 3})})
    blurred = replace(KMEANS, halved=lambda customers, seed, k: KMEANS.refit(customers, seed=seed, k=2))
    found = separated_pairs(samples, {"kmeans-3": recipes["kmeans-3"]._replace(family=blurred)}, seed=0)
    assert found.candidates[["segments_in_half", "all_separated"]].to_numpy().tolist() == [[2, False]]
    lost = found.pairs.query("separated == 'undetermined'")["note"].tolist()
    assert lost == ["not both found in half of the customers"] * 2


@pytest.mark.parametrize("columns", [3, 8])
def test_lumps_are_apart_where_another_column_is_thirty_times_as_wide(columns):
    generator = np.random.default_rng(0)
    X = generator.normal(size=(1200, columns)) * np.r_[np.ones(columns - 1), 30]
    X[::2, 0] += 8
    lumps = known(lambda X: centre_rule(np.array([[0.0], [8.0]]) * np.eye(columns)[0]))
    assert separated_pairs({"known": Sample(X)}, lumps, seed=0).candidates["all_separated"].all()


def test_valleys_are_looked_for_among_dequantised_values():
    generator = np.random.default_rng(0)
    steps = generator.integers(2, size=1200)
    X = np.column_stack([steps, generator.normal(size=1200)])
    within = X + np.outer(generator.uniform(-0.5, 0.5, 1200), [1, 0])
    values = pd.DataFrame(generator.normal(size=(1200, 2)))  # no values shared: only the noise speaks
    two = known(lambda X: centre_rule(np.array([[0.0, 0.0], [1.0, 0.0]])))
    found = [separated_pairs({"known": Sample(X, own)}, two, seed=0, values=values) for own in (X, within)]
    assert [each.candidates["all_separated"].all() for each in found] == [True, False]


def test_planted_segments_are_found_among_noise_in_forty_dimensions():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(1200, 40))
    X[np.arange(1200), np.repeat([0, 1, 2, 3], 300)] += 6
    assert apart(X, KMEANS_CUTS) >= {"kmeans-4"}


def test_a_pair_apart_only_by_a_shared_value_is_said_to_be_so():
    generator = np.random.default_rng(0)
    never = generator.random(1500) < 0.6
    share = np.where(never, 0.0, generator.uniform(0.4, 0.8, 1500))
    X = np.stack([6 * share, *generator.normal(0, 0.5, (2, 1500))], axis=1)
    dequantised = X + np.where(never, generator.normal(0, 0.1, 1500), 0)[:, None] * [1, 0, 0]
    values = pd.DataFrame({"coupon_share": share, "spend": X[:, 1]})
    found = separation(X, {"kmeans-2": KMEANS_CUTS["kmeans-2"]}, dequantised=dequantised, values=values)
    pair = found.pairs.iloc[0]
    assert pair["separated"] != "yes"
    assert (pair["separated_by"], pair["note"]) == ("coupon_share", "apart only by shared values of coupon_share")
    assert not found.candidates["all_separated"].any()


def test_a_missing_value_is_a_stratum_like_any_other():
    gaps = pd.DataFrame({"order_gap_days": [np.nan, np.nan, 3.5, 4.5], "spend": [1.0, 2.0, 3.0, 4.0]})
    assert {name: stratum.tolist() for name, stratum in find_strata(gaps, 0.5).items()} == {
        "order_gap_days": [0, 0, 1, 1]
    }


def test_homogeneous_shoppers_with_small_order_counts_are_not_natural():
    generator = np.random.default_rng(0)
    orders = 1 + generator.poisson(1.5, 1500)
    features = pd.DataFrame({"order_count": orders, "spend": orders * np.exp(generator.normal(3, 0.5, 1500))})
    X = np.log1p(features.to_numpy(dtype=float))
    dequantised = np.log1p(features + np.stack([generator.uniform(-0.5, 0.5, 1500), np.zeros(1500)], axis=1)).to_numpy()
    assert apart(X, KMEANS_CUTS | HDBSCAN, dequantised=dequantised, values=features) == set()
