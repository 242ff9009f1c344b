"""A chain of notebooks is refused, stopped and shown as it should be; papermill's leniency is not ours."""

from types import SimpleNamespace

import nbformat
import numpy as np
import pandas as pd
import pytest

from segkit.data.cards.card import read_card
from segkit.reporting.report_parts import learned_segments
from segkit.reporting.run_chain import _export, chain_of
from segkit.runtime.errors import InputError
from segkit.runtime.notebook_steps import read_step
from segkit.runtime.parameters import Parameters
from segkit.runtime.run_step import NotebookFailed, run_step


def notebook(path, source: str, tags=("parameters",)):
    cells = [
        nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)}),
        nbformat.v4.new_code_cell("print(month)"),
    ]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)


KNOWN = 'dataset: str = ""  # a\nmonth: str = ""  # b\nas_of: str = ""  # c\nsource: str = ""  # d\n'


@pytest.mark.parametrize(
    ("source", "tags", "words"),
    [
        (KNOWN, (), "no cell tagged 'parameters'"),
        (KNOWN + "max_segment: int = 3  # e\n", ("parameters",), "unknown parameters: max_segment"),
        (KNOWN, ("parameters",), "no notebook of .* saves .*: a report needs"),
    ],
)
def test_a_notebook_that_papermill_would_run_with_the_wrong_month_is_refused(tmp_path, source, tags, words):
    notebook(tmp_path / "01_explore.ipynb", source, tags)
    with pytest.raises(InputError, match=words):
        chain_of(tmp_path, read_card("complete-journey"), False, Parameters())


def executed(path, target):
    return run_step(read_step(path), target, {"month": "2017-09"})


def test_a_notebook_that_stops_is_reported_with_cell_and_error_and_kept(tmp_path):
    notebook(tmp_path / "01_explore.ipynb", KNOWN + "1 / 0")
    with pytest.raises(NotebookFailed, match="notebook 01_explore.ipynb, cell 1: ZeroDivisionError: division by zero"):
        executed(tmp_path / "01_explore.ipynb", tmp_path / "out.ipynb")
    assert (tmp_path / "out.ipynb").exists()


def test_an_executed_notebook_does_not_say_when_or_where(tmp_path):
    notebook(tmp_path / "01_explore.ipynb", KNOWN + "month")
    for name in ("one", "other"):
        executed(tmp_path / "01_explore.ipynb", tmp_path / f"{name}.ipynb")
    assert "2017-09" in (tmp_path / "one.ipynb").read_text()
    assert (tmp_path / "one.ipynb").read_bytes() == (tmp_path / "other.ipynb").read_bytes()


def test_where_a_rule_is_taken_the_learned_segments_stand_beside_it_and_nowhere_else():
    ids = [f"c{number:03}" for number in range(60)]
    table = pd.DataFrame({"spend": np.repeat([10.0, 900.0], 30) + np.arange(60)}, index=ids)
    meaning = pd.DataFrame({"family": "value", "kind": "money", "unit": "EUR"}, index=["spend"])
    features = SimpleNamespace(table=table, dictionary=meaning, revenue=table["spend"], window_days=365)
    labels = pd.DataFrame({"kmeans-2": np.repeat([0, 1], 30)}, index=ids)
    verdict, card = {"evidence": {"learned": "kmeans-2"}}, SimpleNamespace(currency="EUR", never_named=())
    learned = learned_segments(SimpleNamespace(verdict=verdict, labels=labels), features, card)
    assert learned["segment"].tolist() == ["Big spenders", "Light buyers"]
    assert learned_segments(SimpleNamespace(verdict={"evidence": {}}, labels=labels), features, card) is None


def test_the_page_shows_no_code_and_no_section_that_has_nothing_to_say(tmp_path):
    cells = [
        nbformat.v4.new_markdown_cell("## Since last month", metadata={"tags": ["since-last-month"]}),
        nbformat.v4.new_code_cell("print('secret')", outputs=[nbformat.v4.new_output("stream", text="said")]),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "07.ipynb")
    _export(tmp_path / "07.ipynb", tmp_path / "page.html", title="Shop", without=["since-last-month"])
    page = (tmp_path / "page.html").read_text()
    assert "said" in page
    assert "secret" not in page
    assert "Since last month" not in page
