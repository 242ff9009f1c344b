"""All candidates judged alike; one proposed, by a rule that can be read off the table, and a reason for every other."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score, silhouette_score

from segkit.clustering.methods import METHODS
from segkit.preprocessing.prepare import fit_matrix
from segkit.runtime.errors import InputError
from segkit.runtime.parameters import Parameters
from segkit.runtime.tables.schema import TABLES
from segkit.validation import internal as criteria
from segkit.validation.compare import align_labels, compare_segmentations
from segkit.validation.selection import agreement, choose

PARAMETERS = Parameters(max_segments=5, min_customers=10)
SMALL = Parameters(min_segments=2, max_segments=2)


def shop(seed=0, sizes=(120, 80, 50)):
    """Three kinds of customers: many small new ones, regulars, rare big spenders."""
    random = np.random.default_rng(seed)
    kind = np.repeat([0, 1, 2], sizes)
    table = {
        "days_since_last_order": random.normal([30, 60, 300], 8, (len(kind), 3))[range(len(kind)), kind]
        .round()
        .clip(0),
        "order_count": random.poisson(np.array([2, 40, 6])[kind]) + 1.0,
        "spend": np.exp(random.normal(np.array([3, 6, 9])[kind], 0.3)),
    }
    ids = pd.Index([f"c{number:03d}" for number in range(len(kind))], name="customer_id")
    return pd.DataFrame(table, index=ids), kind


def compare(features, parameters=PARAMETERS, **others):
    dictionary = pd.DataFrame(
        {"family": ["lifecycle", "lifecycle", "value"], "kind": ["days", "count", "money"]}, index=list(features)
    )
    return compare_segmentations(features, fit_matrix(features, dictionary), parameters, jobs=1, **others)


@pytest.fixture(scope="module")
def compared():
    return compare(shop()[0])


@pytest.fixture(scope="module")
def chosen(compared):
    return choose(compared.candidates, compared.labels, PARAMETERS)


def test_every_family_stands_in_one_table_with_its_columns(compared):
    assert list(compared.candidates) == list(TABLES["candidates"].columns)
    assert set(compared.candidates["family"]) == {"rfm", "tiers", *METHODS}
    ids = compared.candidates["candidate_id"].to_list()
    assert ids == list(compared.labels) == list(compared.fits) == list(compared.grid)
    assert compared.timings["candidate_id"].to_list() == ids


def test_shares_and_sizes_are_those_of_the_labels(compared):
    for row in compared.candidates.itertuples():
        sizes = compared.labels[row.candidate_id].value_counts(normalize=True)
        assert row.noise_share == pytest.approx(sizes.get(-1, 0.0))
        sizes = sizes.drop(-1, errors="ignore")
        assert row.segments == len(sizes)
        assert np.isnan(row.smallest_share) if sizes.empty else row.smallest_share == pytest.approx(sizes.min())


def test_criteria_that_dont_apply_are_null(compared):
    table = compared.candidates.set_index("candidate_id")
    assert table.loc[table["family"] != "gmm", ["bic", "icl"]].isna().all(axis=None)
    assert table.loc[table["family"] == "gmm", ["bic", "icl"]].notna().all(axis=None)
    assert table.loc[~table["family"].isin(["hdbscan", "dbscan"]), "dbcv"].isna().all()
    assert table.loc[table["noise_share"] > 0, "within_ss"].isna().all()
    assert table[["gap", "structure", "forward_share", "stability_ari", "separated_share"]].isna().all(axis=None)


def test_a_candidate_can_be_fitted_again_from_its_row(compared):
    row = compared.candidates.set_index("candidate_id").loc["gmm-tied-3"]
    candidate = compared.grid["gmm-tied-3"]
    assert json.loads(row["params"]) == candidate.params == {"k": 3, "covariance": "tied"}
    assert row["family"] == candidate.family


def test_what_is_planted_is_proposed(compared, chosen):
    proposed = chosen.loc[chosen["chosen"], "candidate_id"].to_list()
    assert proposed == ["kmeans-3"]
    assert adjusted_rand_score(shop()[1], compared.labels["kmeans-3"]) > 0.99


def test_every_candidate_has_a_reason(chosen):
    assert chosen["reason"].str.endswith(".").all()
    reasons = chosen.set_index("candidate_id")["reason"]
    assert reasons["kmeans-2"] == "Not feasible: 2 segments, and at least 3 are wanted."
    assert reasons["kmeans-3"].startswith("Other families see much the same segments (adjusted Rand index 0.9")
    assert reasons["ward-3"].startswith("As agreed on, as far apart and as many segments as kmeans-3")
    assert "A rule to be beaten" in reasons["rfm-10"]


def test_the_order_of_customers_changes_nothing(compared):
    again = compare(shop()[0].sample(frac=1, random_state=1))
    pd.testing.assert_frame_equal(again.candidates, compared.candidates, rtol=1e-9)
    pd.testing.assert_frame_equal(again.labels.sort_index(), compared.labels)


def test_the_same_inputs_give_the_same_tables_on_any_number_of_processes(compared):
    features = shop()[0]
    dictionary = pd.DataFrame({"family": "value", "kind": "number"}, index=list(features))
    matrix = fit_matrix(features, dictionary)
    one, two = (compare_segmentations(features, matrix, SMALL, jobs=jobs) for jobs in (1, 2))
    pd.testing.assert_frame_equal(one.candidates, two.candidates, check_exact=True)
    pd.testing.assert_frame_equal(one.labels, two.labels, check_exact=True)


def test_baselines_are_absent_where_the_features_lack_their_columns():
    features = shop()[0].rename(columns={"spend": "taste"})
    dictionary = pd.DataFrame({"family": "value", "kind": "number"}, index=list(features))
    made = compare_segmentations(features, fit_matrix(features, dictionary), PARAMETERS, jobs=1)
    assert not {"rfm", "tiers"} & set(made.candidates["family"])


def test_progress_counts_to_the_end():
    seen = []
    compare(shop()[0], SMALL, progress=lambda done, total, what: seen.append((done, total)))
    assert [done for done, _ in seen] == list(range(1, seen[-1][1] + 1))


def test_the_analyst_overrules_and_both_are_named(compared):
    table = choose(compared.candidates, compared.labels, PARAMETERS, choice="ward-4").set_index("candidate_id")
    assert table.index[table["chosen"]].to_list() == ["ward-4"]
    assert table.loc["ward-4", "reason"] == "Chosen by the analyst; segkit proposed kmeans-3."
    assert table.loc["kmeans-3", "reason"].endswith("The analyst chose ward-4 instead.")


def test_the_analyst_may_choose_what_breaks_a_limit_and_it_is_said(compared):
    table = choose(compared.candidates, compared.labels, PARAMETERS, choice="kmeans-2").set_index("candidate_id")
    assert table.loc["kmeans-2", "chosen"]
    assert not table.loc["kmeans-2", "feasible"]
    assert table.loc["kmeans-2", "reason"].endswith("It breaks a limit: 2 segments, and at least 3 are wanted.")


def test_an_unknown_choice_is_refused_with_near_ones(compared):
    with pytest.raises(InputError, match="choice 'kmean-3' is no candidate; near: kmeans-3"):
        choose(compared.candidates, compared.labels, PARAMETERS, choice="kmean-3")


def test_where_nothing_is_feasible_the_rfm_map_is_proposed(compared):
    strict = Parameters(max_segments=5, min_share=0.5, min_customers=10)
    table = choose(compared.candidates, compared.labels, strict).set_index("candidate_id")
    assert table.index[table["chosen"]].to_list() == ["rfm-10"]
    assert "No learned segmentation is within the limits (closest is" in table.loc["rfm-10", "reason"]


def test_where_there_is_no_rfm_map_either_it_is_an_error_that_names_the_limits(compared):
    learned = compared.candidates[~compared.candidates["family"].isin(["rfm", "tiers"])]
    with pytest.raises(InputError, match="no candidate is within the limits .*relax min_segments, min_share"):
        choose(learned, compared.labels, Parameters(max_segments=5, min_share=0.5))


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ({"min_segments": 4}, "3 segments, and at least 4 are wanted"),
        (
            {"max_segments": 3, "min_segments": 2, "min_share": 0.21},
            "has 50 of 250 customers, and at least 21.0 % are wanted",
        ),
        ({"min_customers": 51}, "has 50 of 250 customers, and at least 51 are wanted"),
    ],
)
def test_a_limit_that_is_broken_is_named_with_its_figure(compared, limit, reason):
    table = choose(compared.candidates, compared.labels, Parameters(**limit), choice="tiers-5")
    assert reason in table.set_index("candidate_id").loc["kmeans-3", "reason"]


def test_a_segment_that_does_not_come_back_is_a_reason(compared):
    table = compared.candidates.assign(stability_jaccard_min=0.7)
    table.loc[table["candidate_id"] == "kmeans-3", "stability_jaccard_min"] = 0.59
    found = choose(table, compared.labels, PARAMETERS).set_index("candidate_id")
    reason = "Not feasible: a segment doesn't come back (mean Jaccard index 0.59, below 0.6)."
    assert found.loc["kmeans-3", ["feasible", "chosen", "reason"]].tolist() == [False, False, reason]
    assert found.loc["ward-3", "feasible"]


def test_customers_left_out_beyond_max_noise_are_a_reason():
    labels = pd.DataFrame({"dbscan-1": [0, 0, 1, -1], "rfm-10": [0, 0, 0, 0]})
    candidates = pd.DataFrame({"candidate_id": list(labels), "family": ["dbscan", "rfm"], "segments": [2, 1]})
    candidates = candidates.assign(noise_share=[0.25, 0.0], smallest_share=[0.25, 1.0], silhouette=0.5)
    table = choose(candidates, labels, Parameters(min_segments=2, min_customers=1))
    assert table["reason"][0] == "Not feasible: it leaves out 25.0 % of customers, and at most 20.0 % are allowed."


def test_agreement_is_with_other_families_of_about_as_many_segments():
    labels = pd.DataFrame({"a-2": [0, 0, 1, 1], "a-3": [0, 1, 2, 2], "b-2": [1, 1, 0, 0], "c-9": [0, 1, 0, 1]})
    candidates = pd.DataFrame({"candidate_id": list(labels), "family": list("aabc"), "segments": [2, 3, 2, 9]})
    found = agreement(candidates, labels)
    assert found["a-2"] == 1
    assert found["a-3"] == pytest.approx(adjusted_rand_score([0, 1, 2, 2], [1, 1, 0, 0]))
    assert found["b-2"] == pytest.approx((found["a-2"] + found["a-3"]) / 2)
    assert np.isnan(found["c-9"])


def test_silhouettes_are_the_librarys_and_customers_left_out_count_nothing():
    X, kind = np.random.default_rng(0).normal(size=(300, 3)), np.repeat([0, 1, 2], 100)
    some_out = np.where(np.arange(300) % 3 == 0, -1, kind)
    inside = some_out >= 0
    found = criteria.silhouettes(X, np.column_stack([kind, some_out, np.zeros(300, int)]), seed=0)
    assert found[0] == pytest.approx(silhouette_score(X, kind))
    assert found[1] == pytest.approx(silhouette_score(X[inside], kind[inside]) * inside.mean())
    assert np.isnan(found[2])


def test_a_sampled_silhouette_is_near_the_exact_one(monkeypatch):
    X, kind = np.random.default_rng(0).normal(size=(3000, 2)), np.arange(3000) % 2
    X[kind == 1] += 3
    exact = criteria.silhouettes(X, kind[:, None], seed=0)[0]
    monkeypatch.setattr(criteria, "SILHOUETTE_EXACT", 1000)
    assert criteria.silhouettes(X, kind[:, None], seed=0)[0] == pytest.approx(exact, abs=0.02)


def test_aligned_labels_give_the_same_customers_the_same_label(compared):
    labels = compared.labels[["kmeans-3", "ward-3", "kmeans-5", "hdbscan-5"]]
    aligned = align_labels(labels, "kmeans-3")
    assert (aligned["ward-3"] == labels["kmeans-3"]).mean() > 0.98
    assert (aligned["kmeans-3"] == labels["kmeans-3"]).all()
    assert aligned["kmeans-5"].nunique() == 5
    assert ((aligned["hdbscan-5"] < 0) == (labels["hdbscan-5"] < 0)).all()
