"""One whole run: papermill over the chain of notebooks, their tables published, built beside its place and moved there.

The notebooks are the analysis. What they save is what the run holds; nothing here computes a figure of its own.
"""

import hashlib
import json
import platform
import resource
import shutil
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from segkit.data.cards.card import CARDS, Card, read_card
from segkit.data.databases import one_snapshot
from segkit.data.orders import read_orders
from segkit.data.periods import check_sales, last_day_counted
from segkit.data.ready_table import read_ready
from segkit.monitoring.previous_month import read_run
from segkit.reporting.finished_runs import month_before
from segkit.reporting.publish import REQUIRED, describe_run, write_model, write_readme, write_tables
from segkit.reporting.series_page import write_series
from segkit.run import CHAIN, NOTEBOOKS, PARAMETERS, open_orders, which_month
from segkit.runtime.cache import code_digest
from segkit.runtime.disk import ROOT, building, check_shared_memory, check_writable, expanded
from segkit.runtime.errors import InputError
from segkit.runtime.notebook_steps import Step, check_steps, digest, find_makers, read_steps
from segkit.runtime.parameters import Parameters, read_parameters
from segkit.runtime.progress import follow_events, progress_bar, show_events
from segkit.runtime.run_step import NotebookFailed, StepRun, end_step, finish_step, skip_grammar, start_step
from segkit.runtime.table_store import find_table
from segkit.runtime.tables.files import write_json
from segkit.validation.selection import check_tried

AT_ONCE = 2  # kernels
WITHOUT_PREVIOUS = "since-last-month"  # tag of cells that have nothing to say in a first month
WITHOUT_IDEAS = "what-to-do"  # and where the figures give no idea of what to try
POLL_SECONDS = 0.1


@one_snapshot()
def run_report(
    dataset: str,
    month: str = "",
    as_of: str = "",
    source: str = "",
    out: Path | None = None,
    notebooks: Path | None = None,
    **settings,
) -> Path:
    """Run the chain of notebooks and return the path of the run's ``report.html``.

    A month is held against the latest finished month before it, if there is one under the same `out`: segments keep
    their ids, and its model stays in use until drift or age says refit.

    The run is built in a hidden folder beside its place, ``<out>/<dataset>/<month>/``, and takes that place in one
    step when everything is there; until then the place is as it was.

    Parameters
    ----------
    dataset, month, as_of, source
        As for `open_run`.
    out : path, optional
        Where runs are kept; ``reports/`` by default.
    notebooks : path, optional
        A folder with a shop's own copies of the notebooks; the project's by default.
    **settings
        Parameters by name, above the card's ``[defaults]``; see `Parameters`.

    Raises
    ------
    InputError
        The user can mend it; nothing was written.
    NotebookFailed
        A notebook stopped; it is kept, partly executed, and the message says where.
    """
    start = time.perf_counter()
    card = read_card(dataset, source or None)
    parameters = read_parameters(card.defaults, settings)
    check_tried(parameters.choice, parameters.max_segments)
    label, day = which_month(card, month, as_of)
    shelf = expanded(out or ROOT / "reports", "--out").resolve() / card.name
    check_writable(shelf, f"--out {out}" if out else "")
    check_shared_memory()
    before = month_before(shelf, month)
    previous = read_run(before.folder) if before else None
    steps = chain_of(notebooks or NOTEBOOKS, card, previous is not None, parameters)
    rows = read_ready(card) if day is None else open_orders(card, day)
    if day is not None:
        check_sales(rows, label, day, parameters.window_days)
    try:
        with building(shelf / label, f"--out {out}" if out else "") as run:
            run.mkdir()
            arguments = {
                "dataset": name_for_kernels(card),
                "month": month,
                "as_of": as_of,
                "source": str(Path(source).resolve()) if source else "",
                "previous": str(before.folder) if before else "",
                **parameters.as_dict(),
            }
            costs = _execute_all(steps, arguments, run, shelf / f"failed-{label}")
            load = _loader(run / "work", steps)
            for folder in ("tables", "model"):
                (run / folder).mkdir()
            write_readme(run / "tables", write_tables(load, rows, run / "tables"))
            write_model(load, run / "model", parameters, label, previous)
            record = describe_run(load, card, label, parameters, rows, previous, costs)
            hidden = [] if previous else [WITHOUT_PREVIOUS]
            ideas = load("actions")
            hidden += [WITHOUT_IDEAS] if ideas is not None and not len(ideas) else []
            _export_all(steps, run, f"{card.title} · {label}", hidden)
            place = {"card": str(card.path.resolve()), "source": arguments["source"], "made_by": made_by(card, steps)}
            place["notebooks"] = {"folder": str(Path(notebooks or NOTEBOOKS).resolve()), "cells": _cells(steps)}
            shutil.rmtree(run / "work")
            write_json(_record(record, time.perf_counter() - start) | place, run / "run.json")
    finally:
        if day is not None:
            rows.close()
    write_series(shelf, card.title, card.currency)
    shutil.rmtree(shelf / f"failed-{label}", ignore_errors=True)
    return shelf / label / "report.html"


def chain_of(folder: Path, card: Card, with_previous: bool, parameters: Parameters) -> dict[str, Step]:
    """Return the notebooks that apply to a dataset, in order; refused where one lacks what every chain needs.

    Raises
    ------
    InputError
        The folder or a notebook is not what it must be; the message names what is missing.
    """
    steps = read_steps(expanded(folder, "--notebooks"))
    known = {"dataset", "month", "as_of", "source", "previous", *parameters.as_dict()}
    check_steps(steps.values(), known)
    if missing := [name for name in REQUIRED if name not in find_makers(steps)]:
        raise InputError(f"no notebook of {folder} saves {', '.join(missing)}: a report needs what run.save(...) keeps")
    lacking = {"orders"} if card.ready is not None else set()
    lacking |= set() if with_previous else {"previous"}
    left = {name: step for name, step in steps.items() if step.needs not in lacking}
    if card.ready is not None:
        left = {name: step for name, step in left.items() if step.needs != "previous"}
    return left


def name_for_kernels(card: Card) -> str:
    """Return what notebooks call a dataset: they run in another folder, where only the project's cards have names.

    Examples
    --------
    >>> name_for_kernels(read_card("complete-journey"))
    'complete-journey'
    """
    return card.name if card.path.parent == CARDS else str(card.path.resolve())


def _execute_all(steps: Mapping[str, Step], arguments: dict, run: Path, failed: Path) -> dict:
    """Execute the notebooks, those side by side that need nothing of each other; return what their work took."""
    makers, costs, done = find_makers(steps), {}, set()
    waiting, running = list(steps.values()), []
    env = {CHAIN: str(run / "work"), "SEGKIT_ENGINES": str(AT_ONCE)}
    (run / "work").mkdir()
    (run / "work" / PARAMETERS).write_text(json.dumps(arguments))
    shown: dict[str, tuple] = {}
    began: dict[str, float] = {}
    with progress_bar("running the notebooks", len(steps)) as report:
        try:
            while waiting or running:
                for step in _ready(waiting, done, makers)[: AT_ONCE - len(running)]:
                    waiting.remove(step)
                    running.append(start_step(step, run / "notebooks" / step.path.name, arguments, env))
                    shown[step.name] = (show_events(f"{step.name}: "), [0])
                    began[step.name] = time.perf_counter()
                time.sleep(POLL_SECONDS)
                for one in list(running):
                    _show(one, *shown[one.step.name])
                    if one.process.poll() is not None:
                        running.remove(one)
                        took = _finish(one, failed)
                        costs[one.step.name] = {"seconds": round(time.perf_counter() - began[one.step.name], 2)}
                        costs |= {f"{one.step.name}: {event['text']}": _cost(event) for event in took}
                        done.add(one.step.name)
                        report(len(done), len(steps), one.step.name)
        finally:
            for one in running:
                end_step(one)
    return costs


def _ready(waiting: list[Step], done: set[str], makers: Mapping[str, str]) -> list[Step]:
    """Notebooks whose tables are all there; those that others wait for come first."""
    ready = [step for step in waiting if all(makers.get(name, "") in {*done, ""} for name in step.loads)]
    wanted = {makers.get(name, "") for step in waiting for name in step.loads}
    return sorted(ready, key=lambda step: step.name not in wanted)


def _show(one: StepRun, show, told: list[int]) -> None:
    events = follow_events(one.events)
    for event in events[told[0] :]:
        show(event)
    told[0] = len(events)


def _cost(event: dict) -> dict[str, float]:
    return {"seconds": event["seconds"], "peak_memory_mb": event["peak_memory_mb"]}


def _finish(one: StepRun, failed: Path) -> list[dict]:
    try:
        return finish_step(one)
    except NotebookFailed as error:
        shutil.rmtree(failed, ignore_errors=True)
        failed.mkdir(parents=True)
        where = failed / one.target.name
        if one.target.exists():
            shutil.move(one.target, where)
        raise NotebookFailed(f"{error}; the partly executed notebook is {where}") from None


def _loader(store: Path, steps: Mapping[str, Step]):
    """Return a function that gives a table by name; None where no notebook saved it."""
    makers, read = find_makers(steps), {}

    def load(name: str):
        if name not in read:
            saved = find_table(store / makers[name], name) if name in makers else None
            if saved is None and name in REQUIRED:
                raise InputError(f"{makers.get(name, 'no notebook')} did not save {name}, which a report needs")
            read[name] = None if saved is None else saved.read()
        return read[name]

    return load


def _export_all(steps: Mapping[str, Step], run: Path, title: str, hidden: list[str]) -> None:
    skip_grammar()
    with progress_bar("writing the pages"):
        for step in steps.values():
            _export(run / "notebooks" / step.path.name, run / "notebooks" / f"{step.name}.html")
        last = run / "notebooks" / next(reversed(steps.values())).path.name
        _export(last, run / "report.html", title=title, without=hidden)


def _export(notebook: Path, target: Path, title: str = "", without: list[str] = ()) -> None:
    """Write an executed notebook as one HTML file that needs no network; with `title`, blocks and prose alone.

    `without` names tags of cells that have nothing to say.
    """
    import nbformat
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    from segkit.reporting.blocks.page import only_blocks, page_html

    tags = ["parameters", "injected-parameters", "remove-cell", *without]
    hidden = {"remove_cell_tags": tags, "enabled": bool(title)}
    exporter = HTMLExporter(template_name="basic", config=Config({"TagRemovePreprocessor": hidden}))
    exporter.exclude_input = exporter.exclude_input_prompt = exporter.exclude_output_prompt = bool(title)
    content = nbformat.read(notebook, as_version=4)
    body, resources = exporter.from_notebook_node(only_blocks(content) if title else content)
    style = "" if title else "\n".join(resources["inlining"]["css"][:1])
    target.write_text(page_html(title or notebook.stem, body, style), encoding="utf-8")


def made_by(card: Card, steps: Mapping[str, Step]) -> dict[str, str]:
    """Return hashes of the card and of segkit's code and notebooks, which with data and parameters make a run."""
    return {
        "card": hashlib.sha256(card.path.read_bytes()).hexdigest(),
        "code": code_digest("run", "reporting"),
        "notebooks": digest(_cells(steps)),
    }


def _cells(steps: Mapping[str, Step]) -> dict[str, str]:
    return {name: digest(step.cells) for name, step in steps.items()}


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


__all__ = ["NotebookFailed", "chain_of", "made_by", "read_orders", "run_report", "last_day_counted"]
