"""One whole report of every kind of dataset: complete, reconciled, and honest about what it cannot show."""

import json

import nbformat
import pandas as pd
import pytest
from shops import KINDS, SMALL

from segkit.reporting.run_chain import run_report
from segkit.runtime.tables.files import read_table


@pytest.fixture(scope="module", params=list(KINDS))
def run(request, tmp_path_factory):
    """The folder of a finished run, and its dataset's."""
    folder = tmp_path_factory.mktemp("kind")
    card = KINDS[request.param](folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("segkit.runtime.cache.CACHE", folder / "cache")
        patch.setenv("SEGKIT_CACHE", str(folder / "cache"))
        month = "2025-12" if card.name == "shop.toml" else ""
        page = run_report(str(card), month=month, out=folder / "reports", **SMALL)
    return page.parent


def test_a_report_of_any_kind_is_complete_and_reconciles(run):
    tables = {path.stem: read_table(path) for path in (run / "tables").glob("*.parquet")}
    segments, assigned = tables["segments"], tables["assignments"]
    assert segments["customers"].sum() == len(assigned) == len(tables["features"])
    assert assigned["segment_id"].isin(segments["segment_id"]).all()
    assert tables["candidates"]["chosen"].sum() == 1
    assert segments["segment"].is_unique
    if (run / "model" / "history.json").exists():
        spend = tables["features"]["spend"].sum()
        assert segments["revenue"].sum() == pytest.approx(spend)
    record = json.loads((run / "run.json").read_text())
    assert record["rows"]["in"] == tables["ledger"]["rows"].sum()
    assert {"report.html", "run.json", "tables", "model", "notebooks"} == {path.name for path in run.iterdir()}


def test_no_notebook_of_it_ends_in_an_error_and_the_page_has_text_for_text(run):
    for path in (run / "notebooks").glob("*.ipynb"):
        outputs = [out for cell in nbformat.read(path, as_version=4).cells for out in cell.get("outputs", [])]
        assert not [out for out in outputs if out.output_type == "error"], path.name
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "<b>&</b>" not in page
    assert len(page) < 5_000_000
    assert "http" not in page.replace("http://www.w3.org", "").replace("https://www.w3.org", "")


def test_the_page_shows_no_customer_and_no_group_below_ten(run):
    page = (run / "report.html").read_text(encoding="utf-8")
    ids = pd.read_parquet(run / "tables" / "features.parquet", columns=["customer_id"])["customer_id"]
    assert not any(f">{one}<" in page for one in ids if not one.isdigit())
    segments = read_table(run / "tables" / "segments.parquet")
    small = segments[(segments["customers"] < 10) & (segments["segment_id"] != "S0")]
    assert not small["segment"].map(lambda name: name in page).any()
