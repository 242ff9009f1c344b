"""Another processor has other last digits: what the comparing notebook prints must not hang on them."""

import json
import os
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SEEDS = range(int(os.environ.get("SEGKIT_SHAKES", "1")))
SHAKE = """
import numpy as np
from segkit.preprocessing.matrix import Matrix

exact = Matrix.transform


def transform(self, features):
    X = exact(self, features)
    return X * (1 + 1e-12 * np.random.default_rng(SEED).normal(size=X.shape))


Matrix.transform = transform
"""


def told(cell) -> list[str]:
    """What a cell tells, without its pictures."""
    texts = []
    for output in cell.get("outputs", []):
        found = output.get("data", {})
        texts += [str(found.get(kind, "")) for kind in ("text/markdown", "text/html", "text/plain")]
        texts.append(str(output.get("text", "")))
    return [re.sub(r"data:image/[a-z+]+;base64,[A-Za-z0-9+/=]+|0x[0-9a-f]{6,}", "", text) for text in texts]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_comparing_notebook_tells_the_same_with_other_last_digits(tmp_path, monkeypatch, seed):
    copies = tmp_path / "notebooks"
    shutil.copytree(NOTEBOOKS, copies, ignore=shutil.ignore_patterns("scratch", ".ipynb_checkpoints"))
    monkeypatch.setenv("SEGKIT_CACHE", str(tmp_path / "cache"))
    notebook = nbformat.read(copies / "03_compare.ipynb", as_version=4)
    committed = [(cell.source, told(cell)) for cell in notebook.cells if cell.cell_type == "code"]
    shaken = nbformat.v4.new_code_cell(SHAKE.replace("SEED", str(seed)))
    notebook.cells.insert(2, shaken)
    client = NotebookClient(
        notebook, timeout=1800, kernel_name="python3", resources={"metadata": {"path": str(copies)}}
    )
    client.execute()
    again = [(cell.source, told(cell)) for cell in notebook.cells if cell.cell_type == "code" and cell is not shaken]
    other = [source for (source, then), (_, now) in zip(committed, again, strict=True) if then != now]
    (tmp_path / "other.json").write_text(json.dumps(other))
    assert not other
