"""`pytest tests/browser --notebook notebooks/07_report.ipynb ...` looks at these notebooks, else at one made for it."""

collect_ignore = ["made.py"]  # the cells of a notebook


def pytest_addoption(parser):
    parser.addoption("--notebook", action="append", default=[], help="a notebook to look at, as often as wanted")
    parser.addoption("--run-seconds", type=int, default=900, help="how long Run All may take")


def pytest_generate_tests(metafunc):
    if "notebook" in metafunc.fixturenames:
        metafunc.parametrize("notebook", metafunc.config.getoption("notebook") or ["made.ipynb"])
