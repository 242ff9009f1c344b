"""A run is whole or absent, and papermill's leniency is not ours."""

import nbformat
import pytest
from segkit.reporting.study.study_opening import open_study

from segkit.reporting import run_chain as report
from segkit.reporting.run_chain import NotebookFailed, _building, _chain, _execute, _export, _take_place


def test_a_run_takes_its_place_in_one_step_and_the_older_one_goes(tmp_path):
    place = tmp_path / "2017-09"
    for text in ("first", "second"):
        with _building(tmp_path, "2017-09") as building:
            (building / "report.html").write_text(text)
            _take_place(building, place)
        assert (place / "report.html").read_text() == text
    assert [path.name for path in tmp_path.iterdir()] == ["2017-09"]


def fail_while_building(shelf):
    with _building(shelf, "2017-09") as building:
        (building / "report.html").write_text("half")
        raise RuntimeError("the disk is full")


def test_a_run_that_fails_leaves_the_older_one_and_nothing_else(tmp_path):
    place = tmp_path / "2017-09"
    place.mkdir()
    (place / "report.html").write_text("whole")
    with pytest.raises(RuntimeError, match="the disk is full"):
        fail_while_building(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["2017-09"]
    assert (place / "report.html").read_text() == "whole"


def test_what_a_killed_run_left_is_cleared_away(tmp_path):
    (tmp_path / ".building-2017-09-999999999").mkdir()
    with _building(tmp_path, "2017-09") as building:
        assert [path.name for path in tmp_path.iterdir()] == [building.name]


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
    ],
)
def test_a_notebook_that_papermill_would_run_with_the_wrong_month_is_refused(
    monkeypatch, tmp_path, source, tags, words
):
    notebook(tmp_path / "01_explore.ipynb", source, tags)
    monkeypatch.setattr(report, "NOTEBOOKS", tmp_path)
    with pytest.raises(NotebookFailed, match=words):
        _chain(open_study("complete-journey", month="2017-09"))


def test_a_notebook_that_stops_is_reported_with_cell_and_error_and_kept(tmp_path):
    notebook(tmp_path / "01_explore.ipynb", KNOWN + "1 / 0")
    problem = _execute(tmp_path / "01_explore.ipynb", tmp_path / "out.ipynb", {"month": "2017-09"})
    assert "notebook 01_explore.ipynb, cell 1: ZeroDivisionError: division by zero" in problem
    assert (tmp_path / "out.ipynb").exists()


def test_an_executed_notebook_does_not_say_when_or_where(tmp_path):
    notebook(tmp_path / "01_explore.ipynb", KNOWN + "month")
    for name in ("one", "other"):
        assert _execute(tmp_path / "01_explore.ipynb", tmp_path / f"{name}.ipynb", {"month": "2017-09"}) == ""
    assert "2017-09" in (tmp_path / "one.ipynb").read_text()
    assert (tmp_path / "one.ipynb").read_bytes() == (tmp_path / "other.ipynb").read_bytes()


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
