"""Notebooks as steps of a chain: what each loads and saves, read from its code, and what its code hangs on.

A step is a numbered notebook. The tables that it loads are those it names in ``run.load("...")``, those it saves the
names in ``run.save(name=...)``; the order of the chain follows from them.
"""

import ast
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from segkit.runtime.cache import code_digest
from segkit.runtime.errors import InputError

SHARED = ("dataset", "month", "as_of", "source")  # parameters of every notebook
NEEDS = ("orders", "previous")  # what a notebook may ask of `open_run`
INJECTED = "# Parameters"  # how papermill heads the cell that it puts in


@dataclass(frozen=True)
class Step:
    """A numbered notebook: its parameters, the tables that it loads and saves, and its code.

    Attributes
    ----------
    name : str
        Of the file, such as ``03_compare``.
    cells : tuple of str
        The sources of its code cells that hold anything.
    parameter_cell : int
        Which of them is tagged ``parameters``; -1 for none.
    """

    name: str
    path: Path
    cells: tuple[str, ...] = field(repr=False)
    parameter_cell: int = field(repr=False)

    @cached_property
    def _calls(self) -> list[ast.Call]:
        trees = [ast.parse(_plain_python(cell)) for cell in self.cells]
        return [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]

    def _of_run(self, verb: str) -> list[ast.Call]:
        named = [one for one in self._calls if isinstance(one.func, ast.Attribute) and one.func.attr == verb]
        return [one for one in named if isinstance(one.func.value, ast.Name) and one.func.value.id == "run"]

    @property
    def loads(self) -> tuple[str, ...]:
        """The tables that it loads, in the order of its code."""
        names = [one.value for call in self._of_run("load") for one in call.args if isinstance(one, ast.Constant)]
        return tuple(dict.fromkeys(names))

    @property
    def saves(self) -> tuple[str, ...]:
        """The tables that it saves."""
        return tuple(dict.fromkeys(one.arg for call in self._of_run("save") for one in call.keywords if one.arg))

    @property
    def needs(self) -> str:
        """What it cannot do without: ``orders``, ``previous`` (a month before), or nothing."""
        opened = [one for one in self._calls if isinstance(one.func, ast.Name) and one.func.id == "open_run"]
        found = [word.value.value for one in opened for word in one.keywords if word.arg == "needs"]
        return found[0] if found else ""

    @property
    def parameters(self) -> dict[str, object]:
        """Its parameters, with the defaults of its parameters cell."""
        return read_literals(self.cells[self.parameter_cell]) if self.parameter_cell >= 0 else {}

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules of segkit that it imports, as `code_digest` takes them."""
        from segkit import VERBS

        nodes = [node for cell in self.cells for node in ast.walk(ast.parse(_plain_python(cell)))]
        found = set()
        for node in nodes:
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "segkit":
                inside = node.module.partition(".")[2]
                found |= {inside} if inside else {VERBS[one.name] for one in node.names if one.name in VERBS}
        return tuple(sorted(found - {"run"}))  # which makes no table

    def code(self) -> str:
        """Return a hash of its code cells, of the modules beside it, and of what it imports from segkit."""
        beside = "".join(path.read_text(encoding="utf-8") for path in sorted(self.path.parent.glob("*.py")))
        return digest([self.cells, beside, code_digest(*self.modules)])


def read_step(path: Path) -> Step:
    """Return a notebook as a step.

    Raises
    ------
    InputError
        The file is no notebook, or a cell is no Python; the message names it.
    """
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code" and "".join(cell["source"]).strip()]
        sources = tuple("".join(cell["source"]).strip() for cell in code)
        tagged = [place for place, cell in enumerate(code) if "parameters" in cell["metadata"].get("tags", ())]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is no notebook ({type(error).__name__}: {error}); save it again in JupyterLab"
        ) from None
    for number, source in enumerate(sources, start=1):
        try:
            ast.parse(_plain_python(source))
        except SyntaxError as error:
            raise InputError(f"{path}, code cell {number}: {error.msg}: {(error.text or '').strip()}") from None
    return Step(path.stem, path, sources, tagged[0] if tagged else -1)


def read_steps(folder: Path) -> dict[str, Step]:
    """Return the numbered notebooks of a folder by name, in the order in which they can run; the report comes last.

    Raises
    ------
    InputError
        There are none, one of them loads what none saves, two save the same table, or they go in a circle.
    """
    paths = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    if not paths:
        raise InputError(f"{folder} holds no numbered notebooks, such as 02_features.ipynb")
    steps = {path.stem: read_step(path) for path in paths}
    makers = find_makers(steps)
    for step in steps.values():
        if missing := [name for name in step.loads if name not in makers]:
            raise InputError(f"{step.path.name} loads {', '.join(missing)}, which no notebook of {folder} saves")
    ordered: dict[str, Step] = {}
    waiting = sorted(steps.values(), key=lambda step: ("report" in step.name, step.name))
    while waiting:
        ready = [step for step in waiting if all(makers[name] in {*ordered, step.name} for name in step.loads)]
        if not ready:
            raise InputError(
                f"the notebooks {', '.join(step.name for step in waiting)} load each other's tables in a circle"
            )
        ordered[ready[0].name] = ready[0]
        waiting.remove(ready[0])
    return ordered


def find_makers(steps: Mapping[str, Step]) -> dict[str, str]:
    """Return the name of the notebook that saves each table."""
    makers: dict[str, str] = {}
    for step in steps.values():
        for name in step.saves:
            if makers.setdefault(name, step.name) != step.name:
                raise InputError(
                    f"both {makers[name]} and {step.name} save {name}: give one of the tables another name"
                )
    return makers


def check_steps(steps: Iterable[Step], known: Iterable[str]) -> None:
    """Refuse notebooks without a parameters cell, with parameters nobody knows, or with tables missing.

    papermill itself only logs an unknown parameter or a missing tag, and then reports the wrong month.
    """
    known = set(known)
    for step in steps:
        names = set(step.parameters)
        if missing := [name for name in SHARED if name not in names]:
            raise InputError(f"{step.path.name} has no cell tagged 'parameters' with {', '.join(missing)}")
        if unknown := sorted(names - known):
            raise InputError(
                f"{step.path.name} has unknown parameters: {', '.join(unknown)}; known are {', '.join(sorted(known))}"
            )


def read_literals(cell: str) -> dict[str, object]:
    """Return the literals that a parameters cell assigns, by name.

    Examples
    --------
    >>> read_literals('month: str = "2017-09"  # the month\\nseed = 3')
    {'month': '2017-09', 'seed': 3}
    """
    found = {}
    for node in ast.parse(cell).body:
        target = node.target if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [None])[0]
        if isinstance(target, ast.Name) and getattr(node, "value", None) is not None:
            try:
                found[target.id] = ast.literal_eval(node.value)
            except ValueError:
                raise InputError(f"the parameter {target.id} is no plain number or text: {ast.unparse(node)}") from None
    return found


def executed_parameters(step: Step, executed: list[str]) -> dict[str, object]:
    """Return the parameters that a kernel works with: of the cell as it was run, and of those that papermill put in."""
    found = dict(step.parameters)
    names = set(found)
    for cell in executed[: step.parameter_cell + 2] if step.parameter_cell >= 0 else []:
        if set(assigned := _assignments(cell)) & names and (cell.startswith(INJECTED) or set(assigned) == names):
            found |= assigned
    return found


def follows_file(step: Step, executed: list[str]) -> bool:
    """Return whether a kernel ran the cells of the notebook's file, each once, from the first on.

    The parameters cell may have other settings than the file's, and another one may follow that papermill put in: what
    they set is recorded, and compared, beside the code.
    """
    cells, place = [cell.strip() for cell in executed if cell.strip()], 0
    for number, source in enumerate(step.cells):
        if place == len(cells):
            return place > 0
        of_parameters = number == step.parameter_cell
        if cells[place] != source and not (
            of_parameters and _assignments(cells[place]).keys() == step.parameters.keys()
        ):
            return False
        place += 1
        if of_parameters and place < len(cells) and cells[place].startswith(INJECTED):
            place += 1
    return place == len(cells)


def digest(content: object) -> str:
    """Return a short hash of what JSON can hold."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:20]


def _assignments(cell: str) -> dict[str, object]:
    try:
        return read_literals(cell)
    except (SyntaxError, InputError):
        return {}


def _plain_python(cell: str) -> str:
    """A cell without the lines that only a notebook understands."""
    return re.sub(r"^\s*[%!?].*$|^.*\?\s*$", "pass", cell, flags=re.MULTILINE) if re.search(r"[%!?]", cell) else cell
