"""A whole page out of blocks, and which outputs of a notebook may stand on it."""

import re
from copy import deepcopy

from segkit.reporting.blocks.block import render, style_sheet


def page_html(title: str, body: str, style: str = "") -> str:
    """Return a page as one HTML document that needs no network.

    Parameters
    ----------
    title : str
        For the tab of the browser, and the foot of every page on paper.
    body : str
        HTML, as blocks or nbconvert make it.
    style : str
        CSS before that of the report.
    """
    told = re.sub(r'[<>"\\\n]', " ", title)
    foot = f'@page {{ @bottom-left {{ content: "{told}"; font: 9px sans-serif; color: #5b6475; }} }}'
    return render("page", title=title, body=body, style=f"{style}\n{style_sheet()}\n{foot}") + "\n"


def only_blocks(notebook):
    """Return a notebook whose code cells keep only the outputs that blocks made: no table, print or figure left in it.

    Cards that lie open in a notebook are folded, since a page is read from the top.

    Examples
    --------
    >>> from nbformat.v4 import new_code_cell, new_notebook, new_output
    >>> block = new_output("display_data", {"text/html": "<p>a</p>"}, metadata={"segkit": "block"})
    >>> left = new_output("stream", text="customer 17")
    >>> [len(cell.outputs) for cell in only_blocks(new_notebook(cells=[new_code_cell(outputs=[block, left])])).cells]
    [1]
    """
    notebook = deepcopy(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [out for out in cell.outputs if out.get("metadata", {}).get("segkit") == "block"]
            for out in cell.outputs:
                html = out["data"].get("text/html")
                if html:
                    out["data"]["text/html"] = html.replace(
                        '<details class="sk-persona" open', '<details class="sk-persona"'
                    )
    return notebook
