"""`segkit months`: what is left alone, what is made again and why, and what a run leaves that is killed."""

import shutil

import nbformat
import pytest
from shoppers import write_shop

from segkit.reporting import run_months

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
choice: str = "kmeans-4" """
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
kept = keep_or_refit(run.previous, features, by_model, run.rows, run.parameters)
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


def write_notebook(folder, name="02_short"):
    cells = [nbformat.v4.new_code_cell(source, id=f"cell-{n}") for n, source in enumerate((PARAMETERS, OPEN, CHOOSE, NAME))]
    cells[0].metadata["tags"] = ["parameters"]
    folder.mkdir(exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / f"{name}.ipynb")


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
    """Asks for the same months in a copy of the shop; what is said of each, with nothing made."""
    monkeypatch.setattr(run_months, "run_report", lambda *_, **__: None)
    shutil.copytree(shop, tmp_path, ignore=shutil.ignore_patterns("cache", "killed*"), dirs_exist_ok=True)

    def ask(**settings):
        said = []
        given = asked(tmp_path, "whole", notebooks=tmp_path / "notebooks", **settings)
        run_months.run_months(**given, tell=said.append)
        return [line.partition(": ")[2] for line in said if ": done in" not in line]

    ask.folder = tmp_path
    return ask


THERE = "is there, and nothing it depends on has changed"


def test_a_second_call_leaves_finished_months_alone_and_writes_their_page(shop):
    page, said = shop / "whole" / "shoppers" / "index.html", []
    before = {path: path.stat().st_mtime_ns for path in page.parent.glob("*/run.json")}
    page.unlink()
    assert run_months.run_months(**asked(shop, "whole"), tell=said.append) == page  # with the notebooks of before
    assert said == [f"{FEBRUARY}: {THERE}", f"{MARCH}: {THERE}"]
    assert before == {path: path.stat().st_mtime_ns for path in page.parent.glob("*/run.json")}
    assert "All 4 segments" in page.read_text()
