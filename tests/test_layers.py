"""A room imports only from rooms before it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "segkit"
# The way of the data, first to last.
ROOMS = [
    "runtime",
    "data",
    "features",
    "preprocessing",
    "clustering",
    "validation",
    "segments",
    "monitoring",
    "scoring",
]
ROOMS += ["targeting", "plots", "run", "reporting", "cli", "__main__"]
HEAVY = {"matplotlib", "seaborn", "sklearn", "hdbscan", "umap", "numba", "papermill", "nbconvert", "great_tables"}
HEAVY |= {"pandas", "numpy", "scipy", "duckdb", "pyarrow", "joblib", "sqlglot"}


def imported_rooms(path: Path) -> set[str]:
    modules = [node.module for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    return {module.split(".")[1] for module in modules if module and module.startswith("segkit.")}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_a_room_imports_only_from_rooms_before_it(path):
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if room == "__init__":
        return  # the front door names verbs of many rooms, and opens them only when asked
    later = {other for other in imported_rooms(path) - {room} if ROOMS.index(other) > ROOMS.index(room)}
    assert not later
    if room == "plots":
        assert imported_rooms(path) <= {"runtime", room}


def test_no_file_name_stands_twice_in_the_package():
    names = [path.name for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"]
    assert sorted(names) == sorted(set(names))


def test_importing_segkit_and_its_command_line_stays_light():
    code = "import segkit, segkit.cli, sys; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not HEAVY & set(loaded)
