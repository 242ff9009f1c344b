"""Criteria, stability and comparisons with nulls, on small sets whose answer is known."""

import numpy as np
import psutil
import pytest

from segkit.runtime.parallel import end_processes, run_tasks
from segkit.validation.families import candidate_recipe
from segkit.validation.gap import gap_statistic
from segkit.validation.gather import gather_evidence
from segkit.validation.nulls import NullComparison, compare_with_null, copula_sample
from segkit.validation.prediction_strength import pairs_kept, prediction_strength, strongest
from segkit.validation.resampling import Recipe, resample_rows
from segkit.validation.stability import resample_stability
from segkit.validation.verdict import candidate_verdict


def three_lumps(n=240):
    centres = np.array([[0, 0], [8, 0], [0, 8]])
    return np.random.default_rng(0).normal(size=(n, 2)) + centres[np.arange(n) % 3]


def recipes(X, *ks):
    return {f"kmeans-{k}": candidate_recipe("kmeans", {"k": k}, len(X)) for k in ks}


def stability(X, candidates, **more):
    fits = {name: recipe.fit(X, seed=0, dequantised=None) for name, recipe in candidates.items()}
    return resample_stability(X, candidates, fits, seed=0, **{"resamples": 10} | more)


def test_gap_and_prediction_strength_choose_three_of_three_lumps():
    X = three_lumps()
    gaps = gap_statistic(X, 5, seed=0, references=10, restarts=2)
    assert gaps.query("choice")["segments"].tolist() == [3, 3]
    strengths = prediction_strength(X, recipes(X, 2, 3, 4, 5), seed=0, splits=4)
    assert strongest(strengths, {f"kmeans-{k}": k for k in (2, 3, 4, 5)}) == 3


def test_gap_and_prediction_strength_choose_one_of_a_single_cloud():
    X = np.random.default_rng(1).normal(size=(300, 3))
    assert gap_statistic(X, 4, seed=0, references=10, restarts=2).query("choice")["segments"].tolist() == [1, 1]
    strengths = prediction_strength(X, recipes(X, 3, 4), seed=0, splits=4)
    assert strongest(strengths, {"kmeans-3": 3, "kmeans-4": 4}) == 1


def test_gap_of_one_segment_is_the_spread_of_the_box_over_that_of_the_customers():
    X = np.array([[-1.0], [1.0]] * 50)  # uniform over [-1, 1] has a third of this variance
    gaps = gap_statistic(X, 1, seed=0, references=60, restarts=1)
    assert gaps["gap"].iloc[0] == pytest.approx(np.log(1 / 3), abs=0.03)


def test_gap_compares_with_a_box_along_the_axes_of_the_cloud_and_once_without_those_farthest_off():
    draw = np.random.default_rng(0)
    straight = draw.uniform(size=(400, 2)) * [9, 0.3]
    gaps = gap_statistic(straight @ np.array([[0.8, 0.6], [-0.6, 0.8]]), 2, seed=0, references=10, restarts=1)
    assert gaps["gap"].to_numpy() == pytest.approx(0, abs=0.1)  # the box holds the cloud, turned as it is
    assert gaps["sample_size"].tolist() == [400, 400, 398, 398]


def test_gap_chooses_the_fewest_that_are_within_an_error_of_the_next():
    found = gap_statistic(np.random.default_rng(3).uniform(size=(200, 2)), 6, seed=0, references=10, restarts=2)
    for _, own in found.groupby("customers"):
        gap, error = own["gap"].to_numpy(), own["gap_error"].to_numpy()
        assert own["choice"].to_numpy().argmax() == np.flatnonzero(gap[:-1] >= gap[1:] - error[1:])[0]
        assert (error > 0).all()


def test_prediction_strength_is_that_of_the_worst_segment():
    labels, foretold = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 0, 0])
    assert pairs_kept(labels, foretold) == 2 / 6  # of six pairs in segment 0 two stay together
    assert pairs_kept(labels, labels) == 1


def test_far_lumps_come_back_every_time():
    found = stability(three_lumps(), recipes(three_lumps(), 3))
    assert found.candidates["stability_ari"].tolist() == pytest.approx([1], abs=0.03)
    assert found.segments["dissolved"].tolist() == [0, 0, 0]
    assert found.segments["customers"].sum() == 240


def test_a_lump_cut_in_two_dissolves():
    X = np.random.default_rng(2).normal(size=(300, 4))
    found = stability(X, recipes(X, 4))
    assert found.candidates["stability_jaccard_min"].iloc[0] < 0.75


def test_a_candidate_that_cannot_be_feasible_is_given_up_and_says_after_how_many_resamples():
    X = np.random.default_rng(2).normal(size=(300, 4))
    found = stability(X, recipes(X, 2, 8), resamples=24)
    resamples = found.segments.groupby("candidate_id")["resamples"].first()
    least = found.candidates.set_index("candidate_id")["stability_jaccard_min"]
    assert resamples["kmeans-8"] in (8, 12, 20)
    assert least["kmeans-8"] < 0.5
    whole = stability(X, recipes(X, 8), resamples=24, give_up=0).candidates.iloc[0]
    assert whole["resamples"] == 24
    assert whole["stability_jaccard_min"] == pytest.approx(least["kmeans-8"], abs=0.1)


def test_where_nothing_is_within_the_limits_the_tables_are_empty_and_have_their_columns():
    found = gather_evidence(three_lumps(), {}, {}, seed=0)
    tables = found.stability.segments, found.separation.candidates, found.separation.pairs, found.verdicts
    assert all(table.empty and "candidate_id" in table for table in tables)


def test_above_a_thousand_customers_stability_is_also_read_at_a_thousand():
    X = three_lumps(1203)
    found = stability(X, recipes(X, 3) | {"ward-3": candidate_recipe("hierarchical", {"k": 3}, len(X))}, limit=1100)
    sizes = found.pairs.groupby(["candidate_id", "customers"])["sample_size"].first()
    assert sizes["kmeans-3"].to_dict() == {"1000": 1000, "resample": 1100}
    assert sizes["ward-3", "resample"] == 1203 * 1100 // 2303
    assert len(found.rows) == 1100
    ends = found.candidates[["stability_ari_1000_low", "stability_ari_1000", "stability_ari_1000_high"]]
    assert (np.diff(ends.to_numpy(), axis=1) >= 0).all()


def test_readings_at_a_thousand_repeat_customers_except_where_duplicates_mislead():
    seen = {}

    def noting(name, recipe):
        def fit(X, **settings):
            seen.setdefault(name, []).append((len(X), len(np.unique(X, axis=0))))
            return recipe.sample_fit(X, **settings)

        return fit

    X = three_lumps(1203)
    own = recipes(X, 3)["kmeans-3"]
    found = {name: Recipe(own.fit, noting(name, own), halves=name == "halves") for name in ("bootstraps", "halves")}
    stability(X, found, resamples=2)
    assert seen["halves"][-1] == (1000, 1000)
    drawn, distinct = seen["bootstraps"][-1]
    assert (drawn, round(distinct / 1203, 1)) == (1000, round(1 - np.exp(-1000 / 1203), 1))


def test_density_families_report_agreement_on_who_is_left_out_beside_the_index():
    X = np.r_[three_lumps(600), np.random.default_rng(5).uniform(-6, 14, (60, 2))]
    params = {"min_cluster_size": 60, "min_samples": 10}
    found = stability(X, {"hdbscan-60": candidate_recipe("hdbscan", params, len(X))}).candidates.iloc[0]
    assert found["stability_ari"] > 0.95
    assert 0 < found["left_out_agreement"] < 1


def test_the_same_seed_gives_the_same_tables():
    X = three_lumps()
    once, again = (stability(X, recipes(X, 2, 3)) for _ in range(2))
    assert once.segments.equals(again.segments)


def test_processes_give_results_in_the_order_of_the_tasks_and_can_be_ended():
    assert list(run_tasks(abs, [(-3,), (-1,), (-2,)], jobs=2)) == [3, 1, 2]
    end_processes()
    assert not [one for one in psutil.Process().children(recursive=True) if "popen_loky" in " ".join(one.cmdline())]


def test_bootstraps_repeat_customers_and_halves_do_not():
    assert len(set(resample_rows(100, halves=False, seed=0, number=0))) < 80
    assert set(resample_rows(100, halves=False, seed=0, number=0)) != set(
        resample_rows(100, halves=False, seed=0, number=1)
    )
    half = resample_rows(100, halves=True, seed=0, number=0)
    assert len(half) == len(set(half)) == 50


@pytest.mark.parametrize("n", [200, 300, 2000])
def test_means_over_both_kinds_of_resample_vary_alike_whatever_the_number_of_customers(n):
    values = np.random.default_rng(0).normal(size=n)
    spreads = []
    for halves in (False, True):
        drawn = (resample_rows(n, halves=halves, seed=0, number=number, limit=200) for number in range(2000))
        spreads.append(np.std([values[rows].mean() for rows in drawn]))
    assert spreads[1] == pytest.approx(spreads[0], rel=0.08)


def test_progress_is_told_after_every_task_and_work_can_be_stopped():
    told = []
    tasks = run_tasks(abs, [(-1,), (-2,), (-3,)], progress=lambda *each: told.append(each), what="steps")
    assert next(tasks) == 1
    tasks.close()
    assert told == [(1, 3, "steps")]


def test_lumps_exceed_the_spherical_null_and_a_sphere_does_not():
    lumps, sphere = three_lumps(), np.random.default_rng(7).normal(size=(240, 2))
    recipe = recipes(lumps, 3)["kmeans-3"]
    assert compare_with_null(lumps, recipe, 0.99, seed=0, samples=5, fits=3).exceeded
    within = compare_with_null(sphere, recipe, 0.1, seed=0, samples=5, fits=3)
    assert not within.exceeded
    assert len(within.null) == 1  # the first is enough to know


def test_a_null_sample_that_cannot_reach_the_candidate_is_fitted_no_further():
    X, counted = np.random.default_rng(7).normal(size=(240, 4)), []
    recipe = recipes(X, 4)["kmeans-4"]

    def fit(*rows, **settings):
        counted.append(1)
        return recipe.sample_fit(*rows, **settings)

    settings = {"seed": 0, "samples": 5, "fits": 4}
    assert compare_with_null(X, Recipe(fit), 0.99, **settings).exceeded
    assert 10 <= len(counted) < 20
    assert len(compare_with_null(X, Recipe(fit), -1.0, **settings).null) == 1


def test_the_copula_null_keeps_correlations_and_nothing_else():
    draw = np.random.default_rng(0)
    X = draw.normal(size=(2000, 2)) @ np.array([[1, 0.8], [0, 0.6]])
    assert np.corrcoef(copula_sample(X, draw).T)[0, 1] == pytest.approx(0.8, abs=0.05)
    cross = draw.normal(size=(240, 2)) + 8 * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])[np.arange(240) % 4]
    found = compare_with_null(cross, recipes(cross, 4)["kmeans-4"], 0.99, seed=0, null="copula", samples=5)
    assert found.exceeded  # columns alone make nine places of the four


def test_an_unknown_null_is_refused():
    with pytest.raises(ValueError, match="'spherical' or 'copula'"):
        compare_with_null(three_lumps(), recipes(three_lumps(), 3)["kmeans-3"], 0.9, seed=0, null="uniform")


SEPARATION = {"segments": 3, "all_separated": False, "separated_share": 1 / 3, "undetermined": 1}
SEPARATION |= {"separated_by": "", "splits": ""}
STABILITY = {"stability_ari": 0.9, "stability_jaccard_min": 0.8, "resamples": 100}


def null(*aris, observed=0.9):
    return NullComparison(observed, np.array(aris), 39, max(aris) < observed, 1000)


def test_a_stable_cut_is_reproducible_only_above_the_spherical_null():
    above = candidate_verdict(SEPARATION, STABILITY, null(0.5, 0.6), null(0.7))
    assert above.structure == "reproducible"
    assert "1 of 3 pairs of segments separated, 1 undetermined" in above.why
    assert "correlation alone" not in above.why
    assert "correlation alone" in candidate_verdict(SEPARATION, STABILITY, null(0.5), null(0.95)).why
    assert candidate_verdict(SEPARATION, STABILITY, null(0.95)).structure == "constructive"


def test_one_segment_that_does_not_come_back_makes_a_cut_constructive():
    verdict = candidate_verdict(SEPARATION | {"all_separated": True}, STABILITY | {"stability_jaccard_min": 0.7})
    assert verdict.structure == "constructive"
    assert "0.70 in 100 resamples" in verdict.why


def test_all_evidence_calls_lumps_natural_and_their_finer_cut_not():
    X = three_lumps(600)
    candidates = recipes(X, 3, 5)
    fits = {name: recipe.fit(X, seed=0, dequantised=None) for name, recipe in candidates.items()}
    verdicts = gather_evidence(X, candidates, fits, seed=0, resamples=10).verdicts.set_index("candidate_id")
    assert verdicts.loc["kmeans-3", "structure"] == "natural"
    assert verdicts.loc["kmeans-5", "structure"] != "natural"
