"""Criteria, stability and comparisons with nulls, on small sets whose answer is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import psutil
import pytest

from segkit.clustering.families import FAMILIES
from segkit.clustering.fit import Sample
from segkit.clustering.kmeans import KMEANS
from segkit.preprocessing.prepare import prepare
from segkit.runtime.parallel import end_processes, run_tasks
from segkit.validation.compare import compare
from segkit.validation.group_counts import gap_statistic, pairs_kept, prediction_strength
from segkit.validation.nulls import NullComparison, compare_with_null, copula_sample
from segkit.validation.resample import resample, weigh
from segkit.validation.selection import Limits
from segkit.validation.stability import Recipe, resample_rows, resample_stability
from segkit.validation.sureness import resample_rules
from segkit.validation.verdict import candidate_verdict


def three_lumps(n=240):
    centres = np.array([[0, 0], [8, 0], [0, 8]])
    return np.random.default_rng(0).normal(size=(n, 2)) + centres[np.arange(n) % 3]


def kmeans(*ks):
    return {f"kmeans-{k}": ("kmeans", {"k": k}) for k in ks}


def stability(X, candidates, **more):
    families, sample = {family.name: family for family in FAMILIES}, Sample(X)
    recipes = {
        name: Recipe(families[family], params, families[family].fit(sample, seed=0, **params).labels)
        for name, (family, params) in candidates.items()
    }
    return resample_stability(dict.fromkeys(families, sample), recipes, seed=0, **{"resamples": 10} | more)


def strengths(X, *ks):
    found = prediction_strength(Sample(X), {k: Recipe(KMEANS, {"k": k}) for k in ks}, seed=0, splits=4)
    return found.loc[found["enough"], "candidate_id"].max()


def test_fits_made_for_stability_say_of_the_confidence_what_new_ones_say():
    X = three_lumps()
    sample, recipe = Sample(X), Recipe(KMEANS, {"k": 4}, KMEANS.fit(Sample(X), seed=0, k=4).labels)
    fits = resample_stability({"kmeans": sample}, {"one": recipe}, seed=0, resamples=6, give_up=0).fits["one"]
    again = [resample_rules(sample, recipe, seed=0, resamples=8, known=known) for known in (fits, ())]
    assert len(fits) == 6
    for one, other in zip(*again, strict=True):
        np.testing.assert_array_equal(one.assign(X)[0], other.assign(X)[0])


def test_gap_and_prediction_strength_choose_three_of_three_lumps():
    X = three_lumps()
    gaps = gap_statistic(X, 5, seed=0, references=10, restarts=2)
    assert gaps.query("choice")["segments"].tolist() == [3, 3]
    assert strengths(X, 2, 3, 4, 5) == 3


def test_gap_and_prediction_strength_choose_one_of_a_single_cloud():
    X = np.random.default_rng(1).normal(size=(300, 3))
    assert gap_statistic(X, 4, seed=0, references=10, restarts=2).query("choice")["segments"].tolist() == [1, 1]
    assert strengths(X, 1, 3, 4) == 1


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
    found = stability(three_lumps(), kmeans(3))
    assert found.candidates["stability_ari"].tolist() == pytest.approx([1], abs=0.03)
    assert found.segments["dissolved"].tolist() == [0, 0, 0]
    assert found.segments["customers"].sum() == 240


def test_a_lump_cut_in_two_dissolves():
    X = np.random.default_rng(2).normal(size=(300, 4))
    found = stability(X, kmeans(4))
    assert found.candidates["stability_jaccard_min"].iloc[0] < 0.75


def test_a_candidate_that_cannot_be_feasible_is_given_up_and_says_after_how_many_resamples():
    X = np.random.default_rng(2).normal(size=(300, 4))
    found = stability(X, kmeans(2, 8), resamples=24)
    resamples = found.segments.groupby("candidate_id")["resamples"].first()
    least = found.candidates.set_index("candidate_id")["stability_jaccard_min"]
    assert resamples["kmeans-8"] in (8, 12, 20)
    assert least["kmeans-8"] < 0.5
    whole = stability(X, kmeans(8), resamples=24, give_up=0).candidates.iloc[0]
    assert whole["resamples"] == 24
    assert whole["stability_jaccard_min"] == pytest.approx(least["kmeans-8"], abs=0.1)


def test_where_nothing_is_within_the_limits_the_tables_are_empty_and_have_their_columns():
    found = weigh(prepare(pd.DataFrame(three_lumps())), {})
    tables = found["stability"].segments, found["separation"].candidates, found["separation"].pairs, found["verdicts"]
    assert all(table.empty and "candidate_id" in table for table in tables)


def test_above_a_thousand_customers_stability_is_also_read_at_a_thousand():
    X = three_lumps(1203)
    found = stability(X, kmeans(3) | {"ward-3": ("hierarchical", {"k": 3})}, limit=1100)
    assert found.candidates["sample_size"].to_list() == [1100, 1203 * 1100 // 2303]
    ends = found.candidates[["stability_ari_1000_low", "stability_ari_1000", "stability_ari_1000_high"]]
    assert (np.diff(ends.to_numpy(), axis=1) >= 0).all()


@pytest.mark.parametrize("halves", [False, True])
def test_readings_at_a_thousand_repeat_customers_except_where_duplicates_mislead(halves):
    seen, sample = [], Sample(three_lumps(1203))

    def refit(customers, **settings):
        seen.append((len(customers), len(np.unique(customers.X, axis=0))))
        return KMEANS.refit(customers, **settings)

    recipe = Recipe(replace(KMEANS, refit=refit, halves=halves), {"k": 3}, np.arange(1203) % 3)
    resample_stability({"kmeans": sample}, {"kmeans-3": recipe}, seed=0, resamples=2)
    drawn, distinct = seen[-1]
    expected = 1000 if halves else 1203 * (1 - np.exp(-1000 / 1203))
    assert (drawn, distinct) == (1000, pytest.approx(expected, rel=0.05))


def test_the_same_seed_gives_the_same_tables():
    X = three_lumps()
    once, again = (stability(X, kmeans(2, 3)) for _ in range(2))
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
    recipe = Recipe(KMEANS, {"k": 3})
    assert compare_with_null(Sample(lumps), recipe, 0.99, seed=0, samples=5, fits=3).exceeded
    within = compare_with_null(Sample(sphere), recipe, 0.1, seed=0, samples=5, fits=3)
    assert not within.exceeded
    assert len(within.null) == 1  # the first is enough to know


def test_a_null_sample_that_cannot_reach_the_candidate_is_fitted_no_further():
    X, counted = np.random.default_rng(7).normal(size=(240, 4)), []

    def cut(*rows, **settings):
        counted.append(1)
        return KMEANS.cut(*rows, **settings)

    recipe, settings = Recipe(replace(KMEANS, cut=cut), {"k": 4}), {"seed": 0, "samples": 5, "fits": 4}
    assert compare_with_null(Sample(X), recipe, 0.99, **settings).exceeded
    assert 10 <= len(counted) < 20
    assert len(compare_with_null(Sample(X), recipe, -1.0, **settings).null) == 1


def test_the_copula_null_keeps_correlations_and_nothing_else():
    draw = np.random.default_rng(0)
    X = draw.normal(size=(2000, 2)) @ np.array([[1, 0.8], [0, 0.6]])
    assert np.corrcoef(copula_sample(X, draw).T)[0, 1] == pytest.approx(0.8, abs=0.05)
    cross = draw.normal(size=(240, 2)) + 8 * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])[np.arange(240) % 4]
    found = compare_with_null(Sample(cross), Recipe(KMEANS, {"k": 4}), 0.99, seed=0, null="copula", samples=5)
    assert found.exceeded  # columns alone make nine places of the four


def test_an_unknown_null_is_refused():
    with pytest.raises(ValueError, match="'spherical' or 'copula'"):
        compare_with_null(Sample(three_lumps()), Recipe(KMEANS, {"k": 3}), 0.9, seed=0, null="uniform")


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
    lumps = pd.DataFrame(three_lumps(600), columns=["across", "up"])
    candidates = compare(prepare(lumps), FAMILIES[:1], [3, 5])
    verdicts = resample(candidates, limits=Limits(), draws=10).verdicts.set_index("candidate_id")
    assert verdicts.loc["kmeans-3", "structure"] == "natural"
    assert verdicts.loc["kmeans-5", "structure"] != "natural"
