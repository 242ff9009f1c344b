"""Three months of planted shoppers by the chain of notebooks: what lasts, adds up, is forecast, and goes stale."""

import json
import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from shoppers import MOVES, write_shop

from segkit.data.cards.card import read_card
from segkit.monitoring.previous_month import read_model, read_run, run_digest
from segkit.monitoring.refit import features_by_model, judge_kept_model, keep_or_refit
from segkit.preprocessing.prepare import prepare
from segkit.reporting.finished_runs import finished_months, month_before, stale_months
from segkit.reporting.run_chain import run_report
from segkit.reporting.series_page import write_series
from segkit.run import NOTEBOOKS, open_orders, open_run
from segkit.runtime.errors import InputError
from segkit.runtime.notebook_steps import read_step
from segkit.runtime.parameters import read_parameters
from segkit.runtime.run_step import run_step
from segkit.runtime.table_store import find_table
from segkit.runtime.tables.files import read_table
from segkit.runtime.tables.schema import TABLES
from segkit.validation.kept_model import kept_candidates
from segkit.validation.selection import Limits, choose, forward_sentence

SMALL = {"window_days": 30, "horizon_days": 28, "max_segments": 4, "min_customers": 10, "bootstraps": 10}
SMALL |= {"choice": "kmeans-4", "way": "frozen"}
FEBRUARY, MARCH, APRIL = "2025-02", "2025-03", "2025-04"


@dataclass
class Month:
    """A finished run, as the tests ask for it."""

    folder: Path

    def __getattr__(self, name: str) -> pd.DataFrame:
        return read_table(self.folder / "tables" / f"{name}.parquet")

    @property
    def record(self) -> dict:
        return json.loads((self.folder / "run.json").read_text())

    @property
    def history(self) -> dict:
        return json.loads((self.folder / "model" / "history.json").read_text())

    @property
    def page(self) -> str:
        return " ".join((self.folder / "report.html").read_text(encoding="utf-8").split())

    @property
    def assigned(self) -> pd.Series:
        return self.assignments.set_index("customer_id")["segment_id"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The card, with its defaults; the kinds that were planted."""
    folder = tmp_path_factory.mktemp("shoppers")
    card, kinds = write_shop(folder, shoppers=240, months=4, seed=0)
    defaults = "\n".join(f"{name} = {json.dumps(given)}" for name, given in SMALL.items())
    card.write_text(f"{card.read_text()}\n[defaults]\n{defaults}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("segkit.runtime.cache.CACHE", folder / "cache")
        patch.setenv("SEGKIT_CACHE", str(folder / "cache"))
        yield card, kinds


@pytest.fixture(scope="module")
def months(shop):
    """February, fitted; March, kept; April, fitted anew."""
    made = []
    for month, way in ((FEBRUARY, "frozen"), (MARCH, "frozen"), (APRIL, "refit")):
        page = run_report(str(shop[0]), month=month, out=shop[0].parent / "reports", way=way)
        made.append(Month(page.parent))
    return made


@pytest.fixture
def shelf(months, tmp_path):
    """A copy of what the series page and the next month read of the three."""
    for month in months:
        for part in ("tables", "model", "run.json"):
            copy = shutil.copytree if (month.folder / part).is_dir() else shutil.copy
            (tmp_path / month.folder.name).mkdir(exist_ok=True)
            copy(month.folder / part, tmp_path / month.folder.name / part)
    return tmp_path


def test_a_kept_model_tries_nothing_and_keeps_ids_and_names(months):
    february, march, _ = months
    tried = march.candidates.set_index("candidate_id")
    assert tried["chosen"].to_dict() == {"rfm-10": False, "tiers-5": False, "kmeans-4": True}
    models = [read_model(month.folder) for month in (february, march)]
    assert models[0].segment_ids == models[1].segment_ids
    assert march.segments["was_called"].isna().sum() >= 3
    then = february.candidates.set_index("candidate_id")
    assert tried.loc["kmeans-4", "stability_ari"] == pytest.approx(then.loc["kmeans-4", "stability_ari"], rel=1e-4)
    assert pd.isna(tried.loc["kmeans-4", "forward_share"])
    assert march.record["verdict"]["why"].startswith("as found when the model was fitted, as of 2025-02-28")
    assert march.record["months"]["way"], march.record["months"]["fitted"] == ("frozen", FEBRUARY)
    assert march.assignments["confidence"].notna().all()


def test_a_kept_month_says_where_it_was_judged_and_shows_no_empty_columns(months):
    page = months[1].page
    assert "The model of an earlier month is kept: kmeans-4, four segments. What it tells about the future was" in page
    assert "judged when it was fitted, in the report of 2025-02." in page
    assert "Fitted as of 2025-02-28, and kept: it was asked for (way)." in page
    assert "tells how much" not in page
    assert "Since last month" in page
    assert "Since last month" not in months[0].page


def test_a_kept_model_that_is_older_than_a_horizon_is_judged_itself(shop, months, monkeypatch, tmp_path):
    monkeypatch.setattr("segkit.runtime.cache.CACHE", tmp_path)
    monkeypatch.setattr("segkit.validation.forward.look_back.HISTORY_DAYS", 30)
    previous, orders = read_run(months[0].folder), open_orders(read_card(shop[0]), date(2025, 3, 31))
    features, parameters = features_by_model(previous, orders, orders.as_of), read_parameters(SMALL)
    way = keep_or_refit(previous, features, features, orders, parameters)
    judgement = judge_kept_model(way, previous, orders, orders.as_of, parameters)
    kept = kept_candidates(way.model, prepare(features), way.fit, why=way.reason, judgement=judgement)
    kept = choose(kept, Limits())
    assert judgement.note.startswith("The model of 2025-02-28 was held against what came: its segments of")
    assert "Its segments tell" in forward_sentence(kept)
    assert kept.chosen[["forward_value", "forward_value_low"]].notna().all()
    assert kept.verdict["evidence"]["forward_value"] == pytest.approx(kept.chosen["forward_value"])


@pytest.mark.parametrize("place", [1, 2])
def test_sizes_add_up_exactly_and_nobody_is_remodelled_by_a_kept_model(months, place):
    month = months[place]
    sizes = month.net_sizes.set_index("segment_id")
    total = sizes["before"] + sizes["moved"] + sizes["remodelled"] + sizes["joined"] - sizes["left"]
    assert total.equals(sizes["after"])
    after = sizes["after"][sizes["after"] > 0].to_dict()
    assert after == month.segments.set_index("segment_id")["customers"].to_dict()
    assert month.moved["customers"].sum() == month.migrations["customers"].sum()
    assert month.migrated_revenue["revenue_after"].sum() == pytest.approx(month.features["spend"].sum())
    assert place == 2 or not sizes["remodelled"].any()


def test_ids_last_when_the_model_is_fitted_anew_and_are_never_reused(months):
    february, march, april = months
    assert april.record["months"]["way"] == "refit"
    used = april.history["used_ids"]
    assert {*read_model(april.folder).segment_ids, *read_model(february.folder).segment_ids} <= set(used)
    assert (april.events["event"] == "kept").sum() == 4
    new = set(april.events.loc[april.events["event"].isin(["new", "split"]), "segment_id"])
    assert not new & set(march.history["used_ids"])


def test_the_planted_moves_are_recovered_and_segments_are_the_same_kinds(shop, months):
    kinds, found = shop[1], [month.assigned for month in months[:2]]
    tables = [pd.crosstab(ids, kinds[place + 1]) for place, ids in enumerate(found)]
    assert tables[0].idxmax(axis=1).equals(tables[1].idxmax(axis=1))
    order = tables[0].idxmax(axis=1).sort_values().index
    both = found[0].index.intersection(found[1].index)
    moves = pd.crosstab(found[0][both], found[1][both], normalize="index").loc[order, order]
    assert np.abs(moves.to_numpy() - MOVES).mean() <= 0.06


def test_a_forecast_is_held_against_what_came_by_the_model_that_it_was_made_with(months):
    _, march, april = months
    made = march.forecasts
    assert set(made["month"]) == {APRIL}
    assert made["actual"].isna().all()
    due = april.forecasts[april.forecasts["month"] == APRIL]
    assert due["actual"].sum() == len(april.assignments)
    assert set(april.forecasts["month"]) == {APRIL, "2025-05"}
    assert len(april.history["moves"]) == 1  # of the new model; the moves of the old one went with it


def test_every_table_of_months_is_defined_and_says_what_its_columns_are(months):
    files = {path.stem for path in (months[2].folder / "tables").glob("*.parquet")}
    assert {"migrations", "migrated_revenue", "moved", "net_sizes", "events", "drift", "aging", "forecasts"} <= files
    assert files <= set(TABLES)
    assert "as it came" not in (months[2].folder / "tables" / "README.md").read_text().split("## quarantine")[0]
    assert not (months[0].folder / "tables" / "migrations.parquet").exists()


def test_a_changed_month_makes_the_later_ones_stale_by_name(shelf):
    assert stale_months(finished_months(shelf)) == {}
    assert month_before(shelf, APRIL).label == MARCH
    page = write_series(shelf, "Shoppers", "EUR").read_text()
    assert "2025-03/report.html" in page
    assert "stale" not in page
    history = shelf / FEBRUARY / "model" / "history.json"
    history.write_text(history.read_text().replace("S4", "S5"))
    assert stale_months(finished_months(shelf)) == {
        MARCH: "2025-02 has changed since",
        APRIL: "2025-03 is stale",
    }
    assert "2025-04 is stale: 2025-03 is stale." in write_series(shelf, "Shoppers", "EUR").read_text()


def test_the_series_page_does_without_the_month_before_and_reads_older_runs(shelf):
    for gone in (FEBRUARY, APRIL):
        shutil.rmtree(shelf / gone)
    record = shelf / MARCH / "run.json"
    record.write_text(record.read_text().replace("days_counted", "days_of_old"))
    page = write_series(shelf, "Shoppers", "EUR").read_text()
    assert "All 4 segments of 2025-02 are still there" in page
    assert "revenue in the 30 days counted" in page


def test_a_month_before_must_be_one(shop, months):
    def open_march(previous, **settings):
        return open_run("02_features", shop[0], MARCH, previous=str(previous), **settings).previous

    with pytest.raises(InputError, match="previous 2025-04 does not end before 2025-03"):
        open_march(months[2].folder)
    with pytest.raises(InputError, match="nowhere is no month to go on from"):
        open_march("nowhere")
    with pytest.raises(InputError, match="05_months asks shoppers for a month before"):
        open_run("05_months", shop[0], MARCH, needs="previous")
    assert open_march(months[0].folder).digest == run_digest(months[0].folder)
    with pytest.raises(InputError, match="way is 'thaw'; it must be auto, refit or frozen"):
        run_report(str(shop[0]), month=MARCH, out=months[0].folder.parents[1], way="thaw")


def test_notebook_5_opened_alone_studies_the_month_before_and_finds_what_the_runs_found(shop, months):
    notebook, working = read_step(NOTEBOOKS / "05_months.ipynb"), shop[0].parent / "cache" / "runs"
    target = shop[0].parent / "alone" / "05_months.ipynb"
    asked = {"dataset": str(shop[0]), "month": MARCH, "previous": FEBRUARY}
    run_step(notebook, target, asked | {"window_days": SMALL["window_days"]})
    cells = nbformat.read(target, as_version=4).cells
    assert not [out for cell in cells for out in cell.get("outputs", []) if out.output_type in ("error", "stream")]
    run = open_run("05_months", shop[0], MARCH, previous=FEBRUARY)
    assert {truth.state for name, truth in run.tables.items() if run._makers[name] < "05_z"} == {"fresh"}
    pd.testing.assert_frame_equal(run.load("migrations"), months[1].migrations, check_dtype=False)
    ids = run.load("assignments")["segment_id"]
    pd.testing.assert_series_equal(ids, months[1].assigned, check_dtype=False)
    assert find_table(next(working.glob(f"*/{FEBRUARY}/*/04_name")), "segments") is not None
