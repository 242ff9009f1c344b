"""One whole run: every step, every notebook, tables and page, built beside its place and moved there when whole."""

import hashlib
import os
import platform
import resource
import shutil
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version
from importlib.resources import files
from multiprocessing import get_context, parent_process
from pathlib import Path

from segkit.data.cards.card import read_card
from segkit.data.databases import one_snapshot
from segkit.monitoring.previous_month import HISTORY
from segkit.reporting.finished_runs import month_before
from segkit.reporting.results import describe_run, write_tables
from segkit.reporting.series_page import write_series
from segkit.reporting.study.study_opening import Study, open_study
from segkit.runtime.cache import code_digest
from segkit.runtime.disk import ROOT, check_writable, writing
from segkit.runtime.errors import InputError
from segkit.runtime.interrupts import is_alive, temporary
from segkit.runtime.memory import share_engine_memory
from segkit.runtime.parallel import end_processes
from segkit.runtime.progress import progress_bar
from segkit.runtime.tables.files import describe_tables, write_json
from segkit.scoring.sql.model_sql import rules_sql

NOTEBOOKS = ROOT / "notebooks"
READY_TABLE_STARTS_AT = "03"  # a ready table has no orders to explore and no features to build
NEEDS_A_MONTH_BEFORE = "05"
NEEDS_A_MONTH_BEFORE_TAG = "since-last-month"  # cells of other notebooks
NEEDS_JUDGEMENT_TAG = "where-judged"  # cells about what candidates told of the future, in this very month


class NotebookFailed(RuntimeError):
    """A notebook of the chain stopped; the message names it, the cell, the error and where it lies."""


@one_snapshot()
def run_report(dataset: str, month: str = "", as_of: str = "", source: str = "", out: Path | None = None, **settings):
    """Run a study whole and return the path of its ``report.html``.

    A month is held against the latest finished month before it, if there is one under the same `out`: segments keep
    their ids, and its model stays in use until drift or age says refit.

    The run is built in a hidden folder beside its place, ``<out>/<dataset>/<month>/``, and takes that place in one
    step when everything is there; until then the place is as it was.

    Parameters
    ----------
    dataset, month, as_of, source, **settings
        As for `open_study`.
    out : path, optional
        Where runs are kept; ``reports/`` by default.

    Raises
    ------
    InputError
        The user can mend it; nothing was written.
    NotebookFailed
        A notebook stopped; it is kept, partly executed, and the message says where.
    """
    start = time.perf_counter()
    shelf = Path(out or ROOT / "reports").resolve() / read_card(dataset, source or None).name
    check_writable(shelf, f"--out {out}" if out else "")
    before = month_before(shelf, month)
    previous = str(before.folder) if before else ""
    study = open_study(dataset, month=month, as_of=as_of, source=source, previous=previous, **settings)
    notebooks = _chain(study)
    study.compute()
    shelf.mkdir(parents=True, exist_ok=True)
    with _building(shelf, study.label) as building:
        (building / "tables").mkdir()
        (building / "notebooks").mkdir()
        about = write_tables(study, building / "tables")
        (building / "tables" / "README.md").write_text(describe_tables(building / "tables", about))
        study.segmentation.save(building / "model")
        if study.as_of is not None:
            write_json(study.history, building / "model" / HISTORY)
        (building / "model" / "rules.sql").write_text(rules_sql(study.segmentation, study.features), encoding="utf-8")
        arguments = {
            "dataset": str(Path(dataset).resolve()) if dataset.endswith(".toml") else dataset,
            "month": month,
            "as_of": as_of,
            "source": str(Path(source).resolve()) if source else "",
            "previous": previous,
            **study.parameters.as_dict(),
        }
        record = describe_run(study)
        if study.as_of is not None:
            study.orders.close()  # the kernels have use for the memory that the engine holds,
        end_processes()  # and for that of processes that wait for more work
        _execute_all(notebooks, arguments, building / "notebooks", shelf / f"failed-{study.label}")
        for notebook in notebooks:
            _export(building / "notebooks" / notebook.name, building / "notebooks" / f"{notebook.stem}.html")
        without = [] if study.earlier else [NEEDS_A_MONTH_BEFORE_TAG]
        without += [] if study.trial.judgement.shares is not None else [NEEDS_JUDGEMENT_TAG]
        page = building / "notebooks" / notebooks[-1].name
        _export(page, building / "report.html", title=study.card.title, without=without)
        place = {"card": str(study.card.path.resolve()), "source": arguments["source"], "made_by": made_by(study)}
        write_json(_record(record, time.perf_counter() - start) | place, building / "run.json")
        _take_place(building, shelf / study.label)
    write_series(shelf, study.card.title, study.card.currency)
    shutil.rmtree(shelf / f"failed-{study.label}", ignore_errors=True)
    return shelf / study.label / "report.html"


def _chain(study: Study) -> list[Path]:
    """The notebooks to run, in order; each must have its parameters cell."""
    from papermill import inspect_notebook

    chain = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    if study.as_of is None:
        chain = [notebook for notebook in chain if notebook.name[:2] >= READY_TABLE_STARTS_AT]
    if study.earlier is None:
        chain = [notebook for notebook in chain if notebook.name[:2] != NEEDS_A_MONTH_BEFORE]
    known = {"dataset", "month", "as_of", "source", "previous", *study.parameters.as_dict()}
    for notebook in chain:
        # papermill itself only logs an unknown parameter or a missing tag, and then reports the wrong month.
        names = set(inspect_notebook(str(notebook)))
        if not names >= {"dataset", "month", "as_of", "source"}:
            raise NotebookFailed(
                f"notebook {notebook} has no cell tagged 'parameters' with dataset, month, as_of, source"
            )
        if names - known:
            raise NotebookFailed(f"notebook {notebook} has unknown parameters: {', '.join(sorted(names - known))}")
    return chain


def _execute_all(notebooks: list[Path], arguments: dict, target: Path, failed: Path) -> None:
    """Execute the notebooks, two at a time: each opens on its own, and starting a kernel is mostly waiting."""
    with (
        progress_bar("running the notebooks", len(notebooks)) as report,
        ProcessPoolExecutor(2, get_context("spawn"), initializer=_begin) as pool,
    ):
        running = {
            pool.submit(_execute, notebook, target / notebook.name, arguments): notebook for notebook in notebooks
        }
        for done, (future, notebook) in enumerate(running.items(), start=1):
            if problem := future.result():
                pool.shutdown(cancel_futures=True)
                shutil.rmtree(failed, ignore_errors=True)
                failed.mkdir(parents=True)
                shutil.move(target / notebook.name, failed / notebook.name)
                raise NotebookFailed(f"{problem}; the partly executed notebook is {failed / notebook.name}")
            report(done, len(notebooks), notebook.stem)


def _begin() -> None:
    """Silence a kernel's own chatter; what goes wrong comes back as an exception. Two share the memory."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    share_engine_memory(2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _end_with_parent() -> None:
    parent_process().join()  # of a run that is killed nothing goes on; a kernel ends with the process that started it
    os._exit(1)


def _execute(notebook: Path, target: Path, arguments: dict) -> str:
    """Execute one notebook and return what went wrong, or ""; run in a process of its own."""
    import logging

    from papermill import PapermillExecutionError, execute_notebook, inspect_notebook

    logging.getLogger("papermill").setLevel(logging.ERROR)
    names = inspect_notebook(str(notebook))
    chosen = {name: argument for name, argument in arguments.items() if name in names}
    try:
        # "completed" in the notebook's own metadata is no proof: it says so after a dead kernel too.
        with writing(target):
            execute_notebook(
                str(notebook), str(target), chosen, kernel_name="python3", cwd=str(notebook.parent), progress_bar=False
            )
    except PapermillExecutionError as error:
        return f"notebook {notebook.name}, cell {error.exec_count}: {error.ename}: {error.evalue}"
    except Exception as error:
        return f"notebook {notebook.name}: {type(error).__name__}: {error}"
    _drop_times(target)
    return ""


def _drop_times(notebook: Path) -> None:
    """Take out when and where a notebook was executed: that differs between runs of the same inputs."""
    import nbformat

    content = nbformat.read(notebook, as_version=4)
    for part in (content, *content.cells):
        for told in ("papermill", "execution"):
            part.metadata.pop(told, None)
        if "injected-parameters" in part.metadata.get("tags", ()):
            part["id"] = "injected-parameters"  # papermill draws one
    nbformat.write(content, notebook)


def _export(notebook: Path, target: Path, title: str = "", without: Sequence[str] = ()) -> None:
    """Write an executed notebook as one HTML file that needs no network; with `title`, without its code.

    `without` names tags of cells that have nothing to say.
    """
    import nbformat
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    tags = ["parameters", "injected-parameters", "remove-cell", *without]
    hidden = {"remove_cell_tags": tags, "enabled": bool(title)}
    exporter = HTMLExporter(template_name="basic", config=Config({"TagRemovePreprocessor": hidden}))
    exporter.exclude_input = exporter.exclude_input_prompt = exporter.exclude_output_prompt = bool(title)
    content = nbformat.read(notebook, as_version=4)
    body, resources = exporter.from_notebook_node(content)
    code_style = "" if title else "\n".join(resources["inlining"]["css"][:1])
    style = files("segkit.reporting").joinpath("page.css").read_text()
    target.write_text(
        "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        f"<title>{title or notebook.stem}</title>\n<style>\n{code_style}\n{style}</style>\n</head>\n"
        f"<body class='sk-page'>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def made_by(study: Study) -> dict[str, str]:
    """Return hashes of the card and of segkit's code and notebooks, which with data and parameters make a run."""
    texts = {"card": study.card.path.read_bytes(), "code": code_digest("reporting").encode()}
    texts["notebooks"] = b"".join(path.read_bytes() for path in _chain(study))
    return {name: hashlib.sha256(text).hexdigest() for name, text in texts.items()}


def _record(described: dict, seconds: float) -> dict:
    """What run.json holds; all that may differ between two runs of the same inputs stands here and nowhere else.

    ``peak_memory_mb`` is of the largest single process, this one or one that it started: not the sum of all.
    """
    packages = ("segkit", "duckdb", "hdbscan", "numpy", "pandas", "scikit-learn", "scipy", "umap-learn")
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {
        **described,
        "versions": {"python": platform.python_version(), **{package: version(package) for package in packages}},
        "seconds": round(seconds, 1),
        "peak_memory_mb": round(peak / 1024),
    }


@contextmanager
def _building(shelf: Path, label: str):
    """A hidden folder to build a run in; whatever happens, it does not stay."""
    for left in shelf.glob(".building-*"):
        if not is_alive(int(left.name.rsplit("-", 1)[1])):  # of a run that was killed
            shutil.rmtree(left, ignore_errors=True)
    building = shelf / f".building-{label}-{os.getpid()}"
    try:
        with writing(building), temporary(building):
            yield building
    finally:
        if not any(shelf.iterdir()):
            shelf.rmdir()


def _take_place(building: Path, place: Path) -> None:
    """Put the finished run in its place in one step; an older run there makes way and is removed."""
    if not place.exists():
        building.rename(place)
    elif not _exchange(building, place):
        older = place.with_name(f".older-{place.name}-{os.getpid()}")
        place.rename(older)
        building.rename(place)
        shutil.rmtree(older)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step, where the system can (Linux: renameat2 with RENAME_EXCHANGE)."""
    import ctypes

    at_working_directory, exchange = -100, 2
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    names = os.fsencode(one), os.fsencode(other)
    return rename is not None and rename(at_working_directory, names[0], at_working_directory, names[1], exchange) == 0


__all__ = ["InputError", "NotebookFailed", "run_report"]
