"""The numbered notebooks keep the habits that make them readable, repeatable and checkable."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

from segkit.runtime.notebook_steps import SHARED, read_step
from segkit.runtime.parameters import Parameters

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("[0-9][0-9]_*.ipynb"))
LONGEST_CELL = 15  # lines, imports apart
LONGEST_FUNCTION = 5  # lines
WORDS_PER_LINE_OF_CODE = 5
IMPORTS = (ast.Import, ast.ImportFrom)
KNOWN = {*SHARED, "previous", *Parameters().as_dict()}
FORBIDDEN = {
    "a path": r"""["'](?:/|~|\.\.?/)""",
    "a shell escape": r"^\s*!",
    "a magic": r"^\s*%",
    "a warnings filter": r"filterwarnings|simplefilter|catch_warnings",
    "a printed sentence, which is a block's": r"\bprint\(",
    "a clock": r"\b(?:datetime\.now|date\.today|perf_counter|time\.time|Timestamp\.(?:now|today))\b",
}


def problems_of(notebook) -> list[str]:
    """What is wrong with a notebook, in words; nothing for a good one."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    prose = " ".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    found = []
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        found.append("not the output of Restart & Run All: execution counts are not 1..n")
    if not any(cell.outputs for cell in code):
        found.append("stripped: no outputs to check against")
    if {notebook.cells[0].cell_type, notebook.cells[-1].cell_type} != {"markdown"}:
        found.append("the first and the last cell must be prose")
    elif not notebook.cells[0].source.startswith("# "):
        found.append("the first cell must open with a title")
    lines = sum(len(cell.source.splitlines()) for cell in code)
    if len(prose.split()) < WORDS_PER_LINE_OF_CODE * lines:
        found.append(f"{len(prose.split())} words of prose for {lines} lines of code")
    for cell in code:
        found += problems_of_cell(cell)
    return found + problems_of_parameters(code)


def problems_of_cell(cell) -> list[str]:
    found = [
        f"cell {cell.execution_count}: {what}" for what, sign in FORBIDDEN.items() if re.search(sign, cell.source, re.M)
    ]
    parameters = "parameters" in cell.metadata.get("tags", [])  # one per line, however many
    tree = plain_tree(cell)
    imports = sum(node.end_lineno - node.lineno + 1 for node in tree.body if isinstance(node, IMPORTS))
    if len(cell.source.splitlines()) - imports > LONGEST_CELL and not parameters:
        found.append(f"cell {cell.execution_count}: over {LONGEST_CELL} lines")
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= LONGEST_FUNCTION:
            found.append(f"cell {cell.execution_count}: function {node.name} belongs in the package")
        if isinstance(node, (ast.For, ast.While)) and "fit" in ast.unparse(node):
            found.append(f"cell {cell.execution_count}: a loop over fits belongs in the package")
    if any(output.output_type == "error" for output in cell.outputs):
        found.append(f"cell {cell.execution_count}: ends in an error")
    return found


def problems_of_parameters(code) -> list[str]:
    tagged = [cell for cell in code if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        return [f"{len(tagged)} cells are tagged parameters; there must be one"]
    found = []
    lines = tagged[0].source.splitlines()
    for number, node in enumerate(ast.parse(tagged[0].source).body):
        line = lines[node.lineno - 1]
        literal = isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Constant)
        if not literal or "  # " not in line or node.lineno != number + 1:
            found.append(f"parameters: {line!r} is not one annotated literal with a comment")
        elif node.target.id not in KNOWN:
            found.append(f"parameters: {node.target.id} is none that a report knows")
        elif node.target.id not in used_names(cell for cell in code if cell is not tagged[0]):
            found.append(f"parameters: no other cell uses {node.target.id}")
    return found


def plain_tree(cell) -> ast.Module:
    """What a cell says without the lines that only a notebook understands."""
    return ast.parse(re.sub(r"^\s*[!%].*$", "", cell.source, flags=re.M))


def used_names(cells) -> set[str]:
    """The names that code cells read."""
    nodes = [node for cell in cells for node in ast.walk(plain_tree(cell))]
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_numbered_notebook_keeps_the_habits_of_the_house(path):
    assert problems_of(nbformat.read(path, as_version=4)) == []


def test_there_are_numbered_notebooks():
    assert [path.name[:2] for path in NOTEBOOKS][:4] == ["01", "02", "03", "04"]


def a_good_notebook():
    new = nbformat.v4
    parameters = new.new_code_cell(
        'month: str = "2017-09"  # the month', execution_count=1, metadata={"tags": ["parameters"]}
    )
    shown = new.new_code_cell(
        "sentence(month)", execution_count=2, outputs=[new.new_output("stream", text="2017-09\n")]
    )
    title, end = (
        new.new_markdown_cell("# The month\n\nWhich month is it?"),
        new.new_markdown_cell("Now we know it well."),
    )
    return new.new_notebook(cells=[title, parameters, shown, end])


def spoil(what: str):
    notebook = a_good_notebook()
    _, parameters, shown, _ = notebook.cells
    if what == "stripped":
        shown.outputs, shown.execution_count, parameters.execution_count = [], None, None
    elif what == "path":
        shown.source = 'open("/home/me/orders.csv")'
    elif what == "filter":
        shown.source = "import warnings; warnings.filterwarnings('ignore')"
    elif what == "derived":
        parameters.source = 'month: str = "2017" + "-09"  # the month'
    elif what == "untagged":
        parameters.metadata = {}
    elif what == "uncommented":
        parameters.source = 'month: str = "2017-09"'
    elif what == "wordless":
        shown.source = "\n".join(["sentence(month)"] * 14)
    elif what == "long":
        shown.source = "from segkit import (\n    open_run,\n)\n" + "\n".join(["sentence(month)"] * 16)
    elif what == "printed":
        shown.source = "print(month)"
    elif what == "unused":
        shown.source = "sentence(run.parameters)"
    elif what == "unknown":
        parameters.source, shown.source = 'mnth: str = "2017-09"  # the month', "sentence(mnth)"
    elif what == "two on a line":
        parameters.source = 'month: str = "2017-09"; as_of: str = ""  # the month'
    return notebook


def test_a_good_notebook_has_no_problems():
    assert problems_of(a_good_notebook()) == []


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("stripped", "stripped"),
        ("path", "a path"),
        ("filter", "a warnings filter"),
        ("derived", "annotated literal"),
        ("uncommented", "annotated literal"),
        ("untagged", "0 cells are tagged"),
        ("wordless", "words of prose"),
        ("long", "over 15 lines"),
        ("printed", "a printed sentence"),
        ("unused", "no other cell uses month"),
        ("unknown", "mnth is none that a report knows"),
        ("two on a line", "annotated literal"),
    ],
)
def test_a_spoilt_notebook_is_caught(what, words):
    assert any(words in problem for problem in problems_of(spoil(what)))


@pytest.mark.parametrize("path", [path for path in NOTEBOOKS if path.name >= "02"], ids=lambda path: path.stem)
def test_a_notebook_on_features_or_segments_knows_the_month_before(path):
    # Without it a month that keeps its model would be told with features and segments found anew.
    step = read_step(path)
    assert "previous" in step.parameters
    assert re.search(r"open_run\([^)]*source, previous\b", "".join(step.cells))
