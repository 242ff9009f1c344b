"""A run in the making: the tables of one dataset and month, loaded and saved by name.

``run = open_run("03_compare", dataset, month)`` opens what a notebook works on. `Run.load` gives a table that an
earlier notebook saved, while it is still true; otherwise that notebook is executed first. `Run.save` keeps a table for
later notebooks. Nothing is kept that somebody could take for another month's, other parameters' or older code's.
"""

import json
import os
import re
import shutil
import sys
import time
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from html import escape
from pathlib import Path

from segkit.data.cards.card import Card, read_card
from segkit.data.orders import Orders, read_orders
from segkit.data.periods import check_sales, last_day_counted
from segkit.data.ready_table import ReadyRows, read_ready
from segkit.monitoring.previous_month import EarlierMonth, read_run
from segkit.runtime import cache, progress
from segkit.runtime.disk import ROOT, locked
from segkit.runtime.errors import InputError
from segkit.runtime.memory import check_memory
from segkit.runtime.notebook_steps import (
    NEEDS,
    SHARED,
    Step,
    digest,
    executed_parameters,
    find_makers,
    follows_file,
    read_steps,
)
from segkit.runtime.parameters import Parameters, read_parameters
from segkit.runtime.progress import progress_bar, show_events
from segkit.runtime.run_step import run_step
from segkit.runtime.table_store import SavedTable, find_table, save_table

NOTEBOOKS = ROOT / "notebooks"
CHAIN = "SEGKIT_CHAIN"  # names the folder in which the notebooks of one report keep their tables
PARAMETERS = "parameters.json"  # in that folder
_OF_ONE_MONTH = ("choice", "way")  # parameters that an earlier month takes from the card, or its notebook
_NOT_COMPARED = (*SHARED, "previous")  # they say which folder and which month before, which are compared themselves


@dataclass(frozen=True)
class Truth:
    """Whether a table may be used: ``state`` is fresh, exploratory, stale, missing; ``why`` says what changed."""

    state: str
    why: str = ""
    saved: SavedTable | None = None

    @property
    def usable(self) -> bool:
        """Whether it is what its notebook would make now."""
        return self.state in ("fresh", "exploratory")


@dataclass
class Run:
    """The tables of one dataset and month, as one notebook sees them; made by `open_run`.

    Attributes
    ----------
    card : Card
        Of the dataset.
    label, as_of
        The month, and its last day counted (None for a ready table of customers).
    parameters : Parameters
        Those of the notebook over the card's ``[defaults]``.
    step : str
        The notebook, such as ``03_compare``.
    """

    card: Card
    label: str
    as_of: date | None
    parameters: Parameters
    step: str
    notebooks: Path
    given: dict = field(repr=False)
    previous_named: str = field(default="", repr=False)
    in_chain: bool = field(default=False, repr=False)
    _loaded: dict[str, str] = field(default_factory=dict, repr=False)
    _exploratory: set[str] = field(default_factory=set, repr=False)

    def __repr__(self) -> str:
        day = "" if self.as_of is None else f" as of {self.as_of}"
        return f"{self.card.name}{day}"

    # --- what is read -----------------------------------------------------------------------------------------------

    @cached_property
    def orders(self) -> Orders:
        """The canonical tables, inside the engine: read and checked once for all notebooks of the month.

        Raises
        ------
        InputError
            The dataset is a ready table, its files can't be read, or the month has no orders.
        """
        if self.as_of is None:
            raise InputError(f"dataset {self.card.name} is a ready table of customers: it has no orders")
        orders = open_orders(self.card, self.as_of)
        check_sales(orders, self.label, self.as_of, self.parameters.window_days)
        return orders

    @cached_property
    def ready(self) -> ReadyRows:
        """The ready table of customers of a dataset that is one."""
        return read_ready(self.card)

    @property
    def rows(self) -> Orders | ReadyRows:
        """What was read: the orders, or the ready table."""
        return self.ready if self.as_of is None else self.orders

    @cached_property
    def previous(self) -> EarlierMonth | None:
        """The month before, from its finished run or from the tables of its notebooks; None where there is none."""
        named = self.previous_named
        if not named:
            return None
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}", named):
            finished = ROOT / "reports" / self.card.name / named
            earlier = read_run(finished) if (finished / "run.json").exists() else self._study_month(named)
        else:
            earlier = read_run(named)
        if not earlier.as_of < self.as_of:
            raise InputError(f"previous {earlier.label} does not end before {self.label}: name an earlier month")
        return earlier

    def _study_month(self, label: str) -> EarlierMonth:
        from segkit.monitoring.month_history import from_tables

        own = {name: setting for name, setting in self.given.items() if name not in _OF_ONE_MONTH}
        given = own | {"month": label, "as_of": "", "previous": ""}
        other = Run(self.card, label, last_day_counted(label), self.parameters, "", self.notebooks, given)
        return from_tables(other, label)

    # --- tables by name ---------------------------------------------------------------------------------------------

    @cached_property
    def steps(self) -> dict[str, Step]:
        """The notebooks of the chain, in the order in which they run."""
        return read_steps(self.notebooks)

    @cached_property
    def store(self) -> Path:
        """The folder that holds the tables of this dataset and month, a folder per notebook."""
        if self.in_chain:
            return Path(os.environ[CHAIN])
        card = digest([str(self.card.path.resolve()), self.given.get("source", "")])[:8]
        return (
            cache.CACHE / "runs" / f"{self.card.name}-{card}" / self.label / digest(str(self.notebooks.resolve()))[:8]
        )

    def load(self, *names: str) -> object:
        """Return tables that earlier notebooks saved, by name.

        A table that is no longer true (another input, parameter, cell, or version of segkit) is made again first, by
        executing its notebook, and those before it where they have to be.

        Parameters
        ----------
        names : str
            One gives the table, several a tuple of tables. A table of a notebook that does not apply (there is no month
            before, or the dataset has no orders) is None.

        Raises
        ------
        InputError
            No notebook saves such a table; or it was made by cells that differ from its notebook's file and is no
            longer true: then both ways out are named.
        """
        for name in names:
            if name not in self._makers:
                known = ", ".join(sorted(self._makers))
                raise InputError(f"no notebook of {self.notebooks} saves {name}; they save {known}")
        if not self.in_chain:
            self._make_true(tuple(name for name in names if self._applies(name)))
        loaded = []
        for name in names:
            if not self._applies(name):
                loaded.append(None)
                continue
            saved = find_table(self.store / self._makers[name], name)
            if saved is None:
                raise InputError(f"{self._makers[name]} did not save {name}: it must come before what loads it")
            self._loaded[name] = saved.digest
            loaded.append(saved.read())
        return loaded[0] if len(loaded) == 1 else tuple(loaded)

    def _applies(self, name: str) -> bool:
        needs = self.steps[self._makers[name]].needs
        return not (needs == "orders" and self.as_of is None) and not (needs == "previous" and not self.previous_named)

    def save(self, **tables: object) -> None:
        """Keep tables by name, for later notebooks, the report, and the next month.

        A table saved from a kernel that ran the notebook's cells in order, from the first on, is that notebook's. One
        saved otherwise is *exploratory*: later notebooks use it and say so, and a report never does.
        """
        step = self.steps.get(self.step)
        executed = _executed_cells()
        exploratory = not self.in_chain and (step is None or executed is None or not follows_file(step, executed))
        about = {
            "step": self.step,
            "cells": digest(step.cells) if step else "",
            "exploratory": exploratory or bool(self._exploratory),
            "seconds": round(time.perf_counter() - self._opened, 1),
            "loaded": dict(self._loaded),
            **self._made_of(step),
        }
        if not self.in_chain:
            space = vars(sys.modules["__main__"]) if executed is not None else {}
            set_there = {name: space[name] for name in step.parameters if name in space} if step else {}
            about["parameters"] = {n: v for n, v in (set_there | self.given).items() if n not in _NOT_COMPARED}
        for name, content in tables.items():
            save_table(self.store / self.step, name, content, about)

    def reset(self) -> None:
        """Undo exploration: remove the tables of this dataset and month that notebooks' files did not make."""
        for name, maker in self._makers.items():
            saved = find_table(self.store / maker, name)
            if saved and saved.record["exploratory"]:
                shutil.rmtree(saved.folder)

    @property
    def costs(self) -> dict[str, dict[str, float]]:
        """Seconds and peak memory (MB, of the largest process so far) of each piece of work of this kernel."""
        return dict(progress.costs)

    @property
    def digests(self) -> dict[str, str]:
        """A hash of every table that was loaded so far."""
        return dict(self._loaded)

    @property
    def tables(self) -> dict[str, Truth]:
        """Every table that a notebook of the chain saves, and whether it is there and true."""
        return {name: self._truth(name) for name in self._makers if self._applies(name)}

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in ("table", "notebook", "state", "why", "seconds"))
        rows = []
        for name, truth in self.tables.items():
            seconds = truth.saved.record.get("seconds", "") if truth.saved else ""
            cells = (name, self._makers[name], truth.state, truth.why, seconds)
            rows.append("".join(f"<td>{escape(str(cell))}</td>" for cell in cells))
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        return f"<p>{escape(repr(self))}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    # --- what is true -----------------------------------------------------------------------------------------------

    @cached_property
    def _opened(self) -> float:
        return time.perf_counter()

    @cached_property
    def _makers(self) -> dict[str, str]:
        return find_makers(self.steps)

    def _made_of(self, step: Step | None) -> dict:
        """What every table hangs on beside its notebook's cells and parameters, as hashes."""
        code = step.code() if step else ""
        if self.in_chain:
            return {"package": code}
        before = self.previous.digest if self.previous_named else ""
        card = digest(self.card.path.read_text(encoding="utf-8"))
        return {"package": code, "card": card, "inputs": digest(self.rows.inputs), "previous": before}

    def _truth(self, name: str) -> Truth:
        step = self.steps[self._makers[name]]
        saved = find_table(self.store / step.name, name)
        if saved is None:
            return Truth("missing", "not made yet")
        record = saved.record
        why = [word for key, word in _CHANGES.items() if record.get(key) != self._wanted(step).get(key)]
        if record["exploratory"]:
            why = [word for word in why if word != _CHANGES["cells"] and word != _CHANGES["package"]]
        why += self._other_parameters(step, record)
        exploratory = record["exploratory"]
        for other, then in record["loaded"].items():
            now = self._truth(other) if other in self._makers else Truth("missing", "no longer saved")
            if not now.usable:
                why.append(f"{other} is {now.state}")
            elif now.saved.digest != then:
                why.append(f"{other} changed")
        if why:
            return Truth("stale exploratory" if exploratory else "stale", "; ".join(why), saved)
        told = f"made by cells that differ from {step.path.name}" if exploratory else ""
        return Truth("exploratory" if exploratory else "fresh", told, saved)

    def _wanted(self, step: Step) -> dict:
        if step.name not in self._wants:
            self._wants[step.name] = {"cells": digest(step.cells)} | self._made_of(step)
        return self._wants[step.name]

    @cached_property
    def _wants(self) -> dict:
        return {}

    def _arguments(self, step: Step) -> dict:
        """The parameters that a notebook is executed with: the card's defaults over its own, and those of this run."""
        shared = {name: given for name, given in self.given.items() if name in step.parameters}
        return step.parameters | {n: v for n, v in self.card.defaults.items() if n in step.parameters} | shared

    def _other_parameters(self, step: Step, record: dict) -> list[str]:
        wanted, own = (
            self._arguments(step),
            step.parameters | {n: v for n, v in self.given.items() if n in step.parameters},
        )
        made = record.get("parameters", {})
        names = [name for name in step.parameters if name not in _NOT_COMPARED]
        other = [name for name in names if made.get(name) not in (wanted[name], own[name])]
        return [f"{name} is {wanted[name]!r}, it was made with {made.get(name)!r}" for name in other]

    def _make_true(self, names: tuple[str, ...]) -> None:
        """Execute the notebooks whose tables are needed and not true, in order; say so."""
        for name, step in self._stale_steps(names).items():
            self._execute(step, name)
        for name in names:
            truth = self._truth(name)
            if truth.state == "exploratory":
                self._exploratory.add(name)
                _say(f"{name} is exploratory: {truth.why}.")

    def _stale_steps(self, names: tuple[str, ...]) -> dict[str, Step]:
        needed, todo = set(), list(names)
        while todo:
            name = todo.pop()
            step, truth = self.steps[self._makers[name]], self._truth(name)
            if truth.state == "stale exploratory":
                raise InputError(
                    f"{name} was made by cells that differ from {step.path.name}, and is no longer true ({truth.why}). "
                    f"Either run {step.path.name} again as you have it, or give up what you tried with run.reset()"
                )
            if not truth.usable and step.name not in needed:
                needed.add(step.name)
                todo += [one for one in step.loads if self._applies(one)]
        return {name: step for name, step in self.steps.items() if name in needed}

    def _execute(self, step: Step, name: str) -> None:
        self.store.mkdir(parents=True, exist_ok=True)
        with locked(self.store / step.name):
            waiting = [one for one in step.saves if not self._truth(one).usable]
            if not waiting:  # another notebook made it meanwhile
                return
            why = self._truth(waiting[0]).why
            _say(f"{step.path.name} runs first ({why})")
            target = self.store / step.name / step.path.name
            with progress_bar(f"running {step.path.name}"):
                run_step(step, target, self._arguments(step), show_events(f"{step.name}: "), {CHAIN: ""})


_CHANGES = {
    "cells": "its cells changed",
    "package": "the code behind it changed",
    "card": "the card changed",
    "inputs": "the data changed",
    "previous": "the month before changed",
}


def open_run(
    step: str,
    dataset: str | Path,
    month: str = "",
    as_of: str = "",
    source: str = "",
    previous: str = "",
    *,
    needs: str = "",
) -> Run:
    """Return the run that a notebook works on.

    Parameters
    ----------
    step : str
        The notebook's own name, such as ``"03_compare"``.
    dataset : str or path
        The name of a card in ``data/``, or the path of one.
    month : str
        ``"2017-09"``. Neither month nor day for a dataset that is a ready table of customers.
    as_of : str
        A day instead of a month, ``"2010-12-10"``: the last day counted.
    source : str
        A file to read instead of the one the card names.
    previous : str
        The month before, if any: ``"2017-08"``, or the folder of its finished run.
    needs : str
        ``"orders"`` or ``"previous"`` where the notebook makes no sense without.

    Raises
    ------
    InputError
        Unknown dataset, parameter or month; the message names it and the way out.

    Examples
    --------
    >>> open_run("02_features", "complete-journey", month="2017-09")
    complete-journey as of 2017-09-30
    >>> open_run("02_features", "complete-journey", month="17-9")
    Traceback (most recent call last):
    segkit.InputError: month '17-9' is not YYYY-MM; for example 2017-09
    """
    if needs and needs not in NEEDS:
        raise InputError(f"needs is {needs!r}; it must be {' or '.join(NEEDS)}")
    chain = os.environ.get(CHAIN, "")
    card = read_card(dataset, source or None)
    notebooks = Path.cwd() if (Path.cwd() / f"{step}.ipynb").exists() else NOTEBOOKS
    given = {"dataset": str(dataset), "month": month, "as_of": as_of, "source": source, "previous": previous}
    executed = _executed_cells()
    if executed and (notebooks / f"{step}.ipynb").exists():
        from segkit.runtime.notebook_steps import read_step

        given = executed_parameters(read_step(notebooks / f"{step}.ipynb"), executed) | given
    if chain:  # a notebook has only the parameters that it uses
        given = json.loads((Path(chain) / PARAMETERS).read_text()) | given
    settings = {name: value for name, value in given.items() if name not in _NOT_COMPARED}
    parameters = read_parameters(card.defaults, settings)
    label, day = which_month(card, month, as_of, previous)
    if (needs == "orders" and day is None) or (needs == "previous" and not previous):
        lacks = (
            "orders, and it has none" if needs == "orders" else "a month before: name it in previous, such as 2017-08"
        )
        raise InputError(f"{step} asks {card.name} for {lacks}")
    run = Run(card, label, day, parameters, step, notebooks, given, previous, bool(chain))
    _ = run._opened
    return run


def which_month(card: Card, month: str, as_of: str, previous: str = "") -> tuple[str, date | None]:
    """Return the label of a run and its last day counted; ``static`` and None for a ready table."""
    if card.ready is not None:
        if month or as_of or previous:
            raise InputError(f"dataset {card.name} is a ready table of customers: it takes neither --month nor --as-of")
        return "static", None
    if month and as_of:
        raise InputError(f"both --month {month} and --as-of {as_of} were given: keep one of them")
    if not (month or as_of):
        raise InputError(f"dataset {card.name} needs either --month YYYY-MM or --as-of YYYY-MM-DD")
    return month or as_of, last_day_counted(month, as_of)


def open_orders(card: Card, as_of: date) -> Orders:
    """Return the orders of a dataset up to a day; what one scan found in the same files is kept for other notebooks."""

    def keep(inputs: dict[str, str], make) -> dict:
        def read() -> dict:
            with progress_bar(f"reading the orders up to {as_of}"):
                return make()

        depends = {"card": card.path.read_text(encoding="utf-8"), "as_of": as_of, "inputs": inputs}
        return cache.kept("ledger", "data.orders", depends, read)

    orders = read_orders(card, as_of, keep=keep)
    if (sales := orders.ledger.set_index("reason")["customers"].get("sale", 0)) > 0:
        check_memory(int(sales))
    return orders


def _executed_cells() -> list[str] | None:
    """The sources that this kernel has run, in order; None where there is no kernel."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module else None
    if shell is None or not hasattr(shell, "kernel"):
        return None
    return [source.strip() for source in shell.history_manager.input_hist_raw[1:] if source.strip()]


def _say(text: str) -> None:
    """Tell an analyst a line; a notebook that a machine runs stores none."""
    if progress._somebody_watches():
        print(text, file=sys.stderr)


__all__ = ["Run", "Truth", "open_run"]
