"""A month that keeps its model: what is known of it passes through every verb unchanged."""

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from segkit.clustering.families import FAMILIES
from segkit.features.build import CustomerFeatures
from segkit.preprocessing.prepare import prepare
from segkit.validation import comparison_tables as tables
from segkit.validation.candidates import KEPT_FIGURES, Candidates
from segkit.validation.compare import compare
from segkit.validation.forward.judge import judge
from segkit.validation.group_counts import count_groups
from segkit.validation.kept_model import kept_candidates, record_fit
from segkit.validation.resample import resample
from segkit.validation.selection import KEPT_RULE, Limits, choice_rule, choose, forward_sentence
from segkit.validation.sureness import cross_segments, fit_segmentation

LIMITS = Limits(min_segments=2, min_customers=10)


def month(seed: int, day: date):
    draw, kind = np.random.default_rng(seed), np.arange(120) % 2
    spend = np.exp(draw.normal(np.where(kind, 6, 3), 0.2))
    table = pd.DataFrame(
        {"spend": spend}, index=pd.Index([f"c{number:03}" for number in range(120)], name="customer_id")
    )
    dictionary = pd.DataFrame({"family": "value", "kind": "money"}, index=["spend"])
    return prepare(CustomerFeatures(table, dictionary, {}, day, 365))


@pytest.fixture(scope="module")
def kept():
    first = resample(compare(month(0, date(2020, 1, 31)), FAMILIES[:1], [2, 3]), limits=LIMITS, draws=10)
    first = choose(first, LIMITS)
    fit = json.loads(json.dumps(record_fit(first, month="2020-01", as_of=date(2020, 1, 31), parameters={})))
    february = month(1, date(2020, 2, 29))
    return first, kept_candidates(fit_segmentation(first, draws=4), february, fit, why="frozen: nothing has changed")


def test_every_verb_passes_it_on_and_what_takes_resamples_is_that_of_the_fit(kept):
    first, candidates = kept
    assert candidates is judge(candidates, None) is resample(candidates) is count_groups(candidates)
    chosen = choose(candidates, LIMITS)
    assert chosen.proposed == "kmeans-2" == chosen.chosen["candidate_id"]
    assert chosen.chosen["reason"] == "Fitted as of 2020-01-31, and kept: nothing has changed"
    figures = [name for name in KEPT_FIGURES if name != "structure"]
    known = [one.chosen[figures].astype(float).to_list() for one in (chosen, first)]
    assert known[0] == pytest.approx(known[1], rel=1e-4, nan_ok=True)
    assert chosen.chosen["structure"] == first.chosen["structure"] == "natural"
    assert chosen.verdict["why"].startswith("as found when the model was fitted, as of 2020-01-31: ")
    assert chosen.verdict["evidence"] == first.verdict["evidence"]


def test_the_model_itself_comes_back_and_nothing_is_fitted_for_it(kept):
    chosen = choose(kept[1], LIMITS)
    model = fit_segmentation(chosen)
    assert model is chosen.kept_segmentation
    assert cross_segments(chosen, model) is None
    assert record_fit(chosen, month="2020-02", as_of=date(2020, 2, 29), parameters={})["month"] == "2020-01"
    assert choice_rule(chosen) == KEPT_RULE
    assert forward_sentence(chosen).startswith("When the model was fitted, as of 2020-01-31: what these segments")


def test_tables_that_show_a_comparison_show_it_beside_the_rules_alone(kept):
    chosen = choose(kept[1], LIMITS)
    for each in (chosen, Candidates.from_tables(chosen.to_tables())):
        assert tables.one_per_family(each)["candidate_id"].to_list() == ["kmeans-2", "tiers-5"]
        assert tables.group_counts(each).empty
        assert tables.segment_flows(each).empty
        assert not tables.shortlist(each).empty
    assert replace(chosen, kept=None).proposed == "kmeans-2"


def test_an_interval_without_an_upper_end_is_kept_as_one(kept):
    first, _ = kept
    pairs = first.pairs.assign(ratio=1.5, low=[0.2] * len(first.pairs), high=np.inf)
    fit = record_fit(replace(first, pairs=pairs), month="2020-01", as_of=date(2020, 1, 31), parameters={})
    assert "Infinity" not in json.dumps(fit)
    model, february = fit_segmentation(first, draws=4), month(1, date(2020, 2, 29))
    assert kept_candidates(model, february, json.loads(json.dumps(fit)), why="").pairs["high"].eq(np.inf).all()
