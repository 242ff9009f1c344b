"""`segkit months`: what is left alone, what is made again and why, and what a run leaves that is killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import date
from types import SimpleNamespace

import nbformat
import pandas as pd
import psutil
import pytest
from shoppers import write_shop

from segkit.data.cards.card import read_card
from segkit.features.build import build_features
from segkit.monitoring.drift import feature_drift
from segkit.reporting import run_months
from segkit.reporting.finished_runs import FinishedMonth, finished_months
from segkit.run import open_orders
from segkit.runtime.errors import InputError
from segkit.runtime.tables.files import read_table

FEBRUARY, MARCH = "2025-02", "2025-03"
SMALL = {"horizon_days": "28", "max_segments": "4", "min_customers": "10", "bootstraps": "10", "way": "frozen"}
PARAMETERS = """\
dataset: str = ""
month: str = ""
as_of: str = ""
source: str = ""
previous: str = ""
window_days: int = 365
bootstraps: int = 100
choice: str = "kmeans-4"
way: str = "auto" """
# A shop's own analysis in one notebook: the whole chain at a tenth of its work.
OPEN = """\
from segkit import (
    FAMILIES, Limits, assign_customers, assign_everybody, build_features, choose, compare, compare_names,
    describe_by_rule, features_by_model, fit_segmentation, keep_or_refit, kept_candidates, list_segments,
    name_segmentation, name_segments, names_to_keep, number_segments, open_run, prepare, profile_segments, resample,
    size_segments,
)
run = open_run("02_short", dataset, month, as_of, source, previous)
features = build_features(run.rows, run.as_of, window_days)
by_model = features_by_model(run.previous, run.rows, run.as_of)
kept = keep_or_refit(run.previous, features, by_model, run.rows, run.parameters, way=way)
features = by_model if kept.kept else features"""
CHOOSE = """\
matrix = prepare(features)
if kept.kept:
    candidates = kept_candidates(kept.model, matrix, kept.fit, why=kept.reason)
else:
    candidates = resample(compare(matrix, FAMILIES[:1], range(4, 5)), limits=Limits(), draws=bootstraps)
candidates = choose(candidates, Limits(), choice)
fitted = fit_segmentation(candidates, draws=bootstraps)"""
NAME = """\
segmentation, matching = number_segments(fitted, features, run.previous, kept.kept)
assigned = assign_customers(segmentation, features.table, sure=False)["segment_id"]
profile = profile_segments(features.table, features.dictionary, assigned)
sizes, lasting = size_segments(assigned, features.revenue), names_to_keep(run.previous, profile)
names, words = name_segments(profile, sizes, "EUR", features.window_days, lasting)
segments = list_segments(names, sizes, describe_by_rule(features, assigned))
segments, words = compare_names(segments, words, run.previous, profile, lasting)
segmentation = name_segmentation(segmentation, segments)
places = features.table[["spend", "order_count"]].set_axis(["x", "y"], axis=1)
run.save(customer_features=features, candidates=candidates, way=kept, segmentation=segmentation, map=places)
run.save(assignments=assign_everybody(segmentation, features), segments=segments, profile=profile, name_words=words)
run.save(used_ids=[] if matching is None else list(matching.used_ids))"""


def write_notebook(folder):
    sources = enumerate((PARAMETERS, OPEN, CHOOSE, NAME))
    cells = [nbformat.v4.new_code_cell(source, id=f"cell-{place}") for place, source in sources]
    cells[0].metadata["tags"] = ["parameters"]
    folder.mkdir(exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "02_short.ipynb")


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A folder with a shop, its card and its own notebook; and its months February and March by `segkit months`."""
    folder = tmp_path_factory.mktemp("months")
    write_shop(folder, shoppers=120, months=3, seed=1)
    write_notebook(folder / "notebooks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("segkit.runtime.cache.CACHE", folder / "cache")
        patch.setenv("SEGKIT_CACHE", str(folder / "cache"))
        said = []
        run_months.run_months(**asked(folder, "whole"), tell=said.append, notebooks=folder / "notebooks")
        assert [line.partition(" in ")[0] for line in said] == [
            f"{month}: {what}" for month in (FEBRUARY, MARCH) for what in ("being made", "done")
        ]
        yield folder


def asked(folder, out, **settings):
    given = {"dataset": str(folder / "shoppers.toml"), "first": FEBRUARY, "last": MARCH, "out": folder / out}
    return given | SMALL | settings


@pytest.fixture
def again(shop, tmp_path, monkeypatch):
    """Return a function that asks for the months once more, in a copy of the shop, and what it is told of each."""
    shutil.copytree(shop, tmp_path, ignore=shutil.ignore_patterns("cache", "killed*"), dirs_exist_ok=True)
    for record in (tmp_path / "whole" / "shoppers").glob("*/run.json"):
        record.write_text(record.read_text().replace(str(shop), str(tmp_path)))
    monkeypatch.setattr(run_months, "run_report", lambda *_, **__: None)  # what would be made is not

    def ask(**settings):
        said = []
        run_months.run_months(**asked(tmp_path, "whole", **settings), tell=said.append)
        return [line for line in said if ": done in" not in line]

    return ask


THERE = "is there, and nothing it depends on has changed"


def test_a_second_call_leaves_finished_months_alone_and_writes_their_page(shop):
    page, said = shop / "whole" / "shoppers" / "index.html", []
    before = {path: path.stat().st_mtime_ns for path in page.parent.glob("*/run.json")}
    page.unlink()
    assert run_months.run_months(**asked(shop, "whole"), tell=said.append) == page  # the notebooks are those of before
    assert said == [f"{FEBRUARY}: {THERE}", f"{MARCH}: {THERE}"]
    assert before == {path: path.stat().st_mtime_ns for path in page.parent.glob("*/run.json")}
    assert "kept, of 2025-02: it was asked for (way)." in page.read_text()


@pytest.mark.parametrize(
    ("path", "old", "new", "reason"),
    [
        ("notebooks/02_short.ipynb", "range(4, 5)", "range(4, 6)", "the notebooks' code changed"),
        ("notebooks/02_short.ipynb", '"metadata": {}', '"metadata": {"author": "Ann"}', ""),
        ("shoppers.toml", "EUR", "USD", "the card changed"),
    ],
)
def test_a_changed_cell_or_card_makes_a_month_again_and_prose_does_not(again, tmp_path, path, old, new, reason):
    content = (tmp_path / path).read_text()
    assert old in content
    (tmp_path / path).write_text(content.replace(old, new))
    said = f"being made again: {reason}" if reason else THERE
    assert again() == [f"{FEBRUARY}: {said}", f"{MARCH}: {said}"]


def test_a_changed_parameter_makes_a_month_again_but_how_to_go_on_is_no_matter_of_a_first_month(again):
    assert again(bootstraps="11")[0] == f"{FEBRUARY}: being made again: bootstraps changed"
    assert again(way="refit") == [f"{FEBRUARY}: {THERE}", f"{MARCH}: being made again: way changed"]


def test_lines_of_a_later_month_change_nothing_and_those_of_a_month_make_it_again(again, tmp_path):
    orders = pd.read_parquet(tmp_path / "orders.parquet")
    later = orders.tail(1).assign(day=pd.Timestamp("2025-04-02"), order="later")
    pd.concat([orders, later]).to_parquet(tmp_path / "orders.parquet", index=False)
    assert again() == [f"{FEBRUARY}: {THERE}", f"{MARCH}: {THERE}"]
    pd.concat([orders, orders.tail(1).assign(order="more")]).to_parquet(tmp_path / "orders.parquet", index=False)
    assert again() == [f"{FEBRUARY}: {THERE}", f"{MARCH}: being made again: its data changed"]


def test_a_month_that_was_made_again_makes_the_next_one_stale(again, tmp_path):
    history = tmp_path / "whole" / "shoppers" / FEBRUARY / "model" / "history.json"
    history.write_text(history.read_text().replace("S4", "S5"))
    assert again() == [f"{FEBRUARY}: {THERE}", f"{MARCH}: being made again: {FEBRUARY} has changed since"]
    shutil.rmtree(history.parents[1])
    assert again(first=MARCH) == [f"{MARCH}: {THERE}"]  # the months before may have been put away


def test_months_go_on_with_the_notebooks_of_the_month_before_and_nothing_switches_silently(again, tmp_path):
    shutil.copytree(tmp_path / "notebooks", tmp_path / "moved")
    assert again(notebooks=tmp_path / "moved")[1] == f"{MARCH}: {THERE}"  # the cells count, wherever they lie
    shutil.rmtree(tmp_path / "notebooks")
    with pytest.raises(InputError, match="2025-03 was made with the notebooks in .*, which is not there: name"):
        again(first=MARCH)
    shutil.rmtree(tmp_path / "whole" / "shoppers" / MARCH)
    with pytest.raises(InputError, match="2025-02 was made with .* --notebooks"):
        again(first=MARCH)


def test_where_the_data_begin_within_the_window_a_kept_month_counts_the_days_of_its_fit(shop):
    folders = [shop / "whole" / "shoppers" / month for month in (FEBRUARY, MARCH)]
    records = [json.loads((folder / "run.json").read_text()) for folder in folders]
    assert [record["days_counted"] for record in records] == [59, 59]
    assert records[1]["months"]["way"] == "frozen"
    assert not read_table(folders[1] / "tables" / "aging.parquet")["alarm"].any()
    sizes = [read_table(folder / "tables" / "segments.parquet").set_index("segment_id") for folder in folders]
    assert (sizes[0]["customer_share"] - sizes[1]["customer_share"]).abs().max() < 0.06
    before = read_table(folders[0] / "tables" / "features.parquet").set_index("customer_id")
    longer = build_features(open_orders(read_card(shop / "shoppers.toml"), date(2025, 3, 31)), date(2025, 3, 31), 365)
    drift = feature_drift(before, longer.table, longer.dictionary, seed=0).set_index("feature")["alarm"]
    assert drift[["tenure_days", "active_span_days"]].all()  # as a longer month would have had it


@pytest.mark.parametrize(("same", "said"), [(True, ""), (False, "being made again: its data changed")])
def test_a_month_that_is_looked_at_gives_back_what_the_next_needs_of_the_engine(monkeypatch, tmp_path, same, said):
    closed = []
    orders = SimpleNamespace(inputs={"orders.csv": "grown"}, close=lambda: closed.append("orders"))
    monkeypatch.setattr(run_months, "open_orders", lambda *_: orders)
    monkeypatch.setattr(run_months, "chain_of", lambda *_: {})
    monkeypatch.setattr(run_months, "made_by", lambda *_: {})
    monkeypatch.setattr(run_months, "_has_same_data", lambda *_: same)
    record = {"parameters": {}, "made_by": {}, "inputs": {"orders.csv": "of then"}}
    month, none = FinishedMonth("2025-01", tmp_path / "2025-01", record), SimpleNamespace(as_dict=dict)
    assert run_months._why_run("2025-01", [month], {}, None, none, tmp_path) == said
    assert closed == ["orders"]


def start(folder, out):
    settings = [part for name, given in SMALL.items() for part in ("--set", f"{name}={given}")]
    command = [
        sys.executable,
        "-m",
        "segkit",
        "months",
        str(folder / "shoppers.toml"),
        "--from",
        FEBRUARY,
        "--to",
        MARCH,
    ]
    command += ["--out", str(folder / out), "--notebooks", str(folder / "notebooks"), *settings]
    with (folder / f"{out}.log").open("w") as said:  # a pipe would be held open by the workers of a killed process
        surroundings = os.environ | {"OMP_NUM_THREADS": "1", "SEGKIT_CACHE": str(folder / "cache")}
        return subprocess.Popen(command, stdout=said, env=surroundings, start_new_session=True)


def whole(shelf):
    """The bytes of every table and model of the finished months."""
    paths = [path for part in ("tables", "model") for path in sorted(shelf.glob(f"*/{part}/*"))]
    return {path.relative_to(shelf): path.read_bytes() for path in paths}


KILLED = [
    (".segkit-*/2025-02", signal.SIGKILL, []),
    (".segkit-*/2025-02/work/02_short/map", signal.SIGTERM, []),
    ("2025-02", signal.SIGKILL, [FEBRUARY]),
    (".segkit-*/2025-03/work/02_short/map", signal.SIGINT, [FEBRUARY]),
]


def kill(folder, shelf, until, how):
    """Start the months and end them once a path is there; return the status, and how many of their processes go on."""
    run = start(folder, "killed")
    while not list(shelf.glob(until)) and run.poll() is None:
        time.sleep(0.02)
    others = psutil.Process(run.pid).children(recursive=True)
    (os.killpg if how == signal.SIGKILL else os.kill)(run.pid, how)
    return run.wait(), len(psutil.wait_procs(others, timeout=10)[1])


def test_a_killed_run_leaves_whole_months_and_the_next_call_finishes_with_the_same_bytes(shop):
    shelf = shop / "killed" / "shoppers"
    for until, how, left in KILLED:
        status = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[how]
        assert kill(shop, shelf, until, how) == (status, 0)
        assert how == signal.SIGKILL or not list(shelf.glob(".*"))
        assert [month.label for month in finished_months(shelf)] == left
    assert start(shop, "killed").wait() == 0
    assert f"{FEBRUARY}: {THERE}" in (shop / "killed.log").read_text()
    assert whole(shelf) == whole(shop / "whole" / "shoppers") != {}
    assert sorted(path.name for path in shelf.iterdir()) == [FEBRUARY, MARCH, "index.html"]
