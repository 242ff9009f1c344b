"""A shop's own copies of the notebooks, to be edited."""

import json
from pathlib import Path

from segkit.run import NOTEBOOKS
from segkit.runtime.disk import building
from segkit.runtime.errors import InputError


def copy_notebooks(card: Path) -> Path:
    """Copy the numbered notebooks for a card, without their outputs, and return the folder.

    They go into ``notebooks/<name of the card>/`` beside the folder that the card lies in, and open with the card's
    dataset. `run_report` takes the folder as ``notebooks``.

    Raises
    ------
    InputError
        The folder is there already: what somebody edited is never written over.
    """
    folder = card.parent.parent / "notebooks" / card.stem
    if folder.exists():
        raise InputError(f"{folder} is there already: move it away, or go on with the notebooks in it")
    with building(folder) as new:
        new.mkdir()
        for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb")):
            notebook = json.loads(path.read_text(encoding="utf-8"))
            for cell in notebook["cells"]:
                if cell["cell_type"] == "code":
                    cell |= {"outputs": [], "execution_count": None}
                if "parameters" in cell["metadata"].get("tags", ()):
                    source = "".join(cell["source"])
                    cell["source"] = source.replace('"complete-journey"', json.dumps(str(card.resolve())), 1)
            (new / path.name).write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return folder
