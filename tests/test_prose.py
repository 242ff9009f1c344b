"""Sentences for a manager: none says more than the evidence does."""

import numpy as np

from segkit.reporting.sentences import tell_verdict
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
