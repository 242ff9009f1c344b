"""Agreement of two labellings, by hand and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from segkit.validation.agreement import (
    adjusted_rand,
    contingency,
    match_labels,
    segment_flow,
    segment_jaccards,
)

LABELS = st.lists(st.tuples(st.integers(-1, 3), st.integers(-1, 3)), min_size=2, max_size=40)


@settings(deadline=None)
@given(LABELS)
def test_the_adjusted_rand_index_is_scikit_learns_among_customers_in_segments_both_times(pairs):
    one, other = np.array(pairs).T
    both = (one >= 0) & (other >= 0)
    ours = adjusted_rand(contingency(one, other))
    tells_apart = len(set(one[both])) > 1 or len(set(other[both])) > 1
    puts_together = len(set(one[both])) < both.sum() or len(set(other[both])) < both.sum()
    if tells_apart and puts_together:
        assert ours == pytest.approx(adjusted_rand_score(one[both], other[both]), abs=1e-12)
    else:
        assert ours == 0


@settings(deadline=None)
@given(LABELS, st.permutations(range(4)))
def test_renaming_the_other_labels_changes_no_index(pairs, names):
    one, other = np.array(pairs).T
    renamed = np.append(names, -1)[other]
    assert adjusted_rand(contingency(one, other)) == pytest.approx(adjusted_rand(contingency(one, renamed)))
    assert segment_jaccards(one, other) == pytest.approx(segment_jaccards(one, renamed))


@settings(deadline=None)
@given(LABELS, st.permutations(range(4)))
def test_renamed_labels_are_matched_back(pairs, names):
    one = np.array(pairs)[:, 0]
    assert (match_labels(one, np.append(names, -1)[one]) == one).all()


def test_jaccard_of_a_segment_counts_members_that_were_left_out_as_lost():
    labels = np.array([0, 0, 0, 0, 1, 1])
    others = np.array([0, 0, -1, 1, 1, 1])  # of four, two together with nobody else; of two, both among three
    assert segment_jaccards(labels, others).tolist() == [2 / 4, 2 / 3]
    assert segment_jaccards(labels, np.full(6, -1)).tolist() == [0, 0]


def test_flow_conserves_customers_and_slsa_tells_a_split_from_a_mixture():
    coarse = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    fine = np.array([0, 0, 2, 2, 1, 1, 2, 2])  # 0 and 1 come from one segment each, 2 from both alike
    flow = segment_flow({"kmeans-2": coarse, "kmeans-3": fine})
    assert flow["customers"].sum() == 8
    assert flow.groupby("label")["share"].sum().tolist() == [1, 1]
    assert flow.groupby("next_label")["slsa"].first().tolist() == pytest.approx([1, 1, 0])
