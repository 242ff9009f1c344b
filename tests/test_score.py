"""Scoring with the model of a finished run."""

import errno
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import date
from functools import cache

import pandas as pd
import pytest

from segkit import cli, open_run
from segkit.clustering.assign import TOO_LITTLE, assign_customers
from segkit.clustering.fit import Candidate
from segkit.clustering.freeze import freeze_candidate
from segkit.clustering.kmeans import KMEANS
from segkit.clustering.segmentation import Segmentation
from segkit.data.cards.card import read_card
from segkit.data.orders import read_orders
from segkit.features.build import CustomerFeatures, build_features
from segkit.preprocessing.prepare import prepare
from segkit.runtime.disk import tell_full_disk
from segkit.runtime.errors import InputError
from segkit.scoring.score import score_customers, write_scores
from segkit.validation.stability import Recipe
from segkit.validation.sureness import resample_rules


@cache
def june() -> CustomerFeatures:
    with read_orders(read_card("complete-journey"), date(2017, 6, 30)) as orders:
        return build_features(orders, date(2017, 6, 30), 365)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A model of June, as a finished run keeps it, and the customers that it assigned."""
    folder, matrix = tmp_path_factory.mktemp("run"), prepare(june())
    model, sample = freeze_candidate(matrix, Candidate("kmeans-5", "kmeans", {"k": 5})), KMEANS.sample(matrix)
    recipe = Recipe(KMEANS, {"k": 5}, model.rule.assign(sample.X)[0])
    model = replace(model, resampled=tuple(resample_rules(sample, recipe, seed=0, resamples=10)))
    model.save(folder / "model")
    return folder, assign_customers(model, june().table)


def test_the_same_data_gives_the_same_rows(run):
    folder, assigned = run
    pd.testing.assert_frame_equal(score_customers(folder, "complete-journey"), assigned)
    assert assigned["confidence"].between(0, 1).all()
    assert assigned["confidence"].nunique() > 5


def test_another_month_is_scored_by_the_same_model(run):
    scores = score_customers(run[0], "complete-journey", month="2017-09")
    assert len(scores) == 2446
    assert set(scores["segment_id"]) == {"S0", "S1", "S2", "S3", "S4", "S5"}
    gone = scores[scores["segment_id"] == "S0"]
    assert gone["reason"].unique().tolist() == ["too little history: no order in the 181 days up to 2017-09-30"]
    assert len(gone) == 29


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
    features = june().table.head(3).copy()
    features.loc[features.index[1], [column.feature for column in segmentation.matrix.fitted]] = None
    scored = assign_customers(segmentation, features)
    assert scored["segment_id"].iloc[1] == "S0"
    assert scored["reason"].iloc[1] == TOO_LITTLE
    assert scored["reason"].isna().tolist() == [True, False, True]


def test_less_than_half_known_is_too_little_and_half_is_enough(run):
    segmentation = Segmentation.load(run[0] / "model")
    features = june().table.head(1)
    names = list(dict.fromkeys(column.feature for column in segmentation.matrix.fitted))
    weights = [sum(one.variance for one in segmentation.matrix.fitted if one.feature == name) for name in names]
    for place in range(1, len(names)):
        asked = features.copy()
        asked[names[:place]] = None
        unknown = sum(weights[:place]) > sum(weights) / 2
        assert (assign_customers(segmentation, asked)["segment_id"].iloc[0] == "S0") == unknown


def little_shop(folder, first_day: str):
    """A card whose three customers ordered since a day, and a fourth, listed one who never did."""
    lines = [f"{who},{who}{n},{first_day},x,1,{ord(who) + n}" for who in "abc" for n in range(3)]
    (folder / "shop.csv").write_text("\n".join(["customer_id,order_id,ordered_at,product_id,quantity,amount", *lines]))
    (folder / "people.csv").write_text("customer_id,age\na,30\nz,40\n")
    own = "".join(f'{name} = "{name}"\n' for name in lines_columns())
    (folder / "shop.toml").write_text(
        f'title = "x"\n[orders]\nsource = "shop.csv"\n[orders.columns]\n{own}[customers]\nsource = "people.csv"\n'
        '[customers.columns]\ncustomer_id = "customer_id"\nage = "age"\n'
    )
    return folder / "shop.toml"


def lines_columns():
    return ("customer_id", "order_id", "ordered_at", "product_id", "quantity", "amount")


@pytest.fixture
def little_run(tmp_path):
    """A model of spend, fitted on 100 days of orders of the little shop."""
    card = little_shop(tmp_path, "2026-01-01")
    with read_orders(read_card(card), date(2026, 4, 10)) as orders:
        features = build_features(orders, date(2026, 4, 10), 100)
    recipe, dictionary = features.recipe | {"features": ["spend"]}, features.dictionary.loc[["spend"]]
    spend = replace(features, table=features.table[["spend"]], dictionary=dictionary, recipe=recipe)
    freeze_candidate(prepare(spend), Candidate("kmeans-1", "kmeans", {"k": 1})).save(tmp_path / "run" / "model")
    return tmp_path


def test_who_is_listed_but_never_ordered_is_in_no_segment_and_told_why(little_run):
    assert "z" not in score_customers(little_run / "run", little_run / "shop.toml").index
    scores = score_customers(little_run / "run", little_run / "shop.toml", as_of="2026-04-09")
    assert scores["segment_id"].to_dict() == {"a": "S1", "b": "S1", "c": "S1", "z": "S0"}
    assert scores["reason"]["z"] == "too little history: no order in the 100 days up to 2026-04-09"


def test_orders_that_reach_back_too_few_days_place_nobody(little_run):
    little_shop(little_run, "2026-03-01")
    scores = score_customers(little_run / "run", little_run / "shop.toml")
    assert set(scores["segment_id"]) == {"S0"}
    assert scores["reason"]["a"] == "too little history: 41 days of orders, and the model was fitted on 100"


def test_a_month_without_orders_is_refused_in_the_words_of_a_report(run):
    said = "has no orders in 2018-09: up to then its orders run from 2017-01-01 to 2018-01-01; name another month"
    for ask in (score_customers, lambda _, *day: open_run("01_explore", *day).orders):
        with pytest.raises(InputError, match=said):
            ask(run[0], "complete-journey", "2018-09")


def test_a_month_that_the_data_covers_in_part_is_warned_of_in_the_words_of_a_report(run):
    told = []
    score_customers(run[0], "complete-journey", "2018-01", tell=told.append)
    assert len(told) == 1
    assert told[0].startswith("Incomplete: the data ends on 2018-01-01, 30 days before the end of 2018-01.")


def test_the_command_warns_of_lines_that_repeat_or_are_broken_beside_its_output(little_run, monkeypatch, capsys):
    head, *lines = (little_run / "shop.csv").read_text().splitlines()
    (little_run / "shop.csv").write_text("\n".join([head, *lines * 3, "a,a9,2026-01-01,x,1,none"]))
    monkeypatch.setattr("sys.argv", ["segkit", "score", str(little_run / "run"), str(little_run / "shop.toml")])
    cli.main()
    out, err = capsys.readouterr()
    assert err.startswith("warning: Incomplete: the data ends on 2026-01-01, 99 days before the end of 2026-04-10.")
    assert err.splitlines()[1:] == [
        "warning: 18 lines repeat another one in every column; kept all the same",
        "warning: 1 line breaks the contract and is left out, and listed in the quarantine of a run",
    ]
    assert out.splitlines()[-1] == str(little_run / "run" / "scores-own.parquet")


def test_a_limit_on_memory_that_the_customers_do_not_fit_in_is_refused(little_run, monkeypatch):
    monkeypatch.setenv("SEGKIT_MEMORY", "1.4GB")
    with pytest.raises(InputError, match=r"3 customers need about 1\.41 GB of memory, and the limit is 1\.4GB"):
        score_customers(little_run / "run", little_run / "shop.toml")


def test_scores_are_written_as_parquet_or_csv(run, tmp_path):
    for name in ("a.parquet", "a.csv"):
        path = write_scores(run[1].head(3), tmp_path / name)
        assert len(pd.read_parquet(path) if name.endswith("parquet") else pd.read_csv(path)) == 3
    with pytest.raises(InputError, match=r"written as \.parquet or \.csv"):
        write_scores(run[1], tmp_path / "a.xlsx")


def test_a_disk_that_is_full_is_the_one_that_the_scores_were_written_to(run, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")  # as pyarrow says it, of no file

    monkeypatch.setattr(pd.DataFrame, "to_parquet", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "elsewhere"))
    with pytest.raises(OSError, match="No space left") as full:
        write_scores(run[1], tmp_path / "a.parquet")
    assert tell_full_disk(full.value).startswith(f"{tmp_path} is full: make room there")


def test_a_recipe_of_features_that_was_tampered_with_is_refused(run, tmp_path):
    shutil.copytree(run[0], tmp_path / "run")
    path = tmp_path / "run" / "model" / "segmentation.json"
    stored = json.loads(path.read_text())
    for recipe in ({}, stored["recipe"] | {"attributes": 7}, {"features": ["x; DROP TABLE orders"]}, ["spend"]):
        path.write_text(json.dumps(stored | {"recipe": recipe}))
        with pytest.raises(InputError, match="damaged|no longer defines"):
            score_customers(tmp_path / "run", "complete-journey")


KILLED = """
import os, sys
from pathlib import Path
import pandas as pd
from segkit.runtime import disk
from segkit.scoring import score
def die(*_, **__):
    os.kill(os.getpid(), 9)
path, point = Path(sys.argv[1]), sys.argv[2]
if point == "after":
    disk._take_place, take = lambda *places: take(*places) or die(), disk._take_place
elif point == "half written":
    score.write_csv = lambda table, path: (path.write_text("half"), die())
else:
    disk._take_place = die
score.write_scores(pd.DataFrame({"segment": ["new"]}, index=["a"]), path)
"""


@pytest.mark.parametrize(("point", "left"), [("half written", "old"), ("before", "old"), ("after", "new")])
def test_killed_scores_are_the_old_or_the_new_file_and_the_next_call_sweeps(tmp_path, point, left):
    path = write_scores(pd.DataFrame({"segment": ["old"]}, index=["a"]), tmp_path / "scores.csv")
    assert subprocess.run([sys.executable, "-c", KILLED, path, point]).returncode == -9
    assert pd.read_csv(path)["segment"].tolist() == [left]
    write_scores(pd.DataFrame({"segment": ["newer"]}, index=["a"]), path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["segmentation.json", "rule.npz", "resampled.npz"])
@pytest.mark.parametrize("spoil", [lambda raw: b"", lambda raw: raw[: len(raw) // 2], lambda raw: raw[::-1], None])
def test_a_damaged_model_is_refused_and_the_file_named(run, tmp_path, name, spoil):
    shutil.copytree(run[0], tmp_path / "run")
    path = tmp_path / "run" / "model" / name
    path.write_bytes(spoil(path.read_bytes())) if spoil else path.unlink()
    with pytest.raises(InputError, match=re.escape(name)) as refused:
        score_customers(tmp_path / "run", "complete-journey")
    assert "\n" not in str(refused.value)
