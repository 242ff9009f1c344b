"""A run folder that was damaged or edited is refused, and the file named."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from segkit.clustering.fit import Candidate
from segkit.clustering.freeze import freeze_candidate
from segkit.monitoring.previous_month import read_run
from segkit.preprocessing.prepare import features_from, prepare
from segkit.reporting.finished_runs import finished_months, month_before
from segkit.runtime.errors import InputError
from segkit.runtime.tables.files import read_table, write_json, write_table
from segkit.runtime.tables.schema import TABLES

FIT = {"month": "2026-01", "as_of": "2026-01-31", "parameters": {}, "judged": False, "figures": {}, "verdict": {}}
FIT |= {"forward": "", "stability": {"columns": [], "rows": []}, "pairs": {"columns": [], "rows": []}}
HISTORY = {
    "previous": None,
    "way": "refit",
    "why": "first",
    "fit": FIT,
    "used_ids": ["S1"],
    "moves": [[["S1", "S2", 3]]],
}
RECORD = {"dataset": "shop", "month": "2026-01", "as_of": "2026-01-31", "days_counted": 30}
RECORD |= {"months": {"previous": None, "way": "refit", "why": "first"}}


@pytest.fixture
def run(tmp_path):
    """What the next month reads of a finished run of four customers."""
    folder = tmp_path / "2026-01"
    (folder / "tables").mkdir(parents=True)
    features = pd.DataFrame({"spend": [1.0, 2.0, 90.0, 99.0]}, index=pd.Index(list("abcd"), name="customer_id"))
    matrix = prepare(features_from(features, {"spend": "money"}))
    freeze_candidate(matrix, Candidate("kmeans-2", "kmeans", {"k": 2})).save(folder / "model")
    ids = {"customer_id": list("abcd"), "segment_id": ["S1", "S1", "S2", "S2"]}
    given = {"assignments": ids, "features": features.reset_index(), "map": ids | {"x": 0.0, "y": 1.0}}
    given |= {
        "segments": {"segment_id": ["S1", "S2"]},
        "profile": {"segment_id": ["S1", "S2"]},
        "name_words": {"segment_id": ["S1"]},
    }
    for name, columns in given.items():
        table = pd.DataFrame(columns)
        table = table.assign(**{column: None for column in TABLES[name].columns if column not in table})
        table.to_parquet(folder / "tables" / f"{name}.parquet")
    write_json(HISTORY, folder / "model" / "history.json")
    write_json(RECORD, folder / "run.json")
    return folder


def test_a_whole_run_is_read(run):
    month = read_run(run)
    assert (month.label, len(month.features), month.moves[0].to_numpy().tolist()) == ("2026-01", 4, [["S1", "S2", 3]])
    assert [one.label for one in finished_months(run.parent)] == ["2026-01"]


@pytest.mark.parametrize(
    "spoil", [lambda raw: b"", lambda raw: raw[: len(raw) // 2], lambda raw: b"\xff\0{" + raw, None]
)
@pytest.mark.parametrize("name", [
    "run.json", "model/history.json", "model/segmentation.json", "model/rule.npz", "model/resampled.npz",
    *(f"tables/{name}.parquet" for name in ("assignments", "features", "map", "segments", "profile", "name_words")),
])  # fmt: skip
def test_a_damaged_file_of_the_month_before_is_refused_and_named(run, name, spoil):
    (run / name).write_bytes(spoil((run / name).read_bytes())) if spoil else (run / name).unlink()
    with pytest.raises(InputError, match=re.escape(name)) as refused:
        read_run(run)
    assert "\n" not in str(refused.value)


def edited(record: dict, path: str, given) -> dict:
    """A copy of a record with one thing in it replaced, or left out where that is `...`."""
    copy = part = json.loads(json.dumps(record))
    *parents, last = path.split(".")
    for name in parents:
        part = part[name]
    part.pop(last) if given is ... else part.update({last: given})
    return copy


@pytest.mark.parametrize(("path", "given"), [
    ("fit", ...), ("fit", 3), ("used_ids", "S1"), ("used_ids", [1]), ("moves", {}), ("moves", [3]), ("moves", [[3]]),
    ("moves", [[["S1", "S2", "x"]]]), ("moves", [[["S1", "S2", -1]]]), ("fit.month", 3), ("fit.verdict", ...),
    ("fit.stability", {}), ("fit.pairs", {"columns": ["a"], "rows": [[1, 2]]}), ("fit.figures", []),
])  # fmt: skip
def test_a_history_that_cannot_be_is_refused(run, path, given):
    write_json(edited(HISTORY, path, given), run / "model" / "history.json")
    with pytest.raises(InputError, match=r"history\.json is damaged"):
        read_run(run)


@pytest.mark.parametrize(("path", "given"), [
    ("month", 3), ("month", "2026-02"), ("month", "../x"), ("as_of", "2026-02-30"), ("as_of", 3), ("months", ...),
    ("months.previous", ...), ("months.previous", {"month": "../../etc", "digest": ""}), ("months.previous", 3),
    ("months.way", ...), ("parameters", []), ("days_counted", ...), ("inputs", "x"),
])  # fmt: skip
def test_a_record_of_a_month_that_cannot_be_is_refused_but_not_by_the_run_that_replaces_it(run, path, given):
    write_json(edited(RECORD, path, given), run / "run.json")
    with pytest.raises(InputError, match=r"run\.json is damaged"):
        finished_months(run.parent)
    assert month_before(run.parent, "2026-01") is None


@pytest.mark.parametrize(("name", "spoil"), [
    ("assignments", lambda table: table.assign(segment_id="S9")), ("segments", lambda table: table.head(0)),
    ("segments", lambda table: table.assign(segment_id=5)),
    ("assignments", lambda table: table.assign(confidence="high")), ("features", lambda table: table.head(2)),
    ("map", lambda table: table.assign(x="left")), ("assignments", lambda table: table.assign(customer_id=np.nan)),
])  # fmt: skip
def test_tables_of_the_month_before_that_cannot_be_are_refused(run, name, spoil):
    path = run / "tables" / f"{name}.parquet"
    spoil(pd.read_parquet(path)).to_parquet(path)
    with pytest.raises(InputError, match=r"(assignments|features|map|segments)\.parquet is damaged"):
        read_run(run)


def test_months_in_digits_of_other_scripts_are_no_months(run):
    run.rename(run.with_name("２０２６-01"))
    assert finished_months(run.parent) == []


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_read_as_it_is_written_gaps_included(tmp_path, name):
    given = {"text": ["a", None], "boolean": [True, None], "integer": [1, None]}
    columns = {column: given.get(kind.type, [0.5, None]) for column, kind in TABLES[name].columns.items()}
    for rows in (2, 0):
        path = write_table(pd.DataFrame(columns).head(rows), name, tmp_path)
        assert len(read_table(path)) == rows
