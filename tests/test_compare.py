"""All candidates judged alike; one proposed, by a rule that can be read off the table, and a reason for every other."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score, silhouette_score

from segkit.clustering.families import BASELINES, FAMILIES
from segkit.features.build import CustomerFeatures
from segkit.preprocessing.prepare import prepare
from segkit.runtime.errors import InputError
from segkit.runtime.tables.schema import TABLES
from segkit.validation import internal as criteria
from segkit.validation.candidates import Candidates, empty_table
from segkit.validation.compare import align_labels, compare
from segkit.validation.selection import Limits, choose

LIMITS = Limits(max_segments=5, min_customers=10)


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


def compared_of(features, segments=range(2, 6), **others):
    families, kinds = ["lifecycle", "lifecycle", "value"], ["days", "count", "money"]
    dictionary = pd.DataFrame({"family": families, "kind": kinds}, index=list(features))
    return compare(prepare(CustomerFeatures(features, dictionary, {}, None, 365)), segments=segments, jobs=1, **others)


@pytest.fixture(scope="module")
def compared():
    return compared_of(shop()[0])


@pytest.fixture(scope="module")
def chosen(compared):
    return choose(compared, LIMITS).table


def small_candidates(labels, families, **columns):
    """Candidates made of labels alone, such as no method would find."""
    sizes = [own[own >= 0].value_counts(normalize=True) for _, own in labels.items()]
    table = {"candidate_id": list(labels), "family": families, "params": "{}", "customers": len(labels)}
    table |= {"segments": [len(one) for one in sizes], "smallest_share": [one.min() for one in sizes]}
    rows = pd.DataFrame(table | {"noise_share": (labels < 0).mean().to_numpy()} | columns)
    return Candidates(empty_table(rows), labels, pd.DataFrame(), (*BASELINES, *FAMILIES), (2,), None)


def test_every_family_stands_in_one_table_with_its_columns(compared):
    assert list(compared.table) == list(TABLES["candidates"].columns)
    assert set(compared.table["family"]) == {"rfm", "tiers", *(family.name for family in FAMILIES)} - {"predictive"}
    ids = compared.table["candidate_id"].to_list()
    assert ids == list(compared.labels) == list(compared.grid)
    assert compared.timings["candidate_id"].to_list() == ids


def test_shares_and_sizes_are_those_of_the_labels(compared):
    for row in compared.table.itertuples():
        sizes = compared.labels[row.candidate_id].value_counts(normalize=True)
        assert row.noise_share == pytest.approx(sizes.get(-1, 0.0))
        sizes = sizes.drop(-1, errors="ignore")
        assert row.segments == len(sizes)
        assert np.isnan(row.smallest_share) if sizes.empty else row.smallest_share == pytest.approx(sizes.min())


def test_criteria_that_dont_apply_are_null(compared):
    table = compared.table.set_index("candidate_id")
    assert table.loc[table["family"] != "gmm", ["bic", "icl"]].isna().all(axis=None)
    assert table.loc[table["family"] == "gmm", ["bic", "icl"]].notna().all(axis=None)
    assert table.loc[~table["family"].isin(["hdbscan", "dbscan"]), "dbcv"].isna().all()
    assert table.loc[table["noise_share"] > 0, "within_ss"].isna().all()
    assert table[["gap", "structure", "forward_share", "stability_ari", "separated_share"]].isna().all(axis=None)


def test_a_candidate_can_be_fitted_again_from_its_row(compared):
    row = compared.table.set_index("candidate_id").loc["gmm-tied-3"]
    candidate = compared.grid["gmm-tied-3"]
    assert json.loads(row["params"]) == candidate.params == {"k": 3, "covariance": "tied"}
    assert row["family"] == candidate.family


def test_a_mixture_with_more_parameters_than_customers_is_named_and_not_fitted():
    features = pd.DataFrame(np.random.default_rng(0).normal(size=(120, 12)).cumsum(axis=1)).add_prefix("habit_")
    compared = choose(compare(prepare(features), FAMILIES[:3], [2, 3]), Limits(min_segments=2, min_customers=5))
    table = compared.table.set_index("candidate_id")
    assert table.loc["gmm-full-2", ["segments", "feasible", "reason"]].to_list() == [
        2, False, "not fitted: 181 parameters for 120 customers",
    ]  # fmt: skip
    assert table.loc["gmm-full-2", ["bic", "silhouette", "smallest_share"]].isna().all()
    assert "gmm-full-2" not in compared.labels
    assert "gmm-tied-2" in compared.labels
    with pytest.raises(InputError, match="choice 'gmm-full-2' was not fitted: 181 parameters for 120 customers"):
        choose(compared, choice="gmm-full-2")


def test_what_is_planted_is_proposed(compared, chosen):
    proposed = chosen.loc[chosen["chosen"], "candidate_id"].to_list()
    assert proposed == ["kmeans-3"]
    assert adjusted_rand_score(shop()[1], compared.labels["kmeans-3"]) > 0.99


def test_every_candidate_has_a_reason(chosen):
    assert chosen["reason"].str.endswith(".").all()
    reasons = chosen.set_index("candidate_id")["reason"]
    assert reasons["kmeans-2"] == "Not feasible: 2 segments, and at least 3 are wanted."
    assert reasons["kmeans-3"].startswith("Its segments lie farthest apart (silhouette 0.")
    assert reasons["ward-3"].startswith("As far apart and as many segments as kmeans-3")
    assert "A rule to be beaten" in reasons["rfm-10"]


def test_the_order_of_customers_changes_nothing(compared):
    again = compared_of(shop()[0].sample(frac=1, random_state=1))
    pd.testing.assert_frame_equal(again.table, compared.table, rtol=1e-9)
    pd.testing.assert_frame_equal(again.labels.sort_index(), compared.labels)


def test_the_same_inputs_give_the_same_tables_on_any_number_of_processes(monkeypatch, tmp_path):
    matrix, tables = prepare(shop()[0]), []
    for jobs in (1, 2):
        monkeypatch.setattr("segkit.runtime.cache.CACHE", tmp_path / str(jobs))
        tables.append(compare(matrix, segments=[2], jobs=jobs))
    pd.testing.assert_frame_equal(tables[0].table, tables[1].table, check_exact=True)
    pd.testing.assert_frame_equal(tables[0].labels, tables[1].labels, check_exact=True)


def test_what_was_compared_once_is_not_fitted_again(compared, monkeypatch):
    monkeypatch.setattr("segkit.validation.compare.fit_all", lambda *more, **others: pytest.fail("fitted again"))
    pd.testing.assert_frame_equal(compared_of(shop()[0]).table, compared.table)


def test_baselines_are_absent_where_the_features_lack_their_columns():
    made = compare(prepare(shop()[0].rename(columns={"spend": "taste"})), FAMILIES[:1], [2])
    assert set(made.table["family"]) == {"kmeans"}


def test_candidates_come_back_from_their_tables_without_the_matrix(compared):
    made = choose(compared, LIMITS)
    back = Candidates.from_tables(made.to_tables())
    pd.testing.assert_frame_equal(back.table, made.table)
    assert (back.proposed, back.verdict, repr(back)) == (made.proposed, made.verdict, repr(made))
    with pytest.raises(InputError, match="loaded from tables"):
        back.known_matrix()


def test_the_analyst_overrules_and_both_are_named(compared):
    table = choose(compared, LIMITS, "ward-4").table.set_index("candidate_id")
    assert table.index[table["chosen"]].to_list() == ["ward-4"]
    assert table.loc["ward-4", "reason"] == "Chosen by the analyst; segkit proposed kmeans-3."
    assert table.loc["kmeans-3", "reason"].endswith("The analyst chose ward-4 instead.")


def test_the_analyst_may_choose_what_breaks_a_limit_and_it_is_said(compared):
    table = choose(compared, LIMITS, "kmeans-2").table.set_index("candidate_id")
    assert table.loc["kmeans-2", "chosen"]
    assert not table.loc["kmeans-2", "feasible"]
    assert table.loc["kmeans-2", "reason"].endswith("It breaks a limit: 2 segments, and at least 3 are wanted.")


def test_an_unknown_choice_is_refused_with_near_ones(compared):
    with pytest.raises(InputError, match="choice 'kmean-3' is no candidate; near: kmeans-3"):
        choose(compared, LIMITS, "kmean-3")


def test_where_nothing_is_feasible_the_rfm_map_is_proposed(compared):
    strict = Limits(max_segments=5, min_share=0.5, min_customers=10)
    table = choose(compared, strict).table.set_index("candidate_id")
    assert table.index[table["chosen"]].to_list() == ["rfm-10"]
    assert "No learned segmentation is within the limits (closest is" in table.loc["rfm-10", "reason"]


def test_where_there_is_no_rfm_map_either_it_is_an_error_that_names_the_limits(compared):
    learned = replace(compared, table=compared.table[~compared.is_baseline].reset_index(drop=True))
    with pytest.raises(InputError, match="no candidate is within the limits .*relax min_segments, min_share"):
        choose(learned, Limits(max_segments=5, min_share=0.5))


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
    table = choose(compared, Limits(**limit), "tiers-5").table
    assert reason in table.set_index("candidate_id").loc["kmeans-3", "reason"]


def test_a_segment_that_does_not_come_back_is_a_reason(compared):
    table = compared.table.assign(stability_jaccard_min=0.7)
    table.loc[table["candidate_id"] == "kmeans-3", "stability_jaccard_min"] = 0.59
    found = choose(replace(compared, table=table), LIMITS).table.set_index("candidate_id")
    reason = "Not feasible: a segment doesn't come back (mean Jaccard index 0.59, below 0.6)."
    assert found.loc["kmeans-3", ["feasible", "chosen", "reason"]].tolist() == [False, False, reason]
    assert found.loc["ward-3", "feasible"]


def test_customers_left_out_beyond_max_noise_are_a_reason():
    labels = pd.DataFrame({"dbscan-1": [0, 0, 1, -1], "rfm-10": [0, 0, 0, 0]})
    made = choose(small_candidates(labels, ["dbscan", "rfm"]), Limits(min_segments=2, min_customers=1))
    assert made.table["reason"][0] == "Not feasible: it leaves out 25.0 % of customers, and at most 20.0 % are allowed."


def test_too_few_customers_for_the_limits_are_refused(compared):
    with pytest.raises(InputError, match="250 customers; 300 are the fewest for min_segments 3 x min_customers 100"):
        Limits(min_customers=100).check(compared.matrix.customers)


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


def test_a_notebook_shows_a_screen_of_candidates_the_chosen_one_first(compared):
    html = choose(compared, LIMITS)._repr_html_()
    assert html.count("<tr") == 21
    assert html.index("<td>True</td>") < html.index("</tr>", html.index("<tbody>"))
    assert f"{len(compared.table) - 20} more are in" in html
