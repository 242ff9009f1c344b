"""A frozen segmentation assigns the same segments after a round trip through files, and refuses what doesn't fit."""

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from segkit.clustering.assign import assign_customers
from segkit.clustering.families import BASELINES, FAMILIES
from segkit.clustering.family import Family
from segkit.clustering.fit import Candidate
from segkit.clustering.freeze import fit_candidate, freeze_candidate
from segkit.clustering.segmentation import Segmentation
from segkit.features.build import CustomerFeatures
from segkit.preprocessing.prepare import prepare
from segkit.runtime.errors import InputError

THIRDS = Family.of("thirds", lambda X: (X[:, 0].argsort().argsort() * 3) // len(X))
KNOWN = (*FAMILIES, *BASELINES, THIRDS)
CANDIDATES = [
    Candidate("kmeans-3", "kmeans", {"k": 3}),
    Candidate("ward-3", "hierarchical", {"k": 3}),
    Candidate("gmm-tied-2", "gmm", {"k": 2, "covariance": "tied"}),
    Candidate("hdbscan-20", "hdbscan", {"min_cluster_size": 20, "min_samples": 10}),
    Candidate("dbscan-0.2", "dbscan", {"eps": 0.2, "min_samples": 5, "min_cluster_size": 10}),
    Candidate("rfm-10", "rfm", {"version": "rfm-10"}),
    Candidate("tiers-5", "tiers", {}),
    Candidate("thirds", "thirds", {}),
]
EVERY = pytest.mark.parametrize("candidate", CANDIDATES, ids=lambda candidate: candidate.candidate_id)


@pytest.fixture(scope="module")
def features():
    random = np.random.default_rng(0)
    orders = np.concatenate([random.poisson(2, 150) + 1, random.poisson(30, 100) + 1])
    table = {"days_since_last_order": random.integers(0, 365, 250), "order_count": orders}
    ids = pd.Index([f"c{number:03d}" for number in range(250)], name="customer_id")
    return pd.DataFrame({**table, "spend": orders * random.uniform(5, 50, 250)}, index=ids)


def made_of(features, seed=0):
    families, kinds = ["lifecycle", "lifecycle", "value"], ["days", "count", "money"]
    dictionary = pd.DataFrame({"family": families, "kind": kinds}, index=list(features))
    built = CustomerFeatures(features, dictionary, {"top": ["tea"]}, date(2017, 9, 30), 365)
    return prepare(built, seed=seed)


@pytest.fixture(scope="module")
def matrix(features):
    return made_of(features)


@pytest.fixture
def frozen(features, matrix):
    def make(candidate):
        one = freeze_candidate(matrix, candidate, families=KNOWN)
        again = freeze_candidate(made_of(features.iloc[:200], seed=1), candidate, families=KNOWN).rule
        return replace(one, resampled=(one.rule, again))

    return make


@EVERY
def test_saved_and_loaded_it_is_the_same_and_assigns_the_same_row_by_row(candidate, frozen, features, tmp_path):
    before = frozen(candidate)
    after = Segmentation.load(before.save(tmp_path / "model"))
    assert repr(after) == repr(before)
    assert (after.recipe, after.names, after.segment_ids) == (before.recipe, before.names, before.segment_ids)
    pd.testing.assert_frame_equal(assign_customers(after, features), assign_customers(before, features))
    assert set(assign_customers(after, features)["confidence"]) <= {0.5, 1.0}


@EVERY
def test_the_same_segmentation_is_the_same_bytes(candidate, frozen, tmp_path):
    once, again = (frozen(candidate).save(tmp_path / name) for name in "ab")
    for name in ("segmentation.json", "rule.npz", "resampled.npz"):
        assert (once / name).read_bytes() == (again / name).read_bytes()


@EVERY
def test_assigning_the_customers_it_was_fitted_on_gives_the_labels_of_the_fit(candidate, frozen, features, matrix):
    labels = fit_candidate(matrix, candidate, families=KNOWN).labels
    segmentation = frozen(candidate)
    expected = np.array([*segmentation.segment_ids, "S0"])[labels]
    assert assign_customers(segmentation, features)["segment_id"].tolist() == expected.tolist()


def test_customers_left_out_are_unsegmented_with_a_nearest_segment_and_a_reason(frozen, features):
    assigned = assign_customers(frozen(CANDIDATES[4]), features)
    out = assigned[assigned["segment_id"] == "S0"]
    assert len(out)
    assert set(out["segment"]) == {"Unsegmented"}
    assert "S0" not in set(assigned["nearest_segment_id"])
    assert out["reason"].notna().all()
    assert assigned.drop(out.index)["reason"].isna().all()


def test_customers_can_be_assigned_in_any_order_and_company(frozen, features):
    segmentation = frozen(CANDIDATES[0])
    alone = assign_customers(segmentation, features.loc[["c249", "c007"]])
    pd.testing.assert_frame_equal(alone, assign_customers(segmentation, features).loc[["c249", "c007"]])


def test_the_repr_says_what_it_is_in_one_line(frozen):
    assert repr(frozen(CANDIDATES[0])) == "kmeans-3, 250 customers as of 2017-09-30, seed 0"


def test_segments_can_be_given_lasting_ids_and_names(frozen, features):
    segmentation = frozen(CANDIDATES[0])
    renamed = segmentation.with_segments(("S7", "S2", "S9"), {"S7": "Rare", "S2": "Regular", "S9": "Rich"})
    before, after = (assign_customers(one, features) for one in (segmentation, renamed))
    assert dict(zip(before["segment_id"], after["segment"], strict=True)) == {
        "S1": "Rare",
        "S2": "Regular",
        "S3": "Rich",
    }


@pytest.mark.parametrize("ids", [("S1", "S1", "S2"), ("S1", "S2"), ("S0", "S1", "S2"), ("S1", "S2", "S8")])
def test_ids_that_dont_tell_every_segment_apart_are_refused(frozen, ids):
    with pytest.raises(ValueError, match="S1"):
        frozen(CANDIDATES[0]).with_segments(ids, {"S0": "Nobody", "S1": "One", "S2": "Two", "S3": "Three"})


@EVERY
def test_features_that_lack_a_column_are_refused_by_name(candidate, frozen, features):
    with pytest.raises(InputError, match="features lack spend"):
        assign_customers(frozen(candidate), features.drop(columns="spend"))


def test_an_rfm_map_needs_its_columns(features):
    with pytest.raises(InputError, match="rfm-10 needs days_since_last_order, order_count, spend"):
        fit_candidate(prepare(features[["spend"]]), CANDIDATES[5])


def test_a_folder_without_a_segmentation_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no finished segmentation: segmentation.json is missing"):
        Segmentation.load(tmp_path)


def test_a_damaged_segmentation_is_refused(frozen, tmp_path):
    folder = frozen(CANDIDATES[0]).save(tmp_path)
    (folder / "rule.npz").write_bytes(b"no archive")
    with pytest.raises(InputError, match="is damaged"):
        Segmentation.load(folder)


def test_a_pickle_in_the_place_of_an_array_is_not_run(frozen, tmp_path):
    folder = frozen(CANDIDATES[0]).save(tmp_path)
    np.savez(folder / "rule.npz", centres=np.array([print], dtype=object), labels=np.zeros(1, int))
    with pytest.raises(InputError, match="is damaged"):
        Segmentation.load(folder)


HOSTILE = {
    "a list": lambda stored: [stored],
    "a name that is a number": lambda stored: stored | {"names": dict.fromkeys(stored["names"], 7)},
    "a segment too few": lambda stored: stored | {"segment_ids": stored["segment_ids"][1:]},
    "a scale of nothing": lambda stored: stored["matrix"]["columns"][0].update(scale=0) or stored,
    "a transform that runs code": lambda stored: stored["matrix"]["columns"][0].update(transform="eval") or stored,
    "a column too few": lambda stored: stored["matrix"]["columns"].pop() and stored,
    "a field too many": lambda stored: stored | {"__class__": "os.system"},
    "another kind of rule": lambda stored: stored | {"rule": {"kind": "nearest_customer"}},
    "days that are none": lambda stored: stored | {"window_days": "365; DROP TABLE orders"},
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_a_model_that_was_tampered_with_is_refused(frozen, tmp_path, change):
    path = frozen(CANDIDATES[0]).save(tmp_path) / "segmentation.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(InputError, match="is damaged"):
        Segmentation.load(tmp_path)


ARRAYS = {
    "an unknown label": {"labels": np.array([0, 1, 9], "int32")},
    "not a number": {"centres": np.full((3, 3), np.nan)},
    "another width": {"centres": np.zeros((3, 2))},
    "text": {"centres": np.full((3, 3), "x")},
    "a pickle": {"centres": np.array([print], dtype=object)},
}


@pytest.mark.parametrize("name", ["rule.npz", "resampled.npz"])
@pytest.mark.parametrize("change", ARRAYS.values(), ids=ARRAYS)
def test_arrays_that_dont_fit_the_model_are_refused(frozen, tmp_path, change, name):
    folder = frozen(CANDIDATES[0]).save(tmp_path)
    rows = {"rows": np.array([[3, 3]])} if name == "resampled.npz" else {}
    np.savez(folder / name, **({"centres": np.zeros((3, 3)), "labels": np.arange(3)} | rows | change))
    if name == "resampled.npz" and "labels" in change:
        return  # a segment of a resample may match none of the model's
    with pytest.raises(InputError, match="is damaged"):
        Segmentation.load(folder)


def test_a_segmentation_of_another_version_is_refused(frozen, tmp_path):
    folder = frozen(CANDIDATES[0]).save(tmp_path)
    stored = json.loads((folder / "segmentation.json").read_text())
    (folder / "segmentation.json").write_text(json.dumps(stored | {"format": 99}))
    with pytest.raises(InputError, match="of another version of segkit"):
        Segmentation.load(folder)
