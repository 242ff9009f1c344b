"""Scoring with the model of a finished run."""

import pandas as pd
import pytest

from segkit import fit_segmentation, open_study
from segkit.errors import InputError
from segkit.methods import Candidate
from segkit.score import score_customers, write_scores
from segkit.segmentation import TOO_LITTLE, Segmentation, assign_customers


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    study, folder = open_study("complete-journey", "2017-06"), tmp_path_factory.mktemp("run")
    segmentation = fit_segmentation(
        study.features, study.matrix, Candidate("kmeans-5", "kmeans", {"k": 5}), seed=0, as_of=study.as_of,
        recipe=study._built.recipe,
    )  # fmt: skip
    segmentation.save(folder / "model")
    return folder, assign_customers(segmentation, study.features)


def test_the_same_data_gives_the_same_rows(run):
    folder, assigned = run
    pd.testing.assert_frame_equal(score_customers(folder, "complete-journey"), assigned)


def test_another_month_is_scored_by_the_same_model(run):
    scores = score_customers(run[0], "complete-journey", month="2017-09")
    assert len(scores) == 2446
    assert set(scores["segment_id"]) == {"S1", "S2", "S3", "S4", "S5"}


def test_a_model_of_order_lines_is_not_put_to_a_survey(run, tmp_path):
    (tmp_path / "survey.csv").write_text("who,spicy\na,1\nb,0\n")
    (tmp_path / "survey.toml").write_text('title = "x"\n[features]\nsource = "survey.csv"\nid = "who"\n')
    with pytest.raises(InputError, match="was fitted on order lines, and dataset survey is none"):
        score_customers(run[0], tmp_path / "survey.toml")


def test_a_dataset_without_the_columns_of_the_features_is_refused(run, tmp_path):
    lines = "customer,order,at,product,n,paid\n" + "a,1,2017-05-01,x,1,9.5\n" * 3
    (tmp_path / "shop.csv").write_text(lines)
    (tmp_path / "shop.toml").write_text(
        'title = "x"\n[orders]\nsource = "shop.csv"\n[orders.columns]\ncustomer_id = "customer"\norder_id = "order"\n'
        'ordered_at = "at"\nproduct_id = "product"\nquantity = "n"\namount = "paid"\n'
    )
    with pytest.raises(InputError, match="the recipe needs columns that the dataset no longer has"):
        score_customers(run[0], tmp_path / "shop.toml")


def test_a_customer_of_whom_nothing_is_known_is_in_no_segment(run):
    segmentation = Segmentation.load(run[0] / "model")
    features = open_study("complete-journey", "2017-06").features.head(3).copy()
    features.loc[features.index[1], [column.feature for column in segmentation.matrix.fitted]] = None
    scored = assign_customers(segmentation, features)
    assert scored["segment_id"].iloc[1] == "S0"
    assert scored["reason"].iloc[1] == TOO_LITTLE
    assert scored["reason"].isna().tolist() == [True, False, True]


def test_scores_are_written_as_parquet_or_csv(run, tmp_path):
    for name in ("a.parquet", "a.csv"):
        path = write_scores(run[1].head(3), tmp_path / name)
        assert len(pd.read_parquet(path) if name.endswith("parquet") else pd.read_csv(path)) == 3
    with pytest.raises(InputError, match=r"written as \.parquet or \.csv"):
        write_scores(run[1], tmp_path / "a.xlsx")
