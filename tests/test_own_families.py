"""A family that an analyst defines in a cell goes through everything, as one of segkit's own does."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import MeanShift, SpectralClustering

from segkit.clustering.assign import assign_customers
from segkit.clustering.families import FAMILIES
from segkit.clustering.family import Family
from segkit.clustering.fit import Sample
from segkit.clustering.segmentation import Segmentation
from segkit.preprocessing.prepare import features_from, prepare
from segkit.runtime.content import fingerprint
from segkit.runtime.errors import InputError
from segkit.scoring.sql.model_sql import replay_sql, rules_sql
from segkit.validation import comparison_tables as tables
from segkit.validation.candidates import Candidates
from segkit.validation.compare import compare
from segkit.validation.forward.judge import judge
from segkit.validation.forward.look_back import Future
from segkit.validation.forward.origins import unseen_outcomes
from segkit.validation.resample import resample
from segkit.validation.selection import Limits, choose
from segkit.validation.sureness import cross_segments, fit_segmentation

MEAN_SHIFT = Family.of("meanshift", lambda X, width: MeanShift(bandwidth=width).fit(X), [{"width": 0.4}], title="Shift")
BANDS = Family.of("bands", lambda X, k: np.digitize(X[:, 0], np.quantile(X[:, 0], np.arange(1, k) / k)), [{"k": 3}])
CHANCE = Family.of("chance", lambda X: np.random.default_rng(0).integers(2, size=len(X)))
LIMITS = Limits(min_segments=2)


def shop(seed=0, customers=240):
    """Three kinds of customers far apart, and what they do next, which their kind decides."""
    draw, kind = np.random.default_rng(seed), np.arange(customers) % 3
    middles = np.array([[20, 2], [400, 5], [9000, 60]])[kind]
    table = pd.DataFrame(middles * np.exp(draw.normal(0, 0.15, (customers, 2))), columns=["spend", "visits"])
    index = pd.Index([f"c{number:04}" for number in range(customers)], name="customer_id")
    outcomes = pd.DataFrame({"next_spend": draw.gamma(4.0, 1.0 + kind)}, index=index)
    return table.set_index(index), outcomes, pd.DataFrame({"next_spend": 4.0 * (1.0 + kind)}, index=index)


def future_of(matrix) -> Future:
    _, outcomes, ceiling = shop()
    kinds = pd.DataFrame({"group": ["value"], "loss": ["money"]}, index=["next_spend"])
    return Future("", matrix, outcomes, kinds, ceiling, pd.Timestamp("2020-01-01"), pd.Timestamp("2020-03-31"), 240)


@pytest.fixture(scope="module")
def compared():
    matrix = prepare(shop()[0])
    candidates = compare(matrix, [FAMILIES[0], MEAN_SHIFT, BANDS], [2, 3], jobs=2)
    return resample(judge(candidates, future_of(matrix)), limits=LIMITS, draws=10)


def test_what_says_less_of_the_future_than_the_best_is_resampled_only_where_the_analyst_takes_it():
    candidates = judge(compare(matrix := prepare(shop()[0]), [FAMILIES[0], CHANCE], [3]), future_of(matrix))
    found = [choose(resample(candidates, limits=LIMITS, draws=10, choice=one), LIMITS) for one in ("", "chance")]
    left, taken = (one.table.set_index("candidate_id").loc["chance"] for one in found)
    assert (left["reason"], left["feasible"]) == ("not resampled: cannot win", False)
    assert left[["stability_ari", "separated_share", "structure"]].isna().all()
    assert left["forward_share"] < found[0].chosen["forward_share"] - 0.02
    assert taken["stability_ari"] > 0


def test_other_limits_make_nothing_anew_of_what_was_resampled(compared, monkeypatch):
    monkeypatch.setattr("segkit.validation.resample.weigh", lambda *more, **others: pytest.fail("resampled again"))
    again = resample(compared, limits=Limits(min_segments=3), draws=10)
    assert 0 < again.stability["candidate_id"].nunique() < compared.stability["candidate_id"].nunique()


def test_it_is_compared_judged_and_resampled_beside_the_others(compared):
    table = compared.table.set_index("candidate_id")
    assert list(table.index[-2:]) == ["meanshift-0.4", "bands-3"]
    assert table.loc["meanshift-0.4", "segments"] == 3
    known = ["silhouette", "forward_value", "stability_jaccard_min", "separated_share", "structure"]
    assert table.loc[["meanshift-0.4", "bands-3"], known].notna().all(axis=None)


@pytest.mark.parametrize("choice", ["meanshift-0.4", "bands-3"])
def test_it_can_be_chosen_frozen_saved_and_scored_in_python_and_in_sql(compared, choice, tmp_path):
    chosen, features = choose(compared, LIMITS, choice), shop()[0]
    frozen = Segmentation.load(fit_segmentation(chosen, draws=6).save(tmp_path))
    assigned = assign_customers(frozen, features)
    labels = chosen.labels[choice].to_numpy()
    assert (assigned["segment_id"] == np.array([*frozen.segment_ids, "S0"])[labels]).all()
    assert assigned["confidence"].mean() > 0.9
    replayed = replay_sql(rules_sql(frozen, features), features)
    assert (replayed["segment_id"] == assigned["segment_id"]).mean() > 0.99
    assert (cross_segments(chosen, frozen) == assigned["segment_id"]).mean() > 0.9


@pytest.mark.parametrize("choice", ["meanshift-0.4", "bands-3"])
def test_every_table_that_shows_the_comparison_takes_it_also_when_loaded_elsewhere(compared, choice):
    chosen = choose(compared, LIMITS, choice)
    made = {
        name: json.loads(json.dumps(one)) if isinstance(one, dict) else one for name, one in chosen.to_tables().items()
    }
    for each in (chosen, Candidates.from_tables(made)):
        assert "Shift" in each.family_table["title"].to_list()
        assert choice in tables.shortlist(each)["candidate_id"].to_list()
        assert choice in tables.equal_terms(each).index
        assert choice in tables.agreement_between(each).columns
        assert unseen_outcomes(each, future_of(compared.matrix)).empty
        tables.segment_flows(each)


def test_a_tree_that_stands_for_labels_says_for_how_many_it_speaks_otherwise():
    X = np.random.default_rng(0).normal(size=(400, 2))
    rings = Family.of("rings", lambda X: (np.linalg.norm(X, axis=1) > 1.1).astype(int) * 7 - 1)
    fit = rings.fit(Sample(X), seed=0)
    assert fit.rule.kind == "decision_tree"
    assert set(fit.labels) == {-1, 0}
    assert fit.statistics["rule_disagreement"] < 0.05
    coarse = Family.of("spectral", lambda X, k: SpectralClustering(k, random_state=0).fit(X))
    assert coarse.fit(Sample(X), seed=0, k=3).rule.segments == 3


def test_families_that_cannot_be_told_apart_or_return_nonsense_are_refused():
    matrix = prepare(shop()[0])
    with pytest.raises(InputError, match="two families are called kmeans"):
        compare(matrix, [*FAMILIES, replace(FAMILIES[0])])
    with pytest.raises(InputError, match="family odd: its fit returned str; it must return 240 whole numbers"):
        compare(matrix, [Family.of("odd", lambda X: "no labels")])
    with pytest.raises(InputError, match="family odd: two of its candidates have the same params"):
        compare(matrix, [Family.of("odd", lambda X, k: X[:, 0], [{"k": 1}, {"k": 1}])])


def test_another_function_in_the_cell_is_another_family():
    scale = 2
    one, same, other = (lambda X: X * scale), (lambda X: X * scale), (lambda X: X * 3)
    assert fingerprint(one) == fingerprint(same) != fingerprint(other)
    before, scale = fingerprint(one), 5
    assert fingerprint(one) != before
    kinds = features_from(pd.DataFrame({"plan": ["a", "b", "a"], "since": pd.date_range("2020", periods=3)}))
    assert kinds.dictionary["present"].to_list() == [True, False]
