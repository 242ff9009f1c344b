"""The committed notebooks are looked at, and one made of all blocks; `--notebook` looks at others."""

from pathlib import Path

COMMITTED = sorted(str(path) for path in (Path(__file__).parents[2] / "notebooks").glob("0*.ipynb"))
collect_ignore = ["made.py"]  # the cells of a notebook


def pytest_addoption(parser):
    parser.addoption("--notebook", action="append", default=[], help="a notebook to look at, as often as wanted")
    parser.addoption("--run-seconds", type=int, default=900, help="how long Run All may take")


def pytest_generate_tests(metafunc):
    if "notebook" in metafunc.fixturenames:
        notebooks = metafunc.config.getoption("notebook") or ["made.ipynb", *COMMITTED]
        metafunc.parametrize("notebook", notebooks, ids=[Path(one).stem for one in notebooks])
