"""An analyst edits copies of the notebooks, and nothing else: each edit arrives in the report and in what follows."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from shops import SMALL, two_kinds, write_orders

from segkit import InputError
from segkit.reporting.own_notebooks import copy_notebooks
from segkit.reporting.run_chain import run_report
from segkit.runtime.tables.files import read_table
from segkit.scoring.score import score_customers
from segkit.targeting.handover.folder import hand_over

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
CONTACTS = """
[customers]
source = "customers.csv"
[customers.columns]
customer_id = "customer"
email = "email"
consent = "consent"
"""
FEATURE = (
    """{"big_order_share": custom("avg(CASE WHEN amount >= 8 THEN 1 ELSE 0 END)", kind="share", family="basket")}"""
)
FAMILY = """from sklearn.cluster import KMeans
from segkit import Family

halves = Family.of("halves", lambda X, k: KMeans(k, n_init=2, random_state=0).fit(X[:, :2]), [{"k": 3}])
families = [*FAMILIES, halves]"""
LEVER = """from segkit import Lever

could_try = [*LEVERS, Lever("free delivery", "retention", lambda kpis: (1e6, 9e5, 2e6), "free delivery for {}")]"""
EDITS = {
    "02_features": ("own_features = {}", f"own_features = {FEATURE}"),
    "03_compare": ("families = FAMILIES", FAMILY),
    "04_name": ("rename_segments(segments, {})", 'rename_segments(segments, {"S1": "Tea lovers"})'),
    "06_act": ("could_try = LEVERS", LEVER),
}


def edit(folder, name, old, new):
    """Replace a text in one code cell of a notebook."""
    path = folder / f"{name}.ipynb"
    notebook = json.loads(path.read_text())
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code" and old in "".join(cell["source"])]
    assert len(cells) == 1
    cells[0]["source"] = "".join(cells[0]["source"]).replace(old, new)
    path.write_text(json.dumps(notebook))


@pytest.fixture(scope="module")
def edited(tmp_path_factory):
    """A run of the copies, with the card that it was made of."""
    folder = tmp_path_factory.mktemp("edited")
    card = write_orders(folder, two_kinds(), more=CONTACTS)
    people = pd.DataFrame({"customer": range(160)})
    people.assign(email=[f"c{i}@shop.example" for i in range(160)], consent="yes").to_csv(folder / "customers.csv")
    copies = folder / "notebooks"
    shutil.copytree(NOTEBOOKS, copies, ignore=shutil.ignore_patterns("scratch", ".ipynb_checkpoints"))
    for name, (old, new) in EDITS.items():
        edit(copies, name, old, new)
    edit(copies, "03_compare", '"taste": 1', '"taste": 2')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("segkit.runtime.cache.CACHE", folder / "cache")
        patch.setenv("SEGKIT_CACHE", str(folder / "cache"))
        settings = SMALL | {"choice": "halves-3", "handover_floor": 10, "min_segments": 2}
        page = run_report(str(card), month="2025-12", out=folder / "reports", notebooks=copies, **settings)
        yield page.parent, card, copies


def test_a_feature_added_in_02_is_in_the_tables_and_scored_anew(edited):
    run, card, _ = edited
    assert read_table(run / "tables" / "features.parquet")["big_order_share"].between(0, 1).all()
    meaning = read_table(run / "tables" / "feature_dictionary.parquet").set_index("feature")
    assert meaning.loc["big_order_share", "family"] == "basket"
    scored, own = score_customers(run, card), read_table(run / "tables" / "assignments.parquet")
    assert scored["segment_id"].to_list() == own["segment_id"].to_list()


def test_an_own_method_and_a_weight_of_03_decide_the_segments(edited):
    run, *_ = edited
    candidates = read_table(run / "tables" / "candidates.parquet").set_index("candidate_id")
    assert candidates.loc["halves-3", ["family", "chosen"]].to_list() == ["halves", True]
    matrix = json.loads((run / "model" / "segmentation.json").read_text())["matrix"]
    columns = pd.DataFrame(matrix["columns"]).groupby("family")["variance"].sum()
    assert columns["taste"] > 1.5 * columns["basket"]
    assert "halves-3" in (run / "report.html").read_text()


def test_a_name_typed_in_04_is_in_the_page_the_scores_and_the_audience_files(edited):
    run, card, _ = edited
    assert "Tea lovers" in (run / "report.html").read_text()
    assert "Tea lovers" in set(score_customers(run, card)["segment"])
    folder, _ = hand_over(run, to=("klaviyo",), floor=10)
    assert "Tea lovers,S1" in (folder / "klaviyo.csv").read_text()
    segments = read_table(run / "tables" / "segments.parquet").set_index("segment_id")
    assert segments.loc["S1", "named_by"] == "analyst"


def test_a_lever_added_in_06_is_in_the_page(edited):
    run, *_ = edited
    assert "free delivery" in set(read_table(run / "tables" / "levers.parquet")["lever"])
    assert "free delivery for" in (run / "report.html").read_text()


def test_a_run_knows_its_notebooks(edited):
    run, _, copies = edited
    record = json.loads((run / "run.json").read_text())
    assert record["notebooks"]["folder"] == str(copies)
    assert record["named_by_analyst"] == ["S1"]


def test_copies_that_lack_what_a_report_needs_are_refused_by_name(tmp_path):
    card = write_orders(tmp_path, two_kinds())
    shutil.copytree(NOTEBOOKS, tmp_path / "copies", ignore=shutil.ignore_patterns("scratch"))
    edit(tmp_path / "copies", "04_name", "run.save(map=places, ", "run.save(")
    with pytest.raises(InputError, match="loads map, which no notebook"):
        run_report(str(card), month="2025-12", out=tmp_path / "out", notebooks=tmp_path / "copies", **SMALL)


def test_copies_for_a_shop_open_with_its_card_and_are_never_written_over(tmp_path):
    (tmp_path / "data").mkdir()
    card = write_orders(tmp_path / "data", two_kinds())
    folder = copy_notebooks(card)
    assert folder == tmp_path / "notebooks" / "shop"
    copied = json.loads((folder / "02_features.ipynb").read_text())
    assert f'dataset: str = "{card}"' in "".join("".join(cell["source"]) for cell in copied["cells"])
    assert not any(cell.get("outputs") for cell in copied["cells"])
    with pytest.raises(InputError, match="is there already"):
        copy_notebooks(card)
