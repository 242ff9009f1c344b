"""Months in order: what is looked at beforehand."""

from types import SimpleNamespace

import pytest

from segkit.reporting import run_months
from segkit.reporting.finished_runs import FinishedMonth


@pytest.mark.parametrize(("same", "said"), [(True, ""), (False, "being made again: its data changed")])
def test_a_month_that_is_looked_at_gives_back_what_the_next_needs_of_the_engine(monkeypatch, tmp_path, same, said):
    closed = []
    orders = SimpleNamespace(inputs={"orders.csv": "grown"}, close=lambda: closed.append("orders"))
    study = SimpleNamespace(parameters=SimpleNamespace(as_dict=dict), orders=orders)
    monkeypatch.setattr(run_months, "open_study", lambda *_, **__: study)
    monkeypatch.setattr(run_months, "made_by", lambda _: {})
    monkeypatch.setattr(run_months, "has_same_data", lambda *_: same)
    record = {"parameters": {}, "made_by": {}, "inputs": {"orders.csv": "of then"}}
    month = FinishedMonth("2025-01", tmp_path / "2025-01", record)
    assert run_months._why_run("2025-01", [month], {}, "shop", "", {}) == said
    assert closed == ["orders"]
