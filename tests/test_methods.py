"""Families of methods: planted segments are found, labels are what the frozen rule says."""

import numpy as np
import pytest
from hdbscan import HDBSCAN
from scipy.cluster.hierarchy import linkage
from sklearn.cluster import DBSCAN
from sklearn.datasets import make_moons
from sklearn.metrics import adjusted_rand_score

from segkit.clustering import kmeans, ward
from segkit.clustering.assignment_rules import Rule
from segkit.clustering.families import FAMILIES
from segkit.clustering.fit import Sample, finish
from segkit.clustering.ward import cut_tree, ward_tree, weighted_merges

# One candidate per family (and kind of mixture) that should find three blobs.
PARAMS = {
    "kmeans": {"k": 3},
    "hierarchical": {"k": 3},
    "full": {"k": 3, "covariance": "full"},
    "tied": {"k": 3, "covariance": "tied"},
    "diag": {"k": 3, "covariance": "diag"},
    "spherical": {"k": 3, "covariance": "spherical"},
    "hdbscan": {"min_cluster_size": 20, "min_samples": 10},
    "dbscan": {"eps": 1.3, "min_samples": 8, "min_cluster_size": 20},
}
BY_NAME = {family.name: family for family in FAMILIES}
EVERY = pytest.mark.parametrize("name", list(PARAMS))


def fit(name, X, seed=0, dequantised=None, **others):
    family = BY_NAME[name if name in BY_NAME else "gmm"]
    return family.fit(Sample(X, dequantised), seed=seed, **PARAMS.get(name, {}) | others)


class Grid:
    """What a family's grid asks of a matrix."""

    def __init__(self, X):
        self.X, self.dequantised, self.seed, self.compared, self.models = X, None, 0, X, None


def grid(X, most):
    return [one for family in FAMILIES for one in family.grid(Grid(X), range(2, most + 1))]


def blobs(seed=0, sizes=(150, 100, 50), apart=10.0, columns=3):
    random = np.random.default_rng(seed)
    truth = np.repeat(range(len(sizes)), sizes)
    middle = np.eye(len(sizes), columns) * apart
    return middle[truth] + random.normal(size=(len(truth), columns)), truth


@EVERY
@pytest.mark.parametrize("seed", [0, 1])
def test_planted_blobs_are_found_and_labelled_by_size(name, seed):
    X, truth = blobs(seed)
    found = fit(name, X, seed)
    inside = found.labels >= 0
    assert inside.mean() > 0.9
    assert adjusted_rand_score(truth[inside], found.labels[inside]) > 0.99
    assert np.bincount(found.labels[inside]).tolist() == sorted(np.bincount(found.labels[inside]))[::-1]


@EVERY
def test_labels_are_the_output_of_the_rule_row_by_row(name):
    X, _ = blobs(apart=4.0)
    found = fit(name, X)
    labels, nearest = found.rule.assign(X)
    one_by_one = [int(found.rule.assign(X[[row]])[0][0]) for row in range(len(X))]
    assert labels.tolist() == found.labels.tolist() == one_by_one
    assert nearest.tolist() == found.nearest.tolist()


@EVERY
def test_the_order_of_rows_changes_nothing(name):
    X, _ = blobs(apart=4.0)
    order = np.random.default_rng(1).permutation(len(X))
    assert fit(name, X[order]).labels.tolist() == fit(name, X).labels[order].tolist()


@EVERY
def test_equal_customers_get_equal_labels(name):
    half = np.round(blobs(apart=3.0)[0], 0)  # on a grid many customers are equal, and many lie midway
    X = np.vstack([half, half[::-1]])
    labels = fit(name, X, dequantised=X + np.random.default_rng(0).uniform(-0.5, 0.5, X.shape)).labels
    assert labels[: len(half)].tolist() == labels[len(half) :][::-1].tolist()


@EVERY
@pytest.mark.parametrize("rows", [1, 2, 30])
def test_customers_who_are_all_alike_are_one_segment_or_none(name, rows):
    found = fit(name, np.ones((rows, 2)))
    assert set(found.labels) in ({0}, {-1})
    assert set(found.nearest) <= {0, -1}


@EVERY
def test_fewer_customers_than_segments_is_no_error(name):
    found = fit(name, np.array([[0.0, 0.0], [9.0, 9.0]]))
    assert found.labels.max() <= 1


def test_two_moons_are_found_by_hdbscan_and_its_noise_is_no_segment():
    random = np.random.default_rng(0)
    moons, truth = make_moons(1000, noise=0.06, random_state=0)
    X = np.vstack([moons, random.uniform([-1.5, -1], [2.5, 1.5], (100, 2))])
    found = fit("hdbscan", X, min_cluster_size=50, min_samples=25)
    assert found.rule.segments == 2
    assert (found.labels[1000:] < 0).mean() > 0.2
    inside = found.labels[:1000] >= 0
    assert adjusted_rand_score(truth[inside], found.labels[:1000][inside]) > 0.99
    assert (found.nearest >= 0).all()
    assert (found.nearest == found.labels)[found.labels >= 0].all()


def test_dbscan_has_the_cores_of_the_library_and_takes_the_near_ones_along():
    X, _ = blobs(apart=6.0)
    model = DBSCAN(eps=0.8, min_samples=8).fit(X)
    found = fit("dbscan", X, eps=0.8, min_cluster_size=2)
    core = model.core_sample_indices_
    assert adjusted_rand_score(model.labels_[core], found.labels[core]) == 1
    assert ((model.labels_ < 0) == (found.labels < 0)).all()


@pytest.mark.parametrize("size", [10, 40])
def test_hdbscan_has_the_clusters_of_the_library_from_one_tree_for_every_size(size):
    X, _ = blobs(apart=3.0)
    library = HDBSCAN(size, min_samples=10, approx_min_span_tree=False).fit(X)
    found = fit("hdbscan", X, min_cluster_size=size)
    inside = library.labels_ >= 0
    assert adjusted_rand_score(library.labels_[inside], found.labels[inside]) == 1
    assert (found.labels[inside] >= 0).all()


def test_a_dense_handful_is_no_segment():
    X = np.vstack([blobs()[0], np.random.default_rng(1).normal(30, 0.1, (10, 3))])
    found = fit("dbscan", X, eps=1.0)
    assert found.labels[-10:].tolist() == [-1] * 10


def test_density_methods_find_blobs_among_thirty_columns_by_their_leading_components():
    X, truth = blobs(columns=30, sizes=(300, 200, 100))
    found = fit("hdbscan", X, min_cluster_size=30, components=6)
    assert adjusted_rand_score(truth, found.nearest) > 0.99
    assert found.rule.arrays["projection"].shape == (30, 6)
    assert 0.2 < found.statistics["variance_kept"] < 0.8


def test_mixtures_take_atoms_for_clusters_only_without_dequantising():
    random = np.random.default_rng(0)
    counts = random.poisson(3, 1000)[:, None].astype(float)
    spread = counts + random.uniform(-0.5, 0.5, counts.shape)
    bic = [fit("full", counts, k=k).statistics["bic"] for k in (1, 6)]
    honest = [fit("full", counts, dequantised=spread, k=k).statistics["bic"] for k in (1, 6)]
    assert bic[1] < bic[0] - 1000
    assert honest[1] > honest[0] - 100


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
def test_the_rule_of_a_mixture_is_the_highest_posterior_of_the_library(covariance):
    from sklearn.mixture import GaussianMixture

    X, _ = blobs(apart=3.0)
    model = GaussianMixture(3, covariance_type=covariance, reg_covar=1e-3 * X.var(0).mean(), random_state=0, n_init=2)
    found = fit(covariance, X)
    assert adjusted_rand_score(model.fit(X).predict(X), found.labels) > 0.97
    assert found.statistics["icl"] >= found.statistics["bic"]


def test_icl_exceeds_bic_by_twice_the_entropy_of_the_surest_guess():
    X = np.concatenate([np.full(50, -1.0), np.full(50, 1.0)])[:, None] * [[10.0]] + np.linspace(-1, 1, 100)[:, None]
    apart = fit("spherical", X, k=2).statistics
    assert apart["icl"] == pytest.approx(apart["bic"])


def test_a_component_that_nobody_is_most_likely_from_is_no_segment():
    arrays = {"centres": np.array([[0.0], [5.0], [99.0]]), "labels": np.array([0, 1, 2], "int32")}
    found = finish(Rule("nearest_centre", arrays), np.array([[0.0], [5.0], [5.1]]))
    assert found.labels.tolist() == [1, 0, 0]
    assert found.rule.arrays["centres"].tolist() == [[0.0], [5.0]]


def test_weighted_ward_with_weights_of_one_is_the_librarys_ward():
    X = np.random.default_rng(3).normal(size=(300, 4))
    own, theirs = weighted_merges(X, np.ones(300)), linkage(X, "ward")[:, :2].astype(int)
    for k in (2, 5, 40):
        assert adjusted_rand_score(cut_tree(own, k), cut_tree(theirs, k)) == 1


def test_weighted_ward_takes_a_weight_for_so_many_equal_customers():
    points, weights = np.random.default_rng(4).normal(size=(60, 2)), np.arange(1, 61) % 5 + 1
    repeated = np.repeat(np.arange(60), weights)
    merges = linkage(points[repeated], "ward")[:, :2].astype(int)
    for k in (3, 8):
        many, few = cut_tree(merges, k), cut_tree(weighted_merges(points, weights.astype(float)), k)
        assert adjusted_rand_score(many, few[repeated]) == 1


def test_ward_of_many_customers_goes_by_way_of_micro_clusters(monkeypatch):
    X, truth = blobs(sizes=(600, 400, 200))
    monkeypatch.setattr(ward, "WARD_FULL", 500)
    monkeypatch.setattr(ward, "MICRO_CLUSTERS", 80)
    points, weights, _ = ward_tree(X, seed=0)
    assert len(points) <= 80
    assert weights.sum() == 1200
    assert adjusted_rand_score(truth, fit("hierarchical", X).labels) == 1


@EVERY
def test_a_sample_is_fitted_on_and_everybody_assigned(name):
    X, truth = blobs(sizes=(600, 400, 200))
    found = fit(name, X, sample=400)
    assert adjusted_rand_score(truth, found.nearest) > 0.99


def test_k_means_of_many_customers_does_not_end_in_the_next_best_cut(monkeypatch):
    draw = np.random.default_rng(3)
    middles = draw.normal(0, 1.7, (8, 6))
    X = middles[draw.choice(8, 4_001)] + draw.normal(size=(4_001, 6))
    monkeypatch.setattr(kmeans, "STARTED_ON", 2_000)
    found = [fit("kmeans", X, seed, k=8).rule.arrays["centres"] for seed in range(12)]
    within = [((X[:, None] - centres) ** 2).sum(axis=2).min(axis=1).sum() for centres in found]
    assert max(within) < 1.001 * min(within)


def test_the_grid_names_every_candidate_once_and_says_what_was_sampled():
    tried = grid(np.random.default_rng(0).normal(size=(25_000, 12)), 4)
    ids = [candidate.candidate_id for candidate in tried]
    assert len(ids) == len(set(ids))
    assert ids[:4] == ["kmeans-2", "kmeans-3", "kmeans-4", "ward-2"]
    assert [one for one in ids if one.startswith("hdbscan")] == [f"hdbscan-{size}" for size in (200, 400, 800, 1600)]
    density = [candidate.params for candidate in tried if "scan" in candidate.family]
    assert all(params["sample"] == 20_000 and params["components"] == 6 for params in density)


def test_the_grid_for_customers_who_are_all_alike_has_no_radius_to_try():
    assert not [one for one in grid(np.ones((60, 2)), 3) if one.family == "dbscan"]


def test_a_rule_of_unknown_kind_or_with_missing_arrays_is_refused():
    with pytest.raises(ValueError, match="no rule of kind 'magic' has the arrays labels"):
        Rule("magic", {"labels": np.zeros(1)})
    with pytest.raises(ValueError, match="no rule of kind 'nearest_centre'"):
        Rule("nearest_centre", {"labels": np.zeros(1)})
