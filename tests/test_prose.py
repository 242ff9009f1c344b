"""Sentences for a manager: none says more than the evidence does."""

import numpy as np
import pandas as pd
import pytest

from segkit.reporting.sentences import headline, tell_trust, tell_verdict
from segkit.validation.nulls import NullComparison
from segkit.validation.verdict import candidate_verdict


def told(structure, why="", **evidence):
    evidence = {"comes_back": 1.0, "resamples": 100, "stability_jaccard_min": 0.8} | evidence
    return tell_verdict({"structure": structure, "why": why, "evidence": evidence}, "")


def test_a_cut_that_comes_back_by_correlation_alone_is_said_to_be_so_under_the_headline():
    separation = {"segments": 3, "all_separated": False, "separated_share": 0.0, "undetermined": 3, "separated_by": ""}
    stability = {"stability_ari": 0.9, "stability_jaccard_min": 0.8, "resamples": 100}
    spherical, copula, beyond = (NullComparison(0.9, np.array([ari]), 39, ari < 0.9, 500) for ari in (0.5, 0.95, 0.7))
    alone, more = (candidate_verdict(separation, stability, spherical, each) for each in (copula, beyond))
    assert "merely rise and fall together" in told(alone.structure, alone.why)
    assert "merely rise and fall together" not in told(more.structure, more.why)


def test_gaps_that_were_found_are_not_denied():
    assert told("reproducible", separated_share=0.0).startswith("No gap was found between these segments: take them")
    assert told("reproducible", separated_share=0.5).startswith("A gap was found between some of these segments")
    assert told("constructive", separated_share=1.0).startswith("Gaps were found between these segments, but their")
    assert told(None) == told(None, separated_share=1.0)


def test_cuts_are_told_beside_the_candidate_that_is_natural():
    assert "kmeans-4 is natural" in told("reproducible", separated_share=0.8, natural="kmeans-4")
    assert "is natural" not in told("reproducible", separated_share=0.8, natural=None)


def test_segments_with_doubtful_borders_are_counted():
    assert "doubtful" not in told("reproducible", doubtful=0)
    assert "doubtful: those of two are" in told("constructive", stability_jaccard_min=0.7, doubtful=2)
    assert "doubtful: those of at least one are" in told("constructive", stability_jaccard_min=0.7)
    assert "doubtful: those of" not in told("constructive", stability_jaccard_min=0.5)


@pytest.mark.parametrize("blurred", range(9))
def test_how_far_to_trust_the_segments_takes_forty_words_at_most(blurred):
    names = [f"Deal-hunting fresh-produce big spenders {number}" for number in range(8)]
    borders = ["blurred"] * blurred + ["firm"] * (8 - blurred)
    table = pd.DataFrame({"segment_id": [f"S{n}" for n in range(1, 9)], "segment": names, "border": borders})
    for structure in ("natural", "reproducible", "constructive"):
        told = tell_trust(table, structure)
        assert len(told.split()) <= 40
        assert ("blur" in told) == (blurred > 0)


def test_the_headline_of_a_table_without_money_is_what_sets_one_segment_apart_most():
    segments = pd.DataFrame({"segment_id": ["S1", "S2"], "segment": ["Fans", "Others"], "customers": [40, 160]})
    rows = {"segment_id": ["S1", "S2"], "feature": "score", "level": "", "kind": "number", "customers": [40, 160]}
    rows |= {"centre": [80.0, 49.0], "overall": 50.0, "effect_sd": [1.5, -0.6], "differs": True}
    told = headline(pd.DataFrame(), segments.assign(customer_share=[0.2, 0.8]), pd.DataFrame(rows), "", 0)
    assert told == "Fans stand apart most: 40 customers (20 %) with score 80.00 (all customers 50.00)."
