"""Months of planted shoppers, one after the other: what lasts, adds up, is stale, and what a killed run leaves."""

import json
import os
import signal
import subprocess
import sys
import time

import nbformat
import numpy as np
import pandas as pd
import psutil
import pytest
from segkit.reporting.results import write_tables
from segkit.reporting.study.study_opening import open_study
from shoppers import MOVES, write_shop

from segkit.monitoring.drift import feature_drift
from segkit.monitoring.previous_month import run_digest
from segkit.reporting.finished_runs import finished_months, month_before, stale_months
from segkit.reporting.series_page import write_series
from segkit.runtime.errors import InputError
from segkit.runtime.tables.files import describe_tables, write_json
from segkit.runtime.tables.schema import TABLES

SMALL = {"window_days": 30, "horizon_days": 28, "max_segments": 4, "min_customers": 10, "bootstraps": 10}


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shoppers")
    path, kinds = write_shop(folder, shoppers=240, months=4, seed=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("segkit.runtime.cache.CACHE", folder / "cache")
        yield path, kinds


@pytest.fixture(scope="module")
def months(card):
    """February, fitted; March, kept; April, fitted anew."""
    studies, before = [], ""
    for month, way in (("2025-02", "auto"), ("2025-03", "frozen"), ("2025-04", "refit")):
        studies.append(open_study(card[0], month=month, previous=before, way=way, choice="kmeans-4", **SMALL))
        studies[-1].compute()
        before = studies[-1]
    return studies


def finish(study, shelf):
    """Write what the next month reads of a finished run."""
    folder = shelf / study.label
    (folder / "tables").mkdir(parents=True)
    about = write_tables(study, folder / "tables")
    study.segmentation.save(folder / "model")
    write_json(study.history, folder / "model" / "history.json")
    parts = {name: study.history[name] for name in ("way", "why", "previous")} | {
        "fitted": study.history["fit"]["month"]
    }
    record = {"month": study.label, "as_of": str(study.as_of), "months": parts, "days_counted": 30}
    write_json(record, folder / "run.json")
    return folder, about


def test_a_kept_model_tries_nothing_and_keeps_ids_and_names(months):
    february, march, _ = months
    assert march.frozen
    assert march.candidates["candidate_id"].tolist() == ["rfm-10", "tiers-5", "kmeans-4"]
    assert march.candidates["chosen"].tolist() == [False, False, True]
    assert march.segmentation.segment_ids == february.segmentation.segment_ids
    assert march.chosen["stability_ari"] == pytest.approx(february.chosen["stability_ari"])
    assert pd.isna(march.chosen["forward_share"])
    assert march.verdict["why"].startswith("as found when the model was fitted, as of 2025-02-28")
    assert march.assignments["confidence"].notna().all()


def test_a_kept_month_says_where_it_was_judged_and_shows_no_empty_columns(months):
    february, march, _ = months
    assert march.choice_sentence.endswith("is kept. What it tells about the future was judged when it was fitted, "
                                          "in the report of 2025-02.")  # fmt: skip
    assert march.choice_sentence.count("fitted") + march.shortlist["reason"].str.count("Fitted as of").sum() == 2
    assert list(march.shortlist) == ["candidate_id", "segments", "smallest_share", "reason"]
    assert not march.shortlist.isna().all().any()
    assert march.named_flow.empty


def test_a_kept_model_that_is_older_than_a_horizon_is_judged_itself(card, months, monkeypatch, tmp_path):
    monkeypatch.setattr("segkit.runtime.cache.CACHE", tmp_path)
    monkeypatch.setattr("segkit.validation.forward.horizon.HISTORY_DAYS", 30)
    march = open_study(card[0], month="2025-03", previous=months[0], way="frozen", choice="kmeans-4", **SMALL)
    assert march.trial.judgement.note.startswith("The model of 2025-02-28 was held against what came: its segments of")
    assert "Its segments tell" in march.forward_sentence
    assert march.chosen[["forward_value", "forward_value_low"]].notna().all()
    assert march.verdict["evidence"]["forward_value"] == pytest.approx(march.chosen["forward_value"])
    assert set(march.origins["origin"]) == {"2025-03-03"}


def test_sizes_add_up_exactly_and_nobody_is_remodelled_by_a_kept_model(months):
    for study in months[1:]:
        sizes = study.net_sizes.set_index("segment_id")
        total = sizes["before"] + sizes["moved"] + sizes["remodelled"] + sizes["joined"] - sizes["left"]
        assert total.equals(sizes["after"])
        assert (
            sizes["after"][sizes["after"] > 0].to_dict()
            == study.segments.set_index("segment_id")["customers"].to_dict()
        )
        assert study.moved["customers"].sum() == study.migrations["customers"].sum()
    assert not months[1].net_sizes["remodelled"].any()


def test_ids_last_when_the_model_is_fitted_anew_and_are_never_reused(months):
    february, march, april = months
    assert not april.frozen
    used = april.history["used_ids"]
    assert set(april.segmentation.segment_ids) | set(february.segmentation.segment_ids) <= set(used)
    assert (april.events["event"] == "kept").sum() == 4
    new = set(april.events.loc[april.events["event"].isin(["new", "split"]), "segment_id"])
    assert not new & set(march.history["used_ids"])


def test_the_planted_moves_are_recovered_and_segments_are_the_same_kinds(card, months):
    found, kinds = months[:2], card[1]
    tables = [pd.crosstab(study.assignments["segment_id"], kinds[n + 1]) for n, study in enumerate(found)]
    assert tables[0].idxmax(axis=1).equals(tables[1].idxmax(axis=1))
    order = tables[0].idxmax(axis=1).sort_values().index
    a, b = (study.assignments["segment_id"] for study in found)
    both = a.index.intersection(b.index)
    moves = pd.crosstab(a[both], b[both], normalize="index").loc[order, order]
    assert np.abs(moves.to_numpy() - MOVES).mean() <= 0.06


def test_a_forecast_is_held_against_what_came_by_the_model_that_it_was_made_with(months):
    _, march, april = months
    made = march.forecasts
    assert set(made["month"]) == {"2025-04"}
    assert made["actual"].isna().all()
    due = april.forecasts[april.forecasts["month"] == "2025-04"]
    assert due["actual"].sum() == len(april.assignments)
    assert set(april.forecasts["month"]) == {"2025-04", "2025-05"}


def test_a_finished_run_is_as_good_a_month_before_as_its_study(card, months, tmp_path):
    folder, about = finish(months[0], tmp_path)
    again = open_study(card[0], month="2025-03", previous=folder, way="frozen", choice="kmeans-4", **SMALL)
    pd.testing.assert_frame_equal(again.assignments, months[1].assignments)
    pd.testing.assert_frame_equal(again.migrations, months[1].migrations)
    assert again.segments["segment"].tolist() == months[1].segments["segment"].tolist()
    assert "as it came" not in describe_tables(folder / "tables", about).split("## quarantine")[0]


def test_the_same_month_against_the_same_month_before_writes_the_same_bytes(card, months, tmp_path):
    again = open_study(card[0], month="2025-04", previous=months[1], way="refit", choice="kmeans-4", **SMALL)
    for study, name in ((months[2], "one"), (again, "two")):
        (tmp_path / name).mkdir()
        write_tables(study, tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert {"migrations.parquet", "events.parquet", "drift.parquet", "forecasts.parquet"} <= set(files)
    assert set(files) <= {f"{table}.parquet" for table in TABLES}
    assert all((tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in files)


def test_a_changed_month_makes_the_later_ones_stale_by_name(months, tmp_path):
    before = None
    for study in months:
        study.history["previous"] = before
        before = {"month": study.label, "digest": run_digest(finish(study, tmp_path)[0])}
    assert stale_months(finished_months(tmp_path)) == {}
    assert month_before(tmp_path, "2025-04").label == "2025-03"
    page = write_series(tmp_path, "Shoppers", "EUR").read_text()
    assert "2025-03/report.html" in page
    assert "stale" not in page
    history = tmp_path / "2025-02" / "model" / "history.json"
    history.write_text(history.read_text().replace("S4", "S5"))
    stale = stale_months(finished_months(tmp_path))
    assert stale == {"2025-03": "2025-02 has changed since", "2025-04": "2025-03 is stale"}
    assert "2025-04 is stale: 2025-03 is stale." in write_series(tmp_path, "Shoppers", "EUR").read_text()


def test_the_series_page_does_without_the_month_before_and_reads_older_runs(months, tmp_path):
    months[1].history["previous"] = {"month": "2025-02", "digest": ""}
    folder, _ = finish(months[1], tmp_path)
    record = folder / "run.json"
    record.write_text(record.read_text().replace("days_counted", "window_days"))
    page = write_series(tmp_path, "Shoppers", "EUR").read_text()
    assert "All 4 segments of 2025-02 are still there" in page
    assert "revenue in the 30 days counted" in page


def test_a_month_before_must_be_one(card, months):
    with pytest.raises(InputError, match="previous 2025-04 does not end before 2025-03"):
        open_study(card[0], month="2025-03", previous=months[2], **SMALL)
    with pytest.raises(InputError, match="knows no month before"):
        _ = open_study(card[0], month="2025-03", **SMALL).aging
    with pytest.raises(InputError, match="way is 'thaw'; it must be auto, refit or frozen"):
        open_study(card[0], month="2025-03", way="thaw")
    with pytest.raises(InputError, match="no month to go on from"):
        open_study(card[0], month="2025-03", previous="nowhere", **SMALL)


def test_where_the_data_begin_within_the_window_a_kept_month_counts_the_days_of_its_fit(card):
    settings = SMALL | {"window_days": 365}
    before = open_study(card[0], month="2025-02", choice="kmeans-4", **settings)
    study = open_study(card[0], month="2025-03", previous=before, way="frozen", **settings)
    assert (study.as_of - before.as_of).days == 31
    assert study.days_counted == before.days_counted == before.segmentation.window_days < 365
    assert not study.aging["alarm"].any()
    shares = [one.assignments["segment_id"].value_counts(normalize=True) for one in (before, study)]
    assert shares[0].sub(shares[1], fill_value=0).abs().max() < 0.06
    longer = study._features_of(study.as_of, before.segmentation.recipe, 365)
    drift = feature_drift(before.features, longer["table"], study.dictionary, seed=0).set_index("feature")["alarm"]
    assert drift[["tenure_days", "active_span_days", "order_count"]].all()


DRIVER = """
import sys
from pathlib import Path
import segkit.cli, segkit.runtime.cache, segkit.reporting.run_chain
folder = Path(sys.argv[1])
segkit.runtime.cache.CACHE, segkit.reporting.run_chain.NOTEBOOKS = folder / "cache", folder / "notebooks"
settings = "window_days=30 horizon_days=28 max_segments=4 min_customers=10 bootstraps=10 choice=kmeans-4".split()
sys.argv = ["segkit", "months", str(folder / "shoppers.toml"), "--from", "2025-02", "--to", "2025-03",
            "--out", str(folder / sys.argv[2]), *[part for setting in settings for part in ("--set", setting)]]
segkit.cli.main()
"""
CELL = 'dataset: str = ""  # a\nmonth: str = ""  # b\nas_of: str = ""  # c\nsource: str = ""  # d\n'


def start(folder, out):
    command = [sys.executable, "-c", DRIVER, str(folder), out]
    with (folder / f"{out}.log").open("w") as said:  # a pipe would be held open by the workers of a killed process
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        return subprocess.Popen(command, stdout=said, env=environment, start_new_session=True)


def whole(folder):
    """The bytes of every table and model of the finished months."""
    months = finished_months(folder)
    return {
        path.relative_to(folder): path.read_bytes()
        for month in months
        for part in ("tables", "model")
        for path in (month.folder / part).iterdir()
    }


def test_a_killed_run_leaves_whole_months_and_the_next_call_finishes_with_the_same_bytes(card, tmp_path):
    write_shop(tmp_path, shoppers=120, months=3, seed=1)
    (tmp_path / "notebooks").mkdir()
    cells = [nbformat.v4.new_code_cell(CELL, metadata={"tags": ["parameters"]})]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), tmp_path / "notebooks" / "07_report.ipynb")
    shelf = tmp_path / "killed" / "shoppers"
    for until, how in (
        (".building-2025-02-*", signal.SIGKILL),
        (".building-2025-02-*/notebooks/*", signal.SIGTERM),
        ("2025-02", signal.SIGKILL),
        (".building-2025-03-*/notebooks/*", signal.SIGINT),
    ):
        run = start(tmp_path, "killed")
        while not list(shelf.glob(until)) and run.poll() is None:
            time.sleep(0.02)
        assert run.poll() is None
        others = psutil.Process(run.pid).children(recursive=True)
        (os.killpg if how == signal.SIGKILL else os.kill)(run.pid, how)
        assert run.wait() == {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[how]
        assert how == signal.SIGKILL or not list(shelf.glob(".building-*"))
        assert not psutil.wait_procs(others, timeout=3)[1]
        assert [month.label for month in finished_months(shelf)] == (
            [] if until.startswith(".building-2025-02") else ["2025-02"]
        )
    assert start(tmp_path, "killed").wait() == 0
    assert "2025-02: is there, and nothing it depends on has changed" in (tmp_path / "killed.log").read_text()
    assert start(tmp_path, "whole").wait() == 0
    assert whole(shelf) == whole(tmp_path / "whole" / "shoppers") != {}
    assert sorted(path.name for path in shelf.iterdir()) == ["2025-02", "2025-03", "index.html"]
    assert json.loads((shelf / "2025-03" / "run.json").read_text())["months"]["previous"]["month"] == "2025-02"
