"""Notebooks are looked at where they are used: in JupyterLab, as first opened and after Run All."""

from pathlib import Path

import nbformat
import pytest
from lab import HEIGHT, WIDTH, chromium, complaints, jupyter_lab, open_notebook, picture, run_all

MADE = Path(__file__).with_name("made.py")


def make_notebook(path):
    """A notebook of all blocks, executed, as it would lie in a repository: nobody has signed it."""
    from nbclient import NotebookClient

    cells = [nbformat.v4.new_code_cell(source) for source in MADE.read_text().split("# %%\n")[1:]]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=kernel)
    NotebookClient(notebook, timeout=120).execute()
    nbformat.write(notebook, path)


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


def test_a_notebook_reads_right_untrusted_and_after_run_all(notebook, browser, tmp_path, pytestconfig):
    path = Path(notebook).resolve() if Path(notebook).exists() else tmp_path / "work" / notebook
    if not path.exists():
        path.parent.mkdir()
        make_notebook(path)
    (tmp_path / "home").mkdir()
    with jupyter_lab(path.parent, tmp_path / "home") as address:
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        open_notebook(page, address, path.name)
        first = complaints(page)
        picture(page, f"{path.stem}-untrusted")
        run_all(page, pytestconfig.getoption("run_seconds"))
        after = complaints(page)
        picture(page, f"{path.stem}-run")
        images = page.locator(".jp-OutputArea img").count()
        page.close()
    assert (first, after) == ([], [])
    assert images == 2 or notebook != "made.ipynb"


def test_the_look_at_a_notebook_sees_what_is_wrong(browser):
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    broken = "<p>seen</p><dl><dt>orders</dt></dl><table><tbody><tr><th style='float: left'>a</th></tr>"
    broken += "<tr><th>spend</th><td style='position: relative; left: -60px'>9</td></tr></tbody></table>"
    output = f"<div class='jp-RenderedHTMLCommon' style='word-break: break-all'>{broken}</div>"
    error = "<div data-mime-type='application/vnd.jupyter.error'>ZeroDivisionError</div>"
    page.set_content(f"<div class='jp-OutputArea'>{output}{error}</div>")
    told = " ".join(complaints(page))
    for what in ("an error: ZeroDivisionError", "words are broken", "a definition list", "not side by side: spend"):
        assert what in told
